//! Dicts and sets that are built anew because a key was replaced, or its hash changed.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyTuple, PyType};
use rustc_hash::{FxHashMap, FxHashSet};

use super::cache::RememberedHash;
use super::place::builtin_type;
use crate::heap::address;
use crate::names;
use crate::support::Result;
use crate::tuple::forget_hash;

/// What is done after the references were written.
#[derive(Debug)]
pub(super) enum Rebuild {
    /// A container is emptied and filled again, in the same order.
    Container(Py<PyAny>),
    /// The hash that a cache remembers is computed again.
    Hash(RememberedHash),
    /// A tuple forgets its hash, because that of an item changed.
    Tuple(Py<PyTuple>),
}

impl Rebuild {
    pub(super) fn of(container: &Bound<'_, PyAny>) -> Self {
        Self::Container(container.clone().unbind())
    }

    /// How many references to an object this holds.
    pub(super) fn holds(&self, object: &Bound<'_, PyAny>) -> usize {
        match self {
            Self::Container(container) => usize::from(container.is(object)),
            Self::Hash(remembered) => remembered.holds(object),
            Self::Tuple(tuple) => usize::from(tuple.is(object)),
        }
    }

    /// Fills the container again, with those keys replaced that are in `mapping`.
    ///
    /// Where a key cannot be hashed nothing is changed. Where comparing keys
    /// fails, the container gets its old keys back.
    pub(super) fn run<'py>(
        &self,
        py: Python<'py>,
        mapping: &FxHashMap<usize, Bound<'py, PyAny>>,
    ) -> Result<()> {
        let container = match self {
            Self::Hash(remembered) => return remembered.renew(py),
            Self::Tuple(tuple) => return forget_hash(tuple.bind(py)),
            Self::Container(container) => container.bind(py),
        };
        let replaced = |key: &Bound<'py, PyAny>| mapping.get(&address(key)).unwrap_or(key).clone();
        let old = contents_of(container)?;
        let new: Vec<Item<'py>> = old
            .iter()
            .map(|(key, value)| (replaced(key), value.clone()))
            .collect();
        for (key, _) in &new {
            key.hash()?;
        }
        if let Err(error) = refill(container, &new) {
            refill(container, &old)?;
            return Err(error.into());
        }
        Ok(())
    }
}

/// Whether one of `keys` is a key of this dict or set, by identity.
pub(super) fn is_keyed_by_any(container: &Bound<'_, PyAny>, keys: &FxHashSet<usize>) -> bool {
    let is_container = container.is_instance_of::<PyDict>() || container.is_instance_of::<PySet>();
    let contents = match is_container {
        true => contents_of(container).unwrap_or_default(),
        false => return false,
    };
    contents.iter().any(|(key, _)| keys.contains(&address(key)))
}

/// A key and its value; the elements of a set have none.
type Item<'py> = (Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

fn contents_of<'py>(container: &Bound<'py, PyAny>) -> PyResult<Vec<Item<'py>>> {
    let py = container.py();
    let Ok(dict) = container.cast::<PyDict>() else {
        // By the type's own method, since a subclass may have another.
        let elements = py
            .get_type::<PySet>()
            .call_method1(names::iterate(py), (container,))?;
        return elements.try_iter()?.map(|each| Ok((each?, None))).collect();
    };
    let Some(ordered) = ordered_dict(dict) else {
        let items = dict.iter().map(|(key, value)| (key, Some(value)));
        return Ok(items.collect());
    };
    // Its own order is not that of the dict below it.
    let items = ordered.call_method1(names::items(py), (dict,))?;
    let items = py.get_type::<PyList>().call1((items,))?;
    items.try_iter()?.map(|item| item?.extract()).collect()
}

fn refill<'py>(container: &Bound<'py, PyAny>, contents: &[Item<'py>]) -> PyResult<()> {
    let py = container.py();
    if let Ok(set) = container.cast::<PySet>() {
        set.clear();
        return contents.iter().try_for_each(|(key, _)| set.add(key));
    }
    let dict = container.cast::<PyDict>()?;
    let Some(ordered) = ordered_dict(dict) else {
        dict.clear();
        return contents
            .iter()
            .try_for_each(|(key, value)| dict.set_item(key, value));
    };
    // It links its entries by itself, so the functions for dicts would break it.
    ordered.call_method1(names::clear(py), (dict,))?;
    for (key, value) in contents {
        ordered.call_method1(names::set_item(py), (dict, key, value))?;
    }
    Ok(())
}

/// The type `OrderedDict`, if `dict` is of it or of a subclass.
fn ordered_dict<'py>(dict: &Bound<'py, PyDict>) -> Option<Bound<'py, PyType>> {
    builtin_type(dict, "collections.OrderedDict").ok()
}
