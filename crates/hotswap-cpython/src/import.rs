//! Modules of the standard library, whatever code runs at the moment.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyModule, PyString};

/// Imports a top-level module.
///
/// `PyImport_Import`, which PyO3 uses, calls the `__import__` that the running frame knows. A
/// trace function is called in the frame that it watches, and the builtins of that one may be
/// anything: those of what `namedtuple` makes are an empty dict.
pub fn import<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyModule>> {
    let name = PyString::new(py, name);
    let none = std::ptr::null_mut();
    // SAFETY: this thread is attached and the name alive; without the namespace of a caller
    // the level must be 0. A new reference or an exception.
    let module =
        unsafe { ffi::PyImport_ImportModuleLevelObject(name.as_ptr(), none, none, none, 0) };
    // SAFETY: as the call returns it.
    let module = unsafe { Bound::from_owned_ptr_or_err(py, module) }?;
    Ok(module.cast_into()?)
}
