//! Passes over a syntax tree: what it binds, which functions it makes, what is left
//! of it without their bodies.

use ruff_python_ast::comparable::{ComparableExpr, ComparableStmt};
use ruff_python_ast::visitor::transformer::{self, Transformer};
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use crate::facts::collect_names;
use crate::outline::{CodeSite, Import, Span, hash_of};
use crate::reader::Reader;

/// Leaves out the bodies of functions and lambdas.
pub(crate) struct Masker;

impl Transformer for Masker {
    fn visit_stmt(&self, stmt: &mut Stmt) {
        if let Stmt::FunctionDef(function) = stmt {
            function.body.clear();
        }
        transformer::walk_stmt(self, stmt);
    }

    fn visit_expr(&self, expr: &mut Expr) {
        if let Expr::Lambda(lambda) = expr {
            *lambda.body = Expr::EllipsisLiteral(ast::ExprEllipsisLiteral {
                node_index: ast::AtomicNodeIndex::default(),
                range: TextRange::default(),
            });
        }
        transformer::walk_expr(self, expr);
    }
}

/// Names that functions declare `global`.
pub(crate) struct GlobalNames(pub(crate) Vec<String>);

impl<'a> Visitor<'a> for GlobalNames {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if let Stmt::Global(global) = stmt {
            self.0.extend(global.names.iter().map(ToString::to_string));
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

/// Collects functions and lambdas, without looking into functions.
pub(crate) struct Sites<'r> {
    pub(crate) reader: &'r Reader<'r>,
    pub(crate) scope: Vec<String>,
    pub(crate) found: Vec<CodeSite>,
    pub(crate) deferred: bool,
}

impl<'a> Visitor<'a> for Sites<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => {
                for decorator in &function.decorator_list {
                    self.visit_decorator(decorator);
                }
                self.visit_parameters(&function.parameters);
                let first = function
                    .decorator_list
                    .first()
                    .map_or(function.range(), Ranged::range);
                let line = self.reader.lines.line(first.start().to_u32());
                self.found.push(CodeSite {
                    scope: self.scope.clone(),
                    name: function.name.to_string(),
                    line: if function.decorator_list.is_empty() {
                        self.reader.def_line(stmt)
                    } else {
                        line
                    },
                    last_line: self.reader.lines.line(stmt.end().to_u32() - 1),
                    fingerprint: self.reader.code_fingerprint(&ComparableStmt::from(stmt)),
                    text: hash_of(&Span::from(stmt.range()).of(self.reader.text)),
                });
            }
            Stmt::ClassDef(class) => {
                for decorator in &class.decorator_list {
                    self.visit_decorator(decorator);
                }
                if let Some(arguments) = &class.arguments {
                    self.visit_arguments(arguments);
                }
                self.scope.push(class.name.to_string());
                self.visit_body(&class.body);
                self.scope.pop();
            }
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Lambda(lambda) = expr {
            if let Some(parameters) = &lambda.parameters {
                self.visit_parameters(parameters);
            }
            if !self.deferred {
                self.found.push(CodeSite {
                    scope: self.scope.clone(),
                    name: "<lambda>".to_string(),
                    line: self.reader.lines.line(lambda.range.start().to_u32()),
                    last_line: self.reader.lines.line(lambda.range.end().to_u32()),
                    fingerprint: self.reader.code_fingerprint(&ComparableExpr::from(expr)),
                    text: hash_of(&Span::from(expr.range()).of(self.reader.text)),
                });
            }
            return;
        }
        visitor::walk_expr(self, expr);
    }
}

/// The names that statements bind in their own scope.
#[derive(Default)]
pub(crate) struct Binds {
    pub(crate) names: Vec<String>,
    pub(crate) deletes: Vec<String>,
    pub(crate) deletes_of: Vec<Vec<String>>,
    pub(crate) annotates: Vec<String>,
    pub(crate) imports: Vec<Import>,
    /// The names that imports bind, also those that never happen.
    pub(crate) imported: Vec<String>,
    /// Inside `if TYPE_CHECKING:`, whose imports never happen.
    unreached: bool,
}

impl Binds {
    fn import(&mut self, import: Import) {
        self.bind(import.bound.clone());
        if !self.imported.contains(&import.bound) {
            self.imported.push(import.bound.clone());
        }
        if !self.unreached {
            self.imports.push(import);
        }
    }

