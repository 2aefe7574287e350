//! What the body of a function, usually `__init__`, assigns to the instance and to
//! local names.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Stmt};

use crate::facts::collect_names;
use crate::outline::{Assignment, Expression, Target};

/// The assignments at the top level of a body, and the targets that are set
/// elsewhere in it.
pub(crate) fn of_body(
    body: &[Stmt],
    receiver: Option<&str>,
    mut expression: impl FnMut(&Expr) -> Expression,
) -> (Vec<Assignment>, Vec<Target>) {
    let mut assignments = Vec::new();
    let mut deeper = Deeper {
        receiver,
        found: Vec::new(),
    };
    for stmt in body {
        let parts = match stmt {
            Stmt::Assign(assign) => Some((assign.targets.iter().collect(), &assign.value)),
            Stmt::AnnAssign(assign) => assign
                .value
                .as_ref()
                .map(|value| (vec![assign.target.as_ref()], value)),
            _ => None,
        };
        let found: Option<(Vec<&Expr>, _)> = parts;
        let known = found.and_then(|(targets, value)| {
            let (targets, unpacked) = read_targets(&targets, receiver)?;
            Some(Assignment {
                targets,
                unpacked,
                value: expression(value),
            })
        });
        match known {
            Some(known) => assignments.push(known),
            None => deeper.visit_stmt(stmt),
        }
    }
    (assignments, deeper.found)
}

/// The targets of `a = self.b = value` or of `a, self.b = value`; None for others.
fn read_targets(targets: &[&Expr], receiver: Option<&str>) -> Option<(Vec<Target>, bool)> {
    if let [Expr::Tuple(tuple)] = targets {
        let items: Option<Vec<Target>> = tuple
            .elts
            .iter()
            .map(|item| read_target(item, receiver))
            .collect();
        return Some((items?, true));
    }
    let items: Option<Vec<Target>> = targets
        .iter()
        .map(|item| read_target(item, receiver))
        .collect();
    Some((items?, false))
}

fn read_target(target: &Expr, receiver: Option<&str>) -> Option<Target> {
    match target {
        Expr::Name(name) => Some(Target::Local(name.id.to_string())),
        Expr::Attribute(attribute) => match attribute.value.as_ref() {
            Expr::Name(name) if Some(name.id.as_str()) == receiver => {
                Some(Target::Attribute(attribute.attr.to_string()))
            }
            _ => None,
        },
        _ => None,
    }
}

struct Deeper<'a> {
    receiver: Option<&'a str>,
    found: Vec<Target>,
}

impl Deeper<'_> {
    fn note(&mut self, target: &Expr) {
        match target {
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|item| self.note(item)),
            Expr::List(list) => list.elts.iter().for_each(|item| self.note(item)),
            Expr::Starred(starred) => self.note(&starred.value),
            other => self.found.extend(read_target(other, self.receiver)),
        }
    }
}

impl<'a> Visitor<'a> for Deeper<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => {
                self.found.push(Target::Local(function.name.to_string()));
                return;
            }
            Stmt::ClassDef(class) => {
                self.found.push(Target::Local(class.name.to_string()));
                return;
            }
            Stmt::Assign(assign) => assign.targets.iter().for_each(|target| self.note(target)),
            Stmt::AnnAssign(assign) if assign.value.is_some() => self.note(&assign.target),
            Stmt::AugAssign(assign) => self.note(&assign.target),
            Stmt::For(each) => self.note(&each.target),
            Stmt::With(with) => {
                for item in &with.items {
                    if let Some(target) = &item.optional_vars {
                        self.note(target);
                    }
                }
            }
            Stmt::Import(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name).to_string();
                    let head = name.split('.').next().unwrap_or_default();
                    self.found.push(Target::Local(head.to_string()));
                }
            }
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.found.push(Target::Local(name.to_string()));
                }
            }
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => {}
            Expr::Named(named) => {
                let mut names = Vec::new();
                collect_names(&named.target, &mut names);
                self.found.extend(names.into_iter().map(Target::Local));
                visitor::walk_expr(self, expr);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::outline::{Outline, Target};

    #[test]
    fn assignments_are_told_from_what_depends_on_the_run() {
        let text = "def __init__(self, a):\n    n = 1\n    self.a = self.b = n\n    self.c, d = a\n    if a:\n        self.e = 1\n    self.f.g = 2\n";
        let outline = Outline::parse(text).unwrap();
        let function = outline.statements[0].function().unwrap();
        let targets: Vec<_> = function
            .assignments
            .iter()
            .map(|each| (each.targets.len(), each.unpacked))
            .collect();
        assert_eq!(targets, [(1, false), (2, false), (2, true)]);
        assert_eq!(function.unsure, [Target::Attribute("e".to_string())]);
    }
}
