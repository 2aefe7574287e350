//! Members that a class gets back, because the statement that took them away is gone.

use crate::diff::{Change, ClassChange, Step};
use crate::outline::{Kind, Outline};

/// Where the old source has `del C.a` and the new one has not, a fresh start would leave
/// what the body of `C` binds: that statement of the body runs again.
pub(crate) fn give_back(steps: &mut [Step], old: &Outline, new: &Outline) {
    let still: Vec<&Vec<String>> = deleted(new).collect();
    for path in deleted(old).filter(|path| !still.contains(path)) {
        let [owner, member] = &path[..] else { continue };
        let Some(at) = new.last_binder(owner) else {
            continue;
        };
        let Kind::Class(definition) = &new.statements[at].kind else {
            continue;
        };
        let binds = |name: &String| name == member;
        let Some(inner) = definition
            .body
            .iter()
            .rposition(|each| each.binds.iter().any(binds))
        else {
            continue;
        };
        let Some(step) = steps.iter_mut().find(|step| step.new == at) else {
            continue;
        };
        if matches!(step.change, Change::Same | Change::Bodies) {
            // A class that changed in nothing has as many members as before.
            let same = (0..definition.body.len()).map(|at| Step {
                new: at,
                old: Some(at),
                change: step.change.clone(),
                renamed: false,
            });
            step.change = Change::Class(ClassChange {
                steps: same.collect(),
                ..ClassChange::default()
            });
        }
        if let Change::Class(change) = &mut step.change
            && let Some(step) = change.steps.iter_mut().find(|step| step.new == inner)
        {
            step.change = Change::Run;
        }
    }
}

fn deleted(outline: &Outline) -> impl Iterator<Item = &Vec<String>> {
    outline
        .statements
        .iter()
        .flat_map(|statement| &statement.deletes_of)
}
