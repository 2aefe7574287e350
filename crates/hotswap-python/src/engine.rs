//! The class that Python drives. Its methods may be called from any thread.

mod fork;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
use hotswap_apply::{Consistency, Options};
use hotswap_watch::{ChangeEvent, PollMode, WatchConfig, Watcher};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::coverage::Coverage;
use crate::disk;
use crate::error::raise;
use crate::report::{ReportData, pending_dict};
use crate::session::{Contents, Session, Settings};
use hotswap_watch::paths::canonical;

/// The quiet that a single saved file must have: "save all" writes its files closer together.
const LEAD: Duration = Duration::from_millis(1);

/// Imports come in bursts; the modules are noted when none has begun for this long.
const IMPORT_QUIET: Duration = Duration::from_millis(60);

/// How long the end of a pause waits until all that was saved meanwhile is known.
const SETTLE_LIMIT: Duration = Duration::from_secs(1);

/// How long a thread in the middle of an import waits for the update of another.
const IMPORT_PATIENCE: Duration = Duration::from_millis(500);

/// What the watcher announced and nobody has applied yet.
#[derive(Default)]
struct Announced {
    paths: Vec<PathBuf>,
    /// What was in them.
    contents: Contents,
    /// Modules whose imported source is not known must be compared with their files.
    uncertain: bool,
}

impl Announced {
    fn add(&mut self, event: ChangeEvent) {
        for change in event.changes {
            let path = canonical(&change.path);
            match change.hash {
                Some(hash) => self.contents.insert(path.clone(), hash),
                None => self.contents.remove(&path),
            };
            self.paths.push(path);
        }
    }
}

/// How long a call waits for another thread's update when nobody says otherwise. That
/// update may wait in turn for a lock that the caller holds.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long an engine that takes over waits for an update of the one before it.
const INHERITANCE_WAIT: Duration = Duration::from_secs(2);

/// How long the question how things are waits for an update in another thread.
const STATUS_WAIT: Duration = Duration::from_secs(1);

/// How soon an update that was held is tried again without another change.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// How soon it is looked again who is still inside old code, so that nothing is watched for
/// longer than need be.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LAST_LOOK: Duration = Duration::from_secs(10);

/// What came of asking for the session.
enum Turn<R> {
    Done(R),
    /// This very thread works on it already.
    Own,
    /// Another thread does, and the wait for it is over.
    Others,
}

/// Why a wait ended.
enum Awaited {
    /// There is something to apply.
    Changes,
    /// Modules were imported: what they were made from is to be noted.
    Imports,
    /// It is time to look who is still inside old code.
    Calls,
    /// A file was saved, and may be read while it must stay as it is to count as whole.
    Early(PathBuf),
    /// The deadline passed, or the engine was stopped.
    Nothing,
}

/// Who works on the session now.
enum Desk {
    Free(Box<Session>),
    Busy(ThreadId),
    Closed,
}

