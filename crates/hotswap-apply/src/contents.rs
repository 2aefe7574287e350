//! The contents of builtin containers, copied and put back without code of the program.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet};

/// A shallow copy of a builtin container, which keeps the hashes it has.
pub(crate) fn copy_of<'py>(container: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(dict) = container.cast::<PyDict>() {
        return Ok(dict.copy()?.into_any());
    }
    if let Ok(list) = container.cast::<PyList>() {
        return Ok(list.get_slice(0, list.len()).into_any());
    }
    if container.is_instance_of::<PySet>() {
        // The set's own method: the elements are copied with their hashes.
        let kind = container.py().get_type::<PySet>();
        return kind.call_method1("copy", (container,));
    }
    Err(not_a_container(container))
}

/// Puts the items of one container into another of its kind, in place.
pub(crate) fn set_content(
    container: &Bound<'_, PyAny>,
    content: &Bound<'_, PyAny>,
) -> PyResult<()> {
    if let (Ok(list), Ok(new)) = (container.cast::<PyList>(), content.cast::<PyList>()) {
        return list.set_slice(0, list.len(), new.as_any());
    }
    // What is dropped may be held by nobody else, and `content` may be the container.
    let old = copy_of(container)?;
    let new = copy_of(content)?;
    if let (Ok(dict), Ok(new)) = (container.cast::<PyDict>(), new.cast::<PyDict>()) {
        dict.clear();
        // Into an empty dict the interpreter copies entries with the hashes they have.
        return dict.update(new.as_mapping());
    }
    let Ok(set) = container.cast::<PySet>() else {
        return Err(not_a_container(container));
    };
    set.clear();
    let kind = container.py().get_type::<PySet>();
    kind.call_method1("update", (container, new))?;
    drop(old);
    Ok(())
}

/// Whether two containers hold the same objects in the same order.
pub(crate) fn same_items(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> bool {
    if let (Ok(a), Ok(b)) = (a.cast::<PyDict>(), b.cast::<PyDict>()) {
        return a.len() == b.len()
            && a.iter()
                .zip(b.iter())
                .all(|(left, right)| left.0.is(&right.0) && left.1.is(&right.1));
    }
    if let (Ok(a), Ok(b)) = (a.cast::<PyList>(), b.cast::<PyList>()) {
        return a.len() == b.len() && a.iter().zip(b.iter()).all(|(left, right)| left.is(&right));
    }
    if let (Ok(a), Ok(b)) = (a.cast::<PySet>(), b.cast::<PySet>()) {
        let items: Vec<usize> = b.iter().map(|item| item.as_ptr() as usize).collect();
        return a.len() == b.len()
            && a.iter()
                .all(|item| items.contains(&(item.as_ptr() as usize)));
    }
    false
}

/// Gives the keys of a dict the order that they have in another one; keys that
/// only the first one has come last.
///
/// # Errors
///
/// An exception of a key's `__hash__` or `__eq__`.
pub fn set_order(dict: &Bound<'_, PyDict>, order: &Bound<'_, PyDict>) -> PyResult<()> {
    let mut entries = Vec::with_capacity(dict.len());
    for key in order.keys() {
        if let Some(value) = dict.get_item(&key)? {
            entries.push((key, value));
        }
    }
    for (key, value) in dict.iter() {
        if !order.contains(&key)? {
            entries.push((key, value));
        }
    }
    let ordered = dict
        .keys()
        .iter()
        .zip(&entries)
        .all(|(key, (wanted, _))| key.is(wanted));
    if ordered {
        return Ok(());
    }
    for (key, value) in entries {
        dict.del_item(&key)?;
        dict.set_item(key, value)?;
    }
    Ok(())
}

fn not_a_container(object: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!("{} is not a builtin container", object.get_type()))
}
