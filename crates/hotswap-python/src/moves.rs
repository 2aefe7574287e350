//! Files that go, come back or become the source of the same module elsewhere.

use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::departures::Departure;
use crate::disk;
use crate::history::{FileChange, Move};
use crate::report::{GroupReport, ReportData};
use crate::session::{Session, detach_from_package};

impl Session {
    /// A module whose file is gone leaves `sys.modules` and its package; the code that
    /// holds it keeps running. If its content turned up under another name, it moves.
    pub(crate) fn file_gone(
        &mut self,
        py: Python<'_>,
        path: &Path,
        appeared: &[PathBuf],
        report: &mut ReportData,
    ) -> PyResult<()> {
        let state = self.disk.files.remove(path);
        let rejected = self.rejected.remove(path);
        let target = state.as_ref().and_then(|state| {
            appeared
                .iter()
                .find(|other| {
                    self.disk
                        .files
                        .get(*other)
                        .is_some_and(|now| now.hash == state.hash)
                })
                .cloned()
        });
        let target = match target {
            Some(target) => Some(target),
            None => match self.same_module(py, path, appeared)? {
                Some(target) => Some(target),
                None => self.moved_and_edited(py, path, appeared),
            },
        };
        let target = match target {
            Some(target) => self.module_name(py, &target)?.map(|name| (target, name)),
            None => None,
        };
        let place = target.as_ref().map(|(file, name)| (&**file, &**name));
        let departure = Departure::begin(py, self, path, place, state, rejected)?;
        self.take_leave(py, path, place, report)?;
        report.departures.extend(departure.end(py)?);
        Ok(())
    }

    /// The modules of a file that is gone leave, or go where its content went.
    fn take_leave(
        &mut self,
        py: Python<'_>,
        path: &Path,
        target: Option<(&Path, &str)>,
        report: &mut ReportData,
    ) -> PyResult<()> {
        let modules = py
            .import("sys")?
            .getattr("modules")?
            .cast_into::<PyDict>()?;
        let mut index = 0;
        while index < self.world.modules.len() {
            if self.world.modules[index].file != path
                || self.world.modules[index].name == "__main__"
            {
                index += 1;
                continue;
            }
            if let Some((target, name)) = target {
                self.move_module(py, index, target, name, report)?;
                index += 1;
                continue;
            }
            let module = self.world.modules.remove(index);
            if modules
                .get_item(&module.name)?
                .is_some_and(|now| now.is(&module.object))
            {
                modules.del_item(&module.name)?;
            }
            self.seen.remove(&module.name);
            self.glance = None;
            detach_from_package(&modules, &module.name, module.object.bind(py))?;
            report.groups.push(GroupReport::removed(path, &module.name));
            report.behaviour = true;
            report.committed.push(FileChange {
                file: path.to_path_buf(),
                before: Some(module.text().clone()),
                after: None,
            });
            self.detached.push(module);
        }
        Ok(())
    }

    /// The new file that is the source of the same module: a module became a package, or
    /// a package a module, whatever is written in it.
    fn same_module(
        &self,
        py: Python<'_>,
        path: &Path,
        appeared: &[PathBuf],
    ) -> PyResult<Option<PathBuf>> {
        let Some(module) = self.world.modules.iter().find(|it| it.file == path) else {
            return Ok(None);
        };
        for candidate in appeared {
            let name = self.module_name(py, candidate)?;
            if name.as_ref() == Some(&module.name) {
                return Ok(Some(candidate.clone()));
            }
        }
        Ok(None)
    }

    /// The new file that most of a file's statements are in now, if it is only one.
    fn moved_and_edited(
        &self,
        py: Python<'_>,
        path: &Path,
        appeared: &[PathBuf],
    ) -> Option<PathBuf> {
        let module = self.world.modules.iter().find(|it| it.file == path)?;
        let old = module.outline()?;
        let mut found = None;
        for candidate in appeared {
            let bytes = &self.disk.files.get(candidate)?.bytes;
            let Some(new) = disk::decode(py, bytes)
                .ok()
                .and_then(|text| disk::outline(&text))
            else {
                continue;
            };
            let common = old
                .statements
                .iter()
                .filter(|statement| {
                    new.statements
                        .iter()
                        .any(|other| other.fingerprint == statement.fingerprint)
                })
                .count();
            let most = old.statements.len().max(new.statements.len());
            if common >= 2 && common * 2 > most && found.replace(candidate.clone()).is_some() {
                return None;
            }
        }
        found
    }

