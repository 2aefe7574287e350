//! Code objects: their file, and the constants of a live one.

use std::ffi::CString;

use crate::once::{Once, intern};
use pyo3::exceptions::{PySyntaxError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCode, PyString, PyTuple};

use crate::layout::{BODY, WORD, find_pointer, only, place, points_to, size_of_body, verify};
use crate::names;
use crate::support::{Result, Tested, Unsupported, raised, tested};
use crate::tuple::set_tuple_item;

pub(crate) const CAPABILITY: &str = "code fields";
pub(crate) const CONSTANTS: &str = "code constants";

/// Where the fields of a code object lie.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) filename: usize,
    pub(crate) first_line: usize,
}

/// The constants of `code`, as the interpreter reads them.
pub fn constants_of<'py>(code: &Bound<'py, PyCode>) -> PyResult<Bound<'py, PyTuple>> {
    let constants = code.getattr(names::constants(code.py()))?;
    Ok(constants.cast_into()?)
}

/// The code objects directly inside `code`: nested functions, classes, comprehensions.
pub fn nested_code<'py>(code: &Bound<'py, PyCode>) -> PyResult<Vec<Bound<'py, PyCode>>> {
    let constants = constants_of(code)?;
    let nested = constants.iter().filter_map(|value| value.cast_into().ok());
    Ok(nested.collect())
}

/// Replaces a nested code object in the constants of a live one.
///
/// A call of `parent` that is running makes its next inner function of `new`.
/// Returns how many constants were replaced; none is no error. The hash of
/// `parent` changes with its constants: what keeps it as a dict key loses it.
pub fn replace_code_constant(
    parent: &Bound<'_, PyCode>,
    old: &Bound<'_, PyCode>,
    new: &Bound<'_, PyCode>,
) -> Result<usize> {
    constants_are_writable(parent.py())?;
    let constants = constants_of(parent)?;
    let mut replaced = 0;
    for (index, constant) in constants.iter().enumerate() {
        if constant.is(old) {
            set_tuple_item(&constants, index, new.as_any())?;
            replaced += 1;
        }
    }
    Ok(replaced)
}

/// The names that a code object itself looks up in its module and among the builtins, or
/// assigns there; those of attributes are in `co_names` as well. Those of
/// class bodies and of modules count.
///
/// The numbers of the instructions are those of the module `opcode`; since CPython 3.11 the
/// lowest bit of what `LOAD_GLOBAL` says means something else (`Python/bytecodes.c`).
pub fn global_names(code: &Bound<'_, PyCode>) -> PyResult<Vec<String>> {
    const NAMED: [&str; 7] = [
        "LOAD_GLOBAL",
        "LOAD_NAME",
        "LOAD_FROM_DICT_OR_GLOBALS",
        "STORE_GLOBAL",
        "DELETE_GLOBAL",
        "STORE_NAME",
        "DELETE_NAME",
    ];
    static NUMBERS: Once<Option<(u8, Vec<Option<u8>>)>> = Once::new();
    let py = code.py();
    let names: Vec<String> = code.getattr(intern!(py, "co_names"))?.extract()?;
    let numbers = NUMBERS.get_or_init(|| {
        let all = py.import("opcode").ok()?.getattr("opmap").ok()?;
        let number = |name: &str| all.get_item(name).ok()?.extract::<u8>().ok();
        let prefix = number("EXTENDED_ARG")?;
        Some((prefix, NAMED.iter().map(|name| number(name)).collect()))
    });
    let Some((prefix, named)) = numbers else {
        return Ok(names);
    };
    let text = code.getattr(intern!(py, "co_code"))?;
    let text: &[u8] = text.cast::<PyBytes>()?.as_bytes();
    let mut found = Vec::new();
    let mut high = 0;
    for unit in text.chunks_exact(2) {
        let argument = high | usize::from(unit[1]);
        if unit[0] == *prefix {
            high = argument << 8;
            continue;
        }
        high = 0;
        let Some(which) = named.iter().position(|each| *each == Some(unit[0])) else {
            continue;
        };
        let at = match which {
            0 if cfg!(Py_3_11) => argument >> 1,
            _ => argument,
        };
        if let Some(name) = names.get(at)
            && !found.contains(name)
        {
            found.push(name.clone());
        }
    }
    Ok(found)
}

/// The file that `code` says it was compiled from.
pub fn file_of<'py>(code: &Bound<'py, PyCode>) -> PyResult<Bound<'py, PyAny>> {
    match layout(code.py()) {
        Ok(layout) => Ok(filename_of(code, layout)),
        Err(_) => code.getattr(names::filename(code.py())),
    }
}

