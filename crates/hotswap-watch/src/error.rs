use std::io;

/// Why a watcher could not be started.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The system refused to start a thread.
    #[error("the watcher thread could not be started: {source}")]
    Thread {
        /// The system's answer.
        source: io::Error,
    },
    /// There are no file events on this system now, and polling was forbidden.
    #[error("file events are not available ({reason}) and polling is turned off; allow polling")]
    NoEvents {
        /// What the system said, with the limit it names.
        reason: String,
    },
}
