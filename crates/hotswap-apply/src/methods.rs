//! What a statement calls on classes and instances that live: methods, and the making of
//! instances.

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::Kind;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyList, PyModule, PySet, PyType};
use rustc_hash::FxHashSet;

use crate::native as cpython;
use crate::reach::lookup;
use crate::stage::Stage;
use crate::transaction::Write;
use crate::values;

/// Containers inside containers are followed so far.
const DEPTH: usize = 20;

/// The namespace or the container that holds a new instance, and its name in here.
const HOLDERS: isize = 2;

impl<'py> Stage<'_, 'py> {
    /// Why calling a method of a project class may not be harmless. None: it is no such
    /// method. `Some(None)`: it is harmless.
    #[allow(clippy::option_option)]
    pub(crate) fn method_impurity(
        &self,
        owner: &Bound<'py, PyAny>,
        name: &str,
        depth: usize,
    ) -> Option<Option<String>> {
        let function = method_of(owner, name)?;
        let source = self.world.by_dict(&function.peek("__globals__").ok()?)?;
        let qualname: String = function.peek("__qualname__").ok()?.extract().ok()?;
        let (class, own) = qualname.split_once('.')?;
        let outline = self.outline(source)?;
        let Kind::Class(definition) = &outline.statements[outline.last_binder(class)?].kind else {
            return None;
        };
        let mut methods = definition.body.iter().rev();
        let method =
            methods.find_map(|member| member.function().filter(|each| each.name == own))?;
        let plain = method.decorators.iter().all(|decorator| {
            matches!(decorator.head.as_slice(), [one] if one == "staticmethod" || one == "classmethod")
        });
        if !plain {
            return Some(Some(format!("{qualname} is decorated")));
        }
        Some(self.impurity_at(source, &method.facts, depth + 1))
    }

    /// Whether a method of what a name holds would run something that changed.
    pub(crate) fn method_changed(
        &self,
        owner: &Bound<'py, PyAny>,
        name: &str,
        seen: &mut FxHashSet<(usize, String)>,
    ) -> bool {
        method_of(owner, name).is_some_and(|method| self.function_changed(&method, seen))
    }

    /// Whether making an instance of a class would run something that changed, and one that
    /// lives can follow in place.
    pub(crate) fn making_changed(&self, class: &Bound<'py, PyType>) -> bool {
        // Others are moved or replaced: what they hold is theirs.
        slots_of(class).is_ok_and(|slots| slots.is_some())
            && !self.replaced.iter().any(|(old, _)| old.is(class))
            && self.making_changed_at(class, &mut FxHashSet::default())
    }

    /// Whether making an instance of a class, also by what the classes above do, would run
    /// something that changed.
    pub(crate) fn making_changed_at(
        &self,
        class: &Bound<'py, PyType>,
        seen: &mut FxHashSet<(usize, String)>,
    ) -> bool {
        class.mro().iter().any(|base| {
            let Ok(base) = base.cast_into::<PyType>() else {
                return false;
            };
            let members = cpython::type_dict(&base);
            ["__new__", "__init__", "__post_init__"].iter().any(|name| {
                let made = members.get_item(name).ok().flatten();
                made.is_some_and(|made| self.function_changed(&made, seen))
            })
        })
    }

    /// An instance that was made again, as nobody has changed it: it gets the attributes of
    /// the new one, so that whoever holds it has what a fresh start would give. False: it
    /// cannot be changed in place.
    pub(crate) fn follow_instance(
        &mut self,
        was: &Bound<'py, PyAny>,
        now: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        if !values::has_identity(was) || was.is(now) || !was.get_type().is(now.get_type()) {
            return Ok(false);
        }
        if values::alike(was, now) {
            return Ok(true);
        }
        // All that it is stands in its dict, its slots and the container that it may be.
        let Some(slots) = slots_of(&was.get_type())? else {
            return Ok(false);
        };
        let content = builtin_content(now)?;
        let dicts = match (cpython::own_dict(was)?, cpython::own_dict(now)?) {
            (Some(was), Some(now)) => Some((was, now)),
            (None, None) if !slots.is_empty() || content.is_some() => None,
            _ => return Ok(false),
        };
        // What it holds may lead back to it: a bound method of its own.
        if hotswap_cpython::heap::reference_count(now).is_none_or(|count| count > HOLDERS) {
            self.transaction.push(Write::Reference {
                old: now.clone(),
                new: was.clone(),
            });
        }
        if let Some((container, content)) = dicts {
            self.transaction.push(Write::Content {
                container: container.into_any(),
                content: content.into_any(),
            });
        }
        if let Some(content) = content {
            self.transaction.push(Write::Content {
                container: was.clone(),
                content,
            });
        }
        for (name, slot) in slots {
            let get = |object| slot.call_method1("__get__", (object,)).ok();
            let (old, new) = (get(was), get(now));
            let same = match (&old, &new) {
                (Some(old), Some(new)) => old.is(new),
                (old, new) => old.is_none() && new.is_none(),
            };
            if !same {
                self.transaction.push(Write::InstanceAttribute {
                    object: was.clone(),
                    name,
                    value: new,
                });
            }
        }
        Ok(true)
    }
}

