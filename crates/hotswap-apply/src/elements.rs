//! Changed displays whose elements are evaluated one by one: `T = {"a": open_a(), …}`,
//! `cache, LIMIT = {}, 10`. Elements that did not change are not evaluated; their live
//! values stay, also those of containers inside.

use std::sync::Arc;

use hotswap_plan::{Expression, Item, Kind, Outline, Skeleton, Span, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::codes;
use crate::stage::{Changed, Stage};
use crate::statement::evaluate;
use crate::timeline::Place;
use crate::transaction::Write;
use crate::values;

/// Beyond this many elements a list is compared from its ends only.
const ALIGNED: usize = 200;

/// Which element of the old display an element of the new one is.
enum Origin {
    /// The same expression: its live value stays.
    Kept(usize),
    /// A display that differs inside.
    Within(usize),
    /// Another expression.
    New,
}

/// A container that gets other content, in place.
type Contents<'py> = Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>;

impl<'py> Stage<'_, 'py> {
    /// Runs a changed assignment of a display without the elements that did not change.
    /// False: it is none, or has to run as a whole.
    pub(crate) fn run_elements(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        outline: &Outline,
    ) -> PyResult<bool> {
        let Some(parts) = self.parts(old, new) else {
            return Ok(false);
        };
        let mut kept = Vec::new();
        for (_, before, after) in &parts {
            match before {
                Some(before)
                    if before.fingerprint == after.fingerprint
                        && parts.len() > 1
                        && self.cause(module, &after.facts).is_none() =>
                {
                    kept.push((before.span, after.span));
                }
                Some(before) => self.kept_elements(module, before, after, &mut kept),
                None => {}
            }
        }
        let masks: Vec<Span> = kept.iter().map(|(_, after)| *after).collect();
        if masks.is_empty() {
            return Ok(false);
        }
        let live = self.live_dict(module);
        for (name, _, after) in &parts {
            let kind = live.get_item(name)?.map(|value| value.get_type().name());
            let kind = kind.transpose()?.map(|kind| kind.to_string());
            if kind.is_none() || after.display.is_some() && kind.as_deref() != after.display {
                return Ok(false);
            }
        }
        let namespace = self.namespace(module)?;
        let text = self.text(module);
        let skeleton = Skeleton::new(&text, outline).masked(new, &masks);
        let code = self.compile(module, &skeleton.finish())?;
        let place = Place {
            outline,
            text: &text,
            index: crate::chain::holder_of(outline, new).unwrap_or(usize::MAX),
            new: true,
        };
        let copy = namespace.copy()?;
        let mut facts = hotswap_plan::Facts::clone(&new.facts);
        facts.stores.clear();
        self.note_effect(module, new);
        let mut view = self.view(module, place, &facts, &copy, &[])?;
        let ran = codes::execute(&code, &copy, None);
        view.leave()?;
        ran?;
        if !new.codes.is_empty() {
            self.shadows.push((copy.clone(), module));
        }
        // All that can be merged is known before anything is written.
        let mut settled = Vec::new();
        for (name, before, after) in &parts {
            let (Some(was), Some(now)) = (live.get_item(name)?, copy.get_item(name)?) else {
                return self.unmergeable(module, name, new);
            };
            let mut contents = Vec::new();
            match before {
                Some(before) if masks.contains(&after.span) => {
                    debug_assert_eq!(before.fingerprint, after.fingerprint);
                }
                Some(before) if before.display.is_some() && before.display == after.display => {
                    match self.merged(module, before, after, &was, &now, &masks, &mut contents)? {
                        Some(content) => settled.push((name, was, Some(content), contents)),
                        None => return self.unmergeable(module, name, new),
                    }
                }
                _ => settled.push((name, now, None, contents)),
            }
        }
        for (name, value, content, contents) in settled {
            for (container, content) in contents {
                self.transaction.push(Write::Content { container, content });
            }
            match content {
                Some(content) => {
                    let equal = values::equal(&value, &content);
                    self.bind(module, name, Some(value.clone()))?;
                    if !equal {
                        self.changed.insert((module, name.clone()), Changed::Value);
                        self.stand_in(&namespace, name, content, value)?;
                    }
                }
                None => {
                    let was = live.get_item(name)?;
                    self.bind(module, name, Some(value.clone()))?;
                    self.note_value(module, name, was, Some(value));
                }
            }
        }
        if !old.codes.is_empty() {
            self.move_kept_functions(module, &kept)?;
        }
        let label = new.label(&text);
        self.entry(module, &label, Some(new), "statement", "re-ran")
            .reason = "only the changed elements were evaluated".to_string();
        Ok(true)
    }

    /// The functions in elements that stay get the lines on which these stand now.
    fn move_kept_functions(&mut self, module: usize, kept: &[(Span, Span)]) -> PyResult<()> {
        let (old_text, text) = match self.edits.get(&module) {
            Some(edited) => (edited.old_text.clone(), edited.text.clone()),
            None => return Ok(()),
        };
        let line = |text: &str, at: u32| 1 + text[..at as usize].matches('\n').count() as u32;
        let codes = self.codes_by_line(module);
        for (was, is) in kept {
            let (before, after) = (was.of(&old_text), is.of(&text));
            let (first, now) = (line(&old_text, was.start), line(&text, is.start));
            if first != now && before == after {
                let last = line(&old_text, was.end);
                self.shift(&codes, first, last, now as i32 - first as i32)?;
            }
        }
        Ok(())
    }

    fn unmergeable(&mut self, module: usize, name: &str, new: &Statement) -> PyResult<bool> {
        let entry = self.entry(module, name, Some(new), "statement", "stale");
        entry.reason =
            "the program changed it so that the edit cannot be merged into it".to_string();
        entry.advice = "# hotswap: rerun".to_string();
        Ok(true)
    }

    /// The names that an assignment gives and the expressions they come from, old and new.
    fn parts<'o>(
        &self,
        old: &'o Statement,
        new: &'o Statement,
    ) -> Option<Vec<(String, Option<&'o Expression>, &'o Expression)>> {
        let value = |statement: &'o Statement| match &statement.kind {
            Kind::Assign {
                targets,
                value: Some(value),
                ..
            } if targets.len() == 1 => Some((targets[0].as_str(), value)),
            _ => None,
        };
        let ((old_target, before), (target, after)) = (value(old)?, value(new)?);
        if new.binds == [target] {
            let comparable = before.display.is_some() && before.display == after.display;
            return (old_target == target && comparable)
                .then(|| vec![(target.to_string(), Some(before), after)]);
        }
        let names = |target: &str| -> Option<Vec<String>> {
            let inner = target.strip_prefix('(').unwrap_or(target);
            let inner = inner.strip_suffix(')').unwrap_or(inner);
            let names: Vec<String> = inner.split(',').map(ToString::to_string).collect();
            let plain = |name: &String| {
                !name.is_empty()
                    && name
                        .chars()
                        .all(|letter| letter == '_' || letter.is_alphanumeric())
            };
            names.iter().all(plain).then_some(names)
        };
        let (had, has) = (names(old_target)?, names(target)?);
        if after.display.is_some()
            || before.display.is_some()
            || after.items.len() != has.len()
            || before.items.len() != had.len()
        {
            return None;
        }
        Some(
            has.into_iter()
                .zip(&after.items)
                .map(|(name, item)| {
                    let before = had
                        .iter()
                        .position(|other| *other == name)
                        .map(|at| &before.items[at].value);
                    (name, before, &item.value)
                })
                .collect(),
        )
    }

    /// The elements that need not be evaluated, in the old source and in the new one.
    fn kept_elements(
        &self,
        module: usize,
        before: &Expression,
        after: &Expression,
        kept: &mut Vec<(Span, Span)>,
    ) {
        if before.display.is_none()
            || before.display != after.display
            || after.display == Some("set")
        {
            return;
        }
        for (item, origin) in after.items.iter().zip(origins(before, after)) {
            match origin {
                Origin::Kept(at) if self.cause(module, &item.value.facts).is_none() => {
                    kept.push((before.items[at].value.span, item.value.span));
                }
                Origin::Within(at) => {
                    self.kept_elements(module, &before.items[at].value, &item.value, kept)
                }
                _ => {}
            }
        }
    }

    /// The content that a live container gets. None: it cannot be told.
    #[allow(clippy::too_many_arguments)]
    fn merged(
        &mut self,
        module: usize,
        before: &Expression,
        after: &Expression,
        live: &Bound<'py, PyAny>,
        now: &Bound<'py, PyAny>,
        masks: &[Span],
        contents: &mut Contents<'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if !live.get_type().is(now.get_type()) {
            return Ok(None);
        }
        if let (Ok(live), Ok(now)) = (live.cast_exact::<PyDict>(), now.cast_exact::<PyDict>()) {
            return self.merged_dict(module, before, after, live, now, masks, contents);
        }
        if let (Ok(live), Ok(now)) = (live.cast_exact::<PyList>(), now.cast_exact::<PyList>()) {
            return self.merged_list(module, before, after, live, now, masks, contents);
        }
        Ok(None)
    }

    #[allow(clippy::too_many_arguments)]
    fn merged_dict(
        &mut self,
        module: usize,
        before: &Expression,
        after: &Expression,
        live: &Bound<'py, PyDict>,
        now: &Bound<'py, PyDict>,
        masks: &[Span],
        contents: &mut Contents<'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        // Two equal keys in one display: which element is whose cannot be told.
        if now.len() != after.items.len() {
            return Ok(None);
        }
        let merged = PyDict::new(self.py);
        let origins = origins(before, after);
        for ((item, origin), (key, value)) in after.items.iter().zip(&origins).zip(now.iter()) {
            let there = live.get_item(&key)?;
            match origin {
                Origin::Kept(_) if masks.contains(&item.value.span) => {
                    if let Some(there) = there {
                        merged.set_item(key, there)?;
                    }
                }
                Origin::Within(at) => {
                    let old = &before.items[*at].value;
                    let inner = match &there {
                        Some(there) => {
                            self.merged(module, old, &item.value, there, &value, masks, contents)?
                        }
                        None => continue,
                    };
                    let (Some(inner), Some(there)) = (inner, there) else {
                        return Ok(None);
                    };
                    contents.push((there.clone(), inner));
                    merged.set_item(key, there)?;
                }
                _ => merged.set_item(key, value)?,
            }
        }
        let mut gone = Vec::new();
        for (at, item) in before.items.iter().enumerate() {
            let still = origins.iter().any(
                |origin| matches!(origin, Origin::Kept(old) | Origin::Within(old) if *old == at),
            );
            let Some(key) = item.key.as_ref().filter(|_| !still) else {
                continue;
            };
            let Some(key) = self.old_value(module, key)? else {
                return Ok(None);
            };
            gone.push(key);
        }
        for (key, value) in live.iter() {
            let removed = gone.iter().any(|other| values::equal(other, &key));
            if !removed && !merged.contains(&key)? && !now.contains(&key)? {
                merged.set_item(key, value)?;
            }
        }
        Ok(Some(merged.into_any()))
    }

    #[allow(clippy::too_many_arguments)]
    fn merged_list(
        &mut self,
        module: usize,
        before: &Expression,
        after: &Expression,
        live: &Bound<'py, PyList>,
        now: &Bound<'py, PyList>,
        masks: &[Span],
        contents: &mut Contents<'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(positions) = self.positions(module, before, live)? else {
            return Ok(None);
        };
        let base = PyList::empty(self.py);
        for at in &positions {
            base.append(live.get_item(*at)?)?;
        }
        let edited = PyList::empty(self.py);
        for ((item, origin), value) in after
            .items
            .iter()
            .zip(origins(before, after))
            .zip(now.iter())
        {
            match origin {
                Origin::Kept(at) if masks.contains(&item.value.span) => {
                    edited.append(base.get_item(at)?)?;
                }
                Origin::Within(at) => {
                    let there = base.get_item(at)?;
                    let old = &before.items[at].value;
                    match self.merged(module, old, &item.value, &there, &value, masks, contents)? {
                        Some(inner) => contents.push((there.clone(), inner)),
                        None => return Ok(None),
                    }
                    edited.append(there)?;
                }
                _ => edited.append(value)?,
            }
        }
        crate::display::merge_lists(self.py, base.as_any(), live.as_any(), edited.as_any())
    }

    /// Where the elements of the old display are in the live list: by value where that is
    /// harmless to tell, else by position if nothing came or went.
    fn positions(
        &mut self,
        module: usize,
        before: &Expression,
        live: &Bound<'py, PyList>,
    ) -> PyResult<Option<Vec<usize>>> {
        let base = match self.impurity(module, &before.facts) {
            None => self.old_value(module, before)?,
            Some(_) => None,
        };
        if let Some(base) = base.and_then(|base| base.cast_into::<PyList>().ok()) {
            let mut positions = Vec::new();
            for (at, item) in live.iter().enumerate() {
                if positions.len() < base.len()
                    && values::alike(&base.get_item(positions.len())?, &item)
                {
                    positions.push(at);
                }
            }
            if positions.len() == base.len() {
                return Ok(Some(positions));
            }
        }
        let count = before.items.len();
        Ok((live.len() == count).then(|| (0..count).collect()))
    }

    /// What an expression of the old source gives, if that is harmless to find out.
    fn old_value(
        &mut self,
        module: usize,
        expression: &Expression,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if self.impurity(module, &expression.facts).is_some() {
            return Ok(None);
        }
        let text: Arc<str> = match self.edits.get(&module) {
            Some(edited) => edited.old_text.clone(),
            None => self.text(module),
        };
        let source = expression.span.of(&text);
        let namespace = self.live_dict(module).copy()?;
        let (start, facts) = (expression.span.start, &expression.facts);
        let mut view = self.view_before(module, start, facts, &namespace)?;
        let value = evaluate(self.py, source, &namespace);
        view.leave()?;
        Ok(value.ok())
    }
}

