//! Everything an update writes, with the way back.
//!
//! A step is prepared with all its values made. [`Transaction::commit`] performs
//! the steps in one stretch, noting the old value of each first; an error undoes
//! those already done, in reverse order. Undoing compares: what the program
//! itself changed in between is left alone.

use crate::native as cpython;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple, PyType};

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
    /// An attribute of any other object, through its own setter; None deletes.
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
    /// An instance attribute that is missing, by `object`'s own setter.
    InstanceAttribute {
        object: Bound<'py, PyAny>,
        name: Bound<'py, PyAny>,
        value: Bound<'py, PyAny>,
    },
    /// The first line of a code object, in place.
    Shift { code: Bound<'py, PyAny>, delta: i32 },
    /// The globals of a function that was made in a staging namespace.
    Globals {
        function: Bound<'py, PyAny>,
        globals: Bound<'py, PyDict>,
    },
    /// All items of a list or dict, in place.
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
    /// A C-level call without arguments that cannot be undone and loses nothing but a cache.
    ClearCache { object: Bound<'py, PyAny> },
}

enum Undo<'py> {
    Write {
        done: Write<'py>,
        write: Write<'py>,
    },
    /// A value that comes back without a comparison: the update's own statement wrote in between.
    Always(Write<'py>),
    References(cpython::Replaced),
}

/// The writes of one update.
#[derive(Default)]
pub(crate) struct Transaction<'py> {
    writes: Vec<Write<'py>>,
    undo: Vec<Undo<'py>>,
    // Old values live until everything is over: no finaliser runs in between.
    kept: Vec<Bound<'py, PyAny>>,
    /// References that could not be replaced: of what, how many, why.
    pub(crate) left: Vec<cpython::LeftOver<'py>>,
}

impl<'py> Transaction<'py> {
    pub(crate) fn push(&mut self, write: Write<'py>) {
        self.writes.push(write);
    }

    pub(crate) fn set_item(
        &mut self,
        dict: &Bound<'py, PyDict>,
        key: &str,
        value: Option<Bound<'py, PyAny>>,
    ) {
        let key = pyo3::types::PyString::intern(dict.py(), key).into_any();
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
        let name = pyo3::types::PyString::intern(class.py(), name).into_any();
        self.push(Write::ClassAttribute {
            class: class.clone(),
            name,
            value,
        });
    }

    pub(crate) fn keep(&mut self, value: Bound<'py, PyAny>) {
        self.kept.push(value);
    }

    /// Notes the value of a name that a statement is about to bind by itself.
    pub(crate) fn remember_item(&mut self, dict: &Bound<'py, PyDict>, key: &str) -> PyResult<()> {
        let key = pyo3::types::PyString::intern(dict.py(), key).into_any();
        let value = dict.get_item(&key)?;
        let write = Write::Item {
            dict: dict.clone(),
            key,
            value,
        };
        self.undo.push(Undo::Always(write));
        Ok(())
    }

