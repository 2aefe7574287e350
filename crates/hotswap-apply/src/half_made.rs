//! Classes whose creation failed: nobody holds them, but their bases still name them.
//!
//! A class is part of a cycle of its own, so it stays in `__subclasses__()` until the
//! collector comes by. The calls that failed have it among their variables.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::native as cpython;
use crate::world::World;

/// Whether the traceback of an error leads to a class of a watched module that no name
/// of the module leads to.
pub(crate) fn is_left(py: Python<'_>, error: &PyErr, world: &World) -> bool {
    let mut at = error.traceback(py).map(Bound::into_any);
    while let Some(traceback) = at {
        if let Ok(locals) = traceback
            .getattr("tb_frame")
            .and_then(|frame| variables(&frame))
            && locals.values().iter().any(|value| {
                let class = value.cast::<PyType>();
                class.is_ok_and(|class| is_astray(py, class, world).unwrap_or(false))
            })
        {
            return true;
        }
        at = traceback
            .getattr("tb_next")
            .ok()
            .filter(|next| !next.is_none());
    }
    false
}

/// The variables of a call; those of a module are looked after elsewhere.
fn variables<'py>(frame: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let locals = frame.getattr("f_locals")?;
    if locals.is(&frame.getattr("f_globals")?) {
        return Ok(PyDict::new(frame.py()));
    }
    if let Ok(dict) = locals.cast::<PyDict>() {
        return Ok(dict.clone());
    }
    // From CPython 3.13 on they come as a view.
    let dict = PyDict::new(locals.py());
    dict.update(locals.cast::<pyo3::types::PyMapping>()?)?;
    Ok(dict)
}

/// Whether a class says that it is of a watched module, which holds another or none
/// under its name.
fn is_astray(py: Python<'_>, class: &Bound<'_, PyType>, world: &World) -> PyResult<bool> {
    let Some(home) = cpython::type_dict(class).get_item("__module__")? else {
        return Ok(false);
    };
    let Some(index) = home
        .extract::<String>()
        .ok()
        .and_then(|home| world.by_name(&home))
    else {
        return Ok(false);
    };
    let qualname: String = class.qualname()?.extract()?;
    let mut parts = qualname.split('.');
    let first = parts.next().unwrap_or_default();
    let mut found = world.modules[index].dict.bind(py).get_item(first)?;
    for part in parts {
        let inner = found.as_ref().and_then(|outer| outer.cast::<PyType>().ok());
        found = match inner {
            Some(outer) => cpython::type_dict(outer).get_item(part)?,
            None => None,
        };
    }
    Ok(!found.is_some_and(|found| found.is(class)))
}
