//! What `__init_subclass__` and `__set_name__` worked out from the members of a class.
//!
//! A hook that collects the members of a class and its bases would collect others after
//! an edit of one of them. Like any derived value its result is made again if nobody
//! changed it since, and if making it is harmless: the hook runs on the class once before
//! the commit, where it must come to what is there, and once after it. It is watched both
//! times, and may write to the class and to what it makes. A hook that does more (a
//! registry) does not run.

use crate::native as cpython;
use crate::trial;
use crate::values;
use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{ClassDef, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyString, PyTuple, PyType};

use crate::stage::Stage;
use crate::undisturbed::Undisturbed;

/// Beyond so many classes the hooks are not asked.
const MOST: usize = 1000;

const HOOK: &str = "__init_subclass__";

/// A class whose hook comes to what is there.
pub(crate) struct Collected<'py> {
    module: usize,
    class: Bound<'py, PyType>,
    keywords: Bound<'py, PyDict>,
    /// The names of the attributes to which the hook did not come once more before the update.
    /// What it came to is not kept: it would not follow the edit as the live ones do.
    altered: Vec<Bound<'py, PyAny>>,
    /// The names of those that it does not see when it runs.
    hidden: Vec<Bound<'py, PyAny>>,
}

/// A class below one that gets other bases, with the hooks that it was made with.
pub(crate) struct Hooked<'py> {
    module: usize,
    pub(super) class: Bound<'py, PyType>,
    keywords: Bound<'py, PyDict>,
    pub(super) hooks: Vec<Bound<'py, PyAny>>,
    /// The attributes that these gave it.
    pub(super) given: Vec<Bound<'py, PyAny>>,
}

