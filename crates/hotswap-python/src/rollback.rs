//! Back to the code of an earlier generation, with the state of now.
//!
//! The same machinery applies it as an edit on disk, as one group: all of it or
//! nothing. Nothing is written to disk. What the disk holds is pinned: it is not
//! applied again until it changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use hotswap_apply::{Edit, Group, Options};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::disk;
use crate::history::FileChange;
use crate::modules::Text;
use crate::report::{GroupReport, ReportData};
use crate::session::{Session, detach_from_package, loaded_modules};

impl Session {
    /// Applies the sources of an earlier generation.
    pub(crate) fn rollback(&mut self, py: Python<'_>, generation: u64) -> PyResult<ReportData> {
        self.refuse_missing(py, generation)?;
        let started = Instant::now();
        let mut report = ReportData::new(self.generation);
        let mut texts = self.history.texts_at(generation);
        let moves: Vec<(PathBuf, PathBuf, String)> = self
            .history
            .moves_since(generation)
            .into_iter()
            .map(|each| (each.from.clone(), each.to.clone(), each.name.clone()))
            .collect();
        // A file that moved has its older texts under its older name.
        let mut places: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
        for (from, to, _) in &moves {
            let later = texts.remove(to).flatten();
            let text = texts.remove(from).flatten().or(later);
            let now = places.remove(to).unwrap_or_else(|| to.clone());
            if let Some(text) = text {
                texts.insert(now.clone(), Some(text));
            }
            places.insert(from.clone(), now);
        }
        let back = self.reattach_for(py, &texts)?;
        let edits = self.edits_to(&texts);
        let known = loaded_modules(py)?;
        if !edits.is_empty() {
            report.due.push(Group { edits });
            let options = Options {
                revive: true,
                ..self.settings.options
            };
            self.commit_groups(py, &mut report, &known, options)?;
        }
        if report.status() == "rejected" || report.status() == "held" {
            for name in back {
                self.detach_module(py, &name)?;
            }
            report.time("total", started);
            return Ok(report);
        }
        for name in back {
            let module = self.world.modules.iter().find(|module| module.name == name);
            if let Some(module) = module {
                report.behaviour = true;
                report.committed.push(FileChange {
                    file: module.file.clone(),
                    before: None,
                    after: Some(module.text().clone()),
                });
                let file = module.file.clone();
                report.groups.push(GroupReport::reattached(&file, &name));
            }
        }
        self.detach_added(py, &texts, &mut report)?;
        for (from, to, name) in &moves {
            let index = self
                .world
                .modules
                .iter()
                .position(|module| module.file == *to);
            if let Some(index) = index {
                self.move_module(py, index, from, name, &mut report)?;
            }
        }
        if report.committed.is_empty() && report.moves.is_empty() {
            report.time("total", started);
            return Ok(report);
        }
        let files: Vec<PathBuf> = report
            .committed
            .iter()
            .map(|change| change.file.clone())
            .chain(moves.into_iter().flat_map(|(from, to, _)| [from, to]))
            .collect();
        self.note_generation(&mut report);
        self.pin(py, generation, files, &mut report)?;
        report.time("total", started);
        Ok(report)
    }

    /// The unified diff of the sources between two generations.
    pub(crate) fn diff(&self, py: Python<'_>, a: u64, b: u64) -> PyResult<String> {
        self.refuse_missing(py, a)?;
        self.refuse_missing(py, b)?;
        let history = &self.history;
        Ok(py.detach(|| history.diff(a, b)))
    }

    fn refuse_missing(&self, py: Python<'_>, generation: u64) -> PyResult<()> {
        match self.history.missing(generation, self.generation) {
            Some(reason) => Err(crate::error::raise(py, "RollbackError", reason)),
            None => Ok(()),
        }
    }

