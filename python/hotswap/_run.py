"""Runs a script, a module or a piece of code in this process as `python` would have.

The interpreter has one way to run a program, and it is taken before we are called. What it does
there is done again here: a fresh `__main__`, `sys.argv`, `sys.path[0]`, and on an
uncaught exception a traceback that begins in the program, not in hotswap.
"""

from __future__ import annotations

import _frozen_importlib as _importlib
import _frozen_importlib_external as _importlib_external
import builtins
import codecs
import os
import sys
import zipimport

# Of the standard library only what the interpreter has loaded by then anyway, or next to nothing;
# the rest stands where it is used.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from dataclasses import dataclass
    from types import CodeType, ModuleType, TracebackType
    from typing import Any
else:
    from hotswap._plain import dataclass

_CACHED_LAST = (3, 14)
"""The last version whose `__main__` has `__cached__`."""
_ANNOTATIONS_LAST = (3, 13)
"""The last version whose `__main__` is given an empty `__annotations__`."""
_SHOWS_COMMAND_SINCE = (3, 13)
"""The first version whose tracebacks show the lines of `-c`."""


@dataclass(frozen=True)
class Target:
    """What to run, in the words of the command line."""

    kind: str
    """`script`, `module`, `code` or `stdin`."""
    value: str
    """The path, the module's name, the code; as written."""
    arguments: tuple[str, ...]
    """What the program finds in `sys.argv[1:]`."""

    def root(self) -> str:
        """The directory of the program's own modules: what `python` puts first in `sys.path`."""
        if self.kind != "script":
            return _working_directory()
        path = os.path.realpath(self.value)
        if _is_container(path):
            return path
        return os.path.dirname(path)

    def folder(self) -> str:
        """The directory to watch: the root, or where it lies if it is an archive."""
        root = self.root()
        return root if os.path.isdir(root) else os.path.dirname(root)


def run(target: Target) -> None:
    """Run the program until it ends. What it raises is for the interpreter: let it through."""
    execute = _PREPARE[target.kind](target)
    try:
        _execute(execute)
    except SystemExit:
        if sys.flags.inspect:
            _hide_frames()
        raise
    except BaseException:
        _hide_frames()
        raise


def missing_script(target: Target) -> str | None:
    """What `python` prints, with exit code 2, when the script cannot be opened; None if it can be."""
    if target.kind != "script" or _is_container(target.value):
        return None
    try:
        with open(target.value, "rb"):
            return None
    except OSError as error:
        path = _full_path(target.value)
        return f"{sys.executable}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}"


def _execute(program: Callable[[], object]) -> None:
    # Tracebacks are cut behind this frame.
    program()


def _prepare_script(target: Target) -> Callable[[], object]:
    path = _full_path(target.value)
    if _is_container(target.value):
        sys.argv = [target.value, *target.arguments]
        _set_first_path(path)
        _new_main(_importlib.BuiltinImporter)
        return lambda: _run_module_as_main("__main__", False)
    sys.argv = [target.value, *target.arguments]
    _set_first_path(target.root())
    if path.endswith(".pyc"):
        compiled = _importlib_external.SourcelessFileLoader("__main__", path)
        main = _new_main(compiled, path)
        return lambda: exec(compiled.get_code("__main__"), main.__dict__)  # type: ignore[arg-type]
    main = _new_main(_importlib_external.SourceFileLoader("__main__", path), path)
    with open(path, "rb") as file:
        source = file.read()
    return lambda: exec(_compile_file(source, path), main.__dict__)


def _prepare_module(target: Target) -> Callable[[], object]:
    sys.argv = ["-m", *target.arguments]
    _set_first_path(_working_directory())
    _new_main(_importlib.BuiltinImporter)
    return lambda: _run_module_as_main(target.value, True)


def _prepare_code(target: Target) -> Callable[[], object]:
    sys.argv = ["-c", *target.arguments]
    _set_first_path("")
    main = _new_main(_importlib.BuiltinImporter)
    source = target.value + "\n"
    if sys.version_info >= (3, 14):
        import textwrap

        source = textwrap.dedent(source)
    if sys.version_info >= _SHOWS_COMMAND_SINCE:
        import linecache

        lines = [line + "\n" for line in source.splitlines()]
        linecache.cache["<string>"] = (len(source), None, lines, "<string>")
    return lambda: exec(compile(source, "<string>", "exec", dont_inherit=True), main.__dict__)


def _prepare_stdin(target: Target) -> Callable[[], object]:
    sys.argv = [target.value, *target.arguments]
    _set_first_path("")
    main = _new_main(_importlib.BuiltinImporter, "<stdin>")

    def program() -> None:
        # All of it, as the interpreter does where stdin is no terminal: input() then meets the end.
        source = sys.stdin.buffer.read()
        exec(compile(source, "<stdin>", "exec", dont_inherit=True), main.__dict__)

    return program


_PREPARE: dict[str, Callable[[Target], Callable[[], object]]] = {
    "script": _prepare_script,
    "module": _prepare_module,
    "code": _prepare_code,
    "stdin": _prepare_stdin,
}


