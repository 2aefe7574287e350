//! Definitions that only changed their name.

use std::sync::Arc;

use hotswap_plan::{FunctionChange, Outline, Skeleton, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyString, PyType};

use crate::native as cpython;
use crate::stage::Stage;
use crate::statement::kind_of;
use crate::transaction::Write;

impl<'py> Stage<'_, 'py> {
    /// A definition that got another name keeps its identity.
    pub(crate) fn rename(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let (Some(from), Some(to)) = (old.binds.first().cloned(), new.binds.first().cloned())
        else {
            return Ok(());
        };
        let Some(mut object) = self.live_dict(module).get_item(&from)? else {
            return self.run(module, None, new, outline);
        };
        match (old.function(), new.function()) {
            (Some(_), Some(function)) => {
                let namespace = self.namespace(module)?;
                let text = self.text(module);
                let skeleton = Skeleton::new(&text, outline).function(new, function, &[], true);
                let code = self.compile(module, &skeleton.finish())?;
                let made = self.make(&code, &namespace, None, &to)?;
                let change = FunctionChange {
                    defaults: Vec::new(),
                    annotations: true,
                };
                self.patch_function(module, old, new, &change, &made, None)?;
                if self.decoration_cause(module, function).is_some() {
                    self.bind(module, &to, Some(object.clone()))?;
                    self.derive_decorators(module, old, new, outline)?;
                } else {
                    self.derive_defaults(module, old, new, None)?;
                }
            }
            _ => {
                let class = match object.clone().cast_into::<pyo3::types::PyType>() {
                    Ok(class) => class,
                    Err(_) => return self.run(module, None, new, outline),
                };
                for attribute in ["__name__", "__qualname__"] {
                    let value = pyo3::types::PyString::new(self.py, &to).into_any();
                    self.transaction.push(Write::Attribute {
                        object: class.clone().into_any(),
                        name: attribute,
                        value: Some(value),
                    });
                }
                self.rename_methods(module, &class, old, new, outline)?;
                self.rename_generated(&class, &from, &to)?;
                self.derive_renamed(module, &class, old, new, outline)?;
                let followed = self.replaced.iter().find(|(old, _)| old.is(&class));
                if let Some((_, now)) = followed {
                    object = now.clone().into_any();
                }
            }
        }
        self.rename_registrations(module, old, &from, &to)?;
        self.bind(module, &to, Some(object.clone()))?;
        self.note_value(module, &to, None, Some(object));
        let kind = kind_of(new);
        let entry = self.entry(module, &to, Some(new), kind, "moved");
        entry.reason = format!("taken for {from} under another name: everything else is equal");
        if outline.last_binder(&from).is_none() {
            let was = self.live_dict(module).get_item(&from)?;
            self.bind(module, &from, None)?;
            self.note_value(module, &from, was, None);
        }
        Ok(())
    }

    /// The names of members that a decorator or a metaclass made, and of inner classes.
    fn rename_generated(
        &mut self,
        class: &Bound<'py, PyType>,
        from: &str,
        to: &str,
    ) -> PyResult<()> {
        let (before, after) = (format!("{from}."), format!("{to}."));
        for (name, value) in cpython::type_dict(class).iter() {
            if name.eq("__doc__")? {
                let text = value.extract::<String>().unwrap_or_default();
                // `dataclass` writes the signature where there is no docstring.
                if let Some(rest) = text.strip_prefix(&format!("{from}(")) {
                    let text = PyString::new(self.py, &format!("{to}({rest}")).into_any();
                    self.transaction
                        .set_class_attribute(class, "__doc__", Some(text));
                }
                continue;
            }
            let inner = value.is_instance_of::<PyType>();
            if !inner && !value.is_instance_of::<PyFunction>() {
                continue;
            }
            let qualname: String = value.getattr("__qualname__")?.extract()?;
            let Some(rest) = qualname.strip_prefix(&before) else {
                continue;
            };
            if self
                .transaction
                .pending_attribute(&value, "__qualname__")
                .is_some()
            {
                continue;
            }
            let renamed = format!("{after}{rest}");
            self.transaction.push(Write::Attribute {
                object: value.clone(),
                name: "__qualname__",
                value: Some(PyString::new(self.py, &renamed).into_any()),
            });
            if let Ok(inner) = value.cast::<PyType>() {
                self.rename_generated(inner, &qualname, &renamed)?;
            }
        }
        Ok(())
    }
}
