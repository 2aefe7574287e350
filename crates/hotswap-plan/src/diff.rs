//! Matches the statements of two outlines.
//!
//! Definitions are matched by name, assignments by target, imports by the names
//! they bind, everything else by content and order. Among several with the same
//! key, equal ones are paired first, then those with equal headers, then the
//! rest in order.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::outline::{ClassDef, CodeSite, Expression, FunctionDef, Kind, Outline, Statement};

/// What separates two sources of a module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// One entry for every statement of the new outline, in order.
    pub steps: Vec<Step>,
    /// Old statements without a counterpart.
    pub removed: Vec<usize>,
    /// `from __future__` imports differ, so every function is compiled anew.
    pub futures_changed: bool,
}

/// What happens to one new statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Index of the new statement.
    pub new: usize,
    /// Index of its old counterpart.
    pub old: Option<usize>,
    /// The difference.
    pub change: Change,
    /// It was matched as the same definition under another name.
    pub renamed: bool,
}

/// The difference between a statement and its counterpart.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// No difference in behaviour; lines may have moved.
    Same,
    /// Only bodies of functions and lambdas differ: nothing needs to run.
    Bodies,
    /// The header of a function differs, its decorators do not.
    Function(FunctionChange),
    /// The same class with other members or another header.
    Class(ClassChange),
    /// The same value is bound to the same name under another annotation: only the
    /// annotation is evaluated.
    Annotation,
    /// New, or changed in another way: the statement runs.
    Run,
}

/// What differs in the header of a function.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FunctionChange {
    /// Parameters (by index) whose default must be evaluated.
    pub defaults: Vec<usize>,
    /// Annotations, return annotation or type parameters differ.
    pub annotations: bool,
}

/// What differs in a class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassChange {
    /// Bases, keywords or type parameters differ.
    pub header: bool,
    /// Decorators differ.
    pub decorators: bool,
    /// One entry for every statement of the new body.
    pub steps: Vec<Step>,
    /// Old statements of the body without a counterpart.
    pub removed: Vec<usize>,
}

/// Lines that moved as one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    /// First old line.
    pub first: u32,
    /// Last old line.
    pub last: u32,
    /// By how many lines.
    pub delta: i32,
}

impl Plan {
    /// Whether anything but line numbers changes.
    #[must_use]
    pub fn changes_behaviour(&self) -> bool {
        self.futures_changed
            || !self.removed.is_empty()
            || self
                .steps
                .iter()
                .any(|step| step.change != Change::Same || step.renamed)
    }
}

/// Compares two outlines of one module.
#[must_use]
pub fn diff(old: &Outline, new: &Outline) -> Plan {
    let futures_changed = old.futures != new.futures;
    let (mut steps, removed) = diff_statements(&old.statements, &new.statements, futures_changed);
    crate::of_object::settle_headers(&mut steps, old, new);
    crate::given_back::give_back(&mut steps, old, new);
    Plan {
        steps,
        removed,
        futures_changed,
    }
}

/// Compares two blocks of statements that are no modules. `futures` says whether the
/// `from __future__` imports of their modules differ.
#[must_use]
pub fn diff_bodies(old: &[Statement], new: &[Statement], futures: bool) -> (Vec<Step>, Vec<usize>) {
    diff_statements(old, new, futures)
}

fn diff_statements(old: &[Statement], new: &[Statement], futures: bool) -> (Vec<Step>, Vec<usize>) {
    let (pairs, renamed) = pair(old, new);
    let mut used = FxHashSet::default();
    let steps = new
        .iter()
        .enumerate()
        .map(|(index, statement)| {
            let old_index = pairs.get(&index).copied();
            let change = match old_index {
                Some(at) => {
                    used.insert(at);
                    compare(&old[at], statement, futures)
                }
                None => Change::Run,
            };
            Step {
                new: index,
                old: old_index,
                change,
                renamed: renamed.contains(&index),
            }
        })
        .collect();
    let removed = (0..old.len())
        .filter(|index| !used.contains(index))
        .collect();
    (steps, removed)
}

fn compare(old: &Statement, new: &Statement, futures: bool) -> Change {
    if old.fingerprint == new.fingerprint && !futures {
        return Change::Same;
    }
    match (&old.kind, &new.kind) {
        (Kind::MainGuard, Kind::MainGuard) => Change::Same,
        _ if old.shape == new.shape && !futures && !diverge(old, new) => Change::Bodies,
        (Kind::Function(before), Kind::Function(after)) => {
            compare_functions(before, after, futures)
        }
        (Kind::Class(before), Kind::Class(after)) => compare_classes(before, after, futures),
        _ if only_annotation_differs(old, new, futures) => Change::Annotation,
        _ if old.fingerprint == new.fingerprint => Change::Same,
        _ => Change::Run,
    }
}