def _run_module_as_main(name: str, alter_argv: bool) -> object:
    # Not run_module: the interpreter itself calls this one, and its error messages,
    # its `__main__` and its two frames in tracebacks are what users of -m know.
    import runpy

    run_as_main: Callable[[str, bool], object] = runpy._run_module_as_main  # type: ignore[attr-defined]
    return run_as_main(name, alter_argv)


def _new_main(loader: Any, path: str | None = None) -> ModuleType:
    main = type(sys)("__main__")
    main.__loader__ = loader
    if sys.version_info[:2] <= _ANNOTATIONS_LAST:
        main.__annotations__ = {}
    main.__dict__["__builtins__"] = builtins
    if path is not None:
        main.__file__ = path
        if sys.version_info[:2] <= _CACHED_LAST:
            main.__dict__["__cached__"] = None
    sys.modules["__main__"] = main
    return main


def _set_first_path(path: str) -> None:
    if _safe_path():
        return
    # The interpreter put the place of hotswap's own start there.
    sys.path[0:1] = [path]


def _safe_path() -> bool:
    return bool(sys.flags.isolated or getattr(sys.flags, "safe_path", False))


def _is_container(path: str) -> bool:
    """Whether this is a directory or zip file, whose `__main__` is to be run."""
    if os.path.isdir(path):
        return True
    try:
        zipimport.zipimporter(path)
    except (zipimport.ZipImportError, OSError):
        return False
    return True


def _full_path(path: str) -> str:
    # The interpreter does not take `./` and `../` out, except on Windows.
    return os.path.abspath(path) if os.name == "nt" else os.path.join(_working_directory(), path)


def _working_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # removed since; the program may not care
        return ""


def _compile_file(source: bytes, path: str) -> CodeType:
    if b"\0" in source:
        # Before 3.11 the interpreter goes on behind the byte and runs what is left; nobody means that.
        raise _null_bytes(source, path)
    undecodable = _undecodable(source, path)
    if undecodable is not None:
        raise undecodable
    return compile(source, path, "exec", dont_inherit=True)


def _null_bytes(source: bytes, path: str) -> SyntaxError:
    before = source[: source.index(b"\0")].decode("utf-8", "replace")
    number = before.count("\n") + 1
    return SyntaxError("source code cannot contain null bytes", (path, number, 0, before.rpartition("\n")[2]))


def _undecodable(source: bytes, path: str) -> SyntaxError | None:
    """What the interpreter says of a file that it cannot decode; `compile` has other words for bytes."""
    shows_line = sys.version_info >= (3, 14)
    cookie = _coding_cookie(source)
    if cookie is not None:
        # Where lines are shown, `compile` says the same.
        known = shows_line or _is_codec(cookie)
        return None if known else SyntaxError(f"encoding problem: {cookie}")
    try:
        source.decode("utf-8")
    except UnicodeDecodeError as error:
        number = source.count(b"\n", 0, error.start) + 1
        line = source.splitlines()[number - 1]
        column = error.start - source.rfind(b"\n", 0, error.start)
        if sys.version_info[:2] == (3, 10):  # which counts one too many
            number += 1
        elif shows_line and number == 2:  # where it looks for the encoding, it counts one too few
            number = 1
        place = "peps.python.org/pep-0263" if sys.version_info >= (3, 11) else "python.org/dev/peps/pep-0263"
        message = (
            f"Non-UTF-8 code starting with '\\x{source[error.start]:02x}' in file {path} on line {number}, "
            f"but no encoding declared; see https://{place}/ for details"
        )
        if not shows_line:
            return SyntaxError(message)
        text = line.decode("utf-8", "replace")
        offset = len(line[: column - 1].decode("utf-8", "replace")) + 1
        return SyntaxError(message, (path, number, offset, text, number, offset))
    return None


def _coding_cookie(source: bytes) -> str | None:
    lines = source.split(b"\n", 2)[:2]
    if not any(b"coding" in line for line in lines):
        return None
    import re

    for line in lines:
        match = re.match(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", line)
        if match:
            return match[1].decode("ascii", "replace")
        if not re.match(rb"^[ \t\f]*(?:[#\r\n]|$)", line):
            break
    return None


def _is_codec(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True


def _hide_frames() -> None:
    """Let the exception that is on its way out be shown without the frames above the program."""
    show = getattr(sys, "excepthook", None)
    if show is None:
        return

    def excepthook(kind: type[BaseException], value: BaseException, traceback: TracebackType | None) -> None:
        sys.excepthook = show
        traceback = _behind_execute(traceback)
        value.__traceback__ = traceback
        sys.last_traceback = traceback
        show(kind, value, traceback)

    sys.excepthook = excepthook


def _behind_execute(traceback: TracebackType | None) -> TracebackType | None:
    entry = traceback
    while entry is not None:
        if entry.tb_frame.f_code is _execute.__code__:
            entry = entry.tb_next
            # The frames of this file that are called from there.
            while entry is not None and entry.tb_frame.f_code.co_filename == _execute.__code__.co_filename:
                entry = entry.tb_next
            return entry
        entry = entry.tb_next
    return traceback


def python_flags(arguments: Sequence[str]) -> list[str]:
    """The command line that starts an interpreter with the flags of this one and with these."""
    import subprocess

    own: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *own, *arguments]
