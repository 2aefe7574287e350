//! Unchanged functions under a decorator whose argument reads something that changed.

use std::sync::Arc;

use hotswap_plan::{Expression, Outline, Pragma, Statement};
use pyo3::prelude::*;

use crate::stage::Stage;

impl<'py> Stage<'_, 'py> {
    /// Applies the decorators of a function again if an argument of theirs has another
    /// value and applying them is harmless. True: the definition was looked after.
    pub(crate) fn derive_decorators(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<bool> {
        let Some(function) = new.function() else {
            return Ok(false);
        };
        let cause = function.decorators.iter().find_map(|decorator| {
            let mut facts = decorator.facts.clone();
            // Other code of the decorator reaches what it made by itself.
            facts.reads.retain(|path| *path != decorator.head);
            facts.calls.clear();
            self.cause(module, &facts)
        });
        let Some(cause) = cause else {
            return Ok(false);
        };
        if new.pragma == Some(Pragma::Keep) {
            return Ok(true);
        }
        if new.pragma != Some(Pragma::Rerun) {
            let reason = function
                .decorators
                .iter()
                .find_map(|decorator| self.decoration_impurity(module, decorator));
            if let Some(reason) = reason {
                let entry = self.entry(module, &function.name, Some(new), "function", "stale");
                entry.reason = format!("its decorator depends on {cause}; {reason}");
                entry.advice = "# hotswap: rerun".to_string();
                return Ok(false);
            }
        }
        self.run(module, Some(old), new, outline)?;
        Ok(true)
    }

    /// Why applying a decorator may do more than to make another function of one.
    fn decoration_impurity(&self, module: usize, decorator: &Expression) -> Option<String> {
        let unknown = || {
            Some(format!(
                "{} is not known to be harmless",
                decorator.head.join(".")
            ))
        };
        let Some((source, name)) = self.definition_of(module, &decorator.head) else {
            return unknown();
        };
        let Some(outline) = self.outline(source) else {
            return unknown();
        };
        let Some(definition) = outline
            .last_binder(&name)
            .and_then(|at| outline.statements[at].function())
        else {
            return unknown();
        };
        if !definition.decorators.is_empty() {
            return unknown();
        }
        let mut arguments = decorator.facts.clone();
        let called = !arguments.calls.is_empty();
        arguments.calls.retain(
            |call| !matches!(call, hotswap_plan::Call::Path(path) if *path == decorator.head),
        );
        if let Some(reason) = self.impurity(module, &arguments) {
            return Some(reason);
        }
        // What is called when it is applied: the function, and what that one returns.
        let layers = if called { 2 } else { 1 };
        definition.layers.iter().take(layers).find_map(|layer| {
            let mut facts = layer.clone();
            facts.writes_to_arguments = false;
            self.impurity(source, &facts)
        })
    }
}
