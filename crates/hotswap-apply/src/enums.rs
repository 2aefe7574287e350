//! Enumerations: members keep their identity.

use crate::native as cpython;
use hotswap_plan::{ClassDef, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple, PyType};

use crate::stage::Stage;
use crate::transaction::Write;
use crate::values;

/// Names that the enum machinery keeps on the class.
const MACHINERY: [&str; 6] = [
    "_member_map_",
    "_member_names_",
    "_value2member_map_",
    "_hashable_values_",
    "_unhashable_values_",
    "_unhashable_values_map_",
];

/// A live enum, the one made anew, and from each new member to what stands for it.
pub(crate) struct MergedEnum<'py> {
    class: Bound<'py, PyType>,
    made: Bound<'py, PyType>,
    replaced: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
}

pub(crate) fn is_enum(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let modules = class.py().import("sys")?.getattr("modules")?;
    match modules.get_item("enum") {
        Ok(module) => class.get_type().is_subclass(&module.getattr("EnumMeta")?),
        Err(_) => Ok(false),
    }
}

impl<'py> Stage<'_, 'py> {
    /// Moves members and methods of an enum made anew into the live one.
    pub(crate) fn merge_enum(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
        statement: &Statement,
    ) -> PyResult<()> {
        let old_members = class.getattr("_member_map_")?.cast_into::<PyDict>()?;
        let new_members = made.getattr("_member_map_")?.cast_into::<PyDict>()?;
        let plain = is_plain(class)?;
        // From every member of the new class to the object that stands for it.
        let mut replaced: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)> = Vec::new();
        for (name, member) in new_members.iter() {
            if replaced.iter().any(|(from, _)| from.is(&member)) {
                continue;
            }
            let old = old_members.get_item(&name)?;
            if let Some(old) = &old
                && is_other(&old.getattr("_value_")?, &member.getattr("_value_")?)
            {
                // The same object, but what was made of its value is out of date.
                let path = format!("{}.{}", after.name, name.extract::<String>()?);
                self.changed
                    .insert((module, path), crate::stage::Changed::Value);
            }
            let keeps = match &old {
                Some(old) => plain || old.getattr("_value_")?.eq(member.getattr("_value_")?)?,
                None => false,
            };
            match old {
                Some(old) if keeps => {
                    let (from, to) = (
                        member.getattr("__dict__")?.cast_into::<PyDict>()?,
                        old.getattr("__dict__")?.cast_into::<PyDict>()?,
                    );
                    for (key, value) in from.iter() {
                        let key_text: String = key.extract()?;
                        if key_text != "__objclass__" {
                            self.transaction.push(Write::Item {
                                dict: to.clone(),
                                key,
                                value: Some(value),
                            });
                        }
                    }
                    self.transaction.push(Write::Reference {
                        old: member.clone(),
                        new: old.clone(),
                    });
                    replaced.push((member, old));
                }
                other => {
                    self.move_member(&member, class)?;
                    if let Some(old) = other {
                        self.transaction.push(Write::Reference {
                            old,
                            new: member.clone(),
                        });
                    }
                    replaced.push((member.clone(), member));
                }
            }
        }
        if !old_members.keys().eq(new_members.keys())? {
            // Who goes through the members meets others now.
            let name = after.name.clone();
            self.changed
                .insert((module, name), crate::stage::Changed::Value);
        }
        let (old_dict, new_dict) = (cpython::type_dict(class), cpython::type_dict(made));
        for name in MACHINERY {
            if let Some(value) = new_dict.get_item(name)? {
                let value = translate(&value, &replaced)?;
                self.transaction
                    .set_class_attribute(class, name, Some(value));
            }
        }
        self.enums.push(MergedEnum {
            class: class.clone(),
            made: made.clone(),
            replaced: replaced.clone(),
        });
        for (key, value) in new_dict.iter() {
            let name: String = key.extract()?;
            if MACHINERY.contains(&name.as_str())
                || matches!(name.as_str(), "__dict__" | "__weakref__" | "__doc__" if old_dict.contains(&name)? && name != "__doc__")
            {
                continue;
            }
            if let Some((_, member)) = replaced.iter().find(|(from, _)| from.is(&value)) {
                self.transaction
                    .set_class_attribute(class, &name, Some(member.clone()));
                continue;
            }
            match old_dict.get_item(&key)? {
                Some(was) if was.is(&value) => {}
                Some(was) if self.adopt_member(module, &was, &value, class)? => {}
                _ => self
                    .transaction
                    .set_class_attribute(class, &name, Some(value)),
            }
        }
        for (key, _) in old_dict.iter() {
            let name: String = key.extract()?;
            let generated = name.starts_with("__") && name.ends_with("__");
            let by_source = generated
                || before
                    .body
                    .iter()
                    .any(|member| member.binds.contains(&name))
                    && !after.body.iter().any(|member| member.binds.contains(&name));
            if by_source && !new_dict.contains(&key)? {
                self.transaction.set_class_attribute(class, &name, None);
            }
        }
        for (name, _) in old_members.iter() {
            if !new_members.contains(&name)? {
                let name: String = name.extract()?;
                self.entry(
                    module,
                    &format!("{}.{name}", after.name),
                    Some(statement),
                    "attribute",
                    "removed",
                );
            }
        }
        for (name, _) in new_members.iter() {
            if !old_members.contains(&name)? {
                let name: String = name.extract()?;
                self.entry(
                    module,
                    &format!("{}.{name}", after.name),
                    Some(statement),
                    "attribute",
                    "added",
                );
            }
        }
        Ok(())
    }

    /// Members of an enum that another one replaces: who holds one gets the one of its name.
    pub(crate) fn succeed_members(
        &mut self,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
    ) -> PyResult<()> {
        let old = class.getattr("_member_map_")?.cast_into::<PyDict>()?;
        let new = made.getattr("_member_map_")?.cast_into::<PyDict>()?;
        let mut done: Vec<Bound<'py, PyAny>> = Vec::new();
        for (name, member) in old.iter() {
            if let Some(successor) = new.get_item(&name)?
                && !done.iter().any(|known| known.is(&member))
            {
                done.push(member.clone());
                self.transaction.push(Write::Reference {
                    old: member,
                    new: successor,
                });
            }
        }
        Ok(())
    }

    /// Lets a member of the class made anew be one of the live class.
    fn move_member(
        &mut self,
        member: &Bound<'py, PyAny>,
        class: &Bound<'py, PyType>,
    ) -> PyResult<()> {
        self.transaction.push(Write::InstanceClass {
            object: member.clone(),
            class: class.clone(),
        });
        if let Ok(dict) = member
            .getattr("__dict__")
            .and_then(|dict| Ok(dict.cast_into::<PyDict>()?))
        {
            self.transaction.push(Write::Item {
                dict,
                key: self.intern("__objclass__").into_any(),
                value: Some(class.clone().into_any()),
            });
        }
        Ok(())
    }

    /// The class made anew for a live enum, whose members can be combined.
    pub(crate) fn made_enum(&self, class: &Bound<'py, PyType>) -> Option<Bound<'py, PyAny>> {
        let merged = self
            .enums
            .iter()
            .rev()
            .find(|merged| merged.class.is(class))?;
        Some(merged.made.clone().into_any())
    }

    /// Combinations of flags, once every statement has run that could make one.
    pub(crate) fn settle_combinations(&mut self) -> PyResult<()> {
        for merged in std::mem::take(&mut self.enums) {
            self.keep_combinations(&merged)?;
        }
        Ok(())
    }

    /// Combinations that the program has made: the new class knows them by the value that their
    /// members have together, unless a member of that value takes their place. Those that staged statements made of
    /// members of the new class become the live one's.
    fn keep_combinations(&mut self, merged: &MergedEnum<'py>) -> PyResult<()> {
        let MergedEnum {
            class,
            made,
            replaced,
        } = merged;
        let flag = self.py.import("enum")?.getattr("Flag")?;
        if !class.is_subclass(&flag)? || !made.is_subclass(&flag)? {
            return Ok(());
        }
        let old = class.getattr("_value2member_map_")?.cast_into::<PyDict>()?;
        let new = made.getattr("_value2member_map_")?.cast_into::<PyDict>()?;
        let names = class.getattr("_member_map_")?.cast_into::<PyDict>()?;
        let mut known: u64 = 0;
        for value in new.keys() {
            known |= value.extract::<u64>().unwrap_or(0);
        }
        let settled = PyDict::new(self.py);
        for (value, member) in new.iter() {
            if !replaced.iter().any(|(from, _)| from.is(&member)) {
                self.move_member(&member, class)?;
            }
            settled.set_item(value, translate(&member, replaced)?)?;
        }
        let moved = moved_bits(&names, &made.getattr("_member_map_")?.cast_into()?)?;
        for (value, member) in old.iter() {
            if names.values().iter().any(|named| named.is(&member)) {
                continue;
            }
            let Ok(bits) = value.extract::<u64>() else {
                continue;
            };
            let Some(bits) = moved.as_ref().map_or(Some(bits), |moved| moved.of(bits)) else {
                continue;
            };
            let is_other = moved.is_some() && !value.eq(bits)?;
            match settled.get_item(bits)? {
                Some(now) => self.transaction.push(Write::Reference {
                    old: member,
                    new: now,
                }),
                // An `IntFlag` is its value.
                None if bits & !known != 0 || is_other && !is_plain(class)? => {}
                None => {
                    settled.set_item(bits, &member)?;
                    if is_other {
                        self.set_combination(&member, bits)?;
                        self.combinations.push((class.clone(), bits));
                    }
                }
            }
        }
        self.transaction
            .set_class_attribute(class, "_value2member_map_", Some(settled.into_any()));
        Ok(())
    }

    /// A combination that the program holds gets the value that its members have together. It
    /// keeps its name, of which its hash is made.
    fn set_combination(&mut self, member: &Bound<'py, PyAny>, bits: u64) -> PyResult<()> {
        let Some(dict) = cpython::own_dict(member)? else {
            return Ok(());
        };
        let mut set = |name: &str, value: Bound<'py, PyAny>| {
            self.transaction.set_item(&dict, name, Some(value));
        };
        set("_value_", bits.into_pyobject(dict.py())?.into_any());
        // What `~` gave is kept here.
        if dict.contains("_inverted_")? {
            set("_inverted_", dict.py().None().into_bound(dict.py()));
        }
        Ok(())
    }
}

