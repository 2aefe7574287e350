//! What a program sees of a watcher, on the real file system.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use hotswap_watch::{
    ChangeEvent, FileChange, PollMode, Receiver, WatchConfig, Watcher, content_hash,
};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(10);
/// Longer than every wait of the watcher but the one for git.
const SILENCE: Duration = Duration::from_millis(300);
const OLD: &[u8] = b"x = 1\n";
const NEW: &[u8] = b"x = 2\n";

struct Watched {
    watcher: Watcher,
    events: Receiver<ChangeEvent>,
    /// Dropped last: before Windows 10, and under Wine, a directory that is watched cannot go.
    root: TempDir,
}

/// A watched tree of files with the content `OLD`, all of them loaded.
fn tree(files: &[&str]) -> Watched {
    tree_with(files, WatchConfig::default())
}

fn tree_with(files: &[&str], config: WatchConfig) -> Watched {
    let root = tempfile::tempdir().unwrap();
    let (watcher, events) = Watcher::start(config).unwrap();
    for file in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, OLD).unwrap();
        watcher.track(&path, Some(content_hash(OLD)));
    }
    watcher.watch_tree(root.path());
    assert!(watcher.settle(DEADLINE));
    assert!(events.is_empty());
    Watched {
        root,
        watcher,
        events,
    }
}

impl Watched {
    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn next(&self) -> ChangeEvent {
        match self.events.recv_timeout(DEADLINE) {
            Ok(batch) => batch,
            Err(_) => panic!("no event came; {:?}", self.watcher.status()),
        }
    }

    /// Collects changes until `name` has been reported, then until silence.
    fn until(&self, name: &str) -> BTreeMap<PathBuf, FileChange> {
        let mut seen = BTreeMap::new();
        let mut take = |batch: ChangeEvent| {
            seen.extend(
                batch
                    .changes
                    .into_iter()
                    .map(|change| (change.path.clone(), change)),
            );
            seen.contains_key(&self.path(name))
        };
        while !take(self.next()) {}
        while let Ok(batch) = self.events.recv_timeout(SILENCE) {
            take(batch);
        }
        seen
    }

    fn silent(&self) {
        if let Ok(batch) = self.events.recv_timeout(SILENCE) {
            panic!("reported: {batch:?}");
        }
    }
}

fn names(batch: &ChangeEvent) -> Vec<&Path> {
    batch
        .changes
        .iter()
        .map(|change| change.path.as_path())
        .collect()
}

#[test]
fn a_save_is_one_event_with_the_bytes() {
    let watched = tree(&["m.py"]);
    fs::write(watched.path("m.py"), NEW).unwrap();
    let batch = watched.next();
    assert_eq!(names(&batch), [watched.path("m.py")]);
    assert_eq!(batch.changes[0].content.as_deref(), Some(NEW));
    assert!(!batch.changes[0].unsettled);
    watched.silent();
}

#[test]
fn a_save_and_its_undo_are_two_changes_and_the_same_save_again_is_none() {
    let watched = tree(&["m.py"]);
    fs::write(watched.path("m.py"), NEW).unwrap();
    watched.next();
    fs::write(watched.path("m.py"), NEW).unwrap();
    watched.silent();
    fs::write(watched.path("m.py"), OLD).unwrap();
    assert_eq!(watched.next().changes[0].content.as_deref(), Some(OLD));
}

#[test]
fn a_file_that_differs_from_what_was_loaded_is_reported_at_once() {
    let watched = tree(&["m.py"]);
    let older = content_hash(b"something older");
    watched.watcher.track(&watched.path("m.py"), Some(older));
    assert_eq!(watched.next().changes[0].content.as_deref(), Some(OLD));
}

