//! Turns directories into debounced change events.
//!
//! ```no_run
//! use hotswap_watch::{WatchConfig, Watcher, content_hash};
//!
//! let (watcher, events) = Watcher::start(WatchConfig::default())?;
//! watcher.watch_directory("shop".as_ref());
//! watcher.track("shop/cart.py".as_ref(), Some(content_hash(b"LIMIT = 1\n")));
//! for batch in events {
//!     for change in batch.changes {
//!         println!("{} {:?}", change.path.display(), change.content.map(|bytes| bytes.len()));
//!     }
//! }
//! # Ok::<(), hotswap_watch::WatchError>(())
//! ```
//!
//! One thread reads the system's events, decides from the *content* of a file
//! whether anything changed, and sends one [`ChangeEvent`] for everything that
//! was saved together. Events only say where to look. That is why a touch, a
//! save without a change and an event that was reported twice are nothing, and
//! why an overflow of the event queue costs a rescan and loses nothing.
//!
//! What holds:
//!
//! - A batch is sent when its files are whole: after a short quiet, never while
//!   git holds `index.lock`, and with an empty or absent file only when it has
//!   stayed so for a while.
//! - Where events cannot be had (a mount that swallows them, a system limit),
//!   files are polled, and [`WatchStatus`] says where and why.
//! - With events, an idle watcher wakes only for the safety sweep.
//! - A path is reported under the spelling by which it was tracked or watched.
//!
//! What this crate does *not* do: it never parses a file, never runs or touches
//! Python, knows nothing of modules, and handles no signal (its thread blocks
//! them all).

#![forbid(unsafe_code)]

mod backend;
mod batch;
mod engine;
mod error;
mod files;
mod git;
mod mounts;
pub mod paths;
mod signals;
mod status;
mod watcher;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use crate::error::WatchError;
pub use crate::status::{Counters, PolledDirectory, WatchStatus};
pub use crate::watcher::Watcher;
pub use crossbeam_channel::Receiver;

/// How a [`Watcher`] finds changes and how long it waits for a save to be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchConfig {
    /// Whether directories are polled.
    pub poll: PollMode,
    /// The period of polling, where polling is needed.
    pub poll_interval: Duration,
    /// The quiet that a single saved file must have before it is reported.
    ///
    /// Several files, or one soon after another, always wait for 8 ms.
    pub quiet: Duration,
    /// The period of the safety sweep, a `stat` of each tracked file.
    ///
    /// It finds what brings no event, such as a write through a hard link.
    pub sweep_interval: Duration,
}

impl Default for WatchConfig {
    fn default() -> Self {
        WatchConfig {
            poll: PollMode::Auto,
            poll_interval: Duration::from_millis(500),
            quiet: Duration::from_millis(2),
            sweep_interval: Duration::from_secs(10),
        }
    }
}

/// When directories are polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollMode {
    /// Where the mount type or a system limit makes it necessary.
    Auto,
    /// Everywhere; no events are used.
    Always,
    /// Nowhere; directories without events are listed in [`WatchStatus::unwatched`].
    Never,
}

/// One batch: everything that was saved together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEvent {
    /// The changed files, sorted by path, each once.
    pub changes: Vec<FileChange>,
    /// When the first sign of this batch was seen.
    pub first_seen: Instant,
}

/// What is now on disk at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The path as it was tracked, or as it is spelled below the watched directory.
    pub path: PathBuf,
    /// The bytes of the file; `None` when it is gone or unreadable.
    pub content: Option<Arc<[u8]>>,
    /// The identity of these bytes.
    pub hash: Option<ContentHash>,
    /// The file was still empty, or still being written, when the wait ended.
    pub unsettled: bool,
    /// Why the file could not be read; it is not gone then.
    pub error: Option<String>,
}

/// The identity of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash(u128);

/// Returns the identity by which contents are compared.
pub fn content_hash(bytes: &[u8]) -> ContentHash {
    ContentHash(xxhash_rust::xxh3::xxh3_128(bytes))
}
