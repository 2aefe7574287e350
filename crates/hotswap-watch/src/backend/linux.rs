//! inotify, and the mount table.

use std::fs;
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
};
use nix::sys::time::TimeSpec;
use rustc_hash::FxHashMap;

use super::{Backend, EntryEvent, Interest, Opened, RawEvent, Wake, WatchFailure, WatchId};
use crate::mounts::Mounts;

/// `IN_MASK_ADD` and `IN_EXCL_UNLINK`, which nix does not name.
const MASK_ADD: AddWatchFlags = AddWatchFlags::from_bits_retain(0x2000_0000);
const EXCL_UNLINK: AddWatchFlags = AddWatchFlags::from_bits_retain(0x0400_0000);
/// So many events are taken before they are acted on, lest a flood starve the commands.
const MOST_EVENTS: usize = 32_768;
/// How long a mount table is trusted.
const MOUNTS_AGE: Duration = Duration::from_secs(1);

struct InotifyBackend {
    inotify: Inotify,
    descriptors: FxHashMap<WatchId, WatchDescriptor>,
    wake: Arc<EventFd>,
    mounts: Mounts,
    mounts_read: Option<Instant>,
    /// The types of mounts by device, as far as they were asked for.
    kinds: FxHashMap<u64, Option<String>>,
}

struct EventFdWake {
    event: Arc<EventFd>,
    descriptors: [RawFd; 2],
}

pub(super) fn open() -> Result<Opened, WatchFailure> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(refused)?;
    let event =
        EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(refused)?;
    let event = Arc::new(event);
    let descriptors = [inotify.as_fd().as_raw_fd(), event.as_fd().as_raw_fd()];
    let backend = InotifyBackend {
        inotify,
        descriptors: FxHashMap::default(),
        wake: Arc::clone(&event),
        mounts: Mounts::default(),
        mounts_read: None,
        kinds: FxHashMap::default(),
    };
    Ok((
        Box::new(backend),
        Arc::new(EventFdWake { event, descriptors }),
    ))
}

/// Says which limit was reached: the system's own words are "no space left on
/// device" and "too many open files", which send people to the wrong place.
fn refused(errno: Errno) -> WatchFailure {
    let reason = match errno {
        Errno::ENOSPC => "the limit of inotify watches is reached (ENOSPC); raise the sysctl \
                          fs.inotify.max_user_watches"
            .to_owned(),
        Errno::EMFILE => "the limit of inotify instances or of open files is reached (EMFILE); \
                          raise the sysctl fs.inotify.max_user_instances, or ulimit -n"
            .to_owned(),
        Errno::ENFILE => "the system's limit of open files is reached (ENFILE)".to_owned(),
        other => format!("inotify is not available here ({other})"),
    };
    WatchFailure::Refused(reason)
}

impl Backend for InotifyBackend {
    fn watch(&mut self, directory: &Path, interest: Interest) -> Result<WatchId, WatchFailure> {
        // No opens, no modifications, no attributes: what is not subscribed
        // costs nothing, and reading a file cannot wake its own reader.
        let mut mask = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR
            | EXCL_UNLINK
            | MASK_ADD;
        if interest == Interest::Files {
            mask |= AddWatchFlags::IN_CLOSE_WRITE;
        }
        match self.inotify.add_watch(directory, mask) {
            Ok(descriptor) => {
                let id = id_of(descriptor);
                self.descriptors.insert(id, descriptor);
                Ok(id)
            }
            Err(Errno::ENOENT | Errno::ENOTDIR) => Err(WatchFailure::Missing),
            Err(Errno::EACCES) => Err(WatchFailure::Refused(format!(
                "no permission to watch {}",
                directory.display()
            ))),
            Err(errno) => Err(refused(errno)),
        }
    }

    fn unwatch(&mut self, id: WatchId) {
        if let Some(descriptor) = self.descriptors.remove(&id) {
            // It fails only where the directory, and so the watch, is gone already.
            let _ = self.inotify.rm_watch(descriptor);
        }
    }

