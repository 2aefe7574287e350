//! Values that several statements of a class body make together, as in
//! `OPTIONS = BASE.copy()` with `OPTIONS["width"] = 1` below it.
//!
//! If one of them changed, went, or reads something that changed, all of them are evaluated
//! again, as at module level: provided that what they made with the old source and the old
//! inputs is what is there now, and that evaluating them is harmless. Else each has its turn
//! by itself.

use std::sync::Arc;

use crate::native as cpython;
use hotswap_plan::{
    Call, Change, ClassChange, ClassDef, Facts, Kind, Outline, Skeleton, Statement, is_pure_method,
};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use rustc_hash::FxHashSet;

use super::scope::{bound_below, hide};
use crate::codes;
use crate::stage::Stage;
use crate::timeline::{is_shared, link_facts, replaces, touched};
use crate::values;

/// A class body in one of the two sources, with the classes around it.
#[derive(Clone, Copy)]
pub(crate) struct Body<'o> {
    pub text: &'o str,
    pub outline: &'o Outline,
    pub path: &'o [&'o ClassDef],
    /// The source is the new one.
    pub new: bool,
}

/// A value that several statements make, and which of the two bodies they are.
struct Chain<'py> {
    name: String,
    /// As the class has it.
    stored: String,
    held: Bound<'py, PyAny>,
    was: Vec<usize>,
    is: Vec<usize>,
}

impl Body<'_> {
    fn definition(&self) -> &ClassDef {
        self.path[self.path.len() - 1]
    }
}