#[test]
fn a_file_tracked_without_content_starts_from_the_disk() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("m.py");
    fs::write(&path, OLD).unwrap();
    let (watcher, events) = Watcher::start(WatchConfig::default()).unwrap();
    watcher.track(&path, None);
    assert!(watcher.settle(DEADLINE));
    assert!(events.is_empty());
    fs::write(&path, OLD).unwrap();
    assert!(events.recv_timeout(SILENCE).is_err());
    fs::write(&path, NEW).unwrap();
    let batch = events.recv_timeout(DEADLINE).unwrap();
    assert_eq!(batch.changes[0].content.as_deref(), Some(NEW));
}

#[test]
fn tracking_a_file_is_enough_to_see_it_change_and_only_it() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("m.py"), OLD).unwrap();
    fs::write(root.path().join("beside.py"), OLD).unwrap();
    let (watcher, events) = Watcher::start(WatchConfig::default()).unwrap();
    watcher.track(&root.path().join("m.py"), Some(content_hash(OLD)));
    assert!(watcher.settle(DEADLINE));
    fs::write(root.path().join("beside.py"), NEW).unwrap();
    fs::write(root.path().join("m.py"), NEW).unwrap();
    let batch = events.recv_timeout(DEADLINE).unwrap();
    assert_eq!(names(&batch), [root.path().join("m.py")]);
}

#[test]
fn files_saved_together_are_reported_once_each() {
    let watched = tree(&["a.py", "b.py", "c/d.py"]);
    for name in ["a.py", "b.py", "c/d.py"] {
        fs::write(watched.path(name), NEW).unwrap();
    }
    // A loaded machine may stop the writer between two files.
    let mut changes = watched.next().changes;
    while changes.len() < 3 {
        changes.extend(watched.next().changes);
    }
    assert_eq!(changes.len(), 3, "{changes:?}");
    watched.silent();
}

#[test]
fn a_file_that_stays_empty_is_reported_as_unsettled() {
    let watched = tree(&["m.py"]);
    let start = Instant::now();
    fs::write(watched.path("m.py"), b"").unwrap();
    let batch = watched.next();
    assert!(
        start.elapsed() >= Duration::from_millis(60),
        "{:?}",
        start.elapsed()
    );
    assert!(batch.changes[0].unsettled);
    assert_eq!(batch.changes[0].content.as_deref(), Some(&b""[..]));
}

#[test]
fn a_busy_log_beside_the_code_neither_counts_nor_postpones() {
    let watched = tree(&["m.py"]);
    let log = watched.path("app.log");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let mut file = File::options()
                    .create(true)
                    .append(true)
                    .open(&log)
                    .unwrap();
                file.write_all(b"line\n").unwrap();
                drop(file);
                std::thread::sleep(Duration::from_micros(500));
            }
        });
        while fs::metadata(&log).map_or(0, |metadata| metadata.len()) < 50 {
            std::thread::yield_now();
        }
        let looks = watched.watcher.status().counters.looks;
        fs::write(watched.path("m.py"), NEW).unwrap();
        let batch = watched.events.recv_timeout(Duration::from_secs(2));
        stop.store(true, Ordering::Relaxed);
        let batch = batch.expect("postponed by the log");
        assert_eq!(names(&batch), [watched.path("m.py")]);
        assert!(watched.watcher.status().counters.looks - looks <= 2);
    });
}

#[test]
fn an_idle_watcher_does_not_wake() {
    let watched = tree(&["m.py"]);
    let before = watched.watcher.status().counters.wakeups;
    std::thread::sleep(Duration::from_millis(500));
    let after = watched.watcher.status().counters.wakeups;
    // Asking is a wake-up, and a wake-up can be told twice.
    assert!(after - before <= 3, "{before} {after}");
}

#[test]
fn a_missing_directory_is_taken_up_when_it_appears() {
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("a/b/c");
    let never = root.path().join("a/x");
    let (watcher, events) = Watcher::start(WatchConfig::default()).unwrap();
    watcher.watch_directory(&missing);
    watcher.watch_directory(&never);
    assert_eq!(watcher.status().missing.len(), 2);
    fs::create_dir_all(&missing).unwrap();
    fs::write(missing.join("m.py"), NEW).unwrap();
    assert_eq!(
        names(&events.recv_timeout(DEADLINE).unwrap()),
        [missing.join("m.py")]
    );
    fs::write(missing.join("m.py"), OLD).unwrap();
    let batch = events.recv_timeout(DEADLINE).unwrap();
    assert_eq!(batch.changes[0].content.as_deref(), Some(OLD));
    assert_eq!(watcher.status().missing, [never]);
}