    fn enter_thread(&mut self) {
        // The kernel lets a thread sleep 50 us longer than it asks for, to wake several at
        // once: a twentieth of the quiet window. Where it does not let itself be told otherwise,
        // the window is longer by that.
        let _ = nix::sys::prctl::set_timerslack(1);
    }

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        events: &mut Vec<RawEvent>,
    ) -> Result<(), String> {
        let mut descriptors = [
            PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.wake.as_fd(), PollFlags::POLLIN),
        ];
        match ppoll(&mut descriptors, timeout.map(TimeSpec::from_duration), None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(format!("waiting for inotify events failed ({errno})")),
        }
        // An unread wake-up would end every further wait at once.
        let _ = self.wake.read();
        while events.len() < MOST_EVENTS {
            match self.inotify.read_events() {
                Ok(batch) => {
                    for event in batch.into_iter().filter_map(translate) {
                        if let RawEvent::Gone(id) = event {
                            self.descriptors.remove(&id);
                        }
                        events.push(event);
                    }
                }
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(format!("reading inotify events failed ({errno})")),
            }
        }
        Ok(())
    }

    fn sees_closes(&self) -> bool {
        true
    }

    fn mount_kind(&mut self, directory: &Path) -> Option<String> {
        // Directories of one device are of one type, also behind bind mounts.
        let device = fs::metadata(directory).ok()?.dev();
        if !matches!(self.mounts_read, Some(read) if read.elapsed() < MOUNTS_AGE) {
            let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
            self.mounts = Mounts::parse(&String::from_utf8_lossy(&table));
            self.mounts_read = Some(Instant::now());
            self.kinds.clear();
        }
        if let Some(kind) = self.kinds.get(&device) {
            return kind.clone();
        }
        let real = fs::canonicalize(directory).ok()?;
        let kind = self.mounts.kind_of(&real).map(str::to_owned);
        self.kinds.insert(device, kind.clone());
        kind
    }

    fn leave(&mut self) {
        // Where that is not allowed, the end of the process waits.
        let _ = leave_to_the_kernel(self.inotify.as_fd());
    }
}

/// Makes the last reference to a descriptor one that the kernel drops in its own time.
///
/// To close an inotify instance that has watches takes the kernel about ten milliseconds (it waits
/// for all who may be reading the list of watches), and a process does not end before all that it
/// has open is closed. A message that is on its way to a socket holds the descriptors in it; where
/// one of them is the socket's own, nobody can receive it any more once both ends are closed, and
/// a thread of the kernel takes such messages apart (see unix(7), SCM_RIGHTS).
fn leave_to_the_kernel(descriptor: BorrowedFd<'_>) -> nix::Result<()> {
    let (one, other) = socketpair(
        AddressFamily::Unix,
        SockType::Datagram,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?;
    let held = [descriptor, one.as_fd(), other.as_fd()].map(|each| each.as_raw_fd());
    sendmsg::<()>(
        one.as_raw_fd(),
        &[IoSlice::new(b"-")],
        &[ControlMessage::ScmRights(&held)],
        MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    Ok(())
}

fn id_of(descriptor: WatchDescriptor) -> WatchId {
    WatchId(u64::try_from(descriptor.as_raw()).unwrap_or(u64::MAX))
}

fn translate(event: InotifyEvent) -> Option<RawEvent> {
    let has = |flag: AddWatchFlags| event.mask.intersects(flag);
    if has(AddWatchFlags::IN_Q_OVERFLOW) {
        return Some(RawEvent::Overflow);
    }
    let id = id_of(event.wd);
    // The kernel says this after a removal, an unmount, and our own unwatch.
    if has(AddWatchFlags::IN_IGNORED) {
        return Some(RawEvent::Gone(id));
    }
    if has(AddWatchFlags::IN_MOVE_SELF) {
        return Some(RawEvent::Moved(id));
    }
    let what = if has(AddWatchFlags::IN_CLOSE_WRITE) {
        EntryEvent::Written
    } else if has(AddWatchFlags::IN_MOVED_TO) {
        EntryEvent::Arrived
    } else if has(AddWatchFlags::IN_CREATE) {
        EntryEvent::Created
    } else if has(AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVED_FROM) {
        EntryEvent::Left
    } else {
        return None;
    };
    Some(RawEvent::Entry {
        id,
        is_directory: has(AddWatchFlags::IN_ISDIR),
        name: event.name?,
        event: what,
    })
}

impl Wake for EventFdWake {
    fn wake(&self) {
        // It can fail only when the counter is full, and then it is awake.
        let _ = self.event.write(1);
    }

    fn abandon(&self) {
        for descriptor in self.descriptors {
            // The thread that owned these does not exist in this process, and
            // the watches belong to the parent: closing is all that is right.
            let _ = nix::unistd::close(descriptor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_does_not_wait_for_the_kernel() {
        let place = tempfile::tempdir().unwrap();
        let (mut backend, _wake) = open().unwrap_or_else(|_| panic!("inotify is there"));
        backend.watch(place.path(), Interest::Files).unwrap();
        backend.leave();
        // Events go on coming: the instance is the kernel's own, and ours until it is closed.
        fs::write(place.path().join("a.py"), "").unwrap();
        let mut events = Vec::new();
        backend.wait(Some(Duration::ZERO), &mut events).unwrap();
        assert!(!events.is_empty());
    }

    #[test]
    fn a_refusal_names_the_limit_to_raise() {
        let reason = |errno| match refused(errno) {
            WatchFailure::Refused(reason) => reason,
            WatchFailure::Missing => String::new(),
        };
        assert!(reason(Errno::ENOSPC).contains("fs.inotify.max_user_watches"));
        assert!(reason(Errno::EMFILE).contains("fs.inotify.max_user_instances"));
    }
}
