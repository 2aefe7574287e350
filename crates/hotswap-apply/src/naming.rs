//! Statements that go through the names of a module and say what its functions and classes are
//! called, as packages do at their end: `export(__name__, globals())`.
//!
//! What an update makes has not been there when they ran. So after the commit they run once more
//! under watch, where they may do nothing but that; what was there before keeps its labels.

use hotswap_plan::{Call, Change, Facts, Kind, Outline, Pragma, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyModule, PyString, PyType};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::codes;
use crate::native as cpython;
use crate::stage::Stage;
use crate::transaction::Write;
use crate::values;
use hotswap_cpython::attributes::Peek as _;

const LABELS: [&str; 4] = ["__module__", "__name__", "__qualname__", "__doc__"];

/// Classes inside classes are looked into so far.
const DEPTH: usize = 4;

/// What a function or class is called; nothing for others.
type Labels<'py> = Vec<Option<Bound<'py, PyAny>>>;

/// What names and members of classes held, and what that was called.
#[derive(Default)]
struct Held<'py> {
    /// By address.
    objects: FxHashMap<usize, Labels<'py>>,
    alive: FxHashMap<usize, Bound<'py, PyAny>>,
    /// The namespace or class, the name and the object, by address.
    places: FxHashSet<(usize, String, usize)>,
    /// The classes, by the address of their namespace.
    classes: FxHashMap<usize, Bound<'py, PyType>>,
}

/// A statement that may have to run again after the commit.
pub(crate) struct Naming<'py> {
    module: usize,
    index: usize,
    namespaces: Vec<Bound<'py, PyDict>>,
    before: Held<'py>,
}