/// One watching engine; made by `hotswap.watch`.
#[pyclass(module = "hotswap._hotswap", frozen)]
pub(crate) struct Engine {
    desk: Mutex<Desk>,
    /// Who waits for the desk, first come first served.
    queue: Mutex<VecDeque<ThreadId>>,
    freed: Condvar,
    /// The session while this process forks.
    aside: Mutex<Option<Box<Session>>>,
    announced: Mutex<Announced>,
    events: Mutex<Option<Receiver<ChangeEvent>>>,
    /// A file that has just been saved, and will perhaps be announced.
    early: Mutex<Option<Receiver<PathBuf>>>,
    bell: (Sender<()>, Receiver<()>),
    imports: (Sender<()>, Receiver<()>),
    /// It has been said that imports have begun, and they are not noted yet.
    imports_said: AtomicBool,
    /// When to look for imported modules, and how many imports had begun when that was set.
    import_due: Mutex<Option<(Instant, u64)>>,
    /// The imports of the thread that works on the session.
    began: Arc<Mutex<Vec<String>>>,
    imports_begun: Arc<AtomicU64>,
    /// When a held update is tried again, and the pause before that.
    retry: Mutex<Option<(Instant, Duration)>>,
    /// When to look again who is still inside old code.
    look: Mutex<Option<(Instant, Duration)>>,
    paused: AtomicBool,
    stopped: AtomicBool,
    worker: AtomicU64,
    process: u32,
    config: WatchConfig,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[pymethods]
impl Engine {
    #[new]
    fn new(py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<Engine> {
        let get = |name: &str| -> PyResult<Option<Bound<'_, PyAny>>> {
            Ok(options.get_item(name)?.filter(|value| !value.is_none()))
        };
        let list = |name: &str| -> PyResult<Vec<String>> {
            get(name)?.map_or(Ok(Vec::new()), |value| value.extract())
        };
        let text = |name: &str| -> PyResult<Option<String>> {
            get(name)?.map(|value| value.extract()).transpose()
        };
        let roots: Option<Vec<PathBuf>> = get("paths")?.map(|value| value.extract()).transpose()?;
        let coverage = Coverage::new(py, roots, &list("include")?, &list("exclude")?)?;
        let mut config = WatchConfig {
            quiet: LEAD,
            ..WatchConfig::default()
        };
        if let Some(poll) = get("poll")? {
            if let Ok(flag) = poll.extract::<bool>() {
                config.poll = if flag {
                    PollMode::Always
                } else {
                    PollMode::Never
                };
            } else if let Ok(seconds) = poll.extract::<f64>() {
                config.poll = PollMode::Always;
                config.poll_interval = Duration::from_secs_f64(seconds.clamp(0.01, 3600.0));
            }
        }
        if let Some(interval) = get("interval")?
            && let Ok(seconds) = interval.extract::<f64>()
        {
            config.poll_interval = Duration::from_secs_f64(seconds.clamp(0.01, 3600.0));
        }
        let settings = Settings {
            options: Options {
                reload: text("strategy")?.as_deref() == Some("reload"),
                revive: false,
                consistency: match text("consistency")?.as_deref() {
                    Some("immediate") => Consistency::Immediate,
                    Some("quiescent") => Consistency::Quiescent,
                    _ => Consistency::Auto,
                },
                quiescence: Duration::from_secs_f64(
                    get("quiescence_timeout")?
                        .map_or(Ok(1.0), |value| value.extract::<f64>())?
                        .clamp(0.0, 3600.0),
                ),
            },
            import_new: get("only_import_exist")?
                .is_some_and(|value| value.extract::<bool>().is_ok_and(|only| !only)),
            history: get("history")?.map_or(Ok(100), |value| value.extract())?,
            history_bytes: get("history_bytes")?.map_or(Ok(64 << 20), |value| value.extract())?,
        };
        let session = Session::new(settings, coverage);
        Ok(Engine {
            began: session.began.clone(),
            imports_begun: session.imports_begun.clone(),
            desk: Mutex::new(Desk::Free(Box::new(session))),
            queue: Mutex::default(),
            freed: Condvar::new(),
            aside: Mutex::new(None),
            announced: Mutex::new(Announced::default()),
            events: Mutex::new(None),
            early: Mutex::new(None),
            bell: bounded(1),
            imports: unbounded(),
            imports_said: AtomicBool::new(false),
            import_due: Mutex::new(None),
            retry: Mutex::new(None),
            look: Mutex::new(None),
            paused: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            worker: AtomicU64::new(0),
            process: std::process::id(),
            config,
        })
    }

