//! Reading and writing the words of an object's body, and finding known values there.

use pyo3::ffi;
use pyo3::prelude::*;

pub(crate) const WORD: usize = size_of::<usize>();
/// Where the fields of a type without a size field begin.
pub(crate) const BODY: usize = size_of::<ffi::PyObject>();

/// The size of `object` without its items, as its type states it.
pub(crate) fn size_of_body(object: &Bound<'_, PyAny>) -> usize {
    // SAFETY: the type of a live object is alive.
    unsafe { size_of_type(object.get_type_ptr()) }
}

/// The size of the objects of a type without their items, in bytes.
///
/// # Safety
///
/// The type is alive.
pub(crate) unsafe fn size_of_type(kind: *mut ffi::PyTypeObject) -> usize {
    // SAFETY: as the caller vouches.
    let size = usize::try_from(unsafe { (*kind).tp_basicsize }).unwrap_or(0);
    #[cfg(all(Py_3_11, not(Py_3_12)))]
    if size == GENERATOR + GENERATOR_ROOM && generator_types().contains(&kind) {
        return GENERATOR;
    }
    size
}

/// The size of a generator without the variables of its frame, in bytes: ten words and the
/// nine of a frame (`Include/cpython/genobject.h`, `Include/internal/pycore_frame.h`).
#[cfg(all(Py_3_11, not(Py_3_12)))]
pub(crate) const GENERATOR: usize = 19 * WORD;

/// How many bytes [`enlarge_generator_types`] adds. What it has done is seen by the size
/// alone: the types outlive an interpreter, and every copy of this library.
#[cfg(all(Py_3_11, not(Py_3_12)))]
pub(crate) const GENERATOR_ROOM: usize = 16 * WORD;

/// Those of generators, coroutines and asynchronous generators.
#[cfg(all(Py_3_11, not(Py_3_12)))]
pub(crate) fn generator_types() -> [*mut ffi::PyTypeObject; 3] {
    use std::ptr::addr_of_mut;
    [
        addr_of_mut!(ffi::PyGen_Type),
        addr_of_mut!(ffi::PyCoro_Type),
        addr_of_mut!(ffi::PyAsyncGen_Type),
    ]
}

/// Has the interpreter make larger generators; a second call does nothing.
///
/// # Safety
///
/// The lock is held, and nothing but the making of a generator reads the size.
#[cfg(all(Py_3_11, not(Py_3_12)))]
pub(crate) unsafe fn enlarge_generator_types() {
    for kind in generator_types() {
        let size = (GENERATOR + GENERATOR_ROOM).cast_signed();
        // SAFETY: a type of the interpreter; as the caller vouches.
        unsafe { (*kind).tp_basicsize = size };
    }
}

/// The word at `offset` of `object`, or `None` where its body has ended.
pub(crate) fn read_word(object: &Bound<'_, PyAny>, offset: usize) -> Option<usize> {
    if offset.checked_add(WORD)? > size_of_body(object) {
        return None;
    }
    let place = place(object, offset);
    // SAFETY: the word lies inside the body of a live object (checked above),
    // and the lock of the interpreter keeps others from writing to it.
    Some(unsafe { place.cast::<usize>().read_unaligned() })
}

/// The pointer-sized place at `offset` bytes from the start of `object`.
pub(crate) fn place(object: &Bound<'_, PyAny>, offset: usize) -> *mut u8 {
    object.as_ptr().cast::<u8>().wrapping_add(offset)
}

/// Writes `value` at `offset` and returns the pointer that was there.
///
/// # Safety
///
/// `offset` must be that of a field of `object` that owns a reference (or is
/// null). The caller becomes the owner of the returned reference, and gives
/// away one reference to `value`.
pub(crate) unsafe fn swap_pointer(
    object: &Bound<'_, PyAny>,
    offset: usize,
    value: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let field = place(object, offset).cast::<*mut ffi::PyObject>();
    // SAFETY: the caller vouches that this is a pointer field of a live object.
    unsafe { field.replace(value) }
}

/// Finds the one word of `object` that equals the address of `pointee`.
pub(crate) fn find_pointer(
    object: &Bound<'_, PyAny>,
    pointee: &Bound<'_, PyAny>,
    field: &str,
) -> std::result::Result<usize, String> {
    let wanted = pointee.as_ptr() as usize;
    only(
        (BODY..size_of_body(object))
            .step_by(WORD)
            .filter(|&offset| read_word(object, offset) == Some(wanted)),
        field,
    )
}

/// Whether the word at `offset` of `object` is the address of `pointee`.
pub(crate) fn points_to(
    object: &Bound<'_, PyAny>,
    offset: usize,
    pointee: &Bound<'_, PyAny>,
) -> bool {
    read_word(object, offset) == Some(pointee.as_ptr() as usize)
}

/// The only offset among `found`, or the reason why there is none.
pub(crate) fn only(
    mut found: impl Iterator<Item = usize>,
    field: &str,
) -> std::result::Result<usize, String> {
    match (found.next(), found.next()) {
        (Some(offset), None) => Ok(offset),
        (None, _) => Err(format!("no field of the object looks like {field}")),
        (Some(_), Some(_)) => Err(format!("several fields of the object look like {field}")),
    }
}

/// `Ok` when `holds`, else the reason that `field` is not where it was thought to be.
pub(crate) fn verify(holds: bool, field: &str) -> std::result::Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("{field} was found, but a check of it failed"))
    }
}
