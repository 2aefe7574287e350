//! Everything an update writes, with the way back.
//!
//! A step is prepared with all its values made. [`Transaction::commit`] performs
//! the steps in one stretch, noting the old value of each first; an error undoes
//! those already done, in reverse order. Undoing compares: what the program
//! itself changed in between is left alone, and named.
//!
//! No write runs code of the program: attributes go through the setters of `type`
//! and `object` themselves, and old values live until everything is over.

use crate::contents::{copy_of, same_items, set_content, set_order};
use crate::fault::{self, guarded};
use crate::native as cpython;
use hotswap_cpython::attributes::Peek as _;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet, PyString, PyTuple, PyType};
use rustc_hash::{FxHashMap, FxHashSet};

/// One write to a live object.
pub(crate) enum Write<'py> {
    /// `dict[key] = value`; None deletes.
    Item {
        dict: Bound<'py, PyDict>,
        key: Bound<'py, PyAny>,
        value: Option<Bound<'py, PyAny>>,
    },
    /// A function's code together with the closure that fits it.
    Code {
        function: Bound<'py, PyAny>,
        code: Bound<'py, PyAny>,
        closure: Option<Bound<'py, PyTuple>>,
    },
    /// The namespace in which the code of a function looks names up.
    Globals {
        function: Bound<'py, PyAny>,
        globals: Bound<'py, PyDict>,
    },
    /// An attribute of a class, through `type`'s own setter; None deletes.
    ClassAttribute {
        class: Bound<'py, PyType>,
        name: Bound<'py, PyAny>,
        value: Option<Bound<'py, PyAny>>,
    },
    /// The bases of a class.
    Bases {
        class: Bound<'py, PyType>,
        bases: Bound<'py, PyTuple>,
    },
    /// An attribute of any other object, as the object itself keeps it; None deletes.
    Attribute {
        object: Bound<'py, PyAny>,
        name: &'static str,
        value: Option<Bound<'py, PyAny>>,
    },
    /// The class of an instance.
    InstanceClass {
        object: Bound<'py, PyAny>,
        class: Bound<'py, PyType>,
    },
    /// An attribute that an instance itself keeps; None deletes.
    InstanceAttribute {
        object: Bound<'py, PyAny>,
        name: Bound<'py, PyAny>,
        value: Option<Bound<'py, PyAny>>,
    },
    /// The places of names in their namespace, each directly behind another name.
    Order {
        dict: Bound<'py, PyDict>,
        places: Vec<(Bound<'py, PyString>, Bound<'py, PyString>)>,
    },
    /// The first line of a code object, in place.
    Shift { code: Bound<'py, PyAny>, delta: i32 },
    /// A code object among the constants of another, in place.
    Nested {
        parent: Bound<'py, PyAny>,
        old: Bound<'py, PyAny>,
        new: Bound<'py, PyAny>,
    },
    /// Functions that were made in staging namespaces, and calls of them that are
    /// running by now, move to the live ones.
    Home { homes: Vec<cpython::Home<'py>> },
    /// All items of a list, dict or set, in place.
    Content {
        container: Bound<'py, PyAny>,
        content: Bound<'py, PyAny>,
    },
    /// Every reference to one object becomes one to another, after all other writes.
    Reference {
        old: Bound<'py, PyAny>,
        new: Bound<'py, PyAny>,
    },
    /// The same for an instance that moves to another layout: all references or none.
    Instance {
        old: Bound<'py, PyAny>,
        new: Bound<'py, PyAny>,
    },
    /// A dead class leaves the `__subclasses__()` of its bases, after all references
    /// have gone. Where CPython refuses, the collector takes it away.
    Hide {
        class: Bound<'py, PyType>,
        bases: Bound<'py, PyTuple>,
    },
    /// An `lru_cache` or the cache of an abstract class is emptied, last of all.
    ClearCache { object: Bound<'py, PyAny> },
}

impl<'py> Write<'py> {
    /// How many references to an object this holds.
    fn holds(&self, object: &Bound<'py, PyAny>) -> usize {
        let one = |held: &Bound<'py, PyAny>| usize::from(held.is(object));
        let if_any = |held: &Option<Bound<'py, PyAny>>| held.as_ref().map_or(0, one);
        match self {
            Self::Item { dict, key, value } => one(dict.as_any()) + one(key) + if_any(value),
            Self::ClassAttribute { name, value, .. } => one(name) + if_any(value),
            Self::Attribute { object, value, .. } => one(object) + if_any(value),
            Self::InstanceClass { object, .. } | Self::ClearCache { object } => one(object),
            Self::InstanceAttribute {
                object,
                name,
                value,
            } => one(object) + one(name) + if_any(value),
            Self::Content { container, content } => one(container) + one(content),
            Self::Reference { old, new } | Self::Instance { old, new } => one(old) + one(new),
            // Functions, code objects, classes and namespaces.
            Self::Code { .. }
            | Self::Globals { .. }
            | Self::Bases { .. }
            | Self::Order { .. }
            | Self::Shift { .. }
            | Self::Nested { .. }
            | Self::Home { .. }
            | Self::Hide { .. } => 0,
        }
    }
}

enum Undo<'py> {
    /// `write` brings back what was there, if what `done` wrote is still there.
    Write {
        done: Write<'py>,
        write: Write<'py>,
    },
    /// The line that a shift left, and the way back.
    Shift {
        code: Bound<'py, PyAny>,
        line: u32,
        delta: i32,
    },
    /// A value that comes back without a comparison: the update's own statement wrote in between.
    Always(Write<'py>),
    /// The order of the names in a namespace from which one was taken.
    Order {
        dict: Bound<'py, PyDict>,
        before: Bound<'py, PyDict>,
        class: Option<Bound<'py, PyType>>,
    },
    References(cpython::Replaced),
    /// Iterators that go through the old content of a container.
    Iterators(cpython::Replaced),
    Home(cpython::Moved<'py>),
    /// What a cache held that was emptied.
    Cache {
        object: Bound<'py, PyAny>,
        held: Vec<Bound<'py, PyAny>>,
    },
}

/// The writes of one update.
#[derive(Default)]
pub(crate) struct Transaction<'py> {
    writes: Vec<Write<'py>>,
    undo: Vec<Undo<'py>>,
    // Old values live until everything is over: no finaliser runs in between.
    kept: Vec<Bound<'py, PyAny>>,
    /// Set when nothing is to be undone any more.
    done: bool,
    /// Calls that stay in a staging namespace, because this CPython is not known.
    pub(crate) homeless: usize,
    /// A dead class could not be hidden: the collector is to take it away.
    pub(crate) collect: bool,
    /// Live classes that wait until they are made anew after this commit: a base that they
    /// cannot take is not forced on them.
    pub(crate) doomed: Vec<Bound<'py, PyType>>,
    /// How many references to objects that move the update holds elsewhere, by address.
    pub(crate) held_elsewhere: FxHashMap<usize, usize>,
    /// References that could not be replaced: of what, how many, why.
    pub(crate) left: Vec<cpython::LeftOver<'py>>,
    /// Namespaces whose references to a container are no loop over it.
    pub(crate) namespaces: Vec<Bound<'py, PyDict>>,
    /// Containers that have stand-ins, once for each.
    pub(crate) stood_in_for: Vec<Bound<'py, PyAny>>,
    /// What the program changed between a write and its undoing, and so keeps.
    pub(crate) conflicts: Vec<String>,
}

impl<'py> Transaction<'py> {
    pub(crate) fn push(&mut self, write: Write<'py>) {
        self.writes.push(write);
    }

    /// How many references to an object this update holds.
    fn holds(&self, object: &Bound<'py, PyAny>) -> usize {
        let undo = self.undo.iter().map(|undo| match undo {
            Undo::Write { done, write } => done.holds(object) + write.holds(object),
            Undo::Always(write) => write.holds(object),
            Undo::References(replaced) | Undo::Iterators(replaced) => replaced.holds(object),
            Undo::Cache {
                object: cache,
                held,
            } => usize::from(cache.is(object)) + held.iter().filter(|each| each.is(object)).count(),
            Undo::Shift { .. } | Undo::Order { .. } | Undo::Home(_) => 0,
        });
        let elsewhere = self.held_elsewhere.get(&(object.as_ptr() as usize));
        undo.sum::<usize>()
            + self.kept.iter().filter(|kept| kept.is(object)).count()
            + elsewhere.copied().unwrap_or(0)
    }

    /// The instances that move at the next commit.
    pub(crate) fn moving(&self) -> impl Iterator<Item = &Bound<'py, PyAny>> {
        self.writes.iter().filter_map(|write| match write {
            Write::Instance { old, .. } => Some(old),
            _ => None,
        })
    }

    /// An entry of a dict does not go, after all.
    pub(crate) fn keep_item(&mut self, dict: &Bound<'py, PyDict>, name: &str) {
        self.writes.retain(|write| {
            !matches!(write, Write::Item { dict: other, key, value: None }
                if other.is(dict) && key.extract::<String>().is_ok_and(|key| key == name))
        });
    }

    /// What is to be written at the next commit.
    pub(crate) fn writes(&mut self) -> impl Iterator<Item = &mut Write<'py>> {
        self.writes.iter_mut()
    }

    pub(crate) fn set_item(
        &mut self,
        dict: &Bound<'py, PyDict>,
        key: &str,
        value: Option<Bound<'py, PyAny>>,
    ) {
        let key = PyString::intern(dict.py(), key).into_any();
        self.push(Write::Item {
            dict: dict.clone(),
            key,
            value,
        });
    }

    pub(crate) fn set_class_attribute(
        &mut self,
        class: &Bound<'py, PyType>,
        name: &str,
        value: Option<Bound<'py, PyAny>>,
    ) {
        let name = PyString::intern(class.py(), name).into_any();
        self.push(Write::ClassAttribute {
            class: class.clone(),
            name,
            value,
        });
    }

    /// The value that an attribute will have; None: it is not written, or Some(None): deleted.
    #[allow(clippy::option_option)]
    pub(crate) fn pending_attribute(
        &self,
        object: &Bound<'py, PyAny>,
        attribute: &str,
    ) -> Option<Option<Bound<'py, PyAny>>> {
        self.writes.iter().rev().find_map(|write| match write {
            Write::Attribute {
                object: other,
                name,
                value,
            } if *name == attribute && other.is(object) => Some(value.clone()),
            _ => None,
        })
    }

    /// The code and closure that a function will have by itself, if it gets any.
    #[allow(clippy::type_complexity)]
    pub(crate) fn pending_code(
        &self,
        target: &Bound<'py, PyAny>,
    ) -> Option<(Bound<'py, PyAny>, Option<Bound<'py, PyTuple>>)> {
        self.writes.iter().rev().find_map(|write| match write {
            Write::Code {
                function,
                code,
                closure,
            } if function.is(target) => Some((code.clone(), closure.clone())),
            _ => None,
        })
    }

    /// What a container will hold, if this update is about to change it.
    pub(crate) fn pending_content(&self, target: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
        self.writes.iter().rev().find_map(|write| match write {
            Write::Content { container, content } if container.is(target) => Some(content.clone()),
            _ => None,
        })
    }

    /// Brings a copy of a namespace back to what it held before this update.
    pub(crate) fn names_before(
        &self,
        namespace: &Bound<'py, PyDict>,
        copy: &Bound<'py, PyDict>,
    ) -> PyResult<()> {
        for undo in self.undo.iter().rev() {
            if let Undo::Write { write, .. } | Undo::Always(write) = undo
                && let Write::Item { dict, key, value } = write
                && dict.is(namespace)
            {
                match value {
                    Some(value) => copy.set_item(key, value)?,
                    None if copy.contains(key)? => copy.del_item(key)?,
                    None => {}
                }
            }
        }
        Ok(())
    }

    pub(crate) fn keep(&mut self, value: Bound<'py, PyAny>) {
        self.kept.push(value);
    }

    /// Notes the value of a name that a statement is about to bind by itself.
    pub(crate) fn remember_item(&mut self, dict: &Bound<'py, PyDict>, key: &str) -> PyResult<()> {
        let key = PyString::intern(dict.py(), key).into_any();
        let value = dict.get_item(&key)?;
        let write = Write::Item {
            dict: dict.clone(),
            key,
            value,
        };
        self.undo.push(Undo::Always(write));
        Ok(())
    }

    /// Notes what an instance held before code of the program changed it.
    pub(crate) fn remember_attribute(
        &mut self,
        object: &Bound<'py, PyAny>,
        name: &Bound<'py, PyAny>,
        value: Option<Bound<'py, PyAny>>,
    ) {
        self.undo.push(Undo::Always(Write::InstanceAttribute {
            object: object.clone(),
            name: name.clone(),
            value,
        }));
    }

    /// The writes that are planned for a class, so that what follows from them can
    /// be told beforehand.
    pub(crate) fn planned_attributes(
        &self,
        class: &Bound<'py, PyType>,
    ) -> Vec<(Bound<'py, PyAny>, Option<Bound<'py, PyAny>>)> {
        let mut planned = Vec::new();
        for write in &self.writes {
            if let Write::ClassAttribute {
                class: target,
                name,
                value,
            } = write
                && target.is(class)
            {
                planned.push((name.clone(), value.clone()));
            }
        }
        planned
    }

    /// Whether a live class is going to have other bases.
    pub(crate) fn changes_bases(&self) -> bool {
        let mut writes = self.writes.iter();
        writes.any(|write| matches!(write, Write::Bases { .. }))
    }

    /// All attributes of classes that are going to be written.
    #[allow(clippy::type_complexity)]
    pub(crate) fn planned_members(
        &self,
    ) -> Vec<(
        Bound<'py, PyType>,
        Bound<'py, PyAny>,
        Option<Bound<'py, PyAny>>,
    )> {
        let members = self.writes.iter().filter_map(|write| match write {
            Write::ClassAttribute { class, name, value } => {
                Some((class.clone(), name.clone(), value.clone()))
            }
            _ => None,
        });
        members.collect()
    }

    /// What a class will have under a name; None: nothing of that is planned, Some(None): it
    /// goes.
    #[allow(clippy::option_option)]
    pub(crate) fn pending_member(
        &self,
        target: &Bound<'py, PyType>,
        member: &Bound<'py, PyString>,
    ) -> Option<Option<Bound<'py, PyAny>>> {
        self.writes.iter().rev().find_map(|write| match write {
            Write::ClassAttribute { class, name, value } if class.is(target) => {
                let is_it = name.eq(member).unwrap_or(false);
                is_it.then(|| value.clone())
            }
            _ => None,
        })
    }

    /// The bases that are planned for a class.
    pub(crate) fn planned_bases(&self, class: &Bound<'py, PyType>) -> Option<Bound<'py, PyTuple>> {
        self.writes.iter().rev().find_map(|write| match write {
            Write::Bases {
                class: target,
                bases,
            } if target.is(class) => Some(bases.clone()),
            _ => None,
        })
    }

    /// Notes what code of the program did to a class whose attributes were these before.
    pub(crate) fn note_class_changes(
        &mut self,
        class: &Bound<'py, PyType>,
        before: &Bound<'py, PyDict>,
    ) -> PyResult<()> {
        let now = cpython::type_dict(class).copy()?;
        for (name, value) in now.iter() {
            let old = before.get_item(&name)?;
            if !old.as_ref().is_some_and(|old| old.is(&value)) {
                self.note_class_change(class, &name, Some(value), old);
            }
        }
        for (name, old) in before.iter() {
            if !now.contains(&name)? {
                self.note_class_change(class, &name, None, Some(old));
            }
        }
        Ok(())
    }

    fn note_class_change(
        &mut self,
        class: &Bound<'py, PyType>,
        name: &Bound<'py, PyAny>,
        now: Option<Bound<'py, PyAny>>,
        old: Option<Bound<'py, PyAny>>,
    ) {
        let write = |value| Write::ClassAttribute {
            class: class.clone(),
            name: name.clone(),
            value,
        };
        self.undo.push(Undo::Write {
            done: write(now),
            write: write(old),
        });
    }

    /// Notes what code of the program did to a container that held this before.
    pub(crate) fn note_content(
        &mut self,
        container: &Bound<'py, PyAny>,
        before: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        self.undo.push(Undo::Write {
            done: Write::Content {
                container: container.clone(),
                content: copy_of(container)?,
            },
            write: Write::Content {
                container: container.clone(),
                content: before,
            },
        });
        Ok(())
    }

    /// Brings a copy of a class's members up to what they will be.
    pub(crate) fn pending_members(
        &self,
        target: &Bound<'py, PyType>,
        members: &Bound<'py, PyDict>,
    ) -> PyResult<()> {
        for write in &self.writes {
            if let Write::ClassAttribute { class, name, value } = write
                && class.is(target)
            {
                match value {
                    Some(value) => members.set_item(name, value)?,
                    None if members.contains(name)? => members.del_item(name)?,
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Whether a class, or one above it, is about to get or lose members.
    pub(crate) fn changes_class(&self, target: &Bound<'py, PyType>) -> bool {
        let above = target.mro();
        self.writes.iter().any(|write| match write {
            Write::ClassAttribute { class, .. } => above.iter().any(|base| base.is(class)),
            _ => false,
        })
    }

    /// The code objects that are about to be replaced.
    pub(crate) fn doomed_codes(&self) -> Vec<Bound<'py, pyo3::types::PyCode>> {
        let mut codes: Vec<Bound<'py, pyo3::types::PyCode>> = Vec::new();
        let mut known = FxHashSet::default();
        for write in &self.writes {
            if let Write::Code { function, .. } = write
                && let Ok(Ok(code)) = function.getattr("__code__").map(|code| code.cast_into())
                && known.insert(Bound::<pyo3::types::PyCode>::as_ptr(&code) as usize)
            {
                codes.push(code);
            }
        }
        codes
    }

    /// The code objects that functions have, and those they are about to get.
    pub(crate) fn new_codes(&self) -> PyResult<Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
        let mut found: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)> = Vec::new();
        for write in &self.writes {
            if let Write::Code { function, code, .. } = write {
                let old = function.getattr("__code__")?;
                if !found.iter().any(|(known, _)| known.is(&old)) {
                    found.push((old, code.clone()));
                }
            }
        }
        Ok(found)
    }

    /// The functions that are about to get other code.
    pub(crate) fn doomed_functions(&self) -> impl Iterator<Item = Bound<'py, PyAny>> {
        self.writes.iter().filter_map(|write| match write {
            Write::Code { function, .. } => Some(function.clone()),
            _ => None,
        })
    }

    /// The code objects that functions had before, and those they have now.
    pub(crate) fn replaced_codes(&self) -> PyResult<Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
        let mut found: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)> = Vec::new();
        for undo in &self.undo {
            if let Undo::Write {
                write: Write::Code { function, code, .. },
                ..
            } = undo
                && !found.iter().any(|(known, _)| known.is(code))
            {
                let now = function.getattr("__code__")?;
                if !now.is(code) {
                    found.push((code.clone(), now));
                }
            }
        }
        Ok(found)
    }

    /// Performs all writes that were pushed since the last commit.
    pub(crate) fn commit(&mut self, py: Python<'py>) -> PyResult<()> {
        let result = guarded(|| self.perform_all(py));
        if result.is_err() {
            self.roll_back(py);
        }
        result
    }

    fn perform_all(&mut self, py: Python<'py>) -> PyResult<()> {
        self.spare_iterators(py)?;
        let mut successions = Vec::new();
        let mut last = Vec::new();
        for write in std::mem::take(&mut self.writes) {
            match write {
                Write::Reference { old, new } => successions.push(cpython::Succession {
                    old,
                    new,
                    all_or_none: false,
                }),
                Write::Instance { old, new } => {
                    // Only now: until here the program may have written to the old one.
                    fault::point("filling an instance")?;
                    crate::moved::fill_instance(&old, &new)?;
                    successions.push(cpython::Succession {
                        old,
                        new,
                        all_or_none: true,
                    });
                }
                Write::Hide { .. } | Write::ClearCache { .. } => last.push(write),
                write => self.perform(py, write)?,
            }
        }
        if !successions.is_empty() {
            fault::point("references")?;
            let held = |object: &Bound<'py, PyAny>| self.holds(object);
            let (replaced, left) =
                cpython::replace_references(py, successions, &self.doomed, &held)?;
            self.undo.push(Undo::References(replaced));
            self.left.extend(left);
        }
        // Caches go when nothing can fail any more.
        let (caches, hidden): (Vec<_>, Vec<_>) = last
            .into_iter()
            .partition(|write| matches!(write, Write::ClearCache { .. }));
        for write in hidden {
            let refused = |error: &PyErr| error.is_instance_of::<pyo3::exceptions::PyTypeError>(py);
            match self.perform(py, write) {
                Err(error) if refused(&error) => self.collect = true,
                outcome => outcome?,
            }
        }
        fault::point("the end of the commit")?;
        for write in caches {
            self.perform(py, write)?;
        }
        Ok(())
    }

    /// Whoever is going through a dict or set that gets another number of entries would
    /// be stopped by an error: it goes on through the old content.
    fn spare_iterators(&mut self, py: Python<'py>) -> PyResult<()> {
        let mut copies: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)> = Vec::new();
        for write in &self.writes {
            let Write::Content { container, content } = write else {
                continue;
            };
            if size_of(container) != size_of(content)
                && !copies.iter().any(|(known, _)| known.is(container))
                && !self.is_held_by_names_alone(container)
            {
                copies.push((container.clone(), copy_of(container)?));
            }
        }
        if !copies.is_empty() {
            fault::point("iterators")?;
            let redirected = cpython::redirect_iterators(py, copies)?;
            self.undo.push(Undo::Iterators(redirected));
        }
        Ok(())
    }

    /// Whether the namespaces and these writes account for every reference. The search
    /// for a loop, all over the heap, is for those that others hold.
    fn is_held_by_names_alone(&self, container: &Bound<'py, PyAny>) -> bool {
        let ours = |write: &Write<'py>| match write {
            Write::Content {
                container: target,
                content,
            } => usize::from(target.is(container)) + usize::from(content.is(container)),
            Write::Item {
                value: Some(value), ..
            } => usize::from(value.is(container)),
            _ => 0,
        };
        let named = self.namespaces.iter().flat_map(|names| names.values());
        // The stand-in itself holds it as well.
        let stood_in_for = self.stood_in_for.iter();
        let known = self.writes.iter().map(ours).sum::<usize>()
            + named.filter(|value| value.is(container)).count()
            + 2 * stood_in_for.filter(|live| live.is(container)).count();
        hotswap_cpython::heap::reference_count(container)
            .is_some_and(|count| usize::try_from(count) == Ok(known))
    }

    /// The code objects that move to other lines, and by how many.
    pub(crate) fn shifts(&self) -> Vec<(Bound<'py, PyAny>, i32)> {
        let shift = |write: &Write<'py>| match write {
            Write::Shift { code, delta } => Some((code.clone(), *delta)),
            _ => None,
        };
        self.writes.iter().filter_map(shift).collect()
    }

    /// From here on nothing is undone.
    pub(crate) fn settle(&mut self) {
        self.done = true;
    }

    /// Undoes everything that was committed, newest first.
    pub(crate) fn roll_back(&mut self, py: Python<'py>) {
        self.writes.clear();
        while let Some(undo) = self.undo.pop() {
            // Nothing can be done about a failing undo but to say so and go on with the rest.
            if let Err(error) = guarded(|| self.undo_one(py, undo)) {
                self.conflicts
                    .push(format!("undoing a step failed: {error}"));
            }
        }
    }

    fn undo_one(&mut self, py: Python<'py>, undo: Undo<'py>) -> PyResult<()> {
        match undo {
            Undo::Write { done, write } => {
                if !is_still(&done)? {
                    self.conflicts.push(format!(
                        "{} was changed by the program meanwhile and stays",
                        place_of(&done)
                    ));
                    return Ok(());
                }
                self.write_now(&write)?;
                // What the failed update made lives on until the end as well.
                self.keep_values(done);
                Ok(())
            }
            Undo::Shift { code, line, delta } => {
                if crate::codes::line_of(&code)? == line {
                    cpython::shift_first_line(&code, delta)?;
                }
                Ok(())
            }
            Undo::Always(write) => self.write_now(&write),
            Undo::Order {
                dict,
                before,
                class,
            } => {
                if let Some(class) = &class {
                    cpython::invalidate_attribute_cache(class);
                }
                set_order(&dict, &before)?;
                if let Some(class) = &class {
                    cpython::invalidate_attribute_cache(class);
                }
                Ok(())
            }
            Undo::Home(moved) => moved.restore(py).map_err(cpython::raised),
            Undo::Cache { object, held } => {
                if !cpython::refill_cache(&object, &held)? {
                    cpython::clear_cache(&object)?;
                    self.conflicts
                        .push(format!("{}: what it had cached is lost", name_of(&object)));
                }
                self.kept.extend(held);
                Ok(())
            }
            // One that has ended meanwhile refers to nothing any more.
            Undo::Iterators(redirected) => {
                redirected.restore(py).map(drop).map_err(cpython::raised)
            }
            Undo::References(replaced) => {
                let conflicts = replaced.restore(py).map_err(cpython::raised)?;
                if conflicts > 0 {
                    self.conflicts.push(format!(
                        "{conflicts} reference(s) were changed by the program meanwhile and stay"
                    ));
                }
                Ok(())
            }
        }
    }

    fn perform(&mut self, py: Python<'py>, write: Write<'py>) -> PyResult<()> {
        fault::point(kind_of(&write))?;
        if let Write::Home { homes } = &write {
            let moved = cpython::move_home(py, homes)?;
            self.homeless += moved.left;
            self.undo.push(Undo::Home(moved));
            return Ok(());
        }
        if let Write::Shift { code, delta } = write {
            cpython::shift_first_line(&code, delta)?;
            let line = crate::codes::line_of(&code)?;
            self.undo.push(Undo::Shift {
                code,
                line,
                delta: -delta,
            });
            return Ok(());
        }
        if let Write::ClearCache { object } = write {
            let held = cpython::clear_cache(&object)?;
            self.undo.push(Undo::Cache { object, held });
            return Ok(());
        }
        self.note_order(&write)?;
        let inverse = inverse(&write)?;
        self.write_now(&write)?;
        if let Some(inverse) = inverse {
            self.undo.push(Undo::Write {
                done: write,
                write: inverse,
            });
        }
        Ok(())
    }

    /// A name that is taken away would come back at the end of its namespace.
    fn note_order(&mut self, write: &Write<'py>) -> PyResult<()> {
        let (dict, class) = match write {
            Write::Item {
                dict,
                key,
                value: None,
            } if dict.contains(key)? => (dict.clone(), None),
            Write::ClassAttribute {
                class,
                name,
                value: None,
            } if cpython::type_dict(class).contains(name)? => {
                (cpython::type_dict(class), Some(class.clone()))
            }
            Write::Order { dict, .. } => (dict.clone(), None),
            _ => return Ok(()),
        };
        let noted = self
            .undo
            .iter()
            .any(|undo| matches!(undo, Undo::Order { dict: known, .. } if known.is(&dict)));
        if !noted {
            let before = dict.copy()?;
            self.undo.push(Undo::Order {
                dict,
                before,
                class,
            });
        }
        Ok(())
    }

    fn keep_values(&mut self, write: Write<'py>) {
        match write {
            Write::Item { value, .. }
            | Write::ClassAttribute { value, .. }
            | Write::Attribute { value, .. }
            | Write::InstanceAttribute { value, .. } => self.kept.extend(value),
            Write::Code { code, closure, .. } => {
                self.kept.push(code);
                self.kept.extend(closure.map(Bound::into_any));
            }
            Write::Content { content, .. } => self.kept.push(content),
            _ => {}
        }
    }

    fn write_now(&mut self, write: &Write<'py>) -> PyResult<()> {
        match write {
            Write::Item { dict, key, value } => match value {
                Some(value) => dict.set_item(key, value),
                None if dict.contains(key)? => dict.del_item(key),
                None => Ok(()),
            },
            Write::Code {
                function,
                code,
                closure,
            } => cpython::set_code_and_closure(function, code, closure.as_ref()),
            Write::ClassAttribute { class, name, value } => {
                if value.is_none() && !cpython::type_dict(class).contains(name)? {
                    return Ok(());
                }
                cpython::set_class_attribute(class, name, value.as_ref())
            }
            Write::Bases { class, bases } | Write::Hide { class, bases } => {
                cpython::set_bases(class, bases)
            }
            Write::Globals { function, globals } => cpython::set_globals(function, globals),
            Write::Attribute {
                object,
                name,
                value,
            } => {
                let name = PyString::intern(object.py(), name);
                cpython::set_own_attribute(object, &name, value.as_ref())
            }
            Write::InstanceClass { object, class } => cpython::set_instance_class(object, class),
            Write::InstanceAttribute {
                object,
                name,
                value,
            } => cpython::set_own_attribute(object, name.cast::<PyString>()?, value.as_ref()),
            Write::Order { dict, places } => crate::name_order::place(dict, places),
            Write::Shift { code, delta } => cpython::shift_first_line(code, *delta),
            Write::Nested { parent, old, new } => cpython::replace_nested_code(parent, old, new),
            Write::Content { container, content } => set_content(container, content),
            // Done for all of them at once, or with what they held.
            Write::Home { .. }
            | Write::Reference { .. }
            | Write::Instance { .. }
            | Write::ClearCache { .. } => Ok(()),
        }
    }
}