impl<'py> Stage<'_, 'py> {
    /// Finds the hooks whose results may become outdated by what is planned.
    pub(crate) fn note_collected(&mut self) -> PyResult<()> {
        let touched = self.touched_classes()?;
        if touched.is_empty() {
            return Ok(());
        }
        let mut classes = Vec::new();
        for class in &touched {
            self.with_subclasses(class, &mut classes)?;
        }
        if self.transaction.changes_bases() {
            self.note_hooked(&classes)?;
        }
        let mut found = Vec::new();
        for class in classes {
            // By the first part of the update that touches it: later ones see other bases.
            if self.asked_hooks.insert(class.as_ptr() as usize)
                && let Some((module, definition)) = self.asked(&class)?
                && let Some(keywords) = self.keywords_of(module, &definition)?
            {
                found.push((class.mro().len(), module, class, keywords));
            }
        }
        if found.is_empty() || found.len() > MOST {
            return Ok(());
        }
        self.looked_at.extend(touched);
        // Bases first: a hook may build upon what it gave to them.
        found.sort_by_key(|(depth, ..)| *depth);
        let _undisturbed = match !self.committed && cpython::other_threads(self.py) {
            true => Some(Undisturbed::begin(self.py)?),
            false => None,
        };
        for (_, module, class, keywords) in found {
            let before = cpython::type_dict(&class).copy()?;
            let (mut again, outcome) = tried(&class, &keywords, &before, &[])?;
            if outcome.is_err() {
                continue;
            }
            // It may have read what it had set itself, and which was not there at first.
            let set = differing(&again, &before)?;
            let mut hidden = Vec::new();
            if !set.iter().all(|name| is_alike(&again, &before, name)) {
                let (without, outcome) = tried(&class, &keywords, &before, &set)?;
                if outcome.is_ok() {
                    again = without;
                    hidden = set;
                }
            }
            let names = before.keys().iter().chain(again.keys());
            let altered = names
                .filter(|name| !is_alike(&before, &again, name))
                .collect();
            self.collected.push(Collected {
                module,
                class,
                keywords,
                altered,
                hidden,
            });
        }
        Ok(())
    }

    /// Notes with which hook the classes were made that this update does not make anew.
    fn note_hooked(&mut self, classes: &[Bound<'py, PyType>]) -> PyResult<()> {
        let _undisturbed = match !self.committed && cpython::other_threads(self.py) {
            true => Some(Undisturbed::begin(self.py)?),
            false => None,
        };
        for class in classes {
            if !self.rebuilt.iter().any(|(_, live)| live.is(class))
                && !self.hooks_changed(class)?
                && !self.hooked.iter().any(|known| known.class.is(class))
                && let Some((module, definition)) = self.statement_of(class)?
                && let Some(keywords) = self.keywords_of(module, &definition)?
            {
                let hooks = hooks_of(class)?;
                let given = match hooks.is_empty() {
                    false => given_by_hook(class, &keywords, &definition)?,
                    true => Vec::new(),
                };
                self.hooked.push(Hooked {
                    module,
                    class: class.clone(),
                    keywords,
                    hooks,
                    given,
                });
            }
        }
        Ok(())
    }

    /// Classes whose hook is another one since a base above them has other bases: it runs
    /// for the first time, and what the old one gave them goes.
    fn take_hooked(&mut self) -> PyResult<()> {
        for known in std::mem::take(&mut self.hooked) {
            if are_same(&hooks_of(&known.class)?, &known.hooks) {
                continue;
            }
            let mut others = self.collected.iter_mut();
            if let Some(other) = others.find(|other| other.class.is(&known.class)) {
                other.hidden = known.given;
            } else {
                self.collected.push(Collected {
                    module: known.module,
                    class: known.class,
                    keywords: known.keywords,
                    altered: Vec::new(),
                    hidden: known.given,
                });
            }
        }
        Ok(())
    }

    /// Runs those hooks again, on the classes as they are now.
    pub(crate) fn collect_again(&mut self) -> PyResult<()> {
        self.take_hooked()?;
        for class in std::mem::take(&mut self.looked_at) {
            self.order_members(&class)?;
        }
        for known in std::mem::take(&mut self.collected) {
            crate::fault::point("a hook of a class")?;
            let class = &known.class;
            let before = cpython::type_dict(class).copy()?;
            hide(class, &known.hidden)?;
            let outcome = run_hook(class, &known.keywords);
            let now = cpython::type_dict(class).copy()?;
            // Nobody changed it before, and it comes out otherwise.
            let is_derived = |name: &Bound<'py, PyAny>| {
                let altered = known
                    .altered
                    .iter()
                    .any(|other| other.eq(name).unwrap_or(true));
                !altered && !is_alike(&before, &now, name)
            };
            let failed = !matches!(&outcome, Ok(Ok(())));
            let kept = restore(class, &now, &before, |name| !failed && is_derived(name));
            self.transaction.note_class_changes(class, &before)?;
            let derived = kept?;
            let qualname: String = class.getattr("__qualname__")?.extract()?;
            if let Err(reason) = outcome? {
                let entry = self.entry(known.module, &qualname, None, "class", "stale");
                entry.reason = format!("{HOOK} reads members that changed; {reason}");
            }
            for name in derived {
                let name = format!("{qualname}.{name}");
                let entry = self.entry(known.module, &name, None, "attribute", "re-ran");
                entry.reason = format!("{HOOK} reads members that changed");
            }
        }
        Ok(())
    }

    /// Gives the members of a class the order of its body: what is added to a live class
    /// comes last, and a hook that collects would see that.
    fn order_members(&self, class: &Bound<'py, PyType>) -> PyResult<()> {
        let Some((_, definition)) = self.statement_of(class)? else {
            return Ok(());
        };
        let members = cpython::type_dict(class);
        let bound = PyDict::new(self.py);
        for name in definition.body.iter().flat_map(|member| &member.binds) {
            let name = crate::instances::mangle(&definition.name, name);
            if members.contains(&name)? && !bound.contains(&name)? {
                bound.set_item(name, self.py.None())?;
            }
        }
        let mut sorted = bound.keys().iter();
        let order = PyDict::new(self.py);
        for name in members.keys() {
            let next = match bound.contains(&name)? {
                true => sorted.next(),
                false => None,
            };
            order.set_item(next.unwrap_or(name), self.py.None())?;
        }
        // The same entries: nothing of the type is outdated but what is cached of its dict.
        crate::contents::set_order(&members, &order)?;
        cpython::invalidate_attribute_cache(class);
        Ok(())
    }

    /// Attributes that a removed descriptor had set on its class when it was told its name
    /// go with it.
    pub(crate) fn withdraw_named(&mut self) -> PyResult<()> {
        for (class, name, value) in self.transaction.planned_members() {
            let held = cpython::type_dict(&class).get_item(&name)?;
            if let (None, Some(descriptor)) = (value, held)
                && !self.rebuilt.iter().any(|(made, _)| made.is(&class))
            {
                self.withdraw_what_it_set(&class, &name, &descriptor)?;
            }
        }
        Ok(())
    }

    fn withdraw_what_it_set(
        &mut self,
        class: &Bound<'py, PyType>,
        name: &Bound<'py, PyAny>,
        descriptor: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let kind = descriptor.get_type();
        let hook = crate::reach::lookup(&kind, "__set_name__")?;
        let Some(hook) = hook.filter(|hook| hook.is_exact_instance_of::<PyFunction>()) else {
            return Ok(());
        };
        let Some((_, definition)) = self.statement_of(class)? else {
            return Ok(());
        };
        // It is told its name once more, as an attribute of a class that nobody sees.
        let stand_in = self.py.get_type::<PyType>().call1((
            class.getattr("__name__")?,
            PyTuple::empty(self.py),
            PyDict::new(self.py),
        ))?;
        let stand_in = stand_in.cast_into::<PyType>()?;
        let fresh = cpython::type_dict(&stand_in).copy()?;
        let Some(own) = cpython::own_dict(descriptor)? else {
            return Ok(());
        };
        let attributes = own.copy()?;
        let arguments = PyTuple::new(self.py, [descriptor, stand_in.as_any(), name])?;
        let writable = [descriptor.clone(), stand_in.clone().into_any()];
        let outcome = trial::attempt(&hook, &arguments, None, &writable);
        own.clear();
        own.update(attributes.as_mapping())?;
        if outcome?.is_err() {
            return Ok(());
        }
        let live = cpython::type_dict(class);
        for (set, value) in cpython::type_dict(&stand_in).iter() {
            let known = fresh.contains(&set)?;
            let text: String = set.extract()?;
            let bound = definition
                .body
                .iter()
                .any(|member| member.binds.contains(&text));
            let planned = self.transaction.planned_attributes(class);
            let planned = planned
                .iter()
                .any(|(other, _)| other.eq(&set).unwrap_or(false));
            if !known
                && !bound
                && !planned
                && live
                    .get_item(&set)?
                    .is_some_and(|held| values::alike(&held, &value))
            {
                self.transaction.set_class_attribute(class, &text, None);
            }
        }
        Ok(())
    }

    /// The live classes of which this update changes members or bases.
    fn touched_classes(&self) -> PyResult<Vec<Bound<'py, PyType>>> {
        let mut touched: Vec<Bound<'py, PyType>> = Vec::new();
        let mut add = |class: &Bound<'py, PyType>| {
            if !touched.iter().any(|known| known.is(class)) {
                touched.push(class.clone());
            }
        };
        for (class, name, value) in self.transaction.planned_members() {
            let held = cpython::type_dict(&class).get_item(&name)?;
            let same = match (&held, &value) {
                (Some(held), Some(value)) => held.is(value),
                (None, None) => true,
                _ => false,
            };
            if !same && !is_bookkeeping(&name) {
                add(&class);
            }
        }
        self.changed_members.iter().for_each(&mut add);
        let late = self.late_members.iter().map(|late| &late.class);
        late.for_each(&mut add);
        // Those that have their turn after the commit: a hook comes to what is there only
        // with the code that made it.
        for late in &self.late {
            let outline = self.outline(late.module);
            let statement = outline
                .as_ref()
                .map(|outline| &outline.statements[late.step]);
            if let Some(definition) = statement.and_then(Statement::class)
                && let Some(live) = self.live_dict(late.module).get_item(&definition.name)?
                && let Ok(class) = live.cast::<PyType>()
            {
                add(class);
            }
        }
        self.rebuilt.iter().for_each(|(_, live)| add(live));
        touched.retain(|class| {
            let made = self.rebuilt.iter().any(|(made, _)| made.is(class));
            !made
                && !self
                    .replaced
                    .iter()
                    .any(|(one, other)| one.is(class) || other.is(class))
        });
        Ok(touched)
    }

    fn with_subclasses(
        &self,
        class: &Bound<'py, PyType>,
        found: &mut Vec<Bound<'py, PyType>>,
    ) -> PyResult<()> {
        let made = self.rebuilt.iter().any(|(made, _)| made.is(class));
        if made || found.len() > MOST || found.iter().any(|known| known.is(class)) {
            return Ok(());
        }
        found.push(class.clone());
        let kind = self.py.get_type::<PyType>();
        for below in kind.call_method1("__subclasses__", (class,))?.try_iter()? {
            self.with_subclasses(&below?.cast_into::<PyType>()?, found)?;
        }
        Ok(())
    }

    /// The statement of a class with a hook in Python that this update does not run anyway.
    fn asked(&self, class: &Bound<'py, PyType>) -> PyResult<Option<(usize, ClassDef)>> {
        // What is made anew has been through its hooks.
        if self.rebuilt.iter().any(|(_, live)| live.is(class)) {
            return Ok(None);
        }
        // Those of `typing.Generic` and the like pass the call on.
        let mut is_python = false;
        for base in class.mro().iter().skip(1) {
            let hook = cpython::type_dict(&base.cast_into::<PyType>()?).get_item(HOOK)?;
            is_python |= hook.is_some_and(|hook| {
                hook.peek("__func__")
                    .is_ok_and(|function| function.is_exact_instance_of::<PyFunction>())
            });
        }
        if !is_python || self.hooks_changed(class)? {
            return Ok(None);
        }
        self.statement_of(class)
    }

    /// The module and the definition of a class, by its names.
    pub(super) fn statement_of(
        &self,
        class: &Bound<'py, PyType>,
    ) -> PyResult<Option<(usize, ClassDef)>> {
        let qualname: String = class.getattr("__qualname__")?.extract()?;
        let Some(module) = self.home_of(class)? else {
            return Ok(None);
        };
        let Some(outline) = self.outline(module) else {
            return Ok(None);
        };
        let mut body: &[Statement] = &outline.statements;
        let mut found = None;
        for name in qualname.split('.') {
            let binds = |each: &&Statement| each.binds.iter().any(|bound| bound == name);
            let Some(class) = body.iter().rev().find(binds).and_then(Statement::class) else {
                return Ok(None);
            };
            body = &class.body;
            found = Some(class);
        }
        Ok(found.map(|class| (module, class.clone())))
    }

    /// The keywords of a class statement. None: they are not known without effects.
    pub(super) fn keywords_of(
        &self,
        module: usize,
        definition: &ClassDef,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let text = self.text(module);
        let keywords = PyDict::new(self.py);
        for argument in &definition.arguments {
            let head = text[..argument.span.start as usize].trim_end();
            if head.ends_with('*') {
                return Ok(None);
            }
            let Some(head) = head.strip_suffix('=') else {
                continue;
            };
            let head = head.trim_end();
            let start = head
                .rfind(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
                .map_or(0, |at| {
                    at + head[at..].chars().next().map_or(1, char::len_utf8)
                });
            let name = &head[start..];
            if name == "metaclass" {
                continue;
            }
            if self.impurity(module, &argument.facts).is_some() {
                return Ok(None);
            }
            let source = argument.span.of(&text);
            match crate::statement::evaluate(self.py, source, &self.live_dict(module)) {
                Ok(value) => keywords.set_item(name, value)?,
                // It reads what this update is going to bind.
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(keywords))
    }
}

/// The hooks of the classes above one, the one that is called first; that of `object` is none.
pub(super) fn hooks_of<'py>(class: &Bound<'py, PyType>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let object = class.py().get_type::<PyAny>();
    let mut hooks = Vec::new();
    for base in class.mro().iter().skip(1).filter(|base| !base.is(&object)) {
        hooks.extend(cpython::type_dict(&base.cast_into::<PyType>()?).get_item(HOOK)?);
    }
    Ok(hooks)
}

