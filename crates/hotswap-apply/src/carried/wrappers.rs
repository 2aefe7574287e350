//! What decorators make of a function: other functions and objects around it, and what each of
//! them keeps.

use hotswap_cpython::attributes::{Peek as _, has_attributes, own_dict};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyList, PyModule, PyString, PyTuple, PyType};

use crate::codes;
use crate::headers::is_like;
use crate::native as cpython;
use crate::transaction::Write;
use crate::values;

/// Attributes of a function that decorators like to set.
const METADATA: [&str; 4] = [
    "__doc__",
    "__defaults__",
    "__kwdefaults__",
    "__annotations__",
];

/// So many names of a function's own namespace are looked at.
const MOST_NAMES: usize = 1000;

/// So deep and so far two values are compared.
const DEPTH: usize = 10;
const MOST: usize = 5000;

/// Where an object keeps something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    /// An attribute that the interpreter knows.
    Attribute(&'static str),
    /// One of its own attributes.
    Entry(String),
    /// A variable that it captured.
    Cell(String),
    /// A name in the namespace that was made for a generated function.
    Global(String),
}

impl Slot {
    /// In words.
    pub(super) fn text(&self) -> String {
        match self {
            Slot::Attribute(name) => (*name).to_string(),
            Slot::Entry(name) | Slot::Cell(name) | Slot::Global(name) => name.clone(),
        }
    }
}

/// What each slot of an object holds.
pub(super) type Slots<'py> = Vec<(Slot, Bound<'py, PyAny>)>;

/// Whether an object is one that decorators put around a function, with an identity of its
/// own: it lives on, and what it keeps follows.
pub(super) fn is_wrapper(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(object.is_exact_instance_of::<PyFunction>()
        || is_builtin_wrapper(object)?
        || is_instance(object)?)
}

fn is_builtin_wrapper(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let kind = object.get_type();
    let home = kind.getattr("__module__")?;
    let home = home.extract::<&str>().unwrap_or_default().to_string();
    Ok(matches!(
        (home.as_str(), kind.name()?.to_str()?),
        (
            "builtins",
            "method" | "property" | "classmethod" | "staticmethod"
        ) | ("functools", "partial" | "_lru_cache_wrapper")
    ))
}

/// Whether it is an instance of a class of Python's whose instances are told apart by what
/// they are, not by what they hold.
fn is_instance(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let kind = object.get_type();
    if object.is_instance_of::<PyType>()
        || object.is_instance_of::<PyModule>()
        || !values::is_python_class(&kind)?
        || values::is_comparable(object)
    {
        return Ok(false);
    }
    let plain = object.py().get_type::<PyAny>().getattr("__eq__")?;
    let own = crate::reach::lookup(&kind, "__eq__")?;
    Ok(own.is_some_and(|own| own.is(&plain)))
}

/// Whether the text of a function was written by the program and stands in no file.
pub(super) fn is_generated(function: &Bound<'_, PyAny>) -> PyResult<bool> {
    let Ok(code) = function.peek("__code__") else {
        return Ok(false);
    };
    let file: String = code.getattr("co_filename")?.extract()?;
    Ok(function.is_exact_instance_of::<PyFunction>() && file.starts_with('<'))
}

/// What an object that decorators made keeps.
pub(super) fn slots_of<'py>(object: &Bound<'py, PyAny>) -> PyResult<Slots<'py>> {
    let mut held = Slots::new();
    if let Ok(function) = object.cast_exact::<PyFunction>() {
        for name in METADATA {
            // Asking for annotations that are evaluated on demand would evaluate them.
            if name != "__annotations__" || !cfg!(Py_3_14) {
                held.push((Slot::Attribute(name), object.getattr(name)?));
            }
        }
        if has_attributes(function) {
            entries(object, &mut held)?;
        }
        for (name, cell) in cells_of(object)? {
            if let Ok(value) = cell.getattr("cell_contents") {
                held.push((Slot::Cell(name), value));
            }
        }
        if let Some(names) = own_names(object)? {
            for (name, value) in names.iter() {
                let name: String = name.extract()?;
                if name != "__builtins__" {
                    held.push((Slot::Global(name), value));
                }
            }
        }
        return Ok(held);
    }
    if is_builtin_wrapper(object)? {
        for name in ["fget", "fset", "fdel", "__func__", "__self__", "func"] {
            if let Ok(value) = object.peek(name)
                && !value.is_none()
            {
                held.push((Slot::Attribute(name), value));
            }
        }
        if object.peek("fget").is_ok() {
            held.push((Slot::Attribute("__doc__"), object.getattr("__doc__")?));
        }
        entries(object, &mut held)?;
        return Ok(held);
    }
    for (name, value) in crate::moved::own_attributes(object)?.iter() {
        if let Ok(name) = name.extract() {
            held.push((Slot::Entry(name), value));
        }
    }
    Ok(held)
}

fn entries<'py>(object: &Bound<'py, PyAny>, held: &mut Slots<'py>) -> PyResult<()> {
    if let Some(dict) = own_dict(object)? {
        for (name, value) in dict.iter() {
            if let Ok(name) = name.extract() {
                held.push((Slot::Entry(name), value));
            }
        }
    }
    Ok(())
}

/// The cells of a function, by the names of their variables.
pub(super) fn cells_of<'py>(
    function: &Bound<'py, PyAny>,
) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
    let Ok(cells) = function.getattr("__closure__")?.cast_into::<PyTuple>() else {
        return Ok(Vec::new());
    };
    let names = codes::free_variables(&function.getattr("__code__")?)?;
    let named = names.into_iter().zip(cells.iter());
    Ok(named.filter(|(name, _)| name != "__class__").collect())
}

