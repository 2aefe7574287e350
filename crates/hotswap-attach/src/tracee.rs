//! One stopped thread of another process: looked at, used, and put back as it was.
//!
//! A thread that is seized can only be handled by the thread that seized it, so everything here
//! happens in the caller's thread. The kernel lets the stopped thread run on if this process ends,
//! with whatever registers it has then: who calls keeps signals away meanwhile (see `attach`).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::error::AttachError;
use crate::judge::Position;

/// How long a thread is waited for, once it was told to stop.
const STOP: Duration = Duration::from_secs(2);
/// How often it is asked for, after the time in which most steps are done.
const LOOK: Duration = Duration::from_micros(50);
/// How long it is asked for without a sleep in between: the thread stands still meanwhile.
const AT_ONCE: Duration = Duration::from_micros(500);
/// `NT_X86_XSTATE` of `elf.h`: all registers but the general ones.
const EXTENDED_STATE: usize = 0x202;
/// `PTRACE_EVENT_STOP` of `linux/ptrace.h`.
const EVENT_STOP: i32 = 128;
/// What the kernel itself returns where a system call is to be made again if no handler ran.
const RESTART_WITHOUT_HANDLER: i64 = -514;

/// Why a thread could not be stopped.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The kernel does not allow it.
    Forbidden,
    /// It is gone, or a signal came first, or it did not stop in time: another may do.
    NotNow(String),
}

/// A thread that is stopped until this value is restored or dropped.
pub(crate) struct Stopped {
    pid: i32,
    thread: Pid,
    registers: libc::user_regs_struct,
    extended: Vec<u8>,
    mask: u64,
    since: Instant,
    running: bool,
}

impl Stopped {
    /// Stops one thread of process `pid`.
    pub(crate) fn seize(pid: i32, thread: i32) -> Result<Self, Refusal> {
        let thread = Pid::from_raw(thread);
        let since = Instant::now();
        ptrace::seize(thread, ptrace::Options::empty()).map_err(|error| match error {
            Errno::EPERM | Errno::EACCES | Errno::ENOSYS => Refusal::Forbidden,
            error => Refusal::NotNow(format!("could not be stopped ({})", error.desc())),
        })?;
        let stopped = interrupt(thread).and_then(|()| {
            let registers = ptrace::getregs(thread).map_err(not_now)?;
            let extended = extended_state(thread).map_err(not_now)?;
            let mask = signal_mask(thread).map_err(not_now)?;
            Ok(Self {
                pid,
                thread,
                registers,
                extended,
                mask,
                since,
                running: false,
            })
        });
        if stopped.is_err() {
            let _ = ptrace::detach(thread, None);
        }
        stopped
    }

    /// The number of the thread.
    pub(crate) fn thread(&self) -> i32 {
        self.thread.as_raw()
    }

    /// The signals it blocks, one bit each.
    pub(crate) fn mask(&self) -> u64 {
        self.mask
    }

    /// Where it is.
    pub(crate) fn position(&self) -> Position {
        Position {
            call: self.registers.orig_rax.cast_signed(),
            second: self.registers.rsi,
            instruction: self.registers.rip,
        }
    }

    /// Keeps every signal from it until it is restored.
    pub(crate) fn block_signals(&self) -> Result<(), AttachError> {
        set_signal_mask(self.thread, u64::MAX)
            .map_err(|error| self.failed("blocking signals", error))
    }

    /// Has the thread do a system call, at the address of a `syscall` instruction.
    pub(crate) fn system_call(
        &self,
        step: &'static str,
        instruction: u64,
        number: i64,
        arguments: [u64; 6],
    ) -> Result<u64, AttachError> {
        let mut registers = self.registers;
        registers.rip = instruction;
        registers.rax = number.cast_unsigned();
        registers.orig_rax = u64::MAX;
        [
            registers.rdi,
            registers.rsi,
            registers.rdx,
            registers.r10,
            registers.r8,
            registers.r9,
        ] = arguments;
        ptrace::setregs(self.thread, registers).map_err(|error| self.failed(step, error))?;
        ptrace::step(self.thread, None).map_err(|error| self.failed(step, error))?;
        self.trapped(step, STOP)?;
        let result = ptrace::getregs(self.thread)
            .map_err(|error| self.failed(step, error))?
            .rax
            .cast_signed();
        if (-4095..0).contains(&result) {
            return Err(self.failed(
                step,
                Errno::from_raw(i32::try_from(-result).unwrap_or_default()),
            ));
        }
        Ok(result.cast_unsigned())
    }

