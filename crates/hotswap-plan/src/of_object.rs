//! Classes whose only base is `object`, whether they name it or not.
//!
//! `class A(object):` and `class A:` make the same class, unless `object` is a name of the
//! module. Otherwise such an edit, which many a project makes in all of its classes at once,
//! would make each of them anew.

use crate::diff::{Change, ClassChange, Step};
use crate::outline::{ClassDef, Kind, Outline, Statement};

/// Takes back that the header of such a class differs.
pub(crate) fn settle_headers(steps: &mut [Step], old: &Outline, new: &Outline) {
    let rebinds = |outline: &Outline| {
        binds_object(&outline.statements)
            || outline.globals_declared.iter().any(|name| name == "object")
    };
    if rebinds(old) || rebinds(new) {
        return;
    }
    for step in steps {
        settle(step, &old.statements, &new.statements);
    }
}

fn settle(step: &mut Step, old: &[Statement], new: &[Statement]) {
    let (Change::Class(change), Some(at)) = (&mut step.change, step.old) else {
        return;
    };
    let (Kind::Class(before), Kind::Class(after)) = (&old[at].kind, &new[step.new].kind) else {
        return;
    };
    if before.of_object && after.of_object && before.name == after.name {
        change.header = false;
    }
    if !binds_object(&before.body) && !binds_object(&after.body) {
        for inner in &mut change.steps {
            settle(inner, &before.body, &after.body);
        }
    }
    if !step.renamed && is_nothing(change, before, after) {
        step.change = Change::Same;
    }
}

fn is_nothing(change: &ClassChange, before: &ClassDef, after: &ClassDef) -> bool {
    let same = |step: &Step| step.change == Change::Same && !step.renamed;
    !change.header
        && !change.decorators
        && change.removed.is_empty()
        && change.steps.iter().all(same)
        && before.body.len() == after.body.len()
        && change.steps.iter().map(|step| step.old).is_sorted()
}

/// A star import may bind any name.
fn binds_object(statements: &[Statement]) -> bool {
    statements
        .iter()
        .flat_map(|statement| &statement.binds)
        .any(|name| name == "object" || name == "*")
}

#[cfg(test)]
mod tests {
    use crate::diff::{Change, diff};
    use crate::outline::Outline;

    fn change(old: &str, new: &str) -> Change {
        let plan = diff(&Outline::parse(old).unwrap(), &Outline::parse(new).unwrap());
        plan.steps.last().unwrap().change.clone()
    }

    fn header(old: &str, new: &str) -> bool {
        matches!(change(old, new), Change::Class(change) if change.header)
    }

    #[test]
    fn object_as_the_only_base_may_be_left_out() {
        let new = "class A:\n    x = 1\n";
        assert_eq!(change("class A(object):\n    x = 1\n", new), Change::Same);
        assert!(!header("class A(object):\n    x = 2\n", new));
        let (old, new) = (
            "class A:\n    class B(object):\n        x = 1\n",
            "class A(object):\n    class B:\n        x = 1\n",
        );
        assert_eq!(change(old, new), Change::Same);
    }

    #[test]
    fn another_base_may_not() {
        for old in [
            "class A(B):\n    x = 1\n",
            "class A(object, B):\n    x = 1\n",
            "class A(object, metaclass=M):\n    x = 1\n",
            "class A(*object):\n    x = 1\n",
        ] {
            assert!(header(old, "class A:\n    x = 1\n"), "{old}");
        }
        for first in [
            "object = B",
            "from b import *",
            "def f():\n    global object\n    object = B",
        ] {
            let (old, new) = ("class A(object):\n    x = 1\n", "class A:\n    x = 1\n");
            assert!(
                header(&format!("{first}\n{old}"), &format!("{first}\n{new}")),
                "{first}"
            );
        }
    }
}
