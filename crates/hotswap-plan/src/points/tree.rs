//! A function as a tree of what the interpreter keeps for a call that is inside: an
//! iterator, a manager to leave, an exception being handled.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashMap;

use super::{Place, Point, PointKind, place};
use crate::reader::Lines;

/// What a node is; two nodes can only correspond if they are the same in this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    For,
    AsyncFor,
    While,
    With,
    AsyncWith,
    Handler,
    /// A handler of `except*`, of whose inner state nothing is assumed.
    GroupHandler,
    Finally,
    Yield,
    YieldFrom,
    Await,
    /// The n-th manager of an `async with` is entered.
    Enter,
    /// A manager of an `async with` is left.
    Exit,
}

/// A construct around others, or a point.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) class: Class,
    /// The text of its head, or of the statement that a suspension is part of.
    pub(super) head: String,
    /// The text of the whole.
    pub(super) whole: String,
    /// Nothing else lies on the stack: it is all that its statement does.
    pub(super) plain: bool,
    pub(super) point: Option<Point>,
    pub(super) children: Vec<Node>,
}

pub(super) fn build(text: &str, lines: &Lines, body: &[Stmt]) -> Vec<Node> {
    let mut builder = Builder {
        text,
        lines,
        nodes: Vec::new(),
        bound: FxHashMap::default(),
    };
    builder.block(body);
    builder.nodes
}

struct Builder<'a> {
    text: &'a str,
    lines: &'a Lines,
    nodes: Vec<Node>,
    /// The variables bound so far: to a literal, or to something else.
    bound: FxHashMap<String, Option<String>>,
}

