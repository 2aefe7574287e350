//! Which directories are looked after, and by which means.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Engine, LIST_AFTER_CHANGE};
use crate::PollMode;
use crate::backend::{Interest, WatchFailure, WatchId};
use crate::batch::Sign;
use crate::files::{Held, Known, Stamp, is_source};
use crate::mounts::changes_behind_our_back;
use crate::paths::real;

/// Deeper directories are not followed; it ends what the check for cycles misses.
const DEEPEST: usize = 64;

/// A directory that comes and goes is left to its signposts after so many tries.
const TRIES: usize = 3;

/// One directory under one spelling.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) role: Role,
    pub(crate) coverage: Coverage,
    /// The directory that stood here when it was bound.
    pub(crate) stamp: Option<Stamp>,
    /// Where polled: until when the list is read in each round.
    pub(crate) list_until: Option<Instant>,
}

/// What a directory is looked after for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Role {
    /// Every module in it counts.
    pub(crate) files: bool,
    /// Sub-directories are taken up too.
    pub(crate) tree: bool,
    /// Only files that are tracked count.
    pub(crate) tracked: bool,
}

impl Role {
    /// Entries that come and go, to notice when something wanted appears.
    pub(crate) const SIGNPOST: Role = Role {
        files: false,
        tree: false,
        tracked: false,
    };
    pub(crate) const TRACKED: Role = Role {
        files: false,
        tree: false,
        tracked: true,
    };

    fn and(self, other: Role) -> Role {
        Role {
            files: self.files || other.files,
            tree: self.tree || other.tree,
            tracked: self.tracked || other.tracked,
        }
    }
}

/// How changes in a directory are noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Coverage {
    Events(WatchId),
    /// By looking; with events too where some of the changes bring them.
    Polled {
        id: Option<WatchId>,
        reason: String,
    },
    /// Not at all, except by the safety sweep.
    Unwatched {
        reason: String,
    },
}

impl Coverage {
    pub(crate) fn is_polled(&self) -> bool {
        matches!(self, Coverage::Polled { .. })
    }

    pub(crate) fn id(&self) -> Option<WatchId> {
        match self {
            Coverage::Events(id) => Some(*id),
            Coverage::Polled { id, .. } => *id,
            Coverage::Unwatched { .. } => None,
        }
    }
}

/// A directory that was asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    tree: bool,
    pub(crate) missing: bool,
    /// Directories watched only to notice that this one appears or is exchanged.
    posts: Vec<PathBuf>,
}

/// What became of an attempt to bind a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    Missing,
    /// The same directory as before.
    Kept,
    New,
}

impl Engine {
    /// Takes up a directory that was asked for, now or when it appears.
    pub(crate) fn want(&mut self, directory: &Path, tree: bool, now: Instant) {
        match self.wanted.get_mut(directory) {
            Some(wanted) if wanted.tree || !tree => return,
            Some(wanted) => wanted.tree = true,
            None => {
                let wanted = Wanted {
                    tree,
                    missing: true,
                    posts: Vec::new(),
                };
                self.wanted.insert(directory.to_path_buf(), wanted);
            }
        }
        self.take_up(directory, false, now);
    }

    /// Binds a wanted directory if it is there, else puts up signposts towards it.
    ///
    /// With `appeared`, its files count as changes; without, as the start.
    pub(crate) fn take_up(&mut self, directory: &Path, appeared: bool, now: Instant) {
        let Some(wanted) = self.wanted.get(directory) else {
            return;
        };
        let role = Role {
            files: true,
            tree: wanted.tree,
            tracked: false,
        };
        let mut missing = true;
        let mut posts = Vec::new();
        for _ in 0..TRIES {
            missing = self.attach(directory, role, appeared, now) == Binding::Missing;
            posts = posts_towards(directory, missing);
            for post in &posts {
                self.bind(post, Role::SIGNPOST);
            }
            // It may have appeared before the signpost stood.
            if !(missing && directory.is_dir()) {
                break;
            }
        }
        let before = match self.wanted.get_mut(directory) {
            Some(wanted) => {
                wanted.missing = missing;
                std::mem::replace(&mut wanted.posts, posts)
            }
            None => return,
        };
        for post in before {
            self.release(&post);
        }
    }

