//! The text to compile: everything that is not wanted is blank, every line keeps
//! its number and every kept statement its column. A line of which nothing is wanted
//! is empty, as CPython reads spaces one by one.

use crate::image::Image;
use crate::outline::{Branch, ClassDef, FunctionDef, Kind, Outline, Span, Statement};

/// The name of the decorator that stands for those that must not run.
pub const DECORATOR_STUB: &str = "__hotswap_same__";

/// What stands before an import that is compiled and never runs.
const NEVER: &str = "if 0: ";

/// What stands in the place of the head of a block.
const ALWAYS: &str = "if 1:";

/// A text under construction.
#[derive(Clone, Debug)]
pub struct Skeleton<'a> {
    text: &'a str,
    outline: &'a Outline,
    image: Image<'a>,
    insertions: Vec<(u32, String)>,
    tail: String,
}

impl<'a> Skeleton<'a> {
    /// Starts with nothing but the `from __future__` imports, and with the module's
    /// other imports in a form that the compiler sees and never runs: since
    /// CPython 3.12 a call `mod.f()` is compiled in another way where the same
    /// unit imports `mod`, and `super()` where the module itself names `super`.
    #[must_use]
    pub fn new(text: &'a str, outline: &'a Outline) -> Skeleton<'a> {
        let mut skeleton = Skeleton {
            text,
            outline,
            image: Image::new(text),
            insertions: Vec::new(),
            tail: String::new(),
        };
        let mut unplaced: Vec<&str> = Vec::new();
        for statement in &outline.statements {
            match &statement.kind {
                // Nothing but a docstring may stand before it on its line.
                Kind::Future | Kind::Docstring if skeleton.is_near_a_future(statement) => {
                    skeleton.keep(statement.span);
                    skeleton.keep_separator(statement.span.end);
                }
                Kind::Import(_) if statement.column == 0 && !skeleton.shares_line(statement) => {
                    skeleton.keep(statement.span);
                    skeleton
                        .insertions
                        .push((statement.span.start, NEVER.to_string()));
                }
                // Nothing can stand in front of it if others are on its line.
                Kind::Import(imports) => {
                    unplaced.extend(imports.iter().map(|import| import.bound.as_str()));
                }
                // In their place may be what the block is wanted for.
                _ => unplaced.extend(statement.imported.iter().map(String::as_str)),
            }
        }
        unplaced.retain(|name| *name != "*");
        if !unplaced.is_empty() {
            skeleton.tail = format!("{NEVER}import {}\n", unplaced.join(", "));
        }
        if names_super(outline) {
            skeleton.tail.push_str(&format!("{NEVER}super\n"));
        }
        skeleton
    }

    /// Whether it is a `from __future__` import, or joined to one by `;`.
    fn is_near_a_future(&self, statement: &Statement) -> bool {
        let before = self.joined_before(statement.span.start);
        self.outline
            .statements
            .iter()
            .filter(|other| other.kind == Kind::Future)
            .any(|future| {
                let until = self.joined_before(future.span.start);
                until.iter().any(|other| other.span == statement.span)
                    || before.iter().any(|other| other.span == future.span)
            })
    }

    fn shares_line(&self, statement: &Statement) -> bool {
        let rest = &self.text[statement.span.end as usize..];
        let rest = rest.lines().next().unwrap_or_default().trim_start();
        !(rest.is_empty() || rest.starts_with('#'))
    }

    fn keep(&mut self, span: Span) {
        let range = span.start as usize..span.end as usize;
        let text = self.text;
        let kept = self.image.part(range.clone());
        kept.copy_from_slice(&text.as_bytes()[range]);
        self.image.keep_until(span.end as usize);
    }

    /// Puts `if 1:` in the place of the heads of the blocks around a statement.
    fn enclose(&mut self, span: Span) {
        let outline = self.outline;
        let mut statements = &outline.statements;
        while let Some(Kind::Compound(compound)) = statements
            .iter()
            .find(|outer| {
                outer.span.start <= span.start && span.end <= outer.span.end && outer.span != span
            })
            .map(|outer| &outer.kind)
        {
            let Some(branch) = compound.branches.iter().find(|branch| {
                branch
                    .body
                    .iter()
                    .any(|inner| inner.span.start <= span.start && span.end <= inner.span.end)
            }) else {
                return;
            };
            let head = branch.head.start;
            let place = head as usize..head as usize + ALWAYS.len();
            let there = self.text.get(place.clone());
            if there.is_some_and(|there| !there.contains('\n'))
                && branch.head.end >= place.end as u32
            {
                // In the place of the head: what follows on its line keeps its column.
                self.image.part(place).copy_from_slice(ALWAYS.as_bytes());
            } else if !self.insertions.iter().any(|(at, _)| *at == head) {
                self.insertions.push((head, ALWAYS.to_string()));
            }
            statements = &branch.body;
        }
    }

    fn blank(&mut self, span: Span) {
        for byte in self.image.part(span.start as usize..span.end as usize) {
            if !byte.is_ascii_whitespace() {
                *byte = b' ';
            }
        }
    }

    /// Keeps a whole statement, so that running the result runs it.
    #[must_use]
    pub fn statement(mut self, statement: &Statement) -> Skeleton<'a> {
        self.insertions
            .retain(|(at, _)| *at != statement.span.start);
        self.enclose(statement.span);
        self.keep(statement.span);
        self.keep_separator(statement.span.end);
        self.anchor(statement.span.start);
        self
    }

    /// The `;` behind a statement: what follows on its line may be kept as well.
    fn keep_separator(&mut self, end: u32) {
        let rest = &self.text[end as usize..];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        if rest[blank..].starts_with(';') {
            let at = end + blank as u32;
            self.keep(Span {
                start: at,
                end: at + 1,
            });
        }
    }

    /// Makes the statements stand for something that are joined to this one by `;`
    /// and come before it: blank, they would leave it indented, or end its block.
    fn anchor(&mut self, start: u32) {
        for pair in self.joined_before(start).windows(2) {
            self.fill(pair[0].span);
            // With the backslashes that may carry the line over to the next.
            self.keep(Span {
                start: pair[0].span.end,
                end: pair[1].span.start,
            });
        }
    }

    /// Gives the value behind an annotation an expression in its place, if it spans
    /// lines and other statements follow: they would stand alone on its last line.
    fn stand_in(&mut self, span: Span, annotated: u32) {
        let rest = &self.text[annotated as usize..span.end as usize];
        let Some(equals) = rest.find('=').filter(|_| rest.contains('\n')) else {
            return;
        };
        let value = rest[equals + 1..].trim_start_matches([' ', '\t', '\\', '\n']);
        let behind = self.text[span.end as usize..].trim_start_matches([' ', '\t', '\\', '\n']);
        if !behind.starts_with(';') || value.is_empty() {
            return;
        }
        let equals = annotated + equals as u32;
        let value = Span {
            start: span.end - value.len() as u32,
            end: span.end,
        };
        self.keep(Span {
            start: annotated,
            end: value.start,
        });
        self.set(equals, b';');
        self.fill(value);
    }

    /// Puts an expression without effects in the place of a statement that is not kept.
    fn fill(&mut self, span: Span) {
        let there = self.image.part(span.start as usize..span.end as usize);
        if there.iter().any(|byte| !byte.is_ascii_whitespace()) {
            return;
        }
        if span.of(self.text).contains('\n') {
            self.set(span.start, b'(');
            self.set(span.end - 1, b')');
        } else {
            self.set(span.start, b'0');
        }
    }

    fn set(&mut self, at: u32, byte: u8) {
        self.image.part(at as usize..at as usize + 1)[0] = byte;
    }

    /// The statements that `;` joins to the one that starts here, from the first to this one.
    fn joined_before(&self, start: u32) -> &'a [Statement] {
        let (outline, text) = (self.outline, self.text);
        let mut siblings = &outline.statements[..];
        loop {
            let at = siblings.partition_point(|other| other.span.start <= start);
            let Some(holder) = at.checked_sub(1).map(|before| &siblings[before]) else {
                return &[];
            };
            if holder.span.start == start {
                let joined = |pair: &[Statement]| {
                    let between = pair[0].span.end as usize..pair[1].span.start as usize;
                    text[between].replace("\\\n", " ").trim() == ";"
                };
                let apart = siblings[..at].windows(2).rposition(|pair| !joined(pair));
                return &siblings[apart.map_or(0, |before| before + 1)..at];
            }
            siblings = match &holder.kind {
                Kind::Class(class) => &class.body,
                Kind::Compound(compound) => {
                    let inside = |branch: &&Branch| {
                        branch
                            .body
                            .iter()
                            .any(|inner| inner.span.start <= start && start < inner.span.end)
                    };
                    match compound.branches.iter().find(inside) {
                        Some(branch) => &branch.body,
                        None => return &[],
                    }
                }
                _ => return &[],
            };
        }
    }

    /// Keeps the target and the annotation of an assignment, without its value.
    #[must_use]
    pub fn annotation(mut self, statement: &Statement) -> Skeleton<'a> {
        if let Kind::Assign {
            annotation: Some(annotation),
            ..
        } = &statement.kind
        {
            self.enclose(statement.span);
            self.keep(Span {
                start: statement.span.start,
                end: annotation.span.end,
            });
            self.blank(Span {
                start: annotation.span.end,
                end: statement.span.end,
            });
            self.stand_in(statement.span, annotation.span.end);
            self.anchor(statement.span.start);
        }
        self
    }

    /// Keeps a function definition without running its decorators, and evaluates
    /// only the defaults named by parameter index and, if asked, the annotations.
    #[must_use]
    pub fn function(
        mut self,
        statement: &Statement,
        function: &FunctionDef,
        defaults: &[usize],
        annotations: bool,
    ) -> Skeleton<'a> {
        self.enclose(statement.span);
        self.keep(statement.span);
        self.anchor(statement.span.start);
        if function.def_start > statement.span.start {
            self.blank(Span {
                start: statement.span.start,
                end: function.def_start,
            });
            self.insertions
                .push((statement.span.start, format!("@{DECORATOR_STUB}")));
        }
        for (index, parameter) in function.parameters.iter().enumerate() {
            if let (false, Some(default)) = (defaults.contains(&index), &parameter.default) {
                self.mask(default.span);
            }
            if let (false, Some(annotation)) = (annotations, &parameter.annotation) {
                self.mask(annotation.span);
            }
        }
        if let (false, Some(returns)) = (annotations, &function.returns) {
            self.mask(returns.span);
            if returns.span.of(self.text).contains('\n') {
                // No other parentheses carry it over its lines: an empty tuple of its own.
                self.set(returns.span.start, b'(');
                self.set(returns.span.end - 1, b')');
            }
        }
        self
    }

    /// Keeps an assignment and puts a number in the place of some expressions inside it.
    #[must_use]
    pub fn masked(self, statement: &Statement, spans: &[Span]) -> Skeleton<'a> {
        let mut skeleton = self.statement(statement);
        for span in spans {
            skeleton.mask(*span);
        }
        skeleton
    }

    fn mask(&mut self, span: Span) {
        self.blank(span);
        self.set(span.start, b'0');
    }

    /// Keeps the header of a class; the statements of its body are added by the
    /// other methods. The class statement itself is not meant to run: its body's
    /// code object is taken out of the result.
    #[must_use]
    pub fn class(mut self, class: &ClassDef) -> Skeleton<'a> {
        self.enclose(class.head);
        let head = class.head.of(self.text);
        // Without the comments that may follow the colon.
        let trimmed = head.trim_end();
        self.keep(Span {
            start: class.head.start,
            end: class.head.start + trimmed.len() as u32,
        });
        self
    }

    /// The text. What lies behind the last kept byte is left out; what only the compiler
    /// is to see and has no place of its own comes in its stead.
    #[must_use]
    pub fn finish(self) -> String {
        let mut insertions = self.insertions;
        insertions.sort_by_key(|(at, _)| *at);
        let mut out = self.image.finish(&insertions);
        out.push('\n');
        out.push_str(&self.tail);
        out
    }
}

