//! Which capability exists in this process, and why another does not.

use std::fmt;

use pyo3::prelude::*;

use crate::once::Once;
use crate::{audit, code, functions, gate, heap, home, lines, moving, rings, tuple, versions};

/// The last minor version of CPython whose layout hotswap has been told about.
const NEWEST_MINOR: u8 = 15;
const OLDEST_MINOR: u8 = 9;

/// The result of a function of this crate.
pub type Result<T> = std::result::Result<T, CpythonError>;

/// What went wrong in a function of this crate.
#[derive(Debug)]
pub enum CpythonError {
    /// This interpreter does not offer what the function needs.
    Unsupported(Unsupported),
    /// The interpreter refused, with the exception it raised.
    Python(PyErr),
}

/// A capability that is absent in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The capability's name, as [`capabilities`] lists it.
    pub capability: &'static str,
    /// Why it is absent, for people.
    pub reason: String,
}

/// One line of the list that `hotswap doctor` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// A short name that stays the same between versions.
    pub name: &'static str,
    /// Whether the self-test passed in this process.
    pub available: bool,
    /// Why it is absent; empty when it is available.
    pub reason: String,
}

/// Tests every capability, once a process, and lists them.
pub fn capabilities(py: Python<'_>) -> Vec<Capability> {
    vec![
        capability(functions::CAPABILITY, functions::layout(py).err()),
        capability(code::CAPABILITY, code::layout(py).err()),
        capability(code::CONSTANTS, code::constants_are_writable(py).err()),
        capability(lines::CAPABILITY, lines::check(py).err()),
        capability(tuple::CAPABILITY, tuple::layout(py).err()),
        capability(heap::CAPABILITY, heap::check(py).err()),
        capability(rings::CAPABILITY, heap::check_frozen(py).err()),
        capability(audit::CAPABILITY, audit::check().err()),
        capability(home::CAPABILITY, home::check(py).err()),
        capability(moving::CAPABILITY, moving::check(py).err()),
        capability(moving::RUNNING, moving::check_running(py).err()),
        capability(versions::CAPABILITY, versions::separate(py).err()),
        capability(gate::CAPABILITY, gate::check(py).err()),
    ]
}

fn capability(name: &'static str, absent: Option<Unsupported>) -> Capability {
    Capability {
        name,
        available: absent.is_none(),
        reason: absent.map(|absent| absent.reason).unwrap_or_default(),
    }
}

/// The outcome of a self-test, kept for the life of the process.
pub(crate) type Tested<T> = Once<std::result::Result<T, String>>;

/// Runs `test` unless it ran before, and only on interpreters that may have `name`.
///
/// It may run in two threads at once: what it changes is its own.
pub(crate) fn tested<'a, T: Send + Sync>(
    py: Python<'_>,
    name: &'static str,
    outcome: &'a Tested<T>,
    test: impl FnOnce() -> std::result::Result<T, String>,
) -> std::result::Result<&'a T, Unsupported> {
    outcome
        .get_or_init(|| known_interpreter(py).and_then(|()| test()))
        .as_ref()
        .map_err(|reason| Unsupported {
            capability: name,
            reason: reason.clone(),
        })
}

/// Refuses interpreters whose layout nobody has looked at.
pub(crate) fn known_interpreter(py: Python<'_>) -> std::result::Result<(), String> {
    let version = py.version_info();
    let known = version.major == 3 && (OLDEST_MINOR..=NEWEST_MINOR).contains(&version.minor);
    if !known {
        return Err(format!(
            "CPython {}.{} is not known to this version of hotswap",
            version.major, version.minor
        ));
    }
    if cfg!(Py_GIL_DISABLED) {
        return Err("this is a free-threaded build, where other threads may be reading".into());
    }
    Ok(())
}

/// Makes the text of a failed self-test out of an exception.
pub(crate) fn raised(error: PyErr) -> String {
    format!("the self-test raised {error}")
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not available: {}", self.capability, self.reason)
    }
}

impl std::error::Error for Unsupported {}

impl fmt::Display for CpythonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(unsupported) => unsupported.fmt(f),
            Self::Python(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CpythonError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unsupported(unsupported) => Some(unsupported),
            Self::Python(error) => Some(error),
        }
    }
}

impl From<Unsupported> for CpythonError {
    fn from(unsupported: Unsupported) -> Self {
        Self::Unsupported(unsupported)
    }
}

impl From<PyErr> for CpythonError {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}
