//! Stack for sources that are nested deeply.
//!
//! The parser takes more stack where it needs it. What walks over the tree, and
//! what frees it, recurses as deep as the source is nested, and a stack that is
//! too small ends the process: generated code (`1 + 1 + ...`, thousands of `elif`)
//! and a cat on the keyboard must not. So the depth is measured first.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Pattern, Stmt};

/// What freeing one level takes at most, and the fewest bytes that make one: a `-`.
const FREEING: usize = 512;
/// What walking over one level takes at most; hashing a tree takes the most.
const WALKING: usize = 12 << 10;
/// What is left for everything else.
const REST: usize = 256 << 10;
/// A tree may take so much; only a broken file is deeper, and CPython refuses it too.
const MOST: usize = 512 << 20;
/// The deepest source that is taken.
pub(crate) const DEEPEST: usize = MOST / WALKING;

/// Runs `work` on a stack on which the tree of any text of this length can be freed.
pub(crate) fn parsing<R>(length: usize, work: impl FnOnce() -> R) -> R {
    with_stack(length.saturating_mul(FREEING), work)
}

/// Runs `work` on a stack on which a tree of this depth can be walked over.
pub(crate) fn walking<R>(depth: usize, work: impl FnOnce() -> R) -> R {
    with_stack(depth.saturating_mul(WALKING), work)
}

fn with_stack<R>(size: usize, work: impl FnOnce() -> R) -> R {
    let size = size.min(MOST) + REST;
    stacker::maybe_grow(size, size, work)
}

/// How many expressions, statements and patterns lie in one another.
pub(crate) fn depth(suite: &[Stmt]) -> usize {
    let mut depth = Depth { now: 0, most: 0 };
    depth.visit_body(suite);
    depth.most
}

struct Depth {
    now: usize,
    most: usize,
}

impl Depth {
    fn enter(&mut self, inside: impl FnOnce(&mut Self)) {
        self.now += 1;
        self.most = self.most.max(self.now);
        stacker::maybe_grow(REST / 2, 4 << 20, || inside(self));
        self.now -= 1;
    }
}

impl<'a> Visitor<'a> for Depth {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        self.enter(|depth| visitor::walk_stmt(depth, stmt));
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        self.enter(|depth| visitor::walk_expr(depth, expr));
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        self.enter(|depth| visitor::walk_pattern(depth, pattern));
    }
}

#[cfg(test)]
mod tests {
    use crate::Outline;

    #[test]
    fn deep_sources_are_taken_on_a_small_stack() {
        let small = std::thread::Builder::new().stack_size(512 << 10);
        let run = small.spawn(|| {
            for text in [
                format!("x = 1{}\n", " + 1".repeat(20_000)),
                format!("x = a{}\n", ".b".repeat(20_000)),
                format!("def f():\n  return {}1\n", "not ".repeat(20_000)),
                format!("if x: pass\n{}", "elif x: pass\n".repeat(5_000)),
                format!("x = {}{}\n", "[".repeat(5_000), "]".repeat(5_000)),
            ] {
                assert!(Outline::parse(&text).is_ok());
            }
            for text in [
                format!("x = {}\n", "[".repeat(20_000)),
                format!("x = {}1\n", "-".repeat(200_000)),
            ] {
                assert!(Outline::parse(&text).is_err());
            }
        });
        run.unwrap().join().unwrap();
    }
}
