//! Which entries of a container a statement had made.

use hotswap_cpython::attributes::Peek as _;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyModule, PyTuple, PyType};

use super::{Candidate, Owned};
use crate::collections::{self, Entry, Shape};
use crate::reach::Reach;
use crate::values;
/// Which entries of one container, and of those inside it, a statement had made.
pub(super) fn choose<'py>(
    mut candidates: Vec<Candidate<'py>>,
    owned: &Owned<'py>,
    claims: usize,
) -> Vec<Candidate<'py>> {
    let best = candidates.iter().map(|each| each.score).max().unwrap_or(0);
    if best > 0 {
        // Its arguments tell its entries from those of others; each call has its own.
        let least = if owned.calls == 1 { best } else { 1 };
        candidates.retain(|each| each.score >= least);
    }
    candidates.sort_by_key(|each| (each.depth, each.place, each.index));
    let direct = candidates.first().map_or(0, |first| first.depth);
    if candidates.len() > owned.calls {
        candidates.retain(|each| each.depth == direct);
    }
    if candidates.len() > owned.calls && (claims > 0 || best == 0) {
        candidates.truncate(owned.calls);
    }
    candidates
}

/// How deep inside an entry one of the objects is; None: not in it.
pub(super) fn depth_of<'py>(
    reach: &Reach<'py>,
    value: &Bound<'py, PyAny>,
    objects: &[Bound<'py, PyAny>],
    left: u32,
) -> PyResult<Option<u32>> {
    if objects.iter().any(|object| is_one(object, value)) {
        return Ok(Some(0));
    }
    if left == 0 || values::is_plain(value) {
        return Ok(None);
    }
    for part in parts(reach, value)? {
        if let Some(depth) = depth_of(reach, &part, objects, left - 1)? {
            return Ok(Some(depth + 1));
        }
    }
    Ok(None)
}

/// What a record, a wrapper or a reference holds.
fn parts<'py>(reach: &Reach<'py>, value: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut found = Vec::new();
    if let Ok(tuple) = value.cast::<PyTuple>() {
        found.extend(tuple.iter());
    } else if value.is_instance_of::<PyModule>() {
        // What a module holds was not put there by a registration.
    } else if let Some(shape) = Shape::of(value) {
        found.extend(
            collections::read(value, shape)?
                .into_iter()
                .map(|entry| entry.value),
        );
    } else if value.is_instance_of::<PyFunction>() {
        let cells = value.peek("__closure__")?;
        if let Ok(cells) = cells.cast::<PyTuple>() {
            found.extend(
                cells
                    .iter()
                    .filter_map(|cell| cell.getattr("cell_contents").ok()),
            );
        }
        // What it stands for, as `functools.wraps` notes it: not every wrapper has a cell.
        if let Ok(own) = value.peek("__dict__")?.cast::<PyDict>() {
            found.extend(own.get_item("__wrapped__")?);
        }
    } else {
        let kind = value.get_type();
        match kind.name()?.to_str()? {
            "method" => found.extend([value.peek("__func__")?, value.peek("__self__")?]),
            "partial" => found.extend([value.getattr("func")?, value.getattr("args")?]),
            "staticmethod" | "classmethod" => found.push(value.peek("__func__")?),
            "ReferenceType" | "weakref" | "WeakMethod" => found.push(value.call0()?),
            _ if reach.classes.iter().any(|class| class.is(&kind)) => {
                // Made by the registering code itself: a record.
                attributes(value, &mut found)?;
            }
            _ => {
                // The record of a decorator that the source has no more.
                if let Ok(own) = value.peek("__dict__")
                    && let Ok(own) = own.cast::<PyDict>()
                {
                    found.extend(own.get_item("__wrapped__")?);
                }
            }
        }
    }
    Ok(found)
}

fn attributes<'py>(value: &Bound<'py, PyAny>, found: &mut Vec<Bound<'py, PyAny>>) -> PyResult<()> {
    if let Ok(dict) = value.peek("__dict__")
        && let Ok(dict) = dict.cast::<PyDict>()
    {
        found.extend(dict.values().iter());
    }
    for class in value.get_type().mro().iter() {
        if let Ok(class) = class.cast::<PyType>() {
            for (name, member) in crate::native::type_dict(class).iter() {
                if member.get_type().name()?.to_str()? == "member_descriptor" {
                    found.extend(value.peek(&name.extract::<String>()?).ok());
                }
            }
        }
    }
    Ok(())
}

