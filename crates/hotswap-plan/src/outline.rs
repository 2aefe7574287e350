//! What a source defines, statement by statement.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use ruff_python_ast::Stmt;
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashMap;

use crate::deep;
use crate::facts::Facts;
use crate::reader::{Known, Lines, Reader};
use crate::touched;

/// A range of bytes in the source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The text of this range.
    #[must_use]
    pub fn of<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

impl From<TextRange> for Span {
    fn from(range: TextRange) -> Span {
        Span {
            start: range.start().to_u32(),
            end: range.end().to_u32(),
        }
    }
}

/// A source that does not parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxProblem {
    /// What is wrong, in the parser's words.
    pub message: String,
    /// One-based line.
    pub line: u32,
}

/// The statements of a module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outline {
    /// Top-level statements in source order.
    pub statements: Vec<Statement>,
    /// Names of `from __future__ import`.
    pub futures: Vec<String>,
    /// Names that functions declare `global`; they may bind them at run time.
    pub globals_declared: Vec<String>,
    /// Names that more than one top-level statement binds, deletes or augments, in order.
    pub rebound: Vec<String>,
    /// Number of lines.
    pub lines: u32,
}

/// What a comment asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pragma {
    /// `# hotswap: keep`: never run again.
    Keep,
    /// `# hotswap: rerun`: run again whenever something it reads changed.
    Rerun,
}

/// One statement of a module or of a class body.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Its bytes, decorators included.
    pub span: Span,
    /// First line (of the first decorator, if any), one-based.
    pub first_line: u32,
    /// Last line, one-based.
    pub last_line: u32,
    /// Column of the first byte in its line, in bytes.
    pub column: u32,
    /// Hash of the syntax tree: the same for a statement that was only reformatted.
    pub fingerprint: u64,
    /// The same with the bodies of functions and lambdas left out.
    pub shape: u64,
    /// Hash of the text itself.
    pub text: u64,
    /// Names it binds in its scope (`*` for a star import).
    pub binds: Vec<String>,
    /// Names it deletes.
    pub deletes: Vec<String>,
    /// Attributes it deletes, as dotted names.
    pub deletes_of: Vec<Vec<String>>,
    /// Names that it gives an entry in `__annotations__`.
    pub annotates: Vec<String>,
    /// What running it reads, calls and writes. Shared by the outlines of all versions in
    /// which the statement has the same text, like `codes` and the definitions of `kind`.
    pub facts: Arc<Facts>,
    /// `# hotswap: …` on one of its lines.
    pub pragma: Option<Pragma>,
    /// Functions and lambdas inside, in source order, however deep (not those in functions).
    pub codes: Arc<Vec<CodeSite>>,
    /// Names that functions inside declare `global`.
    pub globals: Vec<String>,
    /// The names that imports in its blocks bind, those under `if TYPE_CHECKING:` included.
    pub imported: Vec<String>,
    /// What it is.
    pub kind: Kind,
}

/// A place where the compiler makes a code object that lives on in a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeSite {
    /// Names of the classes around it inside the statement, outermost first.
    pub scope: Vec<String>,
    /// `co_name`: the function's name or `<lambda>`.
    pub name: String,
    /// `co_firstlineno`.
    pub line: u32,
    /// The last line.
    pub last_line: u32,
    /// Hash of the syntax tree of the whole function, and of the `from __future__` imports.
    pub fingerprint: u64,
    /// Hash of its text.
    pub text: u64,
}

/// Kinds of statements, as far as an update treats them differently.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `def` and `async def`.
    Function(Arc<FunctionDef>),
    /// `class`.
    Class(Arc<ClassDef>),
    /// Assignment; `targets` is the text of the targets.
    Assign {
        /// Targets as written, one string for each.
        targets: Vec<String>,
        /// The value, if the statement has one.
        value: Option<Expression>,
        /// The annotation of `x: int` or `x: int = 1`.
        annotation: Option<Box<Expression>>,
    },
    /// `x += 1`.
    AugAssign {
        /// The target as written.
        target: String,
    },
    /// `import` and `from … import`.
    Import(Vec<Import>),
    /// `from __future__ import`.
    Future,
    /// The docstring of the module or class.
    Docstring,
    /// `if`, `for`, `while`, `with`, `try`, `match`.
    Compound(Compound),
    /// `if __name__ == "__main__":`.
    MainGuard,
    /// An expression, usually a call.
    Expression,
    /// Everything else.
    Other,
}

