//! Modules whose file is gone or elsewhere, until the files that import them are through.
//!
//! A module leaves `sys.modules`, or gets its new name there, before the statements of
//! the other files run: they shall find what a fresh start would find. If one of these
//! files is refused, the departure is undone as well, and waits for it.

use std::path::{Path, PathBuf};

use hotswap_watch::ContentHash;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rustc_hash::FxHashSet;

use crate::disk::{self, FileState, Seen};
use crate::groups::imports_of;
use crate::report::ReportData;
use crate::session::{Rejected, Session};

/// What a module of a file that is gone was, and what became of it.
struct Departed {
    name: String,
    /// The name that it has at its new place.
    new_name: Option<String>,
    code_file: String,
    seen: Option<(usize, usize)>,
}

/// An entry of a namespace, before and after.
struct Entry {
    dict: Py<PyDict>,
    key: String,
    before: Option<Py<PyAny>>,
    after: Option<Py<PyAny>>,
}

/// A file that is gone, with the way back.
pub(crate) struct Departure {
    path: PathBuf,
    state: Option<FileState>,
    rejected: Option<Rejected>,
    /// Where its content turned up.
    pub target: Option<PathBuf>,
    modules: Vec<Departed>,
    entries: Vec<Entry>,
    orders: Vec<(Py<PyDict>, Py<PyDict>)>,
}

/// A departure that was undone and waits for the files of a refused group.
pub(crate) struct Waiting {
    path: PathBuf,
    target: Option<(PathBuf, Option<ContentHash>)>,
    group: Vec<PathBuf>,
}

impl Departure {
    /// Notes what the modules of a file are before they go.
    pub(crate) fn begin(
        py: Python<'_>,
        session: &Session,
        path: &Path,
        target: Option<(&Path, &str)>,
        state: Option<FileState>,
        rejected: Option<Rejected>,
    ) -> PyResult<Departure> {
        let modules = py
            .import("sys")?
            .getattr("modules")?
            .cast_into::<PyDict>()?;
        let mut departure = Departure {
            path: path.to_path_buf(),
            state,
            rejected,
            target: target.map(|(file, _)| file.to_path_buf()),
            modules: Vec::new(),
            entries: Vec::new(),
            orders: Vec::new(),
        };
        for at in session.world.modules.from_file(path) {
            let module = &session.world.modules[at];
            if module.name == "__main__" {
                continue;
            }
            let new_name = target.map(|(_, name)| name.to_string());
            for name in [Some(&module.name), new_name.as_ref()]
                .into_iter()
                .flatten()
            {
                departure.note(&modules, name)?;
                if let Some((parent, child)) = name.rsplit_once('.')
                    && let Some(parent) = modules.get_item(parent)?
                    && let Ok(namespace) = parent.getattr("__dict__")?.cast_into::<PyDict>()
                {
                    departure.note_order(&namespace)?;
                    departure.note(&namespace, child)?;
                }
            }
            let namespace = module.dict.bind(py);
            departure.note_order(namespace)?;
            for name in [
                "__name__",
                "__spec__",
                "__file__",
                "__loader__",
                "__package__",
                "__path__",
            ] {
                departure.note(namespace, name)?;
            }
            departure.modules.push(Departed {
                name: module.name.clone(),
                new_name,
                code_file: module.code_file.clone(),
                seen: session.seen.get(&module.name).copied(),
            });
        }
        Ok(departure)
    }

    fn note(&mut self, dict: &Bound<'_, PyDict>, key: &str) -> PyResult<()> {
        self.entries.push(Entry {
            dict: dict.clone().unbind(),
            key: key.to_string(),
            before: dict.get_item(key)?.map(Bound::unbind),
            after: None,
        });
        Ok(())
    }

    fn note_order(&mut self, dict: &Bound<'_, PyDict>) -> PyResult<()> {
        self.orders
            .push((dict.clone().unbind(), dict.copy()?.unbind()));
        Ok(())
    }

    /// The modules have gone; None if there were none.
    pub(crate) fn end(mut self, py: Python<'_>) -> PyResult<Option<Departure>> {
        for entry in &mut self.entries {
            entry.after = entry.dict.bind(py).get_item(&entry.key)?.map(Bound::unbind);
        }
        Ok((!self.modules.is_empty()).then_some(self))
    }

    /// The names by which others import the modules, before and after.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.modules
            .iter()
            .flat_map(|module| [Some(&module.name), module.new_name.as_ref()])
            .flatten()
    }

    /// Whether an edit of this file, which imports these names, stands and falls with it.
    pub(crate) fn concerns(&self, file: &Path, imported: &FxHashSet<String>) -> bool {
        self.target.as_deref() == Some(file) || self.names().any(|name| imported.contains(name))
    }

    /// What the program itself changed meanwhile stays.
    fn restore_entries(&self, py: Python<'_>) -> PyResult<()> {
        for entry in self.entries.iter().rev() {
            let dict = entry.dict.bind(py);
            let now = dict.get_item(&entry.key)?;
            let untouched = match (&now, &entry.after) {
                (Some(now), Some(after)) => now.is(after),
                (None, None) => true,
                _ => false,
            };
            match &entry.before {
                _ if !untouched => {}
                Some(before) => dict.set_item(&entry.key, before)?,
                None if now.is_some() => dict.del_item(&entry.key)?,
                None => {}
            }
        }
        for (dict, before) in &self.orders {
            hotswap_apply::restore_order(dict.bind(py), before.bind(py))?;
        }
        Ok(())
    }
}

