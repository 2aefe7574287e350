//! A fault at a chosen step of an update, for the tests of the way back.
//!
//! Every place that can fail, and every single write, passes [`point`]. In
//! builds for release nothing of this exists.

use pyo3::prelude::*;

#[cfg(debug_assertions)]
mod counter {
    use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

    static LEFT: AtomicI64 = AtomicI64::new(-1);
    static PASSED: AtomicU64 = AtomicU64::new(0);
    static PANICS: AtomicBool = AtomicBool::new(false);

    /// Makes the step with this number fail, once, with an error or a panic; None takes
    /// that back. Returns how many steps were passed since the last call.
    pub fn fail_at_step(step: Option<u64>, panics: bool) -> u64 {
        PANICS.store(panics, Ordering::SeqCst);
        let left = step.and_then(|step| i64::try_from(step).ok()).unwrap_or(-1);
        LEFT.store(left, Ordering::SeqCst);
        PASSED.swap(0, Ordering::SeqCst)
    }

    pub(super) fn panics() -> bool {
        PANICS.load(Ordering::SeqCst)
    }

    /// The number of the step that has just been reached, if it is the one to fail.
    pub(super) fn is_due() -> Option<u64> {
        let number = PASSED.fetch_add(1, Ordering::SeqCst);
        (LEFT.load(Ordering::SeqCst) == i64::try_from(number).ok()?).then(|| {
            LEFT.store(-1, Ordering::SeqCst);
            number
        })
    }
}

#[cfg(debug_assertions)]
pub use counter::fail_at_step;

/// Does something that may panic, which would be a bug of ours. A panic becomes an
/// error, so that what was done until then is undone like that of any failed update.
pub(crate) fn guarded<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    result.unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("without a message");
        Err(pyo3::exceptions::PyRuntimeError::new_err(format!(
            "a bug in hotswap, please report it: {what}"
        )))
    })
}

/// Fails if the tests asked for it.
#[cfg(debug_assertions)]
#[allow(clippy::panic)]
pub(crate) fn point(what: &str) -> PyResult<()> {
    match counter::is_due() {
        Some(number) if counter::panics() => panic!("injected panic at step {number}: {what}"),
        Some(number) => Err(pyo3::exceptions::PyRuntimeError::new_err(format!(
            "injected fault at step {number}: {what}"
        ))),
        None => Ok(()),
    }
}

/// Does nothing.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) fn point(_what: &str) -> PyResult<()> {
    Ok(())
}