    /// Reads the sources below the paths and starts the native watcher thread.
    fn start(&self, py: Python<'_>) -> PyResult<()> {
        let (watcher, events) = Watcher::start(self.config.clone())
            .map_err(|error| raise(py, "WatchError", error.to_string()))?;
        *lock(&self.events) = Some(events);
        *lock(&self.early) = Some(watcher.early());
        let result = self.work(py, |session| -> PyResult<bool> {
            let roots = session.coverage.roots.clone();
            let files = py.detach(|| session.coverage.files());
            let inherited = !session.disk.files.is_empty();
            for file in &files {
                if !inherited || !session.disk.files.contains_key(file) {
                    session.disk.read(file);
                }
            }
            if inherited {
                // What changed since the parent looked last.
                let known = session.disk.files.keys();
                let changed =
                    known.filter(|path| !matches!(session.disk.look(path), disk::Seen::Same));
                lock(&self.announced).paths.extend(changed.cloned());
            }
            if let Some(roots) = &roots {
                for root in roots {
                    // One that is gone for now, with a session still open on it, was a directory
                    // unless it is named like a source.
                    let is_file = root.is_file() || root.extension().is_some_and(|ext| ext == "py");
                    if root.is_dir() || !is_file {
                        watcher.watch_tree(root);
                    } else if let Some(directory) = root.parent() {
                        watcher.watch_directory(directory);
                    }
                }
            }
            for (file, state) in &session.disk.files {
                // Without roots, what was taken over has its modules noted, and their directories are
                // not come across again.
                if let (None, Some(directory)) = (&roots, file.parent()) {
                    watcher.watch_directory(directory);
                }
                watcher.track(file, Some(state.hash));
            }
            session.watcher = Some(watcher);
            session.note_modules(py)?;
            session.started = true;
            session.doubts = false;
            // A held update that was taken over.
            self.plan_retry(session);
            Ok(session.world.modules.iter().any(|module| !module.certain))
        })?;
        if result.unwrap_or(Ok(false))? {
            lock(&self.announced).uncertain = true;
        }
        Ok(())
    }

    /// Does what the first update would have to wait for.
    fn get_ready(&self, py: Python<'_>) -> PyResult<()> {
        // Each self-test is made when it is needed, too.
        hotswap_cpython::capabilities(py);
        self.work(py, |session| session.pack_sources(py)).map(drop)
    }

    /// Where paths are added, before `start`: takes over what another engine knows.
    fn inherit(&self, py: Python<'_>, other: &Engine) -> PyResult<()> {
        let taken = other.take_turn(py, Some(INHERITANCE_WAIT), |old| {
            self.work(py, |session| session.inherit(old)).map(drop)
        })?;
        match taken {
            Turn::Done(result) => result,
            // An update is under way, perhaps the very one that calls this.
            Turn::Own | Turn::Others => self.work(py, |session| session.doubts = true).map(drop),
        }
    }

    /// Before a fork: an update in another thread is waited for, at most this long, and none begins
    /// until `after_fork`.
    fn before_fork(&self, py: Python<'_>, seconds: f64) {
        self.lay_aside(py, Duration::from_secs_f64(seconds.clamp(0.0, 60.0)));
    }

    /// After a fork, in the parent.
    fn after_fork(&self) {
        self.take_back();
    }

    /// In a forked child, before `start`: takes over what the parent's engine knows, and gives that up.
    fn after_fork_in_child(&self, py: Python<'_>, parent: Py<Engine>) -> PyResult<()> {
        self.take_over(py, parent)
    }

    /// Blocks with the GIL released until there is something to apply.
    ///
    /// Modules that were imported meanwhile are noted, also while the engine is paused: later
    /// their files may no longer say what was imported.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let deadline = timeout
            .map(|seconds| Instant::now() + Duration::from_secs_f64(seconds.clamp(0.0, 1e9)));
        loop {
            match py.detach(|| self.wait_detached(deadline)) {
                Awaited::Changes => return Ok(true),
                Awaited::Nothing => return Ok(false),
                Awaited::Calls => {
                    let pause = lock(&self.look)
                        .take()
                        .map_or(FIRST_LOOK, |(_, pause)| pause);
                    self.work(py, |session| {
                        hotswap_apply::still_pending(py, &mut session.world);
                        self.plan_look(session, (pause * 2).min(LAST_LOOK));
                    })?;
                }
                Awaited::Early(path) => {
                    let path = canonical(&path);
                    self.work(py, |session| session.read_early(py, &path))?;
                }
                Awaited::Imports => {
                    let noted = self.work(py, |session| -> PyResult<(bool, bool)> {
                        let unfinished = session.note_modules(py)?;
                        let uncertain = session.world.modules.iter().any(|module| !module.certain);
                        Ok((unfinished, uncertain))
                    })?;
                    let (unfinished, uncertain) = noted.transpose()?.unwrap_or_default();
                    if unfinished {
                        self.look_for_imports_later();
                    }
                    lock(&self.announced).uncertain |= uncertain;
                }
            }
        }
    }

