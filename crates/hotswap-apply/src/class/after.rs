//! What a class needs beside its members: which of them are abstract, and what
//! its decorators do to it.

use crate::fault;
use crate::native as cpython;
use crate::transaction::Write;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PySet, PyString, PyTuple, PyType};

use crate::stage::{After, Stage};

impl<'py> Stage<'_, 'py> {
    /// Does what was left for after the commit.
    pub(crate) fn run_after(&mut self) -> PyResult<()> {
        for after in std::mem::take(&mut self.after) {
            match after {
                After::Decorate {
                    class,
                    source,
                    namespace,
                } => {
                    fault::point("a class decorator")?;
                    let before = cpython::type_dict(&class).copy()?;
                    let result = crate::statement::evaluate(self.py, &source, &namespace)
                        .and_then(|decorator| decorator.call1((&class,)));
                    self.transaction.note_class_changes(&class, &before)?;
                    result?;
                }
                After::Attributes {
                    module,
                    class,
                    after,
                    statement,
                    old,
                    added,
                    latecomers,
                } => {
                    fault::point("late attributes")?;
                    self.late_attributes(
                        module,
                        &class,
                        &after,
                        &statement,
                        old.as_deref(),
                        &added,
                        latecomers,
                    )?;
                }
                After::Migrate {
                    object,
                    added,
                    removed,
                    old_values,
                } => {
                    fault::point("a migration hook")?;
                    self.migrate(&object, &added, &removed, &old_values)?;
                }
                After::Store(stored) => self.store_again(stored)?,
                After::ClearCache(object) => {
                    fault::point("a cache of the program")?;
                    object.call_method0("cache_clear")?;
                }
            }
        }
        Ok(())
    }

    /// What `abc.update_abstractmethods` does (3.10+), for the subclasses too, told
    /// from what the classes are going to hold.
    pub(crate) fn plan_abstract_methods(&mut self) -> PyResult<()> {
        for class in std::mem::take(&mut self.abstract_classes) {
            self.plan_abstract(&class, 0)?;
        }
        Ok(())
    }

    fn plan_abstract(&mut self, class: &Bound<'py, PyType>, depth: usize) -> PyResult<()> {
        let meta = self.py.import("abc")?.getattr("ABCMeta")?;
        if depth > 100 || !class.as_any().is_instance(&meta)? {
            return Ok(());
        }
        let names = PySet::empty(self.py)?;
        for (name, value) in self.future_attributes(class)?.iter() {
            if self.will_be_abstract(&value)? {
                names.add(name)?;
            }
        }
        for base in self.future_bases(class).iter() {
            let Ok(base) = base.cast_into::<PyType>() else {
                continue;
            };
            let Some(inherited) = self
                .future_attributes(&base)?
                .get_item("__abstractmethods__")?
            else {
                continue;
            };
            for name in inherited.try_iter()? {
                let name = name?;
                let found = self.future_lookup(class, &name)?;
                if let Some(value) = found
                    && self.will_be_abstract(&value)?
                {
                    names.add(name)?;
                }
            }
        }
        let frozen = self
            .py
            .get_type::<pyo3::types::PyFrozenSet>()
            .call1((names,))?;
        let name = self.intern("__abstractmethods__");
        let now = self.future_attributes(class)?.get_item(&name)?;
        if !now.is_some_and(|now| now.eq(&frozen).unwrap_or(false)) {
            self.transaction
                .set_class_attribute(class, "__abstractmethods__", Some(frozen));
        }
        self.transaction.push(Write::ClearCache {
            object: class.clone().into_any(),
        });
        let kind = self.py.get_type::<PyType>();
        for sub in kind.call_method1("__subclasses__", (class,))?.try_iter()? {
            let sub = sub?.cast_into::<PyType>()?;
            // One made in staging has its own, and goes away.
            if !self.rebuilt.iter().any(|(made, _)| made.is(&sub)) {
                self.plan_abstract(&sub, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Whether a member is abstract once this update is committed: a function may get
    /// other attributes.
    fn will_be_abstract(&self, value: &Bound<'py, PyAny>) -> PyResult<bool> {
        if value.is_exact_instance_of::<PyFunction>()
            && let Some(attributes) = self
                .transaction
                .pending_content(&value.getattr("__dict__")?)
        {
            let flag = attributes
                .cast_into::<PyDict>()?
                .get_item("__isabstractmethod__")?;
            return flag.map_or(Ok(false), |flag| flag.is_truthy());
        }
        Ok(is_abstract(value))
    }

    fn future_attributes(&self, class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyDict>> {
        let future = cpython::type_dict(class).copy()?;
        for (name, value) in self.transaction.planned_attributes(class) {
            match value {
                Some(value) => future.set_item(name, value)?,
                None if future.contains(&name)? => future.del_item(name)?,
                None => {}
            }
        }
        Ok(future)
    }

    fn future_bases(&self, class: &Bound<'py, PyType>) -> Bound<'py, PyTuple> {
        self.transaction
            .planned_bases(class)
            .unwrap_or_else(|| class.bases())
    }

    fn future_lookup(
        &self,
        class: &Bound<'py, PyType>,
        name: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(value) = self.future_attributes(class)?.get_item(name)? {
            return Ok(Some(value));
        }
        for base in self.future_bases(class).iter() {
            let Ok(base) = base.cast_into::<PyType>() else {
                continue;
            };
            for parent in base.mro().iter() {
                if let Ok(parent) = parent.cast_into::<PyType>()
                    && let Some(value) = self.future_attributes(&parent)?.get_item(name)?
                {
                    return Ok(Some(value));
                }
            }
        }
        Ok(None)
    }

    /// After a failure: the classes that were made in staging leave the
    /// `__subclasses__()` of their bases, as if they had never been.
    pub(crate) fn hide_staged_classes(&mut self) -> PyResult<()> {
        let mut dead: Vec<Bound<'py, PyType>> =
            self.rebuilt.iter().map(|(made, _)| made.clone()).collect();
        for staging in self.staging.values() {
            for (name, value) in staging.namespace.iter() {
                let Ok(class) = value.cast_into::<PyType>() else {
                    continue;
                };
                let home = cpython::type_dict(&class).get_item("__module__")?;
                let own = staging.live.get_item("__name__")?;
                let here = matches!((&home, &own), (Some(home), Some(own)) if home.eq(own)?);
                let live = staging.live.get_item(&name)?;
                if here && !live.is_some_and(|live| live.is(&class)) && !self.is_live(&class)? {
                    dead.push(class);
                }
            }
        }
        for class in dead {
            self.hide_class(&class)?;
        }
        self.commit()
    }

    /// Whether a class has a name in one of the live namespaces.
    fn is_live(&self, class: &Bound<'py, PyType>) -> PyResult<bool> {
        for staging in self.staging.values() {
            if staging.live.values().iter().any(|value| value.is(class)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Hangs a dead class under a class of its own, so that its bases no longer name it.
    pub(crate) fn hide_class(&mut self, class: &Bound<'py, PyType>) -> PyResult<()> {
        let object = self.py.get_type::<PyAny>();
        let bases = class.bases();
        if bases.len() == 1 && bases.get_item(0)?.is(&object) {
            return Ok(());
        }
        let parent = self.py.get_type::<PyType>().call1((
            PyString::new(self.py, "_Gone"),
            PyTuple::empty(self.py),
            PyDict::new(self.py),
        ))?;
        self.transaction.push(Write::Hide {
            class: class.clone(),
            bases: PyTuple::new(self.py, [parent])?,
        });
        Ok(())
    }
}

pub(super) fn is_abstract(value: &Bound<'_, PyAny>) -> bool {
    value
        .getattr("__isabstractmethod__")
        .is_ok_and(|flag| flag.is_truthy().unwrap_or(false))
}
