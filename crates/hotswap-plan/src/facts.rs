//! What a piece of code reads, calls and writes when it runs.

use ruff_python_ast::visitor::transformer::{self, Transformer};
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

/// What an expression, a statement or a function body does when it runs.
///
/// Bodies of functions defined inside are not part of the facts of a module
/// level statement (they run later), but of a function body they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Names loaded from outside, with the attributes taken from them: `["os", "path"]`.
    pub reads: Vec<Vec<String>>,
    /// Everything that is called.
    pub calls: Vec<Call>,
    /// Why this cannot be known to be harmless, in words; empty if it can.
    pub effects: Vec<&'static str>,
    /// Names from outside whose items or attributes it stores, or on which it calls a
    /// method that changes a container in place.
    pub stores: Vec<String>,
    /// It stores attributes or items on something that was passed in.
    pub writes_to_arguments: bool,
    /// The parameters whose attributes or items it stores.
    pub written: Vec<String>,
}

/// One call site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `a.b.c(...)` where `a` comes from outside.
    Path(Vec<String>),
    /// A method of something else.
    Method {
        /// On what.
        on: Receiver,
        /// The method's name.
        name: String,
    },
    /// A call of something that is computed.
    Computed,
    /// A call of a parameter or another local.
    Local(String),
}

/// What a method is called on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// A literal, a display, a comprehension or an f-string.
    Literal,
    /// A local that only ever holds fresh displays or literals.
    Fresh,
    /// `super()`: the part of `self` that the classes above give.
    Super,
    /// Something else.
    Unknown,
}

impl Facts {
    /// The facts of an expression evaluated where it stands.
    pub(crate) fn of_expr(expr: &Expr) -> Facts {
        let mut collector = Collector::default();
        collector.visit_expr(expr);
        collector.facts
    }

    /// The facts of statements at module or class level.
    pub(crate) fn of_statements(body: &[Stmt], lazy_annotations: bool) -> Facts {
        let mut collector = Collector {
            lazy_annotations,
            ..Collector::default()
        };
        for stmt in body {
            collector.visit_stmt(stmt);
        }
        collector.facts
    }

    /// The facts of a function's own statements, then those of the functions inside it
    /// at the next two levels, each without what is deeper.
    pub(crate) fn layers(function: &ast::StmtFunctionDef) -> Vec<Facts> {
        let mut directly = Inner(Vec::new());
        for stmt in &function.body {
            directly.visit_stmt(stmt);
        }
        if directly.0.is_empty() {
            return vec![Facts::of_function(
                Some(&function.parameters),
                &function.body,
            )];
        }
        let mut layers = Vec::new();
        let mut level = vec![function.clone()];
        for _ in 0..2 {
            let mut facts = Facts::default();
            let mut inner = Inner(Vec::new());
            for function in &mut level {
                for stmt in &function.body {
                    inner.visit_stmt(stmt);
                }
                let mut shallow = function.body.clone();
                for stmt in &mut shallow {
                    Hollow.visit_stmt(stmt);
                }
                let own = Facts::of_function(Some(&function.parameters), &shallow);
                facts.reads.extend(own.reads);
                facts.calls.extend(own.calls);
                facts.effects.extend(own.effects);
                facts.stores.extend(own.stores);
                facts.writes_to_arguments |= own.writes_to_arguments;
            }
            layers.push(facts);
            level = inner.0;
        }
        layers
    }

    /// The facts of a function body, nested functions included.
    pub(crate) fn of_function(parameters: Option<&ast::Parameters>, body: &[Stmt]) -> Facts {
        let (mut collector, locals) = Collector::for_function(parameters, body);
        if !locals.declared_global.is_empty() {
            collector.facts.effects.push(ASSIGNS_GLOBAL);
        }
        if !locals.declared_nonlocal.is_empty() {
            collector.facts.effects.push(ASSIGNS_NONLOCAL);
        }
        for stmt in body {
            collector.visit_stmt(stmt);
        }
        collector.facts
    }
}

