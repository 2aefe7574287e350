//! Attributes and bases of classes, without the hooks of metaclasses.
//!
//! A metaclass or class in Python may define `__setattr__`. Calling it in the
//! middle of a commit would let other threads in, so everything here goes
//! through the setters of `type` and `object` themselves.

use std::ffi::CStr;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::attributes;
use crate::names;
use crate::support::Result;

/// Sets an attribute of `class`, or deletes it where `value` is `None`.
///
/// Special methods reach the type's slots, and all caches are told. Refused for
/// builtin classes, as in Python.
pub fn set_type_attribute(
    class: &Bound<'_, PyType>,
    name: &Bound<'_, PyString>,
    value: Option<&Bound<'_, PyAny>>,
) -> Result<()> {
    if attributes::runs_code(class.as_any(), name) && !is_special(name) {
        // A property of the metaclass hides the attribute from its setter, as it
        // does from a lookup; the class body put it into the dict all the same.
        return write_hidden(class, name, value);
    }
    let is_name = name.to_str().is_ok_and(|name| name == "__name__");
    if is_name && !value.is_some_and(|value| value.is_instance_of::<PyString>()) {
        // A property of this name in the body is an attribute of the instances; the
        // setter of `type` takes it for the name of the class.
        return write_hidden(class, name, value);
    }
    let kind = &raw const ffi::PyType_Type;
    // SAFETY: `type` is a static object that is always alive.
    let set = unsafe { (*kind).tp_setattro }
        .ok_or_else(|| PyTypeError::new_err("type has no attribute setter"))?;
    let value = value.map_or(std::ptr::null_mut(), |value| value.as_ptr());
    // SAFETY: three live objects, the last one maybe null, which deletes.
    let outcome = unsafe { set(class.as_ptr(), name.as_ptr(), value) };
    finish(class.py(), outcome)
}

fn is_special(name: &Bound<'_, PyString>) -> bool {
    name.to_str()
        .is_ok_and(|name| name.starts_with("__") && name.ends_with("__"))
}

fn write_hidden(
    class: &Bound<'_, PyType>,
    name: &Bound<'_, PyString>,
    value: Option<&Bound<'_, PyAny>>,
) -> Result<()> {
    let dict = type_dict(class);
    match value {
        Some(value) => dict.set_item(name, value)?,
        None => dict.del_item(name)?,
    }
    invalidate_attribute_cache(class);
    Ok(())
}

/// The dict in which `class` keeps its attributes. For reading only: a write
/// to it would leave slots and caches behind.
pub fn type_dict<'py>(class: &Bound<'py, PyType>) -> Bound<'py, PyDict> {
    #[cfg(Py_3_12)]
    // SAFETY: a live type that is ready; the call gives a new reference.
    let dict = unsafe { ffi::PyType_GetDict(class.as_type_ptr()) };
    #[cfg(not(Py_3_12))]
    let dict = {
        // SAFETY: a live type that is ready has a dict.
        let dict = unsafe { (*class.as_type_ptr()).tp_dict };
        // SAFETY: the pointer was just read from a type that keeps it alive.
        unsafe { ffi::Py_INCREF(dict) };
        dict
    };
    // SAFETY: the new reference is ours.
    let dict = unsafe { Bound::from_owned_ptr(class.py(), dict) };
    // SAFETY: types keep their attributes in a dict.
    unsafe { dict.cast_into_unchecked() }
}

/// Assigns `__bases__`. Layouts that do not fit are refused, as in Python.
pub fn set_bases(class: &Bound<'_, PyType>, bases: &Bound<'_, PyTuple>) -> Result<()> {
    set_type_attribute(class, names::bases(class.py()), Some(bases.as_any()))
}

/// Makes `object` an instance of `class`, by the setter of `object.__class__`.
pub fn set_instance_class(object: &Bound<'_, PyAny>, class: &Bound<'_, PyType>) -> Result<()> {
    let py = object.py();
    let base = py.get_type::<PyAny>();
    let descriptor = type_dict(&base)
        .get_item(names::class(py))?
        .ok_or_else(|| PyTypeError::new_err("object has no __class__"))?;
    let kind = descriptor.get_type_ptr();
    // SAFETY: the type of a live object is alive.
    let set = unsafe { (*kind).tp_descr_set }
        .ok_or_else(|| PyTypeError::new_err("object.__class__ cannot be set"))?;
    // SAFETY: the descriptor's own setter with three live objects.
    let outcome = unsafe { set(descriptor.as_ptr(), object.as_ptr(), class.as_ptr()) };
    finish(py, outcome)
}

/// Looks at the name of an object's class, without its module. Makes no object.
pub fn with_class_name<R>(object: &Bound<'_, PyAny>, look: impl FnOnce(&[u8]) -> R) -> R {
    let kind = object.get_type_ptr();
    // SAFETY: the type of a live object is alive.
    let name = unsafe { (*kind).tp_name };
    // SAFETY: a type always has a name, which ends with a zero, and stays while `look`
    // cannot run anything that would change it.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let start = name.iter().rposition(|byte| *byte == b'.');
    look(&name[start.map_or(0, |dot| dot + 1)..])
}

/// Forgets every attribute lookup that the interpreter has cached for `class`.
pub fn invalidate_attribute_cache(class: &Bound<'_, PyType>) {
    // SAFETY: `class` is a live type object, and a `Bound` exists only while
    // this thread is attached to the interpreter. The call asks for no more.
    unsafe { ffi::PyType_Modified(class.as_type_ptr()) }
}

fn finish(py: Python<'_>, outcome: std::ffi::c_int) -> Result<()> {
    match outcome {
        0 => Ok(()),
        _ => Err(PyErr::fetch(py).into()),
    }
}