/// Whether two classes are made with the same hooks.
pub(super) fn are_same(one: &[Bound<'_, PyAny>], other: &[Bound<'_, PyAny>]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.is(other))
}

/// The attributes of a class that its hook gives it once more where they are missing.
pub(super) fn given_by_hook<'py>(
    class: &Bound<'py, PyType>,
    keywords: &Bound<'py, PyDict>,
    definition: &ClassDef,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let before = cpython::type_dict(class).copy()?;
    let mut hidden = Vec::new();
    for (name, value) in before.iter() {
        let text: String = name.extract()?;
        let mut bound = definition.body.iter().flat_map(|member| &member.binds);
        if values::is_comparable(&value)
            && !is_bookkeeping(&name)
            && !matches!(text.as_str(), "__module__" | "__qualname__" | "__dict__")
            && !bound.any(|bound| crate::instances::mangle(&definition.name, bound) == text)
        {
            hidden.push(name);
        }
    }
    let (made, outcome) = tried(class, keywords, &before, &hidden)?;
    if outcome.is_err() {
        return Ok(Vec::new());
    }
    hidden.retain(|name| {
        let is_made = made.contains(name).unwrap_or(false);
        is_made && is_alike(&before, &made, name)
    });
    Ok(hidden)
}

/// What follows from the members by itself.
fn is_bookkeeping(name: &Bound<'_, PyAny>) -> bool {
    let name = name.cast::<PyString>();
    name.is_ok_and(|name| {
        name.to_str().is_ok_and(|name| {
            matches!(
                name,
                "__abstractmethods__" | "__firstlineno__" | "__static_attributes__" | "__doc__"
            )
        })
    })
}