/// The plain values of a record, by which it can be told from others.
pub(super) fn fields<'py>(
    value: &Bound<'py, PyAny>,
    known: &mut Vec<Bound<'py, PyAny>>,
) -> PyResult<()> {
    let mut found = Vec::new();
    if let Ok(tuple) = value.cast::<PyTuple>() {
        found.extend(tuple.iter());
    } else if let Some(shape) = Shape::of(value) {
        for entry in collections::read(value, shape)?.into_iter().take(32) {
            found.push(entry.value);
        }
    } else if !value.is_instance_of::<PyFunction>() && !value.is_instance_of::<PyType>() {
        attributes(value, &mut found)?;
    }
    known.extend(
        found
            .into_iter()
            .filter(|value| values::is_plain(value) && !value.is_none()),
    );
    Ok(())
}

/// Whether a list or dict inside a container is one entry of it, not a container of entries.
pub(super) fn is_record<'py>(
    reach: &Reach<'py>,
    value: &Bound<'py, PyAny>,
    objects: &[Bound<'py, PyAny>],
) -> PyResult<bool> {
    let Some(shape) = Shape::of(value) else {
        return Ok(false);
    };
    let entries = collections::read(value, shape)?;
    if entries.len() > 16
        || !entries
            .iter()
            .any(|each| objects.iter().any(|o| is_one(o, &each.value)))
    {
        return Ok(false);
    }
    if shape.is_mapping() {
        // `{"name": name, "call": function}`: its keys stand in the registering code.
        return Ok(entries.iter().all(|entry| {
            entry
                .key
                .as_ref()
                .and_then(|key| key.extract::<String>().ok())
                .is_some_and(|key| reach.names.contains(&key))
        }));
    }
    Ok(shape == Shape::List && entries.iter().any(|entry| values::is_plain(&entry.value)))
}

/// A tuple of nothing but functions and classes: a list of entries that cannot be changed.
pub(super) fn functions_only<'a, 'py>(
    value: &'a Bound<'py, PyAny>,
) -> PyResult<Option<&'a Bound<'py, PyTuple>>> {
    let Ok(tuple) = value.cast_exact::<PyTuple>() else {
        return Ok(None);
    };
    let all = !tuple.is_empty() && tuple.iter().all(|item| item.is_callable());
    Ok(all.then_some(tuple))
}

/// Whether two references mean one thing: the same object, or the same method of the
/// same object.
pub(super) fn is_one(one: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>) -> bool {
    if one.is(other) {
        return true;
    }
    let kind = one.get_type();
    if !kind.is(other.get_type()) || !is_method(one) {
        return false;
    }
    let same = |name: &str| match (one.getattr(name), other.getattr(name)) {
        (Ok(a), Ok(b)) => a.is(&b),
        _ => false,
    };
    same("__self__") && same("__func__")
}

/// Whether an entry is the object or a tuple, function or record around it.
pub(super) fn holds(value: &Bound<'_, PyAny>, object: &Bound<'_, PyAny>) -> PyResult<bool> {
    if is_one(value, object) {
        return Ok(true);
    }
    let mut inner = Vec::new();
    if let Ok(tuple) = value.cast::<PyTuple>() {
        inner.extend(tuple.iter());
    } else if Shape::of(value).is_none()
        && !values::is_plain(value)
        && !value.is_instance_of::<PyType>()
    {
        if let Ok(cells) = value.peek("__closure__")
            && let Ok(cells) = cells.cast::<PyTuple>()
        {
            inner.extend(
                cells
                    .iter()
                    .filter_map(|cell| cell.getattr("cell_contents").ok()),
            );
        } else {
            attributes(value, &mut inner)?;
        }
    } else if let Some(shape) = Shape::of(value) {
        inner.extend(
            collections::read(value, shape)?
                .into_iter()
                .take(16)
                .map(|entry| entry.value),
        );
    }
    Ok(inner.iter().any(|part| is_one(part, object)))
}

pub(super) fn is_method(value: &Bound<'_, PyAny>) -> bool {
    value.get_type().name().is_ok_and(|name| name == "method")
}

/// Where an index of the old entries is among those that are left.
pub(super) fn position_of(before: &[Entry<'_>], index: usize, entries: &[Entry<'_>]) -> usize {
    before[..index]
        .iter()
        .filter(|entry| {
            entries
                .iter()
                .any(|other| collections::is_same(other, entry))
        })
        .count()
}

pub(super) fn plain_constants<'py>(
    constants: &Bound<'py, PyAny>,
    found: &mut Vec<Bound<'py, PyAny>>,
) -> PyResult<()> {
    for constant in constants.cast::<PyTuple>()?.iter() {
        if let Ok(tuple) = constant.cast::<PyTuple>() {
            plain_constants(tuple.as_any(), found)?;
        }
        if values::is_plain(&constant) && !constant.is_none() {
            found.push(constant);
        }
    }
    Ok(())
}
