//! Names that several statements bind: what they hold at each place of the source.

use hotswap_plan::{Facts, Kind, Outline, Skeleton, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use rustc_hash::FxHashSet;

use crate::stage::Stage;
use crate::values;

/// A place in a source, before one of its statements.
#[derive(Clone, Copy)]
pub(crate) struct Place<'o> {
    pub outline: &'o Outline,
    pub text: &'o str,
    pub index: usize,
    /// The source is the new one.
    pub new: bool,
}

/// Names with what they hold at a place, and those of which that is not known.
pub(crate) type EarlyValues<'py> = (Vec<(String, Bound<'py, PyAny>)>, Vec<String>);

/// Beyond this many statements that need one another's early values, none is made.
const DEPTH: usize = 8;

impl<'py> Stage<'_, 'py> {
    /// The names that code at a place reads and that hold something else there than at
    /// the end of the module, with what they hold there; as far as it can be made again
    /// without effects.
    pub(crate) fn early_values(
        &mut self,
        module: usize,
        place: Place<'_>,
        facts: &Facts,
        namespace: &Bound<'py, PyDict>,
        skip: &[String],
    ) -> PyResult<EarlyValues<'py>> {
        let mut values: Vec<(String, Bound<'py, PyAny>)> = Vec::new();
        let mut unknown = Vec::new();
        for path in &facts.reads {
            let name = &path[0];
            if skip.contains(name)
                || unknown.contains(name)
                || values.iter().any(|(known, _)| known == name)
                || !is_rebound_after(place, name)
            {
                continue;
            }
            match self.early_value(module, place, name, namespace)? {
                Some(value) => values.push((name.clone(), value)),
                None => unknown.push(name.clone()),
            }
        }
        Ok((values, unknown))
    }

    /// What a name holds at a place, where later statements bind it again. None: unknown.
    pub(crate) fn early_value(
        &mut self,
        module: usize,
        place: Place<'_>,
        name: &str,
        namespace: &Bound<'py, PyDict>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if self.early_depth >= DEPTH {
            return Ok(None);
        }
        let links = links(place.outline, name);
        let before = links.partition_point(|link| *link < place.index);
        if before == 0 {
            return Ok(None);
        }
        if let Some(class) = self.class_passed_on(place, &links, before, name, namespace)? {
            return Ok(Some(class));
        }
        self.early_depth += 1;
        let value = self.value_after(module, place, &links[..before], name, namespace);
        self.early_depth -= 1;
        value
    }

    /// The class that a name holds at a place between its statement and those that pass it on,
    /// as in `C = add_repr(C)`, where these gave back what they got: no other class of that
    /// name is alive.
    fn class_passed_on(
        &self,
        place: Place<'_>,
        links: &[usize],
        before: usize,
        name: &str,
        namespace: &Bound<'py, PyDict>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let statement = &place.outline.statements[links[before - 1]];
        let is_class = matches!(&statement.kind, Kind::Class(class) if class.name == name);
        if !is_class || before == links.len() {
            return Ok(None);
        }
        let passes = crate::class::passed_on(place.outline, statement, name);
        let Some(held) = namespace.get_item(name)? else {
            return Ok(None);
        };
        match held.cast::<PyType>() {
            Ok(class) if !passes.is_empty() && is_alone(class, name)? => Ok(Some(held)),
            _ => Ok(None),
        }
    }

    /// The first name that a statement reads before its last statement, and that the
    /// statements up to there give another value than before.
    pub(crate) fn early_cause(
        &self,
        module: usize,
        index: usize,
        facts: &Facts,
        outline: &Outline,
    ) -> Option<String> {
        let Some(edited) = self.edits.get(&module) else {
            if self.early.is_empty() {
                return None;
            }
            return facts.reads.iter().map(|path| &path[0]).find_map(|name| {
                let early = |link: &usize| {
                    *link < index && self.early.contains_key(&(module, *link, name.clone()))
                };
                let rebound = links(outline, name).into_iter().any(|link| link >= index);
                (rebound && links(outline, name).iter().any(early)).then(|| name.clone())
            });
        };
        let old_index = edited.plan.steps.get(index)?.old?;
        for path in &facts.reads {
            let name = &path[0];
            if !edited.old_outline.rebinds(name) && !outline.rebinds(name) {
                continue;
            }
            let (old, new) = (links(&edited.old_outline, name), links(outline, name));
            let prefix = |links: &[usize], outline: &Outline, at: usize| -> Vec<usize> {
                let before = &links[..links.partition_point(|link| *link < at)];
                let base = before
                    .iter()
                    .rposition(|link| replaces(&outline.statements[*link], name));
                before[base.unwrap_or(0)..].to_vec()
            };
            let before = prefix(&old, &edited.old_outline, old_index);
            let after = prefix(&new, outline, index);
            let same = before.len() == after.len()
                && before.iter().zip(&after).all(|(was, is)| {
                    let step = &edited.plan.steps[*is];
                    step.old == Some(*was)
                        && step.change != hotswap_plan::Change::Run
                        && !self.early.contains_key(&(module, *is, name.clone()))
                });
            if !same {
                return Some(name.clone());
            }
        }
        None
    }

    /// What a name holds after some of the statements that bind it. None: unknown, or
    /// only to be had by running something with effects.
    fn value_after(
        &mut self,
        module: usize,
        place: Place<'_>,
        links: &[usize],
        name: &str,
        namespace: &Bound<'py, PyDict>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let base = links
            .iter()
            .rposition(|link| replaces(&place.outline.statements[*link], name))
            .unwrap_or(0);
        let copy = namespace.copy()?;
        let mut rest = &links[base..];
        let made = place
            .new
            .then(|| self.early.get(&(module, links[base], name.to_string())))
            .flatten();
        if let Some(made) = made {
            copy.set_item(name, made)?;
            rest = &rest[1..];
        }
        for link in rest {
            let statement = &place.outline.statements[*link];
            if let Some(given) = self.imported_value(module, statement, name, place.new)? {
                copy.set_item(name, given)?;
                continue;
            }
            let chained = [name.to_string()];
            let at = Place {
                index: *link,
                ..place
            };
            let ran = match self.link_impurity(module, statement, &chained) {
                true => self.run_part_that_ran(module, at, &copy, &chained)?,
                false => self.run_link(module, at, &copy, &chained)?,
            };
            if !ran {
                return Ok(None);
            }
        }
        copy.get_item(name)
    }

    /// Runs one statement in a copy of a namespace. False: it raised.
    pub(crate) fn run_link(
        &mut self,
        module: usize,
        place: Place<'_>,
        copy: &Bound<'py, PyDict>,
        chained: &[String],
    ) -> PyResult<bool> {
        let statement = &place.outline.statements[place.index];
        let mut own_values = Vec::new();
        for name in crate::chain::augmented(statement) {
            // What others hold too must not be changed by a trial.
            if chained.contains(&name)
                && let Some(value) = copy.get_item(&name)?
            {
                if is_shared(&value, copy) {
                    return Ok(false);
                }
                own_values.push(value);
            }
        }
        let skeleton = Skeleton::new(place.text, place.outline).statement(statement);
        let code = self.compile(module, &skeleton.finish())?;
        let mut view = self.view(module, place, &statement.facts, copy, chained)?;
        if !view.unknown.is_empty() {
            view.leave()?;
            return Ok(false);
        }
        let own = self.show_own_names(module, &statement.facts, copy)?;
        let run = || crate::codes::execute(&code, copy, None);
        // What is set on an instance may run code of its class.
        let is_watched = own_values.iter().any(values::has_identity)
            && !crate::trial::is_traced(self.py).unwrap_or(true);
        let ran = match is_watched {
            true => self.on_trial(copy, &own_values, run).map(|ran| ran.is_ok()),
            false => Ok(self.guarded(copy, &own_values, run).is_ok()),
        };
        self.hide_own_names(module, &own, copy)?;
        view.leave()?;
        ran
    }

    /// Whether running a statement may do more than to give some names their values.
    pub(crate) fn link_impurity(
        &self,
        module: usize,
        statement: &Statement,
        names: &[String],
    ) -> bool {
        self.impurity(module, &link_facts(&statement.facts, names))
            .is_some()
    }

    /// Whether a later statement decides what a name holds in the end, whatever this one gave it.
    pub(crate) fn is_overruled(outline: &Outline, index: usize, name: &str) -> bool {
        links(outline, name)
            .iter()
            .any(|link| *link > index && replaces(&outline.statements[*link], name))
    }

    /// Names whose statements are fewer than before, or in another order, and of which no
    /// other statement of the update took care.
    /// For each: its last statement, the name, the one that it starts from, and all of them.
    pub(crate) fn broken_chains(&self, module: usize) -> Vec<(usize, String, usize, Vec<usize>)> {
        let mut broken = Vec::new();
        let edited = &self.edits[&module];
        let (old, new) = (&edited.old_outline, &edited.outline);
        let plan = &edited.plan;
        let left_out = plan.steps.iter().any(|step| {
            let changed = !matches!(step.change, hotswap_plan::Change::Same) && !step.renamed;
            step.old.filter(|_| changed).is_some_and(|at| {
                let now = touched(&new.statements[step.new]);
                let before = touched(&old.statements[at]);
                before.iter().any(|name| !now.contains(name))
            })
        });
        if plan.removed.is_empty() && !left_out && plan.steps.is_sorted_by_key(|step| step.old) {
            return broken;
        }
        let mut chains: Vec<(&String, Vec<usize>)> = old
            .rebound
            .iter()
            .map(|name| (name, links(old, name)))
            .collect();
        chains.sort_by_key(|(_, links)| links.first().copied());
        for (name, before) in chains {
            let after = links(new, name);
            if after.is_empty() {
                continue;
            }
            let counterparts: Vec<Option<usize>> = after
                .iter()
                .map(|link| plan.steps.get(*link).and_then(|step| step.old))
                .collect();
            let unchanged = after.iter().all(|link| {
                matches!(
                    plan.steps[*link].change,
                    hotswap_plan::Change::Same
                        | hotswap_plan::Change::Bodies
                        | hotswap_plan::Change::Annotation
                )
            });
            let from = |links: &[usize], outline: &Outline| {
                links
                    .iter()
                    .rposition(|link| replaces(&outline.statements[*link], name))
                    .unwrap_or(0)
            };
            let (old_base, new_base) = (from(&before, old), from(&after, new));
            let had: Vec<Option<usize>> = before[old_base..].iter().copied().map(Some).collect();
            if !unchanged || had == counterparts[new_base..] {
                continue;
            }
            let (base, last) = (after[new_base], after[after.len() - 1]);
            broken.push((last, name.clone(), base, after));
        }
        broken
    }

    pub(crate) fn settle_chain(
        &mut self,
        module: usize,
        name: &str,
        base: usize,
        links: &[usize],
        outline: &std::sync::Arc<Outline>,
    ) -> PyResult<()> {
        let statement = &outline.statements[base];
        let single = base == links[links.len() - 1];
        let definition = matches!(
            statement.kind,
            Kind::Function(_) | Kind::Class(_) | Kind::Import(_)
        );
        if single && definition {
            let old = self.old_statement(module, base);
            return self.run(module, old.as_ref(), statement, outline);
        }
        if statement.deletes.iter().any(|gone| gone == name) && single {
            return self.bind(module, name, None);
        }
        if self.run_chain(module, statement, outline, Some(name))? {
            return Ok(());
        }
        let entry = self.entry(module, name, Some(statement), "statement", "stale");
        entry.reason =
            "a statement that had a part in it is gone or elsewhere; it cannot be made again without effects, or the program changed it"
                .to_string();
        entry.advice = "# hotswap: rerun".to_string();
        Ok(())
    }

    /// The counterpart of a statement in the baseline.
    pub(crate) fn old_statement(&self, module: usize, index: usize) -> Option<Statement> {
        let Some(edited) = self.edits.get(&module) else {
            return self.outline(module)?.statements.get(index).cloned();
        };
        let old = edited.plan.steps.get(index)?.old?;
        Some(edited.old_outline.statements[old].clone())
    }
}

