//! Registrations belong to the statement that made them.
//!
//! Before a statement runs again, or when it is gone, what its earlier run had put
//! into the containers that its call can reach is taken out: entries that hold the
//! very object the statement defined or passed. What the new run puts in stands
//! where a fresh start would have put it. Entries that cannot be told from those of
//! the program or of another statement stay, and the report says so.

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{Call, Expression, Kind, Outline, Span, Statement, is_pure_method};
use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyTuple, PyType};

use crate::collections::{self, Entry, Shape};
use crate::reach::Reach;
use crate::stage::Stage;
use crate::values;

mod entries;
mod places;
mod sources;

use entries::{
    choose, depth_of, fields, functions_only, is_method, is_one, is_record, plain_constants,
};

/// An entry that was taken out of a container before its statement ran again.
pub(crate) struct Taken<'py> {
    pub place: usize,
    pub index: usize,
    pub entry: Entry<'py>,
    /// What stands there instead: a sequence without the registered item.
    rest: Option<Bound<'py, PyAny>>,
}

/// The containers that a statement can reach, and what they held before it ran.
pub(crate) struct Survey<'py> {
    reach: Reach<'py>,
    before: Vec<Vec<Entry<'py>>>,
    taken: Vec<Taken<'py>>,
}

/// What a statement did to a container, for the way back.
pub(crate) struct Journaled<'py> {
    container: Bound<'py, PyAny>,
    shape: Shape,
    before: Vec<Entry<'py>>,
    after: Vec<Entry<'py>>,
}

impl<'py> Journaled<'py> {
    /// The objects of the program that this holds.
    pub(crate) fn held(&self) -> impl Iterator<Item = &Bound<'py, PyAny>> {
        let entries = self.before.iter().chain(&self.after);
        entries
            .flat_map(|entry| entry.key.iter().chain([&entry.value]))
            .chain([&self.container])
    }
}

/// What an old statement registered, and with what arguments.
#[derive(Default, Clone)]
struct Owned<'py> {
    /// The definition's objects, or the functions and objects that a call passed.
    objects: Vec<Bound<'py, PyAny>>,
    /// Plain values among the arguments of the registering calls.
    constants: Vec<Bound<'py, PyAny>>,
    /// How many calls registered.
    calls: usize,
}

struct Candidate<'py> {
    place: usize,
    index: usize,
    entry: Entry<'py>,
    rest: Option<Bound<'py, PyAny>>,
    score: usize,
    depth: u32,
}

