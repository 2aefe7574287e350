//! Kinds of holders: which words of an object are plain references.

use std::ffi::CStr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

use crate::layout::BODY;
use crate::support::Result;

/// Builtin types of which every field that holds an object is a plain
/// reference: writing it needs nothing else to be written with it.
const PLAIN: &[&str] = &[
    "_asyncio.Future",
    "_asyncio.Task",
    "builtin_function_or_method",
    "builtin_method",
    "callable_iterator",
    "classmethod",
    "collections.defaultdict",
    "Context",
    "ContextVar",
    "_contextvars.ContextVar",
    "coroutine_wrapper",
    "dict_items",
    "dict_keys",
    "dict_values",
    "enumerate",
    "filter",
    "functools.KeyWrapper",
    "functools._lru_cache_wrapper",
    "functools.partial",
    "instancemethod",
    "iterator",
    "list_iterator",
    "list_reverseiterator",
    "map",
    "mappingproxy",
    "method",
    "method-wrapper",
    "operator.attrgetter",
    "operator.itemgetter",
    "operator.methodcaller",
    "property",
    "reversed",
    "staticmethod",
    "super",
    "Token",
    "tuple_iterator",
    "types.GenericAlias",
    "types.SimpleNamespace",
    "types.UnionType",
    "typing.Union",
    "weakref",
    "weakref.ReferenceType",
    "zip",
];

/// Of these, the hash follows from what they refer to.
const HASHED_BY_CONTENT: &[&str] = &[
    "builtin_function_or_method",
    "builtin_method",
    "method",
    "method-wrapper",
    "types.GenericAlias",
    "types.UnionType",
    "typing.Union",
];

/// Tells kinds of objects apart without asking them.
pub(super) struct Kinds<'py> {
    /// A class made by a `class` statement, whose traversal all such classes share.
    specimen: Bound<'py, PyType>,
}

impl<'py> Kinds<'py> {
    pub(super) fn get(py: Python<'py>) -> Result<Self> {
        let kind = py.get_type::<PyType>();
        let specimen = kind.call1(("specimen", PyTuple::empty(py), pyo3::types::PyDict::new(py)));
        let specimen = specimen?.cast_into::<PyType>().map_err(PyErr::from)?;
        Ok(Self { specimen })
    }

    /// The first class up the line that was made in C.
    pub(super) fn builtin_base(&self, object: &Bound<'py, PyAny>) -> *mut ffi::PyTypeObject {
        let mut kind = object.get_type_ptr();
        while self.is_made_in_python(kind) {
            // SAFETY: a live class keeps its base alive.
            let base = unsafe { (*kind).tp_base };
            if base.is_null() {
                break;
            }
            kind = base;
        }
        kind
    }

    /// Where in `object` the words begin that are plain references (or never
    /// equal to the address of an object).
    pub(super) fn first_plain_word(&self, object: &Bound<'py, PyAny>) -> usize {
        let base = self.builtin_base(object);
        let kind = object.get_type_ptr();
        // SAFETY: reads the item size of a live type.
        if unsafe { (*kind).tp_itemsize } != 0 {
            // Items overlap the end of the body, and slots are not allowed.
            return usize::MAX;
        }
        let name = name_of(base);
        let plain = PLAIN.contains(&name.as_str())
            || name.starts_with("itertools.")
            || inherits_exception(base);
        if plain {
            return BODY;
        }
        // What follows was added by `class` statements: slots and the dict.
        // SAFETY: reads the size of a live type.
        let size = unsafe { (*base).tp_basicsize };
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    pub(super) fn hashes_by_content(&self, object: &Bound<'py, PyAny>) -> bool {
        let name = name_of(self.builtin_base(object));
        name == "tuple" || HASHED_BY_CONTENT.contains(&name.as_str())
    }

    pub(super) fn is_bounded_cache(&self, object: &Bound<'py, PyAny>) -> bool {
        name_of(self.builtin_base(object)) == "functools._lru_cache_wrapper"
    }

    pub(super) fn is_deque(&self, object: &Bound<'py, PyAny>) -> bool {
        name_of(self.builtin_base(object)) == "collections.deque"
    }

    pub(super) fn is_set(&self, object: &Bound<'py, PyAny>) -> bool {
        name_of(self.builtin_base(object)) == "set"
    }

    pub(super) fn is_descriptor_of_a_class(&self, object: &Bound<'py, PyAny>) -> bool {
        matches!(
            name_of(object.get_type_ptr()).as_str(),
            "getset_descriptor" | "member_descriptor" | "wrapper_descriptor" | "method_descriptor"
        )
    }

    pub(super) fn is_made_in_python(&self, kind: *mut ffi::PyTypeObject) -> bool {
        // SAFETY: callers pass the type of a live object or a base of it.
        let traverse = unsafe { (*kind).tp_traverse };
        // SAFETY: the specimen is a live type.
        let shared = unsafe { (*self.specimen.as_type_ptr()).tp_traverse };
        match (traverse, shared) {
            (Some(traverse), Some(shared)) => traverse as usize == shared as usize,
            _ => false,
        }
    }
}

/// The name that C code gave to a type.
pub(super) fn name_of(kind: *mut ffi::PyTypeObject) -> String {
    // SAFETY: callers pass a live type.
    let name = unsafe { (*kind).tp_name };
    // SAFETY: a live type has a name that ends with a zero byte.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_string_lossy().into_owned()
}

fn inherits_exception(kind: *mut ffi::PyTypeObject) -> bool {
    // SAFETY: reads a static pointer that is set while an interpreter lives.
    let exception = unsafe { ffi::PyExc_BaseException };
    // SAFETY: two live types; the call only walks their bases.
    unsafe { ffi::PyType_IsSubtype(kind, exception.cast()) != 0 }
}
