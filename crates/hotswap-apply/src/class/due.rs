//! Statements of a class body that must be evaluated although they did not change.

use std::sync::Arc;

use crate::native as cpython;
use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{Change, ClassChange, ClassDef, FunctionChange, Kind, Outline, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use rustc_hash::FxHashSet;

use super::chains::Body;
use super::scope::bound_below;
use crate::annotations::{annotations_of, are_deferred_or_text};
use crate::codes;
use crate::fault;
use crate::stage::{Changed, LateMember, Stage};
use crate::values;

impl<'py> Stage<'_, 'py> {
    /// The change of a class, with what follows from it inside its own body: the parts of
    /// a property whose other parts differ, values and defaults that read a changed one.
    pub(super) fn with_derived(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &[(&ClassDef, &ClassDef)],
        change: &ClassChange,
        outline: &Arc<Outline>,
    ) -> PyResult<ClassChange> {
        let (before, after) = path[path.len() - 1];
        let together = made_together(before, after, change);
        let mut changed = change.clone();
        self.derive_chains(module, class, path, &mut changed, outline)?;
        let mut values: FxHashSet<String> = FxHashSet::default();
        for step in &mut changed.steps {
            let member = &after.body[step.new];
            let unchanged = matches!(
                step.change,
                Change::Same | Change::Bodies | Change::Annotation
            );
            if let Some(function) = member.function() {
                let reads = match &step.change {
                    Change::Function(header) if header.annotations => {
                        self.reads_annotations(module, function, Some(class))?
                    }
                    _ => false,
                };
                if reads
                    || step.change != Change::Run && together.contains(&function.name)
                    || unchanged && self.decorated_anew(module, class, path, None, member)?
                    || matches!(step.change, Change::Function(_))
                        && self.decorated_anew(
                            module,
                            class,
                            path,
                            step.old.map(|at| &before.body[at]),
                            member,
                        )?
                {
                    step.change = Change::Run;
                } else if unchanged && !step.renamed {
                    let due = self.derived_defaults(module, class, path, member, &values)?;
                    let annotations = !are_deferred_or_text(outline)
                        && annotations_of(function).any(|annotation| {
                            let facts = &annotation.facts;
                            self.cause_in_class(module, path, facts, &values, false)
                                .is_some()
                                && self.impurity(module, facts).is_none()
                                && (!self.must_wait(module, facts) || self.can_show(module, facts))
                        });
                    if !due.is_empty() || annotations {
                        step.change = Change::Function(FunctionChange {
                            defaults: due,
                            annotations,
                        });
                    }
                }
            } else if matches!(step.change, Change::Same | Change::Annotation)
                && !step.renamed
                && !self.is_put_off(class, member)
                && self.derives_member(module, class, path, member, outline, &values)?
            {
                if self.reads_late(module, path, member)
                    || self.must_wait(module, &member.facts)
                        && !self.can_show(module, &member.facts)
                {
                    self.put_off(module, class, path, vec![member.clone()]);
                } else {
                    step.change = Change::Run;
                }
            }
            if step.change == Change::Run && member.function().is_none() {
                values.extend(member.binds.iter().cloned());
            }
        }
        for at in &change.removed {
            let member = &before.body[*at];
            if member.function().is_none() {
                values.extend(member.binds.iter().cloned());
            }
        }
        Ok(changed)
    }

    /// Whether a member reads a name that is bound only after the commit.
    pub(super) fn reads_late(
        &self,
        module: usize,
        path: &[(&ClassDef, &ClassDef)],
        member: &Statement,
    ) -> bool {
        let outer: Vec<String> = path.iter().map(|(_, class)| class.name.clone()).collect();
        let is_late = |name: &[String]| self.is_late(module, name, &mut Vec::new());
        let mut reads = member.facts.reads.iter();
        reads.any(|read| is_late(read) || is_late(&[&outer[..], &read[..]].concat()))
    }

    /// Leaves members for when everything that had to wait for the commit has run.
    pub(super) fn put_off(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &[(&ClassDef, &ClassDef)],
        members: Vec<Statement>,
    ) {
        if members.iter().any(|member| self.is_put_off(class, member)) {
            return;
        }
        let path: Vec<ClassDef> = path.iter().map(|(_, class)| (*class).clone()).collect();
        if !self.committed {
            // What reads them waits as well.
            let names: Vec<&str> = path.iter().map(|class| class.name.as_str()).collect();
            let outer = names.join(".");
            let bound = members.iter().flat_map(|member| &member.binds);
            self.late_names
                .extend(bound.map(|name| (module, format!("{outer}.{name}"))));
        }
        self.late_members.push(LateMember {
            module,
            class: class.clone(),
            path,
            members,
            behind: self.late.len(),
        });
    }

    fn is_put_off(&self, class: &Bound<'py, PyType>, member: &Statement) -> bool {
        let mut of_class = self.late_members.iter().filter(|it| it.class.is(class));
        of_class.any(|late| late.members.iter().any(|it| it.span == member.span))
    }

    /// Evaluates the members that were put off until so many statements had run that had to
    /// wait for the commit; without a number all of them.
    pub(crate) fn run_late_members(&mut self, ran: Option<usize>) -> PyResult<()> {
        let is_due = |late: &LateMember<'py>| match ran {
            Some(ran) => (1..=ran).contains(&late.behind),
            None => true,
        };
        let (due, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late_members)
            .into_iter()
            .partition(is_due);
        self.late_members = rest;
        if due.is_empty() {
            return Ok(());
        }
        for late in due {
            let LateMember {
                module,
                mut class,
                path,
                members,
                ..
            } = late;
            if let Some((_, made)) = self.replaced.iter().find(|(old, _)| old.is(&class)) {
                class = made.clone();
            }
            let (Some(outline), Some(definition)) = (self.outline(module), path.last()) else {
                continue;
            };
            let text = self.text(module);
            let definitions: Vec<&ClassDef> = path.iter().collect();
            let body = Body {
                text: &text,
                outline: &outline,
                path: &definitions,
                new: true,
            };
            let Some(code) = self.code_of_members(module, body, &members)? else {
                continue;
            };
            let live = cpython::type_dict(&class);
            let locals = live.copy()?;
            let all: Vec<&Statement> = members.iter().collect();
            super::scope::hide(&locals, &bound_below(definition, &all))?;
            fault::point("a late member")?;
            let names: Vec<&str> = path.iter().map(|class| class.name.as_str()).collect();
            let mut binds: Vec<&String> = all.iter().flat_map(|member| &member.binds).collect();
            binds.sort();
            binds.dedup();
            let bound: Vec<&str> = binds.iter().map(|name| name.as_str()).collect();
            let label = format!("{}.{}", names.join("."), bound.join(", "));
            let first = members.first();
            if let Err(error) = codes::execute(&code, &self.live_dict(module), Some(&locals)) {
                let entry = self.entry(module, &label, first, "attribute", "stale");
                entry.reason = format!("it cannot be run again: {error}");
                entry.advice = "# hotswap: rerun".to_string();
                continue;
            }
            for name in binds {
                let name = crate::instances::mangle(&definition.name, name);
                let (was, value) = (live.get_item(&name)?, locals.get_item(&name)?);
                match (was, value) {
                    // It was found to be as the old inputs had made it.
                    (Some(was), Some(value))
                        if members.len() > 1
                            && values::is_container(&was)
                            && was.get_type().is(value.get_type()) =>
                    {
                        self.transaction.push(crate::transaction::Write::Content {
                            container: was,
                            content: value,
                        });
                    }
                    (_, value) => self.transaction.set_class_attribute(&class, &name, value),
                }
            }
            self.entry(module, &label, first, "attribute", "re-ran")
                .reason = "something it reads changed".to_string();
            // The next one may read it.
            self.commit()?;
        }
        Ok(())
    }

    /// Whether the decorators of a method would do something else now, and may do it again:
    /// of an unchanged one, or of one that was `old` and has another header.
    fn decorated_anew(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &[(&ClassDef, &ClassDef)],
        old: Option<&Statement>,
        member: &Statement,
    ) -> PyResult<bool> {
        let Some(function) = member.function() else {
            return Ok(false);
        };
        let made = cpython::type_dict(class).get_item(&function.name)?;
        let cause = match old.and_then(Statement::function) {
            // What is carried over need not be made anew.
            Some(_) if self.is_carried(module, member) => None,
            Some(old) => crate::decorated::written_for(made.as_ref(), Some(old), function)?,
            None => self.decoration_cause(module, function),
        };
        let Some(cause) = cause else {
            return Ok(false);
        };
        let Some(reason) = self.why_not_decorate(module, function, made.as_ref()) else {
            return Ok(true);
        };
        let names: Vec<String> = path.iter().map(|(_, class)| class.name.clone()).collect();
        let name = format!("{}.{}", names.join("."), function.name);
        let entry = self.entry(module, &name, Some(member), "method", "stale");
        entry.reason = format!("its decorator depends on {cause}; {reason}");
        entry.advice = "# hotswap: rerun".to_string();
        Ok(false)
    }

    /// Parameters of an unchanged method whose default reads something that changed.
    fn derived_defaults(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &[(&ClassDef, &ClassDef)],
        member: &Statement,
        values: &FxHashSet<String>,
    ) -> PyResult<Vec<usize>> {
        let Some(function) = member.function() else {
            return Ok(Vec::new());
        };
        let mut due = Vec::new();
        for (index, parameter) in function.parameters.iter().enumerate() {
            let Some(default) = &parameter.default else {
                continue;
            };
            let held = cpython::type_dict(class).get_item(&function.name)?;
            let held = held.map(|held| held.peek("__func__").unwrap_or(held));
            let now = match held {
                Some(held) if held.getattr("__defaults__").is_ok() => {
                    crate::defaults::parameter_default(&held, function, index)?
                }
                _ => None,
            };
            let plain = now.as_ref().is_some_and(values::is_comparable);
            let Some(cause) = self.cause_in_class(module, path, &default.facts, values, plain)
            else {
                continue;
            };
            if self.must_wait(module, &default.facts) && !self.can_show(module, &default.facts) {
                // Those that wait for the commit are derived one by one.
                continue;
            }
            let mut stale = self.impurity(module, &default.facts);
            if stale.is_some() && self.may_be_tried(module, &default.facts)? {
                // Nor is it known of these what they do: they are watched, one by one.
                continue;
            }
            if stale.is_none() {
                let text = self.text(module);
                let hidden = bound_below(path[path.len() - 1].1, &[member]);
                let scope = self.class_scope(module, class, &hidden)?;
                let start = path[0].0.head.start;
                let mut view = self.view_before(module, start, &default.facts, &scope)?;
                let was = crate::statement::evaluate(self.py, default.span.of(&text), &scope);
                view.leave()?;
                if !matches!((&was, &now), (Ok(was), Some(now)) if values::alike(was, now)) {
                    stale = Some("the program changed its value since".to_string());
                }
            }
            match stale {
                None => due.push(index),
                Some(reason) => {
                    let names: Vec<String> =
                        path.iter().map(|(_, class)| class.name.clone()).collect();
                    let name = format!("{}.{}({})", names.join("."), function.name, parameter.name);
                    let entry = self.entry(module, &name, Some(member), "method", "stale");
                    entry.reason = format!("the default depends on {cause}; {reason}");
                    entry.advice = "# hotswap: rerun".to_string();
                }
            }
        }
        Ok(due)
    }

    /// The first name that an expression of a class body reads and that has another
    /// value now: in the module, or in the body itself.
    pub(super) fn cause_in_class(
        &self,
        module: usize,
        path: &[(&ClassDef, &ClassDef)],
        facts: &hotswap_plan::Facts,
        values: &FxHashSet<String>,
        plain: bool,
    ) -> Option<String> {
        let own = facts.reads.iter().find(|read| values.contains(&read[0]));
        if let Some(read) = own {
            return Some(read.join("."));
        }
        let qualname: Vec<String> = path.iter().map(|(_, class)| class.name.clone()).collect();
        let mut facts = facts.clone();
        for read in facts.reads.clone() {
            let mut inner = qualname.clone();
            inner.extend(read);
            facts.reads.push(inner);
        }
        match plain {
            true => self.cause_of_plain(module, &facts),
            false => self.cause(module, &facts),
        }
    }

    /// A copy of the module's namespace in which the names of the class body stand as well.
    pub(super) fn class_scope(
        &self,
        module: usize,
        class: &Bound<'py, PyType>,
        hidden: &[String],
    ) -> PyResult<Bound<'py, pyo3::types::PyDict>> {
        let scope = self.live_dict(module).copy()?;
        let members = cpython::type_dict(class).copy()?;
        super::scope::hide(&members, hidden)?;
        scope.update(members.as_mapping())?;
        Ok(scope)
    }

    /// A changed display of a class body, merged with what the program did to the live
    /// container, in place.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn merge_member(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        name: &str,
        was: &Bound<'py, PyAny>,
        now: &Bound<'py, PyAny>,
        before: Option<&Statement>,
        member: &Statement,
    ) -> PyResult<bool> {
        if !values::is_container(was) {
            return Ok(false);
        }
        let names: String = class.getattr("__qualname__")?.extract()?;
        let names: Vec<String> = names.split('.').map(str::to_string).collect();
        let hidden = self.bound_below_member(module, &names, member);
        let scope = self.class_scope(module, class, &hidden)?;
        let derived = before.is_some_and(|before| before.fingerprint == member.fingerprint)
            || self
                .chained_members
                .contains(&(class.as_ptr() as usize, name.to_string()));
        let merged = match derived && was.get_type().is(now.get_type()) {
            // It was found to be as the old inputs had made it.
            true => Some(now.clone()),
            false => self.merge_display(module, name, was, now, before, member, &scope)?,
        };
        let Some(content) = merged else {
            return Ok(false);
        };
        if !values::equal(was, &content) {
            // What is evaluated meanwhile sees the content; no namespace holds it.
            let nowhere = PyDict::new(self.py);
            self.stand_in(&nowhere, name, content, was.clone())?;
            let qualname: String = class.getattr("__qualname__")?.extract()?;
            self.changed
                .insert((module, format!("{qualname}.{name}")), Changed::Value);
            self.changed_members.push(class.clone());
        }
        Ok(true)
    }
}

/// Names that several definitions of the body make together, as a property and its
/// setter do, and of which one is new, changed in its decorators, or gone.
fn made_together(before: &ClassDef, after: &ClassDef, change: &ClassChange) -> FxHashSet<String> {
    let builds_on_itself = |class: &ClassDef, name: &str| {
        class.body.iter().any(|member| match &member.kind {
            Kind::Function(function) => {
                function.name == name
                    && function
                        .decorators
                        .iter()
                        .any(|decorator| decorator.head.first().is_some_and(|head| head == name))
            }
            _ => false,
        })
    };
    let ran = change
        .steps
        .iter()
        .filter(|step| step.change == Change::Run)
        .map(|step| &after.body[step.new]);
    let gone = change.removed.iter().map(|at| &before.body[*at]);
    ran.chain(gone)
        .filter_map(|member| member.function())
        .map(|function| function.name.clone())
        .filter(|name| builds_on_itself(before, name) || builds_on_itself(after, name))
        .collect()
}
