//! Values that a descriptor such as `cached_property` keeps on instances.

use crate::native as cpython;
use hotswap_cpython::attributes::Peek as _;
use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyString, PyType};

use crate::stage::Stage;
use crate::transaction::Write;

impl<'py> Stage<'_, 'py> {
    /// Takes what such a descriptor has computed from the instances, so that they ask again.
    pub(crate) fn drop_cached_values(
        &mut self,
        class: &Bound<'py, PyType>,
        name: &str,
        member: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        if cached_function(member)?.is_none() {
            return Ok(());
        }
        let key = PyString::intern(self.py, name);
        for instance in cpython::instances_of(self.py, class, true)? {
            let held = cpython::own_attribute(&instance, &key);
            if held.is_ok_and(|held| held.is_some()) {
                let key = key.clone().into_any();
                let moved = self.moved.get(&(instance.as_ptr() as usize));
                // What the class has from now on may be a property, which must not be asked.
                let dict = match moved {
                    Some(_) => None,
                    None => cpython::own_dict(&instance)?,
                };
                self.transaction.push(match dict {
                    Some(dict) if dict.contains(&key)? => Write::Item {
                        dict,
                        key,
                        value: None,
                    },
                    _ => Write::InstanceAttribute {
                        object: moved.unwrap_or(&instance).clone(),
                        name: key,
                        value: None,
                    },
                });
            }
        }
        Ok(())
    }

    /// The same for a function that such a descriptor of a class holds.
    pub(crate) fn drop_values_made_by(
        &mut self,
        class: &Bound<'py, PyType>,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        for (name, member) in cpython::type_dict(class).iter() {
            if cached_function(&member)?.is_some_and(|held| held.is(function)) {
                let name: String = name.extract()?;
                self.drop_cached_values(class, &name, &member)?;
            }
        }
        Ok(())
    }
}

/// The function of a descriptor that puts its result into the instance under its own
/// name, where it then hides the descriptor: it has `__get__` but no `__set__`.
pub(crate) fn cached_function<'py>(
    member: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if member.is_exact_instance_of::<PyFunction>() {
        return Ok(None);
    }
    let may_keep = cpython::with_class_name(member, |name| {
        name.windows(b"cached".len()).any(|part| part == b"cached")
    });
    if !may_keep {
        return Ok(None);
    }
    let kind = member.get_type();
    if !kind.hasattr("__get__")? || kind.hasattr("__set__")? {
        return Ok(None);
    }
    for field in ["func", "fget", "wrapped"] {
        if let Ok(function) = member.getattr(field)
            && function.peek("__code__").is_ok()
        {
            return Ok(Some(function));
        }
    }
    Ok(None)
}
