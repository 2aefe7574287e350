//! Changed dict, list and set displays, merged with what the program did to them.

use hotswap_plan::{Kind, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::stage::Stage;
use crate::statement::evaluate;
use crate::values;

impl<'py> Stage<'_, 'py> {
    /// A changed display merged with what the program did to the live container; that
    /// one itself where they cannot be merged. None: it is not such a statement. The old
    /// display is evaluated again in `scope`, which is a copy.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn merge_display(
        &mut self,
        module: usize,
        name: &str,
        was: &Bound<'py, PyAny>,
        now: &Bound<'py, PyAny>,
        old: Option<&Statement>,
        new: &Statement,
        scope: &Bound<'py, PyDict>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let display = |statement: &Statement| match &statement.kind {
            Kind::Assign {
                value: Some(value),
                targets,
                ..
            } if targets.len() == 1 && statement.binds == *targets => {
                Some((value.display, value.clone()))
            }
            _ => None,
        };
        let (Some(old), Some((kind, _))) = (old, display(new)) else {
            return Ok(None);
        };
        let Some((old_kind, old_value)) = display(old) else {
            return Ok(None);
        };
        if !values::is_container(was)
            || !was.get_type().is(now.get_type())
            || self.impurity(module, &old_value.facts).is_some()
        {
            return Ok(None);
        }
        let old_text = match self.edits.get(&module) {
            Some(edited) => edited.old_text.clone(),
            None => self.text(module),
        };
        let mut view = self.view_before(module, old.span.start, &old_value.facts, scope)?;
        let base = evaluate(self.py, old_value.span.of(&old_text), scope);
        view.leave()?;
        let Ok(base) = base else {
            return Ok(None);
        };
        if kind != old_kind || kind.is_none() {
            // Another way to write the same value: what the program put into it stays.
            return Ok(values::equal(&base, now).then(|| was.clone()));
        }
        let Some(content) = merge(self.py, &base, was, now)? else {
            let entry = self.entry(module, name, Some(new), "statement", "stale");
            entry.reason = REORDERED.to_string();
            entry.advice = "# hotswap: rerun".to_string();
            return Ok(Some(was.clone()));
        };
        Ok(Some(content))
    }
}

/// Why an edit of a list comes to nothing.
pub(crate) const REORDERED: &str =
    "the program reordered or removed items of the list, so the edit cannot be merged";

/// Three-way merge of containers: what the edit did to `base` is done to `live`.
pub(crate) fn merge<'py>(
    py: Python<'py>,
    base: &Bound<'py, PyAny>,
    live: &Bound<'py, PyAny>,
    edited: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let listed = base.is_exact_instance_of::<PyDict>() || base.is_exact_instance_of::<PyList>();
    if values::equal(base, live) || !listed && values::alike(base, live) {
        return Ok(Some(edited.clone()));
    }
    if let (Ok(base), Ok(live), Ok(edited)) = (
        base.cast_exact::<PyDict>(),
        live.cast_exact::<PyDict>(),
        edited.cast_exact::<PyDict>(),
    ) {
        let merged = PyDict::new(py);
        for (key, value) in edited.iter() {
            let before = base.get_item(&key)?;
            let same = before
                .as_ref()
                .is_some_and(|before| values::alike(before, &value));
            match (same, live.get_item(&key)?) {
                (true, Some(now)) => merged.set_item(key, now)?,
                (true, None) => {}
                (false, _) => merged.set_item(key, value)?,
            }
        }
        for (key, value) in live.iter() {
            if !base.contains(&key)? && !merged.contains(&key)? {
                merged.set_item(key, value)?;
            }
        }
        return Ok(Some(merged.into_any()));
    }
    if live.is_exact_instance_of::<pyo3::types::PySet>() {
        let added = live.call_method1("difference", (base,))?;
        let removed = base.call_method1("difference", (live,))?;
        let kept =
            edited.call_method1(
                "difference",
                (removed
                    .call_method1("difference", (edited.call_method1("difference", (base,))?,))?,),
            )?;
        return Ok(Some(kept.call_method1("union", (added,))?));
    }
    merge_lists(py, base, live, edited)
}

/// Whether an edit takes something out of a container.
pub(crate) fn takes_away(base: &Bound<'_, PyAny>, edited: &Bound<'_, PyAny>) -> PyResult<bool> {
    if !base.get_type().is(edited.get_type()) {
        return Ok(true);
    }
    if let (Ok(base), Ok(edited)) = (base.cast_exact::<PyList>(), edited.cast_exact::<PyList>()) {
        let mut left = edited.iter();
        return Ok(!base
            .iter()
            .all(|item| left.any(|other| values::equal(&item, &other))));
    }
    for key in base.try_iter()? {
        if !edited.contains(key?)? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn merge_lists<'py>(
    py: Python<'py>,
    base: &Bound<'py, PyAny>,
    live: &Bound<'py, PyAny>,
    edited: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (Ok(base), Ok(live), Ok(edited)) = (
        base.cast_exact::<PyList>(),
        live.cast_exact::<PyList>(),
        edited.cast_exact::<PyList>(),
    ) else {
        return Ok(None);
    };
    // Items that the program inserted, by how many base items stand before them.
    let mut inserted: Vec<Vec<Bound<'py, PyAny>>> = vec![Vec::new(); base.len() + 1];
    let mut at = 0;
    let mut kept = Vec::new();
    for item in live.iter() {
        if at < base.len() && values::alike(&base.get_item(at)?, &item) {
            kept.push(item);
            at += 1;
        } else {
            inserted[at].push(item);
        }
    }
    if at < base.len() {
        return Ok(None);
    }
    let merged = PyList::empty(py);
    let mut from = 0;
    for item in inserted[0].drain(..) {
        merged.append(item)?;
    }
    for item in edited.iter() {
        let position = (from..base.len()).find(|at| {
            base.get_item(*at)
                .is_ok_and(|other| values::alike(&other, &item))
        });
        // What did not change is the object that lives.
        merged.append(position.map_or(&item, |position| &kept[position]))?;
        if let Some(position) = position {
            for slot in &mut inserted[from + 1..=position + 1] {
                for item in slot.drain(..) {
                    merged.append(item)?;
                }
            }
            from = position + 1;
        }
    }
    for slot in &mut inserted {
        for item in slot.drain(..) {
            merged.append(item)?;
        }
    }
    Ok(Some(merged.into_any()))
}
