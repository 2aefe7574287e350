//! Classes that must be made anew in one commit: a class below two of them cannot have the
//! new one of the first and the old one of the second for bases.

use pyo3::prelude::*;
use pyo3::types::PyType;

use super::remade::class_inside;
use crate::stage::{Late, Stage};

impl<'py> Stage<'_, 'py> {
    /// Has a class that had to wait for the commit made on top of those that were made since
    /// the last one.
    pub(crate) fn on_top(
        &mut self,
        module: usize,
        make: impl FnOnce(&mut Self) -> PyResult<()>,
    ) -> PyResult<()> {
        // The names follow at the commit; the statement must see the new bases.
        let shown = self.show_replaced(module)?;
        let made = make(self);
        let live = self.live_dict(module);
        for (name, was) in shown {
            live.set_item(name, was)?;
        }
        made
    }

    /// Whether what was made anew since the last commit is committed together with the next
    /// of the classes that wait: `settled` classes have been replaced before.
    pub(crate) fn goes_on_with(&self, rest: &[Late], settled: usize) -> PyResult<bool> {
        let mut below = Vec::new();
        for (old, _) in self.replaced.iter().skip(settled) {
            self.add_below(old, &mut below)?;
        }
        if below.is_empty() {
            return Ok(false);
        }
        for item in rest {
            // Another statement may read what is not committed.
            let Some(class) = self.class_of(item)? else {
                return Ok(false);
            };
            let is_above = |other: &Bound<'py, PyType>| {
                !other.is(&class) && other.mro().iter().any(|base| base.is(&class))
            };
            let is_replaced = self.replaced.iter().any(|(old, _)| old.is(&class));
            if !is_replaced && below.iter().any(is_above) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The live class of a statement that waits.
    fn class_of(&self, item: &Late) -> PyResult<Option<Bound<'py, PyType>>> {
        let Some(outline) = self.outline(item.module) else {
            return Ok(None);
        };
        let Some(definition) = outline.statements[item.step].class() else {
            return Ok(None);
        };
        let held = self.live_dict(item.module).get_item(&definition.name)?;
        Ok(held.and_then(|held| class_inside(&held)))
    }

    /// Adds all classes below one.
    fn add_below(
        &self,
        class: &Bound<'py, PyType>,
        below: &mut Vec<Bound<'py, PyType>>,
    ) -> PyResult<()> {
        let kind = self.py.get_type::<PyType>();
        let mut open = vec![class.clone()];
        while let Some(class) = open.pop() {
            for found in kind.call_method1("__subclasses__", (&class,))?.try_iter()? {
                let found = found?.cast_into::<PyType>()?;
                if !below.iter().any(|known| known.is(&found)) {
                    below.push(found.clone());
                    open.push(found);
                }
            }
        }
        Ok(())
    }
}