    /// An import of this module begins.
    fn note_import(&self, name: &str) {
        self.imports_begun.fetch_add(1, Ordering::SeqCst);
        let owner = matches!(&*lock(&self.desk), Desk::Busy(owner) if *owner == std::thread::current().id());
        if owner {
            lock(&self.began).push(name.to_string());
        }
        // Imports come by the thousand: the thread is woken for the first one only.
        if !self.imports_said.swap(true, Ordering::SeqCst) {
            // The receiver lives as long as this object.
            let _ = self.imports.0.send(());
        }
    }

    /// Applies what `wait` announced.
    fn apply<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let announced = std::mem::take(&mut *lock(&self.announced));
        let result = self.work(py, |session| {
            let (paths, contents) = (announced.paths.clone(), &announced.contents);
            let report = session.apply_announced(py, paths, contents)?;
            self.plan_retry(session);
            // That it still waits has been said.
            let news =
                |report: &ReportData| !announced.paths.is_empty() || report.status() != "held";
            Ok(report.filter(news))
        })?;
        match result {
            Some(Ok(Some(report))) => report.to_python(py).map(Some),
            Some(Ok(None)) => Ok(None),
            Some(Err(error)) => Err(error),
            // Another update of this thread is under way: it will see what was announced.
            None => Ok(None),
        }
    }

    /// Applies everything that differs on disk now, in this thread.
    #[pyo3(signature = (timeout=None))]
    fn sync<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Bound<'py, PyDict>> {
        let limit = timeout.map_or(LONGEST_WAIT, |seconds| {
            Duration::from_secs_f64(seconds.clamp(0.0, 1e9))
        });
        let turn = self.take_turn(py, Some(limit), |session| {
            let report = session.sync(py);
            self.plan_retry(session);
            report
        })?;
        told(py, turn)
    }

    /// Applies the code of an earlier generation again.
    fn rollback<'py>(&self, py: Python<'py>, generation: u64) -> PyResult<Bound<'py, PyDict>> {
        let turn = self.take_turn(py, Some(LONGEST_WAIT), |session| {
            session.rollback(py, generation)
        })?;
        told(py, turn)
    }

    /// The unified diff of the sources between two generations.
    fn diff(&self, py: Python<'_>, a: u64, b: u64) -> PyResult<String> {
        self.work(py, |session| session.diff(py, a, b))?
            .unwrap_or_else(|| Ok(String::new()))
    }

    fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
    }

    /// What was saved during the pause is one batch, however far apart its files were written.
    fn resume(&self, py: Python<'_>) -> PyResult<()> {
        if self.paused.load(Ordering::SeqCst) && !self.stopped.load(Ordering::SeqCst) {
            self.work(py, |session| {
                if let Some(watcher) = &session.watcher {
                    py.detach(|| watcher.settle(SETTLE_LIMIT));
                }
            })?;
        }
        self.paused.store(false, Ordering::SeqCst);
        self.ring();
        Ok(())
    }

    /// Stops the native thread and forgets everything.
    #[pyo3(signature = (leaving=false))]
    fn stop(&self, py: Python<'_>, leaving: bool) {
        if self.stopped.swap(true, Ordering::SeqCst) {
            return;
        }
        self.ring();
        *lock(&self.events) = None;
        *lock(&self.early) = None;
        let mut desk = lock(&self.desk);
        if let Desk::Free(session) = &mut *desk
            && let Some(mut watcher) = session.watcher.take()
        {
            drop(desk);
            py.detach(|| match leaving {
                true => watcher.leave(),
                false => watcher.stop(),
            });
            desk = lock(&self.desk);
        }
        if matches!(*desk, Desk::Free(_)) {
            let closed = std::mem::replace(&mut *desk, Desk::Closed);
            drop(desk);
            // Ends the watch over calls inside old code, too.
            drop(closed);
        }
    }

    #[getter]
    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// The number of the thread that works on an update now.
    #[getter]
    fn worker(&self) -> Option<u64> {
        match *lock(&self.desk) {
            Desk::Busy(_) => Some(self.worker.load(Ordering::SeqCst)),
            _ => None,
        }
    }

    /// What is watched and how.
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let status = PyDict::new(py);
        let filled = self.take_turn(py, Some(STATUS_WAIT), |session| -> PyResult<()> {
            status.set_item("generation", session.generation)?;
            let mut files: Vec<String> = session
                .world
                .modules
                .iter()
                .map(|module| module.file.display().to_string())
                .collect();
            files.sort();
            files.dedup();
            status.set_item("files", files)?;
            let uncertain: Vec<&str> = session
                .world
                .modules
                .iter()
                .filter(|module| !module.certain)
                .map(|module| module.name.as_str())
                .collect();
            status.set_item("uncertain", uncertain)?;
            status.set_item("uncovered", session.uncovered.clone())?;
            let pinned: BTreeMap<String, u64> = session
                .pinned
                .iter()
                .map(|(file, generation)| (file.display().to_string(), *generation))
                .collect();
            status.set_item("pinned", pinned)?;
            status.set_item("oldest_generation", session.history.oldest())?;
            status.set_item("history_bytes", session.history.held())?;
            let pending = PyList::empty(py);
            for item in hotswap_apply::still_pending(py, &mut session.world) {
                pending.append(pending_dict(py, &item)?)?;
            }
            status.set_item("pending", pending)?;
            if let Some(watcher) = &session.watcher {
                let watched = py.detach(|| watcher.status());
                let names = |paths: &[PathBuf]| -> Vec<String> {
                    paths
                        .iter()
                        .map(|path| path.display().to_string())
                        .collect()
                };
                status.set_item("directories", names(&watched.watched))?;
                let polled: Vec<(String, String)> = watched
                    .polled
                    .iter()
                    .map(|directory| {
                        (
                            directory.path.display().to_string(),
                            directory.reason.clone(),
                        )
                    })
                    .collect();
                status.set_item("polled", polled)?;
                status.set_item("notes", watched.fallbacks)?;
            }
            Ok(())
        })?;
        match filled {
            Turn::Done(result) => result?,
            Turn::Own | Turn::Others => status.set_item("notes", ["an update is in progress"])?,
        }
        status.set_item("paused", self.paused.load(Ordering::SeqCst))?;
        Ok(status)
    }
}

