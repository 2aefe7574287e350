//! Watching the backward jumps of old code, and of no other (CPython 3.12 and later).

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyCode;

use super::watched::{self, Watched};
#[cfg(all(Py_3_12, not(Py_3_15)))]
use super::{Moved, standing};
use super::{Route, check_running};
use crate::once::intern;
use crate::support::{CpythonError, Result, Unsupported};

/// The numbers of tools that no kind of tool has for its own (PEP 669).
const TOOL_NUMBERS: [u8; 2] = [3, 4];

/// The number that hotswap is registered under. It is locked for moments only.
static TOOL: Mutex<Option<u8>> = Mutex::new(None);

fn with_tool<R>(work: impl FnOnce(&mut Option<u8>) -> R) -> R {
    work(&mut TOOL.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Lets calls that are in `route.old` go on in `route.new` when they next jump back in a
/// loop. A code object that is watched already gets another way.
pub fn arm(py: Python<'_>, route: &Route<'_>) -> Result<()> {
    check_running(py)?;
    watch(py, route)
}

/// Looks again who is inside watched code: that is seen by itself here.
pub fn follow(_py: Python<'_>) -> Result<()> {
    Ok(())
}

pub(super) fn watch(py: Python<'_>, route: &Route<'_>) -> Result<()> {
    let watched = Watched::of(route)?;
    let monitoring = crate::import(py, "sys")?.getattr(intern!(py, "monitoring"))?;
    let jump = event(&monitoring)?;
    let tool = match with_tool(|tool| *tool) {
        Some(tool) => tool,
        None => take_number(&monitoring, &jump)?,
    };
    watched::insert(watched);
    let set = intern!(py, "set_local_events");
    monitoring.call_method1(set, (tool, &route.old, &jump))?;
    Ok(())
}

/// Tells code that is about to be entered in the middle of a loop who else watches the program:
/// it was never called, so the interpreter has not asked. Setting events has it ask.
///
/// Where nobody watches, the code is left alone: CPython 3.12 takes the pairs of instructions
/// apart that it runs as one in all code for which events were ever set, and for good.
#[cfg(all(Py_3_12, not(Py_3_15)))]
fn bring_up_to_date(py: Python<'_>, code: &Bound<'_, PyCode>) -> PyResult<()> {
    let monitoring = crate::import(py, "sys")?.getattr(intern!(py, "monitoring"))?;
    // Of tools and of trace functions. It is not documented; without it somebody may watch.
    let everywhere = monitoring.call_method0(intern!(py, "_all_events"));
    if everywhere.is_ok_and(|events| events.is_truthy().is_ok_and(|any| !any)) {
        return Ok(());
    }
    let Some(tool) = with_tool(|tool| *tool) else {
        return Ok(());
    };
    let set = intern!(py, "set_local_events");
    let own = monitoring.call_method1(intern!(py, "get_local_events"), (tool, code))?;
    let other = own.bitxor(event(&monitoring)?)?;
    monitoring.call_method1(set, (tool, code, other))?;
    monitoring.call_method1(set, (tool, code, own))?;
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
        with_tool(|tool| *tool = Some(number));
        return Ok(number);
    }
    Err(CpythonError::Unsupported(Unsupported {
        capability: super::RUNNING,
        reason: "the numbers of sys.monitoring for other tools are all taken".to_string(),
    }))
}

/// Ends the watch over a code object; over the last one, gives the number back.
pub fn disarm(py: Python<'_>, code: &Bound<'_, PyCode>) -> Result<()> {
    let Some(last) = watched::remove(code) else {
        return Ok(());
    };
    let tool = with_tool(|known| match last {
        true => known.take(),
        false => *known,
    });
    let Some(tool) = tool else { return Ok(()) };
    let monitoring = crate::import(py, "sys")?.getattr(intern!(py, "monitoring"))?;
    monitoring.call_method1(intern!(py, "set_local_events"), (tool, code, 0))?;
    if last {
        let jump = event(&monitoring)?;
        monitoring.call_method1(intern!(py, "register_callback"), (tool, jump, py.None()))?;
        monitoring.call_method1(intern!(py, "free_tool_id"), (tool,))?;
    }
    Ok(())
}

/// Called by the interpreter when watched code jumps.
#[pyfunction]
fn at_jump(code: &Bound<'_, PyAny>, from: u32, to: u32) {
    #[cfg(all(Py_3_12, not(Py_3_15)))]
    jumped(code, from, to);
    #[cfg(not(all(Py_3_12, not(Py_3_15))))]
    let _ = (code, from, to);
}

#[cfg(all(Py_3_12, not(Py_3_15)))]
fn jumped(code: &Bound<'_, PyAny>, from: u32, to: u32) {
    let (py, key) = (code.py(), code.as_ptr() as usize);
    let Some(mut watched) = watched::at(key) else {
        return;
    };
    let Some(target) = watched.loops.get(&to) else {
        return;
    };
    if standing::is_held(key) {
        if !standing::is_asked(py, key, to) {
            return;
        }
        if let Err(reason) = super::relocate::rehearse_current(py, &watched, from, to, target) {
            watched.note(Moved::Refused(reason));
            return;
        }
        standing::stand(py, key, to);
        if standing::is_held(key) {
            return;
        }
        // The code may lead to another place by now.
        match watched::at(key) {
            Some(now) => watched = now,
            None => return,
        }
    }
    if let Some(target) = watched.loops.get(&to) {
        if let Err(error) = bring_up_to_date(py, watched.new.bind(py)) {
            watched.note(Moved::Refused(error.to_string()));
            return;
        }
        let outcome = super::relocate::move_current(py, &watched, from, to, target);
        watched.note(outcome);
    }
}
