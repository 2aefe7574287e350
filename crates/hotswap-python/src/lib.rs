//! The extension module `hotswap._hotswap`: drives the stages and hands reports to Python.
//!
//! `engine` is what Python sees; `session` drives one update and reads top to
//! bottom; `coverage` says which files are watched; `modules` finds the loaded
//! modules of a file and the source they were loaded from; `disk` knows what the
//! files held last; `report` turns outcomes into plain Python data.
//!
//! What is *not* here: decisions about code (`hotswap-plan`, `hotswap-apply`)
//! and words for people (`python/hotswap`).
#![forbid(unsafe_code)]

mod coverage;
mod disk;
mod doctor;
mod engine;
mod error;
mod modules;
mod process;
mod report;
mod session;

use pyo3::prelude::*;

/// The native part of hotswap.
#[pymodule]
fn _hotswap(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<engine::Engine>()?;
    module.add_function(wrap_pyfunction!(doctor::doctor, module)?)?;
    Ok(())
}
