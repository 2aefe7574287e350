//! Reads a syntax tree into statements.

use ruff_python_ast::comparable::{ComparableExpr, ComparableStmt};
use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::visitor::transformer::Transformer;
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::Ranged;
use rustc_hash::FxHashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::facts::{Facts, dotted};
use crate::outline::{
    Branch, ClassDef, Compound, Expression, FunctionDef, Item, Kind, Parameter, Pragma, Span,
    Statement, hash_of,
};
use crate::scan::{Binds, GlobalNames, Masker, OneLevel, Sites};

/// The elements of longer displays are not looked at one by one.
const MANY_ITEMS: usize = 1_000;

/// Nor are those of displays further inside: each level is hashed with all that it holds.
const DEEP: usize = 12;

/// Start offsets of lines.
pub(crate) struct Lines {
    pub(crate) starts: Vec<u32>,
}

impl Lines {
    pub(crate) fn new(text: &str) -> Lines {
        let mut starts = vec![0];
        starts.extend(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at as u32 + 1));
        Lines { starts }
    }

    pub(crate) fn line(&self, offset: u32) -> u32 {
        self.starts.partition_point(|start| *start <= offset) as u32
    }

    pub(crate) fn column(&self, offset: u32) -> u32 {
        offset - self.starts[self.line(offset) as usize - 1]
    }
}

pub(crate) struct Reader<'a> {
    pub(crate) text: &'a str,
    pub(crate) lines: &'a Lines,
    /// Names of `from __future__ import`: every function is compiled in another way.
    pub(crate) futures: &'a [String],
    /// What the source was before; with the same `futures`.
    pub(crate) known: Option<Known<'a>>,
}

/// Statements of a block of the previous source.
pub(crate) struct Known<'a> {
    text: &'a str,
    /// Where its first statement begins.
    first: u32,
    by_text: FxHashMap<u64, &'a Statement>,
    classes: FxHashMap<&'a str, &'a ClassDef>,
}

impl<'a> Known<'a> {
    /// `first` is where the first statement of the whole block begins.
    pub(crate) fn new(text: &'a str, statements: &'a [Statement], first: u32) -> Self {
        let classes = statements.iter().filter_map(Statement::class);
        Known {
            text,
            first,
            by_text: statements
                .iter()
                .map(|statement| (statement.text, statement))
                .collect(),
            classes: classes.map(|class| (class.name.as_str(), class)).collect(),
        }
    }

    /// The statement that was the same, text and place in the block alike.
    fn same(&self, reader: &Reader<'_>, stmt: &Stmt, first: bool) -> Option<&'a Statement> {
        let span = Span::from(stmt.range());
        let text = span.of(reader.text);
        let old = self.by_text.get(&hash_of(&text))?;
        // A comment behind it may speak of the last statement inside it.
        let same = old.span.of(self.text) == text
            && rest_of_line(self.text, old.span.end) == rest_of_line(reader.text, span.end)
            && old.column == reader.lines.column(span.start)
            && first == (old.span.start == self.first);
        same.then_some(old)
    }
}

fn rest_of_line(text: &str, from: u32) -> &str {
    let rest = text.get(from as usize..).unwrap_or_default();
    rest.lines().next().unwrap_or_default()
}

impl Reader<'_> {
    /// The statements of a module.
    pub(crate) fn module(&self, suite: &[Stmt], has_first: bool) -> Vec<Statement> {
        suite
            .iter()
            .enumerate()
            .map(|(index, stmt)| {
                let first = has_first && index == 0;
                self.known_or_read(self.known.as_ref(), stmt, first, true)
            })
            .collect()
    }

    fn members(&self, class: &ast::StmtClassDef) -> Vec<Statement> {
        let before = self.known.as_ref().and_then(|known| {
            let class = known.classes.get(class.name.as_str())?;
            let first = class.body.first().map_or(0, |member| member.span.start);
            Some(Known::new(known.text, &class.body, first))
        });
        class
            .body
            .iter()
            .enumerate()
            .map(|(index, stmt)| self.known_or_read(before.as_ref(), stmt, index == 0, false))
            .collect()
    }

