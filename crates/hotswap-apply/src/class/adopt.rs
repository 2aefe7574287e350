//! Functions that live take over what newly made ones are.

use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

use crate::stage::Stage;
use crate::transaction::Write;

impl<'py> Stage<'_, 'py> {
    /// A live function takes over everything of a newly made one.
    pub(crate) fn adopt_function(
        &mut self,
        live: &Bound<'py, PyAny>,
        made: &Bound<'py, PyAny>,
        class: Option<Bound<'py, PyType>>,
    ) -> PyResult<()> {
        let (old_code, new_code) = (live.getattr("__code__")?, made.getattr("__code__")?);
        if self.live.with_code(&old_code).is_empty() {
            // Not a function of an edited file: its holders were not looked for.
            let closure = made.getattr("__closure__")?.cast_into::<PyTuple>().ok();
            self.transaction.push(Write::Code {
                function: live.clone(),
                code: new_code,
                closure,
            });
        } else {
            self.pair(&old_code, &new_code, class)?;
        }
        let mut names: Vec<&'static str> = vec!["__defaults__", "__kwdefaults__", "__doc__"];
        names.push(if cfg!(Py_3_14) {
            "__annotate__"
        } else {
            "__annotations__"
        });
        for name in names {
            let value = made.getattr(name)?;
            self.transaction.push(Write::Attribute {
                object: live.clone(),
                name,
                value: Some(value),
            });
        }
        Ok(())
    }

    /// `property`, `classmethod` and `staticmethod` keep the functions they hold.
    pub(super) fn adopt_wrapped(
        &mut self,
        module: usize,
        was: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        class: &Bound<'py, PyType>,
    ) -> PyResult<bool> {
        if !was.get_type().is(value.get_type()) {
            return Ok(false);
        }
        let kind = was.get_type().name()?.to_string();
        let fields: &[&str] = match kind.as_str() {
            "property" => &["fget", "fset", "fdel"],
            "classmethod" | "staticmethod" => &["__func__"],
            _ => return Ok(false),
        };
        let mut functions = Vec::new();
        for field in fields {
            let (a, b) = (was.getattr(*field)?, value.getattr(*field)?);
            if a.is_none() && b.is_none() {
                continue;
            }
            if a.getattr("__code__").is_err()
                || b.getattr("__code__").is_err()
                || !self.is_source_function(module, &a)?
            {
                return Ok(false);
            }
            functions.push((a, b));
        }
        for (a, b) in &functions {
            self.adopt_function(a, b, Some(class.clone()))?;
        }
        Ok(true)
    }

    pub(super) fn is_source_function(
        &self,
        module: usize,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        let file: String = function
            .getattr("__code__")?
            .getattr("co_filename")?
            .extract()?;
        Ok(file == self.code_file(module))
    }

    /// A function that a statement of the class body made, in its old and its new
    /// version. A wrapper has the code of its decorator, which others share, so it is
    /// not one that could be changed in place.
    pub(crate) fn adopt_member(
        &mut self,
        module: usize,
        was: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        class: &Bound<'py, PyType>,
    ) -> PyResult<bool> {
        if was.get_type().name()? != "function"
            || value.get_type().name()? != "function"
            || !self.is_source_function(module, was)?
            || !self.same_definition(was, value)?
        {
            return Ok(false);
        }
        self.adopt_function(was, value, Some(class.clone()))?;
        Ok(true)
    }

    /// Whether two functions are two versions of one definition, as their own code says.
    pub(super) fn same_definition(
        &self,
        was: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        let name = |function: &Bound<'py, PyAny>| -> PyResult<String> {
            let code = function.getattr("__code__")?;
            match code.getattr("co_qualname") {
                Ok(name) => name.extract(),
                Err(_) => crate::codes::name_of(&code),
            }
        };
        let own: String = was.getattr("__name__")?.extract()?;
        Ok(name(was)? == name(value)? && crate::codes::name_of(&was.getattr("__code__")?)? == own)
    }
}
