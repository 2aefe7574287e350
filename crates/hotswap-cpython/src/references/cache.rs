//! The entries of a bounded `functools.lru_cache`.
//!
//! Each entry is a link that the cache's dict has as a value: an object that is
//! not tracked, with the key, its hash and the result. The hash must follow the
//! key, or the cache would unlink an entry that its dict still has.

use std::ffi::{c_int, c_void};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rustc_hash::FxHashMap;

use super::kind::name_of;
use crate::heap::{address, traverse};
use crate::layout::{BODY, WORD, place, read_word, size_of_body};
use crate::support::Result;
use crate::types::type_dict;

/// Empties an `lru_cache` and returns what it held, so that no finaliser of a result
/// runs before the caller lets go. `None`: it is not such a cache.
pub fn clear_lru_cache<'py>(cache: &Bound<'py, PyAny>) -> Result<Option<Vec<Bound<'py, PyAny>>>> {
    let kind = cache.get_type();
    if name_of(kind.as_type_ptr()) != "functools._lru_cache_wrapper" {
        return Ok(None);
    }
    let mut held = links_of(cache);
    for entries in dicts_of(cache) {
        held.push(entries.copy()?.into_any());
    }
    // By the type's own method: the wrapper may have an attribute of that name.
    if let Some(clear) = type_dict(&kind).get_item("cache_clear")? {
        clear.call1((cache,))?;
    }
    Ok(Some(held))
}

/// Empties a cache and gives it back what [`clear_lru_cache`] had returned. False: it
/// has a bound, and its results come in links that cannot be put back.
pub fn refill_lru_cache<'py>(
    cache: &Bound<'py, PyAny>,
    held: &[Bound<'py, PyAny>],
) -> Result<bool> {
    if held.iter().any(is_link) {
        return Ok(false);
    }
    clear_lru_cache(cache)?;
    for (now, before) in dicts_of(cache).iter().zip(held) {
        // The dict of attributes was never emptied.
        if let (true, Ok(before)) = (now.is_empty(), before.cast::<PyDict>()) {
            // Into an empty dict the interpreter copies entries with the hashes they have.
            now.update(before.as_mapping())?;
        }
    }
    Ok(true)
}

/// The words of the cache's links that are equal to the address of a target.
pub(super) fn results_in<'py>(
    cache: &Bound<'py, PyAny>,
    targets: &FxHashMap<usize, usize>,
) -> Vec<(usize, Bound<'py, PyAny>, usize)> {
    let mut found = Vec::new();
    for link in links_of(cache) {
        for offset in words(&link) {
            let target = read_word(&link, offset).and_then(|word| targets.get(&word));
            if let Some(&target) = target {
                found.push((target, link.clone(), offset));
            }
        }
    }
    found
}

/// The hash that a link remembers for its key.
#[derive(Debug)]
pub(super) struct RememberedHash {
    link: Py<PyAny>,
    key: Py<PyAny>,
    offset: usize,
}

impl RememberedHash {
    /// How many references to an object this holds.
    pub(super) fn holds(&self, object: &Bound<'_, PyAny>) -> usize {
        usize::from(self.link.is(object)) + usize::from(self.key.is(object))
    }

    /// Finds those that depend on one of `keys`; `None` if one cannot be told.
    pub(super) fn all_in<'py>(
        cache: &Bound<'py, PyAny>,
        keys: &[&Bound<'py, PyAny>],
    ) -> Result<Option<Vec<Self>>> {
        let mut found = Vec::new();
        for link in links_of(cache) {
            for key in keys {
                if !words(&link).any(|offset| read_word(&link, offset) == Some(address(key))) {
                    continue;
                }
                let hash = key.hash()?.cast_unsigned();
                let mut equal = words(&link).filter(|&at| read_word(&link, at) == Some(hash));
                let (Some(offset), None) = (equal.next(), equal.next()) else {
                    return Ok(None);
                };
                found.push(Self {
                    link: link.clone().unbind(),
                    key: (*key).clone().unbind(),
                    offset,
                });
            }
        }
        let complete = found.len() == keys.len();
        Ok(complete.then_some(found))
    }

    /// Writes what the hash of the key is now.
    pub(super) fn renew(&self, py: Python<'_>) -> Result<()> {
        let hash = self.key.bind(py).hash()?;
        let field = place(self.link.bind(py), self.offset).cast::<isize>();
        // SAFETY: the only word of this live link that was equal to the hash of
        // its key, so the field that remembers it.
        unsafe { field.write(hash) };
        Ok(())
    }
}

fn words(link: &Bound<'_, PyAny>) -> impl Iterator<Item = usize> + use<> {
    (BODY..size_of_body(link)).step_by(WORD)
}

/// All links of a cache. One without entries, or without a bound, has none.
fn links_of<'py>(cache: &Bound<'py, PyAny>) -> Vec<Bound<'py, PyAny>> {
    let mut links = Vec::new();
    for entries in dicts_of(cache) {
        let values = entries.iter().map(|(_, value)| value);
        links.extend(values.filter(is_link));
    }
    links
}

/// The dicts of a cache: that of its entries, and that of its attributes.
fn dicts_of<'py>(cache: &Bound<'py, PyAny>) -> Vec<Bound<'py, PyDict>> {
    let mut shown: Vec<*mut ffi::PyObject> = Vec::new();
    traverse(cache, note, (&raw mut shown).cast());
    let objects = shown.into_iter().map(|object| {
        // SAFETY: the cache owns what its traversal has just shown.
        unsafe { Bound::from_borrowed_ptr(cache.py(), object) }
    });
    objects
        .filter_map(|object| object.cast_into_exact::<PyDict>().ok())
        .collect()
}

fn is_link(object: &Bound<'_, PyAny>) -> bool {
    name_of(object.get_type_ptr()) == "functools._lru_list_elem"
}

extern "C" fn note(object: *mut ffi::PyObject, shown: *mut c_void) -> c_int {
    // SAFETY: `dicts_of` passes its own vector, which nothing else uses while
    // the cache is traversed.
    let shown = unsafe { &mut *shown.cast::<Vec<*mut ffi::PyObject>>() };
    shown.push(object);
    0
}
