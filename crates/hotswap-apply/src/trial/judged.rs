//! What the instructions of a function may write to, as far as they say.

use std::collections::{HashMap, HashSet};

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{is_pure_library, makes_fresh_object};
use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyFunction, PyInt, PyModule, PyTuple, PyType};

use crate::values;

/// A store whose target is looked at before it happens.
pub(super) struct Check {
    pub target: Path,
    /// What else will do than a target that may be written to.
    pub unless: Unless,
}

#[derive(Clone)]
pub(super) enum Unless {
    Nothing,
    /// Something that cannot be changed in place: it is replaced.
    Plain,
    /// Something whose `__dict__` is not made when it is asked for: that of others would be
    /// taken for a new object.
    KeepsDict,
    /// Something that holds this value already.
    Holds(Step, Operand),
}

/// The way on which a value is read.
#[derive(Clone)]
pub(super) struct Path {
    /// The name that it begins with.
    pub name: String,
    /// Where that name stands.
    pub scope: Scope,
    /// What is taken from there, one after the other.
    pub steps: Vec<Step>,
}

impl Path {
    fn new(name: &str, scope: Scope) -> Path {
        Path {
            name: name.to_string(),
            scope,
            steps: Vec::new(),
        }
    }

    /// As the source has it.
    pub(super) fn text(&self) -> String {
        let mut text = self.name.clone();
        for step in &self.steps {
            match step {
                Step::Attribute(Operand::Text(name)) => text.extend([".", name]),
                _ => text.push_str("[...]"),
            }
        }
        text
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Local,
    Global,
    /// Local or global, as in a module or a class body.
    Either,
    /// The names of the module themselves, as `globals()` gives them.
    Namespace,
    /// What is stored to is the cell of a name of an outer function.
    Cell,
}

/// How one object leads to another.
#[derive(Clone)]
pub(super) enum Step {
    /// The attribute of this name.
    Attribute(Operand),
    /// What a builtin container holds at this key.
    Item(Operand),
}

/// Something that can be evaluated without running code.
#[derive(Clone)]
pub(super) enum Operand {
    Text(String),
    Number(u32),
    Path(Box<Path>),
}

#[derive(Default)]
pub(super) struct Judgement {
    /// Why the function must not run at all, in words.
    pub refused: Option<String>,
    /// By the offset of an instruction.
    pub checks: HashMap<u32, Check>,
    /// It names `setattr` or `delattr`, and what it calls them with is among the checks.
    pub sets_by_name: bool,
    /// It calls `vars`, and only reads what that gives, or its argument is among the checks.
    pub reads_vars: bool,
    /// It assigns names of the namespace that it runs in.
    pub binds_names: bool,
    /// It makes classes.
    pub makes_classes: bool,
}

struct Instruction {
    name: String,
    /// The name, or what `dis` shows for a constant.
    text: Option<String>,
    is_number: bool,
    /// Those in a constant.
    names: Vec<String>,
    argument: u32,
    offset: u32,
    /// How much higher the stack is afterwards.
    effect: i64,
    is_target: bool,
    is_jump: bool,
    /// Where its prefixes begin.
    first: u32,
}

impl Judgement {
    pub(super) fn of(code: &Bound<'_, PyAny>, frame: &Bound<'_, PyAny>) -> PyResult<Judgement> {
        let instructions = read(code)?;
        let own: HashSet<String> = code
            .getattr("co_cellvars")?
            .extract::<Vec<String>>()?
            .into_iter()
            .collect();
        let mut judgement = Judgement::default();
        for at in 0..instructions.len() {
            if let Err(reason) = judgement.look(&instructions, at, &own, frame)? {
                judgement.refused = Some(reason);
                break;
            }
        }
        Ok(judgement)
    }