impl<'py> Stage<'_, 'py> {
    /// Has the statements of each such value run together, where one of them has to.
    pub(super) fn derive_chains(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &[(&ClassDef, &ClassDef)],
        change: &mut ClassChange,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let (before, after) = path[path.len() - 1];
        let names = chained(before, after);
        if names.is_empty() {
            return Ok(());
        }
        let reached = self.reached_in_class(module, path, before, change);
        for name in names {
            let Some(chain) = self.chain(class, (before, after), &name)? else {
                continue;
            };
            if !self.is_chain_due(module, path, change, &chain, &reached)
                || !self.is_made_by(module, class, path, outline, &chain)?
                || !self.may_make(module, class, path, outline, &chain)?
            {
                continue;
            }
            let key = (class.as_ptr() as usize, chain.stored.clone());
            self.chained_members.insert(key);
            let late = chain.is.iter().map(|at| &after.body[*at]);
            let late = late.filter(|member| self.reads_late(module, path, member));
            if !self.committed && late.count() > 0 {
                let members = chain.is.iter().map(|at| after.body[*at].clone());
                self.put_off(module, class, path, members.collect());
                continue;
            }
            for step in &mut change.steps {
                if chain.is.contains(&step.new) {
                    step.change = Change::Run;
                }
            }
        }
        Ok(())
    }

    /// Notes which of those values nobody has changed, before the update changes what they
    /// were made of: their class has its turn only after the commit.
    pub(super) fn note_chains(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &[(&ClassDef, &ClassDef)],
        change: &ClassChange,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let (before, after) = path[path.len() - 1];
        let names = chained(before, after);
        if names.is_empty() {
            return Ok(());
        }
        let reached = self.reached_in_class(module, path, before, change);
        for name in names {
            if let Some(chain) = self.chain(class, (before, after), &name)?
                && self.is_chain_due(module, path, change, &chain, &reached)
            {
                let made = self.is_made_by(module, class, path, outline, &chain)?;
                let key = (class.as_ptr() as usize, chain.stored);
                self.chains_as_made.insert(key, made);
            }
        }
        Ok(())
    }

    fn chain(
        &self,
        class: &Bound<'py, PyType>,
        (before, after): (&ClassDef, &ClassDef),
        name: &str,
    ) -> PyResult<Option<Chain<'py>>> {
        let stored = crate::instances::mangle(&after.name, name);
        let held = cpython::type_dict(class).get_item(&stored)?;
        let (was, is) = (links(before, name), links(after, name));
        let begins = |definition: &ClassDef, links: &[usize]| {
            let first = links.first().map(|at| &definition.body[*at]);
            first.is_some_and(|first| replaces(first, name))
        };
        let whole = begins(before, &was) && begins(after, &is);
        Ok(held.filter(|_| whole).map(|held| Chain {
            name: name.to_string(),
            stored,
            held,
            was,
            is,
        }))
    }

    fn is_chain_due(
        &self,
        module: usize,
        path: &[(&ClassDef, &ClassDef)],
        change: &ClassChange,
        chain: &Chain<'py>,
        reached: &FxHashSet<String>,
    ) -> bool {
        let (_, after) = path[path.len() - 1];
        let mut steps = change.steps.iter();
        if steps.any(|step| chain.is.contains(&step.new) && step.renamed) {
            return false;
        }
        let plain = values::is_comparable(&chain.held);
        let reads_changed = |at: &usize| {
            let facts = &after.body[*at].facts;
            self.cause_in_class(module, path, facts, reached, plain)
                .is_some()
        };
        is_edited(&chain.was, &chain.is, change) || chain.is.iter().any(reads_changed)
    }

    /// The names of a class body whose values an edit may reach, as far as the body itself
    /// tells.
    fn reached_in_class(
        &self,
        module: usize,
        path: &[(&ClassDef, &ClassDef)],
        before: &ClassDef,
        change: &ClassChange,
    ) -> FxHashSet<String> {
        let (_, after) = path[path.len() - 1];
        let mut reached: FxHashSet<String> = FxHashSet::default();
        for at in &change.removed {
            let member = &before.body[*at];
            if member.function().is_none() {
                reached.extend(touched(member));
            }
        }
        loop {
            let known = reached.len();
            for step in &change.steps {
                let member = &after.body[step.new];
                if member.function().is_none()
                    && (step.change == Change::Run
                        || self
                            .cause_in_class(module, path, &member.facts, &reached, false)
                            .is_some())
                {
                    reached.extend(touched(member));
                }
            }
            if reached.len() == known {
                return reached;
            }
        }
    }

    /// Whether the old statements of a value made what is there now.
    fn is_made_by(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &[(&ClassDef, &ClassDef)],
        outline: &Arc<Outline>,
        chain: &Chain<'py>,
    ) -> PyResult<bool> {
        let key = (class.as_ptr() as usize, chain.stored.clone());
        if let Some(made) = self.chains_as_made.get(&key) {
            return Ok(*made);
        }
        let (before, _) = path[path.len() - 1];
        let members = members_at(before, &chain.was);
        // After the commit the old inputs are gone.
        let (Some(watched), false) = (
            self.must_watch(module, class, &before.name, &members, &chain.name)?,
            self.committed,
        ) else {
            return Ok(false);
        };
        let (old_outline, text) = match self.edits.get(&module) {
            Some(edited) => (edited.old_outline.clone(), edited.old_text.clone()),
            None => (outline.clone(), self.text(module)),
        };
        let definitions: Vec<&ClassDef> = path.iter().map(|(old, _)| *old).collect();
        let body = Body {
            text: &text,
            outline: &old_outline,
            path: &definitions,
            new: false,
        };
        let made = self.members_apart(module, class, body, &members, Some(&chain.name), watched)?;
        let Ok(names) = made else { return Ok(false) };
        let made = names.get_item(&chain.stored)?;
        Ok(made.is_some_and(|made| values::alike(&chain.held, &made)))
    }

    /// Whether the new statements of a value may run: what an unknown call does with the new
    /// inputs is seen before it counts.
    fn may_make(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &[(&ClassDef, &ClassDef)],
        outline: &Arc<Outline>,
        chain: &Chain<'py>,
    ) -> PyResult<bool> {
        let (_, after) = path[path.len() - 1];
        let members = members_at(after, &chain.is);
        let watched = self.must_watch(module, class, &after.name, &members, &chain.name)?;
        if watched != Some(true) {
            return Ok(watched.is_some());
        }
        let text = self.text(module);
        let definitions: Vec<&ClassDef> = path.iter().map(|(_, new)| *new).collect();
        let body = Body {
            text: &text,
            outline,
            path: &definitions,
            new: true,
        };
        let ran = self.members_apart(module, class, body, &members, Some(&chain.name), true)?;
        Ok(ran.is_ok())
    }

    /// Whether statements that make a value have to be watched. None: they must not run.
    fn must_watch(
        &self,
        module: usize,
        class: &Bound<'py, PyType>,
        own: &str,
        members: &[Statement],
        name: &str,
    ) -> PyResult<Option<bool>> {
        let mut watched = false;
        for member in members {
            let facts = self.facts_in_class(class, own, &member.facts, &[name.to_string()]);
            if self.impurity(module, &facts).is_some() {
                watched = true;
                if !self.may_be_tried(module, &facts)? {
                    return Ok(None);
                }
            }
        }
        Ok(Some(watched))
    }

    /// What some statements of a class body do as far as the module sees it: calls of the
    /// pure methods of builtin values that the body itself has named are none of its business.
    pub(super) fn facts_in_class(
        &self,
        class: &Bound<'py, PyType>,
        own: &str,
        facts: &Facts,
        chained: &[String],
    ) -> Facts {
        let mut facts = link_facts(facts, chained);
        let members = cpython::type_dict(class);
        facts.calls.retain(|call| {
            let Call::Path(path) = call else { return true };
            let held = members.get_item(crate::instances::mangle(own, &path[0]));
            let (Ok(Some(held)), [_, method]) = (held, &path[..]) else {
                return true;
            };
            let kind = held.get_type().name();
            !(values::is_comparable(&held)
                && kind.is_ok_and(|kind| is_pure_method(&kind.to_string(), method)))
        });
        facts
    }

    /// Runs statements of a class body in copies of its namespace and of the module's, and
    /// gives the copy of the former. With `watched` each of their instructions is looked at.
    /// An error in words: why it came to nothing.
    pub(crate) fn members_apart(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        body: Body<'_>,
        members: &[Statement],
        chained: Option<&str>,
        watched: bool,
    ) -> PyResult<Result<Bound<'py, PyDict>, String>> {
        let definition = body.definition();
        let globals = match body.new {
            true => self.namespace(module)?.copy()?,
            false => self.live_dict(module).copy()?,
        };
        let locals = cpython::type_dict(class).copy()?;
        let mut hidden = bound_below(definition, &members.iter().collect::<Vec<_>>());
        hidden.extend(chained.map(|name| crate::instances::mangle(&definition.name, name)));
        hide(&locals, &hidden)?;
        let mut writable = vec![locals.clone().into_any()];
        if let Some(annotations) = locals.get_item("__annotations__")? {
            let copy = annotations.call_method0("copy")?;
            locals.set_item("__annotations__", &copy)?;
            writable.push(copy);
        }
        let mut facts = Facts::default();
        for member in members {
            facts.reads.extend(member.facts.reads.iter().cloned());
            facts.calls.extend(member.facts.calls.iter().cloned());
        }
        let start = body.path[0].head.start;
        // A watched run sees for itself that it writes to nothing that others hold.
        let runs: Vec<&[Statement]> = match watched {
            true => vec![members],
            false => members.chunks(1).collect(),
        };
        let mut codes = Vec::new();
        for run in &runs {
            codes.push(self.code_of_members(module, body, run)?);
        }
        let mut view = match body.new {
            true => self.view_at(module, start, &facts, &globals)?,
            false => self.view_before(module, start, &facts, &globals)?,
        };
        let mut outcome = Ok(());
        for (run, code) in runs.iter().zip(&codes) {
            let Some(code) = code else {
                outcome = Err("its class is not compiled by itself".to_string());
                break;
            };
            let shared = !watched
                && match chained {
                    Some(name) => changes_shared(&run[0], name, &definition.name, &locals)?,
                    None => false,
                };
            if shared {
                outcome = Err("what it changes is held elsewhere too".to_string());
                break;
            }
            let execute = || codes::execute(code, &globals, Some(&locals));
            outcome = match watched {
                true => self.on_trial(&globals, &writable, execute)?,
                false => self
                    .guarded(&globals, &[], execute)
                    .map_err(|error| error.to_string()),
            };
            if outcome.is_err() {
                break;
            }
        }
        view.leave()?;
        Ok(outcome.map(|()| locals))
    }

    pub(super) fn code_of_members(
        &self,
        module: usize,
        body: Body<'_>,
        members: &[Statement],
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut skeleton = Skeleton::new(body.text, body.outline);
        for outer in body.path {
            skeleton = skeleton.class(outer);
        }
        for member in members {
            skeleton = skeleton.statement(member);
        }
        let unit = self.compile(module, &skeleton.finish())?;
        let names: Vec<String> = body.path.iter().map(|class| class.name.clone()).collect();
        codes::class_body(&unit, &names)
    }
}