impl Engine {
    /// Works on the session, alone. No lock is held meanwhile: an update runs code of
    /// the program, which may call anything here. None: this very thread is at it.
    fn work<'py, R>(
        &self,
        py: Python<'py>,
        task: impl FnOnce(&mut Session) -> R,
    ) -> PyResult<Option<R>> {
        match self.take_turn(py, None, task)? {
            Turn::Done(result) => Ok(Some(result)),
            Turn::Own | Turn::Others => Ok(None),
        }
    }

    /// The same, waiting at most this long for other threads.
    fn take_turn<'py, R>(
        &self,
        py: Python<'py>,
        limit: Option<Duration>,
        task: impl FnOnce(&mut Session) -> R,
    ) -> PyResult<Turn<R>> {
        let mut session = match self.take_desk(py, limit)? {
            Turn::Done(session) => session,
            Turn::Own => return Ok(Turn::Own),
            Turn::Others => return Ok(Turn::Others),
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| task(&mut session)));
        let mut desk = lock(&self.desk);
        *desk = if self.stopped.load(Ordering::SeqCst) {
            Desk::Closed
        } else {
            Desk::Free(session)
        };
        drop(desk);
        self.freed.notify_all();
        match result {
            Ok(result) => Ok(Turn::Done(result)),
            Err(panic) => {
                let what = panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
                    .unwrap_or_default();
                Err(raise(
                    py,
                    "HotswapError",
                    format!("a bug in hotswap, please report it: {what}"),
                ))
            }
        }
    }

    /// An update that was held is tried again by itself, ever less often.
    fn plan_retry(&self, session: &Session) {
        let mut retry = lock(&self.retry);
        *retry = session.is_held().then(|| {
            let pause = retry.map_or(FIRST_RETRY, |(_, pause)| (pause * 2).min(LAST_RETRY));
            (Instant::now() + pause, pause)
        });
        drop(retry);
        self.plan_look(session, FIRST_LOOK);
        self.ring();
    }

    fn plan_look(&self, session: &Session, pause: Duration) {
        let left = session.world.is_left_behind();
        *lock(&self.look) = left.then(|| (Instant::now() + pause, pause));
    }

    /// Waits for the session, at most this long.
    fn take_desk(&self, py: Python<'_>, limit: Option<Duration>) -> PyResult<Turn<Box<Session>>> {
        let me = std::thread::current().id();
        let taken = self.wait_for_desk(py, me, limit);
        lock(&self.queue).retain(|waiting| *waiting != me);
        taken
    }

    fn wait_for_desk(
        &self,
        py: Python<'_>,
        me: ThreadId,
        limit: Option<Duration>,
    ) -> PyResult<Turn<Box<Session>>> {
        let asked = Instant::now();
        let mut importing = None;
        loop {
            let mut desk = lock(&self.desk);
            let first = lock(&self.queue).front().is_none_or(|first| *first == me);
            match std::mem::replace(&mut *desk, Desk::Closed) {
                Desk::Free(session) if first => {
                    *desk = Desk::Busy(me);
                    let ident = hotswap_cpython::threads::own_ident(py);
                    self.worker.store(ident, Ordering::SeqCst);
                    return Ok(Turn::Done(session));
                }
                Desk::Busy(owner) if owner == me => {
                    *desk = Desk::Busy(owner);
                    return Ok(Turn::Own);
                }
                Desk::Closed => {
                    return Err(raise(
                        py,
                        "NotWatchingError",
                        "this session was stopped".to_string(),
                    ));
                }
                taken => *desk = taken,
            }
            drop(desk);
            let mut queue = lock(&self.queue);
            if !queue.contains(&me) {
                queue.push_back(me);
            }
            drop(queue);
            let mut pause = Duration::from_millis(100);
            if let Some(limit) = limit {
                let left = limit.saturating_sub(asked.elapsed());
                if left.is_zero() {
                    return Ok(Turn::Others);
                }
                pause = pause.min(left);
            }
            py.detach(|| self.wait_for_turn(me, pause));
            py.check_signals()?;
            // The update may be waiting for the very module that this thread imports.
            if asked.elapsed() >= IMPORT_PATIENCE
                && *importing.get_or_insert_with(|| is_importing(py))
            {
                return Ok(Turn::Others);
            }
        }
    }

    /// Returns when it may be this thread's turn, or after this pause.
    fn wait_for_turn(&self, me: ThreadId, pause: Duration) {
        let desk = lock(&self.desk);
        let first = lock(&self.queue).front() == Some(&me);
        if !first || matches!(*desk, Desk::Busy(_)) {
            drop(self.freed.wait_timeout(desk, pause));
        }
    }

    fn ring(&self) {
        // A full bell is rung already.
        let _ = self.bell.0.try_send(());
    }

    /// Looks for imported modules when no import has begun for some time.
    fn look_for_imports_later(&self) {
        let begun = self.imports_begun.load(Ordering::SeqCst);
        *lock(&self.import_due) = Some((Instant::now() + IMPORT_QUIET, begun));
    }

    /// Whether it is time to look for imported modules.
    fn imports_are_due(&self, now: Instant) -> bool {
        let due = *lock(&self.import_due);
        let Some((_, begun)) = due.filter(|(due, _)| *due <= now) else {
            return false;
        };
        if begun != self.imports_begun.load(Ordering::SeqCst) {
            self.look_for_imports_later();
            return false;
        }
        *lock(&self.import_due) = None;
        // Whatever begins from here on is said again.
        self.imports_said.store(false, Ordering::SeqCst);
        true
    }

    /// Frees what an update has left behind.
    fn free_spent(&self) {
        let spent = match &mut *lock(&self.desk) {
            Desk::Free(session) => std::mem::take(&mut session.spent),
            _ => Vec::new(),
        };
        drop(spent);
    }

    fn wait_detached(&self, deadline: Option<Instant>) -> Awaited {
        let Some(events) = lock(&self.events).clone() else {
            return Awaited::Nothing;
        };
        let early = lock(&self.early)
            .clone()
            .unwrap_or_else(crossbeam_channel::never);
        loop {
            if self.stopped.load(Ordering::SeqCst) || self.process != std::process::id() {
                return Awaited::Nothing;
            }
            self.free_spent();
            let paused = self.paused.load(Ordering::SeqCst);
            let mut announced = lock(&self.announced);
            for event in events.try_iter() {
                announced.add(event);
            }
            let now = Instant::now();
            let retry = lock(&self.retry).map(|(due, _)| due).filter(|_| !paused);
            let due = retry.is_some_and(|due| due <= now);
            if !paused && (announced.uncertain || due || !announced.paths.is_empty()) {
                return Awaited::Changes;
            }
            drop(announced);
            if self.imports_are_due(now) {
                return Awaited::Imports;
            }
            let look = lock(&self.look).map(|(due, _)| due);
            if look.is_some_and(|due| due <= now) {
                return Awaited::Calls;
            }
            let import_due = lock(&self.import_due).map(|(due, _)| due);
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Awaited::Nothing;
            }
            let until = [import_due, deadline, retry, look]
                .into_iter()
                .flatten()
                .min();
            let timer = until.map_or_else(crossbeam_channel::never, crossbeam_channel::at);
            select! {
                recv(events) -> event => match event {
                    Ok(event) => lock(&self.announced).add(event),
                    Err(_) => return Awaited::Nothing,
                },
                recv(early) -> path => {
                    if let Ok(path) = path
                        && !paused
                    {
                        return Awaited::Early(path);
                    }
                }
                recv(self.bell.1) -> _ => {}
                recv(self.imports.1) -> _ => self.look_for_imports_later(),
                recv(timer) -> _ => {}
            }
        }
    }
}

/// Whether this thread is somewhere inside an `import`, and so holds the lock of a module.
fn is_importing(py: Python<'_>) -> bool {
    let walk = || -> PyResult<bool> {
        let mut frame = py.import("sys")?.getattr("_getframe")?.call0()?;
        while !frame.is_none() {
            let code = frame.getattr("f_code")?;
            let name: String = code.getattr("co_name")?.extract()?;
            let file: String = code.getattr("co_filename")?.extract()?;
            if name == "_find_and_load" && file.ends_with("importlib._bootstrap>") {
                return Ok(true);
            }
            frame = frame.getattr("f_back")?;
        }
        Ok(false)
    };
    walk().unwrap_or(false)
}

/// The report of a turn, or why there is none.
fn told<'py>(py: Python<'py>, turn: Turn<PyResult<ReportData>>) -> PyResult<Bound<'py, PyDict>> {
    let note = match turn {
        Turn::Done(report) => return report?.to_python(py),
        Turn::Own => "an update is in progress in this thread",
        Turn::Others => {
            "an update is in progress in another thread; it was not waited for any longer"
        }
    };
    let mut report = ReportData::new(0);
    report.notes.push(note.to_string());
    report.to_python(py)
}
