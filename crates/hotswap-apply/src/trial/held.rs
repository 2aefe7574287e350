//! What stands where a run may write.
//!
//! A list or dict that nobody holds any more is kept by CPython for later use, and is not seen
//! as new where the run gets it then (see [`super::KEPT_FOR_LATER`]). So what the run puts
//! something else in the place of is held until its end: above all what a try before it made.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyType};

/// Copies of the namespaces and containers that a run may write to.
pub(super) fn hold<'py>(
    scope: Option<&Bound<'py, PyDict>>,
    writable: &[Bound<'py, PyAny>],
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut held = Vec::new();
    if let Some(scope) = scope {
        held.push(scope.copy()?.into_any());
    }
    for object in writable {
        if let Ok(class) = object.cast::<PyType>() {
            held.push(crate::native::type_dict(class).copy()?.into_any());
        } else if let Ok(dict) = object.cast::<PyDict>() {
            held.push(dict.copy()?.into_any());
        } else if let Ok(list) = object.cast::<PyList>() {
            held.push(list.get_slice(0, list.len()).into_any());
        }
    }
    Ok(held)
}
