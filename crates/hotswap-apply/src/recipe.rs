//! How `__init__` makes the value of an attribute, and whether that can be done for
//! an instance that lives already.

use hotswap_plan::{Call, ClassDef, Facts, FunctionDef, Receiver, Statement, Target};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyTuple, PyType};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::instances::mangle;
use crate::native as cpython;
use crate::stage::Stage;

/// One value that `__init__` computes.
struct Part<'py> {
    /// Attributes of the instance and local names that it reads.
    attributes: Vec<String>,
    locals: Vec<String>,
    /// Methods that it calls on one of those: harmless or not, depending on what it holds.
    methods: Vec<Vec<String>>,
    /// The expression as a function of the instance and the local names.
    function: Option<Bound<'py, PyAny>>,
    /// The value itself, where `__init__` has it at hand.
    ready: Option<Bound<'py, PyAny>>,
    /// Why it cannot be evaluated.
    refused: Option<String>,
}

/// What `__init__` computes, as far as some new attributes need it.
pub(crate) struct Recipe<'py> {
    parts: Vec<Part<'py>>,
    /// Of an attribute or a local name: the part, and the item where that is taken apart.
    sources: FxHashMap<Target, (usize, Option<usize>)>,
    receiver: String,
    /// It calls something that is not committed yet.
    pub waits: bool,
}

/// The default that a parameter of the `__init__` of a class has.
fn default_of<'py>(class: &Bound<'py, PyType>, name: &str) -> Option<Bound<'py, PyAny>> {
    let init = cpython::type_dict(class).get_item("__init__").ok()??;
    let init = init.cast_into_exact::<PyFunction>().ok()?;
    let code = init.getattr("__code__").ok()?;
    let count: usize = code.getattr("co_argcount").ok()?.extract().ok()?;
    let names: Vec<String> = code.getattr("co_varnames").ok()?.extract().ok()?;
    let at = names.iter().position(|known| known == name)?;
    if at >= count {
        let defaults = init.getattr("__kwdefaults__").ok()?;
        return defaults.cast::<PyDict>().ok()?.get_item(name).ok()?;
    }
    let defaults = init.getattr("__defaults__").ok()?;
    let defaults = defaults.cast::<PyTuple>().ok()?;
    let first = count.checked_sub(defaults.len())?;
    defaults.get_item(at.checked_sub(first)?).ok()
}

/// Whether the body of a class binds a name.
fn binds(definition: &ClassDef, name: &str) -> bool {
    let mut bound = definition.body.iter().flat_map(|member| &member.binds);
    bound.any(|known| known == name)
}

