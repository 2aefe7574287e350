//! Whether an audit hook looks on.

use std::ffi::{c_char, c_int, c_void};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::support::Unsupported;

pub(crate) const CAPABILITY: &str = "audit hooks";

/// Whether an audit hook, of Python or of C, is installed; `None` where that cannot be told.
///
/// A hook in Python is called by the public setters and lets other threads in,
/// so a commit is not atomic then. No hook is called by this question: the
/// interpreter converts the arguments of an event only when somebody listens,
/// and the conversion refuses.
pub fn audit_hooks_present(py: Python<'_>) -> Option<bool> {
    check().ok()?;
    let mut asked = false;
    let argument: *mut c_void = (&raw mut asked).cast();
    let converter: Converter = refuse;
    // SAFETY: "O&" takes a converter and its argument, which outlives the call.
    let outcome = unsafe {
        PySys_Audit(
            c"hotswap.probe".as_ptr(),
            c"O&".as_ptr(),
            converter,
            argument,
        )
    };
    if outcome != 0 {
        drop(PyErr::take(py));
    }
    Some(asked)
}

/// Whether the question can be asked here.
pub(crate) fn check() -> std::result::Result<(), Unsupported> {
    if cfg!(windows) {
        return Err(Unsupported {
            capability: CAPABILITY,
            reason: "not tried on Windows".into(),
        });
    }
    Ok(())
}

type Converter = extern "C" fn(*mut c_void) -> *mut ffi::PyObject;

extern "C" fn refuse(asked: *mut c_void) -> *mut ffi::PyObject {
    // SAFETY: the address of the flag in `audit_hooks_present`, still in its scope.
    unsafe { asked.cast::<bool>().write(true) };
    // SAFETY: the interpreter calls this with its lock held.
    let py = unsafe { Python::assume_attached() };
    PyRuntimeError::new_err("only asked whether anybody listens").restore(py);
    std::ptr::null_mut()
}

#[cfg(not(windows))]
unsafe extern "C" {
    fn PySys_Audit(event: *const c_char, format: *const c_char, ...) -> c_int;
}

#[cfg(windows)]
#[expect(non_snake_case, reason = "stands in for the C function")]
unsafe fn PySys_Audit(
    _event: *const c_char,
    _format: *const c_char,
    _converter: Converter,
    _argument: *mut c_void,
) -> c_int {
    0
}
