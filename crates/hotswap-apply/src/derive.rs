//! Deriving values of unchanged statements again.

use std::sync::Arc;

use hotswap_plan::{Kind, Outline, Pragma, Statement};
use pyo3::prelude::*;

use crate::codes;
use crate::stage::{Late, Stage};

impl<'py> Stage<'_, 'py> {
    /// Derives statements of a module that was not edited.
    pub(crate) fn derive_module(&mut self, module: usize) -> PyResult<()> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let Some(outline) = self.outline(module) else {
            return Ok(());
        };
        for index in 0..outline.statements.len() {
            self.derive(module, index, &outline)?;
        }
        Ok(())
    }

    /// An unchanged statement that reads something whose value changed runs again if
    /// nobody changed what it made and running it is known to be harmless.
    pub(crate) fn derive(
        &mut self,
        module: usize,
        index: usize,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let statement = &outline.statements[index];
        if self.changed.is_empty() {
            return Ok(());
        }
        match &statement.kind {
            Kind::Function(_) => return self.derive_defaults(module, statement, outline),
            Kind::Class(_) => return self.derive_class(module, statement, outline),
            Kind::Import(_) | Kind::Future | Kind::Docstring | Kind::MainGuard => return Ok(()),
            _ => {}
        }
        let Some(cause) = self.cause(module, &statement.facts) else {
            return Ok(());
        };
        let label = statement.label(&self.text(module));
        if statement.pragma == Some(Pragma::Keep) {
            self.entry(module, &label, Some(statement), "statement", "kept")
                .reason = "# hotswap: keep".to_string();
            return Ok(());
        }
        let old_index = self.old_index(module, index);
        if self.run_chain(module, statement, outline)? {
            return Ok(());
        }
        if statement.pragma != Some(Pragma::Rerun) {
            let stale = self.why_not_derive(module, statement, old_index, outline)?;
            if let Some(reason) = stale {
                // A bare call is something that was done, not a value that could be stale.
                if !statement.binds.is_empty() {
                    let entry = self.entry(module, &label, Some(statement), "statement", "stale");
                    entry.reason = format!("depends on {cause}; {reason}");
                    entry.advice = "# hotswap: rerun".to_string();
                }
                return Ok(());
            }
        }
        if self.must_wait(module, &statement.facts) {
            if let Some(step) = self.step_of(module, index) {
                self.late.push(Late {
                    module,
                    step,
                    remade: false,
                });
            } else {
                self.late.push(Late {
                    module,
                    step: index,
                    remade: false,
                });
            }
            for name in &statement.binds {
                self.late_names.insert((module, name.clone()));
            }
            return Ok(());
        }
        self.derive_now(module, statement, outline)
    }

    pub(crate) fn derive_now(
        &mut self,
        module: usize,
        statement: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let namespace = self.namespace(module)?;
        let code = self.compile_statement(module, statement, outline)?;
        let before = self.values_before(&namespace, statement)?;
        codes::execute(&code, &namespace, None)?;
        for name in &statement.binds {
            let was = before.get_item(name)?;
            if let Some(now) = namespace.get_item(name)? {
                self.bind(module, name, Some(now.clone()))?;
                self.note_value(module, name, was, Some(now));
            }
        }
        let label = statement.label(&self.text(module));
        self.entry(module, &label, Some(statement), "statement", "re-ran")
            .reason = "something it reads changed".to_string();
        Ok(())
    }

    /// The index of a statement's counterpart in the baseline.
    fn old_index(&self, module: usize, index: usize) -> Option<usize> {
        match self.edits.get(&module) {
            Some(edited) => edited
                .plan
                .steps
                .iter()
                .find(|step| step.new == index)
                .and_then(|step| step.old),
            None => Some(index),
        }
    }

    fn step_of(&self, module: usize, index: usize) -> Option<usize> {
        self.edits
            .get(&module)?
            .plan
            .steps
            .iter()
            .position(|step| step.new == index)
    }

    fn why_not_derive(
        &mut self,
        module: usize,
        statement: &Statement,
        old_index: Option<usize>,
        outline: &Outline,
    ) -> PyResult<Option<String>> {
        if let Some(reason) = self.impurity(module, &statement.facts) {
            return Ok(Some(reason));
        }
        let Some(old_index) = old_index else {
            return Ok(None);
        };
        let chain = self.chain(module, old_index, &statement.binds, outline);
        if !self.untouched(module, &chain, &statement.binds)? {
            return Ok(Some("the program changed its value since".to_string()));
        }
        Ok(None)
    }

    /// The statements of the baseline that bind or augment the same names, up to the
    /// last of them, so that the value after them can be compared.
    fn chain(
        &self,
        module: usize,
        index: usize,
        names: &[String],
        _outline: &Outline,
    ) -> Vec<usize> {
        let baseline = match self.edits.get(&module) {
            Some(edited) => Some(edited.old_outline.clone()),
            None => self.world.modules[module].outline(),
        };
        let Some(baseline) = baseline else {
            return vec![index];
        };
        let mut chain: Vec<usize> = baseline
            .statements
            .iter()
            .enumerate()
            .filter(|(at, other)| {
                *at == index || other.binds.iter().any(|name| names.contains(name))
            })
            .map(|(at, _)| at)
            .collect();
        chain.dedup();
        chain
    }
}