/// From the bits that the members of a flag had to those that they have now.
struct MovedBits(Vec<(u64, Option<u64>)>);

impl MovedBits {
    /// The value of the combination of the same members. None: one of them is gone.
    fn of(&self, bits: u64) -> Option<u64> {
        let known = self.0.iter().map(|(from, _)| from).sum::<u64>();
        if bits & !known != 0 {
            return None;
        }
        let own = self.0.iter().filter(|(from, _)| bits & from != 0);
        own.map(|(_, to)| *to)
            .try_fold(0, |all, to| Some(all | to?))
    }
}

/// How the members of one bit have moved; None: each has the bit that it had.
fn moved_bits(old: &Bound<'_, PyDict>, new: &Bound<'_, PyDict>) -> PyResult<Option<MovedBits>> {
    let value = |member: &Bound<'_, PyAny>| -> Option<u64> {
        let bits: u64 = member.getattr("_value_").ok()?.extract().ok()?;
        bits.is_power_of_two().then_some(bits)
    };
    let mut moved: Vec<(u64, Option<u64>)> = Vec::new();
    for (name, member) in old.iter() {
        if let Some(from) = value(&member)
            && !moved.iter().any(|(known, _)| *known == from)
        {
            moved.push((from, new.get_item(name)?.as_ref().and_then(value)));
        }
    }
    let all_as_before = moved
        .iter()
        .all(|(from, to)| to.is_none_or(|to| to == *from));
    Ok((!all_as_before).then_some(MovedBits(moved)))
}

