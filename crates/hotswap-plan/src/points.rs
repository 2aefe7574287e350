//! The places of a function at which a call in progress can go on in another version of it.
//!
//! Such a place is the head of a loop or an expression that suspends. Two of them
//! correspond where everything that the interpreter holds for the call means the same:
//! the loops, `with` statements and handlers around them are the same kinds in the same
//! order, and nothing else lies on the stack.

mod matching;
mod tree;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Stmt};
use ruff_text_size::{Ranged, TextRange};

use crate::reader::Lines;

/// A stretch of source as the compiler states it: lines one-based, columns in bytes of
/// UTF-8 from zero, the end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The first line.
    pub line: u32,
    /// Where it begins on that line.
    pub column: u32,
    /// The last line.
    pub end_line: u32,
    /// Where it ends on that line.
    pub end_column: u32,
}

impl Place {
    /// Whether `other` lies inside.
    #[must_use]
    pub fn contains(&self, other: Place) -> bool {
        (self.line, self.column) <= (other.line, other.column)
            && (other.end_line, other.end_column) <= (self.end_line, self.end_column)
    }
}

/// What happens at a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PointKind {
    /// The next item of a `for` loop is taken.
    For,
    /// The next item of an `async for` loop is asked for; also a suspension.
    AsyncFor,
    /// The next round of a `while` loop begins.
    While {
        /// The condition, and whether it is a constant that is true.
        test: Place,
        /// There is no condition to evaluate.
        forever: bool,
        /// The statements of the body.
        body: Place,
    },
    /// `yield`.
    Yield,
    /// `yield from`.
    YieldFrom,
    /// `await`.
    Await,
    /// An `async with` statement enters the n-th of its managers.
    Enter(usize),
    /// An `async with` statement leaves one of its managers.
    Exit,
}

/// A place at which a call can go on elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// What happens there.
    pub kind: PointKind,
    /// Where the compiler may say that it happens: which of these depends on its version.
    pub places: Vec<Place>,
    /// Variables that got a literal on the way there and nothing else: a call that never
    /// came that way can be given it. Names and texts.
    pub literals: Vec<(String, String)>,
}

impl Point {
    /// The line to name in a report.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.places.first().map_or(0, |place| place.line)
    }
}

/// Points of two versions of a function that mean the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correspondence {
    /// Old and new.
    pub pairs: Vec<(Point, Point)>,
    /// Points of the old version without a counterpart.
    pub lost: Vec<Point>,
}

impl Correspondence {
    /// What leads from the old version of this to the new version of `next`, which begins
    /// where this ends. `direct` leads there at once: it knows of points that were lost on
    /// the way and came back.
    #[must_use]
    pub fn followed_by(&self, next: &Correspondence, direct: Correspondence) -> Correspondence {
        let mut pairs: Vec<(Point, Point)> = Vec::new();
        for (old, middle) in &self.pairs {
            let found = next.pairs.iter().find(|(point, _)| point == middle);
            pairs.extend(found.map(|(_, new)| (old.clone(), new.clone())));
        }
        for (old, new) in direct.pairs {
            if pairs.iter().all(|(from, to)| *from != old && *to != new) {
                pairs.push((old, new));
            }
        }
        let known = self.pairs.iter().map(|(old, _)| old).chain(&self.lost);
        let lost = known.filter(|old| pairs.iter().all(|(from, _)| from != *old));
        Correspondence {
            lost: lost.cloned().collect(),
            pairs,
        }
    }
}

/// Which of the definitions of a text is meant, as a code object names it.
#[derive(Clone, Copy, Debug)]
pub struct Definition<'a> {
    /// The text of the whole module.
    pub text: &'a str,
    /// The plain name; `<module>` for the module's own body.
    pub name: &'a str,
    /// The line of `def` or, where there are any, of its first decorator.
    pub line: u32,
}

/// Which points of the old version correspond to which of the new.
///
/// None if either text does not parse or does not have the
/// definition, once and no more.
#[must_use]
pub fn correspond(old: Definition<'_>, new: Definition<'_>) -> Option<Correspondence> {
    let before = tree_of(old)?;
    let after = tree_of(new)?;
    let mut found = Correspondence::default();
    matching::pair(&before, &after, &mut found);
    Some(found)
}

fn tree_of(definition: Definition<'_>) -> Option<Vec<tree::Node>> {
    let lines = Lines::new(definition.text);
    crate::deep::parsing(definition.text.len(), || {
        let parsed = ruff_python_parser::parse_module(definition.text).ok()?;
        let suite = &parsed.syntax().body;
        crate::deep::walking(crate::deep::depth(suite), || {
            if definition.name == "<module>" {
                return Some(tree::build(definition.text, &lines, suite));
            }
            let mut search = Search {
                definition,
                lines: &lines,
                found: Vec::new(),
            };
            search.visit_body(suite);
            match search.found[..] {
                [function] => Some(tree::build(definition.text, &lines, &function.body)),
                _ => None,
            }
        })
    })
}

/// Looks for the functions of a name that begin at a line.
struct Search<'a> {
    definition: Definition<'a>,
    lines: &'a Lines,
    found: Vec<&'a ast::StmtFunctionDef>,
}

impl<'a> Visitor<'a> for Search<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if let Stmt::FunctionDef(function) = stmt
            && function.name.as_str() == self.definition.name
            && self.lines.line(stmt.start().to_u32()) == self.definition.line
        {
            self.found.push(function);
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, _: &'a ast::Expr) {}
}

/// The stretch of a node.
fn place(lines: &Lines, range: TextRange) -> Place {
    let (line, column) = position(lines, range.start().to_u32());
    let (end_line, end_column) = position(lines, range.end().to_u32());
    Place {
        line,
        column,
        end_line,
        end_column,
    }
}

fn position(lines: &Lines, offset: u32) -> (u32, u32) {
    (lines.line(offset), lines.column(offset))
}

#[cfg(test)]
mod tests;