/// What kind of compound statement, and the imports in its blocks.
#[derive(Clone, Debug, PartialEq)]
pub struct Compound {
    /// The keyword.
    pub keyword: &'static str,
    /// Imports found in its blocks.
    pub imports: Vec<Import>,
    /// The blocks of an `if` or `try`; empty for the others.
    pub branches: Vec<Branch>,
    /// Hash of what stands in its heads.
    pub heads: u64,
}

/// One block of an `if` or `try` statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// `if`, `elif`, `else`, `try`, `except` or `finally`.
    pub role: &'static str,
    /// The condition, or the exceptions that are caught.
    pub test: Option<Expression>,
    /// From the keyword to the first statement.
    pub head: Span,
    /// The statements.
    pub body: Vec<Statement>,
}

/// One name that an import statement binds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Import {
    /// The module as written, without the leading dots.
    pub module: String,
    /// Number of leading dots.
    pub level: u32,
    /// The name taken from the module; `None` for `import module`.
    pub name: Option<String>,
    /// The name that is bound (`*` for a star import).
    pub bound: String,
    /// `import a.b as c` binds `a.b`, `import a.b` binds `a`.
    pub aliased: bool,
}

/// An expression that may have to be evaluated by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// Its bytes.
    pub span: Span,
    /// Hash of the syntax tree.
    pub fingerprint: u64,
    /// What evaluating it does.
    pub facts: Facts,
    /// `dict`, `list` or `set` for a display without unpacking.
    pub display: Option<&'static str>,
    /// The elements of such a display, or of a tuple; empty if there are very many.
    pub items: Vec<Item>,
    /// The called name of `a.b(...)`, or the name itself.
    pub head: Vec<String>,
}

/// An element of a display.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The key, in a dict.
    pub key: Option<Expression>,
    /// The element.
    pub value: Expression,
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Keyword-only.
    pub keyword_only: bool,
    /// Its default value.
    pub default: Option<Expression>,
    /// Its annotation.
    pub annotation: Option<Expression>,
}

/// A function definition.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionDef {
    /// Its name.
    pub name: String,
    /// Decorators, outermost first.
    pub decorators: Vec<Expression>,
    /// All parameters in signature order.
    pub parameters: Vec<Parameter>,
    /// Hash of everything about the parameters but defaults and annotations.
    pub signature: u64,
    /// The return annotation.
    pub returns: Option<Expression>,
    /// Hash of the type parameters.
    pub type_params: u64,
    /// Hash of the docstring, if there is one.
    pub docstring: Option<u64>,
    /// Hash of the body.
    pub body: u64,
    /// Hash of the body, nested functions' and lambdas' bodies left out.
    pub own_body: u64,
    /// Hash of what it decides as a decorator, and as one that is made by a call: its own
    /// statements, in the second case also those of the functions directly inside.
    pub decides: [u64; 2],
    /// What calling it does.
    pub facts: Facts,
    /// What its own statements do, then those of the functions inside it, and so on.
    pub layers: Vec<Facts>,
    /// Offset of `def` or `async`; the decorators lie before it.
    pub def_start: u32,
    /// Assignments at the top level of the body, for as far as they go to attributes of
    /// the first parameter or to local names.
    pub assignments: Vec<Assignment>,
    /// Attributes of the first parameter and local names that are set elsewhere in the
    /// body: what they hold depends on how it ran.
    pub unsure: Vec<Target>,
    /// Name of the first parameter.
    pub first_parameter: Option<String>,
}

/// Where an assignment in a function body goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// An attribute of the first parameter.
    Attribute(String),
    /// A local name.
    Local(String),
}

/// One assignment in a function body.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// All targets.
    pub targets: Vec<Target>,
    /// The value is taken apart, one item for each target.
    pub unpacked: bool,
    /// The value.
    pub value: Expression,
}

