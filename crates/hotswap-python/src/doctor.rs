//! What this interpreter offers.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// The capabilities of this interpreter, with the reason where one is absent.
#[pyfunction]
pub(crate) fn doctor(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let result = PyDict::new(py);
    let list = PyList::empty(py);
    for capability in hotswap_cpython::capabilities(py) {
        let entry = PyDict::new(py);
        entry.set_item("name", capability.name)?;
        entry.set_item("available", capability.available)?;
        entry.set_item("reason", capability.reason)?;
        list.append(entry)?;
    }
    result.set_item("version", env!("CARGO_PKG_VERSION"))?;
    result.set_item("capabilities", list)?;
    Ok(result)
}