impl Builder<'_> {
    fn block(&mut self, body: &[Stmt]) {
        for stmt in body {
            self.statement(stmt);
            self.bind(stmt);
        }
    }

    /// Notes what a statement binds.
    fn bind(&mut self, stmt: &Stmt) {
        let (target, value) = match stmt {
            Stmt::Assign(each) if each.targets.len() == 1 => (&each.targets[0], Some(&each.value)),
            Stmt::AnnAssign(each) => (&*each.target, each.value.as_ref()),
            _ => {
                let mut names = Names::default();
                names.visit_stmt(stmt);
                self.bound
                    .extend(names.found.into_iter().map(|name| (name, None)));
                return;
            }
        };
        if let (Expr::Name(name), Some(value)) = (target, value)
            && is_literal(value)
            && !self.bound.contains_key(name.id.as_str())
        {
            let range = value.range().start().to_usize()..value.range().end().to_usize();
            let text = self.text[range].to_string();
            self.bound.insert(name.id.to_string(), Some(text));
            return;
        }
        let mut names = Names::default();
        names.visit_stmt(stmt);
        self.bound
            .extend(names.found.into_iter().map(|name| (name, None)));
    }

    /// The variables that can be given to a call at this point.
    fn literals(&self) -> Vec<(String, String)> {
        let known = self.bound.iter();
        let mut known: Vec<_> = known
            .filter_map(|(name, text)| Some((name.clone(), text.clone()?)))
            .collect();
        known.sort_unstable();
        known
    }

    /// The text of a stretch, whatever the white space in it.
    fn text(&self, range: TextRange) -> String {
        let text = &self.text[range.start().to_usize()..range.end().to_usize()];
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn place(&self, range: TextRange) -> Place {
        place(self.lines, range)
    }

    /// Adds a construct with what `inside` adds to it.
    fn enclose(
        &mut self,
        class: Class,
        head: TextRange,
        whole: TextRange,
        point: Option<Point>,
        inside: impl FnOnce(&mut Self),
    ) {
        let outer = std::mem::take(&mut self.nodes);
        inside(self);
        let children = std::mem::replace(&mut self.nodes, outer);
        self.nodes.push(Node {
            class,
            head: self.text(head),
            whole: self.text(whole),
            plain: true,
            point,
            children,
        });
    }

    fn statement(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::For(each) => self.for_loop(stmt, each),
            Stmt::While(each) => self.while_loop(stmt, each),
            Stmt::With(each) => {
                let async_items = each.is_async.then_some(0);
                self.managers(stmt, &each.items, async_items, &each.body);
            }
            Stmt::Try(each) => self.try_statement(each),
            Stmt::If(each) => {
                self.whole_expression(&each.test, each.test.range());
                self.block(&each.body);
                for clause in &each.elif_else_clauses {
                    if let Some(test) = &clause.test {
                        self.whole_expression(test, test.range());
                    }
                    self.block(&clause.body);
                }
            }
            Stmt::Match(each) => {
                self.whole_expression(&each.subject, each.subject.range());
                for case in &each.cases {
                    if let Some(guard) = &case.guard {
                        self.parts(guard, case.pattern.range().cover(guard.range()));
                    }
                    self.block(&case.body);
                }
            }
            Stmt::Expr(each) => self.whole_expression(&each.value, stmt.range()),
            Stmt::Assign(each) => {
                self.whole_expression(&each.value, stmt.range());
                for target in &each.targets {
                    self.parts(target, stmt.range());
                }
            }
            Stmt::AnnAssign(each) => {
                if let Some(value) = &each.value {
                    self.whole_expression(value, stmt.range());
                }
            }
            Stmt::Return(each) => {
                if let Some(value) = &each.value {
                    self.whole_expression(value, stmt.range());
                }
            }
            // Their bodies are code of their own; what is evaluated around them is not followed.
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            other => {
                let mut finder = Suspensions::default();
                visitor::walk_stmt(&mut finder, other);
                self.add_parts(finder, stmt.range());
            }
        }
    }

    fn for_loop(&mut self, stmt: &Stmt, each: &ast::StmtFor) {
        self.whole_expression(&each.iter, each.iter.range());
        let (class, kind) = match each.is_async {
            true => (Class::AsyncFor, PointKind::AsyncFor),
            false => (Class::For, PointKind::For),
        };
        let point = Point {
            kind,
            places: vec![self.place(stmt.range()), self.place(each.iter.range())],
            literals: self.literals(),
        };
        let head = each.target.range().cover(each.iter.range());
        self.enclose(class, head, stmt.range(), Some(point), |inner| {
            inner.block(&each.body);
        });
        self.block(&each.orelse);
    }

    fn while_loop(&mut self, stmt: &Stmt, each: &ast::StmtWhile) {
        let (Some(first), Some(last)) = (each.body.first(), each.body.last()) else {
            return;
        };
        let point = Point {
            kind: PointKind::While {
                test: self.place(each.test.range()),
                forever: is_true(&each.test),
                body: self.place(first.range().cover(last.range())),
            },
            places: vec![self.place(stmt.range())],
            literals: self.literals(),
        };
        let head = each.test.range();
        self.enclose(Class::While, head, stmt.range(), Some(point), |inner| {
            inner.whole_expression(&each.test, each.test.range());
            inner.block(&each.body);
        });
        self.block(&each.orelse);
    }

    /// The managers of a `with` statement, one inside the other. `entered` counts those
    /// of an `async with`.
    fn managers(
        &mut self,
        stmt: &Stmt,
        items: &[ast::WithItem],
        entered: Option<usize>,
        body: &[Stmt],
    ) {
        let Some((item, rest)) = items.split_first() else {
            return self.block(body);
        };
        self.whole_expression(&item.context_expr, item.context_expr.range());
        if let Some(index) = entered {
            self.manager(Class::Enter, PointKind::Enter(index), stmt, item);
        }
        let class = match entered {
            Some(_) => Class::AsyncWith,
            None => Class::With,
        };
        self.enclose(class, item.range(), stmt.range(), None, |inner| {
            inner.managers(stmt, rest, entered.map(|index| index + 1), body);
        });
        if entered.is_some() {
            self.manager(Class::Exit, PointKind::Exit, stmt, item);
        }
    }

    /// A manager of an `async with` is entered or left.
    fn manager(&mut self, class: Class, kind: PointKind, stmt: &Stmt, item: &ast::WithItem) {
        let node = Node {
            class,
            head: self.text(item.range()),
            whole: self.text(item.range()),
            plain: true,
            point: Some(Point {
                kind,
                places: vec![
                    self.place(stmt.range()),
                    self.place(item.context_expr.range()),
                ],
                literals: self.literals(),
            }),
            children: Vec::new(),
        };
        self.nodes.push(node);
    }

    fn try_statement(&mut self, each: &ast::StmtTry) {
        let none = TextRange::empty(each.range().start());
        self.block(&each.body);
        self.handlers(each);
        self.block(&each.orelse);
        if !each.finalbody.is_empty() {
            self.enclose(Class::Finally, none, each.range(), None, |inner| {
                inner.block(&each.finalbody);
            });
        }
    }

    fn handlers(&mut self, each: &ast::StmtTry) {
        let class = match each.is_star {
            true => Class::GroupHandler,
            false => Class::Handler,
        };
        for handler in &each.handlers {
            let ast::ExceptHandler::ExceptHandler(handler) = handler;
            let head = match &handler.type_ {
                Some(caught) => caught.range(),
                None => TextRange::empty(handler.range().start()),
            };
            self.enclose(class, head, handler.range(), None, |inner| {
                inner.block(&handler.body);
            });
        }
    }

    /// An expression that is all that is evaluated, for a statement or a head.
    fn whole_expression(&mut self, expr: &Expr, statement: TextRange) {
        match suspension(expr) {
            Some((class, kind)) => {
                let inner = match expr {
                    Expr::Yield(each) => each.value.as_deref(),
                    Expr::YieldFrom(each) => Some(&*each.value),
                    Expr::Await(each) => Some(&*each.value),
                    _ => None,
                };
                if let Some(inner) = inner {
                    self.parts(inner, statement);
                }
                self.suspend(class, kind, expr.range(), statement, true);
            }
            None => self.parts(expr, statement),
        }
    }

    /// The suspensions inside an expression, in the order of the source.
    fn parts(&mut self, expr: &Expr, statement: TextRange) {
        let mut finder = Suspensions::default();
        finder.visit_expr(expr);
        self.add_parts(finder, statement);
    }

    fn add_parts(&mut self, finder: Suspensions, statement: TextRange) {
        for (class, kind, range) in finder.found {
            self.suspend(class, kind, range, statement, false);
        }
    }

    fn suspend(
        &mut self,
        class: Class,
        kind: PointKind,
        range: TextRange,
        statement: TextRange,
        plain: bool,
    ) {
        let point = Point {
            kind,
            places: vec![self.place(range)],
            literals: self.literals(),
        };
        self.nodes.push(Node {
            class,
            head: self.text(statement),
            whole: self.text(statement),
            plain,
            point: Some(point),
            children: Vec::new(),
        });
    }
}

