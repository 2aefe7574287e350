//! Annotations and default values of live closures: the functions that calls have made.
//!
//! A change of such a header cannot be had by running the maker again. Each part whose source
//! changed is evaluated by itself, in the module; what reads a name of the maker stays.

use std::sync::Arc;

use hotswap_plan::{Expression, NestedFunction, Outline, Parameter, Statement, nested_function};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::annotations::{are_deferred, are_text};
use crate::codes;
use crate::defaults::parameter_default;
use crate::stage::{Pair, Stage};
use crate::statement::evaluate;
use crate::transaction::Write;
use crate::values;

/// The header of a nested function in one of the two sources.
struct Side {
    function: NestedFunction,
    outline: Arc<Outline>,
}

/// The header of a nested function, as it was and as it is.
pub(crate) struct Headers<'py> {
    module: usize,
    old: Side,
    new: Side,
    /// Where the names of the module are looked up, for each of the two.
    old_names: Bound<'py, PyDict>,
    new_names: Bound<'py, PyDict>,
}

/// Which kind of expression of a header it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Annotation,
    Default,
}

impl<'py> Stage<'_, 'py> {
    /// The headers of a nested function whose code is replaced, if one lives and they differ.
    pub(crate) fn changed_headers(&mut self, pair: &Pair<'py>) -> PyResult<Option<Headers<'py>>> {
        let function = self.live.with_code(&pair.old).first();
        let Some(function) = function.filter(|_| pair.nested) else {
            return Ok(None);
        };
        let globals = function.getattr("__globals__")?;
        let Some(module) = self.world.by_dict(&globals) else {
            return Ok(None);
        };
        let Some(edited) = self.edits.get(&module) else {
            return Ok(None);
        };
        let sides = (
            side_at(&edited.old_text, &edited.old_outline, &pair.old)?,
            side_at(&edited.text, &edited.outline, &pair.new)?,
        );
        let (Some(old), Some(new)) = sides else {
            return Ok(None);
        };
        if !differ(&old, &new) {
            return Ok(None);
        }
        Ok(Some(Headers {
            module,
            old,
            new,
            old_names: self.namespace_before(module)?,
            new_names: self.namespace(module)?,
        }))
    }

    /// Gives one of those functions the new header.
    pub(crate) fn follow_headers(
        &mut self,
        function: &Bound<'py, PyAny>,
        headers: &Headers<'py>,
    ) -> PyResult<()> {
        self.follow_annotations(function, headers)?;
        self.follow_positional(function, headers)?;
        self.follow_keyword_only(function, headers)
    }

    fn follow_annotations(
        &mut self,
        function: &Bound<'py, PyAny>,
        headers: &Headers<'py>,
    ) -> PyResult<()> {
        // Those of what `functools.wraps` made are the wrapped function's.
        if !have_other_annotations(&headers.old, &headers.new) || is_wrapper(function)? {
            return Ok(());
        }
        let live = function.getattr("__annotations__")?;
        let Ok(live) = live.cast_into_exact::<PyDict>() else {
            return Ok(());
        };
        let (old, new) = (headers.old.annotations(), headers.new.annotations());
        if live.len() != old.len() {
            return Ok(());
        }
        for (name, _) in &old {
            if !live.contains(name)? {
                return Ok(());
            }
        }
        let settled = PyDict::new(self.py);
        for (name, annotation) in new {
            let was = old.iter().find(|(other, _)| *other == name);
            let was = was.map(|(_, annotation)| *annotation);
            let now = live.get_item(name)?;
            if let Some(value) =
                self.header_part(function, headers, Role::Annotation, was, annotation, now)?
            {
                settled.set_item(name, value)?;
            }
        }
        self.set_metadata(function, "__annotations__", settled.into_any())
    }

    fn follow_positional(
        &mut self,
        function: &Bound<'py, PyAny>,
        headers: &Headers<'py>,
    ) -> PyResult<()> {
        let live = function.getattr("__defaults__")?;
        let count = if live.is_none() { 0 } else { live.len()? };
        if !have_other_defaults(&headers.old, &headers.new, false)
            || count != headers.old.defaults(false).count()
        {
            return Ok(());
        }
        let mut values = Vec::new();
        let defaults: Vec<_> = headers.new.defaults(false).collect();
        for (parameter, default) in defaults.into_iter().rev() {
            // Without its value neither this parameter nor those before it have one.
            match self.default_of(function, headers, parameter, default)? {
                Some(value) => values.insert(0, value),
                None => break,
            }
        }
        let value = match values.is_empty() {
            true => self.py.None().into_bound(self.py),
            false => PyTuple::new(self.py, values)?.into_any(),
        };
        self.set_defaults(function, "__defaults__", value);
        Ok(())
    }

    fn follow_keyword_only(
        &mut self,
        function: &Bound<'py, PyAny>,
        headers: &Headers<'py>,
    ) -> PyResult<()> {
        if !have_other_defaults(&headers.old, &headers.new, true) {
            return Ok(());
        }
        let values = PyDict::new(self.py);
        for (parameter, default) in headers.new.defaults(true) {
            if let Some(value) = self.default_of(function, headers, parameter, default)? {
                values.set_item(&parameter.name, value)?;
            }
        }
        let value = match values.is_empty() {
            true => self.py.None().into_bound(self.py),
            false => values.into_any(),
        };
        self.set_defaults(function, "__kwdefaults__", value);
        Ok(())
    }

    fn set_defaults(
        &mut self,
        function: &Bound<'py, PyAny>,
        name: &'static str,
        value: Bound<'py, PyAny>,
    ) {
        self.transaction.push(Write::Attribute {
            object: function.clone(),
            name,
            value: Some(value),
        });
    }

    /// The default value of a parameter of the new header.
    fn default_of(
        &mut self,
        function: &Bound<'py, PyAny>,
        headers: &Headers<'py>,
        parameter: &Parameter,
        default: &Expression,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let before = &headers.old.function.definition;
        let index = before.parameters.iter().position(|other| {
            other.name == parameter.name
                && other.keyword_only == parameter.keyword_only
                && other.default.is_some()
        });
        let Some(index) = index else {
            return self.header_part(function, headers, Role::Default, None, default, None);
        };
        let was = before.parameters[index].default.as_ref();
        let now = parameter_default(function, before, index)?;
        self.header_part(function, headers, Role::Default, was, default, now)
    }

    /// What a part of a header gives a function that has `now`, where the source was `was`.
    fn header_part(
        &mut self,
        function: &Bound<'py, PyAny>,
        headers: &Headers<'py>,
        role: Role,
        was: Option<&Expression>,
        is: &Expression,
        now: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(was) = was
            && (headers.is_same(role, was, is) || self.is_of_the_program(headers, role, was, &now))
        {
            return Ok(now);
        }
        let must_wait = headers.new.is_evaluated(role) && self.must_wait(headers.module, &is.facts);
        let value = match must_wait {
            true => None,
            false => self.value_in(&headers.new, &headers.new_names, headers.module, role, is),
        };
        if value.is_none() {
            self.report_part(function, headers, is)?;
        }
        Ok(value.or(now))
    }

    fn report_part(
        &mut self,
        function: &Bound<'py, PyAny>,
        headers: &Headers<'py>,
        part: &Expression,
    ) -> PyResult<()> {
        let name: String = function.getattr("__qualname__")?.extract()?;
        let source = part.span.of(&headers.new.function.text);
        self.entry(headers.module, &name, None, "function", "stale")
            .reason = format!("only the call that made it can evaluate `{source}`");
        Ok(())
    }

    /// Whether the program gave a part another value than the old source did.
    fn is_of_the_program(
        &self,
        headers: &Headers<'py>,
        role: Role,
        was: &Expression,
        now: &Option<Bound<'py, PyAny>>,
    ) -> bool {
        let was = self.value_in(&headers.old, &headers.old_names, headers.module, role, was);
        match (was, now) {
            (Some(was), Some(now)) => !is_like(&was, now),
            // It cannot be told: the edit wins, as it does for every other function.
            (None, Some(_)) => false,
            (_, None) => true,
        }
    }

    /// The value of a part of a header, if its module is all that it takes.
    fn value_in(
        &self,
        side: &Side,
        names: &Bound<'py, PyDict>,
        module: usize,
        role: Role,
        part: &Expression,
    ) -> Option<Bound<'py, PyAny>> {
        let source = part.span.of(&side.function.text);
        if !side.is_evaluated(role) {
            return as_text(self.py, source).ok();
        }
        let is_local = |path: &Vec<String>| {
            let name = path.first();
            name.is_some_and(|name| side.function.enclosing.contains(name))
        };
        if part.facts.reads.iter().any(is_local)
            // A function that is made here would say that it is of no file.
            || source.contains("lambda")
            || self.impurity(module, &part.facts).is_some()
        {
            return None;
        }
        evaluate(self.py, source, names).ok()
    }
}