impl<'py> Stage<'_, 'py> {
    /// Notes before the commit what such statements have gone through.
    pub(crate) fn note_names(&mut self) -> PyResult<()> {
        for module in self.order.clone() {
            let Some(outline) = self.outline(module) else {
                continue;
            };
            for index in 0..outline.statements.len() {
                if !self.names_others(module, index, &outline) {
                    continue;
                }
                let namespaces = self.gone_through(module, &outline, index)?;
                let mut before = held_in(&namespaces)?;
                // Who moves to another layout must be held by nobody who is not known. A function
                // does not move, and what is new must not come to lie where it was.
                (before.alive).retain(|_, object| object.is_exact_instance_of::<PyFunction>());
                before.classes.clear();
                self.namings.push(Naming {
                    module,
                    index,
                    namespaces,
                    before,
                });
            }
        }
        Ok(())
    }

    /// Runs them again where there is something that they have not seen.
    pub(crate) fn name_again(&mut self) -> PyResult<()> {
        for naming in std::mem::take(&mut self.namings) {
            let now = held_in(&naming.namespaces)?;
            let new = others(&naming.before, &now);
            if new.is_empty() {
                continue;
            }
            let Some(outline) = self.outline(naming.module) else {
                continue;
            };
            let statement = &outline.statements[naming.index];
            if statement.pragma == Some(Pragma::Rerun) {
                self.derive_now(naming.module, statement, &outline)?;
                continue;
            }
            let fresh = new
                .iter()
                .filter(|address| !naming.before.objects.contains_key(address))
                .filter_map(|address| now.alive.get(address).cloned());
            let fresh: Vec<Bound<'py, PyAny>> = fresh.collect();
            self.forget_names(&naming.before, &now)?;
            let ran = self.run_naming(naming.module, naming.index, &outline, &fresh);
            let named = self.settle_labels(&naming.before, &now, &new)?;
            self.commit()?;
            match ran? {
                Ok(()) if named => {
                    let label = statement.label(&self.text(naming.module));
                    self.entry(
                        naming.module,
                        &label,
                        Some(statement),
                        "statement",
                        "re-ran",
                    )
                    .reason = "it says what things are called that are new".to_string();
                }
                Ok(()) => {}
                Err(reason) => {
                    let reason =
                        format!("it may have seen other names than there are now; {reason}");
                    self.report_stale(naming.module, statement, "the names of a module", &reason);
                }
            }
        }
        Ok(())
    }

    /// Whether an unchanged statement goes through the names of a module.
    fn names_others(&self, module: usize, index: usize, outline: &Outline) -> bool {
        let statement = &outline.statements[index];
        let is_done = match &statement.kind {
            Kind::Expression => statement.binds.is_empty(),
            Kind::Compound(compound) => compound.keyword == "for",
            _ => false,
        };
        if !is_done || !statement.codes.is_empty() || statement.pragma == Some(Pragma::Keep) {
            return false;
        }
        let takes_names =
            calls(&statement.facts, &["globals", "vars"])
                || statement.facts.reads.iter().any(|path| {
                    path.len() > 1 && path.last().is_some_and(|last| last == "__dict__")
                });
        let runs = self.is_open(module, statement)
            || self
                .edits
                .get(&module)
                .and_then(|edited| edited.plan.steps.iter().find(|step| step.new == index))
                .is_some_and(|step| !matches!(step.change, Change::Same | Change::Bodies));
        takes_names
            && !runs
            && (goes_through(&statement.facts)
                || statement.facts.calls.iter().any(|call| match call {
                    Call::Path(path) => self.callee_goes_through(module, path, index, outline),
                    _ => false,
                }))
    }

    /// Whether a function of the program that is called by a statement goes through a dict; the
    /// name may be deleted further down.
    fn callee_goes_through(
        &self,
        module: usize,
        path: &[String],
        index: usize,
        outline: &Outline,
    ) -> bool {
        let [name] = path else {
            return false;
        };
        let binder = binder_before(outline, index, name);
        let found = match binder.map(|binder| &binder.kind) {
            Some(Kind::Import(imports)) => {
                let import = imports.iter().find(|import| import.bound == *name);
                import.and_then(|import| {
                    let source = self.imported_module(module, import)?;
                    self.definition_of(source, &[import.name.clone()?])
                })
            }
            Some(_) => Some((module, name.clone())),
            None => None,
        };
        let Some((source, name)) = found else {
            return false;
        };
        self.outline(source).is_some_and(|outline| {
            let at = outline.last_binder(&name);
            let function = at.and_then(|at| outline.statements[at].function());
            function.is_some_and(|function| goes_through(&function.facts))
        })
    }

    /// The namespaces that a statement goes through.
    fn gone_through(
        &self,
        module: usize,
        outline: &Outline,
        index: usize,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let facts = &outline.statements[index].facts;
        let live = self.live_dict(module);
        let mut found: Vec<Bound<'py, PyDict>> = Vec::new();
        if calls(facts, &["globals", "vars"]) {
            found.push(live.clone());
        }
        for path in &facts.reads {
            let mut object = live.get_item(&path[0])?;
            for part in path[1..].iter().take_while(|part| *part != "__dict__") {
                object = object.and_then(|outer| match outer.cast::<PyModule>() {
                    Ok(outer) => outer.dict().get_item(part).ok().flatten(),
                    Err(_) => None,
                });
            }
            if let Some(Ok(named)) = object.map(Bound::cast_into::<PyModule>)
                && self.world.by_dict(named.dict().as_any()).is_some()
            {
                found.push(named.dict());
            }
        }
        Ok(found)
    }

    /// Lets classes that have new members say for the moment where they come from, as a
    /// statement that has named them and their members found them.
    fn forget_names(&self, before: &Held<'py>, now: &Held<'py>) -> PyResult<()> {
        let placed = now.places.difference(&before.places);
        let homes: FxHashSet<usize> = placed.map(|(home, _, _)| *home).collect();
        for class in homes.iter().filter_map(|home| now.classes.get(home)) {
            let dict = cpython::type_dict(class);
            let (Some(said), Some(home)) = (dict.get_item("__module__")?, self.home_of(class)?)
            else {
                continue;
            };
            let home = self.live_dict(home);
            let Some(from) = home
                .get_item("__name__")?
                .filter(|from| !same(Some(from), Some(&said)))
            else {
                continue;
            };
            let named = dict.values().iter().any(|member| {
                before.objects.contains_key(&(member.as_ptr() as usize))
                    && member.is_exact_instance_of::<PyFunction>()
                    && member
                        .peek("__globals__")
                        .is_ok_and(|globals| globals.is(&home))
                    && member
                        .peek("__module__")
                        .is_ok_and(|it| same(Some(&it), Some(&said)))
            });
            if named {
                set_label(class.as_any(), "__module__", Some(&from))?;
            }
        }
        Ok(())
    }

    /// Runs such a statement in a copy of its namespace, with what it may write to given. An
    /// error in words: what it came to that is not harmless.
    fn run_naming(
        &mut self,
        module: usize,
        index: usize,
        outline: &Outline,
        fresh: &[Bound<'py, PyAny>],
    ) -> PyResult<Result<(), String>> {
        let statement = &outline.statements[index];
        let copy = self.live_dict(module).copy()?;
        for path in &statement.facts.reads {
            let name = &path[0];
            // What is only needed here is often deleted further down.
            if !copy.contains(name)?
                && let Some(binder) = binder_before(outline, index, name)
                && let Some(value) = self.imported_value(module, binder, name, true)?
            {
                copy.set_item(name, value)?;
            }
        }
        let code = self.compile_statement(module, statement, outline)?;
        self.on_trial(&copy, fresh, || codes::execute(&code, &copy, None))
    }

    /// Keeps what a statement has said of what is new, with the way back, and undoes the rest.
    /// Whether there is anything.
    fn settle_labels(
        &mut self,
        before: &Held<'py>,
        now: &Held<'py>,
        new: &FxHashSet<usize>,
    ) -> PyResult<bool> {
        let mut named = false;
        for (address, called) in &now.objects {
            let Some(object) = now.alive.get(address) else {
                continue;
            };
            for (at, (was, said)) in called.iter().zip(labels_of(object)?).enumerate() {
                if same(was.as_ref(), said.as_ref()) {
                    continue;
                }
                set_label(object, LABELS[at], was.as_ref())?;
                let is_new = new.contains(address) || !before.objects.contains_key(address);
                // A metaclass may have its own idea of a name: then there is no way back.
                let name = PyString::intern(self.py, LABELS[at]);
                if is_new && cpython::own_attribute(object, &name).is_ok() {
                    self.transaction.push(Write::Attribute {
                        object: object.clone(),
                        name: LABELS[at],
                        value: said,
                    });
                    named = true;
                }
            }
        }
        Ok(named)
    }
}