    fn look(
        &mut self,
        all: &[Instruction],
        at: usize,
        own: &HashSet<String>,
        frame: &Bound<'_, PyAny>,
    ) -> PyResult<Result<(), String>> {
        let this = &all[at];
        let text = this.text.as_deref().unwrap_or_default();
        let slot = match this.name.as_str() {
            "STORE_GLOBAL" | "DELETE_GLOBAL" => {
                self.insert(
                    this,
                    &Path::new("globals()", Scope::Namespace),
                    &Unless::Nothing,
                );
                return Ok(Ok(()));
            }
            "STORE_NAME" | "DELETE_NAME" => {
                self.binds_names = true;
                return Ok(Ok(()));
            }
            "IMPORT_NAME" if only_looks_up(all, at, frame)? => return Ok(Ok(())),
            "IMPORT_NAME" | "IMPORT_STAR" => return Ok(Err("imports".to_string())),
            "LOAD_BUILD_CLASS" => {
                self.makes_classes = true;
                return Ok(Ok(()));
            }
            "STORE_DEREF" | "DELETE_DEREF" => {
                if !own.contains(text) {
                    self.insert(this, &Path::new(text, Scope::Cell), &Unless::Nothing);
                }
                return Ok(Ok(()));
            }
            "LOAD_GLOBAL" | "LOAD_NAME" => return self.look_global(all, at, frame),
            "LOAD_SUPER_ATTR" if text == "__setattr__" => {
                return Ok(self.check_super(all, at, first_parameter(frame)?.as_ref()));
            }
            // As CPython has it up to 3.11.
            "LOAD_METHOD" if text == "__setattr__" && is_of_super(all, at) => {
                return Ok(self.check_super(all, at, first_parameter(frame)?.as_ref()));
            }
            name if name.starts_with("LOAD_ATTR")
                || name.starts_with("LOAD_METHOD")
                || name.starts_with("LOAD_SUPER") =>
            {
                return Ok(self.look_attribute(all, at));
            }
            "STORE_ATTR" => {
                let name = Step::Attribute(Operand::Text(text.to_string()));
                (0, holds(all, at, Some(name), 1))
            }
            "STORE_SUBSCR" => {
                let key = operand_below(all, at, 0).map(Step::Item);
                (1, holds(all, at, key, 2))
            }
            "DELETE_ATTR" => (0, Unless::Nothing),
            "DELETE_SUBSCR" => (1, Unless::Nothing),
            "STORE_SLICE" => (2, Unless::Nothing),
            // The operators with an assignment follow the others.
            "BINARY_OP" if (13..26).contains(&this.argument) => (1, Unless::Plain),
            name if name.starts_with("INPLACE_") => (1, Unless::Plain),
            _ => return Ok(Ok(())),
        };
        Ok(self.check(all, at, slot.0, &slot.1))
    }

    /// Notes that what lies so deep on the stack must be looked at before an instruction.
    fn check(
        &mut self,
        all: &[Instruction],
        at: usize,
        depth: i64,
        unless: &Unless,
    ) -> Result<(), String> {
        let unknown = || Err("changes something that is not known".to_string());
        let Some(maker) = producer(all, at, depth) else {
            return unknown();
        };
        let maker = &all[maker];
        if matches!(unless, Unless::Plain) && maker.name == "LOAD_CONST" {
            return Ok(());
        }
        if matches!(
            maker.name.as_str(),
            "BUILD_LIST" | "BUILD_MAP" | "BUILD_SET"
        ) {
            return Ok(());
        }
        let Some(path) = path_of(all, maker) else {
            return unknown();
        };
        self.insert(&all[at], &path, unless);
        Ok(())
    }

    fn insert(&mut self, at: &Instruction, target: &Path, unless: &Unless) {
        for offset in (at.first..=at.offset).step_by(2) {
            let check = Check {
                target: target.clone(),
                unless: unless.clone(),
            };
            self.checks.insert(offset, check);
        }
    }

    /// `setattr(x, ...)`: `x` is looked at where its reading begins.
    fn check_first_argument(&mut self, all: &[Instruction], at: usize) -> Result<(), String> {
        let unknown = || Err("sets an attribute of something that is not known".to_string());
        let mut next = skip_null(all, at + 1);
        let first = next;
        let Some(Operand::Path(target)) = operand_at(all, &mut next) else {
            return unknown();
        };
        // The next argument begins here, or else this one goes on.
        let begins = all.get(next).is_some_and(|each| {
            each.name.starts_with("LOAD_")
                && !["LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER"]
                    .iter()
                    .any(|name| each.name.starts_with(name))
        });
        if !begins || all[first..next].iter().any(|each| each.is_target) {
            return unknown();
        }
        let mut unless = Unless::Nothing;
        if let Some(name) = operand_at(all, &mut next)
            && let Some(value) = operand_at(all, &mut next)
            && all.get(next).is_some_and(ends_call)
        {
            unless = Unless::Holds(Step::Attribute(name), value);
        }
        self.insert(&all[first], &target, &unless);
        Ok(())
    }

