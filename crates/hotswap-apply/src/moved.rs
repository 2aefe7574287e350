//! Instances that must move to a class with another layout.

use crate::class::Remade;
use crate::native as cpython;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyString, PyType};
use rustc_hash::FxHashMap;

use crate::registrations::Journaled;
use crate::stage::{After, Stage};
use crate::transaction::Write;

impl<'py> Stage<'_, 'py> {
    /// Moves every instance of a class to the one that takes its place.
    pub(crate) fn move_instances(&mut self, remade: &Remade<'_, 'py>) -> PyResult<()> {
        let (class, made) = (&remade.class, &remade.made);
        let same_layout = takes_instances(class, made);
        if !same_layout {
            self.vacated.push((class.clone(), made.clone()));
        }
        let instances = cpython::instances_of(self.py, class, false)?;
        if instances.is_empty() {
            return Ok(());
        }
        let count = instances.len();
        for object in instances {
            if same_layout {
                self.transaction.push(Write::InstanceClass {
                    object,
                    class: made.clone(),
                });
                continue;
            }
            self.move_instance(object, made)?;
        }
        self.entry(
            remade.module,
            &remade.qualname,
            Some(remade.statement),
            "instance",
            "migrated",
        )
        .reason = format!("{count} instances");
        Ok(())
    }

    fn move_instance(
        &mut self,
        object: Bound<'py, PyAny>,
        made: &Bound<'py, PyType>,
    ) -> PyResult<()> {
        let copy = blank_copy(&object, made)?;
        self.moved.insert(object.as_ptr() as usize, copy.clone());
        self.transaction.push(Write::Instance {
            old: object,
            new: copy,
        });
        Ok(())
    }

    /// Instances of a class that goes that were made since the others were looked for: by
    /// other threads, or by what ran for this update and is not collected yet.
    pub(crate) fn move_latecomers(&mut self) -> PyResult<()> {
        for (class, made) in self.vacated.clone() {
            for object in cpython::instances_of(self.py, &class, false)? {
                if !self.moved.contains_key(&(object.as_ptr() as usize)) {
                    self.move_instance(object, &made)?;
                }
            }
        }
        Ok(())
    }
}

impl<'py> Stage<'_, 'py> {
    /// Commits what was prepared since the last time. An instance moves only if every
    /// reference to it is accounted for, those of this update too.
    pub(crate) fn commit(&mut self) -> PyResult<()> {
        self.move_latecomers()?;
        self.vacated.clear();
        // Some were given attributes before it was known that they move.
        for write in self.transaction.writes() {
            if let Write::InstanceAttribute { object, .. } = write
                && let Some(copy) = self.moved.get(&(object.as_ptr() as usize))
            {
                *object = copy.clone();
            }
        }
        let mut held: FxHashMap<usize, usize> = FxHashMap::default();
        held.extend(
            self.transaction
                .moving()
                .map(|old| (old.as_ptr() as usize, 0)),
        );
        if !held.is_empty() {
            for object in self.held_objects() {
                if let Some(count) = held.get_mut(&(object.as_ptr() as usize)) {
                    *count += 1;
                }
            }
        }
        self.transaction.held_elsewhere = held;
        self.transaction.commit(self.py)
    }

    /// Objects of the program that this update holds beside what it writes.
    fn held_objects(&self) -> impl Iterator<Item = &Bound<'py, PyAny>> {
        let rebound = self.rebound.iter();
        let rebound = rebound.flat_map(|(_, _, (was, is))| was.iter().chain(is));
        let registered = self.registered.iter().flat_map(Journaled::held);
        let given = self.given.values().flatten().map(|(_, value)| value);
        let after = self.after.iter().filter_map(|after| match after {
            After::Migrate { object, .. } | After::ClearCache(object) => Some(object),
            After::Store(stored) => Some(stored.object()),
            After::Decorate { .. } | After::Attributes { .. } => None,
        });
        rebound
            .chain(registered)
            .chain(given)
            .chain(after)
            .chain(self.unbound.iter().map(|(_, _, object)| object))
            .chain(self.bound.iter().filter_map(|(_, _, value)| value.as_ref()))
            .chain(self.moved.values())
            .chain(self.early.values())
            .chain(&self.caught_up)
    }
}

