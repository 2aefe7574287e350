//! The private parts of CPython, with the types that a transaction works on.

use hotswap_cpython as cpython;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyFunction, PyString, PyTuple, PyType};

pub(crate) use cpython::types::type_dict;

/// An absent capability or a refusal of the interpreter, as the exception it is.
fn raised(error: cpython::CpythonError) -> PyErr {
    match error {
        cpython::CpythonError::Python(error) => error,
        cpython::CpythonError::Unsupported(absent) => {
            pyo3::exceptions::PyNotImplementedError::new_err(format!("{}: {}", absent.capability, absent.reason))
        }
    }
}

pub(crate) fn functions_in_files<'py>(py: Python<'py>, files: &[Bound<'py, PyString>]) -> PyResult<Vec<Bound<'py, PyFunction>>> {
    cpython::heap::functions_in_files(py, files).map_err(raised)
}

pub(crate) fn instances_of<'py>(py: Python<'py>, class: &Bound<'py, PyType>, subclasses: bool) -> PyResult<Vec<Bound<'py, PyAny>>> {
    cpython::heap::instances_of(py, std::slice::from_ref(class), subclasses).map_err(raised)
}

pub(crate) fn referrers<'py>(py: Python<'py>, objects: &[Bound<'py, PyAny>]) -> PyResult<Vec<(Bound<'py, PyAny>, usize)>> {
    cpython::heap::referrers(py, objects).map_err(raised)
}

pub(crate) fn generators_with_code<'py>(py: Python<'py>, codes: &[Bound<'py, PyCode>]) -> PyResult<Vec<usize>> {
    Ok(cpython::heap::generators_with_code(py, codes).map_err(raised)?.into_iter().map(|(_, index)| index).collect())
}

pub(crate) fn set_code_and_closure(
    function: &Bound<'_, PyAny>,
    code: &Bound<'_, PyAny>,
    closure: Option<&Bound<'_, PyTuple>>,
) -> PyResult<()> {
    cpython::functions::set_code_and_closure(function.cast::<PyFunction>()?, code.cast::<PyCode>()?, closure).map_err(raised)
}

pub(crate) fn set_globals(function: &Bound<'_, PyAny>, globals: &Bound<'_, PyDict>) -> PyResult<()> {
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

pub(crate) fn set_instance_class(object: &Bound<'_, PyAny>, class: &Bound<'_, PyType>) -> PyResult<()> {
    cpython::types::set_instance_class(object, class).map_err(raised)
}

pub(crate) fn shift_first_line(code: &Bound<'_, PyAny>, delta: i32) -> PyResult<()> {
    cpython::lines::shift_first_line(code.cast::<PyCode>()?, delta).map_err(raised)
}

pub(crate) struct ReferenceUndo(Py<PyAny>, Py<PyAny>, Py<PyAny>);

impl ReferenceUndo {
    pub(crate) fn restore(self, py: Python<'_>) -> PyResult<()> {
        swap(self.0.bind(py), self.2.bind(py), self.1.bind(py))
    }
}

pub(crate) struct Replaced {
    pub replaced: Vec<ReferenceUndo>,
    pub left: usize,
}

fn swap(holder: &Bound<'_, PyAny>, old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<()> {
    if let Ok(dict) = holder.cast::<PyDict>() {
        for (key, value) in dict.copy()?.iter() {
            if value.is(old) {
                dict.set_item(key, new)?;
            }
        }
    } else if let Ok(list) = holder.cast::<pyo3::types::PyList>() {
        for (index, item) in list.iter().enumerate() {
            if item.is(old) {
                list.set_item(index, new)?;
            }
        }
    } else if let Ok(tuple) = holder.cast::<PyTuple>() {
        for (index, item) in tuple.iter().enumerate() {
            if item.is(old) {
                cpython::tuple::set_tuple_item(tuple, index, new).map_err(raised)?;
            }
        }
    } else if holder.get_type().name()? == "cell" {
        holder.setattr("cell_contents", new)?;
    }
    Ok(())
}

pub(crate) fn replace_reference<'py>(py: Python<'py>, old: &Bound<'py, PyAny>, new: &Bound<'py, PyAny>) -> PyResult<Replaced> {
    let mut replaced = Vec::new();
    for (holder, _) in referrers(py, std::slice::from_ref(old))? {
        swap(&holder, old, new)?;
        replaced.push(ReferenceUndo(holder.unbind(), old.clone().unbind(), new.clone().unbind()));
    }
    Ok(Replaced { replaced, left: 0 })
}