/// A class definition.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassDef {
    /// Its name.
    pub name: String,
    /// Decorators, outermost first.
    pub decorators: Vec<Expression>,
    /// Base classes and keyword arguments.
    pub arguments: Vec<Expression>,
    /// Hash of bases, keywords and type parameters.
    pub header: u64,
    /// Statements of the body.
    pub body: Vec<Statement>,
    /// Span from the name's line to the colon: what stays in a skeleton.
    pub head: Span,
    /// Whether it has type parameters (`class A[T]:`).
    pub has_type_params: bool,
    /// Whether its header gives no base but `object`, if any, and no keywords.
    pub of_object: bool,
}

pub(crate) fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Outline {
    /// Parses a module.
    pub fn parse(text: &str) -> Result<Outline, SyntaxProblem> {
        Outline::parse_after(text, None)
    }

    /// Parses a module that was edited: top-level statements whose text is the same
    /// as in the previous source are taken over from there, with new positions.
    pub fn parse_after(
        text: &str,
        previous: Option<(&str, &Outline)>,
    ) -> Result<Outline, SyntaxProblem> {
        if let Some((before, outline)) = previous
            && let Some(outline) = touched::parse(text, before, outline)
        {
            return Ok(outline);
        }
        let lines = Lines::new(text);
        deep::parsing(text.len(), || {
            let parsed = ruff_python_parser::parse_module(text).map_err(|error| SyntaxProblem {
                message: error.error.to_string(),
                line: lines.line(error.location.start().to_u32()),
            })?;
            let suite = &parsed.syntax().body;
            let depth = deep::depth(suite);
            if depth > deep::DEEPEST {
                return Err(SyntaxProblem {
                    message: format!("nested too deeply ({depth} levels)"),
                    line: 1,
                });
            }
            if let Some(stmt) = misplaced_future(suite) {
                return Err(SyntaxProblem {
                    message: "from __future__ imports must occur at the beginning of the file"
                        .to_string(),
                    line: lines.line(stmt.range().start().to_u32()),
                });
            }
            Ok(deep::walking(depth, || {
                Outline::read(text, &lines, suite, previous)
            }))
        })
    }

    fn read(
        text: &str,
        lines: &Lines,
        suite: &[Stmt],
        previous: Option<(&str, &Outline)>,
    ) -> Outline {
        let mut futures = Vec::new();
        for stmt in suite {
            if let Stmt::ImportFrom(import) = stmt
                && is_future(stmt)
            {
                futures.extend(import.names.iter().map(|alias| alias.name.to_string()));
            }
        }
        futures.sort();
        let known = previous
            .filter(|(_, outline)| outline.futures == futures)
            .map(|(before, outline)| {
                let first = outline
                    .statements
                    .first()
                    .map_or(0, |first| first.span.start);
                Known::new(before, &outline.statements, first)
            });
        let reader = Reader {
            text,
            lines,
            futures: &futures,
            known,
        };
        let statements = reader.module(suite, true);
        Outline::of(statements, futures, lines)
    }

    pub(crate) fn of(statements: Vec<Statement>, futures: Vec<String>, lines: &Lines) -> Outline {
        Outline {
            globals_declared: globals_of(&statements),
            rebound: rebound(&statements),
            statements,
            futures,
            lines: lines.starts.len() as u32,
        }
    }

    /// All imports at module level, those in `if`, `try` and the like included.
    pub fn imports(&self) -> impl Iterator<Item = (usize, &Import)> {
        self.statements
            .iter()
            .enumerate()
            .flat_map(|(index, statement)| {
                let imports: &[Import] = match &statement.kind {
                    Kind::Import(imports) => imports,
                    Kind::Compound(compound) => &compound.imports,
                    _ => &[],
                };
                imports.iter().map(move |import| (index, import))
            })
    }

    /// Whether more than one top-level statement binds, deletes or augments `name`.
    #[must_use]
    pub fn rebinds(&self, name: &str) -> bool {
        self.rebound
            .binary_search_by(|other| other.as_str().cmp(name))
            .is_ok()
    }

    /// Index of the last statement that binds `name`.
    #[must_use]
    pub fn last_binder(&self, name: &str) -> Option<usize> {
        self.statements
            .iter()
            .rposition(|statement| statement.binds.iter().any(|bound| bound == name))
    }
}

