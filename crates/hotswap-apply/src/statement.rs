//! Module-level statements: running new and changed ones, deriving others again.

use std::sync::Arc;

use hotswap_plan::{
    Change, DECORATOR_STUB, Expression, FunctionChange, Kind, Outline, Pragma, Skeleton, Statement,
};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

use crate::codes;
use crate::stage::{Late, Stage};
use crate::transaction::Write;
use crate::values;

impl<'py> Stage<'_, 'py> {
    /// Goes through the statements of a module in the order of its new source.
    pub(crate) fn stage_module(&mut self, module: usize) -> PyResult<()> {
        if self.edits.contains_key(&module) {
            self.patch_bodies(module)?;
        }
        self.rebind_imports(module)?;
        if !self.edits.contains_key(&module) {
            return self.derive_module(module);
        }
        let steps = self.edits[&module].plan.steps.len();
        for step in 0..steps {
            self.stage_step(module, step)?;
        }
        self.remove_statements(module)?;
        self.settle_annotations(module)
    }

    /// `__annotations__` of an edited module: the names that the source annotates, in
    /// its order, then those that the program added.
    fn settle_annotations(&mut self, module: usize) -> PyResult<()> {
        let edited = &self.edits[&module];
        let (old, new) = (
            annotated(&edited.old_outline.statements),
            annotated(&edited.outline.statements),
        );
        if old == new || cfg!(Py_3_14) {
            return Ok(());
        }
        let namespace = self.namespace(module)?;
        let Some(annotations) = namespace.get_item("__annotations__")? else {
            return Ok(());
        };
        let settled = ordered_annotations(self.py, annotations.cast::<PyDict>()?, &old, &new)?;
        let value = (!settled.is_empty() || !new.is_empty()).then(|| settled.into_any());
        self.bind(module, "__annotations__", value)
    }

    /// One statement of an edited module.
    pub(crate) fn stage_step(&mut self, module: usize, index: usize) -> PyResult<()> {
        let edited = &self.edits[&module];
        let (outline, old_outline) = (edited.outline.clone(), edited.old_outline.clone());
        let step = edited.plan.steps[index].clone();
        let new = &outline.statements[step.new];
        let old = step.old.map(|at| &old_outline.statements[at]);
        let change = step.change.clone();
        if self.must_wait(module, &new.facts) && !matches!(change, Change::Same | Change::Bodies) {
            self.late.push(Late {
                module,
                step: index,
            });
            for name in &new.binds {
                self.late_names.insert((module, name.clone()));
            }
            return Ok(());
        }
        if step.renamed
            && let Some(old) = old
        {
            return self.rename(module, old, new, &outline);
        }
        match (change, old) {
            (Change::Same | Change::Bodies, _) => {
                if let (Change::Bodies, Some(old)) = (&step.change, old) {
                    self.new_attributes_of(module, old, new)?;
                }
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
            _ => self.run(module, old, new, &outline),
        }
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
        outline: &Outline,
    ) -> PyResult<()> {
        if new.kind == Kind::MainGuard {
            return Ok(());
        }
        if self.run_chain(module, new, outline)? {
            return Ok(());
        }
        let namespace = self.namespace(module)?;
        let code = self.compile_statement(module, new, outline)?;
        let before = self.values_before(&namespace, new)?;
        let registered = self.registrations_before(module, old, new)?;
        let unbound = self.unbind_removed(module, &namespace, new)?;
        let contents = self.contents_before(&namespace, new)?;
        let result = match &new.kind {
            Kind::Import(_) => self.run_import(&code, &namespace),
            _ => codes::execute(&code, &namespace, None),
        };
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
            self.take_value(module, &name, was, now, old, new)?;
        }
        for name in &new.deletes {
            if !namespace.contains(name)? {
                self.bind(module, name, None)?;
            }
        }
        self.settle_registrations(registered, module, new)
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
            if was.is(&now) {
                self.transaction
                    .set_item(&self.live_dict(module), name, Some(now));
                return Ok(());
            }
            if let Some(merged) = self.merge_display(module, name, was, &now, old, new)? {
                now = merged;
            }
        }
        if let Some(was) = &was {
            let definition = matches!(new.kind, Kind::Function(_) | Kind::Class(_));
            if definition && values::has_identity(was) && self.defined_here(module, was, old) {
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
            .getattr("__module__")
            .and_then(|name| name.extract::<String>())
        {
            Ok(owner) => {
                let name: Option<String> = self
                    .live_dict(module)
                    .get_item("__name__")
                    .ok()
                    .flatten()
                    .and_then(|name| name.extract().ok());
                Some(owner) == name
                    || old
                        .function()
                        .is_some_and(|function| !function.decorators.is_empty())
            }
            Err(_) => true,
        }
    }

    fn values_before(
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
            if let Kind::Assign {
                annotated: true, ..
            } = statement.kind
            {
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
    fn stage_function(
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
        let namespace = self.namespace(module)?;
        let text = self.text(module);
        let skeleton = Skeleton::new(&text, outline).function(
            new,
            function,
            &change.defaults,
            change.annotations,
        );
        let code = self.compile(module, &skeleton.finish())?;
        let made = self.make(&code, &namespace, None, &function.name)?;
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
        self.derive_defaults(module, new, outline)
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

    /// A definition that got another name keeps its identity.
    fn rename(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let (Some(from), Some(to)) = (old.binds.first().cloned(), new.binds.first().cloned())
        else {
            return Ok(());
        };
        let Some(object) = self.live_dict(module).get_item(&from)? else {
            return self.run(module, None, new, outline);
        };
        match (old.function(), new.function()) {
            (Some(_), Some(function)) => {
                let namespace = self.namespace(module)?;
                let text = self.text(module);
                let skeleton = Skeleton::new(&text, outline).function(new, function, &[], true);
                let code = self.compile(module, &skeleton.finish())?;
                let made = self.make(&code, &namespace, None, &to)?;
                let change = FunctionChange {
                    defaults: Vec::new(),
                    annotations: true,
                };
                self.patch_function(module, old, new, &change, &made, None)?;
            }
            _ => {
                let class = match object.clone().cast_into::<pyo3::types::PyType>() {
                    Ok(class) => class,
                    Err(_) => return self.run(module, None, new, outline),
                };
                for attribute in ["__name__", "__qualname__"] {
                    let value = pyo3::types::PyString::new(self.py, &to).into_any();
                    self.transaction.push(Write::Attribute {
                        object: class.clone().into_any(),
                        name: attribute,
                        value: Some(value),
                    });
                }
                self.rename_methods(module, &class, old, new, outline)?;
            }
        }
        self.bind(module, &to, Some(object.clone()))?;
        self.note_value(module, &to, None, Some(object));
        let kind = kind_of(new);
        let entry = self.entry(module, &to, Some(new), kind, "moved");
        entry.reason = format!("taken for {from} under another name: everything else is equal");
        if outline.last_binder(&from).is_none() {
            self.bind(module, &from, None)?;
        }
        Ok(())
    }

    /// What removed statements alone had bound is taken away.
    fn remove_statements(&mut self, module: usize) -> PyResult<()> {
        let edited = &self.edits[&module];
        let (outline, old_outline, plan) = (
            edited.outline.clone(),
            edited.old_outline.clone(),
            edited.plan.clone(),
        );
        for index in &plan.removed {
            let statement = &old_outline.statements[*index];
            if statement.binds.is_empty()
                && !matches!(statement.kind, Kind::Future | Kind::MainGuard)
            {
                let label = statement.label(&self.edits[&module].old_text.clone());
                self.entry(module, &label, None, "statement", "removed")
                    .reason = "what it did when it ran is not undone".to_string();
            }
            for name in &statement.binds {
                if outline.last_binder(name).is_some()
                    || outline.globals_declared.contains(name)
                    || name == "*"
                {
                    continue;
                }
                let was = self.live_dict(module).get_item(name)?;
                if was.is_none() || self.comes_by_star(module, name, &outline)? {
                    continue;
                }
                let none = (name == "__doc__").then(|| self.py.None().into_bound(self.py));
                self.bind(module, name, none.clone())?;
                self.note_value(module, name, was, none);
                self.entry(module, name, None, kind_of(statement), "removed");
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

    /// Names that only removed statements had bound before, and that a block such as
    /// `if TYPE_CHECKING:` may now bind or not: taken away before it runs.
    fn unbind_removed(
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
            let binders = |outline: &Outline| {
                outline
                    .statements
                    .iter()
                    .filter(|other| other.binds.contains(name))
                    .count()
            };
            let removed = edited
                .plan
                .removed
                .iter()
                .any(|at| edited.old_outline.statements[*at].binds.contains(name));
            if removed && binders(&edited.outline) == 1 && namespace.contains(name)? {
                namespace.del_item(name)?;
                names.push(name.clone());
            }
        }
        Ok(names)
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

    /// Whether a star import of the new source gives the name.
    fn comes_by_star(&mut self, module: usize, name: &str, outline: &Outline) -> PyResult<bool> {
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
            if own.get_item(&name)?.is_some_and(|mine| mine.is(&value)) {
                self.bind(module, &name, None)?;
            }
        }
        Ok(())
    }

    /// Derives statements of a module that was not edited.
    fn derive_module(&mut self, module: usize) -> PyResult<()> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let Some(outline) = self.outline(module) else {
            return Ok(());
        };
        for index in 0..outline.statements.len() {
            self.derive(module, index, &outline)?;
        }
        Ok(())
    }

    /// An unchanged statement that reads something whose value changed runs again if
    /// nobody changed what it made and running it is known to be harmless.
    pub(crate) fn derive(
        &mut self,
        module: usize,
        index: usize,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let statement = &outline.statements[index];
        if self.changed.is_empty() {
            return Ok(());
        }
        match &statement.kind {
            Kind::Function(_) => return self.derive_defaults(module, statement, outline),
            Kind::Class(_) => return self.derive_class(module, statement, outline),
            Kind::Import(_) | Kind::Future | Kind::Docstring | Kind::MainGuard => return Ok(()),
            _ => {}
        }
        let Some(cause) = self.cause(module, &statement.facts) else {
            return Ok(());
        };
        let label = statement.label(&self.text(module));
        if statement.pragma == Some(Pragma::Keep) {
            self.entry(module, &label, Some(statement), "statement", "kept")
                .reason = "# hotswap: keep".to_string();
            return Ok(());
        }
        let old_index = self.old_index(module, index);
        if self.run_chain(module, statement, outline)? {
            return Ok(());
        }
        if statement.pragma != Some(Pragma::Rerun) {
            let stale = self.why_not_derive(module, statement, old_index, outline)?;
            if let Some(reason) = stale {
                // A bare call is something that was done, not a value that could be stale.
                if !statement.binds.is_empty() {
                    let entry = self.entry(module, &label, Some(statement), "statement", "stale");
                    entry.reason = format!("depends on {cause}; {reason}");
                    entry.advice = "# hotswap: rerun".to_string();
                }
                return Ok(());
            }
        }
        if self.must_wait(module, &statement.facts) {
            if let Some(step) = self.step_of(module, index) {
                self.late.push(Late { module, step });
            } else {
                self.late.push(Late {
                    module,
                    step: index,
                });
            }
            for name in &statement.binds {
                self.late_names.insert((module, name.clone()));
            }
            return Ok(());
        }
        self.derive_now(module, statement, outline)
    }

    pub(crate) fn derive_now(
        &mut self,
        module: usize,
        statement: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let namespace = self.namespace(module)?;
        let code = self.compile_statement(module, statement, outline)?;
        let before = self.values_before(&namespace, statement)?;
        codes::execute(&code, &namespace, None)?;
        for name in &statement.binds {
            let was = before.get_item(name)?;
            if let Some(now) = namespace.get_item(name)? {
                self.bind(module, name, Some(now.clone()))?;
                self.note_value(module, name, was, Some(now));
            }
        }
        let label = statement.label(&self.text(module));
        self.entry(module, &label, Some(statement), "statement", "re-ran")
            .reason = "something it reads changed".to_string();
        Ok(())
    }

    /// The index of a statement's counterpart in the baseline.
    fn old_index(&self, module: usize, index: usize) -> Option<usize> {
        match self.edits.get(&module) {
            Some(edited) => edited
                .plan
                .steps
                .iter()
                .find(|step| step.new == index)
                .and_then(|step| step.old),
            None => Some(index),
        }
    }

    fn step_of(&self, module: usize, index: usize) -> Option<usize> {
        self.edits
            .get(&module)?
            .plan
            .steps
            .iter()
            .position(|step| step.new == index)
    }

    fn why_not_derive(
        &mut self,
        module: usize,
        statement: &Statement,
        old_index: Option<usize>,
        outline: &Outline,
    ) -> PyResult<Option<String>> {
        if let Some(reason) = self.impurity(module, &statement.facts) {
            return Ok(Some(reason));
        }
        let Some(old_index) = old_index else {
            return Ok(None);
        };
        let chain = self.chain(module, old_index, &statement.binds, outline);
        if !self.untouched(module, &chain, &statement.binds)? {
            return Ok(Some("the program changed its value since".to_string()));
        }
        Ok(None)
    }

    /// The statements of the baseline that bind or augment the same names, up to the
    /// last of them, so that the value after them can be compared.
    fn chain(
        &self,
        module: usize,
        index: usize,
        names: &[String],
        _outline: &Outline,
    ) -> Vec<usize> {
        let baseline = match self.edits.get(&module) {
            Some(edited) => Some(edited.old_outline.clone()),
            None => self.world.modules[module].outline(),
        };
        let Some(baseline) = baseline else {
            return vec![index];
        };
        let mut chain: Vec<usize> = baseline
            .statements
            .iter()
            .enumerate()
            .filter(|(at, other)| {
                *at == index || other.binds.iter().any(|name| names.contains(name))
            })
            .map(|(at, _)| at)
            .collect();
        chain.dedup();
        chain
    }

    /// Default values of an unchanged parameter that read something changed.
    fn derive_defaults(
        &mut self,
        module: usize,
        statement: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let Some(function) = statement.function() else {
            return Ok(());
        };
        let due: Vec<(usize, &Expression)> = function
            .parameters
            .iter()
            .enumerate()
            .filter_map(|(index, parameter)| {
                parameter.default.as_ref().map(|default| (index, default))
            })
            .filter(|(_, default)| self.cause(module, &default.facts).is_some())
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        let old_line = match self.edits.get(&module) {
            Some(edited) => edited
                .plan
                .steps
                .iter()
                .find(|step| outline.statements[step.new].span == statement.span)
                .and_then(|step| step.old)
                .and_then(|old| edited.old_outline.statements[old].codes.last())
                .map(|site| site.line),
            None => statement.codes.last().map(|site| site.line),
        };
        let Some(line) = old_line else { return Ok(()) };
        let live = self.functions_at(module, &function.name, line);
        for target in live {
            self.derive_defaults_of(module, statement, &target.function, &due)?;
        }
        Ok(())
    }

    fn derive_defaults_of(
        &mut self,
        module: usize,
        statement: &Statement,
        target: &Bound<'py, PyAny>,
        due: &[(usize, &Expression)],
    ) -> PyResult<()> {
        let Some(function) = statement.function() else {
            return Ok(());
        };
        let text = self.text(module);
        let live = self.live_dict(module);
        let namespace = self.namespace(module)?;
        for (index, default) in due {
            let parameter = &function.parameters[*index];
            let cause = self.cause(module, &default.facts).unwrap_or_default();
            let source = default.span.of(&text);
            let mut stale = self.impurity(module, &default.facts);
            if stale.is_none() {
                let was = evaluate(self.py, source, &live.copy()?);
                let now = parameter_default(target, function, *index)?;
                if !matches!((&was, &now), (Ok(was), Some(now)) if values::equal(was, now)) {
                    stale = Some("the program changed its value since".to_string());
                }
            }
            let name = format!("{}({})", function.name, parameter.name);
            if let Some(reason) = stale {
                let entry = self.entry(module, &name, Some(statement), "function", "stale");
                entry.reason = format!("the default depends on {cause}; {reason}");
                entry.advice = "# hotswap: rerun".to_string();
                continue;
            }
            let value = evaluate(self.py, source, &namespace)?;
            self.set_default(target, function, *index, value)?;
            self.entry(module, &name, Some(statement), "function", "re-ran")
                .reason = format!("the default reads {cause}");
        }
        Ok(())
    }

    fn set_default(
        &mut self,
        target: &Bound<'py, PyAny>,
        function: &hotswap_plan::FunctionDef,
        index: usize,
        value: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let parameter = &function.parameters[index];
        if parameter.keyword_only {
            let defaults = target.getattr("__kwdefaults__")?.call_method0("copy")?;
            defaults.set_item(&parameter.name, value)?;
            self.transaction.push(Write::Attribute {
                object: target.clone(),
                name: "__kwdefaults__",
                value: Some(defaults),
            });
            return Ok(());
        }
        let at = default_position(function, index);
        let defaults: Vec<Bound<'py, PyAny>> = target
            .getattr("__defaults__")?
            .cast_into::<PyTuple>()?
            .iter()
            .collect();
        let mut defaults = defaults;
        if let Some(slot) = defaults.get_mut(at) {
            *slot = value;
        }
        let defaults = PyTuple::new(self.py, defaults)?.into_any();
        self.transaction.push(Write::Attribute {
            object: target.clone(),
            name: "__defaults__",
            value: Some(defaults),
        });
        Ok(())
    }

    /// Merges a changed display with what the program did to the live container.
    fn merge_display(
        &mut self,
        module: usize,
        name: &str,
        was: &Bound<'py, PyAny>,
        now: &Bound<'py, PyAny>,
        old: Option<&Statement>,
        new: &Statement,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let display = |statement: &Statement| match &statement.kind {
            Kind::Assign {
                value: Some(value),
                targets,
                ..
            } if targets.len() == 1 => value.display.map(|kind| (kind, value.clone())),
            _ => None,
        };
        let (Some(old), Some((kind, _))) = (old, display(new)) else {
            return Ok(None);
        };
        let Some((old_kind, old_value)) = display(old) else {
            return Ok(None);
        };
        if kind != old_kind
            || !was.get_type().is(now.get_type())
            || self.impurity(module, &old_value.facts).is_some()
        {
            return Ok(None);
        }
        let old_text = self.edits[&module].old_text.clone();
        let Ok(base) = evaluate(
            self.py,
            old_value.span.of(&old_text),
            &self.live_dict(module).copy()?,
        ) else {
            return Ok(None);
        };
        let Some(content) = merge(self.py, &base, was, now)? else {
            let entry = self.entry(module, name, Some(new), "statement", "stale");
            entry.reason =
                "the program reordered or removed items of the list, so the edit cannot be merged"
                    .to_string();
            entry.advice = "# hotswap: rerun".to_string();
            return Ok(Some(was.clone()));
        };
        self.transaction.push(Write::Content {
            container: was.clone(),
            content,
        });
        Ok(Some(was.clone()))
    }
}

/// Three-way merge of containers: what the edit did to `base` is done to `live`.
fn merge<'py>(
    py: Python<'py>,
    base: &Bound<'py, PyAny>,
    live: &Bound<'py, PyAny>,
    edited: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if values::equal(base, live) {
        return Ok(Some(edited.clone()));
    }
    if let (Ok(base), Ok(live), Ok(edited)) = (
        base.cast_exact::<PyDict>(),
        live.cast_exact::<PyDict>(),
        edited.cast_exact::<PyDict>(),
    ) {
        let merged = PyDict::new(py);
        for (key, value) in edited.iter() {
            let before = base.get_item(&key)?;
            let same = before
                .as_ref()
                .is_some_and(|before| values::equal(before, &value));
            match (same, live.get_item(&key)?) {
                (true, Some(now)) => merged.set_item(key, now)?,
                (true, None) => {}
                (false, _) => merged.set_item(key, value)?,
            }
        }
        for (key, value) in live.iter() {
            if !base.contains(&key)? && !merged.contains(&key)? {
                merged.set_item(key, value)?;
            }
        }
        return Ok(Some(merged.into_any()));
    }
    if live.is_exact_instance_of::<pyo3::types::PySet>() {
        let added = live.call_method1("difference", (base,))?;
        let removed = base.call_method1("difference", (live,))?;
        let kept =
            edited.call_method1(
                "difference",
                (removed
                    .call_method1("difference", (edited.call_method1("difference", (base,))?,))?,),
            )?;
        return Ok(Some(kept.call_method1("union", (added,))?));
    }
    merge_lists(py, base, live, edited)
}

fn merge_lists<'py>(
    py: Python<'py>,
    base: &Bound<'py, PyAny>,
    live: &Bound<'py, PyAny>,
    edited: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    use pyo3::types::PyList;
    let (Ok(base), Ok(live), Ok(edited)) = (
        base.cast_exact::<PyList>(),
        live.cast_exact::<PyList>(),
        edited.cast_exact::<PyList>(),
    ) else {
        return Ok(None);
    };
    // Items that the program inserted, by how many base items stand before them.
    let mut inserted: Vec<Vec<Bound<'py, PyAny>>> = vec![Vec::new(); base.len() + 1];
    let mut at = 0;
    for item in live.iter() {
        if at < base.len() && values::equal(&base.get_item(at)?, &item) {
            at += 1;
        } else {
            inserted[at].push(item);
        }
    }
    if at < base.len() {
        return Ok(None);
    }
    let merged = PyList::empty(py);
    let mut from = 0;
    for item in inserted[0].drain(..) {
        merged.append(item)?;
    }
    for item in edited.iter() {
        merged.append(&item)?;
        if let Some(position) = (from..base.len()).find(|at| {
            base.get_item(*at)
                .is_ok_and(|other| values::equal(&other, &item))
        }) {
            for slot in &mut inserted[from + 1..=position + 1] {
                for item in slot.drain(..) {
                    merged.append(item)?;
                }
            }
            from = position + 1;
        }
    }
    for slot in &mut inserted {
        for item in slot.drain(..) {
            merged.append(item)?;
        }
    }
    Ok(Some(merged.into_any()))
}

/// Evaluates an expression; line numbers do not matter because it is not kept.
pub(crate) fn evaluate<'py>(
    py: Python<'py>,
    source: &str,
    namespace: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let text = format!("({source}\n)");
    py.import("builtins")?
        .getattr("eval")?
        .call1((text, namespace))
}

/// The simple names that statements annotate, in order.
pub(crate) fn annotated(statements: &[Statement]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for statement in statements {
        if let Kind::Assign {
            targets,
            annotated: true,
            ..
        } = &statement.kind
            && targets[0]
                .chars()
                .all(|letter| letter == '_' || letter.is_alphanumeric())
            && !names.contains(&targets[0])
        {
            names.push(targets[0].clone());
        }
    }
    names
}

/// Annotations in the order of the new source, without those that only the old one had.
pub(crate) fn ordered_annotations<'py>(
    py: Python<'py>,
    annotations: &Bound<'py, PyDict>,
    old: &[String],
    new: &[String],
) -> PyResult<Bound<'py, PyDict>> {
    let settled = PyDict::new(py);
    for name in new {
        if let Some(value) = annotations.get_item(name)? {
            settled.set_item(name, value)?;
        }
    }
    for (name, value) in annotations.iter() {
        let text: String = name.extract()?;
        if !old.contains(&text) && !settled.contains(&name)? {
            settled.set_item(name, value)?;
        }
    }
    Ok(settled)
}

fn default_position(function: &hotswap_plan::FunctionDef, index: usize) -> usize {
    function.parameters[..index]
        .iter()
        .filter(|parameter| !parameter.keyword_only && parameter.default.is_some())
        .count()
}

fn parameter_default<'py>(
    target: &Bound<'py, PyAny>,
    function: &hotswap_plan::FunctionDef,
    index: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let parameter = &function.parameters[index];
    if parameter.keyword_only {
        let defaults = target.getattr("__kwdefaults__")?;
        return if defaults.is_none() {
            Ok(None)
        } else {
            Ok(defaults.cast::<PyDict>()?.get_item(&parameter.name)?)
        };
    }
    let defaults = target.getattr("__defaults__")?;
    if defaults.is_none() {
        return Ok(None);
    }
    Ok(defaults
        .cast_into::<PyTuple>()?
        .get_item(default_position(function, index))
        .ok())
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