/// Whether functions that were equal and share a code object become different ones:
/// which of the live functions is which cannot be told.
fn diverge(old: &Statement, new: &Statement) -> bool {
    let same_place = |one: &CodeSite, other: &CodeSite| {
        one.line == other.line
            && one.name == other.name
            && one.scope == other.scope
            && one.fingerprint == other.fingerprint
    };
    old.codes.iter().enumerate().any(|(at, site)| {
        old.codes[..at].iter().enumerate().any(|(other, twin)| {
            same_place(twin, site)
                && new.codes.get(at).map(|site| site.fingerprint)
                    != new.codes.get(other).map(|site| site.fingerprint)
        })
    })
}

/// Whether two assignments bind the same value to the same name and differ in the
/// annotation, or in how `from __future__` makes the compiler treat it.
fn only_annotation_differs(old: &Statement, new: &Statement, futures: bool) -> bool {
    let (
        Kind::Assign {
            targets: before,
            value: old_value,
            annotation: old_annotation,
        },
        Kind::Assign {
            targets: after,
            value: new_value,
            annotation: new_annotation,
        },
    ) = (&old.kind, &new.kind)
    else {
        return false;
    };
    let fingerprint =
        |expression: Option<&Expression>| expression.map(|expression| expression.fingerprint);
    before.len() == 1
        && before == after
        && fingerprint(old_value.as_ref()) == fingerprint(new_value.as_ref())
        && (fingerprint(old_annotation.as_deref()) != fingerprint(new_annotation.as_deref())
            || futures && new_annotation.is_some())
}

fn fingerprints(expressions: &[Expression]) -> Vec<u64> {
    expressions
        .iter()
        .map(|expression| expression.fingerprint)
        .collect()
}

fn compare_functions(old: &FunctionDef, new: &FunctionDef, futures: bool) -> Change {
    if fingerprints(&old.decorators) != fingerprints(&new.decorators) {
        return Change::Run;
    }
    let defaults = new
        .parameters
        .iter()
        .enumerate()
        .filter(|(_, parameter)| match &parameter.default {
            None => false,
            Some(default) => !old.parameters.iter().any(|before| {
                before.name == parameter.name
                    && before.keyword_only == parameter.keyword_only
                    && before
                        .default
                        .as_ref()
                        .is_some_and(|value| value.fingerprint == default.fingerprint)
            }),
        })
        .map(|(index, _)| index)
        .collect();
    let annotation = |function: &FunctionDef| {
        (
            function
                .parameters
                .iter()
                .map(|parameter| {
                    (
                        parameter.name.clone(),
                        parameter.annotation.as_ref().map(|value| value.fingerprint),
                    )
                })
                .collect::<Vec<_>>(),
            function.returns.as_ref().map(|value| value.fingerprint),
            function.type_params,
        )
    };
    Change::Function(FunctionChange {
        defaults,
        annotations: futures || annotation(old) != annotation(new),
    })
}

fn compare_classes(old: &ClassDef, new: &ClassDef, futures: bool) -> Change {
    let (steps, removed) = diff_statements(&old.body, &new.body, futures);
    Change::Class(ClassChange {
        header: old.header != new.header || old.name != new.name,
        decorators: fingerprints(&old.decorators) != fingerprints(&new.decorators),
        steps,
        removed,
    })
}

/// The key by which statements are matched.
fn key(statement: &Statement) -> String {
    match &statement.kind {
        Kind::Function(function) => format!("def {}", function.name),
        Kind::Class(class) => format!("def {}", class.name),
        Kind::Assign { targets, .. } => format!("= {}", targets.join("=")),
        Kind::AugAssign { target } => format!("+= {target}"),
        Kind::Import(imports) => {
            let mut bound: Vec<&str> = imports.iter().map(|import| import.bound.as_str()).collect();
            bound.sort_unstable();
            if bound == ["*"] {
                format!("import * {}", imports[0].module)
            } else {
                format!("import {}", bound.join(","))
            }
        }
        Kind::Future => "future".to_string(),
        Kind::Docstring => "doc".to_string(),
        Kind::MainGuard => "main".to_string(),
        Kind::Compound(compound) => compound.keyword.to_string(),
        Kind::Expression => "expression".to_string(),
        Kind::Other => "other".to_string(),
    }
}

