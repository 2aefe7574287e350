//! Statements that augment what others made: `X += …`, a loop that fills a table.

use std::sync::Arc;

use hotswap_plan::{Kind, Outline, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction};

use crate::codes;
use crate::contents::{copy_of, set_content};
use crate::stage::{Changed, Late, Stage};
use crate::timeline::{Place, links};
use crate::transaction::Write;
use crate::values;

/// A container that a staged statement may change, with a copy of what it held.
pub(crate) struct Content<'py> {
    name: String,
    container: Bound<'py, PyAny>,
    before: Bound<'py, PyAny>,
}

/// A chain of which the first changed statement had its turn. What stands between its
/// statements may read it, and they may read that, so it runs at the last of them.
pub(crate) struct Deferred {
    module: usize,
    last: usize,
    statement: usize,
    names: Vec<String>,
}

/// A chain that reads what is there only after the commit: then it runs as a whole.
pub(crate) struct LateChain {
    module: usize,
    /// The step of its last statement.
    step: usize,
    statement: usize,
    names: Vec<String>,
}

/// What stands in staging for a live container.
pub(crate) struct StandIn<'py> {
    namespace: Bound<'py, PyDict>,
    name: String,
    content: Bound<'py, PyAny>,
    pub(crate) live: Bound<'py, PyAny>,
}

