//! Where what registers anew goes, and what is left of a container that was emptied.

use hotswap_plan::{Kind, Outline, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyType};

use super::entries::{holds, position_of};
use super::{Survey, Taken, registers};
use crate::collections::{self, Entry, Shape};
use crate::stage::Stage;
use crate::values;

impl<'py> Stage<'_, 'py> {
    /// Entries that were appended go where a fresh start would have appended them.
    pub(super) fn put_in_order(
        &self,
        survey: &Survey<'py>,
        at: usize,
        module: usize,
        new: &Statement,
        outline: &Outline,
    ) -> PyResult<()> {
        let place = &survey.reach.places[at];
        let sorts = [
            "sort",
            "sorted",
            "insort",
            "insort_left",
            "insort_right",
            "heappush",
        ];
        // Of these nothing puts the keys of a mapping in order.
        if !place.shape.is_mapping() && sorts.iter().any(|name| survey.reach.names.contains(*name))
        {
            return Ok(());
        }
        let now = collections::read(&place.container, place.shape)?;
        let without = survey.without(at);
        let fresh = collections::added(&without, &now);
        let mut entries: Vec<Entry<'py>> = Vec::new();
        let mut appended = Vec::new();
        for (index, entry) in now.iter().enumerate() {
            if fresh.contains(&index) {
                appended.push(entry.clone());
            } else {
                entries.push(entry.clone());
            }
        }
        let at_end = fresh.first().is_some_and(|first| *first == entries.len());
        let replaced: Vec<&Taken<'py>> = survey
            .taken
            .iter()
            .filter(|taken| taken.place == at && taken.rest.is_none())
            .collect();
        // What overwrote a key in place is where it belongs.
        if !at_end {
            return Ok(());
        }
        let order = |entry: &Entry<'py>| self.source_order(module, entry, outline);
        for (nth, entry) in appended.into_iter().enumerate() {
            let position = match replaced.get(nth) {
                Some(taken) => position_of(&survey.before[at], taken.index, &entries) + nth,
                None => {
                    let own = outline
                        .statements
                        .iter()
                        .position(|statement| statement.span == new.span)
                        .unwrap_or(usize::MAX);
                    let known: Vec<Option<usize>> = entries.iter().map(order).collect();
                    let in_source_order = known
                        .iter()
                        .flatten()
                        .zip(known.iter().flatten().skip(1))
                        .all(|(one, next)| one <= next);
                    // Behind what stands above it in the source, before what stands below;
                    // what the program added itself came later.
                    let above = known
                        .iter()
                        .rposition(|index| index.is_some_and(|index| index <= own));
                    let below = known
                        .iter()
                        .position(|index| index.is_some_and(|index| index > own));
                    match (in_source_order, above, below) {
                        (true, Some(above), _) => above + 1,
                        (true, None, Some(below)) => below,
                        _ => entries.len(),
                    }
                }
            };
            entries.insert(position.min(entries.len()), entry);
        }
        collections::write(&place.container, place.shape, &entries)
    }

    /// The index of the statement that made an entry, as far as its object tells.
    fn source_order(&self, module: usize, entry: &Entry<'py>, outline: &Outline) -> Option<usize> {
        let live = self.live_dict(module);
        let staged = self
            .staging
            .get(&module)
            .map(|staging| staging.namespace.clone());
        let mut found = None;
        for (index, statement) in outline.statements.iter().enumerate() {
            if !registers(statement) {
                continue;
            }
            let names: Vec<String> = match &statement.kind {
                Kind::Function(_) | Kind::Class(_) => statement.binds.clone(),
                _ => statement
                    .facts
                    .reads
                    .iter()
                    .filter(|path| path.len() == 1)
                    .map(|path| path[0].clone())
                    .collect(),
            };
            for name in names {
                for namespace in [Some(&live), staged.as_ref()].into_iter().flatten() {
                    let Ok(Some(object)) = namespace.get_item(&name) else {
                        continue;
                    };
                    if let (Kind::Class(_), Ok(class)) = (&statement.kind, object.cast::<PyType>())
                    {
                        let members = crate::native::type_dict(class).values();
                        if members.iter().any(|member| member.is(&entry.value)) {
                            found = Some(index);
                        }
                    }
                    if values::has_identity(&object)
                        && Shape::of(&object).is_none()
                        // The entry wraps the object, or the object wraps the entry.
                        && (holds(&entry.value, &object).unwrap_or(false)
                            || object.is_instance_of::<PyFunction>()
                                && holds(&object, &entry.value).unwrap_or(false))
                    {
                        found = Some(index);
                    }
                }
            }
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// A list that a registration had made for its key goes with the last entry.
    pub(super) fn drop_emptied(&self, survey: &Survey<'py>) -> PyResult<()> {
        for at in (0..survey.reach.places.len()).rev() {
            let place = &survey.reach.places[at];
            let Some((parent, Some(key))) = &place.parent else {
                continue;
            };
            let lost = survey.taken.iter().any(|taken| taken.place == at)
                || survey
                    .reach
                    .places
                    .iter()
                    .enumerate()
                    .any(|(child, other)| {
                        other.parent.as_ref().is_some_and(|(up, _)| *up == at)
                            && survey.before[child].len()
                                > other.container.len().unwrap_or(usize::MAX)
                    });
            let holder = &survey.reach.places[*parent];
            if !lost || place.container.len()? > 0 || !holder.shape.is_mapping() {
                continue;
            }
            let made_on_demand = survey.reach.names.contains("setdefault")
                || holder.container.get_type().name()?.to_str()? == "defaultdict";
            if made_on_demand && holder.container.contains(key)? {
                holder.container.del_item(key)?;
            }
        }
        Ok(())
    }
}
