//! The `notify` crate, for systems other than Linux.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use notify::event::{EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use rustc_hash::FxHashMap;

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
    watched: FxHashMap<WatchId, PathBuf>,
    next: u64,
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
        for path in &event.paths {
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
            let found = fs::symlink_metadata(path);
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
        if let Some(id) = self.ids.get(&real) {
            return Ok(*id);
        }
        self.watcher
            .watch(&real, RecursiveMode::NonRecursive)
            .map_err(refused)?;
        self.next += 1;
        let id = WatchId(self.next);
        self.ids.insert(real.clone(), id);
        self.watched.insert(id, real);
        Ok(id)
    }

    fn unwatch(&mut self, id: WatchId) {
        if let Some(real) = self.watched.remove(&id) {
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