    fn known_or_read(
        &self,
        known: Option<&Known<'_>>,
        stmt: &Stmt,
        first: bool,
        module: bool,
    ) -> Statement {
        match known.and_then(|known| known.same(self, stmt, first)) {
            Some(old) => self.taken_over(old, stmt),
            None => self.statement(stmt, first, module),
        }
    }

    /// A statement of the previous source with the same text, at its new place.
    fn taken_over(&self, old: &Statement, stmt: &Stmt) -> Statement {
        let start = stmt.start().to_u32();
        let mut statement = old.clone();
        let lines = i64::from(self.lines.line(start)) - i64::from(old.first_line);
        statement.shift(i64::from(start) - i64::from(old.span.start), lines);
        let is_definition = stmt.is_function_def_stmt() || stmt.is_class_def_stmt();
        statement.pragma = self.pragma(statement.first_line, statement.last_line, is_definition);
        statement
    }

    pub(crate) fn def_line(&self, stmt: &Stmt) -> u32 {
        self.lines.line(self.def_start(stmt))
    }

    /// The parser's range of a definition starts at its first decorator.
    fn def_start(&self, stmt: &Stmt) -> u32 {
        let Stmt::FunctionDef(function) = stmt else {
            return stmt.start().to_u32();
        };
        let after = function
            .decorator_list
            .last()
            .map_or(stmt.start(), Ranged::end);
        let between = &self.text[after.to_usize()..function.name.start().to_usize()];
        let keyword = match (function.is_async, between.rfind("async")) {
            (true, Some(at)) => at,
            _ => between.rfind("def").unwrap_or(0),
        };
        after.to_u32() + keyword as u32
    }

    fn statement(&self, stmt: &Stmt, first: bool, module: bool) -> Statement {
        let span = Span::from(stmt.range());
        let fingerprint = hash_of(&ComparableStmt::from(stmt));
        let mut sites = Sites {
            reader: self,
            scope: Vec::new(),
            found: Vec::new(),
            deferred: false,
        };
        sites.visit_stmt(stmt);
        let codes = sites.found;
        let shape = if codes.is_empty() {
            fingerprint
        } else {
            let mut masked = stmt.clone();
            Masker.visit_stmt(&mut masked);
            hash_of(&ComparableStmt::from(&masked))
        };
        let mut binds = Binds::default();
        binds.visit_stmt(stmt);
        let mut globals = GlobalNames(Vec::new());
        globals.visit_stmt(stmt);
        let first_line = self.lines.line(span.start);
        let last_line = self.lines.line(span.end.max(span.start + 1) - 1);
        let kind = self.kind(stmt, first, module, &binds);
        if kind == Kind::Docstring {
            binds.bind("__doc__");
        }
        Statement {
            span,
            first_line,
            last_line,
            column: self.lines.column(span.start),
            fingerprint,
            shape,
            text: hash_of(&span.of(self.text)),
            facts: Arc::new(Facts::of_statements(
                std::slice::from_ref(stmt),
                has_text_annotations(self.futures),
            )),
            binds: binds.names,
            deletes: binds.deletes,
            deletes_of: binds.deletes_of,
            annotates: binds.annotates,
            pragma: self.pragma(
                first_line,
                last_line,
                stmt.is_function_def_stmt() || stmt.is_class_def_stmt(),
            ),
            codes: Arc::new(codes),
            globals: globals.0,
            imported: match kind {
                Kind::Compound(_) | Kind::MainGuard => binds.imported,
                _ => Vec::new(),
            },
            kind,
        }
    }

