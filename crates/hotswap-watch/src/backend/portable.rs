//! The `notify` crate, for systems other than Linux.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use notify::event::{EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use rustc_hash::FxHashMap;

use crate::files::{identity, is_source};
use crate::paths::name_on_disk;

use super::{Backend, EntryEvent, Interest, Opened, RawEvent, Wake, WatchFailure, WatchId};

enum Message {
    Event(notify::Result<Event>),
    Woken,
}

struct NotifyBackend {
    watcher: RecommendedWatcher,
    messages: Receiver<Message>,
    /// By the real path: macOS reports that one, whatever was asked for.
    ids: FxHashMap<PathBuf, WatchId>,
    watched: FxHashMap<WatchId, Watched>,
    next: u64,
}

struct Watched {
    real: PathBuf,
    /// Another directory at the same path is not watched by this.
    identity: Option<(u64, u64)>,
}

struct ChannelWake(Sender<Message>);

pub(super) fn open() -> Result<Opened, WatchFailure> {
    let (sender, messages) = unbounded();
    let callback = sender.clone();
    let watcher = notify::recommended_watcher(move |event| {
        // The receiver ends first when the watcher is stopped.
        let _ = callback.send(Message::Event(event));
    })
    .map_err(refused)?;
    let backend = NotifyBackend {
        watcher,
        messages,
        ids: FxHashMap::default(),
        watched: FxHashMap::default(),
        next: 0,
    };
    Ok((Box::new(backend), Arc::new(ChannelWake(sender))))
}

/// Returns the path with the name that its directory has for it, where that can be another.
fn spelled_as_on_disk(path: &Path) -> PathBuf {
    match name_on_disk(path) {
        Some(name) => path.with_file_name(name),
        None => path.to_path_buf(),
    }
}

/// Tells whether a name can be one of those that Windows makes up for old programs.
fn is_short(path: &Path) -> bool {
    cfg!(windows)
        && path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().contains(&b'~'))
}

fn refused(error: notify::Error) -> WatchFailure {
    match error.kind {
        notify::ErrorKind::PathNotFound => WatchFailure::Missing,
        _ => WatchFailure::Refused(format!("file events are not available here ({error})")),
    }
}

impl NotifyBackend {
    fn translate(&mut self, event: &Event, events: &mut Vec<RawEvent>) {
        if event.need_rescan() {
            events.push(RawEvent::Overflow);
            return;
        }
        let written = !matches!(
            event.kind,
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
        );
        for path in &event.paths {
            // A log file next to the code ends here, without a look at it.
            if written && !is_source(path) && !is_short(path) {
                if let Some(id) = self.ids.get(path) {
                    events.push(RawEvent::Moved(*id));
                }
                continue;
            }
            let found = fs::symlink_metadata(path);
            if found.is_err() && is_short(path) {
                // Whose short name it was can no longer be asked.
                events.push(RawEvent::Overflow);
                return;
            }
            let path = &spelled_as_on_disk(path);
            match self.ids.get(path).copied() {
                // The watch ends with the directory; another may stand there already.
                Some(id) if matches!(event.kind, EventKind::Remove(_)) => {
                    self.unwatch(id);
                    events.push(RawEvent::Gone(id));
                }
                Some(id) => events.push(RawEvent::Moved(id)),
                None => {}
            }
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                continue;
            };
            let id = match self.ids.get(parent) {
                Some(id) => *id,
                None => match fs::canonicalize(parent)
                    .ok()
                    .and_then(|real| self.ids.get(&real))
                {
                    Some(id) => *id,
                    None => continue,
                },
            };
            let what = match (&event.kind, &found) {
                (EventKind::Access(_), _) => continue,
                (_, Err(_)) => EntryEvent::Left,
                (EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_)), Ok(_)) => {
                    EntryEvent::Arrived
                }
                (_, Ok(_)) => EntryEvent::Written,
            };
            events.push(RawEvent::Entry {
                id,
                name: name.to_owned(),
                event: what,
                is_directory: found.is_ok_and(|metadata| metadata.is_dir()),
            });
        }
    }

    fn take(&mut self, message: Message, events: &mut Vec<RawEvent>) {
        match message {
            Message::Event(Ok(event)) => self.translate(&event, events),
            // An error names no event that was lost for certain, so all may be.
            Message::Event(Err(_)) => events.push(RawEvent::Overflow),
            Message::Woken => {}
        }
    }
}

impl Backend for NotifyBackend {
    fn watch(&mut self, directory: &Path, _: Interest) -> Result<WatchId, WatchFailure> {
        let Ok(real) = fs::canonicalize(directory) else {
            return Err(WatchFailure::Missing);
        };
        if !real.is_dir() {
            return Err(WatchFailure::Missing);
        }
        let identity = identity(&real);
        if let Some(id) = self.ids.get(&real).copied() {
            let watched = self.watched.get(&id);
            if watched.is_some_and(|watched| watched.identity == identity) {
                return Ok(id);
            }
            self.unwatch(id);
        }
        self.watcher
            .watch(&real, RecursiveMode::NonRecursive)
            .map_err(refused)?;
        self.next += 1;
        let id = WatchId(self.next);
        self.ids.insert(real.clone(), id);
        self.watched.insert(id, Watched { real, identity });
        Ok(id)
    }

    fn unwatch(&mut self, id: WatchId) {
        if let Some(Watched { real, .. }) = self.watched.remove(&id) {
            self.ids.remove(&real);
            // It fails only where the directory is gone already.
            let _ = self.watcher.unwatch(&real);
        }
    }

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        events: &mut Vec<RawEvent>,
    ) -> Result<(), String> {
        let first = match timeout {
            Some(timeout) => self.messages.recv_timeout(timeout).ok(),
            None => self.messages.recv().ok(),
        };
        if let Some(message) = first {
            self.take(message, events);
        }
        while let Ok(message) = self.messages.try_recv() {
            self.take(message, events);
        }
        Ok(())
    }

    fn sees_closes(&self) -> bool {
        false
    }

    fn mount_kind(&mut self, _: &Path) -> Option<String> {
        None
    }
}

impl Wake for ChannelWake {
    fn wake(&self) {
        // The receiver is gone only when the thread has ended.
        let _ = self.0.send(Message::Woken);
    }

    fn abandon(&self) {}
}
