//! The way into other processes, as Python sees it.

use std::time::Duration;

use hotswap_attach::{Request, attach as attach_to, processes};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::error::raise;

/// Starts ASCII source in another process; see `hotswap_attach::Request`.
///
/// Returns a dict: `channel` (the descriptor of this process's end of the socket pair, which
/// the caller owns), `thread`, `reason`, `tries`, `pause` (seconds) and `interpreter`.
#[pyfunction]
pub(crate) fn attach<'py>(
    py: Python<'py>,
    pid: i32,
    source: String,
    patience: f64,
    despite_seccomp: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let patience = Duration::from_secs_f64(patience.clamp(0.0, 1e6));
    let request = Request {
        pid,
        source,
        patience,
        despite_seccomp,
    };
    let done = py.detach(|| attach_to(&request)).map_err(|error| {
        let class = if error.is_about_rights() {
            "TraceError"
        } else {
            "AttachError"
        };
        raise(py, class, error.to_string())
    })?;
    let result = PyDict::new(py);
    result.set_item("thread", done.thread)?;
    result.set_item("reason", done.reason)?;
    result.set_item("tries", done.tries)?;
    result.set_item("pause", done.pause.as_secs_f64())?;
    result.set_item("interpreter", done.interpreter)?;
    #[cfg(unix)]
    result.set_item("channel", std::os::fd::IntoRawFd::into_raw_fd(done.channel))?;
    Ok(result)
}

/// The Python processes that this one may look into: dicts with `pid`, `uid`, `version`,
/// `command` and `hotswap`.
#[pyfunction]
pub(crate) fn python_processes(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for process in py.detach(processes) {
        let entry = PyDict::new(py);
        entry.set_item("pid", process.pid)?;
        entry.set_item("uid", process.uid)?;
        entry.set_item("version", process.version)?;
        entry.set_item("command", process.command)?;
        entry.set_item("hotswap", process.has_hotswap)?;
        list.append(entry)?;
    }
    Ok(list)
}

/// A descriptor of a file that is in memory only, with this content.
///
/// As `os.memfd_create`, which interpreters lack that were built for old systems.
#[pyfunction]
#[cfg(target_os = "linux")]
pub(crate) fn memory_file(name: &str, content: &[u8]) -> PyResult<i32> {
    use std::io::Write;
    use std::os::fd::IntoRawFd;

    let descriptor = nix::sys::memfd::memfd_create(name, nix::sys::memfd::MFdFlags::MFD_CLOEXEC)
        .map_err(|error| std::io::Error::from_raw_os_error(error as i32))?;
    let mut file = std::fs::File::from(descriptor);
    file.write_all(content)?;
    Ok(file.into_raw_fd())
}

/// As on Linux; here it raises `OSError`.
#[pyfunction]
#[cfg(not(target_os = "linux"))]
pub(crate) fn memory_file(_name: &str, _content: &[u8]) -> PyResult<i32> {
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported).into())
}
