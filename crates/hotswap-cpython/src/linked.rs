//! Functions of CPython 3.12 and later that PyO3 does not declare.
//!
//! On Windows each names the library that holds it, as PyO3 does for its own: nothing
//! of a Python installation is needed to link there.

use std::ffi::{c_int, c_void};

use pyo3::ffi;

#[cfg_attr(
    all(windows, Py_3_12, not(Py_3_13)),
    link(name = "python312", kind = "raw-dylib")
)]
#[cfg_attr(
    all(windows, Py_3_13, not(Py_3_14), not(Py_GIL_DISABLED)),
    link(name = "python313", kind = "raw-dylib")
)]
#[cfg_attr(
    all(windows, Py_3_13, not(Py_3_14), Py_GIL_DISABLED),
    link(name = "python313t", kind = "raw-dylib")
)]
#[cfg_attr(
    all(windows, Py_3_14, not(Py_3_15), not(Py_GIL_DISABLED)),
    link(name = "python314", kind = "raw-dylib")
)]
#[cfg_attr(
    all(windows, Py_3_14, not(Py_3_15), Py_GIL_DISABLED),
    link(name = "python314t", kind = "raw-dylib")
)]
#[cfg_attr(
    all(windows, Py_3_15, not(Py_GIL_DISABLED)),
    link(name = "python315", kind = "raw-dylib")
)]
#[cfg_attr(
    all(windows, Py_3_15, Py_GIL_DISABLED),
    link(name = "python315t", kind = "raw-dylib")
)]
unsafe extern "C" {
    pub(crate) fn PyUnstable_GC_VisitObjects(
        callback: extern "C" fn(*mut ffi::PyObject, *mut c_void) -> c_int,
        argument: *mut c_void,
    );
    pub(crate) fn PyFunction_SetVectorcall(function: *mut ffi::PyObject, begin: usize);
    #[cfg(Py_3_14)]
    pub(crate) fn PyUnstable_IsImmortal(object: *mut ffi::PyObject) -> c_int;
}
