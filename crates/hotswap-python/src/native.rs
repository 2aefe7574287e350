//! Threads and events of the system, whatever has been put in the place of `threading`.
//!
//! gevent and eventlet make Python's threads and locks into their own, all in one
//! thread of the system. The thread that applies updates waits for the watcher in
//! native code, which would stop all of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// As `threading.Event`, between threads of the system.
///
/// Whether it is set can be asked without a lock: in a forked child another thread may
/// hold that for ever.
#[pyclass(module = "hotswap._hotswap", frozen)]
#[derive(Default)]
pub(crate) struct Event {
    set: AtomicBool,
    waiting: Mutex<()>,
    changed: Condvar,
}

/// So long the wait goes on before Python is asked for signals.
const SIGNALS: Duration = Duration::from_millis(200);

#[pymethods]
impl Event {
    #[new]
    fn new() -> Event {
        Event::default()
    }

    fn set(&self) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.set.store(true, Ordering::SeqCst);
        drop(waiting);
        self.changed.notify_all();
    }

    fn clear(&self) {
        self.set.store(false, Ordering::SeqCst);
    }

    fn is_set(&self) -> bool {
        self.set.load(Ordering::SeqCst)
    }

    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let deadline = timeout
            .map(|seconds| Instant::now() + Duration::from_secs_f64(seconds.clamp(0.0, 1e9)));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let round = left.map_or(SIGNALS, |left| left.min(SIGNALS));
            let set = py.detach(|| {
                let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = (self.changed).wait_timeout_while(waiting, round, |()| !self.is_set());
                drop(waited);
                self.is_set()
            });
            if set || left.is_some_and(|left| left <= round) {
                return Ok(set);
            }
            py.check_signals()?;
        }
    }
}

/// Lets another thread run that waits for the GIL.
#[pyfunction]
pub(crate) fn give_way(py: Python<'_>) {
    py.detach(|| std::thread::sleep(crate::clock::GIVEN));
}

/// Runs a callable in a new thread of the system; what it raises is printed.
#[pyfunction]
pub(crate) fn start_thread(target: Py<PyAny>) -> PyResult<()> {
    let thread = std::thread::Builder::new().name("hotswap".into());
    thread.spawn(move || {
        Python::attach(|py| {
            if let Err(error) = target.call0(py) {
                error.write_unraisable(py, Some(target.bind(py)));
            }
            drop(target);
        });
    })?;
    Ok(())
}

/// The number of this thread of the system.
#[pyfunction]
pub(crate) fn thread_ident(py: Python<'_>) -> u64 {
    hotswap_cpython::threads::own_ident(py)
}

/// The number of the thread that initialised the interpreter, if that can be told.
#[pyfunction]
pub(crate) fn first_thread_ident(py: Python<'_>) -> Option<u64> {
    hotswap_cpython::threads::first_ident(py)
}

/// Whether this is not a sub-interpreter.
#[pyfunction]
pub(crate) fn is_main_interpreter(py: Python<'_>) -> bool {
    hotswap_cpython::threads::is_main_interpreter(py)
}
