//! Code, closure and globals of a live function.
//!
//! A function's version stands for its code, defaults, closure and globals in
//! the interpreter's inline caches: a call site that was specialised for a
//! version trusts that none of them changed. A field that is written while an
//! old version is in force gives wrong arguments on 3.11 and a crash from 3.12
//! on. `PyFunction_SetClosure` withdraws the version without running any code,
//! so it comes first, even where the closure stays; the public setter of
//! `__code__` comes last and tells the function watchers.

use crate::once::intern;
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyFunction, PyTuple};

use crate::layout::{find_pointer, points_to, swap_pointer, verify};
use crate::names;
use crate::support::{Result, Tested, Unsupported, raised, tested};

pub(crate) const CAPABILITY: &str = "function fields";

/// Where the fields of a function object lie.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) code: usize,
    pub(crate) globals: usize,
    /// 3.9 has no such field: a frame finds its builtins through its globals.
    pub(crate) builtins: Option<usize>,
    pub(crate) closure: usize,
}

impl Layout {
    /// The fields for which a function's version stands.
    pub(crate) fn versioned(&self) -> impl Iterator<Item = usize> {
        let always = [self.code, self.globals, self.closure];
        always.into_iter().chain(self.builtins)
    }
}

/// The code object that `function` runs.
pub fn code_of<'py>(function: &Bound<'py, PyFunction>) -> Bound<'py, PyCode> {
    // SAFETY: `function` is a live function; its code is never null.
    let code = unsafe { ffi::PyFunction_GetCode(function.as_ptr()) };
    // SAFETY: the call lends a pointer that `function` keeps alive.
    let code = unsafe { Bound::from_borrowed_ptr(function.py(), code) };
    // SAFETY: the setter of `__code__` accepts nothing but code objects.
    unsafe { code.cast_into_unchecked() }
}

/// The namespace in which `function` looks up its global names.
pub fn globals_of<'py>(function: &Bound<'py, PyFunction>) -> Bound<'py, PyDict> {
    // SAFETY: `function` is a live function; its globals are never null.
    let globals = unsafe { ffi::PyFunction_GetGlobals(function.as_ptr()) };
    // SAFETY: the call lends a pointer that `function` keeps alive.
    let globals = unsafe { Bound::from_borrowed_ptr(function.py(), globals) };
    // SAFETY: a function is made with a dict, and nothing else can replace it.
    unsafe { globals.cast_into_unchecked() }
}

/// The cells of `function`, or `None` when it has no free variables.
pub fn closure_of<'py>(function: &Bound<'py, PyFunction>) -> Option<Bound<'py, PyTuple>> {
    // SAFETY: `function` is a live function. The call lends a pointer or gives null.
    let closure = unsafe { ffi::PyFunction_GetClosure(function.as_ptr()) };
    // SAFETY: `function` keeps the object alive; null becomes `None`.
    let closure = unsafe { Bound::from_borrowed_ptr_or_opt(function.py(), closure) }?;
    // SAFETY: the interpreter puts nothing but tuples there.
    Some(unsafe { closure.cast_into_unchecked() })
}

/// Gives `function` another code object and another closure, as one step.
///
/// The closure must have one cell per free variable of `code`; `None` stands
/// for a function without free variables. Other threads, and audit hooks in
/// Python that the public setter calls, see the function either as it was or
/// as it will be. No warning is issued when a plain function becomes a
/// generator. If an audit hook raises, the function is as before.
///
/// Where the layout of functions is unknown this still works through the
/// public interface, but an audit hook may then see the new closure beside the
/// old code, and CPython 3.13 and later may issue a `DeprecationWarning`. A
/// free-threaded build refuses another closure, since other threads may be
/// calling the function with the old code.
pub fn set_code_and_closure(
    function: &Bound<'_, PyFunction>,
    code: &Bound<'_, PyCode>,
    closure: Option<&Bound<'_, PyTuple>>,
) -> Result<()> {
    check_closure(code, closure)?;
    let old_code = code_of(function);
    let old_closure = closure_of(function);
    let layout = match layout(function.py()) {
        Ok(layout) => Some(layout),
        Err(absent) if cfg!(Py_GIL_DISABLED) && !same(old_closure.as_ref(), closure) => {
            return Err(absent.into());
        }
        Err(_) => None,
    };

    set_closure(function, closure)?;
    if let Some(layout) = layout {
        write_code(layout, function, code);
    }
    if let Err(error) = assign_code(function, code) {
        set_closure(function, old_closure.as_ref())?;
        if let Some(layout) = layout {
            write_code(layout, function, &old_code);
        }
        return Err(error.into());
    }
    Ok(())
}

