//! Instances that came along with a class when it was made: a metaclass, or a hook of a base,
//! put them into it, as in `cls.options = Options(meta)`.
//!
//! What their `__init__` was given is gone, so a new line of it that needs an argument cannot
//! be evaluated for them. But what gave it can be had once more: the class is made again beside
//! the live one, watched, after the commit. If the instance that comes along with it is what
//! the live one is, it says what the live one lacks. Nothing else of that class is used.

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::Skeleton;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyModule, PyTuple, PyType};
use rustc_hash::{FxHashMap, FxHashSet};

use super::collected::is_alike;
use crate::native as cpython;
use crate::stage::Stage;
use crate::{codes, trial, values};

/// Beyond so many classes none is made again: each takes some milliseconds.
const MOST: usize = 1000;

/// Classes in classes are followed so far.
const DEPTH: usize = 5;

/// An instance and the class that it stands in.
pub(crate) struct Along<'py> {
    instance: Bound<'py, PyAny>,
    class: Bound<'py, PyType>,
    name: Bound<'py, PyAny>,
    /// What came with the class when it was made again, or why it was not.
    again: Option<Result<Again<'py>, String>>,
}

/// All of them, by the addresses of the instances.
pub(crate) type AllAlong<'py> = FxHashMap<usize, Along<'py>>;

/// A class that was made again, and the instance in it.
#[derive(Clone)]
struct Again<'py> {
    made: Bound<'py, PyType>,
    instance: Bound<'py, PyAny>,
}

impl<'py> Stage<'_, 'py> {
    /// Those of some instances that stand in a class of a watched module, by their addresses.
    pub(crate) fn along(&self, instances: &[Bound<'py, PyAny>]) -> PyResult<AllAlong<'py>> {
        let wanted = instances.iter().map(|each| each.as_ptr() as usize);
        let wanted: FxHashSet<usize> = wanted.collect();
        let mut found = AllAlong::default();
        for module in self.world.modules.iter() {
            for (_, value) in module.dict.bind(self.py).iter() {
                let Ok(class) = value.cast_into::<PyType>() else {
                    continue;
                };
                let home = cpython::type_dict(&class).get_item("__module__")?;
                let home = home.and_then(|home| home.extract::<String>().ok());
                if home.is_some_and(|home| home == module.name) {
                    find(&class, &wanted, &mut found, 0)?;
                }
            }
        }
        if found.len() > MOST {
            found.clear();
        }
        Ok(found)
    }

    /// The value of a new attribute of such an instance, or why there is none. `changing` are
    /// the attributes that the two may not have in common.
    pub(crate) fn value_along(
        &mut self,
        along: &mut Along<'py>,
        name: &str,
        changing: &[String],
    ) -> PyResult<Result<Bound<'py, PyAny>, String>> {
        if along.again.is_none() {
            along.again = Some(self.make_again(along)?);
        }
        let again = match &along.again {
            Some(Ok(again)) => again.clone(),
            Some(Err(reason)) => return Ok(Err(reason.clone())),
            None => return Ok(Err("it was not made again".to_string())),
        };
        if let Some(other) = differing(along, &again, changing)? {
            return Ok(Err(format!(
                "its {other} is not what making its class again gives it"
            )));
        }
        let value = cpython::own_attribute(&again.instance, &self.intern(name));
        let Ok(Some(value)) = value else {
            return Ok(Err(
                "making its class again does not give it either".to_string()
            ));
        };
        Ok(match counterpart(&again.made, &along.class, &value, 0)? {
            Some(own) => Ok(own),
            None if stands_alone(&value)? => Ok(value),
            None => Err("the value belongs to that class".to_string()),
        })
    }

    /// Makes a class once more, for its instance.
    fn make_again(&mut self, along: &Along<'py>) -> PyResult<Result<Again<'py>, String>> {
        let class = &along.class;
        let qualname: String = class.getattr("__qualname__")?.extract()?;
        let path: Vec<String> = qualname.split('.').map(str::to_string).collect();
        let unknown = || Ok(Err("its statement is not known".to_string()));
        let Some((module, definition)) = self.statement_of(class)? else {
            return unknown();
        };
        let is_live = self.class_at(module, &path)?;
        let (Some(outline), true) = (
            self.outline(module),
            is_live.is_some_and(|live| live.is(class)),
        ) else {
            return unknown();
        };
        let Some(at) = outline.last_binder(&path[0]) else {
            return unknown();
        };
        let Some(keywords) = self.keywords_of(module, &definition)? else {
            return Ok(Err("its keywords cannot be had again".to_string()));
        };
        let statement = &outline.statements[at];
        let text = self.text(module);
        let skeleton = Skeleton::new(&text, &outline).statement(statement);
        let unit = self.compile(module, &skeleton.finish())?;
        let Some(body) = codes::class_body(&unit, &path)? else {
            return unknown();
        };
        let mut makers = Vec::new();
        if !can_be_watched(class)? || !makers_of(&body, class, &mut makers)? {
            return Ok(Err(format!(
                "{qualname} cannot be made again: what would run cannot be watched"
            )));
        }
        let namespace = self.live_dict(module).copy()?;
        let start = statement.span.start;
        let mut view = self.view_at(module, start, &statement.facts, &namespace)?;
        let kind = along.instance.get_type();
        let is_there = |made: &Bound<'py, PyType>| -> PyResult<Option<Bound<'py, PyAny>>> {
            let held = cpython::type_dict(made).get_item(&along.name)?;
            Ok(held.filter(|held| held.get_type().is(&kind) && !held.is(&along.instance)))
        };
        let run = || make(class, &body, &namespace, &keywords, &is_there);
        let writable = [namespace.clone().into_any()];
        let outcome = trial::attempt_making(self.py, &makers, None, &writable, run);
        view.leave()?;
        // It is among the subclasses of its bases until then.
        self.transaction.collect = true;
        Ok(match outcome? {
            Ok(Some((made, instance))) => Ok(Again { made, instance }),
            Ok(None) => Err(format!("making {qualname} again does not make it")),
            Err(reason) => Err(format!("{qualname} cannot be made again: {}", reason.words)),
        })
    }
}

/// Finds instances that stand in a class or in one inside it.
fn find<'py>(
    class: &Bound<'py, PyType>,
    wanted: &FxHashSet<usize>,
    found: &mut AllAlong<'py>,
    depth: usize,
) -> PyResult<()> {
    let prefix = format!("{}.", class.getattr("__qualname__")?.extract::<String>()?);
    for (name, held) in cpython::type_dict(class).iter() {
        let address = held.as_ptr() as usize;
        if wanted.contains(&address) {
            found.entry(address).or_insert_with(|| Along {
                instance: held,
                class: class.clone(),
                name,
                again: None,
            });
        } else if let Some(inner) = class_inside(&held, &prefix)?
            && depth < DEPTH
        {
            find(&inner, wanted, found, depth + 1)?;
        }
    }
    Ok(())
}

