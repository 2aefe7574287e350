//! Statements joined by `;`, in every kind of block, with every kind of neighbour:
//! whatever is kept of them, the skeleton parses and has it at its line and column.

use hotswap_plan::{Kind, Outline, Skeleton, Statement};

const PIECES: [&str; 9] = [
    "a = 1",
    "b = (1,\n 2)",
    "c = '''\n'''",
    "g(\n\n)",
    "d: int = [\n\n1]",
    "e: int = \\\n 1",
    "h: List[\n int] = 1",
    "import m",
    "x",
];

const SEPARATORS: [&str; 6] = ["; ", ";", " \\\n; ", "; \\\n", ";\\\n        ", "\\\n;\\\n"];

const BLOCKS: [&str; 12] = [
    "{}\n",
    "z = 0\n{}\ny = 0\n",
    "class A:\n    {}\n",
    "class A: {}\n",
    "class A:\n    z = 0\n    {};\n    def m(self): pass\n",
    "class A:\n    class B: {}\n    class C:\n        z = 0\n        {}\n",
    "if x: {}\n",
    "if (x and\n  y): {}\nelse: {}\n",
    "try: {}\nexcept E: {}\nfinally:\n    z = 0\n    {}  # and a note\n",
    "if x:\n    z = 0\n    {};  # a note\n    y = 0\n",
    "if x:\n    class A:\n        z = 0\n        {}\n    if y:\n        z = 0\n        {}\n",
    "'''\n'''; {}\n",
];

/// The statements of an outline that can be kept by themselves, with those around them.
fn all<'a>(
    statements: &'a [Statement],
    path: &[&'a Statement],
    out: &mut Vec<(Vec<&'a Statement>, &'a Statement)>,
) {
    for statement in statements {
        let mut inner = path.to_vec();
        inner.push(statement);
        match &statement.kind {
            Kind::Class(class) => all(&class.body, &inner, out),
            Kind::Compound(compound) => {
                for branch in &compound.branches {
                    all(&branch.body, path, out);
                }
            }
            _ => out.push((path.to_vec(), statement)),
        }
    }
}

fn has(statements: &[Statement], wanted: &Statement) -> bool {
    statements.iter().any(|got| {
        let inside = match &got.kind {
            Kind::Class(class) => has(&class.body, wanted),
            Kind::Compound(compound) => compound
                .branches
                .iter()
                .any(|branch| has(&branch.body, wanted)),
            _ => false,
        };
        let same = got.fingerprint == wanted.fingerprint;
        inside || same && got.first_line == wanted.first_line && got.column == wanted.column
    })
}

/// Keeps what `chosen` says, in that order, and checks the result.
fn check(
    text: &str,
    outline: &Outline,
    chosen: &[&(Vec<&Statement>, &Statement)],
    annotation: Option<usize>,
) {
    let mut skeleton = Skeleton::new(text, outline);
    let mut open: Vec<u32> = Vec::new();
    for (index, (path, statement)) in chosen.iter().enumerate() {
        for class in path {
            if !open.contains(&class.span.start) {
                open.push(class.span.start);
                if let Kind::Class(class) = &class.kind {
                    skeleton = skeleton.class(class);
                }
            }
        }
        skeleton = if annotation == Some(index) {
            skeleton.annotation(statement)
        } else {
            skeleton.statement(statement)
        };
    }
    let got = skeleton.finish();
    let parsed =
        Outline::parse(&got).unwrap_or_else(|problem| panic!("{problem:?}\n{text}---\n{got}"));
    for (index, (_, statement)) in chosen.iter().enumerate() {
        let there = annotation == Some(index) || has(&parsed.statements, statement);
        assert!(there, "{statement:#?}\nof\n{text}---\n{got}");
    }
}

#[test]
fn what_is_joined_by_semicolons_is_kept_in_every_choice() {
    let mut checked = 0;
    for block in BLOCKS {
        for first in PIECES {
            for second in PIECES {
                for separator in SEPARATORS {
                    for third in ["", "y = 3", "y = (\n3)"] {
                        let mut line = format!("{first}{separator}{second}");
                        if !third.is_empty() {
                            line = format!("{line}{separator}{third}");
                        }
                        checked += 1;
                        choices(&block.replace("{}", &line), checked);
                    }
                }
            }
        }
    }
    assert!(checked > 10_000);
}

fn choices(text: &str, seed: usize) {
    let outline = Outline::parse(text).unwrap_or_else(|problem| panic!("{problem:?}\n{text}"));
    let mut there = Vec::new();
    all(&outline.statements, &[], &mut there);
    // Every one, every pair of neighbours in both orders, and one arbitrary choice.
    let mut sets: Vec<Vec<usize>> = (0..there.len()).map(|one| vec![one]).collect();
    for one in 1..there.len() {
        sets.push(vec![one - 1, one]);
        sets.push(vec![one, one - 1]);
    }
    sets.push(
        (0..there.len())
            .filter(|at| (seed >> (at % 8)) & 1 == 1)
            .collect(),
    );
    for set in sets {
        let chosen: Vec<_> = set.iter().map(|at| &there[*at]).collect();
        check(text, &outline, &chosen, None);
        for (index, (_, statement)) in chosen.iter().enumerate() {
            if matches!(
                &statement.kind,
                Kind::Assign {
                    annotation: Some(_),
                    ..
                }
            ) {
                check(text, &outline, &chosen, Some(index));
            }
        }
    }
}
