//! Warnings that come to nothing.
//!
//! `warnings.warn` shows something, or raises it, unless a filter has it ignored: then it has
//! no effect (`warn_explicit` in `Python/_warnings.c`).

use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use super::evaluate;
use super::judged::{Given, argument_of};

/// Whether the call of `warnings.warn` that a frame is about to make is ignored, as far as the
/// instructions say what it is called with.
pub(super) fn is_ignored(frame: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = frame.py();
    let code = frame.getattr("f_code")?;
    let at: u32 = frame.getattr("f_lasti")?.extract().unwrap_or(0);
    let category = match argument_of(&code, at, 1, "category")? {
        Given::Value(category) => evaluate(frame, &category)?,
        // A message may be a warning itself, of any category.
        Given::Nothing => match argument_of(&code, at, 0, "message")? {
            Given::Value(message) => evaluate(frame, &message)?
                .filter(|message| message.is_exact_instance_of::<PyString>())
                .map(|_| py.get_type::<pyo3::exceptions::PyUserWarning>().into_any()),
            _ => None,
        },
        Given::Unknown => None,
    };
    match category.map(Bound::cast_into::<PyType>) {
        Some(Ok(category)) => is_filtered(frame, &category),
        _ => Ok(false),
    }
}

/// Whether the first filter that is about a category ignores it, wherever it is warned.
fn is_filtered(frame: &Bound<'_, PyAny>, category: &Bound<'_, PyType>) -> PyResult<bool> {
    let warnings = crate::native::import(frame.py(), "warnings")?;
    let mut filters: Vec<Bound<'_, PyAny>> = Vec::new();
    // Since CPython 3.14 those of the context come first.
    if let Some(own) = warnings.getattr_opt("_get_filters")? {
        filters.extend(own.call0()?.try_iter()?.flatten());
    }
    filters.extend(warnings.getattr("filters")?.try_iter()?.flatten());
    for filter in filters {
        type Filter<'py> = (
            String,
            Bound<'py, PyAny>,
            Bound<'py, PyAny>,
            Bound<'py, PyAny>,
            u32,
        );
        // A program may have put anything there.
        let Ok((action, message, class, module, line)) = filter.extract::<Filter<'_>>() else {
            return Ok(false);
        };
        if !category.mro().iter().any(|above| above.is(&class)) {
            continue;
        }
        if action != "ignore" {
            if may_be_of(frame, &module)? {
                return Ok(false);
            }
        } else if message.is_none() && module.is_none() && line == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a filter may be about one of the modules that are running: which one is warned is
/// said by `stacklevel`.
fn may_be_of(frame: &Bound<'_, PyAny>, module: &Bound<'_, PyAny>) -> PyResult<bool> {
    let mut frame = frame.clone();
    while !module.is_none() && !frame.is_none() {
        let name = frame.getattr("f_globals")?.get_item("__name__");
        let Ok(name) = name.and_then(|name| Ok(name.cast_into::<PyString>()?)) else {
            return Ok(true);
        };
        let fits = match module.is_instance_of::<PyString>() {
            true => module.eq(name)?,
            false => module.call_method1("match", (name,))?.is_truthy()?,
        };
        if fits {
            return Ok(true);
        }
        frame = frame.getattr("f_back")?;
    }
    Ok(module.is_none())
}