/// Whether the module's own scope has the name `super`, read or bound.
fn names_super(outline: &Outline) -> bool {
    let is = |name: &String| name == "super";
    outline.globals_declared.iter().any(is)
        || outline.statements.iter().any(|statement| {
            let mut read = statement.facts.reads.iter().filter_map(|path| path.first());
            statement.binds.iter().chain(&statement.deletes).any(is) || read.any(is)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(text: &str) -> Outline {
        Outline::parse(text).unwrap()
    }

    #[test]
    fn lines_and_columns_stay() {
        let text = "import os\nX = 'é'\n\ndef f():\n    return 1\nY = 2\n";
        let outline = outline(text);
        let got = Skeleton::new(text, &outline)
            .statement(&outline.statements[2])
            .finish();
        assert_eq!(got, "if 0: import os\n\n\ndef f():\n    return 1\n");
    }

    #[test]
    fn imports_inside_blocks_are_seen_by_the_compiler() {
        let text = "try:\n    import a.b as c, d.e\nexcept ImportError:\n    c = None\n    def f():\n        c.g()\nX = 1\n";
        let outline = outline(text);
        let skeleton = Skeleton::new(text, &outline);
        let got = skeleton.clone().statement(&outline.statements[1]).finish();
        assert!(got.ends_with("\nX = 1\nif 0: import c, d\n"), "{got}");
        let Kind::Compound(compound) = &outline.statements[0].kind else {
            panic!("a block")
        };
        let before = "def f():\n    pass\nif __name__ == '__main__':\n    import y\n";
        let first = Outline::parse(before).unwrap();
        let got = Skeleton::new(before, &first).statement(&first.statements[0]);
        assert_eq!(got.finish(), "def f():\n    pass\nif 0: import y\n");
        // The head of its own block is needed for itself.
        for (branch, place) in [(0, 0), (1, 1)] {
            let inner = &compound.branches[branch].body[place];
            let got = skeleton.clone().statement(inner).finish();
            assert!(got.trim_start().starts_with("if 1:"), "{got}");
            assert!(got.ends_with("\nif 0: import c, d\n"), "{got}");
        }
    }

    #[test]
    fn what_the_module_says_of_super_and_imports_behind_semicolons_is_seen_by_the_compiler() {
        let text = "import a; b = a\nold = super\ndef f():\n    return a.g()\n";
        let outline = outline(text);
        let got = Skeleton::new(text, &outline)
            .statement(&outline.statements[3])
            .finish();
        let lines: Vec<&str> = got.lines().skip(2).collect();
        let tail = ["if 0: import a", "if 0: super"];
        assert_eq!(lines, ["def f():", "    return a.g()", tail[0], tail[1]]);
        let text = "class A(B):\n    def f(self):\n        return super().f()\n";
        let outline = Outline::parse(text).unwrap();
        let got = Skeleton::new(text, &outline).statement(&outline.statements[0]);
        assert_eq!(got.finish(), text);
    }

    #[test]
    fn decorators_and_defaults_are_masked() {
        let text = "@deco(1,\n  2)\n@other\ndef f(a=conn(), b: int=2):\n    pass\n";
        let outline = outline(text);
        let statement = &outline.statements[0];
        let got = Skeleton::new(text, &outline)
            .function(statement, statement.function().unwrap(), &[1], false)
            .finish();
        assert_eq!(
            got,
            "@__hotswap_same__        \n    \n      \ndef f(a=0     , b: 0  =2):\n    pass\n"
        );
    }

    #[test]
    fn an_annotation_of_several_lines_is_masked() {
        let text = "def f() -> Tuple[\n    int,\n]:\n    pass\n";
        let outline = outline(text);
        let statement = &outline.statements[0];
        let got = Skeleton::new(text, &outline)
            .function(statement, statement.function().unwrap(), &[], false)
            .finish();
        assert_eq!(got, "def f() -> (     \n        \n):\n    pass\n");
        assert!(Outline::parse(&got).is_ok());
    }

    #[test]
    fn a_statement_behind_a_semicolon_keeps_its_column() {
        let text = "a = 1; b = 2\n";
        let outline = outline(text);
        let got = Skeleton::new(text, &outline)
            .statement(&outline.statements[1])
            .finish();
        assert_eq!(got, "0    ; b = 2\n");
    }

    #[test]
    fn statements_joined_by_semicolons_are_kept_alone_and_together() {
        let text = "a = 1; b = 2; c = 3\nd = (4,\n  5); e = 6\n";
        let outline = outline(text);
        let [_, b, c, _, e] = &outline.statements[..] else {
            panic!("five statements")
        };
        let skeleton = Skeleton::new(text, &outline);
        let got = skeleton.clone().statement(b).statement(c).finish();
        assert_eq!(got, "0    ; b = 2; c = 3\n");
        let got = skeleton.statement(e).finish();
        assert_eq!(got, "\n(      \n   ); e = 6\n");
    }

    #[test]
    fn a_future_import_behind_its_docstring_stays_first() {
        let text = "'doc'; from __future__ import annotations; x = 1\ny = 2\n";
        let outline = outline(text);
        let got = Skeleton::new(text, &outline)
            .statement(&outline.statements[3])
            .finish();
        assert_eq!(got, "'doc'; from __future__ import annotations;\ny = 2\n");
        assert!(Outline::parse("x = 1\nfrom __future__ import annotations\n").is_err());
    }

    #[test]
    fn an_annotation_is_kept_without_the_value() {
        let text = "x: int = f()\ny: (\n  str) = g()\n";
        let outline = outline(text);
        let got = Skeleton::new(text, &outline)
            .annotation(&outline.statements[0])
            .annotation(&outline.statements[1])
            .finish();
        assert_eq!(got, "x: int      \ny: (\n  str) \n");
    }

    #[test]
    fn class_members_are_kept_one_by_one() {
        let text = "class A(B):  # note\n    x = 1\n    def m(self):\n        return 2\n";
        let outline = outline(text);
        let class = outline.statements[0].class().unwrap();
        let got = Skeleton::new(text, &outline)
            .class(class)
            .statement(&class.body[1])
            .finish();
        assert_eq!(
            got,
            "class A(B):  # note\n\n    def m(self):\n        return 2\n"
        );
    }
}
