//! Finds another process's interpreter and starts a piece of Python in it.
//!
//! The way is the one that `docs/security.md` describes: one thread of the target is
//! stopped where it cannot hold a lock of the C library's allocator or loader, and made
//! to call `pthread_create`. The new thread waits for the GIL like any other and runs the
//! given source. No file is written, no code page changed, no lock taken in the stopped
//! thread.
//!
//! `process` reads `/proc`; `maps` and `symbols` find the functions; `judge` tells whether a
//! thread may be used; `tracee` stops it and restores it; `payload` is what the new thread
//! runs; `attach` puts these in order, `rights` explains a refusal, `list` is for `hotswap ps`.
//!
//! What is *not* here: anything of hotswap itself. The source that runs is the caller's.
#![cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    forbid(unsafe_code),
    // The pure parts are built and tested there too, and nobody uses them.
    allow(dead_code)
)]

mod error;
mod judge;
mod maps;
mod payload;
mod process;
mod rights;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod attach;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod list;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod symbols;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tracee;

pub use error::AttachError;

use std::time::Duration;

/// What the caller wants to happen in the other process.
#[derive(Debug, Clone)]
pub struct Request {
    /// The process to attach to.
    pub pid: i32,
    /// ASCII Python source. It runs in a thread of its own, in a namespace of its own with
    /// two names more: `CHANNEL`, an `int`, the descriptor of its end of a socket pair, which
    /// it owns; and `SIGNALS`, a tuple of the `int`s of the signals that are to be blocked
    /// in its thread, in which all are at first.
    pub source: String,
    /// How long to look for a thread that may be used.
    pub patience: Duration,
    /// Also attach to a process that runs under a seccomp filter.
    pub despite_seccomp: bool,
}

/// What was done in the other process.
#[derive(Debug)]
pub struct Attachment {
    /// This process's end of the socket pair.
    #[cfg(unix)]
    pub channel: std::os::fd::OwnedFd,
    /// The thread that was stopped.
    pub thread: i32,
    /// Why it was thought safe.
    pub reason: &'static str,
    /// How many times a thread was stopped and looked at.
    pub tries: u32,
    /// How long the used thread stood still.
    pub pause: Duration,
    /// The file in which the interpreter was found.
    pub interpreter: String,
}

/// One Python process of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonProcess {
    /// Its number.
    pub pid: i32,
    /// The real user it belongs to.
    pub uid: u32,
    /// `"3.12"`; empty where it cannot be told from outside.
    pub version: String,
    /// The words it was started with.
    pub command: Vec<String>,
    /// Whether hotswap is loaded in it.
    pub has_hotswap: bool,
}

/// Starts `request.source` in another process.
///
/// Returns once the stopped thread runs on; the source may still be waiting for the GIL.
///
/// # Errors
///
/// [`AttachError`] says what stands in the way. The process then runs on as it was.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn attach(request: &Request) -> Result<Attachment, AttachError> {
    attach::attach(request)
}

/// The Python processes that this one may look into, by number.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[must_use]
pub fn processes() -> Vec<PythonProcess> {
    list::processes()
}

/// As on Linux x86-64.
///
/// # Errors
///
/// Always [`AttachError::Unsupported`].
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn attach(_: &Request) -> Result<Attachment, AttachError> {
    Err(AttachError::Unsupported)
}

/// None: this is not Linux on x86-64.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
#[must_use]
pub fn processes() -> Vec<PythonProcess> {
    Vec::new()
}
