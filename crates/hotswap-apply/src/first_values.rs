//! What the names of modules held when their import had ended, as far as it cannot be
//! changed in place.
//!
//! Whether the program changed a value since is found out by evaluating its statement once
//! more. Where that has effects, or gives something else because it reads a file that has
//! changed meanwhile (the version of an installed package, a list in a text file), what was
//! noted here says so.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::SystemTime;

use hotswap_plan::{Call, Facts, Kind, Outline, Pragma};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFunction, PyModule, PyString, PyTuple};
use rustc_hash::FxHashSet;
use std::sync::Arc;

use crate::codes;
use crate::stage::Stage;
use crate::values;
use crate::world::Module;

/// Texts up to this length are noted.
const LONGEST: usize = 4_096;

/// So many elements a container may have to be copied, where a module reads files.
const MOST: usize = 5_000;

/// Modules whose functions read files that belong to a package.
const METADATA: [&str; 2] = ["importlib.metadata", "importlib_metadata"];
const RESOURCES: [&str; 3] = ["importlib.resources", "importlib_resources", "pkgutil"];

/// The names of one module.
#[derive(Default)]
pub(crate) struct FirstValues {
    values: RefCell<Vec<(Py<PyString>, Py<PyAny>)>>,
    reads_metadata: bool,
    reads_resources: bool,
    /// What was installed beside the top-level package, by its times.
    installed: RefCell<Option<Vec<SystemTime>>>,
}

/// Objects by which a module that reads files of packages is known.
#[derive(Debug)]
pub struct Readers {
    metadata: FxHashSet<usize>,
    resources: FxHashSet<usize>,
    /// When modules began to be looked at: one may be noticed some time after its import.
    since: SystemTime,
}

impl Default for Readers {
    fn default() -> Self {
        Readers {
            metadata: FxHashSet::default(),
            resources: FxHashSet::default(),
            since: SystemTime::now(),
        }
    }
}

impl Readers {
    /// Takes those that are loaded now.
    pub fn look(&mut self, py: Python<'_>) {
        self.metadata = addresses(py, &METADATA);
        self.resources = addresses(py, &RESOURCES);
    }
}

/// The modules of these names and the functions that they offer.
fn addresses(py: Python<'_>, names: &[&str]) -> FxHashSet<usize> {
    let mut found = FxHashSet::default();
    let modules = py.import("sys").and_then(|sys| sys.getattr("modules"));
    let Some(Ok(modules)) = modules.ok().map(Bound::cast_into::<PyDict>) else {
        return found;
    };
    for name in names {
        let Some(Ok(module)) = modules.get_item(name).ok().flatten().map(Bound::cast_into) else {
            continue;
        };
        let module: Bound<'_, PyModule> = module;
        found.insert(module.as_ptr() as usize);
        // `import importlib.metadata` binds the package.
        let above = name
            .split_once('.')
            .map(|(above, _)| modules.get_item(above));
        found.extend(above.and_then(|above| Some(above.ok()??.as_ptr() as usize)));
        for (_, value) in module.dict().iter() {
            if value.is_exact_instance_of::<PyFunction>() {
                found.insert(value.as_ptr() as usize);
            }
        }
    }
    found
}

impl FirstValues {
    fn reads_data(&self) -> bool {
        self.reads_metadata || self.reads_resources
    }
}

impl Module {
    /// Notes what its names hold now that its import has ended.
    pub fn note_first_values(&mut self, py: Python<'_>, readers: &Readers) {
        let dict = self.dict.bind(py).clone();
        let mut first = FirstValues::default();
        for value in dict.values() {
            let address = value.as_ptr() as usize;
            first.reads_metadata |= readers.metadata.contains(&address);
            first.reads_resources |= readers.resources.contains(&address);
        }
        // Most who import them want something else of them.
        let reads = |words: &[&str]| words.iter().any(|word| self.text().contains(word));
        first.reads_metadata =
            first.reads_metadata && reads(&["version(", "metadata(", "distribution(", "requires("]);
        first.reads_resources =
            first.reads_resources && reads(&["read_text", "read_bytes", "read_binary", "get_data"]);
        let copies = first.reads_data();
        let values = dict.iter().filter_map(|(name, value)| {
            let name = name.cast_into_exact::<PyString>().ok()?;
            let value = kept_of(&value, copies)?;
            Some((name.unbind(), value.unbind()))
        });
        first.values = RefCell::new(values.collect());
        if first.reads_metadata {
            let times = self.install_time().filter(|times| {
                // Else the import may have been before it.
                times.iter().all(|time| *time < readers.since)
            });
            first.installed = RefCell::new(times);
        }
        self.first = first;
    }

