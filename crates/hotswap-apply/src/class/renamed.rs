//! Classes and members that only got another name keep their identity.

use std::sync::Arc;

use crate::native as cpython;
use hotswap_plan::{Outline, Skeleton, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyString, PyType};

use crate::codes;
use crate::stage::Stage;
use crate::transaction::Write;

impl<'py> Stage<'_, 'py> {
    pub(super) fn rename_member(
        &mut self,
        class: &Bound<'py, PyType>,
        old: &Statement,
        new: &Statement,
    ) -> PyResult<()> {
        let (Some(from), Some(to)) = (old.binds.first(), new.binds.first()) else {
            return Ok(());
        };
        if let Some(value) = cpython::type_dict(class).get_item(from)? {
            self.transaction
                .set_class_attribute(class, to, Some(value.clone()));
            self.transaction.set_class_attribute(class, from, None);
            if value.is_exact_instance_of::<PyFunction>() {
                let qualname: String = value.getattr("__qualname__")?.extract()?;
                let head = qualname
                    .rsplit_once('.')
                    .map(|(head, _)| format!("{head}."))
                    .unwrap_or_default();
                for (name, text) in [
                    ("__name__", to.clone()),
                    ("__qualname__", format!("{head}{to}")),
                ] {
                    let text = PyString::new(self.py, &text).into_any();
                    self.transaction.push(Write::Attribute {
                        object: value.clone(),
                        name,
                        value: Some(text),
                    });
                }
            }
        }
        Ok(())
    }

    /// The methods of a renamed class get its name.
    pub(crate) fn rename_methods(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        old: &Statement,
        new: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let (Some(before), Some(after)) = (old.class(), new.class()) else {
            return Ok(());
        };
        let text = self.text(module);
        let unit = self.compile(
            module,
            &Skeleton::new(&text, outline).statement(new).finish(),
        )?;
        for (was, is) in before.body.iter().zip(&after.body) {
            for (site, target) in was.codes.iter().zip(is.codes.iter()) {
                let mut scope = vec![after.name.clone()];
                scope.extend(target.scope.iter().cloned());
                let found = codes::at_site(&unit, &scope, &target.name, target.line)?;
                let Some(code) = found.first() else { continue };
                for live in self.functions_at(module, &site.name, site.line) {
                    self.pair(&live.code, code, Some(class.clone()))?;
                    let qualname = format!("{}.{}", scope.join("."), target.name);
                    let value = PyString::new(self.py, &qualname).into_any();
                    self.transaction.push(Write::Attribute {
                        object: live.function,
                        name: "__qualname__",
                        value: Some(value),
                    });
                }
            }
        }
        Ok(())
    }
}
