//! Keeps signals away from the watcher thread.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread in which no signal is delivered.
///
/// The mask is set in the caller before the thread exists and taken back
/// afterwards, so there is no moment at which the new thread could be chosen
/// for a signal. Faults stay deliverable: the kernel kills a process at once
/// that faults with the signal blocked, and `faulthandler` would say nothing.
#[cfg(unix)]
pub(crate) fn spawn_without_signals(
    builder: Builder,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    use nix::sys::signal::{SigSet, SigmaskHow, Signal};
    let mut blocked = SigSet::all();
    for fault in [
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGFPE,
        Signal::SIGILL,
        Signal::SIGTRAP,
    ] {
        blocked.remove(fault);
    }
    let before = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let thread = builder.spawn(body);
    before.thread_set_mask()?;
    thread
}

/// Starts a thread; signals reach no thread but the main one on this system.
#[cfg(not(unix))]
pub(crate) fn spawn_without_signals(
    builder: Builder,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    builder.spawn(body)
}
