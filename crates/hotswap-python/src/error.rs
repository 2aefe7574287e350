//! Errors of the library crates become the exceptions of `hotswap._errors`.

use pyo3::prelude::*;

/// An exception of the Python package, by the name of its class.
pub(crate) fn raise(py: Python<'_>, class: &str, message: String) -> PyErr {
    let made = py
        .import("hotswap._errors")
        .and_then(|errors| errors.getattr(class)?.call1((message.clone(),)));
    match made {
        Ok(value) => PyErr::from_value(value),
        Err(_) => pyo3::exceptions::PyRuntimeError::new_err(message),
    }
}
