//! The texts of functions that a library wrote for a class, which it enters into
//! `linecache` for tracebacks.

use hotswap_cpython::attributes::Peek as _;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyType};

use super::Journaled;
use crate::collections::{self, Shape};
use crate::native as cpython;
use crate::stage::Stage;

impl<'py> Stage<'_, 'py> {
    /// Makes a class anew while the texts written for the live one are out of the way: under
    /// a name that is taken, a library would enter them under another one, which no fresh
    /// start would do. The way back brings them back.
    pub(crate) fn without_sources_of<R>(
        &mut self,
        class: &Bound<'py, PyType>,
        run: impl FnOnce(&mut Self) -> PyResult<R>,
    ) -> PyResult<R> {
        let Some(cache) = self.linecache()? else {
            return run(self);
        };
        let mut names = Vec::new();
        for member in cpython::type_dict(class).values() {
            if !member.is_exact_instance_of::<PyFunction>() {
                continue;
            }
            let file = member.peek("__code__")?.getattr("co_filename")?;
            if file.extract::<String>()?.starts_with('<') && cache.contains(&file)? {
                names.push(file);
            }
        }
        if names.is_empty() {
            return run(self);
        }
        let container = cache.clone().into_any();
        let before = collections::read(&container, Shape::Dict)?;
        for name in names {
            if cache.contains(&name)? {
                cache.del_item(name)?;
            }
        }
        let result = run(self);
        let after = collections::read(&container, Shape::Dict)?;
        self.registered.push(Journaled {
            container,
            shape: Shape::Dict,
            before,
            after,
        });
        result
    }

    fn linecache(&self) -> PyResult<Option<Bound<'py, PyDict>>> {
        let modules = self.py.import("sys")?.getattr("modules")?;
        let module = modules.call_method1("get", ("linecache",))?;
        if module.is_none() {
            return Ok(None);
        }
        Ok(module.getattr("cache")?.cast_into().ok())
    }
}
