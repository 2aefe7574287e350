//! `__annotations__` of modules and classes.

use hotswap_plan::{Kind, Statement};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::stage::Stage;

impl<'py> Stage<'_, 'py> {
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

/// The simple names that statements annotate, in order.
pub(crate) fn annotated(statements: &[Statement]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for statement in statements {
        if let Kind::Assign {
            targets,
            annotated: true,
            ..
        } = &statement.kind
            && targets[0]
                .chars()
                .all(|letter| letter == '_' || letter.is_alphanumeric())
            && !names.contains(&targets[0])
        {
            names.push(targets[0].clone());
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
