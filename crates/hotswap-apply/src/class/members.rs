//! The members of a class that was made anew, and those of the live one.

use crate::native as cpython;
use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{Change, ClassDef, Expression, Kind};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyType};
use rustc_hash::FxHashSet;

use super::collected::{are_same, given_by_hook, hooks_of};
use super::remade::{Remade, unchanged};
use crate::stage::{Changed, Stage};
use crate::transaction::Write;
use crate::undisturbed::Undisturbed;
use crate::values;

/// Entries of a class's namespace that belong to its layout or to the interpreter.
const LAYOUT: [&str; 3] = ["__dict__", "__weakref__", "_abc_impl"];

impl<'py> Stage<'_, 'py> {
    /// Gives the surviving class its members: what the new run made, what the program
    /// has set itself, and the functions and values that live on.
    pub(super) fn transplant(
        &mut self,
        remade: &Remade<'_, 'py>,
        survivor: &Bound<'py, PyType>,
    ) -> PyResult<()> {
        let (class, made) = (&remade.class, &remade.made);
        let in_place = survivor.is(class);
        let (old, new) = (cpython::type_dict(class), cpython::type_dict(made));
        let kept = kept_members(remade);
        for (key, value) in new.iter() {
            let name: String = key.extract()?;
            if LAYOUT.contains(&name.as_str()) || is_slot(&value)? {
                continue;
            }
            let was = old.get_item(&key)?;
            if let Some(original) = was.as_ref().and_then(behind_hook) {
                // The hook gives the class its method back after the update.
                let kept = kept.contains(&name);
                let lives =
                    self.member_that_lives(remade, survivor, &name, &original, value, kept)?;
                if !(in_place && lives.is(&original)) {
                    self.transaction
                        .set_class_attribute(survivor, &name, Some(lives));
                }
                continue;
            }
            if name == "__module__"
                && let Some(was) = was.as_ref().filter(|was| !values::equal(was, &value))
                && self.was_given_a_home(remade)?
            {
                // From CPython 3.13 on a class whose `__module__` is set forgets its line: the
                // live one has done so, and the new one does as at a fresh start.
                if !in_place {
                    self.transaction
                        .set_class_attribute(survivor, &name, Some(was.clone()));
                }
                continue;
            }
            let value = match &was {
                Some(was) => self.member_that_lives(
                    remade,
                    survivor,
                    &name,
                    was,
                    value.clone(),
                    kept.contains(&name),
                )?,
                None => value.clone(),
            };
            let there = if in_place { was } else { new.get_item(&key)? };
            if there.is_some_and(|there| there.is(&value)) {
                continue;
            }
            self.transaction
                .set_class_attribute(survivor, &name, Some(value));
            self.changed.insert(
                (remade.module, format!("{}.{name}", remade.qualname)),
                Changed::Value,
            );
        }
        let decorated =
            self.decorated_attributes(remade.module, remade.before, remade.after, &old)?;
        let bound: FxHashSet<String> = remade
            .before
            .body
            .iter()
            .flat_map(|member| member.binds.iter())
            .map(|name| crate::instances::mangle(&remade.before.name, name))
            .collect();
        let by_statement = made_by_statement(class, made)?;
        let by_hook = self.given_by_old_hook(remade)?;
        // What the same bases and no decorator did not write, the program did, later.
        let set_later = remade.before.decorators.is_empty()
            && remade.after.decorators.is_empty()
            && !remade.change.header;
        for (key, value) in old.iter() {
            let name: String = key.extract()?;
            if new.contains(&key)? || LAYOUT.contains(&name.as_str()) || is_slot(&value)? {
                continue;
            }
            let by_source = bound.contains(&name)
                || decorated.contains(&name)
                || by_statement(&name)
                || by_hook.contains(&name)
                || is_implied(&name)
                || !set_later
                    && (is_generated(&value)
                        || name.starts_with("__")
                            && name.ends_with("__")
                            && name != "__abstractmethods__");
            match (by_source, in_place) {
                (true, true) => self.transaction.set_class_attribute(survivor, &name, None),
                // The program set it on the old class.
                (false, false) => {
                    self.transaction
                        .set_class_attribute(survivor, &name, Some(value));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The attributes that a hook gave a class whose new bases have another one.
    fn given_by_old_hook(&self, remade: &Remade<'_, 'py>) -> PyResult<Vec<String>> {
        let new = hooks_of(&remade.made)?;
        // After the commit nobody can ask the old hooks any more.
        let mut noted = self.hooked.iter();
        if let Some(known) = noted.find(|known| known.class.is(&remade.class)) {
            return match are_same(&known.hooks, &new) {
                false => known.given.iter().map(|name| name.extract()).collect(),
                true => Ok(Vec::new()),
            };
        }
        let old = hooks_of(&remade.class)?;
        if self.committed || old.is_empty() || are_same(&old, &new) {
            return Ok(Vec::new());
        }
        // Nobody else shall see the class without what the hook gave it.
        let _undisturbed = match cpython::other_threads(self.py) {
            true => Some(Undisturbed::begin(self.py)?),
            false => None,
        };
        let none = PyDict::new(self.py);
        let given = given_by_hook(&remade.class, &none, remade.before)?;
        given.iter().map(|name| name.extract()).collect()
    }

    /// Whether the program, and no decorator that went, gave a class another `__module__`:
    /// a package that exports it, say.
    fn was_given_a_home(&self, remade: &Remade<'_, 'py>) -> PyResult<bool> {
        let written = |definition: &ClassDef| {
            let mut binds = definition.body.iter().flat_map(|member| &member.binds);
            binds.any(|name| name == "__module__")
        };
        let stays = |decorator: &Expression| {
            let mut others = remade.after.decorators.iter();
            others.any(|other| other.head == decorator.head)
        };
        Ok(self.is_said_to_be_of(remade.module, remade.made.as_any())?
            && !written(remade.before)
            && !written(remade.after)
            && remade.before.decorators.iter().all(stays))
    }

    /// Of an old and a new member of one name, the object that is the member from now on.
    fn member_that_lives(
        &mut self,
        remade: &Remade<'_, 'py>,
        survivor: &Bound<'py, PyType>,
        name: &str,
        was: &Bound<'py, PyAny>,
        value: Bound<'py, PyAny>,
        kept: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        if was.is(&value) {
            return Ok(value);
        }
        if let (Ok(old), Ok(new)) = (was.cast::<PyType>(), value.cast::<PyType>())
            && let Some(lives) = self.nested_that_lives(remade, survivor, name, old, new)?
        {
            return Ok(lives.into_any());
        }
        let module = remade.module;
        // What a library generated for the class, such as `__init__` of a dataclass, may be
        // held like any other function.
        if is_generated(was)
            && is_generated(&value)
            && was.peek("__qualname__")?.eq(value.peek("__qualname__")?)?
        {
            self.adopt_function(was, &value, Some(survivor.clone()))?;
            return Ok(was.clone());
        }
        if is_alone(remade, name) && self.adopt_member(module, was, &value, survivor)? {
            if !kept_definition(remade, name) {
                self.adopt_attributes(was, &value)?;
            }
            // A hook or a decorator that ran with the new function may have kept it.
            self.transaction.push(Write::Reference {
                old: value.clone(),
                new: was.clone(),
            });
            return Ok(was.clone());
        }
        let again = !kept_definition(remade, name);
        if self.adopt_wrapped(module, was, &value, survivor, again)?
            || kept && may_stay(was, &value)
            || values::is_plain(was) && values::equal(was, &value)
        {
            return Ok(was.clone());
        }
        Ok(value)
    }

    /// A nested class that was made anew together with the one around it.
    fn nested_that_lives(
        &mut self,
        remade: &Remade<'_, 'py>,
        survivor: &Bound<'py, PyType>,
        name: &str,
        old: &Bound<'py, PyType>,
        new: &Bound<'py, PyType>,
    ) -> PyResult<Option<Bound<'py, PyType>>> {
        let step = remade.change.steps.iter().find(|step| {
            remade.after.body[step.new]
                .class()
                .is_some_and(|class| class.name == name)
        });
        let Some((step, at)) = step.and_then(|step| Some((step, step.old?))) else {
            return Ok(None);
        };
        let statement = &remade.after.body[step.new];
        let (Kind::Class(before), Kind::Class(after)) =
            (&remade.before.body[at].kind, &statement.kind)
        else {
            return Ok(None);
        };
        if !old.peek("__qualname__")?.eq(new.peek("__qualname__")?)? {
            return Ok(None);
        }
        let change = match &step.change {
            Change::Class(change) => change.clone(),
            other => unchanged(after, other),
        };
        self.settle_made(&Remade {
            module: remade.module,
            class: old.clone(),
            made: new.clone(),
            outer: Some(survivor.clone()),
            qualname: format!("{}.{}", remade.qualname, after.name),
            before,
            after,
            change: &change,
            statement,
        })?;
        Ok(Some(self.survivor(old, new)))
    }
}

/// Whether the last definition of a name is the new version of the one that was last.
fn is_alone(remade: &Remade<'_, '_>, name: &str) -> bool {
    let binds = |member: &hotswap_plan::Statement| {
        member
            .binds
            .iter()
            .any(|bound| crate::instances::mangle(&remade.after.name, bound) == name)
    };
    let last_old = remade.before.body.iter().rposition(binds);
    let step = remade
        .change
        .steps
        .iter()
        .rev()
        .find(|step| binds(&remade.after.body[step.new]));
    step.is_none_or(|step| step.old == last_old)
}

/// Whether the decorators of a method are what they were.
fn kept_definition(remade: &Remade<'_, '_>, name: &str) -> bool {
    remade.change.steps.iter().any(|step| {
        step.change != Change::Run
            && remade.after.body[step.new]
                .binds
                .iter()
                .any(|bound| bound == name)
    })
}

/// Names whose statements did not change: what the program made of them is state.
fn kept_members(remade: &Remade<'_, '_>) -> FxHashSet<String> {
    let mut kept = FxHashSet::default();
    for step in &remade.change.steps {
        let member = &remade.after.body[step.new];
        let decorated = member
            .function()
            .is_none_or(|function| !function.decorators.is_empty());
        if matches!(
            step.change,
            Change::Same | Change::Bodies | Change::Annotation
        ) && decorated
        {
            kept.extend(
                member
                    .binds
                    .iter()
                    .map(|name| crate::instances::mangle(&remade.after.name, name)),
            );
        }
    }
    kept
}

/// Whether a live member can stay where its statement did not change. What the class
/// statement itself put there, such as the descriptors of named tuples, cannot.
fn may_stay(was: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> bool {
    let made_by_class = |object: &Bound<'_, PyAny>| {
        let kind = object.get_type();
        let home = kind
            .getattr("__module__")
            .and_then(|name| name.extract::<String>())
            .unwrap_or_default();
        kind.hasattr("__get__").unwrap_or(true)
            && matches!(home.as_str(), "builtins" | "collections" | "_collections")
            && object.peek("__code__").is_err()
    };
    !made_by_class(was)
        && !made_by_class(value)
        && (values::is_comparable(value) || was.get_type().is(value.get_type()))
}

/// The method behind a hook that a plugin of hotswap has put in its place for this update.
fn behind_hook<'py>(value: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let function = value.cast_exact::<PyFunction>().ok()?;
    let globals = function.getattr("__globals__").ok()?;
    let home = globals.get_item("__name__").ok()?;
    if !home.eq("hotswap.integrations._registrations").ok()? {
        return None;
    }
    value.peek("__wrapped__").ok()
}

fn is_slot(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(value.get_type().name()? == "member_descriptor")
}

/// Whether a program wrote the text of this function, when the class was made.
pub(super) fn is_generated(value: &Bound<'_, PyAny>) -> bool {
    // Nothing else is asked for an attribute: a lazy object would be evaluated.
    let Ok(function) = value.cast_exact::<PyFunction>() else {
        return false;
    };
    let code = hotswap_cpython::functions::code_of(function);
    hotswap_cpython::code::file_of(&code).is_ok_and(|file| {
        file.extract::<&str>()
            .is_ok_and(|file| file.starts_with('<'))
    })
}

/// Whether the compiler, or `type` itself, gives a class such an attribute.
fn is_implied(name: &str) -> bool {
    matches!(
        name,
        "__annotations__"
            | "__annotate__"
            | "__annotate_func__"
            | "__annotations_cache__"
            | "__classcell__"
            | "__doc__"
            | "__hash__"
            | "__match_args__"
            | "__orig_bases__"
            | "__parameters__"
            | "__slots__"
            | "__type_params__"
            | "__weakref__"
    )
}

/// The names that a class statement of another kind puts into a class: what an enum or a
/// named tuple knows about itself, where the new class is neither.
fn made_by_statement(
    old: &Bound<'_, PyType>,
    new: &Bound<'_, PyType>,
) -> PyResult<impl Fn(&str) -> bool + use<>> {
    let no_enum = crate::enums::is_enum(old)? && !crate::enums::is_enum(new)?;
    let named = |class: &Bound<'_, PyType>| cpython::type_dict(class).contains("_field_defaults");
    let no_tuple = named(old)? && !named(new)?;
    Ok(move |name: &str| {
        let sunder = name.len() > 2 && name.starts_with('_') && name.ends_with('_');
        no_enum && sunder
            || no_tuple
                && matches!(
                    name,
                    "_fields" | "_field_defaults" | "_make" | "_replace" | "_asdict"
                )
    })
}
