//! Classes that must be made anew: what the new one is moves into the live one, or,
//! where CPython refuses, the new one takes its place.

use std::sync::Arc;

use crate::native as cpython;
use crate::registrations::decorators_stay;
use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{Change, ClassChange, ClassDef, Kind, Outline, Statement, Step};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::codes;
use crate::stage::{Changed, Late, Stage};
use crate::timeline::Place;
use crate::transaction::Write;

/// So many wrappers around one another are looked into.
const MOST_WRAPPERS: usize = 20;

/// A class that was made anew beside the live one.
pub(crate) struct Remade<'a, 'py> {
    pub module: usize,
    /// The live class.
    pub class: Bound<'py, PyType>,
    /// The one that a new run of its statement made.
    pub made: Bound<'py, PyType>,
    /// The class around a nested one.
    pub outer: Option<Bound<'py, PyType>>,
    /// The name by which the report speaks of it.
    pub qualname: String,
    pub before: &'a ClassDef,
    pub after: &'a ClassDef,
    pub change: &'a ClassChange,
    pub statement: &'a Statement,
}

/// The class that a decorator has put something else around and named there as
/// `functools.wraps` does.
pub(super) fn class_inside<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyType>> {
    let mut object = object.clone();
    for _ in 0..MOST_WRAPPERS {
        object = match object.cast_into::<PyType>() {
            Ok(class) => return Some(class),
            Err(error) => error.into_inner().peek("__wrapped__").ok()?,
        };
    }
    None
}

fn is_class(object: &Bound<'_, PyAny>) -> bool {
    object.is_instance_of::<PyType>()
}

/// The change of a class of which no statement differs.
pub(super) fn unchanged(definition: &ClassDef, change: &Change) -> ClassChange {
    let steps = (0..definition.body.len())
        .map(|at| Step {
            new: at,
            old: Some(at),
            change: change.clone(),
            renamed: false,
        })
        .collect();
    ClassChange {
        header: false,
        decorators: false,
        steps,
        removed: Vec::new(),
    }
}

/// The statements below a class that pass it on and give its name to what comes back,
/// as in `C = add_repr(C)`: they belong to its making as decorators do. None, where
/// something else binds the name too.
pub(crate) fn passed_on(outline: &Outline, class: &Statement, name: &str) -> Vec<Statement> {
    let passes = |statement: &Statement| {
        matches!(&statement.kind, Kind::Assign { targets, value: Some(value), .. }
            if targets.len() == 1
                && targets[0] == name
                && value.facts.reads.iter().any(|read| read.len() == 1 && read[0] == name))
    };
    let mut found = Vec::new();
    for link in crate::timeline::links(outline, name) {
        let statement = &outline.statements[link];
        let mut binds = statement.binds.iter().chain(&statement.deletes);
        if statement.span == class.span || !binds.any(|bound| bound == name) {
            continue;
        }
        if statement.span.start < class.span.start || !passes(statement) {
            return Vec::new();
        }
        found.push(statement.clone());
    }
    found
}

/// Whether a statement reads a name that another statement below it binds again.
pub(super) fn reads_below(outline: &Outline, statement: &Statement) -> bool {
    statement.facts.reads.iter().any(|read| {
        let own = read.len() == 1 && statement.binds.contains(&read[0]);
        let mut links = crate::timeline::links(outline, &read[0]).into_iter();
        !own && links.any(|link| outline.statements[link].span.start > statement.span.start)
    })
}

/// Names, with what they held.
type Held<'py> = Vec<(String, Bound<'py, PyAny>)>;

