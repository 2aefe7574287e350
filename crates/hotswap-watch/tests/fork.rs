//! A watcher in a forked child: it is given up there, and goes on in the parent.

#![cfg(target_os = "linux")]

use std::fs;
use std::time::Duration;

use hotswap_watch::{WatchConfig, Watcher, content_hash};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

const DEADLINE: Duration = Duration::from_secs(10);

fn inotify_descriptors() -> usize {
    let Ok(descriptors) = fs::read_dir("/proc/self/fd") else {
        return usize::MAX;
    };
    descriptors
        .flatten()
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .filter(|target| target.to_string_lossy().contains("inotify"))
        .count()
}

#[test]
fn a_child_gives_the_watcher_up_and_the_parent_keeps_it() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("m.py");
    fs::write(&path, b"x = 1\n").unwrap();
    let (watcher, events) = Watcher::start(WatchConfig::default()).unwrap();
    watcher.track(&path, Some(content_hash(b"x = 1\n")));
    watcher.watch_directory(root.path());
    assert!(watcher.settle(DEADLINE));
    // SAFETY: the child calls `forget`, reads a directory and exits; the only
    // lock among these is that of the allocator, which libc hands to children.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let ignored = !watcher.settle(Duration::from_millis(1)) && !watcher.status().responding;
            watcher.forget();
            std::mem::forget(events);
            let code = i32::from(inotify_descriptors() != 0) + 2 * i32::from(!ignored);
            // SAFETY: it ends the process at once; no destructor of the parent's values runs here.
            unsafe { nix::libc::_exit(code) };
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
            fs::write(&path, b"x = 2\n").unwrap();
            let batch = events.recv_timeout(DEADLINE).unwrap();
            assert_eq!(batch.changes[0].path, path);
        }
    }
}