/// The last statement above another one that binds a name.
fn binder_before<'o>(outline: &'o Outline, index: usize, name: &str) -> Option<&'o Statement> {
    let above = outline.statements[..index].iter().rev();
    above
        .into_iter()
        .find(|statement| statement.binds.iter().any(|bound| bound == name))
}

fn calls(facts: &Facts, names: &[&str]) -> bool {
    facts.calls.iter().any(
        |call| matches!(call, Call::Path(path) if path.len() == 1 && names.contains(&path[0].as_str())),
    )
}

/// Whether code goes through all that a dict holds.
fn goes_through(facts: &Facts) -> bool {
    facts.calls.iter().any(|call| {
        let name = match call {
            Call::Method { name, .. } => Some(name),
            Call::Path(path) => path.last(),
            _ => None,
        };
        name.is_some_and(|name| matches!(name.as_str(), "items" | "values" | "keys" | "copy"))
    })
}

/// What namespaces hold, and the classes in them.
fn held_in<'py>(namespaces: &[Bound<'py, PyDict>]) -> PyResult<Held<'py>> {
    let mut held = Held::default();
    for namespace in namespaces {
        collect(namespace, 0, &mut held)?;
    }
    Ok(held)
}

fn collect<'py>(
    namespace: &Bound<'py, PyDict>,
    depth: usize,
    held: &mut Held<'py>,
) -> PyResult<()> {
    let home = namespace.as_ptr() as usize;
    // A copy: the descriptors of a class may be asked for what is inside them.
    for (name, value) in namespace.copy()?.iter() {
        if values::is_plain(&value) {
            continue;
        }
        let Ok(name) = name.extract::<String>() else {
            continue;
        };
        let address = value.as_ptr() as usize;
        held.places.insert((home, name, address));
        for part in parts(&value) {
            note(&part, held)?;
        }
        if held.objects.contains_key(&address) {
            continue;
        }
        note(&value, held)?;
        if let Ok(class) = value.cast::<PyType>()
            && depth < DEPTH
            && values::is_python_class(class)?
        {
            let members = cpython::type_dict(class);
            let home = members.as_ptr() as usize;
            held.classes.insert(home, class.clone());
            collect(&members, depth + 1, held)?;
        }
    }
    Ok(())
}

