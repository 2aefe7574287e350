//! Registrations: what a definition's statement had put into a container of the
//! program when it ran is withdrawn where it runs again and registers anew.

use crate::native as cpython;
use hotswap_plan::{Kind, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::stage::Stage;
use crate::values;

/// A container that held the old object before its definition ran again.
pub(crate) struct Registration<'py> {
    container: Bound<'py, PyAny>,
    before: Bound<'py, PyAny>,
    old: Bound<'py, PyAny>,
}

impl<'py> Stage<'_, 'py> {
    /// The lists and dicts that hold what a decorated definition made.
    pub(crate) fn registrations_before(
        &mut self,
        module: usize,
        old: Option<&Statement>,
        new: &Statement,
    ) -> PyResult<Vec<Registration<'py>>> {
        let Some(old) = old else { return Ok(Vec::new()) };
        let Kind::Function(before) = &old.kind else { return Ok(Vec::new()) };
        if before.decorators.is_empty() || !matches!(new.kind, Kind::Function(_)) {
            return Ok(Vec::new());
        }
        let mut objects = Vec::new();
        if let Some(object) = self.live_dict(module).get_item(&before.name)?
            && values::has_identity(&object)
        {
            objects.push(object);
        }
        if let Some(site) = old.codes.last() {
            for live in self.functions_at(module, &before.name, site.line) {
                if !objects.iter().any(|known| known.is(&live.function)) {
                    objects.push(live.function);
                }
            }
        }
        let mut found = Vec::new();
        for (container, index) in cpython::referrers(self.py, &objects)? {
            let listed = container.is_exact_instance_of::<PyList>() || container.is_exact_instance_of::<PyDict>();
            if !listed || self.is_namespace(&container) {
                continue;
            }
            let before = container.call_method0("copy")?;
            found.push(Registration { container, before, old: objects[index].clone() });
        }
        Ok(found)
    }

    fn is_namespace(&self, container: &Bound<'py, PyAny>) -> bool {
        self.world.by_dict(container).is_some()
            || self.staging.values().any(|staging| staging.namespace.is(container))
            || container.cast::<PyDict>().is_ok_and(|dict| dict.contains("__builtins__").unwrap_or(false))
    }

    /// Where the new run registered in the same container, the old entry goes.
    pub(crate) fn settle_registrations(
        &mut self,
        registrations: Vec<Registration<'py>>,
        module: usize,
        new: &Statement,
    ) -> PyResult<()> {
        for registration in registrations {
            let Registration { container, before, old } = registration;
            if let (Ok(list), Ok(was)) = (container.cast::<PyList>(), before.cast::<PyList>()) {
                if list.len() <= was.len() {
                    continue;
                }
                let position = list.iter().position(|item| item.is(&old));
                if let Some(position) = position {
                    let fresh = list.get_item(was.len())?;
                    list.del_item(was.len())?;
                    list.set_item(position, fresh)?;
                    self.withdrawn(module, new);
                }
            } else if let (Ok(dict), Ok(was)) = (container.cast::<PyDict>(), before.cast::<PyDict>()) {
                let grown = dict.iter().any(|(key, _)| !was.contains(&key).unwrap_or(true));
                if !grown {
                    continue;
                }
                let stale: Vec<_> = dict.iter().filter(|(key, value)| value.is(&old) && was.contains(key).unwrap_or(false)).map(|(key, _)| key).collect();
                for key in stale {
                    dict.del_item(key)?;
                    self.withdrawn(module, new);
                }
            }
        }
        Ok(())
    }

    fn withdrawn(&mut self, module: usize, statement: &Statement) {
        let label = statement.label(&self.text(module));
        self.entry(module, &label, Some(statement), "statement", "removed").reason =
            "the registration that its earlier run had made".to_string();
    }
}
