//! Other threads: an exception in one, and the end of one that never ends by itself.
//!
//! When the interpreter ends, CPython up to 3.13 ends every thread that then asks
//! for the lock of the interpreter by unwinding its stack, which crashes where
//! there are frames of Rust on it. A thread in the middle of an update must
//! therefore be kept from asking.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pyo3::ffi;
use pyo3::prelude::*;

static PARKED: AtomicUsize = AtomicUsize::new(0);

/// The number of this thread, as `threading.get_ident` gives it.
#[must_use]
pub fn own_ident(_py: Python<'_>) -> u64 {
    // SAFETY: the call has no conditions.
    unsafe { ffi::PyThread_get_thread_ident() as u64 }
}

/// Whether this is not a sub-interpreter.
#[must_use]
pub fn is_main_interpreter(_py: Python<'_>) -> bool {
    // SAFETY: this thread is attached.
    let present = unsafe { ffi::PyInterpreterState_Get() };
    // SAFETY: the call has no conditions while Python is initialised.
    present == unsafe { ffi::PyInterpreterState_Main() }
}

/// How far into the state of a thread its number is looked for; each state is longer.
const WORDS: usize = 30;

/// The number of the thread that initialised Python, as `threading.get_ident` would give
/// it there. `None`: it cannot be told, that thread's state is gone, or this is not the
/// interpreter which that thread is the main thread of.
///
/// The first state that an interpreter makes is numbered 1. Where a state keeps the
/// number of its thread is looked up in the state of this thread, whose number is known.
#[must_use]
pub fn first_ident(py: Python<'_>) -> Option<u64> {
    if !is_main_interpreter(py) {
        return None;
    }
    let own = usize::try_from(own_ident(py)).ok()?;
    // SAFETY: this thread is attached.
    let state = unsafe { ffi::PyThreadState_Get() };
    let mut equal = (0..WORDS).filter(|&at| word_of(state, at) == own);
    let (Some(place), None) = (equal.next(), equal.next()) else {
        return None;
    };
    // SAFETY: the call has no conditions while Python is initialised.
    let main = unsafe { ffi::PyInterpreterState_Main() };
    // SAFETY: the main interpreter lives as long as there are attached threads.
    let mut state = unsafe { ffi::PyInterpreterState_ThreadHead(main) };
    while !state.is_null() {
        // SAFETY: a state leaves the list, and is freed, by a thread that holds the lock
        // of the interpreter, as this one does now.
        if unsafe { ffi::PyThreadState_GetID(state) } == 1 {
            return u64::try_from(word_of(state, place)).ok();
        }
        // SAFETY: as above.
        state = unsafe { ffi::PyThreadState_Next(state) };
    }
    None
}

/// A word of a state that is alive; `at` is below [`WORDS`].
fn word_of(state: *mut ffi::PyThreadState, at: usize) -> usize {
    let place = state.cast::<usize>().wrapping_add(at);
    // SAFETY: inside of the state of a thread, which is longer than `WORDS` on every
    // version and consists of words and parts of words.
    unsafe { place.read() }
}

/// Raises an exception of this class in another thread, at its next bytecode.
/// False: there is no such thread.
pub fn raise_in(ident: u64, kind: &Bound<'_, PyAny>) -> bool {
    // SAFETY: this thread is attached; a class that is alive, of which the call takes a
    // reference of its own.
    let reached = unsafe { ffi::PyThreadState_SetAsyncExc(ident as _, kind.as_ptr()) };
    reached > 0
}

/// Lets go of the interpreter for ever.
pub fn park(py: Python<'_>) -> ! {
    PARKED.fetch_add(1, Ordering::SeqCst);
    py.detach(|| {
        loop {
            std::thread::sleep(Duration::from_secs(3600));
        }
    })
}

/// How many threads are parked.
#[must_use]
pub fn parked() -> usize {
    PARKED.load(Ordering::SeqCst)
}
