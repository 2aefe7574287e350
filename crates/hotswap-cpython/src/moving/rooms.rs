//! How much room generators and frame objects have for a frame.
//!
//! Both are made for the code that a call is in at that time, and do not note the size. Of
//! those that have been moved it is known from here.

use std::sync::{Mutex, PoisonError};

use pyo3::ffi;
use pyo3::prelude::*;
use rustc_hash::FxHashMap;

use super::frame::{Frame, OWNED_BY_GENERATOR, Object};
use super::remembered::Remembered;
use super::slots::Slots;
use crate::once::intern;

static MOVED: Remembered = Remembered::new();

/// How many words a generator has for variables and stack.
pub(super) fn of(generator: &Bound<'_, PyAny>, slots: &Slots) -> usize {
    MOVED.get(generator).unwrap_or_else(|| slots.size())
}

/// Notes the room of a generator that leaves the code it was made for.
///
/// After an error it must not be moved: it would count from then on as one that was made
/// for the code it is in.
pub(super) fn note(generator: &Bound<'_, PyAny>, words: usize) -> PyResult<()> {
    MOVED.insert(generator, words)
}

/// Forgets generators that are gone.
pub(super) fn tend(py: Python<'_>) {
    MOVED.tend(py);
}

/// Frame objects that somebody held while their call was moved, by address. Nothing tells
/// when one is gone: what is noted of it then counts for the next object at that address
/// too, which can only refuse more.
static OBJECTS: Mutex<Option<FxHashMap<usize, usize>>> = Mutex::new(None);

/// What becomes of the object of a frame whose call is moved.
enum Fate {
    /// There is none.
    Absent,
    /// Nobody but the frame holds it.
    Goes(Object),
    /// Somebody holds it, and it has so many words.
    Stays(Object, usize),
}

/// Whether the object of a frame, if there is one, has room for `needed` words or may go.
///
/// It stays here. The interpreter calls a trace function without a reference to it, and writes
/// into it afterwards (`call_trace` of `Python/ceval.c`, up to CPython 3.11).
pub(super) fn examine_object(
    py: Python<'_>,
    frame: Frame,
    slots: &Slots,
    needed: usize,
) -> Result<(), String> {
    fate(py, frame, slots, needed).map(drop)
}

/// Sees to it that the object of a frame, if there is one, has room for `needed` words.
///
/// When the call ends, and somebody holds the object, the variables are copied into it
/// (`take_ownership` of `Python/frame.c`). One that nobody else holds is given free; the
/// interpreter makes another when it is asked for.
pub(super) fn prepare_object(
    py: Python<'_>,
    frame: Frame,
    slots: &Slots,
    needed: usize,
) -> Result<(), String> {
    match fate(py, frame, slots, needed)? {
        Fate::Absent => {}
        Fate::Goes(object) => {
            frame.set_frame_object(std::ptr::null_mut());
            // SAFETY: the reference was the frame's, which does not have it any more.
            unsafe { ffi::Py_DECREF(object) };
        }
        Fate::Stays(object, room) => {
            let mut objects = OBJECTS.lock().unwrap_or_else(PoisonError::into_inner);
            let objects = objects.get_or_insert_with(FxHashMap::default);
            objects.insert(object as usize, room);
        }
    }
    Ok(())
}

fn fate(py: Python<'_>, frame: Frame, slots: &Slots, needed: usize) -> Result<Fate, String> {
    let address = frame.frame_object();
    if address.is_null() {
        return Ok(Fate::Absent);
    }
    // SAFETY: the frame holds a reference to its object.
    let object = unsafe { Bound::from_borrowed_ptr(py, address) };
    let traced = object.getattr(intern!(py, "f_trace"));
    let traced = traced.map_err(|error| error.to_string())?;
    // The frame's reference and this one. A debug build is particular about generators.
    let only_here = crate::heap::reference_count(&object) == Some(2);
    let may_go = !(cfg!(py_sys_config = "Py_DEBUG") && frame.owner() == OWNED_BY_GENERATOR);
    if only_here && traced.is_none() && may_go {
        return Ok(Fate::Goes(address));
    }
    let objects = OBJECTS.lock().unwrap_or_else(PoisonError::into_inner);
    let noted = objects
        .as_ref()
        .and_then(|objects| objects.get(&(address as usize)));
    let room = slots.needed();
    let room = noted.map_or(room, |noted| room.min(*noted));
    if room < needed {
        return Err(
            "its frame object is held, and has no room for the new code's variables".to_string(),
        );
    }
    Ok(Fate::Stays(address, room))
}
