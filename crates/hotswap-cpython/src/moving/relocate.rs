//! A call that goes on in another code object.

use std::ffi::c_int;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::frame::{Frame, OWNED_BY_GENERATOR, Object, UNIT, first_instruction, is_idle};
#[cfg(Py_3_12)]
use super::frame::{OWNED_BY_THREAD, data_stack};
use super::slots::Slots;
use super::watched::Watched;
use super::word::Word;
use super::{Moved, Route, Target, rooms};
use crate::once::intern;

pub(super) const NO_ROOM: &str =
    "the new code needs more room than the generator has, which was made for the old one";

pub(super) fn refused<T>(reason: impl Into<String>) -> Result<T, String> {
    Err(reason.into())
}

/// Moves the call that is jumping now.
///
/// `from` and `to` are the offsets of the jump, in bytes.
#[cfg(Py_3_12)]
pub(super) fn move_current(
    py: Python<'_>,
    watched: &Watched,
    from: u32,
    to: u32,
    target: &Target,
) -> Moved {
    let moved = current(py, watched, from, to).and_then(|(frame, room)| {
        let way = Way::of(watched, target);
        let next = first_instruction(way.new).wrapping_add((target.offset / UNIT) as usize);
        // SAFETY: the frame is that of the current call and is in the old code.
        unsafe { relocate(py, frame, &way, &room, next) }
    });
    match moved {
        Ok(()) => Moved::Done,
        Err(reason) => Moved::Refused(reason),
    }
}

/// Whether the call that is jumping now could be moved.
#[cfg(Py_3_12)]
pub(super) fn rehearse_current(
    py: Python<'_>,
    watched: &Watched,
    from: u32,
    to: u32,
    target: &Target,
) -> Result<(), String> {
    let (frame, room) = current(py, watched, from, to)?;
    // SAFETY: the frame is that of the current call and is in the old code.
    unsafe { rehearse(py, frame, &Way::of(watched, target), &room) }
}

/// The frame of the call that is jumping now, if it is where it says, and its room.
#[cfg(Py_3_12)]
fn current<'py>(
    py: Python<'py>,
    watched: &Watched,
    from: u32,
    to: u32,
) -> Result<(Frame, Room<'py>), String> {
    // SAFETY: the lock is held; the reference is borrowed from the frame, which is alive as
    // long as it runs, and it runs while its callback does.
    let object = unsafe { ffi::PyEval_GetFrame() };
    if object.is_null() {
        return refused("nothing runs");
    }
    // SAFETY: the call is in progress until this returns.
    let frame = unsafe { Frame::of_object(object) };
    // CPython 3.12 is at the destination when it calls back, 3.13 at the jump.
    let at = if cfg!(Py_3_13) { from } else { to };
    let expected = first_instruction(watched.old.as_ptr()).wrapping_add((at / UNIT) as usize);
    if frame.code() != watched.old.as_ptr() || frame.instruction() != expected {
        return refused("the call is at another place than it said");
    }
    let room = match frame.owner() {
        OWNED_BY_THREAD => Room::Thread,
        OWNED_BY_GENERATOR => {
            let generator = frame.generator(py)?;
            Room::Generator(rooms::of(&generator, &watched.old_slots), generator)
        }
        _ => return refused("the call has no place of its own"),
    };
    Ok((frame, room))
}

/// Moves a generator that does not run.
pub(super) fn move_generator(
    py: Python<'_>,
    generator: &Bound<'_, PyAny>,
    route: &Route<'_>,
) -> Moved {
    let moved = (|| {
        let slots = |code| Slots::of(code).map_err(|error| error.to_string());
        let (old_slots, new_slots) = (slots(&route.old)?, slots(&route.new)?);
        if !is_idle(generator)? {
            return refused("it runs");
        }
        let frame = Frame::inside(generator)?;
        let code = frame.code();
        if code != route.old.as_ptr() || frame.owner() != OWNED_BY_GENERATOR {
            return refused("it is not in the old code");
        }
        let distance = (frame.instruction() as isize) - (first_instruction(code) as isize);
        let distance = u32::try_from(distance).map_err(|_| "it is at an unknown place")?;
        // Which of the two instructions of a suspension is noted depends on the version.
        let found = [0, UNIT].into_iter().find_map(|behind| {
            let at = distance.checked_sub(behind)?;
            Some((behind, route.suspensions.get(&at)?))
        });
        let Some((behind, target)) = found else {
            return refused("the new code has no place like the one it is suspended at");
        };
        let way = Way {
            new: route.new.as_ptr(),
            old_slots: &old_slots,
            new_slots: &new_slots,
            target,
        };
        let next =
            first_instruction(way.new).wrapping_add(((target.offset + behind) / UNIT) as usize);
        let room = Room::Generator(rooms::of(generator, &old_slots), generator.clone());
        // SAFETY: the frame belongs to a live generator that does not run.
        unsafe { relocate(py, frame, &way, &room, next) }
    })();
    match moved {
        Ok(()) => Moved::Done,
        Err(reason) => Moved::Refused(reason),
    }
}

