//! Dicts and sets that are built anew because a key was replaced, or its hash changed.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyType};
use rustc_hash::FxHashMap;

use super::place::builtin_type;
use crate::heap::address;
use crate::names;
use crate::support::Result;

/// A container that is emptied and filled again, in the same order.
#[derive(Debug)]
pub(super) struct Rebuild(Py<PyAny>);

impl Rebuild {
    pub(super) fn of(container: &Bound<'_, PyAny>) -> Self {
        Self(container.clone().unbind())
    }

    pub(super) fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Fills the container again, with those keys replaced that are in `mapping`.
    ///
    /// Hashes the keys first: where one cannot be hashed, nothing is changed.
    pub(super) fn run<'py>(
        &self,
        py: Python<'py>,
        mapping: &FxHashMap<usize, Bound<'py, PyAny>>,
    ) -> Result<()> {
        let container = self.0.bind(py);
        let replaced = |key: Bound<'py, PyAny>| match mapping.get(&address(&key)) {
            Some(new) => new.clone(),
            None => key,
        };
        if let Ok(dict) = container.cast::<PyDict>() {
            let items: Vec<_> = items_of(dict)?
                .into_iter()
                .map(|(key, value)| (replaced(key), value))
                .collect();
            for (key, _) in &items {
                key.hash()?;
            }
            return Ok(refill_dict(dict, &items)?);
        }
        let set = container.cast::<PySet>().map_err(PyErr::from)?;
        let items = elements_of(set)?.into_iter().map(replaced);
        let items: Vec<_> = items.collect();
        for item in &items {
            item.hash()?;
        }
        set.clear();
        for item in items {
            set.add(item)?;
        }
        Ok(())
    }
}

/// Whether `container` is a dict or set that has `key` as a key, by identity.
pub(super) fn is_keyed_by(container: &Bound<'_, PyAny>, key: &Bound<'_, PyAny>) -> bool {
    if let Ok(dict) = container.cast::<PyDict>() {
        return dict.iter().any(|(each, _)| each.is(key));
    }
    if let Ok(set) = container.cast::<PySet>() {
        return elements_of(set).is_ok_and(|elements| elements.iter().any(|each| each.is(key)));
    }
    false
}

/// The elements of a set, without the `__iter__` of a subclass.
fn elements_of<'py>(set: &Bound<'py, PySet>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let py = set.py();
    let elements = py
        .get_type::<PySet>()
        .call_method1(names::iterate(py), (set,))?;
    elements.try_iter()?.collect()
}

type Item<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

fn items_of<'py>(dict: &Bound<'py, PyDict>) -> PyResult<Vec<Item<'py>>> {
    let Some(ordered) = ordered_dict(dict) else {
        return Ok(dict.iter().collect());
    };
    // Its own order is not that of the dict below it.
    let items = ordered.call_method1(names::items(dict.py()), (dict,))?;
    let items = dict.py().get_type::<PyList>().call1((items,))?;
    items.try_iter()?.map(|item| item?.extract()).collect()
}

fn refill_dict<'py>(dict: &Bound<'py, PyDict>, items: &[Item<'py>]) -> PyResult<()> {
    let py = dict.py();
    let Some(ordered) = ordered_dict(dict) else {
        dict.clear();
        return items
            .iter()
            .try_for_each(|(key, value)| dict.set_item(key, value));
    };
    // It links its entries by itself, so the functions for dicts would break it.
    ordered.call_method1(names::clear(py), (dict,))?;
    for (key, value) in items {
        ordered.call_method1(names::set_item(py), (dict, key, value))?;
    }
    Ok(())
}

/// The type `OrderedDict`, if `dict` is of it or of a subclass.
fn ordered_dict<'py>(dict: &Bound<'py, PyDict>) -> Option<Bound<'py, PyType>> {
    builtin_type(dict, "collections.OrderedDict").ok()
}