    /// `# hotswap: …` on the first or last line, or on a line of its own above.
    pub(crate) fn pragma(
        &self,
        first_line: u32,
        last_line: u32,
        is_definition: bool,
    ) -> Option<Pragma> {
        let last = if is_definition { first_line } else { last_line };
        let above = first_line.checked_sub(1).filter(|line| *line > 0);
        for (line, alone) in [
            (Some(first_line), false),
            (Some(last), false),
            (above, true),
        ] {
            let Some(line) = line else { continue };
            let start = self.lines.starts[line as usize - 1] as usize;
            let text = self.text[start..].lines().next().unwrap_or_default();
            if alone && !text.trim_start().starts_with('#') {
                continue;
            }
            if let Some(at) = text.rfind("# hotswap:") {
                match text[at + "# hotswap:".len()..].trim() {
                    "keep" => return Some(Pragma::Keep),
                    "rerun" => return Some(Pragma::Rerun),
                    _ => {}
                }
            }
        }
        None
    }

    fn expression(&self, expr: &Expr) -> Expression {
        self.expression_at(expr, 0)
    }

    /// An expression inside so many displays.
    fn expression_at(&self, expr: &Expr, depth: usize) -> Expression {
        let display = match expr {
            Expr::Dict(dict) if dict.items.iter().all(|item| item.key.is_some()) => Some("dict"),
            Expr::List(list) if !list.elts.iter().any(Expr::is_starred_expr) => Some("list"),
            Expr::Set(set) if !set.elts.iter().any(Expr::is_starred_expr) => Some("set"),
            _ => None,
        };
        let head = match expr {
            Expr::Call(call) => dotted(&call.func),
            other => dotted(other),
        };
        Expression {
            span: expr.range().into(),
            fingerprint: hash_of(&ComparableExpr::from(expr)),
            facts: Facts::of_expr(expr),
            display,
            items: if depth < DEEP {
                self.items(expr, depth + 1)
            } else {
                Vec::new()
            },
            head: head.unwrap_or_default(),
        }
    }

    /// The elements of a display or a tuple.
    fn items(&self, expr: &Expr, depth: usize) -> Vec<Item> {
        let element = |value: &Expr| Item {
            key: None,
            value: self.expression_at(value, depth),
        };
        match expr {
            Expr::Dict(dict) if dict.items.len() <= MANY_ITEMS => dict
                .items
                .iter()
                .map(|item| {
                    item.key.as_ref().map(|key| Item {
                        key: Some(self.expression_at(key, depth)),
                        value: self.expression_at(&item.value, depth),
                    })
                })
                .collect::<Option<Vec<Item>>>()
                .unwrap_or_default(),
            Expr::List(ast::ExprList { elts, .. })
            | Expr::Set(ast::ExprSet { elts, .. })
            | Expr::Tuple(ast::ExprTuple { elts, .. })
                if elts.len() <= MANY_ITEMS && !elts.iter().any(Expr::is_starred_expr) =>
            {
                elts.iter().map(element).collect()
            }
            _ => Vec::new(),
        }
    }