impl Drop for Transaction<'_> {
    /// A panic in the middle of an update, which would be a bug of ours, must not
    /// leave half of it behind.
    fn drop(&mut self) {
        if std::thread::panicking() && !self.done {
            Python::attach(|_| {
                while let Some(undo) = self.undo.pop() {
                    if let Undo::Write { write, .. } | Undo::Always(write) = undo {
                        let _ = self.write_now(&write);
                    }
                }
            });
        }
    }
}

/// How many entries a dict or set has; None for a list, whose iterators bear any change.
fn size_of(container: &Bound<'_, PyAny>) -> Option<usize> {
    let dict = container.cast::<PyDict>().map(|dict| dict.len());
    dict.or_else(|_| container.cast::<PySet>().map(|set| set.len()))
        .ok()
}

/// The write that brings back the present value; None if there is nothing to bring back.
fn inverse<'py>(write: &Write<'py>) -> PyResult<Option<Write<'py>>> {
    Ok(Some(match write {
        Write::Item { dict, key, .. } => Write::Item {
            dict: dict.clone(),
            key: key.clone(),
            value: dict.get_item(key)?,
        },
        Write::Code { function, .. } => Write::Code {
            function: function.clone(),
            code: function.getattr("__code__")?,
            closure: function.getattr("__closure__")?.cast_into::<PyTuple>().ok(),
        },
        Write::ClassAttribute { class, name, .. } => Write::ClassAttribute {
            class: class.clone(),
            name: name.clone(),
            value: cpython::type_dict(class).get_item(name)?,
        },
        Write::Bases { class, .. } | Write::Hide { class, .. } => Write::Bases {
            class: class.clone(),
            bases: class.bases(),
        },
        Write::Globals { function, .. } => Write::Globals {
            function: function.clone(),
            globals: function.getattr("__globals__")?.cast_into::<PyDict>()?,
        },
        Write::Attribute { object, name, .. } => Write::Attribute {
            object: object.clone(),
            name,
            value: cpython::own_attribute(object, &PyString::intern(object.py(), name))?,
        },
        Write::InstanceClass { object, .. } => Write::InstanceClass {
            object: object.clone(),
            class: object.get_type(),
        },
        Write::InstanceAttribute { object, name, .. } => Write::InstanceAttribute {
            object: object.clone(),
            name: name.clone(),
            value: cpython::own_attribute(object, name.cast::<PyString>()?)?,
        },
        Write::Content { container, .. } => Write::Content {
            container: container.clone(),
            content: copy_of(container)?,
        },
        Write::Nested { parent, old, new } => Write::Nested {
            parent: parent.clone(),
            old: new.clone(),
            new: old.clone(),
        },
        // These have an undo of their own.
        Write::Shift { .. }
        | Write::Order { .. }
        | Write::Home { .. }
        | Write::Reference { .. }
        | Write::ClearCache { .. }
        | Write::Instance { .. } => return Ok(None),
    }))
}

