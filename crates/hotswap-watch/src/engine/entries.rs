//! What one event about an entry of a directory means.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::Engine;
use super::directories::{Role, below};
use crate::backend::{EntryEvent, WatchId};
use crate::batch::Sign;
use crate::files::{Stamp, is_source};
use crate::paths::same_name;

impl Engine {
    pub(crate) fn entry(
        &mut self,
        id: WatchId,
        name: &OsStr,
        event: EntryEvent,
        is_directory: bool,
        now: Instant,
    ) {
        let source = !is_directory && is_source(Path::new(name));
        // A log file next to the code ends here.
        if event == EntryEvent::Written && !source {
            return;
        }
        // An event can outlive its watch.
        let Some(spellings) = self.spellings.get(&id) else {
            return;
        };
        let paths: Vec<PathBuf> = spellings
            .iter()
            .map(|directory| directory.join(name))
            .collect();
        if source {
            self.source_entry(&paths, event, now);
            return;
        }
        for path in paths {
            match event {
                EntryEvent::Created | EntryEvent::Arrived => {
                    self.entry_came(&path, is_directory, now)
                }
                EntryEvent::Left => self.entry_left(&path, now),
                EntryEvent::Written => {}
            }
        }
    }

    /// A module file was written, came or went; `paths` are its spellings.
    fn source_entry(&mut self, paths: &[PathBuf], event: EntryEvent, now: Instant) {
        let mut targets: Vec<PathBuf> = paths
            .iter()
            .filter_map(|path| self.tracked_as(path))
            .collect();
        // Under several spellings, the one by which the program knows it counts.
        if targets.is_empty() {
            let listed = |path: &&PathBuf| {
                let place = path.parent().and_then(|parent| self.places.get(parent));
                place.is_some_and(|place| place.role.files)
            };
            targets.extend(paths.iter().filter(listed).cloned());
        }
        for path in paths {
            targets.extend(self.aliases.get(path).into_iter().flatten().cloned());
        }
        for path in targets {
            let sign = match event {
                EntryEvent::Created if !is_complete(&path) => Sign::Created,
                _ => Sign::Done,
            };
            self.mark(&path, sign, now);
        }
    }

    /// Returns the path by which the program knows the file at `path`, if it does.
    fn tracked_as(&self, path: &Path) -> Option<PathBuf> {
        let tracked = |path: &Path| self.known.get(path).is_some_and(|known| known.tracked);
        if tracked(path) {
            return Some(path.to_path_buf());
        }
        if !cfg!(any(windows, target_os = "macos")) {
            return None;
        }
        // The program may spell the name with other capitals than the directory does.
        let (directory, name) = (path.parent()?, path.file_name()?);
        below(&self.known, directory)
            .map(|(other, _)| other)
            .find(|other| {
                other.parent() == Some(directory)
                    && other.file_name().is_some_and(|own| same_name(own, name))
                    && tracked(other)
            })
            .cloned()
    }

    /// A directory, a symlink or some other file has come.
    fn entry_came(&mut self, path: &Path, is_directory: bool, now: Instant) {
        let Some(parent) = path.parent() else { return };
        let is_link =
            !is_directory && fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
        let role = self
            .places
            .get(parent)
            .map_or(Role::SIGNPOST, |place| place.role);
        if !is_directory && !is_link {
            if path.file_name().is_some_and(|name| name == "pyvenv.cfg") && role.tree {
                self.skip(parent);
            }
            return;
        }
        // The lock links of some editors point nowhere.
        if is_link && fs::metadata(path).is_err() {
            return;
        }
        self.recheck_posts(path, now);
        let places: Vec<PathBuf> = below(&self.places, path)
            .map(|(path, _)| path.clone())
            .collect();
        for place in places {
            self.revalidate(&place, now);
        }
        if role.tree
            && !self.places.contains_key(path)
            && self.is_followed(path, is_directory, is_link)
        {
            self.batch.directory_changed(now);
            let role = Role {
                files: true,
                tree: true,
                tracked: false,
            };
            self.attach(path, role, true, now);
        }
        // Behind an exchanged link (`..data` of a mounted ConfigMap) any file
        // beside it may be another one now.
        let suspects = if is_link { parent } else { path };
        let changed: Vec<PathBuf> = below(&self.known, suspects)
            .filter(|(path, known)| known.stamp != Stamp::of(path))
            .map(|(path, _)| path.clone())
            .collect();
        for path in changed {
            self.mark(&path, Sign::Scan, now);
        }
    }

    /// Something that is not a module has gone; it matters if it was a directory of ours.
    fn entry_left(&mut self, path: &Path, now: Instant) {
        let matters =
            below(&self.places, path).next().is_some() || below(&self.known, path).next().is_some();
        if matters {
            self.batch.directory_changed(now);
            self.detach(path, now);
        }
    }
}

/// Tells whether a file that was just created came whole: links bring no close.
fn is_complete(path: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return true;
    };
    metadata.is_symlink() || Stamp::from(&metadata).links > 1
}
