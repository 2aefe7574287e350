//! How long an update holds the GIL.

use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// How long an update of many files holds the GIL in one go, where it may give it away: as long
/// as other threads wait by themselves before they ask for it (`sys.getswitchinterval`).
const TURN: Duration = Duration::from_millis(5);

/// Long enough for another thread to wake up and take it.
pub(crate) const GIVEN: Duration = Duration::from_micros(20);

/// Measures the time that this thread spends attached to the interpreter. Python code that
/// an update runs gives the GIL away now and then; that is counted as held.
pub(crate) struct Clock {
    attached: Instant,
    held: Duration,
    longest: Duration,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock::after(Duration::ZERO)
    }

    /// Where a part of the work was done before, in one go.
    pub(crate) fn after(ahead: Duration) -> Clock {
        Clock {
            attached: Instant::now(),
            held: ahead,
            longest: ahead,
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

    /// Gives other threads their turn if they have waited for long. True: they may have had it.
    pub(crate) fn give_way(&mut self, py: Python<'_>) -> bool {
        let due = self.attached.elapsed() >= TURN;
        if due {
            self.detached(py, || thread::sleep(GIVEN));
        }
        due
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