/// What a move needs to know of both sides.
pub(super) struct Way<'a> {
    pub(super) new: Object,
    pub(super) old_slots: &'a Slots,
    pub(super) new_slots: &'a Slots,
    pub(super) target: &'a Target,
}

impl<'a> Way<'a> {
    pub(super) fn of(watched: &'a Watched, target: &'a Target) -> Way<'a> {
        Way {
            new: watched.new.as_ptr(),
            old_slots: &watched.old_slots,
            new_slots: &watched.new_slots,
            target,
        }
    }
}

pub(super) enum Room<'py> {
    /// On the stack of the thread, which it may take more of.
    #[cfg(Py_3_12)]
    Thread,
    /// So many words on the stack of the thread.
    #[cfg(not(Py_3_12))]
    Reserved(usize),
    /// So many words inside this generator.
    Generator(usize, Bound<'py, PyAny>),
}

/// What becomes of a slot of the new frame.
enum Filling {
    /// The word of an old slot.
    Moved(usize),
    /// A new reference.
    Made(Object),
}

/// Drops what was made for a move that does not happen.
fn discard(fillings: Vec<Filling>) {
    for filling in fillings {
        if let Filling::Made(object) = filling {
            // SAFETY: made by `fill`, and given to nobody.
            unsafe { ffi::Py_XDECREF(object) };
        }
    }
}

/// Gives a frame another code object, its variables the slots they have there.
///
/// # Safety
///
/// `frame` is that of the current call of this thread, of one that waits for the current one
/// and has the room, or of a generator that does not run;
/// it is in `way.old` at the place that `way.target` stands for, and `next` is the
/// instruction of `way.new` to go on at.
pub(super) unsafe fn relocate(
    py: Python<'_>,
    frame: Frame,
    way: &Way<'_>,
    room: &Room<'_>,
    next: *mut u16,
) -> Result<(), String> {
    let (before, after) = (way.old_slots.names.len(), way.new_slots.names.len());
    // SAFETY: as the caller vouches.
    let examined = unsafe { examine(py, frame, way, room) }?;
    let noted = match room {
        Room::Generator(words, generator) => rooms::note(generator, *words),
        _ => Ok(()),
    };
    // As the last of what may fail: what was made for the new code may have let others run,
    // who ask for the object of the frame.
    let prepared = noted
        .map_err(|error| error.to_string())
        .and_then(|()| rooms::prepare_object(py, frame, way.old_slots, in_object(way, room)));
    if let Err(reason) = prepared {
        discard(examined.fillings);
        return Err(reason);
    }
    let Examined {
        depth,
        held,
        taken,
        fillings,
        ..
    } = examined;
    // From here on nothing can fail, and nothing of Python runs before the frame is whole.
    // From 3.14 on what lies on the stack may be held by a variable alone, which may go.
    #[cfg(Py_3_12)]
    let stack: Vec<Word> = held[before..]
        .iter()
        // SAFETY: words of the live frame.
        .map(|word| unsafe { word.kept() })
        .collect();
    #[cfg(not(Py_3_12))]
    let stack = &held[before..];
    let former = frame.code_word();
    for (at, filling) in fillings.iter().enumerate() {
        // There is room for all slots of the new code (see above).
        match filling {
            Filling::Moved(from) => frame.set_slot(at, held[*from]),
            Filling::Made(object) => frame.set_slot(at, Word::owning(*object)),
        }
    }
    for (at, word) in stack.iter().enumerate() {
        frame.set_slot(after + at, *word);
    }
    // SAFETY: a live code object; the reference becomes the frame's.
    unsafe { ffi::Py_INCREF(way.new) };
    frame.set_code(way.new);
    frame.set_instruction(next);
    frame.set_stack_top((after + depth) as c_int);
    #[cfg(Py_3_12)]
    if let Some(field) = examined.top_field {
        // SAFETY: a field of the state of the running thread, whose newest frame this is.
        unsafe { field.write(frame.slot(way.new_slots.size())) };
    }
    #[cfg(not(Py_3_12))]
    if let Room::Generator(_, generator) = room {
        // SAFETY: a live code object; the reference becomes the generator's.
        unsafe { ffi::Py_INCREF(way.new) };
        let old = super::frame::set_code_of_generator(generator, way.new);
        // SAFETY: the generator owned it.
        unsafe { ffi::Py_XDECREF(old) };
    }
    for (word, taken) in held[..before].iter().zip(&taken) {
        if !taken {
            // SAFETY: the frame owned it and does so no more. Code of the program may run.
            unsafe { word.release() };
        }
    }
    // SAFETY: the frame owned it.
    unsafe { former.release() };
    Ok(())
}

