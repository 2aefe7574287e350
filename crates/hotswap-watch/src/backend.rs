//! Where file events come from: one file per system, and one for none.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[cfg(target_os = "linux")]
mod linux;
mod no_events;
#[cfg(not(target_os = "linux"))]
mod portable;

pub(crate) use no_events::{Bell, NoEvents};

/// Names one watched directory, whatever its spelling: two paths to one
/// directory have one identity where the system knows that they are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WatchId(pub(crate) u64);

/// What is wanted of a directory. More can be asked later, never less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Entries that come and go.
    Entries,
    /// The same, and files that were written.
    Files,
}

/// What happened to an entry of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryEvent {
    /// It was made; if it is a file, its writer will close it.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only inotify tells of closes")
    )]
    Created,
    /// It was moved here.
    Arrived,
    /// Its writer closed it.
    Written,
    /// It was removed, or moved away.
    Left,
}

/// One event, in the words of this crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RawEvent {
    Entry {
        id: WatchId,
        name: OsString,
        event: EntryEvent,
        is_directory: bool,
    },
    /// The directory may no longer be where its path says.
    Moved(WatchId),
    /// The directory is gone, and so is its watch.
    Gone(WatchId),
    /// Events were lost.
    Overflow,
}

/// Why a directory cannot be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WatchFailure {
    /// There is no such directory.
    Missing,
    /// Events cannot be had, for this reason.
    Refused(String),
}

/// A source of file events.
pub(crate) trait Backend: Send {
    /// Watches one directory, without its sub-directories.
    fn watch(&mut self, directory: &Path, interest: Interest) -> Result<WatchId, WatchFailure>;

    /// Stops watching.
    fn unwatch(&mut self, id: WatchId);

    /// Called once, in the thread that will wait.
    fn enter_thread(&mut self) {}

    /// Waits until there are events, a wake-up, or `timeout` has passed.
    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<RawEvent>)
    -> Result<(), String>;

    /// Tells whether [`EntryEvent::Written`] means that the writer is done.
    fn sees_closes(&self) -> bool;

    /// Returns the type of the mount that holds `directory`, where that is known.
    fn mount_kind(&mut self, directory: &Path) -> Option<String>;

    /// Gives the source up where the process ends, and is not to wait for the system's part of it.
    fn leave(&mut self) {}
}

/// Wakes the thread that waits in [`Backend::wait`].
pub(crate) trait Wake: Send + Sync {
    fn wake(&self);

    /// In a forked child: gives the descriptors up without touching the parent's watches.
    fn abandon(&self);
}

/// A source of events and the way to wake its reader.
pub(crate) type Opened = (Box<dyn Backend>, Arc<dyn Wake>);

/// Opens this system's source of file events.
pub(crate) fn open() -> Result<Opened, WatchFailure> {
    #[cfg(target_os = "linux")]
    return linux::open();
    #[cfg(not(target_os = "linux"))]
    return portable::open();
}
