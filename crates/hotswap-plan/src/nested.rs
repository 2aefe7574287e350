//! The header of a function that another one makes, read when somebody asks for it.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Stmt};

use crate::facts::Collector;
use crate::outline::{FunctionDef, Span, Statement};
use crate::reader::{Lines, Reader};
use crate::scan::Binds;

/// A function inside another one.
#[derive(Clone, Debug, PartialEq)]
pub struct NestedFunction {
    /// Its definition; places are those in `text`.
    pub definition: FunctionDef,
    /// The text of the statement of the module that it stands in.
    pub text: String,
    /// The names of the functions and classes around it and those that they bind: what
    /// reads one of them cannot be evaluated in the module.
    pub enclosing: Vec<String>,
}

/// The function `name` that begins on a line, if it stands inside another function of a
/// statement of the module. `futures` are the module's `from __future__` imports.
#[must_use]
pub fn nested_function(
    text: &str,
    statement: &Statement,
    futures: &[String],
    name: &str,
    line: u32,
) -> Option<NestedFunction> {
    // By itself it parses only if it begins its line.
    if statement.column != 0 {
        return None;
    }
    let line = line.checked_sub(statement.first_line - 1)?;
    let text = statement.span.of(text);
    let lines = Lines::new(text);
    crate::deep::parsing(text.len(), || {
        let parsed = ruff_python_parser::parse_module(text).ok()?;
        let suite = &parsed.syntax().body;
        crate::deep::walking(crate::deep::depth(suite), || {
            let reader = Reader {
                text,
                lines: &lines,
                futures,
                known: None,
            };
            let mut search = Search {
                reader: &reader,
                wanted: (name, line),
                enclosing: Vec::new(),
                functions: 0,
                found: None,
            };
            search.visit_body(suite);
            search.found
        })
    })
}

/// Looks for a function, and notes what is bound around it.
struct Search<'r> {
    reader: &'r Reader<'r>,
    wanted: (&'r str, u32),
    enclosing: Vec<String>,
    /// So many functions are around this place.
    functions: usize,
    found: Option<NestedFunction>,
}

impl Search<'_> {
    fn is_wanted(&self, function: &ast::StmtFunctionDef, stmt: &Stmt) -> bool {
        let line = match function.decorator_list.first() {
            Some(decorator) => self.reader.lines.line(Span::from(decorator.range).start),
            None => self.reader.def_line(stmt),
        };
        (function.name.as_str(), line) == self.wanted
    }

    /// What stands in a scope that binds these names.
    fn enter(&mut self, names: Vec<String>, functions: usize, body: &[Stmt]) {
        let outside = self.enclosing.len();
        self.enclosing.extend(names);
        self.functions += functions;
        self.visit_body(body);
        self.functions -= functions;
        self.enclosing.truncate(outside);
    }
}

impl<'a> Visitor<'a> for Search<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            _ if self.found.is_some() => {}
            Stmt::FunctionDef(function) if self.functions > 0 && self.is_wanted(function, stmt) => {
                self.found = Some(NestedFunction {
                    definition: self.reader.function(function, stmt),
                    text: self.reader.text.to_string(),
                    enclosing: self.enclosing.clone(),
                });
            }
            Stmt::FunctionDef(function) => {
                let mut names = bound_in(function);
                names.extend(type_parameters(function.type_params.as_deref()));
                self.enter(names, 1, &function.body);
            }
            Stmt::ClassDef(class) => {
                let mut binds = Binds::default();
                binds.visit_body(&class.body);
                let mut names = binds.names;
                names.extend(type_parameters(class.type_params.as_deref()));
                self.enter(names, 0, &class.body);
            }
            _ => visitor::walk_stmt(self, stmt),
        }
    }
}

/// The names that belong to a function: its parameters and what its body binds.
fn bound_in(function: &ast::StmtFunctionDef) -> Vec<String> {
    let (_, locals) = Collector::for_function(Some(&function.parameters), &function.body);
    let parameters = function.parameters.iter();
    let mut names: Vec<String> = parameters
        .map(|parameter| parameter.name().to_string())
        .collect();
    names.extend(locals.into_names());
    names
}

fn type_parameters(parameters: Option<&ast::TypeParams>) -> impl Iterator<Item = String> {
    let parameters = parameters.into_iter().flat_map(|list| &list.type_params);
    parameters.map(|parameter| parameter.name().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outline;

    const TEXT: &str = "\ndef make(a, *b):\n    c = 1\n    class Made:\n        d = 2\n        @a\n        def f(self, x: int = c) -> d:\n            return x\n    def g(y=1): pass\n    return g\n";

    fn found(name: &str, line: u32) -> Option<NestedFunction> {
        let outline = Outline::parse(TEXT).unwrap();
        nested_function(TEXT, &outline.statements[0], &[], name, line)
    }

    #[test]
    fn a_header_is_found_by_name_and_line() {
        let function = found("f", 6).unwrap();
        let returns = function.definition.returns.unwrap();
        assert_eq!(returns.span.of(&function.text), "d");
        for name in ["a", "b", "c", "d", "g", "Made"] {
            assert!(
                function.enclosing.iter().any(|bound| bound == name),
                "{name}"
            );
        }
    }

    #[test]
    fn what_stands_beside_a_function_is_not_around_it() {
        let function = found("g", 9).unwrap();
        assert!(
            !function
                .enclosing
                .iter()
                .any(|name| name == "d" || name == "y")
        );
    }

    #[test]
    fn a_function_of_the_module_is_not_nested() {
        assert_eq!(found("make", 2), None);
        assert_eq!(found("f", 7), None);
    }
}
