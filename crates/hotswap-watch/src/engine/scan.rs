//! Looks without events: polling, the safety sweep, and the rescan after a loss.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::directories::{Role, same_directory};
use super::{Engine, LIST_AFTER_CHANGE};
use crate::batch::Sign;
use crate::files::{Held, Known, Stamp};

impl Engine {
    /// Tells whether anything is polled.
    pub(crate) fn polls(&self) -> bool {
        self.polled > 0
    }

    /// Compares the stamps of polled files and lists polled directories that changed.
    pub(crate) fn poll(&mut self, now: Instant) {
        self.counters.polls += 1;
        let changed: Vec<PathBuf> = self
            .known
            .iter()
            .filter(|(path, known)| {
                is_followed_up(known)
                    && !self.batch.dirty.contains_key(*path)
                    && self.is_polled(path.parent())
                    && (known.racy || known.stamp != Stamp::of(path))
            })
            .map(|(path, _)| path.clone())
            .collect();
        for path in changed {
            self.mark(&path, Sign::Scan, now);
        }
        let polled: Vec<PathBuf> = self
            .places
            .iter()
            .filter(|(_, place)| place.coverage.is_polled())
            .map(|(path, _)| path.clone())
            .collect();
        for directory in polled {
            self.poll_directory(&directory, now);
        }
        self.take_up_missing(now);
    }

    fn poll_directory(&mut self, directory: &Path, now: Instant) {
        let stamp = Stamp::of(directory);
        let Some(place) = self.places.get_mut(directory) else {
            return;
        };
        if !same_directory(place.stamp, stamp) {
            self.revalidate(directory, now);
            return;
        }
        let changed = stamp != place.stamp;
        if changed {
            place.stamp = stamp;
            place.list_until = Some(now + LIST_AFTER_CHANGE);
        }
        if !place.role.files || place.list_until.is_none_or(|until| now >= until) {
            return;
        }
        let role = place.role;
        for path in self.new_entries(directory, now) {
            if !self.places.contains_key(&path) {
                self.batch.directory_changed(now);
                self.attach(&path, role, true, now);
            }
        }
    }

    /// Marks files that came or went in a directory; returns its sub-directories.
    fn new_entries(&mut self, directory: &Path, now: Instant) -> Vec<PathBuf> {
        let gone = self.known_in(directory);
        let sub_directories = self.list(directory, false, now);
        for path in gone.iter().filter(|path| !path.exists()) {
            if self
                .known
                .get(path)
                .is_some_and(|known| known.held != Held::Absent)
            {
                self.mark(path, Sign::Scan, now);
            }
        }
        let come: Vec<PathBuf> = self
            .known_in(directory)
            .into_iter()
            .filter(|path| gone.binary_search(path).is_err())
            .collect();
        for path in come {
            // Listing took it as known; it is news here.
            self.known.remove(&path);
            self.mark(&path, Sign::Scan, now);
        }
        sub_directories
    }

    /// Finds what brought no event: a write through a hard link, a renamed ancestor.
    pub(crate) fn sweep(&mut self, now: Instant) {
        self.counters.sweeps += 1;
        let changed: Vec<PathBuf> = self
            .known
            .iter()
            .filter(|(path, known)| {
                is_followed_up(known)
                    && !self.batch.dirty.contains_key(*path)
                    && (known.stamp != Stamp::of(path) || matches!(known.held, Held::Unreadable(_)))
            })
            .map(|(path, _)| path.clone())
            .collect();
        for path in changed {
            self.mark(&path, Sign::Sweep, now);
        }
        let places: Vec<(PathBuf, Role)> = self
            .places
            .iter()
            .map(|(path, place)| (path.clone(), place.role))
            .collect();
        for (directory, role) in places {
            let Some(place) = self.places.get(&directory) else {
                continue;
            };
            let stamp = Stamp::of(&directory);
            if !same_directory(place.stamp, stamp) {
                self.revalidate(&directory, now);
            } else if place.coverage.id().is_none() {
                // A limit may have been raised, or other watchers have ended.
                self.bind(&directory, role);
            }
        }
        self.take_up_missing(now);
    }

    /// Looks at the content of every tracked file, and for new ones in every directory.
    pub(crate) fn look_at_everything(&mut self, now: Instant) {
        let files: Vec<PathBuf> = self.known.keys().cloned().collect();
        for path in files {
            self.mark(&path, Sign::Scan, now);
        }
        let places: Vec<(PathBuf, Role)> = self
            .places
            .iter()
            .map(|(path, place)| (path.clone(), place.role))
            .collect();
        for (directory, role) in places {
            for below in self.list(&directory, true, now) {
                if !self.places.contains_key(&below) {
                    self.attach(&below, role, true, now);
                }
            }
        }
        self.take_up_missing(now);
    }

    /// Events were lost: nothing that is known of directories can be trusted.
    pub(crate) fn rescan(&mut self, now: Instant) {
        let places: Vec<PathBuf> = self.places.keys().cloned().collect();
        for directory in places {
            self.revalidate(&directory, now);
        }
        self.look_at_everything(now);
    }

    fn take_up_missing(&mut self, now: Instant) {
        let appeared: Vec<PathBuf> = self
            .wanted
            .iter()
            .filter(|(path, wanted)| wanted.missing && path.is_dir())
            .map(|(path, _)| path.clone())
            .collect();
        for directory in appeared {
            self.take_up(&directory, true, now);
        }
    }
}

/// Files that were only listed, and never loaded or reported, cost no `stat`.
fn is_followed_up(known: &Known) -> bool {
    known.tracked || known.held != Held::Listed
}
