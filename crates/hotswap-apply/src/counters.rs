//! Counters that a statement moves each time it runs.
//!
//! A class that numbers its instances (`Field.counter += 1`) is state of the program. When a
//! statement runs again only to derive what it had made before, its instances are made
//! anew, and a fresh start would have counted them once.

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{Call, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyInt, PyType};
use rustc_hash::FxHashSet;

use crate::callee::all_names;
use crate::native as cpython;
use crate::reach::lookup;
use crate::stage::Stage;

/// Beyond this many functions the search ends; what was found until then counts.
const BOUND: usize = 400;

/// A number on a class, before a statement ran.
pub(crate) struct Counter<'py> {
    owner: Bound<'py, PyType>,
    name: String,
    before: i64,
}

impl<'py> Stage<'_, 'py> {
    /// Notes the counters that running a statement again may move, if it calls what it called.
    pub(crate) fn note_counters(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
    ) -> PyResult<()> {
        if old.facts.calls != new.facts.calls {
            return Ok(());
        }
        let mut waiting = Vec::new();
        for call in &new.facts.calls {
            if let Call::Path(path) = call
                && let Some(object) = self.object_at(module, path)?
            {
                waiting.push(object);
            }
        }
        let mut seen: FxHashSet<usize> = FxHashSet::default();
        while let Some(object) = waiting.pop() {
            if seen.len() > BOUND || !seen.insert(object.as_ptr() as usize) {
                continue;
            }
            if let Ok(class) = object.cast::<PyType>() {
                for name in ["__new__", "__init__"] {
                    waiting.extend(lookup(class, name)?);
                }
                continue;
            }
            let function = object.peek("__func__").unwrap_or(object);
            let Ok(function) = function.cast_into_exact::<PyFunction>() else {
                continue;
            };
            let globals = function.peek("__globals__")?.cast_into::<PyDict>()?;
            // What nobody edits counts for itself.
            if self.world.by_dict(&globals).is_none() {
                continue;
            }
            let mut names = FxHashSet::default();
            all_names(&function.peek("__code__")?, &mut names)?;
            for name in &names {
                let Some(value) = globals.get_item(name)? else {
                    continue;
                };
                if let Ok(class) = value.cast::<PyType>() {
                    numbers_of(class, &names, &mut self.counters)?;
                }
                waiting.push(value);
            }
        }
        Ok(())
    }
}

/// Sets counters back that statements have moved, unless an instance lives that got one of
/// the numbers: the next one must not have the same.
pub(crate) fn settle(py: Python<'_>, counters: Vec<Counter<'_>>) -> PyResult<()> {
    let mut collected = false;
    for counter in counters {
        let dict = cpython::type_dict(&counter.owner);
        let now = dict.get_item(&counter.name)?;
        let Some(now) = now.and_then(|now| now.extract::<i64>().ok()) else {
            continue;
        };
        if now <= counter.before {
            continue;
        }
        let mut taken = gave_number(&counter, now)?;
        // Instances that a class statement threw away may wait for the collector.
        let gc = py.import("gc")?;
        if taken && !collected && gc.call_method0("isenabled")?.is_truthy()? {
            collected = true;
            gc.call_method0("collect")?;
            taken = gave_number(&counter, now)?;
        }
        if !taken {
            let owner = &counter.owner;
            owner.setattr(counter.name.as_str(), counter.before)?;
        }
    }
    Ok(())
}

/// Whether an instance has one of the numbers that a counter has given away.
fn gave_number(counter: &Counter<'_>, now: i64) -> PyResult<bool> {
    for instance in cpython::instances_of(counter.owner.py(), &counter.owner, true)? {
        if holds_number(&instance, counter.before, now)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The numbers on a class that some code mentions by name.
fn numbers_of<'py>(
    class: &Bound<'py, PyType>,
    names: &FxHashSet<String>,
    found: &mut Vec<Counter<'py>>,
) -> PyResult<()> {
    let dict = cpython::type_dict(class);
    let mut mentioned = names.clone();
    if let Some(init) = dict.get_item("__init__")?
        && let Ok(code) = init.peek("__code__")
    {
        all_names(&code, &mut mentioned)?;
    }
    for name in mentioned {
        if let Some(value) = dict.get_item(&name)?
            && value.is_exact_instance_of::<PyInt>()
            && let Ok(before) = value.extract::<i64>()
            && !found
                .iter()
                .any(|known| known.owner.is(class) && known.name == name)
        {
            found.push(Counter {
                owner: class.clone(),
                name,
                before,
            });
        }
    }
    Ok(())
}

/// Whether an attribute of an instance is a number above the first and up to the second.
fn holds_number(instance: &Bound<'_, PyAny>, above: i64, to: i64) -> PyResult<bool> {
    let is_one = |value: &Bound<'_, PyAny>| {
        value
            .extract::<i64>()
            .is_ok_and(|number| above < number && number <= to)
    };
    if let Ok(dict) = instance.peek("__dict__")
        && let Ok(dict) = dict.cast::<PyDict>()
        && dict.values().iter().any(|value| is_one(&value))
    {
        return Ok(true);
    }
    for class in instance.get_type().mro().iter() {
        let Ok(class) = class.cast::<PyType>() else {
            continue;
        };
        for (name, member) in cpython::type_dict(class).iter() {
            if member.get_type().name()? == "member_descriptor"
                && let Ok(name) = name.extract::<String>()
                && let Ok(value) = instance.getattr(name.as_str())
                && is_one(&value)
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