/// Whether the object still holds what `done` wrote.
fn is_still(done: &Write<'_>) -> PyResult<bool> {
    let same = |now: Option<Bound<'_, PyAny>>, then: &Option<Bound<'_, PyAny>>| match (now, then) {
        (Some(now), Some(then)) => now.is(then),
        (None, None) => true,
        _ => false,
    };
    Ok(match done {
        Write::Item { dict, key, value } => same(dict.get_item(key)?, value),
        Write::Code { function, code, .. } => function.getattr("__code__")?.is(code),
        Write::Globals { function, globals } => function.getattr("__globals__")?.is(globals),
        Write::ClassAttribute { class, name, value } => {
            same(cpython::type_dict(class).get_item(name)?, value)
        }
        Write::Bases { class, bases } => same_items(
            &class.bases().to_list().into_any(),
            &bases.to_list().into_any(),
        ),
        Write::Attribute {
            object,
            name,
            value,
        } => {
            let name = PyString::intern(object.py(), name);
            same(cpython::own_attribute(object, &name)?, value)
        }
        Write::InstanceClass { object, class } => object.get_type().is(class),
        Write::InstanceAttribute {
            object,
            name,
            value,
        } => same(
            cpython::own_attribute(object, name.cast::<PyString>()?)?,
            value,
        ),
        Write::Content { container, content } => same_items(container, content),
        _ => true,
    })
}