fn run_hook<'py>(
    class: &Bound<'py, PyType>,
    keywords: &Bound<'py, PyDict>,
) -> PyResult<Result<(), String>> {
    let py = class.py();
    let above = py
        .import("builtins")?
        .getattr("super")?
        .call1((class, class))?;
    let hook = above.getattr(HOOK)?;
    let none = PyTuple::empty(py);
    trial::attempt(&hook, &none, Some(keywords), &[class.clone().into_any()])
}

/// Runs the hook of a class without leaving a trace; what it came to.
#[allow(clippy::type_complexity)]
fn tried<'py>(
    class: &Bound<'py, PyType>,
    keywords: &Bound<'py, PyDict>,
    before: &Bound<'py, PyDict>,
    hidden: &[Bound<'py, PyAny>],
) -> PyResult<(Bound<'py, PyDict>, Result<(), String>)> {
    hide(class, hidden)?;
    let outcome = run_hook(class, keywords);
    let again = cpython::type_dict(class).copy()?;
    restore(class, &again, before, |_| false)?;
    Ok((again, outcome?))
}

fn hide<'py>(class: &Bound<'py, PyType>, names: &[Bound<'py, PyAny>]) -> PyResult<()> {
    for name in names {
        if cpython::type_dict(class).contains(name)? {
            cpython::set_class_attribute(class, name, None)?;
        }
    }
    Ok(())
}