    /// Watches a directory, and below it with [`Role::tree`], and takes in what it holds.
    pub(crate) fn attach(
        &mut self,
        directory: &Path,
        role: Role,
        appeared: bool,
        now: Instant,
    ) -> Binding {
        let binding = self.bind(directory, role);
        if binding == Binding::Missing {
            return binding;
        }
        let mut unlisted = vec![(directory.to_path_buf(), 0)];
        while let Some((listed, depth)) = unlisted.pop() {
            // Watched first and listed second: what appears in between is seen
            // twice and never not at all.
            for below in self.list(&listed, appeared, now) {
                if depth < DEEPEST && self.bind(&below, role) != Binding::Missing {
                    unlisted.push((below, depth + 1));
                }
            }
        }
        binding
    }

    /// Takes in the entries of a bound directory; returns the sub-directories to take up.
    pub(crate) fn list(&mut self, directory: &Path, appeared: bool, now: Instant) -> Vec<PathBuf> {
        let mut below = Vec::new();
        let Some(role) = self.places.get(directory).map(|place| place.role) else {
            return below;
        };
        if !role.files {
            return below;
        }
        // An unreadable directory can still be watched, and its tracked files read.
        let Ok(entries) = fs::read_dir(directory) else {
            return below;
        };
        let mut present = Vec::new();
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let path = entry.path();
            if is_source(&path) && !kind.is_dir() {
                if kind.is_symlink() {
                    self.note_alias(&path);
                }
                present.push(path);
            } else if role.tree && self.is_followed(&path, kind.is_dir(), kind.is_symlink()) {
                below.push(path);
            }
        }
        if appeared {
            let absent = self.known_in(directory);
            for path in present.iter().chain(&absent) {
                self.mark(path, Sign::Scan, now);
            }
            return below;
        }
        for path in present {
            self.known.entry(path).or_insert_with_key(|path| {
                let stamp = Stamp::of(path);
                Known {
                    held: Held::Listed,
                    stamp,
                    tracked: false,
                    racy: false,
                }
            });
        }
        below
    }

    /// Tells whether a tree goes on at `path`.
    pub(crate) fn is_followed(&self, path: &Path, is_directory: bool, is_link: bool) -> bool {
        const SKIPPED: &[&str] = &["__pycache__", "node_modules"];
        let Some(name) = path.file_name() else {
            return false;
        };
        if name.as_encoded_bytes().starts_with(b".")
            || SKIPPED.iter().any(|skipped| name == *skipped)
        {
            return false;
        }
        let linked = is_link && path.is_dir() && !leads_back(path);
        if !is_directory && !linked {
            return false;
        }
        !path.join("pyvenv.cfg").exists()
    }

    /// Watches one directory by the best means there are.
    pub(crate) fn bind(&mut self, directory: &Path, role: Role) -> Binding {
        let role = self
            .places
            .get(directory)
            .map_or(role, |place| place.role.and(role));
        let interest = if role.files || role.tracked {
            Interest::Files
        } else {
            Interest::Entries
        };
        let answer = match self.config.poll {
            PollMode::Always if directory.is_dir() => {
                Err(WatchFailure::Refused("polling was asked for".into()))
            }
            PollMode::Always => Err(WatchFailure::Missing),
            PollMode::Auto | PollMode::Never => self.backend.watch(directory, interest),
        };
        let coverage = match answer {
            Err(WatchFailure::Missing) => {
                if self.places.contains_key(directory) {
                    self.detach(directory, Instant::now());
                }
                return Binding::Missing;
            }
            Ok(id) => match self.shared_mount(directory) {
                Some(reason) => Coverage::Polled {
                    id: Some(id),
                    reason,
                },
                None => Coverage::Events(id),
            },
            Err(WatchFailure::Refused(reason)) if self.config.poll == PollMode::Never => {
                Coverage::Unwatched { reason }
            }
            Err(WatchFailure::Refused(reason)) => Coverage::Polled { id: None, reason },
        };
        if let Coverage::Polled { reason, .. } | Coverage::Unwatched { reason } = &coverage {
            let reason = reason.clone();
            self.say(&reason);
        }
        let stamp = Stamp::of(directory);
        let before = self
            .places
            .get(directory)
            .map(|place| (place.coverage.id(), place.stamp));
        let kept =
            before.is_some_and(|(id, old)| id == coverage.id() && same_directory(old, stamp));
        if let Some((Some(old), _)) = before
            && Some(old) != coverage.id()
        {
            self.unspell(old, directory);
        }
        if let Some(id) = coverage.id() {
            let spellings = self.spellings.entry(id).or_default();
            if !spellings.iter().any(|spelling| spelling == directory) {
                spellings.push(directory.to_path_buf());
            }
        }
        let polled = coverage.is_polled();
        let place = Place {
            role,
            coverage,
            stamp,
            // Entries may have come since it was listed, within one tick of its clock.
            list_until: polled.then(|| Instant::now() + LIST_AFTER_CHANGE),
        };
        let old = self.places.insert(directory.to_path_buf(), place);
        self.polled += usize::from(polled);
        self.polled -= usize::from(old.is_some_and(|place| place.coverage.is_polled()));
        if kept { Binding::Kept } else { Binding::New }
    }

    /// Returns why `directory` must be polled although it can be watched.
    fn shared_mount(&mut self, directory: &Path) -> Option<String> {
        if self.config.poll != PollMode::Auto {
            return None;
        }
        let kind = self.backend.mount_kind(directory)?;
        changes_behind_our_back(&kind)
            .then(|| format!("a {kind} mount brings no events for changes made on its other side"))
    }

    /// Gives up a directory that is no longer where it was, and everything below.
    pub(crate) fn detach(&mut self, directory: &Path, now: Instant) {
        let lost: Vec<PathBuf> = below(&self.places, directory)
            .map(|(path, _)| path.clone())
            .collect();
        for path in &lost {
            self.unbind(path);
        }
        let files: Vec<PathBuf> = below(&self.known, directory)
            .map(|(path, _)| path.clone())
            .collect();
        for path in files {
            self.mark(&path, Sign::Done, now);
        }
        let mut waiting = Vec::new();
        let after = (Bound::Included(directory), Bound::Unbounded);
        for (path, wanted) in self.wanted.range_mut::<Path, _>(after) {
            if !path.starts_with(directory) {
                break;
            }
            if !wanted.missing {
                wanted.missing = true;
                waiting.push(path.clone());
            }
        }
        if !lost.is_empty() {
            self.counters.lost += 1;
        }
        for path in waiting {
            self.take_up(&path, true, now);
        }
    }

    /// Gives up a tree that turned out to be one that is skipped.
    pub(crate) fn skip(&mut self, directory: &Path) {
        if self.wanted.contains_key(directory) {
            return;
        }
        let skipped: Vec<PathBuf> = below(&self.places, directory)
            .filter(|(path, _)| !self.wanted.contains_key(*path))
            .map(|(path, _)| path.clone())
            .collect();
        for path in skipped {
            self.unbind(&path);
        }
    }

    /// Checks that each spelling of a directory still leads to it.
    pub(crate) fn directory_moved(&mut self, id: WatchId, now: Instant) {
        for path in self.spellings.get(&id).cloned().unwrap_or_default() {
            self.revalidate(&path, now);
        }
    }

    /// The watch is gone with the directory; another may already stand there.
    pub(crate) fn directory_gone(&mut self, id: WatchId, now: Instant) {
        for path in self.spellings.remove(&id).unwrap_or_default() {
            self.revalidate(&path, now);
        }
    }

    /// Binds a place again if another directory stands there now, or none.
    pub(crate) fn revalidate(&mut self, directory: &Path, now: Instant) {
        let Some(role) = self.places.get(directory).map(|place| place.role) else {
            return;
        };
        if self.bind(directory, role) == Binding::New {
            self.batch.directory_changed(now);
            self.attach(directory, role, true, now);
            self.recheck_posts(directory, now);
        }
    }

    /// Looks for wanted directories at or below `path`, which has just come.
    pub(crate) fn recheck_posts(&mut self, path: &Path, now: Instant) {
        let wanted: Vec<PathBuf> = below(&self.wanted, path)
            .map(|(path, _)| path.clone())
            .collect();
        for directory in wanted {
            let new = match self.places.get(&directory) {
                None => true,
                Some(place) => !same_directory(place.stamp, Stamp::of(&directory)),
            };
            if new {
                self.take_up(&directory, true, now);
            }
        }
    }

    /// Notes where a symlinked module really is, and watches there.
    pub(crate) fn note_alias(&mut self, path: &Path) {
        let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
        if !is_link {
            return;
        }
        let Ok(real) = real(path) else {
            return;
        };
        let spelled = path.to_path_buf();
        if self
            .aliases
            .get(&real)
            .is_some_and(|known| known.contains(&spelled))
        {
            return;
        }
        for known in self.aliases.values_mut() {
            known.remove(&spelled);
        }
        self.aliases.retain(|_, known| !known.is_empty());
        if let Some(parent) = real.parent()
            && !self
                .places
                .get(parent)
                .is_some_and(|place| place.role.files || place.role.tracked)
        {
            self.bind(parent, Role::TRACKED);
        }
        self.aliases.entry(real).or_default().insert(spelled);
    }

    /// Returns the known files that stand in `directory` itself.
    pub(crate) fn known_in(&self, directory: &Path) -> Vec<PathBuf> {
        below(&self.known, directory)
            .filter(|(path, _)| path.parent() == Some(directory))
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// Removes a signpost that nothing needs any more.
    fn release(&mut self, post: &Path) {
        let idle = self
            .places
            .get(post)
            .is_some_and(|place| place.role == Role::SIGNPOST);
        let needed = self
            .wanted
            .values()
            .any(|wanted| wanted.posts.iter().any(|other| other == post));
        if idle && !needed {
            self.unbind(post);
        }
    }

    fn unbind(&mut self, directory: &Path) {
        let Some(place) = self.places.remove(directory) else {
            return;
        };
        self.polled -= usize::from(place.coverage.is_polled());
        if let Some(id) = place.coverage.id() {
            self.unspell(id, directory);
        }
    }

    fn unspell(&mut self, id: WatchId, directory: &Path) {
        let Some(spellings) = self.spellings.get_mut(&id) else {
            return;
        };
        spellings.retain(|spelling| spelling != directory);
        if spellings.is_empty() {
            self.spellings.remove(&id);
            self.backend.unwatch(id);
        }
    }
}

