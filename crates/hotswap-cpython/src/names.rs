//! Attribute names that are used in the middle of a commit.
//!
//! All of these are made before a commit starts, which then has less to do.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::once::intern;

macro_rules! names {
    ($($name:ident = $text:literal,)*) => {
        $(pub(crate) fn $name(py: Python<'_>) -> &Bound<'_, PyString> {
            intern!(py, $text)
        })*

        /// Makes all names.
        pub(crate) fn prepare(py: Python<'_>) {
            $($name(py);)*
        }
    };
}

names! {
    async_frame = "ag_frame",
    bases = "__bases__",
    builtins = "__builtins__",
    class = "__class__",
    clear = "clear",
    code = "__code__",
    code_name = "co_name",
    constants = "co_consts",
    coroutine_frame = "cr_frame",
    filename = "co_filename",
    first_line = "co_firstlineno",
    frame_globals = "f_globals",
    free_variables = "co_freevars",
    generator_frame = "gi_frame",
    get_item = "__getitem__",
    items = "items",
    iterate = "__iter__",
    set_item = "__setitem__",
}