    /// When something was last installed beside the top-level package, or removed: the times
    /// of the directory and of those in which `pip` notes what it installed.
    fn install_time(&self) -> Option<Vec<SystemTime>> {
        let is_package = self.file.file_stem().is_some_and(|stem| stem == "__init__");
        let depth = self.name.matches('.').count() + usize::from(is_package) + 1;
        let root: PathBuf = self.file.ancestors().nth(depth)?.into();
        let mut times = vec![root.metadata().ok()?.modified().ok()?];
        let notes = root.read_dir().ok()?.flatten().filter(|entry| {
            let path = entry.path();
            path.extension()
                .is_some_and(|extension| extension == "dist-info" || extension == "egg-info")
        });
        times.extend(notes.filter_map(|entry| entry.metadata().ok()?.modified().ok()));
        Some(times)
    }

    /// Whether packages were installed or removed since its statements asked for their
    /// versions.
    #[must_use]
    pub fn reads_other_metadata(&self) -> bool {
        self.first.reads_metadata && *self.first.installed.borrow() != self.install_time()
    }

    /// Whether files that its statements may read could have changed since they were run.
    pub(crate) fn may_read_other_data(&self) -> bool {
        self.first.reads_resources || self.reads_other_metadata()
    }

    /// Notes that its statements have read the files as they are.
    pub(crate) fn has_read_data(&self) {
        if self.first.reads_metadata {
            self.first.installed.replace(self.install_time());
        }
    }

    /// Notes what an update gave to a name.
    pub(crate) fn note_first_value(&self, py: Python<'_>, name: &str, value: Option<&Py<PyAny>>) {
        let mut values = self.first.values.borrow_mut();
        values.retain(|(known, _)| known.bind(py).to_str().ok() != Some(name));
        let copies = self.first.reads_data();
        if let Some(value) = value.and_then(|value| kept_of(value.bind(py), copies)) {
            values.push((PyString::new(py, name).unbind(), value.unbind()));
        }
    }
}

/// What is noted of a value: itself, where it cannot be changed, or a copy.
fn kept_of<'py>(value: &Bound<'py, PyAny>, copies: bool) -> Option<Bound<'py, PyAny>> {
    if values::is_container(value) {
        let is_short = copies && value.len().is_ok_and(|length| length <= MOST);
        return match is_short && values::holds_plain(value) {
            true => crate::contents::copy_of(value).ok(),
            false => None,
        };
    }
    let length = match () {
        () if value.is_exact_instance_of::<PyString>()
            || value.is_exact_instance_of::<PyBytes>()
            || value.is_exact_instance_of::<PyTuple>() =>
        {
            value.len().unwrap_or(usize::MAX)
        }
        () => 0,
    };
    (length <= LONGEST && values::is_plain(value)).then(|| value.clone())
}

