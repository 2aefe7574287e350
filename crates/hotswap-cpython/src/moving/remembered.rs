//! Numbers that are remembered of objects, without keeping them alive.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyWeakref, PyWeakrefMethods, PyWeakrefReference};
use rustc_hash::FxHashMap;

/// How many entries are looked at on each occasion, whether their object is gone.
const LOOKED_AT: usize = 32;

/// By the address of the object; a weak reference tells whether it is still that one.
pub(super) struct Remembered {
    table: Mutex<Option<Table>>,
}

#[derive(Default)]
struct Table {
    numbers: FxHashMap<usize, (Py<PyWeakref>, usize)>,
    /// The same keys, in the order in which they are looked at next.
    turn: VecDeque<usize>,
}

impl Remembered {
    pub(super) const fn new() -> Remembered {
        Remembered {
            table: Mutex::new(None),
        }
    }

    /// The lock is held for moments only, in which nothing of Python runs.
    fn with<R>(&self, work: impl FnOnce(&mut Table) -> R) -> R {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        work(table.get_or_insert_with(Table::default))
    }

    pub(super) fn get(&self, object: &Bound<'_, PyAny>) -> Option<usize> {
        self.with(|table| {
            let (reference, number) = table.numbers.get(&(object.as_ptr() as usize))?;
            let same = reference.bind(object.py()).upgrade();
            same.is_some_and(|same| same.is(object)).then_some(*number)
        })
    }

    pub(super) fn insert(&self, object: &Bound<'_, PyAny>, number: usize) -> PyResult<()> {
        let reference = PyWeakrefReference::new(object)?
            .into_any()
            .cast_into::<PyWeakref>()?
            .unbind();
        let key = object.as_ptr() as usize;
        let replaced = self.with(|table| {
            let replaced = table.numbers.insert(key, (reference, number));
            if replaced.is_none() {
                table.turn.push_back(key);
            }
            replaced
        });
        drop(replaced);
        self.tend(object.py());
        Ok(())
    }

    /// Forgets objects that are gone, a few at a time, so that the table does not grow with
    /// what a program has made and dropped.
    pub(super) fn tend(&self, py: Python<'_>) {
        let gone = self.with(|table| {
            let mut gone = Vec::new();
            for _ in 0..LOOKED_AT.min(table.turn.len()) {
                let Some(key) = table.turn.pop_front() else {
                    break;
                };
                let is_alive = |(reference, _): &(Py<PyWeakref>, usize)| {
                    reference.bind(py).upgrade().is_some()
                };
                if table.numbers.get(&key).is_some_and(is_alive) {
                    table.turn.push_back(key);
                } else {
                    gone.extend(table.numbers.remove(&key));
                }
            }
            gone
        });
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_forgotten() {
        Python::attach(|py| {
            let remembered = Remembered::new();
            let make = || py.eval(c"type('C', (), {})()", None, None).unwrap();
            let kept = make();
            remembered.insert(&kept, 7).unwrap();
            for number in 0..200 {
                remembered.insert(&make(), number).unwrap();
            }
            py.import("gc").unwrap().call_method0("collect").unwrap();
            for _ in 0..8 {
                remembered.tend(py);
            }
            assert_eq!(remembered.get(&kept), Some(7));
            assert_eq!(
                remembered.with(|table| (table.numbers.len(), table.turn.len())),
                (1, 1)
            );
        });
    }
}