/// The effect of a function that assigns a name of its module.
pub const ASSIGNS_GLOBAL: &str = "assigns a global name";
const ASSIGNS_NONLOCAL: &str = "assigns a nonlocal name";

fn is_wraps(func: &Expr) -> bool {
    dotted(func).is_some_and(|path| path.last().is_some_and(|name| name == "wraps"))
}

/// The functions directly inside others.
struct Inner(Vec<ast::StmtFunctionDef>);

impl<'a> Visitor<'a> for Inner {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => self.0.push(function.clone()),
            Stmt::ClassDef(_) => {}
            _ => visitor::walk_stmt(self, stmt),
        }
    }
}

/// Leaves out the bodies of inner functions and lambdas.
struct Hollow;

impl Transformer for Hollow {
    fn visit_stmt(&self, stmt: &mut Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => function.body.clear(),
            _ => transformer::walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&self, expr: &mut Expr) {
        if let Expr::Lambda(lambda) = expr {
            *lambda.body = Expr::EllipsisLiteral(ast::ExprEllipsisLiteral {
                node_index: ast::AtomicNodeIndex::default(),
                range: ruff_text_size::TextRange::default(),
            });
        }
        transformer::walk_expr(self, expr);
    }
}

/// `a.b.c` as `["a", "b", "c"]`, if it is nothing but a name and attributes.
pub(crate) fn dotted(expr: &Expr) -> Option<Vec<String>> {
    match expr {
        Expr::Name(name) => Some(vec![name.id.to_string()]),
        Expr::Attribute(attribute) => {
            let mut path = dotted(&attribute.value)?;
            path.push(attribute.attr.to_string());
            Some(path)
        }
        _ => None,
    }
}

/// Whether a method of this name changes a list, dict or set.
#[must_use]
pub fn changes_in_place(method: &str) -> bool {
    matches!(
        method,
        "append"
            | "extend"
            | "insert"
            | "update"
            | "add"
            | "setdefault"
            | "remove"
            | "discard"
            | "pop"
            | "clear"
            | "sort"
            | "reverse"
            | "popitem"
    )
}

/// `super()` without arguments.
fn is_super(expr: &Expr) -> bool {
    matches!(expr, Expr::Call(call) if call.arguments.is_empty()
        && matches!(call.func.as_ref(), Expr::Name(name) if name.id == "super"))
}

fn is_literal(expr: &Expr) -> bool {
    expr.is_string_literal_expr()
        || expr.is_bytes_literal_expr()
        || expr.is_number_literal_expr()
        || expr.is_f_string_expr()
        || expr.is_dict_expr()
        || expr.is_list_expr()
        || expr.is_set_expr()
        || expr.is_tuple_expr()
        || expr.is_list_comp_expr()
        || expr.is_dict_comp_expr()
        || expr.is_set_comp_expr()
}

/// Whether an expression makes a new container that nobody else holds.
fn is_fresh(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => match call.func.as_ref() {
            Expr::Name(name) => matches!(
                name.id.as_str(),
                "list" | "dict" | "set" | "bytearray" | "sorted"
            ),
            Expr::Attribute(attribute) => {
                attribute.attr.as_str() == "copy" && call.arguments.is_empty()
            }
            _ => false,
        },
        Expr::If(choice) => is_fresh(&choice.body) && is_fresh(&choice.orelse),
        _ => is_literal(expr),
    }
}

/// The attribute of an expression such as `self.items`, if it is one of this name.
fn attribute_of<'a>(expr: &'a Expr, owner: &str) -> Option<&'a str> {
    match expr {
        Expr::Attribute(attribute) => match attribute.value.as_ref() {
            Expr::Name(name) if name.id.as_str() == owner => Some(attribute.attr.as_str()),
            _ => None,
        },
        _ => None,
    }
}

/// What a function assigns to the attributes of its first parameter.
struct OwnAttributes<'n> {
    owner: &'n str,
    fresh: FxHashSet<String>,
    others: FxHashSet<String>,
}

