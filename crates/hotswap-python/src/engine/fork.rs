//! What happens to an engine around a fork.
//!
//! In the child only the thread that forked exists. Whatever lock another thread of
//! the parent held is locked for ever there, and the parent's channels are full of
//! such locks. So the parent lays its session aside before it forks, where no other
//! thread touches it; the child takes it from there, and leaves the rest of the
//! parent's engine alone: nothing of it is locked, and it is never freed.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use super::{Desk, Engine, lock};

/// Between two looks whether an update has ended.
const PAUSE: Duration = Duration::from_micros(300);

impl Engine {
    /// Lays the session aside; waits at most this long for an update in another thread.
    pub(super) fn lay_aside(&self, py: Python<'_>, limit: Duration) {
        let me = std::thread::current().id();
        let deadline = Instant::now() + limit;
        loop {
            {
                let mut desk = lock(&self.desk);
                match std::mem::replace(&mut *desk, Desk::Busy(me)) {
                    Desk::Free(session) => {
                        *lock(&self.aside) = Some(session);
                        return;
                    }
                    other => *desk = other,
                }
                // A statement of an update forks, or nothing is watched any more.
                if matches!(*desk, Desk::Closed)
                    || matches!(*desk, Desk::Busy(owner) if owner == me)
                {
                    return;
                }
            }
            if Instant::now() >= deadline {
                return;
            }
            py.detach(|| std::thread::sleep(PAUSE));
        }
    }

    /// Puts the session back.
    pub(super) fn take_back(&self) {
        let Some(session) = lock(&self.aside).take() else {
            return;
        };
        *lock(&self.desk) = if self.stopped.load(Ordering::SeqCst) {
            Desk::Closed
        } else {
            Desk::Free(session)
        };
        self.freed.notify_all();
    }

    /// In the child: takes over what the parent's engine knows, and gives that engine up.
    pub(super) fn take_over(&self, py: Python<'_>, parent: Py<Engine>) -> PyResult<()> {
        let known = parent.get();
        hotswap_cpython::moving::standing::forget_other_threads();
        // This lock is only taken by threads that hold the GIL, and never while they wait.
        let aside = lock(&known.aside).take();
        self.work(py, |session| match aside {
            Some(mut old) => {
                session.inherit(&mut old);
                if let Some(watcher) = old.watcher.take() {
                    watcher.forget();
                }
            }
            // An update was in flight: which part of it has come to pass is not known.
            None => session.doubts = true,
        })?;
        known.stopped.store(true, Ordering::SeqCst);
        std::mem::forget(parent);
        Ok(())
    }
}
