//! Deriving values of unchanged statements again.

use std::sync::Arc;

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{Kind, Outline, Pragma, Statement};
use pyo3::prelude::*;

use crate::codes;
use crate::stage::{Changed, Late, Stage};
use crate::timeline::Place;
use crate::transaction::Write;
use crate::values;

impl<'py> Stage<'_, 'py> {
    /// Derives statements of a module that was not edited.
    pub(crate) fn derive_module(&mut self, module: usize) -> PyResult<()> {
        if self.changed.is_empty()
            && self.late_names.is_empty()
            && !self.world.modules[module].may_read_other_data()
        {
            return Ok(());
        }
        let Some(outline) = self.outline(module) else {
            return Ok(());
        };
        for index in 0..outline.statements.len() {
            self.derive(module, index, &outline)?;
            self.finish_chains(module, index, &outline)?;
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
        if self.derive_data(module, index, outline)? {
            return Ok(());
        }
        if self.changed.is_empty()
            && self.late_names.is_empty()
            && self.early.is_empty()
            && !self.edits.contains_key(&module)
        {
            return Ok(());
        }
        if self.is_open(module, statement) {
            // It has not run yet, or runs now: it reads what is there when it does.
            return Ok(());
        }
        if self.passed_on.contains(&(module, statement.span.start)) {
            // It ran again with the class that it passes on, or with the object that it completes.
            return Ok(());
        }
        if let Kind::Function(_) | Kind::Class(_) = &statement.kind
            && let Some(name) = self.early_cause(module, index, &statement.facts, outline)
            && !self.changed.contains_key(&(module, name.clone()))
        {
            // Only here the name has another value: it is bound again further down.
            let key = (module, name);
            self.changed.insert(key.clone(), Changed::Value);
            let derived = self.derive_definition(module, index, outline);
            self.changed.remove(&key);
            return derived;
        }
        if let Kind::Function(_) | Kind::Class(_) = &statement.kind {
            return self.derive_definition(module, index, outline);
        }
        match &statement.kind {
            Kind::Import(_) | Kind::Future | Kind::Docstring | Kind::MainGuard => return Ok(()),
            _ => {}
        }
        let cause = match self.cause(module, &statement.facts) {
            Some(cause) => Some(cause),
            None => self.early_cause(module, index, &statement.facts, outline),
        };
        let cause = match cause {
            Some(cause) => Some(cause),
            None => self.inner_cause(module, statement)?,
        };
        if cause.is_none() && self.collects_other_names(module, statement) {
            return self.derive_collected(module, index, statement);
        }
        let Some(cause) = cause else {
            let old_index = self.old_index(module, index);
            return self.derive_closure(module, index, old_index, outline);
        };
        // A bare call or an `assert` is something that was done, not a value that could
        // be out of date.
        let binds_nothing = matches!(statement.kind, Kind::Other) && statement.binds.is_empty();
        if (matches!(statement.kind, Kind::Expression) || binds_nothing)
            && statement.pragma != Some(Pragma::Rerun)
        {
            if !self.fill_again(module, statement, outline)? {
                self.report_done(module, statement, &cause);
            }
            return Ok(());
        }
        let label = statement.label(&self.text(module));
        if let Kind::Compound(_) = &statement.kind
            && statement.pragma.is_none()
            && (!statement.codes.is_empty() || self.impurity(module, &statement.facts).is_some())
            && let Some(old) = self.old_statement(module, index)
            && self.stage_block(module, &old, statement, outline, false)?
        {
            return Ok(());
        }
        if statement.pragma == Some(Pragma::Keep) {
            self.entry(module, &label, Some(statement), "statement", "kept")
                .reason = "# hotswap: keep".to_string();
            return Ok(());
        }
        let old_index = self.old_index(module, index);
        if self.run_chain(module, statement, outline, None)? {
            return Ok(());
        }
        if !self.committed
            && statement.binds.is_empty()
            && statement.pragma != Some(Pragma::Rerun)
            && self.changes_late(module, statement)
        {
            // By then what it changes may be complete.
            self.derive_late(module, index);
            return Ok(());
        }
        if statement.pragma.is_none() && self.derive_stored(module, statement)? {
            return Ok(());
        }
        if statement.pragma != Some(Pragma::Rerun) {
            let mut stale = self.why_not_derive(module, statement, old_index)?;
            if stale.is_none() && self.is_added_to(module, outline, statement)? {
                // Alone it would take away what these have put there.
                stale = Some("other statements that make it cannot be run again".to_string());
            }
            if let Some(reason) = stale {
                self.report_stale(module, statement, &cause, &reason);
                return Ok(());
            }
        }
        if self.must_wait(module, &statement.facts) && !self.can_show(module, &statement.facts) {
            self.derive_late(module, index);
            for name in &statement.binds {
                self.late_names.insert((module, name.clone()));
            }
            return Ok(());
        }
        self.derive_now(module, statement, outline)
    }

    /// An unchanged statement that waited for the commit.
    pub(crate) fn derive_due(
        &mut self,
        module: usize,
        statement: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let names = crate::chain::augmented(statement);
        let runs = statement.pragma == Some(Pragma::Rerun) || !statement.binds.is_empty();
        if runs || names.is_empty() {
            return self.derive_now(module, statement, outline);
        }
        if !self.passed_on.contains(&(module, statement.span.start)) {
            let (name, reason) = (names.join(", "), "it may not be harmless to run again");
            self.report_stale(module, statement, &name, reason);
        }
        Ok(())
    }

    /// Whether what a statement changes in place is made after the commit.
    fn changes_late(&self, module: usize, statement: &Statement) -> bool {
        crate::chain::augmented(statement)
            .into_iter()
            .any(|name| self.late_names.contains(&(module, name)))
    }

    /// An unchanged statement has its turn right after the commit.
    fn derive_late(&mut self, module: usize, index: usize) {
        let step = self.step_of(module, index).unwrap_or(index);
        self.late.push(Late {
            module,
            step,
            remade: None,
        });
    }

    pub(crate) fn report_stale(
        &mut self,
        module: usize,
        statement: &Statement,
        cause: &str,
        reason: &str,
    ) {
        let label = statement.label(&self.text(module));
        let entry = self.entry(module, &label, Some(statement), "statement", "stale");
        entry.reason = format!("depends on {cause}; {reason}");
        entry.advice = "# hotswap: rerun".to_string();
    }

    /// Defaults, decorators, bases and class bodies that read something that changed.
    fn derive_definition(
        &mut self,
        module: usize,
        index: usize,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let statement = &outline.statements[index];
        let before = match self.edits.get(&module) {
            Some(edited) => edited.old_outline.clone(),
            None => outline.clone(),
        };
        let Some(old) = self.old_index(module, index) else {
            return Ok(());
        };
        let old = &before.statements[old];
        match &statement.kind {
            Kind::Function(_) => {
                if self.derive_decorators(module, old, statement, outline)? {
                    return Ok(());
                }
                self.derive_annotations(module, old, statement, outline)?;
                self.derive_defaults(module, old, statement, None)
            }
            Kind::Class(_) => self.derive_class(module, old, statement, outline),
            _ => Ok(()),
        }
    }

    /// A function that it calls and of which only functions inside changed: those that it
    /// made are patched, a plain value that it made is not.
    fn inner_cause(&self, module: usize, statement: &Statement) -> PyResult<Option<String>> {
        let inner = statement.facts.calls.iter().find_map(|call| match call {
            hotswap_plan::Call::Path(path)
                if self.change_of(module, path) == Some(Changed::Nested) =>
            {
                Some(format!("{}()", path.join(".")))
            }
            _ => None,
        });
        if inner.is_none() {
            return Ok(None);
        }
        let live = self.live_dict(module);
        for name in &statement.binds {
            let value = live.get_item(name)?;
            if !value.is_some_and(|value| crate::values::is_comparable(&value)) {
                return Ok(None);
            }
        }
        Ok(inner)
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
        let index = crate::chain::holder_of(outline, statement).unwrap_or(usize::MAX);
        let text = self.text(module);
        let place = Place {
            outline,
            text: &text,
            index,
            new: true,
        };
        let mut view = self.view(module, place, &statement.facts, &namespace, &[])?;
        if let Some(name) = view.unknown.first().cloned() {
            view.leave()?;
            self.report_unknown(module, statement, &name);
            return Ok(());
        }
        let holders = hotswap_cpython::heap::reference_count(namespace.as_any());
        let own = self.show_own_names(module, &statement.facts, &namespace)?;
        let mut ran = match statement.pragma {
            Some(Pragma::Rerun) => codes::execute(&code, &namespace, None),
            _ => self.execute_guarded(&code, &namespace),
        };
        self.hide_own_names(module, &own, &namespace)?;
        view.leave()?;
        if !own.is_empty()
            && ran.is_ok()
            && hotswap_cpython::heap::reference_count(namespace.as_any()) != holders
        {
            // What stood in for the names of the module must not outlive this update.
            let reason = "it keeps hold of the names of its module";
            ran = Err(crate::guard::NotHarmless::new_err(reason));
            self.came_to.replace(Some(reason.to_string()));
        }
        for (old, new) in view.copies.drain(..) {
            self.transaction.push(Write::Reference { old, new });
        }
        if let Err(error) = ran {
            // A name that it needs is gone: a fresh start would fail here, the program need not.
            for name in &statement.binds {
                match before.get_item(name)? {
                    Some(was) => namespace.set_item(name, was)?,
                    None if namespace.contains(name)? => namespace.del_item(name)?,
                    None => {}
                }
            }
            self.note_underived(module, statement)?;
            let label = statement.label(&self.text(module));
            let came_to = self.came_to.take();
            let entry = self.entry(module, &label, Some(statement), "statement", "stale");
            entry.reason = came_to.unwrap_or_else(|| format!("it cannot be run again: {error}"));
            entry.advice = "# hotswap: rerun".to_string();
            return Ok(());
        }
        self.forget_underived(module, statement);
        if !statement.codes.is_empty()
            && let Some(staging) = self.staging.get_mut(&module)
        {
            staging.made_functions = true;
        }
        for name in &statement.binds {
            self.complete_new(module, index, name, outline)?;
            let was = before.get_item(name)?;
            if let Some(now) = namespace.get_item(name)? {
                if !self.committed && Self::is_overruled(outline, index, name) {
                    self.early.insert((module, index, name.clone()), now);
                    match &was {
                        Some(was) => namespace.set_item(name, was)?,
                        None => namespace.del_item(name)?,
                    }
                    continue;
                }
                if let Some(was) = &was
                    && values::is_plain(was)
                    && values::equal(was, &now)
                {
                    // Who imported it holds the same object.
                    namespace.set_item(name, was)?;
                    continue;
                }
                if let Some(was) = &was
                    && self.is_twin(was, &now)?
                    && was.peek("__closure__")?.is_none()
                    && now.peek("__closure__")?.is_none()
                {
                    // The live one gets its lines, and what else its source says, by itself.
                    namespace.set_item(name, was)?;
                    continue;
                }
                if let Some(was) = &was
                    && self.follow_instance(was, &now)?
                {
                    self.bind(module, name, Some(was.clone()))?;
                    self.changed.insert((module, name.clone()), Changed::Value);
                    self.show_stand_in(&namespace, name, now, was.clone())?;
                    continue;
                }
                if let Some(was) = &was
                    && values::is_container(was)
                    && was.get_type().is(now.get_type())
                {
                    // Whoever holds the container has what it is now.
                    self.follow_elements(was, &now, 0)?;
                    self.bind(module, name, Some(was.clone()))?;
                    if !values::equal(was, &now) {
                        self.changed.insert((module, name.clone()), Changed::Value);
                        self.stand_in(&namespace, name, now, was.clone())?;
                    }
                    continue;
                }
                self.bind(module, name, Some(now.clone()))?;
                self.note_value(module, name, was, Some(now));
            }
        }
        let label = statement.label(&self.text(module));
        self.entry(module, &label, Some(statement), "statement", "re-ran")
            .reason = "something it reads changed".to_string();
        Ok(())
    }

    /// A statement that cannot run because what it would read at its place is not known.
    pub(crate) fn report_unknown(&mut self, module: usize, statement: &Statement, name: &str) {
        let label = statement.label(&self.text(module));
        let entry = self.entry(module, &label, Some(statement), "statement", "stale");
        entry.reason = format!("what {name} held there cannot be made again without effects");
        entry.advice = "# hotswap: rerun".to_string();
    }

    /// `X.append(Y)` was done, and is not done again; but X holds what Y was.
    fn report_done(&mut self, module: usize, statement: &Statement, cause: &str) {
        let names = crate::chain::augmented(statement);
        let known = |name: &String| {
            self.chained.contains(&(module, name.clone())) || self.is_awaited(module, name)
        };
        if names.is_empty() || names.iter().all(known) || statement.pragma == Some(Pragma::Keep) {
            return;
        }
        let entry = self.entry(
            module,
            &names.join(", "),
            Some(statement),
            "statement",
            "stale",
        );
        entry.reason = format!("what was put into it depends on {cause}");
        entry.advice = "# hotswap: rerun".to_string();
    }

    /// The index of a statement's counterpart in the baseline.
    fn old_index(&self, module: usize, index: usize) -> Option<usize> {
        match self.edits.get(&module) {
            Some(edited) => {
                let step = self.step_of(module, index)?;
                edited.plan.steps[step].old
            }
            None => Some(index),
        }
    }

    pub(crate) fn step_of(&self, module: usize, index: usize) -> Option<usize> {
        let steps = &self.edits.get(&module)?.plan.steps;
        // The plan of a module has a step for each statement of its new source.
        let own = steps.get(index).is_some_and(|step| step.new == index);
        match own {
            true => Some(index),
            false => steps.iter().position(|step| step.new == index),
        }
    }

    fn why_not_derive(
        &mut self,
        module: usize,
        statement: &Statement,
        old_index: Option<usize>,
    ) -> PyResult<Option<String>> {
        let text = self.text(module);
        if let Some(reason) =
            self.impurity_on_trial(module, &statement.facts, (&text, statement.span))
        {
            return Ok(Some(reason));
        }
        let Some(old_index) = old_index else {
            return Ok(None);
        };
        if !crate::chain::augmented(statement).is_empty() {
            return Ok(Some(
                "the other statements that make it cannot be run again, or the program changed its value since".to_string(),
            ));
        }
        let (text, baseline) = match self.edits.get(&module) {
            Some(edited) => (edited.old_text.clone(), Some(edited.old_outline.clone())),
            None => (text, self.outline(module)),
        };
        let Some(baseline) = baseline else {
            return Ok(None);
        };
        // Where a later statement decides, the live value says nothing about this one.
        let names: Vec<String> = statement
            .binds
            .iter()
            .filter(|name| !Self::is_overruled(&baseline, old_index, name))
            .cloned()
            .collect();
        let mut chain = vec![old_index];
        for name in &names {
            chain.extend(crate::timeline::links(&baseline, name));
        }
        chain.sort_unstable();
        chain.dedup();
        let harmful = |link: &usize| {
            let link = &baseline.statements[*link];
            if self
                .imported_names(module, link, &names, false)
                .is_ok_and(|given| given.is_some())
            {
                return false;
            }
            let facts = crate::timeline::link_facts(&link.facts, &names);
            self.impurity_on_trial(module, &facts, (&text, link.span))
                .is_some()
        };
        if chain.iter().any(harmful) {
            return Ok(Some(
                "another statement that makes it may not be harmless to run again".to_string(),
            ));
        }
        self.came_to.take();
        if !self.is_as_underived(module, &names)? && !self.untouched(module, &chain, &names)? {
            if let Some(reason) = self.came_to.take() {
                return Ok(Some(reason));
            }
            return Ok(Some("the program changed its value since".to_string()));
        }
        Ok(None)
    }

    /// Notes what a statement left that failed when it was derived again: once it can be,
    /// its old inputs no longer tell whether the program changed the value since.
    fn note_underived(&self, module: usize, statement: &Statement) -> PyResult<()> {
        for name in &statement.binds {
            let Some(value) = self.live_dict(module).get_item(name)? else {
                continue;
            };
            let as_left = match values::is_plain(&value) {
                true => value,
                false if values::is_container(&value) && values::holds_plain(&value) => {
                    crate::contents::copy_of(&value)?
                }
                false => continue,
            };
            let home = self.world.modules[module].name.clone();
            let mut known = self.world.underived.borrow_mut();
            known
                .entry((home, name.clone()))
                .or_insert(as_left.unbind());
        }
        Ok(())
    }

    fn forget_underived(&self, module: usize, statement: &Statement) {
        let home = &self.world.modules[module].name;
        for name in &statement.binds {
            let key = (home.clone(), name.clone());
            self.world.underived.borrow_mut().remove(&key);
        }
    }

    /// Whether all these names hold what a failed derivation had left there.
    fn is_as_underived(&self, module: usize, names: &[String]) -> PyResult<bool> {
        let home = &self.world.modules[module].name;
        let known = self.world.underived.borrow();
        for name in names {
            let live = self.live_dict(module).get_item(name)?;
            let left = known.get(&(home.clone(), name.clone()));
            match (live, left) {
                (Some(live), Some(left)) if values::equal(&live, left.bind(self.py)) => {}
                _ => return Ok(false),
            }
        }
        Ok(!names.is_empty())
    }
}