impl<'py> Stage<'_, 'py> {
    /// Reads `__init__` as a list of values to be computed.
    pub(crate) fn recipe(
        &mut self,
        module: usize,
        (class, definition): (&Bound<'py, PyType>, &ClassDef),
        old: Option<&FunctionDef>,
        init: &FunctionDef,
        added: &[String],
    ) -> Recipe<'py> {
        let mut recipe = Recipe {
            parts: Vec::new(),
            sources: FxHashMap::default(),
            receiver: init.first_parameter.clone().unwrap_or_default(),
            waits: false,
        };
        let mut names: Vec<String> = init
            .parameters
            .iter()
            .skip(1)
            .map(|parameter| parameter.name.clone())
            .collect();
        let bound = init.assignments.iter().flat_map(|each| &each.targets);
        for target in bound.chain(&init.unsure) {
            if let Target::Local(name) = target {
                names.push(name.clone());
            }
        }
        // Nobody can have passed a parameter that did not exist: it has its default.
        for parameter in init.parameters.iter().skip(1) {
            let known = old.is_some_and(|old| {
                old.parameters
                    .iter()
                    .any(|before| before.name == parameter.name)
            });
            if let (false, Some(default)) = (known, &parameter.default) {
                let mut part = self.part(module, default, &recipe.receiver, &[]);
                if self.committed {
                    part.ready = default_of(class, &parameter.name);
                } else {
                    // Evaluated when the body of the class ran: by itself it may find nothing
                    // under a name of that body, or something else.
                    let reads = &default.facts.reads;
                    recipe.waits |= reads.iter().any(|read| binds(definition, &read[0]));
                }
                recipe.parts.push(part);
                recipe.sources.insert(
                    Target::Local(parameter.name.clone()),
                    (recipe.parts.len() - 1, None),
                );
            }
        }
        for each in &init.assignments {
            let wanted = each.targets.iter().any(|target| match target {
                Target::Attribute(name) => added.contains(name),
                Target::Local(_) => true,
            });
            if !wanted {
                continue;
            }
            recipe.waits |= self.must_wait(module, &each.value.facts);
            let part = self.part(module, &each.value, &recipe.receiver, &names);
            recipe.parts.push(part);
            for (at, target) in each.targets.iter().enumerate() {
                let item = each.unpacked.then_some(at);
                recipe
                    .sources
                    .insert(target.clone(), (recipe.parts.len() - 1, item));
            }
        }
        for target in &init.unsure {
            recipe.sources.remove(target);
        }
        recipe
    }

    fn part(
        &mut self,
        module: usize,
        value: &hotswap_plan::Expression,
        receiver: &str,
        names: &[String],
    ) -> Part<'py> {
        let mut part = Part {
            attributes: Vec::new(),
            locals: Vec::new(),
            methods: Vec::new(),
            function: None,
            ready: None,
            refused: None,
        };
        let mut facts = value.facts.clone();
        for path in &facts.reads {
            if path[0] == receiver {
                match path.get(1) {
                    Some(name) => part.attributes.push(name.clone()),
                    None => part.refused = Some("its value is made of the instance itself".into()),
                }
            } else if names.contains(&path[0]) {
                part.locals.push(path[0].clone());
            }
        }
        facts
            .reads
            .retain(|path| path[0] != receiver && !names.contains(&path[0]));
        let mut methods = Vec::new();
        facts.calls.retain(|call| match call {
            Call::Path(path) if path[0] == receiver || names.contains(&path[0]) => {
                methods.push(path.clone());
                false
            }
            Call::Path(path) => !self.makes_fresh(module, path, 0),
            _ => true,
        });
        part.methods = methods;
        if part
            .methods
            .iter()
            .any(|path| path[0] == receiver && path.len() == 2)
        {
            part.refused = Some("its value is made by a method of the instance".to_string());
        }
        if part.methods.iter().any(|path| path.len() == 1) {
            part.refused = Some("its value needs an argument of __init__".to_string());
        }
        if part.refused.is_none() {
            part.refused = self.impurity(module, &facts);
        }
        if part.refused.is_none() && value.span.of(&self.text(module)).contains("lambda") {
            match self.kept_by_functions(module, value, receiver, names) {
                Ok(kept) if kept.contains(receiver) => {
                    part.refused = Some("a function in its value uses the instance".to_string());
                }
                Ok(kept) => {
                    let names = names.iter().filter(|name| kept.contains(*name));
                    part.locals.extend(names.cloned());
                }
                Err(error) => part.refused = Some(error.to_string()),
            }
        }
        if part.refused.is_none() {
            match self.expression_function(module, value, receiver, &part.locals) {
                Ok(function) => part.function = Some(function),
                Err(error) => part.refused = Some(error.to_string()),
            }
        }
        part
    }

    /// The names of `__init__` that functions inside an expression go on using.
    fn kept_by_functions(
        &mut self,
        module: usize,
        value: &hotswap_plan::Expression,
        receiver: &str,
        names: &[String],
    ) -> PyResult<FxHashSet<String>> {
        let function = self.expression_function(module, value, receiver, names)?;
        let mut kept = FxHashSet::default();
        add_kept(&function.getattr("__code__")?, &mut kept)?;
        Ok(kept)
    }

    /// The expression as a function, on its own line and with the names of its class.
    fn expression_function(
        &mut self,
        module: usize,
        value: &hotswap_plan::Expression,
        receiver: &str,
        locals: &[String],
    ) -> PyResult<Bound<'py, PyAny>> {
        const NAME: &str = "__hotswap_value__";
        let text = self.text(module);
        let line = text[..value.span.start as usize].matches('\n').count();
        let mut parameters = vec![receiver.to_string()];
        for name in locals {
            if !parameters.contains(name) {
                parameters.push(name.clone());
            }
        }
        let source = format!(
            "{}{NAME} = lambda {}: ({}\n)",
            "\n".repeat(line),
            parameters.join(", "),
            value.span.of(&text)
        );
        let code = self.compile(module, &source)?;
        let namespace = self.namespace(module)?;
        let scope = PyDict::new(self.py);
        crate::codes::execute(&code, &namespace, Some(&scope))?;
        if let Some(staging) = self.staging.get_mut(&module) {
            staging.made_functions = true;
        }
        scope
            .get_item(NAME)?
            .ok_or_else(|| pyo3::exceptions::PyRuntimeError::new_err("the value was not compiled"))
    }

    /// The value of a new attribute for one instance, or why there is none.
    pub(crate) fn evaluate_for(
        &self,
        recipe: &Recipe<'py>,
        instance: &Bound<'py, PyAny>,
        class: &str,
        name: &str,
    ) -> PyResult<Result<Bound<'py, PyAny>, String>> {
        let target = Target::Attribute(name.to_string());
        self.evaluate_target(recipe, instance, class, &target, 0)
    }

    fn evaluate_target(
        &self,
        recipe: &Recipe<'py>,
        instance: &Bound<'py, PyAny>,
        class: &str,
        target: &Target,
        depth: usize,
    ) -> PyResult<Result<Bound<'py, PyAny>, String>> {
        let missing = match target {
            Target::Attribute(_) => "its value depends on how __init__ ran",
            Target::Local(_) => "its value needs an argument of __init__",
        };
        let Some((index, item)) = recipe.sources.get(target).filter(|_| depth < 20) else {
            return Ok(Err(missing.to_string()));
        };
        let part = &recipe.parts[*index];
        if let Some(value) = &part.ready {
            return Ok(Ok(value.clone()));
        }
        if let Some(reason) = &part.refused {
            return Ok(Err(reason.clone()));
        }
        let Some(function) = &part.function else {
            return Ok(Err(missing.to_string()));
        };
        let view = PyDict::new(self.py);
        for name in &part.attributes {
            let mangled = mangle(class, name);
            let pending = self.pending_attribute(instance, &mangled);
            let value = match pending {
                Some(value) => value,
                None => match instance.getattr(mangled.as_str()) {
                    Ok(value) => value,
                    Err(_) => {
                        let inner = Target::Attribute(name.clone());
                        match self.evaluate_target(recipe, instance, class, &inner, depth + 1)? {
                            Ok(value) => value,
                            Err(_) => return Ok(Err(format!("it has no attribute {name}"))),
                        }
                    }
                },
            };
            view.set_item(name, value)?;
        }
        let kind = self.py.import("types")?.getattr("SimpleNamespace")?;
        let stand_in = kind.call((), Some(&view))?;
        let mut arguments = vec![stand_in.clone()];
        let mut locals: FxHashMap<&str, Bound<'py, PyAny>> = FxHashMap::default();
        let mut seen: FxHashSet<&str> = FxHashSet::default();
        for name in &part.locals {
            if !seen.insert(name) {
                continue;
            }
            let inner = Target::Local(name.clone());
            match self.evaluate_target(recipe, instance, class, &inner, depth + 1)? {
                Ok(value) => {
                    locals.insert(name, value.clone());
                    arguments.push(value);
                }
                Err(reason) => return Ok(Err(reason)),
            }
        }
        for path in &part.methods {
            let Some((method, way)) = path.split_last() else {
                continue;
            };
            let mut object = if way.first().is_some_and(|head| *head == recipe.receiver) {
                stand_in.clone()
            } else {
                match way.first().and_then(|head| locals.get(head.as_str())) {
                    Some(value) => value.clone(),
                    None => return Ok(Err(missing.to_string())),
                }
            };
            for name in &way[1..] {
                match object.getattr(name.as_str()) {
                    Ok(inner) => object = inner,
                    Err(_) => return Ok(Err(format!("it has no attribute {name}"))),
                }
            }
            let kind = object.get_type().name()?.to_string();
            if !hotswap_plan::is_pure_method(&kind, method) {
                return Ok(Err(format!("calls .{method}() of a {kind}")));
            }
        }
        let value = match function.call1(PyTuple::new(self.py, arguments)?) {
            Ok(value) => value,
            Err(error) => return Ok(Err(format!("evaluating it raised {error}"))),
        };
        Ok(match item {
            None => Ok(value),
            Some(at) => match value.get_item(*at) {
                Ok(value) => Ok(value),
                Err(error) => Err(format!("evaluating it raised {error}")),
            },
        })
    }

    /// An attribute that this update gives to an instance, but has not yet.
    fn pending_attribute(
        &self,
        instance: &Bound<'py, PyAny>,
        name: &str,
    ) -> Option<Bound<'py, PyAny>> {
        let pending = self.given.get(&(instance.as_ptr() as usize))?;
        let found = pending.iter().rev().find(|(known, _)| known == name)?;
        Some(found.1.clone())
    }

    /// Whether calling this makes a new object and does nothing else.
    pub(crate) fn makes_fresh(&self, module: usize, path: &[String], depth: usize) -> bool {
        let Ok(Some(object)) = self.object_at(module, path) else {
            return false;
        };
        let text = |name: &str| -> String {
            object
                .getattr(name)
                .and_then(|value| value.extract())
                .unwrap_or_default()
        };
        if hotswap_plan::makes_fresh_object(&text("__module__"), &text("__qualname__")) {
            return true;
        }
        match object.cast::<PyType>() {
            Ok(class) => self
                .makes_instance_only(module, path, class, depth)
                .unwrap_or(false),
            Err(_) => false,
        }
    }

    /// Whether making an instance of a class of the project sets its attributes and
    /// does nothing else.
    pub(crate) fn makes_instance_only(
        &self,
        module: usize,
        path: &[String],
        class: &Bound<'py, PyType>,
        depth: usize,
    ) -> PyResult<bool> {
        if depth > 5 {
            return Ok(false);
        }
        Ok(match self.making(module, path, class)? {
            Making::Harmless => true,
            Making::Unknown => false,
            Making::Above => self.makes_above_only(class, depth)?,
            Making::Init(home, init) => {
                let Some(mut facts) = self.facts_of_init(home, &init, &init.facts, depth) else {
                    return Ok(false);
                };
                let goes_above = take_init_above(&mut facts);
                (!goes_above || self.makes_above_only(class, depth)?)
                    && self.impurity(home, &facts).is_none()
            }
        })
    }

    /// The same for what `__init__` of the one class above does.
    pub(crate) fn makes_above_only(
        &self,
        class: &Bound<'py, PyType>,
        depth: usize,
    ) -> PyResult<bool> {
        if class.getattr("__bases__")?.len()? == 1
            && class.getattr("__base__")?.is(self.py.get_type::<PyAny>())
        {
            return Ok(true);
        }
        match self.only_base(class)? {
            Some((home, name, base)) => self.makes_instance_only(home, &[name], &base, depth + 1),
            None => Ok(false),
        }
    }

    /// The base of a class of the project that has no other, with its module and its name.
    pub(crate) fn only_base(
        &self,
        class: &Bound<'py, PyType>,
    ) -> PyResult<Option<(usize, String, Bound<'py, PyType>)>> {
        let bases = class.getattr("__bases__")?.cast_into::<PyTuple>()?;
        if bases.len() != 1 {
            return Ok(None);
        }
        let base = bases.get_item(0)?.cast_into::<PyType>()?;
        let name: String = base.getattr("__qualname__")?.extract()?;
        Ok(self.home_of(&base)?.map(|home| (home, name, base)))
    }

    /// What a part of `__init__` does besides setting attributes of the new instance and
    /// making new objects. None: it writes to another argument.
    pub(crate) fn facts_of_init(
        &self,
        home: usize,
        init: &FunctionDef,
        part: &Facts,
        depth: usize,
    ) -> Option<Facts> {
        let receiver = init.first_parameter.as_deref().unwrap_or_default();
        if part.written.iter().any(|name| *name != receiver) {
            return None;
        }
        let mut facts = part.clone();
        facts.writes_to_arguments = false;
        facts.calls.retain(|call| match call {
            Call::Path(path) => !self.makes_fresh(home, path, depth + 1),
            Call::Method {
                on: Receiver::Literal | Receiver::Fresh,
                ..
            } => false,
            _ => true,
        });
        Some(facts)
    }

    /// What a call of a class of the project runs.
    pub(crate) fn making(
        &self,
        module: usize,
        path: &[String],
        class: &Bound<'py, PyType>,
    ) -> PyResult<Making> {
        let Some((home, name)) = self.definition_of(module, path) else {
            return Ok(Making::Unknown);
        };
        let Some(outline) = self.outline(home) else {
            return Ok(Making::Unknown);
        };
        let Some(definition) = outline
            .last_binder(&name)
            .and_then(|at| outline.statements[at].class())
        else {
            return Ok(Making::Unknown);
        };
        let mut methods = definition.body.iter().rev().filter_map(Statement::function);
        if !class.get_type().is(self.py.get_type::<PyType>())
            || methods.clone().any(|method| method.name == "__new__")
        {
            return Ok(Making::Unknown);
        }
        let dict = cpython::type_dict(class);
        if let Some(fields) = dict.get_item("__dataclass_fields__")? {
            return Ok(match makes_fields_only(class, &fields)? {
                true => Making::Harmless,
                false => Making::Unknown,
            });
        }
        if class.is_subclass_of::<PyTuple>()? && dict.contains("_fields")? {
            return Ok(Making::Harmless);
        }
        if !definition.decorators.is_empty() {
            return Ok(Making::Unknown);
        }
        if let Some(init) = methods.find(|method| method.name == "__init__") {
            return Ok(Making::Init(home, Box::new(init.clone())));
        }
        Ok(Making::Above)
    }
}