/// The namespace that was made for a generated function.
fn own_names<'py>(function: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    if !is_generated(function)? {
        return Ok(None);
    }
    let names = function.getattr("__globals__")?.cast_into::<PyDict>()?;
    let modules = function.py().import("sys")?.getattr("modules")?;
    let home = match names.get_item("__name__")? {
        Some(name) => modules.get_item(name).ok(),
        None => None,
    };
    let is_of_module = match home.map(Bound::cast_into::<PyModule>) {
        Some(Ok(home)) => home.dict().is(&names),
        _ => false,
    };
    let small = names.len() <= MOST_NAMES;
    let by_text = names
        .keys()
        .iter()
        .all(|name| name.extract::<String>().is_ok());
    Ok((!is_of_module && small && by_text).then_some(names))
}

/// What gives a slot another value. None: nothing may.
pub(super) fn write_to<'py>(
    object: &Bound<'py, PyAny>,
    slot: &Slot,
    value: Option<Bound<'py, PyAny>>,
) -> PyResult<Option<Write<'py>>> {
    Ok(match slot {
        Slot::Attribute(name) => {
            let is_set = METADATA.contains(name) && value.is_some();
            is_set.then(|| Write::Attribute {
                object: object.clone(),
                name,
                value,
            })
        }
        Slot::Cell(name) => {
            let cell = cells_of(object)?.into_iter().find(|(each, _)| each == name);
            cell.filter(|_| value.is_some())
                .map(|(_, cell)| Write::Attribute {
                    object: cell,
                    name: "cell_contents",
                    value,
                })
        }
        Slot::Global(name) => own_names(object)?.map(|dict| Write::Item {
            key: PyString::new(dict.py(), name).into_any(),
            dict,
            value,
        }),
        Slot::Entry(name) => {
            let key = PyString::intern(object.py(), name);
            let found = crate::reach::lookup(&object.get_type(), name)?;
            let in_slot = !object.is_exact_instance_of::<PyFunction>()
                && found.is_some_and(|found| {
                    let kind = found.get_type().name();
                    kind.is_ok_and(|kind| kind == "member_descriptor")
                });
            match own_dict(object)? {
                Some(dict) if !in_slot || dict.contains(&key)? => Some(Write::Item {
                    dict,
                    key: key.into_any(),
                    value,
                }),
                _ => (in_slot && !cpython::runs_code(object, &key)).then(|| {
                    Write::InstanceAttribute {
                        object: object.clone(),
                        name: key.into_any(),
                        value,
                    }
                }),
            }
        }
    })
}

/// Whether two values are the same, where `known` says it of objects that stand for one
/// another. No code of the program is called.
pub(super) fn same<'py>(
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    known: &dyn Fn(&Bound<'py, PyAny>, &Bound<'py, PyAny>) -> bool,
) -> PyResult<bool> {
    compare(a, b, known, &mut 0, 0)
}

fn compare<'py>(
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    known: &dyn Fn(&Bound<'py, PyAny>, &Bound<'py, PyAny>) -> bool,
    passed: &mut usize,
    depth: usize,
) -> PyResult<bool> {
    if a.is(b) || known(a, b) {
        return Ok(true);
    }
    *passed += 1;
    if depth > DEPTH || *passed > MOST || !a.get_type().is(b.get_type()) {
        return Ok(false);
    }
    if values::is_plain(a) {
        return Ok(values::equal(a, b));
    }
    if a.is_exact_instance_of::<PyTuple>() || a.is_exact_instance_of::<PyList>() {
        if a.len()? != b.len()? {
            return Ok(false);
        }
        for (x, y) in a.try_iter()?.zip(b.try_iter()?) {
            if !compare(&x?, &y?, known, passed, depth + 1)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if let Some((x, y)) = mapping(a)?.zip(mapping(b)?) {
        if x.len() != y.len() {
            return Ok(false);
        }
        for ((key, x), (other, y)) in x.iter().zip(y.iter()) {
            if !values::equal(&key, &other) || !compare(&x, &y, known, passed, depth + 1)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    let is_object = !a.is_instance_of::<PyType>() && !a.is_instance_of::<PyModule>();
    if is_object && values::is_python_class(&a.get_type())? && !values::is_comparable(a) {
        let (x, y) = (
            crate::moved::own_attributes(a)?,
            crate::moved::own_attributes(b)?,
        );
        if x.len() != y.len() || x.is_empty() {
            return Ok(false);
        }
        for (name, x) in x.iter() {
            match y.get_item(&name)? {
                Some(y) if compare(&x, &y, known, passed, depth + 1)? => {}
                _ => return Ok(false),
            }
        }
        return Ok(true);
    }
    Ok(is_like(a, b))
}

/// A dict, one that keeps an order, or a view of one.
fn mapping<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let kind = object.get_type();
    if object.is_exact_instance_of::<PyDict>() {
        return Ok(Some(object.clone().cast_into::<PyDict>()?));
    }
    match kind.name()?.to_str()? {
        "mappingproxy" => {
            let copy = object.call_method0("copy")?;
            Ok(copy.cast_into::<PyDict>().ok())
        }
        "OrderedDict" if kind.getattr("__module__")?.eq("collections")? => {
            let copy = PyDict::new(object.py());
            copy.update(object.cast::<PyDict>()?.as_mapping())?;
            Ok(Some(copy))
        }
        _ => Ok(None),
    }
}