impl<'py> Stage<'_, 'py> {
    /// All statements that bind or augment a name form a chain. It is run as a whole,
    /// away from the live value, if that is harmless and nobody changed the value
    /// since. False: the statement has to run as it is.
    pub(crate) fn run_chain(
        &mut self,
        module: usize,
        statement: &Statement,
        outline: &Arc<Outline>,
        name: Option<&str>,
    ) -> PyResult<bool> {
        if self.committed {
            return Ok(false);
        }
        let (old_outline, old_text) = match self.edits.get(&module) {
            Some(edited) => (edited.old_outline.clone(), edited.old_text.clone()),
            None => match self.outline(module) {
                Some(outline) => (outline, self.text(module)),
                None => return Ok(false),
            },
        };
        let names = match name {
            Some(name) => vec![name.to_string()],
            None => chained(statement, outline, &old_outline),
        };
        if names.is_empty() {
            return Ok(false);
        }
        let known = |name: &String| self.chained.contains(&(module, name.clone()));
        if name.is_none() && names.iter().all(known) {
            return Ok(true);
        }
        let (before, after) = (all_links(&old_outline, &names), all_links(outline, &names));
        let bound_first = names.iter().all(|name| {
            let first = links(outline, name).first().copied();
            first.is_some_and(|first| outline.statements[first].binds.contains(name))
        });
        // Whether anybody changed it is seen of a container only: for that alone what is not
        // known to be harmless is tried.
        let live = self.live_dict(module);
        let mut tried = true;
        for name in &names {
            let value = live.get_item(name)?;
            tried &= value.is_some_and(|value| values::is_container(&value));
        }
        let text = self.text(module);
        let harmless = |outline: &Outline, text: &str, links: &[usize]| {
            links.iter().all(|link| {
                let link = &outline.statements[*link];
                let given = self.imported_names(module, link, &names, false);
                if given.is_ok_and(|given| given.is_some()) {
                    return true;
                }
                let facts = crate::timeline::link_facts(&link.facts, &names);
                match tried {
                    true => self.impurity_on_trial(module, &facts, (text, link.span)),
                    false => self.impurity(module, &facts),
                }
                .is_none()
            })
        };
        let waits = after.iter().any(|link| {
            let facts = &outline.statements[*link].facts;
            self.must_wait(module, facts) && !self.can_show(module, facts)
        });
        if !bound_first || !harmless(outline, &text, &after) {
            return Ok(false);
        }
        let replayed = harmless(&old_outline, &old_text, &before);
        if !replayed && !self.is_as_imported(module, &names) {
            return Ok(false);
        }
        if replayed && !self.is_as_replayed(module, &names, &old_text, &old_outline, &before)? {
            return Ok(false);
        }
        let (last, own) = (after[after.len() - 1], holder_of(outline, statement));
        if waits {
            self.leave_chain(module, own.unwrap_or(last), last, names);
            return Ok(true);
        }
        if let Some(own) = own
            && own < last
            && name.is_none()
        {
            if self.is_deferred(module, &names) {
                self.take_others(module, own, &names, outline)?;
                return Ok(true);
            }
            self.take_others(module, own, &names, outline)?;
            for name in &names {
                self.note_early_links(module, name, outline)?;
            }
            self.deferred.push(Deferred {
                module,
                last,
                statement: own,
                names,
            });
            return Ok(true);
        }
        let label = match name {
            Some(name) => name.to_string(),
            None => statement.label(&self.text(module)),
        };
        self.run_links(module, statement, &names, &label, outline)
    }

    /// Whether statements below put more into a container that a statement makes.
    pub(crate) fn is_added_to(
        &self,
        module: usize,
        outline: &Outline,
        statement: &Statement,
    ) -> PyResult<bool> {
        let Some(index) = index_of(outline, statement) else {
            return Ok(false);
        };
        for name in &statement.binds {
            let held = self.live_dict(module).get_item(name)?;
            let adds = |link: &usize| {
                *link > index && augmented(&outline.statements[*link]).contains(name)
            };
            if held.is_some_and(|held| values::is_container(&held))
                && !Self::is_overruled(outline, index, name)
                && links(outline, name).iter().any(adds)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All statements of a chain have their turn right after the commit.
    fn leave_chain(&mut self, module: usize, statement: usize, last: usize, names: Vec<String>) {
        let step = self.step_of(module, last).unwrap_or(last);
        self.late.push(Late {
            module,
            step,
            remade: None,
        });
        for name in &names {
            self.chained.insert((module, name.clone()));
            self.late_names.insert((module, name.clone()));
        }
        self.late_chains.push(LateChain {
            module,
            step,
            statement,
            names,
        });
    }

    /// Runs the chain that waited for the commit and ends with this step. False: there is none.
    pub(crate) fn run_late_chain(
        &mut self,
        module: usize,
        step: usize,
        outline: &Arc<Outline>,
    ) -> PyResult<bool> {
        let due = |each: &LateChain| each.module == module && each.step == step;
        let Some(at) = self.late_chains.iter().position(due) else {
            return Ok(false);
        };
        let LateChain {
            statement, names, ..
        } = self.late_chains.remove(at);
        let live = self.live_dict(module);
        for name in &names {
            self.transaction.remember_item(&live, name)?;
        }
        let statement = &outline.statements[statement];
        let text = self.text(module);
        let impurity = all_links(outline, &names).into_iter().find_map(|link| {
            let link = &outline.statements[link];
            let facts = crate::timeline::link_facts(&link.facts, &names);
            self.impurity_on_trial(module, &facts, (&text, link.span))
        });
        let label = match &names[..] {
            [name] => name.clone(),
            _ => statement.label(&text),
        };
        self.came_to.take();
        if impurity.is_none() && self.run_links(module, statement, &names, &label, outline)? {
            return Ok(true);
        }
        let came_to = impurity.or_else(|| self.came_to.take());
        let entry = self.entry(module, &label, Some(statement), "statement", "stale");
        entry.reason = match came_to {
            Some(came_to) => format!("the statements that make it cannot be run again: {came_to}"),
            None => "the statements that make it cannot be run again".to_string(),
        };
        entry.advice = "# hotswap: rerun".to_string();
        Ok(true)
    }

    /// Whether some names hold what the old statements that make them give once more, or
    /// containers of plain values with what the program did to them.
    fn is_as_replayed(
        &mut self,
        module: usize,
        names: &[String],
        old_text: &Arc<str>,
        old_outline: &Arc<Outline>,
        before: &[usize],
    ) -> PyResult<bool> {
        let live = self.live_dict(module);
        let base = self.run_apart(module, &live, old_text, old_outline, before, names, false)?;
        let Some(base) = base else {
            return Ok(false);
        };
        // What the program did to these stays, as where a display is edited.
        let mut apart = Vec::new();
        for name in names {
            match (base.get_item(name)?, live.get_item(name)?) {
                (Some(base), Some(now)) if is_unchanged(&base, &now) => {}
                (Some(base), Some(now))
                    if values::is_container(&now)
                        && now.get_type().is(base.get_type())
                        && values::holds_plain(&base) =>
                {
                    apart.push((name, base));
                }
                (None, None) => {}
                _ => return Ok(false),
            }
        }
        for (name, base) in apart {
            self.bases.insert((module, name.clone()), base);
        }
        Ok(true)
    }

    /// What a statement of a chain that waits for its last one gives to names of its own:
    /// those between must see it.
    fn take_others(
        &mut self,
        module: usize,
        own: usize,
        names: &[String],
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let others: Vec<String> = outline.statements[own]
            .binds
            .iter()
            .filter(|other| !names.contains(other) && links(outline, other) == [own])
            .cloned()
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        let (namespace, live, text) = (
            self.namespace(module)?,
            self.live_dict(module),
            self.text(module),
        );
        let mut prefix = all_links(outline, names);
        prefix.retain(|link| *link <= own);
        let ran = self.run_apart(module, &namespace, &text, outline, &prefix, names, true)?;
        let Some(ran) = ran else { return Ok(()) };
        for other in others {
            let (was, value) = (live.get_item(&other)?, ran.get_item(&other)?);
            if let (Some(was), Some(value)) = (&was, &value)
                && (self.is_twin(was, value)? || values::equal(was, value))
            {
                continue;
            }
            self.bind(module, &other, value.clone())?;
            self.note_value(module, &other, was, value);
        }
        Ok(())
    }

    /// Whether all that makes a name is going to run at the last of its statements.
    pub(crate) fn is_awaited(&self, module: usize, name: &String) -> bool {
        let awaits = |each: &Deferred| each.module == module && each.names.contains(name);
        self.deferred.iter().any(awaits)
    }

    fn is_deferred(&self, module: usize, names: &[String]) -> bool {
        self.deferred
            .iter()
            .any(|each| each.module == module && each.names == names)
    }

    /// What the statements of a chain give to its name before the last of them, for
    /// those that stand between.
    fn note_early_links(
        &mut self,
        module: usize,
        name: &str,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let namespace = self.namespace(module)?;
        let text = self.text(module);
        let live = self.live_dict(module);
        let (old_outline, old_text) = match self.edits.get(&module) {
            Some(edited) => (edited.old_outline.clone(), edited.old_text.clone()),
            None => (outline.clone(), text.clone()),
        };
        let before = links(&old_outline, name);
        let all = links(outline, name);
        for (at, link) in all.iter().enumerate().take(all.len().saturating_sub(1)) {
            let place = Place {
                outline,
                text: &text,
                index: all[at + 1],
                new: true,
            };
            let was = match before.get(at + 1).filter(|_| before.len() == all.len()) {
                Some(index) => {
                    let place = Place {
                        outline: &old_outline,
                        text: &old_text,
                        index: *index,
                        new: false,
                    };
                    self.early_value(module, place, name, &live)?
                }
                None => None,
            };
            if let Some(value) = self.early_value(module, place, name, &namespace)?
                && !was.is_some_and(|was| values::equal(&was, &value))
            {
                self.early.insert((module, *link, name.to_string()), value);
            }
        }
        Ok(())
    }

    /// Runs the chains whose last statement this is.
    pub(crate) fn finish_chains(
        &mut self,
        module: usize,
        index: usize,
        outline: &Outline,
    ) -> PyResult<()> {
        let due = |each: &Deferred| each.module == module && each.last == index;
        while let Some(at) = self.deferred.iter().position(due) {
            let Deferred {
                statement, names, ..
            } = self.deferred.remove(at);
            let statement = &outline.statements[statement];
            let known = |name: &String| self.chained.contains(&(module, name.clone()));
            if names.iter().all(known) {
                continue;
            }
            for name in &names {
                self.early
                    .retain(|(of, _, known), _| *of != module || known != name);
            }
            let label = match &names[..] {
                [name] => name.clone(),
                _ => statement.label(&self.text(module)),
            };
            if !self.run_links(module, statement, &names, &label, outline)? {
                let entry = self.entry(module, &label, Some(statement), "statement", "stale");
                entry.reason =
                    "one of the statements that make it failed, or it would take away what the \
                     program may need"
                        .to_string();
                entry.advice = "# hotswap: rerun".to_string();
            }
        }
        Ok(())
    }

    /// Runs all statements that make some names, and takes what came out. False: one of
    /// them raised.
    fn run_links(
        &mut self,
        module: usize,
        statement: &Statement,
        names: &[String],
        label: &str,
        outline: &Outline,
    ) -> PyResult<bool> {
        let live = self.live_dict(module);
        let after = all_links(outline, names);
        let namespace = self.namespace(module)?;
        let text = self.text(module);
        // What else these statements bind, such as the variable of a loop.
        let mut others: Vec<String> = after
            .iter()
            .flat_map(|link| &outline.statements[*link].binds)
            .filter(|other| !names.contains(other))
            .filter(|other| {
                links(outline, other)
                    .iter()
                    .all(|link| after.contains(link))
            })
            .cloned()
            .collect();
        others.dedup();
        let dropped: Vec<String> = names.iter().chain(&others).cloned().collect();
        let Some(ran) =
            self.run_apart(module, &namespace, &text, outline, &after, &dropped, true)?
        else {
            return Ok(false);
        };
        for name in names {
            let (base, value) = (self.bases.get(&(module, name.clone())), ran.get_item(name)?);
            if let (Some(base), Some(value)) = (base, value)
                && crate::display::takes_away(base, &value)?
            {
                // Whether the program still needs what would go is not known.
                self.bases.remove(&(module, name.clone()));
                return Ok(false);
            }
        }
        let mut changed = false;
        for name in names {
            self.chained.insert((module, name.clone()));
            changed |= self.take_chained(module, name, ran.get_item(name)?)?;
        }
        if let Some(annotations) = ran.get_item("__annotations__")?
            && after
                .iter()
                .any(|link| crate::annotations::is_annotated(&outline.statements[*link]))
            && !crate::annotations::are_deferred(outline)
        {
            self.bind(module, "__annotations__", Some(annotations))?;
        }
        for other in &others {
            let (was, value) = (live.get_item(other)?, ran.get_item(other)?);
            if let (Some(was), Some(value)) = (&was, &value)
                && (self.is_twin(was, value)? || self.is_taken(module, other, value)?)
            {
                continue;
            }
            self.bind(module, other, value.clone())?;
            self.note_value(module, other, was, value);
        }
        if changed {
            self.entry(module, label, Some(statement), "statement", "re-ran");
        }
        Ok(true)
    }

    /// Whether a name is going to hold such a value already.
    fn is_taken(&mut self, module: usize, name: &str, value: &Bound<'py, PyAny>) -> PyResult<bool> {
        let held = self.namespace(module)?.get_item(name)?;
        Ok(held.is_some_and(|held| values::equal(&held, value)))
    }

    /// Whether a function that a statement made once more is what the live one is going to
    /// be: then that one stays, with what the program has set on it.
    pub(crate) fn is_twin(
        &self,
        live: &Bound<'py, PyAny>,
        made: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        if !live.is_exact_instance_of::<PyFunction>() || !made.is_exact_instance_of::<PyFunction>()
        {
            return Ok(false);
        }
        let code = live.getattr("__code__")?;
        let pair = self.pairs.iter().find(|pair| pair.old.is(&code));
        let code = pair.map_or(code, |pair| pair.new.clone());
        let same = |name: &str| -> PyResult<bool> {
            let planned = match name {
                "__defaults__" => self.transaction.pending_attribute(live, "__defaults__"),
                _ => self.transaction.pending_attribute(live, "__kwdefaults__"),
            };
            let now = match planned.flatten() {
                Some(planned) => planned,
                None => live.getattr(name)?,
            };
            Ok(values::equal(&now, &made.getattr(name)?))
        };
        let (name, qualname) = ("__name__", "__qualname__");
        Ok(live.getattr(name)?.eq(made.getattr(name)?)?
            && live.getattr(qualname)?.eq(made.getattr(qualname)?)?
            && codes::same_behaviour(&code, &made.getattr("__code__")?)?
            && same("__defaults__")?
            && same("__kwdefaults__")?)
    }

    /// The value that a chain gave to a name goes where the old one was. False: there is no difference.
    fn take_chained(
        &mut self,
        module: usize,
        name: &str,
        value: Option<Bound<'py, PyAny>>,
    ) -> PyResult<bool> {
        let now = self.live_dict(module).get_item(name)?;
        let base = self.bases.remove(&(module, name.to_string()));
        let value = match (&base, &now, value) {
            (Some(base), Some(now), Some(value)) if value.get_type().is(base.get_type()) => {
                let merged = crate::display::merge(self.py, base, now, &value)?;
                if merged.is_none() {
                    let entry = self.entry(module, name, None, "statement", "stale");
                    entry.reason = crate::display::REORDERED.to_string();
                    entry.advice = "# hotswap: rerun".to_string();
                }
                merged.or_else(|| Some(now.clone()))
            }
            (_, _, value) => value,
        };
        match (value, now) {
            (None, None) => Ok(false),
            (Some(value), Some(now)) if is_unchanged(&value, &now) => Ok(false),
            (Some(value), Some(now))
                if value.get_type().is(now.get_type()) && values::is_container(&value) =>
            {
                let namespace = self.namespace(module)?;
                self.stand_in(&namespace, name, value, now)?;
                self.changed
                    .insert((module, name.to_string()), Changed::Value);
                Ok(true)
            }
            (value, now) => {
                self.bind(module, name, value.clone())?;
                self.note_value(module, name, now, value);
                Ok(true)
            }
        }
    }

    /// A copy of a namespace in which a chain of statements ran. None: one of them raised.
    #[allow(clippy::too_many_arguments)]
    fn run_apart(
        &mut self,
        module: usize,
        namespace: &Bound<'py, PyDict>,
        text: &str,
        outline: &Outline,
        chain: &[usize],
        names: &[String],
        new: bool,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let copy = namespace.copy()?;
        if let Some(annotations) = copy.get_item("__annotations__")? {
            copy.set_item("__annotations__", annotations.call_method0("copy")?)?;
        }
        for name in names {
            if copy.contains(name)? {
                copy.del_item(name)?;
            }
        }
        if chain
            .iter()
            .any(|link| !outline.statements[*link].codes.is_empty())
        {
            self.shadows.push((copy.clone(), module));
        }
        for link in chain {
            let place = Place {
                outline,
                text,
                index: *link,
                new,
            };
            let statement = &outline.statements[*link];
            if let Some(given) = self.imported_names(module, statement, names, new)? {
                copy.update(given.as_mapping())?;
            } else if !self.run_link(module, place, &copy, names)? {
                return Ok(None);
            }
        }
        Ok(Some(copy))
    }

    /// Copies of the containers that a statement changes in place.
    pub(crate) fn contents_before(
        &self,
        namespace: &Bound<'py, PyDict>,
        statement: &Statement,
    ) -> PyResult<Vec<Content<'py>>> {
        let mut contents = Vec::new();
        for name in augmented(statement) {
            let Some(container) = namespace.get_item(&name)? else {
                continue;
            };
            if values::is_container(&container) {
                let before = copy_of(&container)?;
                contents.push(Content {
                    name,
                    container,
                    before,
                });
            }
        }
        Ok(contents)
    }

    /// What a staged statement did to a live container is taken back at once and done
    /// again by the commit; what is staged after it sees a copy.
    pub(crate) fn settle_contents(
        &mut self,
        namespace: &Bound<'py, PyDict>,
        contents: Vec<Content<'py>>,
    ) -> PyResult<()> {
        for Content {
            name,
            container,
            before,
        } in contents
        {
            let after = copy_of(&container)?;
            // What nobody else sees may keep what was done to it: the commit reads it.
            if values::equal(&before, &after)
                || self
                    .stand_ins
                    .iter()
                    .any(|each| each.content.is(&container))
            {
                continue;
            }
            if self.committed {
                self.transaction.note_content(&container, before)?;
                continue;
            }
            set_content(&container, &before)?;
            let held = namespace.get_item(&name)?;
            if held.is_some_and(|held| held.is(&container)) {
                self.stand_in(namespace, &name, after, container)?;
            } else {
                self.transaction.push(Write::Content {
                    container,
                    content: after,
                });
            }
        }
        Ok(())
    }

    /// A container that stands in staging for a live one, which takes over its content
    /// at the commit.
    pub(crate) fn stand_in(
        &mut self,
        namespace: &Bound<'py, PyDict>,
        name: &str,
        content: Bound<'py, PyAny>,
        live: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        self.transaction.push(Write::Content {
            container: live.clone(),
            content: content.clone(),
        });
        self.show_stand_in(namespace, name, content, live)
    }

    /// Lets later statements see what a live object is going to be.
    pub(crate) fn show_stand_in(
        &mut self,
        namespace: &Bound<'py, PyDict>,
        name: &str,
        content: Bound<'py, PyAny>,
        live: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        if !self.committed {
            namespace.set_item(name, &content)?;
            self.stand_ins.push(StandIn {
                namespace: namespace.clone(),
                name: name.to_string(),
                content,
                live,
            });
        }
        Ok(())
    }

    /// A module that imported a container sees in staging what stands for it.
    pub(crate) fn share_stand_in(&mut self, module: usize, name: &str) -> PyResult<()> {
        if self.committed {
            return Ok(());
        }
        let namespace = self.namespace(module)?;
        let Some(held) = namespace.get_item(name)? else {
            return Ok(());
        };
        let known = self.stand_ins.iter().rev().find(|each| each.live.is(&held));
        if let Some(known) = known {
            let (content, live) = (known.content.clone(), known.live.clone());
            namespace.set_item(name, &content)?;
            self.stand_ins.push(StandIn {
                namespace,
                name: name.to_string(),
                content,
                live,
            });
        }
        Ok(())
    }

    /// Where a staged statement took hold of a stand-in, its references become ones to
    /// the live container. The count tells, so that mostly nobody has to look for them.
    pub(crate) fn settle_stand_ins(&mut self) -> PyResult<()> {
        for (at, each) in self.stand_ins.iter().enumerate() {
            if self.stand_ins[..at]
                .iter()
                .any(|other| other.content.is(&each.content))
            {
                continue;
            }
            // Ours are the write, the stand-ins themselves and the names that hold it.
            let mut ours = 1;
            let same = self.stand_ins[at..]
                .iter()
                .filter(|other| other.content.is(&each.content));
            for other in same {
                let held = other.namespace.get_item(&other.name)?;
                ours += 1 + isize::from(held.is_some_and(|held| held.is(&each.content)));
            }
            if hotswap_cpython::heap::reference_count(&each.content) != Some(ours) {
                self.transaction.push(Write::Reference {
                    old: each.content.clone(),
                    new: each.live.clone(),
                });
            }
        }
        Ok(())
    }
}