/// Takes `super().__init__(...)` out of some facts; whether it was there.
pub(crate) fn take_init_above(facts: &mut Facts) -> bool {
    let before = facts.calls.len();
    facts.calls.retain(
        |call| !matches!(call, Call::Method { on: Receiver::Super, name } if name == "__init__"),
    );
    facts.calls.len() < before
}

/// What a call of a class runs.
pub(crate) enum Making {
    /// Nothing that could do harm.
    Harmless,
    /// This `__init__`, of a class of this module, and nothing else.
    Init(usize, Box<FunctionDef>),
    /// Something else.
    Unknown,
    /// What making an instance of the class above runs.
    Above,
}

/// Whether the fields of a dataclass are made of defaults and empty containers.
fn makes_fields_only(class: &Bound<'_, PyType>, fields: &Bound<'_, PyAny>) -> PyResult<bool> {
    if class.hasattr("__post_init__")? {
        return Ok(false);
    }
    let missing = class.py().import("dataclasses")?.getattr("MISSING")?;
    for field in fields.cast::<PyDict>()?.values() {
        let factory = field.getattr("default_factory")?;
        let builtin = factory.is_instance_of::<PyType>()
            && factory.getattr("__module__")?.extract::<String>()? == "builtins";
        if !factory.is(&missing) && !builtin {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The variables from around them that the lambdas inside a code object use.
fn add_kept(code: &Bound<'_, PyAny>, kept: &mut FxHashSet<String>) -> PyResult<()> {
    for inner in crate::codes::nested(code)? {
        if crate::codes::name_of(&inner)? == "<lambda>" {
            kept.extend(crate::codes::free_variables(&inner)?);
        }
        add_kept(&inner, kept)?;
    }
    Ok(())
}
