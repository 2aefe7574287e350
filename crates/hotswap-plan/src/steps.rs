//! A function's body statement by statement: which lines do what.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::facts::{ASSIGNS_GLOBAL, Call, Collector, Facts, Locals, dotted};
use crate::reader::Lines;

/// A statement of a function's body, or the head of one that has a body of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyStep {
    /// One-based.
    pub first_line: u32,
    /// One-based, inclusive.
    pub last_line: u32,
    /// What it does, as in [`Facts`] of the function.
    pub facts: Facts,
    /// The calls among it of which it is known where they stand: first and last line.
    pub calls: Vec<(u32, u32, Call)>,
}

/// The statements of a function's body, those of blocks one by one: nothing that a step
/// does happens before one of its lines is reached. `def_start` is the offset of `def` or
/// `async`, as in [`crate::FunctionDef`].
///
/// None if there is no such function, or if parts of it would run although an exception
/// was raised at one of its lines: `finally`, `except:` and `except BaseException`.
#[must_use]
pub fn body_steps(text: &str, def_start: u32) -> Option<Vec<BodyStep>> {
    let lines = Lines::new(text);
    crate::deep::parsing(text.len(), || {
        let parsed = ruff_python_parser::parse_module(text).ok()?;
        let suite = &parsed.syntax().body;
        crate::deep::walking(crate::deep::depth(suite), || {
            let mut search = Search {
                def_start,
                found: None,
            };
            search.visit_body(suite);
            let function = search.found?;
            let (mut collector, locals) =
                Collector::for_function(Some(&function.parameters), &function.body);
            collector.places = Some(Vec::new());
            let mut steps = Steps {
                lines: &lines,
                collector: &mut collector,
                locals: &locals,
                steps: Vec::new(),
            };
            steps.block(&function.body)?;
            Some(steps.steps)
        })
    })
}

/// Looks for the function whose `def` or `async` stands at an offset.
struct Search<'a> {
    def_start: u32,
    found: Option<&'a ast::StmtFunctionDef>,
}

impl<'a> Visitor<'a> for Search<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if let Stmt::FunctionDef(function) = stmt {
            let decorators = function.decorator_list.last();
            let start = decorators.map_or(stmt.start(), Ranged::end).to_u32();
            if (start..function.name.start().to_u32()).contains(&self.def_start) {
                self.found = Some(function);
                return;
            }
        }
        let range = stmt.start().to_u32()..stmt.end().to_u32();
        if range.contains(&self.def_start) {
            visitor::walk_stmt(self, stmt);
        }
    }
}

struct Steps<'a> {
    lines: &'a Lines,
    collector: &'a mut Collector,
    locals: &'a Locals,
    steps: Vec<BodyStep>,
}

impl Steps<'_> {
    fn block(&mut self, body: &[Stmt]) -> Option<()> {
        body.iter().try_for_each(|stmt| self.statement(stmt))
    }

    fn statement(&mut self, stmt: &Stmt) -> Option<()> {
        match stmt {
            Stmt::If(inner) => {
                self.expression(&inner.test);
                self.block(&inner.body)?;
                for clause in &inner.elif_else_clauses {
                    if let Some(test) = &clause.test {
                        self.expression(test);
                    }
                    self.block(&clause.body)?;
                }
            }
            Stmt::While(inner) => {
                self.expression(&inner.test);
                self.block(&inner.body)?;
                self.block(&inner.orelse)?;
            }
            Stmt::For(inner) if !inner.is_async => {
                self.collector.visit_expr(&inner.iter);
                self.collector.store_target(&inner.target);
                self.assigned(|names| names.bind(&inner.target, None));
                self.push(TextRange::new(stmt.start(), inner.iter.end()));
                self.block(&inner.body)?;
                self.block(&inner.orelse)?;
            }
            Stmt::Try(inner) => {
                if !inner.finalbody.is_empty() {
                    return None;
                }
                self.block(&inner.body)?;
                for ast::ExceptHandler::ExceptHandler(handler) in &inner.handlers {
                    let kind = handler.type_.as_deref()?;
                    if !is_narrow(kind) {
                        return None;
                    }
                    self.expression(kind);
                    self.block(&handler.body)?;
                }
                self.block(&inner.orelse)?;
            }
            _ => {
                self.collector.visit_stmt(stmt);
                self.assigned(|names| names.visit_stmt(stmt));
                self.push(stmt.range());
            }
        }
        Some(())
    }

    fn expression(&mut self, expr: &Expr) {
        self.collector.visit_expr(expr);
        self.push(expr.range());
    }

    /// An assignment to a name that is declared `global` or `nonlocal`.
    fn assigned(&mut self, bind: impl FnOnce(&mut Locals)) {
        let mut names = Locals::default();
        bind(&mut names);
        if self.locals.declares_any(&names) {
            self.collector.facts.effects.push(ASSIGNS_GLOBAL);
        }
    }

    fn push(&mut self, range: TextRange) {
        let line = |offset: TextSize| self.lines.line(offset.to_u32());
        let calls = self.collector.places.replace(Vec::new());
        self.steps.push(BodyStep {
            first_line: line(range.start()),
            last_line: line(range.end()),
            facts: std::mem::take(&mut self.collector.facts),
            calls: calls
                .into_iter()
                .flatten()
                .map(|(place, call)| (line(place.start()), line(place.end()), call))
                .collect(),
        });
    }
}

