//! The way of one attachment, from the first question to the thread that runs on.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use crate::error::AttachError;
use crate::judge::{self, Rank};
use crate::maps::{self, Mapping};
use crate::payload::{self, Calls, PAGE, Region};
use crate::process::{self, Status};
use crate::rights::{self, Asker};
use crate::symbols::{self, Functions};
use crate::tracee::{self, Refusal, Stopped};
use crate::{Attachment, Request};

/// A process younger than this may not have finished its imports of `site`.
const YOUNG: Duration = Duration::from_millis(300);
/// How long a process that is no Python yet may take to become one.
const GROWING: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(50);
/// How long one call in the target may take.
const CALL: Duration = Duration::from_secs(5);

pub(crate) fn attach(request: &Request) -> Result<Attachment, AttachError> {
    let pid = request.pid;
    let status = check(pid, request.despite_seccomp)?;
    if let Some(age) = age(pid)
        && age < YOUNG
    {
        std::thread::sleep(YOUNG.saturating_sub(age));
    }
    let _undisturbed = Undisturbed::begin();
    let start = Instant::now();
    loop {
        match attach_once(request, &status) {
            Err(AttachError::NotPython { .. } | AttachError::NotInitialised { .. })
                if start.elapsed() < GROWING =>
            {
                std::thread::sleep(AGAIN);
            }
            outcome => return outcome,
        }
    }
}

fn attach_once(request: &Request, status: &Status) -> Result<Attachment, AttachError> {
    let pid = request.pid;
    let maps = read_maps(pid, status)?;
    let functions = symbols::find(pid, &maps, &status.name)?;
    let (stopped, reason, tries) = safe_thread(request, status, &functions, &maps)?;
    let thread = stopped.thread();
    let started = Start {
        pid,
        stopped: &stopped,
        functions: &functions,
    }
    .start(&request.source);
    let pause = stopped.restore();
    let channel = started?;
    // The new thread has waited for this: the mapping that it takes with it was in use until here.
    nix::unistd::write(&channel, b"!").map_err(|error| AttachError::Step {
        pid,
        step: "letting the new thread begin",
        reason: error.desc().to_owned(),
    })?;
    Ok(Attachment {
        channel,
        thread,
        reason,
        tries,
        pause: pause?,
        interpreter: functions.interpreter,
    })
}

/// What can be told without touching the process.
fn check(pid: i32, despite_seccomp: bool) -> Result<Status, AttachError> {
    let gone = || AttachError::NoSuchProcess { pid };
    if pid <= 0 {
        return Err(gone());
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|_| gone())?;
    let status = process::parse_status(&status);
    if status.group != pid {
        return Err(gone()); // a thread of another process
    }
    if i64::from(pid) == i64::from(std::process::id()) {
        return Err(AttachError::OwnProcess { pid });
    }
    if status.state == 'Z' || status.state == 'X' {
        return Err(AttachError::Ended { pid });
    }
    if status.tracer != 0 {
        let name = fs::read_to_string(format!("/proc/{}/comm", status.tracer)).unwrap_or_default();
        return Err(AttachError::AlreadyTraced {
            pid,
            tracer: status.tracer,
            name: name.trim().to_owned(),
        });
    }
    if status.state == 'T' {
        return Err(AttachError::JobStopped { pid });
    }
    // Unreadable: the maps are too, and the reason is found there.
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    if let Some(variable) = process::forbids(&environment) {
        return Err(AttachError::Forbidden { pid, variable });
    }
    if status.seccomp != 0 && !despite_seccomp && !same_filter(pid) {
        return Err(AttachError::FilteredThere { pid });
    }
    Ok(status)
}

/// Who traces one of its threads.
fn tracer(pid: i32) -> Option<AttachError> {
    let tracer = fs::read_dir(format!("/proc/{pid}/task"))
        .ok()?
        .find_map(|entry| {
            let text = fs::read_to_string(entry.ok()?.path().join("status")).ok()?;
            Some(process::parse_status(&text).tracer).filter(|tracer| *tracer != 0)
        })?;
    let name = fs::read_to_string(format!("/proc/{tracer}/comm")).unwrap_or_default();
    Some(AttachError::AlreadyTraced {
        pid,
        tracer,
        name: name.trim().to_owned(),
    })
}

/// Whether the target's filter is one that this process lives under too, as in a container.
fn same_filter(pid: i32) -> bool {
    let filters = |of: String| {
        let text = fs::read_to_string(of).ok()?;
        text.lines()
            .find_map(|line| line.strip_prefix("Seccomp_filters:"))
            .map(|count| count.trim().to_owned())
    };
    let own = filters("/proc/self/status".to_owned());
    own.is_some() && own == filters(format!("/proc/{pid}/status"))
}