/// How many words the object of a frame must have room for.
fn in_object(way: &Way<'_>, room: &Room<'_>) -> usize {
    match room {
        Room::Generator(..) => way.new_slots.needed(),
        // Its stack is empty when the call ends.
        _ => way.new_slots.names.len(),
    }
}

/// Whether a frame could get another code object; nothing is written.
///
/// # Safety
///
/// As for [`relocate`].
pub(super) unsafe fn rehearse(
    py: Python<'_>,
    frame: Frame,
    way: &Way<'_>,
    room: &Room<'_>,
) -> Result<(), String> {
    // SAFETY: as the caller vouches.
    let examined = unsafe { examine(py, frame, way, room) }?;
    discard(examined.fillings);
    Ok(())
}

/// What a move is made of.
struct Examined {
    depth: usize,
    /// The words of the frame: its variables, and what lies on its stack.
    held: Vec<Word>,
    /// Which of them the new frame takes over.
    taken: Vec<bool>,
    fillings: Vec<Filling>,
    /// Where the end of the thread's newest frame is noted, if that is this one.
    #[cfg(Py_3_12)]
    top_field: Option<*mut *mut Object>,
}

/// Checks all that must hold for a move, and makes what it needs.
///
/// # Safety
///
/// As for [`relocate`].
unsafe fn examine(
    py: Python<'_>,
    frame: Frame,
    way: &Way<'_>,
    room: &Room<'_>,
) -> Result<Examined, String> {
    let (old, new) = (way.old_slots, way.new_slots);
    let (before, after) = (old.names.len(), new.names.len());
    let depth = usize::try_from(frame.stack_top())
        .ok()
        .and_then(|top| top.checked_sub(before))
        .ok_or("its stack is not understood")?;
    if depth != way.target.depth as usize || depth > new.stack {
        return refused("what it holds on its stack is not what the new code expects there");
    }
    rooms::examine_object(py, frame, old, in_object(way, room))?;
    #[cfg(Py_3_12)]
    let new_end = frame.slot(new.size());
    #[cfg(not(Py_3_12))]
    match room {
        Room::Generator(words, _) if *words < new.needed() => {
            return refused(NO_ROOM);
        }
        Room::Reserved(words) if *words < new.size() => {
            return refused("there is no room for the new code's variables");
        }
        Room::Generator(..) | Room::Reserved(_) => {}
    }
    #[cfg(Py_3_12)]
    let top_field = match room {
        Room::Generator(words, _) if *words < new.needed() => {
            return refused(NO_ROOM);
        }
        Room::Generator(..) => None,
        Room::Thread => {
            let (field, limit) = data_stack();
            // SAFETY: a field of the state of the running thread.
            let top = unsafe { field.read() };
            if top != frame.slot(old.size()) {
                return refused("something else lies behind it on the thread's stack");
            }
            if new_end > limit {
                return refused("the thread's stack has no room for the new code's variables here");
            }
            Some(field)
        }
    };
    let held: Vec<Word> = (0..before + depth).map(|at| frame.get_slot(at)).collect();
    let mut taken = vec![false; before];
    let mut fillings = Vec::with_capacity(after);
    // SAFETY: these are the words of the live frame.
    let filled = unsafe { fill(py, frame, way, &held, &mut taken, &mut fillings) };
    if let Err(reason) = filled {
        discard(fillings);
        return Err(reason);
    }
    Ok(Examined {
        depth,
        held,
        taken,
        fillings,
        #[cfg(Py_3_12)]
        top_field,
    })
}

