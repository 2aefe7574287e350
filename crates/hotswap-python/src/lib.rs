//! The extension module `hotswap._hotswap`.
use pyo3::prelude::*;

/// The native part of hotswap.
#[pymodule]
fn _hotswap(_m: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
