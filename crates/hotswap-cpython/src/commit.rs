//! A stretch in which no other Python code runs.

#[cfg(not(Py_3_10))]
use crate::once::intern;
use pyo3::prelude::*;

use crate::{code, functions, home, lines, names, versions};

/// Keeps the collector from running finalisers until it is dropped.
///
/// The lock of the interpreter is held anyway; it is given away only by Python
/// code. Between `enter` and drop a commit must therefore run none: no user
/// `__setattr__`, no `__del__`. The first is for [`crate::types`] and
/// [`crate::functions`] to avoid, the second for [`AtomicSection::keep`].
/// A Python audit hook still runs (see [`crate::audit`]), and so does whoever
/// waits while the caller uses PyO3's `intern!` or `PyOnceLock` for the first time
/// (see [`crate::once`], which this crate uses instead).
pub struct AtomicSection<'py> {
    // Dropped in this order: the kept values when finalisers may run again.
    _collector: CollectorOff<'py>,
    kept: Vec<Bound<'py, PyAny>>,
}

impl<'py> AtomicSection<'py> {
    /// Switches the collector off, and does everything that this crate does
    /// only once (self-tests, names), because that lets other threads in.
    pub fn enter(py: Python<'py>) -> PyResult<Self> {
        prepare(py);
        Ok(Self {
            _collector: CollectorOff::begin(py)?,
            kept: Vec::new(),
        })
    }

    /// Keeps a replaced value alive until the section has ended.
    pub fn keep(&mut self, value: Bound<'py, PyAny>) {
        self.kept.push(value);
    }
}

fn prepare(py: Python<'_>) {
    names::prepare(py);
    // Whether they passed is for the functions to say that need them.
    let _ = functions::layout(py);
    let _ = code::constants_are_writable(py);
    let _ = lines::check(py);
    let _ = home::check(py);
    let _ = crate::frames::all(py);
    let _ = versions::separate(py);
}

/// The collector does not run until this is dropped.
///
/// Up to CPython 3.11 any allocation may start it, and with it finalisers, which let other
/// threads in.
pub(crate) struct CollectorOff<'py> {
    py: Python<'py>,
    was_on: bool,
}

impl<'py> CollectorOff<'py> {
    pub(crate) fn begin(py: Python<'py>) -> PyResult<Self> {
        let was_on = switch_collector(py, false)?;
        Ok(Self { py, was_on })
    }
}

impl Drop for CollectorOff<'_> {
    fn drop(&mut self) {
        if self.was_on {
            // Cannot fail where switching it off did not; and a collector that
            // stays off is no reason to bring the program down.
            let _ = switch_collector(self.py, true);
        }
    }
}

/// Switches the collector and returns whether it was on.
#[cfg(Py_3_10)]
fn switch_collector(_py: Python<'_>, on: bool) -> PyResult<bool> {
    use pyo3::ffi;
    let was_on = if on {
        // SAFETY: this thread is attached to an interpreter.
        unsafe { ffi::PyGC_Enable() }
    } else {
        // SAFETY: this thread is attached to an interpreter.
        unsafe { ffi::PyGC_Disable() }
    };
    Ok(was_on != 0)
}

/// Switches the collector and returns whether it was on.
#[cfg(not(Py_3_10))]
fn switch_collector(py: Python<'_>, on: bool) -> PyResult<bool> {
    let gc = py.import(intern!(py, "gc"))?;
    let was_on = gc.call_method0(intern!(py, "isenabled"))?.is_truthy()?;
    match on {
        true => gc.call_method0(intern!(py, "enable"))?,
        false => gc.call_method0(intern!(py, "disable"))?,
    };
    Ok(was_on)
}
