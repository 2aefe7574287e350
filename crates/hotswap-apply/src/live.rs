//! The functions of the edited files that are alive, by the line they were defined on.

use std::cell::{OnceCell, RefCell};

use crate::native as cpython;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyFunction, PyString, PyType};
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
struct Walk<'a, 'py> {
    /// All files at once: a class that one module imports from another is met once.
    files: &'a mut Files,
    functions: Vec<Bound<'py, PyFunction>>,
    seen: FxHashSet<usize>,
}

impl<'py> Walk<'_, 'py> {
    fn namespace(&mut self, namespace: &Bound<'py, PyDict>, depth: usize) {
        for (_, value) in namespace.iter() {
            self.value(&value, depth);
        }
    }

    fn value(&mut self, value: &Bound<'py, PyAny>, depth: usize) {
        if depth > 8 || value.is_none() || !self.seen.insert(value.as_ptr() as usize) {
            return;
        }
        if let Ok(function) = value.cast::<PyFunction>() {
            if self
                .files
                .of(&hotswap_cpython::functions::code_of(function))
                .is_some()
            {
                self.functions.push(function.clone());
            }
            // What a decorator's wrapper calls.
            for cell in hotswap_cpython::functions::closure_of(function)
                .iter()
                .flatten()
            {
                if let Ok(content) = cell.getattr("cell_contents") {
                    self.value(&content, depth + 4);
                }
            }
            return;
        }
        if let Ok(class) = value.cast::<PyType>() {
            return self.namespace(&cpython::type_dict(class), depth + 1);
        }
        let fields = hotswap_cpython::types::with_class_name(value, |kind| {
            let known = WRAPPERS.iter().find(|(name, _)| name.as_bytes() == kind);
            known.map_or(&[][..], |(_, fields)| fields)
        });
        for field in fields {
            if let Ok(inner) = value.getattr(*field) {
                self.value(&inner, depth + 1);
            }
        }
    }
}

/// Kinds of objects, and the attributes under which they keep functions.
const WRAPPERS: [(&str, &[&str]); 5] = [
    ("property", &["fget", "fset", "fdel"]),
    ("classmethod", &["__func__"]),
    ("staticmethod", &["__func__"]),
    ("cached_property", &["func"]),
    ("_lru_cache_wrapper", &["__wrapped__"]),
];

/// File names by number. The code of a file shares one string, so nearly every question is
/// answered by its address.
struct Files {
    names: Vec<String>,
    known: FxHashMap<usize, Option<usize>>,
    /// The strings whose addresses are known.
    kept: Vec<Py<PyAny>>,
}

impl Files {
    fn of_names(names: &[String]) -> Files {
        Files {
            names: names.to_vec(),
            known: FxHashMap::default(),
            kept: Vec::new(),
        }
    }

    /// The number of the file that a code object was compiled from.
    fn of(&mut self, code: &Bound<'_, PyCode>) -> Option<usize> {
        let file = hotswap_cpython::code::file_of(code).ok()?;
        let at = file.as_ptr() as usize;
        if let Some(known) = self.known.get(&at) {
            return *known;
        }
        let name = file.extract::<String>().ok();
        let number = name.and_then(|name| self.number(&name));
        self.known.insert(at, number);
        self.kept.push(file.unbind());
        number
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }
}

/// Functions, found by where they were defined and by their code.
#[derive(Default)]
struct Found<'py> {
    by_line: FxHashMap<(usize, u32), Vec<LiveFunction<'py>>>,
    by_code: FxHashMap<usize, Vec<Bound<'py, PyAny>>>,
    codes: Vec<Bound<'py, PyAny>>,
}

impl<'py> Found<'py> {
    fn add(&mut self, function: Bound<'py, PyFunction>, file: usize) {
        let code = hotswap_cpython::functions::code_of(&function);
        let Some(line) = hotswap_cpython::code::first_line_of(&code) else {
            return;
        };
        let (function, code) = (function.into_any(), code.into_any());
        let holders = self.by_code.entry(code.as_ptr() as usize).or_default();
        if holders.is_empty() {
            self.codes.push(code.clone());
        }
        holders.push(function.clone());
        self.by_line
            .entry((file, line))
            .or_default()
            .push(LiveFunction { function, code });
    }
}

/// A function whose old code an update needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    pub file: String,
    /// Names of the classes around it, and its own.
    pub path: Vec<String>,
    pub line: u32,
    /// It gets other code; otherwise only its lines move.
    pub replaced: bool,
}

impl Wanted {
    fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }
}

