//! A stretch in which other threads do not ask for the lock of the interpreter.
//!
//! Some statements can run only after the commit, and others should not see the new
//! definitions without the result of these. A thread that waits for the lock asks for
//! it when nobody has given it away for the length of the switch interval. So that is
//! made longer, and the lock given away once, until all who wait have begun to wait
//! for the longer time. A statement that waits, imports or does I/O gives the lock
//! away by itself: then others see what there is.

use std::time::Duration;

use pyo3::prelude::*;

/// Longer than such statements take, and shorter than anybody notices.
const LONG: f64 = 0.010;

/// Gives the switch interval back when it is dropped.
pub(crate) struct Undisturbed<'py> {
    py: Python<'py>,
    before: f64,
    meanwhile: f64,
}

impl<'py> Undisturbed<'py> {
    /// Makes the interval longer: who asks for the lock from now on waits for it.
    pub(crate) fn soon(py: Python<'py>) -> PyResult<Self> {
        Self::soon_for(py, LONG)
    }

    fn soon_for(py: Python<'py>, meanwhile: f64) -> PyResult<Self> {
        let before = interval(py)?;
        if before < meanwhile {
            py.import("sys")?
                .call_method1("setswitchinterval", (meanwhile,))?;
        }
        Ok(Self {
            py,
            before,
            meanwhile,
        })
    }

    /// Returns with the lock held, which nobody asks for during the next milliseconds.
    pub(crate) fn begin(py: Python<'py>) -> PyResult<Self> {
        Self::begin_for(py, 1)
    }

    /// The same for so many times as long: for what may have been disturbed.
    pub(crate) fn begin_for(py: Python<'py>, times: u32) -> PyResult<Self> {
        let held = Self::soon_for(py, LONG * f64::from(times))?;
        // So long until those who wait have asked in vain, and wait anew.
        let pause = Duration::from_secs_f64(held.before.clamp(0.0002, held.meanwhile));
        py.detach(|| std::thread::sleep(pause));
        Ok(held)
    }

    fn give_back(&self) -> PyResult<()> {
        // The program may have set it meanwhile.
        if self.before < self.meanwhile && (interval(self.py)? - self.meanwhile).abs() < 1e-6 {
            self.py
                .import("sys")?
                .call_method1("setswitchinterval", (self.before,))?;
        }
        Ok(())
    }
}

impl Drop for Undisturbed<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.give_back() {
            error.write_unraisable(self.py, None);
        }
    }
}

fn interval(py: Python<'_>) -> PyResult<f64> {
    py.import("sys")?
        .call_method0("getswitchinterval")?
        .extract()
}
