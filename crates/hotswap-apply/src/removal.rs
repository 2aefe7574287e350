//! Statements that the new source does not have any more.

use hotswap_plan::{Kind, Outline, Statement};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::stage::Stage;
use crate::statement::kind_of;

impl<'py> Stage<'_, 'py> {
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
                if was.is_none() || self.comes_by_star(module, name, &outline)? {
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
            if was.is_none() || self.comes_by_star(module, name, outline)? {
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
        for (name, value) in other.iter() {
            let name: String = name.extract()?;
            if name.starts_with('_') || outline.last_binder(&name).is_some() {
                continue;
            }
            if own.get_item(&name)?.is_some_and(|mine| mine.is(&value))
                && !self.comes_by_star(module, &name, outline)?
            {
                self.bind(module, &name, None)?;
            }
        }
        Ok(())
    }
}
