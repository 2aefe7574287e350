use std::path::PathBuf;

/// What a watcher covers now, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchStatus {
    /// Directories covered by file events.
    pub watched: Vec<PathBuf>,
    /// Directories that are polled, with the reason.
    pub polled: Vec<PolledDirectory>,
    /// Directories without events while polling is forbidden; only the safety sweep sees them.
    pub unwatched: Vec<PolledDirectory>,
    /// Directories that were asked for and do not exist now; they are taken up when they appear.
    pub missing: Vec<PathBuf>,
    /// Each reason for a fallback that has occurred, once.
    pub fallbacks: Vec<String>,
    /// How many files are tracked.
    pub tracked: usize,
    /// What has happened since the start.
    pub counters: Counters,
    /// False when the watcher thread did not answer in time (a hanging mount) or has ended.
    pub responding: bool,
}

/// A directory without file events, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolledDirectory {
    /// The directory.
    pub path: PathBuf,
    /// Why it has no events.
    pub reason: String,
}

/// What has happened since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events read from the system.
    pub events: u64,
    /// Times the thread woke up.
    pub wakeups: u64,
    /// Files read to see whether they had changed.
    pub looks: u64,
    /// Files that were found to be as before.
    pub unchanged: u64,
    /// Batches sent.
    pub batches: u64,
    /// Changes sent.
    pub changes: u64,
    /// Overflows of the system's event queue.
    pub overflows: u64,
    /// Times a watched directory was lost (removed, moved away, unmounted).
    pub lost: u64,
    /// Safety sweeps.
    pub sweeps: u64,
    /// Changes that brought no event and were found by a sweep.
    pub found_by_sweep: u64,
    /// Polling rounds.
    pub polls: u64,
}
