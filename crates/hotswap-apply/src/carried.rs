//! What decorators computed from a definition's docstring or signature, where only these
//! changed: `wrapper.__doc__ = "[cached] " + function.__doc__`, a `__signature__`, the text of
//! a generated function.
//!
//! The definition does not run again: what its decorators made goes on living, with its
//! counters and caches. Before the commit they are applied to the old definition under watch,
//! after it to the new one. Where what is there is what they had made of the old one, it gets
//! what they make of the new one instead.

use std::sync::Arc;

use hotswap_plan::{Change, ClassDef, FunctionDef, Kind, Pragma, Statement, Step};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyTuple, PyType};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::class::Body;
use crate::codes;
use crate::native as cpython;
use crate::stage::Stage;
use crate::trial::LabelsKept;
use crate::values;

mod merge;
mod shown;
mod wrappers;

use merge::Merge;
use wrappers::{Slot, Slots, is_wrapper, same, slots_of};

/// So many objects of what decorators made of one function are looked at.
const MOST: usize = 200;

/// The definitions of the classes around a member, old and new, from the outside.
type Classes = Vec<(Arc<ClassDef>, Arc<ClassDef>)>;

/// A decorated definition of which the docstring or the signature changed.
pub(crate) struct Carried<'py> {
    module: usize,
    classes: Classes,
    class: Option<Bound<'py, PyType>>,
    /// The name under which what was made is held.
    name: String,
    old: Statement,
    new: Statement,
    live: Bound<'py, PyAny>,
    /// Or why the decorators could not be tried.
    before: Result<Before<'py>, String>,
}

/// What decorators make of the old definition, compared with what is there.
struct Before<'py> {
    /// What was made on trial, outermost first.
    made: Bound<'py, PyAny>,
    /// Objects of it and those that are there in their place, by the addresses of the former.
    pairs: Pairs<'py>,
    /// What nobody changed: the slots of the objects of the trial that hold what those in
    /// their place do.
    as_made: FxHashSet<(usize, Slot)>,
}

/// Objects that stand for one another.
#[derive(Default)]
struct Pairs<'py> {
    by_address: FxHashMap<usize, (Bound<'py, PyAny>, Bound<'py, PyAny>)>,
    /// Those of them that decorators put around the function.
    wrappers: Vec<usize>,
}

impl<'py> Pairs<'py> {
    fn add(&mut self, tried: &Bound<'py, PyAny>, live: &Bound<'py, PyAny>) -> bool {
        let address = tried.as_ptr() as usize;
        let pair = (tried.clone(), live.clone());
        self.by_address.insert(address, pair).is_none()
    }

    fn of(&self, tried: &Bound<'py, PyAny>) -> Option<&Bound<'py, PyAny>> {
        let found = self.by_address.get(&(tried.as_ptr() as usize));
        found.map(|(_, live)| live)
    }

    fn are(&self, tried: &Bound<'py, PyAny>, live: &Bound<'py, PyAny>) -> bool {
        self.of(tried).is_some_and(|known| known.is(live))
    }

    /// Whether it is one of the functions and objects that were made on trial.
    fn wrappers_hold(&self, object: &Bound<'py, PyAny>) -> bool {
        self.of(object).is_some_and(|live| !live.is(object)) && !values::is_comparable(object)
    }
}

/// Where a definition is to be found in the compiled source.
struct Site<'s> {
    file: &'s str,
    name: String,
    line: u32,
}

impl Site<'_> {
    fn of<'s>(file: &'s str, statement: &Statement) -> Option<Site<'s>> {
        Some(Site {
            file,
            name: statement.function()?.name.clone(),
            line: statement.codes.last()?.line,
        })
    }

    /// Whether a function is the definition itself, below all decorators.
    fn is_at(&self, function: &Bound<'_, PyAny>) -> PyResult<bool> {
        if !function.is_exact_instance_of::<PyFunction>() {
            return Ok(false);
        }
        let code = function.getattr("__code__")?;
        let file = code.getattr("co_filename")?;
        Ok(codes::line_of(&code)? == self.line
            && codes::name_of(&code)? == self.name
            && file.extract::<&str>()? == self.file)
    }
}

/// Whether a docstring, a parameter or an annotation differs.
fn has_other_metadata(change: &Change, old: &FunctionDef, new: &FunctionDef) -> bool {
    match change {
        Change::Function(_) => true,
        Change::Bodies => old.docstring != new.docstring,
        _ => false,
    }
}