    pub(crate) fn move_module(
        &mut self,
        py: Python<'_>,
        index: usize,
        target: &Path,
        name: &str,
        report: &mut ReportData,
    ) -> PyResult<()> {
        let modules = py
            .import("sys")?
            .getattr("modules")?
            .cast_into::<PyDict>()?;
        let old = self.world.modules[index].name.clone();
        let object = self.world.modules[index]
            .object
            .clone_ref(py)
            .into_bound(py);
        // A module may become a package, and a package a module.
        let folder = target
            .parent()
            .filter(|_| target.file_name().is_some_and(|file| file == "__init__.py"));
        let options = PyDict::new(py);
        if let Some(folder) = folder {
            let folders = vec![folder.to_string_lossy().into_owned()];
            options.set_item("submodule_search_locations", folders)?;
        }
        let spec = py
            .import("importlib.util")?
            .getattr("spec_from_file_location")?
            .call((name, target.to_string_lossy().as_ref()), Some(&options))?;
        if modules.get_item(&old)?.is_some_and(|now| now.is(&object)) {
            modules.del_item(&old)?;
        }
        detach_from_package(&modules, &old, &object)?;
        modules.set_item(name, &object)?;
        object.setattr("__name__", name)?;
        object.setattr("__spec__", &spec)?;
        object.setattr("__file__", target.to_string_lossy().as_ref())?;
        object.setattr("__loader__", spec.getattr("loader")?)?;
        match folder {
            Some(_) => {
                object.setattr("__path__", spec.getattr("submodule_search_locations")?)?;
                object.setattr("__package__", name)?;
            }
            None => {
                if object.hasattr("__path__")? {
                    object.delattr("__path__")?;
                }
                let parent = name.rsplit_once('.').map_or("", |(parent, _)| parent);
                object.setattr("__package__", parent)?;
            }
        }
        if let Some((parent, child)) = name.rsplit_once('.')
            && let Some(parent) = modules.get_item(parent)?
        {
            parent.setattr(child, &object)?;
        }
        self.seen.remove(&old);
        self.glance = None;
        let module = &mut self.world.modules[index];
        module.name = name.to_string();
        let from = std::mem::replace(&mut module.file, target.to_path_buf());
        let code_file = target.to_string_lossy().into_owned();
        if crate::modules::move_code(py, &module.code_file, &code_file)? {
            module.code_file = code_file;
        }
        let (namespace, code_file) = (module.dict.bind(py).clone(), module.code_file.clone());
        crate::modules::move_home(py, &namespace, &code_file, &old, name)?;
        // It is known already, and by the file name in its code.
        let known = (object.as_ptr() as usize, spec.as_ptr() as usize);
        self.seen.insert(name.to_string(), known);
        self.glance = None;
        report.behaviour = true;
        report.moves.push(Move {
            from,
            to: target.to_path_buf(),
            name: old.clone(),
        });
        report.groups.push(GroupReport::moved(target, &old, name));
        Ok(())
    }

    /// A file that was gone is back: so is the module that was loaded from it.
    pub(crate) fn reattach(&mut self, py: Python<'_>, path: &Path) -> PyResult<()> {
        let modules = py
            .import("sys")?
            .getattr("modules")?
            .cast_into::<PyDict>()?;
        while let Some(at) = self.detached.iter().position(|module| module.file == path) {
            let module = self.detached.remove(at);
            if modules.contains(&module.name)? {
                continue;
            }
            modules.set_item(&module.name, &module.object)?;
            if let Some((parent, child)) = module.name.rsplit_once('.')
                && let Some(parent) = modules.get_item(parent)?
            {
                parent.setattr(child, &module.object)?;
            }
            self.world.modules.push(module);
        }
        Ok(())
    }
}