    /// The code objects that are about to be replaced.
    pub(crate) fn doomed_codes(&self) -> Vec<Bound<'py, pyo3::types::PyCode>> {
        let mut codes: Vec<Bound<'py, pyo3::types::PyCode>> = Vec::new();
        for write in &self.writes {
            if let Write::Code { function, .. } = write
                && let Ok(Ok(code)) = function.getattr("__code__").map(|code| code.cast_into())
                && !codes.iter().any(|known| known.is(&code))
            {
                codes.push(code);
            }
        }
        codes
    }

    /// The code objects that functions held before.
    pub(crate) fn replaced_codes(&self) -> Vec<Bound<'py, pyo3::types::PyCode>> {
        let mut codes: Vec<Bound<'py, pyo3::types::PyCode>> = Vec::new();
        for undo in &self.undo {
            if let Undo::Write {
                write: Write::Code { code, .. },
                ..
            } = undo
                && !codes.iter().any(|known| known.is(code))
                && let Ok(code) = code.clone().cast_into()
            {
                codes.push(code);
            }
        }
        codes
    }

    /// Performs all writes that were pushed since the last commit.
    pub(crate) fn commit(&mut self, py: Python<'py>) -> PyResult<()> {
        let mut successions = Vec::new();
        for write in std::mem::take(&mut self.writes) {
            let result = match write {
                Write::Reference { old, new } => {
                    successions.push(cpython::Succession {
                        old,
                        new,
                        all_or_none: false,
                    });
                    Ok(())
                }
                Write::Instance { old, new } => {
                    // Only now: until here the program may have written to the old one.
                    let filled = crate::moved::fill_instance(&old, &new);
                    successions.push(cpython::Succession {
                        old,
                        new,
                        all_or_none: true,
                    });
                    filled
                }
                write => self.perform(write),
            };
            if let Err(error) = result {
                self.roll_back(py);
                return Err(error);
            }
        }
        if successions.is_empty() {
            return Ok(());
        }
        match cpython::replace_references(py, successions) {
            Ok((replaced, left)) => {
                self.undo.push(Undo::References(replaced));
                self.left.extend(left);
                Ok(())
            }
            Err(error) => {
                self.roll_back(py);
                Err(error)
            }
        }
    }

    /// Undoes everything that was committed, newest first.
    pub(crate) fn roll_back(&mut self, py: Python<'py>) {
        self.writes.clear();
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Write { done, write } => {
                    if is_still(&done).unwrap_or(true) {
                        // Nothing can be done about a failing undo but to go on with the rest.
                        if let Err(error) = write_now(&write) {
                            error.write_unraisable(py, None);
                        }
                    }
                }
                Undo::Always(write) => {
                    if let Err(error) = write_now(&write) {
                        error.write_unraisable(py, None);
                    }
                }
                Undo::References(replaced) => {
                    if let Err(error) = replaced.restore(py) {
                        cpython::raised(error).write_unraisable(py, None);
                    }
                }
            }
        }
    }

    fn perform(&mut self, write: Write<'py>) -> PyResult<()> {
        let Some(inverse) = inverse(&write)? else {
            return write_now(&write);
        };
        write_now(&write)?;
        self.undo.push(Undo::Write {
            done: write,
            write: inverse,
        });
        Ok(())
    }
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
        Write::Bases { class, .. } => Write::Bases {
            class: class.clone(),
            bases: class.getattr("__bases__")?.cast_into::<PyTuple>()?,
        },
        Write::Attribute { object, name, .. } => Write::Attribute {
            object: object.clone(),
            name,
            value: object.getattr(*name).ok(),
        },
        Write::InstanceClass { object, .. } => Write::InstanceClass {
            object: object.clone(),
            class: object.get_type(),
        },
        // The attribute was missing: the way back is to delete it.
        Write::InstanceAttribute { object, name, .. } => {
            let name = name.clone();
            match object
                .getattr("__dict__")
                .ok()
                .and_then(|dict| dict.cast_into::<PyDict>().ok())
            {
                Some(dict) => {
                    let value = dict.get_item(&name)?;
                    Write::Item {
                        dict,
                        key: name,
                        value,
                    }
                }
                None => return Ok(None),
            }
        }
        Write::Shift { code, delta } => Write::Shift {
            code: code.clone(),
            delta: -delta,
        },
        Write::Globals { function, .. } => Write::Globals {
            function: function.clone(),
            globals: function.getattr("__globals__")?.cast_into::<PyDict>()?,
        },
        Write::Content { container, .. } => Write::Content {
            container: container.clone(),
            content: container.call_method0("copy")?,
        },
        Write::Reference { .. } | Write::Instance { .. } | Write::ClearCache { .. } => {
            return Ok(None);
        }
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
        Write::ClassAttribute { class, name, value } => {
            same(cpython::type_dict(class).get_item(name)?, value)
        }
        _ => true,
    })
}

fn write_now(write: &Write<'_>) -> PyResult<()> {
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
        Write::Bases { class, bases } => cpython::set_bases(class, bases),
        Write::Attribute {
            object,
            name,
            value,
        } => match value {
            Some(value) => object.setattr(*name, value),
            None => object.delattr(*name),
        },
        Write::InstanceClass { object, class } => cpython::set_instance_class(object, class),
        Write::InstanceAttribute {
            object,
            name,
            value,
        } => {
            let setter = object.py().get_type::<PyAny>().getattr("__setattr__")?;
            setter.call1((object, name, value)).map(drop)
        }
        Write::Shift { code, delta } => cpython::shift_first_line(code, *delta),
        Write::Globals { function, globals } => cpython::set_globals(function, globals),
        Write::Content { container, content } => set_content(container, content),
        Write::Reference { .. } | Write::Instance { .. } => Ok(()),
        Write::ClearCache { object } => object.call_method0("cache_clear").map(drop),
    }
}

/// Puts the items of one container into another of its kind, in place.
pub(crate) fn set_content(
    container: &Bound<'_, PyAny>,
    content: &Bound<'_, PyAny>,
) -> PyResult<()> {
    if let (Ok(list), Ok(new)) = (container.cast::<PyList>(), content.cast::<PyList>()) {
        return list.set_slice(0, list.len(), new.as_any());
    }
    let new = content.call_method0("copy")?;
    if let (Ok(dict), Ok(new)) = (container.cast::<PyDict>(), new.cast::<PyDict>()) {
        dict.clear();
        return dict.update(new.as_mapping());
    }
    container.call_method0("clear")?;
    container.call_method1("update", (new,)).map(drop)
}
