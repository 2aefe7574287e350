//! Live instances get the attributes that a fresh one would have.

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
            } else if instances
                .iter()
                .any(|each| cpython::runs_code(each, &self.intern(&mangle(&after.name, name))))
            {
                Some("it is set by a property or another descriptor".to_string())
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
                    Ok(value) => self.give(&instance, self.intern(&mangled).into_any(), value),
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

    /// An attribute for an instance, or for what takes its place.
    fn give(
        &mut self,
        instance: &Bound<'py, PyAny>,
        name: Bound<'py, PyAny>,
        value: Bound<'py, PyAny>,
    ) {
        let object = self
            .moved
            .get(&(instance.as_ptr() as usize))
            .unwrap_or(instance)
            .clone();
        self.transaction.push(Write::InstanceAttribute {
            object,
            name,
            value: Some(value),
        });
    }

    /// Fields that a dataclass makes with a factory exist on every fresh instance, and
    /// so do those with a default where a slot takes the place of the class attribute.
    pub(crate) fn new_fields(
        &mut self,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
    ) -> PyResult<()> {
        let new = cpython::type_dict(made);
        let Some(fields) = new.get_item("__dataclass_fields__")? else {
            return Ok(());
        };
        let missing = self.py.import("dataclasses")?.getattr("MISSING")?;
        let mut instances: Option<Vec<Bound<'py, PyAny>>> = None;
        for (name, field) in fields.cast_into::<PyDict>()?.iter() {
            let factory = field.getattr("default_factory")?;
            let default = field.getattr("default")?;
            let in_slot = match new.get_item(&name)? {
                Some(member) => member.get_type().name()? == "member_descriptor",
                None => false,
            };
            let made_by_call = !factory.is(&missing) && field.getattr("init")?.is_truthy()?;
            let kept_in_slot = in_slot && !default.is(&missing);
            // An InitVar or ClassVar is no attribute of the instance.
            if field.getattr("_field_type")?.repr()?.to_str()? != "_FIELD"
                || !made_by_call && !kept_in_slot
            {
                continue;
            }
            let known = match &instances {
                Some(known) => known,
                None => instances.insert(cpython::instances_of(self.py, class, true)?),
            };
            for instance in known.clone() {
                let text: String = name.extract()?;
                if instance.getattr(text.as_str()).is_err() {
                    let value = if made_by_call {
                        factory.call0()?
                    } else {
                        default.clone()
                    };
                    self.give(&instance, name.clone(), value);
                }
            }
        }
        Ok(())
    }
}

/// The name under which a private attribute is stored.
pub(crate) fn mangle(class: &str, name: &str) -> String {
    if name.starts_with("__") && !name.ends_with("__") {
        format!("_{}{name}", class.trim_start_matches('_'))
    } else {
        name.to_string()
    }
}
