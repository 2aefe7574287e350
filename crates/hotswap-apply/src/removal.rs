//! Statements that the new source does not have any more.

use std::ops::Range;

use hotswap_plan::{Kind, Outline, Statement};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::import_words::word;
use crate::imports::named_modules;
use crate::stage::Stage;
use crate::statement::kind_of;

impl<'py> Stage<'_, 'py> {
    /// Names of builtins that only removed statements had bound, those among `passed`: what
    /// stands below and reads such a name reads the builtin from now on. Other names that
    /// are gone nobody can read.
    pub(crate) fn show_builtins(&mut self, module: usize, passed: Range<usize>) -> PyResult<()> {
        let edited = &self.edits[&module];
        let (outline, old_outline) = (edited.outline.clone(), edited.old_outline.clone());
        let gone = edited.plan.removed.iter();
        let gone = gone.filter(|index| passed.contains(index));
        let names: Vec<String> = gone
            .flat_map(|index| old_outline.statements[*index].binds.clone())
            .filter(|name| !name.starts_with("__"))
            .collect();
        let may_come_by_star = outline.imports().any(|(_, import)| import.bound == "*");
        if names.is_empty() || may_come_by_star {
            return Ok(());
        }
        let builtins = self.py.import("builtins")?.dict();
        for name in names {
            let was = self.live_dict(module).get_item(&name)?;
            if was.is_none()
                || !builtins.contains(&name)?
                || self.binders(module, &outline, &name) > 0
                || outline.globals_declared.contains(&name)
            {
                continue;
            }
            let namespace = self.namespace(module)?;
            if namespace.contains(&name)? {
                namespace.del_item(&name)?;
            }
            self.note_value(module, &name, was, None);
        }
        Ok(())
    }

    /// What removed statements alone had bound is taken away.
    pub(crate) fn remove_statements(&mut self, module: usize) -> PyResult<()> {
        let edited = &self.edits[&module];
        let (outline, old_outline, plan) = (
            edited.outline.clone(),
            edited.old_outline.clone(),
            edited.plan.clone(),
        );
        for index in &plan.removed {
            let statement = &old_outline.statements[*index];
            // What only augmented a value is looked after with the other statements that make it.
            let augments = !statement.facts.stores.is_empty()
                && statement.facts.stores.iter().all(|name| {
                    self.chained.contains(&(module, name.clone()))
                        || self.has_stale_entry(module, name)
                });
            if statement.binds.is_empty()
                && !augments
                && !self.withdrawn_statements.contains(&(module, *index))
                && !matches!(statement.kind, Kind::Future | Kind::MainGuard)
            {
                let label = statement.label(&self.edits[&module].old_text.clone());
                self.entry(module, &label, None, "statement", "removed")
                    .reason = "what it did when it ran is not undone".to_string();
            }
            let mut lost = Vec::new();
            for name in &statement.binds {
                if self.binders(module, &outline, name) > 0
                    || outline.globals_declared.contains(name)
                    || name == "*"
                {
                    continue;
                }
                let was = self.live_dict(module).get_item(name)?;
                if was.is_none()
                    || self.comes_by_star(module, name, &outline)?
                    || self.is_part_still_loaded(module, name)?
                {
                    continue;
                }
                lost.extend(was.clone().map(|was| (name.clone(), was)));
                let none = (name == "__doc__").then(|| self.py.None().into_bound(self.py));
                self.bind(module, name, none.clone())?;
                self.note_value(module, name, was, none);
                self.entry(module, name, None, kind_of(statement), "removed");
            }
            if !matches!(statement.kind, Kind::Import(_) | Kind::Docstring) {
                self.remember_lost(module, statement, lost);
            }
            if let Kind::Import(imports) = &statement.kind
                && imports.iter().any(|import| import.bound == "*")
            {
                let import = imports[0].clone();
                self.remove_star(module, &import, &outline)?;
            }
        }
        Ok(())
    }

    fn has_stale_entry(&self, module: usize, name: &str) -> bool {
        let home = &self.world.modules[module].name;
        self.entries
            .iter()
            .any(|entry| entry.action == "stale" && entry.module == *home && entry.qualname == name)
    }

    /// How many of the statements that a fresh start would run bind the name: the main
    /// guard runs in `__main__` alone.
    fn binders(&self, module: usize, outline: &Outline, name: &str) -> usize {
        let is_main = self.world.modules[module].name == "__main__";
        let binders = outline.statements.iter().filter(|statement| {
            (is_main || statement.kind != Kind::MainGuard)
                && statement.binds.iter().any(|bound| bound == name)
        });
        binders.count()
    }

    /// Names that a statement bound in the old source and does not bind any more.
    pub(crate) fn unbind_lost(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        outline: &Outline,
    ) -> PyResult<()> {
        for name in &old.binds {
            if new.binds.contains(name)
                || name == "*"
                || outline.last_binder(name).is_some()
                || outline.globals_declared.contains(name)
            {
                continue;
            }
            let was = self.live_dict(module).get_item(name)?;
            if was.is_none()
                || self.comes_by_star(module, name, outline)?
                || self.is_part_still_loaded(module, name)?
            {
                continue;
            }
            self.bind(module, name, None)?;
            self.note_value(module, name, was, None);
            self.entry(module, name, None, kind_of(new), "removed");
        }
        Ok(())
    }

    /// Names that only removed statements had bound before, and that a block such as
    /// `if TYPE_CHECKING:` may now bind or not: taken away before it runs.
    pub(crate) fn unbind_removed(
        &self,
        module: usize,
        namespace: &Bound<'py, PyDict>,
        new: &Statement,
    ) -> PyResult<Vec<String>> {
        let (Kind::Compound(_), Some(edited), false) =
            (&new.kind, self.edits.get(&module), self.committed)
        else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for name in &new.binds {
            let removed = edited
                .plan
                .removed
                .iter()
                .any(|at| edited.old_outline.statements[*at].binds.contains(name));
            if removed
                && self.binders(module, &edited.outline, name) == 1
                && namespace.contains(name)?
            {
                namespace.del_item(name)?;
                names.push(name.clone());
            }
        }
        Ok(names)
    }

    /// Whether a star import of the new source gives the name.
    pub(crate) fn comes_by_star(
        &mut self,
        module: usize,
        name: &str,
        outline: &Outline,
    ) -> PyResult<bool> {
        let stars: Vec<hotswap_plan::Import> = outline
            .imports()
            .filter(|(_, import)| import.bound == "*")
            .map(|(_, import)| import.clone())
            .collect();
        if stars.is_empty() {
            return Ok(false);
        }
        let Some(held) = self.namespace(module)?.get_item(name)? else {
            return Ok(false);
        };
        let modules = self
            .py
            .import("sys")?
            .getattr("modules")?
            .cast_into::<PyDict>()?;
        for import in stars {
            if let Some(source) = self.imported_module(module, &import) {
                // The source of the star may be edited too: what counts is what it gives then.
                let given = self.given_by_star(source, name)?;
                if given.is_some_and(|value| value.is(&held)) {
                    return Ok(true);
                }
                continue;
            }
            let Some(source) = crate::resolve_import(&self.package(module), &import) else {
                continue;
            };
            let Some(source) = modules.get_item(source)? else {
                continue;
            };
            if source.getattr(name).is_ok_and(|value| value.is(&held)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn remove_star(
        &mut self,
        module: usize,
        import: &hotswap_plan::Import,
        outline: &Outline,
    ) -> PyResult<()> {
        let Some(source) = self.imported_module(module, import) else {
            return Ok(());
        };
        let (own, other) = (self.live_dict(module), self.live_dict(source));
        let public = crate::imports::listed(&other)?;
        for (name, value) in other.iter() {
            let name: String = name.extract()?;
            if !crate::imports::is_given(public.as_deref(), &name)
                || outline.last_binder(&name).is_some()
            {
                continue;
            }
            if own.get_item(&name)?.is_some_and(|mine| mine.is(&value))
                && !self.comes_by_star(module, &name, outline)?
                && !self.is_part_still_loaded(module, &name)?
            {
                self.bind(module, &name, None)?;
            }
        }
        Ok(())
    }

    /// Whether a name of a package is a module in it that an import of the new sources loads:
    /// loading a module sets it on its package, whichever statement asks for it.
    fn is_part_still_loaded(&self, module: usize, name: &str) -> PyResult<bool> {
        let full = format!("{}.{name}", self.world.modules[module].name);
        let modules = self
            .py
            .import("sys")?
            .getattr("modules")?
            .cast_into::<PyDict>()?;
        let held = self.live_dict(module).get_item(name)?;
        let Some(part) = modules.get_item(&full)? else {
            return Ok(false);
        };
        if !held.is_some_and(|held| held.is(&part)) {
            return Ok(false);
        }
        let mut importers = self.world.modules.importing(&[word(name)]);
        importers.extend(self.edits.keys());
        Ok(importers
            .into_iter()
            .filter(|importer| self.world.modules[*importer].name != full)
            .any(|importer| self.loads(importer, &full)))
    }

    fn loads(&self, importer: usize, full: &str) -> bool {
        let package = self.package(importer);
        self.outline(importer).is_some_and(|outline| {
            outline
                .imports()
                .flat_map(|(_, import)| named_modules(&package, import))
                .any(|named| named == full)
        })
    }
}