    fn kind(&self, stmt: &Stmt, first: bool, module: bool, binds: &Binds) -> Kind {
        match stmt {
            Stmt::FunctionDef(function) => Kind::Function(Arc::new(self.function(function, stmt))),
            Stmt::ClassDef(class) => Kind::Class(Arc::new(self.class(class))),
            Stmt::Assign(assign) => Kind::Assign {
                targets: assign
                    .targets
                    .iter()
                    .map(|target| self.compact(target))
                    .collect(),
                value: Some(self.expression(&assign.value)),
                annotation: None,
            },
            Stmt::AnnAssign(assign) => Kind::Assign {
                targets: vec![self.compact(&assign.target)],
                value: assign.value.as_ref().map(|value| self.expression(value)),
                annotation: Some(Box::new(self.annotation(assign))),
            },
            Stmt::AugAssign(assign) => Kind::AugAssign {
                target: self.compact(&assign.target),
            },
            Stmt::TypeAlias(alias) => Kind::Assign {
                targets: vec![self.compact(&alias.name)],
                value: None,
                annotation: None,
            },
            Stmt::ImportFrom(import)
                if import.level == 0
                    && import
                        .module
                        .as_ref()
                        .is_some_and(|name| name.as_str() == "__future__") =>
            {
                Kind::Future
            }
            Stmt::Import(_) | Stmt::ImportFrom(_) => Kind::Import(binds.imports.clone()),
            Stmt::Expr(expr) if first && expr.value.is_string_literal_expr() => Kind::Docstring,
            Stmt::If(if_stmt) if module && is_main_guard(&if_stmt.test) => Kind::MainGuard,
            Stmt::If(_)
            | Stmt::For(_)
            | Stmt::While(_)
            | Stmt::With(_)
            | Stmt::Try(_)
            | Stmt::Match(_) => Kind::Compound(Compound {
                keyword: match stmt {
                    Stmt::If(_) => "if",
                    Stmt::For(_) => "for",
                    Stmt::While(_) => "while",
                    Stmt::With(_) => "with",
                    Stmt::Try(_) => "try",
                    _ => "match",
                },
                imports: binds.imports.clone(),
                branches: self.branches(stmt),
                heads: heads(stmt),
            }),
            Stmt::Expr(_) => Kind::Expression,
            _ => Kind::Other,
        }
    }

    /// The annotation of an assignment; its span takes in parentheses around it.
    fn annotation(&self, assign: &ast::StmtAnnAssign) -> Expression {
        let mut annotation = self.expression(&assign.annotation);
        annotation.span.end = match &assign.value {
            None => assign.range.end().to_u32(),
            Some(value) => {
                let between = annotation.span.end as usize..value.start().to_usize();
                let mut comment = false;
                let sign = self.text[between].bytes().position(|byte| {
                    comment = byte == b'#' || comment && byte != b'\n';
                    byte == b'=' && !comment
                });
                annotation.span.end + sign.unwrap_or(0) as u32
            }
        };
        annotation
    }

    /// The blocks of an `if` or `try`.
    fn branches(&self, stmt: &Stmt) -> Vec<Branch> {
        let branch = |role, test: Option<&Expr>, start: u32, body: &[Stmt]| {
            let first = body.first().map_or(start, |first| first.start().to_u32());
            Branch {
                role,
                test: test.map(|test| self.expression(test)),
                head: Span { start, end: first },
                body: body
                    .iter()
                    .map(|inner| self.statement(inner, false, false))
                    .collect(),
            }
        };
        let mut branches = Vec::new();
        match stmt {
            Stmt::If(inner) => {
                let start = stmt.start().to_u32();
                branches.push(branch("if", Some(&inner.test), start, &inner.body));
                for clause in &inner.elif_else_clauses {
                    let role = if clause.test.is_some() {
                        "elif"
                    } else {
                        "else"
                    };
                    let start = clause.start().to_u32();
                    branches.push(branch(role, clause.test.as_ref(), start, &clause.body));
                }
            }
            Stmt::Try(inner) if !inner.is_star => {
                let start = stmt.start().to_u32();
                branches.push(branch("try", None, start, &inner.body));
                let mut end = inner.body.last().map_or(start, |last| last.end().to_u32());
                for handler in &inner.handlers {
                    let ast::ExceptHandler::ExceptHandler(handler) = handler;
                    let start = handler.start().to_u32();
                    let test = handler.type_.as_deref();
                    branches.push(branch("except", test, start, &handler.body));
                    end = handler.end().to_u32();
                }
                for (role, body) in [("else", &inner.orelse), ("finally", &inner.finalbody)] {
                    let (Some(first), Some(last)) = (body.first(), body.last()) else {
                        continue;
                    };
                    let between = &self.text[end as usize..first.start().to_usize()];
                    let keyword = between.rfind(role).unwrap_or(0) as u32;
                    branches.push(branch(role, None, end + keyword, body));
                    end = last.end().to_u32();
                }
            }
            _ => {}
        }
        branches
    }