/// What must agree for two statements of one key to be the likelier pair.
fn header(statement: &Statement) -> u64 {
    match &statement.kind {
        Kind::Function(function) => {
            crate::outline::hash_of(&(fingerprints(&function.decorators), function.signature))
        }
        Kind::Class(class) => {
            crate::outline::hash_of(&(fingerprints(&class.decorators), class.header))
        }
        Kind::Compound(compound) => {
            crate::outline::hash_of(&(compound.heads, &statement.binds, &statement.facts.stores))
        }
        _ => statement.shape,
    }
}

/// Whether two compound statements have a head and a name in common, or look after the same names.
fn akin(old: &Statement, new: &Statement) -> bool {
    let (Kind::Compound(before), Kind::Compound(after)) = (&old.kind, &new.kind) else {
        return true;
    };
    let names = |statement: &Statement| {
        let mut names = statement.binds.clone();
        names.extend(statement.facts.stores.iter().cloned());
        names
    };
    let (left, right) = (names(old), names(new));
    let shared = left.iter().any(|name| right.contains(name));
    left == right || shared || before.heads == after.heads && before.keyword == "if"
}

fn decorators(statement: &Statement) -> u64 {
    match &statement.kind {
        Kind::Function(function) => crate::outline::hash_of(&fingerprints(&function.decorators)),
        _ => 0,
    }
}

fn pair(old: &[Statement], new: &[Statement]) -> (FxHashMap<usize, usize>, FxHashSet<usize>) {
    // What the two begin with alike is paired one by one: among equal ones the first come
    // together in any case.
    let alike = old.iter().zip(new);
    let head = alike
        .take_while(|(left, right)| left.fingerprint == right.fingerprint)
        .count();
    let mut groups: FxHashMap<String, (Vec<usize>, Vec<usize>)> = FxHashMap::default();
    for (index, statement) in old.iter().enumerate().skip(head) {
        groups.entry(key(statement)).or_default().0.push(index);
    }
    for (index, statement) in new.iter().enumerate().skip(head) {
        groups.entry(key(statement)).or_default().1.push(index);
    }
    let mut pairs: FxHashMap<usize, usize> = (0..head).map(|at| (at, at)).collect();
    for (name, (mut left, mut right)) in groups {
        let measures: [fn(&Statement) -> u64; 4] = [
            |statement| statement.fingerprint,
            |statement| statement.shape,
            header,
            decorators,
        ];
        // A bare expression has no name to be known by: only its content counts,
        // so an edited call is a removed one and a new one.
        let anonymous = name == "expression" || name == "other";
        let rounds = if anonymous { 2 } else { measures.len() };
        for measure in &measures[..rounds] {
            right.retain(|candidate| {
                let wanted = measure(&new[*candidate]);
                match left
                    .iter()
                    .position(|other| measure(&old[*other]) == wanted)
                {
                    Some(at) => {
                        pairs.insert(*candidate, left.remove(at));
                        false
                    }
                    None => true,
                }
            });
        }
        if anonymous {
            continue;
        }
        for candidate in right {
            if let Some(at) = left
                .iter()
                .position(|other| akin(&old[*other], &new[candidate]))
            {
                pairs.insert(candidate, left.remove(at));
            }
        }
    }
    let renamed = pair_renamed(old, new, &mut pairs);
    (pairs, renamed)
}

/// A definition that only changed its name keeps its identity, where exactly one
/// removed and one added definition are equal in everything else.
fn pair_renamed(
    old: &[Statement],
    new: &[Statement],
    pairs: &mut FxHashMap<usize, usize>,
) -> FxHashSet<usize> {
    let taken: FxHashSet<usize> = pairs.values().copied().collect();
    let mut gone: FxHashMap<u64, Vec<usize>> = FxHashMap::default();
    let mut come: FxHashMap<u64, Vec<usize>> = FxHashMap::default();
    for (index, statement) in old.iter().enumerate() {
        if !taken.contains(&index)
            && let Some(hash) = nameless(statement)
        {
            gone.entry(hash).or_default().push(index);
        }
    }
    for (index, statement) in new.iter().enumerate() {
        if !pairs.contains_key(&index)
            && let Some(hash) = nameless(statement)
        {
            come.entry(hash).or_default().push(index);
        }
    }
    let mut renamed = FxHashSet::default();
    for (hash, added) in come {
        if let ([added], Some([removed])) = (&added[..], gone.get(&hash).map(Vec::as_slice)) {
            pairs.insert(*added, *removed);
            renamed.insert(*added);
        }
    }
    renamed
}

