//! `__annotations__` of modules and classes.

use std::sync::Arc;

use hotswap_plan::{
    Change, ClassChange, ClassDef, Expression, FunctionChange, FunctionDef, Kind, Outline, Pragma,
    Skeleton, Statement,
};
use pyo3::exceptions::PyRuntimeError;
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
        // Where they are evaluated on demand, all of the module are settled at its end.
        if is_annotated(new) && !are_deferred(outline) {
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
        module: usize,
        class: &Bound<'py, PyType>,
        path: &[(&ClassDef, &ClassDef)],
        change: &ClassChange,
        outline: &Outline,
        evaluated: Option<Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        let (before, after) = path[path.len() - 1];
        let (had, has) = (annotated(&before.body), annotated(&after.body));
        let grown = change.steps.iter().any(|step| {
            matches!(step.change, Change::Run | Change::Annotation)
                && is_annotated(&after.body[step.new])
        });
        if had == has && !grown {
            return Ok(());
        }
        if are_deferred(outline) {
            return self.defer_class_annotations(module, class, path, outline);
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
        if cfg!(Py_3_14) {
            self.drop_class_annotations(class, &["__annotate_func__", "__annotations_cache__"])?;
        }
        self.transaction
            .set_class_attribute(class, "__annotations__", value);
        Ok(())
    }

    /// The function that a class of the new source has for its annotations (PEP 649). It
    /// looks names up in the live class.
    fn defer_class_annotations(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &[(&ClassDef, &ClassDef)],
        outline: &Outline,
    ) -> PyResult<()> {
        let (_, after) = path[path.len() - 1];
        if !self.can_be_deferred(module, &after.body) {
            return Ok(());
        }
        let names: Vec<String> = path.iter().map(|(_, class)| class.name.clone()).collect();
        let text = self.text(module);
        let mut skeleton = Skeleton::new(&text, outline);
        for (_, outer) in path {
            skeleton = skeleton.class(outer);
        }
        for member in after.body.iter().filter(|member| is_annotated(member)) {
            skeleton = skeleton.annotation(member);
        }
        let unit = self.compile(module, &skeleton.finish())?;
        let mut function = None;
        if let Some(body) = codes::class_body(&unit, &names)? {
            // Nothing is evaluated: the body only makes the function.
            let locals = PyDict::new(self.py);
            codes::execute(&body, &self.live_dict(module), Some(&locals))?;
            function = locals.get_item("__annotate_func__")?;
        }
        if let Some(function) = &function {
            let names = codes::free_variables(&function.getattr("__code__")?)?;
            for (at, name) in names.iter().enumerate() {
                if name == "__classdict__" {
                    let cell = function.getattr("__closure__")?.get_item(at)?;
                    cell.setattr("cell_contents", class.getattr("__dict__")?)?;
                }
            }
        }
        // Whoever deletes annotations deletes the function too, so it is set afterwards.
        self.drop_class_annotations(class, &["__annotations__", "__annotations_cache__"])?;
        if function.is_some() || cpython::type_dict(class).contains("__annotate_func__")? {
            self.transaction
                .set_class_attribute(class, "__annotate_func__", function);
        }
        Ok(())
    }

    fn drop_class_annotations(
        &mut self,
        class: &Bound<'py, PyType>,
        names: &[&str],
    ) -> PyResult<()> {
        for name in names {
            if cpython::type_dict(class).contains(name)? {
                self.transaction.set_class_attribute(class, name, None);
            }
        }
        Ok(())
    }

    /// Whether all annotations stand in statements of their own; says so where they do not.
    fn can_be_deferred(&mut self, module: usize, statements: &[Statement]) -> bool {
        let in_block = statements.iter().find(|statement| {
            is_annotated(statement)
                && !matches!(
                    statement.kind,
                    Kind::Assign {
                        annotation: Some(_),
                        ..
                    }
                )
        });
        let Some(statement) = in_block else {
            return true;
        };
        let label = statement.label(&self.text(module));
        self.entry(module, &label, Some(statement), "statement", "stale")
            .reason = "annotations beside some in a block stay as they were".to_string();
        false
    }

    /// Annotations of an unchanged function that read something which changed.
    pub(crate) fn derive_annotations(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let Some(function) = new.function() else {
            return Ok(());
        };
        if are_deferred_or_text(outline) || new.pragma == Some(Pragma::Keep) {
            return Ok(());
        }
        let mut cause = None;
        for annotation in annotations_of(function) {
            let facts = &annotation.facts;
            if let Some(found) = self.cause(module, facts)
                && (!self.must_wait(module, facts) || self.can_show(module, facts))
            {
                cause = Some(found);
            }
        }
        // All of them are evaluated.
        let mut facts = annotations_of(function).map(|annotation| &annotation.facts);
        let doubt = facts.find_map(|facts| self.impurity(module, facts));
        let Some(cause) = cause else {
            return Ok(());
        };
        let namespace = self.namespace(module)?;
        let text = self.text(module);
        let skeleton = Skeleton::new(&text, outline).function(new, function, &[], true);
        let code = self.compile(module, &skeleton.finish())?;
        let mut view = self.view_at(module, new.span.start, &new.facts, &namespace)?;
        let mut made = Err(PyRuntimeError::new_err("they were not evaluated"));
        let name = &function.name;
        match doubt {
            None => made = self.make(&code, &namespace, None, name),
            Some(reason) if self.committed || crate::trial::is_traced(self.py)? => {
                made = Err(PyRuntimeError::new_err(reason));
            }
            Some(_) => {
                let stub = hotswap_plan::DECORATOR_STUB;
                let copy = namespace.copy()?;
                copy.set_item(stub, crate::statement::identity(self.py)?)?;
                let run = || codes::execute(&code, &copy, None);
                match self.on_trial(&copy, &[], run)? {
                    Err(reason) => made = Err(PyRuntimeError::new_err(reason)),
                    Ok(()) => {
                        if let Some(function) = copy.get_item(name)? {
                            made = Ok(function);
                        }
                    }
                }
            }
        }
        view.leave()?;
        let made = match made {
            Ok(made) => made,
            Err(error) => {
                let entry = self.entry(module, &function.name, Some(new), "function", "stale");
                entry.reason = format!("its annotations read {cause}; {error}");
                return Ok(());
            }
        };
        let change = FunctionChange {
            defaults: Vec::new(),
            annotations: true,
        };
        if self.patch_function(module, old, new, &change, &made, None)? > 0 {
            self.entry(module, &function.name, Some(new), "function", "patched")
                .reason = format!("its annotations read {cause}");
        }
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
        let grown = edited.plan.steps.iter().any(|step| {
            matches!(step.change, Change::Run | Change::Annotation)
                && is_annotated(&edited.outline.statements[step.new])
        });
        if are_deferred(&edited.outline) && (old != new || grown) {
            return self.defer_annotations(module);
        }
        if old == new {
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

    /// The function that the new source has for its annotations (PEP 649).
    fn defer_annotations(&mut self, module: usize) -> PyResult<()> {
        let outline = self.edits[&module].outline.clone();
        if !self.can_be_deferred(module, &outline.statements) {
            return Ok(());
        }
        let text = self.text(module);
        let mut skeleton = Skeleton::new(&text, &outline);
        for statement in &outline.statements {
            if is_annotated(statement) {
                skeleton = skeleton.annotation(statement);
            }
        }
        let unit = self.compile(module, &skeleton.finish())?;
        // Nothing is evaluated: the statements only make the function.
        let made = PyDict::new(self.py);
        codes::execute(&unit, &made, None)?;
        let function = match made.get_item("__annotate__")? {
            Some(function) => {
                let code = function.getattr("__code__")?;
                let live = self.live_dict(module);
                Some(function.get_type().call1((code, live))?)
            }
            None => None,
        };
        let present = made.get_item("__conditional_annotations__")?;
        for (name, value) in [
            ("__annotate__", function),
            ("__conditional_annotations__", present),
            ("__annotations__", None),
        ] {
            if value.is_some() || self.live_dict(module).contains(name)? {
                self.bind(module, name, value)?;
            }
        }
        Ok(())
    }
}

/// Whether annotations are not evaluated together with what they stand at.
pub(crate) fn are_deferred_or_text(outline: &Outline) -> bool {
    cfg!(Py_3_14) || are_text(outline)
}

/// The annotations of the parameters of a function and of what it returns.
pub(crate) fn annotations_of(function: &FunctionDef) -> impl Iterator<Item = &Expression> {
    let parameters = function.parameters.iter();
    parameters
        .filter_map(|parameter| parameter.annotation.as_ref())
        .chain(function.returns.as_ref())
}

/// Whether annotations of a module are evaluated only when somebody asks for them (PEP 649).
pub(crate) fn are_deferred(outline: &Outline) -> bool {
    cfg!(Py_3_14) && !are_text(outline)
}

/// Whether the annotations of a module are kept as their text.
pub(crate) fn are_text(outline: &Outline) -> bool {
    outline.futures.iter().any(|name| name == "annotations")
}

/// Which attribute of a function that was made has its annotations: the function that
/// evaluates them, or where there is none the annotations themselves.
pub(crate) fn attribute_of(made: &Bound<'_, PyAny>) -> PyResult<&'static str> {
    let deferred = cfg!(Py_3_14) && !made.getattr("__annotate__")?.is_none();
    Ok(if deferred {
        "__annotate__"
    } else {
        "__annotations__"
    })
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