fn note<'py>(object: &Bound<'py, PyAny>, held: &mut Held<'py>) -> PyResult<()> {
    let address = object.as_ptr() as usize;
    held.objects.insert(address, labels_of(object)?);
    held.alive.insert(address, object.clone());
    Ok(())
}

/// The functions inside a descriptor.
fn parts<'py>(value: &Bound<'py, PyAny>) -> Vec<Bound<'py, PyAny>> {
    let kind = value.get_type();
    let names: &[&str] = match kind.name().map(|name| name.to_string()).as_deref() {
        Ok("classmethod" | "staticmethod") => &["__func__"],
        Ok("property") => &["fget", "fset", "fdel"],
        _ => &[],
    };
    let found = names.iter().filter_map(|name| value.peek(name).ok());
    found.filter(|part| !part.is_none()).collect()
}

fn labels_of<'py>(object: &Bound<'py, PyAny>) -> PyResult<Labels<'py>> {
    if let Ok(class) = object.cast::<PyType>() {
        let dict = cpython::type_dict(class);
        return Ok(vec![
            dict.get_item("__module__")?,
            Some(class.name()?.into_any()),
            Some(class.qualname()?.into_any()),
            dict.get_item("__doc__")?,
        ]);
    }
    if !object.is_exact_instance_of::<PyFunction>() {
        return Ok(Vec::new());
    }
    let values = LABELS.iter().map(|name| object.peek(name).map(Some));
    values.collect()
}

fn set_label(
    object: &Bound<'_, PyAny>,
    label: &str,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    match (object.cast::<PyType>(), value) {
        (Ok(class), value) => {
            let name = PyString::intern(object.py(), label);
            cpython::set_class_attribute(class, name.as_any(), value)
        }
        (Err(_), Some(value)) => object.setattr(label, value),
        (Err(_), None) => Ok(()),
    }
}

fn same(one: Option<&Bound<'_, PyAny>>, other: Option<&Bound<'_, PyAny>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            one.is(other) || values::is_plain(one) && values::equal(one, other)
        }
        (None, None) => true,
        _ => false,
    }
}

/// The addresses of objects that are new, have another place or are called otherwise.
fn others(before: &Held<'_>, now: &Held<'_>) -> FxHashSet<usize> {
    let placed = now.places.difference(&before.places);
    let mut found: FxHashSet<usize> = placed.map(|(_, _, address)| *address).collect();
    for (address, labels) in &now.objects {
        let as_before = before.objects.get(address).is_some_and(|before| {
            let mut pairs = before.iter().zip(labels);
            pairs.all(|(was, is)| same(was.as_ref(), is.as_ref()))
        });
        if !as_before {
            found.insert(*address);
        }
    }
    found.retain(|address| {
        let is_called = now
            .objects
            .get(address)
            .is_some_and(|labels| !labels.is_empty());
        is_called || now.alive.get(address).is_some_and(values::has_identity)
    });
    found
}