fn nameless(statement: &Statement) -> Option<u64> {
    use crate::outline::hash_of;
    match &statement.kind {
        Kind::Function(function) => Some(hash_of(&(
            "def",
            fingerprints(&function.decorators),
            function.signature,
            function.body,
            function
                .parameters
                .iter()
                .map(|p| p.default.as_ref().map(|d| d.fingerprint))
                .collect::<Vec<_>>(),
        ))),
        Kind::Class(class)
            if class.body.len() > 1 || class.body.iter().any(|s| !s.codes.is_empty()) =>
        {
            Some(hash_of(&(
                "class",
                fingerprints(&class.decorators),
                class.header,
                class
                    .body
                    .iter()
                    .map(|statement| statement.fingerprint)
                    .collect::<Vec<_>>(),
            )))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(old: &str, new: &str) -> Plan {
        diff(&Outline::parse(old).unwrap(), &Outline::parse(new).unwrap())
    }

    fn changes(old: &str, new: &str) -> Vec<Change> {
        plan(old, new)
            .steps
            .into_iter()
            .map(|step| step.change)
            .collect()
    }

    #[test]
    fn formatting_and_comments_are_no_change() {
        let got = plan(
            "X = {'a': 1}\ndef f():\n    return 1\n",
            "# c\nX = {\n  \"a\": 1,  # d\n}\n\ndef f():\n    # e\n    return 1\n",
        );
        assert!(!got.changes_behaviour());
    }

    #[test]
    fn a_changed_body_runs_nothing() {
        assert_eq!(
            changes("def f():\n    return 1\n", "def f():\n    return 2\n"),
            [Change::Bodies]
        );
        assert_eq!(
            changes("F = [lambda: 1]\n", "F = [lambda: 2]\n"),
            [Change::Bodies]
        );
        assert_eq!(
            changes(
                "class A:\n    def m(self):\n        return 1\n",
                "class A:\n    def m(self):\n        return 2\n"
            ),
            [Change::Bodies]
        );
    }

    #[test]
    fn only_changed_defaults_are_evaluated() {
        let got = changes(
            "def f(a=[], b=1):\n    pass\n",
            "def f(a=[], b=2, *, c=3):\n    pass\n",
        );
        assert_eq!(
            got,
            [Change::Function(FunctionChange {
                defaults: vec![1, 2],
                annotations: true
            })]
        );
    }

    #[test]
    fn an_edited_annotation_does_not_run_the_value() {
        assert_eq!(changes("x = f()\n", "x: int = f()\n"), [Change::Annotation]);
        assert_eq!(changes("x: int = f()\n", "x = f()\n"), [Change::Annotation]);
        assert_eq!(changes("x: int\n", "x: int = 1\n"), [Change::Run]);
        assert_eq!(
            changes(
                "x: int = f()\n",
                "from __future__ import annotations\nx: int = f()\n"
            )[1],
            Change::Annotation
        );
    }

    #[test]
    fn an_edited_call_is_a_new_statement() {
        let got = plan("log('one')\n", "log('one')\nlog('two')\n");
        assert_eq!(got.steps[0].change, Change::Same);
        assert_eq!(got.steps[1].change, Change::Run);
        assert!(got.removed.is_empty());
    }

    #[test]
    fn a_renamed_function_is_matched() {
        let got = plan(
            "def old(x):\n    return x + 1\n",
            "def new(x):\n    return x + 1\n",
        );
        assert!(got.steps[0].renamed);
        assert!(got.removed.is_empty());
    }

    #[test]
    fn the_main_guard_never_runs() {
        let got = changes(
            "if __name__ == '__main__':\n    a()\n",
            "if __name__ == '__main__':\n    b()\n",
        );
        assert_eq!(got, [Change::Same]);
    }

    #[test]
    fn dispatch_functions_of_one_name_are_matched_by_decorator() {
        let old = "@show.register(int)\ndef _(x):\n    return 1\n@show.register(str)\ndef _(x):\n    return 2\n";
        let new = "@show.register(str)\ndef _(x):\n    return 2\n@show.register(int)\ndef _(x):\n    return 3\n";
        let got = plan(old, new);
        assert_eq!(got.steps[0].old, Some(1));
        assert_eq!(got.steps[1].old, Some(0));
        assert_eq!(got.steps[1].change, Change::Bodies);
    }
}