/// All names that a statement binds, deletes or changes in place.
pub(crate) fn touched(statement: &Statement) -> Vec<String> {
    let mut names = statement.binds.clone();
    names.extend(statement.deletes.iter().cloned());
    names.extend(statement.facts.stores.iter().cloned());
    names.sort();
    names.dedup();
    names
}

/// The statements that bind, delete or augment a name, in order.
pub(crate) fn links(outline: &Outline, name: &str) -> Vec<usize> {
    let has = |names: &[String]| names.iter().any(|other| other == name);
    outline
        .statements
        .iter()
        .enumerate()
        .filter(|(_, statement)| {
            has(&statement.binds) || has(&statement.deletes) || has(&statement.facts.stores)
        })
        .map(|(index, _)| index)
        .collect()
}

/// Whether a container is held by more than the names of a namespace.
pub(crate) fn is_shared(value: &Bound<'_, PyAny>, namespace: &Bound<'_, PyDict>) -> bool {
    if crate::values::is_plain(value) {
        return false;
    }
    let names = namespace
        .values()
        .iter()
        .filter(|held| held.is(value))
        .count();
    // One reference is ours.
    let own = isize::try_from(names)
        .unwrap_or(isize::MAX)
        .saturating_add(1);
    hotswap_cpython::heap::reference_count(value) != Some(own)
}