impl<'py> Stage<'_, 'py> {
    /// The same for instances at the same places of two containers: the new container gets
    /// the old instances.
    pub(crate) fn follow_elements(
        &mut self,
        was: &Bound<'py, PyAny>,
        now: &Bound<'py, PyAny>,
        depth: usize,
    ) -> PyResult<()> {
        // A container may hold itself.
        if depth > DEPTH {
            return Ok(());
        }
        if let (Ok(was), Ok(now)) = (was.cast_exact::<PyList>(), now.cast_exact::<PyList>()) {
            if was.len() != now.len() {
                return Ok(());
            }
            for at in 0..now.len() {
                let (old, new) = (was.get_item(at)?, now.get_item(at)?);
                if self.follow_instance(&old, &new)? {
                    now.set_item(at, old)?;
                } else {
                    self.follow_elements(&old, &new, depth + 1)?;
                }
            }
        } else if let (Ok(was), Ok(now)) = (was.cast_exact::<PyDict>(), now.cast_exact::<PyDict>())
        {
            for (key, new) in now.copy()?.iter() {
                if !values::is_plain(&key) {
                    continue;
                }
                let Some(old) = was.get_item(&key)? else {
                    continue;
                };
                if self.follow_instance(&old, &new)? {
                    now.set_item(key, old)?;
                } else {
                    self.follow_elements(&old, &new, depth + 1)?;
                }
            }
        }
        Ok(())
    }
}

fn is_builtin_container(class: &Bound<'_, PyType>) -> bool {
    let py = class.py();
    class.is(py.get_type::<PyDict>())
        || class.is(py.get_type::<PyList>())
        || class.is(py.get_type::<PySet>())
}

/// What an instance holds as a builtin container, if its class is below one.
fn builtin_content<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    match value.get_type().mro().iter().any(|base| {
        base.cast_into::<PyType>()
            .is_ok_and(|base| is_builtin_container(&base))
    }) {
        true => crate::contents::copy_of(value).map(Some),
        false => Ok(None),
    }
}

/// The slots of a class, with their names. None: a class that C made is among its bases,
/// beside `object` and the builtin containers.
type Slots<'py> = Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>;

fn slots_of<'py>(class: &Bound<'py, PyType>) -> PyResult<Option<Slots<'py>>> {
    let object = class.py().get_type::<PyAny>();
    let mut slots = Vec::new();
    for base in class.mro().iter() {
        let base = base.cast_into::<PyType>()?;
        if base.is(&object) || is_builtin_container(&base) {
            continue;
        }
        if !values::is_python_class(&base)? {
            return Ok(None);
        }
        slots.extend(cpython::type_dict(&base).iter().filter(|(_, member)| {
            member
                .get_type()
                .name()
                .is_ok_and(|name| name == "member_descriptor")
        }));
    }
    Ok(Some(slots))
}

/// The function of the program behind a method of a class or of an instance.
fn method_of<'py>(owner: &Bound<'py, PyAny>, name: &str) -> Option<Bound<'py, PyAny>> {
    if owner.is_instance_of::<PyModule>() {
        return None;
    }
    let class = match owner.cast::<PyType>() {
        Ok(class) => class.clone(),
        Err(_) => {
            // An attribute of the instance would hide the method.
            let own = cpython::own_dict(owner).ok()?;
            if own.is_some_and(|own| own.contains(name).unwrap_or(true)) {
                return None;
            }
            owner.get_type()
        }
    };
    let found = lookup(&class, name).ok()??;
    let kind = found.get_type().name().ok()?.to_string();
    let function = match kind.as_str() {
        "staticmethod" | "classmethod" => found.peek("__func__").ok()?,
        _ => found,
    };
    function
        .is_exact_instance_of::<PyFunction>()
        .then_some(function)
}
