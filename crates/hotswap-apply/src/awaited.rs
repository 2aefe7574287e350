//! `try: import …` of a module that was missing and is there now.

use hotswap_plan::{Branch, Kind, Outline, Plan, Statement};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::imports::named_modules;
use crate::world::{Module, World};

/// Whether a module has a `try` whose import failed for the want of one of `appeared`.
pub fn awaits(py: Python<'_>, module: &Module, appeared: &[String]) -> PyResult<bool> {
    let Some(outline) = module.outline() else {
        return Ok(false);
    };
    for statement in &outline.statements {
        if tries(py, module, statement, appeared)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Statements of that kind run again, as a whole; which they are.
pub(crate) fn try_again(
    py: Python<'_>,
    world: &World,
    module: &Module,
    outline: &Outline,
    plan: &mut Plan,
) -> PyResult<Vec<usize>> {
    let mut again = Vec::new();
    if world.appeared.is_empty() {
        return Ok(again);
    }
    for step in &mut plan.steps {
        if step.old.is_some() && tries(py, module, &outline.statements[step.new], &world.appeared)?
        {
            step.change = hotswap_plan::Change::Run;
            again.push(step.new);
        }
    }
    Ok(again)
}

/// Whether the first block of a `try` imports one of these modules, and it is not loaded.
fn tries(
    py: Python<'_>,
    module: &Module,
    statement: &Statement,
    appeared: &[String],
) -> PyResult<bool> {
    let Kind::Compound(compound) = &statement.kind else {
        return Ok(false);
    };
    let Some(Branch {
        role: "try", body, ..
    }) = compound.branches.first()
    else {
        return Ok(false);
    };
    let package: String = module
        .dict
        .bind(py)
        .get_item("__package__")?
        .and_then(|name| name.extract().ok())
        .unwrap_or_default();
    let loaded = py
        .import("sys")?
        .getattr("modules")?
        .cast_into::<PyDict>()?;
    let imports = body.iter().filter_map(|inner| match &inner.kind {
        Kind::Import(imports) => Some(imports),
        _ => None,
    });
    for name in imports
        .flatten()
        .flat_map(|import| named_modules(&package, import))
    {
        if appeared.contains(&name) && !loaded.contains(&name)? {
            return Ok(true);
        }
    }
    Ok(false)
}
