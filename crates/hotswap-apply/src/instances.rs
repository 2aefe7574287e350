//! Live instances get the attributes that a fresh one would have.

use crate::native as cpython;
use hotswap_plan::{ClassDef, FunctionDef, Statement, Target};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet, PyString, PyType};
use rustc_hash::FxHashSet;

use crate::class::AllAlong;
use crate::stage::{After, Stage};
use crate::transaction::Write;

/// The method by which a class sees to its live instances itself.
const HOOK: &str = "__hotswap_migrate__";

/// After so many looks at the heap the last of the instances are left to chance.
const ROUNDS: usize = 20;

/// A class whose instances gain attributes.
pub(crate) struct Gaining<'py> {
    module: usize,
    class: Bound<'py, PyType>,
    after: ClassDef,
    statement: Statement,
    old: Option<FunctionDef>,
    added: Vec<String>,
}

impl<'py> Stage<'_, 'py> {
    /// The same as [`Stage::new_attributes`], for a class of which only method bodies changed.
    pub(crate) fn new_attributes_of(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
    ) -> PyResult<()> {
        let (Some(before), Some(after)) = (old.class(), new.class()) else {
            return Ok(());
        };
        match self.class_at(module, std::slice::from_ref(&after.name))? {
            Some(class) => self.new_attributes(module, &class, before, after),
            None => Ok(()),
        }
    }

    /// New lines of `__init__` that can be evaluated for an instance reach those that
    /// live; the others are left to the class's own hook, or reported.
    pub(crate) fn new_attributes(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
    ) -> PyResult<()> {
        let (old, new) = (init_of(before), init_of(after));
        let Some((statement, is)) = new else {
            return Ok(());
        };
        let had = attributes_of(old.map(|(_, function)| function));
        let has = attributes_of(Some(is));
        let added: Vec<String> = difference(&has, &had);
        let removed: Vec<String> = difference(&had, &has);
        if added.is_empty() && removed.is_empty() {
            return Ok(());
        }
        if !added.is_empty() && !self.committed && cpython::other_threads(self.py) {
            // Until the commit other threads make instances by the old `__init__`.
            let old = old.map(|(_, function)| function);
            self.attributes_after(module, class, after, statement, old, &added, true);
        }
        if !added.is_empty() && !self.committed && !defines(after, HOOK) {
            self.gaining.push(Gaining {
                module,
                class: class.clone(),
                after: after.clone(),
                statement: statement.clone(),
                old: old.map(|(_, function)| function.clone()),
                added: added.clone(),
            });
        }
        let instances = cpython::instances_of(self.py, class, true)?;
        if instances.is_empty() {
            return Ok(());
        }
        let mangled = |names: &[String]| -> Vec<String> {
            names.iter().map(|name| mangle(&after.name, name)).collect()
        };
        let hooked = defines(after, HOOK);
        if hooked {
            self.plan_hook(&instances, &mangled(&added), &mangled(&removed))?;
        }
        if added.is_empty() {
            return Ok(());
        }
        let old = old.map(|(_, function)| function);
        self.evaluate_attributes(
            module, class, after, statement, old, is, &added, &instances, hooked,
        )
    }

    #[allow(clippy::too_many_arguments)]
    fn attributes_after(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        after: &ClassDef,
        statement: &Statement,
        old: Option<&FunctionDef>,
        added: &[String],
        latecomers: bool,
    ) {
        self.after.push(After::Attributes {
            module,
            class: class.clone(),
            after: Box::new(after.clone()),
            statement: Box::new(statement.clone()),
            old: old.map(|old| Box::new(old.clone())),
            added: added.to_vec(),
            latecomers,
        });
    }

    /// Instances that other threads have made since with the old `__init__`.
    pub(crate) fn catch_up_with_instances(&mut self) -> PyResult<()> {
        let entries = self.entries.len();
        for gaining in std::mem::take(&mut self.gaining) {
            let mut known: FxHashSet<usize> = FxHashSet::default();
            // What is evaluated for one may let others in, who make more of them: it is
            // over when nothing was evaluated since the last look at the heap.
            for _ in 0..ROUNDS {
                let Some(is) = gaining.statement.function() else {
                    break;
                };
                // What has to wait for the commit looks for instances there.
                let made_by = (&gaining.class, &gaining.after);
                if self
                    .recipe(
                        gaining.module,
                        made_by,
                        gaining.old.as_ref(),
                        is,
                        &gaining.added,
                    )
                    .waits
                {
                    break;
                }
                let instances = cpython::instances_of(self.py, &gaining.class, true)?;
                let address = |instance: &Bound<'py, PyAny>| instance.as_ptr() as usize;
                let is_given = |instance: &Bound<'py, PyAny>| {
                    self.given.contains_key(&address(instance))
                        || known.contains(&address(instance))
                };
                if instances.iter().all(is_given) {
                    break;
                }
                known.extend(instances.iter().map(address));
                // The report speaks of those that were there.
                self.evaluate_attributes(
                    gaining.module,
                    &gaining.class,
                    &gaining.after,
                    &gaining.statement,
                    gaining.old.as_ref(),
                    is,
                    &gaining.added,
                    &instances,
                    true,
                )?;
                // Their addresses are theirs for as long as they live.
                self.caught_up.extend(instances);
            }
            self.gaining.push(gaining);
        }
        self.entries.truncate(entries);
        Ok(())
    }

    /// Gives instances what can be evaluated for them, in the order of `__init__`.
    #[allow(clippy::too_many_arguments)]
    fn evaluate_attributes(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        after: &ClassDef,
        statement: &Statement,
        old: Option<&FunctionDef>,
        is: &FunctionDef,
        added: &[String],
        instances: &[Bound<'py, PyAny>],
        hooked: bool,
    ) -> PyResult<()> {
        let recipe = self.recipe(module, (class, after), old, is, added);
        if recipe.waits && !self.committed {
            self.gaining.retain(|gaining| !gaining.class.is(class));
            self.attributes_after(module, class, after, statement, old, added, false);
            return Ok(());
        }
        let mut given: Vec<(String, usize)> = Vec::new();
        let mut lacking: Vec<(String, usize, String)> = Vec::new();
        let mut along: Option<AllAlong<'py>> = None;
        let mut deferred: Vec<String> = Vec::new();
        let changing = changing(old, is, added, &after.name);
        for name in added {
            let mangled = mangle(&after.name, name);
            let key = self.intern(&mangled);
            if !self.committed && self.will_be_set_by_code(instances, &key)? {
                // Their class gets a property of that name: whether one lacks it shows then.
                if !hooked {
                    deferred.push(name.clone());
                }
                continue;
            }
            let (mut count, mut short, mut why) = (0, 0, String::new());
            for instance in instances {
                // Whatever it has, or gets from its class, stays.
                if self.is_given(instance, &mangled) || instance.getattr(&key).is_ok() {
                    continue;
                }
                let outcome = match cpython::own_attribute(instance, &key) {
                    Ok(None) => match self.evaluate_for(&recipe, instance, &after.name, name)? {
                        Err(reason) if !hooked => {
                            let along = match &mut along {
                                Some(along) => along,
                                None => along.insert(self.along(instances)?),
                            };
                            match along.get_mut(&(instance.as_ptr() as usize)) {
                                Some(known) if self.committed => self
                                    .value_along(known, &mangled, &changing)?
                                    .map_err(|why| format!("{reason}; {why}")),
                                _ => Err(reason),
                            }
                        }
                        outcome => outcome,
                    },
                    Ok(Some(_)) => continue,
                    Err(_) => Err("a descriptor of its class keeps it".to_string()),
                };
                match outcome {
                    Ok(value) => {
                        self.give(instance, key.clone().into_any(), value);
                        count += 1;
                    }
                    Err(reason) => {
                        short += 1;
                        why = reason;
                    }
                }
            }
            if count > 0 {
                given.push((name.clone(), count));
            }
            if short > 0 && !hooked {
                lacking.push((name.clone(), short, why));
            }
        }
        for (name, count) in given {
            let label = format!("{}.{name}", after.name);
            self.entry(module, &label, Some(statement), "instance", "migrated")
                .reason = format!("{count} instances");
        }
        // What gives those their values is not committed yet.
        if !lacking.is_empty() && !self.committed && along.is_some_and(|along| !along.is_empty()) {
            self.attributes_after(module, class, after, statement, old, added, false);
            return Ok(());
        }
        if !deferred.is_empty() {
            self.attributes_after(module, class, after, statement, old, &deferred, false);
        }
        for (name, count, reason) in lacking {
            let label = format!("{}.{name}", after.name);
            let entry = self.entry(module, &label, Some(statement), "instance", "not applied");
            entry.reason = format!("{count} instances lack it: {reason}");
            entry.advice = format!("define {HOOK}(self, added, removed, old_values)");
        }
        Ok(())
    }

    /// Whether the class of one of some instances, as it will be after the commit, has a
    /// property or another descriptor of the program under a name.
    fn will_be_set_by_code(
        &self,
        instances: &[Bound<'py, PyAny>],
        name: &Bound<'py, PyString>,
    ) -> PyResult<bool> {
        let mut asked: Vec<Bound<'py, PyType>> = Vec::new();
        for instance in instances {
            let kind = instance.get_type();
            if asked.iter().any(|known| known.is(&kind)) {
                continue;
            }
            asked.push(kind.clone());
            let mut classes = vec![kind.clone()];
            let mut at = 0;
            while at < classes.len() {
                let class = classes[at].clone();
                at += 1;
                let found = match self.transaction.pending_member(&class, name) {
                    Some(value) => value,
                    None => cpython::type_dict(&class).get_item(name)?,
                };
                if found.is_some_and(|found| cpython::is_set_by_code(&found)) {
                    return Ok(true);
                }
                let planned = self.transaction.planned_bases(&class);
                let mut above: Vec<Bound<'py, PyAny>> = match planned {
                    Some(bases) => bases.iter().collect(),
                    None => class.bases().iter().collect(),
                };
                let replaced = self.replaced.iter().find(|(old, _)| old.is(&class));
                above.extend(replaced.map(|(_, made)| made.clone().into_any()));
                for base in above {
                    let base = base.cast_into::<PyType>()?;
                    if !classes.iter().any(|known| known.is(&base)) {
                        classes.push(base);
                    }
                }
            }
        }
        Ok(false)
    }

    fn is_given(&self, instance: &Bound<'py, PyAny>, name: &str) -> bool {
        let given = self.given.get(&(instance.as_ptr() as usize));
        given.is_some_and(|given| given.iter().any(|(known, _)| known == name))
    }

    /// What had to wait until the functions that it calls were committed.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn late_attributes(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        after: &ClassDef,
        statement: &Statement,
        old: Option<&FunctionDef>,
        added: &[String],
        latecomers: bool,
    ) -> PyResult<()> {
        let Some(is) = statement.function() else {
            return Ok(());
        };
        let instances = cpython::instances_of(self.py, class, true)?;
        // Of latecomers all has been said that there is to say.
        let hooked = latecomers || defines(after, HOOK);
        self.evaluate_attributes(
            module, class, after, statement, old, is, added, &instances, hooked,
        )
    }

    /// An attribute for an instance, or for what takes its place.
    fn give(
        &mut self,
        instance: &Bound<'py, PyAny>,
        name: Bound<'py, PyAny>,
        value: Bound<'py, PyAny>,
    ) {
        let object = self
            .moved
            .get(&(instance.as_ptr() as usize))
            .unwrap_or(instance)
            .clone();
        let pending = self.given.entry(instance.as_ptr() as usize).or_default();
        pending.push((name.to_string(), value.clone()));
        self.transaction.push(Write::InstanceAttribute {
            object,
            name,
            value: Some(value),
        });
    }

    /// Leaves the instances to the hook of their class, after the commit.
    fn plan_hook(
        &mut self,
        instances: &[Bound<'py, PyAny>],
        added: &[String],
        removed: &[String],
    ) -> PyResult<()> {
        for instance in instances {
            let old_values = crate::moved::own_attributes(instance)?;
            let object = self
                .moved
                .get(&(instance.as_ptr() as usize))
                .unwrap_or(instance)
                .clone();
            self.after.push(After::Migrate {
                object,
                added: PySet::new(self.py, added)?,
                removed: PySet::new(self.py, removed)?,
                old_values,
            });
        }
        Ok(())
    }

    /// Lets a class see to one of its instances. What it does is undone if the update fails.
    pub(crate) fn migrate(
        &mut self,
        object: &Bound<'py, PyAny>,
        added: &Bound<'py, PySet>,
        removed: &Bound<'py, PySet>,
        old_values: &Bound<'py, PyDict>,
    ) -> PyResult<()> {
        let before = crate::moved::own_attributes(object)?;
        let result = object.call_method1(HOOK, (added, removed, old_values));
        let now = crate::moved::own_attributes(object)?;
        for name in now.keys().iter().chain(before.keys().iter()) {
            let (was, is) = (before.get_item(&name)?, now.get_item(&name)?);
            let same = match (&was, &is) {
                (Some(was), Some(is)) => was.is(is),
                (None, None) => true,
                _ => false,
            };
            if !same {
                self.transaction.remember_attribute(object, &name, was);
            }
        }
        result.map(drop)
    }

    /// Gives instances with a dict the default of an added field, as their making would have.
    fn give_default(
        &mut self,
        instances: &[Bound<'py, PyAny>],
        name: &str,
        default: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        for instance in instances {
            if let Some(own) = cpython::own_dict(instance)?
                && !own.contains(name)?
            {
                let key = self.intern(name);
                self.give(instance, key.into_any(), default.clone());
            }
        }
        Ok(())
    }

    /// Fields of a dataclass that fresh instances have and live ones lack.
    pub(crate) fn new_fields(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
        after: &ClassDef,
    ) -> PyResult<()> {
        let new = cpython::type_dict(made);
        let Some(fields) = new.get_item("__dataclass_fields__")? else {
            return Ok(());
        };
        let fields = fields.cast_into::<PyDict>()?;
        let old = match cpython::type_dict(class).get_item("__dataclass_fields__")? {
            Some(old) => old.cast_into::<PyDict>()?,
            None => PyDict::new(self.py),
        };
        let names = |fields: &Bound<'py, PyDict>| -> PyResult<Vec<String>> {
            let mut names = Vec::new();
            for (name, field) in fields.iter() {
                if is_field(&field)? {
                    names.push(name.extract()?);
                }
            }
            Ok(names)
        };
        let (had, has) = (names(&old)?, names(&fields)?);
        let (added, removed) = (difference(&has, &had), difference(&had, &has));
        let instances = cpython::instances_of(self.py, class, true)?;
        if instances.is_empty() {
            return Ok(());
        }
        let hooked = defines(after, HOOK);
        if hooked && !(added.is_empty() && removed.is_empty()) {
            self.plan_hook(&instances, &added, &removed)?;
        }
        let missing = self.py.import("dataclasses")?.getattr("MISSING")?;
        for name in has {
            let Some(field) = fields.get_item(&name)? else {
                continue;
            };
            let (factory, default) = (field.getattr("default_factory")?, field.getattr("default")?);
            let by_class = match new.get_item(&name)? {
                Some(member) => member.get_type().name()? != "member_descriptor",
                None => false,
            };
            if by_class {
                // The class answers for those made before; their own value is that of the day.
                if added.contains(&name) {
                    self.give_default(&instances, &name, &default)?;
                }
                continue;
            }
            let mut short = 0;
            for instance in &instances {
                let key = self.intern(&name);
                if instance.getattr(&key).is_ok() {
                    continue;
                }
                if !factory.is(&missing) {
                    let value = factory.call0()?;
                    self.give(instance, key.into_any(), value);
                } else if !default.is(&missing) {
                    self.give(instance, key.into_any(), default.clone());
                } else {
                    short += 1;
                }
            }
            if short > 0 && !hooked && added.contains(&name) {
                let label = format!("{}.{name}", after.name);
                let entry = self.entry(module, &label, None, "instance", "not applied");
                entry.reason = format!("{short} instances lack it: the field has no default");
                entry.advice = format!("define {HOOK}(self, added, removed, old_values)");
            }
        }
        Ok(())
    }
}