impl<'py> Stage<'_, 'py> {
    /// Moves the instances of an enum that are no members: somebody made them without it.
    pub(crate) fn move_strangers(
        &mut self,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
    ) -> PyResult<()> {
        let new = native_base(made)?.getattr("__new__")?;
        for object in cpython::instances_of(self.py, class, false)? {
            let named = instance_dict(&object)?.is_some_and(|own| {
                own.contains("_name_").unwrap_or(true) || own.contains("_value_").unwrap_or(true)
            });
            if !named && !takes_instances(class, made) {
                let copy = new.call1((made,))?;
                self.transaction.push(Write::Instance {
                    old: object,
                    new: copy,
                });
            }
        }
        Ok(())
    }
}

/// Makes an instance by the `__new__` of a builtin base. That of `object` refuses abstract
/// classes, so they are not abstract meanwhile: no code of the program runs.
fn blank<'py>(
    base: &Bound<'py, PyType>,
    class: &Bound<'py, PyType>,
) -> PyResult<Bound<'py, PyAny>> {
    const NAME: &str = "__abstractmethods__";
    let new = base.getattr("__new__")?;
    let methods = cpython::type_dict(class).get_item(NAME)?;
    let Some(methods) = methods.filter(|methods| methods.is_truthy().unwrap_or(false)) else {
        return new.call1((class,));
    };
    let py = class.py();
    let setter = py.get_type::<PyType>().getattr("__setattr__")?;
    let none = pyo3::types::PyFrozenSet::empty(py)?;
    setter.call1((class, NAME, none))?;
    let made = new.call1((class,));
    setter.call1((class, NAME, methods))?;
    made
}

/// Whether CPython lets an instance of one class become one of the other: tried with
/// an instance of nobody's.
fn takes_instances(class: &Bound<'_, PyType>, made: &Bound<'_, PyType>) -> bool {
    let probe = native_base(class).and_then(|base| blank(&base, class));
    probe.is_ok_and(|probe| cpython::set_instance_class(&probe, made).is_ok())
}

/// The first class up the line that no `class` statement made: its `__new__` makes
/// instances without running the program's code.
fn native_base<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyType>> {
    const HEAP_TYPE: u64 = 1 << 9;
    for base in class.getattr("__mro__")?.try_iter()? {
        let base = base?.cast_into::<PyType>()?;
        if base.getattr("__flags__")?.extract::<u64>()? & HEAP_TYPE == 0 {
            return Ok(base);
        }
    }
    Ok(class.py().get_type::<PyAny>().cast_into()?)
}

/// An instance of the new class without attributes, made without `__init__`, that has
/// whatever its builtin base keeps for good.
fn blank_copy<'py>(
    object: &Bound<'py, PyAny>,
    class: &Bound<'py, PyType>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let (was, base) = (native_base(&object.get_type())?, native_base(class)?);
    let new = base.getattr("__new__")?;
    if !was.is(&base) {
        let names = (class.qualname()?, was.name()?, base.name()?);
        return Err(pyo3::exceptions::PyTypeError::new_err(format!(
            "an instance of {} cannot move from {} to {}",
            names.0, names.1, names.2
        )));
    }
    if base.is_subclass_of::<pyo3::exceptions::PyBaseException>()? {
        let arguments = object
            .getattr("args")?
            .cast_into::<pyo3::types::PyTuple>()?;
        let mut all = vec![class.clone().into_any()];
        all.extend(arguments.iter());
        return new.call1(pyo3::types::PyTuple::new(py, all)?);
    }
    match base.name()?.to_str()? {
        "object" | "list" | "dict" | "set" => blank(&base, class),
        "int" | "float" | "complex" | "str" | "bytes" | "tuple" | "frozenset" => {
            new.call1((class, object))
        }
        other => Err(pyo3::exceptions::PyTypeError::new_err(format!(
            "an instance of {} holds what {other} keeps, which cannot be moved",
            class.qualname()?
        ))),
    }
}

