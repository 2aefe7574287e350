//! Whether the bases that the header of an unchanged class names are others now.

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::ClassDef;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple, PyType};

use crate::native as cpython;
use crate::stage::Stage;
use crate::values;

/// Aliases in aliases are followed so far.
const DEPTH: usize = 20;

/// What `typing` makes for a name: a new run makes another one that means the same.
const PARAMETERS: [&str; 3] = ["TypeVar", "ParamSpec", "TypeVarTuple"];

impl<'py> Stage<'_, 'py> {
    /// Whether a base of an unchanged class is another object now.
    pub(super) fn bases_changed(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        definition: &ClassDef,
    ) -> PyResult<bool> {
        let text = self.text(module);
        let namespace = self.namespace(module)?.copy()?;
        let live = self.live_dict(module).copy()?;
        for argument in &definition.arguments {
            if self.cause(module, &argument.facts).is_none()
                || self.impurity(module, &argument.facts).is_some()
            {
                continue;
            }
            let source = argument.span.of(&text);
            let Ok(was) = crate::statement::evaluate(self.py, source, &live) else {
                continue;
            };
            let mut view =
                self.view_at(module, argument.span.start, &argument.facts, &namespace)?;
            let now = crate::statement::evaluate(self.py, source, &namespace);
            view.leave()?;
            let Ok(now) = now else { continue };
            if parts_of_alias(&was).is_some() || parts_of_alias(&now).is_some() {
                if self.alias_changed(class, &was, &now)? {
                    return Ok(true);
                }
                continue;
            }
            let bases = class.getattr("__bases__")?;
            // After the commit the name holds the new one only.
            let keyword = text[..argument.span.start as usize]
                .trim_end()
                .ends_with('=');
            let base = match self.committed {
                true => !keyword && !bases.contains(&now)?,
                false => bases.contains(&was)? && !was.is(&now),
            };
            let follows = self.replaced.iter().any(|(old, _)| old.is(&was));
            if base && !follows && now.is_instance_of::<PyType>() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The same for `class C(Pairs)` with `Pairs = list[Pair]`, where `Pairs` is no class but
    /// tells which it stands for.
    fn alias_changed(
        &self,
        class: &Bound<'py, PyType>,
        was: &Bound<'py, PyAny>,
        now: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        let held = cpython::type_dict(class).get_item("__orig_bases__")?;
        let held: Vec<Bound<'py, PyAny>> = match held.map(|held| held.cast_into::<PyTuple>()) {
            Some(Ok(held)) => held.iter().collect(),
            _ => class.bases().iter().collect(),
        };
        let is_held = |value: &Bound<'py, PyAny>| -> PyResult<bool> {
            for held in &held {
                if self.means_the_same(held, value, 0)? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let is_base = now.is_instance_of::<PyType>() || parts_of_alias(now).is_some();
        Ok(is_base
            && !is_held(now)?
            && (self.committed || is_held(was)? && !self.means_the_same(was, now, 0)?))
    }

    /// Whether a value means now what another one meant before.
    fn means_the_same(
        &self,
        was: &Bound<'py, PyAny>,
        now: &Bound<'py, PyAny>,
        depth: usize,
    ) -> PyResult<bool> {
        let remade = self.rebuilt.iter().map(|(made, live)| (live, made));
        let replaced = self.replaced.iter().map(|(old, made)| (old, made));
        let mut pairs = remade.chain(replaced);
        if was.is(now) || pairs.any(|(old, new)| old.is(was) && new.is(now)) {
            return Ok(true);
        }
        if depth > DEPTH || !was.get_type().is(now.get_type()) {
            return Ok(false);
        }
        let kind = was.get_type().name()?;
        if PARAMETERS.contains(&kind.to_str()?) {
            return was.peek("__name__")?.eq(now.peek("__name__")?);
        }
        if kind == "ForwardRef" {
            let of = |value: &Bound<'py, PyAny>| value.peek("__forward_arg__");
            return of(was)?.eq(of(now)?);
        }
        let (Some(was_parts), Some(now_parts)) = (parts_of(was), parts_of(now)) else {
            return Ok(values::is_plain(was) && values::alike(was, now));
        };
        if was_parts.len() != now_parts.len() {
            return Ok(false);
        }
        for (was, now) in was_parts.iter().zip(&now_parts) {
            if !self.means_the_same(was, now, depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What an alias such as `list[int]` or `typing.List` is made of: the class that it stands for
/// comes first.
fn parts_of_alias<'py>(value: &Bound<'py, PyAny>) -> Option<Vec<Bound<'py, PyAny>>> {
    if value.is_instance_of::<PyType>() || value.is_instance_of::<PyString>() {
        return None;
    }
    let mut parts = vec![value.peek("__origin__").ok()?];
    if let Ok(arguments) = value.peek("__args__") {
        parts.extend(arguments.cast_into::<PyTuple>().ok()?.iter());
    }
    Some(parts)
}

/// The same for whatever an alias may hold: unions, and lists of parameters too.
fn parts_of<'py>(value: &Bound<'py, PyAny>) -> Option<Vec<Bound<'py, PyAny>>> {
    if let Some(parts) = parts_of_alias(value) {
        return Some(parts);
    }
    if let Ok(items) = value.cast::<PyTuple>() {
        return Some(items.iter().collect());
    }
    if let Ok(items) = value.cast::<PyList>() {
        return Some(items.iter().collect());
    }
    if value.is_instance_of::<PyType>() {
        return None;
    }
    let arguments = value.peek("__args__").ok()?.cast_into::<PyTuple>().ok()?;
    Some(arguments.iter().collect())
}