#[test]
fn a_root_that_is_removed_and_made_again_goes_on() {
    let watched = tree(&["pkg/m.py"]);
    fs::remove_dir_all(watched.root.path()).unwrap();
    let batch = watched.next();
    assert_eq!(names(&batch), [watched.path("pkg/m.py")]);
    assert_eq!(batch.changes[0].content, None);
    assert_eq!(watched.watcher.status().missing, [watched.root.path()]);
    fs::create_dir_all(watched.path("pkg")).unwrap();
    fs::write(watched.path("pkg/m.py"), NEW).unwrap();
    let seen = watched.until("pkg/m.py");
    assert_eq!(
        seen[&watched.path("pkg/m.py")].content.as_deref(),
        Some(NEW)
    );
    fs::write(watched.path("pkg/m.py"), OLD).unwrap();
    assert_eq!(watched.next().changes[0].content.as_deref(), Some(OLD));
    assert!(watched.watcher.status().missing.is_empty());
}

#[test]
fn a_root_that_is_exchanged_is_compared_by_content() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    let next = outer.path().join("next");
    for (directory, second) in [(&root, OLD), (&next, NEW)] {
        fs::create_dir(directory).unwrap();
        fs::write(directory.join("same.py"), OLD).unwrap();
        fs::write(directory.join("other.py"), second).unwrap();
    }
    let (watcher, events) = Watcher::start(WatchConfig::default()).unwrap();
    for name in ["same.py", "other.py"] {
        watcher.track(&root.join(name), Some(content_hash(OLD)));
    }
    watcher.watch_tree(&root);
    assert!(watcher.settle(DEADLINE));
    fs::rename(&root, outer.path().join("before")).unwrap();
    fs::rename(&next, &root).unwrap();
    let batch = events.recv_timeout(DEADLINE).unwrap();
    assert_eq!(names(&batch), [root.join("other.py")], "{batch:?}");
}

#[test]
fn the_skip_list_is_not_followed_and_can_be_asked_for() {
    let watched = tree(&["m.py"]);
    for directory in [".hidden", "__pycache__", "node_modules", "env"] {
        fs::create_dir(watched.path(directory)).unwrap();
    }
    fs::write(watched.path("env/pyvenv.cfg"), b"").unwrap();
    assert!(watched.watcher.settle(DEADLINE));
    for directory in [".hidden", "__pycache__", "node_modules", "env"] {
        fs::write(watched.path(directory).join("n.py"), NEW).unwrap();
    }
    watched.silent();
    assert_eq!(watched.watcher.status().watched, [watched.root.path()]);
    watched.watcher.watch_directory(&watched.path("env"));
    assert!(watched.watcher.settle(DEADLINE));
    fs::write(watched.path("env/other.py"), NEW).unwrap();
    let seen = watched.until("env/other.py");
    assert!(
        !seen.contains_key(&watched.path(".hidden/n.py")),
        "{seen:?}"
    );
}

#[test]
fn a_git_lock_holds_the_batch_until_it_is_gone() {
    let watched = tree(&["a.py", "b.py"]);
    fs::create_dir(watched.path(".git")).unwrap();
    let lock = watched.path(".git/index.lock");
    fs::write(&lock, b"").unwrap();
    fs::write(watched.path("a.py"), NEW).unwrap();
    watched.silent();
    fs::write(watched.path("b.py"), NEW).unwrap();
    fs::remove_file(&lock).unwrap();
    assert_eq!(
        names(&watched.next()),
        [watched.path("a.py"), watched.path("b.py")]
    );
}

