//! The frame in which a call goes on in another code object (CPython 3.9 and 3.10).
//!
//! A frame is an object of its own there, made as large as its code says. The call gets
//! another one: it holds what the old one held, variables by name, and the old one is
//! emptied. Until it is emptied nothing has happened that matters.

use std::ffi::c_int;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict};

use super::frame_object::{
    Frame, Object, TryBlock, UNIT, code_of, counted, frame_of, is_generator, is_running,
    replace_code_of, set_frame_of,
};
use super::slots::Slots;
use super::{Moved, NOT_BEGUN, Route, Target};
use crate::bytecode::HANDLED;
use crate::functions::closure_of;
use crate::once::intern;

unsafe extern "C" {
    fn PyFrame_New(
        thread: *mut ffi::PyThreadState,
        code: Object,
        globals: Object,
        locals: Object,
    ) -> Object;
    fn PyCode_Addr2Line(code: Object, offset: c_int) -> c_int;
}

/// `CO_OPTIMIZED`: the variables are in the frame, not in a namespace.
const OPTIMIZED: u32 = 0x1;
/// `CO_NEWLOCALS`.
const NEW_LOCALS: u32 = 0x2;
/// `CO_GENERATOR`, `CO_COROUTINE` and `CO_ASYNC_GENERATOR`.
const SUSPENDS: u32 = 0x20 | 0x80 | 0x200;

pub(super) fn refused<T>(reason: impl Into<String>) -> Result<T, String> {
    Err(reason.into())
}

/// What a move needs to know of both sides.
pub(super) struct Way<'a, 'py> {
    pub(super) old: &'a Bound<'py, PyCode>,
    pub(super) new: &'a Bound<'py, PyCode>,
    pub(super) old_slots: &'a Slots,
    pub(super) new_slots: &'a Slots,
    pub(super) target: &'a Target,
}

fn flags(code: &Bound<'_, PyCode>) -> Result<u32, String> {
    let flags = code.getattr(intern!(code.py(), "co_flags"));
    let flags = flags.and_then(|flags| flags.extract());
    flags.map_err(|error| error.to_string())
}

/// Makes the frame in which the call of `old` goes on; both hold everything then.
///
/// # Safety
///
/// `old` is the frame of a call in `way.old` at the place that `way.target` stands for. Its
/// stack is in memory: the interpreter calls back for it, or it is suspended.
pub(super) unsafe fn make<'py>(
    py: Python<'py>,
    old: Frame,
    way: &Way<'_, 'py>,
) -> Result<Bound<'py, PyAny>, String> {
    let (was, is) = (flags(way.old)?, flags(way.new)?);
    let same = OPTIMIZED | NEW_LOCALS | SUSPENDS;
    if was & same != is & same {
        return refused("the new code is of another kind");
    }
    let before = way.old_slots.names.len();
    if old.stack() != old.slot(before) {
        return refused("its stack is not understood");
    }
    let depth = old.depth().ok_or("its stack is not understood")?;
    if depth != way.target.depth as usize || depth > way.new_slots.stack {
        return refused("what it holds on its stack is not what the new code expects there");
    }
    let blocks = blocks(old, &way.target.blocks)?;
    let held: Vec<Object> = (0..before).map(|at| old.get_slot(at)).collect();
    // SAFETY: the words of the live frame.
    let values = unsafe { fill(py, way, &held, old.generator().is_null()) }?;
    // SAFETY: this thread is attached.
    let thread = unsafe { ffi::PyThreadState_Get() };
    let locals = match is & OPTIMIZED {
        0 => old.locals(),
        _ => std::ptr::null_mut(),
    };
    // SAFETY: a live code object, and a live namespace of its module; the locals are live
    // or null, as such code has them.
    let made = unsafe { PyFrame_New(thread, way.new.as_ptr(), old.globals(), locals) };
    // SAFETY: a new reference, or null with an exception.
    let made = unsafe { Bound::from_owned_ptr_or_err(py, made) };
    let made = made.map_err(|error| error.to_string())?;
    // SAFETY: it was just made, and lives as long as the reference.
    let frame = unsafe { Frame::of_object(made.as_ptr().cast()) };
    let after = way.new_slots.names.len();
    if frame.stack() != frame.slot(after) {
        return refused("the stack of a new frame is not understood");
    }
    if !frame.set_blocks(&blocks) {
        return refused("it is in more blocks than a call can be");
    }
    for (at, value) in values.into_iter().enumerate() {
        frame.set_slot(at, value.map_or(std::ptr::null_mut(), Bound::into_ptr));
    }
    for at in 0..depth {
        let word = old.get_slot(before + at);
        // SAFETY: a value on the stack of the live frame, or null.
        unsafe { ffi::Py_XINCREF(word) };
        frame.set_slot(after + at, word);
    }
    frame.set_depth(depth);
    let offset = match way.target.offset {
        NOT_BEGUN => {
            frame.set_not_begun();
            0
        }
        offset => {
            frame.go_on_at(offset);
            offset
        }
    };
    // SAFETY: a live code object; the call reads its table of lines.
    let line = unsafe { PyCode_Addr2Line(way.new.as_ptr(), offset as c_int) };
    frame.set_line(if cfg!(Py_3_10) { 0 } else { line });
    Ok(made)
}

