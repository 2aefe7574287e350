//! Which interpreter this copy of the native part belongs to.
//!
//! What Rust keeps in statics (names, the classes that PyO3 makes, outcomes of
//! self-tests, what `sys.monitoring` calls) outlives `Py_FinalizeEx`, and is the same in
//! every interpreter of the process. Objects of an interpreter that has ended, or of
//! another one, must not be used: CPython 3.12 gives new classes the version numbers that
//! the old ones still have, and a cache of attributes then takes one for the other. So
//! each interpreter gets a copy of the library; this is how a copy knows whose it is.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether this copy serves the interpreter that asks: the first that asked, in that life
/// of its. Nothing that is made once may be asked for where the answer is no.
pub fn claim(py: Python<'_>) -> PyResult<bool> {
    // SAFETY: this thread is attached, so there is a present interpreter.
    let interpreter = unsafe { ffi::PyInterpreterState_Get() };
    // SAFETY: the present interpreter. Its dict begins empty and ends with it.
    let dict = unsafe { ffi::PyInterpreterState_GetDict(interpreter) };
    // SAFETY: null, or a reference that the interpreter keeps.
    let Some(dict) = (unsafe { Bound::from_borrowed_ptr_or_opt(py, dict) }) else {
        return Err(PyRuntimeError::new_err(
            "this interpreter keeps nothing for extension modules",
        ));
    };
    let dict = dict.cast_into::<PyDict>()?;
    let mark = format!("hotswap._hotswap at {:p}", &raw const TAKEN);
    if dict.contains(&mark)? {
        return Ok(true);
    }
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(false);
    }
    dict.set_item(mark, true)?;
    Ok(true)
}
