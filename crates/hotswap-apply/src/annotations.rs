//! `__annotations__` of modules and classes.

use hotswap_plan::{Change, ClassChange, ClassDef, Outline, Skeleton, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::codes;
use crate::native as cpython;
use crate::stage::Stage;

impl<'py> Stage<'_, 'py> {
    /// Evaluates the annotation of an assignment whose value did not change.
    pub(crate) fn annotate(
        &mut self,
        module: usize,
        new: &Statement,
        outline: &Outline,
    ) -> PyResult<()> {
        if is_annotated(new) && !cfg!(Py_3_14) {
            let namespace = self.namespace(module)?;
            let text = self.text(module);
            let code = self.compile(
                module,
                &Skeleton::new(&text, outline).annotation(new).finish(),
            )?;
            codes::execute(&code, &namespace, None)?;
            if let Some(annotations) = namespace.get_item("__annotations__")? {
                self.bind(module, "__annotations__", Some(annotations))?;
            }
        }
        let label = new.label(&self.text(module));
        self.entry(module, &label, Some(new), "statement", "patched")
            .reason = "only its annotation changed".to_string();
        Ok(())
    }

    /// `__annotations__` of a class: the names that the source annotates, in its order,
    /// then those that the program added. `evaluated` is what its changed statements made.
    pub(crate) fn settle_class_annotations(
        &mut self,
        class: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
        change: &ClassChange,
        evaluated: Option<Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        let (had, has) = (annotated(&before.body), annotated(&after.body));
        let grown = change.steps.iter().any(|step| {
            matches!(step.change, Change::Run | Change::Annotation)
                && is_annotated(&after.body[step.new])
        });
        if cfg!(Py_3_14) || had == has && !grown {
            return Ok(());
        }
        let annotations = match evaluated {
            Some(annotations) => annotations,
            None => match cpython::type_dict(class).get_item("__annotations__")? {
                Some(annotations) => annotations,
                None => return Ok(()),
            },
        };
        let settled = ordered_annotations(self.py, annotations.cast::<PyDict>()?, &had, &has)?;
        let value = (!settled.is_empty() || !has.is_empty()).then(|| settled.into_any());
        self.transaction
            .set_class_attribute(class, "__annotations__", value);
        Ok(())
    }

    /// `__annotations__` of an edited module: the names that the source annotates, in
    /// its order, then those that the program added.
    pub(crate) fn settle_annotations(&mut self, module: usize) -> PyResult<()> {
        let edited = &self.edits[&module];
        let (old, new) = (
            annotated(&edited.old_outline.statements),
            annotated(&edited.outline.statements),
        );
        if old == new || cfg!(Py_3_14) {
            return Ok(());
        }
        let namespace = self.namespace(module)?;
        let Some(annotations) = namespace.get_item("__annotations__")? else {
            return Ok(());
        };
        let settled = ordered_annotations(self.py, annotations.cast::<PyDict>()?, &old, &new)?;
        let value = (!settled.is_empty() || !new.is_empty()).then(|| settled.into_any());
        self.bind(module, "__annotations__", value)
    }
}

pub(crate) fn is_annotated(statement: &Statement) -> bool {
    !statement.annotates.is_empty()
}

/// The simple names that statements annotate, in order.
pub(crate) fn annotated(statements: &[Statement]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in statements.iter().flat_map(|statement| &statement.annotates) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// Annotations in the order of the new source, without those that only the old one had.
pub(crate) fn ordered_annotations<'py>(
    py: Python<'py>,
    annotations: &Bound<'py, PyDict>,
    old: &[String],
    new: &[String],
) -> PyResult<Bound<'py, PyDict>> {
    let settled = PyDict::new(py);
    for name in new {
        if let Some(value) = annotations.get_item(name)? {
            settled.set_item(name, value)?;
        }
    }
    for (name, value) in annotations.iter() {
        let text: String = name.extract()?;
        if !old.contains(&text) && !settled.contains(&name)? {
            settled.set_item(name, value)?;
        }
    }
    Ok(settled)
}
