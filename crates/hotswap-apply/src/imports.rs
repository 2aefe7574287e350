//! What import statements refer to.

use std::sync::{Arc, Mutex};

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{Import, Kind, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

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

/// The modules that an import loads: the named one, the packages above it, and what may
/// be a submodule that is taken from a package.
pub(crate) fn named_modules(package: &str, import: &Import) -> Vec<String> {
    let Some(name) = resolve_import(package, import) else {
        return Vec::new();
    };
    let mut names: Vec<String> = name
        .match_indices('.')
        .map(|(at, _)| name[..at].to_string())
        .collect();
    names.push(name.clone());
    if let Some(inner) = import.name.as_ref().filter(|inner| *inner != "*") {
        names.push(format!("{name}.{inner}"));
    }
    names
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

    /// The watched modules among those that an import loads.
    pub(crate) fn imported_modules(&self, module: usize, import: &Import) -> Vec<usize> {
        named_modules(&self.package(module), import)
            .iter()
            .filter_map(|name| self.world.by_name(name))
            .filter(|source| *source != module)
            .collect()
    }

    /// Carries changed names of other modules over into this one: its import
    /// statements nominate the bindings; one is rebound only if that import was the
    /// last to bind the name and the name still holds the old object.
    pub(crate) fn rebind_imports(&mut self, module: usize) -> PyResult<()> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let Some(outline) = self.outline(module) else {
            return Ok(());
        };
        for (index, import) in outline.imports() {
            self.rebind_import(module, index, import, &outline)?;
        }
        Ok(())
    }

    /// The same for one name of one import statement.
    pub(crate) fn rebind_import(
        &mut self,
        module: usize,
        index: usize,
        import: &Import,
        outline: &hotswap_plan::Outline,
    ) -> PyResult<()> {
        let (Some(name), Some(source)) = (&import.name, self.imported_module(module, import))
        else {
            return Ok(());
        };
        if source == module {
            return Ok(());
        }
        if name == "*" {
            return self.rebind_star(module, source, index, import, outline);
        }
        if self.late_names.contains(&(source, name.clone())) {
            self.late_names.insert((module, import.bound.clone()));
        }
        self.carry_members(source, name, module, &import.bound);
        match self.changed.get(&(source, name.clone())).copied() {
            Some(Changed::Value) => {}
            Some(change) => {
                self.note_code(module, &import.bound, change);
                return Ok(());
            }
            None => return Ok(()),
        }
        let Some((old, new)) = self.rebound_value(source, name) else {
            // The same object with other content.
            self.note_code(module, &import.bound, Changed::Value);
            return self.share_stand_in(module, &import.bound);
        };
        // A statement that runs in this update binds the name itself, unless it
        // imported it before just so: then the program may have assigned it since.
        if self.ran_import(module, index, import) {
            return Ok(());
        }
        let live = self.live_dict(module);
        self.rebind(module, &live, &import.bound, index, outline, old, new)
    }

    /// What changed about the members of a class, under the name that an import gives it.
    fn carry_members(&mut self, source: usize, name: &str, module: usize, bound: &str) {
        let members: Vec<(String, Changed)> = self
            .changed
            .iter()
            .filter(|((at, _), _)| *at == source)
            .filter_map(|((_, path), change)| {
                let member = path.strip_prefix(name)?.strip_prefix('.')?;
                Some((format!("{bound}.{member}"), *change))
            })
            .collect();
        for (path, change) in members {
            self.note_code(module, &path, change);
        }
    }

    /// Where a from-import was written without a name: every public name.
    fn rebind_star(
        &mut self,
        module: usize,
        source: usize,
        index: usize,
        import: &Import,
        outline: &hotswap_plan::Outline,
    ) -> PyResult<()> {
        let names: Vec<String> = self
            .changed
            .iter()
            .filter(|((at, name), _)| *at == source && !name.contains('.'))
            .map(|((_, name), _)| name.clone())
            .collect();
        let public = self.public_names(source)?;
        let before = listed(&self.live_dict(source))?;
        // A star import that is new gave nothing before, and runs by itself.
        if self.changed.contains_key(&(source, "__all__".to_string()))
            && !self.ran_import(module, index, import)
        {
            self.follow_all(
                module,
                source,
                outline,
                before.as_deref(),
                public.as_deref(),
            )?;
        }
        let heads: Vec<String> = self
            .changed
            .keys()
            .filter(|(at, _)| *at == source)
            .filter_map(|(_, path)| Some(path.split_once('.')?.0.to_string()))
            .collect();
        for name in heads {
            if is_given(public.as_deref(), &name)
                && outline.last_binder(&name).is_none_or(|last| last < index)
            {
                self.carry_members(source, &name, module, &name);
            }
        }
        for name in names {
            if outline.last_binder(&name).is_some_and(|last| last > index) {
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
            if self.rebound_value(source, &name).is_none() {
                self.note_code(module, &name, Changed::Value);
                self.share_stand_in(module, &name)?;
                continue;
            }
            if is_given(public.as_deref(), &name) || is_given(before.as_deref(), &name) {
                self.settle_star(module, &name, outline)?;
            }
        }
        Ok(())
    }

    /// What a star import further down gives to a name that a statement has just bound.
    pub(crate) fn given_by_star_after(
        &mut self,
        module: usize,
        index: usize,
        name: &str,
        outline: &hotswap_plan::Outline,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let last = outline.last_binder(name);
        let stars: Vec<hotswap_plan::Import> = outline
            .imports()
            .filter(|(at, import)| import.bound == "*" && *at > index && Some(*at) > last)
            .map(|(_, import)| import.clone())
            .collect();
        for import in stars.iter().rev() {
            let Some(source) = self.imported_module(module, import) else {
                continue;
            };
            let public = match self.public_names(source)? {
                Some(names) => names.iter().any(|public| public == name),
                None => !name.starts_with('_'),
            };
            let held = match self.staging.get(&source) {
                Some(staging) => staging.namespace.get_item(name)?,
                None => self.live_dict(source).get_item(name)?,
            };
            if let (true, Some(held)) = (public, held) {
                return Ok(Some(held));
            }
        }
        Ok(None)
    }

    /// Where `__all__` was edited: names that a star import gives now, and those that it
    /// does not give any more.
    fn follow_all(
        &mut self,
        module: usize,
        source: usize,
        outline: &hotswap_plan::Outline,
        before: Option<&[String]>,
        public: Option<&[String]>,
    ) -> PyResult<()> {
        let other = self.live_dict(source);
        let staged = self.namespace(source)?;
        for name in staged.copy()?.keys() {
            let name: String = name.extract()?;
            let (had, has) = (
                is_given(before, &name) && other.contains(&name)?,
                is_given(public, &name),
            );
            if had == has || outline.last_binder(&name).is_some() {
                continue;
            }
            self.settle_star(module, &name, outline)?;
        }
        Ok(())
    }

    /// Gives a name what the star imports of a module give it now, taken together: it may
    /// come from another one than before. What the program assigned stays.
    fn settle_star(
        &mut self,
        module: usize,
        name: &str,
        outline: &hotswap_plan::Outline,
    ) -> PyResult<()> {
        let before_outline = match self.edits.get(&module) {
            Some(edited) => edited.old_outline.clone(),
            None => match self.outline(module) {
                Some(outline) => outline,
                None => return Ok(()),
            },
        };
        let mut before = None;
        for source in self.star_sources(module, &before_outline) {
            let dict = self.live_dict(source);
            // What ran after the commit has given the live name its new value already.
            let held = match self.rebound_value(source, name) {
                Some((old, _)) => old,
                None => dict.get_item(name)?,
            };
            if is_given(listed(&dict)?.as_deref(), name) {
                before = held.or(before);
            }
        }
        let mut after = None;
        for source in self.star_sources(module, outline) {
            after = self.given_by_star(source, name)?.or(after);
        }
        let now = self.live_dict(module).get_item(name)?;
        let staged = self.namespace(module)?.get_item(name)?;
        let same =
            |one: &Option<Bound<'py, PyAny>>, other: &Option<Bound<'py, PyAny>>| match (one, other)
            {
                (Some(one), Some(other)) => one.is(other),
                (None, None) => true,
                _ => false,
            };
        if same(&staged, &after) {
            return Ok(());
        }
        if !same(&now, &before) {
            self.entry(module, name, None, "import", "kept").reason =
                "the program assigned this name itself".to_string();
            return Ok(());
        }
        // Of two modules the first may have taken the name away, and the other gives it.
        let own = self.world.modules[module].name.clone();
        self.entries.retain(|entry| {
            !(entry.kind == "import" && entry.module == own && entry.qualname == name)
        });
        let action = match (&now, &after) {
            (None, _) => "added",
            (Some(_), Some(_)) => "rebound",
            (Some(_), None) => "removed",
        };
        self.bind(module, name, after.clone())?;
        self.note_value(module, name, now, after);
        self.entry(module, name, None, "import", action);
        Ok(())
    }

    /// The modules that a module imports everything from, in the order of its statements.
    fn star_sources(&self, module: usize, outline: &hotswap_plan::Outline) -> Vec<usize> {
        let stars = outline.imports().filter(|(_, import)| import.bound == "*");
        stars
            .filter_map(|(_, import)| self.imported_module(module, import))
            .filter(|source| *source != module)
            .collect()
    }

    /// What a star import of a module gives for a name, as the module will be.
    pub(crate) fn given_by_star(
        &self,
        source: usize,
        name: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if !is_given(self.public_names(source)?.as_deref(), name) {
            return Ok(None);
        }
        self.present(source).get_item(name)
    }

    /// `__all__` of a module as it will be.
    fn public_names(&self, module: usize) -> PyResult<Option<Vec<String>>> {
        listed(&self.present(module))
    }

    /// The names that a star import of a module gives, in their order.
    pub(crate) fn star_names(&self, source: usize) -> PyResult<Vec<String>> {
        if let Some(names) = self.public_names(source)? {
            return Ok(names);
        }
        let names = self.present(source).keys();
        let mut names: Vec<String> = names
            .iter()
            .filter_map(|name| name.extract().ok())
            .collect();
        names.retain(|name| !name.starts_with('_'));
        Ok(names)
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

    /// What an import statement gives a name: before this update, or after it. None: it does
    /// not bind it, or what it takes from is not loaded.
    pub(crate) fn imported_value(
        &self,
        module: usize,
        statement: &Statement,
        bound: &str,
        new: bool,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Kind::Import(imports) = &statement.kind else {
            return Ok(None);
        };
        let Some(import) = imports.iter().rev().find(|import| import.bound == bound) else {
            return Ok(None);
        };
        let modules = self.py.import("sys")?.getattr("modules")?;
        let modules = modules.cast_into::<PyDict>()?;
        let Some(name) = &import.name else {
            let known = match import.aliased {
                true => resolve_import(&self.package(module), import),
                false => Some(bound.to_string()),
            };
            return known.map_or(Ok(None), |known| modules.get_item(known));
        };
        if let Some(source) = self.imported_module(module, import) {
            return match self.rebound_value(source, name) {
                Some((_, value)) if new => Ok(value),
                Some((value, _)) => Ok(value),
                None => self.live_dict(source).get_item(name),
            };
        }
        let Some(home) = resolve_import(&self.package(module), import) else {
            return Ok(None);
        };
        match modules.get_item(home)? {
            Some(source) => Ok(source.peek(name).ok()),
            None => Ok(None),
        }
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
        statement: usize,
        outline: &hotswap_plan::Outline,
        old: Option<Bound<'py, PyAny>>,
        new: Option<Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        if outline.last_binder(bound) != Some(statement) {
            // What stands up to the next binding, and that one itself, may read it.
            if let Some(new) = new {
                let key = (module, statement, bound.to_string());
                self.early.insert(key, new);
            }
            return Ok(());
        }
        let now = live.get_item(bound)?;
        let untouched = match (&now, &old) {
            (Some(now), Some(old)) => now.is(old),
            (None, None) => true,
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

    /// Runs an import statement.
    pub(crate) fn run_import(
        &mut self,
        code: &Bound<'py, PyAny>,
        namespace: &Bound<'py, PyDict>,
    ) -> PyResult<()> {
        // A file may have appeared since the path finders looked last.
        self.py
            .import("importlib")?
            .call_method0("invalidate_caches")?;
        crate::codes::execute(code, namespace, None)
    }
}

/// Modules by the namespaces in which they are staged.
pub(crate) type StagedModules = Arc<Mutex<Vec<(Py<PyAny>, Py<PyDict>)>>>;

/// While an update is prepared, `from … import` in its thread, also in modules that are
/// loaded for the first time, takes names of edited modules as they will be. Other
/// threads go on importing what is there.
pub(crate) struct StagedImports {
    importer: Py<PyAny>,
    replaced: Py<PyAny>,
}

impl StagedImports {
    /// Puts the importer in the place of `builtins.__import__`.
    pub(crate) fn install(py: Python<'_>, staged: &StagedModules) -> PyResult<StagedImports> {
        let builtins = py.import("builtins")?;
        let replaced = builtins.getattr("__import__")?.unbind();
        let (real, staged) = (replaced.clone_ref(py), staged.clone());
        let thread = std::thread::current().id();
        let importer = PyCFunction::new_closure(
            py,
            Some(c"__import__"),
            None,
            move |args: &Bound<'_, PyTuple>,
                  kwargs: Option<&Bound<'_, PyDict>>|
                  -> PyResult<Py<PyAny>> {
                let py = args.py();
                let got = real.bind(py).call(args, kwargs)?;
                if std::thread::current().id() != thread || !asks_for_names(args, kwargs) {
                    return Ok(got.unbind());
                }
                let namespace = staged.lock().ok().and_then(|staged| {
                    let mut modules = staged.iter();
                    let found = modules.find(|(module, _)| module.is(&got));
                    found.map(|(_, namespace)| namespace.clone_ref(py))
                });
                match namespace {
                    Some(namespace) => stand_in(&got, namespace.bind(py)).map(Bound::unbind),
                    None => Ok(got.unbind()),
                }
            },
        )?;
        builtins.setattr("__import__", &importer)?;
        Ok(StagedImports {
            importer: importer.into_any().unbind(),
            replaced,
        })
    }

    /// Puts back what was there, unless somebody has replaced it meanwhile.
    pub(crate) fn remove(self, py: Python<'_>) -> PyResult<()> {
        let builtins = py.import("builtins")?;
        if builtins.getattr("__import__")?.is(&self.importer) {
            builtins.setattr("__import__", self.replaced)?;
        }
        Ok(())
    }
}

/// Whether a call of `__import__` is that of a `from … import`.
fn asks_for_names(args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> bool {
    let by_name = || kwargs.and_then(|kwargs| kwargs.get_item("fromlist").ok().flatten());
    let names = args.get_item(3).ok().or_else(by_name);
    names.is_some_and(|names| names.is_truthy().unwrap_or(false))
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

/// `__all__` of a namespace.
pub(crate) fn listed(namespace: &Bound<'_, PyDict>) -> PyResult<Option<Vec<String>>> {
    Ok(namespace
        .get_item("__all__")?
        .and_then(|names| names.extract().ok()))
}

/// Whether a star import takes a name, from a module with this `__all__`.
pub(crate) fn is_given(listed: Option<&[String]>, name: &str) -> bool {
    match listed {
        Some(names) => names.iter().any(|other| other == name),
        None => !name.starts_with('_'),
    }
}
