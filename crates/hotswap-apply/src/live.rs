//! The functions of the edited files that are alive, by the line they were defined on.

use std::cell::RefCell;

use crate::native as cpython;
use pyo3::prelude::*;
use pyo3::types::PyString;
use rustc_hash::FxHashMap;

use crate::codes;

/// A live function and its code.
#[derive(Clone)]
pub(crate) struct LiveFunction<'py> {
    pub function: Bound<'py, PyAny>,
    pub code: Bound<'py, PyAny>,
}

/// All live functions of some files.
pub(crate) struct LiveFunctions<'py> {
    by_line: FxHashMap<(String, String, u32), Vec<LiveFunction<'py>>>,
    by_code: FxHashMap<usize, Vec<Bound<'py, PyAny>>>,
    codes: Vec<Bound<'py, PyAny>>,
}

impl<'py> LiveFunctions<'py> {
    /// One pass over the heap.
    pub(crate) fn find(py: Python<'py>, files: &[String], retired: &RefCell<Vec<Py<PyAny>>>) -> PyResult<Self> {
        let names: Vec<Bound<'py, PyString>> = files.iter().map(|file| PyString::new(py, file)).collect();
        let mut live = LiveFunctions {
            by_line: FxHashMap::default(),
            by_code: FxHashMap::default(),
            codes: Vec::new(),
        };
        let retired = retired.borrow();
        for function in cpython::functions_in_files(py, &names)? {
            let function = function.into_any();
            let code = function.getattr("__code__")?;
            if retired.iter().any(|old| old.as_ptr() == code.as_ptr()) {
                continue;
            }
            let holders = live.by_code.entry(code.as_ptr() as usize).or_default();
            if holders.is_empty() {
                live.codes.push(code.clone());
            }
            holders.push(function.clone());
            let file: String = code.getattr("co_filename")?.extract()?;
            let key = (file, codes::name_of(&code)?, codes::line_of(&code)?);
            live.by_line.entry(key).or_default().push(LiveFunction { function, code });
        }
        Ok(live)
    }

    /// Functions with this name that were defined on this line of this file.
    pub(crate) fn at(&self, file: &str, name: &str, line: u32) -> &[LiveFunction<'py>] {
        self.by_line.get(&(file.to_string(), name.to_string(), line)).map_or(&[], Vec::as_slice)
    }

    /// Functions that hold this very code object.
    pub(crate) fn with_code(&self, code: &Bound<'py, PyAny>) -> &[Bound<'py, PyAny>] {
        self.by_code.get(&(code.as_ptr() as usize)).map_or(&[], Vec::as_slice)
    }

    /// Every distinct code object of these functions.
    pub(crate) fn codes(&self) -> &[Bound<'py, PyAny>] {
        &self.codes
    }
}
