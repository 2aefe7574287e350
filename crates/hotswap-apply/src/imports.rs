//! What import statements refer to.

use hotswap_plan::Import;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::stage::{Changed, OldAndNew, Stage};

/// The absolute name of the module that an import statement names.
/// `package` is the `__package__` of the importing module.
#[must_use]
pub fn resolve_import(package: &str, import: &Import) -> Option<String> {
    if import.level == 0 {
        return Some(import.module.clone());
    }
    let mut parts: Vec<&str> = package.split('.').filter(|part| !part.is_empty()).collect();
    let up = import.level as usize - 1;
    if up > parts.len() {
        return None;
    }
    parts.truncate(parts.len() - up);
    if !import.module.is_empty() {
        parts.push(&import.module);
    }
    (!parts.is_empty()).then(|| parts.join("."))
}

impl<'py> Stage<'_, 'py> {
    pub(crate) fn package(&self, module: usize) -> String {
        let dict = self.live_dict(module);
        let get =
            |name: &str| -> Option<String> { dict.get_item(name).ok().flatten()?.extract().ok() };
        match get("__package__") {
            Some(package) if !package.is_empty() => package,
            _ if dict.contains("__path__").unwrap_or(false) => get("__name__").unwrap_or_default(),
            _ => get("__name__")
                .and_then(|name| name.rsplit_once('.').map(|(head, _)| head.to_string()))
                .unwrap_or_default(),
        }
    }

    /// The watched module that an import takes from.
    pub(crate) fn imported_module(&self, module: usize, import: &Import) -> Option<usize> {
        let name = resolve_import(&self.package(module), import)?;
        self.world.by_name(&name)
    }

    /// The watched module that a name of this module stands for.
    pub(crate) fn module_at(&self, module: usize, name: &str) -> Option<usize> {
        let value = self.live_dict(module).get_item(name).ok()??;
        let value = value.cast_into::<pyo3::types::PyModule>().ok()?;
        self.world.by_dict(value.dict().as_any())
    }

    /// Carries changed names of other modules over into this one: its import
    /// statements nominate the bindings; one is rebound only if that import was the
    /// last to bind the name and the name still holds the old object.
    pub(crate) fn rebind_imports(&mut self, module: usize) -> PyResult<()> {
        if self.changed.is_empty() && self.late_names.is_empty() {
            return Ok(());
        }
        let Some(outline) = self.outline(module) else {
            return Ok(());
        };
        let live = self.live_dict(module);
        let imports: Vec<(usize, Import)> = outline
            .imports()
            .map(|(index, import)| (index, import.clone()))
            .collect();
        for (index, import) in imports {
            let Some(name) = &import.name else { continue };
            let Some(source) = self.imported_module(module, &import) else {
                continue;
            };
            if source == module {
                continue;
            }
            if name == "*" {
                self.rebind_star(module, source, &outline)?;
                continue;
            }
            if self.late_names.contains(&(source, name.clone())) {
                self.late_names.insert((module, import.bound.clone()));
            }
            match self.changed.get(&(source, name.clone())).copied() {
                Some(Changed::Value) => {}
                Some(change) => {
                    self.note_code(module, &import.bound, change);
                    continue;
                }
                None => continue,
            }
            let Some((old, new)) = self.rebound_value(source, name) else {
                // The same object with other content.
                self.note_code(module, &import.bound, Changed::Value);
                continue;
            };
            // A statement that runs in this update binds the name itself, unless it
            // imported it before just so: then the program may have assigned it since.
            if self.ran_import(module, index, &import) {
                continue;
            }
            self.rebind(
                module,
                &live,
                &import.bound,
                Some(index),
                &outline,
                old,
                new,
            )?;
        }
        Ok(())
    }

    /// Where a from-import was written without a name: every public name.
    fn rebind_star(
        &mut self,
        module: usize,
        source: usize,
        outline: &hotswap_plan::Outline,
    ) -> PyResult<()> {
        let live = self.live_dict(module);
        let names: Vec<String> = self
            .changed
            .iter()
            .filter(|((at, name), _)| *at == source && !name.contains('.'))
            .map(|((_, name), _)| name.clone())
            .collect();
        let public = self.public_names(source)?;
        for name in names {
            if outline.last_binder(&name).is_some() {
                continue;
            }
            match self.changed.get(&(source, name.clone())) {
                Some(Changed::Value) => {}
                Some(change) => {
                    let change = *change;
                    self.note_code(module, &name, change);
                    continue;
                }
                None => continue,
            }
            let Some((old, new)) = self.rebound_value(source, &name) else {
                self.note_code(module, &name, Changed::Value);
                continue;
            };
            let is_public = public
                .as_ref()
                .map_or(!name.starts_with('_'), |list| list.contains(&name));
            if is_public || live.contains(&name)? {
                self.rebind(module, &live, &name, None, outline, old, new)?;
            }
        }
        Ok(())
    }

    /// `__all__` of a module as it will be.
    fn public_names(&mut self, module: usize) -> PyResult<Option<Vec<String>>> {
        let namespace = match self.staging.get(&module) {
            Some(staging) => staging.namespace.clone(),
            None => self.live_dict(module),
        };
        Ok(namespace
            .get_item("__all__")?
            .and_then(|names| names.extract().ok()))
    }

    fn rebound_value(&self, module: usize, name: &str) -> Option<OldAndNew<'py>> {
        let mut found: Option<OldAndNew<'py>> = None;
        for (at, other, (old, new)) in &self.rebound {
            if *at == module && other == name {
                found = match found {
                    Some((first, _)) => Some((first, new.clone())),
                    None => Some((old.clone(), new.clone())),
                };
            }
        }
        found
    }

    fn ran_import(&self, module: usize, statement: usize, import: &Import) -> bool {
        self.edits.get(&module).is_some_and(|edited| {
            edited
                .plan
                .steps
                .get(statement)
                .is_some_and(|step| step.change == hotswap_plan::Change::Run)
                && !edited
                    .old_outline
                    .imports()
                    .any(|(_, before)| before == import)
        })
    }

    #[allow(clippy::too_many_arguments)]
    fn rebind(
        &mut self,
        module: usize,
        live: &Bound<'py, PyDict>,
        bound: &str,
        statement: Option<usize>,
        outline: &hotswap_plan::Outline,
        old: Option<Bound<'py, PyAny>>,
        new: Option<Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        if let Some(index) = statement
            && outline.last_binder(bound) != Some(index)
        {
            return Ok(());
        }
        let now = live.get_item(bound)?;
        let untouched = match (&now, &old) {
            (Some(now), Some(old)) => now.is(old),
            (None, None) => true,
            // A new public name of a star import must not hide what the program put there.
            _ => false,
        };
        if now.is_some()
            && new
                .as_ref()
                .is_some_and(|new| now.as_ref().is_some_and(|now| now.is(new)))
        {
            return Ok(());
        }
        let Some(new) = new else {
            self.entry(module, bound, None, "import", "stale").reason =
                "the imported name is gone; a fresh start would fail here".to_string();
            return Ok(());
        };
        if !untouched {
            self.entry(module, bound, None, "import", "kept").reason =
                "the program assigned this name itself".to_string();
            return Ok(());
        }
        self.bind(module, bound, Some(new.clone()))?;
        self.note_value(module, bound, now, Some(new));
        self.entry(module, bound, None, "import", "rebound");
        Ok(())
    }

    /// Runs an import statement so that it sees what this update adds to other modules.
    pub(crate) fn run_import(
        &mut self,
        code: &Bound<'py, PyAny>,
        namespace: &Bound<'py, PyDict>,
    ) -> PyResult<()> {
        // A file may have appeared since the path finders looked last.
        self.py
            .import("importlib")?
            .call_method0("invalidate_caches")?;
        if self.committed || self.staging.is_empty() {
            return crate::codes::execute(code, namespace, None);
        }
        let builtins = self.py.import("builtins")?;
        let real = builtins.getattr("__import__")?;
        let mut staged = Vec::new();
        for (module, staging) in &self.staging {
            staged.push((
                self.world.modules[*module].object.clone_ref(self.py),
                staging.namespace.clone().unbind(),
            ));
        }
        // Held here: looked up inside, it would be found in the frame that imports, which is us.
        let importing = real.unbind();
        let importer = pyo3::types::PyCFunction::new_closure(
            self.py,
            None,
            None,
            move |args: &Bound<'_, pyo3::types::PyTuple>,
                  kwargs: Option<&Bound<'_, PyDict>>|
                  -> PyResult<Py<PyAny>> {
                let py = args.py();
                let got = importing.bind(py).call(args, kwargs)?;
                let from_list = args
                    .get_item(3)
                    .is_ok_and(|names| names.is_truthy().unwrap_or(false));
                if from_list
                    && let Some((_, namespace)) = staged.iter().find(|(object, _)| object.is(&got))
                {
                    return stand_in(&got, namespace.bind(py)).map(Bound::unbind);
                }
                Ok(got.unbind())
            },
        )?;
        let private = builtins.dict().copy()?;
        private.set_item("__import__", importer)?;
        let before = namespace.get_item("__builtins__")?;
        namespace.set_item("__builtins__", private)?;
        let result = crate::codes::execute(code, namespace, None);
        match before {
            Some(before) => namespace.set_item("__builtins__", before)?,
            None => namespace.del_item("__builtins__")?,
        }
        result
    }
}

/// A module object that shows a staging namespace, for `from module import name`.
fn stand_in<'py>(
    module: &Bound<'py, PyAny>,
    namespace: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let kind = module.py().import("types")?.getattr("ModuleType")?;
    let copy = kind.call1((module.getattr("__name__")?,))?;
    let dict = copy.getattr("__dict__")?;
    dict.call_method1("update", (module.getattr("__dict__")?,))?;
    dict.call_method1("update", (namespace,))?;
    Ok(copy)
}
