//! Statements below a class that work it over: a loop that takes members away and makes
//! functions of them, say.
//!
//! Run once more on the live class such a statement would meet what it has left there. So
//! the class is made anew beside the live one, the statement runs on that, watched, and what
//! has come out moves into the live class as that of decorators does.

use std::sync::Arc;

use hotswap_plan::{Change, ClassChange, ClassDef, Kind, Outline, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use super::remade::Remade;
use crate::codes;
use crate::native as cpython;
use crate::stage::Stage;
use crate::values;

/// The statements below a class that may change it: they read its namespace, and store.
fn workers(outline: &Outline, class: &Statement, name: &str) -> Vec<usize> {
    let works = |statement: &Statement| {
        matches!(statement.kind, Kind::Compound(_) | Kind::Expression)
            && statement.codes.is_empty()
            && statement.span.start > class.span.start
            && (!statement.facts.effects.is_empty() || !statement.facts.stores.is_empty())
            && statement
                .facts
                .reads
                .iter()
                .any(|read| read[0] == name && read.iter().any(|part| part == "__dict__"))
    };
    let indices = 0..outline.statements.len();
    indices
        .filter(|at| works(&outline.statements[*at]))
        .collect()
}

impl<'py> Stage<'_, 'py> {
    /// A class with other members that statements below it work over. False: there are none,
    /// or they cannot run again.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn rebuild_worked_over(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
        statement: &Statement,
        change: &ClassChange,
        outline: &Arc<Outline>,
    ) -> PyResult<bool> {
        let other_members = !change.removed.is_empty()
            || change
                .steps
                .iter()
                .any(|step| step.change == Change::Run || step.renamed);
        if self.committed || !other_members {
            return Ok(false);
        }
        let workers = workers(outline, statement, &after.name);
        let stays = |at: &usize| {
            let steps = self.edits.get(&module).map(|edited| &edited.plan.steps);
            steps.is_some_and(|steps| {
                let mut of = steps.iter().filter(|step| step.new == *at);
                of.all(|step| step.old.is_some() && step.change == Change::Same)
            })
        };
        let waits = |statement: &Statement| {
            self.must_wait(module, &statement.facts) && !self.can_show(module, &statement.facts)
        };
        if workers.is_empty()
            || !workers.iter().all(stays)
            || waits(statement)
            || self.hooks_changed(class)?
            || self.bases_pending(module, after)?
        {
            return Ok(false);
        }
        let namespace = self.namespace(module)?;
        let names = namespace.copy()?;
        let Some(made) =
            self.make_and_work_over(module, class, statement, &workers, outline, &namespace)?
        else {
            namespace.clear();
            namespace.update(names.as_mapping())?;
            return Ok(false);
        };
        if let Some(staging) = self.staging.get_mut(&module) {
            staging.made_functions = true;
        }
        let mut passing = Vec::new();
        for at in &workers {
            let worker = &outline.statements[*at];
            self.passed_on.insert((module, worker.span.start));
            passing.extend(worker.binds.iter().cloned());
        }
        self.take_names(
            module,
            (class, &made),
            statement,
            (&names, &namespace),
            &passing,
        )?;
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
        })?;
        Ok(true)
    }

    /// The class made anew and worked over. None: that is not harmless.
    fn make_and_work_over(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        statement: &Statement,
        workers: &[usize],
        outline: &Arc<Outline>,
        namespace: &Bound<'py, PyDict>,
    ) -> PyResult<Option<Bound<'py, PyType>>> {
        let make = |stage: &mut Self| stage.run_in_staging(module, statement, outline, namespace);
        self.without_sources_of(class, |stage| stage.keeping_labels(class, make))?;
        let name = statement.class().map(|class| class.name.clone());
        let made = namespace.get_item(name.unwrap_or_default())?;
        let Some(Ok(made)) = made.map(Bound::cast_into::<PyType>) else {
            return Ok(None);
        };
        if made.is(class) {
            return Ok(None);
        }
        for at in workers {
            let worker = &outline.statements[*at];
            let code = self.compile_statement(module, worker, outline)?;
            let start = worker.span.start;
            let mut view = self.view_at(module, start, &worker.facts, namespace)?;
            let writable = [namespace.clone().into_any(), made.clone().into_any()];
            let run = || codes::execute(&code, namespace, None);
            let ran = crate::trial::attempt_with(self.py, None, &writable, run);
            view.leave()?;
            if let Err(reason) = ran? {
                let label = worker.label(&self.text(module));
                let entry = self.entry(module, &label, Some(worker), "statement", "stale");
                entry.reason = format!("it works over a class that changed; {}", reason.words);
                entry.advice = "# hotswap: rerun".to_string();
                return Ok(None);
            }
        }
        Ok(Some(made))
    }

    /// Takes over what names a statement gave beside those that it binds by itself.
    fn take_names(
        &mut self,
        module: usize,
        (class, made): (&Bound<'py, PyType>, &Bound<'py, PyType>),
        statement: &Statement,
        (before, namespace): (&Bound<'py, PyDict>, &Bound<'py, PyDict>),
        passing: &[String],
    ) -> PyResult<()> {
        let (live, made) = (cpython::type_dict(class), cpython::type_dict(made));
        // A member that was made anew with the class is the live one in the end.
        let is_member = |was: &Bound<'py, PyAny>, now: &Bound<'py, PyAny>| {
            made.iter().any(|(key, member)| {
                let held = live.get_item(&key).ok().flatten();
                member.is(now) && held.is_some_and(|held| held.is(was))
            })
        };
        let own = statement.class().map(|class| class.name.clone());
        for (key, now) in namespace.copy()?.iter() {
            let name: String = key.extract()?;
            let was = before.get_item(&key)?;
            if own.as_ref() == Some(&name) || was.as_ref().is_some_and(|was| was.is(&now)) {
                continue;
            }
            match &was {
                Some(was) if values::alike(was, &now) || is_member(was, &now) => {
                    namespace.set_item(&key, was)?;
                }
                // The variables of a loop, which are deleted further down.
                None if passing.contains(&name) => namespace.del_item(&key)?,
                _ => {
                    self.bind(module, &name, Some(now.clone()))?;
                    let action = if was.is_some() { "re-ran" } else { "added" };
                    self.note_value(module, &name, was, Some(now));
                    self.entry(module, &name, Some(statement), "statement", action);
                }
            }
        }
        Ok(())
    }
}
