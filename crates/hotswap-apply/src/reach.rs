//! Which containers a registering call can reach.
//!
//! From the function or method that is called, through the globals, attributes and
//! cells that its code names, to lists, dicts, sets and the like. Nothing is called:
//! code objects are read, namespaces are looked into. What is not named is not
//! reached, so a queue beside the table of handlers stays out of it.

use hotswap_cpython::attributes::Peek as _;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyCode, PyDict, PyFunction, PyModule, PyString, PyTuple, PyType};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::collections::{Shape, read};
use crate::native as cpython;
use crate::values;

/// Beyond this many objects the search ends; what was found until then counts.
const BOUND: usize = 4000;
/// A container with more items than this is not searched for further containers.
const ITEMS: usize = 500;

/// A container that was reached.
pub(crate) struct Place<'py> {
    pub container: Bound<'py, PyAny>,
    pub shape: Shape,
    /// The place that holds it, and under which key.
    pub parent: Option<(usize, Option<Bound<'py, PyAny>>)>,
    /// The outermost container around it.
    pub family: usize,
}

/// What a search found.
pub(crate) struct Reach<'py> {
    py: Python<'py>,
    /// Every name and string that the code on the way mentions.
    pub names: FxHashSet<String>,
    pub places: Vec<Place<'py>>,
    /// Classes that the code on the way mentions.
    pub classes: Vec<Bound<'py, PyAny>>,
    receivers: Vec<Bound<'py, PyAny>>,
    seen: FxHashSet<usize>,
    /// The names that classes have, by address; the receivers keep those alive.
    known: FxHashMap<usize, Vec<String>>,
    standard: Option<String>,
    owned: Vec<String>,
}

