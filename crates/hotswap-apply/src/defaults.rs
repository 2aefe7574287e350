//! Default values of unchanged parameters that read something changed.

use std::sync::Arc;

use hotswap_plan::{Expression, Outline, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::stage::Stage;
use crate::statement::evaluate;
use crate::transaction::Write;
use crate::values;

impl<'py> Stage<'_, 'py> {
    /// Default values of an unchanged parameter that read something changed.
    pub(crate) fn derive_defaults(
        &mut self,
        module: usize,
        statement: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let Some(function) = statement.function() else {
            return Ok(());
        };
        let due: Vec<(usize, &Expression)> = function
            .parameters
            .iter()
            .enumerate()
            .filter_map(|(index, parameter)| {
                parameter.default.as_ref().map(|default| (index, default))
            })
            .filter(|(_, default)| self.cause(module, &default.facts).is_some())
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        let old_line = match self.edits.get(&module) {
            Some(edited) => edited
                .plan
                .steps
                .iter()
                .find(|step| outline.statements[step.new].span == statement.span)
                .and_then(|step| step.old)
                .and_then(|old| edited.old_outline.statements[old].codes.last())
                .map(|site| site.line),
            None => statement.codes.last().map(|site| site.line),
        };
        let Some(line) = old_line else { return Ok(()) };
        let live = self.functions_at(module, &function.name, line);
        for target in live {
            self.derive_defaults_of(module, statement, &target.function, &due)?;
        }
        Ok(())
    }

    fn derive_defaults_of(
        &mut self,
        module: usize,
        statement: &Statement,
        target: &Bound<'py, PyAny>,
        due: &[(usize, &Expression)],
    ) -> PyResult<()> {
        let Some(function) = statement.function() else {
            return Ok(());
        };
        let text = self.text(module);
        let live = self.live_dict(module);
        let namespace = self.namespace(module)?;
        for (index, default) in due {
            let parameter = &function.parameters[*index];
            let cause = self.cause(module, &default.facts).unwrap_or_default();
            let source = default.span.of(&text);
            let mut stale = self.impurity(module, &default.facts);
            if stale.is_none() {
                let was = evaluate(self.py, source, &live.copy()?);
                let now = parameter_default(target, function, *index)?;
                if !matches!((&was, &now), (Ok(was), Some(now)) if values::equal(was, now)) {
                    stale = Some("the program changed its value since".to_string());
                }
            }
            let name = format!("{}({})", function.name, parameter.name);
            if let Some(reason) = stale {
                let entry = self.entry(module, &name, Some(statement), "function", "stale");
                entry.reason = format!("the default depends on {cause}; {reason}");
                entry.advice = "# hotswap: rerun".to_string();
                continue;
            }
            let value = evaluate(self.py, source, &namespace)?;
            self.set_default(target, function, *index, value)?;
            self.entry(module, &name, Some(statement), "function", "re-ran")
                .reason = format!("the default reads {cause}");
        }
        Ok(())
    }

    fn set_default(
        &mut self,
        target: &Bound<'py, PyAny>,
        function: &hotswap_plan::FunctionDef,
        index: usize,
        value: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let parameter = &function.parameters[index];
        if parameter.keyword_only {
            let defaults = target.getattr("__kwdefaults__")?.call_method0("copy")?;
            defaults.set_item(&parameter.name, value)?;
            self.transaction.push(Write::Attribute {
                object: target.clone(),
                name: "__kwdefaults__",
                value: Some(defaults),
            });
            return Ok(());
        }
        let at = default_position(function, index);
        let defaults: Vec<Bound<'py, PyAny>> = target
            .getattr("__defaults__")?
            .cast_into::<PyTuple>()?
            .iter()
            .collect();
        let mut defaults = defaults;
        if let Some(slot) = defaults.get_mut(at) {
            *slot = value;
        }
        let defaults = PyTuple::new(self.py, defaults)?.into_any();
        self.transaction.push(Write::Attribute {
            object: target.clone(),
            name: "__defaults__",
            value: Some(defaults),
        });
        Ok(())
    }
}

fn default_position(function: &hotswap_plan::FunctionDef, index: usize) -> usize {
    function.parameters[..index]
        .iter()
        .filter(|parameter| !parameter.keyword_only && parameter.default.is_some())
        .count()
}

fn parameter_default<'py>(
    target: &Bound<'py, PyAny>,
    function: &hotswap_plan::FunctionDef,
    index: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let parameter = &function.parameters[index];
    if parameter.keyword_only {
        let defaults = target.getattr("__kwdefaults__")?;
        return if defaults.is_none() {
            Ok(None)
        } else {
            Ok(defaults.cast::<PyDict>()?.get_item(&parameter.name)?)
        };
    }
    let defaults = target.getattr("__defaults__")?;
    if defaults.is_none() {
        return Ok(None);
    }
    Ok(defaults
        .cast_into::<PyTuple>()?
        .get_item(default_position(function, index))
        .ok())
}