/// A class that was made in the body of another.
fn class_inside<'py>(
    held: &Bound<'py, PyAny>,
    prefix: &str,
) -> PyResult<Option<Bound<'py, PyType>>> {
    let Ok(class) = held.cast::<PyType>() else {
        return Ok(None);
    };
    let qualname: String = class.getattr("__qualname__")?.extract()?;
    let name = qualname.strip_prefix(prefix);
    Ok(name
        .is_some_and(|name| !name.contains('.'))
        .then(|| class.clone()))
}

/// Whether nothing but Python code runs when such a class is made: what hooks in C do is
/// seen by no trace function.
fn can_be_watched(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    let (type_, object) = (py.get_type::<PyType>(), py.get_type::<PyAny>());
    for kind in class.get_type().mro().iter() {
        let kind = kind.cast_into::<PyType>()?;
        if !kind.is(&type_) && !kind.is(&object) && !values::is_python_class(&kind)? {
            return Ok(false);
        }
    }
    for base in class.mro().iter().skip(1) {
        let base = base.cast_into::<PyType>()?;
        let hook = cpython::type_dict(&base).get_item("__init_subclass__")?;
        let in_python = |hook: Bound<'_, PyAny>| {
            let function = hook.peek("__func__");
            function.is_ok_and(|function| function.is_exact_instance_of::<PyFunction>())
        };
        if !base.is(&object) && hook.is_some_and(|hook| !in_python(hook)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The code of the body of a class and of those in it, which make classes. False: it is not
/// known whether making them can be watched.
fn makers_of<'py>(
    body: &Bound<'py, PyAny>,
    class: &Bound<'py, PyType>,
    makers: &mut Vec<Bound<'py, PyAny>>,
) -> PyResult<bool> {
    // The body of a class is the only code inside another that has no fast locals.
    const OPTIMIZED: u32 = 1;
    makers.push(body.clone());
    let prefix = format!("{}.", class.getattr("__qualname__")?.extract::<String>()?);
    for inner in codes::nested(body)? {
        if inner.getattr("co_flags")?.extract::<u32>()? & OPTIMIZED != 0 {
            continue;
        }
        let held = cpython::type_dict(class).get_item(codes::name_of(&inner)?)?;
        let known = match held {
            Some(held) => class_inside(&held, &prefix)?,
            None => None,
        };
        let Some(known) = known else {
            return Ok(false);
        };
        if !can_be_watched(&known)? || !makers_of(&inner, &known, makers)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs the body of a class and makes it, as far as is needed for its instance to be there:
/// what `__init__` of the metaclass does then, such as entering the class in a registry,
/// is left out.
#[allow(clippy::type_complexity)]
fn make<'py>(
    class: &Bound<'py, PyType>,
    body: &Bound<'py, PyAny>,
    namespace: &Bound<'py, PyDict>,
    keywords: &Bound<'py, PyDict>,
    is_there: &dyn Fn(&Bound<'py, PyType>) -> PyResult<Option<Bound<'py, PyAny>>>,
) -> PyResult<Option<(Bound<'py, PyType>, Bound<'py, PyAny>)>> {
    let kind = class.get_type();
    let (name, bases) = (class.getattr("__name__")?, class.getattr("__bases__")?);
    let prepare = kind.getattr("__prepare__")?;
    let members = prepare.call((&name, &bases), Some(keywords))?;
    let Ok(members) = members.cast_into::<PyDict>() else {
        return Ok(None);
    };
    codes::execute(body, namespace, Some(&members))?;
    members.set_item("__qualname__", class.getattr("__qualname__")?)?;
    if let Some(written) = cpython::type_dict(class).get_item("__orig_bases__")? {
        members.set_item("__orig_bases__", written)?;
    }
    let new = kind.getattr("__new__")?;
    let made = new.call((&kind, &name, &bases, &members), Some(keywords))?;
    let Ok(made) = made.cast_into::<PyType>() else {
        return Ok(None);
    };
    if made.is(class) {
        return Ok(None);
    }
    if let Some(instance) = is_there(&made)? {
        return Ok(Some((made, instance)));
    }
    let init = kind.getattr("__init__")?;
    init.call((&made, &name, &bases, &members), Some(keywords))?;
    Ok(is_there(&made)?.map(|instance| (made, instance)))
}

/// An attribute in which the live instance is not what came along with the class made again.
fn differing<'py>(
    along: &Along<'py>,
    again: &Again<'py>,
    changing: &[String],
) -> PyResult<Option<String>> {
    let live = crate::moved::own_attributes(&along.instance)?;
    let fresh = crate::moved::own_attributes(&again.instance)?;
    let names = live.keys();
    for name in names.iter().chain(fresh.keys().iter()) {
        let text: String = name.extract()?;
        if changing.contains(&text) || is_alike(&live, &fresh, &name) {
            continue;
        }
        let same = match (live.get_item(&name)?, fresh.get_item(&name)?) {
            (Some(held), Some(made)) => {
                let own = counterpart(&again.made, &along.class, &made, 0)?;
                own.is_some_and(|own| own.is(&held))
            }
            _ => false,
        };
        if !same {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// What stands in the live class where a value stands in the class made again.
fn counterpart<'py>(
    made: &Bound<'py, PyType>,
    live: &Bound<'py, PyType>,
    value: &Bound<'py, PyAny>,
    depth: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if value.is(made) {
        return Ok(Some(live.clone().into_any()));
    }
    if values::is_plain(value) || depth > DEPTH {
        return Ok(None);
    }
    let prefix = format!("{}.", made.peek("__qualname__")?.extract::<String>()?);
    for (name, member) in cpython::type_dict(made).iter() {
        let Some(own) = cpython::type_dict(live).get_item(&name)? else {
            continue;
        };
        if member.is(value) {
            return Ok(Some(own));
        }
        if let (Some(inner), Ok(own)) = (class_inside(&member, &prefix)?, own.cast::<PyType>())
            && let Some(found) = counterpart(&inner, own, value, depth + 1)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Whether a value has nothing to do with the class that was made again: it is plain, or
/// the modules have it.
fn stands_alone(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    if values::is_plain(value) || value.is_instance_of::<PyModule>() {
        return Ok(true);
    }
    if values::is_container(value) || value.is_exact_instance_of::<PyTuple>() {
        return Ok(values::holds_plain(value));
    }
    if !value.is_instance_of::<PyType>() && !value.is_exact_instance_of::<PyFunction>() {
        return Ok(false);
    }
    let home: String = value.peek("__module__")?.extract().unwrap_or_default();
    let path: String = value.peek("__qualname__")?.extract()?;
    let modules = value.py().import("sys")?.getattr("modules")?;
    let mut found = modules.get_item(home).ok();
    for name in path.split('.') {
        found = found.and_then(|outer| outer.getattr(name).ok());
    }
    Ok(found.is_some_and(|found| found.is(value)))
}