impl Session {
    /// Departures that concern a refused group are undone and wait for it.
    pub(crate) fn undo_departures(
        &mut self,
        py: Python<'_>,
        report: &mut ReportData,
    ) -> PyResult<()> {
        for departure in std::mem::take(&mut report.departures).into_iter().rev() {
            let mut group = Vec::new();
            for files in report.refused_files() {
                if files
                    .iter()
                    .any(|file| departure.concerns(file, &self.imported_by(py, file)))
                {
                    group.extend(files);
                }
            }
            if !group.is_empty() {
                self.undo_departure(py, departure, group, report)?;
            }
        }
        Ok(())
    }

    /// What the source that runs and the one on disk import.
    fn imported_by(&self, py: Python<'_>, file: &Path) -> FxHashSet<String> {
        let mut names = FxHashSet::default();
        let state = self.disk.files.get(file);
        let newest = state
            .and_then(|state| disk::decode(py, &state.bytes).ok())
            .and_then(|text| disk::outline(&text));
        for module in self.world.modules.iter().filter(|it| it.file == file) {
            for outline in [module.outline(), newest.clone()].into_iter().flatten() {
                names.extend(imports_of(module, &outline));
            }
        }
        names
    }

    fn undo_departure(
        &mut self,
        py: Python<'_>,
        departure: Departure,
        group: Vec<PathBuf>,
        report: &mut ReportData,
    ) -> PyResult<()> {
        for gone in &departure.modules {
            let here = |module: &hotswap_apply::Module| {
                Some(&module.name) == gone.new_name.as_ref()
                    && departure.target.as_ref() == Some(&module.file)
            };
            if let Some(module) = self.world.modules.iter_mut().find(|module| here(module)) {
                module.name.clone_from(&gone.name);
                module.file.clone_from(&departure.path);
                if crate::modules::move_code(py, &module.code_file, &gone.code_file)? {
                    module.code_file.clone_from(&gone.code_file);
                }
                if let Some(new_name) = &gone.new_name {
                    let (namespace, file) = (module.dict.bind(py).clone(), &module.code_file);
                    crate::modules::move_home(py, &namespace, file, new_name, &gone.name)?;
                }
            } else if let Some(at) = self
                .detached
                .iter()
                .position(|module| module.name == gone.name && module.file == departure.path)
            {
                let module = self.detached.remove(at);
                self.world.modules.push(module);
            }
            if let Some(new_name) = &gone.new_name {
                self.seen.remove(new_name);
                self.glance = None;
            }
            if let Some(seen) = gone.seen {
                self.seen.insert(gone.name.clone(), seen);
                self.glance = None;
            }
        }
        departure.restore_entries(py)?;
        let mut target = None;
        if let Some(file) = departure.target {
            // It is new again when the departure is tried again.
            let hash = self.disk.files.remove(&file).map(|state| state.hash);
            self.rejected.remove(&file);
            let cache = py.import("linecache")?.getattr("cache")?;
            cache.call_method1("pop", (file.to_string_lossy().as_ref(), py.None()))?;
            report.take_back(&file);
            target = Some((file, hash));
        }
        if let Some(state) = departure.state {
            self.disk.files.insert(departure.path.clone(), state);
        }
        if let Some(rejected) = departure.rejected {
            self.rejected.insert(departure.path.clone(), rejected);
        }
        report.take_back(&departure.path);
        report.moves.retain(|moved| moved.from != departure.path);
        self.pin_lines(py, &departure.path)?;
        let names: Vec<String> = departure.modules.into_iter().map(|it| it.name).collect();
        let files: Vec<String> = group.iter().map(|it| it.display().to_string()).collect();
        report.notes.push(format!(
            "{}: its file is gone, and it stays until {} can be applied",
            names.join(", "),
            files.join(", ")
        ));
        self.waiting.push(Waiting {
            path: departure.path,
            target,
            group,
        });
        Ok(())
    }

    /// The files of departures that wait are looked at in every update.
    pub(crate) fn waiting_paths(&self) -> Vec<PathBuf> {
        self.waiting
            .iter()
            .flat_map(|waiting| {
                let target = waiting.target.as_ref().map(|(file, _)| file.clone());
                [Some(waiting.path.clone()), target]
            })
            .flatten()
            .collect()
    }

    /// Departures whose refused group has not changed are not seen yet.
    pub(crate) fn hold_back_departures(&mut self, looked: &mut Vec<(PathBuf, Seen)>) {
        for waiting in std::mem::take(&mut self.waiting) {
            if self.is_due(&waiting, looked) {
                continue;
            }
            let target = waiting.target.as_ref().map(|(file, _)| file);
            looked.retain(|(path, _)| *path != waiting.path && Some(path) != target);
            self.waiting.push(waiting);
        }
    }

    fn is_due(&self, waiting: &Waiting, looked: &[(PathBuf, Seen)]) -> bool {
        let found = |wanted: &Path| {
            let found = looked.iter().find(|(path, _)| path == wanted);
            found.map(|(_, seen)| seen)
        };
        // The file is back.
        if !matches!(found(&waiting.path), Some(Seen::Gone)) {
            return true;
        }
        if let Some((target, hash)) = &waiting.target {
            match found(target) {
                Some(Seen::Changed(state)) if Some(state.hash) == *hash => {}
                _ => return true,
            }
        }
        let mut group = waiting.group.iter();
        let changed = group.any(|file| {
            let is_target = waiting.target.as_ref().is_some_and(|(to, _)| to == file);
            !is_target && found(file).is_some()
        });
        let refused: Vec<&Rejected> = waiting
            .group
            .iter()
            .filter_map(|file| self.rejected.get(file))
            .collect();
        changed
            || refused.iter().any(|rejected| rejected.again)
            || (refused.is_empty()
                && waiting
                    .group
                    .iter()
                    .all(|file| waiting.target.as_ref().is_none_or(|(to, _)| to != file)))
    }
}