/// Makes `function` look up its global names in `globals` from now on.
///
/// Its builtins follow, as they would for a function made there. Nothing else
/// does: `__module__` in particular stays.
pub fn set_globals(function: &Bound<'_, PyFunction>, globals: &Bound<'_, PyDict>) -> Result<()> {
    let py = function.py();
    let layout = layout(py)?;
    let new_builtins = match layout.builtins {
        Some(_) => Some(builtins_of(globals)?),
        None => None,
    };
    let code = code_of(function);

    set_closure(function, closure_of(function).as_ref())?;
    let old_globals = write_namespace(function, layout.globals, globals);
    let old_builtins = layout
        .builtins
        .zip(new_builtins)
        .map(|(offset, builtins)| (offset, write_namespace(function, offset, &builtins)));
    if let Err(error) = assign_code(function, &code) {
        set_closure(function, closure_of(function).as_ref())?;
        write_namespace(function, layout.globals, &old_globals);
        if let Some((offset, builtins)) = old_builtins {
            write_namespace(function, offset, &builtins);
        }
        return Err(error.into());
    }
    Ok(())
}

fn same(left: Option<&Bound<'_, PyTuple>>, right: Option<&Bound<'_, PyTuple>>) -> bool {
    left.map(|closure| closure.as_ptr()) == right.map(|closure| closure.as_ptr())
}

fn check_closure(code: &Bound<'_, PyCode>, closure: Option<&Bound<'_, PyTuple>>) -> PyResult<()> {
    let free = code.getattr(names::free_variables(code.py()))?.len()?;
    let cells = closure.map_or(0, |closure| closure.len());
    if free != cells {
        return Err(PyValueError::new_err(format!(
            "the code has {free} free variables, the closure {cells} cells"
        )));
    }
    for cell in closure.into_iter().flatten() {
        // SAFETY: reads the type of a live object.
        if unsafe { ffi::PyCell_Check(cell.as_ptr()) } == 0 {
            return Err(PyValueError::new_err(
                "a closure consists of cells and nothing else",
            ));
        }
    }
    Ok(())
}

/// Makes call sites that the interpreter has specialised for this function look at it again.
#[cfg(not(Py_3_12))]
pub(crate) fn withdraw_version(function: &Bound<'_, PyFunction>) {
    // Refused is only what is neither a tuple nor nothing, and a closure is one of them.
    let _ = set_closure(function, closure_of(function).as_ref());
}

/// Sets the closure and withdraws the function's version. Runs no Python code
/// as long as the caller holds the old closure.
fn set_closure(
    function: &Bound<'_, PyFunction>,
    closure: Option<&Bound<'_, PyTuple>>,
) -> PyResult<()> {
    let py = function.py();
    let none = py.None();
    let closure = closure.map_or(none.as_ptr(), |closure| closure.as_ptr());
    // SAFETY: a live function, and a live tuple of cells or None; the call
    // takes a reference of its own.
    match unsafe { ffi::PyFunction_SetClosure(function.as_ptr(), closure) } {
        0 => Ok(()),
        _ => Err(PyErr::fetch(py)),
    }
}

/// Puts `code` into the function. The version must have been withdrawn before.
fn write_code(layout: &Layout, function: &Bound<'_, PyFunction>, code: &Bound<'_, PyCode>) {
    let py = function.py();
    let code = code.clone().into_any().into_ptr();
    // SAFETY: the self-test found the field; we give a new reference away.
    let old = unsafe { swap_pointer(function, layout.code, code) };
    // SAFETY: the reference that the field owned is ours now.
    drop(unsafe { Bound::from_owned_ptr_or_opt(py, old) });
}

/// Puts a namespace into the function and returns the one that was there. The
/// version must have been withdrawn before.
fn write_namespace<'py>(
    function: &Bound<'py, PyFunction>,
    offset: usize,
    namespace: &Bound<'py, PyDict>,
) -> Bound<'py, PyDict> {
    let new = namespace.clone().into_any().into_ptr();
    // SAFETY: the self-test found the field; we give a new reference away.
    let old = unsafe { swap_pointer(function, offset, new) };
    // SAFETY: the reference that the field owned is ours now; it is never null.
    let old = unsafe { Bound::from_owned_ptr(function.py(), old) };
    // SAFETY: both namespaces of a function are dicts.
    unsafe { old.cast_into_unchecked() }
}

