//! Modules that an update loads for the first time: what they import is staged before,
//! and what they could only see as it was has them wait.

use std::path::PathBuf;

use hotswap_plan::{Call, Facts, Import, Outline};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::imports::{named_modules, resolve_import};
use crate::stage::{Changed, Stage};

impl<'py> Stage<'_, 'py> {
    /// Stages the edited modules that a module which is not loaded yet will import from,
    /// also through others of its kind. True: one of them reads or calls, while it runs,
    /// what is there at the commit only, so that it has to be loaded after that.
    pub(crate) fn stage_for_unloaded(
        &mut self,
        module: usize,
        imports: &[Import],
    ) -> PyResult<bool> {
        let Some(read) = self.world.read_outline else {
            return Ok(false);
        };
        let mut found = Vec::new();
        let package = self.package(module);
        let mut due: Vec<String> = imports
            .iter()
            .flat_map(|import| named_modules(&package, import))
            .collect();
        // The last is taken first, and a package comes before what is in it.
        due.reverse();
        let mut packages: FxHashMap<String, PathBuf> = FxHashMap::default();
        let mut seen: FxHashSet<String> = FxHashSet::default();
        let loaded = self
            .py
            .import("sys")?
            .getattr("modules")?
            .cast_into::<PyDict>()?;
        while let Some(name) = due.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            if let Some(source) = self.world.by_name(&name) {
                if self.order.contains(&source) {
                    self.stage_module(source)?;
                }
                continue;
            }
            if loaded.contains(&name)? {
                continue;
            }
            let (outer, tail) = name.rsplit_once('.').unwrap_or(("", &name));
            let mut package = outer.to_string();
            let mut outline = None;
            for folder in self.folders(&loaded, &packages, outer)? {
                let inner = folder.join(tail);
                if let Some(found) = read(&inner.join("__init__.py")) {
                    outline = Some(found);
                    package.clone_from(&name);
                    packages.insert(name.clone(), inner);
                    break;
                }
                outline = read(&folder.join(format!("{tail}.py")));
                if outline.is_some() {
                    break;
                }
            }
            let Some(outline) = outline else { continue };
            for (_, import) in outline.imports() {
                due.extend(named_modules(&package, import).into_iter().rev());
            }
            found.push((package, outline));
        }
        Ok(found
            .iter()
            .any(|(package, outline)| self.runs_what_is_pending(package, outline)))
    }

    /// Whether the body of a module reads an attribute of an edited module that has
    /// another value, or calls a function of one that is going to run other code. Names
    /// that it takes by `from … import` are given from what is staged.
    fn runs_what_is_pending(&self, package: &str, outline: &Outline) -> bool {
        let imports: Vec<&Import> = outline.imports().map(|(_, import)| import).collect();
        let mut due: Vec<&Facts> = outline.statements.iter().map(|each| &*each.facts).collect();
        let mut entered: FxHashSet<usize> = FxHashSet::default();
        while let Some(facts) = due.pop() {
            for path in &facts.reads {
                let called = facts
                    .calls
                    .iter()
                    .any(|call| matches!(call, Call::Path(called) if called == path));
                if let Some((source, rest, taken)) = self.source_of(package, &imports, path) {
                    let differs = self.change_of(source, &rest) == Some(Changed::Value);
                    if differs && !taken || called && self.call_changed(source, &rest) {
                        return true;
                    }
                } else if let Some(at) = outline.last_binder(&path[0]).filter(|_| called)
                    && let Some(function) = outline.statements[at].function()
                    && entered.insert(at)
                {
                    due.push(&function.facts);
                }
            }
        }
        false
    }

    /// The watched module that a dotted name of a module that is not loaded leads to, what
    /// follows its name, and whether an import statement takes just that from it.
    fn source_of(
        &self,
        package: &str,
        imports: &[&Import],
        path: &[String],
    ) -> Option<(usize, Vec<String>, bool)> {
        let import = imports
            .iter()
            .rev()
            .find(|import| import.bound == path[0])?;
        let mut full = resolve_import(package, import)?;
        match &import.name {
            Some(name) => full = format!("{full}.{name}"),
            None if import.aliased => {}
            None => full = import.bound.clone(),
        }
        let taken = full.split('.').count();
        let parts: Vec<String> = full
            .split('.')
            .map(str::to_string)
            .chain(path[1..].iter().cloned())
            .collect();
        (1..parts.len()).rev().find_map(|length| {
            let source = self.world.by_name(&parts[..length].join("."))?;
            Some((source, parts[length..].to_vec(), length < taken))
        })
    }

    /// Where the modules of a package lie; of no package, those on `sys.path`.
    fn folders(
        &self,
        loaded: &Bound<'py, PyDict>,
        unloaded: &FxHashMap<String, PathBuf>,
        package: &str,
    ) -> PyResult<Vec<PathBuf>> {
        if let Some(folder) = unloaded.get(package) {
            return Ok(vec![folder.clone()]);
        }
        let folders = match loaded.get_item(package)? {
            Some(package) => package.getattr("__path__").ok(),
            None if package.is_empty() => Some(self.py.import("sys")?.getattr("path")?),
            None => None,
        };
        let Some(folders) = folders else {
            return Ok(Vec::new());
        };
        folders
            .try_iter()?
            .map(|folder| Ok(folder?.extract::<PathBuf>().unwrap_or_default()))
            .collect()
    }
}