fn kind_of(write: &Write<'_>) -> &'static str {
    match write {
        Write::Item { .. } => "item",
        Write::Code { .. } => "code",
        Write::Globals { .. } => "namespace of a function",
        Write::ClassAttribute { .. } => "class attribute",
        Write::Bases { .. } => "bases",
        Write::Attribute { .. } => "attribute",
        Write::InstanceClass { .. } => "class of an instance",
        Write::InstanceAttribute { .. } => "instance attribute",
        Write::Order { .. } => "order of names",
        Write::Shift { .. } => "line shift",
        Write::Nested { .. } => "code inside a function",
        Write::Home { .. } => "the way home of new functions",
        Write::Content { .. } => "content",
        Write::Reference { .. } => "reference",
        Write::Instance { .. } => "instance",
        Write::Hide { .. } => "dead class",
        Write::ClearCache { .. } => "cache",
    }
}

fn name_of(object: &Bound<'_, PyAny>) -> String {
    object
        .peek("__qualname__")
        .and_then(|name| name.extract())
        .unwrap_or_else(|_| format!("an instance of {}", object.get_type()))
}

/// What a write concerns, for people.
fn place_of(write: &Write<'_>) -> String {
    let name = name_of;
    match write {
        Write::Item { key, .. } => key.str().map(|key| key.to_string()).unwrap_or_default(),
        Write::Code { function, .. } => name(function),
        Write::ClassAttribute {
            class,
            name: attribute,
            ..
        } => format!("{}.{attribute}", name(class.as_any())),
        Write::Attribute {
            object,
            name: attribute,
            ..
        } => format!("{}.{attribute}", name(object)),
        Write::InstanceAttribute {
            object,
            name: attribute,
            ..
        } => format!("{attribute} of an instance of {}", object.get_type()),
        Write::InstanceClass { class, .. } => format!("an instance of {}", name(class.as_any())),
        Write::Content { container, .. } => format!("the content of a {}", container.get_type()),
        _ => kind_of(write).to_string(),
    }
}