impl OwnAttributes<'_> {
    fn assigned(&mut self, target: &Expr, value: Option<&Expr>) {
        match (target, value) {
            (
                Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }),
                _,
            ) => {
                elts.iter().for_each(|item| self.assigned(item, None));
            }
            _ => {
                if let Some(name) = attribute_of(target, self.owner) {
                    let names = match value.is_some_and(is_fresh) {
                        true => &mut self.fresh,
                        false => &mut self.others,
                    };
                    names.insert(name.to_string());
                }
            }
        }
    }
}

impl<'a> Visitor<'a> for OwnAttributes<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Assign(assign) => {
                let value = assign.value.as_ref();
                // Under two names it is not the attribute's alone.
                let only = (assign.targets.len() == 1).then_some(value);
                assign
                    .targets
                    .iter()
                    .for_each(|target| self.assigned(target, only));
            }
            Stmt::AnnAssign(assign) => self.assigned(&assign.target, assign.value.as_deref()),
            Stmt::For(inner) => self.assigned(&inner.target, None),
            Stmt::With(inner) => {
                for item in &inner.items {
                    if let Some(target) = &item.optional_vars {
                        self.assigned(target, None);
                    }
                }
            }
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }
}

#[derive(Default)]
pub(crate) struct Collector {
    pub(crate) facts: Facts,
    deferred: bool,
    lazy_annotations: bool,
    parameters: FxHashSet<String>,
    locals: FxHashSet<String>,
    fresh: FxHashSet<String>,
    /// The first parameter, and those of its attributes that only ever hold fresh containers.
    owner: Option<String>,
    own_fresh: FxHashSet<String>,
    /// Every call with its place, where somebody asks for them.
    pub(crate) places: Option<Vec<(TextRange, Call)>>,
    /// Functions inside this one: what they do is part of its facts already.
    helpers: FxHashSet<String>,
    bound: Vec<String>,
}

impl Collector {
    /// One for a function's statements, and what the function binds.
    pub(crate) fn for_function(
        parameters: Option<&ast::Parameters>,
        body: &[Stmt],
    ) -> (Collector, Locals) {
        let mut collector = Collector {
            deferred: true,
            ..Collector::default()
        };
        for parameter in parameters.into_iter().flatten() {
            let name = parameter.name().to_string();
            collector.owner.get_or_insert_with(|| name.clone());
            collector.parameters.insert(name);
        }
        if let Some(owner) = &collector.owner {
            let mut attributes = OwnAttributes {
                owner,
                fresh: FxHashSet::default(),
                others: FxHashSet::default(),
            };
            for stmt in body {
                attributes.visit_stmt(stmt);
            }
            let OwnAttributes { fresh, others, .. } = attributes;
            collector.own_fresh = fresh.difference(&others).cloned().collect();
        }
        let mut locals = Locals::default();
        for stmt in body {
            locals.visit_stmt(stmt);
        }
        for name in locals
            .declared_global
            .iter()
            .chain(&locals.declared_nonlocal)
        {
            locals.names.remove(name);
        }
        collector.fresh = locals.fresh();
        collector.helpers = locals.helpers();
        collector.locals.clone_from(&locals.names);
        (collector, locals)
    }

    fn is_local(&self, name: &str) -> bool {
        self.parameters.contains(name)
            || self.locals.contains(name)
            || self.bound.iter().any(|bound| bound == name)
    }

