//! Containers of the program that registrations are put into: read as entries in
//! order, written in place.
//!
//! Entries are compared by identity. Only what the container's own type does anyway
//! (hashing a key) may run code of the program.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyTuple};

/// One entry: a key in mappings, none elsewhere, and a value (the item itself in a
/// list or set).
#[derive(Clone)]
pub(crate) struct Entry<'py> {
    pub key: Option<Bound<'py, PyAny>>,
    pub value: Bound<'py, PyAny>,
}

/// How a container is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    List,
    Deque,
    Set,
    /// A set or mapping that holds its members weakly.
    WeakSet,
    Dict,
    /// A mapping whose own methods keep the order or the weak references.
    Mapping,
}

impl Shape {
    /// None: not a container that can be changed in place.
    pub(crate) fn of(value: &Bound<'_, PyAny>) -> Option<Shape> {
        let py = value.py();
        if value.is_instance_of::<PyList>() {
            return Some(Shape::List);
        }
        let is = |module: &str, name: &str| {
            py.import(module)
                .and_then(|module| module.getattr(name))
                .and_then(|kind| value.is_instance(&kind))
                .unwrap_or(false)
        };
        if value.is_instance_of::<PyDict>() {
            let ordered =
                !value.is_exact_instance_of::<PyDict>() && is("collections", "OrderedDict");
            return Some(if ordered { Shape::Mapping } else { Shape::Dict });
        }
        if value.is_instance_of::<PySet>() {
            return Some(Shape::Set);
        }
        let home: String = value
            .get_type()
            .getattr("__module__")
            .ok()?
            .extract()
            .ok()?;
        match home.as_str() {
            "collections" if is("collections", "deque") => Some(Shape::Deque),
            "_weakrefset" => Some(Shape::WeakSet),
            "weakref" if is("weakref", "WeakValueDictionary") => Some(Shape::Mapping),
            "weakref" if is("weakref", "WeakKeyDictionary") => Some(Shape::Mapping),
            _ => None,
        }
    }

    pub(crate) fn is_mapping(self) -> bool {
        matches!(self, Shape::Dict | Shape::Mapping)
    }

    /// Whether the entries have an order that the program can see and rely on.
    pub(crate) fn is_ordered(self) -> bool {
        !matches!(self, Shape::Set | Shape::WeakSet)
    }
}

/// The entries, in order.
pub(crate) fn read<'py>(container: &Bound<'py, PyAny>, shape: Shape) -> PyResult<Vec<Entry<'py>>> {
    let py = container.py();
    if let (Shape::List, Ok(list)) = (shape, container.cast::<PyList>()) {
        return Ok(list
            .iter()
            .map(|value| Entry { key: None, value })
            .collect());
    }
    if let (Shape::Dict, Ok(dict)) = (shape, container.cast::<PyDict>()) {
        return Ok(dict
            .iter()
            .map(|(key, value)| Entry {
                key: Some(key),
                value,
            })
            .collect());
    }
    let items = match shape {
        Shape::Mapping => container.call_method0("items")?,
        _ => container.clone(),
    };
    let list = py.get_type::<PyList>().call1((items,))?;
    let mut entries = Vec::new();
    for item in list.cast_into::<PyList>()?.iter() {
        entries.push(if shape == Shape::Mapping {
            let pair = item.cast_into::<PyTuple>()?;
            Entry {
                key: Some(pair.get_item(0)?),
                value: pair.get_item(1)?,
            }
        } else {
            Entry {
                key: None,
                value: item,
            }
        });
    }
    Ok(entries)
}

