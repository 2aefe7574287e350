use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded, unbounded};

use crate::backend::{self, Backend, NoEvents, Wake, WatchFailure};
use crate::engine::{Command, Engine, Shared};
use crate::{ChangeEvent, ContentHash, PollMode, WatchConfig, WatchError, WatchStatus, signals};

/// How long [`Watcher::status`] waits for the thread.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// How long [`Watcher::stop`] waits for the thread, which may hang in a mount.
const STOP_LIMIT: Duration = Duration::from_secs(1);

/// Watches directories in a thread of its own.
///
/// All methods hand over to that thread and return at once, except where they
/// say otherwise. In a forked child, where the thread does not exist, they do
/// nothing; call [`Watcher::forget`] there.
pub struct Watcher {
    shared: Arc<Shared>,
    wake: Arc<dyn Wake>,
    thread: Option<JoinHandle<()>>,
    early: Receiver<PathBuf>,
    process: u32,
}

impl Watcher {
    /// Starts a watcher; the receiver gives one [`ChangeEvent`] a batch.
    ///
    /// The thread ends when the watcher or the receiver is dropped.
    pub fn start(config: WatchConfig) -> Result<(Watcher, Receiver<ChangeEvent>), WatchError> {
        let shared = Arc::new(Shared::default());
        let opened = match config.poll {
            PollMode::Always => Err(WatchFailure::Refused("polling was asked for".into())),
            PollMode::Auto | PollMode::Never => backend::open(),
        };
        let (backend, wake) = match opened {
            Ok(opened) => opened,
            Err(failure) => {
                let reason = match failure {
                    WatchFailure::Refused(reason) => reason,
                    WatchFailure::Missing => "the system has no file events".into(),
                };
                if config.poll == PollMode::Never {
                    return Err(WatchError::NoEvents { reason });
                }
                let bell = Arc::clone(&shared.bell);
                let wake: Arc<dyn Wake> = Arc::clone(&shared.bell) as Arc<dyn Wake>;
                (
                    Box::new(NoEvents { reason, bell }) as Box<dyn Backend>,
                    wake,
                )
            }
        };
        Watcher::start_with(config, backend, wake, shared)
    }

    pub(crate) fn start_with(
        config: WatchConfig,
        backend: Box<dyn Backend>,
        wake: Arc<dyn Wake>,
        shared: Arc<Shared>,
    ) -> Result<(Watcher, Receiver<ChangeEvent>), WatchError> {
        let (sender, receiver) = unbounded();
        let (first, early) = bounded(1);
        let engine = Engine::new(config, backend, Arc::clone(&shared), sender, first);
        let builder = thread::Builder::new().name("hotswap-watch".into());
        let thread = signals::spawn_without_signals(builder, move || engine.run())
            .map_err(|source| WatchError::Thread { source })?;
        let process = std::process::id();
        Ok((
            Watcher {
                shared,
                wake,
                thread: Some(thread),
                early,
                process,
            },
            receiver,
        ))
    }

    /// Names the first file of a batch as soon as its writer is done, before the quiet window
    /// has passed: what is there may be read ahead. It is no promise that a batch comes.
    #[must_use]
    pub fn early(&self) -> Receiver<PathBuf> {
        self.early.clone()
    }

    /// Watches the modules in one directory, without its sub-directories.
    ///
    /// A directory that does not exist is taken up when it appears, and its
    /// modules are then reported as new. Asking twice is asking once.
    pub fn watch_directory(&self, directory: &Path) {
        self.send(Command::Watch {
            directory: absolute(directory),
            tree: false,
        });
    }

    /// Watches a directory with its sub-directories, now and later.
    ///
    /// Not followed are `__pycache__`, `node_modules`, names with a leading dot
    /// (`.git`, `.tox`, `.venv`, ...) and virtual environments under any name
    /// (a `pyvenv.cfg` tells). A skipped directory can be asked for by itself.
    pub fn watch_tree(&self, directory: &Path) {
        self.send(Command::Watch {
            directory: absolute(directory),
            tree: true,
        });
    }

    /// Says what the program has loaded of a file.
    ///
    /// If the file on disk differs, that is reported at once; afterwards every
    /// difference from what was last tracked or reported. `None` means that
    /// the loaded content is not known: what is on disk now is the start.
    ///
    /// A file whose directory is not watched gets a watch for itself.
    pub fn track(&self, file: &Path, content: Option<ContentHash>) {
        self.send(Command::Track {
            file: absolute(file),
            content,
        });
    }

    /// Compares all known files with the disk now, by content.
    pub fn kick(&self) {
        self.send(Command::Kick);
    }

    /// Does what [`Watcher::kick`] does, and waits until all it found is in the channel.
    ///
    /// Returns false when that took longer than `timeout`.
    pub fn settle(&self, timeout: Duration) -> bool {
        let (sender, settled) = bounded(1);
        self.send(Command::Settle(sender)) && settled.recv_timeout(timeout).is_ok()
    }

    /// Returns what is covered and how, after everything that was asked before.
    ///
    /// Waits for the thread, at most a second.
    pub fn status(&self) -> WatchStatus {
        let (sender, answer) = bounded(1);
        if !self.send(Command::Status(sender)) {
            return WatchStatus::default();
        }
        answer.recv_timeout(ANSWER_LIMIT).unwrap_or_default()
    }

    /// Ends the thread and waits for it, at most a second.
    ///
    /// Returns false if it has not ended by then; it then ends by itself later.
    pub fn stop(&mut self) -> bool {
        self.end(false)
    }

    /// The same at the end of the process, which then does not wait until the system has taken
    /// the watches away.
    pub fn leave(&mut self) -> bool {
        self.end(true)
    }

    fn end(&mut self, leaving: bool) -> bool {
        let Some(thread) = self.thread.take() else {
            return true;
        };
        if self.is_in_child() {
            std::mem::forget(thread);
            return true;
        }
        self.shared.stop(leaving);
        self.wake.wake();
        self.shared.bell.wake();
        let deadline = Instant::now() + STOP_LIMIT;
        while !thread.is_finished() {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(Duration::from_micros(200));
        }
        // A panic in the thread has been printed, and closed the channel.
        let _ = thread.join();
        true
    }

    /// Gives up a watcher that a forked child has inherited.
    ///
    /// Closes the inherited descriptors and touches nothing else: the thread
    /// exists only in the parent, and any lock may be held for ever. Leak the
    /// receiver too (`std::mem::forget`); it shares such locks.
    pub fn forget(mut self) {
        self.wake.abandon();
        std::mem::forget(self.thread.take());
        std::mem::forget(self);
    }

    /// Returns false when nobody will act on the command.
    fn send(&self, command: Command) -> bool {
        let ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        if ended || self.is_in_child() {
            return false;
        }
        self.shared.push(command);
        self.wake.wake();
        self.shared.bell.wake();
        true
    }

    fn is_in_child(&self) -> bool {
        std::process::id() != self.process
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Makes a path absolute without resolving symlinks; its spelling is kept.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
