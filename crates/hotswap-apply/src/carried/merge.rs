//! A merge of three: what is there, what decorators made of the old definition, and what they
//! make of the new one. What nobody changed since it was made follows.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyList, PyModule, PyTuple, PyType};
use rustc_hash::FxHashSet;

use super::wrappers::{Slot, cells_of, is_generated, is_wrapper, same, slots_of, write_to};
use super::{Before, Pairs, Site, pair_defaults, value_in};
use crate::codes;
use crate::native as cpython;
use crate::transaction::Write;
use crate::values;

/// What is there, what decorators made of the old definition, and what they make of the new one.
pub(super) struct Merge<'b, 's, 'py> {
    before: &'b Before<'py>,
    old: Site<'s>,
    new: Site<'s>,
    /// What was made of the new definition, and what is there in its place.
    made: Pairs<'py>,
    /// Live, old, new.
    triples: Vec<[Bound<'py, PyAny>; 3]>,
    writes: Vec<Write<'py>>,
    /// What could not follow, and why.
    lost: Vec<(String, String)>,
}

/// What is to be written, and what could not follow, with the reason.
type Outcome<'py> = (Vec<Write<'py>>, Vec<(String, String)>);

impl<'b, 's, 'py> Merge<'b, 's, 'py> {
    /// What gives the live objects what decorators make of the new definition.
    pub(super) fn of(
        before: &'b Before<'py>,
        old: Site<'s>,
        new: Site<'s>,
        made: &Bound<'py, PyAny>,
    ) -> PyResult<Outcome<'py>> {
        let mut merge = Merge {
            before,
            old,
            new,
            made: Pairs::default(),
            triples: Vec::new(),
            writes: Vec::new(),
            lost: Vec::new(),
        };
        merge.pair(&before.made, made)?;
        merge.settle()?;
        Ok((merge.writes, merge.lost))
    }

    fn pair(&mut self, old: &Bound<'py, PyAny>, new: &Bound<'py, PyAny>) -> PyResult<()> {
        let Some(live) = self.before.pairs.of(old).cloned() else {
            return Ok(());
        };
        if old.is(new)
            || !old.get_type().is(new.get_type())
            || self.made.of(new).is_some()
            || !is_wrapper(new)?
            || self.old.is_at(old)? != self.new.is_at(new)?
        {
            return Ok(());
        }
        self.made.add(new, &live);
        self.triples.push([live.clone(), old.clone(), new.clone()]);
        if self.new.is_at(new)? {
            pair_defaults(new, &live, &mut self.made)?;
        }
        let made = slots_of(new)?;
        let there = slots_of(&live)?;
        for (slot, value) in slots_of(old)? {
            let (Some(now), Some(held)) = (value_in(&made, &slot), value_in(&there, &slot)) else {
                continue;
            };
            // Unless the program, or this update, has put something else there.
            if self.before.pairs.are(&value, held) {
                self.pair(&value, now)?;
            }
        }
        Ok(())
    }

    fn settle(&mut self) -> PyResult<()> {
        for [live, old, new] in std::mem::take(&mut self.triples) {
            let is_own = self.new.is_at(&new)?;
            if !is_own
                && live.is_exact_instance_of::<PyFunction>()
                && !self.code(&live, &old, &new)?
            {
                continue;
            }
            let (held, was, is) = (slots_of(&live)?, slots_of(&old)?, slots_of(&new)?);
            let mut slots: Vec<&Slot> = was.iter().map(|(slot, _)| slot).collect();
            for (slot, _) in &is {
                if !slots.contains(&slot) {
                    slots.push(slot);
                }
            }
            for slot in slots {
                // Those of the function itself are evaluated one by one.
                let by_itself = ["__defaults__", "__kwdefaults__", "__annotations__"];
                if is_own && by_itself.iter().any(|name| *slot == Slot::Attribute(name)) {
                    continue;
                }
                let of = [&held, &was, &is].map(|slots| value_in(slots, slot));
                self.slot(&live, &old, slot, of)?;
            }
        }
        Ok(())
    }

    /// The text of a generated function. False: it is not known to be what decorators made.
    fn code(
        &mut self,
        live: &Bound<'py, PyAny>,
        old: &Bound<'py, PyAny>,
        new: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        let code = |function: &Bound<'py, PyAny>| function.getattr("__code__");
        let (there, was, is) = (code(live)?, code(old)?, code(new)?);
        if codes::same_behaviour(&there, &is)? {
            return Ok(true);
        }
        let free = codes::free_variables(&is)?;
        if !is_generated(old)?
            || !is_generated(new)?
            || !codes::same_behaviour(&there, &was)?
            || codes::free_variables(&there)? != free
        {
            // Other functions of the program have their new code by now.
            let name: String = live.getattr("__qualname__")?.extract()?;
            if codes::same_behaviour(&was, &is)? || !is_generated(new)? {
                return Ok(false);
            }
            self.lost
                .push((name, "it is made in another way now".to_string()));
            return Ok(false);
        }
        let cells: Vec<_> = cells_of(live)?.into_iter().map(|(_, cell)| cell).collect();
        let closure = match free.is_empty() {
            true => None,
            false => Some(PyTuple::new(live.py(), cells)?),
        };
        self.writes.push(Write::Code {
            function: live.clone(),
            code: is,
            closure,
        });
        Ok(true)
    }

    fn slot(
        &mut self,
        live: &Bound<'py, PyAny>,
        old: &Bound<'py, PyAny>,
        slot: &Slot,
        [held, was, is]: [Option<&Bound<'py, PyAny>>; 3],
    ) -> PyResult<()> {
        let both = |was: &Bound<'py, PyAny>, is: &Bound<'py, PyAny>| match (
            self.before.pairs.of(was),
            self.made.of(is),
        ) {
            (Some(a), Some(b)) => a.is(b),
            _ => false,
        };
        let made = |is: &Bound<'py, PyAny>, held: &Bound<'py, PyAny>| self.made.are(is, held);
        let differs = match (was, is) {
            (Some(was), Some(is)) => !same(was, is, &both)?,
            (None, None) => false,
            _ => true,
        };
        let follows = match (held, is) {
            (Some(held), Some(is)) => same(is, held, &made)?,
            (None, None) => true,
            _ => false,
        };
        if !differs || follows {
            return Ok(());
        }
        let is_as_made = match (held, was) {
            (_, Some(_)) => {
                let key = (old.as_ptr() as usize, slot.clone());
                self.before.as_made.contains(&key)
            }
            (held, None) => held.is_none(),
        };
        if !is_as_made {
            // What is made anew each time, such as a lock, is no other value.
            let plain = [was, is].into_iter().flatten().all(values::is_plain);
            if plain && was.is_some() && held.is_some() {
                self.lost
                    .push((slot.text(), "the program changed it since".to_string()));
            }
            return Ok(());
        }
        let value = match is {
            Some(is) => match self.in_place(is, 0)? {
                Some(value) => Some(value),
                None => {
                    self.lost
                        .push((slot.text(), "what it holds cannot be passed on".to_string()));
                    return Ok(());
                }
            },
            None => None,
        };
        match write_to(live, slot, value)? {
            Some(write) => self.writes.push(write),
            None => self
                .lost
                .push((slot.text(), "it cannot be set from outside".to_string())),
        }
        Ok(())
    }

    /// A value of the new definition with the live objects in the place of those made on trial.
    /// None: it holds some where nobody can put others.
    fn in_place(
        &self,
        value: &Bound<'py, PyAny>,
        depth: usize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(live) = self.made.of(value) {
            return Ok(Some(live.clone()));
        }
        if values::is_plain(value) || depth > 10 {
            return Ok(Some(value.clone()));
        }
        if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            let mut items = Vec::new();
            for item in tuple.iter() {
                match self.in_place(&item, depth + 1)? {
                    Some(item) => items.push(item),
                    None => return Ok(None),
                }
            }
            return Ok(Some(PyTuple::new(value.py(), items)?.into_any()));
        }
        if let Ok(list) = value.cast_exact::<PyList>() {
            // It may be held by more than one of them.
            for (at, item) in list.iter().enumerate() {
                match self.in_place(&item, depth + 1)? {
                    Some(own) if own.is(&item) => {}
                    Some(own) => list.set_item(at, own)?,
                    None => return Ok(None),
                }
            }
            return Ok(Some(value.clone()));
        }
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            for (key, item) in dict
                .items()
                .iter()
                .map(|pair| pair.extract())
                .collect::<PyResult<Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>>>()?
            {
                match self.in_place(&item, depth + 1)? {
                    Some(own) if own.is(&item) => {}
                    Some(own) => dict.set_item(key, own)?,
                    None => return Ok(None),
                }
            }
            return Ok(Some(value.clone()));
        }
        Ok((!self.leads_to_trial(value)?).then(|| value.clone()))
    }

    /// Whether an object holds one of those that were made on trial.
    fn leads_to_trial(&self, value: &Bound<'py, PyAny>) -> PyResult<bool> {
        let referents = cpython::import(value.py(), "gc")?.getattr("get_referents")?;
        let mut seen = FxHashSet::default();
        let mut due = vec![value.clone()];
        while let Some(object) = due.pop() {
            if self.made.wrappers_hold(&object) {
                return Ok(true);
            }
            if values::is_plain(&object)
                || object.is_instance_of::<PyType>()
                || object.is_instance_of::<PyModule>()
                || !seen.insert(object.as_ptr() as usize)
            {
                continue;
            }
            if seen.len() > 1000 {
                return Ok(true);
            }
            if let Ok(function) = object.cast_exact::<PyFunction>() {
                // Its namespace may be the copy in which the trial ran.
                if self.is_of_trial(function)? {
                    return Ok(true);
                }
                continue;
            }
            for held in referents.call1((&object,))?.try_iter()? {
                due.push(held?);
            }
        }
        Ok(false)
    }

    /// Whether a function was defined in the copy of a namespace in which the trial ran.
    fn is_of_trial(&self, function: &Bound<'py, PyFunction>) -> PyResult<bool> {
        let names = function.getattr("__globals__")?;
        for (made, _) in self.made.by_address.values() {
            if self.new.is_at(made)? && made.getattr("__globals__")?.is(&names) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