    pub(crate) fn bind(&mut self, name: impl Into<String>) {
        let name = name.into();
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    fn target(&mut self, target: &Expr) {
        let mut names = Vec::new();
        collect_names(target, &mut names);
        names.into_iter().for_each(|name| self.bind(name));
    }
}

impl<'a> Visitor<'a> for Binds {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => self.bind(function.name.as_str()),
            Stmt::ClassDef(class) => self.bind(class.name.as_str()),
            Stmt::Assign(assign) => {
                assign.targets.iter().for_each(|target| self.target(target));
                self.visit_expr(&assign.value);
            }
            Stmt::AnnAssign(assign) => {
                if let (Expr::Name(name), true) = (assign.target.as_ref(), assign.simple) {
                    self.annotates.push(name.id.to_string());
                }
                if assign.value.is_some() {
                    self.target(&assign.target);
                }
            }
            Stmt::AugAssign(assign) => {
                self.target(&assign.target);
                self.visit_expr(&assign.value);
            }
            Stmt::TypeAlias(alias) => self.target(&alias.name),
            Stmt::Import(import) => {
                for alias in &import.names {
                    let name = alias.name.to_string();
                    let bound = alias.asname.as_ref().map_or_else(
                        || name.split('.').next().unwrap_or_default().to_string(),
                        ToString::to_string,
                    );
                    self.import(Import {
                        module: name,
                        level: 0,
                        name: None,
                        bound,
                        aliased: alias.asname.is_some(),
                    });
                }
            }
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name).to_string();
                    self.import(Import {
                        module: import
                            .module
                            .as_ref()
                            .map(ToString::to_string)
                            .unwrap_or_default(),
                        level: import.level,
                        name: Some(alias.name.to_string()),
                        bound,
                        aliased: alias.asname.is_some(),
                    });
                }
            }
            Stmt::Delete(delete) => {
                for target in &delete.targets {
                    collect_names(target, &mut self.deletes);
                    collect_attributes(target, &mut self.deletes_of);
                }
            }
            Stmt::If(if_stmt) if is_type_checking(&if_stmt.test) => {
                let before = std::mem::replace(&mut self.unreached, true);
                self.visit_body(&if_stmt.body);
                self.unreached = before;
                for clause in &if_stmt.elif_else_clauses {
                    self.visit_elif_else_clause(clause);
                }
            }
            Stmt::For(for_stmt) => {
                self.target(&for_stmt.target);
                visitor::walk_stmt(self, stmt);
            }
            Stmt::With(with) => {
                for item in &with.items {
                    if let Some(target) = &item.optional_vars {
                        self.target(target);
                    }
                }
                visitor::walk_stmt(self, stmt);
            }
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => {}
            Expr::Named(named) => {
                self.target(&named.target);
                self.visit_expr(&named.value);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        let name = match pattern {
            ast::Pattern::MatchAs(inner) => inner.name.as_ref(),
            ast::Pattern::MatchStar(inner) => inner.name.as_ref(),
            ast::Pattern::MatchMapping(inner) => inner.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = name {
            self.bind(name.as_str());
        }
        visitor::walk_pattern(self, pattern);
    }
}

/// The dotted names among the targets of a `del` statement.
fn collect_attributes(target: &Expr, found: &mut Vec<Vec<String>>) {
    match target {
        Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
            for inner in elts {
                collect_attributes(inner, found);
            }
        }
        Expr::Attribute(_) => found.extend(crate::facts::dotted(target)),
        _ => {}
    }
}

/// `TYPE_CHECKING`, also as an attribute of `typing` under any name.
fn is_type_checking(test: &Expr) -> bool {
    match test {
        Expr::Name(name) => name.id.as_str() == "TYPE_CHECKING",
        Expr::Attribute(attribute) => attribute.attr.as_str() == "TYPE_CHECKING",
        _ => false,
    }
}

/// Leaves out the bodies of functions inside the first functions it meets.
pub(crate) struct OneLevel;

impl Transformer for OneLevel {
    fn visit_stmt(&self, stmt: &mut Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => {
                for inner in &mut function.body {
                    Masker.visit_stmt(inner);
                }
            }
            _ => transformer::walk_stmt(self, stmt),
        }
    }
}
