//! Statements that fail before the commit for want of what only the commit brings.

use hotswap_cpython::attributes::Peek as _;
use pyo3::exceptions::{PyAttributeError, PyNameError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyType};

use crate::stage::Stage;

impl<'py> Stage<'_, 'py> {
    /// Whether a class only gets a member at the commit, or may get it after that.
    pub(crate) fn will_have(&self, class: &Bound<'py, PyType>, member: &str) -> bool {
        self.pending_member(class, member)
            .is_ok_and(|pending| pending.is_some())
            || self.is_made_late(class)
    }

    /// Whether another class takes the place of a class, or of one above it, at the commit, or
    /// a statement that waits for it works the class over.
    fn is_made_late(&self, class: &Bound<'py, PyType>) -> bool {
        let above = class.mro();
        let mut replaced = self.replaced.iter();
        replaced.any(|(old, _)| above.iter().any(|base| base.is(old)))
            || !self.late_names.is_empty()
                && above.iter().any(|base| {
                    let word = |name: &str| base.peek(name).ok()?.extract::<String>().ok();
                    let (Some(home), Some(path)) = (word("__module__"), word("__qualname__"))
                    else {
                        return false;
                    };
                    self.world
                        .by_name(&home)
                        .is_some_and(|home| self.late_names.contains(&(home, path)))
                })
    }

    /// Whether a statement failed for the want of what this update changes at the commit: an
    /// attribute that a class gets there, or something else where the code that failed names
    /// a function or class that is changed there.
    pub(crate) fn fails_early(&self, error: &PyErr) -> bool {
        let py = self.py;
        let value = error.value(py);
        if error.is_instance_of::<PyAttributeError>(py)
            && let (Ok(object), Ok(name)) = (value.getattr("obj"), value.getattr("name"))
            && let Ok(name) = name.extract::<String>()
        {
            return match object.cast::<PyType>() {
                Ok(class) => self.will_have(class, &name),
                Err(_) => self.will_have(&object.get_type(), &name),
            };
        }
        let mismatch = error.is_instance_of::<PyTypeError>(py)
            || error.is_instance_of::<PyAttributeError>(py)
            || error.is_instance_of::<PyNameError>(py);
        mismatch && self.failed_in_old_code(error).unwrap_or(false)
    }

    /// Whether a call on the way to an error names a function or class that waits for the commit.
    fn failed_in_old_code(&self, error: &PyErr) -> PyResult<bool> {
        let mut next = error.traceback(self.py).map(Bound::into_any);
        while let Some(traceback) = next {
            let frame = traceback.getattr("tb_frame")?;
            let names: Vec<String> = frame.getattr("f_code")?.getattr("co_names")?.extract()?;
            let globals = frame.getattr("f_globals")?.cast_into::<PyDict>()?;
            for name in names {
                if let Some(held) = globals.get_item(&name)?
                    && self.is_changed_later(&held)
                {
                    return Ok(true);
                }
            }
            next = Some(traceback.getattr("tb_next")?).filter(|next| !next.is_none());
        }
        Ok(false)
    }

    fn is_changed_later(&self, value: &Bound<'py, PyAny>) -> bool {
        match value.cast::<PyType>() {
            Ok(class) => self.is_made_late(class) || self.transaction.changes_class(class),
            Err(_) if value.is_exact_instance_of::<PyFunction>() => {
                self.transaction.pending_code(value).is_some()
                    || value
                        .getattr("__code__")
                        .is_ok_and(|code| self.pairs.iter().any(|pair| pair.old.is(&code)))
            }
            Err(_) => false,
        }
    }
}