/// Makes these the entries.
pub(crate) fn write(
    container: &Bound<'_, PyAny>,
    shape: Shape,
    entries: &[Entry<'_>],
) -> PyResult<()> {
    let py = container.py();
    let now = read(container, shape)?;
    if same(&now, entries) {
        return Ok(());
    }
    match shape {
        Shape::List => {
            let list = container.cast::<PyList>()?;
            let items = PyList::new(py, entries.iter().map(|entry| &entry.value))?;
            list.set_slice(0, list.len(), items.as_any())
        }
        Shape::Deque => {
            let items = PyList::new(py, entries.iter().map(|entry| &entry.value))?;
            container.call_method0("clear")?;
            container.call_method1("extend", (items,)).map(drop)
        }
        Shape::Set | Shape::WeakSet => {
            for entry in now.iter().filter(|entry| !holds(entries, entry)) {
                container.call_method1("discard", (&entry.value,))?;
            }
            for entry in entries.iter().filter(|entry| !holds(&now, entry)) {
                container.call_method1("add", (&entry.value,))?;
            }
            Ok(())
        }
        Shape::Dict | Shape::Mapping => write_mapping(container, shape, &now, entries),
    }
}

fn write_mapping(
    container: &Bound<'_, PyAny>,
    shape: Shape,
    now: &[Entry<'_>],
    entries: &[Entry<'_>],
) -> PyResult<()> {
    let dict = container
        .cast::<PyDict>()
        .ok()
        .filter(|_| shape == Shape::Dict);
    let set = |entry: &Entry<'_>| match (&entry.key, dict) {
        (Some(key), Some(dict)) => dict.set_item(key, &entry.value),
        (Some(key), None) => container.set_item(key, &entry.value),
        (None, _) => Ok(()),
    };
    // Where the order stays, an entry is taken out or put in by itself: whoever goes
    // through the mapping at the moment is disturbed as little as possible.
    let kept: Vec<&Entry<'_>> = now.iter().filter(|entry| has_key(entries, entry)).collect();
    let in_order = kept
        .iter()
        .zip(entries)
        .all(|(old, new)| same_key(old, new));
    if !in_order {
        match dict {
            Some(dict) => dict.clear(),
            None => container.call_method0("clear").map(drop)?,
        }
        return entries.iter().try_for_each(set);
    }
    for entry in now.iter().filter(|entry| !has_key(entries, entry)) {
        match (&entry.key, dict) {
            (Some(key), Some(dict)) => dict.del_item(key)?,
            (Some(key), None) => container.del_item(key)?,
            (None, _) => {}
        }
    }
    entries
        .iter()
        .filter(|entry| !holds(now, entry))
        .try_for_each(set)
}

/// What a statement did to a container is undone; what others did since stays.
pub(crate) fn undo<'py>(
    container: &Bound<'py, PyAny>,
    shape: Shape,
    before: &[Entry<'py>],
    after: &[Entry<'py>],
) -> PyResult<()> {
    let now = read(container, shape)?;
    if same(&now, after) {
        return write(container, shape, before);
    }
    let mut entries: Vec<Entry<'py>> = now
        .into_iter()
        .filter(|entry| holds(before, entry) || !holds(after, entry))
        .collect();
    for (index, entry) in before.iter().enumerate() {
        let lost = !holds(after, entry) && !holds(&entries, entry);
        if lost && !(shape.is_mapping() && has_key(&entries, entry)) {
            entries.insert(index.min(entries.len()), entry.clone());
        }
    }
    write(container, shape, &entries)
}

/// The entries of one list that another one lacks; of equal ones as many as are too many.
pub(crate) fn added<'py>(before: &[Entry<'py>], after: &[Entry<'py>]) -> Vec<usize> {
    let mut known: Vec<&Entry<'py>> = before.iter().collect();
    let mut found = Vec::new();
    for (index, entry) in after.iter().enumerate() {
        match known.iter().position(|other| is_same(other, entry)) {
            Some(at) => {
                known.remove(at);
            }
            None => found.push(index),
        }
    }
    found
}

pub(crate) fn is_same(one: &Entry<'_>, other: &Entry<'_>) -> bool {
    one.value.is(&other.value) && same_key(one, other)
}

pub(crate) fn same_key(one: &Entry<'_>, other: &Entry<'_>) -> bool {
    match (&one.key, &other.key) {
        (Some(a), Some(b)) => a.is(b) || a.eq(b).unwrap_or(false),
        (None, None) => true,
        _ => false,
    }
}

pub(crate) fn same(one: &[Entry<'_>], other: &[Entry<'_>]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_same(a, b))
}

fn holds(entries: &[Entry<'_>], entry: &Entry<'_>) -> bool {
    entries.iter().any(|other| is_same(other, entry))
}

fn has_key(entries: &[Entry<'_>], entry: &Entry<'_>) -> bool {
    entries.iter().any(|other| same_key(other, entry))
}