    /// What is called with `x` to give a setter of it: `x` is looked at where its reading
    /// begins.
    fn check_bound(&mut self, all: &[Instruction], at: usize) -> Result<(), String> {
        let mut next = skip_null(all, at + 1);
        let first = next;
        match operand_at(all, &mut next) {
            Some(Operand::Path(target)) if all.get(next).is_some_and(ends_call) => {
                self.insert(&all[first], &target, &Unless::Nothing);
                Ok(())
            }
            _ => Err("sets an attribute of something that is not known".to_string()),
        }
    }

    /// `super().__setattr__(name, value)`, of the first parameter.
    fn check_super(
        &mut self,
        all: &[Instruction],
        at: usize,
        first: Option<&String>,
    ) -> Result<(), String> {
        let mut next = skip_null(all, at + 1);
        let begin = next;
        let (name, value) = (operand_at(all, &mut next), operand_at(all, &mut next));
        let (Some(first), Some(name), Some(value)) = (first, name, value) else {
            return Err("calls __setattr__()".to_string());
        };
        let unless = Unless::Holds(Step::Attribute(name), value);
        self.insert(&all[begin], &Path::new(first, Scope::Local), &unless);
        Ok(())
    }

    /// `vars(x)`: the dict of `x` must not be made by this.
    fn check_vars(&mut self, all: &[Instruction], at: usize) -> Result<(), String> {
        let mut next = skip_null(all, at + 1);
        let first = next;
        let target = operand_at(all, &mut next);
        let ends = all.get(next).is_some_and(ends_call);
        match target {
            Some(Operand::Path(target)) if ends => {
                self.insert(&all[first], &target, &Unless::KeepsDict);
                Ok(())
            }
            _ => Err("takes hold of a __dict__".to_string()),
        }
    }

    fn look_attribute(&mut self, all: &[Instruction], at: usize) -> Result<(), String> {
        let this = &all[at];
        let text = this.text.as_deref().unwrap_or_default();
        match text {
            "__setattr__" | "__delattr__" if !this.name.starts_with("LOAD_SUPER") => {
                self.check_first_argument(all, at)
            }
            "__setattr__" | "__delattr__" | "__setitem__" | "__delitem__" | "__iadd__"
            | "__ior__" | "__setstate__" => Err(format!("calls {text}()")),
            "__dict__" if !is_only_read(all, at + 1) => self
                .check(all, at, 0, &Unless::KeepsDict)
                .map_err(|_| "takes hold of a __dict__".to_string()),
            _ => Ok(()),
        }
    }

