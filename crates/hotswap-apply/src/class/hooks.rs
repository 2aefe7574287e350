//! Hooks that run when a class is made: `__init_subclass__` of its bases and what
//! its metaclass does.

use crate::native as cpython;
use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::ClassDef;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::stage::Stage;

/// Methods of a metaclass that run once for every class.
const MAKING: [&str; 3] = ["__prepare__", "__new__", "__init__"];

impl<'py> Stage<'_, 'py> {
    /// Whether this update changes a hook that ran when this class was made.
    pub(super) fn hooks_changed(&self, class: &Bound<'py, PyType>) -> PyResult<bool> {
        for base in class.getattr("__mro__")?.try_iter()?.skip(1) {
            if self.hook_changed(&base?.cast_into::<PyType>()?, "__init_subclass__")? {
                return Ok(true);
            }
        }
        for kind in class.get_type().getattr("__mro__")?.try_iter()? {
            let kind = kind?.cast_into::<PyType>()?;
            for name in MAKING {
                if self.hook_changed(&kind, name)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The same for a class that is not there yet, by the bases it names.
    pub(crate) fn hooks_pending(&self, module: usize, definition: &ClassDef) -> PyResult<bool> {
        for argument in &definition.arguments {
            let Some(base) = self.object_at(module, &argument.head)? else {
                continue;
            };
            let Ok(base) = base.cast_into::<PyType>() else {
                continue;
            };
            if self.hook_changed(&base, "__init_subclass__")? || self.hooks_changed(&base)? {
                return Ok(true);
            }
            for name in MAKING {
                // Named as `metaclass=`.
                if base.is_subclass_of::<PyType>()? && self.hook_changed(&base, name)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a base is made anew in this update and the statement would still see it
    /// as it was: that of another module, which has its members at the commit only.
    pub(super) fn bases_pending(&self, module: usize, definition: &ClassDef) -> PyResult<bool> {
        for argument in &definition.arguments {
            if let Some(base) = self.object_at(module, &argument.head)?
                && self.rebuilt.iter().any(|(_, live)| live.is(&base))
            {
                return Ok(!self.committed);
            }
        }
        Ok(false)
    }

    /// What a dotted name of a module means: as it is going to be, where that is known.
    pub(crate) fn object_at(
        &self,
        module: usize,
        path: &[String],
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some((head, rest)) = path.split_first() else {
            return Ok(None);
        };
        let staged = match self.staging.get(&module) {
            Some(staging) => staging.namespace.get_item(head)?,
            None => None,
        };
        let mut object = match staged {
            Some(object) => Some(object),
            None => self.live_dict(module).get_item(head)?,
        };
        for name in rest {
            object = object.and_then(|outer| outer.getattr(name.as_str()).ok());
        }
        Ok(object)
    }

    fn hook_changed(&self, owner: &Bound<'py, PyType>, name: &str) -> PyResult<bool> {
        // Once everything is committed, the hooks of the live classes are the new ones.
        if self.committed {
            return Ok(false);
        }
        // Nobody can change these two, and they end the order of nearly every class.
        let ends = [
            self.py.get_type::<PyAny>().as_type_ptr(),
            self.py.get_type::<PyType>().as_type_ptr(),
        ];
        if ends.contains(&owner.as_type_ptr()) {
            return Ok(false);
        }
        if let Some(hook) = cpython::type_dict(owner).get_item(name)? {
            let function = hook.peek("__func__").unwrap_or(hook);
            if let Ok(code) = function.peek("__code__")
                && self.pairs.iter().any(|pair| pair.old.is(&code))
            {
                return Ok(true);
            }
        }
        let qualname: String = owner.getattr("__qualname__")?.extract()?;
        Ok(self.home_of(owner)?.is_some_and(|module| {
            self.changed
                .contains_key(&(module, format!("{qualname}.{name}")))
        }))
    }
}