impl Headers<'_> {
    /// Whether the new source says the same of a part as the old one.
    fn is_same(&self, role: Role, was: &Expression, is: &Expression) -> bool {
        was.fingerprint == is.fingerprint
            && self.old.is_evaluated(role) == self.new.is_evaluated(role)
    }
}

fn differ(old: &Side, new: &Side) -> bool {
    have_other_annotations(old, new)
        || have_other_defaults(old, new, false)
        || have_other_defaults(old, new, true)
}

fn have_other_annotations(old: &Side, new: &Side) -> bool {
    let fingerprints = |side: &Side| -> Vec<(String, u64)> {
        let annotations = side.annotations().into_iter();
        annotations
            .map(|(name, annotation)| (name.to_string(), annotation.fingerprint))
            .collect()
    };
    // Those that are evaluated on demand follow by their code.
    let deferred = are_deferred(&old.outline) || are_deferred(&new.outline);
    let is_generic = new.function.definition.type_params != 0;
    let other_kind = are_text(&old.outline) != are_text(&new.outline);
    !deferred && !is_generic && (other_kind || fingerprints(old) != fingerprints(new))
}

fn have_other_defaults(old: &Side, new: &Side, keyword_only: bool) -> bool {
    let fingerprints = |side: &Side| -> Vec<(String, u64)> {
        let defaults = side.defaults(keyword_only);
        defaults
            .map(|(parameter, default)| (parameter.name.clone(), default.fingerprint))
            .collect()
    };
    fingerprints(old) != fingerprints(new)
}