    pub(crate) fn store_target(&mut self, target: &Expr) {
        match target {
            Expr::Name(_) => {}
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|item| self.store_target(item)),
            Expr::List(list) => list.elts.iter().for_each(|item| self.store_target(item)),
            Expr::Starred(starred) => self.store_target(&starred.value),
            Expr::Attribute(ast::ExprAttribute { value, .. })
            | Expr::Subscript(ast::ExprSubscript { value, .. }) => {
                self.visit_expr(value);
                if let Expr::Subscript(subscript) = target {
                    self.visit_expr(&subscript.slice);
                }
                if self.is_own_fresh(value) && matches!(target, Expr::Subscript(_)) {
                    return;
                }
                match value.as_ref() {
                    Expr::Name(name)
                        if self.fresh.contains(name.id.as_str()) || self.is_helper(&name.id) => {}
                    Expr::Name(name) if self.parameters.contains(name.id.as_str()) => {
                        self.facts.writes_to_arguments = true;
                        self.facts.written.push(name.id.to_string());
                    }
                    Expr::Name(name) if !self.is_local(&name.id) => {
                        self.facts.stores.push(name.id.to_string())
                    }
                    _ => self
                        .facts
                        .effects
                        .push("stores into an object that others may hold"),
                }
            }
            _ => self
                .facts
                .effects
                .push("stores into an object that others may hold"),
        }
    }

    fn comprehension(&mut self, generators: &[ast::Comprehension], parts: &[&Expr]) {
        let before = self.bound.len();
        for generator in generators {
            self.visit_expr(&generator.iter);
            collect_names(&generator.target, &mut self.bound);
            for test in &generator.ifs {
                self.visit_expr(test);
            }
            if generator.is_async {
                self.facts.effects.push("awaits");
            }
        }
        for part in parts {
            self.visit_expr(part);
        }
        self.bound.truncate(before);
    }

    fn is_helper(&self, name: &str) -> bool {
        self.helpers.contains(name)
            && !self.parameters.contains(name)
            && !self.bound.iter().any(|bound| bound == name)
    }

    /// `self.items`, where all that is ever assigned to it is a new container.
    fn is_own_fresh(&self, expr: &Expr) -> bool {
        let owner = self.owner.as_deref().unwrap_or_default();
        attribute_of(expr, owner).is_some_and(|name| self.own_fresh.contains(name))
            && !self.bound.iter().any(|bound| bound == owner)
    }

    fn call(&mut self, func: &Expr, place: TextRange) {
        if let Expr::Name(name) = func
            && self.is_helper(&name.id)
        {
            return;
        }
        let call = match func {
            Expr::Name(name) if self.is_local(&name.id) => Call::Local(name.id.to_string()),
            Expr::Name(_) => Call::Path(dotted(func).unwrap_or_default()),
            Expr::Attribute(attribute) => match dotted(func) {
                Some(path) if !self.is_local(&path[0]) => Call::Path(path),
                _ => {
                    let on = match attribute.value.as_ref() {
                        Expr::Name(name) if self.fresh.contains(name.id.as_str()) => {
                            Receiver::Fresh
                        }
                        value if self.is_own_fresh(value) => Receiver::Fresh,
                        value if is_literal(value) => Receiver::Literal,
                        value if is_super(value) => Receiver::Super,
                        _ => Receiver::Unknown,
                    };
                    Call::Method {
                        on,
                        name: attribute.attr.to_string(),
                    }
                }
            },
            _ => Call::Computed,
        };
        if let Call::Path(path) = &call
            && let [name, method] = &path[..]
            && changes_in_place(method)
        {
            self.facts.stores.push(name.clone());
        }
        if let Some(places) = &mut self.places {
            places.push((place, call.clone()));
        }
        self.facts.calls.push(call);
    }
}

pub(crate) fn collect_names(target: &Expr, names: &mut Vec<String>) {
    match target {
        Expr::Name(name) => names.push(name.id.to_string()),
        Expr::Tuple(tuple) => tuple
            .elts
            .iter()
            .for_each(|item| collect_names(item, names)),
        Expr::List(list) => list.elts.iter().for_each(|item| collect_names(item, names)),
        Expr::Starred(starred) => collect_names(&starred.value, names),
        _ => {}
    }
}