    /// What code of this syntax is known by: the compiler makes it in the way that the
    /// `from __future__` imports ask for.
    pub(crate) fn code_fingerprint(&self, tree: &impl Hash) -> u64 {
        hash_of(&(self.futures, tree))
    }

    fn compact(&self, expr: &Expr) -> String {
        Span::from(expr.range())
            .of(self.text)
            .split_whitespace()
            .collect()
    }

    pub(crate) fn function(&self, function: &ast::StmtFunctionDef, stmt: &Stmt) -> FunctionDef {
        let parameters: Vec<Parameter> = function
            .parameters
            .iter()
            .map(|parameter| Parameter {
                name: parameter.name().to_string(),
                keyword_only: function
                    .parameters
                    .kwonlyargs
                    .iter()
                    .any(|other| other.parameter.name.range == parameter.name().range),
                default: parameter.default().map(|expr| self.expression(expr)),
                annotation: parameter.annotation().map(|expr| self.expression(expr)),
            })
            .collect();
        let names = |list: &[ast::ParameterWithDefault]| -> Vec<String> {
            list.iter()
                .map(|parameter| parameter.parameter.name.to_string())
                .collect()
        };
        let signature = hash_of(&(
            names(&function.parameters.posonlyargs),
            names(&function.parameters.args),
            function
                .parameters
                .vararg
                .as_ref()
                .map(|parameter| parameter.name.to_string()),
            names(&function.parameters.kwonlyargs),
            function
                .parameters
                .kwarg
                .as_ref()
                .map(|parameter| parameter.name.to_string()),
            function.is_async,
        ));
        let body: Vec<_> = function.body.iter().map(ComparableStmt::from).collect();
        let mut masked = function.body.clone();
        for inner in &mut masked {
            Masker.visit_stmt(inner);
        }
        let own: Vec<_> = masked.iter().map(ComparableStmt::from).collect();
        let first_parameter = parameters.first().map(|parameter| parameter.name.clone());
        let (assignments, unsure) =
            crate::assignments::of_body(&function.body, first_parameter.as_deref(), |value| {
                self.expression(value)
            });
        FunctionDef {
            name: function.name.to_string(),
            decorators: function
                .decorator_list
                .iter()
                .map(|item| self.expression(&item.expression))
                .collect(),
            signature,
            returns: function.returns.as_ref().map(|expr| self.expression(expr)),
            type_params: type_params_hash(function.type_params.as_deref(), self.text),
            docstring: docstring(&function.body),
            body: hash_of(&body),
            own_body: hash_of(&own),
            decides: [decides(function, false), decides(function, true)],
            facts: Facts::of_function(Some(&function.parameters), &function.body),
            layers: Facts::layers(function),
            def_start: self.def_start(stmt),
            assignments,
            unsure,
            first_parameter,
            parameters,
        }
    }

    fn class(&self, class: &ast::StmtClassDef) -> ClassDef {
        let mut arguments = Vec::new();
        let mut header = Vec::new();
        if let Some(list) = &class.arguments {
            for arg in &list.args {
                arguments.push(self.expression(arg));
                header.push((String::new(), hash_of(&ComparableExpr::from(arg))));
            }
            for keyword in &list.keywords {
                arguments.push(self.expression(&keyword.value));
                let name = keyword
                    .arg
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                header.push((
                    format!("={name}"),
                    hash_of(&ComparableExpr::from(&keyword.value)),
                ));
            }
        }
        let body_start = class.body.first().map_or(class.end(), Ranged::start);
        ClassDef {
            name: class.name.to_string(),
            decorators: class
                .decorator_list
                .iter()
                .map(|item| self.expression(&item.expression))
                .collect(),
            arguments,
            header: hash_of(&(
                header,
                type_params_hash(class.type_params.as_deref(), self.text),
            )),
            body: self.members(class),
            head: Span {
                start: class.start().to_u32(),
                end: body_start.to_u32(),
            },
            has_type_params: class.type_params.is_some(),
            of_object: is_of_object(class),
        }
    }
}

