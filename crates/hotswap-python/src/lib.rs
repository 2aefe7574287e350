//! The extension module `hotswap._hotswap`: drives the stages and hands reports to Python.
//!
//! `engine` is what Python sees; `session` drives one update and reads top to
//! bottom; `coverage` says which files are watched; `modules` finds the loaded
//! modules of a file and the source they were loaded from; `disk` knows what the
//! files held last; `moves` and `departures` see to files that go; `history` and `rollback` lead back to earlier generations; `attach` is for other processes; `report` turns outcomes into plain Python data.
//!
//! What is *not* here: decisions about code (`hotswap-plan`, `hotswap-apply`)
//! and words for people (`python/hotswap`).
#![forbid(unsafe_code)]

mod attach;
mod clock;
mod coverage;
mod departures;
mod disk;
mod doctor;
mod engine;
mod error;
mod groups;
mod history;
mod modules;
mod moves;
mod native;
mod process;
mod reading;
mod report;
mod rollback;
mod session;

use hotswap_cpython::attributes::Peek as _;
use pyo3::prelude::*;

/// The native part of hotswap.
#[pymodule]
fn _hotswap(module: &Bound<'_, PyModule>) -> PyResult<()> {
    if !hotswap_cpython::owner::claim(module.py())? {
        // Another interpreter of this process has this copy, or had it before it ended.
        let another = module.py().import("hotswap._another_copy")?;
        another.call_method1("load", (module,))?;
        return Ok(());
    }
    hotswap_cpython::prepare_pyo3(module.py());
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<native::Event>()?;
    module.add_function(wrap_pyfunction!(native::start_thread, module)?)?;
    module.add_function(wrap_pyfunction!(native::give_way, module)?)?;
    module.add_function(wrap_pyfunction!(native::thread_ident, module)?)?;
    module.add_function(wrap_pyfunction!(native::first_thread_ident, module)?)?;
    module.add_function(wrap_pyfunction!(native::is_main_interpreter, module)?)?;
    module.add_function(wrap_pyfunction!(doctor::doctor, module)?)?;
    module.add_function(wrap_pyfunction!(process::park, module)?)?;
    module.add_function(wrap_pyfunction!(process::park_other, module)?)?;
    module.add_function(wrap_pyfunction!(attach::attach, module)?)?;
    module.add_function(wrap_pyfunction!(attach::python_processes, module)?)?;
    module.add_function(wrap_pyfunction!(attach::memory_file, module)?)?;
    module.add_function(wrap_pyfunction!(restore_order, module)?)?;
    module.add_function(wrap_pyfunction!(peek, module)?)?;
    #[cfg(debug_assertions)]
    module.add_function(wrap_pyfunction!(_fail_at_step, module)?)?;
    Ok(())
}

/// Gives the keys of a dict the order that they have in another one, at one moment for
/// all threads; keys that only the first one has come last.
#[pyfunction]
fn restore_order(
    container: &Bound<'_, pyo3::types::PyDict>,
    order: &Bound<'_, pyo3::types::PyDict>,
) -> PyResult<()> {
    hotswap_apply::restore_order(container, order)
}

/// What `getattr` gives where nothing but the interpreter has a say in it, or else the default.
#[pyfunction]
#[pyo3(signature = (thing, name, default=None))]
fn peek<'py>(
    thing: &Bound<'py, PyAny>,
    name: &str,
    default: Option<Bound<'py, PyAny>>,
) -> Option<Bound<'py, PyAny>> {
    thing.peek(name).ok().or(default)
}

/// Makes one step of the next update fail or panic, for tests; returns how many steps
/// were passed since the last call. Not there in builds for release.
#[cfg(debug_assertions)]
#[pyfunction]
#[pyo3(signature = (step=None, panics=false))]
fn _fail_at_step(step: Option<u64>, panics: bool) -> u64 {
    hotswap_apply::fail_at_step(step, panics)
}
