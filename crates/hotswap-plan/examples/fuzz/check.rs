//! What must hold of every edit.

use hotswap_plan::{
    Change, ClassDef, DecodeProblem, Kind, Outline, Skeleton, Source, Statement, Step, diff,
};

#[derive(Default)]
pub struct Counts {
    pub statements: u64,
    pub skeletons: u64,
}

type Checked<T> = Result<T, String>;

/// The text of a file; what cannot be decoded is none.
pub fn decode(bytes: &[u8]) -> Checked<String> {
    match Source::decode(bytes) {
        Ok(source) => Ok(source.text),
        Err(
            DecodeProblem::NotUtf8 { .. }
            | DecodeProblem::Nul { .. }
            | DecodeProblem::OtherEncoding { .. },
        ) => Ok(String::new()),
    }
}

/// Checks one edit; false where one of the texts does not parse.
pub fn pair(old: &str, new: &str, counts: &mut Counts) -> Checked<bool> {
    // A file is decoded before it is parsed, which normalises line ends and refuses NUL.
    let (Ok(old), Ok(new)) = (
        Source::decode(old.as_bytes()),
        Source::decode(new.as_bytes()),
    ) else {
        return Ok(false);
    };
    let (old, new) = (old.text, new.text);
    let (Ok(before), Ok(after)) = (Outline::parse(&old), Outline::parse(&new)) else {
        return Ok(false);
    };
    spans(&new, &after.statements)?;
    let again = Outline::parse_after(&new, Some((&old, &before)));
    if again.as_ref() != Ok(&after) {
        return Err(format!(
            "parsed after the old text: {}",
            difference(&again.unwrap_or_default(), &after)
        ));
    }
    let same = diff(&after, &after);
    if same.changes_behaviour() {
        return Err("a text differs from itself".to_string());
    }
    for (from, from_text, to, to_text) in
        [(&before, &old, &after, &new), (&after, &new, &before, &old)]
    {
        let plan = diff(from, to);
        steps(
            &plan.steps,
            &plan.removed,
            &from.statements,
            &to.statements,
            plan.futures_changed,
            counts,
        )?;
        let context = Context {
            old: from,
            old_text: from_text,
            new: to,
            new_text: to_text,
        };
        context.skeletons(&plan.steps, counts)?;
    }
    Ok(true)
}

fn difference(left: &Outline, right: &Outline) -> String {
    let place = left
        .statements
        .iter()
        .zip(&right.statements)
        .position(|(left, right)| left != right);
    match place {
        Some(at) => format!(
            "{:#?}\nand afresh {:#?}",
            left.statements[at], right.statements[at]
        ),
        None => format!(
            "{} and {} statements, {} and {} lines",
            left.statements.len(),
            right.statements.len(),
            left.lines,
            right.lines
        ),
    }
}

/// Statements lie in the text, in order, at their lines and columns.
fn spans(text: &str, statements: &[Statement]) -> Checked<()> {
    let mut end = 0;
    for statement in statements {
        let span = statement.span;
        let here = text.get(span.start as usize..span.end as usize);
        if here.is_none_or(str::is_empty) || span.start < end {
            return Err(format!("a statement has the span {span:?}"));
        }
        end = span.end;
        let line = 1 + text[..span.start as usize].matches('\n').count();
        if statement.first_line as usize != line {
            return Err(format!(
                "line {} is said to be {}",
                line, statement.first_line
            ));
        }
        if let Some(class) = statement.class() {
            spans(text, &class.body)?;
        }
    }
    Ok(())
}