/// An InitVar or ClassVar is no attribute of the instance.
fn is_field(field: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(field.getattr("_field_type")?.repr()?.to_str()? == "_FIELD")
}

/// The last definition of `__init__` in a class body.
fn init_of(class: &ClassDef) -> Option<(&Statement, &FunctionDef)> {
    class
        .body
        .iter()
        .rev()
        .filter_map(|member| Some((member, member.function()?)))
        .find(|(_, function)| function.name == "__init__")
}

fn defines(class: &ClassDef, name: &str) -> bool {
    class.body.iter().any(|member| {
        member
            .function()
            .is_some_and(|function| function.name == name)
    })
}

/// The attributes that a function sets on its first parameter, in order.
fn attributes_of(function: Option<&FunctionDef>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let Some(function) = function else {
        return names;
    };
    let targets = function
        .assignments
        .iter()
        .flat_map(|each| &each.targets)
        .chain(&function.unsure);
    for target in targets {
        if let Target::Attribute(name) = target
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    }
    names
}

/// The attributes, as they are stored, that an edit of `__init__` adds or no longer sets.
fn changing(
    old: Option<&FunctionDef>,
    is: &FunctionDef,
    added: &[String],
    class: &str,
) -> Vec<String> {
    let removed = difference(&attributes_of(old), &attributes_of(Some(is)));
    let names = added.iter().chain(&removed);
    names.map(|name| mangle(class, name)).collect()
}

fn difference(of: &[String], without: &[String]) -> Vec<String> {
    let without: FxHashSet<&String> = without.iter().collect();
    of.iter()
        .filter(|name| !without.contains(name))
        .cloned()
        .collect()
}

/// The name under which a private attribute is stored.
pub(crate) fn mangle(class: &str, name: &str) -> String {
    if name.starts_with("__") && !name.ends_with("__") {
        format!("_{}{name}", class.trim_start_matches('_'))
    } else {
        name.to_string()
    }
}
