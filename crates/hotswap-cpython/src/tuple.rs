//! Items of a live tuple.

use crate::once::intern;
use pyo3::exceptions::PyIndexError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::layout::{WORD, place, swap_pointer, verify};
use crate::support::{Result, Tested, Unsupported, raised, tested};

pub(crate) const CAPABILITY: &str = "tuple items";

/// Where the items of a tuple lie, and its remembered hash.
#[derive(Debug)]
pub(crate) struct Layout {
    items: usize,
    /// From 3.14 on a tuple remembers its hash; -1 means that it does not know.
    hash: Option<usize>,
}

/// Replaces one item of a tuple in place and returns the one that was there.
///
/// The hash of the tuple may change: a dict or set that has it as a key must be
/// built anew by the caller.
pub fn set_tuple_item<'py>(
    tuple: &Bound<'py, PyTuple>,
    index: usize,
    value: &Bound<'py, PyAny>,
) -> Result<Bound<'py, PyAny>> {
    let py = tuple.py();
    let layout = layout(py)?;
    if index >= tuple.len() {
        return Err(PyIndexError::new_err("tuple index out of range").into());
    }
    let old = write(layout, tuple, index, value);
    track(tuple, value);
    Ok(old)
}

fn write<'py>(
    layout: &Layout,
    tuple: &Bound<'py, PyTuple>,
    index: usize,
    value: &Bound<'py, PyAny>,
) -> Bound<'py, PyAny> {
    let new = value.clone().into_ptr();
    // SAFETY: the self-test found where items begin, the caller checked that
    // there are more than `index`, and we give a new reference away.
    let old = unsafe { swap_pointer(tuple, layout.items + index * WORD, new) };
    write_no_hash(layout, tuple);
    // SAFETY: the reference that the item owned is ours now; it is never null.
    unsafe { Bound::from_owned_ptr(tuple.py(), old) }
}

/// Makes a tuple compute its hash again when asked, because that of an item
/// changed. Nothing to do before 3.14.
pub(crate) fn forget_hash(tuple: &Bound<'_, PyTuple>) -> Result<()> {
    write_no_hash(layout(tuple.py())?, tuple);
    Ok(())
}

fn write_no_hash(layout: &Layout, tuple: &Bound<'_, PyTuple>) {
    if let Some(hash) = layout.hash {
        let field = place(tuple, hash).cast::<isize>();
        // SAFETY: the self-test found the field.
        unsafe { field.write(-1) };
    }
}

/// The collector forgets tuples of plain values, and must know of this one again
/// if it can now be part of a cycle.
fn track(tuple: &Bound<'_, PyTuple>, value: &Bound<'_, PyAny>) {
    // SAFETY: asks the type of a live object.
    if unsafe { ffi::PyObject_IS_GC(value.as_ptr()) } == 0 {
        return;
    }
    // SAFETY: reads the collector's mark of a live object.
    if unsafe { ffi::PyObject_GC_IsTracked(tuple.as_ptr()) } == 0 {
        // SAFETY: a complete object that the collector does not track yet.
        unsafe { ffi::PyObject_GC_Track(tuple.as_ptr().cast()) };
    }
}

/// Finds the items by making tuples of known objects.
pub(crate) fn layout(py: Python<'_>) -> std::result::Result<&'static Layout, Unsupported> {
    static LAYOUT: Tested<Layout> = Tested::new();
    tested(py, CAPABILITY, &LAYOUT, || test(py))
}

fn test(py: Python<'_>) -> std::result::Result<Layout, String> {
    let object = py
        .import(intern!(py, "builtins"))
        .and_then(|builtins| builtins.getattr(intern!(py, "object")))
        .map_err(raised)?;
    let specimen = || object.call0().map_err(raised);
    let (first, second, third) = (specimen()?, specimen()?, specimen()?);
    let tuple = PyTuple::new(py, [&first, &second]).map_err(raised)?;

    let sized = size_of::<ffi::PyVarObject>();
    let word = |index: usize| read(&tuple, sized + index * WORD);
    let item = |value: &Bound<'_, PyAny>| value.as_ptr() as usize;
    let layout = if cfg!(Py_3_14) {
        verify(word(0) == usize::MAX, "the hash of a tuple")?;
        let hash = tuple.hash().map_err(raised)?;
        verify(word(0) == hash.cast_unsigned(), "the hash of a tuple")?;
        Layout {
            items: sized + WORD,
            hash: Some(sized),
        }
    } else {
        Layout {
            items: sized,
            hash: None,
        }
    };
    let read_item = |index: usize| read(&tuple, layout.items + index * WORD);
    verify(read_item(0) == item(&first), "the first item of a tuple")?;
    verify(read_item(1) == item(&second), "the second item of a tuple")?;

    write(&layout, &tuple, 1, &third);
    let shown = tuple.get_item(1).map_err(raised)?;
    verify(shown.is(&third), "the second item of a tuple")?;
    Ok(layout)
}

/// Reads a word of a tuple that has two items, one of them maybe after a hash.
fn read(tuple: &Bound<'_, PyTuple>, offset: usize) -> usize {
    let word = place(tuple, offset).cast::<usize>();
    // SAFETY: the tuple's size field is followed by at least two words.
    unsafe { word.read() }
}