    /// Modules that had been taken away since come back; their names.
    fn reattach_for(
        &mut self,
        py: Python<'_>,
        texts: &BTreeMap<PathBuf, Option<Text>>,
    ) -> PyResult<Vec<String>> {
        let mut back = Vec::new();
        for (file, text) in texts {
            if text.is_none() {
                continue;
            }
            let here = self.detached.iter().filter(|module| module.file == *file);
            let names: Vec<String> = here.map(|module| module.name.clone()).collect();
            self.reattach(py, file)?;
            let loaded = |name: &String| self.world.modules.iter().any(|it| it.name == *name);
            back.extend(names.into_iter().filter(loaded));
        }
        Ok(back)
    }

    fn edits_to(&self, texts: &BTreeMap<PathBuf, Option<Text>>) -> Vec<Edit> {
        let mut edits = Vec::new();
        for (file, text) in texts {
            let Some(text) = text else { continue };
            let Some(outline) = disk::outline(text) else {
                continue;
            };
            for (index, module) in self.world.modules.iter().enumerate() {
                if module.file == *file && *module.text() != *text {
                    edits.push(Edit {
                        comparison: None,
                        module: index,
                        text: text.clone(),
                        outline: outline.clone(),
                    });
                }
            }
        }
        edits.sort_by_key(|edit| edit.module);
        edits
    }

    /// Modules that were imported as new files since leave again.
    fn detach_added(
        &mut self,
        py: Python<'_>,
        texts: &BTreeMap<PathBuf, Option<Text>>,
        report: &mut ReportData,
    ) -> PyResult<()> {
        for (file, _) in texts.iter().filter(|(_, text)| text.is_none()) {
            let here = self.world.modules.iter().filter(|it| it.file == *file);
            let names: Vec<String> = here.map(|module| module.name.clone()).collect();
            for name in names {
                if let Some(text) = self.detach_module(py, &name)? {
                    report.behaviour = true;
                    report.groups.push(GroupReport::detached(file, &name));
                    report.committed.push(FileChange {
                        file: file.clone(),
                        before: Some(text),
                        after: None,
                    });
                }
            }
        }
        Ok(())
    }

    /// Takes a module out of `sys.modules` and its package. Returns its text.
    fn detach_module(&mut self, py: Python<'_>, name: &str) -> PyResult<Option<Text>> {
        let Some(index) = self.world.modules.iter().position(|it| it.name == name) else {
            return Ok(None);
        };
        let modules = py
            .import("sys")?
            .getattr("modules")?
            .cast_into::<PyDict>()?;
        let module = self.world.modules.remove(index);
        if modules
            .get_item(name)?
            .is_some_and(|now| now.is(&module.object))
        {
            modules.del_item(name)?;
        }
        self.seen.remove(name);
        self.glance = None;
        detach_from_package(&modules, name, module.object.bind(py))?;
        let text = module.text().clone();
        self.detached.push(module);
        Ok(Some(text))
    }

    /// What the disk holds of these files is not applied until it changes; tracebacks
    /// show what runs.
    fn pin(
        &mut self,
        py: Python<'_>,
        generation: u64,
        mut files: Vec<PathBuf>,
        report: &mut ReportData,
    ) -> PyResult<()> {
        files.sort();
        files.dedup();
        let mut names = Vec::new();
        for file in files {
            if self.is_on_disk(py, &file) {
                self.pinned.remove(&file);
                continue;
            }
            self.pin_lines(py, &file)?;
            names.push(file.display().to_string());
            self.pinned.insert(file, generation);
        }
        if !names.is_empty() {
            report.notes.push(format!(
                "pinned: generation {generation} runs, disk differs ({}); a file is applied again when it changes",
                names.join(", ")
            ));
        }
        Ok(())
    }

    /// Whether the disk holds what runs.
    fn is_on_disk(&self, py: Python<'_>, file: &Path) -> bool {
        let module = self.world.modules.iter().find(|it| it.file == file);
        let state = self.disk.files.get(file);
        match (module, state) {
            (Some(module), Some(state)) => {
                disk::decode(py, &state.bytes).is_ok_and(|text| text == *module.text())
            }
            (None, None) => true,
            _ => false,
        }
    }
}