    /// Has the thread call a function, by way of the instructions `call rax; int3` at `caller`.
    pub(crate) fn call(
        &self,
        step: &'static str,
        caller: u64,
        stack: u64,
        function: u64,
        arguments: [u64; 4],
        limit: Duration,
    ) -> Result<u64, AttachError> {
        const DIRECTION: u64 = 0x400;
        let mut registers = self.registers;
        registers.rip = caller;
        registers.rax = function;
        registers.orig_rax = u64::MAX;
        registers.rsp = stack & !0xf;
        registers.eflags &= !DIRECTION;
        [registers.rdi, registers.rsi, registers.rdx, registers.rcx] = arguments;
        ptrace::setregs(self.thread, registers).map_err(|error| self.failed(step, error))?;
        ptrace::cont(self.thread, None).map_err(|error| self.failed(step, error))?;
        self.trapped(step, limit)?;
        Ok(ptrace::getregs(self.thread)
            .map_err(|error| self.failed(step, error))?
            .rax)
    }

    /// Lets the thread run on where it was; how long it stood still.
    pub(crate) fn restore(mut self) -> Result<Duration, AttachError> {
        self.put_back()
            .map_err(|error| self.failed("letting the thread run on", error))?;
        Ok(self.since.elapsed())
    }

    fn put_back(&mut self) -> Result<(), Errno> {
        if std::mem::replace(&mut self.running, true) {
            return Ok(());
        }
        let mut registers = self.registers;
        let interrupted = registers.rax.cast_signed() == -i64::from(libc::EINTR);
        if registers.orig_rax.cast_signed() >= 0 && interrupted {
            // A wait that our stop has ended; the program shall not see that.
            registers.rax = RESTART_WITHOUT_HANDLER.cast_unsigned();
        }
        let restored = set_extended_state(self.thread, &mut self.extended)
            .and(ptrace::setregs(self.thread, registers))
            .and(set_signal_mask(self.thread, self.mask));
        ptrace::detach(self.thread, None)?;
        restored
    }

    /// Waits until the thread has trapped.
    fn trapped(&self, step: &'static str, limit: Duration) -> Result<(), AttachError> {
        match wait(self.thread, limit) {
            Ok(WaitStatus::Stopped(_, Signal::SIGTRAP)) => Ok(()),
            Ok(status) => Err(self.reason(step, format!("the thread met {status:?}"))),
            Err(Refusal::NotNow(reason)) => {
                // Whatever it waits for, it waits no longer.
                let _ = interrupt(self.thread);
                Err(self.reason(step, reason))
            }
            Err(Refusal::Forbidden) => Err(self.reason(step, "the kernel forbids it".to_owned())),
        }
    }

    fn failed(&self, step: &'static str, error: Errno) -> AttachError {
        self.reason(step, error.desc().to_owned())
    }

