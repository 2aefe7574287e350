//! Comparing values without running the program's code.

use hotswap_cpython::attributes::Peek as _;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyFrozenSet, PyFunction, PyInt, PyList, PyModule, PySet,
    PyString, PyTuple, PyType,
};

use rustc_hash::FxHashSet;

use crate::native as cpython;

/// Beyond this many elements a container counts as state.
const BOUND: usize = 20_000;

/// Whether two values are equal in structure, with exact types, to full depth.
///
/// Only builtin containers are entered and only builtin leaves are compared by
/// value; everything else is compared by identity, so no `__eq__` of the program
/// runs. Floats are compared by their bits as far as `repr` shows them.
pub(crate) fn equal(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> bool {
    compare(a, b, &mut Comparison::new(false), 0).unwrap_or(false)
}

/// The same, and instances of one class written in Python are alike when their attributes
/// are, with what a builtin base class holds.
pub(crate) fn alike(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> bool {
    compare(a, b, &mut Comparison::new(true), 0).unwrap_or(false)
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

/// Whether all that a builtin container holds is plain.
pub(crate) fn holds_plain(container: &Bound<'_, PyAny>) -> bool {
    if let Ok(dict) = container.cast_exact::<PyDict>() {
        return dict
            .iter()
            .all(|(key, value)| is_plain(&key) && is_plain(&value));
    }
    let mut items = match container.try_iter() {
        Ok(items) => items,
        Err(_) => return false,
    };
    items.all(|item| item.is_ok_and(|item| is_plain(&item)))
}

/// How far a comparison has come.
struct Comparison {
    /// So many more objects are looked at.
    left: usize,
    /// Whether instances are entered.
    instances: bool,
    /// The instances that are being compared, or were found to be alike: they may refer to
    /// themselves.
    pairs: FxHashSet<(usize, usize)>,
}

impl Comparison {
    fn new(instances: bool) -> Self {
        Comparison {
            left: BOUND,
            instances,
            pairs: FxHashSet::default(),
        }
    }
}

fn compare(
    a: &Bound<'_, PyAny>,
    b: &Bound<'_, PyAny>,
    left: &mut Comparison,
    depth: usize,
) -> PyResult<bool> {
    if a.is(b) {
        return Ok(true);
    }
    if !a.get_type().is(b.get_type()) || left.left == 0 || depth > 50 {
        return Ok(false);
    }
    left.left -= 1;
    if let (Ok(x), Ok(y)) = (a.cast_exact::<PyDict>(), b.cast_exact::<PyDict>()) {
        if x.len() != y.len() {
            return Ok(false);
        }
        for ((key_a, value_a), (key_b, value_b)) in x.iter().zip(y.iter()) {
            if !compare(&key_a, &key_b, left, depth + 1)?
                || !compare(&value_a, &value_b, left, depth + 1)?
            {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if let (Ok(x), Ok(y)) = (a.cast_exact::<PyList>(), b.cast_exact::<PyList>()) {
        return sequence(x.len() == y.len(), x.iter().zip(y.iter()), left, depth);
    }
    if let (Ok(x), Ok(y)) = (a.cast_exact::<PyTuple>(), b.cast_exact::<PyTuple>()) {
        return sequence(x.len() == y.len(), x.iter().zip(y.iter()), left, depth);
    }
    if a.is_exact_instance_of::<PySet>() || a.is_exact_instance_of::<PyFrozenSet>() {
        return same_elements(a, b);
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
    if (module.as_str(), name.as_str()) == ("_struct", "Struct") {
        return a.getattr("format")?.eq(b.getattr("format")?);
    }
    if matches!(
        (module.as_str(), name.as_str()),
        ("operator", "itemgetter" | "attrgetter" | "methodcaller") | ("functools", "partial")
    ) {
        // Their making, as `pickle` would repeat it, and a partial's function by identity.
        let (x, y) = (a.call_method0("__reduce__")?, b.call_method0("__reduce__")?);
        return compare(&x, &y, left, depth + 1);
    }
    if let Some((x, y)) = contents(a, &module, &name)?.zip(contents(b, &module, &name)?) {
        return compare(&x, &y, left, depth + 1);
    }
    if !left.instances {
        return Ok(false);
    }
    if !left
        .pairs
        .insert((a.as_ptr() as usize, b.as_ptr() as usize))
    {
        return Ok(true);
    }
    if let (Ok(x), Ok(y)) = (a.cast_exact::<PyFunction>(), b.cast_exact::<PyFunction>()) {
        return same_function(x, y, left, depth);
    }
    if name == "builtin_function_or_method" {
        let owners = (a.peek("__self__")?, b.peek("__self__")?);
        return Ok(a.peek("__qualname__")?.eq(b.peek("__qualname__")?)?
            && !owners.0.is_instance_of::<PyModule>()
            && compare(&owners.0, &owners.1, left, depth + 1)?);
    }
    if (module.as_str(), name.as_str()) == ("functools", "_lru_cache_wrapper") {
        // What it has cached by now is nothing that anybody gave it.
        return compare(
            &a.peek("__wrapped__")?,
            &b.peek("__wrapped__")?,
            left,
            depth + 1,
        );
    }
    if (module.as_str(), name.as_str()) == ("weakref", "ReferenceType") {
        return compare(&a.call0()?, &b.call0()?, left, depth + 1);
    }
    if name == "method" && module == "builtins" {
        return Ok(a.peek("__func__")?.is(b.peek("__func__")?)
            && compare(&a.peek("__self__")?, &b.peek("__self__")?, left, depth + 1)?);
    }
    same_parts(a, b, left, depth)
}

/// Compares two functions that one `def` or `lambda` made: what they captured and hold themselves.
fn same_function<'py>(
    a: &Bound<'py, PyFunction>,
    b: &Bound<'py, PyFunction>,
    left: &mut Comparison,
    depth: usize,
) -> PyResult<bool> {
    // A statement that ran once more was compiled anew, with the lambdas in it.
    let codes = (a.peek("__code__")?, b.peek("__code__")?);
    if !codes.0.is(&codes.1) && !codes.0.eq(&codes.1)? {
        return Ok(false);
    }
    let globals = (a.peek("__globals__")?, b.peek("__globals__")?);
    // In an update the namespace of a module may be stood in for by another one.
    let home = |globals: &Bound<'py, PyAny>| globals.get_item("__name__").ok();
    let same_home = match (home(&globals.0), home(&globals.1)) {
        (Some(x), Some(y)) => equal(&x, &y),
        _ => false,
    };
    if !globals.0.is(&globals.1) && !same_home {
        return Ok(false);
    }
    for name in ["__defaults__", "__kwdefaults__", "__dict__"] {
        if !compare(&a.getattr(name)?, &b.getattr(name)?, left, depth + 1)? {
            return Ok(false);
        }
    }
    let cells = |function: &Bound<'py, PyFunction>| -> PyResult<Vec<Bound<'py, PyAny>>> {
        let closure = function.peek("__closure__")?;
        match closure.is_none() {
            true => Ok(Vec::new()),
            false => closure.try_iter()?.collect(),
        }
    };
    for (x, y) in cells(a)?.iter().zip(cells(b)?.iter()) {
        let same = match (x.getattr("cell_contents"), y.getattr("cell_contents")) {
            (Ok(x), Ok(y)) => compare(&x, &y, left, depth + 1)?,
            (Err(_), Err(_)) => true,
            _ => false,
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Compares two sets: plain elements by value, any other by identity, so that no
/// `__eq__` of the program runs.
fn same_elements<'py>(a: &Bound<'py, PyAny>, b: &Bound<'py, PyAny>) -> PyResult<bool> {
    let parts = |set: &Bound<'py, PyAny>| {
        let (mut plain, mut others) = (Vec::new(), FxHashSet::default());
        for item in set.try_iter()? {
            let item = item?;
            if is_plain(&item) {
                plain.push(item);
            } else {
                others.insert(item.as_ptr() as usize);
            }
        }
        Ok::<_, PyErr>((PyFrozenSet::new(a.py(), &plain)?, others))
    };
    let ((x, others_of_x), (y, others_of_y)) = (parts(a)?, parts(b)?);
    Ok(others_of_x == others_of_y && x.eq(&y)?)
}

/// Compares what two instances of one class hold. Nothing of the program runs.
fn same_parts(
    a: &Bound<'_, PyAny>,
    b: &Bound<'_, PyAny>,
    left: &mut Comparison,
    depth: usize,
) -> PyResult<bool> {
    for class in a.get_type().mro().iter() {
        let class = class.cast_into::<PyType>()?;
        if !is_python_class(&class)? {
            let same = match builtin_parts(a, &class)?.zip(builtin_parts(b, &class)?) {
                Some((x, y)) => compare(&x, &y, left, depth + 1)?,
                None => false,
            };
            if !same {
                return Ok(false);
            }
            break;
        }
        for member in cpython::type_dict(&class).values() {
            if member.get_type().name()? != "member_descriptor" {
                continue;
            }
            let of = |owner: &Bound<'_, PyAny>| {
                let value = member.call_method1("__get__", (owner, owner.get_type()));
                value.map(Bound::unbind)
            };
            let same = match (of(a), of(b)) {
                (Ok(x), Ok(y)) => compare(x.bind(a.py()), y.bind(a.py()), left, depth + 1)?,
                (Err(_), Err(_)) => true,
                _ => false,
            };
            if !same {
                return Ok(false);
            }
        }
    }
    match (cpython::own_dict(a)?, cpython::own_dict(b)?) {
        (Some(x), Some(y)) => compare(x.as_any(), y.as_any(), left, depth + 1),
        (None, None) => Ok(true),
        _ => Ok(false),
    }
}

/// What the containers of the standard library hold, as builtin ones.
fn contents<'py>(
    value: &Bound<'py, PyAny>,
    module: &str,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = value.py();
    let items = |object: &Bound<'py, PyAny>| {
        let pairs = object.cast::<PyDict>().map(|dict| dict.items().into_any());
        pairs.map_err(PyErr::from)
    };
    Ok(match (module, name) {
        // `list[int]`, `int | str`: made anew by every statement that writes them.
        ("types", "GenericAlias") | ("collections.abc", "_CallableGenericAlias") => {
            let (origin, arguments) = (value.peek("__origin__")?, value.peek("__args__")?);
            Some(PyTuple::new(py, [origin, arguments])?.into_any())
        }
        ("types", "UnionType") => Some(value.peek("__args__")?),
        ("collections", "OrderedDict" | "Counter") => Some(items(value)?),
        ("collections", "defaultdict") => {
            let parts = [value.getattr("default_factory")?, items(value)?];
            Some(PyTuple::new(py, parts)?.into_any())
        }
        ("collections", "deque") => {
            let list = py.get_type::<PyList>().call1((value,))?;
            let parts = [value.getattr("maxlen")?, list];
            Some(PyTuple::new(py, parts)?.into_any())
        }
        ("types", "SimpleNamespace") => cpython::own_dict(value)?.map(Bound::into_any),
        ("builtins", "mappingproxy") => Some(py.get_type::<PyDict>().call1((value,))?),
        _ => None,
    })
}

/// What an instance holds as one of its builtin base class, as an exact builtin container.
fn builtin_parts<'py>(
    value: &Bound<'py, PyAny>,
    base: &Bound<'py, PyType>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = value.py();
    let parts = if base.is(py.get_type::<PyAny>()) {
        Some(py.None().into_bound(py))
    } else if base.is(py.get_type::<PyTuple>()) {
        let items: Vec<_> = value.cast::<PyTuple>()?.iter().collect();
        Some(PyTuple::new(py, items)?.into_any())
    } else if base.is(py.get_type::<PyList>()) {
        let items: Vec<_> = value.cast::<PyList>()?.iter().collect();
        Some(PyList::new(py, items)?.into_any())
    } else if base.is(py.get_type::<PyDict>()) {
        Some(value.cast::<PyDict>()?.items().into_any())
    } else {
        None
    };
    Ok(parts)
}

/// Whether a `class` statement, or what does the same, made a class, so that its instances
/// hold nothing but what its slots, their dict and the base classes hold. A class that C
/// made, also one of those that look alike since modules have state, is larger.
pub(crate) fn is_python_class(class: &Bound<'_, PyType>) -> PyResult<bool> {
    const HEAP_TYPE: u64 = 1 << 9;
    const POINTER: isize = size_of::<usize>().cast_signed();
    if class.getattr("__flags__")?.extract::<u64>()? & HEAP_TYPE == 0 {
        return Ok(false);
    }
    let size = |class: &Bound<'_, PyAny>| class.getattr("__basicsize__")?.extract::<isize>();
    let dict = cpython::type_dict(class);
    let mut pointers = 0;
    for member in dict.values() {
        pointers += isize::from(member.get_type().name()? == "member_descriptor");
    }
    // Since CPython 3.11 the dict, and since 3.12 the weak references stand before the object.
    pointers += isize::from(cfg!(not(Py_3_11)) && dict.contains("__dict__")?);
    pointers += isize::from(cfg!(not(Py_3_12)) && dict.contains("__weakref__")?);
    Ok(size(class)? == size(&class.getattr("__base__")?)? + pointers * POINTER)
}

fn sequence<'py>(
    same_length: bool,
    pairs: impl Iterator<Item = (Bound<'py, PyAny>, Bound<'py, PyAny>)>,
    left: &mut Comparison,
    depth: usize,
) -> PyResult<bool> {
    if !same_length {
        return Ok(false);
    }
    for (x, y) in pairs {
        if !compare(&x, &y, left, depth + 1)? {
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