#[test]
fn a_git_lock_that_was_left_behind_holds_nothing() {
    let watched = tree(&["a.py"]);
    fs::create_dir(watched.path(".git")).unwrap();
    let lock = File::create(watched.path(".git/index.lock")).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    lock.set_modified(long_ago).unwrap();
    fs::write(watched.path("a.py"), NEW).unwrap();
    assert!(watched.events.recv_timeout(Duration::from_secs(2)).is_ok());
}

#[test]
fn stopping_ends_the_thread_and_closes_the_channel() {
    let mut watched = tree(&["m.py"]);
    assert!(watched.watcher.stop());
    assert!(watched.events.recv_timeout(DEADLINE).is_err());
    assert!(!watched.watcher.status().responding);
    assert!(!watched.watcher.settle(DEADLINE));
}

#[test]
fn asking_twice_is_asking_once() {
    let watched = tree(&["m.py"]);
    watched.watcher.watch_tree(watched.root.path());
    watched.watcher.watch_directory(watched.root.path());
    fs::write(watched.path("m.py"), NEW).unwrap();
    assert_eq!(watched.next().changes.len(), 1);
    watched.silent();
    assert_eq!(watched.watcher.status().watched.len(), 1);
}

#[test]
fn polling_finds_an_edit_that_keeps_size_and_time() {
    let config = WatchConfig {
        poll: PollMode::Always,
        poll_interval: Duration::from_millis(20),
        ..WatchConfig::default()
    };
    let watched = tree_with(&["m.py"], config);
    assert!(watched.watcher.status().watched.is_empty());
    let mut file = File::options()
        .write(true)
        .open(watched.path("m.py"))
        .unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.write_all(NEW).unwrap();
    file.set_modified(modified).unwrap();
    assert_eq!(watched.next().changes[0].content.as_deref(), Some(NEW));
}