/// Whether a name holds the same in two dicts, or nothing in both.
pub(super) fn is_alike<'py>(
    one: &Bound<'py, PyDict>,
    other: &Bound<'py, PyDict>,
    name: &Bound<'py, PyAny>,
) -> bool {
    match (one.get_item(name), other.get_item(name)) {
        (Ok(Some(one)), Ok(Some(other))) => values::alike(&one, &other),
        (Ok(None), Ok(None)) => true,
        _ => false,
    }
}

/// The names that do not hold the same object in two dicts.
fn differing<'py>(
    one: &Bound<'py, PyDict>,
    other: &Bound<'py, PyDict>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut names = Vec::new();
    for name in one.keys() {
        let held = (one.get_item(&name)?, other.get_item(&name)?);
        if !matches!(&held, (Some(one), Some(other)) if one.is(other)) {
            names.push(name);
        }
    }
    for name in other.keys() {
        if !one.contains(&name)? {
            names.push(name);
        }
    }
    Ok(names)
}

/// Gives a class its attributes back, but for those that are to stay as they are now: these
/// it names.
fn restore<'py>(
    class: &Bound<'py, PyType>,
    now: &Bound<'py, PyDict>,
    before: &Bound<'py, PyDict>,
    stays: impl Fn(&Bound<'py, PyAny>) -> bool,
) -> PyResult<Vec<String>> {
    let mut stayed = Vec::new();
    for name in differing(now, before)? {
        if stays(&name) {
            stayed.push(name.extract()?);
        } else {
            cpython::set_class_attribute(class, &name, before.get_item(&name)?.as_ref())?;
        }
    }
    Ok(stayed)
}
