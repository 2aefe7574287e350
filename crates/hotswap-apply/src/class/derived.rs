//! Unchanged classes whose body or decorators read something that changed.

use std::sync::Arc;

use crate::native as cpython;
use hotswap_plan::{Call, Change, ClassDef, Kind, Outline, Statement};
use pyo3::prelude::*;
use pyo3::types::PyType;
use rustc_hash::FxHashSet;

use super::chains::Body;
use super::members::is_generated;
use super::remade::{passed_on, reads_below, unchanged};
use crate::stage::{After, Changed, Stage};
use crate::values;

/// Why a value stays that its statement would not give any more.
const CHANGED: &str = "the program changed its value since";

impl<'py> Stage<'_, 'py> {
    /// Whether an unchanged statement of a class body reads something that changed.
    pub(super) fn derives_member(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &[(&ClassDef, &ClassDef)],
        member: &Statement,
        outline: &Arc<Outline>,
        values: &FxHashSet<String>,
    ) -> PyResult<bool> {
        if !matches!(
            member.kind,
            Kind::Assign { .. } | Kind::AugAssign { .. } | Kind::Compound(_)
        ) || member.binds.is_empty()
        {
            return Ok(false);
        }
        let qualname: Vec<String> = path.iter().map(|(_, class)| class.name.clone()).collect();
        let live = cpython::type_dict(class);
        let own = &path[path.len() - 1].1.name;
        let plain = member.binds.iter().all(|name| {
            let held = live.get_item(crate::instances::mangle(own, name));
            matches!(held, Ok(Some(held)) if values::is_comparable(&held))
        });
        let Some(cause) = self.cause_in_class(module, path, &member.facts, values, plain) else {
            return Ok(false);
        };
        let facts = self.facts_in_class(class, own, &member.facts, &[]);
        let mut reason = self.impurity(module, &facts);
        let watched = reason.is_some();
        let noted = self
            .as_made
            .get(&(class.as_ptr() as usize, member.span.start));
        let noted = noted.copied();
        // After the commit the old inputs are gone.
        if !watched || (noted.is_some() || !self.committed) && self.may_be_tried(module, &facts)? {
            let made = match noted {
                Some(true) => Ok(()),
                Some(false) => Err(CHANGED.to_string()),
                None => self.is_as_made(module, class, path, member, outline, watched)?,
            };
            let outcome = match made {
                // What an unknown call does with the new inputs is seen before it counts.
                Ok(()) if watched => self.on_trial_member(module, class, path, member, outline)?,
                made => made,
            };
            match outcome {
                Ok(()) => return Ok(true),
                Err(other) => reason = Some(other),
            }
        }
        let label = format!("{}.{}", qualname.join("."), member.binds.join(", "));
        let entry = self.entry(module, &label, Some(member), "attribute", "stale");
        entry.reason = format!("depends on {cause}; {}", reason.unwrap_or_default());
        entry.advice = "# hotswap: rerun".to_string();
        Ok(false)
    }

    /// Whether nobody has changed what a statement of a class body made, which is known to
    /// be harmless, or is `watched` to see that it is. An error in words: why not.
    fn is_as_made(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &[(&ClassDef, &ClassDef)],
        member: &Statement,
        outline: &Arc<Outline>,
        watched: bool,
    ) -> PyResult<Result<(), String>> {
        let live = cpython::type_dict(class);
        let text = self.text(module);
        let definitions: Vec<&ClassDef> = path.iter().map(|(_, new)| *new).collect();
        let body = Body {
            text: &text,
            outline,
            path: &definitions,
            new: false,
        };
        let members = std::slice::from_ref(member);
        let locals = match self.members_apart(module, class, body, members, None, watched)? {
            Ok(locals) => locals,
            Err(reason) if watched => return Ok(Err(reason)),
            Err(_) => return Ok(Err(CHANGED.to_string())),
        };
        let own = &definitions[definitions.len() - 1].name;
        for name in &member.binds {
            let name = crate::instances::mangle(own, name);
            match (live.get_item(&name)?, locals.get_item(&name)?) {
                (Some(live), Some(made)) if values::alike(&live, &made) => {}
                _ => return Ok(Err(CHANGED.to_string())),
            }
        }
        Ok(Ok(()))
    }

    /// Runs a statement of a class body under watch, and lets go of what comes out.
    fn on_trial_member(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &[(&ClassDef, &ClassDef)],
        member: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<Result<(), String>> {
        let text = self.text(module);
        let definitions: Vec<&ClassDef> = path.iter().map(|(_, new)| *new).collect();
        let body = Body {
            text: &text,
            outline,
            path: &definitions,
            new: true,
        };
        let members = std::slice::from_ref(member);
        let ran = self.members_apart(module, class, body, members, None, true)?;
        Ok(ran.map(drop))
    }

    /// Notes which values of a class nobody has changed, before the update changes what they
    /// were made of: the class itself has its turn only after the commit.
    pub(crate) fn note_as_made(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        change: &Change,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let (Change::Class(change), Some(before), Some(after)) = (change, old.class(), new.class())
        else {
            return Ok(());
        };
        let live = self.live_dict(module).get_item(&after.name)?;
        let Some(class) = live.and_then(|live| live.cast_into::<PyType>().ok()) else {
            return Ok(());
        };
        let path = [(before, after)];
        self.note_chains(module, &class, &path, change, outline)?;
        let same = change.steps.iter();
        for step in same.filter(|step| step.change == Change::Same) {
            let member = &after.body[step.new];
            if !matches!(member.kind, Kind::Assign { .. }) || member.facts.reads.is_empty() {
                continue;
            }
            let facts = self.facts_in_class(&class, &after.name, &member.facts, &[]);
            let watched = self.impurity(module, &facts).is_some();
            // Only where it is known by now that it is going to be asked.
            if !watched
                || self
                    .cause_in_class(module, &path, &facts, &FxHashSet::default(), false)
                    .is_some()
                    && self.may_be_tried(module, &facts)?
            {
                let made = self.is_as_made(module, &class, &path, member, outline, watched)?;
                let key = (class.as_ptr() as usize, member.span.start);
                self.as_made.insert(key, made.is_ok());
            }
        }
        Ok(())
    }

    /// An unchanged class whose body or decorators read something that changed.
    pub(crate) fn derive_class(
        &mut self,
        module: usize,
        old: &Statement,
        statement: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let (Some(before), Some(definition)) = (old.class(), statement.class()) else {
            return Ok(());
        };
        let Some(class) = self
            .live_dict(module)
            .get_item(&definition.name)?
            .and_then(|object| object.cast_into::<PyType>().ok())
        else {
            return Ok(());
        };
        if !self.is_outdated(module, &class, definition, statement, outline)? {
            return Ok(());
        }
        if !self.is_own(module, &class, &definition.name)? {
            let change = unchanged(definition, &Change::Same);
            return match self.class_below(module, &class, &definition.name)? {
                Some(inner)
                    if !super::shape::needs_new_class(&inner, before, definition, &change)? =>
                {
                    let mut path = vec![(before, definition)];
                    self.change_members(module, &inner, &mut path, &change, outline)
                }
                _ => Ok(()),
            };
        }
        self.derive_parts(module, &class, before, definition, statement, outline)
    }

    /// Classes below those that were replaced, by modules whose turn is over: each is made
    /// anew on top of the new base, in the same commit.
    pub(crate) fn remake_subclasses(&mut self) -> PyResult<()> {
        let mut at = 0;
        while at < self.replaced.len() {
            let (old, _) = self.replaced[at].clone();
            at += 1;
            let kind = self.py.get_type::<PyType>();
            for below in kind.call_method1("__subclasses__", (&old,))?.try_iter()? {
                let below = below?.cast_into::<PyType>()?;
                let is_known = |(one, other): &(Bound<'py, PyType>, Bound<'py, PyType>)| {
                    one.is(&below) || other.is(&below)
                };
                let waits = self.transaction.doomed.iter().any(|class| class.is(&below));
                if waits || self.replaced.iter().any(is_known) {
                    continue;
                }
                let name: String = below.getattr("__qualname__")?.extract()?;
                let Some(module) = self.home_of(&below)? else {
                    continue;
                };
                let Some(outline) = self.outline(module) else {
                    continue;
                };
                if let Some(index) = outline.last_binder(&name)
                    && let Some(old) = self.old_statement(module, index)
                {
                    // The names follow at the commit; the statement must see the new base.
                    let shown = self.show_replaced(module)?;
                    let derived =
                        self.derive_class(module, &old, &outline.statements[index], &outline);
                    let live = self.live_dict(module);
                    for (name, was) in shown {
                        live.set_item(name, was)?;
                    }
                    derived?;
                }
            }
        }
        Ok(())
    }

    /// Gives the names of a module that hold replaced classes the new ones, and says what
    /// they held.
    pub(super) fn show_replaced(
        &self,
        module: usize,
    ) -> PyResult<Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
        let live = self.live_dict(module);
        let mut shown = Vec::new();
        for (name, held) in live.iter() {
            if let Some((_, new)) = self.replaced.iter().find(|(old, _)| old.is(&held)) {
                shown.push((name, held, new));
            }
        }
        for (name, _, new) in &shown {
            live.set_item(name, new)?;
        }
        Ok(shown
            .into_iter()
            .map(|(name, held, _)| (name, held))
            .collect())
    }

    /// A class that keeps its identity under another name, as far as its body reads
    /// something that changed.
    pub(crate) fn derive_renamed(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        old: &Statement,
        new: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        match (old.class(), new.class()) {
            (Some(before), Some(after))
                if self.is_outdated(module, class, after, new, outline)? =>
            {
                self.derive_parts(module, class, before, after, new, outline)
            }
            _ => Ok(()),
        }
    }

    fn is_outdated(
        &self,
        module: usize,
        class: &Bound<'py, PyType>,
        definition: &ClassDef,
        statement: &Statement,
        outline: &Outline,
    ) -> PyResult<bool> {
        Ok(self.must_remake(class)?
            || self.cause_of_plain(module, &statement.facts).is_some()
            || self.decorator_changed(module, definition)
            || self.generator_changed(module, class, definition)?
            || self.passer_changed(module, class, definition, statement, outline)?)
    }

    /// The same for what the class is passed on to below its statement, as in
    /// `C = add_repr(C)`.
    pub(super) fn passer_changed(
        &self,
        module: usize,
        class: &Bound<'py, PyType>,
        definition: &ClassDef,
        statement: &Statement,
        outline: &Outline,
    ) -> PyResult<bool> {
        let passes = passed_on(outline, statement, &definition.name);
        if passes.is_empty() || !has_written_members(class)? {
            return Ok(false);
        }
        if passes.iter().any(|passed| reads_below(outline, passed)) {
            // The class is made anew after the commit, when the name holds something else.
            return Ok(false);
        }
        let mut calls = passes.iter().flat_map(|passed| &passed.facts.calls);
        Ok(calls.any(|call| matches!(call, Call::Path(path) if self.call_changed(module, path))))
    }

    /// Whether a decorator that generates members of the class, from what its body
    /// declares, is going to run other code. It is applied to classes by the score, and
    /// what it makes of one depends on nothing but the class.
    pub(super) fn generator_changed(
        &self,
        module: usize,
        class: &Bound<'py, PyType>,
        definition: &ClassDef,
    ) -> PyResult<bool> {
        Ok(!definition.decorators.is_empty()
            && has_written_members(class)?
            && definition
                .decorators
                .iter()
                .any(|decorator| self.call_changed(module, &decorator.head)))
    }

    fn derive_parts(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        before: &ClassDef,
        definition: &ClassDef,
        statement: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let remade = self.must_remake(class)?;
        let mut change = unchanged(definition, &Change::Same);
        let rebased = self.bases_changed(module, class, definition)?;
        change.header |= rebased;
        change.decorators |= self.generator_changed(module, class, definition)?
            || self.passer_changed(module, class, definition, statement, outline)?;
        // Where members are made from the others (fields), one that is derived has them made anew.
        let path = [(before, definition)];
        let derived = self.with_derived(module, class, &path, &change, outline)?;
        let generated = self.is_rebuilt(class, before, definition, &derived)?;
        if generated {
            change = derived;
        }
        if remade || rebased || generated {
            let step = outline
                .statements
                .iter()
                .position(|other| other.span == statement.span);
            return self.rebuild_class(
                module,
                class,
                before,
                definition,
                statement,
                &change,
                outline,
                step.unwrap_or(usize::MAX),
            );
        }
        self.change_members(
            module,
            class,
            &mut vec![(before, definition)],
            &change,
            outline,
        )?;
        self.reapply_decorators(module, class, definition, statement)
    }

    pub(super) fn decorator_changed(&self, module: usize, definition: &ClassDef) -> bool {
        definition.decorators.iter().any(|decorator| {
            matches!(
                self.change_of(module, &decorator.head),
                Some(Changed::Code | Changed::Value)
            )
        })
    }

    /// A class decorator whose own body changed is applied again after the swap, if
    /// it writes only to the class it is given.
    pub(super) fn reapply_decorators(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        definition: &ClassDef,
        statement: &Statement,
    ) -> PyResult<()> {
        for decorator in definition.decorators.iter().rev() {
            if self.change_of(module, &decorator.head) != Some(Changed::Code) {
                continue;
            }
            let text = self.text(module);
            let source = decorator.span.of(&text).to_string();
            match self.decorator_impurity(module, &decorator.head, &decorator.facts) {
                Some(reason) => {
                    let entry =
                        self.entry(module, &definition.name, Some(statement), "class", "stale");
                    entry.reason = format!(
                        "its decorator {} changed; {reason}",
                        decorator.head.join(".")
                    );
                    entry.advice = "# hotswap: rerun".to_string();
                }
                None => {
                    let namespace = self.live_dict(module);
                    self.after.push(After::Decorate {
                        class: class.clone(),
                        source,
                        namespace,
                    });
                    self.entry(module, &definition.name, Some(statement), "class", "re-ran")
                        .reason = format!("its decorator {} changed", decorator.head.join("."));
                }
            }
        }
        Ok(())
    }

    fn decorator_impurity(
        &self,
        module: usize,
        head: &[String],
        facts: &hotswap_plan::Facts,
    ) -> Option<String> {
        if !facts.calls.is_empty() {
            return Some("it is made by a call".to_string());
        }
        let (source, name) = self.definition_of(module, head)?;
        let outline = self.outline(source)?;
        let function = outline.statements[outline.last_binder(&name)?].function()?;
        let mut facts = function.facts.clone();
        facts.writes_to_arguments = false;
        // setattr on the argument is a write to the argument.
        facts
            .calls
            .retain(|call| !matches!(call, hotswap_plan::Call::Path(path) if path == &["setattr"]));
        self.impurity(source, &facts)
    }

    /// The module and name under which something that this module uses is defined.
    pub(crate) fn definition_of(&self, module: usize, path: &[String]) -> Option<(usize, String)> {
        self.definition_from(module, path, 0)
    }

    fn definition_from(
        &self,
        module: usize,
        path: &[String],
        depth: usize,
    ) -> Option<(usize, String)> {
        // Modules may import a name from one another in a circle.
        if depth > 20 {
            return None;
        }
        let outline = self.outline(module)?;
        let head = path.first()?;
        if path.len() > 1 {
            return self.definition_from(self.module_at(module, head)?, &path[1..], depth + 1);
        }
        let Some(at) = outline.last_binder(head) else {
            let stars = outline.imports().filter(|(_, import)| import.bound == "*");
            return stars
                .filter_map(|(_, import)| self.imported_module(module, import))
                .filter(|source| *source != module)
                .find_map(|source| self.definition_from(source, path, depth + 1));
        };
        match &outline.statements[at].kind {
            Kind::Import(imports) => {
                let import = imports.iter().find(|import| import.bound == *head)?;
                let source = self.imported_module(module, import)?;
                self.definition_from(source, &[import.name.clone()?], depth + 1)
            }
            _ => Some((module, head.clone())),
        }
    }
}

/// Whether a class has members that a program wrote from the others.
fn has_written_members(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let members = cpython::type_dict(class).values();
    Ok(super::shape::has_fields(class)? || members.iter().any(|value| is_generated(&value)))
}
