//! The watcher thread: events and commands in, batches out.

mod directories;
mod entries;
mod look;
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rustc_hash::FxHashMap;

use crate::backend::{Backend, Bell, NoEvents, RawEvent, WatchId};
use crate::batch::{Batch, Sign};
use crate::files::{Disk, Held, Known, Stamp};
use crate::status::{Counters, PolledDirectory, WatchStatus};
use crate::{ChangeEvent, ContentHash, WatchConfig};
use directories::{Coverage, Place, Role, Wanted};

/// What the thread is asked to do.
pub(crate) enum Command {
    Watch {
        directory: PathBuf,
        tree: bool,
    },
    Track {
        file: PathBuf,
        content: Option<ContentHash>,
    },
    Status(Sender<WatchStatus>),
    Kick,
    /// Kick, and answer when nothing is left to be reported.
    Settle(Sender<()>),
}

/// What the thread shares with its [`crate::Watcher`].
#[derive(Default)]
pub(crate) struct Shared {
    commands: Mutex<Vec<Command>>,
    stopping: AtomicBool,
    /// The process ends.
    leaving: AtomicBool,
    pub(crate) bell: Arc<Bell>,
}

impl Shared {
    pub(crate) fn push(&self, command: Command) {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.push(command);
    }

    pub(crate) fn stop(&self, leaving: bool) {
        self.leaving.store(leaving, Ordering::Release);
        self.stopping.store(true, Ordering::Release);
    }

    /// Tells whether the thread has something to do that no wake-up will tell again.
    fn has_word(&self) -> bool {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        !commands.is_empty() || self.stopping.load(Ordering::Acquire)
    }

    fn take(&self) -> Vec<Command> {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut commands)
    }
}

/// Everything the thread knows.
pub(crate) struct Engine {
    config: WatchConfig,
    backend: Box<dyn Backend>,
    shared: Arc<Shared>,
    out: Sender<ChangeEvent>,
    /// Where the first file of a batch is named while its quiet window runs.
    early: Sender<PathBuf>,
    /// Each directory that is looked after, under each spelling.
    places: BTreeMap<PathBuf, Place>,
    /// How many of them are polled.
    polled: usize,
    spellings: FxHashMap<WatchId, Vec<PathBuf>>,
    /// The directories that were asked for, whether they exist or not.
    wanted: BTreeMap<PathBuf, Wanted>,
    known: BTreeMap<PathBuf, Known>,
    /// Real paths of known files that are symlinks, to the paths they are known by.
    aliases: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    batch: Batch,
    next_poll: Instant,
    next_sweep: Instant,
    fallbacks: Vec<String>,
    counters: Counters,
    settling: Vec<Sender<()>>,
}

impl Engine {
    pub(crate) fn new(
        config: WatchConfig,
        backend: Box<dyn Backend>,
        shared: Arc<Shared>,
        out: Sender<ChangeEvent>,
        early: Sender<PathBuf>,
    ) -> Engine {
        let now = Instant::now();
        Engine {
            batch: Batch::new(config.quiet, now),
            next_poll: now + config.poll_interval,
            next_sweep: now + config.sweep_interval,
            config,
            backend,
            shared,
            out,
            early,
            places: BTreeMap::new(),
            polled: 0,
            spellings: FxHashMap::default(),
            wanted: BTreeMap::new(),
            known: BTreeMap::new(),
            aliases: BTreeMap::new(),
            fallbacks: Vec::new(),
            counters: Counters::default(),
            settling: Vec::new(),
        }
    }

    /// Runs until the watcher is stopped or nobody receives any more.
    pub(crate) fn run(mut self) {
        self.backend.enter_thread();
        let mut events = Vec::new();
        while !self.shared.stopping.load(Ordering::Acquire) {
            self.take_events(&mut events);
            for command in self.shared.take() {
                self.obey(command);
            }
            let now = Instant::now();
            if self.polls() && now >= self.next_poll {
                self.poll(now);
                self.next_poll = Instant::now() + self.config.poll_interval;
            }
            if now >= self.next_sweep {
                self.sweep(now);
                self.next_sweep = Instant::now() + self.config.sweep_interval;
            }
            if let Some(batch) = self.look_if_due() {
                self.counters.batches += 1;
                self.counters.changes += batch.changes.len() as u64;
                if self.out.send(batch).is_err() {
                    return;
                }
            }
            if self.batch.dirty.is_empty() {
                for settled in self.settling.drain(..) {
                    // Whoever asked may have stopped waiting.
                    let _ = settled.send(());
                }
            }
            // The look above takes events in, and a wake-up with them: what it was for must not wait.
            let timeout = if self.shared.has_word() {
                Some(Duration::ZERO)
            } else {
                self.next_moment()
                    .map(|moment| moment.saturating_duration_since(Instant::now()))
            };
            if let Err(reason) = self.backend.wait(timeout, &mut events) {
                self.lose_all_events(reason);
            }
            self.counters.wakeups += 1;
        }
        if self.shared.leaving.load(Ordering::Acquire) {
            self.backend.leave();
        }
    }

    /// Returns when the thread must act even if nothing happens.
    fn next_moment(&self) -> Option<Instant> {
        let poll = self.polls().then_some(self.next_poll);
        let covered = !self.places.is_empty() || !self.known.is_empty() || !self.wanted.is_empty();
        let sweep = covered.then_some(self.next_sweep);
        [self.batch.due(), poll, sweep].into_iter().flatten().min()
    }