/// The live functions of some files.
pub(crate) struct LiveFunctions<'py> {
    files: Vec<String>,
    /// Those that were looked for; of each code object among them, all functions that run it.
    found: Found<'py>,
    /// The others that names lead to, once somebody asks for one.
    rest: OnceCell<Found<'py>>,
    namespaces: Vec<Bound<'py, PyDict>>,
    /// Addresses of code that was left behind.
    retired: FxHashSet<usize>,
}

impl<'py> LiveFunctions<'py> {
    fn none(files: Vec<String>, retired: &RefCell<Vec<Py<PyAny>>>) -> Self {
        let retired = retired.borrow();
        LiveFunctions {
            files,
            found: Found::default(),
            rest: OnceCell::new(),
            namespaces: Vec::new(),
            retired: retired.iter().map(|old| old.as_ptr() as usize).collect(),
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
        let mut live = LiveFunctions::none(files.to_vec(), retired);
        live.found = live.collect(cpython::functions_in_files(py, &names)?, &Found::default());
        live.rest = OnceCell::from(Found::default());
        Ok(live)
    }

    /// Sorts functions, but for those of left code and those that run code of `known`.
    fn collect(&self, functions: Vec<Bound<'py, PyFunction>>, known: &Found<'py>) -> Found<'py> {
        let mut files = Files::of_names(&self.files);
        let mut found = Found::default();
        for function in functions {
            let code = hotswap_cpython::functions::code_of(&function);
            let at = code.as_ptr() as usize;
            if !self.retired.contains(&at)
                && !known.by_code.contains_key(&at)
                && let Some(file) = files.of(&code)
            {
                found.add(function, file);
            }
        }
        found
    }