impl<'a> Visitor<'a> for Collector {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => {
                for decorator in &function.decorator_list {
                    self.visit_expr(&decorator.expression);
                    let target = match &decorator.expression {
                        // What it returns only copies attributes.
                        Expr::Call(call) if is_wraps(&call.func) => continue,
                        Expr::Call(_) => None,
                        other => Some(other),
                    };
                    match target {
                        Some(target) => self.call(target, function.range),
                        None => self.facts.calls.push(Call::Computed),
                    }
                }
                for parameter in &*function.parameters {
                    if let Some(default) = parameter.default() {
                        self.visit_expr(default);
                    }
                    if let (false, Some(annotation)) =
                        (self.lazy_annotations, parameter.annotation())
                    {
                        self.visit_expr(annotation);
                    }
                }
                if let (false, Some(returns)) = (self.lazy_annotations, &function.returns) {
                    self.visit_expr(returns);
                }
                if self.deferred {
                    let mut inner = Facts::of_function(Some(&function.parameters), &function.body);
                    let mut names = Locals::default();
                    for stmt in &function.body {
                        names.visit_stmt(stmt);
                    }
                    // A name of this very function is nobody else's.
                    if names
                        .declared_nonlocal
                        .iter()
                        .all(|name| self.is_local(name))
                    {
                        let mut own = false;
                        inner.effects.retain(|effect| {
                            let first = *effect == ASSIGNS_NONLOCAL && !own;
                            own |= first;
                            !first
                        });
                    }
                    self.inner(inner);
                }
            }
            Stmt::ClassDef(class) => {
                for decorator in &class.decorator_list {
                    self.visit_expr(&decorator.expression);
                    self.facts.calls.push(Call::Computed);
                }
                if let Some(arguments) = &class.arguments {
                    self.visit_arguments(arguments);
                }
                let mut inner = Collector {
                    lazy_annotations: self.lazy_annotations,
                    ..Collector::default()
                };
                // A class body that reads a name before it binds it reads the outer one, and
                // what only some branch binds may be the outer one as well.
                let mut bound: Vec<&str> = Vec::new();
                for stmt in &class.body {
                    let (reads, calls) = (inner.facts.reads.len(), inner.facts.calls.len());
                    inner.visit_stmt(stmt);
                    let is_own = |name: &String| bound.contains(&name.as_str());
                    let later = inner.facts.reads.split_off(reads);
                    let outer = later.into_iter().filter(|path| !is_own(&path[0]));
                    inner.facts.reads.extend(outer);
                    for call in &mut inner.facts.calls[calls..] {
                        if let Call::Path(path) = call
                            && is_own(&path[0])
                        {
                            *call = Call::Local(path[0].clone());
                        }
                    }
                    bind_surely(stmt, &mut bound);
                }
                self.inner(inner.facts);
                if self.deferred {
                    self.facts.effects.push("makes a class");
                }
            }
            Stmt::Assign(assign) => {
                self.visit_expr(&assign.value);
                for target in &assign.targets {
                    self.store_target(target);
                }
            }
            Stmt::AugAssign(assign) => {
                self.visit_expr(&assign.value);
                if let Expr::Name(name) = assign.target.as_ref()
                    && !self.is_local(&name.id)
                {
                    self.facts.reads.push(vec![name.id.to_string()]);
                }
                self.store_target(&assign.target);
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.visit_expr(value);
                }
                if !self.lazy_annotations && !self.deferred {
                    self.visit_expr(&assign.annotation);
                }
                self.store_target(&assign.target);
            }
            Stmt::For(for_stmt) => {
                self.visit_expr(&for_stmt.iter);
                self.store_target(&for_stmt.target);
                self.visit_body(&for_stmt.body);
                self.visit_body(&for_stmt.orelse);
                if for_stmt.is_async {
                    self.facts.effects.push("awaits");
                }
            }
            Stmt::With(with) => {
                for item in &with.items {
                    self.visit_expr(&item.context_expr);
                    if let Some(target) = &item.optional_vars {
                        self.store_target(target);
                    }
                }
                self.visit_body(&with.body);
                self.facts.effects.push("enters a context manager");
            }
            Stmt::Import(_) | Stmt::ImportFrom(_) => self.facts.effects.push("imports"),
            Stmt::Global(_) | Stmt::Nonlocal(_) => {}
            Stmt::Delete(delete) => {
                for target in &delete.targets {
                    match target {
                        Expr::Name(_) => {}
                        _ => self
                            .facts
                            .effects
                            .push("deletes from an object that others may hold"),
                    }
                }
            }
            Stmt::TypeAlias(_) => {}
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) => {
                if name.ctx == ExprContext::Load && !self.is_local(&name.id) {
                    self.facts.reads.push(vec![name.id.to_string()]);
                }
            }
            Expr::Attribute(attribute) => match dotted(expr) {
                Some(path) if !self.is_local(&path[0]) => self.facts.reads.push(path),
                Some(_) => {}
                None => self.visit_expr(&attribute.value),
            },
            Expr::Call(call) => {
                self.visit_expr(&call.func);
                self.visit_arguments(&call.arguments);
                self.call(&call.func, call.range());
            }
            Expr::Lambda(lambda) => {
                if let Some(parameters) = &lambda.parameters {
                    for parameter in &**parameters {
                        if let Some(default) = parameter.default() {
                            self.visit_expr(default);
                        }
                    }
                }
                if self.deferred {
                    let before = self.bound.len();
                    if let Some(parameters) = &lambda.parameters {
                        for parameter in &**parameters {
                            self.bound.push(parameter.name().to_string());
                        }
                    }
                    self.visit_expr(&lambda.body);
                    self.bound.truncate(before);
                }
            }
            Expr::ListComp(comp) => self.comprehension(&comp.generators, &[&comp.elt]),
            Expr::SetComp(comp) => self.comprehension(&comp.generators, &[&comp.elt]),
            Expr::Generator(comp) => self.comprehension(&comp.generators, &[&comp.elt]),
            Expr::DictComp(comp) => {
                let mut parts: Vec<&Expr> = vec![&comp.value];
                if let Some(key) = &comp.key {
                    parts.push(key);
                }
                self.comprehension(&comp.generators, &parts);
            }
            Expr::Await(_) => {
                self.facts.effects.push("awaits");
                visitor::walk_expr(self, expr);
            }
            Expr::Yield(_) | Expr::YieldFrom(_) => {
                self.facts.effects.push("yields");
                visitor::walk_expr(self, expr);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }

    fn visit_annotation(&mut self, expr: &'a Expr) {
        if !self.lazy_annotations && !self.deferred {
            self.visit_expr(expr);
        }
    }
}