impl<'py> Stage<'_, 'py> {
    /// Takes out what a statement had registered that is about to run again.
    pub(crate) fn survey(
        &mut self,
        module: usize,
        old: Option<&Statement>,
        new: &Statement,
    ) -> PyResult<Option<Survey<'py>>> {
        let old: Vec<&Statement> = old.into_iter().collect();
        self.survey_all(module, &old, &[new], None)
    }

    /// The same for several statements of a module, or of the body of a class.
    pub(crate) fn survey_all(
        &mut self,
        module: usize,
        old: &[&Statement],
        new: &[&Statement],
        class: Option<&Bound<'py, PyType>>,
    ) -> PyResult<Option<Survey<'py>>> {
        if !old.iter().chain(new).any(|statement| registers(statement)) {
            return Ok(None);
        }
        let mut reach = Reach::new(self.py, self.owned_elsewhere(module));
        for statement in old.iter().chain(new).filter(|each| registers(each)) {
            self.add_roots(module, statement, &mut reach)?;
        }
        reach.finish()?;
        let mut survey = self.snapshot(reach)?;
        for statement in old.iter().filter(|each| registers(each)) {
            for owned in self.owned(module, statement, class)? {
                self.take_out(module, statement, &owned, &mut survey)?;
            }
        }
        Ok(Some(survey))
    }

    /// Takes out what a statement inside a block had registered that is gone.
    pub(crate) fn withdraw_inner(&mut self, module: usize, gone: &Statement) -> PyResult<()> {
        // A block that had to wait for the commit is looked at once more.
        if !self.withdrawn_inner.insert((module, gone.span.start)) {
            return Ok(());
        }
        if let Some(survey) = self.survey_all(module, &[gone], &[], None)? {
            let text = match self.edits.get(&module) {
                Some(edited) => edited.old_text.clone(),
                None => self.text(module),
            };
            self.settle_gone(module, &gone.label(&text), &survey)?;
        }
        Ok(())
    }

    /// Takes out what members of a class had registered that its new body has no more.
    pub(crate) fn withdraw_members(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        gone: &[&Statement],
    ) -> PyResult<()> {
        for statement in gone {
            let Some(survey) = self.survey_all(module, &[statement], &[], Some(class))? else {
                continue;
            };
            let name = statement.binds.first().cloned().unwrap_or_default();
            self.settle_gone(module, &name, &survey)?;
        }
        Ok(())
    }

    fn settle_gone(&mut self, module: usize, label: &str, survey: &Survey<'py>) -> PyResult<bool> {
        if survey.taken.is_empty() {
            return Ok(false);
        }
        self.drop_emptied(survey)?;
        self.note_changes(survey)?;
        self.entry(module, label, None, "statement", "removed")
            .reason = "the registration that it had made".to_string();
        Ok(true)
    }

    /// What a statement of the new source was before; itself where it did not change.
    pub(crate) fn counterpart(&self, module: usize, statement: &Statement) -> Statement {
        let before = self.edits.get(&module).and_then(|edited| {
            let steps = &edited.plan.steps;
            let step = steps
                .iter()
                .find(|step| edited.outline.statements[step.new].span == statement.span)?;
            Some(edited.old_outline.statements[step.old?].clone())
        });
        before.unwrap_or_else(|| statement.clone())
    }

    /// Takes out what statements had registered that the new source has no more.
    pub(crate) fn withdraw_removed(&mut self, module: usize) -> PyResult<()> {
        let Some(edited) = self.edits.get(&module) else {
            return Ok(());
        };
        let (old, removed) = (edited.old_outline.clone(), edited.plan.removed.clone());
        for at in removed {
            let statement = &old.statements[at];
            let Some(survey) = self.survey_all(module, &[statement], &[], None)? else {
                continue;
            };
            let text = self.edits[&module].old_text.clone();
            if self.settle_gone(module, &statement.label(&text), &survey)? {
                self.withdrawn_statements.insert((module, at));
            }
        }
        Ok(())
    }

    /// A definition that only got another name is registered under it, where the entry
    /// shows the old name and its statement does not.
    pub(crate) fn rename_registrations(
        &mut self,
        module: usize,
        old: &Statement,
        from: &str,
        to: &str,
    ) -> PyResult<()> {
        if !registers(old) {
            return Ok(());
        }
        let mut reach = Reach::new(self.py, self.owned_elsewhere(module));
        self.add_roots(module, old, &mut reach)?;
        reach.finish()?;
        let survey = self.snapshot(reach)?;
        let mut owned = Owned::default();
        for part in self.owned(module, old, None)? {
            owned.objects.extend(part.objects);
            owned.constants.extend(part.constants);
            owned.calls = owned.calls.saturating_add(part.calls);
        }
        let is = |value: &Bound<'py, PyAny>, name: &str| {
            value.extract::<String>().is_ok_and(|text| text == name)
        };
        // The definition's own name is the first of them; a second one was written out.
        let named = owned.constants.iter().filter(|value| is(value, from));
        if named.count() > 1 {
            return Ok(());
        }
        owned.constants.clear();
        let new_name = pyo3::types::PyString::new(self.py, to).into_any();
        for (at, before) in survey.before.iter().enumerate() {
            let mut entries = before.clone();
            for (index, entry) in before.iter().enumerate() {
                if self.candidate(&survey, at, index, entry, &owned)?.is_none() {
                    continue;
                }
                if entry.key.as_ref().is_some_and(|key| is(key, from)) {
                    entries[index].key = Some(new_name.clone());
                }
                if let Ok(tuple) = entry.value.cast_exact::<PyTuple>() {
                    let items = tuple.iter().map(|item| {
                        if is(&item, from) {
                            new_name.clone()
                        } else {
                            item
                        }
                    });
                    let items: Vec<_> = items.collect();
                    if tuple.iter().any(|item| is(&item, from)) {
                        entries[index].value = PyTuple::new(self.py, items)?.into_any();
                    }
                }
            }
            let place = &survey.reach.places[at];
            collections::write(&place.container, place.shape, &entries)?;
        }
        self.note_changes(&survey)
    }

    /// After a failure of the statement itself: everything is as it was before it ran.
    pub(crate) fn restore_survey(&mut self, survey: &Survey<'py>) -> PyResult<()> {
        for (place, before) in survey.reach.places.iter().zip(&survey.before) {
            collections::write(&place.container, place.shape, before)?;
        }
        Ok(())
    }

    /// The statement ran: what it registered goes to its place, and what it did not
    /// register again either stays withdrawn or was somebody else's and returns.
    pub(crate) fn settle_survey(
        &mut self,
        survey: Survey<'py>,
        module: usize,
        same_calls: bool,
        new: &Statement,
        outline: &Outline,
    ) -> PyResult<()> {
        let mut fresh: Vec<Vec<usize>> = Vec::new();
        for (index, place) in survey.reach.places.iter().enumerate() {
            let now = collections::read(&place.container, place.shape)?;
            fresh.push(collections::added(&survey.without(index), &now));
        }
        let mut withdrawn = false;
        for taken in &survey.taken {
            let family = survey.reach.places[taken.place].family;
            let again = fresh
                .iter()
                .enumerate()
                .any(|(at, added)| survey.reach.places[at].family == family && !added.is_empty());
            if again || !same_calls {
                withdrawn |= !survey.is_there_again(taken, &fresh)?;
                continue;
            }
            // The same calls did not register it again: the program had put it there.
            let place = &survey.reach.places[taken.place];
            let mut entries = collections::read(&place.container, place.shape)?;
            entries.insert(taken.index.min(entries.len()), taken.entry.clone());
            collections::write(&place.container, place.shape, &entries)?;
        }
        for (index, place) in survey.reach.places.iter().enumerate() {
            if place.shape.is_ordered() && !fresh[index].is_empty() {
                self.put_in_order(&survey, index, module, new, outline)?;
            }
        }
        self.drop_emptied(&survey)?;
        self.note_changes(&survey)?;
        if withdrawn {
            let label = new.label(&self.text(module));
            self.entry(module, &label, Some(new), "statement", "removed")
                .reason = "the registration that its earlier run had made".to_string();
        }
        Ok(())
    }

    /// Puts back what statements of a failed update did to containers, newest first.
    pub(crate) fn undo_registrations(&mut self) -> PyResult<()> {
        while let Some(done) = self.registered.pop() {
            collections::undo(&done.container, done.shape, &done.before, &done.after)?;
        }
        Ok(())
    }

    fn snapshot(&self, reach: Reach<'py>) -> PyResult<Survey<'py>> {
        let mut before = Vec::new();
        for place in &reach.places {
            before.push(collections::read(&place.container, place.shape)?);
        }
        Ok(Survey {
            reach,
            before,
            taken: Vec::new(),
        })
    }

    fn note_changes(&mut self, survey: &Survey<'py>) -> PyResult<()> {
        for (place, before) in survey.reach.places.iter().zip(&survey.before) {
            let after = collections::read(&place.container, place.shape)?;
            if !collections::same(before, &after) {
                self.registered.push(Journaled {
                    container: place.container.clone(),
                    shape: place.shape,
                    before: before.clone(),
                    after,
                });
            }
        }
        Ok(())
    }

    /// The packages whose registries a plugin looks after for those that use them. What the
    /// package itself registers there is its own, as in any program.
    fn owned_elsewhere(&self, module: usize) -> Vec<String> {
        let name = &self.world.modules[module].name;
        let top = name.split('.').next().unwrap_or(name);
        let owned = self.world.owned_packages.iter();
        owned.filter(|package| *package != top).cloned().collect()
    }

    /// What a statement calls: where the search for containers starts.
    fn add_roots(
        &mut self,
        module: usize,
        statement: &Statement,
        reach: &mut Reach<'py>,
    ) -> PyResult<()> {
        let mut paths: Vec<Vec<String>> = Vec::new();
        match &statement.kind {
            Kind::Function(function) => {
                for decorator in &function.decorators {
                    paths.extend(callees(decorator));
                }
            }
            Kind::Class(class) => {
                for decorator in &class.decorators {
                    // One that belongs to nothing of the program, such as `attrs.define`,
                    // only makes something of the class.
                    let object = self.resolve(module, &decorator.head)?;
                    if object.is_some_and(|object| {
                        object.is_instance_of::<PyFunction>()
                            && crate::reach::is_of_library(&object)
                    }) {
                        continue;
                    }
                    paths.extend(callees(decorator));
                }
                for argument in &class.arguments {
                    self.class_hooks(module, argument, reach)?;
                }
                for member in class.body.iter().filter(|member| registers(member)) {
                    self.add_roots(module, member, reach)?;
                }
            }
            kind => {
                for call in &statement.facts.calls {
                    match call {
                        Call::Path(path) => paths.push(path.clone()),
                        Call::Method { name, .. } => drop(reach.names.insert(name.clone())),
                        _ => {}
                    }
                }
                for name in &statement.facts.stores {
                    paths.push(vec![name.clone()]);
                }
                if let Kind::Assign { targets, .. } = kind {
                    paths.extend(targets.iter().filter_map(|target| stored_in(target)));
                }
            }
        }
        for path in paths {
            // `table.items()` of a container only reads it: what it holds is not a registry here.
            if let Some((method, holder)) = path.split_last()
                && let Some(holder) = self.resolve(module, holder)?
                && Shape::of(&holder).is_some()
                && is_pure_method(&holder.get_type().name()?.to_string(), method)
            {
                continue;
            }
            for length in (1..=path.len()).rev() {
                let Some(object) = self.resolve(module, &path[..length])? else {
                    continue;
                };
                // The module in `reg.on(f)` is on the way, not what is called.
                if length == path.len() || !object.is_instance_of::<pyo3::types::PyModule>() {
                    reach.root(&object)?;
                }
                if length < path.len() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// What creating a class calls: `__init_subclass__` of its bases, its metaclass.
    fn class_hooks(
        &mut self,
        module: usize,
        argument: &Expression,
        reach: &mut Reach<'py>,
    ) -> PyResult<()> {
        let Some(base) = self.resolve(module, &argument.head)? else {
            return Ok(());
        };
        let Ok(class) = base.cast::<PyType>() else {
            return Ok(());
        };
        let plain = self.py.get_type::<PyType>();
        let metaclass = class.get_type();
        let is_metaclass = class.is_subclass(&plain)?;
        if is_metaclass || !metaclass.is(&plain) {
            let meta = if is_metaclass { class } else { &metaclass };
            let mut own = false;
            for hook in ["__new__", "__init__", "__call__"] {
                // What a library's metaclass keeps is for a plugin to know.
                if let Some(hook) = crate::reach::lookup(meta, hook)?
                    && !crate::reach::is_of_library(&hook)
                {
                    own |= hook.is_instance_of::<PyFunction>();
                    reach.root(&hook)?;
                }
            }
            if own {
                reach.root(meta.as_any())?;
            }
        }
        if let Some(hook) = crate::reach::lookup(class, "__init_subclass__")?
            && hook.peek("__func__").is_ok()
            && !crate::reach::is_of_library(&hook)
        {
            reach.root(&hook)?;
            reach.root(&base)?;
        }
        Ok(())
    }

    fn resolve(&self, module: usize, path: &[String]) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(first) = path.first() else {
            return Ok(None);
        };
        // What stands in staging for a live container is what the statement sees.
        let namespace = match self.staging.get(&module) {
            Some(staging) if !self.committed => staging.namespace.clone(),
            _ => self.live_dict(module),
        };
        let Some(mut object) = namespace.get_item(first)? else {
            return Ok(None);
        };
        for name in &path[1..] {
            match object.getattr(name.as_str()) {
                Ok(next) => object = next,
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(object))
    }

    /// The objects and plain arguments by which a statement's entries are known; those of
    /// a class, and of each member that registers, for themselves.
    fn owned(
        &self,
        module: usize,
        old: &Statement,
        class: Option<&Bound<'py, PyType>>,
    ) -> PyResult<Vec<Owned<'py>>> {
        let mut members: Vec<Owned<'py>> = Vec::new();
        let mut objects: Vec<Bound<'py, PyAny>> = Vec::new();
        let mut constants = Vec::new();
        let calls;
        let text = match self.edits.get(&module) {
            Some(edited) => edited.old_text.clone(),
            None => self.text(module),
        };
        let mut texts: Vec<(Span, &hotswap_plan::Facts)> = Vec::new();
        let decorators = match &old.kind {
            Kind::Function(function) => Some(&function.decorators),
            Kind::Class(class) => Some(&class.decorators),
            _ => None,
        };
        let named = |name: &String| match class {
            Some(class) => crate::native::type_dict(class).get_item(name),
            None => self.live_dict(module).get_item(name),
        };
        if let Some(decorators) = decorators {
            for name in &old.binds {
                objects.extend(named(name)?.filter(values::has_identity));
                constants.push(pyo3::types::PyString::new(self.py, name).into_any());
            }
            if let (Kind::Function(function), Some(site)) = (&old.kind, old.codes.last()) {
                for live in self.functions_at(module, &function.name, site.line) {
                    objects.push(live.function);
                }
            }
            calls = decorators.len().max(1);
            for decorator in decorators {
                texts.push((decorator.span, &decorator.facts));
            }
            if let (Kind::Class(definition), Some(Ok(live))) = (
                &old.kind,
                old.binds
                    .first()
                    .map(named)
                    .transpose()?
                    .flatten()
                    .map(Bound::cast_into::<PyType>),
            ) {
                for member in definition.body.iter().filter(|member| registers(member)) {
                    members.extend(self.owned(module, member, Some(&live))?);
                }
            }
        } else {
            for site in old.codes.iter() {
                for live in self.functions_at(module, &site.name, site.line) {
                    objects.push(live.function);
                }
            }
            let called = |path: &Vec<String>| {
                let call = |call: &Call| matches!(call, Call::Path(other) if other == path);
                old.facts.calls.iter().any(call)
            };
            for path in old.facts.reads.iter().filter(|path| !called(path)) {
                if let Some(object) = self.resolve(module, path)?
                    && (values::has_identity(&object) || is_method(&object))
                    && Shape::of(&object).is_none()
                    && !object.is_instance_of::<pyo3::types::PyModule>()
                {
                    objects.push(object);
                }
            }
            calls = match old.kind {
                Kind::Compound(_) => usize::MAX,
                _ => objects.len().max(1),
            };
            texts.push((old.span, &old.facts));
        }
        for (span, facts) in texts {
            let source = match decorators {
                Some(_) => format!("({}\n)", span.of(&text)),
                None => standing_alone(&text, span),
            };
            let code = crate::codes::compile(self.py, &source, "<registration>")?;
            plain_constants(&code.getattr("co_consts")?, &mut constants)?;
            for path in &facts.reads {
                constants.extend(
                    self.resolve(module, path)?
                        .filter(|value| values::is_plain(value) && !value.is_none()),
                );
            }
        }
        let own = Owned {
            objects,
            constants,
            calls,
        };
        Ok([vec![own], members].concat())
    }

    fn take_out(
        &mut self,
        module: usize,
        old: &Statement,
        owned: &Owned<'py>,
        survey: &mut Survey<'py>,
    ) -> PyResult<()> {
        if owned.objects.is_empty() {
            return Ok(());
        }
        let mut candidates: Vec<Candidate<'py>> = Vec::new();
        for (at, entries) in survey.before.iter().enumerate() {
            for (index, entry) in entries.iter().enumerate() {
                let mut taken = survey.taken.iter();
                if !taken.any(|taken| taken.place == at && taken.index == index) {
                    candidates.extend(self.candidate(survey, at, index, entry, owned)?);
                }
            }
        }
        let claims = self.other_claims(module, old, owned)?;
        let mut families: Vec<usize> = candidates
            .iter()
            .map(|candidate| survey.reach.places[candidate.place].family)
            .collect();
        families.sort_unstable();
        families.dedup();
        for family in families {
            let (own, rest): (Vec<_>, Vec<_>) = candidates
                .into_iter()
                .partition(|each| survey.reach.places[each.place].family == family);
            candidates = rest;
            let chosen = choose(own, owned, claims);
            survey.taken.extend(chosen.into_iter().map(|each| Taken {
                place: each.place,
                index: each.index,
                entry: each.entry,
                rest: each.rest,
            }));
        }
        for at in 0..survey.reach.places.len() {
            if survey.taken.iter().any(|taken| taken.place == at) {
                let place = &survey.reach.places[at];
                collections::write(&place.container, place.shape, &survey.without(at))?;
            }
        }
        Ok(())
    }

    /// How many other statements pass what this one defined or passed.
    fn other_claims(&self, module: usize, old: &Statement, owned: &Owned<'py>) -> PyResult<usize> {
        let Some(edited) = self.edits.get(&module) else {
            return Ok(0);
        };
        let mut claims = 0;
        for other in &edited.old_outline.statements {
            if other.span == old.span || !registers(other) {
                continue;
            }
            if matches!(other.kind, Kind::Function(_) | Kind::Class(_)) {
                // A decorated definition of the object that a call passes.
                for name in &other.binds {
                    if let Some(object) = self.live_dict(module).get_item(name)?
                        && owned.objects.iter().any(|known| known.is(&object))
                    {
                        claims += 1;
                    }
                }
                continue;
            }
            for path in &other.facts.reads {
                if let Some(object) = self.resolve(module, path)?
                    && owned.objects.iter().any(|known| is_one(known, &object))
                {
                    claims += 1;
                    break;
                }
            }
        }
        Ok(claims)
    }

    fn candidate(
        &self,
        survey: &Survey<'py>,
        at: usize,
        index: usize,
        entry: &Entry<'py>,
        owned: &Owned<'py>,
    ) -> PyResult<Option<Candidate<'py>>> {
        let reach = &survey.reach;
        let mut rest = None;
        let as_key = match &entry.key {
            Some(key) => depth_of(reach, key, &owned.objects, 1)?,
            None => None,
        };
        let inner = Shape::of(&entry.value);
        let depth = if inner.is_some() && !is_record(reach, &entry.value, &owned.objects)? {
            as_key
        } else if let Some(sequence) = functions_only(&entry.value)? {
            // `(f, g)`: the entry is one item of it.
            let kept: Vec<_> = sequence
                .iter()
                .filter(|item| !owned.objects.iter().any(|known| is_one(known, item)))
                .collect();
            if kept.len() == sequence.len() {
                as_key
            } else {
                if !kept.is_empty() {
                    rest = Some(PyTuple::new(self.py, kept)?.into_any());
                }
                Some(1)
            }
        } else {
            let value = depth_of(reach, &entry.value, &owned.objects, 4)?;
            as_key.or(value)
        };
        let Some(depth) = depth else {
            return Ok(None);
        };
        let mut known: Vec<Bound<'py, PyAny>> = entry.key.iter().cloned().collect();
        let mut place = &reach.places[at];
        while let Some((parent, key)) = &place.parent {
            known.extend(key.iter().cloned());
            place = &reach.places[*parent];
        }
        fields(&entry.value, &mut known)?;
        let score = owned
            .constants
            .iter()
            .filter(|constant| known.iter().any(|value| values::equal(value, constant)))
            .count();
        Ok(Some(Candidate {
            place: at,
            index,
            entry: entry.clone(),
            rest,
            score,
            depth,
        }))
    }
}

impl<'py> Survey<'py> {
    /// The entries of a place without those that were taken out.
    fn without(&self, at: usize) -> Vec<Entry<'py>> {
        let mut entries = Vec::new();
        for (index, entry) in self.before[at].iter().enumerate() {
            match self
                .taken
                .iter()
                .find(|taken| taken.place == at && taken.index == index)
            {
                None => entries.push(entry.clone()),
                Some(Taken {
                    rest: Some(rest), ..
                }) => entries.push(Entry {
                    key: entry.key.clone(),
                    value: rest.clone(),
                }),
                Some(_) => {}
            }
        }
        entries
    }

    /// Whether a new entry stands for one that was taken out.
    fn is_there_again(&self, taken: &Taken<'py>, fresh: &[Vec<usize>]) -> PyResult<bool> {
        let place = &self.reach.places[taken.place];
        let now = collections::read(&place.container, place.shape)?;
        if taken.entry.key.is_some() {
            return Ok(now
                .iter()
                .any(|entry| collections::same_key(entry, &taken.entry)));
        }
        let gone = self
            .taken
            .iter()
            .filter(|other| other.place == taken.place)
            .count();
        Ok(fresh[taken.place].len() >= gone)
    }
}

