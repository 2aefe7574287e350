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
    let mut shown: Vec<*mut ffi::PyObject> = Vec::new();
    traverse(cache, note, (&raw mut shown).cast());
    let mut links = Vec::new();
    for object in shown {
        // SAFETY: the cache owns what its traversal has just shown.
        let object = unsafe { Bound::from_borrowed_ptr(cache.py(), object) };
        if let Ok(entries) = object.cast_exact::<PyDict>() {
            let values = entries.iter().map(|(_, value)| value);
            links.extend(values.filter(is_link));
        }
    }
    links
}

fn is_link(object: &Bound<'_, PyAny>) -> bool {
    name_of(object.get_type_ptr()) == "functools._lru_list_elem"
}

extern "C" fn note(object: *mut ffi::PyObject, shown: *mut c_void) -> c_int {
    // SAFETY: `links_of` passes its own vector, which nothing else uses while
    // the cache is traversed.
    let shown = unsafe { &mut *shown.cast::<Vec<*mut ffi::PyObject>>() };
    shown.push(object);
    0
}