/// Whether the compiler knows that a condition always holds.
fn is_true(test: &Expr) -> bool {
    match test {
        Expr::BooleanLiteral(literal) => literal.value,
        Expr::NumberLiteral(literal) => match &literal.value {
            ast::Number::Int(value) => *value != 0,
            ast::Number::Float(value) => *value != 0.0,
            ast::Number::Complex { .. } => false,
        },
        _ => false,
    }
}

fn suspension(expr: &Expr) -> Option<(Class, PointKind)> {
    match expr {
        Expr::Yield(_) => Some((Class::Yield, PointKind::Yield)),
        Expr::YieldFrom(_) => Some((Class::YieldFrom, PointKind::YieldFrom)),
        Expr::Await(_) => Some((Class::Await, PointKind::Await)),
        _ => None,
    }
}

/// Collects the suspensions of an expression, inner ones first.
#[derive(Default)]
struct Suspensions {
    found: Vec<(Class, PointKind, TextRange)>,
}

impl<'a> Visitor<'a> for Suspensions {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            // Code of their own, or a loop that has no name to be found by.
            Expr::Lambda(_)
            | Expr::Generator(_)
            | Expr::ListComp(_)
            | Expr::SetComp(_)
            | Expr::DictComp(_) => return,
            _ => visitor::walk_expr(self, expr),
        }
        if let Some((class, kind)) = suspension(expr) {
            self.found.push((class, kind, expr.range()));
        }
    }

    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if !matches!(stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            visitor::walk_stmt(self, stmt);
        }
    }
}

/// Whether evaluating an expression needs nothing and does nothing.
fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Tuple(each) => each.elts.iter().all(is_literal),
        Expr::List(each) => each.elts.iter().all(is_literal),
        Expr::Set(each) => each.elts.iter().all(is_literal),
        Expr::Dict(each) => each
            .items
            .iter()
            .all(|item| item.key.as_ref().is_some_and(is_literal) && is_literal(&item.value)),
        Expr::UnaryOp(each) => each.operand.is_number_literal_expr(),
        _ => expr.is_literal_expr(),
    }
}

/// Collects the names that a statement binds, in it and in blocks below.
#[derive(Default)]
struct Names {
    found: Vec<String>,
}

impl<'a> Visitor<'a> for Names {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Name(name) = expr
            && !name.ctx.is_load()
        {
            self.found.push(name.id.to_string());
        }
        visitor::walk_expr(self, expr);
    }

    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(each) => self.found.push(each.name.to_string()),
            Stmt::ClassDef(each) => self.found.push(each.name.to_string()),
            Stmt::Import(each) => self.aliases(&each.names),
            Stmt::ImportFrom(each) => self.aliases(&each.names),
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ast::ExceptHandler) {
        let ast::ExceptHandler::ExceptHandler(each) = handler;
        self.found
            .extend(each.name.as_ref().map(ToString::to_string));
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        match pattern {
            ast::Pattern::MatchAs(each) => {
                self.found
                    .extend(each.name.as_ref().map(ToString::to_string));
            }
            ast::Pattern::MatchStar(each) => {
                self.found
                    .extend(each.name.as_ref().map(ToString::to_string));
            }
            ast::Pattern::MatchMapping(each) => {
                self.found
                    .extend(each.rest.as_ref().map(ToString::to_string));
            }
            _ => {}
        }
        visitor::walk_pattern(self, pattern);
    }
}

impl Names {
    fn aliases(&mut self, names: &[ast::Alias]) {
        for alias in names {
            let bound = alias.asname.as_ref().unwrap_or(&alias.name);
            let first = bound.split('.').next().unwrap_or_default();
            self.found.push(first.to_string());
        }
    }
}
