//! `__hotswap_dispose__(data)` and `__hotswap_accept__(data)`: what a module hands over
//! from its old code to its new one.
//!
//! The old hook is called before the first statement of the update runs, so that it can
//! give up what a new statement wants to take (a port, a file); the new one after the
//! last. If the update comes to nothing, the old module takes up its own things again.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::fault::{self, guarded};
use crate::stage::Stage;

const DISPOSE: &str = "__hotswap_dispose__";
const ACCEPT: &str = "__hotswap_accept__";

impl<'py> Stage<'_, 'py> {
    /// Calls the hooks of the modules that are about to change, in the opposite order of
    /// their imports: who uses another module lets go of it first.
    pub(crate) fn hand_over(&mut self) -> PyResult<()> {
        let changing: Vec<usize> = self
            .order
            .iter()
            .copied()
            .filter(|module| {
                self.edits
                    .get(module)
                    .is_some_and(|edited| edited.plan.changes_behaviour())
            })
            .collect();
        for module in changing.into_iter().rev() {
            let data = PyDict::new(self.py);
            let hook = self.hook(module, DISPOSE)?;
            // Also where the old hook fails half-way: it may have let go of something.
            self.handed_over.push((module, data.clone()));
            if let Some(hook) = hook {
                fault::point("a hook of the old module")?;
                hook.call1((&data,))?;
            }
        }
        Ok(())
    }

    /// Whether a module is going to be told that everything is committed.
    pub(crate) fn will_take_over(&self) -> bool {
        self.handed_over.iter().any(|(module, _)| {
            let named = |outline: &hotswap_plan::Outline| outline.last_binder(ACCEPT).is_some();
            self.outline(*module).is_some_and(|outline| named(&outline))
        })
    }

    /// Gives the modules, in their new code, what the old ones left for them.
    pub(crate) fn take_over(&mut self) -> PyResult<()> {
        for (module, data) in self.handed_over.clone().into_iter().rev() {
            if let Some(hook) = self.hook(module, ACCEPT)? {
                fault::point("a hook of the new module")?;
                hook.call1((&data,))?;
            }
        }
        Ok(())
    }

    /// After a failure: the old modules take back what they had let go of. What one of
    /// them cannot do is said.
    pub(crate) fn take_back(&mut self) -> Vec<String> {
        let mut notes = Vec::new();
        for (module, data) in std::mem::take(&mut self.handed_over).into_iter().rev() {
            // Who let go of nothing has nothing to take back.
            let taken =
                guarded(
                    || match (self.hook(module, DISPOSE)?, self.hook(module, ACCEPT)?) {
                        (Some(_), Some(hook)) => hook.call1((&data,)).map(drop),
                        _ => Ok(()),
                    },
                );
            if let Err(error) = taken {
                let name = &self.world.modules[module].name;
                notes.push(format!(
                    "{name}.{ACCEPT} failed when the update had come to nothing: {error}"
                ));
            }
        }
        notes
    }

    fn hook(&self, module: usize, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let held = self.live_dict(module).get_item(name)?;
        Ok(held.filter(|held| held.is_callable()))
    }
}