    fn take_events(&mut self, events: &mut Vec<RawEvent>) {
        if events.is_empty() {
            return;
        }
        let now = Instant::now();
        self.counters.events += events.len() as u64;
        let mut overflowed = false;
        for event in events.drain(..) {
            match event {
                RawEvent::Entry {
                    id,
                    name,
                    event,
                    is_directory,
                } => {
                    self.entry(id, &name, event, is_directory, now);
                }
                RawEvent::Moved(id) => self.directory_moved(id, now),
                RawEvent::Gone(id) => self.directory_gone(id, now),
                RawEvent::Overflow => overflowed = true,
            }
        }
        // What was lost can be anything, so it is looked for when the events
        // that were not lost have been taken in.
        if overflowed {
            self.counters.overflows += 1;
            self.rescan(now);
        }
    }

    /// Takes in the events that have come until now, without waiting.
    fn take_pending_events(&mut self) {
        let mut events = Vec::new();
        if let Err(reason) = self.backend.wait(Some(Duration::ZERO), &mut events) {
            self.lose_all_events(reason);
        }
        self.take_events(&mut events);
    }

    fn obey(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Watch { directory, tree } => self.want(&directory, tree, now),
            Command::Track { file, content } => self.track(&file, content, now),
            Command::Kick => self.look_at_everything(now),
            Command::Settle(settled) => {
                self.look_at_everything(now);
                self.settling.push(settled);
            }
            Command::Status(sender) => {
                // Whoever asked may have stopped waiting.
                let _ = sender.send(self.status());
            }
        }
    }

    fn track(&mut self, file: &Path, content: Option<ContentHash>, now: Instant) {
        if let Some(directory) = file.parent()
            && !self.places.contains_key(directory)
        {
            self.bind(directory, Role::TRACKED);
        }
        let held = match content {
            Some(hash) => Held::Content(hash),
            None => Disk::read(file).as_held(),
        };
        let stamp = Stamp::of(file);
        let racy = stamp.is_some_and(|stamp| stamp.is_racy());
        let known = Known {
            held,
            stamp,
            tracked: true,
            racy,
        };
        self.known.insert(file.to_path_buf(), known);
        self.note_alias(file);
        // The file may have changed since the program loaded it.
        if content.is_some() {
            self.mark(file, Sign::Scan, now);
        }
    }

    /// Marks a path, noting its stamp where no event will say that its writer is done.
    fn mark(&mut self, path: &Path, sign: Sign, now: Instant) {
        let polled = self.is_polled(path.parent());
        if sign == Sign::Done && self.batch.dirty.is_empty() {
            // Whoever has not read the last one yet needs no other.
            let _ = self.early.try_send(path.to_path_buf());
        }
        let scanned = matches!(sign, Sign::Scan | Sign::Sweep);
        let by_stamp = scanned || polled || !self.backend.sees_closes();
        self.batch.mark(path, sign, by_stamp, now);
        if by_stamp && let Some(dirty) = self.batch.dirty.get_mut(path) {
            dirty.stamp = Stamp::of(path);
        }
    }

    fn is_polled(&self, directory: Option<&Path>) -> bool {
        directory
            .and_then(|directory| self.places.get(directory))
            .is_some_and(|place| place.coverage.is_polled())
    }

    /// The source of events has failed for good: everything is polled from now on.
    fn lose_all_events(&mut self, reason: String) {
        let bell = Arc::clone(&self.shared.bell);
        self.backend = Box::new(NoEvents { reason, bell });
        self.spellings.clear();
        self.rescan(Instant::now());
    }

    /// Notes a reason for a fallback, once.
    fn say(&mut self, reason: &str) {
        if !self.fallbacks.iter().any(|said| said == reason) {
            self.fallbacks.push(reason.to_owned());
        }
    }

    fn status(&self) -> WatchStatus {
        let mut status = WatchStatus {
            missing: self
                .wanted
                .iter()
                .filter(|(_, wanted)| wanted.missing)
                .map(|(path, _)| path.clone())
                .collect(),
            fallbacks: self.fallbacks.clone(),
            tracked: self.known.values().filter(|known| known.tracked).count(),
            counters: self.counters,
            responding: true,
            ..WatchStatus::default()
        };
        for (path, place) in &self.places {
            if !place.role.files && !place.role.tracked {
                continue;
            }
            let named = |reason: &String| PolledDirectory {
                path: path.clone(),
                reason: reason.clone(),
            };
            match &place.coverage {
                Coverage::Events(_) => status.watched.push(path.clone()),
                Coverage::Polled { reason, .. } => status.polled.push(named(reason)),
                Coverage::Unwatched { reason } => status.unwatched.push(named(reason)),
            }
        }
        status
    }
}

/// How long a stamp must stay before a file without a close event counts as whole.
const STAMP_QUIET: Duration = Duration::from_millis(8);
/// The same where the file is polled, and may be written over a network.
const POLLED_QUIET: Duration = Duration::from_millis(25);

/// For so long after a change a polled directory is listed in each round: the
/// time of a directory is as coarse as its file system's clock.
const LIST_AFTER_CHANGE: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests;