/// The plan, applied to the old statements, gives the new ones in order.
fn steps(
    steps: &[Step],
    removed: &[usize],
    old: &[Statement],
    new: &[Statement],
    futures: bool,
    counts: &mut Counts,
) -> Checked<()> {
    if steps.len() != new.len() {
        return Err(format!(
            "{} steps for {} statements",
            steps.len(),
            new.len()
        ));
    }
    let mut left: Vec<usize> = steps.iter().filter_map(|step| step.old).collect();
    left.extend(removed);
    left.sort_unstable();
    if left != (0..old.len()).collect::<Vec<_>>() {
        return Err(format!(
            "{} old statements are taken as {left:?}",
            old.len()
        ));
    }
    for (index, step) in steps.iter().enumerate() {
        counts.statements += 1;
        let wanted = &new[index];
        if step.new != index {
            return Err(format!("step {index} is for statement {}", step.new));
        }
        let before = step.old.map(|at| &old[at]);
        let fits = match (&step.change, before) {
            (Change::Run, _) => true,
            (_, None) => false,
            (Change::Same, Some(before)) => {
                let renamed = step.renamed && before.shape != wanted.shape;
                let guard = wanted.kind == Kind::MainGuard && before.kind == Kind::MainGuard;
                guard || renamed || before.fingerprint == wanted.fingerprint
            }
            (Change::Annotation, Some(before)) => match (&before.kind, &wanted.kind) {
                (
                    Kind::Assign {
                        targets: was,
                        value: old_value,
                        ..
                    },
                    Kind::Assign {
                        targets: is,
                        value: new_value,
                        ..
                    },
                ) => {
                    let print = |value: &Option<hotswap_plan::Expression>| {
                        value.as_ref().map(|value| value.fingerprint)
                    };
                    was == is && print(old_value) == print(new_value)
                }
                _ => false,
            },
            (Change::Bodies, Some(before)) => before.shape == wanted.shape && sites(before, wanted),
            (Change::Function(change), Some(before)) => {
                match (before.function(), wanted.function()) {
                    (Some(was), Some(is)) => {
                        let kept = is.parameters.iter().enumerate().all(|(index, parameter)| {
                            change.defaults.contains(&index)
                                || parameter.default.as_ref().is_none_or(|default| {
                                    was.parameters.iter().any(|other| {
                                        other.name == parameter.name
                                            && other.default.as_ref().is_some_and(|value| {
                                                value.fingerprint == default.fingerprint
                                            })
                                    })
                                })
                        });
                        (was.name == is.name || step.renamed) && kept
                    }
                    _ => false,
                }
            }
            (Change::Class(change), Some(before)) => match (before.class(), wanted.class()) {
                (Some(was), Some(is)) => {
                    steps_of_class(change, was, is, futures, counts)?;
                    was.name == is.name || step.renamed
                }
                _ => false,
            },
        };
        if !fits {
            return Err(format!(
                "{:?} does not make {wanted:#?}\nof {before:#?}",
                step.change
            ));
        }
    }
    Ok(())
}

fn steps_of_class(
    change: &hotswap_plan::ClassChange,
    was: &ClassDef,
    is: &ClassDef,
    futures: bool,
    counts: &mut Counts,
) -> Checked<()> {
    steps(
        &change.steps,
        &change.removed,
        &was.body,
        &is.body,
        futures,
        counts,
    )
}

/// Functions inside two statements of one shape can be taken in pairs.
fn sites(before: &Statement, after: &Statement) -> bool {
    before.codes.len() == after.codes.len()
        && before
            .codes
            .iter()
            .zip(after.codes.iter())
            .all(|(before, after)| before.name == after.name && before.scope == after.scope)
}

struct Context<'a> {
    old: &'a Outline,
    old_text: &'a str,
    new: &'a Outline,
    new_text: &'a str,
}

