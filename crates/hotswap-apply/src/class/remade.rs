//! Classes that must be made anew: what the new one is moves into the live one, or,
//! where CPython refuses, the new one takes its place.

use std::sync::Arc;

use crate::native as cpython;
use hotswap_plan::{Change, ClassChange, ClassDef, Outline, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};
use rustc_hash::FxHashSet;

use crate::codes;
use crate::stage::{After, Changed, Late, Stage};
use crate::transaction::Write;
use crate::values;

/// Entries of a class's namespace that belong to its layout or to the interpreter.
const LAYOUT: [&str; 4] = ["__dict__", "__weakref__", "__slots__", "_abc_impl"];

impl<'py> Stage<'_, 'py> {
    /// Makes the class anew in staging and moves what it is into the live one.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn rebuild_class(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
        statement: &Statement,
        change: &ClassChange,
        outline: &Arc<Outline>,
        step: usize,
    ) -> PyResult<()> {
        if !self.committed && self.must_wait(module, &statement.facts) {
            self.late.push(Late { module, step });
            self.late_names.insert((module, after.name.clone()));
            return Ok(());
        }
        let namespace = self.namespace(module)?;
        let code = self.compile_statement(module, statement, outline)?;
        codes::execute(&code, &namespace, None)?;
        if let Some(staging) = self.staging.get_mut(&module) {
            staging.made_functions = true;
        }
        let made = namespace.get_item(&after.name)?;
        if self.committed {
            namespace.set_item(&after.name, class)?;
        }
        let Some(made) = made.and_then(|object| object.cast_into::<PyType>().ok()) else {
            return Err(pyo3::exceptions::PyTypeError::new_err(format!(
                "{} is no longer a class",
                after.name
            )));
        };
        if made.is(class) {
            return Ok(());
        }
        // What is staged after this sees the new class; at the commit every reference
        // to it becomes one to the live class.
        self.rebuilt.push((made.clone(), class.clone()));
        self.note_code(module, &after.name, Changed::Code);
        if crate::enums::is_enum(class)? && crate::enums::is_enum(&made)? {
            self.merge_enum(module, class, &made, before, after, statement)?;
        } else if !self.fits(class, &made)? {
            return self.replace_class(module, class, &made, after, statement);
        } else {
            self.transplant(module, class, &made, before, after, change)?;
        }
        self.entry(module, &after.name, Some(statement), "class", "re-ran");
        self.retire_class(class, &made)?;
        self.finish_class(module, class, before, after)?;
        self.new_fields(class, &made)
    }

    /// Whether the live class can take the new layout, bases and metaclass in place.
    fn fits(&self, class: &Bound<'py, PyType>, made: &Bound<'py, PyType>) -> PyResult<bool> {
        if !class.get_type().is(made.get_type()) {
            return Ok(false);
        }
        for name in [
            "__basicsize__",
            "__itemsize__",
            "__dictoffset__",
            "__weakrefoffset__",
        ] {
            if !class.getattr(name)?.eq(made.getattr(name)?)? {
                return Ok(false);
            }
        }
        let slots = |class: &Bound<'py, PyType>| -> PyResult<Vec<String>> {
            let mut names = Vec::new();
            for (name, value) in cpython::type_dict(class).iter() {
                if value.get_type().name()? == "member_descriptor" {
                    names.push(name.extract()?);
                }
            }
            names.sort();
            Ok(names)
        };
        if slots(class)? != slots(made)? {
            return Ok(false);
        }
        let (old, new) = (
            class.getattr("__bases__")?.cast_into::<PyTuple>()?,
            self.live_bases(made)?,
        );
        if old.eq(&new)? {
            return Ok(true);
        }
        // CPython decides; nothing of the program runs between the two assignments.
        match cpython::set_bases(class, &new) {
            Ok(()) => {
                cpython::set_bases(class, &old)?;
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    /// The bases of a class made in staging, each as the live class that it stands for.
    fn live_bases(&self, made: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyTuple>> {
        let bases = made.getattr("__bases__")?.cast_into::<PyTuple>()?;
        let live = bases.iter().map(|base| {
            match self.rebuilt.iter().find(|(staged, _)| staged.is(&base)) {
                Some((_, class)) => class.clone().into_any(),
                None => base,
            }
        });
        PyTuple::new(self.py, live.collect::<Vec<_>>())
    }

    /// Copies the members of a class made anew into the live one.
    fn transplant(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
        change: &ClassChange,
    ) -> PyResult<()> {
        let (old, new) = (cpython::type_dict(class), cpython::type_dict(made));
        let bases = self.live_bases(made)?;
        if !class.getattr("__bases__")?.eq(&bases)? {
            self.transaction.push(Write::Bases {
                class: class.clone(),
                bases,
            });
        }
        let mut kept: FxHashSet<&str> = FxHashSet::default();
        for step in &change.steps {
            let member = &after.body[step.new];
            if matches!(step.change, Change::Same) && member.function().is_none() {
                kept.extend(member.binds.iter().map(String::as_str));
            }
        }
        for (key, value) in new.iter() {
            let name: String = key.extract()?;
            if LAYOUT.contains(&name.as_str()) || value.get_type().name()? == "member_descriptor" {
                continue;
            }
            let was = old.get_item(&key)?;
            if let Some(was) = &was {
                if was.is(&value)
                    || (kept.contains(name.as_str())
                        && !values::is_plain(was)
                        && was.get_type().is(value.get_type()))
                {
                    continue;
                }
                if was.get_type().name()? == "function"
                    && value.get_type().name()? == "function"
                    && self.is_source_function(module, was)?
                {
                    self.adopt_function(was, &value, Some(class.clone()))?;
                    continue;
                }
                if self.adopt_wrapped(module, was, &value, class)? {
                    continue;
                }
                if values::is_plain(was) && values::equal(was, &value) {
                    continue;
                }
            }
            self.transaction
                .set_class_attribute(class, &name, Some(value));
            self.changed
                .insert((module, format!("{}.{name}", after.name)), Changed::Value);
        }
        let bound: FxHashSet<&str> = before
            .body
            .iter()
            .flat_map(|member| member.binds.iter().map(String::as_str))
            .collect();
        for (key, value) in old.iter() {
            let name: String = key.extract()?;
            if new.contains(&key)?
                || LAYOUT.contains(&name.as_str())
                || value.get_type().name()? == "member_descriptor"
            {
                continue;
            }
            let generated = value
                .getattr("__code__")
                .and_then(|code| code.getattr("co_filename"))
                .is_ok_and(|file| {
                    file.extract::<String>()
                        .is_ok_and(|file| file == "<string>" || file.starts_with("<attrs"))
                });
            if bound.contains(name.as_str())
                || generated
                || name.starts_with("__") && name.ends_with("__") && name != "__abstractmethods__"
            {
                self.transaction.set_class_attribute(class, &name, None);
            }
        }
        Ok(())
    }

    /// Every reference to the staging class becomes one to the live class, and the
    /// staging class leaves the `__subclasses__()` of its bases.
    pub(crate) fn retire_class(
        &mut self,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
    ) -> PyResult<()> {
        self.transaction.push(Write::Reference {
            old: made.clone().into_any(),
            new: class.clone().into_any(),
        });
        self.after.push(After::Hide(made.clone()));
        Ok(())
    }

    /// The live class cannot take the new shape: the new class takes its place.
    fn replace_class(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
        after: &ClassDef,
        statement: &Statement,
    ) -> PyResult<()> {
        self.move_instances(module, class, made, after, statement)?;
        self.transaction.push(Write::Reference {
            old: class.clone().into_any(),
            new: made.clone().into_any(),
        });
        self.bind(module, &after.name, Some(made.clone().into_any()))?;
        self.note_value(
            module,
            &after.name,
            Some(class.clone().into_any()),
            Some(made.clone().into_any()),
        );
        self.after.push(After::Hide(class.clone()));
        self.entry(module, &after.name, Some(statement), "class", "re-ran")
            .reason =
            "CPython cannot change its layout or bases in place, so a new class took its place"
                .to_string();
        Ok(())
    }
}
