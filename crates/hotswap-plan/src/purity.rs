//! The allow-lists of calls that are known to have no effect.
//!
//! A name that is missing here only means that a value is kept instead of being
//! derived again, so the lists hold what is certain and nothing else.

/// Whether a builtin of this name has no effect and depends on its arguments only.
#[must_use]
pub fn is_pure_builtin(name: &str) -> bool {
    matches!(
        name,
        "abs"
            | "all"
            | "any"
            | "ascii"
            | "bin"
            | "bool"
            | "bytearray"
            | "bytes"
            | "chr"
            | "complex"
            | "dict"
            | "divmod"
            | "enumerate"
            | "filter"
            | "float"
            | "format"
            | "frozenset"
            | "getattr"
            | "hasattr"
            | "hash"
            | "hex"
            | "id"
            | "int"
            | "isinstance"
            | "issubclass"
            | "len"
            | "list"
            | "map"
            | "mappingproxy"
            | "max"
            | "min"
            | "oct"
            | "ord"
            | "pow"
            | "range"
            | "repr"
            | "reversed"
            | "round"
            | "set"
            | "slice"
            | "sorted"
            | "str"
            | "super"
            | "sum"
            | "tuple"
            | "zip"
    )
}

/// Whether a function of the standard library, named by module and qualified
/// name, has no effect and depends on its arguments only.
#[must_use]
pub fn is_pure_library(module: &str, qualname: &str) -> bool {
    match module {
        "math" | "_operator" | "operator" | "cmath" | "string" | "textwrap" | "fractions"
        | "statistics" | "colorsys" | "unicodedata" | "html" | "_bisect" | "keyword" => true,
        "posixpath" | "ntpath" | "genericpath" => matches!(
            qualname,
            "join"
                | "basename"
                | "dirname"
                | "split"
                | "splitext"
                | "normpath"
                | "normcase"
                | "isabs"
                | "commonpath"
                | "commonprefix"
                | "splitdrive"
        ),
        "re" | "re._compiler" => matches!(
            qualname,
            "compile"
                | "escape"
                | "match"
                | "prefixmatch"
                | "search"
                | "fullmatch"
                | "findall"
                | "split"
                | "sub"
                | "subn"
        ),
        "functools" => matches!(qualname, "reduce" | "partial" | "wraps"),
        "_functools" => matches!(qualname, "reduce" | "partial"),
        "itertools" => true,
        "copy" => matches!(qualname, "copy" | "deepcopy"),
        "collections" => matches!(qualname, "OrderedDict" | "Counter" | "ChainMap"),
        "_collections" => matches!(qualname, "deque" | "OrderedDict"),
        "datetime" => matches!(qualname, "timedelta" | "date" | "time" | "datetime"),
        "decimal" | "_decimal" => qualname == "Decimal",
        "pathlib" | "pathlib._local" => matches!(
            qualname,
            "PurePath" | "PurePosixPath" | "PureWindowsPath" | "Path" | "PosixPath"
        ),
        "json" => matches!(qualname, "dumps" | "loads"),
        "struct" | "_struct" => matches!(qualname, "pack" | "unpack" | "calcsize" | "Struct"),
        "base64" | "binascii" | "zlib" => true,
        "_hashlib" | "hashlib" | "_md5" | "_sha1" | "_sha2" | "_sha256" => true,
        "packaging.version" => matches!(qualname, "Version" | "parse"),
        "urllib.parse" => !matches!(qualname, "clear_cache"),
        "types" => matches!(qualname, "MappingProxyType" | "SimpleNamespace"),
        _ => false,
    }
}

/// Whether a method of this name has no effect, whatever it is called on: those of strings,
/// matches, hashes and mappings whose name nothing with an effect has by custom.
#[must_use]
pub fn is_pure_method_name(name: &str) -> bool {
    matches!(
        name,
        "strip"
            | "lstrip"
            | "rstrip"
            | "upper"
            | "lower"
            | "title"
            | "capitalize"
            | "casefold"
            | "startswith"
            | "endswith"
            | "splitlines"
            | "removeprefix"
            | "removesuffix"
            | "isdigit"
            | "isidentifier"
            | "items"
            | "keys"
            | "values"
            | "hexdigest"
            | "digest"
            | "group"
            | "groups"
            | "groupdict"
            | "isoformat"
            | "total_seconds"
            | "bit_length"
            | "as_posix"
    )
}

