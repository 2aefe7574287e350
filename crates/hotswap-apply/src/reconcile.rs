//! A baseline for a module whose imported source is not known.
//!
//! The file changed between the import and the first look at it. What was imported
//! is then read off the live module: functions by their code objects, plain values
//! by comparing them with what the new source gives. Everything else counts as
//! unchanged.

use std::sync::Arc;

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{Kind, Outline, Skeleton, Statement};
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::codes;
use crate::values;
use crate::world::Module;

/// An outline like the one of `outline`, except where the live module shows that it
/// was made from something else.
pub fn probable_baseline(
    py: Python<'_>,
    module: &Module,
    text: &str,
    outline: &Outline,
) -> PyResult<Outline> {
    let live = module.dict.bind(py);
    let mut baseline = outline.clone();
    let mut missing = Vec::new();
    // A value may differ because the program changed it. It is taken for an edit only
    // where the file is known to have changed, and no function assigns the name.
    let mut edited = module.other;
    let mut values_differ = Vec::new();
    for (index, statement) in baseline.statements.iter_mut().enumerate() {
        let whole = outline.statements[index].clone();
        match &mut statement.kind {
            Kind::Function(_) | Kind::Class(_) if alone(&outline.statements, &whole) => {
                let name = whole.binds.first().cloned().unwrap_or_default();
                let Some(object) = live.get_item(&name)? else {
                    missing.push(index);
                    continue;
                };
                let unit = codes::compile(
                    py,
                    &Skeleton::new(text, outline).statement(&whole).finish(),
                    &module.code_file,
                )?;
                let before = statement.text;
                let differs = reconcile(statement, &object, &unit, &mut Vec::new(), module.other)?;
                edited |= differs || (statement.function().is_some() && statement.text != before);
            }
            Kind::Assign {
                value: Some(value), ..
            } if value.facts.calls.is_empty() && whole.binds.len() == 1 => {
                let Some(now) = live.get_item(&whole.binds[0])? else {
                    missing.push(index);
                    continue;
                };
                let fresh = crate::statement::evaluate(py, value.span.of(text), &live.copy()?);
                if fresh.is_ok_and(|fresh| values::is_plain(&fresh) && !values::equal(&fresh, &now))
                {
                    values_differ.push(index);
                }
            }
            _ => {}
        }
    }
    for index in values_differ {
        let assigned = baseline.statements[index]
            .binds
            .iter()
            .any(|name| outline.globals_declared.contains(name));
        if edited && !assigned {
            mark(&mut baseline.statements[index]);
        }
    }
    // What the source defines and the module lacks was added, or the program deleted it.
    if edited {
        for index in missing.into_iter().rev() {
            baseline.statements.remove(index);
        }
    }
    Ok(baseline)
}

/// Whether no other statement binds or deletes the name of a definition: of overloads, of a
/// property and its setter, the name tells only the last.
fn alone(statements: &[Statement], definition: &Statement) -> bool {
    let name = definition.binds.first();
    if statements
        .iter()
        .any(|other| other.deletes.iter().any(|gone| Some(gone) == name))
    {
        return false;
    }
    statements
        .iter()
        .filter(|other| other.binds.first() == name)
        .count()
        == 1
}

/// Makes a statement of the baseline differ from its counterpart, also in its header.
fn mark(statement: &mut Statement) {
    statement.fingerprint ^= 1;
    statement.shape ^= 1;
    statement.text ^= 1;
}

fn reconcile(
    statement: &mut Statement,
    object: &Bound<'_, PyAny>,
    unit: &Bound<'_, PyAny>,
    scope: &mut Vec<String>,
    edited: bool,
) -> PyResult<bool> {
    match &mut statement.kind {
        Kind::Function(function) => {
            let function = Arc::make_mut(function);
            let Some(site) = Arc::make_mut(&mut statement.codes).last_mut() else {
                return Ok(false);
            };
            let Some(live) = raw_function(object) else {
                return Ok(false);
            };
            let code = live.peek("__code__")?;
            let made = codes::at_site(unit, scope, &site.name, site.line)?;
            let line = codes::line_of(&code)?;
            let moved = line != site.line;
            let shift = i64::from(line) - i64::from(site.line);
            site.line = line;
            site.last_line = u32::try_from(i64::from(site.last_line) + shift).unwrap_or(line);
            let differs = match made.first() {
                Some(made) => !codes::same_behaviour(&code, made)?,
                None => false,
            };
            if differs {
                site.fingerprint ^= 1;
                function.body ^= 1;
                function.own_body ^= 1;
                // Which defaults changed cannot be known: all are evaluated.
                for parameter in &mut function.parameters {
                    parameter.default = None;
                }
                mark(statement);
            } else if moved {
                site.text ^= 1;
                statement.text ^= 1;
            }
            Ok(differs)
        }
        Kind::Class(class) => {
            let Ok(live) = object.cast::<PyType>() else {
                return Ok(false);
            };
            let class = Arc::make_mut(class);
            let dict = crate::native::type_dict(live);
            scope.push(class.name.clone());
            let mut differs = false;
            let mut missing = Vec::new();
            let members = class.body.clone();
            for (index, member) in class.body.iter_mut().enumerate() {
                let named = matches!(member.kind, Kind::Function(_) | Kind::Class(_))
                    && alone(&members, &members[index]);
                let Some(name) = member.binds.first().filter(|_| named).cloned() else {
                    continue;
                };
                match dict.get_item(crate::instances::mangle(&class.name, &name))? {
                    Some(value) => differs |= reconcile(member, &value, unit, scope, edited)?,
                    None if edited => missing.push(index),
                    None => {}
                }
            }
            scope.pop();
            differs |= !missing.is_empty();
            for index in missing.into_iter().rev() {
                class.body.remove(index);
            }
            if differs {
                mark(statement);
            } else {
                statement.text ^= 1;
            }
            Ok(differs)
        }
        _ => Ok(false),
    }
}

/// The function behind descriptors and wrappers.
fn raw_function<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let mut object = object.clone();
    for _ in 0..20 {
        let next = ["__wrapped__", "__func__", "fget", "func"]
            .iter()
            .find_map(|name| object.getattr(*name).ok());
        match next {
            Some(next) if !next.is_none() => object = next,
            _ if object.peek("__code__").is_ok() => return Some(object),
            _ => return None,
        }
    }
    None
}

/// Takes what the live module shows as the baseline of a module.
pub fn reconcile_module(py: Python<'_>, module: &mut Module) -> PyResult<bool> {
    let Some(outline) = module.outline() else {
        return Ok(false);
    };
    let baseline = probable_baseline(py, module, &module.text().clone(), &outline)?;
    let differs = hotswap_plan::diff(&baseline, &outline).changes_behaviour();
    if differs {
        module.set_baseline(module.text().clone(), Some(Arc::new(baseline)));
    }
    Ok(differs)
}