/// Whether a statement may have registered something.
pub(crate) fn registers(statement: &Statement) -> bool {
    match &statement.kind {
        Kind::Function(function) => !function.decorators.is_empty(),
        Kind::Class(class) => {
            !class.decorators.is_empty()
                || !class.arguments.is_empty()
                || class.body.iter().any(|member| {
                    matches!(member.kind, Kind::Function(_) | Kind::Class(_)) && registers(member)
                })
        }
        Kind::Expression => !statement.facts.calls.is_empty(),
        Kind::Compound(_) => {
            !statement.facts.calls.is_empty() || !statement.facts.stores.is_empty()
        }
        Kind::Assign { targets, .. } => targets.iter().any(|target| stored_in(target).is_some()),
        _ => false,
    }
}

/// `a.b` of the target `a.b["x"]`.
fn stored_in(target: &str) -> Option<Vec<String>> {
    let (head, _) = target.split_once('[')?;
    let path: Vec<String> = head
        .split('.')
        .map(|part| part.trim().to_string())
        .collect();
    let is_name = |part: &String| {
        !part.is_empty()
            && part
                .chars()
                .all(|letter| letter == '_' || letter.is_alphanumeric())
    };
    path.iter().all(is_name).then_some(path)
}

fn callees(decorator: &Expression) -> Vec<Vec<String>> {
    let mut paths = vec![decorator.head.clone()];
    for call in &decorator.facts.calls {
        if let Call::Path(path) = call {
            paths.push(path.clone());
        }
    }
    paths.retain(|path| !path.is_empty());
    paths.dedup();
    paths
}

/// Whether every decorator of the old definition stands above the new one.
pub(crate) fn decorators_stay(old: &Statement, new: &Statement) -> bool {
    let marks = |statement: &Statement| match &statement.kind {
        Kind::Function(function) => prints(&function.decorators),
        Kind::Class(class) => [prints(&class.decorators), prints(&class.arguments)].concat(),
        _ => Vec::new(),
    };
    if !matches!(old.kind, Kind::Function(_) | Kind::Class(_)) {
        return false;
    }
    let now = marks(new);
    marks(old).iter().all(|mark| now.contains(mark))
}

fn prints(expressions: &[Expression]) -> Vec<u64> {
    expressions.iter().map(|each| each.fingerprint).collect()
}

/// The text of a statement, to be compiled alone: what stands in a block keeps its
/// indentation, and so a block around it.
fn standing_alone(text: &str, span: Span) -> String {
    let start = span.start as usize;
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let rest = &text[line..start];
    let indentation = &rest[..rest.len() - rest.trim_start().len()];
    match indentation {
        "" => span.of(text).to_string(),
        _ => format!("if 1:\n{indentation}{}", span.of(text)),
    }
}