/// The blocks of the new frame: those that the new code is in there. A handler that runs has
/// its exception on the stack, and must be at the same place of it; a `try` statement around
/// the call holds nothing.
fn blocks(old: Frame, expected: &[crate::bytecode::Block]) -> Result<Vec<TryBlock>, String> {
    let present = old.blocks();
    let handlers = present.iter().filter(|block| block.kind == HANDLED);
    let due = expected.iter().filter(|block| block.kind == HANDLED);
    if !handlers
        .map(|block| block.level)
        .eq(due.map(|block| block.level))
    {
        return refused("the new code handles other exceptions there");
    }
    let made = expected.iter().map(|block| TryBlock {
        kind: block.kind,
        handler: block.handler.map_or(-1, counted),
        level: block.level,
    });
    Ok(made.collect())
}

/// What each slot of the new frame gets, with references of its own.
///
/// # Safety
///
/// `held` are the words of a live frame that is in `way.old`.
///
/// `runs` says that it is a call of a function, which whoever calls it keeps alive.
unsafe fn fill<'py>(
    py: Python<'py>,
    way: &Way<'_, 'py>,
    held: &[Object],
    runs: bool,
) -> Result<Vec<Option<Bound<'py, PyAny>>>, String> {
    let (old, new) = (way.old_slots, way.new_slots);
    let mut given = Vec::new();
    for (name, make) in way.target.given.iter() {
        let value = make.bind(py).call0().map_err(|error| error.to_string())?;
        given.push((name, value));
    }
    let mut values = Vec::with_capacity(new.names.len());
    for (at, name) in new.names.iter().enumerate() {
        if new.position(name) != Some(at) {
            // An argument that is in a cell.
            values.push(None);
            continue;
        }
        let cell = match old.position(name) {
            Some(from) => {
                // SAFETY: a word of the live frame: a reference, or null.
                let word = unsafe { Bound::from_borrowed_ptr_or_opt(py, held[from]) };
                match old.cells[from] {
                    true => Holding::Cell(word.ok_or("a cell of it is missing")?),
                    false => Holding::Value(word),
                }
            }
            None if at >= new.free => {
                let cell = match runs {
                    true => cell_of_function(py, way, held, at),
                    false => None,
                };
                Holding::Cell(cell.ok_or_else(|| format!(
                    "the new code uses `{name}` of the function around it, which the call does not know"
                ))?)
            }
            None => Holding::Value(
                given
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| value.clone()),
            ),
        };
        let content = match &cell {
            Holding::Cell(cell) => content(cell),
            Holding::Value(value) => value.clone(),
        };
        if content.is_none() && way.target.needed.iter().any(|needed| needed == name) {
            return refused(format!(
                "the new code reads `{name}` there, which has no value in this call"
            ));
        }
        values.push(match (cell, new.cells[at]) {
            (Holding::Cell(cell), true) => Some(cell),
            (_, true) => {
                let content = content.map_or(std::ptr::null_mut(), |value| value.as_ptr());
                // SAFETY: makes a cell for a live value, or an empty one.
                let made = unsafe { ffi::PyCell_New(content) };
                // SAFETY: a new reference, or null with an exception.
                let made = unsafe { Bound::from_owned_ptr_or_err(py, made) };
                Some(made.map_err(|error| error.to_string())?)
            }
            (_, false) => content,
        });
    }
    Ok(values)
}

/// The cell of a free variable that the old code does not have. A frame does not know its
/// function: all functions that could be it must have the same cell.
fn cell_of_function<'py>(
    py: Python<'py>,
    way: &Way<'_, 'py>,
    held: &[Object],
    at: usize,
) -> Option<Bound<'py, PyAny>> {
    let (old, new) = (way.old_slots, way.new_slots);
    let functions = crate::heap::functions_with_code(py, std::slice::from_ref(way.new)).ok()?;
    let mut found: Option<Bound<'py, PyAny>> = None;
    for function in functions {
        let closure = closure_of(&function)?;
        let is_own = closure.iter().enumerate().all(|(index, cell)| {
            let Some(name) = new.names.get(new.free + index) else {
                return false;
            };
            let from = old.position(name).filter(|from| old.cells[*from]);
            from.is_none_or(|from| held[from] == cell.as_ptr())
        });
        if !is_own {
            continue;
        }
        let cell = closure.get_item(at - new.free).ok()?;
        if found
            .replace(cell.clone())
            .is_some_and(|other| !other.is(&cell))
        {
            return None;
        }
    }
    found
}

/// What a call has for a variable.
enum Holding<'py> {
    Cell(Bound<'py, PyAny>),
    Value(Option<Bound<'py, PyAny>>),
}

fn content<'py>(cell: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    // SAFETY: a live cell; the call gives a new reference or null.
    let content = unsafe { ffi::PyCell_Get(cell.as_ptr()) };
    // SAFETY: the reference is ours; null becomes `None`.
    unsafe { Bound::from_owned_ptr_or_opt(cell.py(), content) }
}

