//! Attributes as an object itself keeps them, without running code of its class.
//!
//! `getattr` and `setattr` may run a `__getattr__`, a `__setattr__` or a property
//! of the program. In the middle of a commit that would let other threads in.

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyString, PyType};

use crate::references::type_name;
use crate::support::Result;
use crate::types::{set_type_attribute, type_dict};

/// Whether this attribute is got and set by code of the program: a property, or
/// another descriptor that is not made in C.
pub fn runs_code(object: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> bool {
    match descriptor(object, name) {
        Some(found) => sets(&found) && !is_made_in_c(&found),
        None => false,
    }
}

/// Whether somebody has set an attribute of this function. Asking for `__dict__` would
/// make every function keep an empty one.
pub fn has_attributes(function: &Bound<'_, PyFunction>) -> bool {
    // SAFETY: the type of functions is static.
    let offset = unsafe { ffi::PyFunction_Type.tp_dictoffset };
    let Some(offset) = usize::try_from(offset).ok().filter(|offset| *offset > 0) else {
        return true;
    };
    // SAFETY: the type says that a function keeps its dict there.
    let place = unsafe { function.as_ptr().byte_add(offset) }.cast::<*mut ffi::PyObject>();
    // SAFETY: inside the live function.
    let dict = unsafe { place.read() };
    // SAFETY: null, or a dict that the function keeps alive.
    !dict.is_null() && unsafe { ffi::PyDict_Size(dict) } > 0
}

/// The value of an attribute that the object keeps itself; `None` where it has none.
///
/// What a class or a `__getattr__` would give instead does not count.
pub fn own_attribute<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> Result<Option<Bound<'py, PyAny>>> {
    let py = object.py();
    match descriptor(object, name) {
        Some(found) if sets(&found) => {
            if !is_made_in_c(&found) {
                return Err(refused(object, name).into());
            }
            let kind = found.get_type_ptr();
            // SAFETY: the type of a live object is alive.
            let Some(get) = (unsafe { (*kind).tp_descr_get }) else {
                return Ok(None);
            };
            let owner = object.get_type();
            // SAFETY: the descriptor's own getter with live objects; a new
            // reference or an exception.
            let value = unsafe { get(found.as_ptr(), object.as_ptr(), owner.as_ptr()) };
            // SAFETY: the new reference is ours.
            match unsafe { Bound::from_owned_ptr_or_err(py, value) } {
                Ok(value) => Ok(Some(value)),
                Err(error) if error.is_instance_of::<PyAttributeError>(py) => Ok(None),
                Err(error) => Err(error.into()),
            }
        }
        _ => match own_dict(object)? {
            Some(dict) => Ok(dict.get_item(name)?),
            None => Ok(None),
        },
    }
}

/// Attributes that are read without code of the program.
pub trait Peek<'py> {
    /// What `getattr` gives where nothing but the interpreter has a say in it.
    ///
    /// `AttributeError` where the object has nothing under the name, and also where a
    /// property, another descriptor of the program or its `__getattr__` would be asked: that
    /// may set up what is lazy, or fail.
    fn peek(&self, name: &str) -> PyResult<Bound<'py, PyAny>>;
}

impl<'py> Peek<'py> for Bound<'py, PyAny> {
    fn peek(&self, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let name = PyString::intern(self.py(), name);
        peek(self, &name)?.ok_or_else(|| PyAttributeError::new_err(name.unbind()))
    }
}

