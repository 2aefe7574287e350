//! What a source defines, statement by statement.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use ruff_python_ast::comparable::{ComparableExpr, ComparableStmt};
use ruff_python_ast::visitor::transformer::{self, Transformer};
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashMap;

use crate::facts::{Facts, collect_names, dotted};

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
    /// What running it reads, calls and writes.
    pub facts: Facts,
    /// `# hotswap: …` on one of its lines.
    pub pragma: Option<Pragma>,
    /// Functions and lambdas inside, in source order, however deep (not those in functions).
    pub codes: Vec<CodeSite>,
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
    /// Hash of the syntax tree of the whole function.
    pub fingerprint: u64,
    /// Hash of its text.
    pub text: u64,
}

/// Kinds of statements, as far as an update treats them differently.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `def` and `async def`.
    Function(Box<FunctionDef>),
    /// `class`.
    Class(Box<ClassDef>),
    /// Assignment; `targets` is the text of the targets.
    Assign {
        /// Targets as written, one string for each.
        targets: Vec<String>,
        /// The value, if the statement has one.
        value: Option<Expression>,
        /// It is `x: int` or `x: int = 1`.
        annotated: bool,
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
    /// The called name of `a.b(...)`, or the name itself.
    pub head: Vec<String>,
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
    /// Hash of the body.
    pub body: u64,
    /// Hash of the body, nested functions' and lambdas' bodies left out.
    pub own_body: u64,
    /// What calling it does.
    pub facts: Facts,
    /// Offset of `def` or `async`; the decorators lie before it.
    pub def_start: u32,
    /// New attributes set on `self` at the top level of the body: name and value.
    pub self_attributes: Vec<(String, Expression)>,
    /// Name of the first parameter.
    pub first_parameter: Option<String>,
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
    /// Attribute names stored through `self` in methods (`__static_attributes__`).
    pub has_type_params: bool,
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
        let lines = Lines::new(text);
        let parsed = ruff_python_parser::parse_module(text).map_err(|error| SyntaxProblem {
            message: error.error.to_string(),
            line: lines.line(error.location.start().to_u32()),
        })?;
        let suite = &parsed.syntax().body;
        let mut futures = Vec::new();
        for stmt in suite {
            if let Stmt::ImportFrom(import) = stmt
                && import
                    .module
                    .as_ref()
                    .is_some_and(|name| name.as_str() == "__future__")
            {
                futures.extend(import.names.iter().map(|alias| alias.name.to_string()));
            }
        }
        futures.sort();
        let mut globals = GlobalNames(Vec::new());
        for stmt in suite {
            globals.visit_stmt(stmt);
        }
        let reader = Reader {
            text,
            lines: &lines,
            lazy_annotations: futures.iter().any(|name| name == "annotations"),
        };
        let known = previous.filter(|(_, outline)| outline.futures == futures);
        let mut by_text: FxHashMap<u64, &Statement> = FxHashMap::default();
        if let Some((_, outline)) = known {
            by_text.extend(
                outline
                    .statements
                    .iter()
                    .map(|statement| (statement.text, statement)),
            );
        }
        let statements = suite
            .iter()
            .enumerate()
            .map(|(index, stmt)| {
                let span = Span::from(stmt.range());
                let same = by_text.get(&hash_of(&span.of(text))).filter(|old| {
                    known.is_some_and(|(before, _)| old.span.of(before) == span.of(text))
                        && old.column == lines.column(span.start)
                        && (index == 0)
                            == (old.span.start
                                == known.map_or(0, |(_, outline)| outline.statements[0].span.start))
                });
                match same {
                    Some(old) => reader.taken_over(old, stmt),
                    None => reader.statement(stmt, index == 0, true),
                }
            })
            .collect();
        Ok(Outline {
            statements,
            futures,
            globals_declared: globals.0,
            lines: lines.starts.len() as u32,
        })
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

    /// Index of the last statement that binds `name`.
    #[must_use]
    pub fn last_binder(&self, name: &str) -> Option<usize> {
        self.statements
            .iter()
            .rposition(|statement| statement.binds.iter().any(|bound| bound == name))
    }
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

/// Adds a difference to a position.
fn moved(position: &mut u32, by: i64) {
    *position = u32::try_from(i64::from(*position) + by).unwrap_or(0);
}

impl Span {
    fn shift(&mut self, bytes: i64) {
        moved(&mut self.start, bytes);
        moved(&mut self.end, bytes);
    }
}

impl Expression {
    fn shift(&mut self, bytes: i64) {
        self.span.shift(bytes);
    }
}

impl Statement {
    /// Moves every position in it.
    fn shift(&mut self, bytes: i64, lines: i64) {
        self.span.shift(bytes);
        moved(&mut self.first_line, lines);
        moved(&mut self.last_line, lines);
        for site in &mut self.codes {
            moved(&mut site.line, lines);
            moved(&mut site.last_line, lines);
        }
        match &mut self.kind {
            Kind::Function(function) => {
                moved(&mut function.def_start, bytes);
                let parameters = function.parameters.iter_mut();
                let expressions = parameters.flat_map(|parameter| {
                    parameter
                        .default
                        .iter_mut()
                        .chain(&mut parameter.annotation)
                });
                expressions
                    .chain(&mut function.decorators)
                    .chain(&mut function.returns)
                    .chain(function.self_attributes.iter_mut().map(|(_, value)| value))
                    .for_each(|expression| expression.shift(bytes));
            }
            Kind::Class(class) => {
                class.head.shift(bytes);
                class
                    .decorators
                    .iter_mut()
                    .chain(&mut class.arguments)
                    .for_each(|expression| expression.shift(bytes));
                class
                    .body
                    .iter_mut()
                    .for_each(|member| member.shift(bytes, lines));
            }
            Kind::Assign {
                value: Some(value), ..
            } => value.shift(bytes),
            _ => {}
        }
    }
}

/// Start offsets of lines.
struct Lines {
    starts: Vec<u32>,
}

impl Lines {
    fn new(text: &str) -> Lines {
        let mut starts = vec![0];
        starts.extend(
            text.bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n')
                .map(|(at, _)| at as u32 + 1),
        );
        Lines { starts }
    }

    fn line(&self, offset: u32) -> u32 {
        self.starts.partition_point(|start| *start <= offset) as u32
    }

    fn column(&self, offset: u32) -> u32 {
        offset - self.starts[self.line(offset) as usize - 1]
    }
}

/// Leaves out the bodies of functions and lambdas.
struct Masker;

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

struct GlobalNames(Vec<String>);

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
struct Sites<'r> {
    reader: &'r Reader<'r>,
    scope: Vec<String>,
    found: Vec<CodeSite>,
    deferred: bool,
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
                    fingerprint: hash_of(&ComparableStmt::from(stmt)),
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
                    fingerprint: hash_of(&ComparableExpr::from(expr)),
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
struct Binds {
    names: Vec<String>,
    deletes: Vec<String>,
    imports: Vec<Import>,
}

impl Binds {
    fn bind(&mut self, name: impl Into<String>) {
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
                    self.bind(bound.clone());
                    self.imports.push(Import {
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
                    self.bind(bound.clone());
                    self.imports.push(Import {
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

struct Reader<'a> {
    text: &'a str,
    lines: &'a Lines,
    lazy_annotations: bool,
}

impl Reader<'_> {
    fn members(&self, body: &[Stmt]) -> Vec<Statement> {
        body.iter()
            .enumerate()
            .map(|(index, stmt)| self.statement(stmt, index == 0, false))
            .collect()
    }

    /// A statement of the previous source with the same text, at its new place.
    fn taken_over(&self, old: &Statement, stmt: &Stmt) -> Statement {
        let start = stmt.start().to_u32();
        let mut statement = old.clone();
        let lines = i64::from(self.lines.line(start)) - i64::from(old.first_line);
        statement.shift(i64::from(start) - i64::from(old.span.start), lines);
        statement.pragma = self.pragma(statement.first_line, statement.last_line, stmt);
        statement
    }

    fn def_line(&self, stmt: &Stmt) -> u32 {
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
        let first_line = self.lines.line(span.start);
        let last_line = self.lines.line(span.end.max(span.start + 1) - 1);
        let kind = self.kind(stmt, first, module, &binds.imports);
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
            facts: Facts::of_statements(std::slice::from_ref(stmt), self.lazy_annotations),
            binds: binds.names,
            deletes: binds.deletes,
            pragma: self.pragma(first_line, last_line, stmt),
            codes,
            kind,
        }
    }

    /// `# hotswap: …` on the first or last line, or on a line of its own above.
    fn pragma(&self, first_line: u32, last_line: u32, stmt: &Stmt) -> Option<Pragma> {
        let last = if stmt.is_function_def_stmt() || stmt.is_class_def_stmt() {
            first_line
        } else {
            last_line
        };
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
            head: head.unwrap_or_default(),
        }
    }

    fn kind(&self, stmt: &Stmt, first: bool, module: bool, imports: &[Import]) -> Kind {
        match stmt {
            Stmt::FunctionDef(function) => Kind::Function(Box::new(self.function(function, stmt))),
            Stmt::ClassDef(class) => Kind::Class(Box::new(self.class(class))),
            Stmt::Assign(assign) => Kind::Assign {
                targets: assign
                    .targets
                    .iter()
                    .map(|target| self.compact(target))
                    .collect(),
                value: Some(self.expression(&assign.value)),
                annotated: false,
            },
            Stmt::AnnAssign(assign) => Kind::Assign {
                targets: vec![self.compact(&assign.target)],
                value: assign.value.as_ref().map(|value| self.expression(value)),
                annotated: true,
            },
            Stmt::AugAssign(assign) => Kind::AugAssign {
                target: self.compact(&assign.target),
            },
            Stmt::TypeAlias(alias) => Kind::Assign {
                targets: vec![self.compact(&alias.name)],
                value: None,
                annotated: false,
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
            Stmt::Import(_) | Stmt::ImportFrom(_) => Kind::Import(imports.to_vec()),
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
                imports: imports.to_vec(),
            }),
            Stmt::Expr(_) => Kind::Expression,
            _ => Kind::Other,
        }
    }

    fn compact(&self, expr: &Expr) -> String {
        Span::from(expr.range())
            .of(self.text)
            .split_whitespace()
            .collect()
    }

    fn function(&self, function: &ast::StmtFunctionDef, stmt: &Stmt) -> FunctionDef {
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
        let mut self_attributes = Vec::new();
        if let Some(receiver) = &first_parameter {
            for inner in &function.body {
                let (target, value) = match inner {
                    Stmt::Assign(assign) if assign.targets.len() == 1 => {
                        (&assign.targets[0], &assign.value)
                    }
                    Stmt::AnnAssign(assign) => match &assign.value {
                        Some(value) => (assign.target.as_ref(), value),
                        None => continue,
                    },
                    _ => continue,
                };
                if let Expr::Attribute(attribute) = target
                    && let Expr::Name(name) = attribute.value.as_ref()
                    && name.id.as_str() == receiver
                {
                    self_attributes.push((attribute.attr.to_string(), self.expression(value)));
                }
            }
        }
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
            body: hash_of(&body),
            own_body: hash_of(&own),
            facts: Facts::of_function(Some(&function.parameters), &function.body),
            def_start: self.def_start(stmt),
            self_attributes,
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
            body: self.members(&class.body),
            head: Span {
                start: class.start().to_u32(),
                end: body_start.to_u32(),
            },
            has_type_params: class.type_params.is_some(),
        }
    }
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