/// Empties a frame whose call goes on in another one, which gets what is not in the slots
/// too. Where somebody `keeps` the frame object, a debugger or the traceback of an exception,
/// it goes on to show the variables as they are now. What this gives back is dropped last:
/// code of the program may run then.
pub(super) fn hand_over<'py>(
    py: Python<'py>,
    old: Frame,
    new: Frame,
    way: &Way<'_, 'py>,
    keeps: bool,
) -> Vec<Bound<'py, PyAny>> {
    let variables = way.old_slots.names.len();
    let words = variables + old.depth().unwrap_or(0);
    let mut dropped = Vec::with_capacity(words);
    for at in if keeps { variables } else { 0 }..words {
        let word = old.get_slot(at);
        old.set_slot(at, std::ptr::null_mut());
        // SAFETY: the frame owned it, and does so no more.
        dropped.extend(unsafe { Bound::from_owned_ptr_or_opt(py, word) });
    }
    old.set_depth(0);
    old.set_blocks(&[]);
    new.set_tracing(old.tracing());
    old.set_tracing((std::ptr::null_mut(), 1, 0));
    if new.locals().is_null() && !keeps {
        new.set_locals(old.locals());
        old.set_locals(std::ptr::null_mut());
    }
    dropped
}

/// Takes variables that are no more out of the namespace that somebody has asked for. Code
/// of the program may run.
pub(super) fn forget_variables(py: Python<'_>, new: Frame, way: &Way<'_, '_>) {
    // SAFETY: a live object that the frame refers to, or null.
    let Some(locals) = (unsafe { Bound::from_borrowed_ptr_or_opt(py, new.locals()) }) else {
        return;
    };
    let Ok(locals) = locals.cast_into_exact::<PyDict>() else {
        return;
    };
    // The namespace of a module or class is no copy.
    if flags(way.new).map_or(true, |flags| flags & OPTIMIZED == 0) {
        return;
    }
    for name in &way.old_slots.names {
        if way.new_slots.position(name).is_none() {
            // It may not be there.
            drop(locals.del_item(name));
        }
    }
}

/// Moves a generator that does not run.
pub(super) fn move_generator(
    py: Python<'_>,
    generator: &Bound<'_, PyAny>,
    route: &Route<'_>,
) -> Moved {
    match moved(py, generator, route) {
        Ok(()) => Moved::Done,
        Err(reason) => Moved::Refused(reason),
    }
}

fn moved(py: Python<'_>, generator: &Bound<'_, PyAny>, route: &Route<'_>) -> Result<(), String> {
    if !is_generator(generator) {
        return refused("it is no generator");
    }
    let object = generator.as_ptr();
    let old = frame_of(object).ok_or("it has ended")?;
    if is_running(generator) || !old.is_idle() {
        return refused("it runs");
    }
    if old.code() != route.old.as_ptr() || code_of(object) != old.code() {
        return refused("it is not in the old code");
    }
    let found = match old.last() {
        None => route.suspensions.get(&NOT_BEGUN).map(|target| (0, target)),
        // Who waits for another is noted at the instruction before, to wait again.
        Some(last) => [0, UNIT].into_iter().find_map(|before| {
            let target = route.suspensions.get(&(last + before))?;
            Some((before, target))
        }),
    };
    let Some((before, target)) = found else {
        return refused("the new code has no place like the one it is suspended at");
    };
    let slots = |code| Slots::of(code).map_err(|error| error.to_string());
    let (old_slots, new_slots) = (slots(&route.old)?, slots(&route.new)?);
    let way = Way {
        old: &route.old,
        new: &route.new,
        old_slots: &old_slots,
        new_slots: &new_slots,
        target,
    };
    // SAFETY: the frame of a live generator that does not run.
    let made = unsafe { make(py, old, &way) }?;
    // SAFETY: it lives as long as the reference.
    let new = unsafe { Frame::of_object(made.as_ptr().cast()) };
    if target.offset != NOT_BEGUN {
        new.set_last(target.offset - before);
    }
    let caller = new.caller();
    new.set_caller(std::ptr::null_mut());
    #[cfg(Py_3_10)]
    new.set_state_of(old);
    // One reference is the generator's.
    let dropped = hand_over(py, old, new, &way, old.references() > 1);
    new.set_generator(object);
    old.set_generator(std::ptr::null_mut());
    old.set_ended();
    // The reference becomes the generator's.
    set_frame_of(object, made.into_ptr());
    let code = replace_code_of(object, route.new.clone().into_ptr());
    // From here on code of the program may run.
    forget_variables(py, new, &way);
    drop(dropped);
    for word in [code, caller, old.object()] {
        // SAFETY: the generator owned the code and the frame, the new frame its caller.
        unsafe { ffi::Py_XDECREF(word) };
    }
    Ok(())
}