fn globals_of(statements: &[Statement]) -> Vec<String> {
    let globals = statements.iter().flat_map(|statement| &statement.globals);
    globals.cloned().collect()
}

fn rebound(statements: &[Statement]) -> Vec<String> {
    let mut last: FxHashMap<&str, usize> = FxHashMap::default();
    let mut found: Vec<&str> = Vec::new();
    for (index, statement) in statements.iter().enumerate() {
        let (binds, deletes) = (&statement.binds, &statement.deletes);
        for name in binds.iter().chain(deletes).chain(&statement.facts.stores) {
            let before = last.insert(name, index);
            if before.is_some_and(|before| before != index) {
                found.push(name);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(str::to_string).collect()
}

fn is_future(stmt: &Stmt) -> bool {
    matches!(stmt, Stmt::ImportFrom(import)
        if import.level == 0 && import.module.as_ref().is_some_and(|name| name.as_str() == "__future__"))
}

/// A `from __future__` import behind anything but the docstring and others of its kind.
/// The parser takes it, and a skeleton has it in front; CPython would not start.
fn misplaced_future(suite: &[Stmt]) -> Option<&Stmt> {
    let docstring = suite.first().is_some_and(
        |stmt| matches!(stmt, Stmt::Expr(expression) if expression.value.is_string_literal_expr()),
    );
    let head = suite[usize::from(docstring)..]
        .iter()
        .take_while(|stmt| is_future(stmt))
        .count();
    suite[usize::from(docstring) + head..]
        .iter()
        .find(|stmt| is_future(stmt))
}

impl Statement {
    /// The function definition, if it is one.
    #[must_use]
    pub fn function(&self) -> Option<&FunctionDef> {
        match &self.kind {
            Kind::Function(function) => Some(function),
            _ => None,
        }
    }

    /// The class definition, if it is one.
    #[must_use]
    pub fn class(&self) -> Option<&ClassDef> {
        match &self.kind {
            Kind::Class(class) => Some(class),
            _ => None,
        }
    }

    /// What to call it in a report.
    #[must_use]
    pub fn label(&self, text: &str) -> String {
        match &self.kind {
            Kind::Function(function) => function.name.clone(),
            Kind::Class(class) => class.name.clone(),
            Kind::Docstring => "__doc__".to_string(),
            Kind::Compound(_) if !self.binds.is_empty() => {
                let mut names = self.binds.clone();
                let filled = self.facts.stores.iter();
                for name in filled {
                    if !names.contains(name) {
                        names.push(name.clone());
                    }
                }
                names.join(", ")
            }
            _ if !self.binds.is_empty() => self.binds.join(", "),
            _ => {
                let line = self.span.of(text).lines().next().unwrap_or_default().trim();
                let mut label: String = line.chars().take(60).collect();
                if label.len() < line.len() {
                    label.push('…');
                }
                label
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "import os\n\n@deco(1)\ndef f(a=1, *, b: int = 2):\n    return lambda: a\n\nclass A(B, k=1):\n    \"doc\"\n    x = {1: 2}\n    def __init__(self):\n        self.y = os\n";

    #[test]
    fn statements_taken_over_equal_parsed_ones() {
        let old = Outline::parse(OLD).unwrap();
        for new in [
            format!("# a comment\nNEW = 1\n{OLD}"),
            OLD.replace("import os", "import os, sys"),
            OLD.replace("self.y = os", "self.y = 1"),
            format!("{OLD}# hotswap: keep\nLAST = 3\n"),
            OLD.replace("class A", "# hotswap: rerun\nclass A"),
        ] {
            assert_eq!(
                Outline::parse_after(&new, Some((OLD, &old))).unwrap(),
                Outline::parse(&new).unwrap(),
                "{new}"
            );
        }
    }
}