/// The names of a class body of whose values several statements have a part, in either source.
fn chained(before: &ClassDef, after: &ClassDef) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut seen: FxHashSet<String> = FxHashSet::default();
    let mut parts: FxHashSet<String> = FxHashSet::default();
    for definition in [before, after] {
        seen.clear();
        for name in definition.body.iter().flat_map(touched) {
            if !seen.insert(name.clone()) && parts.insert(name.clone()) {
                names.push(name);
            }
        }
    }
    names.retain(|name| {
        let all_values = |definition: &ClassDef| {
            let links = links(definition, name);
            !links.is_empty() && links.iter().all(|at| is_value(&definition.body[*at]))
        };
        all_values(before) && all_values(after)
    });
    names
}

fn members_at(definition: &ClassDef, links: &[usize]) -> Vec<Statement> {
    let members = links.iter().map(|at| definition.body[*at].clone());
    members.collect()
}

/// Whether a statement makes values and nothing else.
fn is_value(member: &Statement) -> bool {
    matches!(
        member.kind,
        Kind::Assign { .. } | Kind::AugAssign { .. } | Kind::Compound(_) | Kind::Expression
    ) && member.deletes.is_empty()
}

/// The statements of a class body that have a part in a name, in order.
fn links(definition: &ClassDef, name: &str) -> Vec<usize> {
    let takes_part = |at: &usize| touched(&definition.body[*at]).iter().any(|it| it == name);
    (0..definition.body.len()).filter(takes_part).collect()
}

/// Whether one of the statements of a value is new, changed, gone or elsewhere.
fn is_edited(was: &[usize], is: &[usize], change: &ClassChange) -> bool {
    let counterparts: Vec<Option<usize>> = is
        .iter()
        .map(|at| {
            let mut steps = change.steps.iter();
            let step = steps.find(|step| step.new == *at)?;
            step.old.filter(|_| step.change != Change::Run)
        })
        .collect();
    let were: Vec<Option<usize>> = was.iter().copied().map(Some).collect();
    counterparts != were
}

/// Whether a statement changes a container in place that more than its name holds.
fn changes_shared(
    member: &Statement,
    name: &str,
    own: &str,
    locals: &Bound<'_, PyDict>,
) -> PyResult<bool> {
    if !crate::chain::augmented(member).iter().any(|it| it == name) {
        return Ok(false);
    }
    let held = locals.get_item(crate::instances::mangle(own, name))?;
    Ok(held.is_some_and(|held| is_shared(&held, locals)))
}
