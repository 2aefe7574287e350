//! Comparing values without running the program's code.

use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PyModule, PySet, PyString,
    PyTuple, PyType,
};

use crate::native as cpython;

/// Beyond this many elements a container counts as state.
const BOUND: usize = 20_000;

/// Whether two values are equal in structure, with exact types, to full depth.
///
/// Only builtin containers are entered and only builtin leaves are compared by
/// value; everything else is compared by identity, so no `__eq__` of the program
/// runs. Floats are compared by their bits as far as `repr` shows them.
pub(crate) fn equal(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> bool {
    let mut left = BOUND;
    compare(a, b, &mut left, 0, false).unwrap_or(false)
}

/// The same, and instances of one class written in Python are alike when their attributes
/// are, with what a builtin base class holds.
pub(crate) fn alike(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> bool {
    let mut left = BOUND;
    compare(a, b, &mut left, 0, true).unwrap_or(false)
}

/// Whether the value is of a builtin type that cannot be changed in place.
pub(crate) fn is_plain(value: &Bound<'_, PyAny>) -> bool {
    value.is_none()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyBytes>()
        || value
            .cast_exact::<PyTuple>()
            .is_ok_and(|tuple| tuple.iter().all(|item| is_plain(&item)))
}

/// Whether the value is a builtin container or leaf, so that [`equal`] can judge it.
pub(crate) fn is_comparable(value: &Bound<'_, PyAny>) -> bool {
    is_plain(value)
        || value.is_exact_instance_of::<PyDict>()
        || value.is_exact_instance_of::<PyList>()
        || value.is_exact_instance_of::<PySet>()
        || value.is_exact_instance_of::<PyFrozenSet>()
        || value.is_exact_instance_of::<PyTuple>()
}

/// Whether the value is a builtin container that can be changed in place.
pub(crate) fn is_container(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyDict>()
        || value.is_exact_instance_of::<PyList>()
        || value.is_exact_instance_of::<PySet>()
}

fn compare(
    a: &Bound<'_, PyAny>,
    b: &Bound<'_, PyAny>,
    left: &mut usize,
    depth: usize,
    instances: bool,
) -> PyResult<bool> {
    if a.is(b) {
        return Ok(true);
    }
    if !a.get_type().is(b.get_type()) || *left == 0 || depth > 50 {
        return Ok(false);
    }
    *left -= 1;
    if let (Ok(x), Ok(y)) = (a.cast_exact::<PyDict>(), b.cast_exact::<PyDict>()) {
        if x.len() != y.len() {
            return Ok(false);
        }
        for ((key_a, value_a), (key_b, value_b)) in x.iter().zip(y.iter()) {
            if !compare(&key_a, &key_b, left, depth + 1, instances)?
                || !compare(&value_a, &value_b, left, depth + 1, instances)?
            {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if let (Ok(x), Ok(y)) = (a.cast_exact::<PyList>(), b.cast_exact::<PyList>()) {
        return sequence(
            x.len() == y.len(),
            x.iter().zip(y.iter()),
            left,
            depth,
            instances,
        );
    }
    if let (Ok(x), Ok(y)) = (a.cast_exact::<PyTuple>(), b.cast_exact::<PyTuple>()) {
        return sequence(
            x.len() == y.len(),
            x.iter().zip(y.iter()),
            left,
            depth,
            instances,
        );
    }
    if a.is_exact_instance_of::<PySet>() || a.is_exact_instance_of::<PyFrozenSet>() {
        let plain = a
            .try_iter()?
            .chain(b.try_iter()?)
            .all(|item| item.is_ok_and(|item| is_plain(&item)));
        return Ok(plain && a.len()? == b.len()? && a.eq(b)?);
    }
    if a.is_exact_instance_of::<PyFloat>() {
        return a.repr()?.as_any().eq(b.repr()?);
    }
    if is_plain(a) {
        return a.eq(b);
    }
    let name = a.get_type().name()?.to_string();
    let module: String = a
        .get_type()
        .getattr("__module__")?
        .extract()
        .unwrap_or_default();
    if module == "re" && name == "Pattern" {
        return Ok(a.getattr("pattern")?.eq(b.getattr("pattern")?)?
            && a.getattr("flags")?.eq(b.getattr("flags")?)?);
    }
    if matches!(
        (module.as_str(), name.as_str()),
        ("datetime", "timedelta" | "date")
            | ("decimal", "Decimal")
            | ("builtins", "range" | "slice" | "complex" | "bytearray")
            | ("packaging.version", "Version")
    ) || (module.starts_with("pathlib") && name.contains("Path"))
    {
        return a.eq(b);
    }
    if matches!(
        (module.as_str(), name.as_str()),
        ("operator", "itemgetter" | "attrgetter" | "methodcaller") | ("functools", "partial")
    ) {
        // Their making, as `pickle` would repeat it, and a partial's function by identity.
        let (x, y) = (a.call_method0("__reduce__")?, b.call_method0("__reduce__")?);
        return compare(&x, &y, left, depth + 1, instances);
    }
    if instances {
        return same_parts(a, b, left, depth);
    }
    Ok(false)
}

/// Compares what two instances of one class hold. Nothing of the program runs.
fn same_parts(
    a: &Bound<'_, PyAny>,
    b: &Bound<'_, PyAny>,
    left: &mut usize,
    depth: usize,
) -> PyResult<bool> {
    const HEAP_TYPE: u64 = 1 << 9;
    for class in a.get_type().mro().iter() {
        let class = class.cast_into::<PyType>()?;
        if class.getattr("__flags__")?.extract::<u64>()? & HEAP_TYPE == 0 {
            let (x, y): (Vec<_>, Vec<_>) = if class.is(a.py().get_type::<PyTuple>()) {
                (
                    a.cast::<PyTuple>()?.iter().collect(),
                    b.cast::<PyTuple>()?.iter().collect(),
                )
            } else if class.is(a.py().get_type::<PyAny>()) {
                (Vec::new(), Vec::new())
            } else {
                return Ok(false);
            };
            if !sequence(x.len() == y.len(), x.into_iter().zip(y), left, depth, true)? {
                return Ok(false);
            }
            break;
        }
        for member in cpython::type_dict(&class).values() {
            if member.get_type().name()? == "member_descriptor" {
                let of = |owner: &Bound<'_, PyAny>| {
                    member
                        .call_method1("__get__", (owner, owner.get_type()))
                        .map(Bound::unbind)
                };
                match (of(a), of(b)) {
                    (Ok(x), Ok(y))
                        if compare(x.bind(a.py()), y.bind(a.py()), left, depth + 1, true)? => {}
                    (Err(_), Err(_)) => {}
                    _ => return Ok(false),
                }
            }
        }
    }
    match (cpython::own_dict(a)?, cpython::own_dict(b)?) {
        (Some(x), Some(y)) => compare(x.as_any(), y.as_any(), left, depth + 1, true),
        (None, None) => Ok(true),
        _ => Ok(false),
    }
}

fn sequence<'py>(
    same_length: bool,
    pairs: impl Iterator<Item = (Bound<'py, PyAny>, Bound<'py, PyAny>)>,
    left: &mut usize,
    depth: usize,
    instances: bool,
) -> PyResult<bool> {
    if !same_length {
        return Ok(false);
    }
    for (x, y) in pairs {
        if !compare(&x, &y, left, depth + 1, instances)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the object may be searched for by identity: a function, a class or an
/// instance of a class that Python code made; never a value that others share by chance.
pub(crate) fn has_identity(value: &Bound<'_, PyAny>) -> bool {
    if is_comparable(value) || value.is_instance_of::<PyModule>() {
        return false;
    }
    const HEAP_TYPE: u64 = 1 << 9;
    let heap = |kind: &Bound<'_, PyAny>| -> bool {
        kind.getattr("__flags__")
            .and_then(|flags| flags.extract::<u64>())
            .is_ok_and(|flags| flags & HEAP_TYPE != 0)
    };
    let kind = value.get_type();
    let name = kind.name().map(|name| name.to_string()).unwrap_or_default();
    if value.is_instance_of::<pyo3::types::PyType>() {
        return heap(value);
    }
    matches!(
        name.as_str(),
        "function" | "_lru_cache_wrapper" | "property" | "staticmethod" | "classmethod" | "partial"
    ) || heap(kind.as_any())
}