impl<'py> Reach<'py> {
    /// `owned` are the packages whose registries a plugin looks after.
    pub(crate) fn new(py: Python<'py>, owned: Vec<String>) -> Reach<'py> {
        let standard = py
            .import("os")
            .and_then(|os| os.getattr("__file__")?.extract::<String>())
            .ok()
            .and_then(|file| {
                file.rsplit_once(['/', '\\'])
                    .map(|(folder, _)| folder.to_string())
            });
        let constructors = ["__call__", "__setitem__", "__iadd__", "__init_subclass__"];
        Reach {
            py,
            names: constructors.iter().map(ToString::to_string).collect(),
            places: Vec::new(),
            classes: Vec::new(),
            receivers: Vec::new(),
            seen: FxHashSet::default(),
            known: FxHashMap::default(),
            standard,
            owned,
        }
    }

    /// Starts from something that a statement calls, or from whose attribute it calls.
    pub(crate) fn root(&mut self, object: &Bound<'py, PyAny>) -> PyResult<()> {
        if self.is_owned(object)? {
            return Ok(());
        }
        if let Ok(function) = object.cast::<PyFunction>() {
            // Also of the standard library: it is what the statement itself calls.
            self.code_names(&function.peek("__code__")?, 0)?;
        } else if object.is_instance_of::<PyType>() {
            self.names.insert("__init__".to_string());
            self.names.insert("__new__".to_string());
        } else if let Ok(function) = object.peek("__func__")
            && function.is_instance_of::<PyFunction>()
        {
            self.code_names(&function.peek("__code__")?, 0)?;
        }
        self.visit(object)
    }

    /// Goes on until nothing new is found.
    pub(crate) fn finish(&mut self) -> PyResult<()> {
        for _ in 0..8 {
            let before = (self.names.len(), self.receivers.len(), self.seen.len());
            let mut at = 0;
            while at < self.receivers.len() && self.seen.len() < BOUND {
                let receiver = self.receivers[at].clone();
                at += 1;
                for name in self.mentioned_members(&receiver)? {
                    for member in self.members(&receiver, &name)? {
                        self.visit(&member)?;
                    }
                }
            }
            if before == (self.names.len(), self.receivers.len(), self.seen.len()) {
                break;
            }
        }
        Ok(())
    }

    /// The members of an object whose names the code on the way mentions. Asking an
    /// object for its names is far less work than asking it for each name of a library.
    fn mentioned_members(&mut self, object: &Bound<'py, PyAny>) -> PyResult<Vec<String>> {
        let mut found: Vec<String> = Vec::new();
        let own = match object.cast::<PyModule>() {
            Ok(module) => Some(module.dict()),
            Err(_) if object.is_instance_of::<PyType>() => None,
            Err(_) => object
                .peek("__dict__")
                .ok()
                .and_then(|dict| dict.cast_into::<PyDict>().ok()),
        };
        for key in own.iter().flat_map(|dict| dict.keys().iter()) {
            if let Ok(name) = key.extract::<String>()
                && self.names.contains(&name)
            {
                found.push(name);
            }
        }
        let mut classes = vec![object.get_type()];
        if let Ok(class) = object.cast::<PyType>() {
            classes.push(class.clone());
        }
        for class in classes {
            let at = class.as_ptr() as usize;
            let names = self
                .known
                .entry(at)
                .or_insert_with(|| names_of_class(&class));
            let names = names.iter();
            found.extend(names.filter(|name| self.names.contains(*name)).cloned());
        }
        Ok(found)
    }

    fn visit(&mut self, object: &Bound<'py, PyAny>) -> PyResult<()> {
        if values::is_plain(object) || self.seen.len() > BOUND {
            return Ok(());
        }
        if Shape::of(object).is_some() {
            return self.container(object, None, 0);
        }
        if !self.seen.insert(object.as_ptr() as usize) || self.is_owned(object)? {
            return Ok(());
        }
        if object.is_instance_of::<PyFunction>() {
            return self.function(object);
        }
        if object.is_instance_of::<PyCFunction>() {
            let owner = object.peek("__self__")?;
            if !owner.is_instance_of::<PyModule>() {
                self.visit(&owner)?;
            }
            return Ok(());
        }
        let kind = object.get_type();
        let parts: &[&str] = match kind.name()?.to_str()? {
            "method" => &["__func__", "__self__"],
            "staticmethod" | "classmethod" => &["__func__"],
            "property" => &["fget"],
            "partial" => &["func", "args"],
            "builtin_function_or_method" | "method-wrapper" => &["__self__"],
            "member_descriptor" | "getset_descriptor" | "wrapper_descriptor" | "code" | "frame" => {
                return Ok(());
            }
            _ => &[],
        };
        for part in parts {
            if let Ok(inner) = object.getattr(*part) {
                self.visit(&inner)?;
            }
        }
        if parts.is_empty() {
            if object.is_instance_of::<PyType>() {
                self.classes.push(object.clone());
            }
            self.receivers.push(object.clone());
        }
        Ok(())
    }

    fn function(&mut self, function: &Bound<'py, PyAny>) -> PyResult<()> {
        // Attributes of the function itself, as in `on.handlers.append(f)`.
        self.receivers.push(function.clone());
        let code = function.peek("__code__")?;
        let cells = function.peek("__closure__")?;
        if let Ok(cells) = cells.cast::<PyTuple>() {
            for cell in cells.iter() {
                if let Ok(content) = cell.getattr("cell_contents") {
                    self.visit(&content)?;
                }
            }
        }
        if self.is_standard(&code)? {
            return Ok(());
        }
        self.code_names(&code, 0)?;
        let defaults = function.getattr("__defaults__")?;
        if let Ok(defaults) = defaults.cast::<PyTuple>() {
            for value in defaults.iter() {
                self.visit(&value)?;
            }
        }
        let globals = function.peek("__globals__")?.cast_into::<PyDict>()?;
        let mut named = FxHashSet::default();
        names_of(&code, &mut named, 0)?;
        for name in named {
            if let Some(value) = globals.get_item(&name)? {
                self.visit(&value)?;
            }
        }
        Ok(())
    }

    fn code_names(&mut self, code: &Bound<'py, PyAny>, depth: usize) -> PyResult<()> {
        names_of(code, &mut self.names, depth)
    }

    /// Whether a plugin looks after what this object registers with.
    fn is_owned(&self, object: &Bound<'py, PyAny>) -> PyResult<bool> {
        if self.owned.is_empty() {
            return Ok(false);
        }
        let object = object.peek("__func__").unwrap_or_else(|_| object.clone());
        if object.is_instance_of::<PyFunction>() {
            let globals = object.peek("__globals__")?.cast_into::<PyDict>()?;
            let name = globals.get_item("__name__")?;
            return Ok(name.is_some_and(|name| self.is_owned_name(&name)));
        }
        let class = match object.cast::<PyType>() {
            Ok(class) => class.clone(),
            Err(_) => object.get_type(),
        };
        Ok(class.mro().iter().any(|base| {
            base.getattr("__module__")
                .is_ok_and(|name| self.is_owned_name(&name))
        }))
    }

    fn is_owned_name(&self, name: &Bound<'py, PyAny>) -> bool {
        name.extract::<String>().is_ok_and(|name| {
            let package = name.split('.').next().unwrap_or_default();
            self.owned.iter().any(|owned| owned == package)
        })
    }

    fn is_standard(&self, code: &Bound<'py, PyAny>) -> PyResult<bool> {
        let file: String = code.getattr("co_filename")?.extract()?;
        Ok(file.starts_with("<frozen")
            || self.standard.as_ref().is_some_and(|folder| {
                file.starts_with(folder)
                    && !file.contains("site-packages")
                    && !file.contains("dist-packages")
            }))
    }

    /// What an object has under a name, without running descriptors.
    fn members(&self, object: &Bound<'py, PyAny>, name: &str) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut found = Vec::new();
        if let Ok(module) = object.cast::<PyModule>() {
            found.extend(module.dict().get_item(name)?);
            return Ok(found);
        }
        if let Ok(class) = object.cast::<PyType>() {
            found.extend(lookup(class, name)?);
            let meta = object.get_type();
            if !meta.is(self.py.get_type::<PyType>()) {
                found.extend(lookup(&meta, name)?);
            }
            return Ok(found);
        }
        if let Ok(dict) = object.peek("__dict__")
            && let Ok(dict) = dict.cast::<PyDict>()
            && let Some(value) = dict.get_item(name)?
        {
            found.push(value);
            return Ok(found);
        }
        if let Some(value) = lookup(&object.get_type(), name)? {
            if value.get_type().name()?.to_str()? == "member_descriptor" {
                found.extend(object.peek(name).ok());
            } else {
                found.push(value);
            }
        }
        Ok(found)
    }

    fn container(
        &mut self,
        object: &Bound<'py, PyAny>,
        parent: Option<(usize, Option<Bound<'py, PyAny>>)>,
        depth: usize,
    ) -> PyResult<()> {
        let Some(shape) = Shape::of(object) else {
            return Ok(());
        };
        if !self.seen.insert(object.as_ptr() as usize) || is_namespace(object) {
            return Ok(());
        }
        let index = self.places.len();
        let family = parent
            .as_ref()
            .map_or(index, |(parent, _)| self.places[*parent].family);
        self.places.push(Place {
            container: object.clone(),
            shape,
            parent,
            family,
        });
        let entries = read(object, shape)?;
        if entries.len() > ITEMS {
            return Ok(());
        }
        for entry in entries {
            let value = entry.value;
            if Shape::of(&value).is_some() {
                if depth < 4 {
                    self.container(&value, Some((index, entry.key)), depth + 1)?;
                }
            } else if !values::is_plain(&value)
                && !value.is_instance_of::<PyFunction>()
                && !value.is_instance_of::<PyType>()
                && !value.is_instance_of::<PyTuple>()
                && value.get_type().name()?.to_str()? != "method"
            {
                // A topic with handlers of its own.
                self.visit(&value)?;
            }
        }
        Ok(())
    }
}

/// The names that a class and its bases have.
fn names_of_class(class: &Bound<'_, PyType>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for base in class.mro().iter() {
        if let Ok(base) = base.cast::<PyType>() {
            let keys = cpython::type_dict(base).keys();
            names.extend(keys.iter().filter_map(|key| key.extract::<String>().ok()));
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a function, or the one under a class method, belongs to an installed library.
pub(crate) fn is_of_library(object: &Bound<'_, PyAny>) -> bool {
    let function = object.peek("__func__").unwrap_or_else(|_| object.clone());
    let file = function
        .peek("__code__")
        .and_then(|code| code.getattr("co_filename")?.extract::<String>());
    file.is_ok_and(|file| file.contains("site-packages") || file.contains("dist-packages"))
}

/// A dict in which statements run is no registry, nor is the table of the modules.
fn is_namespace(object: &Bound<'_, PyAny>) -> bool {
    let is_modules = || {
        let modules = object
            .py()
            .import("sys")
            .and_then(|sys| sys.getattr("modules"));
        modules.is_ok_and(|modules| modules.is(object))
    };
    object
        .cast::<PyDict>()
        .is_ok_and(|dict| dict.contains("__builtins__").unwrap_or(false) || is_modules())
}

/// What a class has under a name, by its own dict and those of its bases.
pub(crate) fn lookup<'py>(
    class: &Bound<'py, PyType>,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    for base in class.mro().iter() {
        let Ok(base) = base.cast::<PyType>() else {
            continue;
        };
        if let Some(value) = cpython::type_dict(base).get_item(name)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// The names, and the strings, that a code object and those inside it mention.
fn names_of(code: &Bound<'_, PyAny>, names: &mut FxHashSet<String>, depth: usize) -> PyResult<()> {
    if depth > 6 || !code.is_instance_of::<PyCode>() {
        return Ok(());
    }
    names.extend(code.getattr("co_names")?.extract::<Vec<String>>()?);
    for constant in code.getattr("co_consts")?.cast_into::<PyTuple>()?.iter() {
        if constant.is_instance_of::<PyCode>() {
            names_of(&constant, names, depth + 1)?;
        } else if let Ok(text) = constant.cast::<PyString>() {
            names.insert(text.to_string_lossy().into_owned());
        } else if let Ok(keys) = constant.cast::<PyTuple>() {
            // The keys of a display such as `{"name": name, "call": function}`.
            for key in keys.iter() {
                if let Ok(text) = key.cast::<PyString>() {
                    names.insert(text.to_string_lossy().into_owned());
                }
            }
        }
    }
    Ok(())
}