/// Takes back combinations that nobody but their class holds, once all of the update is over:
/// a fresh start makes one when it is asked for.
pub(crate) fn drop_unheld(combinations: &[(Bound<'_, PyType>, u64)]) -> PyResult<()> {
    for (class, bits) in combinations {
        let known = class.getattr("_value2member_map_")?.cast_into::<PyDict>()?;
        // The dict and we.
        let is_unheld = |member: Bound<'_, PyAny>| {
            hotswap_cpython::heap::reference_count(&member).is_some_and(|count| count == 2)
        };
        if known.get_item(bits)?.is_some_and(is_unheld) {
            known.del_item(bits)?;
        }
    }
    Ok(())
}

/// Whether the members are no values themselves.
fn is_plain(class: &Bound<'_, PyType>) -> PyResult<bool> {
    Ok(!class.is_subclass_of::<pyo3::types::PyInt>()?
        && !class.is_subclass_of::<pyo3::types::PyString>()?
        && !class.is_subclass_of::<pyo3::types::PyFloat>()?)
}

/// Whether a value is another one; of objects such as `object()` only the statement tells.
fn is_other(old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> bool {
    (values::is_comparable(old) || values::is_comparable(new)) && !values::equal(old, new)
}

/// A copy of a container of members in which every new member is what stands for it.
fn translate<'py>(
    value: &Bound<'py, PyAny>,
    replaced: &[(Bound<'py, PyAny>, Bound<'py, PyAny>)],
) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    if let Some((_, to)) = replaced.iter().find(|(from, _)| from.is(value)) {
        return Ok(to.clone());
    }
    if let Ok(dict) = value.cast_exact::<PyDict>() {
        let copy = PyDict::new(py);
        for (key, item) in dict.iter() {
            copy.set_item(translate(&key, replaced)?, translate(&item, replaced)?)?;
        }
        return Ok(copy.into_any());
    }
    if let Ok(list) = value.cast_exact::<PyList>() {
        let items: PyResult<Vec<_>> = list.iter().map(|item| translate(&item, replaced)).collect();
        return Ok(PyList::new(py, items?)?.into_any());
    }
    if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        let items: PyResult<Vec<_>> = tuple
            .iter()
            .map(|item| translate(&item, replaced))
            .collect();
        return Ok(PyTuple::new(py, items?)?.into_any());
    }
    Ok(value.clone())
}
