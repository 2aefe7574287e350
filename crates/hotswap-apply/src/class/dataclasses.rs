//! Classes that the program makes dataclasses of after their statement has run, as in a `__new__`
//! that calls `dataclass(cls)`.
//!
//! `dataclass` leaves alone what a class has already, so what it once generated would stay for
//! ever. A class that is made anew is made a dataclass at once, as the live one was.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyString};

use super::remade::Remade;
use crate::native as cpython;
use crate::stage::Stage;

const FIELDS: &str = "__dataclass_fields__";
const PARAMETERS: &str = "__dataclass_params__";

impl<'py> Stage<'_, 'py> {
    /// Generates for a class made anew what the program has had generated for the live one.
    pub(super) fn generate_again(&mut self, remade: &Remade<'_, 'py>) -> PyResult<()> {
        let (class, made) = (&remade.class, &remade.made);
        let (old, new) = (cpython::type_dict(class), cpython::type_dict(made));
        let (Some(fields), Some(parameters)) = (old.get_item(FIELDS)?, old.get_item(PARAMETERS)?)
        else {
            return Ok(());
        };
        // What has slots was made by `dataclass` as another class.
        let by_decorator = remade.change.decorators && !remade.before.decorators.is_empty();
        if by_decorator || new.contains(FIELDS)? || old.contains("__slots__")? {
            return Ok(());
        }
        let before = new.copy()?;
        let module = self.py.import("dataclasses")?;
        let keywords = self.keywords(&old, &fields, &parameters)?;
        let decorated = module
            .getattr("dataclass")?
            .call((made,), Some(&keywords))
            .and_then(|_| made.setattr(PARAMETERS, &parameters));
        if let Err(error) = decorated {
            for (name, _) in new.copy()?.iter() {
                if !before.contains(&name)? {
                    made.delattr(name.cast::<PyString>()?)?;
                }
            }
            let entry = self.entry(
                remade.module,
                &remade.qualname,
                Some(remade.statement),
                "class",
                "stale",
            );
            entry.reason = format!("what was generated for it stays: {error}");
            return Ok(());
        }
        for (name, value) in new.copy()?.iter() {
            // The program may have put something else in the place of one of them.
            let is_alike = match old.get_item(&name)? {
                Some(held) => come_from_one_file(&held, &value)?,
                None => false,
            };
            if !is_alike && !before.contains(&name)? {
                made.delattr(name.cast::<PyString>()?)?;
            }
        }
        Ok(())
    }

    /// How the program called `dataclass`. What the class itself notes of that differs from one
    /// CPython to another.
    fn keywords(
        &self,
        old: &Bound<'py, PyDict>,
        fields: &Bound<'py, PyAny>,
        parameters: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let keywords = PyDict::new(self.py);
        for name in ["init", "repr", "eq", "order", "unsafe_hash", "frozen"] {
            keywords.set_item(name, parameters.getattr(name)?)?;
        }
        if cfg!(Py_3_10) {
            keywords.set_item("match_args", old.contains("__match_args__")?)?;
            let is_keyword_only = match parameters.getattr("kw_only") {
                Ok(only) => only.is_truthy()?,
                // Before CPython 3.12 only the fields say so.
                Err(_) => {
                    let mut fields = fields.call_method0("values")?.try_iter()?;
                    fields.try_fold(true, |all, field| {
                        PyResult::Ok(all && field?.getattr("kw_only")?.is_truthy()?)
                    })?
                }
            };
            keywords.set_item("kw_only", is_keyword_only)?;
        }
        Ok(keywords)
    }
}

/// Whether two members are functions of one file, such as that of `dataclasses` or none, or none
/// of them is a function.
fn come_from_one_file(one: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
    match (
        one.cast_exact::<PyFunction>(),
        other.cast_exact::<PyFunction>(),
    ) {
        (Ok(one), Ok(other)) => {
            let file = |function| {
                hotswap_cpython::code::file_of(&hotswap_cpython::functions::code_of(function))
            };
            file(one)?.eq(file(other)?)
        }
        (Err(_), Err(_)) => Ok(true),
        _ => Ok(false),
    }
}
