//! How long an update holds the GIL.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// Measures the time that this thread spends attached to the interpreter. Python code that
/// an update runs gives the GIL away now and then; that is counted as held.
pub(crate) struct Clock {
    attached: Instant,
    held: Duration,
    longest: Duration,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock {
            attached: Instant::now(),
            held: Duration::ZERO,
            longest: Duration::ZERO,
        }
    }

    /// Does something without the GIL.
    pub(crate) fn detached<R: Send>(
        &mut self,
        py: Python<'_>,
        work: impl Send + FnOnce() -> R,
    ) -> R {
        self.stop();
        let result = py.detach(work);
        self.attached = Instant::now();
        result
    }

    /// The time until now, all of it and in one go, in milliseconds.
    pub(crate) fn read(&mut self) -> (f64, f64) {
        self.stop();
        self.attached = Instant::now();
        (
            self.held.as_secs_f64() * 1e3,
            self.longest.as_secs_f64() * 1e3,
        )
    }

    fn stop(&mut self) {
        let stretch = self.attached.elapsed();
        self.held += stretch;
        self.longest = self.longest.max(stretch);
    }
}
