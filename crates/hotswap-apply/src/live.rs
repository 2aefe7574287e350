//! The functions of the edited files that are alive, by the line they were defined on.

use std::cell::RefCell;

use crate::native as cpython;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyString, PyTuple, PyType};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::codes;

/// A live function and its code.
#[derive(Clone)]
pub(crate) struct LiveFunction<'py> {
    pub function: Bound<'py, PyAny>,
    pub code: Bound<'py, PyAny>,
}

/// Whether all code inside a code object is held by its constants alone.
fn inner_unused(code: &Bound<'_, PyAny>) -> PyResult<bool> {
    for inner in codes::nested(code)? {
        // The tuple of constants, and the reference at hand.
        if hotswap_cpython::heap::reference_count(&inner) != Some(2) || !inner_unused(&inner)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Follows names to functions: modules, classes, descriptors, wrappers.
#[derive(Default)]
struct Walk<'py> {
    /// All files at once: a class that one module imports from another is met once.
    files: FxHashSet<String>,
    functions: Vec<Bound<'py, PyAny>>,
    seen: FxHashSet<usize>,
}

impl<'py> Walk<'py> {
    fn namespace(&mut self, namespace: &Bound<'py, PyDict>, depth: usize) -> PyResult<()> {
        for value in namespace.values() {
            self.value(&value, depth)?;
        }
        Ok(())
    }

    fn value(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> PyResult<()> {
        if depth > 8 || value.is_none() || !self.seen.insert(value.as_ptr() as usize) {
            return Ok(());
        }
        if let Ok(function) = value.cast::<PyFunction>() {
            let file: Bound<'py, PyAny> = value.getattr("__code__")?.getattr("co_filename")?;
            if self.files.contains(file.extract::<&str>()?) {
                self.functions.push(function.clone().into_any());
            }
            // What a decorator's wrapper calls.
            let cells = value.getattr("__closure__")?;
            if let Ok(cells) = cells.cast::<PyTuple>() {
                for cell in cells.iter() {
                    if let Ok(content) = cell.getattr("cell_contents") {
                        self.value(&content, depth + 4)?;
                    }
                }
            }
            return Ok(());
        }
        if let Ok(class) = value.cast::<PyType>() {
            return self.namespace(&cpython::type_dict(class), depth + 1);
        }
        let kind = value.get_type();
        let name = kind.name()?;
        let fields: &[&str] = match name.to_str()? {
            "property" => &["fget", "fset", "fdel"],
            "classmethod" | "staticmethod" => &["__func__"],
            "cached_property" => &["func"],
            "_lru_cache_wrapper" => &["__wrapped__"],
            _ => return Ok(()),
        };
        for field in fields {
            if let Ok(inner) = value.getattr(*field) {
                self.value(&inner, depth + 1)?;
            }
        }
        Ok(())
    }
}

/// All live functions of some files.
pub(crate) struct LiveFunctions<'py> {
    by_line: FxHashMap<(String, String, u32), Vec<LiveFunction<'py>>>,
    by_code: FxHashMap<usize, Vec<Bound<'py, PyAny>>>,
    codes: Vec<Bound<'py, PyAny>>,
}

/// A function whose old code an update needs, by file, name and line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    pub file: String,
    pub name: String,
    pub line: u32,
    /// It gets other code; otherwise only its lines move.
    pub replaced: bool,
}

impl<'py> LiveFunctions<'py> {
    fn empty() -> Self {
        LiveFunctions {
            by_line: FxHashMap::default(),
            by_code: FxHashMap::default(),
            codes: Vec::new(),
        }
    }

    /// All functions of some files, by one pass over the heap.
    pub(crate) fn find(
        py: Python<'py>,
        files: &[String],
        retired: &RefCell<Vec<Py<PyAny>>>,
    ) -> PyResult<Self> {
        let names: Vec<Bound<'py, PyString>> =
            files.iter().map(|file| PyString::new(py, file)).collect();
        let mut live = LiveFunctions::empty();
        let retired = retired.borrow();
        for function in cpython::functions_in_files(py, &names)? {
            live.add(function.into_any(), &retired)?;
        }
        Ok(live)
    }

    fn add(&mut self, function: Bound<'py, PyAny>, retired: &[Py<PyAny>]) -> PyResult<()> {
        let code = function.getattr("__code__")?;
        if retired.iter().any(|old| old.as_ptr() == code.as_ptr()) {
            return Ok(());
        }
        let holders = self.by_code.entry(code.as_ptr() as usize).or_default();
        if holders.is_empty() {
            self.codes.push(code.clone());
        }
        holders.push(function.clone());
        let file: String = code.getattr("co_filename")?.extract()?;
        let key = (file, codes::name_of(&code)?, codes::line_of(&code)?);
        self.by_line
            .entry(key)
            .or_default()
            .push(LiveFunction { function, code });
        Ok(())
    }

    /// The functions that the names of some namespaces lead to, if the reference
    /// counts prove that nobody else holds what is wanted. None: look at the heap.
    ///
    /// A code object is held by the functions that run it, by the constants of the
    /// code around it, and by running calls. Where the functions found by name
    /// account for every reference, there is no other. The count is exact because
    /// the GIL is held throughout; immortal code objects never add up.
    pub(crate) fn find_by_name(
        namespaces: &[(Bound<'py, PyDict>, String)],
        wanted: &[Wanted],
        retired: &RefCell<Vec<Py<PyAny>>>,
    ) -> PyResult<Option<Self>> {
        let mut walk = Walk::default();
        walk.files
            .extend(namespaces.iter().map(|(_, file)| file.clone()));
        for (namespace, _) in namespaces {
            walk.namespace(namespace, 0)?;
        }
        let mut live = LiveFunctions::empty();
        let retired = retired.borrow();
        for function in walk.functions {
            live.add(function, &retired)?;
        }
        for want in wanted {
            let found = live.at(&want.file, &want.name, want.line);
            if found.is_empty() {
                return Ok(None);
            }
            if want.replaced {
                for function in found {
                    if !live.accounts_for(&function.code)? {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(live))
    }

    /// Whether the functions known here are all that hold this code, and whether
    /// nothing but its constants holds the code inside it.
    fn accounts_for(&self, code: &Bound<'py, PyAny>) -> PyResult<bool> {
        if hotswap_cpython::heap::reference_count(code) != Some(self.known_references(code)) {
            return Ok(false);
        }
        inner_unused(code)
    }

    /// How many references to a code object the functions known here and this list hold.
    pub(crate) fn known_references(&self, code: &Bound<'py, PyAny>) -> isize {
        // Every function holds one, and its entry in `by_line` another; `codes` has one.
        2 * self.with_code(code).len() as isize + 1
    }

    /// Functions with this name that were defined on this line of this file.
    pub(crate) fn at(&self, file: &str, name: &str, line: u32) -> &[LiveFunction<'py>] {
        self.by_line
            .get(&(file.to_string(), name.to_string(), line))
            .map_or(&[], Vec::as_slice)
    }

    /// Functions that hold this very code object.
    pub(crate) fn with_code(&self, code: &Bound<'py, PyAny>) -> &[Bound<'py, PyAny>] {
        self.by_code
            .get(&(code.as_ptr() as usize))
            .map_or(&[], Vec::as_slice)
    }

    /// Every distinct code object of these functions.
    pub(crate) fn codes(&self) -> &[Bound<'py, PyAny>] {
        &self.codes
    }
}
