//! Live instances: attributes that a fresh one would have, and other layouts.

use crate::native as cpython;
use hotswap_plan::{Call, ClassDef, Receiver, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::stage::Stage;
use crate::transaction::Write;

impl<'py> Stage<'_, 'py> {
    /// The same for a class of which only method bodies changed.
    pub(crate) fn new_attributes_of(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
    ) -> PyResult<()> {
        let (Some(before), Some(after)) = (old.class(), new.class()) else {
            return Ok(());
        };
        match self.class_at(module, std::slice::from_ref(&after.name))? {
            Some(class) => self.new_attributes(module, &class, before, after),
            None => Ok(()),
        }
    }

    /// New lines of `__init__` that can be evaluated for an instance reach those that live.
    pub(crate) fn new_attributes(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
    ) -> PyResult<()> {
        let init = |class: &'_ ClassDef| {
            class
                .body
                .iter()
                .rev()
                .find(|member| {
                    member
                        .function()
                        .is_some_and(|function| function.name == "__init__")
                })
                .cloned()
        };
        let (Some(old), Some(new)) = (init(before), init(after)) else {
            return Ok(());
        };
        let (Some(was), Some(is)) = (old.function(), new.function()) else {
            return Ok(());
        };
        let receiver = is.first_parameter.clone().unwrap_or_default();
        let added: Vec<_> = is
            .self_attributes
            .iter()
            .filter(|(name, _)| !was.self_attributes.iter().any(|(other, _)| other == name))
            .collect();
        if added.is_empty() {
            return Ok(());
        }
        let text = self.text(module);
        let instances = cpython::instances_of(self.py, class, true)?;
        for (name, value) in added {
            let parameters: Vec<&str> = is
                .parameters
                .iter()
                .skip(1)
                .map(|parameter| parameter.name.as_str())
                .collect();
            let mut facts = value.facts.clone();
            let needs_argument = facts
                .reads
                .iter()
                .any(|path| parameters.contains(&path[0].as_str()));
            facts.reads.retain(|path| path[0] != receiver);
            facts.calls.retain(|call| {
                !matches!(
                    call,
                    Call::Method {
                        on: Receiver::Literal,
                        ..
                    }
                )
            });
            let on_self = facts
                .calls
                .iter()
                .any(|call| matches!(call, Call::Path(path) if path[0] == receiver));
            let reason = if needs_argument {
                Some("its value needs an argument of __init__".to_string())
            } else if on_self {
                Some("its value is made by a method of the instance".to_string())
            } else {
                self.impurity(module, &facts)
            };
            let mangled = mangle(&after.name, name);
            let lacking: Vec<Bound<'py, PyAny>> = instances
                .iter()
                .filter(|instance| instance.getattr(mangled.as_str()).is_err())
                .cloned()
                .collect();
            if lacking.is_empty() {
                continue;
            }
            let label = format!("{}.{name}", after.name);
            if let Some(reason) = reason {
                let entry = self.entry(module, &label, Some(&new), "instance", "not applied");
                entry.reason = format!("{} instances lack it: {reason}", lacking.len());
                entry.advice =
                    "define __hotswap_migrate__(self, added, removed, old_values)".to_string();
                continue;
            }
            let namespace = self.namespace(module)?;
            let count = lacking.len();
            for instance in lacking {
                let scope = PyDict::new(self.py);
                scope.set_item(&receiver, &instance)?;
                let source = format!("({}\n)", value.span.of(&text));
                let eval = self.py.import("builtins")?.getattr("eval")?;
                match eval.call1((source, &namespace, scope)) {
                    Ok(value) => self.transaction.push(Write::InstanceAttribute {
                        object: instance,
                        name: self.intern(&mangled).into_any(),
                        value,
                    }),
                    Err(error) => {
                        let entry =
                            self.entry(module, &label, Some(&new), "instance", "not applied");
                        entry.reason = format!("evaluating it for an instance raised {error}");
                        break;
                    }
                }
            }
            self.entry(module, &label, Some(&new), "instance", "migrated")
                .reason = format!("{count} instances");
        }
        Ok(())
    }

    /// Fields that a dataclass makes with a factory exist on every fresh instance.
    pub(crate) fn new_fields(
        &mut self,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
    ) -> PyResult<()> {
        let Some(fields) = cpython::type_dict(made).get_item("__dataclass_fields__")? else {
            return Ok(());
        };
        let missing = self.py.import("dataclasses")?.getattr("MISSING")?;
        let old = cpython::type_dict(class).get_item("__dataclass_fields__")?;
        let mut instances: Option<Vec<Bound<'py, PyAny>>> = None;
        for (name, field) in fields.cast_into::<PyDict>()?.iter() {
            if old
                .as_ref()
                .is_some_and(|old| old.contains(&name).unwrap_or(false))
            {
                continue;
            }
            let factory = field.getattr("default_factory")?;
            if factory.is(&missing) || !field.getattr("init")?.is_truthy()? {
                continue;
            }
            let known = match &instances {
                Some(known) => known,
                None => instances.insert(cpython::instances_of(self.py, class, true)?),
            };
            for instance in known.clone() {
                let text: String = name.extract()?;
                if instance.getattr(text.as_str()).is_err() {
                    let value = factory.call0()?;
                    self.transaction.push(Write::InstanceAttribute {
                        object: instance,
                        name: name.clone(),
                        value,
                    });
                }
            }
        }
        Ok(())
    }

    /// Moves every instance of a class to the one that takes its place.
    pub(crate) fn move_instances(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
        after: &ClassDef,
        statement: &Statement,
    ) -> PyResult<()> {
        let instances = cpython::instances_of(self.py, class, false)?;
        if instances.is_empty() {
            return Ok(());
        }
        let same_layout = takes_instances(class, made);
        let count = instances.len();
        for object in instances {
            if same_layout {
                self.transaction.push(Write::InstanceClass {
                    object,
                    class: made.clone(),
                });
            } else {
                let copy = copy_instance(&object, made)?;
                self.transaction.push(Write::Instance {
                    old: object,
                    new: copy,
                });
            }
        }
        self.entry(module, &after.name, Some(statement), "instance", "migrated")
            .reason = format!("{count} instances");
        Ok(())
    }
}