/// Finds decorated definitions whose metadata changed.
fn find<'o>(
    steps: &[Step],
    old: &'o [Statement],
    new: &'o [Statement],
    classes: &mut Classes,
    visit: &mut impl FnMut(&Classes, &'o Statement, &'o Statement),
) {
    for step in steps {
        let Some(before) = step.old.map(|at| &old[at]).filter(|_| !step.renamed) else {
            continue;
        };
        let after = &new[step.new];
        match (&step.change, &before.kind, &after.kind) {
            (change, Kind::Function(was), Kind::Function(is))
                if !is.decorators.is_empty()
                    && after.pragma != Some(Pragma::Keep)
                    && has_other_metadata(change, was, is) =>
            {
                visit(classes, before, after);
            }
            (Change::Class(change), Kind::Class(was), Kind::Class(is))
                if !change.header && !change.decorators =>
            {
                classes.push((was.clone(), is.clone()));
                find(&change.steps, &was.body, &is.body, classes, visit);
                classes.pop();
            }
            (Change::Bodies, Kind::Class(was), Kind::Class(is))
                if was.body.len() == is.body.len() =>
            {
                let inner: Vec<Step> = (0..is.body.len())
                    .map(|at| Step {
                        new: at,
                        old: Some(at),
                        change: Change::Bodies,
                        renamed: false,
                    })
                    .collect();
                classes.push((was.clone(), is.clone()));
                find(&inner, &was.body, &is.body, classes, visit);
                classes.pop();
            }
            _ => {}
        }
    }
}