    /// The functions that the names of some namespaces lead to, if the reference
    /// counts prove that nobody else holds what is wanted. None: look at the heap.
    ///
    /// A code object is held by the functions that run it, by the constants of the
    /// code around it, and by running calls. Where the functions found by name
    /// account for every reference, there is no other. The count is exact because
    /// the GIL is held throughout; immortal code objects never add up.
    ///
    /// First only the wanted names are looked up; then all of them are followed.
    pub(crate) fn find_by_name(
        namespaces: &[(Bound<'py, PyDict>, String)],
        wanted: &[Wanted],
        retired: &RefCell<Vec<Py<PyAny>>>,
    ) -> PyResult<Option<Self>> {
        let mut files: Vec<String> = namespaces.iter().map(|(_, file)| file.clone()).collect();
        files.sort();
        files.dedup();
        let mut live = LiveFunctions::none(files, retired);
        live.namespaces = namespaces.iter().map(|(dict, _)| dict.clone()).collect();
        // Lines are moved by looking through all code of a file.
        if wanted.iter().all(|want| want.replaced) {
            live.found = live.at_their_names(namespaces, wanted)?;
            if live.proves(wanted)? {
                live.note_unused()?;
                return Ok(Some(live));
            }
        }
        live.found = live.walk(&Found::default());
        live.rest = OnceCell::from(Found::default());
        Ok(live.proves(wanted)?.then_some(live))
    }

    /// What stands at the names of wanted functions.
    fn at_their_names(
        &self,
        namespaces: &[(Bound<'py, PyDict>, String)],
        wanted: &[Wanted],
    ) -> PyResult<Found<'py>> {
        let mut files = Files::of_names(&self.files);
        let mut walk = Walk {
            files: &mut files,
            functions: Vec::new(),
            seen: FxHashSet::default(),
        };
        let mut places = FxHashSet::default();
        for want in wanted {
            let homes = namespaces.iter().filter(|(_, file)| *file == want.file);
            for (namespace, _) in homes {
                if let Some(value) = at_path(namespace, &want.path)?
                    && !value.is_instance_of::<PyType>()
                {
                    walk.value(&value, 0);
                }
            }
            places.insert((walk.files.number(&want.file), want.line));
        }
        let functions = std::mem::take(&mut walk.functions);
        let mut found = self.collect(functions, &Found::default());
        found
            .by_line
            .retain(|(file, line), _| places.contains(&(Some(*file), *line)));
        let kept = found.by_line.values().flatten();
        let kept: FxHashSet<usize> = kept.map(|live| live.code.as_ptr() as usize).collect();
        found.by_code.retain(|code, _| kept.contains(code));
        found
            .codes
            .retain(|code| kept.contains(&(code.as_ptr() as usize)));
        Ok(found)
    }

    /// Everything that the names lead to, but for what runs code of `known`.
    fn walk(&self, known: &Found<'py>) -> Found<'py> {
        let mut files = Files::of_names(&self.files);
        let mut walk = Walk {
            files: &mut files,
            functions: Vec::new(),
            seen: FxHashSet::default(),
        };
        for namespace in &self.namespaces {
            walk.namespace(namespace, 0);
        }
        let functions = std::mem::take(&mut walk.functions);
        self.collect(functions, known)
    }

    fn rest(&self) -> &Found<'py> {
        self.rest.get_or_init(|| self.walk(&self.found))
    }

    /// Whether all that is wanted was found, and nobody else can hold it.
    fn proves(&self, wanted: &[Wanted]) -> PyResult<bool> {
        for want in wanted {
            let mut any = false;
            let file = self.files.iter().position(|file| *file == want.file);
            let here = file.and_then(|file| self.found.by_line.get(&(file, want.line)));
            for function in here.into_iter().flatten() {
                if !is_called(&function.code, want.name()) {
                    continue;
                }
                any = true;
                if want.replaced && !self.accounts_for(&function.code)? {
                    return Ok(false);
                }
            }
            if !any {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Notes that no function runs the code inside the code that was found.
    fn note_unused(&mut self) -> PyResult<()> {
        let mut due = self.found.codes.clone();
        while let Some(code) = due.pop() {
            self.found
                .by_code
                .entry(code.as_ptr() as usize)
                .or_default();
            due.extend(codes::nested(&code)?);
        }
        Ok(())
    }

    /// Whether the functions known here are all that hold this code, and whether
    /// nothing but its constants holds the code inside it.
    fn accounts_for(&self, code: &Bound<'py, PyAny>) -> PyResult<bool> {
        let holders = self.found.by_code.get(&(code.as_ptr() as usize));
        let known = known_references(holders.map_or(0, Vec::len));
        if hotswap_cpython::heap::reference_count(code) != Some(known) {
            return Ok(false);
        }
        inner_unused(code)
    }

    /// How many references to a code object the functions known here and this list hold.
    pub(crate) fn known_references(&self, code: &Bound<'py, PyAny>) -> isize {
        known_references(self.with_code(code).len())
    }

    /// Functions with this name that were defined on this line of this file.
    pub(crate) fn at(&self, file: &str, name: &str, line: u32) -> Vec<LiveFunction<'py>> {
        let Some(file) = self.files.iter().position(|known| known == file) else {
            return Vec::new();
        };
        let named = |found: &Found<'py>| -> Vec<LiveFunction<'py>> {
            let here = found.by_line.get(&(file, line)).into_iter().flatten();
            here.filter(|live| is_called(&live.code, name))
                .cloned()
                .collect()
        };
        let found = named(&self.found);
        if found.is_empty() {
            return named(self.rest());
        }
        found
    }

    /// Functions that hold this very code object.
    pub(crate) fn with_code(&self, code: &Bound<'py, PyAny>) -> &[Bound<'py, PyAny>] {
        let at = code.as_ptr() as usize;
        let holders = self.found.by_code.get(&at);
        holders
            .or_else(|| self.rest().by_code.get(&at))
            .map_or(&[], Vec::as_slice)
    }

    /// Every distinct code object of a file that functions run, with its line.
    pub(crate) fn codes_of(&self, file: &str) -> Vec<(u32, Bound<'py, PyAny>)> {
        let Some(file) = self.files.iter().position(|known| known == file) else {
            return Vec::new();
        };
        let found = self.found.by_line.iter().chain(&self.rest().by_line);
        let mut seen = FxHashSet::default();
        let mut codes = Vec::new();
        for ((_, line), functions) in found.filter(|((other, _), _)| *other == file) {
            for live in functions {
                if seen.insert(live.code.as_ptr() as usize) {
                    codes.push((*line, live.code.clone()));
                }
            }
        }
        codes
    }
}

/// Every function holds one, and its entry in `by_line` another; `codes` has one.
fn known_references(functions: usize) -> isize {
    2 * functions as isize + 1
}

fn is_called(code: &Bound<'_, PyAny>, name: &str) -> bool {
    code.cast::<PyCode>()
        .is_ok_and(|code| hotswap_cpython::code::is_called(code, name))
}

/// What stands at a path of names: in the namespace, then in classes.
fn at_path<'py>(
    namespace: &Bound<'py, PyDict>,
    path: &[String],
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(None);
    };
    let Some(mut object) = namespace.get_item(first)? else {
        return Ok(None);
    };
    for name in rest {
        let Ok(class) = object.cast_into::<PyType>() else {
            return Ok(None);
        };
        match cpython::type_dict(&class).get_item(name)? {
            Some(inner) => object = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(object))
}
