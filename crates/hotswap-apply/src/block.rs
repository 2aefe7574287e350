//! `if` and `try` at module level: the statements inside are looked at one by one.
//!
//! Which block ran is found by evaluating the conditions once more, where that is
//! harmless, else by what lives. Then the block that ran is compared with the one that
//! would run now, as two bodies of statements: definitions keep their identity, what
//! did not change does not run.

use std::sync::Arc;

use hotswap_plan::{Branch, Change, Compound, Kind, Outline, Pragma, Statement, Step, diff_bodies};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::stage::{Late, Stage};
use crate::statement::{evaluate, kind_of};
use crate::timeline::Place;
use crate::values;

/// A compound statement in its source.
#[derive(Clone, Copy)]
struct Block<'o> {
    compound: &'o Compound,
    place: Place<'o>,
}

impl Block<'_> {
    /// Whether nothing in the module but one branch binds a name, and nothing deletes it.
    fn alone_binds(&self, at: usize, name: &String) -> bool {
        let branches = self.compound.branches.iter().enumerate();
        let in_another = branches
            .filter(|(other, _)| *other != at)
            .any(|(_, branch)| binds(branch, name));
        let statements = self.place.outline.statements.iter().enumerate();
        let elsewhere = statements
            .clone()
            .any(|(index, statement)| index != self.place.index && statement.binds.contains(name));
        let deleted = statements
            .clone()
            .any(|(_, statement)| statement.deletes.contains(name));
        !in_another && !elsewhere && !deleted
    }
}

/// The block of a body that alone bound a name: a definition that was inside it has no
/// counterpart among the statements.
pub(crate) fn only_in_block<'a>(body: &'a [Statement], name: &str) -> Option<&'a Statement> {
    let mut binders = body
        .iter()
        .filter(|statement| statement.binds.iter().any(|bound| bound == name));
    let first = binders.next()?;
    (binders.next().is_none() && matches!(first.kind, Kind::Compound(_))).then_some(first)
}