impl Collector {
    /// Takes over the facts of a scope inside this one.
    fn inner(&mut self, inner: Facts) {
        for path in inner.reads {
            if !self.is_local(&path[0]) {
                self.facts.reads.push(path);
            }
        }
        for call in inner.calls {
            match call {
                Call::Path(path) if path.len() == 1 && self.is_helper(&path[0]) => {}
                Call::Path(path) if self.is_local(&path[0]) => {
                    self.facts.calls.push(Call::Local(path[0].clone()));
                }
                other => self.facts.calls.push(other),
            }
        }
        for name in inner.stores {
            if !self.is_local(&name) {
                self.facts.stores.push(name);
            }
        }
        self.facts.effects.extend(inner.effects);
        self.facts.writes_to_arguments |= inner.writes_to_arguments;
        self.facts.written.extend(inner.written);
    }
}

/// The names that a function body binds, and whether they only hold fresh values.
#[derive(Default)]
pub(crate) struct Locals {
    names: FxHashSet<String>,
    stale: FxHashSet<String>,
    functions: FxHashSet<String>,
    others: FxHashSet<String>,
    declared_global: Vec<String>,
    declared_nonlocal: Vec<String>,
}

impl Locals {
    /// Whether a name that the others bind is declared `global` or `nonlocal` here.
    pub(crate) fn declares_any(&self, others: &Locals) -> bool {
        let mut declared = self.declared_global.iter().chain(&self.declared_nonlocal);
        declared.any(|name| others.names.contains(name))
    }

    /// The names that belong to the function.
    pub(crate) fn into_names(self) -> impl Iterator<Item = String> {
        self.names.into_iter()
    }

    fn fresh(&self) -> FxHashSet<String> {
        self.names.difference(&self.stale).cloned().collect()
    }

    /// Names that hold nothing but functions defined here, bare or under `functools.wraps`.
    fn helpers(&self) -> FxHashSet<String> {
        self.functions.difference(&self.others).cloned().collect()
    }