fn read_maps(pid: i32, status: &Status) -> Result<Vec<Mapping>, AttachError> {
    match fs::read_to_string(format!("/proc/{pid}/maps")) {
        Ok(text) => {
            let maps = maps::parse(&text);
            // Who may see what is mapped may still not be one who may read it.
            match maps.first() {
                Some(mapping) if tracee::is_forbidden(pid, mapping.start) => {
                    Err(refused(pid, status))
                }
                _ => Ok(maps),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(refused(pid, status)),
        Err(_) => Err(AttachError::NoSuchProcess { pid }),
    }
}

fn refused(pid: i32, status: &Status) -> AttachError {
    let own = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let yama = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
    rights::explain(
        pid,
        status,
        &Asker::new(&process::parse_status(&own), yama.as_deref()),
    )
}

/// How long ago a process was started.
fn age(pid: i32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and brackets; the 22nd field is the 20th behind it.
    let started: f64 = stat
        .rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(19)?
        .parse()
        .ok()?;
    let uptime: f64 = fs::read_to_string("/proc/uptime")
        .ok()?
        .split_whitespace()
        .next()?
        .parse()
        .ok()?;
    // The kernel shows times in hundredths of a second, whatever its own clock.
    Duration::try_from_secs_f64((uptime - started / 100.0).max(0.0)).ok()
}

/// A stopped thread that may be used, why, and how many were looked at.
fn safe_thread(
    request: &Request,
    status: &Status,
    functions: &Functions,
    maps: &[Mapping],
) -> Result<(Stopped, &'static str, u32), AttachError> {
    let pid = request.pid;
    let start = Instant::now();
    let mut tries = 0;
    let mut last;
    loop {
        let threads = threads_by_rank(pid);
        if threads.is_empty() {
            return Err(AttachError::NoSuchProcess { pid });
        }
        for thread in threads {
            tries += 1;
            match Stopped::seize(pid, thread) {
                Ok(stopped) => match judge::judge(stopped.position(), &functions.forbidden, maps) {
                    Ok(reason) => return Ok((stopped, reason, tries)),
                    Err(where_it_is) => {
                        last = where_it_is;
                        stopped.restore()?;
                    }
                },
                Err(Refusal::Forbidden) => match tracer(pid) {
                    // Another attachment, perhaps, which takes milliseconds.
                    Some(_) if start.elapsed() < request.patience => {
                        last = "was traced by somebody else".to_owned();
                    }
                    Some(traced) => return Err(traced),
                    None => return Err(refused(pid, status)),
                },
                Err(Refusal::NotNow(reason)) => last = reason,
            }
            let waited = start.elapsed();
            if waited > request.patience {
                return Err(AttachError::NoSafeThread {
                    pid,
                    seconds: waited.as_secs(),
                    tries,
                    last,
                });
            }
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn threads_by_rank(pid: i32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let mut threads: Vec<(Rank, i32)> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .map(|thread: i32| {
            let text = fs::read_to_string(format!("/proc/{pid}/task/{thread}/syscall"));
            (judge::rank(&text.unwrap_or_default()), thread)
        })
        .collect();
    threads.sort_unstable();
    threads.into_iter().map(|(_, thread)| thread).collect()
}

/// What is done with the stopped thread.
struct Start<'a> {
    pid: i32,
    stopped: &'a Stopped,
    functions: &'a Functions,
}

/// Why no thread was started, and whether one may have been all the same: then what it needs stays.
struct Failure {
    error: AttachError,
    may_run: bool,
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Self {
        Self {
            error,
            may_run: false,
        }
    }
}

impl Start<'_> {
    /// Starts the new thread. On failure nothing of ours is left.
    fn start(&self, source: &str) -> Result<OwnedFd, AttachError> {
        const READ_WRITE: u64 = 3;
        const PRIVATE_ANONYMOUS: u64 = 0x22;
        self.stopped.block_signals()?;
        // The numbers of the descriptors are not known yet; they are no longer than this.
        let longest = payload::line(source, i32::MAX, u64::MAX).len();
        let size = Region::size_for(longest);
        let arguments = [0, size, READ_WRITE, PRIVATE_ANONYMOUS, u64::MAX, 0];
        let start = self.system_call("mapping memory", libc::SYS_mmap, arguments)?;
        let region = Region { start, size };
        self.start_in(region, source).map_err(|failure| {
            if !failure.may_run {
                let arguments = [start, size, 0, 0, 0, 0];
                let _ = self.system_call("unmapping memory", libc::SYS_munmap, arguments);
            }
            failure.error
        })
    }

    fn start_in(&self, region: Region, source: &str) -> Result<OwnedFd, Failure> {
        const LOCAL: u64 = 1;
        const STREAM_CLOSED_ON_EXEC: u64 = 1 | 0o2_000_000;
        let arguments = [LOCAL, STREAM_CLOSED_ON_EXEC, 0, region.results(), 0, 0];
        self.system_call("making a pair of sockets", libc::SYS_socketpair, arguments)?;
        let pair = tracee::read(self.pid, region.results(), 8)?;
        let [theirs, ours] = [0, 4]
            .map(|at| i32::from_le_bytes([pair[at], pair[at + 1], pair[at + 2], pair[at + 3]]));
        let close = |descriptor: i32| {
            let arguments = [u64::from(descriptor.cast_unsigned()), 0, 0, 0, 0, 0];
            let _ = self.system_call("closing a socket", libc::SYS_close, arguments);
        };
        let outcome = self.start_with(region, source, theirs, ours);
        close(ours);
        if outcome.as_ref().is_err_and(|failure| !failure.may_run) {
            close(theirs);
        }
        outcome
    }

    fn start_with(
        &self,
        region: Region,
        source: &str,
        theirs: i32,
        ours: i32,
    ) -> Result<OwnedFd, Failure> {
        const READ_EXECUTE: u64 = 5;
        let Self {
            pid,
            stopped,
            functions,
        } = *self;
        let channel = tracee::take_descriptor(pid, ours).map_err(|error| AttachError::Step {
            pid,
            step: "taking over the channel",
            reason: error.to_string(),
        })?;
        let calls = Calls {
            ensure: functions.ensure,
            run: functions.run,
            release: functions.release,
            munmap: functions.munmap,
            read: functions.read,
        };
        let line = payload::line(source, theirs, stopped.mask());
        tracee::write(pid, region.start, &Region::instructions())?;
        tracee::write(pid, region.context(), &region.data(calls, theirs, &line))?;
        let arguments = [region.start, PAGE, READ_EXECUTE, 0, 0, 0];
        self.system_call("making memory executable", libc::SYS_mprotect, arguments)?;
        let started = self.call(
            "asking for the interpreter",
            region,
            functions.is_initialized,
            [0; 4],
        )?;
        if started & 0xffff_ffff == 0 {
            return Err(AttachError::NotInitialised { pid }.into());
        }
        let arguments = [region.results(), 0, region.entry(), region.context()];
        let error =
            self.call(
                "starting a thread",
                region,
                functions.pthread_create,
                arguments,
            )
            .map_err(|error| Failure {
                error,
                may_run: true,
            })? & 0xffff_ffff;
        if error != 0 {
            let reason = Errno::from_raw(i32::try_from(error).unwrap_or_default())
                .desc()
                .to_owned();
            return Err(AttachError::Step {
                pid,
                step: "starting a thread",
                reason,
            }
            .into());
        }
        // From here on the thread is there, and takes the mapping with it once it was let go: nothing
        // that fails now may fail the whole. A thread that is not detached leaks its descriptor.
        if let Ok(handle) = tracee::read(pid, region.results(), 8) {
            let handle = u64::from_le_bytes(handle.try_into().unwrap_or_default());
            let _ = self.call(
                "detaching the thread",
                region,
                functions.pthread_detach,
                [handle, 0, 0, 0],
            );
        }
        Ok(channel)
    }

    fn system_call(
        &self,
        step: &'static str,
        number: i64,
        arguments: [u64; 6],
    ) -> Result<u64, AttachError> {
        self.stopped
            .system_call(step, self.functions.system_call, number, arguments)
    }

    fn call(
        &self,
        step: &'static str,
        region: Region,
        function: u64,
        arguments: [u64; 4],
    ) -> Result<u64, AttachError> {
        self.stopped.call(
            step,
            region.caller(),
            region.stack(),
            function,
            arguments,
            CALL,
        )
    }
}

/// Keeps the signals that would end or stop this process away from this thread: a thread of the
/// target that is stopped half-way would run on from there.
struct Undisturbed {
    before: Option<SigSet>,
}

impl Undisturbed {
    fn begin() -> Self {
        let signals = [
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGQUIT,
            Signal::SIGTSTP,
            Signal::SIGALRM,
        ];
        let set: SigSet = signals.into_iter().collect();
        Self {
            before: set.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok(),
        }
    }
}

impl Drop for Undisturbed {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = before.thread_set_mask();
        }
    }
}