impl<'py> Stage<'_, 'py> {
    /// Makes the class anew in staging and moves what it is into the live one.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn rebuild_class(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
        statement: &Statement,
        change: &ClassChange,
        outline: &Arc<Outline>,
        step: usize,
    ) -> PyResult<()> {
        let passes = passed_on(outline, statement, &after.name);
        let mut waits = self.hooks_changed(class)? || self.bases_pending(module, after)?;
        for statement in std::iter::once(statement).chain(&passes) {
            waits |= self.must_wait(module, &statement.facts)
                && !self.can_show(module, &statement.facts);
        }
        if !self.committed && waits {
            self.late.push(Late {
                module,
                step,
                remade: Some(Box::new(change.clone())),
            });
            self.late_names.insert((module, after.name.clone()));
            // They run with it then.
            let starts = passes.iter().map(|passed| (module, passed.span.start));
            self.passed_on.extend(starts);
            return Ok(());
        }
        let namespace = self.namespace(module)?;
        // After the commit such a name holds something else.
        let mut known =
            !self.committed || !passes.iter().any(|passed| reads_below(outline, passed));
        let make = |stage: &mut Self| {
            stage.run_in_staging(module, statement, outline, &namespace)?;
            for passed in &passes {
                let ahead = match known {
                    true => stage.names_between(module, statement, passed, &namespace)?,
                    false => None,
                };
                let Some(ahead) = ahead else {
                    known = false;
                    break;
                };
                stage.run_in_staging(module, passed, outline, &namespace)?;
                for (name, was) in ahead {
                    namespace.set_item(name, was)?;
                }
                stage.passed_on.insert((module, passed.span.start));
            }
            Ok(())
        };
        self.without_sources_of(class, |stage| stage.keeping_labels(class, make))?;
        if let Some(staging) = self.staging.get_mut(&module) {
            staging.made_functions = true;
        }
        let made = namespace.get_item(&after.name)?;
        if self.committed {
            namespace.set_item(&after.name, class)?;
        }
        let given = made;
        let is_wrapped = given.as_ref().is_some_and(|given| !is_class(given));
        let mut made = given.as_ref().and_then(class_inside);
        if is_wrapped && let Some(inner) = &made {
            let is_own = inner.getattr("__qualname__")?.eq(&after.name)?;
            made = made.filter(|_| is_own && passes.is_empty());
        }
        let Some(made) = made else {
            return Err(pyo3::exceptions::PyTypeError::new_err(format!(
                "{} is no longer a class",
                after.name
            )));
        };
        if made.is(class) {
            return Ok(());
        }
        let held = self.live_dict(module).get_item(&after.name)?;
        let was_wrapped = held
            .as_ref()
            .is_some_and(|held| !is_class(held) && class_inside(held).is_some());
        if is_wrapped || was_wrapped {
            // The live class takes the place of the new one in what the name holds.
            self.bind(module, &after.name, given.clone())?;
            self.note_value(module, &after.name, held, given);
        }
        if !known {
            self.keep_written_members(module, class, &made, statement)?;
        }
        self.settle_made(&Remade {
            module,
            class: class.clone(),
            made,
            outer: None,
            qualname: after.name.clone(),
            before,
            after,
            change,
            statement,
        })
    }

    /// The members that a call below the class had written stay as they were.
    fn keep_written_members(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
        statement: &Statement,
    ) -> PyResult<()> {
        let own = cpython::type_dict(made);
        for (name, member) in cpython::type_dict(class).iter() {
            if super::members::is_generated(&member) && !own.contains(&name)? {
                made.setattr(name.cast_into::<pyo3::types::PyString>()?, member)?;
            }
        }
        let label = statement.label(&self.text(module));
        let entry = self.entry(module, &label, Some(statement), "class", "stale");
        entry.reason = "what it is passed on to below reads a name that is bound again later; the \
                        members written there are those of before"
            .to_string();
        Ok(())
    }

    /// Lets a statement that runs ahead of its turn, together with its class, see what the
    /// statements between give to the names that it reads; these names, with what they held.
    /// None: that is not known.
    fn names_between(
        &mut self,
        module: usize,
        class: &Statement,
        passed: &Statement,
        namespace: &Bound<'py, PyDict>,
    ) -> PyResult<Option<Held<'py>>> {
        let Some(outline) = self.outline(module) else {
            return Ok(Some(Vec::new()));
        };
        let text = self.text(module);
        let at = |one: &Statement| crate::chain::index_of(&outline, one);
        let (Some(start), Some(end)) = (at(class), at(passed)) else {
            return Ok(Some(Vec::new()));
        };
        let place = Place {
            outline: &outline,
            text: &text,
            index: end,
            new: true,
        };
        let mut before = Vec::new();
        for name in passed.facts.reads.iter().map(|read| &read[0]) {
            let links = crate::timeline::links(&outline, name);
            let between = links.iter().any(|link| start < *link && *link < end);
            let Some(was) = namespace.get_item(name)?.filter(|_| between) else {
                continue;
            };
            if passed.binds.contains(name) || before.iter().any(|(known, _)| known == name) {
                continue;
            }
            let value = match self.early_value(module, place, name, namespace)? {
                // Nothing of this module has had its turn by then.
                None if !self.committed && links.iter().all(|link| *link < end) => {
                    self.live_dict(module).get_item(name)?
                }
                None => self.tried_between(module, &outline, (start, end), name, namespace)?,
                value => value,
            };
            let Some(value) = value else {
                return Ok(None);
            };
            namespace.set_item(name, value)?;
            before.push((name.clone(), was));
        }
        Ok(Some(before))
    }

    /// What the only statement between a class and what passes it on that makes a name comes
    /// to with the new class. None: that is not known to be harmless.
    fn tried_between(
        &mut self,
        module: usize,
        outline: &Arc<Outline>,
        (start, end): (usize, usize),
        name: &str,
        namespace: &Bound<'py, PyDict>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let links = crate::timeline::links(outline, name);
        let between: Vec<&usize> = (links.iter())
            .filter(|link| start < **link && **link < end)
            .collect();
        let [link] = between.as_slice() else {
            return Ok(None);
        };
        let statement = &outline.statements[**link];
        if !crate::timeline::replaces(statement, name) || statement.binds.len() != 1 {
            return Ok(None);
        }
        let code = self.compile_statement(module, statement, outline)?;
        let copy = namespace.copy()?;
        let ran = self.on_trial(&copy, &[], || codes::execute(&code, &copy, None))?;
        Ok(match ran {
            Ok(()) => copy.get_item(name)?,
            Err(_) => None,
        })
    }

    /// Runs a class statement, or one that passes the class on, beside the live class.
    pub(super) fn run_in_staging(
        &mut self,
        module: usize,
        statement: &Statement,
        outline: &Arc<Outline>,
        namespace: &Bound<'py, PyDict>,
    ) -> PyResult<()> {
        let code = self.compile_statement(module, statement, outline)?;
        let old = self.counterpart(module, statement);
        let survey = self.survey(module, Some(&old), statement)?;
        self.note_counters(module, &old, statement)?;
        let start = statement.span.start;
        let mut view = self.view_at(module, start, &statement.facts, namespace)?;
        let result = codes::execute(&code, namespace, None);
        view.leave()?;
        if let Some(survey) = survey {
            match &result {
                Ok(()) => self.settle_survey(
                    survey,
                    module,
                    decorators_stay(&old, statement),
                    statement,
                    outline,
                )?,
                Err(_) => self.restore_survey(&survey)?,
            }
        }
        result
    }

    /// A class that had to wait until what its making runs is committed.
    pub(crate) fn remake_late(
        &mut self,
        module: usize,
        index: usize,
        change: &ClassChange,
    ) -> PyResult<()> {
        let Some(outline) = self.outline(module) else {
            return Ok(());
        };
        let statement = outline.statements[index].clone();
        let Some(after) = statement.class() else {
            return Ok(());
        };
        let Some(Ok(class)) = self
            .live_dict(module)
            .get_item(&after.name)?
            .map(|object| class_inside(&object).ok_or(object))
        else {
            return Ok(());
        };
        let mut before = after.clone();
        if let Some(edited) = self.edits.get(&module)
            && let Some(step) = edited.plan.steps.iter().find(|step| step.new == index)
            && let Some(at) = step.old
            && let Some(was) = edited.old_outline.statements[at].class()
        {
            before = was.clone();
        }
        self.rebuild_class(
            module, &class, &before, after, &statement, change, &outline, index,
        )
    }

    /// Moves what a class made anew is into the live one, or puts it in its place.
    /// Which of the two lives on, [`Stage::survivor`] tells.
    pub(super) fn settle_made(&mut self, remade: &Remade<'_, 'py>) -> PyResult<()> {
        let Remade {
            module,
            class,
            made,
            before,
            after,
            statement,
            ..
        } = remade;
        let module = *module;
        self.generate_again(remade)?;
        let top = remade.qualname.split('.').next().unwrap_or_default();
        self.note_code(module, top, Changed::Code);
        let both_enums = crate::enums::is_enum(class)? && crate::enums::is_enum(made)?;
        let bases = self.live_bases(made)?;
        let rebased = !class.getattr("__bases__")?.eq(&bases)?;
        // Its classes must be made anew before anybody asks the new bases about them.
        let other_metaclass = rebased && class.is_subclass_of::<PyType>()?;
        if other_metaclass || (!both_enums || rebased) && !self.fits(class, made)? {
            return self.replace_class(remade);
        }
        // What is staged after this sees the new class; at the commit every reference
        // to it becomes one to the live class.
        self.rebuilt.push((made.clone(), class.clone()));
        if rebased {
            self.transaction.push(Write::Bases {
                class: class.clone(),
                bases,
            });
        }
        if both_enums {
            self.merge_enum(module, class, made, before, after, statement)?;
        } else {
            self.transplant(remade, class)?;
        }
        self.entry(module, &remade.qualname, Some(statement), "class", "re-ran");
        self.retire_class(class, made)?;
        self.finish_class(module, class, before, after)?;
        self.new_fields(module, class, made, after)
    }

    /// The class that lives on where one was made anew.
    pub(super) fn survivor(
        &self,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
    ) -> Bound<'py, PyType> {
        let replaced = self.replaced.iter().any(|(old, _)| old.is(class));
        if replaced {
            made.clone()
        } else {
            class.clone()
        }
    }

    /// Whether the live class can take the new layout, bases and metaclass in place.
    fn fits(&self, class: &Bound<'py, PyType>, made: &Bound<'py, PyType>) -> PyResult<bool> {
        if !class.get_type().is(made.get_type()) {
            return Ok(false);
        }
        for name in [
            "__basicsize__",
            "__itemsize__",
            "__dictoffset__",
            "__weakrefoffset__",
        ] {
            if !class.getattr(name)?.eq(made.getattr(name)?)? {
                return Ok(false);
            }
        }
        let slots = |class: &Bound<'py, PyType>| -> PyResult<Vec<String>> {
            let mut names = Vec::new();
            for (name, value) in cpython::type_dict(class).iter() {
                if value.get_type().name()? == "member_descriptor" {
                    names.push(name.extract()?);
                }
            }
            names.sort();
            Ok(names)
        };
        if slots(class)? != slots(made)? {
            return Ok(false);
        }
        let (old, new) = (
            class.getattr("__bases__")?.cast_into::<PyTuple>()?,
            self.live_bases(made)?,
        );
        if old.eq(&new)? {
            return Ok(true);
        }
        // CPython decides; nothing of the program runs between the two assignments.
        match cpython::set_bases(class, &new) {
            Ok(()) => {
                cpython::set_bases(class, &old)?;
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    /// The bases of a class made in staging, each as the live class that it stands for.
    fn live_bases(&self, made: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyTuple>> {
        let bases = made.getattr("__bases__")?.cast_into::<PyTuple>()?;
        let live = bases.iter().map(|base| {
            match self.rebuilt.iter().find(|(staged, _)| staged.is(&base)) {
                Some((_, class)) => class.clone().into_any(),
                None => base,
            }
        });
        PyTuple::new(self.py, live.collect::<Vec<_>>())
    }

    /// Every reference to the staging class becomes one to the live class, and the
    /// staging class leaves the `__subclasses__()` of its bases.
    pub(crate) fn retire_class(
        &mut self,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
    ) -> PyResult<()> {
        self.transaction.push(Write::Reference {
            old: made.clone().into_any(),
            new: class.clone().into_any(),
        });
        self.hide_class(made)
    }

    /// The live class cannot take the new shape: the new class takes its place.
    fn replace_class(&mut self, remade: &Remade<'_, 'py>) -> PyResult<()> {
        let Remade {
            module,
            class,
            made,
            after,
            statement,
            ..
        } = remade;
        let module = *module;
        self.replaced.push((class.clone(), made.clone()));
        if crate::enums::is_enum(class)? && crate::enums::is_enum(made)? {
            self.succeed_members(class, made)?;
            self.move_strangers(class, made)?;
        } else {
            self.transplant(remade, made)?;
            // Those of a metaclass are classes, which are made anew by their own statements.
            if !class.is_subclass_of::<PyType>()? {
                self.move_instances(remade)?;
            }
        }
        self.transaction.push(Write::Reference {
            old: class.clone().into_any(),
            new: made.clone().into_any(),
        });
        let (was, now) = (class.clone().into_any(), made.clone().into_any());
        match &remade.outer {
            Some(outer) => {
                let name = crate::instances::mangle(outer.name()?.to_str()?, &after.name);
                self.transaction
                    .set_class_attribute(outer, &name, Some(now));
                let key = (module, remade.qualname.clone());
                self.changed.insert(key, Changed::Value);
            }
            None => {
                self.bind(module, &after.name, Some(now.clone()))?;
                self.note_value(module, &after.name, Some(was), Some(now));
            }
        }
        self.hide_class(class)?;
        self.entry(module, &remade.qualname, Some(statement), "class", "re-ran")
            .reason =
            "CPython cannot change its layout or bases in place, so a new class took its place"
                .to_string();
        self.finish_class(module, class, remade.before, after)?;
        self.new_fields(module, class, made, after)
    }
}