/// Iterates over what a map holds at or below `path`.
pub(crate) fn below<'a, T>(
    map: &'a BTreeMap<PathBuf, T>,
    path: &'a Path,
) -> impl Iterator<Item = (&'a PathBuf, &'a T)> {
    map.range::<Path, _>((Bound::Included(path), Bound::Unbounded))
        .take_while(move |(inner, _)| inner.starts_with(path))
}

/// Tells whether two stamps are of one directory.
pub(crate) fn same_directory(old: Option<Stamp>, new: Option<Stamp>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => old.inode == new.inode,
        _ => false,
    }
}

/// Returns the directories in which something must happen before `directory` can appear or be exchanged.
fn posts_towards(directory: &Path, missing: bool) -> Vec<PathBuf> {
    let mut posts = Vec::new();
    for step in directory.ancestors() {
        let Some(parent) = step.parent() else { break };
        let is_link = fs::symlink_metadata(step).is_ok_and(|metadata| metadata.is_symlink());
        if is_link {
            posts.push(parent.to_path_buf());
        }
    }
    if missing {
        let nearest = directory
            .ancestors()
            .skip(1)
            .find(|ancestor| ancestor.is_dir());
        posts.extend(nearest.map(Path::to_path_buf));
    } else if cfg!(windows) {
        // The watch of a directory says nothing there when the directory goes.
        posts.extend(directory.parent().map(Path::to_path_buf));
    }
    posts
}

/// Tells whether a symlink leads to a directory that its own path runs through.
fn leads_back(link: &Path) -> bool {
    let Ok(target) = real(link) else {
        return true;
    };
    link.ancestors()
        .skip(1)
        .any(|ancestor| real(ancestor).is_ok_and(|real| real == target))
}