#[cfg(unix)]
mod links_and_names {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    #[test]
    fn names_that_are_not_utf_8_are_reported_as_they_are() {
        let watched = tree(&[]);
        let directory = watched.root.path().join(OsStr::from_bytes(b"d\xff"));
        fs::create_dir(&directory).unwrap();
        let path = directory.join(OsStr::from_bytes(b"m\xfe.py"));
        fs::write(&path, NEW).unwrap();
        assert_eq!(names(&watched.next()), [path]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_reported_with_the_reason_and_again_when_it_can() {
        let watched = tree(&["m.py"]);
        // A link to itself cannot be opened by anyone, not even by root.
        fs::remove_file(watched.path("m.py")).unwrap();
        symlink("m.py", watched.path("m.py")).unwrap();
        let batch = watched.next();
        assert_eq!(batch.changes[0].content, None);
        assert!(batch.changes[0].error.is_some(), "{batch:?}");
        fs::remove_file(watched.path("m.py")).unwrap();
        fs::write(watched.path("m.py"), NEW).unwrap();
        assert_eq!(watched.next().changes[0].content.as_deref(), Some(NEW));
    }

    #[test]
    fn a_pipe_named_like_a_module_does_not_block_the_watcher() {
        let watched = tree(&["m.py"]);
        let pipe = watched.path("pipe.py");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        assert!(watched.until("pipe.py")[&pipe].error.is_some());
        fs::write(watched.path("m.py"), NEW).unwrap();
        assert_eq!(names(&watched.next()), [watched.path("m.py")]);
    }

    #[test]
    fn a_file_is_reported_under_the_path_by_which_it_is_known() {
        let outer = tempfile::tempdir().unwrap();
        fs::create_dir(outer.path().join("real")).unwrap();
        fs::write(outer.path().join("real/m.py"), OLD).unwrap();
        symlink("real", outer.path().join("link")).unwrap();
        let (watcher, events) = Watcher::start(WatchConfig::default()).unwrap();
        watcher.watch_tree(&outer.path().join("real"));
        let known = outer.path().join("link/m.py");
        watcher.track(&known, Some(content_hash(OLD)));
        assert!(watcher.settle(DEADLINE));
        fs::write(outer.path().join("real/m.py"), NEW).unwrap();
        assert_eq!(names(&events.recv_timeout(DEADLINE).unwrap()), [known]);
        assert!(events.recv_timeout(SILENCE).is_err());
    }

    #[test]
    fn a_module_that_is_a_link_is_seen_when_its_target_is_written() {
        let watched = tree(&[]);
        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().join("shared.py");
        fs::write(&target, OLD).unwrap();
        symlink(&target, watched.path("m.py")).unwrap();
        assert_eq!(names(&watched.next()), [watched.path("m.py")]);
        fs::write(&target, NEW).unwrap();
        let batch = watched.next();
        assert_eq!(names(&batch), [watched.path("m.py")]);
        assert_eq!(batch.changes[0].content.as_deref(), Some(NEW));
    }

    #[test]
    fn a_root_behind_a_link_follows_when_the_link_is_exchanged() {
        let outer = tempfile::tempdir().unwrap();
        for (release, content) in [("v1", OLD), ("v2", NEW)] {
            fs::create_dir_all(outer.path().join(release).join("pkg")).unwrap();
            fs::write(outer.path().join(release).join("pkg/m.py"), content).unwrap();
        }
        symlink("v1", outer.path().join("current")).unwrap();
        let root = outer.path().join("current/pkg");
        let (watcher, events) = Watcher::start(WatchConfig::default()).unwrap();
        watcher.track(&root.join("m.py"), Some(content_hash(OLD)));
        watcher.watch_directory(&root);
        assert!(watcher.settle(DEADLINE));
        symlink("v2", outer.path().join("next")).unwrap();
        fs::rename(outer.path().join("next"), outer.path().join("current")).unwrap();
        assert_eq!(
            names(&events.recv_timeout(DEADLINE).unwrap()),
            [root.join("m.py")]
        );
        fs::write(outer.path().join("v2/pkg/m.py"), b"x = 3\n").unwrap();
        assert_eq!(
            names(&events.recv_timeout(DEADLINE).unwrap()),
            [root.join("m.py")]
        );
    }

    #[test]
    fn a_cycle_of_links_ends() {
        let watched = tree(&["a/m.py"]);
        symlink(watched.path("a"), watched.path("a/again")).unwrap();
        symlink(watched.root.path(), watched.path("a/up")).unwrap();
        assert!(watched.watcher.settle(DEADLINE));
        let status = watched.watcher.status();
        assert_eq!(status.watched.len(), 2, "{status:?}");
    }

    #[test]
    fn a_write_through_another_name_is_found_by_the_sweep() {
        let config = WatchConfig {
            sweep_interval: Duration::from_millis(50),
            ..WatchConfig::default()
        };
        let watched = tree_with(&["m.py"], config);
        let elsewhere = tempfile::tempdir().unwrap();
        let other = elsewhere.path().join("other.py");
        fs::hard_link(watched.path("m.py"), &other).unwrap();
        fs::write(&other, NEW).unwrap();
        assert_eq!(names(&watched.next()), [watched.path("m.py")]);
        assert_eq!(watched.watcher.status().counters.found_by_sweep, 1);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_thread_is_named_and_blocks_signals() {
    let watched = tree(&["m.py"]);
    let mut masks = Vec::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path().join("status");
        let status = fs::read_to_string(path).unwrap_or_default();
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'))
        };
        if field("Name:") == Some("hotswap-watch") {
            masks.push(u64::from_str_radix(field("SigBlk:").unwrap(), 16).unwrap());
        }
    }
    drop(watched);
    assert!(!masks.is_empty());
    for mask in masks {
        // SIGHUP, SIGINT, SIGUSR1, SIGALRM, SIGTERM, SIGCHLD are blocked, SIGSEGV is not.
        for signal in [1, 2, 10, 14, 15, 17] {
            assert_ne!(mask & (1 << (signal - 1)), 0, "{mask:x}");
        }
        assert_eq!(mask & (1 << (11 - 1)), 0, "{mask:x}");
    }
}