impl Context<'_> {
    fn skeletons(&self, steps: &[Step], counts: &mut Counts) -> Checked<()> {
        let mut bodies = Skeleton::new(self.new_text, self.new);
        let mut kept = Vec::new();
        for step in steps {
            let statement = &self.new.statements[step.new];
            match &step.change {
                Change::Same => {}
                Change::Bodies => {
                    bodies = bodies.statement(statement);
                    kept.push(statement);
                }
                Change::Annotation => {
                    let annotated = matches!(&statement.kind, Kind::Assign { annotation, .. } if annotation.is_some());
                    if annotated {
                        let skeleton = Skeleton::new(self.new_text, self.new).annotation(statement);
                        self.parses(&skeleton.finish(), &[], counts)?;
                    }
                }
                Change::Run => {
                    let skeleton = Skeleton::new(self.new_text, self.new).statement(statement);
                    self.parses(&skeleton.finish(), &[statement], counts)?;
                }
                Change::Function(change) => {
                    if let Some(function) = statement.function() {
                        let skeleton = Skeleton::new(self.new_text, self.new).function(
                            statement,
                            function,
                            &change.defaults,
                            change.annotations,
                        );
                        self.has_function(&skeleton.finish(), statement, counts)?;
                    }
                }
                Change::Class(change) => {
                    if let Some(class) = statement.class() {
                        self.class(class, &change.steps, &mut vec![class], counts)?;
                    }
                }
            }
        }
        if !kept.is_empty() {
            self.parses(&bodies.finish(), &kept, counts)?;
        }
        // The old text is compiled as well, where several lambdas stand on one line.
        for statement in &self.old.statements {
            if statement.codes.len() > 1 {
                let skeleton = Skeleton::new(self.old_text, self.old).statement(statement);
                self.parses(&skeleton.finish(), &[statement], counts)?;
            }
        }
        Ok(())
    }

    fn class<'a>(
        &self,
        class: &'a ClassDef,
        steps: &[Step],
        path: &mut Vec<&'a ClassDef>,
        counts: &mut Counts,
    ) -> Checked<()> {
        let mut skeleton = Skeleton::new(self.new_text, self.new);
        for outer in path.iter() {
            skeleton = skeleton.class(outer);
        }
        let mut runs = false;
        for step in steps {
            let member = &class.body[step.new];
            match (&step.change, &member.kind) {
                (Change::Function(change), Kind::Function(function)) => {
                    skeleton =
                        skeleton.function(member, function, &change.defaults, change.annotations);
                    runs = true;
                }
                (Change::Class(change), Kind::Class(inner)) => {
                    path.push(inner);
                    self.class(inner, &change.steps, path, counts)?;
                    path.pop();
                }
                (Change::Run, _) => {
                    skeleton = skeleton.statement(member);
                    runs = true;
                }
                _ => {}
            }
        }
        if !runs {
            return Ok(());
        }
        counts.skeletons += 1;
        let text = skeleton.finish();
        let parsed = Outline::parse(&text).map_err(|problem| {
            format!("the skeleton of a class does not parse: {problem:?}\n{text}")
        })?;
        let mut found: Vec<&Statement> = parsed.statements.iter().collect();
        for outer in path.iter() {
            let inside = found
                .iter()
                .find_map(|statement| statement.class().filter(|got| got.name == outer.name));
            found = inside
                .ok_or_else(|| format!("class {} is not in its skeleton\n{text}", outer.name))?
                .body
                .iter()
                .collect();
        }
        for step in steps.iter().filter(|step| step.change == Change::Run) {
            let member = &class.body[step.new];
            if !found.iter().any(|got| is_copy(got, member)) {
                return Err(format!(
                    "a member is not in its skeleton: {member:#?}\n{text}"
                ));
            }
        }
        Ok(())
    }

    /// The skeleton parses, and the statements are in it where they were.
    fn parses(&self, text: &str, kept: &[&Statement], counts: &mut Counts) -> Checked<()> {
        counts.skeletons += 1;
        let parsed = Outline::parse(text)
            .map_err(|problem| format!("a skeleton does not parse: {problem:?}\n{text}"))?;
        for statement in kept {
            if !parsed.statements.iter().any(|got| is_copy(got, statement)) {
                return Err(format!("{statement:#?}\nis not in its skeleton\n{text}"));
            }
        }
        Ok(())
    }

    fn has_function(&self, text: &str, wanted: &Statement, counts: &mut Counts) -> Checked<()> {
        counts.skeletons += 1;
        let parsed = Outline::parse(text).map_err(|problem| {
            format!("the skeleton of a function does not parse: {problem:?}\n{text}")
        })?;
        let function = wanted.function();
        let found = parsed.statements.iter().any(|got| {
            got.function().zip(function).is_some_and(|(got, wanted)| {
                got.name == wanted.name
                    && got.body == wanted.body
                    && got.signature == wanted.signature
            })
        });
        if found {
            Ok(())
        } else {
            Err(format!("{wanted:#?}\nis not in its skeleton\n{text}"))
        }
    }
}

/// The same statement at the same place. A first string may be a docstring in the
/// skeleton and an expression in the source, which runs the same.
fn is_copy(got: &Statement, wanted: &Statement) -> bool {
    got.fingerprint == wanted.fingerprint && got.first_line == wanted.first_line
}

/// Texts that are nested very deeply: an error, not the end of the process.
pub fn deep() -> Vec<String> {
    let depth = 20_000;
    let texts = [
        format!("x = {}1{}\n", "(".repeat(depth), ")".repeat(depth)),
        format!("x = {}{}\n", "[".repeat(depth), "]".repeat(depth)),
        format!("x = {}1\n", "not ".repeat(depth)),
        format!("x = {}1\n", "-".repeat(depth)),
        format!("x = a{}\n", ".b".repeat(depth)),
        format!("x = f{}\n", "()".repeat(depth)),
        format!("x = 1{}\n", " + 1".repeat(depth)),
        format!("x = {}1\n", "lambda: ".repeat(depth)),
        format!("x = {}1\n", "1 if x else ".repeat(depth)),
        format!("x = 1{}\n", " and 1 or 1".repeat(depth)),
        format!("{}pass\n", "if x: ".repeat(2)),
        (0..depth / 20)
            .map(|level| format!("{}if x:\n", " ".repeat(level)))
            .chain([format!("{}pass\n", " ".repeat(depth / 20))])
            .collect(),
        format!("if x: pass\n{}", "elif x: pass\n".repeat(depth)),
        format!("{}1{}\n", "f'{".repeat(200), "}'".repeat(200)),
    ];
    let mut problems = Vec::new();
    let mut counts = Counts::default();
    for text in texts {
        let outcome = std::panic::catch_unwind(|| Outline::parse(&text).map(drop));
        if outcome.is_err() {
            problems.push(format!("a panic over {:?}", &text[..40]));
            continue;
        }
        if let Err(problem) = pair(&text, "x = 1\n", &mut counts) {
            problems.push(problem);
        }
    }
    problems
}