/// Says what each slot of the new frame gets, and refuses if one lacks what it must have.
///
/// # Safety
///
/// `held` are the words of the live `frame`, which is in `way.old`.
unsafe fn fill(
    py: Python<'_>,
    frame: Frame,
    way: &Way<'_>,
    held: &[Word],
    taken: &mut [bool],
    fillings: &mut Vec<Filling>,
) -> Result<(), String> {
    let (old, new) = (way.old_slots, way.new_slots);
    let mut given = Vec::new();
    for (name, make) in way.target.given.iter() {
        let value = make.call0(py).map_err(|error| error.to_string())?;
        given.push((name, value));
    }
    for (at, name) in new.names.iter().enumerate() {
        let fresh = given
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(std::ptr::null_mut(), |(_, value)| value.as_ptr());
        let from = old.position(name).filter(|from| !taken[*from]);
        let filling = match from {
            Some(from) if old.cells[from] == new.cells[at] => {
                taken[from] = true;
                Filling::Moved(from)
            }
            Some(from) if new.cells[at] => {
                // SAFETY: a value of a live frame, or null: an empty cell.
                Filling::Made(unsafe { ffi::PyCell_New(held[from].object()) })
            }
            // SAFETY: the old slot holds a cell.
            Some(from) => Filling::Made(unsafe { content(held[from].object()) }),
            None if at >= new.free => {
                let cell = free_variable(py, frame, way, at - new.free).ok_or_else(|| {
                    format!(
                        "the new code uses `{name}` of the function around it, which the call does not know"
                    )
                })?;
                Filling::Made(cell.into_ptr())
            }
            None if new.cells[at] => {
                // SAFETY: makes a cell for a live value, or an empty one.
                Filling::Made(unsafe { ffi::PyCell_New(fresh) })
            }
            None => {
                // SAFETY: a live value, or null.
                unsafe { ffi::Py_XINCREF(fresh) };
                Filling::Made(fresh)
            }
        };
        let word = match &filling {
            Filling::Moved(from) => held[*from].object(),
            Filling::Made(object) => *object,
        };
        fillings.push(filling);
        if new.cells[at] && word.is_null() {
            // The interpreter has raised an error, which goes no further.
            drop(PyErr::take(py));
            return refused("there is no memory for a cell");
        }
        let empty = match new.cells[at] {
            true => {
                // SAFETY: it is a cell, and alive.
                let value = unsafe { content(word) };
                // SAFETY: the reference is ours, or null.
                unsafe { ffi::Py_XDECREF(value) };
                value.is_null()
            }
            false => word.is_null(),
        };
        if empty && way.target.needed.iter().any(|needed| needed == name) {
            return refused(format!(
                "the new code reads `{name}` there, which has no value in this call"
            ));
        }
    }
    Ok(())
}

/// A new reference to what a cell holds, or null.
///
/// # Safety
///
/// `cell` is a live cell.
unsafe fn content(cell: Object) -> Object {
    // SAFETY: as the caller vouches.
    unsafe { ffi::PyCell_Get(cell) }
}

/// The cell of a free variable of the new code, from the function's closure.
fn free_variable<'py>(
    py: Python<'py>,
    frame: Frame,
    way: &Way<'_>,
    index: usize,
) -> Option<Bound<'py, PyAny>> {
    // SAFETY: a live frame refers to its function, or to nothing.
    let function = unsafe { Bound::from_borrowed_ptr_or_opt(py, frame.function()) }?;
    let code = function.getattr_opt(intern!(py, "__code__")).ok()??;
    if code.as_ptr() != way.new {
        return None;
    }
    let closure = function.getattr(intern!(py, "__closure__")).ok()?;
    closure.cast_into::<PyTuple>().ok()?.get_item(index).ok()
}
