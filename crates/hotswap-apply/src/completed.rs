//! What statements do to an object that a statement above them makes: `X.name = …` below
//! `X = Thing()`.

use hotswap_cpython::heap::reference_count;
use hotswap_plan::{Outline, Skeleton};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyType};

use crate::codes;
use crate::native::own_dict;
use crate::stage::Stage;
use crate::timeline::{Place, is_shared, links};
use crate::transaction::Write;
use crate::values;

impl<'py> Stage<'_, 'py> {
    /// After a statement made an object, before anybody else sees it: the unchanged statements
    /// below that set something on it do so at once.
    pub(crate) fn complete_new(
        &mut self,
        module: usize,
        index: usize,
        name: &str,
        outline: &Outline,
    ) -> PyResult<()> {
        let mut below = links(outline, name);
        below.retain(|link| *link > index);
        if below.is_empty() || Self::is_overruled(outline, index, name) {
            return Ok(());
        }
        let namespace = self.namespace(module)?;
        let is_instance = namespace.get_item(name)?.is_some_and(|value| {
            values::has_identity(&value)
                && !value.is_instance_of::<PyType>()
                && !value.is_instance_of::<PyFunction>()
        });
        if !is_instance {
            return Ok(());
        }
        let text = self.text(module);
        for link in below {
            let statement = &outline.statements[link];
            let changed = self
                .edits
                .get(&module)
                .is_some_and(|edited| edited.plan.steps[link].change != hotswap_plan::Change::Same);
            if !statement.binds.is_empty() || !statement.deletes.is_empty() {
                break;
            }
            // It may read what a statement between the two gives another value.
            let reads_later = statement.facts.reads.iter().any(|path| {
                path[0] != name && links(outline, &path[0]).iter().any(|other| *other > index)
            });
            let place = Place {
                outline,
                text: &text,
                index: link,
                new: true,
            };
            if changed
                || reads_later
                || statement.pragma.is_some()
                || self.link_impurity(module, statement, &[name.to_string()])
                || !self.run_on_new(module, place, &namespace, name)?
            {
                // What comes after it may build on it.
                break;
            }
            self.passed_on.insert((module, statement.span.start));
            let label = statement.label(&text);
            self.entry(module, &label, Some(statement), "statement", "re-ran")
                .reason = format!("{name} was made anew above it");
        }
        Ok(())
    }

    /// After a statement gave a name a new value: the unchanged statements below that
    /// augment it do so with the new one.
    pub(crate) fn augment_again(
        &mut self,
        module: usize,
        index: usize,
        name: &str,
        outline: &Outline,
    ) -> PyResult<()> {
        let Some(edited) = self.edits.get(&module) else {
            return Ok(());
        };
        let due: Vec<usize> = links(outline, name)
            .into_iter()
            .filter(|link| *link > index)
            .filter(|link| {
                let start = outline.statements[*link].span.start;
                !self.passed_on.contains(&(module, start))
            })
            .filter(|link| {
                matches!(
                    edited.plan.steps[*link].change,
                    hotswap_plan::Change::Same | hotswap_plan::Change::Bodies
                )
            })
            .collect();
        let text = self.text(module);
        let namespace = self.namespace(module)?;
        for link in due {
            let statement = &outline.statements[link];
            let place = Place {
                outline,
                text: &text,
                index: link,
                new: true,
            };
            let chained = [name.to_string()];
            let label = statement.label(&text);
            let value = namespace.get_item(name)?;
            // What may be done to a new instance was done when it was made.
            let is_instance = value.as_ref().is_some_and(values::has_identity)
                && !statement.binds.contains(&chained[0]);
            drop(value);
            if is_instance
                || self.link_impurity(module, statement, &chained)
                || !self.run_link(module, place, &namespace, &chained)?
            {
                let entry = self.entry(module, &label, Some(statement), "statement", "stale");
                entry.reason =
                    format!("{name} was made anew above it; running it again may not be harmless");
                entry.advice = "# hotswap: rerun".to_string();
                // That is said, and need not be found out once more.
                self.passed_on.insert((module, statement.span.start));
                continue;
            }
            if !statement.codes.is_empty()
                && let Some(staging) = self.staging.get_mut(&module)
            {
                staging.made_functions = true;
            }
            let value = namespace.get_item(name)?;
            self.bind(module, name, value)?;
            self.entry(module, &label, Some(statement), "statement", "re-ran")
                .reason = format!("{name} was made anew above it");
        }
        Ok(())
    }

    /// Runs a statement that changes an object which only a name of the namespace holds, and
    /// looks at each store that it comes to. False: it may do more than that, or it raised.
    fn run_on_new(
        &mut self,
        module: usize,
        place: Place<'_>,
        namespace: &Bound<'py, PyDict>,
        name: &str,
    ) -> PyResult<bool> {
        let statement = &place.outline.statements[place.index];
        let Some(object) = namespace.get_item(name)? else {
            return Ok(false);
        };
        if is_shared(&object, namespace) {
            return Ok(false);
        }
        let skeleton = Skeleton::new(place.text, place.outline).statement(statement);
        let code = self.compile(module, &skeleton.finish())?;
        let chained = [name.to_string()];
        let mut view = self.view(module, place, &statement.facts, namespace, &chained)?;
        if !view.unknown.is_empty() {
            view.leave()?;
            return Ok(false);
        }
        let mut own_values = containers_of(&object)?;
        own_values.push(object);
        let run = || codes::execute(&code, namespace, None);
        let ran = self.on_trial(namespace, &own_values, run);
        view.leave()?;
        for (old, new) in view.copies.drain(..) {
            self.transaction.push(Write::Reference { old, new });
        }
        Ok(ran?.is_ok())
    }
}

/// The containers that nobody but an object holds: a setter of its class may put things there.
fn containers_of<'py>(object: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let Some(dict) = own_dict(object)? else {
        return Ok(Vec::new());
    };
    let mut found: Vec<Bound<'py, PyAny>> = Vec::new();
    for value in dict.values() {
        // One reference is ours, and one that of the list.
        if values::is_container(&value) && reference_count(&value) == Some(3) {
            found.push(value);
        }
    }
    Ok(found)
}
