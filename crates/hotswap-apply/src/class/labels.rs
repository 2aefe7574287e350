//! The labels of functions that several classes share.
//!
//! A decorator may give one function to each of its classes and name it after the class, as attrs
//! does with `__replace__`. The last class of a start has the word. A class that is made again is
//! not the last one for that.

use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyType};

use crate::native as cpython;
use crate::stage::Stage;

const LABELS: [&str; 4] = ["__name__", "__qualname__", "__module__", "__doc__"];

/// A function and what it is called.
struct Labels<'py> {
    function: Bound<'py, PyAny>,
    values: Vec<Bound<'py, PyAny>>,
}

impl<'py> Stage<'_, 'py> {
    /// Makes a class anew. A function that is named after another class stays so.
    pub(super) fn keeping_labels<R>(
        &mut self,
        class: &Bound<'py, PyType>,
        run: impl FnOnce(&mut Self) -> PyResult<R>,
    ) -> PyResult<R> {
        let labels = labels_of_others(class)?;
        let result = run(self);
        for Labels { function, values } in labels {
            for (name, value) in LABELS.iter().zip(values) {
                if !function.getattr(*name)?.is(&value) {
                    function.setattr(*name, value)?;
                }
            }
        }
        result
    }
}

/// The functions in a class that are not named after it.
fn labels_of_others<'py>(class: &Bound<'py, PyType>) -> PyResult<Vec<Labels<'py>>> {
    let own = format!("{}.", class.getattr("__qualname__")?.extract::<String>()?);
    let home = class.getattr("__module__")?;
    let mut found = Vec::new();
    for function in cpython::type_dict(class).values() {
        if !function.is_exact_instance_of::<PyFunction>() {
            continue;
        }
        let path: String = function.getattr("__qualname__")?.extract()?;
        if path.starts_with(&own) && function.getattr("__module__")?.eq(&home)? {
            continue;
        }
        let values = LABELS.iter().map(|name| function.getattr(*name));
        let values = values.collect::<PyResult<Vec<_>>>()?;
        found.push(Labels { function, values });
    }
    Ok(found)
}
