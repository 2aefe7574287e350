//! The private parts of CPython, with the types that a transaction works on.

use hotswap_cpython as cpython;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyFunction, PyString, PyTuple, PyType};

pub(crate) use cpython::attributes::{has_attributes, is_set_by_code, own_dict};
pub(crate) use cpython::home::{Home, Moved};
pub(crate) use cpython::import;
pub(crate) use cpython::references::Replaced;
pub(crate) use cpython::types::{invalidate_attribute_cache, type_dict, with_class_name};

/// An absent capability or a refusal of the interpreter, as the exception it is.
pub(crate) fn raised(error: cpython::CpythonError) -> PyErr {
    match error {
        cpython::CpythonError::Python(error) => error,
        cpython::CpythonError::Unsupported(absent) => {
            pyo3::exceptions::PyNotImplementedError::new_err(format!(
                "{}: {}",
                absent.capability, absent.reason
            ))
        }
    }
}

pub(crate) fn functions_in_files<'py>(
    py: Python<'py>,
    files: &[Bound<'py, PyString>],
) -> PyResult<Vec<Bound<'py, PyFunction>>> {
    cpython::heap::functions_in_files(py, files).map_err(raised)
}

pub(crate) fn functions_with_code<'py>(
    py: Python<'py>,
    codes: &[Bound<'py, PyAny>],
) -> PyResult<Vec<Bound<'py, PyFunction>>> {
    let codes: Vec<Bound<'py, PyCode>> = codes
        .iter()
        .filter_map(|code| code.clone().cast_into().ok())
        .collect();
    cpython::heap::functions_with_code(py, &codes).map_err(raised)
}

/// Whether threads run that may have done something while this one ran Python code.
pub(crate) fn other_threads(py: Python<'_>) -> bool {
    cpython::frames::threads(py) > 1
}

pub(crate) fn instances_of<'py>(
    py: Python<'py>,
    class: &Bound<'py, PyType>,
    subclasses: bool,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    cpython::heap::instances_of(py, std::slice::from_ref(class), subclasses).map_err(raised)
}

pub(crate) fn referrers<'py>(
    py: Python<'py>,
    objects: &[Bound<'py, PyAny>],
) -> PyResult<Vec<(Bound<'py, PyAny>, usize)>> {
    cpython::heap::referrers(py, objects).map_err(raised)
}

/// The same, also by dicts that the collector does not know.
pub(crate) fn referrers_in_all<'py>(
    py: Python<'py>,
    objects: &[Bound<'py, PyAny>],
) -> PyResult<Vec<(Bound<'py, PyAny>, usize)>> {
    cpython::heap::referrers_in_all(py, objects).map_err(raised)
}

pub(crate) fn generators_with_code<'py>(
    py: Python<'py>,
    codes: &[Bound<'py, PyCode>],
) -> PyResult<Vec<(Bound<'py, PyAny>, usize)>> {
    cpython::heap::generators_with_code(py, codes).map_err(raised)
}

pub(crate) fn set_code_and_closure(
    function: &Bound<'_, PyAny>,
    code: &Bound<'_, PyAny>,
    closure: Option<&Bound<'_, PyTuple>>,
) -> PyResult<()> {
    cpython::functions::set_code_and_closure(
        function.cast::<PyFunction>()?,
        code.cast::<PyCode>()?,
        closure,
    )
    .map_err(raised)
}

pub(crate) fn move_home<'py>(py: Python<'py>, homes: &[Home<'py>]) -> PyResult<Moved<'py>> {
    cpython::home::move_home(py, homes.to_vec()).map_err(raised)
}

pub(crate) fn set_globals(
    function: &Bound<'_, PyAny>,
    globals: &Bound<'_, PyDict>,
) -> PyResult<()> {
    cpython::functions::set_globals(function.cast::<PyFunction>()?, globals).map_err(raised)
}

pub(crate) fn set_class_attribute(
    class: &Bound<'_, PyType>,
    name: &Bound<'_, PyAny>,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    cpython::types::set_type_attribute(class, name.cast::<PyString>()?, value).map_err(raised)
}

pub(crate) fn set_bases(class: &Bound<'_, PyType>, bases: &Bound<'_, PyTuple>) -> PyResult<()> {
    cpython::types::set_bases(class, bases).map_err(raised)
}

pub(crate) fn set_instance_class(
    object: &Bound<'_, PyAny>,
    class: &Bound<'_, PyType>,
) -> PyResult<()> {
    cpython::types::set_instance_class(object, class).map_err(raised)
}

/// Whether getting or setting an attribute runs code of the program.
pub(crate) fn runs_code(object: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> bool {
    cpython::attributes::runs_code(object, name)
}

pub(crate) fn own_attribute<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    cpython::attributes::own_attribute(object, name).map_err(raised)
}

pub(crate) fn set_own_attribute(
    object: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    cpython::attributes::set_own_attribute(object, name, value).map_err(raised)
}

/// Empties an `lru_cache`, or what a class made by `ABCMeta` remembers of its
/// subclasses; returns what must live until the commit is over.
pub(crate) fn clear_cache<'py>(object: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    if object.is_instance_of::<PyType>() {
        let reset = object.py().import("_abc")?.getattr("_reset_caches")?;
        reset.call1((object,))?;
        return Ok(Vec::new());
    }
    let held = cpython::references::clear_lru_cache(object).map_err(raised)?;
    Ok(held.unwrap_or_default())
}

