//! The text to compile: everything that is not wanted is blank, every line keeps
//! its number and every kept statement its column.

use crate::outline::{ClassDef, FunctionDef, Kind, Outline, Span, Statement};

/// The name of the decorator that stands for those that must not run.
pub const DECORATOR_STUB: &str = "__hotswap_same__";

/// A text under construction.
#[derive(Clone, Debug)]
pub struct Skeleton<'a> {
    text: &'a str,
    outline: &'a Outline,
    bytes: Vec<u8>,
    insertions: Vec<(u32, String)>,
    end: u32,
}

impl<'a> Skeleton<'a> {
    /// Starts with nothing but the `from __future__` imports, and with the module's
    /// other imports in a form that the compiler sees and never runs: since
    /// CPython 3.12 a call `mod.f()` is compiled in another way where the same
    /// unit imports `mod`.
    #[must_use]
    pub fn new(text: &'a str, outline: &'a Outline) -> Skeleton<'a> {
        let bytes = text
            .bytes()
            .map(|byte| {
                if byte.is_ascii_whitespace() {
                    byte
                } else {
                    b' '
                }
            })
            .collect();
        let mut skeleton = Skeleton {
            text,
            outline,
            bytes,
            insertions: Vec::new(),
            end: 0,
        };
        for statement in &outline.statements {
            match &statement.kind {
                Kind::Future => skeleton.keep(statement.span),
                Kind::Import(_) if statement.column == 0 && !skeleton.shares_line(statement) => {
                    skeleton.keep(statement.span);
                    skeleton
                        .insertions
                        .push((statement.span.start, "if 0: ".to_string()));
                }
                _ => {}
            }
        }
        skeleton
    }

    fn shares_line(&self, statement: &Statement) -> bool {
        let rest = &self.text[statement.span.end as usize..];
        let rest = rest.lines().next().unwrap_or_default().trim_start();
        !(rest.is_empty() || rest.starts_with('#'))
    }

    fn keep(&mut self, span: Span) {
        let range = span.start as usize..span.end as usize;
        self.bytes[range.clone()].copy_from_slice(&self.text.as_bytes()[range]);
        self.end = self.end.max(span.end);
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
            if !self.insertions.iter().any(|(at, _)| *at == head) {
                self.insertions.push((head, "if 1:".to_string()));
            }
            statements = &branch.body;
        }
    }

    fn blank(&mut self, span: Span) {
        for byte in &mut self.bytes[span.start as usize..span.end as usize] {
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
        self.anchor(statement.span.start);
        self
    }

    /// After a `;` the statement would stand indented on its line: an empty
    /// expression takes the place of its neighbour.
    fn anchor(&mut self, start: u32) {
        let line_start = self.text[..start as usize]
            .rfind('\n')
            .map_or(0, |at| at + 1);
        let before = &self.text[line_start..start as usize];
        let indent = before.len() - before.trim_start().len();
        let blank = self.bytes[line_start..start as usize]
            .iter()
            .all(u8::is_ascii_whitespace);
        if blank && indent < before.len() && before.len() - indent >= 2 {
            self.bytes[line_start + indent] = b'0';
            self.bytes[line_start + indent + 1] = b';';
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
        self.bytes[span.start as usize] = b'0';
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

    /// The text. What lies behind the last kept byte is left out.
    #[must_use]
    pub fn finish(self) -> String {
        let mut insertions = self.insertions;
        insertions.sort_by_key(|(at, _)| *at);
        let mut out = Vec::with_capacity(self.end as usize + 64);
        let mut from = 0usize;
        for (at, text) in insertions {
            let at = (at as usize).min(self.end as usize);
            out.extend_from_slice(&self.bytes[from..at]);
            out.extend_from_slice(text.as_bytes());
            from = at;
        }
        out.extend_from_slice(&self.bytes[from..self.end as usize]);
        out.push(b'\n');
        // Blanking replaces whole characters byte by byte, so this cannot fail.
        String::from_utf8(out).unwrap_or_default()
    }
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
        assert_eq!(got, "if 0: import os\n        \n\ndef f():\n    return 1\n");
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
    fn a_statement_behind_a_semicolon_keeps_its_column() {
        let text = "a = 1; b = 2\n";
        let outline = outline(text);
        let got = Skeleton::new(text, &outline)
            .statement(&outline.statements[1])
            .finish();
        assert_eq!(got, "0;     b = 2\n");
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
            "class A(B):  # note\n         \n    def m(self):\n        return 2\n"
        );
    }
}