/// For each element of a display the one of the old display that it is.
fn origins(before: &Expression, after: &Expression) -> Vec<Origin> {
    if after.display == Some("dict") {
        let key = |item: &Item| item.key.as_ref().map(|key| key.fingerprint);
        return after
            .items
            .iter()
            .map(|item| {
                let same = before
                    .items
                    .iter()
                    .position(|other| key(other) == key(item));
                match same {
                    Some(at) => origin(&before.items[at].value, &item.value, at),
                    None => Origin::New,
                }
            })
            .collect();
    }
    let matches = aligned(before, after);
    let mut origins: Vec<Origin> = matches
        .iter()
        .map(|at| at.map_or(Origin::New, Origin::Kept))
        .collect();
    // Between two elements that did not change, as many old as new: one by one.
    let (mut from, mut old_from) = (0, 0);
    for stop in 0..=matches.len() {
        let anchor = matches.get(stop).copied().flatten();
        if anchor.is_none() && stop < matches.len() {
            continue;
        }
        let old_stop = anchor.unwrap_or(before.items.len());
        if stop - from == old_stop - old_from {
            for offset in 0..stop - from {
                let (was, is) = (
                    &before.items[old_from + offset].value,
                    &after.items[from + offset].value,
                );
                origins[from + offset] = origin(was, is, old_from + offset);
            }
        }
        (from, old_from) = (stop + 1, old_stop + 1);
    }
    origins
}