/// Gives a cache back what [`clear_cache`] took; false where that cannot be done.
pub(crate) fn refill_cache<'py>(
    object: &Bound<'py, PyAny>,
    held: &[Bound<'py, PyAny>],
) -> PyResult<bool> {
    if object.is_instance_of::<PyType>() {
        return clear_cache(object).map(|_| true);
    }
    cpython::references::refill_lru_cache(object, held).map_err(raised)
}

/// Whether this is a cache that [`clear_cache`] empties without code of the program.
pub(crate) fn is_native_cache(object: &Bound<'_, PyAny>) -> bool {
    // Most objects are told apart by the first question, which makes no string.
    with_class_name(object, |name| name == b"_lru_cache_wrapper")
        && object
            .get_type()
            .fully_qualified_name()
            .is_ok_and(|name| name == "functools._lru_cache_wrapper")
}

pub(crate) fn shift_first_line(code: &Bound<'_, PyAny>, delta: i32) -> PyResult<()> {
    cpython::lines::shift_first_line(code.cast::<PyCode>()?, delta).map_err(raised)
}

/// The body of a class as it is so many lines further down. None: it notes no line.
pub(crate) fn moved_class_body<'py>(
    body: &Bound<'py, PyAny>,
    delta: i32,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let moved = cpython::class_lines::moved_class_body(body.cast::<PyCode>()?, delta);
    Ok(moved.map_err(raised)?.map(Bound::into_any))
}

pub(crate) fn replace_nested_code(
    parent: &Bound<'_, PyAny>,
    old: &Bound<'_, PyAny>,
    new: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let [parent, old, new] = [parent, old, new].map(|code| code.cast::<PyCode>());
    cpython::code::replace_code_constant(parent?, old?, new?)
        .map(drop)
        .map_err(raised)
}

/// Lets iterators over containers go on through copies of them.
pub(crate) fn redirect_iterators<'py>(
    py: Python<'py>,
    copies: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
) -> PyResult<Replaced> {
    let pairs: Vec<_> = copies
        .into_iter()
        .map(|(old, new)| cpython::references::Replacement { old, new })
        .collect();
    cpython::references::redirect_iterators(py, &pairs).map_err(raised)
}

/// An object, what takes its place, and whether every reference must follow.
pub(crate) struct Succession<'py> {
    pub old: Bound<'py, PyAny>,
    pub new: Bound<'py, PyAny>,
    pub all_or_none: bool,
}

/// References that stayed: the object, and who holds it or why.
pub(crate) type LeftOver<'py> = (Bound<'py, PyAny>, usize, String);

/// Replaces references in one pass over the heap.
pub(crate) fn replace_references<'py>(
    py: Python<'py>,
    successions: Vec<Succession<'py>>,
    doomed: &[Bound<'py, PyType>],
    held: &dyn Fn(&Bound<'py, PyAny>) -> usize,
) -> PyResult<(Replaced, Vec<LeftOver<'py>>)> {
    let pairs: Vec<cpython::references::Replacement<'py>> = successions
        .iter()
        .map(|each| cpython::references::Replacement {
            old: each.old.clone(),
            new: each.new.clone(),
        })
        .collect();
    let found = cpython::references::find_references(py, &pairs, &|_| false).map_err(raised)?;
    let mut left_over = Vec::new();
    for (index, each) in successions.iter().enumerate() {
        // Ours are the one in `successions`, the one in `pairs`, and what `held` tells.
        let left = found.left(index, 2 + held(&each.old));
        if each.all_or_none {
            if let Some(left) = left.first() {
                let name: String = each.old.get_type().getattr("__qualname__")?.extract()?;
                return Err(pyo3::exceptions::PyTypeError::new_err(format!(
                    "an instance of {name} cannot move to the new layout: {} reference(s) cannot follow ({})",
                    left.count, left.reason
                )));
            }
        } else {
            // Those without a holder are held by this update itself.
            let seen = left.iter().filter(|left| left.holder.is_some());
            left_over.extend(seen.map(|left| (each.old.clone(), left.count, left.reason.clone())));
        }
    }
    Ok((found.replace(py, doomed).map_err(raised)?, left_over))
}