/// Whether `from __future__ import annotations` is among the names.
fn has_text_annotations(futures: &[String]) -> bool {
    futures.iter().any(|name| name == "annotations")
}

/// Hash of the docstring that a body begins with.
fn docstring(body: &[Stmt]) -> Option<u64> {
    match body.first()? {
        Stmt::Expr(first) if first.value.is_string_literal_expr() => {
            Some(hash_of(&ComparableExpr::from(&first.value)))
        }
        _ => None,
    }
}

fn is_of_object(class: &ast::StmtClassDef) -> bool {
    let Some(list) = &class.arguments else {
        return class.type_params.is_none();
    };
    let plain = |arg: &ast::Expr| matches!(arg, ast::Expr::Name(name) if name.id == "object");
    class.type_params.is_none()
        && list.keywords.is_empty()
        && list.args.len() <= 1
        && list.args.iter().all(plain)
}

fn type_params_hash(params: Option<&ast::TypeParams>, text: &str) -> u64 {
    params.map_or(0, |params| {
        hash_of(
            &Span::from(params.range)
                .of(text)
                .split_whitespace()
                .collect::<Vec<_>>(),
        )
    })
}

/// Hash of the conditions, subjects, context managers and loop heads of a statement.
fn heads(stmt: &Stmt) -> u64 {
    let test = |expr: Option<&Expr>| expr.map(|expr| hash_of(&ComparableExpr::from(expr)));
    let heads: Vec<Option<u64>> = match stmt {
        Stmt::If(inner) => std::iter::once(Some(&*inner.test))
            .chain(inner.elif_else_clauses.iter().map(|it| it.test.as_ref()))
            .map(test)
            .collect(),
        Stmt::For(inner) => vec![test(Some(&inner.target)), test(Some(&inner.iter))],
        Stmt::While(inner) => vec![test(Some(&inner.test))],
        Stmt::With(inner) => inner
            .items
            .iter()
            .flat_map(|item| {
                [
                    test(Some(&item.context_expr)),
                    test(item.optional_vars.as_deref()),
                ]
            })
            .collect(),
        Stmt::Try(inner) => inner
            .handlers
            .iter()
            .map(|ast::ExceptHandler::ExceptHandler(handler)| test(handler.type_.as_deref()))
            .collect(),
        Stmt::Match(inner) => vec![test(Some(&inner.subject))],
        _ => Vec::new(),
    };
    hash_of(&heads)
}

fn is_main_guard(test: &Expr) -> bool {
    let Expr::Compare(compare) = test else {
        return false;
    };
    let (Some(right), 1) = (compare.comparators.first(), compare.comparators.len()) else {
        return false;
    };
    let is_name = |expr: &Expr| matches!(expr, Expr::Name(name) if name.id.as_str() == "__name__");
    let is_main = |expr: &Expr| matches!(expr, Expr::StringLiteral(string) if string.value.to_str() == "__main__");
    matches!(compare.ops[..], [ast::CmpOp::Eq])
        && ((is_name(&compare.left) && is_main(right))
            || (is_main(&compare.left) && is_name(right)))
}

/// A hash of the statements that run when a function is called, without the docstring;
/// with `called`, also of those that run when what it returned is called.
fn decides(function: &ast::StmtFunctionDef, called: bool) -> u64 {
    let mut body: Vec<Stmt> = function
        .body
        .iter()
        .enumerate()
        .filter(|(at, stmt)| {
            *at > 0
                || !matches!(stmt, Stmt::Expr(expression)
                    if expression.value.is_string_literal_expr())
        })
        .map(|(_, stmt)| stmt.clone())
        .collect();
    for stmt in &mut body {
        match called {
            true => OneLevel.visit_stmt(stmt),
            false => Masker.visit_stmt(stmt),
        }
    }
    hash_of(&body.iter().map(ComparableStmt::from).collect::<Vec<_>>())
}
