//! The engine with a source of events that fails on demand.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use tempfile::TempDir;

use super::{Command, Shared};
use crate::backend::{
    self, Backend, Bell, Interest, NoEvents, RawEvent, Wake, WatchFailure, WatchId,
};
use crate::{ChangeEvent, PollMode, WatchConfig, Watcher, content_hash};

const DEADLINE: Duration = Duration::from_secs(10);
const OLD: &[u8] = b"x = 1\n";
const NEW: &[u8] = b"x = 2\n";

/// What goes wrong, and when.
#[derive(Default)]
struct Faults {
    no_space: AtomicBool,
    deaf: AtomicBool,
    broken: AtomicBool,
    shared_mount: AtomicBool,
    /// Asked while the thread takes events in without waiting, with the wake-up taken in too.
    meanwhile: Mutex<Option<(Arc<Shared>, Command)>>,
}

struct Faulty {
    inner: Box<dyn Backend>,
    faults: Arc<Faults>,
    injected: Receiver<RawEvent>,
}

impl Backend for Faulty {
    fn watch(&mut self, directory: &Path, interest: Interest) -> Result<WatchId, WatchFailure> {
        if self.faults.no_space.load(Ordering::SeqCst) && directory.is_dir() {
            return Err(WatchFailure::Refused("no watches left (ENOSPC)".into()));
        }
        self.inner.watch(directory, interest)
    }

    fn unwatch(&mut self, id: WatchId) {
        self.inner.unwatch(id);
    }

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        events: &mut Vec<RawEvent>,
    ) -> Result<(), String> {
        let result = self.inner.wait(timeout, events);
        if timeout == Some(Duration::ZERO)
            && let Some((shared, command)) = self.faults.meanwhile.lock().unwrap().take()
        {
            shared.push(command);
        }
        if self.faults.deaf.load(Ordering::SeqCst) {
            events.clear();
        }
        events.extend(self.injected.try_iter());
        if self.faults.broken.load(Ordering::SeqCst) {
            return Err("the source of events broke".into());
        }
        result
    }

    fn sees_closes(&self) -> bool {
        self.inner.sees_closes()
    }

    fn mount_kind(&mut self, directory: &Path) -> Option<String> {
        match self.faults.shared_mount.load(Ordering::SeqCst) {
            true => Some("9p".into()),
            false => self.inner.mount_kind(directory),
        }
    }
}

struct Setup {
    faults: Arc<Faults>,
    inject: Sender<RawEvent>,
    wake: Arc<dyn Wake>,
    shared: Arc<Shared>,
    watcher: Watcher,
    events: Receiver<ChangeEvent>,
    /// Dropped last: before Windows 10, and under Wine, a directory that is watched cannot go.
    root: TempDir,
}

/// Starts a watcher with one tracked file `m.py`, and faults that are set before it watches.
fn start(poll: PollMode, prepare: impl Fn(&Faults)) -> Setup {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("m.py"), OLD).unwrap();
    let faults = Arc::new(Faults::default());
    prepare(&faults);
    let (inject, injected) = unbounded();
    let (inner, wake) = backend::open().unwrap();
    let backend = Faulty {
        inner,
        faults: Arc::clone(&faults),
        injected,
    };
    let config = WatchConfig {
        poll,
        poll_interval: Duration::from_millis(20),
        ..WatchConfig::default()
    };
    let shared = Arc::new(Shared::default());
    let (watcher, events) = Watcher::start_with(
        config,
        Box::new(backend),
        Arc::clone(&wake),
        Arc::clone(&shared),
    )
    .unwrap();
    watcher.track(&root.path().join("m.py"), Some(content_hash(OLD)));
    watcher.watch_tree(root.path());
    assert!(watcher.settle(DEADLINE));
    Setup {
        root,
        faults,
        inject,
        wake,
        shared,
        watcher,
        events,
    }
}

impl Setup {
    fn save(&self, name: &str) {
        fs::write(self.root.path().join(name), NEW).unwrap();
    }

    fn expect(&self, names: &[&str]) {
        let batch = self.events.recv_timeout(DEADLINE).unwrap();
        let paths: Vec<_> = batch
            .changes
            .iter()
            .map(|change| change.path.clone())
            .collect();
        let expected: Vec<_> = names
            .iter()
            .map(|name| self.root.path().join(name))
            .collect();
        assert_eq!(paths, expected);
    }
}

#[test]
fn without_watches_left_the_directory_is_polled_and_the_reason_said_once() {
    let setup = start(PollMode::Auto, |faults| {
        faults.no_space.store(true, Ordering::SeqCst)
    });
    let status = setup.watcher.status();
    assert!(status.watched.is_empty(), "{status:?}");
    assert_eq!(status.polled.len(), 1, "{status:?}");
    assert_eq!(status.fallbacks, ["no watches left (ENOSPC)"]);
    setup.save("m.py");
    setup.expect(&["m.py"]);
    setup.save("new.py");
    setup.expect(&["new.py"]);
    assert_eq!(setup.watcher.status().fallbacks.len(), 1);
}