impl<'py> Stage<'_, 'py> {
    /// Whether these names hold what they held at the end of the import, as far as that was
    /// noted.
    pub(crate) fn is_as_imported(&self, module: usize, names: &[String]) -> bool {
        let (py, live) = (self.py, self.live_dict(module));
        let values = self.world.modules[module].first.values.borrow();
        let is_same = |name: &String| {
            let known = |(known, _): &&(Py<PyString>, Py<PyAny>)| {
                known.bind(py).to_str().is_ok_and(|known| known == name)
            };
            match (values.iter().find(known), live.get_item(name)) {
                (Some((_, first)), Ok(Some(now))) => values::equal(first.bind(py), &now),
                _ => false,
            }
        };
        !names.is_empty() && names.iter().all(is_same)
    }

    /// After the commit: what this update gave to names is what their statements make.
    pub(crate) fn settle_first_values(&mut self) {
        for (module, name, value) in std::mem::take(&mut self.bound) {
            let value = value.map(Bound::unbind);
            self.world.modules[module].note_first_value(self.py, &name, value.as_ref());
        }
        for module in &self.order {
            self.world.modules[*module].has_read_data();
        }
    }

    /// A statement that reads a file of its package, which may have changed. False: it does
    /// not, or it gives what it gave.
    pub(crate) fn derive_data(
        &mut self,
        module: usize,
        index: usize,
        outline: &Arc<Outline>,
    ) -> PyResult<bool> {
        let statement = &outline.statements[index];
        if self.committed
            || !self.world.modules[module].first.reads_data()
            || !matches!(statement.kind, Kind::Assign { .. } | Kind::Compound(_))
            || statement.binds.is_empty()
            || statement.pragma == Some(Pragma::Keep)
            || self.is_open(module, statement)
            || !self.reads_data_only(module, &statement.facts)
            // It looks at directories: for the few that come so far.
            || !self.world.modules[module].may_read_other_data()
        {
            return Ok(false);
        }
        let copy = self.namespace(module)?.copy()?;
        let code = self.compile_statement(module, statement, outline)?;
        let start = statement.span.start;
        let mut view = self.view_at(module, start, &statement.facts, &copy)?;
        let ran = codes::execute(&code, &copy, None);
        view.leave()?;
        if ran.is_err() {
            return Ok(false);
        }
        let live = self.live_dict(module);
        let mut others = Vec::new();
        for name in &statement.binds {
            match (live.get_item(name)?, copy.get_item(name)?) {
                (Some(was), Some(now)) if values::alike(&was, &now) => {}
                (None, None) => {}
                _ => others.push(name.clone()),
            }
        }
        if others.is_empty() {
            return Ok(false);
        }
        if self.is_as_imported(module, &others) {
            self.derive_now(module, statement, outline)?;
        } else {
            let label = statement.label(&self.text(module));
            let entry = self.entry(module, &label, Some(statement), "statement", "stale");
            entry.reason =
                "the file that it reads changed; the program changed its value since".to_string();
            entry.advice = "# hotswap: rerun".to_string();
        }
        Ok(true)
    }

    /// Whether all that a statement does is to read files of packages, and to make something
    /// of them.
    fn reads_data_only(&self, module: usize, facts: &Facts) -> bool {
        let mut rest = facts.clone();
        rest.calls.retain(|call| !self.reads_data(module, call));
        rest.calls.len() < facts.calls.len() && self.impurity(module, &rest).is_none()
    }

    fn reads_data(&self, module: usize, call: &Call) -> bool {
        let Call::Path(path) = call else {
            return false;
        };
        let Some((last, owner)) = path.split_last() else {
            return false;
        };
        let home = |object: &Bound<'py, PyAny>, name: &str| -> String {
            let found = object.getattr(name).and_then(|home| home.extract());
            found.unwrap_or_default()
        };
        let offers = |home: &str| {
            let mut all = METADATA.iter().chain(&RESOURCES);
            all.any(|known| home == *known || home.starts_with(&format!("{known}.")))
        };
        let offered = || match self.object_at(module, path) {
            Ok(Some(function)) => {
                function.is_exact_instance_of::<PyFunction>()
                    && offers(&home(&function, "__module__"))
            }
            // Some of them are gone from newer versions of Python.
            _ => last.starts_with("read_"),
        };
        if owner.is_empty() {
            return offered();
        }
        let Ok(Some(owner)) = self.object_at(module, owner) else {
            return false;
        };
        match owner.cast::<PyModule>() {
            Ok(_) => offers(&home(&owner, "__name__")) && offered(),
            Err(_) => {
                let kind = owner.get_type();
                let home = home(kind.as_any(), "__module__");
                matches!(last.as_str(), "read_text" | "read_bytes" | "joinpath")
                    && (home.starts_with("pathlib") || offers(&home))
            }
        }
    }
}