    pub(crate) fn bind(&mut self, target: &Expr, value: Option<&Expr>) {
        match target {
            Expr::Name(name) => {
                self.names.insert(name.id.to_string());
                match value {
                    Some(Expr::Lambda(_)) => self.functions.insert(name.id.to_string()),
                    _ => self.others.insert(name.id.to_string()),
                };
                if !value.is_some_and(is_fresh) {
                    self.stale.insert(name.id.to_string());
                }
            }
            Expr::Tuple(_) | Expr::List(_) | Expr::Starred(_) => {
                let mut names = Vec::new();
                collect_names(target, &mut names);
                for name in names {
                    self.others.insert(name.clone());
                    self.stale.insert(name.clone());
                    self.names.insert(name);
                }
            }
            _ => {}
        }
    }

    /// A name that holds something else.
    fn other(&mut self, name: String) {
        self.others.insert(name.clone());
        self.stale.insert(name.clone());
        self.names.insert(name);
    }
}

impl<'a> Visitor<'a> for Locals {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => {
                let name = function.name.to_string();
                let wrapped = |decorator: &ast::Decorator| matches!(&decorator.expression, Expr::Call(call) if is_wraps(&call.func));
                if function.decorator_list.iter().all(wrapped) {
                    self.functions.insert(name.clone());
                    self.stale.insert(name.clone());
                    self.names.insert(name);
                } else {
                    self.other(name);
                }
                return;
            }
            Stmt::ClassDef(class) => {
                self.other(class.name.to_string());
                return;
            }
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    self.bind(target, Some(&assign.value));
                }
            }
            Stmt::AnnAssign(assign) => self.bind(&assign.target, assign.value.as_deref()),
            Stmt::AugAssign(assign) => self.bind(&assign.target, Some(&assign.value)),
            Stmt::For(for_stmt) => self.bind(&for_stmt.target, None),
            Stmt::With(with) => {
                for item in &with.items {
                    if let Some(target) = &item.optional_vars {
                        self.bind(target, None);
                    }
                }
            }
            Stmt::Import(import) => {
                for alias in &import.names {
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                    let bound = bound.split('.').next().unwrap_or_default().to_string();
                    self.other(bound);
                }
            }
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name).to_string();
                    self.other(bound);
                }
            }
            Stmt::Global(global) => {
                self.declared_global
                    .extend(global.names.iter().map(ToString::to_string));
            }
            Stmt::Nonlocal(nonlocal) => {
                self.declared_nonlocal
                    .extend(nonlocal.names.iter().map(ToString::to_string));
            }
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => return,
            Expr::Named(named) => self.bind(&named.target, None),
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }

    fn visit_except_handler(&mut self, handler: &'a ast::ExceptHandler) {
        let ast::ExceptHandler::ExceptHandler(inner) = handler;
        if let Some(name) = &inner.name {
            self.other(name.to_string());
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        let name = match pattern {
            ast::Pattern::MatchAs(inner) => inner.name.as_ref(),
            ast::Pattern::MatchStar(inner) => inner.name.as_ref(),
            ast::Pattern::MatchMapping(inner) => inner.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = name {
            self.other(name.to_string());
        }
        visitor::walk_pattern(self, pattern);
    }
}

/// Adds the names that a statement binds whenever it has run.
fn bind_surely<'a>(statement: &'a Stmt, bound: &mut Vec<&'a str>) {
    match statement {
        Stmt::FunctionDef(function) => bound.push(function.name.as_str()),
        Stmt::ClassDef(class) => bound.push(class.name.as_str()),
        Stmt::Assign(assign) => bound.extend(
            assign
                .targets
                .iter()
                .filter_map(|target| target.as_name_expr().map(|name| name.id.as_str())),
        ),
        Stmt::AnnAssign(assign) if assign.value.is_some() => {
            bound.extend(assign.target.as_name_expr().map(|name| name.id.as_str()));
        }
        Stmt::Delete(_) => bound.clear(),
        _ => {}
    }
}
