//! Which code objects are watched, and what came of it.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyCode;
use rustc_hash::FxHashMap;

use super::slots::Slots;
use super::{Moved, Route, Target};

/// What is known of a watched code object.
#[derive(Debug)]
#[cfg_attr(Py_3_15, expect(dead_code, reason = "read where calls are moved"))]
pub(super) struct Watched {
    pub(super) old: Py<PyCode>,
    pub(super) new: Py<PyCode>,
    pub(super) old_slots: Slots,
    pub(super) new_slots: Slots,
    pub(super) loops: FxHashMap<u32, Target>,
    outcome: Mutex<Outcome>,
}

#[derive(Debug, Default)]
struct Outcome {
    moved: u64,
    refusal: Option<String>,
}

impl Watched {
    pub(super) fn of(route: &Route<'_>) -> PyResult<Watched> {
        Ok(Watched {
            old: route.old.clone().unbind(),
            new: route.new.clone().unbind(),
            old_slots: Slots::of(&route.old)?,
            new_slots: Slots::of(&route.new)?,
            loops: route.loops.clone(),
            outcome: Mutex::default(),
        })
    }

    #[cfg_attr(Py_3_15, expect(dead_code, reason = "called where calls are moved"))]
    pub(super) fn note(&self, outcome: Moved) {
        let mut known = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Moved::Done => known.moved += 1,
            Moved::Refused(reason) => known.refusal = Some(reason),
        }
    }
}

/// What came of watching a code object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Armed {
    /// How many calls have gone on in the new code.
    pub moved: u64,
    /// Why one did not, last.
    pub refusal: Option<String>,
}

type ByCode = FxHashMap<usize, Arc<Watched>>;

/// By the address of the old code. It is locked for moments only, in which nothing of
/// Python runs, so that no fork and no callback can find it locked.
static WATCHED: Mutex<Option<ByCode>> = Mutex::new(None);

fn with<R>(work: impl FnOnce(&mut ByCode) -> R) -> R {
    let mut known = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    work(known.get_or_insert_with(ByCode::default))
}

/// What is known of the code object at an address.
pub(super) fn at(code: usize) -> Option<Arc<Watched>> {
    with(|known| known.get(&code).cloned())
}

/// All of them.
#[cfg(not(Py_3_12))]
pub(super) fn all() -> Vec<Arc<Watched>> {
    with(|known| known.values().cloned().collect())
}

pub(super) fn insert(watched: Watched) {
    let key = watched.old.as_ptr() as usize;
    let replaced = with(|known| known.insert(key, Arc::new(watched)));
    drop(replaced);
}

/// Forgets a code object. None: it was not watched; else whether it was the last.
pub(super) fn remove(code: &Bound<'_, PyCode>) -> Option<bool> {
    let key = code.as_ptr() as usize;
    let (removed, last) = with(|known| (known.remove(&key), known.is_empty()));
    removed.map(|_| last)
}

/// What came of watching `code`; None if it is not watched.
#[must_use]
pub fn armed(code: &Bound<'_, PyCode>) -> Option<Armed> {
    let watched = at(code.as_ptr() as usize)?;
    let known = watched
        .outcome
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    Some(Armed {
        moved: known.moved,
        refusal: known.refusal.clone(),
    })
}