impl<'py> Stage<'_, 'py> {
    /// Notes the decorated definitions of a module whose metadata changed, and what their
    /// decorators make of the old ones. Plain edits of bodies are none.
    pub(crate) fn note_decorated(&mut self, module: usize) -> PyResult<()> {
        let Some(edited) = self.edits.get(&module) else {
            return Ok(());
        };
        let (old, new) = (edited.old_outline.clone(), edited.outline.clone());
        let mut due = Vec::new();
        let steps = &edited.plan.steps;
        let mut classes = Vec::new();
        find(
            steps,
            &old.statements,
            &new.statements,
            &mut classes,
            &mut |classes, before, after| {
                due.push((classes.clone(), before, after));
            },
        );
        for (classes, before, after) in due {
            self.note_definition(module, classes, before, after)?;
        }
        Ok(())
    }

    fn note_definition(
        &mut self,
        module: usize,
        classes: Classes,
        old: &Statement,
        new: &Statement,
    ) -> PyResult<()> {
        let Some(function) = new.function() else {
            return Ok(());
        };
        if self.only_wrap(module, function)? {
            return Ok(());
        }
        let (class, name) = match classes.last() {
            None => (None, function.name.clone()),
            Some((_, innermost)) => {
                let path: Vec<String> = classes.iter().map(|(was, _)| was.name.clone()).collect();
                let class = self.class_at(module, &path)?;
                if class.is_none() {
                    return Ok(());
                }
                let name = crate::instances::mangle(&innermost.name, &function.name);
                (class, name)
            }
        };
        let live = match &class {
            Some(class) => cpython::type_dict(class).get_item(&name)?,
            None => self.live_dict(module).get_item(&name)?,
        };
        let Some(live) = live else {
            return Ok(());
        };
        if !is_wrapper(&live)? {
            return Ok(());
        }
        let mut carried = Carried {
            module,
            classes,
            class,
            name,
            old: old.clone(),
            new: new.clone(),
            live,
            before: Err(String::new()),
        };
        let tried = self.try_decorators(&carried, false);
        let compared = tried.and_then(|made| match made {
            Ok(made) => self.compared(&carried, made),
            Err(reason) => Ok(Err(reason)),
        });
        carried.before = match compared {
            Ok(before) => before,
            Err(error) if error.is_instance_of::<PyException>(self.py) => Err(error.to_string()),
            Err(error) => return Err(error),
        };
        self.carried.push(carried);
        Ok(())
    }

    /// Whether the decorators are those of the interpreter, which compute nothing.
    fn only_wrap(&self, module: usize, function: &FunctionDef) -> PyResult<bool> {
        for decorator in &function.decorators {
            let object = self.object_at(module, &decorator.head)?;
            let Some(Ok(kind)) = object.map(Bound::cast_into::<PyType>) else {
                return Ok(false);
            };
            let wraps = matches!(
                kind.name()?.to_str()?,
                "property" | "classmethod" | "staticmethod"
            );
            if !wraps || !kind.getattr("__module__")?.eq("builtins")? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Applies the decorators to the old or to the new definition under watch. An error in
    /// words: what was not harmless, before it happened.
    fn try_decorators(
        &mut self,
        carried: &Carried<'py>,
        new: bool,
    ) -> PyResult<Result<Bound<'py, PyAny>, String>> {
        // It is not going to run again, so it must not leave anything anywhere.
        let _labels = LabelsKept::begin();
        let statement = if new { &carried.new } else { &carried.old };
        let module = carried.module;
        let unknown = || "its source is not known".to_string();
        let (outline, text) = match (self.edits.get(&module), new) {
            (Some(edited), false) => (edited.old_outline.clone(), edited.old_text.clone()),
            (Some(edited), true) => (edited.outline.clone(), edited.text.clone()),
            _ => return Ok(Err(unknown())),
        };
        if let Some(class) = &carried.class {
            let side = |pair: &(Arc<ClassDef>, Arc<ClassDef>)| match new {
                true => pair.1.clone(),
                false => pair.0.clone(),
            };
            let path: Vec<Arc<ClassDef>> = carried.classes.iter().map(side).collect();
            let path: Vec<&ClassDef> = path.iter().map(Arc::as_ref).collect();
            let body = Body {
                text: &text,
                outline: &outline,
                path: &path,
                new,
            };
            let members = std::slice::from_ref(statement);
            let made = self.members_apart(module, class, body, members, None, true)?;
            return match made {
                Ok(members) => Ok(members.get_item(&carried.name)?.ok_or_else(unknown)),
                Err(reason) => Ok(Err(reason)),
            };
        }
        if !new {
            return self.definition_before(module, statement, true);
        }
        let copy = self.namespace(module)?.copy()?;
        let code = self.compile_statement(module, statement, &outline)?;
        let ran = self.on_trial(&copy, &[], || codes::execute(&code, &copy, None))?;
        match ran {
            Ok(()) => Ok(copy.get_item(&carried.name)?.ok_or_else(unknown)),
            Err(reason) => Ok(Err(reason)),
        }
    }

    /// Compares what the decorators make of the old definition with what is there.
    fn compared(
        &self,
        carried: &Carried<'py>,
        made: Bound<'py, PyAny>,
    ) -> PyResult<Result<Before<'py>, String>> {
        let changed = || "the program changed what it made since".to_string();
        let Some(site) = Site::of(self.code_file(carried.module), &carried.old) else {
            return Ok(Err(changed()));
        };
        let mut pairs = Pairs::default();
        pair(&made, &carried.live, &site, &mut pairs)?;
        if pairs.wrappers.is_empty() {
            return Ok(Err(changed()));
        }
        let mut as_made = FxHashSet::default();
        let known = |tried: &Bound<'py, PyAny>, live: &Bound<'py, PyAny>| pairs.are(tried, live);
        for address in &pairs.wrappers {
            let (tried, live) = &pairs.by_address[address];
            let held = slots_of(live)?;
            for (slot, value) in slots_of(tried)? {
                if let Some(there) = value_in(&held, &slot)
                    && same(&value, there, &known)?
                {
                    as_made.insert((*address, slot));
                }
            }
        }
        Ok(Ok(Before {
            made,
            pairs,
            as_made,
        }))
    }

    /// Whether a decorated definition has another docstring or signature.
    pub(crate) fn is_noted(&self, module: usize, new: &Statement) -> bool {
        let mut carried = self.carried.iter();
        carried.any(|each| each.module == module && each.new.span == new.span)
    }

    /// Whether what its decorators computed follows without the definition running again.
    pub(crate) fn is_carried(&self, module: usize, new: &Statement) -> bool {
        let mut carried = self.carried.iter();
        carried
            .any(|each| each.module == module && each.new.span == new.span && each.before.is_ok())
    }

    /// Now that all is committed: gives what decorators made the values that they compute from
    /// the new metadata.
    pub(crate) fn carry_over(&mut self) -> PyResult<()> {
        for carried in std::mem::take(&mut self.carried) {
            crate::fault::point("what decorators computed")?;
            let there = match &carried.class {
                Some(class) => cpython::type_dict(class).get_item(&carried.name)?,
                None => self.live_dict(carried.module).get_item(&carried.name)?,
            };
            // Something else stands there by now: the definition has run again.
            if !there.is_some_and(|there| there.is(&carried.live)) {
                continue;
            }
            let outcome = match &carried.before {
                Ok(before) => self.carried_from(&carried, before),
                Err(reason) => Ok(Err(reason.clone())),
            };
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => self.report_computed(&carried, &reason)?,
                Err(error) if error.is_instance_of::<PyException>(self.py) => {
                    self.report_computed(&carried, &error.to_string())?;
                }
                Err(error) => return Err(error),
            }
        }
        self.commit()
    }

    fn carried_from(
        &mut self,
        carried: &Carried<'py>,
        before: &Before<'py>,
    ) -> PyResult<Result<(), String>> {
        let made = match self.try_decorators(carried, true)? {
            Ok(made) => made,
            Err(reason) => return Ok(Err(reason)),
        };
        let file = self.code_file(carried.module);
        let (Some(old), Some(new)) = (Site::of(file, &carried.old), Site::of(file, &carried.new))
        else {
            return Ok(Err("its source is not known".to_string()));
        };
        let (writes, lost) = Merge::of(before, old, new, &made)?;
        writes
            .into_iter()
            .for_each(|write| self.transaction.push(write));
        for (name, reason) in lost {
            let label = carried.label();
            let entry = self.entry(
                carried.module,
                &label,
                Some(&carried.new),
                carried.kind(),
                "stale",
            );
            entry.reason = format!("its decorator computed {name}; {reason}");
            entry.advice = carried.advice();
        }
        Ok(Ok(()))
    }
}

