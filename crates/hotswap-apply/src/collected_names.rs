//! Statements that go through the names of their own module, as a table of all its classes does.
//!
//! Which names they saw depends on where they stand, and the module itself is asked, not what
//! is staged for it: so such a value is not made again, but said to be out of date.

use hotswap_plan::{Call, Facts, Kind, Outline, Pragma, Statement};
use pyo3::prelude::*;
use rustc_hash::FxHashSet;

use crate::stage::{Late, Stage};

/// Calls are followed so far.
const DEPTH: usize = 4;

impl Stage<'_, '_> {
    /// Whether an unchanged statement made a value of the names of its module, and the update
    /// gives the module other names.
    pub(crate) fn collects_other_names(&self, module: usize, statement: &Statement) -> bool {
        matches!(statement.kind, Kind::Assign { .. })
            && !self.committed
            && self
                .edits
                .get(&module)
                .is_some_and(|edited| defined(&edited.old_outline) != defined(&edited.outline))
            && self.collects_names(module, module, &statement.facts, 0)
    }

    fn collects_names(&self, of: usize, module: usize, facts: &Facts, depth: usize) -> bool {
        if of == module && goes_through_names(facts) {
            return true;
        }
        depth < DEPTH
            && facts.calls.iter().any(|call| {
                let Call::Path(path) = call else { return false };
                let found = self.definition_of(module, path);
                let Some((owner, name)) = found.filter(|(owner, _)| *owner == of) else {
                    return false;
                };
                self.outline(owner).is_some_and(|outline| {
                    let at = outline.last_binder(&name);
                    let function = at.and_then(|at| outline.statements[at].function());
                    function.is_some_and(|function| {
                        self.collects_names(of, owner, &function.facts, depth + 1)
                    })
                })
            })
    }

    /// Says so, or has the statement run once the module has its new names.
    pub(crate) fn derive_collected(
        &mut self,
        module: usize,
        index: usize,
        statement: &Statement,
    ) -> PyResult<()> {
        match statement.pragma {
            Some(Pragma::Keep) => {}
            Some(Pragma::Rerun) => {
                let step = self.step_of(module, index).unwrap_or(index);
                self.late.push(Late {
                    module,
                    step,
                    remade: None,
                });
                let names = statement.binds.iter().cloned();
                self.late_names.extend(names.map(|name| (module, name)));
            }
            None => {
                let reason = "it may have seen other names than there are now";
                self.report_stale(module, statement, "the names of its module", reason);
            }
        }
        Ok(())
    }
}

/// The functions, classes and values that a source defines.
fn defined(outline: &Outline) -> FxHashSet<&str> {
    let values = outline.statements.iter().filter(|statement| {
        matches!(
            statement.kind,
            Kind::Function(_) | Kind::Class(_) | Kind::Assign { .. } | Kind::Compound(_)
        )
    });
    let names = values.flat_map(|statement| &statement.binds);
    names.map(String::as_str).collect()
}

/// Whether code asks its module for all its names: by `globals()`, or by what `sys.modules`
/// has under its name.
fn goes_through_names(facts: &Facts) -> bool {
    let calls = |names: &[&str]| {
        facts.calls.iter().any(|call| match call {
            Call::Path(path) => path
                .last()
                .is_some_and(|last| names.contains(&last.as_str())),
            _ => false,
        })
    };
    let lists = facts.calls.iter().any(|call| {
        matches!(call, Call::Method { name, .. }
            if matches!(name.as_str(), "items" | "values" | "keys" | "copy"))
    });
    let reads = |name: &[&str]| facts.reads.iter().any(|read| read.iter().eq(name));
    calls(&["globals"]) && lists
        || reads(&["sys", "modules"])
            && reads(&["__name__"])
            && calls(&["getmembers", "vars", "dir"])
}
