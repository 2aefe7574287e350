//! Module-level statements: running new and changed ones.

use std::sync::Arc;

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{
    Change, DECORATOR_STUB, FunctionChange, Import, Kind, Outline, Pragma, Skeleton, Statement,
};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyFunction, PyTuple, PyType};
use rustc_hash::FxHashMap;

use crate::codes;
use crate::registrations::decorators_stay;
use crate::stage::{Changed, Late, Stage};
use crate::timeline::Place;
use crate::transaction::Write;
use crate::values;

impl<'py> Stage<'_, 'py> {
    /// Goes through the statements of a module in the order of its new source. As at a
    /// fresh start, the packages around it come first, and what it imports at the statement
    /// that imports it; in a circle of imports a module sees what the others have come to.
    pub(crate) fn stage_module(&mut self, module: usize) -> PyResult<()> {
        if self.begun.contains(&module) {
            return Ok(());
        }
        let name = self.world.modules[module].name.clone();
        for (end, _) in name.match_indices('.') {
            if let Some(package) = self.world.by_name(&name[..end])
                && self.order.contains(&package)
            {
                self.stage_module(package)?;
            }
        }
        if !self.begun.insert(module) {
            return Ok(());
        }
        let Some(outline) = self.outline(module) else {
            return Ok(());
        };
        let mut imports: FxHashMap<usize, Vec<Import>> = FxHashMap::default();
        for (index, import) in outline.imports() {
            imports.entry(index).or_default().push(import.clone());
        }
        if !self.edits.contains_key(&module) {
            let mut indices: Vec<usize> = imports.keys().copied().collect();
            indices.sort_unstable();
            for index in indices {
                self.enter_imports(module, index, &imports[&index], &outline)?;
            }
            return self.derive_module(module);
        }
        self.patch_bodies(module)?;
        let chains = self.broken_chains(module);
        let steps = self.edits[&module].plan.steps.len();
        let mut passed = 0;
        for step in 0..steps {
            if let Some(old) = self.edits[&module].plan.steps[step].old {
                self.show_builtins(module, passed..old)?;
                passed = passed.max(old);
            }
            let index = self.edits[&module].plan.steps[step].new;
            let mut waits = false;
            if let Some(imports) = imports.get(&index) {
                self.enter_imports(module, index, imports, &outline)?;
                if self.edits[&module].plan.steps[step].change == Change::Run {
                    waits = self.stage_for_unloaded(module, imports)? && !self.committed;
                }
            }
            match waits {
                true => self.leave_for_later(module, step, &outline.statements[index]),
                false => self.stage_step(module, step)?,
            }
            self.finish_chains(module, index, &outline)?;
            for (_, name, base, links) in chains.iter().filter(|(last, ..)| *last == index) {
                self.settle_chain(module, name, *base, links, &outline)?;
            }
        }
        self.remove_statements(module)?;
        self.settle_class_lines(module)?;
        self.settle_annotations(module)
    }

    /// What an import statement takes from is staged, then its names follow.
    fn enter_imports(
        &mut self,
        module: usize,
        index: usize,
        imports: &[Import],
        outline: &Outline,
    ) -> PyResult<()> {
        for import in imports {
            for source in self.imported_modules(module, import) {
                if self.order.contains(&source) {
                    self.stage_module(source)?;
                }
            }
            self.rebind_import(module, index, import, outline)?;
        }
        Ok(())
    }

    /// A statement runs right after the commit.
    fn leave_for_later(&mut self, module: usize, step: usize, statement: &Statement) {
        self.late.push(Late {
            module,
            step,
            remade: None,
        });
        for name in &statement.binds {
            self.late_names.insert((module, name.clone()));
        }
    }

    /// One statement of an edited module.
    pub(crate) fn stage_step(&mut self, module: usize, index: usize) -> PyResult<()> {
        crate::fault::point("a statement")?;
        let edited = &self.edits[&module];
        let (outline, old_outline) = (edited.outline.clone(), edited.old_outline.clone());
        let step = edited.plan.steps[index].clone();
        let new = &outline.statements[step.new];
        let old = step.old.map(|at| &old_outline.statements[at]);
        let change = step.change.clone();
        if self.passed_on.contains(&(module, new.span.start)) {
            if change == Change::Run {
                let label = new.label(&self.text(module));
                let action = if old.is_some() { "re-ran" } else { "added" };
                self.entry(module, &label, Some(new), kind_of(new), action);
            }
            return Ok(());
        }
        let hooks = match (&change, &new.kind) {
            (Change::Run, Kind::Class(definition)) => self.hooks_pending(module, definition)?,
            _ => false,
        };
        if hooks
            || !matches!(change, Change::Same | Change::Bodies | Change::Annotation)
                && self.must_wait(module, &new.facts)
                && !self.can_show(module, &new.facts)
        {
            let makes_values = matches!(
                new.kind,
                Kind::Assign { .. } | Kind::Expression | Kind::Compound(_)
            );
            if old.is_some() && makes_values && self.run_chain(module, new, &outline, None)? {
                return Ok(());
            }
            if let Some(old) = old {
                self.note_as_made(module, old, new, &change, &outline)?;
                if let Change::Function(_) = &change {
                    self.try_decorators_late(module, old, new, step.new)?;
                }
            }
            self.leave_for_later(module, index, new);
            return Ok(());
        }
        if step.renamed
            && let Some(old) = old
        {
            return self.rename(module, old, new, &outline);
        }
        match (change, old) {
            (Change::Same, Some(old)) if self.follows_futures(module, old, new, &outline)? => {
                Ok(())
            }
            (Change::Same | Change::Bodies, _) => {
                if let (Change::Bodies, Some(old)) = (&step.change, old) {
                    self.new_attributes_of(module, old, new)?;
                    self.static_attributes_of(module, old, new)?;
                }
                self.derive(module, step.new, &outline)
            }
            (Change::Annotation, _) => {
                self.annotate(module, new, &outline)?;
                self.derive(module, step.new, &outline)
            }
            (Change::Function(change), Some(old)) => {
                self.stage_function(module, old, new, &change, &outline)
            }
            (Change::Class(change), Some(old)) => {
                self.stage_class(module, old, new, &change, &outline, index)
            }
            _ if new.pragma == Some(Pragma::Keep) && old.is_some() => {
                let label = new.label(&self.text(module));
                self.entry(module, &label, Some(new), "statement", "kept")
                    .reason = "# hotswap: keep".to_string();
                Ok(())
            }
            (_, old) => {
                let awaits = self.edits[&module].awaited.contains(&step.new);
                let block = old.is_some()
                    && !awaits
                    && (!self.committed || matches!(new.kind, Kind::Compound(_)))
                    && !self.is_whole(module);
                if let (true, Some(old)) = (block, old)
                    && self.stage_block(module, old, new, &outline, true)?
                {
                    return Ok(());
                }
                match self.run(module, old, new, &outline) {
                    Err(error) if self.comes_later(module, new, &error) => {
                        if !matches!(new.kind, Kind::Import(_)) && !new.facts.calls.is_empty() {
                            let label = new.label(&self.text(module));
                            self.notes.push(format!(
                                "`{label}` failed for want of what the commit brings and ran again after it: what it had done before is done twice"
                            ));
                        }
                        self.leave_for_later(module, index, new);
                        Ok(())
                    }
                    result => result,
                }
            }
        }
    }

    /// Whether a statement failed for the want of something that is there only after the
    /// swap. Of an import that is a name that another edited module binds late, or what a
    /// module that is loaded for the first time takes from an edited class.
    fn comes_later(&self, module: usize, statement: &Statement, error: &PyErr) -> bool {
        use pyo3::exceptions::{
            PyAttributeError, PyImportError, PyModuleNotFoundError, PyNameError,
        };
        let Kind::Import(imports) = &statement.kind else {
            return !self.committed && self.fails_early(error);
        };
        let lacks_a_name = error.is_instance_of::<PyImportError>(self.py)
            || error.is_instance_of::<PyAttributeError>(self.py)
            || error.is_instance_of::<PyNameError>(self.py);
        if self.committed || !lacks_a_name {
            return false;
        }
        let binds_late = imports.iter().any(|import| {
            self.imported_modules(module, import)
                .iter()
                .any(|source| self.late.iter().any(|late| late.module == *source))
        });
        let elsewhere = error.traceback(self.py).is_some_and(|traceback| {
            // The statement's own frame is the first; a second one is inside what it loads.
            traceback
                .getattr("tb_next")
                .is_ok_and(|next| !next.is_none())
        });
        binds_late || elsewhere && !error.is_instance_of::<PyModuleNotFoundError>(self.py)
    }

    /// Compiles one statement by itself, on its own lines.
    pub(crate) fn compile_statement(
        &self,
        module: usize,
        statement: &Statement,
        outline: &Outline,
    ) -> PyResult<Bound<'py, PyAny>> {
        let text = self.text(module);
        let skeleton = Skeleton::new(&text, outline).statement(statement);
        self.compile(module, &skeleton.finish())
    }

    /// Runs a new or changed statement.
    pub(crate) fn run(
        &mut self,
        module: usize,
        old: Option<&Statement>,
        new: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        if new.kind == Kind::MainGuard {
            return Ok(());
        }
        if self.revive(module, new)? {
            return Ok(());
        }
        if self.run_chain(module, new, outline, None)? {
            if let Some(old) = old.filter(|_| !self.is_whole(module)) {
                self.unbind_lost(module, old, new, outline)?;
            }
            return Ok(());
        }
        if let Kind::AugAssign { .. } = &new.kind
            && old.is_some()
            && new.pragma != Some(Pragma::Rerun)
            && !self.is_whole(module)
            && self.augments_plain_value(module, new)?
        {
            let label = new.label(&self.text(module));
            let entry = self.entry(module, &label, Some(new), "statement", "stale");
            entry.reason = "what it augments cannot be made again without effects, or the \
                            program changed it: it would be augmented twice"
                .to_string();
            entry.advice = "# hotswap: rerun".to_string();
            return Ok(());
        }
        if let Some(old) = old
            && !self.committed
            && !self.is_whole(module)
            && old.fingerprint != new.fingerprint
            && self.run_elements(module, old, new, outline)?
        {
            return Ok(());
        }
        let index = crate::chain::holder_of(outline, new);
        let namespace = self.namespace(module)?;
        let code = self.compile_statement(module, new, outline)?;
        let before = self.values_before(&namespace, new)?;
        let survey = self.survey(module, old, new)?;
        let unbound = self.unbind_removed(module, &namespace, new)?;
        let contents = self.contents_before(&namespace, new)?;
        for name in &new.deletes {
            // What bound it ran in this update; the name was kept free, as it ends up.
            let bound = self
                .early
                .keys()
                .any(|(at, _, early)| *at == module && early == name);
            if bound && !namespace.contains(name)? {
                namespace.set_item(name, self.py.None())?;
            }
        }
        self.note_effect(module, new);
        let text = self.text(module);
        let mut view = match index {
            Some(index) => {
                let place = Place {
                    outline,
                    text: &text,
                    index,
                    new: true,
                };
                let augmented = crate::chain::augmented(new);
                Some(self.view(module, place, &new.facts, &namespace, &augmented)?)
            }
            None => None,
        };
        if let Some(view) = &mut view
            && let Some(name) = view.unknown.first().cloned()
            && old.is_some()
            && new.pragma != Some(Pragma::Rerun)
            && self.makes_plain_values(module, new)?
        {
            view.leave()?;
            if let Some(survey) = survey {
                self.restore_survey(&survey)?;
            }
            self.report_unknown(module, new, &name);
            return Ok(());
        }
        let result = match &new.kind {
            Kind::Import(_) => self.run_import(&code, &namespace),
            _ => codes::execute(&code, &namespace, None),
        };
        if let Some(survey) = survey {
            match &result {
                Ok(()) => {
                    let same = old.is_some_and(|old| decorators_stay(old, new));
                    self.settle_survey(survey, module, same, new, outline)?;
                }
                Err(_) => self.restore_survey(&survey)?,
            }
        }
        if let Some(view) = &mut view {
            view.leave()?;
            for (old, new) in view.copies.drain(..) {
                self.transaction.push(Write::Reference { old, new });
            }
        }
        self.settle_contents(&namespace, contents)?;
        result?;
        if !new.codes.is_empty()
            && let Some(staging) = self.staging.get_mut(&module)
        {
            staging.made_functions = true;
        }
        let kept = self.unchanged_imports(module, new);
        let names = self.names_after(&namespace, &before, new)?;
        let label = new.label(&self.text(module));
        let kind = kind_of(new);
        let action = if old.is_some() { "re-ran" } else { "added" };
        self.entry(module, &label, Some(new), kind, action);
        for name in unbound {
            if !namespace.contains(&name)? {
                let was = before.get_item(&name)?;
                self.bind(module, &name, None)?;
                self.note_value(module, &name, was, None);
                self.entry(module, &name, None, kind, "removed");
            }
        }
        for name in names {
            if let (Kind::Assign { .. }, Some(index)) = (&new.kind, index) {
                self.complete_new(module, index, &name, outline)?;
            }
            let was = before.get_item(&name)?;
            let Some(now) = namespace.get_item(&name)? else {
                continue;
            };
            if self.defined_later(module, outline, new, &name) {
                // An overload: the definition that follows holds the name.
                match &was {
                    Some(was) => namespace.set_item(&name, was)?,
                    None => namespace.del_item(&name)?,
                }
                continue;
            }
            if kept.contains(&name)
                && let Some(was) = &was
            {
                namespace.set_item(&name, was)?;
                continue;
            }
            if let Some(index) = index
                && let Some(given) = self.given_by_star_after(module, index, &name, outline)?
            {
                namespace.set_item(&name, &given)?;
                self.bind(module, &name, Some(given.clone()))?;
                self.note_value(module, &name, was, Some(given));
                continue;
            }
            if let (Some(index), false) = (index, self.committed) {
                if crate::timeline::links(outline, &name).len() > 1 {
                    self.early
                        .insert((module, index, name.clone()), now.clone());
                }
                if Self::is_overruled(outline, index, &name) {
                    match &was {
                        Some(was) => namespace.set_item(&name, was)?,
                        None => namespace.del_item(&name)?,
                    }
                    continue;
                }
            }
            self.take_value(module, &name, was, now, old, new)?;
            if let Some(index) = index
                && crate::timeline::replaces(new, &name)
            {
                self.augment_again(module, index, &name, outline)?;
            }
        }
        if let Some(old) = old.filter(|_| !self.is_whole(module)) {
            self.unbind_lost(module, old, new, outline)?;
        }
        for name in &new.deletes {
            if !namespace.contains(name)? {
                let was = self.live_dict(module).get_item(name)?;
                self.bind(module, name, None)?;
                self.note_value(module, name, was, None);
            }
        }
        Ok(())
    }

    /// Whether all that a statement does is to give names plain values.
    fn makes_plain_values(&self, module: usize, statement: &Statement) -> PyResult<bool> {
        if !matches!(
            statement.kind,
            Kind::Assign { .. } | Kind::AugAssign { .. } | Kind::Compound(_)
        ) || self.impurity(module, &statement.facts).is_some()
        {
            return Ok(false);
        }
        let live = self.live_dict(module);
        for name in &statement.binds {
            if !live
                .get_item(name)?
                .is_none_or(|value| values::is_comparable(&value))
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether what a statement augments is nothing that could tell what it was before.
    fn augments_plain_value(&self, module: usize, statement: &Statement) -> PyResult<bool> {
        let live = self.live_dict(module);
        for name in &statement.binds {
            if live
                .get_item(name)?
                .is_some_and(|value| values::is_plain(&value))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes what a statement that is about to run may do outside the staging namespace.
    pub(crate) fn note_effect(&mut self, module: usize, statement: &Statement) {
        if matches!(statement.kind, Kind::Import(_) | Kind::Future)
            || self.impurity(module, &statement.facts).is_none()
        {
            return;
        }
        self.effects.push(format!(
            "{}:{}: `{}` had run; what it did outside the module is not undone",
            self.world.modules[module].file.display(),
            statement.first_line,
            statement.label(&self.text(module))
        ));
    }

    /// The value that a statement gave to a name goes where the old one was.
    fn take_value(
        &mut self,
        module: usize,
        name: &str,
        was: Option<Bound<'py, PyAny>>,
        now: Bound<'py, PyAny>,
        old: Option<&Statement>,
        new: &Statement,
    ) -> PyResult<()> {
        let mut now = now;
        if let Some(was) = &was {
            if values::is_plain(was) && values::equal(was, &now) {
                // Whoever imported the old object goes on holding what a fresh start would.
                now = was.clone();
            }
            if was.is(&now) {
                self.namespace(module)?.set_item(name, &now)?;
                self.transaction
                    .set_item(&self.live_dict(module), name, Some(now));
                return Ok(());
            }
            let scope = self.namespace_before(module)?;
            if let Some(content) = self.merge_display(module, name, was, &now, old, new, &scope)? {
                self.bind(module, name, Some(was.clone()))?;
                if values::equal(was, &content) {
                    return Ok(());
                }
                self.changed
                    .insert((module, name.to_string()), Changed::Value);
                let namespace = self.namespace(module)?;
                return self.stand_in(&namespace, name, content, was.clone());
            }
        }
        if let (Some(was), Some(old)) = (&was, old)
            && !values::is_comparable(was)
            && !matches!(
                new.kind,
                Kind::Function(_) | Kind::Class(_) | Kind::Import(_)
            )
            && old.binds.as_slice() == [name]
            && self.edits.contains_key(&module)
        {
            self.remember_lost(module, old, vec![(name.to_string(), was.clone())]);
        }
        if let Some(was) = &was {
            // Instances and subclasses cannot follow a class to something that is none.
            let callable = matches!(new.kind, Kind::Function(_) | Kind::Class(_))
                || now.is_callable() && values::has_identity(&now);
            let gone = self.removed_definition(module, name);
            let definition =
                callable && (!was.is_instance_of::<PyType>() || now.is_instance_of::<PyType>());
            if self.lives_on(module, name, was, &now, old, new, gone.as_ref())? {
                self.bind(module, name, Some(was.clone()))?;
                self.note_code(module, name, Changed::Code);
                return Ok(());
            }
            if definition
                && values::has_identity(was)
                && self.defined_here(module, was, old.or(gone.as_ref()))
            {
                self.transaction.push(Write::Reference {
                    old: was.clone(),
                    new: now.clone(),
                });
            }
        }
        self.bind(module, name, Some(now.clone()))?;
        self.note_value(module, name, was, Some(now));
        Ok(())
    }

    /// Whether the function that a name held goes on living as what the new statement made.
    #[allow(clippy::too_many_arguments)]
    fn lives_on(
        &mut self,
        module: usize,
        name: &str,
        was: &Bound<'py, PyAny>,
        now: &Bound<'py, PyAny>,
        old: Option<&Statement>,
        new: &Statement,
        gone: Option<&Statement>,
    ) -> PyResult<bool> {
        if let (Kind::Import(_), Some(gone)) = (&new.kind, gone) {
            return self.adopt_moved(module, was, now, gone);
        }
        if !matches!(new.kind, Kind::Function(_)) {
            return Ok(false);
        }
        if let Some(old) = old
            && self.adopt_definition(module, was, now, name, old)?
        {
            return Ok(true);
        }
        // A definition that was inside a block has no counterpart of its own.
        let in_block = match (old, self.edits.get(&module)) {
            (None, Some(edited)) => {
                crate::block::only_in_block(&edited.old_outline.statements, name).is_some()
            }
            (old, _) => old.is_some_and(|old| matches!(old.kind, Kind::Compound(_))),
        };
        Ok(in_block
            && was.is_exact_instance_of::<PyFunction>()
            && now.is_exact_instance_of::<PyFunction>()
            && self.is_source_function(module, was)?
            && self.same_definition(was, now)?
            && self.adopt_definition(module, was, now, name, new)?)
    }

    /// The definition of a name that the new source has no more as such.
    fn removed_definition(&self, module: usize, name: &str) -> Option<Statement> {
        let edited = self.edits.get(&module)?;
        edited
            .plan
            .removed
            .iter()
            .map(|at| &edited.old_outline.statements[*at])
            .find(|statement| {
                matches!(statement.kind, Kind::Function(_) | Kind::Class(_))
                    && statement.binds.iter().any(|bound| bound == name)
            })
            .cloned()
    }

    /// Whether a live object is what the old definition of this name made.
    fn defined_here(
        &self,
        module: usize,
        object: &Bound<'py, PyAny>,
        old: Option<&Statement>,
    ) -> bool {
        let Some(old) = old else { return false };
        if !matches!(old.kind, Kind::Function(_) | Kind::Class(_)) {
            return false;
        }
        match object
            .peek("__module__")
            .and_then(|name| name.extract::<String>())
        {
            Ok(owner) => {
                let name: Option<String> = self
                    .live_dict(module)
                    .get_item("__name__")
                    .ok()
                    .flatten()
                    .and_then(|name| name.extract().ok());
                let said = || match (object.cast::<PyType>(), old.class()) {
                    (Ok(class), Some(definition)) => self.is_own(module, class, &definition.name),
                    _ => Ok(false),
                };
                Some(owner) == name
                    || old
                        .function()
                        .is_some_and(|function| !function.decorators.is_empty())
                    || said().unwrap_or(false)
            }
            Err(_) => true,
        }
    }

    pub(crate) fn values_before(
        &self,
        namespace: &Bound<'py, PyDict>,
        statement: &Statement,
    ) -> PyResult<Bound<'py, PyDict>> {
        if statement.binds.iter().any(|name| name == "*") {
            return namespace.copy();
        }
        let before = PyDict::new(self.py);
        for name in statement
            .binds
            .iter()
            .map(String::as_str)
            .chain(["__annotations__"])
        {
            if let Some(value) = namespace.get_item(name)? {
                before.set_item(name, value)?;
            }
        }
        Ok(before)
    }

    fn names_after(
        &self,
        namespace: &Bound<'py, PyDict>,
        before: &Bound<'py, PyDict>,
        statement: &Statement,
    ) -> PyResult<Vec<String>> {
        if !statement.binds.iter().any(|name| name == "*") {
            let mut names = statement.binds.clone();
            if crate::annotations::is_annotated(statement) {
                names.push("__annotations__".to_string());
            }
            return Ok(names);
        }
        let mut names = Vec::new();
        for (name, value) in namespace.iter() {
            if !before.get_item(&name)?.is_some_and(|old| old.is(&value)) {
                names.push(name.extract()?);
            }
        }
        names.retain(|name: &String| name != "__builtins__");
        Ok(names)
    }

    /// Names that an edited import statement imports just as before: what the
    /// program assigned to them since stays.
    fn unchanged_imports(&self, module: usize, new: &Statement) -> Vec<String> {
        let (Kind::Import(imports), Some(edited)) = (&new.kind, self.edits.get(&module)) else {
            return Vec::new();
        };
        let old: Vec<_> = edited
            .old_outline
            .imports()
            .map(|(_, import)| import.clone())
            .collect();
        imports
            .iter()
            .filter(|import| import.bound != "*" && old.contains(import))
            .map(|import| import.bound.clone())
            .collect()
    }

    /// Evaluates the changed header of a function and patches the live ones.
    pub(crate) fn stage_function(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        change: &FunctionChange,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let Some(function) = new.function() else {
            return Ok(());
        };
        if change.annotations && self.reads_annotations(module, function, None)?
            || self.tried_late(module, new, outline)?
        {
            return self.run(module, Some(old), new, outline);
        }
        if !self.committed && self.derive_decorators(module, old, new, outline)? {
            return Ok(());
        }
        let namespace = self.namespace(module)?;
        let text = self.text(module);
        let skeleton = Skeleton::new(&text, outline).function(
            new,
            function,
            &change.defaults,
            change.annotations,
        );
        let code = self.compile(module, &skeleton.finish())?;
        let mut view = self.view_at(module, new.span.start, &new.facts, &namespace)?;
        let made = self.make(&code, &namespace, None, &function.name);
        view.leave()?;
        let made = made?;
        let patched = self.patch_function(module, old, new, change, &made, None)?;
        let deleted = outline
            .statements
            .iter()
            .any(|other| other.deletes.contains(&function.name));
        if patched == 0 && !deleted && self.live_dict(module).get_item(&function.name)?.is_none() {
            // The program took it away, or it never lived: a fresh start would have it.
            return self.run(module, Some(old), new, outline);
        }
        self.note_code(module, &function.name, crate::stage::Changed::Code);
        self.entry(module, &function.name, Some(new), "function", "patched");
        self.derive_defaults(module, old, new, None)
    }

    /// Runs a definition whose decorators are stubbed and takes out what it made.
    pub(crate) fn make(
        &mut self,
        code: &Bound<'py, PyAny>,
        namespace: &Bound<'py, PyDict>,
        locals: Option<&Bound<'py, PyDict>>,
        name: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let target = locals.unwrap_or(namespace);
        let before = target.get_item(name)?;
        target.set_item(DECORATOR_STUB, identity(self.py)?)?;
        let result = codes::execute(code, namespace, locals);
        target.del_item(DECORATOR_STUB)?;
        let made = target.get_item(name)?;
        match before {
            Some(before) => target.set_item(name, before)?,
            None if made.is_some() => target.del_item(name)?,
            None => {}
        }
        result?;
        made.ok_or_else(|| {
            pyo3::exceptions::PyNameError::new_err(format!("{name} was not defined"))
        })
    }

    /// Whether a definition further down holds this name and is only patched.
    fn defined_later(&self, module: usize, outline: &Outline, new: &Statement, name: &str) -> bool {
        let Some(edited) = self.edits.get(&module) else {
            return false;
        };
        outline.last_binder(name).is_some_and(|last| {
            let holder = &outline.statements[last];
            holder.span.start > new.span.start
                && matches!(holder.kind, Kind::Function(_) | Kind::Class(_))
                && edited
                    .plan
                    .steps
                    .get(last)
                    .is_some_and(|step| step.change != Change::Run)
        })
    }
}

/// Evaluates an expression; line numbers do not matter because it is not kept.
pub(crate) fn evaluate<'py>(
    py: Python<'py>,
    source: &str,
    namespace: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    evaluate_in(py, source, namespace, None)
}

/// The same with the names of a class body before those of the module.
pub(crate) fn evaluate_in<'py>(
    py: Python<'py>,
    source: &str,
    namespace: &Bound<'py, PyDict>,
    locals: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let text = format!("({source}\n)");
    codes::note_execution();
    let eval = py.import("builtins")?.getattr("eval")?;
    match locals {
        Some(locals) => eval.call1((text, namespace, locals)),
        None => eval.call1((text, namespace)),
    }
}

/// A C function that returns its argument.
pub(crate) fn identity(py: Python<'_>) -> PyResult<Bound<'_, PyCFunction>> {
    PyCFunction::new_closure(
        py,
        None,
        None,
        |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| -> PyResult<Py<PyAny>> {
            Ok(args.get_item(0)?.unbind())
        },
    )
}

pub(crate) fn kind_of(statement: &Statement) -> &'static str {
    match statement.kind {
        Kind::Function(_) => "function",
        Kind::Class(_) => "class",
        Kind::Import(_) | Kind::Future => "import",
        _ => "statement",
    }
}
