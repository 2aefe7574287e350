//! Iterators that are on their way through a dict or set.
//!
//! They stop with an error when the number of entries changes under them. So before a
//! container is written to, they are given another one to go through: its old content.

use pyo3::prelude::*;

use super::kind::name_of;
use super::place::Place;
use super::{Located, References, Replaced, Replacement};
use crate::commit::AtomicSection;
use crate::heap::{address, scan_references};
use crate::layout::{BODY, WORD, read_word, size_of_body};
use crate::support::Result;

/// Of these one word refers to what they go through; all others are numbers, or a
/// tuple of their own.
const ITERATORS: &[&str] = &[
    "dict_keyiterator",
    "dict_valueiterator",
    "dict_itemiterator",
    "dict_reversekeyiterator",
    "dict_reversevalueiterator",
    "dict_reverseitemiterator",
    "set_iterator",
];

/// Lets every iterator over an old container go on through the new one, which must be a
/// copy of it; all other references stay. One pass over the heap; runs no Python code.
pub fn redirect_iterators<'py>(py: Python<'py>, pairs: &[Replacement<'py>]) -> Result<Replaced> {
    let _section = AtomicSection::enter(py)?;
    let old: Vec<Bound<'py, PyAny>> = pairs.iter().map(|pair| pair.old.clone()).collect();
    let mut located = Vec::new();
    for (holder, target) in scan_references(py, &old, &mut |_| ())? {
        // SAFETY: the scan saw this live object, and nothing ran since then.
        let holder = unsafe { Bound::from_borrowed_ptr(py, holder) };
        if !ITERATORS.contains(&name_of(holder.get_type_ptr()).as_str()) {
            continue;
        }
        let wanted = Some(address(&old[target]));
        let mut words = (BODY..size_of_body(&holder))
            .step_by(WORD)
            .filter(|&at| read_word(&holder, at) == wanted);
        if let (Some(offset), None) = (words.next(), words.next()) {
            located.push(Located {
                target,
                holder: holder.unbind(),
                place: Place::Word(offset),
            });
        }
    }
    let found = References {
        pairs: pairs.to_vec(),
        located,
        rebuilds: Vec::new(),
        emptied: Vec::new(),
        left: Vec::new(),
        unseen: Vec::new(),
    };
    found.replace(py, &[])
}