    /// What a name of the module means, and what is taken from it if that is a module.
    fn look_global(
        &mut self,
        all: &[Instruction],
        at: usize,
        frame: &Bound<'_, PyAny>,
    ) -> PyResult<Result<(), String>> {
        let name = all[at].text.as_deref().unwrap_or_default();
        let globals = frame.getattr("f_globals")?.cast_into::<PyDict>()?;
        let builtins = frame.getattr("f_builtins")?.cast_into::<PyDict>()?;
        let Some(mut object) = (match globals.get_item(name)? {
            Some(object) => Some(object),
            None => builtins.get_item(name)?,
        }) else {
            return Ok(Ok(()));
        };
        if matches!(name, "setattr" | "delattr") && object.is_instance_of::<PyCFunction>() {
            self.sets_by_name = true;
            return Ok(self.check_first_argument(all, at));
        }
        if name == "vars" && object.is_instance_of::<PyCFunction>() {
            let call = (at + 1..all.len().min(at + 5)).find(|at| is_call(&all[*at]));
            self.reads_vars = true;
            return Ok(match call.is_some_and(|call| is_only_read(all, call + 1)) {
                true => Ok(()),
                false => self.check_vars(all, at),
            });
        }
        if let Some(only_binds) = is_object_setattr(&object)? {
            // `set = object.__setattr__.__get__(x)`, or `object.__setattr__(x, ...)`.
            let binds = all
                .get(at + 1)
                .is_some_and(|next| next.text.as_deref() == Some("__get__"));
            let begin = at + usize::from(binds && !only_binds);
            return Ok(match binds || only_binds {
                true => self.check_bound(all, begin),
                false => self.check_first_argument(all, at),
            });
        }
        let mut next = at + 1;
        while let Ok(module) = object.cast::<PyModule>() {
            let Some(taken) = all.get(next).filter(|each| {
                each.name.starts_with("LOAD_ATTR") || each.name.starts_with("LOAD_METHOD")
            }) else {
                break;
            };
            let name = taken.text.as_deref().unwrap_or_default();
            let Some(found) = module.dict().get_item(name)? else {
                break;
            };
            object = found;
            next += 1;
        }
        Ok(match is_known(&object)? {
            true => Ok(()),
            false => Err(format!("uses {name}, which is not known to be harmless")),
        })
    }
}

/// Whether an import finds all that it asks for among the modules that are loaded.
fn only_looks_up(all: &[Instruction], at: usize, frame: &Bound<'_, PyAny>) -> PyResult<bool> {
    // Its level and the names that it takes were put on the stack before it.
    let (Some(level), Some(taken)) = (at.checked_sub(2), at.checked_sub(1)) else {
        return Ok(false);
    };
    let Some(level) = all[level].text.as_ref().and_then(|text| text.parse().ok()) else {
        return Ok(false);
    };
    let mut name = all[at].text.clone().unwrap_or_default();
    if level > 0 {
        let package = frame.getattr("f_globals")?.get_item("__package__")?;
        let package: String = package.extract().unwrap_or_default();
        let Some(above) = package.rsplitn(level, '.').last() else {
            return Ok(false);
        };
        name = match name.is_empty() {
            true => above.to_string(),
            false => format!("{above}.{name}"),
        };
    }
    let modules = crate::native::import(frame.py(), "sys")?.getattr("modules")?;
    let Some(module) = modules.cast_into::<PyDict>()?.get_item(name)? else {
        return Ok(false);
    };
    let Ok(module) = module.cast_into::<PyModule>() else {
        return Ok(false);
    };
    for name in &all[taken].names {
        if !module.dict().contains(name)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a call of this object, if it comes to one, is seen or harmless.
fn is_known(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    if let Ok(class) = object.cast::<PyType>() {
        let home: String = class.getattr("__module__")?.extract().unwrap_or_default();
        let name: String = class.getattr("__qualname__")?.extract().unwrap_or_default();
        return Ok(values::is_python_class(class)?
            || class.is_subclass_of::<PyBaseException>()?
            // Making something of a builtin class, and that of most others in C, only makes it.
            || matches!(
                home.as_str(),
                "builtins" | "types" | "typing" | "datetime" | "decimal" | "array" | "re"
            )
            || (home == "weakref" && matches!(name.as_str(), "ReferenceType" | "ProxyType"))
            || (home == "functools" && name == "_lru_cache_wrapper")
            || is_pure_library(&home, &name)
            || makes_fresh_object(&home, &name));
    }
    let kind = object.get_type();
    Ok(!object.is_callable()
        || object.is_instance_of::<PyFunction>()
        || object.is_instance_of::<PyCFunction>()
        || values::is_python_class(&kind)?
        || matches!(
            kind.name()?.to_str()?,
            "_lru_cache_wrapper" | "method" | "GenericAlias" | "UnionType"
        ))
}

/// Whether an object is `object.__setattr__` (false) or its `__get__` (true), which frozen
/// classes set their own attributes by.
fn is_object_setattr(object: &Bound<'_, PyAny>) -> PyResult<Option<bool>> {
    let is_setattr = |object: &Bound<'_, PyAny>| -> PyResult<bool> {
        let setter = object.py().get_type::<PyAny>().getattr("__setattr__")?;
        Ok(object.is(&setter))
    };
    if is_setattr(object)? {
        return Ok(Some(false));
    }
    let is_bound = object.get_type().name()? == "method-wrapper"
        && object.peek("__name__")?.eq("__get__")?
        && is_setattr(&object.peek("__self__")?)?;
    Ok(is_bound.then_some(true))
}

fn ends_call(each: &Instruction) -> bool {
    is_call(each) || each.name == "PRECALL"
}

fn is_call(each: &Instruction) -> bool {
    each.name.starts_with("CALL")
}

/// Whether the instructions from here on do nothing with the dict on the stack but to read
/// from it.
fn is_only_read(all: &[Instruction], at: usize) -> bool {
    let (Some(next), after) = (all.get(at), all.get(at + 1)) else {
        return false;
    };
    let text = next.text.as_deref().unwrap_or_default();
    let is_subscript = after.is_some_and(|after| after.name == "BINARY_SUBSCR");
    (next.name.starts_with("LOAD_") && is_subscript)
        || (next.name.starts_with("LOAD_")
            && matches!(text, "copy" | "get" | "items" | "keys" | "values"))
        || matches!(next.name.as_str(), "GET_ITER" | "CONTAINS_OP")
}

fn is_local(each: &Instruction) -> bool {
    (each.name.starts_with("LOAD_FAST") || matches!(each.name.as_str(), "LOAD_DEREF"))
        && each.text.is_some()
}

/// The name that an instruction reads.
fn name_of(each: &Instruction) -> Option<Path> {
    let name = each.text.as_deref()?;
    if is_local(each) {
        return Some(Path::new(name, Scope::Local));
    }
    match each.name.as_str() {
        "LOAD_GLOBAL" => Some(Path::new(name, Scope::Global)),
        "LOAD_NAME" => Some(Path::new(name, Scope::Either)),
        _ => None,
    }
}

/// A constant.
fn constant_of(each: &Instruction) -> Option<Operand> {
    let text = each.text.as_ref()?;
    match each.name.as_str() {
        "LOAD_CONST" | "LOAD_SMALL_INT" if each.is_number => text.parse().ok().map(Operand::Number),
        "LOAD_CONST" => Some(Operand::Text(text.clone())),
        _ => None,
    }
}

/// The way on which an instruction reads a value.
fn path_of(all: &[Instruction], maker: &Instruction) -> Option<Path> {
    if let Some(path) = name_of(maker) {
        return Some(path);
    }
    let at = all.iter().position(|each| std::ptr::eq(each, maker))?;
    match maker.name.as_str() {
        "LOAD_ATTR" => {
            let mut path = path_of(all, &all[producer(all, at, 0)?])?;
            let name = Operand::Text(maker.text.clone()?);
            path.steps.push(Step::Attribute(name));
            Some(path)
        }
        name if is_subscript(name, maker.argument) => {
            let key = operand_below(all, at, 0)?;
            let mut path = path_of(all, &all[producer(all, at, 1)?])?;
            path.steps.push(Step::Item(key));
            Some(path)
        }
        _ if calls_alone(all, at, "globals") => Some(Path::new("globals()", Scope::Namespace)),
        _ => None,
    }
}

/// Whether an instruction calls what is no local variable and has this name, without arguments.
fn calls_alone(all: &[Instruction], at: usize, name: &str) -> bool {
    let mut before = all[..at].iter().rev();
    let called = before.find(|each| !matches!(each.name.as_str(), "PUSH_NULL" | "PRECALL"));
    is_call(&all[at])
        && all[at].argument == 0
        && called
            .and_then(name_of)
            .is_some_and(|called| called.name == name && called.scope != Scope::Local)
}

/// Whether an attribute is taken from `super()`.
fn is_of_super(all: &[Instruction], at: usize) -> bool {
    producer(all, at, 0).is_some_and(|maker| calls_alone(all, maker, "super"))
}

fn first_parameter(frame: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let names = frame.getattr("f_code")?.getattr("co_varnames")?;
    Ok(names.extract::<Vec<String>>()?.into_iter().next())
}

/// What a call gets as one of its arguments.
pub(super) enum Given {
    Nothing,
    Value(Operand),
    Unknown,
}

/// The argument of this place or name that the call at an offset gets.
pub(super) fn argument_of(
    code: &Bound<'_, PyAny>,
    offset: u32,
    index: usize,
    name: &str,
) -> PyResult<Given> {
    let all = read(code)?;
    let call = all.iter().position(|each| each.offset == offset);
    Ok(call.map_or(Given::Unknown, |call| given(&all, call, index, name)))
}

fn given(all: &[Instruction], call: usize, index: usize, name: &str) -> Given {
    let mut at = call;
    let before = |at: usize| at.checked_sub(1).map(|before| &all[before]);
    let (mut depth, mut keywords): (usize, &[String]) = (0, &[]);
    match (all[call].name.as_str(), before(at)) {
        ("CALL_KW" | "CALL_FUNCTION_KW", Some(names)) => (depth, keywords) = (1, &names.names),
        ("CALL" | "CALL_FUNCTION" | "CALL_METHOD", _) => {}
        _ => return Given::Unknown,
    }
    while let Some(each) = before(at) {
        match each.name.as_str() {
            "KW_NAMES" => keywords = &each.names,
            "PRECALL" => {}
            _ => break,
        }
        at -= 1;
    }
    let count = all[call].argument as usize;
    let positional = count.saturating_sub(keywords.len());
    let place = match keywords.iter().position(|each| each == name) {
        _ if index < positional => index,
        Some(place) => positional + place,
        None => return Given::Nothing,
    };
    depth += count - 1 - place;
    let value = i64::try_from(depth).map(|depth| operand_below(all, at, depth));
    value.ok().flatten().map_or(Given::Unknown, Given::Value)
}

/// What lies so deep on the stack before an instruction, if it can be evaluated again.
fn operand_below(all: &[Instruction], at: usize, depth: i64) -> Option<Operand> {
    let maker = &all[producer(all, at, depth)?];
    match constant_of(maker) {
        Some(constant) => Some(constant),
        None => path_of(all, maker).map(|path| Operand::Path(Box::new(path))),
    }
}

/// A store that leaves the target as it is, where the value is known.
fn holds(all: &[Instruction], at: usize, slot: Option<Step>, depth: i64) -> Unless {
    match slot.zip(operand_below(all, at, depth)) {
        Some((slot, value)) => Unless::Holds(slot, value),
        None => Unless::Nothing,
    }
}

fn skip_null(all: &[Instruction], mut at: usize) -> usize {
    while all.get(at).is_some_and(|each| each.name == "PUSH_NULL") {
        at += 1;
    }
    at
}

/// The expression whose first instruction this is; `at` is behind it then.
fn operand_at(all: &[Instruction], at: &mut usize) -> Option<Operand> {
    let first = all.get(*at)?;
    if let Some(constant) = constant_of(first) {
        *at += 1;
        return Some(constant);
    }
    let mut path = name_of(first)?;
    *at += 1;
    loop {
        let next = all.get(*at)?;
        if next.name == "LOAD_ATTR" {
            let name = Operand::Text(next.text.clone()?);
            path.steps.push(Step::Attribute(name));
            *at += 1;
            continue;
        }
        let key = match constant_of(next) {
            Some(constant) => Some(constant),
            None => name_of(next).map(|path| Operand::Path(Box::new(path))),
        };
        match (key, all.get(*at + 1)) {
            (Some(key), Some(after)) if is_subscript(&after.name, after.argument) => {
                path.steps.push(Step::Item(key));
                *at += 2;
            }
            _ => return Some(Operand::Path(Box::new(path))),
        }
    }
}

/// Since CPython 3.14 it is one of the operators.
fn is_subscript(name: &str, argument: u32) -> bool {
    name == "BINARY_SUBSCR" || (name == "BINARY_OP" && argument == 26)
}

/// The instruction that put what lies so deep on the stack before this one.
fn producer(all: &[Instruction], at: usize, depth: i64) -> Option<usize> {
    let (mut at, mut depth) = (at, depth);
    loop {
        if all[at].is_target {
            return None;
        }
        at = at.checked_sub(1)?;
        let each = &all[at];
        let name = each.name.as_str();
        if each.is_jump {
            return None;
        }
        if let Some(below) = below_shuffle(name, i64::from(each.argument), depth) {
            depth = below;
            continue;
        }
        let pushes = match name {
            "RESUME" | "NOP" | "CACHE" | "PRECALL" | "KW_NAMES" | "MAKE_CELL"
            | "COPY_FREE_VARS" | "SETUP_ANNOTATIONS" | "LIST_APPEND" | "SET_ADD" | "MAP_ADD"
            | "LIST_EXTEND" | "SET_UPDATE" | "DICT_UPDATE" | "DICT_MERGE" => 0,
            _ if name.starts_with("STORE_")
                || name.starts_with("POP_")
                || name.starts_with("DELETE_") =>
            {
                0
            }
            _ if name.starts_with("LOAD_") => each.effect.max(1),
            _ => 1,
        };
        if depth < pushes {
            // Of two values the one on top is not the value that was read.
            return (depth == 0 || pushes == 1).then_some(at);
        }
        depth -= each.effect;
        if depth < 0 {
            return None;
        }
    }
}

/// How deep what lies so deep after an instruction that only moves and copies lay before it.
fn below_shuffle(name: &str, argument: i64, depth: i64) -> Option<i64> {
    let copied = |count: i64| match depth < count {
        true => depth,
        false => depth - count,
    };
    // The top goes down below so many others.
    let turned = |count: i64| match depth {
        _ if depth >= count => depth,
        _ if depth == count - 1 => 0,
        _ => depth + 1,
    };
    Some(match name {
        "COPY" if depth == 0 => argument - 1,
        "COPY" => depth - 1,
        "SWAP" if depth == 0 => argument - 1,
        "SWAP" if depth == argument - 1 => 0,
        "SWAP" => depth,
        "DUP_TOP" => copied(1),
        "DUP_TOP_TWO" => copied(2),
        "ROT_TWO" => turned(2),
        "ROT_THREE" => turned(3),
        "ROT_FOUR" => turned(4),
        "ROT_N" => turned(argument),
        _ => return None,
    })
}

fn read(code: &Bound<'_, PyAny>) -> PyResult<Vec<Instruction>> {
    let py = code.py();
    let dis = crate::native::import(py, "dis")?;
    let effect = dis.getattr("stack_effect")?;
    let keywords = PyDict::new(py);
    keywords.set_item("jump", false)?;
    let mut jumps: HashSet<u32> = HashSet::new();
    for kind in ["hasjrel", "hasjabs"] {
        jumps.extend(dis.getattr(kind)?.extract::<Vec<u32>>()?);
    }
    let mut all: Vec<Instruction> = Vec::new();
    let mut first = None;
    for each in dis
        .getattr("get_instructions")?
        .call1((code,))?
        .try_iter()?
    {
        let each = each?;
        let name: String = each.getattr("opname")?.extract()?;
        let offset: u32 = each.getattr("offset")?.extract()?;
        if name == "EXTENDED_ARG" {
            first.get_or_insert(offset);
            continue;
        }
        let opcode: u32 = each.getattr("opcode")?.extract()?;
        let argument = each.getattr("arg")?;
        let value = match name.as_str() {
            // `dis` of CPython 3.11 does not know them.
            "KW_NAMES" => code.getattr("co_consts")?.get_item(&argument)?,
            _ => each.getattr("argval")?,
        };
        let made = |name: &str, text: Option<String>, effect: i64| -> PyResult<Instruction> {
            Ok(Instruction {
                name: name.to_string(),
                text,
                is_number: value.is_exact_instance_of::<PyInt>(),
                names: value.extract().unwrap_or_default(),
                argument: argument.extract().unwrap_or(0),
                offset,
                effect,
                is_target: each.getattr("is_jump_target")?.is_truthy()?,
                is_jump: jumps.contains(&opcode),
                first: first.unwrap_or(offset),
            })
        };
        // Since CPython 3.13 some instructions are two in one.
        if let Ok(pair) = value.cast::<PyTuple>()
            && let Ok((one, other)) = pair.extract::<(String, String)>()
            && let Some(names) = two_in_one(&name)
        {
            for ((name, effect), text) in names.into_iter().zip([one, other]) {
                let mut half = made(name, Some(text), effect)?;
                half.is_target &= all.last().is_none_or(|last| last.offset != offset);
                all.push(half);
            }
        } else {
            let by = effect.call((opcode, argument.clone()), Some(&keywords))?;
            let number = || value.extract().ok().map(|number: u32| number.to_string());
            let text = value.extract().ok().or_else(number);
            all.push(made(&name, text, by.extract()?)?);
        }
        first = None;
    }
    Ok(all)
}

fn two_in_one(name: &str) -> Option<[(&'static str, i64); 2]> {
    const LOAD: (&str, i64) = ("LOAD_FAST", 1);
    const STORE: (&str, i64) = ("STORE_FAST", -1);
    match name {
        "LOAD_FAST_LOAD_FAST" | "LOAD_FAST_BORROW_LOAD_FAST_BORROW" => Some([LOAD, LOAD]),
        "STORE_FAST_LOAD_FAST" => Some([STORE, LOAD]),
        "STORE_FAST_STORE_FAST" => Some([STORE, STORE]),
        _ => None,
    }
}
