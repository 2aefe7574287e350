//! Code that is on a stack now.

use crate::once::intern;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyFrame};

use crate::commit::CollectorOff;
use crate::heap::{address, index};

/// One call that is in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningCall {
    /// The thread, as `threading.get_ident` names it.
    pub thread: u64,
    /// The position of the code object in the list that was asked for.
    pub code: usize,
    /// The line that runs now.
    pub line: i32,
    /// The qualified name of the function, from 3.11 on; before, its plain name.
    pub function: String,
}

/// A module body that is still running.
#[derive(Debug)]
pub struct ModuleInProgress<'py> {
    /// The thread, as `threading.get_ident` names it.
    pub thread: u64,
    /// The namespace of the module.
    pub globals: Bound<'py, PyDict>,
    /// The code of the body.
    pub code: Bound<'py, PyCode>,
    /// The line that runs now.
    pub line: i32,
}

/// Every call of one of `codes` on the stack of any thread, outermost last.
///
/// Suspended generators are on no stack; see
/// [`generators_with_code`](crate::heap::generators_with_code).
pub fn code_is_running(py: Python<'_>, codes: &[Bound<'_, PyCode>]) -> PyResult<Vec<RunningCall>> {
    let wanted = index(codes);
    let mut running = Vec::new();
    for_each_frame(py, &mut |thread, frame| {
        let code = code_of_frame(frame);
        if let Some(&position) = wanted.get(&address(&code)) {
            running.push(RunningCall {
                thread,
                code: position,
                line: line_of_frame(frame),
                function: name_of(&code)?,
            });
        }
        Ok(())
    })?;
    Ok(running)
}

/// Every module body on the stack of any thread.
pub fn modules_in_progress(py: Python<'_>) -> PyResult<Vec<ModuleInProgress<'_>>> {
    let mut found = Vec::new();
    let body = intern!(py, "<module>");
    for_each_frame(py, &mut |thread, frame| {
        let code = code_of_frame(frame);
        if code.getattr(intern!(py, "co_name"))?.eq(body)? {
            found.push(ModuleInProgress {
                thread,
                globals: frame.getattr(intern!(py, "f_globals"))?.cast_into()?,
                line: line_of_frame(frame),
                code,
            });
        }
        Ok(())
    })?;
    Ok(found)
}

/// How many threads are inside Python code, this one included.
pub fn threads(py: Python<'_>) -> usize {
    let _alone = alone(py);
    let frames =
        crate::import(py, "sys").and_then(|sys| sys.call_method0(intern!(py, "_current_frames")));
    frames.and_then(|frames| frames.len()).unwrap_or(1)
}

/// The frames of all calls on the stack of any thread.
pub(crate) fn all(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyFrame>>> {
    let mut found = Vec::new();
    for_each_frame(py, &mut |_, frame| {
        found.push(frame.clone());
        Ok(())
    })?;
    Ok(found)
}

/// The code objects that this thread runs, innermost first.
pub(crate) fn own(py: Python<'_>) -> impl Iterator<Item = Bound<'_, PyCode>> {
    // SAFETY: this thread is attached; the call lends a frame, or gives null.
    let frame = unsafe { ffi::PyEval_GetFrame() };
    // SAFETY: the stack keeps the frame alive; null becomes `None`.
    let frame = unsafe { Bound::from_borrowed_ptr_or_opt(py, frame.cast()) };
    // SAFETY: the call lends frames only.
    let frame = frame.map(|frame| unsafe { frame.cast_into_unchecked::<PyFrame>() });
    std::iter::successors(frame, caller).map(|frame| code_of_frame(&frame))
}

pub(crate) fn for_each_frame<'py>(
    py: Python<'py>,
    visit: &mut dyn FnMut(u64, &Bound<'py, PyFrame>) -> PyResult<()>,
) -> PyResult<()> {
    let _alone = alone(py);
    let threads: Bound<'py, PyDict> = crate::import(py, "sys")?
        .call_method0(intern!(py, "_current_frames"))?
        .cast_into()?;
    for (thread, frame) in threads {
        let thread: u64 = thread.extract()?;
        let mut frame = frame.cast_into::<PyFrame>().ok();
        while let Some(current) = frame {
            visit(thread, &current)?;
            frame = caller(&current);
        }
    }
    Ok(())
}

/// Lets nobody else run while the calls of other threads are looked at.
///
/// CPython 3.11 makes the object of a frame when it is asked for. That may start the
/// collector, a finaliser lets the other thread in, and when it is back the call whose frame
/// was to get an object has ended. From 3.12 on an allocation does not start it.
fn alone(py: Python<'_>) -> Option<CollectorOff<'_>> {
    match cfg!(Py_3_12) {
        true => None,
        false => CollectorOff::begin(py).ok(),
    }
}

fn code_of_frame<'py>(frame: &Bound<'py, PyFrame>) -> Bound<'py, PyCode> {
    // SAFETY: a live frame; the call gives a new reference, never null.
    let code = unsafe { ffi::PyFrame_GetCode(frame.as_ptr().cast()) };
    // SAFETY: the new reference is ours.
    let code = unsafe { Bound::from_owned_ptr(frame.py(), code.cast()) };
    // SAFETY: frames run code objects.
    unsafe { code.cast_into_unchecked() }
}

fn caller<'py>(frame: &Bound<'py, PyFrame>) -> Option<Bound<'py, PyFrame>> {
    // SAFETY: a live frame; the call gives a new reference or null.
    let back = unsafe { ffi::PyFrame_GetBack(frame.as_ptr().cast()) };
    // SAFETY: the new reference is ours; null becomes `None`.
    let back = unsafe { Bound::from_owned_ptr_or_opt(frame.py(), back.cast()) }?;
    // SAFETY: the caller of a frame is a frame.
    Some(unsafe { back.cast_into_unchecked() })
}

fn line_of_frame(frame: &Bound<'_, PyFrame>) -> i32 {
    // SAFETY: a live frame; the call only reads.
    unsafe { ffi::PyFrame_GetLineNumber(frame.as_ptr().cast()) }
}

fn name_of(code: &Bound<'_, PyCode>) -> PyResult<String> {
    let py = code.py();
    match code.getattr_opt(intern!(py, "co_qualname"))? {
        Some(name) => name.extract(),
        None => code.getattr(intern!(py, "co_name"))?.extract(),
    }
}
