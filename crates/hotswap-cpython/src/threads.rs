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
