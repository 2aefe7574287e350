//! Modules that an update loads for the first time: what they import is staged before.

use std::path::PathBuf;

use hotswap_plan::Import;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::imports::named_modules;
use crate::stage::Stage;

impl<'py> Stage<'_, 'py> {
    /// Stages the edited modules that a module which is not loaded yet will import from,
    /// also through others of its kind.
    pub(crate) fn stage_for_unloaded(&mut self, module: usize, imports: &[Import]) -> PyResult<()> {
        let Some(read) = self.world.read_outline else {
            return Ok(());
        };
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
            for (_, import) in outline.iter().flat_map(|outline| outline.imports()) {
                due.extend(named_modules(&package, import).into_iter().rev());
            }
        }
        Ok(())
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