/// Whether a class has the name of its statement, and no sibling is from there too.
fn is_alone(class: &Bound<'_, PyType>, name: &str) -> PyResult<bool> {
    if class.qualname()? != name {
        return Ok(false);
    }
    let module = class.module()?.to_string();
    let mut found = 0;
    for base in class.bases().iter() {
        let Ok(base) = base.cast_into::<PyType>() else {
            return Ok(false);
        };
        let below = class
            .py()
            .get_type::<PyType>()
            .call_method1("__subclasses__", (base,))?;
        for one in below.try_iter()? {
            let Ok(one) = one?.cast_into::<PyType>() else {
                continue;
            };
            if one.qualname()? == name && one.module()? == module.as_str() {
                found += usize::from(!one.is(class));
            }
        }
    }
    Ok(found == 0)
}

/// Whether a name is bound before a place of the source, and again there or after it.
fn is_rebound_after(place: Place<'_>, name: &str) -> bool {
    let links = links(place.outline, name);
    let before = links.partition_point(|link| *link < place.index);
    before > 0 && before < links.len()
}

/// All names that are.
pub(crate) fn rebound_after(place: Place<'_>) -> FxHashSet<String> {
    let statements = &place.outline.statements;
    let before: FxHashSet<String> = statements
        .iter()
        .take(place.index)
        .flat_map(touched)
        .collect();
    statements
        .iter()
        .enumerate()
        .skip(place.index.saturating_add(1))
        .flat_map(|(_, statement)| touched(statement))
        .filter(|name| before.contains(name))
        .collect()
}

/// Whether what a name holds after a statement has nothing to do with what it held before.
pub(crate) fn replaces(statement: &Statement, name: &str) -> bool {
    let reads = || statement.facts.reads.iter().any(|path| path[0] == name);
    match &statement.kind {
        Kind::Assign { .. } | Kind::Function(_) | Kind::Class(_) => {
            statement.binds.iter().any(|bound| bound == name) && !reads()
        }
        Kind::Import(_) => statement.binds.iter().any(|bound| bound == name),
        Kind::Other => statement.deletes.iter().any(|gone| gone == name),
        _ => false,
    }
}

/// What a statement does besides giving some names their values.
pub(crate) fn link_facts(facts: &Facts, names: &[String]) -> Facts {
    let mut facts = facts.clone();
    facts.stores.retain(|other| !names.contains(other));
    facts.calls.retain(|call| {
        !matches!(call, hotswap_plan::Call::Path(path)
            if path.len() == 2 && names.contains(&path[0]) && hotswap_plan::changes_in_place(&path[1]))
    });
    facts
}
