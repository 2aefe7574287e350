//! Classes: changed members are evaluated and set on the live class.

use std::sync::Arc;

use crate::native as cpython;
use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{Change, ClassChange, ClassDef, Kind, Outline, Skeleton, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyType};

use crate::codes;
use crate::registrations::decorators_stay;
use crate::stage::{Changed, Stage};
use crate::transaction::Write;
use crate::values;

mod adopt;
mod after;
mod along;
mod bases;
mod cached;
mod chains;
mod collected;
mod dataclasses;
mod derived;
mod due;
mod home;
mod hooks;
mod labels;
mod members;
mod remade;
mod renamed;
mod scope;
mod shape;
mod together;
mod worked_over;

pub(crate) use along::AllAlong;
pub(crate) use cached::cached_function;
pub(crate) use chains::Body;
pub(crate) use collected::{Collected, Hooked};
pub(crate) use remade::{Remade, passed_on};
pub(crate) use scope::hide;

impl<'py> Stage<'_, 'py> {
    /// A changed class at module level.
    pub(crate) fn stage_class(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        change: &ClassChange,
        outline: &Arc<Outline>,
        step: usize,
    ) -> PyResult<()> {
        let (Some(before), Some(after)) = (old.class(), new.class()) else {
            return Ok(());
        };
        let live = self.live_dict(module).get_item(&before.name)?;
        let mut path = vec![(before, after)];
        let Some(class) = live
            .clone()
            .and_then(|object| object.cast_into::<PyType>().ok())
        else {
            let inner = live.and_then(|object| remade::class_inside(&object));
            if let Some(inner) = inner
                && self.is_own(module, &inner, &before.name)?
            {
                let is_new = change.header
                    || change.decorators
                    || shape::needs_new_class(&inner, before, after, change)?;
                return match is_new {
                    true => {
                        self.change_class(module, &inner, &mut path, new, change, outline, step)
                    }
                    false => self.change_members(module, &inner, &mut path, change, outline),
                };
            }
            return self.run(module, Some(old), new, outline);
        };
        if !self.is_own(module, &class, &before.name)? {
            let inner = self.class_below(module, &class, &before.name)?;
            let inner = inner.filter(|_| !change.header && !change.decorators);
            if let Some(inner) = inner
                && !shape::needs_new_class(&inner, before, after, change)?
            {
                return self.change_members(module, &inner, &mut path, change, outline);
            }
            let entry = self.entry(module, &after.name, Some(new), "class", "not applied");
            entry.reason = "the name holds another class now".to_string();
            return Ok(());
        }
        self.change_class(module, &class, &mut path, new, change, outline, step)
    }

    /// The class that a statement made, where its decorator returned one derived from it.
    pub(crate) fn class_below(
        &self,
        module: usize,
        class: &Bound<'py, PyType>,
        name: &str,
    ) -> PyResult<Option<Bound<'py, PyType>>> {
        for base in class.mro().iter().skip(1) {
            if let Ok(base) = base.cast_into::<PyType>()
                && base.getattr("__qualname__")?.eq(name)?
                && self.is_own(module, &base, name)?
            {
                return Ok(Some(base));
            }
        }
        Ok(None)
    }

    /// Whether a class is the one that this module defined under this name.
    pub(crate) fn is_own(
        &self,
        module: usize,
        class: &Bound<'py, PyType>,
        name: &str,
    ) -> PyResult<bool> {
        let own = self.live_dict(module).get_item("__name__")?;
        let module_name = class.getattr("__module__")?;
        let qualname: String = class.getattr("__qualname__")?.extract()?;
        if qualname != name && !qualname.ends_with(&format!(".{name}")) {
            return Ok(false);
        }
        if own.is_some_and(|own| own.eq(&module_name).unwrap_or(false)) {
            return Ok(true);
        }
        // Packages like to say that their classes come from the top: the code knows better.
        for value in cpython::type_dict(class).values() {
            let value = match is_wrapped(&value) {
                true => value.peek("__func__")?,
                false => value,
            };
            // Nothing else is asked for an attribute: a lazy object would be evaluated.
            if value.is_exact_instance_of::<PyFunction>()
                && self.is_source_function(module, &value)?
            {
                return Ok(true);
            }
        }
        let home: String = module_name.extract().unwrap_or_default();
        if self.world.by_name(&home).is_some() {
            return self.is_said_of(module, class);
        }
        // A decorator may have written what names no module at all.
        let modules = self.py.import("sys")?.getattr("modules")?;
        Ok(!modules.contains(home)?)
    }

    #[allow(clippy::too_many_arguments)]
    fn change_class(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &mut Vec<(&ClassDef, &ClassDef)>,
        statement: &Statement,
        change: &ClassChange,
        outline: &Arc<Outline>,
        step: usize,
    ) -> PyResult<()> {
        let (before, after) = path[path.len() - 1];
        // What the unchanged parts of the statement read may have changed as well.
        let change = &ClassChange {
            header: change.header || self.bases_changed(module, class, after)?,
            decorators: change.decorators
                || self.generator_changed(module, class, after)?
                || self.passer_changed(module, class, after, statement, outline)?,
            ..change.clone()
        };
        if self.rebuild_worked_over(module, class, before, after, statement, change, outline)? {
            return Ok(());
        }
        if self.is_rebuilt(class, before, after, change)? {
            // Of the members that did not change, those that read what did are made anew too.
            let change = self.with_derived(module, class, path, change, outline)?;
            return self.rebuild_class(
                module, class, before, after, statement, &change, outline, step,
            );
        }
        self.change_members(module, class, path, change, outline)?;
        match self.decorator_changed(module, after) {
            true => self.reapply_decorators(module, class, after, statement),
            false => Ok(()),
        }
    }

    /// Evaluates the changed statements of a class body in a copy of its namespace.
    fn change_members(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &mut Vec<(&ClassDef, &ClassDef)>,
        change: &ClassChange,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let (before, after) = path[path.len() - 1];
        let names: Vec<String> = path.iter().map(|(_, class)| class.name.clone()).collect();
        let qualname = names.join(".");
        let change = &self.with_derived(module, class, path, change, outline)?;
        let text = self.text(module);
        let mut skeleton = Skeleton::new(&text, outline);
        for (_, outer) in path.iter() {
            skeleton = skeleton.class(outer);
        }
        let mut runs = false;
        let mut annotations = None;
        let mut due = Vec::new();
        for step in &change.steps {
            let member = &after.body[step.new];
            let old = step.old.map(|at| &before.body[at]);
            match (&step.change, &member.kind) {
                (Change::Function(header), Kind::Function(function)) => {
                    skeleton =
                        skeleton.function(member, function, &header.defaults, header.annotations);
                    runs = true;
                }
                (inner, Kind::Class(definition)) if *inner != Change::Run => {
                    let live = cpython::type_dict(class).get_item(&definition.name)?;
                    let (Some(Ok(live)), Some(Kind::Class(was))) = (
                        live.map(|object| object.cast_into::<PyType>()),
                        old.map(|old| &old.kind),
                    ) else {
                        continue;
                    };
                    let mut inner = match inner {
                        Change::Class(inner) => inner.clone(),
                        other => remade::unchanged(definition, other),
                    };
                    let own = |name: &String| after.body.iter().any(|one| one.binds.contains(name));
                    let outside = |each: &hotswap_plan::Expression| {
                        each.facts.reads.iter().all(|read| !own(&read[0]))
                    };
                    inner.header |= definition.arguments.iter().all(outside)
                        && self.bases_changed(module, &live, definition)?;
                    if self.is_rebuilt(&live, was, definition, &inner)? {
                        // Its statement runs as a part of the body around it.
                        skeleton = skeleton.statement(member);
                        due.push(step.clone());
                        runs = true;
                    } else {
                        path.push((was, definition));
                        self.change_members(module, &live, path, &inner, outline)?;
                        path.pop();
                    }
                }
                (Change::Run, _) => {
                    skeleton = skeleton.statement(member);
                    due.push(step.clone());
                    runs = true;
                }
                (Change::Annotation, _) => {
                    skeleton = skeleton.annotation(member);
                    runs = true;
                }
                _ => {}
            }
            if step.renamed
                && let Some(old) = old
            {
                self.rename_member(class, old, member)?;
            }
        }
        let gone: Vec<&Statement> = change.removed.iter().map(|at| &before.body[*at]).collect();
        self.withdraw_members(module, class, &gone)?;
        if runs {
            let unit = self.compile(module, &skeleton.finish())?;
            if let Some(body) = codes::class_body(&unit, &names)? {
                annotations = self
                    .run_class_body(module, class, &qualname, path, change, &body, &due, outline)?;
            }
        }
        for step in &change.steps {
            let member = &after.body[step.new];
            if let (Kind::Function(_), Some(old)) = (&member.kind, step.old) {
                let scope = Some((&names[..], class));
                self.derive_defaults(module, &before.body[old], member, scope)?;
            }
        }
        self.renew_static_attributes(module, class, (before, after), &text)?;
        self.settle_class_annotations(module, class, path, change, outline, annotations)?;
        self.remove_members(module, class, before, after, change, &qualname)?;
        self.finish_class(module, class, before, after)
    }

    /// The same where only bodies of methods changed, in the class that a name holds.
    pub(crate) fn static_attributes_of(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
    ) -> PyResult<()> {
        let (Some(before), Some(after)) = (old.class(), new.class()) else {
            return Ok(());
        };
        let held = self.live_dict(module).get_item(&after.name)?;
        let Some(Ok(class)) = held.map(|held| held.cast_into::<PyType>()) else {
            return Ok(());
        };
        match self.is_own(module, &class, &after.name)? {
            true => self.static_attributes_below(module, &class, before, after),
            false => Ok(()),
        }
    }

    fn static_attributes_below(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
    ) -> PyResult<()> {
        let text = self.text(module);
        self.renew_static_attributes(module, class, (before, after), &text)?;
        for was in before.body.iter().filter_map(Statement::class) {
            let mut now = after.body.iter().filter_map(Statement::class);
            let Some(now) = now.find(|now| now.name == was.name) else {
                continue;
            };
            let held = cpython::type_dict(class).get_item(&now.name)?;
            if let Some(Ok(inner)) = held.map(|held| held.cast_into::<PyType>()) {
                self.static_attributes_below(module, &inner, was, now)?;
            }
        }
        Ok(())
    }

    /// What CPython 3.13 and later list of the attributes that methods set.
    fn renew_static_attributes(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        (before, after): (&ClassDef, &ClassDef),
        text: &str,
    ) -> PyResult<()> {
        const NAME: &str = "__static_attributes__";
        let Some(live) = cpython::type_dict(class).get_item(NAME)? else {
            return Ok(());
        };
        let Some(edited) = self.edits.get(&module) else {
            return Ok(());
        };
        let (Ok(mut listed), Some(were), Some(names)) = (
            live.extract::<Vec<String>>(),
            hotswap_plan::static_attributes(&edited.old_text, before),
            hotswap_plan::static_attributes(text, after),
        ) else {
            return Ok(());
        };
        listed.sort_unstable();
        // What the program has put there stays.
        if listed == were && were != names {
            let names = pyo3::types::PyTuple::new(self.py, names)?.into_any();
            self.transaction
                .set_class_attribute(class, NAME, Some(names));
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    fn run_class_body(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        qualname: &str,
        path: &[(&ClassDef, &ClassDef)],
        change: &ClassChange,
        body: &Bound<'py, PyAny>,
        due: &[hotswap_plan::Step],
        outline: &Arc<Outline>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (before, after) = path[path.len() - 1];
        let namespace = self.namespace(module)?;
        let live = cpython::type_dict(class);
        let locals = live.copy()?;
        for name in ["__dict__", "__weakref__"] {
            if locals.contains(name)? {
                locals.del_item(name)?;
            }
        }
        let run: Vec<&Statement> = change
            .steps
            .iter()
            .filter(|step| step.change != Change::Same && step.change != Change::Bodies)
            .map(|step| &after.body[step.new])
            .collect();
        scope::hide(&locals, &scope::bound_below(after, &run))?;
        if let Some(annotations) = locals.get_item("__annotations__")? {
            locals.set_item("__annotations__", annotations.call_method0("copy")?)?;
        }
        locals.set_item(
            hotswap_plan::DECORATOR_STUB,
            crate::statement::identity(self.py)?,
        )?;
        // Stubbed definitions would hide what the names hold: their results are taken by position.
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for step in due {
            old.extend(step.old.map(|at| &before.body[at]));
            new.push(&after.body[step.new]);
        }
        let survey = self.survey_all(module, &old, &new, Some(class))?;
        let facts = facts_of_members(after, change, due);
        let mut view = self.view_at(module, path[0].1.head.start, &facts, &namespace)?;
        let result = codes::execute(body, &namespace, Some(&locals));
        view.leave()?;
        if let Some(survey) = survey {
            match &result {
                Ok(()) => {
                    let same = old
                        .iter()
                        .zip(&new)
                        .all(|(old, new)| decorators_stay(old, new));
                    let own = &path[0].1.name;
                    let statement = outline
                        .statements
                        .iter()
                        .find(|each| each.binds.contains(own));
                    let statement = statement.unwrap_or(new[0]);
                    self.settle_survey(survey, module, same, statement, outline)?;
                }
                Err(_) => self.restore_survey(&survey)?,
            }
        }
        result?;
        if let Some(staging) = self.staging.get_mut(&module) {
            staging.made_functions = true;
        }
        if let Some(cell) = locals.get_item("__classcell__")? {
            cell.setattr("cell_contents", class)?;
        }
        for step in &change.steps {
            let member = &after.body[step.new];
            if let (Change::Function(header), Some(function), Some(old)) = (
                &step.change,
                member.function(),
                step.old.map(|at| &before.body[at]),
            ) {
                let stored = crate::instances::mangle(&after.name, &function.name);
                let Some(made) = locals.get_item(&stored)? else {
                    continue;
                };
                let mut later = change.steps.iter().filter(|other| {
                    other.new > step.new
                        && matches!(other.change, Change::Function(_) | Change::Run)
                });
                let hidden =
                    later.any(|other| after.body[other.new].binds.contains(&function.name));
                let made = if !hidden && made.peek("__code__").is_ok() {
                    made
                } else {
                    // A later definition of the same name was evaluated on top of it, such
                    // as the setter of a property.
                    self.make_member(module, path, member, header, &namespace, &locals)?
                };
                let patched =
                    self.patch_function(module, old, member, header, &made, Some(class.clone()))?;
                let name = format!("{qualname}.{}", function.name);
                let deleted = after
                    .body
                    .iter()
                    .any(|other| other.deletes.contains(&function.name));
                if patched == 0 && !deleted && live.get_item(&stored)?.is_none() {
                    self.transaction
                        .set_class_attribute(class, &stored, Some(made));
                }
                self.note_code(module, &path[0].1.name.clone(), Changed::Code);
                self.entry(module, &name, Some(member), "method", "patched");
            }
        }
        for step in due {
            let member = &after.body[step.new];
            for bound in &member.binds {
                // An overload: the definition that follows holds the name.
                let later = change
                    .steps
                    .iter()
                    .rev()
                    .find(|other| after.body[other.new].binds.contains(bound));
                // A name that is there only for a while, such as the variable of a loop.
                let deleted = after.body[step.new + 1..]
                    .iter()
                    .rev()
                    .find(|other| other.binds.contains(bound) || other.deletes.contains(bound))
                    .is_some_and(|other| other.deletes.contains(bound));
                if deleted {
                    continue;
                }
                if later.is_some_and(|later| {
                    later.new > step.new
                        && later.change != Change::Run
                        && after.body[later.new].function().is_some()
                }) {
                    continue;
                }
                let name = crate::instances::mangle(&after.name, bound);
                let Some(value) = locals.get_item(&name)? else {
                    continue;
                };
                if self.settle_nested(module, class, qualname, before, after, step, &value)? {
                    continue;
                }
                self.set_member(
                    module,
                    class,
                    qualname,
                    &name,
                    value,
                    member,
                    step.old
                        .map(|at| &before.body[at])
                        .or_else(|| crate::block::only_in_block(&before.body, bound))
                        .or_else(|| went_into_block(before, change, member, bound)),
                )?;
            }
        }
        locals.get_item("__annotations__")
    }

    /// A nested class that a new run of the body made: the live one takes over what it is.
    #[allow(clippy::too_many_arguments)]
    fn settle_nested(
        &mut self,
        module: usize,
        outer: &Bound<'py, PyType>,
        qualname: &str,
        before: &ClassDef,
        after: &ClassDef,
        step: &hotswap_plan::Step,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        let statement = &after.body[step.new];
        let (Some(Kind::Class(was)), Some(is)) =
            (step.old.map(|at| &before.body[at].kind), statement.class())
        else {
            return Ok(false);
        };
        let live = cpython::type_dict(outer).get_item(&is.name)?;
        let (Some(Ok(live)), Ok(made)) = (
            live.map(|object| object.cast_into::<PyType>()),
            value.clone().cast_into::<PyType>(),
        ) else {
            return Ok(false);
        };
        let change = match &step.change {
            Change::Class(change) => change.clone(),
            other => remade::unchanged(is, other),
        };
        self.settle_made(&Remade {
            module,
            class: live,
            made,
            outer: Some(outer.clone()),
            qualname: format!("{qualname}.{}", is.name),
            before: was,
            after: is,
            change: &change,
            statement,
        })?;
        Ok(true)
    }

    /// Runs one stripped method by itself.
    fn make_member(
        &mut self,
        module: usize,
        path: &[(&ClassDef, &ClassDef)],
        member: &Statement,
        header: &hotswap_plan::FunctionChange,
        namespace: &Bound<'py, PyDict>,
        locals: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (Some(function), Some(outline)) = (member.function(), self.outline(module)) else {
            return Err(pyo3::exceptions::PyRuntimeError::new_err("not a function"));
        };
        let text = self.text(module);
        let mut skeleton = Skeleton::new(&text, &outline);
        for (_, outer) in path {
            skeleton = skeleton.class(outer);
        }
        let skeleton = skeleton.function(member, function, &header.defaults, header.annotations);
        let unit = self.compile(module, &skeleton.finish())?;
        let names: Vec<String> = path.iter().map(|(_, class)| class.name.clone()).collect();
        let body = codes::class_body(&unit, &names)?.ok_or_else(|| {
            pyo3::exceptions::PyRuntimeError::new_err("the class body was not compiled")
        })?;
        let stored = crate::instances::mangle(&path[path.len() - 1].1.name, &function.name);
        self.make(&body, namespace, Some(locals), &stored)
    }

    #[allow(clippy::too_many_arguments)]
    fn set_member(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        qualname: &str,
        name: &str,
        value: Bound<'py, PyAny>,
        member: &Statement,
        before: Option<&Statement>,
    ) -> PyResult<()> {
        let builtins = self.py.import("builtins")?;
        let is_function = value.get_type().name()? == "function";
        let value = match name {
            "__init_subclass__" | "__class_getitem__" if is_function => {
                builtins.getattr("classmethod")?.call1((value,))?
            }
            "__new__" if is_function => builtins.getattr("staticmethod")?.call1((value,))?,
            _ => value,
        };
        let old = cpython::type_dict(class).get_item(name)?;
        if let Some(old) = &old {
            if old.is(&value) {
                return Ok(());
            }
            let defines = |statement: &Statement| {
                statement.function().is_some() || matches!(statement.kind, Kind::Compound(_))
            };
            let wrapped = before.is_some_and(defines) && defines(member);
            if (wrapped || self.is_of(module, old, before))
                && self.adopt_member(module, old, &value, class)?
            {
                self.adopt_attributes(old, &value)?;
                self.note_code(
                    module,
                    qualname.split('.').next().unwrap_or(qualname),
                    Changed::Code,
                );
                self.entry(
                    module,
                    &format!("{qualname}.{name}"),
                    Some(member),
                    "method",
                    "patched",
                );
                return Ok(());
            }
        }
        if let Some(old) = &old
            && self.merge_member(module, class, name, old, &value, before, member)?
        {
            let label = format!("{qualname}.{name}");
            self.entry(module, &label, Some(member), "attribute", "re-ran");
            return Ok(());
        }
        if let Some(old) = &old {
            self.drop_cached_values(class, name, old)?;
        }
        if let Some(old) = &old
            && before.is_some_and(|before| before.function().is_some())
            && member.function().is_some()
            && is_plain_callable(old)
            && is_plain_callable(&value)
        {
            // Bound methods and registries that hold the old one follow.
            self.transaction.push(Write::Reference {
                old: old.clone(),
                new: value.clone(),
            });
        }
        if let Ok(hook) = value.get_type().getattr("__set_name__") {
            hook.call1((&value, class, name))?;
        }
        self.transaction
            .set_class_attribute(class, name, Some(value.clone()));
        let same = old
            .as_ref()
            .is_some_and(|old| values::is_plain(old) && values::equal(old, &value));
        if !same {
            self.changed
                .insert((module, format!("{qualname}.{name}")), Changed::Value);
        }
        let kind = if member.function().is_some() {
            "method"
        } else {
            "attribute"
        };
        let action = if before.is_some() { "re-ran" } else { "added" };
        self.entry(
            module,
            &format!("{qualname}.{name}"),
            Some(member),
            kind,
            action,
        );
        Ok(())
    }

    fn remove_members(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
        change: &ClassChange,
        qualname: &str,
    ) -> PyResult<()> {
        let live = cpython::type_dict(class);
        // `x = 1` that becomes `x: int` is the same statement, and binds nothing any more.
        let rerun = change
            .steps
            .iter()
            .filter(|step| step.change == Change::Run && !step.renamed)
            .filter_map(|step| step.old);
        for index in change.removed.iter().copied().chain(rerun) {
            let member = &before.body[index];
            for name in &member.binds {
                let stored = crate::instances::mangle(&after.name, name);
                if after.body.iter().any(|other| other.binds.contains(name))
                    || !live.contains(&stored)?
                {
                    continue;
                }
                // These two every class has, be it without a word of its body.
                let implied = match name.as_str() {
                    "__doc__" => Some(self.py.None().into_bound(self.py)),
                    "__module__" => self.live_dict(module).get_item("__name__")?,
                    _ => None,
                };
                self.transaction
                    .set_class_attribute(class, &stored, implied);
                self.changed
                    .insert((module, format!("{qualname}.{name}")), Changed::Value);
                self.entry(
                    module,
                    &format!("{qualname}.{name}"),
                    None,
                    "attribute",
                    "removed",
                );
            }
        }
        Ok(())
    }

    /// What `type.__new__` would derive from the members.
    fn finish_class(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
    ) -> PyResult<()> {
        let binds = |class: &ClassDef, name: &str| {
            class
                .body
                .iter()
                .any(|member| member.binds.iter().any(|bound| bound == name))
        };
        // A class that defines __eq__ without __hash__ is not hashable; the interpreter
        // sees to that only when the class is made.
        if binds(after, "__eq__")
            && !binds(after, "__hash__")
            && (!binds(before, "__eq__") || binds(before, "__hash__"))
        {
            self.transaction.set_class_attribute(
                class,
                "__hash__",
                Some(self.py.None().into_bound(self.py)),
            );
        }
        if binds(before, "__eq__")
            && !binds(after, "__eq__")
            && !binds(before, "__hash__")
            && !binds(after, "__hash__")
        {
            self.transaction
                .set_class_attribute(class, "__hash__", None);
        }
        if class.getattr("__abstractmethods__").is_ok()
            || class.get_type().getattr("register").is_ok()
        {
            self.abstract_classes.push(class.clone());
        }
        self.new_attributes(module, class, before, after)
    }
}

/// Whether a member can be held and called by itself, so that another can take its
/// place there: not what only means something inside a class.
fn is_plain_callable(member: &Bound<'_, PyAny>) -> bool {
    let wraps = ["property", "staticmethod", "classmethod"];
    let kind = member.get_type();
    values::has_identity(member)
        && member.is_callable()
        && !member.is_instance_of::<PyType>()
        && !kind
            .name()
            .is_ok_and(|name| wraps.iter().any(|wrap| name == *wrap))
}

/// Whether a member is the function of a `classmethod` or `staticmethod`.
fn is_wrapped(member: &Bound<'_, PyAny>) -> bool {
    let kind = member.get_type();
    let name = kind.name();
    name.is_ok_and(|name| {
        ["classmethod", "staticmethod"]
            .iter()
            .any(|kind| name == *kind)
    })
}

/// What the statements of a class body that run now read and call.
fn facts_of_members(
    definition: &ClassDef,
    change: &ClassChange,
    due: &[hotswap_plan::Step],
) -> hotswap_plan::Facts {
    let headers = change
        .steps
        .iter()
        .filter(|step| matches!(step.change, Change::Function(_)));
    let mut facts = hotswap_plan::Facts::default();
    for step in due.iter().chain(headers) {
        let member = &definition.body[step.new].facts;
        facts.reads.extend(member.reads.iter().cloned());
        facts.calls.extend(member.calls.iter().cloned());
    }
    facts
}

/// The removed method whose definition a block of the new body may have taken over.
fn went_into_block<'a>(
    before: &'a ClassDef,
    change: &ClassChange,
    member: &Statement,
    name: &str,
) -> Option<&'a Statement> {
    let mut binders = (0..before.body.len())
        .filter(|at| before.body[*at].binds.iter().any(|bound| bound == name));
    let only = binders.next().filter(|_| binders.next().is_none())?;
    (matches!(member.kind, Kind::Compound(_)) && change.removed.contains(&only))
        .then(|| &before.body[only])
}