/// Whether a handler lets an exception pass that is no `Exception`.
fn is_narrow(kind: &Expr) -> bool {
    match kind {
        Expr::Tuple(tuple) => tuple.elts.iter().all(is_narrow),
        _ => dotted(kind).is_some_and(|path| {
            let name = path.last().map(String::as_str).unwrap_or_default();
            name == "Exception" || name.ends_with("Error") || name == "KeyboardInterrupt"
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Option<Vec<(u32, u32, usize)>> {
        let at = text.find("def ")? as u32;
        let steps = body_steps(text, at)?;
        Some(
            steps
                .iter()
                .map(|step| {
                    (
                        step.first_line,
                        step.last_line,
                        step.facts.calls.len() + step.facts.effects.len(),
                    )
                })
                .collect(),
        )
    }

    #[test]
    fn a_branch_is_a_step_of_its_own() {
        let text = "def f(a):\n    if a:\n        g(\n            1)\n    elif h():\n        import os\n    return a\n";
        assert_eq!(
            steps(text),
            Some(vec![(2, 2, 0), (3, 4, 1), (5, 5, 1), (6, 6, 1), (7, 7, 0)])
        );
    }

    #[test]
    fn calls_have_lines_of_their_own() {
        let text = "def f(a):\n    return [\n        x if x else g(\n            x)\n        for x in h(a)]\n";
        let calls: Vec<(u32, u32)> = body_steps(text, 0).unwrap()[0]
            .calls
            .iter()
            .map(|(first, last, _)| (*first, *last))
            .collect();
        assert_eq!(calls, [(5, 5), (3, 4)]);
    }

    #[test]
    fn the_assignment_of_a_global_is_told_from_its_declaration() {
        let text = "def f():\n    global x\n    if a:\n        x = 1\n    return x\n";
        assert_eq!(
            steps(text),
            Some(vec![(2, 2, 0), (3, 3, 0), (4, 4, 1), (5, 5, 0)])
        );
    }

    #[test]
    fn what_goes_on_after_any_exception_has_no_steps() {
        for handler in [
            "finally:\n        g()",
            "except:\n        g()",
            "except BaseException:\n        g()",
            "except (ValueError, Stop):\n        g()",
        ] {
            let text = format!("def f():\n    try:\n        h()\n    {handler}\n");
            assert_eq!(steps(&text), None, "{handler}");
        }
        assert!(
            steps("def f():\n    try:\n        h()\n    except ValueError:\n        g()\n")
                .is_some()
        );
    }

    #[test]
    fn methods_and_decorated_functions_are_found() {
        let text = "class C:\n    @deco\n    def f(self):\n        return g()\n";
        assert_eq!(steps(text), Some(vec![(4, 4, 1)]));
        assert_eq!(body_steps(text, 0), None);
    }
}
