//! When this process began, in the terms of its system, and how its threads end.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// Never returns, and never asks for the interpreter again.
#[pyfunction]
pub(crate) fn park(py: Python<'_>) -> PyResult<()> {
    hotswap_cpython::threads::park(py)
}

/// Raises an exception of this class in a thread, whose instances park the thread that
/// makes them; waits until it is parked, at most this long. False: it is not.
#[pyfunction]
pub(crate) fn park_other(
    py: Python<'_>,
    ident: u64,
    kind: &Bound<'_, PyAny>,
    seconds: f64,
) -> bool {
    let before = hotswap_cpython::threads::parked();
    if !hotswap_cpython::threads::raise_in(ident, kind) {
        return false;
    }
    let deadline = Instant::now() + Duration::from_secs_f64(seconds.clamp(0.0, 60.0));
    while hotswap_cpython::threads::parked() == before {
        if Instant::now() >= deadline {
            return false;
        }
        py.detach(|| std::thread::sleep(Duration::from_millis(1)));
    }
    true
}

/// Nanoseconds since the epoch at which this process began (for a forked child: was
/// forked), rounded down to the clock tick; None where it cannot be told.
#[cfg(target_os = "linux")]
pub(crate) fn started_ns() -> Option<i128> {
    // The 22nd field of /proc/self/stat, after the command in parentheses, counts
    // ticks of 10 ms since the boot; see proc(5).
    let own = std::fs::read_to_string("/proc/self/stat").ok()?;
    let ticks: i128 = own
        .rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(19)?
        .parse()
        .ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .ok()?;
    let age = (uptime * 1e9) as i128 - ticks * 10_000_000;
    Some(now.as_nanos() as i128 - age)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn started_ns() -> Option<i128> {
    None
}