impl<'py> Stage<'_, 'py> {
    /// Looks into a changed block, or into one that reads something that changed.
    /// False: it has to run as a whole.
    pub(crate) fn stage_block(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        outline: &Arc<Outline>,
        changed: bool,
    ) -> PyResult<bool> {
        let (Kind::Compound(before), Kind::Compound(after)) = (&old.kind, &new.kind) else {
            return Ok(false);
        };
        if before.branches.is_empty() || before.keyword != after.keyword {
            return Ok(false);
        }
        // A condition that binds a name has to be evaluated for that name as well.
        let in_heads = |name: &String| {
            let mut bodies = after.branches.iter().flat_map(|branch| &branch.body);
            !bodies.any(|inner| inner.binds.contains(name))
        };
        if before.heads != after.heads && new.binds.iter().any(in_heads) {
            return Ok(false);
        }
        let (old_outline, old_text) = match self.edits.get(&module) {
            Some(edited) => (edited.old_outline.clone(), edited.old_text.clone()),
            None => (outline.clone(), self.text(module)),
        };
        let text = self.text(module);
        let block = |compound, outline, text, statement: &Statement, new| Block {
            compound,
            place: Place {
                outline,
                text,
                index: crate::chain::holder_of(outline, statement).unwrap_or(usize::MAX),
                new,
            },
        };
        let was = block(before, &old_outline, &old_text, old, false);
        let is = block(after, outline, &text, new, true);
        let key = (module, old.span.start);
        let old_active = match self.ran_before.get(&key) {
            Some(known) => known.clone(),
            None => {
                let active = self.active(module, was, None)?;
                self.ran_before.insert(key, active.clone());
                active
            }
        };
        let Some(old_active) = old_active else {
            return Ok(false);
        };
        let Some(new_active) = self.active(module, is, Some((before, &old_active)))? else {
            return Ok(false);
        };
        let left = body_of(before, &old_active);
        let right = body_of(after, &new_active);
        let (steps, removed) = diff_bodies(&left, &right, self.has_other_futures(module));
        if after.keyword == "try"
            && !steps
                .iter()
                .all(|step| self.stays_in_try(module, &right, step))
        {
            return Ok(false);
        }
        // A name that several of these statements make is made by all of them.
        let names = |step: &Step| right[step.new].binds.iter();
        let torn = steps
            .iter()
            .filter(|step| step.change != Change::Same)
            .flat_map(names)
            .any(|name| {
                right
                    .iter()
                    .filter(|other| other.binds.contains(name))
                    .count()
                    > 1
            });
        if torn {
            return Ok(false);
        }
        if after.keyword == "try" && !self.runs_alone(module, &right, &steps)? {
            return Ok(false);
        }
        if !changed
            && let Some(reason) = self.why_not_flip(module, &left, &right, &steps, &removed)?
        {
            let label = new.label(&text);
            let entry = self.entry(module, &label, Some(new), "statement", "stale");
            entry.reason = format!("its condition changed; {reason}");
            entry.advice = "# hotswap: rerun".to_string();
            return Ok(true);
        }
        if changed || old_active != new_active {
            self.patch_statements(module, &steps, &left, &right)?;
        }
        for at in &removed {
            self.withdraw_inner(module, &left[*at])?;
        }
        for step in &steps {
            let inner = &right[step.new];
            let key = (module, inner.span.start);
            if self.inner_done.contains(&key) {
                continue;
            }
            let before = step.old.map(|at| &left[at]);
            if self.stage_inner(module, before, inner, step, outline, is.place.index)? {
                self.inner_done.insert(key);
            }
        }
        self.unbind_gone(module, &left, &right, new, outline)?;
        Ok(true)
    }

    /// Whether the `from __future__` imports of an edited module differ.
    fn has_other_futures(&self, module: usize) -> bool {
        let edited = self.edits.get(&module);
        edited.is_some_and(|edited| edited.plan.futures_changed)
    }

    /// An unchanged block, where the `from __future__` imports changed: what it defines has
    /// another kind of annotations. False: they did not change, or it is not known what ran.
    pub(crate) fn follows_futures(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<bool> {
        Ok(self.has_other_futures(module) && self.stage_block(module, old, new, outline, true)?)
    }

    /// One statement of a block. False: it waits for the commit.
    fn stage_inner(
        &mut self,
        module: usize,
        old: Option<&Statement>,
        new: &Statement,
        step: &Step,
        outline: &Arc<Outline>,
        index: usize,
    ) -> PyResult<bool> {
        let still = matches!(
            step.change,
            Change::Same | Change::Bodies | Change::Annotation
        );
        if !still && self.must_wait(module, &new.facts) && !self.can_show(module, &new.facts) {
            self.late.push(Late {
                module,
                step: index,
                remade: None,
            });
            for name in &new.binds {
                self.late_names.insert((module, name.clone()));
            }
            return Ok(false);
        }
        if step.renamed
            && let Some(old) = old
        {
            self.rename(module, old, new, outline)?;
            return Ok(true);
        }
        match (&step.change, old) {
            (Change::Same, Some(old)) if self.follows_futures(module, old, new, outline)? => {}
            (Change::Same | Change::Bodies, Some(old)) => {
                if step.change == Change::Bodies {
                    self.new_attributes_of(module, old, new)?;
                }
                self.derive_inner(module, old, new, outline)?;
            }
            (Change::Annotation, Some(old)) => {
                self.annotate(module, new, outline)?;
                self.derive_inner(module, old, new, outline)?;
            }
            (Change::Function(change), Some(old)) => {
                self.stage_function(module, old, new, change, outline)?;
            }
            (Change::Class(change), Some(old)) => {
                self.stage_class(module, old, new, change, outline, index)?;
            }
            (_, Some(_)) if new.pragma == Some(Pragma::Keep) => {}
            (_, Some(old)) => {
                if !self.stage_block(module, old, new, outline, true)? {
                    self.run(module, Some(old), new, outline)?;
                }
            }
            (_, None) => self.run(module, None, new, outline)?,
        }
        Ok(true)
    }

    /// An unchanged statement of a block that reads something that changed.
    fn derive_inner(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        match &new.kind {
            Kind::Function(_) => {
                if self.derive_decorators(module, old, new, outline)? {
                    return Ok(());
                }
                return self.derive_defaults(module, old, new, None);
            }
            Kind::Class(_) => return self.derive_class(module, old, new, outline),
            Kind::Import(_) | Kind::Expression => return Ok(()),
            _ => {}
        }
        let Some(cause) = self.cause(module, &new.facts) else {
            return Ok(());
        };
        if let Kind::Compound(compound) = &new.kind
            && !compound.branches.is_empty()
            && self.stage_block(module, old, new, outline, false)?
        {
            return Ok(());
        }
        if self.run_chain(module, new, outline, None)? {
            return Ok(());
        }
        let label = new.label(&self.text(module));
        if new.pragma == Some(Pragma::Keep) {
            self.entry(module, &label, Some(new), "statement", "kept")
                .reason = "# hotswap: keep".to_string();
            return Ok(());
        }
        if new.pragma != Some(Pragma::Rerun) {
            let text = self.text(module);
            self.came_to.take();
            let reason = match self.impurity_on_trial(module, &new.facts, (&text, new.span)) {
                Some(reason) => Some(reason),
                None if !self.unchanged_since(module, old)? => {
                    let came_to = self.came_to.take();
                    Some(came_to.unwrap_or_else(|| "the program changed its value since".into()))
                }
                None => None,
            };
            if let Some(reason) = reason {
                let entry = self.entry(module, &label, Some(new), "statement", "stale");
                entry.reason = format!("depends on {cause}; {reason}");
                entry.advice = "# hotswap: rerun".to_string();
                return Ok(());
            }
        }
        self.derive_now(module, new, outline)
    }

    /// Whether the live values are what one statement of the old source gives.
    fn unchanged_since(&mut self, module: usize, old: &Statement) -> PyResult<bool> {
        let (outline, text) = match self.edits.get(&module) {
            Some(edited) => (edited.old_outline.clone(), edited.old_text.clone()),
            None => match self.outline(module) {
                Some(outline) => (outline, self.text(module)),
                None => return Ok(false),
            },
        };
        let live = self.live_dict(module);
        let copy = live.copy()?;
        let skeleton = hotswap_plan::Skeleton::new(&text, &outline).statement(old);
        let code = self.compile(module, &skeleton.finish())?;
        if let Some(reason) = self.impurity_on_trial(module, &old.facts, (&text, old.span)) {
            self.came_to.replace(Some(reason));
            return Ok(false);
        }
        if self.execute_guarded(&code, &copy).is_err() {
            return Ok(false);
        }
        for name in &old.binds {
            match (live.get_item(name)?, copy.get_item(name)?) {
                (Some(a), Some(b)) if values::alike(&a, &b) => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Why another block must not take over by itself. None: it is harmless.
    fn why_not_flip(
        &mut self,
        module: usize,
        left: &[Statement],
        right: &[Statement],
        steps: &[Step],
        removed: &[usize],
    ) -> PyResult<Option<String>> {
        let definition = |statement: &Statement| {
            matches!(
                statement.kind,
                Kind::Function(_) | Kind::Class(_) | Kind::Import(_)
            )
        };
        for step in steps.iter().filter(|step| step.change == Change::Run) {
            let statement = &right[step.new];
            // One that has not run before runs as any new statement does.
            let first = step.old.is_none();
            if !first
                && !definition(statement)
                && let Some(reason) = self.impurity(module, &statement.facts)
            {
                return Ok(Some(reason));
            }
        }
        let replaced = steps
            .iter()
            .filter(|step| step.change == Change::Run)
            .filter_map(|step| step.old)
            .chain(removed.iter().copied());
        for at in replaced {
            let statement = &left[at];
            if definition(statement) || statement.binds.is_empty() {
                continue;
            }
            if let Some(reason) = self.impurity(module, &statement.facts) {
                return Ok(Some(format!("what it made before would be lost: {reason}")));
            }
            if !self.unchanged_since(module, statement)? {
                return Ok(Some("the program changed a value of it since".to_string()));
            }
        }
        Ok(None)
    }

    /// Whether a changed statement of a `try` can run by itself, without its handlers.
    fn stays_in_try(&self, module: usize, body: &[Statement], step: &Step) -> bool {
        let statement = &body[step.new];
        match &statement.kind {
            _ if step.change != Change::Run => true,
            Kind::Function(function) => function.decorators.is_empty(),
            Kind::Import(_) => false,
            _ => self.impurity(module, &statement.facts).is_none(),
        }
    }

    /// Whether the changed values of a `try` can be had without an exception.
    fn runs_alone(&mut self, module: usize, body: &[Statement], steps: &[Step]) -> PyResult<bool> {
        let Some(outline) = self.outline(module) else {
            return Ok(false);
        };
        let text = self.text(module);
        let copy = self.namespace(module)?.copy()?;
        for step in steps.iter().filter(|step| step.change == Change::Run) {
            let statement = &body[step.new];
            if statement.function().is_some() {
                continue;
            }
            let skeleton = hotswap_plan::Skeleton::new(&text, &outline).statement(statement);
            let code = self.compile(module, &skeleton.finish())?;
            let start = statement.span.start;
            let mut view = self.view_at(module, start, &statement.facts, &copy)?;
            let ran = crate::codes::execute(&code, &copy, None);
            view.leave()?;
            if ran.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Names that a block does not give any more.
    fn unbind_gone(
        &mut self,
        module: usize,
        left: &[Statement],
        right: &[Statement],
        new: &Statement,
        outline: &Outline,
    ) -> PyResult<()> {
        let mut names: Vec<String> = left.iter().flat_map(|old| old.binds.clone()).collect();
        // What removed statements had bound and what an inactive block only seems to bind.
        if let Some(edited) = self.edits.get(&module) {
            for at in &edited.plan.removed {
                let gone = &edited.old_outline.statements[*at].binds;
                names.extend(gone.iter().filter(|name| new.binds.contains(name)).cloned());
            }
        }
        names.sort();
        names.dedup();
        for name in names {
            let given = right.iter().any(|inner| inner.binds.contains(&name));
            let elsewhere = outline.statements.iter().any(|other| {
                other.span != new.span
                    && !(other.span.start <= new.span.start && new.span.end <= other.span.end)
                    && other.binds.contains(&name)
            });
            if given
                || elsewhere
                || name == "*"
                || outline.globals_declared.contains(&name)
                || self.comes_by_star(module, &name, outline)?
            {
                continue;
            }
            let was = self.live_dict(module).get_item(&name)?;
            if was.is_none() {
                continue;
            }
            self.bind(module, &name, None)?;
            self.note_value(module, &name, was, None);
            self.entry(module, &name, None, kind_of(new), "removed");
        }
        Ok(())
    }

    /// The blocks that ran, or will; None: it cannot be known. `before` is what is known
    /// about the old version of the statement.
    fn active(
        &mut self,
        module: usize,
        block: Block<'_>,
        before: Option<(&Compound, &[usize])>,
    ) -> PyResult<Option<Vec<usize>>> {
        if block.compound.keyword == "try" {
            return Ok(match before {
                None => self.active_in_try(module, block),
                Some((old, active)) => same_part(old, active, block.compound),
            });
        }
        let namespace = match block.place.new {
            true => self.namespace(module)?.copy()?,
            false => self.live_dict(module).copy()?,
        };
        for (index, branch) in block.compound.branches.iter().enumerate() {
            let Some(test) = &branch.test else {
                return Ok(Some(vec![index]));
            };
            if self.impurity(module, &test.facts).is_some() {
                return Ok(match before {
                    None => self.by_evidence(module, block),
                    Some((old, active)) if old.heads == block.compound.heads => {
                        Some(active.to_vec())
                    }
                    Some(_) => None,
                });
            }
            let mut view = self.view(module, block.place, &test.facts, &namespace, &[])?;
            let value = evaluate(self.py, test.span.of(block.place.text), &namespace);
            view.leave()?;
            let Ok(value) = value else { return Ok(None) };
            if !values::is_comparable(&value) {
                return Ok(None);
            }
            if value.is_truthy()? {
                return Ok(Some(vec![index]));
            }
        }
        Ok(Some(Vec::new()))
    }

    /// Runs those statements of a block that ran before, in a copy of a namespace: the
    /// others may have effects. False: it is not known which, or they have effects too.
    pub(crate) fn run_part_that_ran(
        &mut self,
        module: usize,
        place: Place<'_>,
        copy: &Bound<'py, PyDict>,
        names: &[String],
    ) -> PyResult<bool> {
        let statement = &place.outline.statements[place.index];
        let Kind::Compound(compound) = &statement.kind else {
            return Ok(false);
        };
        // A `try` shows by its traces which part of it ran; an edited one has left none.
        let same = !place.new
            || self
                .old_statement(module, place.index)
                .is_some_and(|old| old.fingerprint == statement.fingerprint);
        if compound.branches.is_empty() || compound.keyword == "try" && !same {
            return Ok(false);
        }
        let Some(active) = self.active(module, Block { compound, place }, None)? else {
            return Ok(false);
        };
        for inner in body_of(compound, &active) {
            if self.link_impurity(module, &inner, names) {
                return Ok(false);
            }
            let skeleton = hotswap_plan::Skeleton::new(place.text, place.outline).statement(&inner);
            let code = self.compile(module, &skeleton.finish())?;
            let mut view = self.view(module, place, &inner.facts, copy, names)?;
            let ran = match view.unknown.is_empty() {
                true => crate::codes::execute(&code, copy, None),
                false => Ok(()),
            };
            let known = view.unknown.is_empty();
            view.leave()?;
            if ran.is_err() || !known {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The block whose functions live or whose own names are bound, if it is only one; none
    /// where each lacks a name that nothing else binds.
    fn by_evidence(&self, module: usize, block: Block<'_>) -> Option<Vec<usize>> {
        let all = 0..block.compound.branches.len();
        let ran: Vec<usize> = all
            .clone()
            .filter(|at| self.left_traces(module, block, *at))
            .collect();
        let live = self.live_dict(module);
        let cannot_have_run = |at: usize| {
            let lacks = |name: &&String| !live.contains(*name).unwrap_or(true);
            let inner = block.compound.branches[at].body.iter();
            inner
                .filter(|inner| {
                    matches!(
                        inner.kind,
                        Kind::Function(_) | Kind::Class(_) | Kind::Assign { .. } | Kind::Import(_)
                    )
                })
                .flat_map(|inner| &inner.binds)
                .filter(|name| block.alone_binds(at, name))
                .any(|name| lacks(&name))
        };
        match ran.len() {
            0 if all.clone().all(cannot_have_run) => Some(ran),
            1 => Some(ran),
            _ => None,
        }
    }

    fn left_traces(&self, module: usize, block: Block<'_>, at: usize) -> bool {
        let branch = &block.compound.branches[at];
        let lives = |inner: &Statement| {
            inner
                .codes
                .iter()
                .any(|site| !self.functions_at(module, &site.name, site.line).is_empty())
        };
        let live = self.live_dict(module);
        let own =
            |name: &String| block.alone_binds(at, name) && live.contains(name).unwrap_or(false);
        branch.body.iter().any(lives) || branch.body.iter().flat_map(|inner| &inner.binds).any(own)
    }

    fn active_in_try(&self, module: usize, block: Block<'_>) -> Option<Vec<usize>> {
        let branches = &block.compound.branches;
        let handlers: Vec<usize> = (0..branches.len())
            .filter(|at| branches[*at].role == "except")
            .collect();
        let modules = self.py.import("sys").ok()?.getattr("modules").ok()?;
        let missing = branches[0].body.iter().any(|inner| match &inner.kind {
            Kind::Import(imports) => imports.iter().any(|import| {
                crate::resolve_import(&self.package(module), import)
                    .is_some_and(|name| !modules.contains(name).unwrap_or(false))
            }),
            _ => false,
        });
        let traced: Vec<usize> = handlers
            .iter()
            .copied()
            .filter(|at| self.left_traces(module, block, *at))
            .collect();
        let mut ran = match (&traced[..], missing, &handlers[..]) {
            ([one], ..) => vec![*one],
            ([], true, [one]) => vec![*one],
            ([], false, _) => {
                let mut ran = vec![0];
                ran.extend((0..branches.len()).filter(|at| branches[*at].role == "else"));
                ran
            }
            _ => return None,
        };
        ran.extend((0..branches.len()).filter(|at| branches[*at].role == "finally"));
        Some(ran)
    }
}

fn binds(branch: &Branch, name: &String) -> bool {
    branch.body.iter().any(|inner| inner.binds.contains(name))
}

/// The blocks of the new `try` in the place of those that ran in the old one.
fn same_part(old: &Compound, active: &[usize], new: &Compound) -> Option<Vec<usize>> {
    if active.first() == Some(&0) {
        let part = |at: &usize| matches!(new.branches[*at].role, "try" | "else" | "finally");
        return Some((0..new.branches.len()).filter(part).collect());
    }
    let same = old.branches[0].body.len() == new.branches[0].body.len()
        && old.branches[0]
            .body
            .iter()
            .zip(&new.branches[0].body)
            .all(|(was, is)| was.fingerprint == is.fingerprint);
    let handler = *active.first()?;
    if !same || old.heads != new.heads {
        return None;
    }
    let mut ran = vec![handler];
    ran.extend((0..new.branches.len()).filter(|at| new.branches[*at].role == "finally"));
    Some(ran)
}

fn body_of(compound: &Compound, active: &[usize]) -> Vec<Statement> {
    active
        .iter()
        .flat_map(|at| compound.branches[*at].body.iter().cloned())
        .collect()
}