/// Whether CPython lets an instance of one class become one of the other: tried with
/// an instance of nobody's.
fn takes_instances(class: &Bound<'_, PyType>, made: &Bound<'_, PyType>) -> bool {
    let new = class
        .py()
        .get_type::<PyAny>()
        .getattr("__new__")
        .and_then(|new| new.call1((class,)));
    new.is_ok_and(|probe| cpython::set_instance_class(&probe, made).is_ok())
}

/// A new instance with the attributes of an old one, made without `__init__`.
fn copy_instance<'py>(
    object: &Bound<'py, PyAny>,
    class: &Bound<'py, PyType>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let base = py.get_type::<PyAny>();
    let copy = base.getattr("__new__")?.call1((class,))?;
    let setter = base.getattr("__setattr__")?;
    for parent in object.get_type().getattr("__mro__")?.try_iter()? {
        let parent = parent?.cast_into::<PyType>()?;
        for (name, value) in cpython::type_dict(&parent).iter() {
            if value.get_type().name()? == "member_descriptor"
                && let Ok(held) = object.getattr(name.extract::<String>()?.as_str())
            {
                // A slot that the new class no longer has is dropped, as a fresh instance would.
                let _ = setter.call1((&copy, &name, held));
            }
        }
    }
    if let (Ok(from), Ok(to)) = (object.getattr("__dict__"), copy.getattr("__dict__")) {
        to.call_method1("update", (from,))?;
    }
    Ok(copy)
}

/// The name under which a private attribute is stored.
pub(crate) fn mangle(class: &str, name: &str) -> String {
    if name.starts_with("__") && !name.ends_with("__") {
        format!("_{}{name}", class.trim_start_matches('_'))
    } else {
        name.to_string()
    }
}