fn origin(before: &Expression, after: &Expression, at: usize) -> Origin {
    if before.fingerprint == after.fingerprint {
        Origin::Kept(at)
    } else if before.display == after.display
        && matches!(before.display, Some("dict" | "list"))
        && !before.items.is_empty()
        && !after.items.is_empty()
    {
        Origin::Within(at)
    } else {
        Origin::New
    }
}

/// The longest common subsequence of two lists of elements: for each new one the old one.
fn aligned(before: &Expression, after: &Expression) -> Vec<Option<usize>> {
    let (old, new) = (&before.items, &after.items);
    let same = |i: usize, j: usize| old[i].value.fingerprint == new[j].value.fingerprint;
    let mut found = vec![None; new.len()];
    let mut head = 0;
    while head < old.len() && head < new.len() && same(head, head) {
        found[head] = Some(head);
        head += 1;
    }
    let mut tail = 0;
    while tail < old.len() - head
        && tail < new.len() - head
        && same(old.len() - 1 - tail, new.len() - 1 - tail)
    {
        tail += 1;
        found[new.len() - tail] = Some(old.len() - tail);
    }
    let (rows, columns) = (old.len() - head - tail, new.len() - head - tail);
    if rows > ALIGNED || columns > ALIGNED {
        return found;
    }
    let mut length = vec![vec![0u32; columns + 1]; rows + 1];
    for i in (0..rows).rev() {
        for j in (0..columns).rev() {
            length[i][j] = if same(head + i, head + j) {
                length[i + 1][j + 1] + 1
            } else {
                length[i + 1][j].max(length[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < rows && j < columns {
        if same(head + i, head + j) {
            found[head + j] = Some(head + i);
            (i, j) = (i + 1, j + 1);
        } else if length[i + 1][j] >= length[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}