    fn reason(&self, step: &'static str, reason: String) -> AttachError {
        AttachError::Step {
            pid: self.pid,
            step,
            reason,
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.put_back();
    }
}

/// Bytes of another process.
pub(crate) fn read(pid: i32, address: u64, size: usize) -> Result<Vec<u8>, AttachError> {
    let mut bytes = vec![0; size];
    let remote = RemoteIoVec {
        base: place(address),
        len: size,
    };
    let done = process_vm_readv(
        Pid::from_raw(pid),
        &mut [IoSliceMut::new(&mut bytes)],
        &[remote],
    );
    whole(pid, "reading its memory", done, size)?;
    Ok(bytes)
}

/// Whether the kernel does not let this process read memory of another one.
pub(crate) fn is_forbidden(pid: i32, address: u64) -> bool {
    let remote = RemoteIoVec {
        base: place(address),
        len: 1,
    };
    let read = process_vm_readv(
        Pid::from_raw(pid),
        &mut [IoSliceMut::new(&mut [0])],
        &[remote],
    );
    matches!(read, Err(Errno::EPERM | Errno::EACCES | Errno::ENOSYS))
}

/// Writes bytes into memory of another process that nothing there uses yet.
pub(crate) fn write(pid: i32, address: u64, bytes: &[u8]) -> Result<(), AttachError> {
    let remote = RemoteIoVec {
        base: place(address),
        len: bytes.len(),
    };
    let done = process_vm_writev(Pid::from_raw(pid), &[IoSlice::new(bytes)], &[remote]);
    whole(pid, "writing its memory", done, bytes.len())
}

/// One descriptor of another process, as one of this process.
pub(crate) fn take_descriptor(pid: i32, descriptor: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two numbers and no pointer.
    let process = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let process = owned(process)?;
    let process = std::os::fd::AsRawFd::as_raw_fd(&process);
    // SAFETY: as above.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process, descriptor, 0) })
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    match RawFd::try_from(result) {
        // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn place(address: u64) -> usize {
    usize::try_from(address).unwrap_or(usize::MAX)
}

fn whole(
    pid: i32,
    step: &'static str,
    done: nix::Result<usize>,
    size: usize,
) -> Result<(), AttachError> {
    let reason = match done {
        Ok(count) if count == size => return Ok(()),
        Ok(count) => format!("only {count} of {size} bytes were there"),
        Err(error) => error.desc().to_owned(),
    };
    Err(AttachError::Step { pid, step, reason })
}

fn not_now(error: Errno) -> Refusal {
    Refusal::NotNow(format!("could not be looked at ({})", error.desc()))
}

/// Tells a seized thread to stop, and waits until it has.
fn interrupt(thread: Pid) -> Result<(), Refusal> {
    ptrace::interrupt(thread).map_err(not_now)?;
    match wait(thread, STOP)? {
        WaitStatus::PtraceEvent(_, Signal::SIGTRAP, EVENT_STOP) => Ok(()),
        WaitStatus::PtraceEvent(_, signal, EVENT_STOP) => {
            Err(Refusal::NotNow(format!("is stopped by {signal}")))
        }
        WaitStatus::Stopped(_, signal) => {
            // The signal was meant for the program, which gets it.
            let _ = ptrace::detach(thread, signal);
            Err(Refusal::NotNow(format!("was about to get {signal}")))
        }
        other => Err(Refusal::NotNow(format!("met {other:?}"))),
    }
}

fn wait(thread: Pid, limit: Duration) -> Result<WaitStatus, Refusal> {
    let start = Instant::now();
    loop {
        match waitpid(thread, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => {}
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => {
                return Err(Refusal::NotNow("has ended".to_owned()));
            }
            Ok(status) => return Ok(status),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(not_now(error)),
        }
        let waited = start.elapsed();
        if waited > limit {
            return Err(Refusal::NotNow("did not come back in time".to_owned()));
        }
        if waited < AT_ONCE {
            std::thread::yield_now();
        } else {
            std::thread::sleep(LOOK);
        }
    }
}

/// One request of ptrace that `nix` has no function for.
///
/// # Safety
///
/// `data` is what `request` asks for: here, a pointer to memory that outlives the call.
unsafe fn request(
    request: libc::c_uint,
    thread: Pid,
    address: usize,
    data: *mut libc::c_void,
) -> Result<(), Errno> {
    // SAFETY: the caller vouches for `data`; the thread is one that we stopped, else the kernel says so.
    let result = unsafe { libc::ptrace(request, thread.as_raw(), address, data) };
    Errno::result(result).map(drop)
}

fn signal_mask(thread: Pid) -> Result<u64, Errno> {
    let mut mask = 0_u64;
    // SAFETY: the kernel writes the eight bytes whose number is the address argument.
    unsafe {
        request(
            libc::PTRACE_GETSIGMASK,
            thread,
            size_of::<u64>(),
            (&raw mut mask).cast(),
        )
    }?;
    Ok(mask)
}

fn set_signal_mask(thread: Pid, mut mask: u64) -> Result<(), Errno> {
    // SAFETY: the kernel reads the eight bytes whose number is the address argument.
    unsafe {
        request(
            libc::PTRACE_SETSIGMASK,
            thread,
            size_of::<u64>(),
            (&raw mut mask).cast(),
        )
    }
}

fn extended_state(thread: Pid) -> Result<Vec<u8>, Errno> {
    // Larger than any processor's (AMX brings it to some 11 KiB).
    let mut bytes = vec![0_u8; 1 << 16];
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: `part` says where the bytes are and how many; the kernel writes no more, and how many it wrote.
    unsafe {
        request(
            libc::PTRACE_GETREGSET,
            thread,
            EXTENDED_STATE,
            (&raw mut part).cast(),
        )
    }?;
    bytes.truncate(part.iov_len);
    Ok(bytes)
}

fn set_extended_state(thread: Pid, bytes: &mut [u8]) -> Result<(), Errno> {
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: `part` says where the bytes are and how many; the kernel reads them.
    unsafe {
        request(
            libc::PTRACE_SETREGSET,
            thread,
            EXTENDED_STATE,
            (&raw mut part).cast(),
        )
    }
}
