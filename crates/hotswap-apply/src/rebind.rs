//! Registrations: what a definition's statement had put into a container of the
//! program when it ran is withdrawn where it runs again and registers anew.

use crate::native as cpython;
use hotswap_plan::{Kind, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::stage::Stage;
use crate::values;

/// Where in a container an entry was.
pub(crate) enum Key<'py> {
    Position(usize),
    Item(Bound<'py, PyAny>),
}

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
        let Some(old) = old else {
            return Ok(Vec::new());
        };
        let Kind::Function(before) = &old.kind else {
            return Ok(Vec::new());
        };
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
        self.containers_of(&objects)
    }

    /// The lists and dicts of the program that hold one of these objects.
    pub(crate) fn containers_of(
        &self,
        objects: &[Bound<'py, PyAny>],
    ) -> PyResult<Vec<Registration<'py>>> {
        let mut found = Vec::new();
        for (container, index) in cpython::referrers(self.py, objects)? {
            let listed = container.is_exact_instance_of::<PyList>()
                || container.is_exact_instance_of::<PyDict>();
            if !listed || self.is_namespace(&container) {
                continue;
            }
            let before = container.call_method0("copy")?;
            found.push(Registration {
                container,
                before,
                old: objects[index].clone(),
            });
        }
        Ok(found)
    }

    fn is_namespace(&self, container: &Bound<'py, PyAny>) -> bool {
        self.world.by_dict(container).is_some()
            || self
                .staging
                .values()
                .any(|staging| staging.namespace.is(container))
            || container
                .cast::<PyDict>()
                .is_ok_and(|dict| dict.contains("__builtins__").unwrap_or(false))
    }

    /// Where the new run registered in the same container, the old entry goes.
    pub(crate) fn settle_registrations(
        &mut self,
        registrations: Vec<Registration<'py>>,
        module: usize,
        new: &Statement,
    ) -> PyResult<()> {
        for registration in registrations {
            let Registration {
                container,
                before,
                old,
            } = registration;
            if let (Ok(list), Ok(was)) = (container.cast::<PyList>(), before.cast::<PyList>()) {
                if list.len() <= was.len() {
                    continue;
                }
                let position = list.iter().position(|item| item.is(&old));
                if let Some(position) = position {
                    let fresh = list.get_item(was.len())?;
                    list.del_item(was.len())?;
                    list.set_item(position, fresh)?;
                    self.displaced
                        .push((container.clone(), Key::Position(position), old.clone()));
                    self.withdrawn(module, new);
                }
            } else if let (Ok(dict), Ok(was)) =
                (container.cast::<PyDict>(), before.cast::<PyDict>())
            {
                // The same key under a new owner: the old one comes back after a failure.
                for (key, value) in was.iter() {
                    if value.is(&old) && dict.get_item(&key)?.is_some_and(|now| !now.is(&old)) {
                        self.displaced
                            .push((container.clone(), Key::Item(key), old.clone()));
                    }
                }
                let grown = dict
                    .iter()
                    .any(|(key, _)| !was.contains(&key).unwrap_or(true));
                if !grown {
                    continue;
                }
                let stale: Vec<_> = dict
                    .iter()
                    .filter(|(key, value)| value.is(&old) && was.contains(key).unwrap_or(false))
                    .map(|(key, _)| key)
                    .collect();
                for key in stale {
                    self.displaced
                        .push((container.clone(), Key::Item(key.clone()), old.clone()));
                    dict.del_item(key)?;
                    self.withdrawn(module, new);
                }
            }
        }
        Ok(())
    }

    /// After a failure: what refused statements registered in lists and dicts of the
    /// program goes, and what they had displaced comes back. An entry is theirs if it
    /// holds something that was made in a staging namespace.
    pub(crate) fn withdraw_staged(&mut self) -> PyResult<()> {
        let mut made = Vec::new();
        for (module, staging) in &self.staging {
            if !staging.made_functions {
                continue;
            }
            let file = pyo3::types::PyString::new(self.py, self.code_file(*module));
            for function in cpython::functions_in_files(self.py, &[file])? {
                if function.getattr("__globals__")?.is(&staging.namespace) {
                    made.push(function.into_any());
                }
            }
            // Classes too, but not what statements imported from elsewhere.
            let own = staging.live.get_item("__name__")?;
            for (name, value) in staging.namespace.iter() {
                let fresh = !staging
                    .live
                    .get_item(&name)?
                    .is_some_and(|live| live.is(&value));
                let home = value.getattr("__module__").ok();
                let here = matches!((&own, &home), (Some(own), Some(home)) if own.eq(home).unwrap_or(false));
                let class = value.is_instance_of::<pyo3::types::PyType>();
                if fresh && here && class && !made.iter().any(|known| known.is(&value)) {
                    made.push(value);
                }
            }
        }
        if made.is_empty() {
            return Ok(());
        }
        for (container, index) in cpython::referrers(self.py, &made)? {
            if self.is_namespace(&container) {
                continue;
            }
            if let Ok(list) = container.cast_exact::<PyList>() {
                if let Some(at) = list.iter().position(|item| item.is(&made[index])) {
                    list.del_item(at)?;
                }
            } else if let Ok(dict) = container.cast_exact::<PyDict>() {
                // The attributes of an object that was made in staging go with it.
                let keys: Vec<_> = dict
                    .iter()
                    .filter(|(_, value)| value.is(&made[index]))
                    .map(|(key, _)| key)
                    .collect();
                for key in keys {
                    dict.del_item(key)?;
                }
            }
        }
        for (container, key, old) in std::mem::take(&mut self.displaced) {
            match (container.cast::<PyList>(), container.cast::<PyDict>(), key) {
                (Ok(list), _, Key::Position(at)) => list.insert(at.min(list.len()), old)?,
                (_, Ok(dict), Key::Item(key)) if !dict.contains(&key)? => {
                    dict.set_item(key, old)?
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn withdrawn(&mut self, module: usize, statement: &Statement) {
        let label = statement.label(&self.text(module));
        self.entry(module, &label, Some(statement), "statement", "removed")
            .reason = "the registration that its earlier run had made".to_string();
    }
}