/// Assigns `__code__` through the public setter.
fn assign_code(function: &Bound<'_, PyFunction>, code: &Bound<'_, PyCode>) -> PyResult<()> {
    function.setattr(names::code(function.py()), code)
}

/// The builtins that a function made in `globals` gets.
fn builtins_of<'py>(globals: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
    let py = globals.py();
    let builtins = match globals.get_item(names::builtins(py))? {
        Some(builtins) => builtins,
        None => {
            // SAFETY: this thread is attached; the call lends a pointer.
            let builtins = unsafe { ffi::PyEval_GetBuiltins() };
            // SAFETY: the interpreter keeps its builtins alive.
            unsafe { Bound::from_borrowed_ptr_or_err(py, builtins) }?
        }
    };
    if let Ok(module) = builtins.cast::<PyModule>() {
        return Ok(module.dict());
    }
    Ok(builtins.cast_into::<PyDict>()?)
}

/// Finds the fields by making functions whose parts are known.
pub(crate) fn layout(py: Python<'_>) -> std::result::Result<&'static Layout, Unsupported> {
    static LAYOUT: Tested<Layout> = Tested::new();
    tested(py, CAPABILITY, &LAYOUT, || test(py))
}

fn test(py: Python<'_>) -> std::result::Result<Layout, String> {
    let first_home = specimen_namespace(py).map_err(raised)?;
    let second_home = specimen_namespace(py).map_err(raised)?;
    let first = specimen(&first_home).map_err(raised)?;
    let second = specimen(&second_home).map_err(raised)?;

    let layout = Layout {
        code: find_pointer(&first, &code_of(&first), "__code__")?,
        globals: find_pointer(&first, &globals_of(&first), "__globals__")?,
        builtins: find_builtins(&first)?,
        closure: find_closure(&first)?,
    };

    let second_code = code_of(&second);
    verify(points_to(&second, layout.code, &second_code), "__code__")?;
    let second_globals = globals_of(&second);
    let holds = points_to(&second, layout.globals, &second_globals);
    verify(holds, "__globals__")?;
    let holds = closure_of(&second).is_some_and(|cells| points_to(&second, layout.closure, &cells));
    verify(holds, "__closure__")?;
    if let Some(offset) = layout.builtins {
        let builtins = builtins_of(&second_globals).map_err(raised)?;
        verify(points_to(&second, offset, &builtins), "__builtins__")?;
    }

    // From here on a wrong offset would damage the specimen, not the program.
    let closure = closure_of(&first);
    set_closure(&first, closure.as_ref()).map_err(raised)?;
    write_code(&layout, &first, &second_code);
    verify(code_of(&first).is(&second_code), "__code__")?;
    write_namespace(&first, layout.globals, &second_globals);
    verify(globals_of(&first).is(&second_globals), "__globals__")?;
    let answer = first.call0().map_err(raised)?;
    verify(answer.is(&second_globals), "__globals__")?;
    Ok(layout)
}

fn specimen_namespace(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let builtins = py.import(intern!(py, "builtins"))?.dict().copy()?;
    let namespace = PyDict::new(py);
    namespace.set_item(intern!(py, "__builtins__"), builtins)?;
    Ok(namespace)
}

fn specimen<'py>(namespace: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyFunction>> {
    let source =
        c"def make(x):\n def inner():\n  x\n  return globals()\n return inner\nmade = make([])";
    let py = namespace.py();
    py.run(source, Some(namespace), None)?;
    let made = namespace.as_any().get_item(intern!(py, "made"))?;
    Ok(made.cast_into()?)
}

fn find_builtins(function: &Bound<'_, PyFunction>) -> std::result::Result<Option<usize>, String> {
    if cfg!(not(Py_3_10)) {
        return Ok(None);
    }
    let builtins = builtins_of(&globals_of(function)).map_err(raised)?;
    find_pointer(function, &builtins, "__builtins__").map(Some)
}

fn find_closure(function: &Bound<'_, PyFunction>) -> std::result::Result<usize, String> {
    let closure = closure_of(function).ok_or("a function with a free variable has no closure")?;
    find_pointer(function, &closure, "__closure__")
}
