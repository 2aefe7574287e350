//! The attributes that the methods of a class assign to `self`, as CPython 3.13 lists them
//! in `__static_attributes__`.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, ExprContext, Stmt};

use crate::outline::ClassDef;

/// What `__static_attributes__` of a class holds, sorted: each `x` of a `self.x = ...` in a
/// function of its body, or in a function inside one. CPython looks at the name `self` only,
/// and not at `self.x += ...` (`maybe_add_static_attribute_to_class` of `Python/compile.c`).
/// None if the class cannot be parsed by itself.
#[must_use]
pub fn static_attributes(text: &str, class: &ClassDef) -> Option<Vec<String>> {
    let end = class.body.last()?.span.end as usize;
    let start = text.get(..class.head.start as usize)?.rfind('\n');
    let own = text.get(start.map_or(0, |line| line + 1)..end)?;
    // By itself a class inside something needs something around it.
    let wrapped = match own.starts_with([' ', '\t']) {
        true => format!("if True:\n{own}\n"),
        false => format!("{own}\n"),
    };
    crate::deep::parsing(wrapped.len(), || {
        let parsed = ruff_python_parser::parse_module(&wrapped).ok()?;
        let suite = &parsed.syntax().body;
        crate::deep::walking(crate::deep::depth(suite), || {
            let class = match suite.first()? {
                Stmt::If(outer) => outer.body.first()?,
                other => other,
            };
            let mut attributes = Attributes::default();
            attributes.visit_body(&class.as_class_def_stmt()?.body);
            attributes.names.sort_unstable();
            attributes.names.dedup();
            Some(attributes.names)
        })
    })
}

#[derive(Default)]
struct Attributes {
    names: Vec<String>,
    /// How many functions there are around this place.
    depth: usize,
}

impl Attributes {
    fn inside(&mut self, walk: impl FnOnce(&mut Self)) {
        self.depth += 1;
        walk(self);
        self.depth -= 1;
    }
}

impl<'a> Visitor<'a> for Attributes {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            // Those inside belong to that class.
            Stmt::ClassDef(_) => {}
            Stmt::FunctionDef(_) => self.inside(|inside| visitor::walk_stmt(inside, stmt)),
            Stmt::AugAssign(ast::StmtAugAssign { target, value, .. }) => {
                match target.as_ref() {
                    Expr::Attribute(attribute) => self.visit_expr(&attribute.value),
                    other => self.visit_expr(other),
                }
                self.visit_expr(value);
            }
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => self.inside(|inside| visitor::walk_expr(inside, expr)),
            Expr::Attribute(attribute)
                if attribute.ctx == ExprContext::Store
                    && self.depth > 0
                    && matches!(attribute.value.as_ref(), Expr::Name(name) if name.id == "self") =>
            {
                self.names.push(attribute.attr.to_string());
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Outline;

    fn of(text: &str) -> Vec<String> {
        let outline = Outline::parse(text).unwrap();
        let class = outline.statements.last().unwrap().class().unwrap();
        super::static_attributes(text, class).unwrap()
    }

    #[test]
    fn assignments_to_self_in_functions() {
        let text = "import x\n@x.y\nclass A(\n    x.B,\n):\n    self.no = 1\n    def f(self, a):\n        \
                    self.b, (self.a, a.no) = a\n        self.no += 1\n        self.c: int = 2\n        \
                    for self.d in a: pass\n        del self.no\n        def g(): self.e = lambda self: self.no\n    \
                    class In:\n        def f(self): self.no = 1\n    async def h(this): this.no = self.f.g = 1\n";
        assert_eq!(of(text), ["a", "b", "c", "d", "e"]);
        assert!(of("class A: pass").is_empty());
    }

    #[test]
    fn a_class_inside_a_class() {
        let text = "class A:\n    class B:\n        def f(self):\n            self.b = '''\nx'''\n";
        let outline = Outline::parse(text).unwrap();
        let class = outline.statements[0].class().unwrap();
        let inner = class.body[0].class().unwrap();
        assert_eq!(super::static_attributes(text, inner).unwrap(), ["b"]);
        assert!(super::static_attributes(text, class).unwrap().is_empty());
    }
}
