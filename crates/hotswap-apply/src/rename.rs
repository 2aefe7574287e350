//! Definitions that only changed their name.

use std::sync::Arc;

use hotswap_plan::{FunctionChange, Outline, Skeleton, Statement};
use pyo3::prelude::*;

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
        let Some(object) = self.live_dict(module).get_item(&from)? else {
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
            }
        }
        self.rename_registrations(module, old, &from, &to)?;
        self.bind(module, &to, Some(object.clone()))?;
        self.note_value(module, &to, None, Some(object));
        let kind = kind_of(new);
        let entry = self.entry(module, &to, Some(new), kind, "moved");
        entry.reason = format!("taken for {from} under another name: everything else is equal");
        if outline.last_binder(&from).is_none() {
            self.bind(module, &from, None)?;
        }
        Ok(())
    }
}
