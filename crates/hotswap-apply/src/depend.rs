//! Who depends on what changed, and whether deriving a value again is harmless.

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{
    Call, Facts, Kind, Receiver, is_pure_builtin, is_pure_library, is_pure_method,
    is_pure_method_name,
};
use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule, PyTuple, PyType};
use rustc_hash::FxHashSet;

use crate::native as cpython;
use crate::stage::{Changed, Stage};
use crate::values;

impl<'py> Stage<'_, 'py> {
    /// What changed about the thing that a read path names, as seen from a module.
    pub(crate) fn change_of(&self, module: usize, path: &[String]) -> Option<Changed> {
        if path.is_empty() {
            return None;
        }
        let prefixes = (1..=path.len()).map(|length| path[..length].join("."));
        let changes = prefixes.filter_map(|name| self.changed.get(&(module, name)).copied());
        // Which members there are and what they hold is what is read there, not their code.
        let whole = path.iter().skip(1).any(|part| part == "__dict__");
        let changes = changes.filter(|change| !whole || *change == Changed::Value);
        // Of a class with new code and an attribute with another value the value counts.
        let found = changes.reduce(|first, next| match next {
            Changed::Value => next,
            _ => first,
        });
        if found.is_some() {
            return found;
        }
        if path.len() < 2 {
            return None;
        }
        // A namespace that is read as a whole is what all of its members make it.
        if let Some(at) = path
            .iter()
            .position(|part| part == "__dict__")
            .filter(|at| *at > 0)
        {
            let members = format!("{}.", path[..at].join("."));
            if self.changed.iter().any(|((of, name), change)| {
                *of == module && name.starts_with(&members) && *change == Changed::Value
            }) {
                return Some(Changed::Value);
            }
        }
        match self.module_at(module, &path[0]) {
            Some(inner) if inner != module => self.change_of(inner, &path[1..]),
            Some(_) => None,
            None => self.change_of_member(module, path),
        }
    }

    /// The same for a member of a class that has another name here than where it is defined,
    /// or that one of its bases gives it.
    fn change_of_member(&self, module: usize, path: &[String]) -> Option<Changed> {
        let head = self.live_dict(module).get_item(&path[0]).ok()??;
        let class = head.cast::<PyType>().ok()?;
        for base in class.mro().iter() {
            let base = base.cast_into::<PyType>().ok()?;
            let qualname: String = base.getattr("__qualname__").ok()?.extract().ok()?;
            let found = self.home_of(&base).ok()?.and_then(|owner| {
                (2..=path.len()).find_map(|length| {
                    let name = format!("{qualname}.{}", path[1..length].join("."));
                    self.changed.get(&(owner, name)).copied()
                })
            });
            let decides = cpython::type_dict(&base).contains(&path[1]).unwrap_or(true);
            if found.is_some() || decides {
                return found;
            }
        }
        None
    }

    /// Whether calling this would run something that changed.
    pub(crate) fn call_changed(&self, module: usize, path: &[String]) -> bool {
        let mut seen = FxHashSet::default();
        self.call_changed_inner(module, path, &mut seen)
    }

    /// Whether a function with these facts reads or calls something that changed.
    pub(crate) fn reads_changed(&self, module: usize, facts: &Facts) -> bool {
        let mut seen = FxHashSet::default();
        self.any_changed(module, facts, &mut seen)
    }

    pub(crate) fn call_changed_at(
        &self,
        module: usize,
        path: &[String],
        seen: &mut FxHashSet<(usize, String)>,
    ) -> bool {
        self.call_changed_inner(module, path, seen)
    }

    fn call_changed_inner(
        &self,
        module: usize,
        path: &[String],
        seen: &mut FxHashSet<(usize, String)>,
    ) -> bool {
        if self.change_of(module, path).is_some() {
            return true;
        }
        let Some(head) = path.first() else {
            return false;
        };
        if !seen.insert((module, path.join("."))) {
            return false;
        }
        if path.len() > 1
            && let Some(inner) = self.module_at(module, head)
            && inner != module
        {
            return self.call_changed_inner(inner, &path[1..], seen);
        }
        let Some(outline) = self.outline(module) else {
            return false;
        };
        let Some(index) = outline.last_binder(head) else {
            return self.held_changed(module, head, seen);
        };
        let statement = &outline.statements[index];
        match &statement.kind {
            Kind::Function(function) if function.decorators.is_empty() => {
                self.any_changed(module, &function.facts, seen)
            }
            Kind::Function(function) => {
                self.any_changed(module, &function.facts, seen)
                    || self.held_changed(module, head, seen)
            }
            Kind::Class(class) => {
                let inside = class.body.iter().any(|member| match &member.kind {
                    Kind::Function(function) => self.any_changed(module, &function.facts, seen),
                    _ => false,
                });
                inside
                    || self
                        .called_class(module, std::slice::from_ref(head))
                        .is_some_and(|class| self.making_changed_at(&class, seen))
            }
            Kind::Import(imports) => imports.iter().any(|import| {
                import.bound == *head
                    && import.name.as_ref().is_some_and(|name| {
                        self.imported_module(module, import)
                            .filter(|source| *source != module)
                            .is_some_and(|source| {
                                self.call_changed_inner(source, std::slice::from_ref(name), seen)
                            })
                    })
            }),
            _ => {
                self.held_changed(module, head, seen)
                    || path.len() == 2 && self.held_method_changed(module, path, seen)
            }
        }
    }

    /// The same for a method of the instance that a name holds.
    fn held_method_changed(
        &self,
        module: usize,
        path: &[String],
        seen: &mut FxHashSet<(usize, String)>,
    ) -> bool {
        match self.live_dict(module).get_item(&path[0]) {
            Ok(Some(held)) => self.method_changed(&held, &path[1], seen),
            _ => false,
        }
    }

    /// The same for what a name holds: a closure, a wrapper, an alias.
    fn held_changed(
        &self,
        module: usize,
        name: &str,
        seen: &mut FxHashSet<(usize, String)>,
    ) -> bool {
        match self.live_dict(module).get_item(name) {
            Ok(Some(held)) => self.function_changed(&held, seen),
            _ => false,
        }
    }

    fn any_changed(
        &self,
        module: usize,
        facts: &Facts,
        seen: &mut FxHashSet<(usize, String)>,
    ) -> bool {
        facts
            .reads
            .iter()
            .any(|path| self.call_changed_inner(module, path, seen))
    }

    /// Whether a path leads to a name that is bound only after the commit.
    pub(crate) fn is_late(&self, module: usize, path: &[String], seen: &mut Vec<usize>) -> bool {
        if self.late_names.is_empty() || seen.contains(&module) {
            return false;
        }
        // A member of a class may be late by itself.
        let name = |parts: &[String]| (module, parts.join("."));
        if (1..=path.len()).any(|length| self.late_names.contains(&name(&path[..length]))) {
            return true;
        }
        seen.push(module);
        if let [head, rest @ ..] = path
            && !rest.is_empty()
            && let Some((owner, name)) = self.definition_of(module, std::slice::from_ref(head))
            && owner != module
        {
            return self.is_late(owner, &[&[name][..], rest].concat(), seen);
        }
        path.len() > 1
            && self
                .module_at(module, &path[0])
                .is_some_and(|inner| self.is_late(inner, &path[1..], seen))
    }

    /// Whether a statement that runs now would call code that is not committed yet.
    pub(crate) fn must_wait(&self, module: usize, facts: &Facts) -> bool {
        if self.committed {
            return false;
        }
        if facts
            .reads
            .iter()
            .any(|path| self.is_late(module, path, &mut Vec::new()))
        {
            return true;
        }
        if facts
            .reads
            .iter()
            .any(|path| self.reads_pending_member(module, path))
        {
            return true;
        }
        if facts.calls.is_empty() {
            return false;
        }
        facts.reads.iter().any(|path| {
            // A plain value is staged; only code that would run in its old version waits.
            match self.change_of(module, path) {
                Some(Changed::Value) => self.calls_pending(module, facts, path),
                Some(_) => true,
                None => self.call_changed(module, path),
            }
        })
    }

    /// Whether a path leads to an attribute that the class of an instance only gets at the
    /// commit, such as a method that this update adds.
    pub(crate) fn reads_pending_member(&self, module: usize, path: &[String]) -> bool {
        let [name, member, ..] = path else {
            return false;
        };
        // The members are there at the commit only.
        if path[1..].iter().any(|part| part == "__dict__") && self.change_of(module, path).is_some()
        {
            return true;
        }
        let Ok(Some(held)) = self.present(module).get_item(name) else {
            return false;
        };
        !held.is_instance_of::<PyType>()
            && !held.is_instance_of::<PyModule>()
            && values::has_identity(&held)
            && self.will_have(&held.get_type(), member)
    }

    /// The first name that an unchanged statement reads and that has another value now.
    pub(crate) fn cause(&self, module: usize, facts: &Facts) -> Option<String> {
        self.cause_of(module, facts, false)
    }

    /// The same for what made a plain value: such a value does not follow the functions
    /// inside the one that made it, as the functions which that one made do.
    pub(crate) fn cause_of_plain(&self, module: usize, facts: &Facts) -> Option<String> {
        self.cause_of(module, facts, true)
    }

    fn cause_of(&self, module: usize, facts: &Facts, plain: bool) -> Option<String> {
        for path in &facts.reads {
            if self.change_of(module, path) == Some(Changed::Value)
                && !self.is_replaced(module, path)
                || self.is_late(module, path, &mut Vec::new())
            {
                return Some(path.join("."));
            }
        }
        for call in &facts.calls {
            if let Call::Path(path) = call
                && (plain || self.change_of(module, path) != Some(Changed::Nested))
                && match self.called_class(module, path) {
                    // Instances that live follow their class; only what makes one counts.
                    Some(class) => self.making_changed(&class),
                    None => self.call_changed(module, path),
                }
            {
                return Some(format!("{}()", path.join(".")));
            }
        }
        None
    }

    /// Whether a path leads to a class that another one replaces: every reference to it
    /// follows, and its instances do.
    fn is_replaced(&self, module: usize, path: &[String]) -> bool {
        !self.replaced.is_empty()
            && self
                .called_class(module, path)
                .is_some_and(|class| self.replaced.iter().any(|(old, _)| old.is(&class)))
    }

    /// The class that a path leads to: calling it makes an instance.
    fn called_class(&self, module: usize, path: &[String]) -> Option<Bound<'py, PyType>> {
        let mut object = self.live_dict(module).get_item(&path[0]).ok().flatten();
        for name in &path[1..] {
            object = object.and_then(|outer| match outer.cast::<PyModule>() {
                Ok(module) => module.dict().get_item(name).ok().flatten(),
                Err(_) => None,
            });
        }
        object?.cast_into::<PyType>().ok()
    }

    /// Why running this again may not be harmless; None if it is known to be.
    pub(crate) fn impurity(&self, module: usize, facts: &Facts) -> Option<String> {
        self.impurity_inner(module, facts, 0)
    }

    pub(crate) fn impurity_at(&self, module: usize, facts: &Facts, depth: usize) -> Option<String> {
        self.impurity_inner(module, facts, depth)
    }

    fn impurity_inner(&self, module: usize, facts: &Facts, depth: usize) -> Option<String> {
        if let Some(effect) = facts.effects.first() {
            return Some((*effect).to_string());
        }
        if facts.writes_to_arguments {
            return Some("writes to its arguments".to_string());
        }
        if let Some(name) = facts.stores.first() {
            return Some(format!("changes {name} in place"));
        }
        if depth > 20 {
            return Some("calls too deep to follow".to_string());
        }
        for call in &facts.calls {
            let reason = match call {
                Call::Path(path) => self.call_impurity(module, path, depth),
                Call::Method {
                    on: Receiver::Literal | Receiver::Fresh,
                    ..
                } => None,
                Call::Method { name, .. } if is_pure_method_name(name) => None,
                Call::Method { name, .. } => Some(format!("calls .{name}() of an unknown object")),
                Call::Local(name) => Some(format!("calls {name}, which was passed in")),
                Call::Computed => Some("calls something computed".to_string()),
            };
            if reason.is_some() {
                return reason;
            }
        }
        None
    }

    fn call_impurity(&self, module: usize, path: &[String], depth: usize) -> Option<String> {
        let unknown = || {
            Some(format!(
                "calls {}, which is not known to be harmless",
                path.join(".")
            ))
        };
        let live = self.live_dict(module);
        let Ok(mut found) = live.get_item(&path[0]) else {
            return unknown();
        };
        if found.is_none()
            && let Some(staging) = self.staging.get(&module)
        {
            // What this update imports or binds.
            found = staging.namespace.get_item(&path[0]).unwrap_or_default();
        }
        let mut object = match found {
            Some(object) => object,
            None => {
                if path.len() == 1 && is_pure_builtin(&path[0]) {
                    return None;
                }
                let builtins = self
                    .py
                    .import("builtins")
                    .ok()
                    .and_then(|builtins| builtins.getattr(path[0].as_str()).ok());
                match builtins {
                    Some(object) => object,
                    // A definition that this very update adds.
                    None => {
                        return self
                            .definition_impurity(module, path, depth)
                            .unwrap_or_else(unknown);
                    }
                }
            }
        };
        for name in &path[1..] {
            if values::is_comparable(&object)
                || !(object.is_instance_of::<PyModule>() || object.is_instance_of::<PyType>())
            {
                let kind = object
                    .get_type()
                    .name()
                    .map(|name| name.to_string())
                    .unwrap_or_default();
                return if is_pure_method(&kind, name) {
                    None
                } else {
                    self.method_impurity(&object, name, depth)
                        .unwrap_or_else(unknown)
                };
            }
            if let Ok(class) = object.cast::<PyType>()
                && let Some(reason) = self.method_impurity(class.as_any(), name, depth)
            {
                return reason;
            }
            let inner = match object.cast::<PyModule>() {
                Ok(module) => module.dict().get_item(name).ok().flatten(),
                Err(_) => object.getattr(name.as_str()).ok(),
            };
            match inner {
                Some(inner) => object = inner,
                None => return unknown(),
            }
        }
        let owner: String = object
            .peek("__module__")
            .and_then(|name| name.extract())
            .unwrap_or_default();
        let qualname: String = object
            .peek("__qualname__")
            .and_then(|name| name.extract())
            .unwrap_or_default();
        if owner == "builtins" {
            let is_error = object
                .cast::<PyType>()
                .is_ok_and(|class| class.is_subclass_of::<PyBaseException>().unwrap_or(false));
            return if is_error
                || is_pure_builtin(&qualname)
                || qualname.contains('.')
                    && qualname
                        .split_once('.')
                        .is_some_and(|(kind, method)| is_pure_method(kind, method))
            {
                None
            } else {
                unknown()
            };
        }
        if object
            .get_type()
            .name()
            .is_ok_and(|name| name == "function")
            && let Ok(globals) = object.peek("__globals__")
            && self.world.by_dict(&globals).is_some()
        {
            return self
                .function_impurity(&object, depth)
                .unwrap_or_else(unknown);
        }
        let makes_instance = |class: &Bound<'py, PyType>| {
            let dict = cpython::type_dict(class);
            let named_tuple = class.is_subclass_of::<PyTuple>().unwrap_or(false)
                && dict.contains("_fields").unwrap_or(false)
                && dict.contains("_make").unwrap_or(false);
            named_tuple
                || self
                    .makes_instance_only(module, path, class, depth)
                    .unwrap_or(false)
        };
        if is_pure_library(&owner, &qualname) || object.cast::<PyType>().is_ok_and(makes_instance) {
            None
        } else {
            unknown()
        }
    }

    /// The purity of a project function, from its new source. None: it was not found.
    #[allow(clippy::option_option)]
    fn definition_impurity(
        &self,
        module: usize,
        path: &[String],
        depth: usize,
    ) -> Option<Option<String>> {
        let [name] = path else { return None };
        let outline = self.outline(module)?;
        let statement = &outline.statements[outline.last_binder(name)?];
        let function = statement.function()?;
        if !function.decorators.is_empty() {
            return Some(Some(format!("{name} is decorated")));
        }
        Some(self.impurity_inner(module, &function.facts, depth + 1))
    }

    /// Whether the live values of some names are still what their statements made
    /// of the old inputs: the statements are evaluated once more, in a copy of the
    /// namespace; they are known to be harmless.
    pub(crate) fn untouched(
        &mut self,
        module: usize,
        statements: &[usize],
        names: &[String],
    ) -> PyResult<bool> {
        let (text, outline) = match self.edits.get(&module) {
            Some(edited) => (edited.old_text.clone(), edited.old_outline.clone()),
            None => match self.world.modules[module].outline() {
                Some(outline) => (self.world.modules[module].text().clone(), outline),
                None => return Ok(false),
            },
        };
        let live = self.live_dict(module);
        let copy = self.namespace_before(module)?;
        for index in statements {
            let place = crate::timeline::Place {
                outline: &outline,
                text: &text,
                index: *index,
                new: false,
            };
            let Some(statement) = outline.statements.get(*index) else {
                return Ok(false);
            };
            if let Some(given) = self.imported_names(module, statement, names, false)? {
                copy.update(given.as_mapping())?;
            } else if !self.run_link(module, place, &copy, names)? {
                return Ok(false);
            }
        }
        self.same_names(&live, &copy, names)
    }

    /// What an import statement gives some names, before this update or after it. None: it
    /// is none, or that is not known.
    pub(crate) fn imported_names(
        &self,
        module: usize,
        statement: &hotswap_plan::Statement,
        names: &[String],
        new: bool,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let given = PyDict::new(self.py);
        for name in statement.binds.iter().filter(|name| names.contains(name)) {
            match self.imported_value(module, statement, name, new)? {
                Some(value) => given.set_item(name, value)?,
                None => return Ok(None),
            }
        }
        Ok((!given.is_empty()).then_some(given))
    }

    fn same_names(
        &self,
        live: &Bound<'py, PyDict>,
        copy: &Bound<'py, PyDict>,
        names: &[String],
    ) -> PyResult<bool> {
        for name in names {
            match (live.get_item(name)?, copy.get_item(name)?) {
                (Some(a), Some(b)) if values::alike(&a, &b) => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}
