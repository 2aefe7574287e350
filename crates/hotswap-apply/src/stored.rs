//! Attributes that a module sets on its objects, as in `func.__doc__ = Function.__doc__`,
//! where what they are read from changed.

use hotswap_plan::{Kind, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyString};

use crate::native as cpython;
use crate::stage::{After, Stage};
use crate::transaction::Write;
use crate::values;
use hotswap_cpython::attributes::Peek as _;

/// An attribute that gets its value again after the commit.
pub(crate) struct Stored<'py> {
    module: usize,
    object: Bound<'py, PyAny>,
    name: Bound<'py, PyString>,
    /// The expression on the right.
    source: String,
}

impl<'py> Stage<'_, 'py> {
    /// Plans to set an attribute again that an unchanged statement had set, if it holds what
    /// the statement gives with the old inputs and setting it runs no code. False: not so.
    pub(crate) fn derive_stored(&mut self, module: usize, statement: &Statement) -> PyResult<bool> {
        let Kind::Assign { targets, .. } = &statement.kind else {
            return Ok(false);
        };
        // What is called may do anything; what is only read is evaluated here and now.
        let mut facts = statement.facts.as_ref().clone();
        facts.stores.clear();
        if self.committed || !facts.calls.is_empty() || self.impurity(module, &facts).is_some() {
            return Ok(false);
        }
        let [target] = targets.as_slice() else {
            return Ok(false);
        };
        let Some((holder, name)) = target.split_once('.') else {
            return Ok(false);
        };
        let is_name = |text: &str| {
            let mut letters = text.chars();
            letters
                .next()
                .is_some_and(|first| first == '_' || first.is_alphabetic())
                && letters.all(|letter| letter == '_' || letter.is_alphanumeric())
        };
        let text = self.text(module);
        let source = statement.span.of(&text).strip_prefix(target.as_str());
        let source = source.and_then(|rest| rest.trim_start().strip_prefix('='));
        let (true, true, Some(source)) = (is_name(holder), is_name(name), source) else {
            return Ok(false);
        };
        let live = self.live_dict(module);
        let Some(object) = live.get_item(holder)? else {
            return Ok(false);
        };
        let name = PyString::intern(self.py, name);
        let Some(held) = own_value(&object, &name)? else {
            return Ok(false);
        };
        let source = source.to_string();
        // Nothing is committed yet: this is what the old inputs give.
        match crate::statement::evaluate(self.py, &source, &live) {
            Ok(was) if values::is_plain(&was) && values::equal(&was, &held) => {}
            _ => return Ok(false),
        }
        self.after.push(After::Store(Stored {
            module,
            object,
            name,
            source,
        }));
        let label = statement.label(&text);
        self.entry(module, &label, Some(statement), "statement", "re-ran")
            .reason = "something it reads changed".to_string();
        Ok(true)
    }

    /// Sets such an attribute, now that what it is read from is there.
    pub(crate) fn store_again(&mut self, stored: Stored<'py>) -> PyResult<()> {
        let Stored {
            module,
            object,
            name,
            source,
        } = stored;
        let live = self.live_dict(module);
        // What it reads may be gone: the program goes on with what it has.
        let Ok(value) = crate::statement::evaluate(self.py, &source, &live) else {
            return Ok(());
        };
        self.transaction
            .push(match object.is_exact_instance_of::<PyFunction>() {
                true => Write::Attribute {
                    object,
                    name: DOCSTRING,
                    value: Some(value),
                },
                false => Write::InstanceAttribute {
                    object,
                    name: name.into_any(),
                    value: Some(value),
                },
            });
        Ok(())
    }
}

impl<'py> Stored<'py> {
    /// The object whose attribute it is.
    pub(crate) fn object(&self) -> &Bound<'py, PyAny> {
        &self.object
    }
}

const DOCSTRING: &str = "__doc__";

/// What an object itself holds under a name that is set without code of the program.
fn own_value<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if object.is_exact_instance_of::<PyFunction>() {
        return match name.to_str()? == DOCSTRING {
            true => object.peek(DOCSTRING).map(Some),
            false => Ok(None),
        };
    }
    let kind = object.get_type();
    let plain = object.py().get_type::<PyAny>();
    let setter = crate::reach::lookup(&kind, "__setattr__")?;
    let same = crate::reach::lookup(&plain, "__setattr__")?;
    let is_plain = matches!((&setter, &same), (Some(setter), Some(same)) if setter.is(same));
    let hides = match crate::reach::lookup(&kind, name.to_str()?)? {
        Some(member) => crate::reach::lookup(&member.get_type(), "__set__")?.is_some(),
        None => false,
    };
    match is_plain && !hides {
        true => cpython::own_attribute(object, name),
        false => Ok(None),
    }
}