/// Gives a blank instance what another one has. Runs no code of the program.
pub(crate) fn fill_instance<'py>(
    object: &Bound<'py, PyAny>,
    copy: &Bound<'py, PyAny>,
) -> PyResult<()> {
    let kind = copy.get_type();
    let to = instance_dict(copy)?;
    for parent in object.get_type().getattr("__mro__")?.try_iter()? {
        let parent = parent?.cast_into::<PyType>()?;
        for (name, slot) in cpython::type_dict(&parent).iter() {
            if slot.get_type().name()? == "member_descriptor"
                && let Ok(held) = slot.call_method1("__get__", (object,))
            {
                set_attribute(copy, &kind, to.as_ref(), name.cast::<PyString>()?, &held)?;
            }
        }
    }
    if let Some(from) = instance_dict(object)? {
        for (name, held) in from.iter() {
            set_attribute(copy, &kind, to.as_ref(), name.cast::<PyString>()?, &held)?;
        }
    }
    if let (Ok(from), Ok(to)) = (object.cast::<PyList>(), copy.cast::<PyList>()) {
        to.set_slice(0, to.len(), from.as_any())?;
    } else if let (Ok(from), Ok(to)) = (object.cast::<PyDict>(), copy.cast::<PyDict>()) {
        to.update(from.as_mapping())?;
    } else if let (Ok(from), Ok(to)) = (object.cast::<PySet>(), copy.cast::<PySet>()) {
        for item in from.iter() {
            to.add(item)?;
        }
    } else if object.is_instance_of::<pyo3::exceptions::PyBaseException>() {
        for name in [
            "__traceback__",
            "__cause__",
            "__context__",
            "__suppress_context__",
        ] {
            copy.setattr(name, object.getattr(name)?)?;
        }
    }
    Ok(())
}

/// What an instance holds itself, in its dict and its slots.
pub(crate) fn own_attributes<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let held = PyDict::new(object.py());
    for parent in object.get_type().getattr("__mro__")?.try_iter()? {
        let parent = parent?.cast_into::<PyType>()?;
        for (name, slot) in cpython::type_dict(&parent).iter() {
            if slot.get_type().name()? == "member_descriptor"
                && let Ok(value) = slot.call_method1("__get__", (object,))
            {
                held.set_item(name, value)?;
            }
        }
    }
    if let Some(dict) = instance_dict(object)? {
        held.update(dict.as_mapping())?;
    }
    Ok(held)
}

/// Into the slot or the dict of the copy. A slot that the new class no longer has is
/// dropped, as a fresh instance would lack it.
fn set_attribute<'py>(
    copy: &Bound<'py, PyAny>,
    kind: &Bound<'py, PyType>,
    dict: Option<&Bound<'py, PyDict>>,
    name: &Bound<'py, PyString>,
    value: &Bound<'py, PyAny>,
) -> PyResult<()> {
    for parent in kind.getattr("__mro__")?.try_iter()? {
        let parent = parent?.cast_into::<PyType>()?;
        if let Some(slot) = cpython::type_dict(&parent).get_item(name)?
            && slot.get_type().name()? == "member_descriptor"
        {
            slot.call_method1("__set__", (copy, value))?;
            return Ok(());
        }
    }
    match dict {
        Some(dict) => dict.set_item(name, value),
        None => Ok(()),
    }
}

/// The dict of an instance, by `object`'s own means; None where it has none.
fn instance_dict<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let getter = object
        .py()
        .get_type::<PyAny>()
        .getattr("__getattribute__")?;
    Ok(getter
        .call1((object, "__dict__"))
        .ok()
        .and_then(|dict| dict.cast_into::<PyDict>().ok()))
}