impl Side {
    /// Whether a part has a value; else its text is kept.
    fn is_evaluated(&self, role: Role) -> bool {
        role == Role::Default || !are_text(&self.outline)
    }

    /// The annotations, by the names under which the function has them.
    fn annotations(&self) -> Vec<(&str, &Expression)> {
        let definition = &self.function.definition;
        let parameters = definition.parameters.iter();
        let mut annotations: Vec<(&str, &Expression)> = parameters
            .filter_map(|parameter| {
                let annotation = parameter.annotation.as_ref()?;
                Some((parameter.name.as_str(), annotation))
            })
            .collect();
        annotations.extend(
            definition
                .returns
                .as_ref()
                .map(|returns| ("return", returns)),
        );
        annotations
    }

    fn defaults(&self, keyword_only: bool) -> impl Iterator<Item = (&Parameter, &Expression)> {
        let parameters = self.function.definition.parameters.iter();
        parameters
            .filter(move |parameter| parameter.keyword_only == keyword_only)
            .filter_map(|parameter| Some((parameter, parameter.default.as_ref()?)))
    }
}

/// The header of the nested function that a code object was compiled from.
fn side_at(text: &str, outline: &Arc<Outline>, code: &Bound<'_, PyAny>) -> PyResult<Option<Side>> {
    let (name, line) = (codes::name_of(code)?, codes::line_of(code)?);
    let holds =
        |statement: &&Statement| (statement.first_line..=statement.last_line).contains(&line);
    let statement = outline.statements.iter().find(holds);
    let function = statement
        .and_then(|statement| nested_function(text, statement, &outline.futures, &name, line));
    Ok(function.map(|function| Side {
        function,
        outline: outline.clone(),
    }))
}

/// An annotation as `from __future__ import annotations` has the compiler write it.
fn as_text<'py>(py: Python<'py>, source: &str) -> PyResult<Bound<'py, PyAny>> {
    let text = format!("from __future__ import annotations\ndef f() -> ({source}\n): 0\n");
    let made = PyDict::new(py);
    let code = hotswap_cpython::code::compile(py, &text, "<annotation>")?;
    codes::execute(&code, &made, None)?;
    let function = made.as_any().get_item("f")?;
    function.getattr("__annotations__")?.get_item("return")
}

/// Whether two values are the same, as far as it shows without code of the program. Types
/// with arguments are made anew by each evaluation.
pub(crate) fn is_like(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> bool {
    values::alike(a, b) || is_same_generic(a, b).unwrap_or(false)
}

fn is_same_generic(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> PyResult<bool> {
    let home: String = a.get_type().getattr("__module__")?.extract()?;
    if !a.get_type().is(b.get_type()) || !matches!(home.as_str(), "types" | "typing") {
        return Ok(false);
    }
    if let (Ok(x), Ok(y)) = (a.getattr("__origin__"), b.getattr("__origin__"))
        && !x.is(&y)
    {
        return Ok(false);
    }
    let (x, y) = (arguments_of(a)?, arguments_of(b)?);
    Ok(x.len() == y.len() && x.iter().zip(&y).all(|(x, y)| is_like(x, y)))
}

fn arguments_of<'py>(generic: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    generic.getattr("__args__")?.try_iter()?.collect()
}

fn is_wrapper(function: &Bound<'_, PyAny>) -> PyResult<bool> {
    let attributes = function.getattr("__dict__")?;
    attributes.contains("__wrapped__")
}