fn peek<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = object.py();
    let found = descriptor(object, name);
    if let Some(found) = &found
        && !is_bound_in_c(found)
    {
        return Ok(None);
    }
    let get = match object.cast::<PyType>() {
        Ok(class) => {
            let own = of_classes(class, name);
            let kind = (&raw const ffi::PyProperty_Type).cast_mut();
            // What a class gives for a property is the property.
            if own.is_some_and(|own| !is_bound_in_c(&own) && own.get_type_ptr() != kind) {
                return Ok(None);
            }
            // SAFETY: a static type object that is always alive.
            unsafe { ffi::PyType_Type.tp_getattro }
        }
        Err(_) => Some(ffi::PyObject_GenericGetAttr as ffi::getattrofunc),
    };
    if found.is_none() && is_of_c(object.get_type_ptr()) && type_name(object) == "method" {
        // Methods have the attributes of their functions.
        let function = own_attribute(object, &PyString::intern(py, "__func__"));
        return match function {
            Ok(Some(function)) => peek(&function, name),
            _ => Ok(None),
        };
    }
    let Some(get) = get else {
        return Ok(None);
    };
    // SAFETY: the interpreter's own getter with live objects; a new reference or an exception.
    // It asks no `__getattr__`, and no descriptor but those that were just looked at.
    let value = unsafe { get(object.as_ptr(), name.as_ptr()) };
    // SAFETY: the new reference is ours.
    match unsafe { Bound::from_owned_ptr_or_err(py, value) } {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_instance_of::<PyAttributeError>(py) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether no code of the program runs when a class has this and it is read from an instance.
fn is_bound_in_c(found: &Bound<'_, PyAny>) -> bool {
    let kind = found.get_type_ptr();
    // SAFETY: the type of a live object is alive.
    let get = unsafe { (*kind).tp_descr_get };
    get.is_none() || (is_of_c(kind) && kind != (&raw const ffi::PyProperty_Type).cast_mut())
}

/// Whether a type is one that C code declares, not one that is made at run time.
fn is_of_c(kind: *mut ffi::PyTypeObject) -> bool {
    // SAFETY: called with types of live objects.
    unsafe { ffi::PyType_GetFlags(kind) & ffi::Py_TPFLAGS_HEAPTYPE == 0 }
}

/// Sets an attribute that the object keeps itself, or deletes it where `value` is
/// `None`. Refused where code of the program would run.
pub fn set_own_attribute(
    object: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
    value: Option<&Bound<'_, PyAny>>,
) -> Result<()> {
    if let Ok(class) = object.cast::<PyType>() {
        return set_type_attribute(class, name, value);
    }
    if runs_code(object, name) {
        return Err(refused(object, name).into());
    }
    let value = value.map_or(std::ptr::null_mut(), |value| value.as_ptr());
    // SAFETY: live objects, the last one maybe null, which deletes. The generic
    // setter calls descriptors made in C only, as was just checked.
    match unsafe { ffi::PyObject_GenericSetAttr(object.as_ptr(), name.as_ptr(), value) } {
        0 => Ok(()),
        _ => Err(PyErr::fetch(object.py()).into()),
    }
}

/// The dict of an object's own attributes; for a class the one that it keeps them in.
pub fn own_dict<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let py = object.py();
    if let Ok(class) = object.cast::<PyType>() {
        return Ok(Some(type_dict(class)));
    }
    // SAFETY: a live object; the call gives a new reference or raises.
    let dict = unsafe { ffi::PyObject_GenericGetDict(object.as_ptr(), std::ptr::null_mut()) };
    // SAFETY: the new reference is ours.
    match unsafe { Bound::from_owned_ptr_or_err(py, dict) } {
        Ok(dict) => Ok(dict.cast_into::<PyDict>().ok()),
        Err(error) if error.is_instance_of::<PyAttributeError>(py) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the classes of an object's class say about a name.
fn descriptor<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> Option<Bound<'py, PyAny>> {
    of_classes(&object.get_type(), name)
}

/// What a class and those above it have under a name.
fn of_classes<'py>(
    class: &Bound<'py, PyType>,
    name: &Bound<'py, PyString>,
) -> Option<Bound<'py, PyAny>> {
    class
        .mro()
        .iter()
        .filter_map(|class| class.cast_into::<PyType>().ok())
        .find_map(|class| type_dict(&class).get_item(name).ok().flatten())
}

fn sets(descriptor: &Bound<'_, PyAny>) -> bool {
    let kind = descriptor.get_type_ptr();
    // SAFETY: the type of a live object is alive.
    unsafe { (*kind).tp_descr_set }.is_some()
}

/// Whether what a class has under a name runs code of the program when the attribute of an
/// instance is set.
pub fn is_set_by_code(descriptor: &Bound<'_, PyAny>) -> bool {
    sets(descriptor) && !is_made_in_c(descriptor)
}

fn is_made_in_c(descriptor: &Bound<'_, PyAny>) -> bool {
    let kind = descriptor.get_type_ptr();
    // SAFETY: a static type object that is always alive.
    let getset = (&raw const ffi::PyGetSetDescr_Type).cast_mut();
    // SAFETY: a static type object that is always alive.
    let member = (&raw const ffi::PyMemberDescr_Type).cast_mut();
    kind == getset || kind == member
}

fn refused(object: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyErr {
    let kind = type_name(object);
    PyTypeError::new_err(format!(
        "{name} of a {kind} is set by code of the program, which an update cannot run while it commits"
    ))
}
