//! How much room a generator has for its frame.
//!
//! It is made for the code that it begins in, and does not note the size. Of one that
//! has been moved it is known from here.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyWeakref, PyWeakrefMethods, PyWeakrefReference};
use rustc_hash::FxHashMap;

use super::slots::Slots;

/// A weak reference, which tells whether a generator is still the one, and its words.
type Room = (Py<PyWeakref>, usize);

/// By the address of the generator.
static MOVED: Mutex<Option<FxHashMap<usize, Room>>> = Mutex::new(None);

/// The table is swept when it has grown to this since it was swept last.
const SWEEP: usize = 256;

/// How many words a generator has for variables and stack.
pub(super) fn of(generator: &Bound<'_, PyAny>, slots: &Slots) -> usize {
    let key = generator.as_ptr() as usize;
    let known = MOVED.lock().unwrap_or_else(PoisonError::into_inner);
    let words = known.as_ref().and_then(|known| {
        let (reference, words) = known.get(&key)?;
        let same = reference.bind(generator.py()).upgrade();
        same.is_some_and(|same| same.is(generator))
            .then_some(*words)
    });
    words.unwrap_or_else(|| slots.size())
}

/// Notes the room of a generator that leaves the code it was made for.
///
/// An error of the interpreter is no reason not to move it: it counts from then on as one
/// that was made for the code it is in, so the caller must not go on after one.
pub(super) fn note(generator: &Bound<'_, PyAny>, words: usize) -> PyResult<()> {
    let py = generator.py();
    let reference = PyWeakrefReference::new(generator)?
        .into_any()
        .cast_into::<PyWeakref>()?;
    let key = generator.as_ptr() as usize;
    let mut dropped = Vec::new();
    {
        let mut known = MOVED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_with(FxHashMap::default);
        dropped.extend(known.insert(key, (reference.unbind(), words)));
        if known.len().is_multiple_of(SWEEP) {
            let dead = |reference: &Py<PyWeakref>| reference.bind(py).upgrade().is_none();
            let gone: Vec<usize> = known
                .iter()
                .filter(|(_, (reference, _))| dead(reference))
                .map(|(key, _)| *key)
                .collect();
            dropped.extend(gone.iter().filter_map(|key| known.remove(key)));
        }
    }
    drop(dropped);
    Ok(())
}
