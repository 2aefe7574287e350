//! When the changes seen so far are sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::files::Stamp;

/// The quiet that several files, or one soon after another, must have.
const BURST_QUIET: Duration = Duration::from_millis(8);
/// A file this soon after the last batch, or after a new directory, belongs to a burst.
const SOON: Duration = Duration::from_millis(30);
/// Steady changes cannot postpone a batch for longer.
const LONGEST_BATCH: Duration = Duration::from_secs(2);

/// A path to look at.
#[derive(Debug, Clone)]
pub(crate) struct Dirty {
    pub(crate) first: Instant,
    pub(crate) last: Instant,
    /// The file was created and its writer has not closed it yet.
    pub(crate) being_written: bool,
    /// No event will say when the writer is done; only a stamp that stays will.
    pub(crate) by_stamp: bool,
    /// What the file looked like at the last look.
    pub(crate) stamp: Option<Stamp>,
    /// Only the safety sweep has noticed this.
    pub(crate) by_sweep: bool,
}

/// How a path came to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The writer closed it, it was moved, it is gone: what is there is final for now.
    Done,
    /// It was created, and its close will follow.
    Created,
    /// A comparison of stamps or contents, without an event.
    Scan,
    /// The same, by the safety sweep.
    Sweep,
}

/// The paths to look at, and when.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) dirty: BTreeMap<PathBuf, Dirty>,
    pub(crate) first_seen: Instant,
    pub(crate) last: Instant,
    lead: Duration,
    burst: bool,
    /// The moment from which [`LONGEST_BATCH`] counts; git's lock moves it.
    began: Instant,
    look_again: Option<Instant>,
    /// Git held its lock at the last look.
    held_by_git: bool,
    last_sent: Option<Instant>,
    last_directory: Option<Instant>,
}

impl Batch {
    pub(crate) fn new(lead: Duration, now: Instant) -> Batch {
        Batch {
            dirty: BTreeMap::new(),
            first_seen: now,
            last: now,
            lead,
            burst: false,
            began: now,
            look_again: None,
            held_by_git: false,
            last_sent: None,
            last_directory: None,
        }
    }

    /// Notes that `path` must be looked at.
    pub(crate) fn mark(&mut self, path: &Path, sign: Sign, by_stamp: bool, now: Instant) {
        if self.dirty.is_empty() {
            self.first_seen = now;
            self.began = now;
            let soon_after = |moment: Option<Instant>| {
                moment.is_some_and(|moment| now.saturating_duration_since(moment) < SOON)
            };
            self.burst = soon_after(self.last_sent) || soon_after(self.last_directory);
        }
        self.last = now;
        self.look_again = None;
        let by_sweep = sign == Sign::Sweep;
        let dirty = self
            .dirty
            .entry(path.to_path_buf())
            .or_insert_with(|| Dirty {
                first: now,
                last: now,
                being_written: false,
                by_stamp,
                stamp: None,
                by_sweep,
            });
        dirty.last = now;
        dirty.by_sweep &= by_sweep;
        match sign {
            Sign::Done => {
                dirty.being_written = false;
                dirty.by_stamp = by_stamp;
            }
            Sign::Created => dirty.being_written = true,
            Sign::Scan | Sign::Sweep => {}
        }
    }

    /// Notes that directories come or go: the files that follow belong together.
    pub(crate) fn directory_changed(&mut self, now: Instant) {
        self.last_directory = Some(now);
        self.burst = true;
    }

    /// Returns when the dirty paths are to be looked at.
    pub(crate) fn due(&self) -> Option<Instant> {
        if self.dirty.is_empty() {
            return None;
        }
        if let Some(moment) = self.look_again {
            return Some(moment);
        }
        let quiet = if self.burst || self.dirty.len() > 1 {
            self.lead.max(BURST_QUIET)
        } else {
            self.lead
        };
        Some((self.last + quiet).min(self.began + LONGEST_BATCH))
    }

    /// Looks again at `moment`, unless an event comes before.
    pub(crate) fn look_again_at(&mut self, moment: Instant) {
        self.look_again = Some(moment);
    }

    /// Notes that git holds its lock: the time until now does not count.
    pub(crate) fn held_by_git(&mut self, now: Instant, look_again: Instant) {
        self.began = now;
        self.burst = true;
        self.held_by_git = true;
        self.look_again = Some(look_again);
    }

    /// Notes that git has no lock; returns true if it had one until now.
    ///
    /// Its last writes may not have been read yet, so the quiet begins anew.
    pub(crate) fn released_by_git(&mut self, now: Instant) -> bool {
        let released = std::mem::take(&mut self.held_by_git);
        if released {
            self.last = now;
            self.began = now;
            self.look_again = None;
        }
        released
    }

    /// Tells whether the batch has waited so long for doubtful files that the rest must go.
    pub(crate) fn waited_too_long(&self, now: Instant, limit: Duration) -> bool {
        now >= self.began + limit
    }

    /// Notes that a batch was sent; what is still dirty begins a new one.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.last_sent = Some(now);
        self.began = now;
        self.first_seen = self
            .dirty
            .values()
            .map(|dirty| dirty.first)
            .min()
            .unwrap_or(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAD: Duration = Duration::from_millis(2);

    #[test]
    fn one_file_waits_for_the_lead_only() {
        let start = Instant::now();
        let mut batch = Batch::new(LEAD, start);
        assert_eq!(batch.due(), None);
        batch.mark(Path::new("/m.py"), Sign::Done, false, start);
        assert_eq!(batch.due(), Some(start + LEAD));
    }

    #[test]
    fn two_files_wait_for_the_quiet_of_a_burst() {
        let start = Instant::now();
        let mut batch = Batch::new(LEAD, start);
        batch.mark(Path::new("/m.py"), Sign::Done, false, start);
        batch.mark(Path::new("/n.py"), Sign::Done, false, start + LEAD);
        assert_eq!(batch.due(), Some(start + LEAD + BURST_QUIET));
    }

    #[test]
    fn a_file_soon_after_a_batch_belongs_to_a_burst() {
        let start = Instant::now();
        let mut batch = Batch::new(LEAD, start);
        batch.sent(start);
        let soon = start + SOON / 2;
        batch.mark(Path::new("/m.py"), Sign::Done, false, soon);
        assert_eq!(batch.due(), Some(soon + BURST_QUIET));
    }

    #[test]
    fn steady_changes_cannot_postpone_for_ever() {
        let start = Instant::now();
        let mut batch = Batch::new(LEAD, start);
        for step in 0..1000 {
            let now = start + Duration::from_millis(5 * step);
            batch.mark(Path::new("/m.py"), Sign::Done, false, now);
        }
        assert_eq!(batch.due(), Some(start + LONGEST_BATCH));
    }
}
