//! Looks at the dirty files and decides what is sent.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::{Engine, POLLED_QUIET, STAMP_QUIET};
use crate::batch::Dirty;
use crate::files::{Disk, Held, Known, Stamp};
use crate::{ChangeEvent, FileChange, git};

/// How long an empty, absent or half-written file may stay so before it is believed.
const DOUBT: Duration = Duration::from_millis(60);
/// The same, whatever happens to the file in the meantime.
const LONGEST_DOUBT: Duration = Duration::from_millis(500);
/// A file that is written again and again is reported as it is after this time.
const LONGEST_WRITE: Duration = Duration::from_secs(2);
/// How long files that are ready wait for doubtful ones: they may be halves of one move.
const WAIT_FOR_DOUBTFUL: Duration = Duration::from_millis(250);
/// A lock of git that is this old without any event was left behind.
const STALE_LOCK: Duration = Duration::from_secs(5);

/// What a look at one file has shown.
enum Outcome {
    Unchanged,
    /// Not believed before this moment.
    Doubtful(Instant),
    Changed {
        change: FileChange,
        held: Held,
        stamp: Option<Stamp>,
    },
}

impl Engine {
    /// Looks at the dirty files if it is time; returns the batch if there is one.
    pub(crate) fn look_if_due(&mut self) -> Option<ChangeEvent> {
        let now = Instant::now();
        if self.batch.due()? > now {
            return None;
        }
        if self.git_is_at_work(now) {
            let pause = if self.batch.waited_too_long(now, DOUBT) {
                10
            } else {
                2
            };
            self.batch
                .held_by_git(now, now + Duration::from_millis(pause));
            return None;
        }
        if self.batch.released_by_git(now) {
            return None;
        }
        // Git may have written and unlocked since the events were last read.
        self.take_pending_events();
        if self.batch.due()? > now {
            return None;
        }
        let mut ready = Vec::new();
        let mut doubtful = Vec::new();
        let mut believed_at: Option<Instant> = None;
        let dirty = std::mem::take(&mut self.batch.dirty);
        for (path, mut dirty) in dirty {
            match self.look(&path, &mut dirty, now) {
                Outcome::Unchanged => self.counters.unchanged += 1,
                Outcome::Doubtful(moment) => {
                    believed_at = Some(believed_at.map_or(moment, |other| other.min(moment)));
                    doubtful.push((path, dirty));
                }
                Outcome::Changed {
                    change,
                    held,
                    stamp,
                } => ready.push((dirty, change, held, stamp)),
            }
        }
        let first_seen = self.batch.first_seen;
        self.batch.dirty.extend(doubtful);
        if let Some(moment) = believed_at {
            self.batch.look_again_at(moment);
            if !self.batch.waited_too_long(now, WAIT_FOR_DOUBTFUL) {
                let waiting = ready
                    .into_iter()
                    .map(|(dirty, change, ..)| (change.path, dirty));
                self.batch.dirty.extend(waiting);
                return None;
            }
        }
        if ready.is_empty() {
            return None;
        }
        let mut changes = Vec::with_capacity(ready.len());
        for (dirty, change, held, stamp) in ready {
            self.counters.found_by_sweep += u64::from(dirty.by_sweep);
            self.note(&change.path, held, stamp);
            self.note_alias(&change.path);
            changes.push(change);
        }
        self.batch.sent(Instant::now());
        Some(ChangeEvent {
            changes,
            first_seen,
        })
    }

    fn look(&mut self, path: &Path, dirty: &mut Dirty, now: Instant) -> Outcome {
        let known = self.known.get(path);
        if let Some(Known {
            held: Held::Listed,
            stamp: Some(stamp),
            ..
        }) = known
            && Stamp::of(path) == Some(*stamp)
        {
            return Outcome::Unchanged;
        }
        self.counters.looks += 1;
        let disk = Disk::read(path);
        let stamp = disk.stamp();
        let held = disk.as_held();
        let before = known.map_or(&Held::Absent, |known| &known.held);
        if held == *before {
            if known.is_some() {
                self.note(path, held, stamp);
            }
            return Outcome::Unchanged;
        }
        let moving = match disk {
            Disk::Content { whole, .. } => !whole || (dirty.by_stamp && dirty.stamp != stamp),
            // Whoever holds it lets go without a sign.
            Disk::Unreadable { locked, .. } => locked,
            Disk::Absent => false,
        };
        if moving && now < dirty.first + LONGEST_WRITE {
            dirty.stamp = stamp;
            dirty.last = now;
            let quiet = if self.is_polled(path.parent()) {
                POLLED_QUIET
            } else {
                STAMP_QUIET
            };
            return Outcome::Doubtful(now + quiet);
        }
        let is_empty = matches!(&disk, Disk::Content { bytes, .. } if bytes.is_empty());
        let settled = matches!(&disk, Disk::Content { .. }) && !is_empty && !dirty.being_written;
        if !settled {
            let believed_at = (dirty.last + DOUBT).min(dirty.first + LONGEST_DOUBT);
            if now < believed_at {
                return Outcome::Doubtful(believed_at);
            }
        }
        let mut change = FileChange {
            path: path.to_path_buf(),
            content: None,
            hash: match &held {
                Held::Content(hash) => Some(*hash),
                _ => None,
            },
            unsettled: is_empty || dirty.being_written,
            error: None,
        };
        match disk {
            Disk::Absent => change.unsettled = false,
            Disk::Content { bytes, .. } => change.content = Some(Arc::from(bytes)),
            Disk::Unreadable { reason, .. } => change.error = Some(reason),
        }
        Outcome::Changed {
            change,
            held,
            stamp,
        }
    }

    /// Notes what was seen of a file.
    fn note(&mut self, path: &Path, held: Held, stamp: Option<Stamp>) {
        let racy = stamp.is_some_and(|stamp| stamp.is_racy());
        match self.known.get_mut(path) {
            Some(known) => {
                known.held = held;
                known.stamp = stamp;
                known.racy = racy;
            }
            None => {
                let known = Known {
                    held,
                    stamp,
                    tracked: false,
                    racy,
                };
                self.known.insert(path.to_path_buf(), known);
            }
        }
    }

    /// Tells whether git is rewriting a work tree that holds dirty files.
    fn git_is_at_work(&self, now: Instant) -> bool {
        if now >= self.batch.last + STALE_LOCK {
            return false;
        }
        let directories: BTreeSet<&Path> = self
            .batch
            .dirty
            .keys()
            .filter_map(|path| path.parent())
            .collect();
        let locks: BTreeSet<PathBuf> = directories
            .into_iter()
            .filter_map(git::index_lock)
            .collect();
        locks.iter().any(|lock| self.is_held(lock, now))
    }

    /// A lock that was old when the batch began belongs to no checkout: it was
    /// left behind, or git waits in an editor for a commit message.
    fn is_held(&self, lock: &Path, now: Instant) -> bool {
        let Ok(taken) = std::fs::symlink_metadata(lock).and_then(|metadata| metadata.modified())
        else {
            return false;
        };
        let age = SystemTime::now().duration_since(taken).unwrap_or_default();
        age < STALE_LOCK + now.saturating_duration_since(self.batch.first_seen)
    }
}