/// The first line of `code`; None where it is none of a file.
pub fn first_line_of(code: &Bound<'_, PyCode>) -> Option<u32> {
    match layout(code.py()) {
        Ok(layout) => u32::try_from(read_first_line(code, layout)).ok(),
        Err(_) => {
            let line = code.getattr(names::first_line(code.py())).ok()?;
            line.extract().ok()
        }
    }
}

/// Whether `code` is of a function of this name.
pub fn is_called(code: &Bound<'_, PyCode>, name: &str) -> bool {
    let own = code.getattr(names::code_name(code.py()));
    own.is_ok_and(|own| own.extract::<&str>().is_ok_and(|own| own == name))
}

/// The file name of `code`, without an attribute lookup.
pub(crate) fn filename_of<'py>(code: &Bound<'py, PyCode>, layout: &Layout) -> Bound<'py, PyAny> {
    let field = place(code, layout.filename).cast::<*mut ffi::PyObject>();
    // SAFETY: the self-test found the field, and `code` is a live code object.
    let filename = unsafe { field.read() };
    // SAFETY: a code object keeps its file name alive; the pointer is never null.
    unsafe { Bound::from_borrowed_ptr(code.py(), filename) }
}

/// Finds the fields by making code objects whose parts are known.
pub(crate) fn layout(py: Python<'_>) -> std::result::Result<&'static Layout, Unsupported> {
    static LAYOUT: Tested<Layout> = Tested::new();
    tested(py, CAPABILITY, &LAYOUT, || test(py))
}

/// Whether constants may be replaced: a compiled trace would keep the old ones.
pub(crate) fn constants_are_writable(py: Python<'_>) -> std::result::Result<(), Unsupported> {
    static WRITABLE: Tested<()> = Tested::new();
    crate::tuple::layout(py)?;
    tested(py, CONSTANTS, &WRITABLE, || {
        match machine_code_is_on(py).map_err(raised)? {
            true => Err("the just-in-time compiler is on, which copies constants".into()),
            false => Ok(()),
        }
    })
    .copied()
}

pub(crate) fn machine_code_is_on(py: Python<'_>) -> PyResult<bool> {
    let version = py.version_info();
    if version.minor < 13 {
        return Ok(false);
    }
    let sys = py.import(intern!(py, "sys"))?;
    if let Some(jit) = sys.getattr_opt(intern!(py, "_jit"))? {
        return jit.call_method0(intern!(py, "is_enabled"))?.is_truthy();
    }
    // 3.13 cannot be asked at run time, only how it was built.
    let arguments = py
        .import(intern!(py, "sysconfig"))?
        .call_method1(intern!(py, "get_config_var"), ("CONFIG_ARGS",))?;
    Ok(arguments.to_string().contains("experimental-jit"))
}

/// The first line of a code object, read from the field itself.
pub(crate) fn read_first_line(code: &Bound<'_, PyCode>, layout: &Layout) -> i32 {
    read_int(code, layout.first_line)
}

/// Writes the first line of a code object, and nothing that depends on it.
pub(crate) fn write_first_line(code: &Bound<'_, PyCode>, layout: &Layout, line: i32) {
    let field = place(code, layout.first_line).cast::<i32>();
    // SAFETY: the self-test found the field, and `code` is a live code object.
    unsafe { field.write(line) }
}

fn read_int(code: &Bound<'_, PyCode>, offset: usize) -> i32 {
    let field = place(code, offset).cast::<i32>();
    // SAFETY: callers stay inside the body of a code object.
    unsafe { field.read() }
}

fn test<'py>(py: Python<'py>) -> std::result::Result<Layout, String> {
    let first = specimen(py, "<hotswap self-test 1>", 0x02A3_B4C5).map_err(raised)?;
    let second = specimen(py, "<hotswap self-test 2>", 0x01F2_E3D4).map_err(raised)?;
    let shown =
        |code: &Bound<'py, PyCode>| code.getattr(names::filename(code.py())).map_err(raised);

    let layout = Layout {
        filename: find_pointer(&first, &shown(&first)?, "co_filename")?,
        first_line: only(
            (BODY..=size_of_body(&first) - WORD)
                .step_by(size_of::<i32>())
                .filter(|&offset| read_int(&first, offset) == 0x02A3_B4C5),
            "co_firstlineno",
        )?,
    };

    let holds = points_to(&second, layout.filename, &shown(&second)?);
    verify(holds, "co_filename")?;
    let holds = read_first_line(&second, &layout) == 0x01F2_E3D4;
    verify(holds, "co_firstlineno")?;
    write_first_line(&second, &layout, 4321);
    let line = second
        .getattr(intern!(py, "co_firstlineno"))
        .map_err(raised)?;
    verify(
        line.extract().is_ok_and(|line: i32| line == 4321),
        "co_firstlineno",
    )?;
    Ok(layout)
}