/// The names whose values a statement changes in place or augments.
pub(crate) fn augmented(statement: &Statement) -> Vec<String> {
    let mut names = statement.facts.stores.clone();
    if let Kind::AugAssign { .. } = statement.kind {
        names.extend(statement.binds.iter().cloned());
    }
    names.sort();
    names.dedup();
    names
}

/// Whether a value made once more is as the live one: what a container holds may be other
/// instances that are alike, as for a value that one statement makes.
fn is_unchanged(made: &Bound<'_, PyAny>, live: &Bound<'_, PyAny>) -> bool {
    match values::is_container(live) {
        true => values::alike(made, live),
        false => values::equal(made, live),
    }
}

/// The names of a statement whose values other statements have a part in.
fn chained(statement: &Statement, outline: &Outline, old: &Outline) -> Vec<String> {
    let mut names = augmented(statement);
    if !names.is_empty() {
        return names;
    }
    let Some(index) = index_of(outline, statement) else {
        return names;
    };
    if !matches!(statement.kind, Kind::Assign { .. } | Kind::Compound(_)) {
        return names;
    }
    names.extend(statement.binds.iter().cloned());
    names.retain(|name| {
        (links(outline, name).len() > 1 || links(old, name).len() > 1)
            && !Stage::is_overruled(outline, index, name)
    });
    names
}

/// The statements that have a part in any of some names, in order.
fn all_links(outline: &Outline, names: &[String]) -> Vec<usize> {
    let mut all: Vec<usize> = names.iter().flat_map(|name| links(outline, name)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The top-level statement that is or holds a statement.
pub(crate) fn holder_of(outline: &Outline, statement: &Statement) -> Option<usize> {
    outline.statements.iter().position(|other| {
        other.span.start <= statement.span.start && statement.span.end <= other.span.end
    })
}

/// Where a statement stands in its outline.
pub(crate) fn index_of(outline: &Outline, statement: &Statement) -> Option<usize> {
    outline
        .statements
        .iter()
        .position(|other| other.span == statement.span)
}