#[test]
fn without_watches_left_a_forbidden_poll_is_reported_not_hidden() {
    let setup = start(PollMode::Never, |faults| {
        faults.no_space.store(true, Ordering::SeqCst)
    });
    let status = setup.watcher.status();
    assert_eq!(status.unwatched.len(), 1, "{status:?}");
    assert!(status.polled.is_empty(), "{status:?}");
}

#[test]
fn on_a_shared_mount_files_are_polled_because_events_may_never_come() {
    let setup = start(PollMode::Auto, |faults| {
        faults.shared_mount.store(true, Ordering::SeqCst);
        faults.deaf.store(true, Ordering::SeqCst);
    });
    setup.save("m.py");
    setup.expect(&["m.py"]);
    let status = setup.watcher.status();
    assert!(status.polled[0].reason.contains("9p"), "{status:?}");
}

#[test]
fn an_overflow_is_followed_by_a_rescan_of_files_and_directories() {
    let setup = start(PollMode::Auto, |_| {});
    setup.faults.deaf.store(true, Ordering::SeqCst);
    setup.save("m.py");
    fs::create_dir(setup.root.path().join("new")).unwrap();
    setup.save("new/n.py");
    // The lost events are read, and dropped, before the overflow is told.
    let wakeups = setup.watcher.status().counters.wakeups;
    assert!(wakeups > 0);
    setup.inject.send(RawEvent::Overflow).unwrap();
    setup.wake.wake();
    setup.expect(&["m.py", "new/n.py"]);
    assert_eq!(setup.watcher.status().counters.overflows, 1);
}

#[test]
fn a_command_whose_wake_up_a_look_has_taken_in_does_not_wait_for_another() {
    let setup = start(PollMode::Auto, |_| {});
    let (sender, settled) = unbounded();
    let asked = (Arc::clone(&setup.shared), Command::Settle(sender));
    *setup.faults.meanwhile.lock().unwrap() = Some(asked);
    setup.save("m.py");
    setup.expect(&["m.py"]);
    // The next thing to wake the thread would be the sweep.
    assert!(settled.recv_timeout(DEADLINE / 2).is_ok());
}

#[test]
fn a_source_of_events_that_breaks_is_replaced_by_polling() {
    let setup = start(PollMode::Auto, |_| {});
    setup.faults.broken.store(true, Ordering::SeqCst);
    setup.save("m.py");
    setup.expect(&["m.py"]);
    setup.save("new.py");
    setup.expect(&["new.py"]);
    let status = setup.watcher.status();
    assert_eq!(
        status.fallbacks,
        ["the source of events broke"],
        "{status:?}"
    );
}

#[test]
fn a_directory_polled_for_want_of_watches_gets_one_when_there_are_some() {
    let root = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    faults.no_space.store(true, Ordering::SeqCst);
    let (inner, wake) = backend::open().unwrap();
    let (_inject, injected) = unbounded();
    let backend = Faulty {
        inner,
        faults: Arc::clone(&faults),
        injected,
    };
    let config = WatchConfig {
        sweep_interval: Duration::from_millis(20),
        ..WatchConfig::default()
    };
    let (watcher, _events) =
        Watcher::start_with(config, Box::new(backend), wake, Arc::new(Shared::default())).unwrap();
    watcher.watch_tree(root.path());
    assert_eq!(watcher.status().polled.len(), 1);
    faults.no_space.store(false, Ordering::SeqCst);
    let deadline = std::time::Instant::now() + DEADLINE;
    while watcher.status().watched.is_empty() {
        assert!(
            std::time::Instant::now() < deadline,
            "{:?}",
            watcher.status()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn without_any_source_of_events_a_missing_directory_is_found_by_polling() {
    let root = tempfile::tempdir().unwrap();
    let shared = Arc::new(Shared::default());
    let bell: Arc<Bell> = Arc::clone(&shared.bell);
    let backend = NoEvents {
        reason: "no instances left (EMFILE)".into(),
        bell: Arc::clone(&bell),
    };
    let config = WatchConfig {
        poll_interval: Duration::from_millis(20),
        ..WatchConfig::default()
    };
    let (watcher, events) = Watcher::start_with(config, Box::new(backend), bell, shared).unwrap();
    let directory = root.path().join("later");
    watcher.watch_directory(&directory);
    assert_eq!(watcher.status().missing, [directory.as_path()]);
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("m.py"), NEW).unwrap();
    let batch = events.recv_timeout(DEADLINE).unwrap();
    assert_eq!(batch.changes[0].path, directory.join("m.py"));
}
