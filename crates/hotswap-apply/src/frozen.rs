//! Frozensets that were made in staging of objects for which others stand after the
//! commit. Nothing can be replaced inside a frozenset, so another takes its place before
//! the commit begins.

use pyo3::prelude::*;
use pyo3::types::{PyFrozenSet, PyTuple};
use rustc_hash::FxHashMap;

use crate::transaction::{Transaction, Write};

/// Beyond this depth tuples and frozensets are not looked into.
const DEPTH: usize = 6;

type Successors<'py> = FxHashMap<usize, Bound<'py, PyAny>>;

impl<'py> Transaction<'py> {
    /// Lets the values to be written hold the objects that stand after the commit.
    pub(crate) fn renew_frozensets(&mut self) -> PyResult<()> {
        let mut successors = Successors::default();
        for write in self.writes() {
            if let Write::Reference { old, new } = write {
                successors.insert(old.as_ptr() as usize, new.clone());
            }
        }
        if successors.is_empty() {
            return Ok(());
        }
        for write in self.writes() {
            let (Write::Item {
                value: Some(value), ..
            }
            | Write::ClassAttribute {
                value: Some(value), ..
            }
            | Write::Attribute {
                value: Some(value), ..
            }
            | Write::InstanceAttribute {
                value: Some(value), ..
            }) = write
            else {
                continue;
            };
            if let Some(renewed) = renewed(value, &successors, 0)? {
                *value = renewed;
            }
        }
        Ok(())
    }
}

/// What takes the place of a value. None: it stays.
fn renewed<'py>(
    value: &Bound<'py, PyAny>,
    successors: &Successors<'py>,
    depth: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let frozen = value.is_exact_instance_of::<PyFrozenSet>();
    if depth > DEPTH || !(frozen || value.is_exact_instance_of::<PyTuple>()) {
        return Ok(None);
    }
    let mut items = Vec::new();
    let mut is_renewed = false;
    for item in value.try_iter()? {
        let item = item?;
        let successor = successors.get(&(item.as_ptr() as usize)).cloned();
        let now = match successor.filter(|_| frozen) {
            Some(successor) => Some(successor),
            None => renewed(&item, successors, depth + 1)?,
        };
        is_renewed |= now.is_some();
        items.push(now.unwrap_or(item));
    }
    Ok(match (is_renewed, frozen) {
        (false, _) => None,
        (true, true) => Some(PyFrozenSet::new(value.py(), &items)?.into_any()),
        (true, false) => Some(PyTuple::new(value.py(), &items)?.into_any()),
    })
}