/// Whether calling this makes a new object and does nothing else, so that one more
/// can be made for an instance that lacks it. Two such objects are not equal.
#[must_use]
pub fn makes_fresh_object(module: &str, qualname: &str) -> bool {
    match module {
        "builtins" => matches!(qualname, "object"),
        "collections" | "_collections" => matches!(
            qualname,
            "deque" | "defaultdict" | "OrderedDict" | "Counter" | "ChainMap"
        ),
        "_thread" | "threading" => matches!(
            qualname,
            "Lock"
                | "RLock"
                | "lock"
                | "allocate_lock"
                | "Condition"
                | "Event"
                | "Semaphore"
                | "BoundedSemaphore"
                | "local"
                | "_local"
        ),
        "asyncio.locks" => matches!(
            qualname,
            "Lock" | "Event" | "Condition" | "Semaphore" | "BoundedSemaphore"
        ),
        "asyncio.queues" | "queue" | "_queue" => {
            matches!(
                qualname,
                "Queue" | "LifoQueue" | "PriorityQueue" | "SimpleQueue"
            )
        }
        "weakref" | "_weakrefset" => matches!(
            qualname,
            "WeakKeyDictionary" | "WeakValueDictionary" | "WeakSet"
        ),
        "io" | "_io" => matches!(qualname, "StringIO" | "BytesIO"),
        "itertools" => matches!(qualname, "count" | "cycle" | "repeat"),
        "time" => matches!(
            qualname,
            "time" | "monotonic" | "perf_counter" | "time_ns" | "monotonic_ns" | "perf_counter_ns"
        ),
        "datetime" => matches!(qualname, "datetime.now" | "datetime.utcnow" | "date.today"),
        "logging" => matches!(qualname, "getLogger"),
        "random" => matches!(qualname, "Random"),
        "uuid" => matches!(qualname, "uuid1" | "uuid4"),
        "types" => matches!(qualname, "SimpleNamespace"),
        "contextvars" | "_contextvars" => matches!(qualname, "ContextVar"),
        _ => false,
    }
}

/// Whether a method of a builtin type has no effect on its object or on others.
#[must_use]
pub fn is_pure_method(type_name: &str, method: &str) -> bool {
    match type_name {
        "str" | "bytes" | "int" | "float" | "complex" | "bool" | "tuple" | "frozenset"
        | "range" | "timedelta" | "date" | "datetime" | "time" | "Decimal" | "PosixPath"
        | "PurePosixPath" => !matches!(
            (type_name, method),
            ("datetime" | "date", "now" | "today" | "utcnow")
                | (
                    "PosixPath",
                    "open"
                        | "read_text"
                        | "read_bytes"
                        | "write_text"
                        | "write_bytes"
                        | "unlink"
                        | "mkdir"
                        | "rmdir"
                        | "touch"
                        | "rename"
                        | "replace"
                        | "chmod"
                        | "symlink_to"
                        | "hardlink_to"
                        | "exists"
                        | "is_file"
                        | "is_dir"
                        | "stat"
                        | "lstat"
                        | "iterdir"
                        | "glob"
                        | "rglob"
                        | "resolve"
                        | "absolute"
                        | "cwd"
                        | "home"
                        | "expanduser"
                        | "samefile"
                        | "owner"
                        | "group"
                        | "walk"
                        | "readlink"
                        | "is_symlink"
                        | "is_mount"
                        | "is_socket"
                        | "is_fifo"
                        | "is_block_device"
                        | "is_char_device"
                        | "lchmod"
                        | "link_to"
                )
        ),
        "list" => matches!(method, "copy" | "count" | "index"),
        "dict" | "mappingproxy" => matches!(method, "copy" | "get" | "items" | "keys" | "values"),
        "set" => matches!(
            method,
            "copy"
                | "difference"
                | "intersection"
                | "union"
                | "symmetric_difference"
                | "isdisjoint"
                | "issubset"
                | "issuperset"
        ),
        "Pattern" | "Struct" => true,
        _ => false,
    }
}
