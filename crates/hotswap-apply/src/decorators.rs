//! Decorators: what they read of a function, and what they set on a class.

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{ClassDef, FunctionDef, Target};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use rustc_hash::FxHashSet;

use crate::stage::Stage;

impl<'py> Stage<'_, 'py> {
    /// Whether a decorator of this function has read its annotations when it ran: the
    /// `register` of a `singledispatch` function or method without a type.
    pub(crate) fn reads_annotations(
        &self,
        module: usize,
        function: &FunctionDef,
        class: Option<&Bound<'py, PyType>>,
    ) -> PyResult<bool> {
        for decorator in &function.decorators {
            let Some((last, base)) = decorator.head.split_last() else {
                continue;
            };
            if last != "register" || base.is_empty() {
                continue;
            }
            let inside = match class {
                Some(class) => crate::native::type_dict(class).get_item(&base[0])?,
                None => None,
            };
            let object = match inside {
                Some(object) => Some(object),
                None => self.object_at(module, base)?,
            };
            let dispatches = object.is_some_and(|object| {
                let dispatcher = object.getattr("dispatcher").unwrap_or(object);
                dispatcher.getattr("dispatch").is_ok() && dispatcher.getattr("registry").is_ok()
            });
            if dispatches {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Attributes that decorators which a class no longer has may have set on it.
    pub(crate) fn decorated_attributes(
        &self,
        module: usize,
        before: &ClassDef,
        after: &ClassDef,
        members: &Bound<'py, PyDict>,
    ) -> PyResult<FxHashSet<String>> {
        let mut names = FxHashSet::default();
        let gone = before.decorators.iter().filter(|decorator| {
            !after
                .decorators
                .iter()
                .any(|other| other.fingerprint == decorator.fingerprint)
        });
        for decorator in gone {
            let Some((home, name)) = self.definition_of(module, &decorator.head) else {
                continue;
            };
            names.extend(self.set_by(home, &name));
            for (key, value) in members.iter() {
                let made: String = value
                    .peek("__qualname__")
                    .and_then(|name| name.extract())
                    .unwrap_or_default();
                let inner = value
                    .peek("__code__")
                    .and_then(|code| code.getattr("co_qualname")?.extract::<String>())
                    .unwrap_or(made);
                if inner.starts_with(&format!("{name}.<locals>.")) {
                    names.insert(key.extract()?);
                }
            }
        }
        Ok(names)
    }

    /// The attributes that a decorator function sets on its argument.
    fn set_by(&self, module: usize, name: &str) -> Vec<String> {
        let outlines = [
            self.edits
                .get(&module)
                .map(|edited| edited.old_outline.clone()),
            self.outline(module),
        ];
        let mut names = Vec::new();
        for outline in outlines.into_iter().flatten() {
            let Some(function) = outline
                .last_binder(name)
                .and_then(|at| outline.statements[at].function())
            else {
                continue;
            };
            let targets = function
                .assignments
                .iter()
                .flat_map(|each| &each.targets)
                .chain(&function.unsure);
            for target in targets {
                if let Target::Attribute(name) = target {
                    names.push(name.clone());
                }
            }
        }
        names
    }
}
