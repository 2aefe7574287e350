//! Watching the backward jumps of old code, and of no other.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyCode;
use rustc_hash::FxHashMap;

use super::slots::Slots;
use super::{Route, Target, check_running};
use crate::once::intern;
use crate::support::{CpythonError, Result, Unsupported};

/// The numbers of tools that no kind of tool has for its own (PEP 669).
const TOOL_NUMBERS: [u8; 2] = [3, 4];

/// What is known of a watched code object.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) old: Py<PyCode>,
    pub(super) new: Py<PyCode>,
    pub(super) old_slots: Slots,
    pub(super) new_slots: Slots,
    pub(super) loops: FxHashMap<u32, Target>,
    outcome: Mutex<Outcome>,
}

#[derive(Debug, Default)]
struct Outcome {
    moved: u64,
    refusal: Option<String>,
}

impl Watched {
    pub(super) fn note(&self, outcome: super::Moved) {
        let mut known = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            super::Moved::Done => known.moved += 1,
            super::Moved::Refused(reason) => known.refusal = Some(reason),
        }
    }
}

/// What came of watching a code object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Armed {
    /// How many calls have gone on in the new code.
    pub moved: u64,
    /// Why one did not, last.
    pub refusal: Option<String>,
}

/// By the address of the old code. It is locked for moments only, in which nothing of
/// Python runs, so that no fork and no callback can find it locked.
static WATCHED: Mutex<Option<State>> = Mutex::new(None);

#[derive(Debug)]
struct State {
    tool: u8,
    by_code: FxHashMap<usize, Arc<Watched>>,
}

fn with_state<R>(work: impl FnOnce(&mut Option<State>) -> R) -> R {
    work(&mut WATCHED.lock().unwrap_or_else(PoisonError::into_inner))
}

pub(super) fn watched(code: usize) -> Option<Arc<Watched>> {
    with_state(|state| state.as_ref()?.by_code.get(&code).cloned())
}

/// Lets calls that are in `route.old` go on in `route.new` when they next jump back in a
/// loop. A code object that is watched already gets another way.
pub fn arm(py: Python<'_>, route: &Route<'_>) -> Result<()> {
    check_running(py)?;
    watch(py, route)
}

pub(super) fn watch(py: Python<'_>, route: &Route<'_>) -> Result<()> {
    let watched = Watched {
        old: route.old.clone().unbind(),
        new: route.new.clone().unbind(),
        old_slots: Slots::of(&route.old)?,
        new_slots: Slots::of(&route.new)?,
        loops: route.loops.clone(),
        outcome: Mutex::default(),
    };
    let monitoring = py
        .import(intern!(py, "sys"))?
        .getattr(intern!(py, "monitoring"))?;
    let jump = event(&monitoring)?;
    let tool = match with_state(|state| state.as_ref().map(|state| state.tool)) {
        Some(tool) => tool,
        None => take_number(&monitoring, &jump)?,
    };
    let none = 0;
    let set = intern!(py, "set_local_events");
    // What is entered in the middle of a loop was never asked whether somebody else watches
    // the program: setting events brings it up to date.
    monitoring.call_method1(set, (tool, &route.new, &jump))?;
    monitoring.call_method1(set, (tool, &route.new, none))?;
    let key = route.old.as_ptr() as usize;
    let replaced = with_state(|state| {
        let state = state.get_or_insert_with(|| State {
            tool,
            by_code: FxHashMap::default(),
        });
        state.by_code.insert(key, Arc::new(watched))
    });
    drop(replaced);
    monitoring.call_method1(set, (tool, &route.old, &jump))?;
    Ok(())
}

fn event<'py>(monitoring: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = monitoring.py();
    monitoring
        .getattr(intern!(py, "events"))?
        .getattr(intern!(py, "JUMP"))
}

/// Registers hotswap under a number that nobody uses.
fn take_number(monitoring: &Bound<'_, PyAny>, jump: &Bound<'_, PyAny>) -> Result<u8> {
    let py = monitoring.py();
    for number in TOOL_NUMBERS {
        let taken = monitoring.call_method1(intern!(py, "use_tool_id"), (number, "hotswap"));
        if taken.is_err() {
            continue;
        }
        let callback = pyo3::wrap_pyfunction!(at_jump, py)?;
        monitoring.call_method1(intern!(py, "register_callback"), (number, jump, callback))?;
        return Ok(number);
    }
    Err(CpythonError::Unsupported(Unsupported {
        capability: super::RUNNING,
        reason: "the numbers of sys.monitoring for other tools are all taken".to_string(),
    }))
}

/// Ends the watch over a code object; over the last one, gives the number back.
pub fn disarm(py: Python<'_>, code: &Bound<'_, PyCode>) -> Result<()> {
    let key = code.as_ptr() as usize;
    let (removed, tool, last) = with_state(|state| match state {
        None => (None, 0, false),
        Some(known) => {
            let removed = known.by_code.remove(&key);
            let (tool, last) = (known.tool, known.by_code.is_empty());
            if last {
                *state = None;
            }
            (removed, tool, last)
        }
    });
    if removed.is_none() {
        return Ok(());
    }
    let monitoring = py
        .import(intern!(py, "sys"))?
        .getattr(intern!(py, "monitoring"))?;
    monitoring.call_method1(intern!(py, "set_local_events"), (tool, code, 0))?;
    if last {
        let jump = event(&monitoring)?;
        monitoring.call_method1(intern!(py, "register_callback"), (tool, jump, py.None()))?;
        monitoring.call_method1(intern!(py, "free_tool_id"), (tool,))?;
    }
    Ok(())
}

/// What came of watching `code`; None if it is not watched.
#[must_use]
pub fn armed(code: &Bound<'_, PyCode>) -> Option<Armed> {
    let watched = watched(code.as_ptr() as usize)?;
    let known = watched
        .outcome
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    Some(Armed {
        moved: known.moved,
        refusal: known.refusal.clone(),
    })
}

/// Called by the interpreter when watched code jumps.
#[pyfunction]
fn at_jump(code: &Bound<'_, PyAny>, from: u32, to: u32) {
    let Some(watched) = watched(code.as_ptr() as usize) else {
        return;
    };
    #[cfg(all(Py_3_12, not(Py_3_14)))]
    if let Some(target) = watched.loops.get(&to) {
        let outcome = super::relocate::move_current(code.py(), &watched, from, to, target);
        watched.note(outcome);
    }
    #[cfg(not(all(Py_3_12, not(Py_3_14))))]
    let _ = (watched, from, to);
}
