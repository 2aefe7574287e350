//! What a statement of a class body sees when it runs alone: the names that the body had
//! bound where it stands, and not those that it binds further down. `items = list(x)` above
//! `def list(self)` means the builtin.

use hotswap_plan::{ClassDef, Statement};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::stage::Stage;

/// The names that some statements of a body read before the body binds them.
pub(super) fn bound_below(definition: &ClassDef, run: &[&Statement]) -> Vec<String> {
    let binder = |name: &String| {
        let mut members = definition.body.iter();
        members
            .find(|member| member.binds.contains(name))
            .map(|member| member.span.start)
    };
    let reads = |statement: &Statement| -> Vec<String> {
        let reads = statement.facts.reads.iter();
        reads.map(|read| read[0].clone()).collect()
    };
    let mut hidden: Vec<String> = Vec::new();
    for statement in run {
        for name in reads(statement) {
            if binder(&name).is_some_and(|at| at >= statement.span.start) {
                hidden.push(name);
            }
        }
    }
    // A statement below the binder wants the member; that it is there matters more.
    hidden.retain(|name| {
        let Some(at) = binder(name) else { return true };
        let runs_too = run.iter().any(|statement| statement.span.start == at);
        runs_too
            || !run
                .iter()
                .any(|statement| statement.span.start > at && reads(statement).contains(name))
    });
    hidden.sort_unstable();
    hidden.dedup();
    hidden
}

/// Takes names out of a copy of a class's dict.
pub(crate) fn hide(scope: &Bound<'_, PyDict>, names: &[String]) -> PyResult<()> {
    for name in names {
        if scope.contains(name)? {
            scope.del_item(name)?;
        }
    }
    Ok(())
}

impl Stage<'_, '_> {
    /// The same for one member of a class, by the names of the classes around it.
    pub(crate) fn bound_below_member(
        &self,
        module: usize,
        path: &[String],
        member: &Statement,
    ) -> Vec<String> {
        let Some((outline, (first, rest))) = self.outline(module).zip(path.split_first()) else {
            return Vec::new();
        };
        let top = outline.last_binder(first);
        let mut definition = top.and_then(|at| outline.statements[at].class());
        for name in rest {
            definition = definition.and_then(|outer| {
                let mut members = outer.body.iter().rev();
                members.find_map(|inner| inner.class().filter(|class| class.name == *name))
            });
        }
        definition.map_or_else(Vec::new, |definition| bound_below(definition, &[member]))
    }
}