/// Compiles a text as a module of `file`, with no flags but those that the text itself asks for.
///
/// `builtins.compile` with `dont_inherit` does the same, but first asks whether the source is a
/// syntax tree, for which CPython makes the types of all nodes: 11 million instructions, once.
///
/// # Errors
///
/// `SyntaxError` and whatever else the compiler or an audit hook raises.
pub fn compile<'py>(py: Python<'py>, text: &str, file: &str) -> PyResult<Bound<'py, PyAny>> {
    /// `PyCF_SOURCE_IS_UTF8 | PyCF_IGNORE_COOKIE`: a comment names no other encoding.
    const ENCODED: i32 = 0x0100 | 0x0800;
    let source = CString::new(text)
        .map_err(|_| PySyntaxError::new_err("source code string cannot contain null bytes"))?;
    let name = PyString::new(py, file);
    let mut flags = ffi::PyCompilerFlags {
        cf_flags: ENCODED,
        cf_feature_version: i32::from(py.version_info().minor),
    };
    // SAFETY: the text and the flags live until it returns; -1 is the optimisation of this process.
    let code = unsafe {
        ffi::Py_CompileStringObject(
            source.as_ptr(),
            name.as_ptr(),
            ffi::Py_file_input,
            &raw mut flags,
            -1,
        )
    };
    // SAFETY: a new reference, or null with an exception.
    unsafe { Bound::from_owned_ptr_or_err(py, code) }
}

pub(crate) fn specimen<'py>(
    py: Python<'py>,
    filename: &str,
    first_line: i32,
) -> PyResult<Bound<'py, PyCode>> {
    let code = compile(py, "def f():\n return 1\n", filename)?;
    let changes = pyo3::types::PyDict::new(py);
    changes.set_item(intern!(py, "co_firstlineno"), first_line)?;
    let code = code.call_method(intern!(py, "replace"), (), Some(&changes))?;
    code.cast_into()
        .map_err(|_| PyValueError::new_err("compile returned no code object"))
}

#[cfg(test)]
mod tests {
    use pyo3::types::PyDict;

    use super::*;

    #[test]
    fn a_text_is_compiled_as_by_the_builtin() {
        Python::attach(|py| {
            let texts = [
                "x = 1\n",
                "# -*- coding: latin-1 -*-\nname = '\u{e9}'\n",
                "from __future__ import annotations\ndef f(x: 'y') -> z: return x",
                "def f(:\n",
                "if True:\n\tx = 1\n        y = 2\n",
                "x = '\\d'\0",
                "",
            ];
            let kwargs = PyDict::new(py);
            kwargs.set_item("dont_inherit", true).unwrap();
            let builtin = py.import("builtins").unwrap().getattr("compile").unwrap();
            for text in texts {
                let ours = compile(py, text, "file.py");
                let theirs = builtin.call((text, "file.py", "exec"), Some(&kwargs));
                match (ours, theirs) {
                    (Ok(ours), Ok(theirs)) => assert!(ours.eq(theirs).unwrap(), "{text:?}"),
                    // Up to 3.11 a null character is a `ValueError` there.
                    (Err(_), Err(_)) if text.contains('\0') => {}
                    (Err(ours), Err(theirs)) => {
                        let words = |error: &PyErr| error.value(py).repr().unwrap().to_string();
                        assert_eq!(words(&ours), words(&theirs), "{text:?}");
                    }
                    (ours, theirs) => panic!("{text:?}: {ours:?}, {theirs:?}"),
                }
            }
        });
    }

    #[test]
    fn names_of_attributes_are_no_global_names() {
        Python::attach(|py| {
            let many: String = (0..300).map(|at| format!("    a{at}\n")).collect();
            let source =
                format!("def f(x):\n{many}    x.attribute = len(x.other)\n    last.third\n");
            let scope = PyDict::new(py);
            let source = std::ffi::CString::new(source).unwrap();
            py.run(&source, Some(&scope), None).unwrap();
            let function = scope.get_item("f").unwrap().unwrap();
            let code = function.getattr("__code__").unwrap().cast_into().unwrap();
            let names = global_names(&code).unwrap();
            assert_eq!(names.len(), 302);
            assert_eq!(names[300..], ["len", "last"]);
        });
    }
}
