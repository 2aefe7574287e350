//! What a class needs once everything is committed, because it runs Python code.

use crate::native as cpython;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::stage::{After, Stage};

impl<'py> Stage<'_, 'py> {
    /// Does what was left for after the commit.
    pub(crate) fn run_after(&mut self) -> PyResult<()> {
        for after in std::mem::take(&mut self.after) {
            match after {
                After::Abstract(class) => update_abstract_methods(&class)?,
                After::Hide(class) => hide_class(&class)?,
                After::Decorate {
                    class,
                    source,
                    namespace,
                } => {
                    crate::statement::evaluate(self.py, &source, &namespace)?.call1((class,))?;
                }
            }
        }
        Ok(())
    }
}

/// What `abc.update_abstractmethods` does (3.10+), for 3.9 as well, and for the
/// subclasses too.
fn update_abstract_methods(class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = class.py();
    let abc = py.import("abc")?;
    if !class.as_any().is_instance(&abc.getattr("ABCMeta")?)? {
        return Ok(());
    }
    let is_abstract = |value: &Bound<'_, PyAny>| {
        value
            .getattr("__isabstractmethod__")
            .is_ok_and(|flag| flag.is_truthy().unwrap_or(false))
    };
    let names = pyo3::types::PySet::empty(py)?;
    for (name, value) in cpython::type_dict(class).iter() {
        if is_abstract(&value) {
            names.add(name)?;
        }
    }
    for base in class.getattr("__bases__")?.try_iter()? {
        let Ok(inherited) = base?.getattr("__abstractmethods__") else {
            continue;
        };
        for name in inherited.try_iter()? {
            let name = name?;
            if class
                .getattr(name.cast::<PyString>()?)
                .is_ok_and(|value| is_abstract(&value))
            {
                names.add(name)?;
            }
        }
    }
    let frozen = py
        .import("builtins")?
        .getattr("frozenset")?
        .call1((names,))?;
    class.setattr("__abstractmethods__", frozen)?;
    if let Ok(reset) = py
        .import("_abc")
        .and_then(|module| module.getattr("_reset_caches"))
    {
        reset.call1((class,))?;
    }
    for sub in class.call_method0("__subclasses__")?.try_iter()? {
        update_abstract_methods(&sub?.cast_into::<PyType>()?)?;
    }
    Ok(())
}

/// Hangs a dead class under a class of its own; where CPython refuses, the
/// collector takes it away.
fn hide_class(class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = class.py();
    let object = py.get_type::<PyAny>();
    let bases = class.getattr("__bases__")?.cast_into::<PyTuple>()?;
    if bases.len() == 1 && bases.get_item(0)?.is(&object) {
        return Ok(());
    }
    let parent = py
        .get_type::<PyType>()
        .call1(("_Gone", PyTuple::empty(py), PyDict::new(py)))?;
    if cpython::set_bases(class, &PyTuple::new(py, [parent])?).is_err() {
        py.import("gc")?.call_method0("collect")?;
    }
    Ok(())
}