impl Carried<'_> {
    fn label(&self) -> String {
        let classes = self.classes.iter().map(|(_, is)| is.name.clone());
        let own = self.new.function().map(|function| function.name.clone());
        classes.chain(own).collect::<Vec<_>>().join(".")
    }

    /// Members of a class do not run again by themselves.
    fn advice(&self) -> String {
        match self.class {
            Some(_) => String::new(),
            None => "# hotswap: rerun".to_string(),
        }
    }

    fn kind(&self) -> &'static str {
        match self.class {
            Some(_) => "method",
            None => "function",
        }
    }

    /// Whether the two definitions differ in their parameters or annotations.
    fn has_other_header(&self) -> bool {
        let header = |statement: &Statement| {
            statement.function().map(|function| {
                let parts = function.parameters.iter().map(|parameter| {
                    let default = parameter
                        .default
                        .as_ref()
                        .map(|default| default.fingerprint);
                    let annotation = parameter.annotation.as_ref();
                    (default, annotation.map(|annotation| annotation.fingerprint))
                });
                let returns = function.returns.as_ref().map(|returns| returns.fingerprint);
                (function.signature, parts.collect::<Vec<_>>(), returns)
            })
        };
        header(&self.old) != header(&self.new)
    }
}

fn value_in<'s, 'py>(slots: &'s Slots<'py>, slot: &Slot) -> Option<&'s Bound<'py, PyAny>> {
    let found = slots.iter().find(|(each, _)| each == slot);
    found.map(|(_, value)| value)
}

/// Whether one may stand for the other: made by the same code.
fn fits(tried: &Bound<'_, PyAny>, live: &Bound<'_, PyAny>) -> PyResult<bool> {
    if !tried.get_type().is(live.get_type()) || !is_wrapper(tried)? {
        return Ok(false);
    }
    if !tried.is_exact_instance_of::<PyFunction>() {
        return Ok(true);
    }
    codes::same_behaviour(&live.getattr("__code__")?, &tried.getattr("__code__")?)
}

/// Pairs what was made on trial with what is there.
fn pair<'py>(
    tried: &Bound<'py, PyAny>,
    live: &Bound<'py, PyAny>,
    site: &Site<'_>,
    pairs: &mut Pairs<'py>,
) -> PyResult<()> {
    if tried.is(live)
        || pairs.wrappers.len() >= MOST
        || pairs.of(tried).is_some()
        || !fits(tried, live)?
    {
        return Ok(());
    }
    pairs.add(tried, live);
    pairs.wrappers.push(tried.as_ptr() as usize);
    if site.is_at(tried)? {
        pair_defaults(tried, live, pairs)?;
    }
    let there = slots_of(live)?;
    for (slot, value) in slots_of(tried)? {
        if let Some(other) = value_in(&there, &slot) {
            pair(&value, other, site, pairs)?;
        }
    }
    Ok(())
}

/// The default values of a function are its own: what gathers in one of them stays.
fn pair_defaults<'py>(
    tried: &Bound<'py, PyAny>,
    live: &Bound<'py, PyAny>,
    pairs: &mut Pairs<'py>,
) -> PyResult<()> {
    for name in ["__defaults__", "__kwdefaults__", "__annotations__"] {
        if name == "__annotations__" && cfg!(Py_3_14) {
            continue;
        }
        let (a, b) = (tried.getattr(name)?, live.getattr(name)?);
        if a.is_none() || b.is_none() {
            continue;
        }
        pairs.add(&a, &b);
        if let (Ok(a), Ok(b)) = (a.cast::<PyTuple>(), b.cast::<PyTuple>())
            && a.len() == b.len()
        {
            for (a, b) in a.iter().zip(b.iter()) {
                if !values::is_plain(&a) && !a.is(&b) {
                    pairs.add(&a, &b);
                }
            }
        } else if let (Ok(a), Ok(b)) = (a.cast::<PyDict>(), b.cast::<PyDict>()) {
            for (key, a) in a.iter() {
                if let Some(b) = b.get_item(key)?
                    && !values::is_plain(&a)
                    && !a.is(&b)
                {
                    pairs.add(&a, &b);
                }
            }
        }
    }
    Ok(())
}
