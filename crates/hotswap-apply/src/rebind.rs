//! What refused statements left behind in containers of the program goes.

use crate::native as cpython;
use hotswap_cpython::attributes::Peek as _;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use rustc_hash::FxHashSet;

use crate::stage::Stage;

impl<'py> Stage<'_, 'py> {
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

    /// After a failure: what refused statements registered in lists and dicts of the
    /// program goes, and what was withdrawn for them comes back. An entry is theirs if it
    /// holds something that was made in a staging namespace.
    pub(crate) fn withdraw_staged(&mut self) -> PyResult<()> {
        self.undo_registrations()?;
        let mut made = Vec::new();
        for (module, staging) in &self.staging {
            if !staging.made_functions {
                continue;
            }
            let file = pyo3::types::PyString::new(self.py, self.code_file(*module));
            for function in cpython::functions_in_files(self.py, &[file])? {
                if function.peek("__globals__")?.is(&staging.namespace) {
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
                let home = value.peek("__module__").ok();
                let here = matches!((&own, &home), (Some(own), Some(home)) if own.eq(home).unwrap_or(false));
                let class = value.is_instance_of::<pyo3::types::PyType>();
                if fresh && here && class && !made.iter().any(|known| known.is(&value)) {
                    made.push(value);
                }
            }
        }
        let known = self.objects_before(&made);
        made.retain(|object| !known.contains(&(object.as_ptr() as usize)));
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
        Ok(())
    }

    /// Those of these objects that were there before the update: a definition that got another
    /// name or module, or one that came back, is new only where it stands now.
    fn objects_before(&self, objects: &[Bound<'py, PyAny>]) -> FxHashSet<usize> {
        let asked: FxHashSet<usize> = objects
            .iter()
            .map(|object| object.as_ptr() as usize)
            .collect();
        let mut known = FxHashSet::default();
        if asked.is_empty() {
            return known;
        }
        let mut note = |object: usize| {
            if asked.contains(&object) {
                known.insert(object);
            }
        };
        for module in self.world.modules.iter() {
            for value in module.dict.bind(self.py).values() {
                note(value.as_ptr() as usize);
            }
        }
        for lost in self.world.lost.borrow().iter() {
            lost.objects().for_each(&mut note);
        }
        known
    }
}
