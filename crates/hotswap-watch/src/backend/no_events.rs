//! A source without events, for polling alone.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::{Backend, Interest, RawEvent, Wake, WatchFailure, WatchId};

/// Refuses to watch anything, for one reason.
pub(crate) struct NoEvents {
    pub(crate) reason: String,
    pub(crate) bell: Arc<Bell>,
}

/// A wake-up that needs no descriptor.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Backend for NoEvents {
    fn watch(&mut self, directory: &Path, _: Interest) -> Result<WatchId, WatchFailure> {
        if directory.is_dir() {
            Err(WatchFailure::Refused(self.reason.clone()))
        } else {
            Err(WatchFailure::Missing)
        }
    }

    fn unwatch(&mut self, _: WatchId) {}

    fn wait(&mut self, timeout: Option<Duration>, _: &mut Vec<RawEvent>) -> Result<(), String> {
        let rung = self
            .bell
            .rung
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut rung = match timeout {
            Some(timeout) => {
                let waited = self
                    .bell
                    .changed
                    .wait_timeout_while(rung, timeout, |rung| !*rung);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let waited = self.bell.changed.wait_while(rung, |rung| !*rung);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        };
        *rung = false;
        Ok(())
    }

    fn sees_closes(&self) -> bool {
        false
    }

    fn mount_kind(&mut self, _: &Path) -> Option<String> {
        None
    }
}

impl Wake for Bell {
    fn wake(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn abandon(&self) {}
}
