//! Positions of a statement that moved.

use std::sync::Arc;

use crate::outline::{Expression, Kind, Span, Statement};

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
        for item in &mut self.items {
            item.value.shift(bytes);
            if let Some(key) = &mut item.key {
                key.shift(bytes);
            }
        }
    }
}

impl Statement {
    /// Moves every position in it.
    pub(crate) fn shift(&mut self, bytes: i64, lines: i64) {
        if bytes == 0 && lines == 0 {
            return;
        }
        self.span.shift(bytes);
        moved(&mut self.first_line, lines);
        moved(&mut self.last_line, lines);
        if lines != 0 && !self.codes.is_empty() {
            for site in Arc::make_mut(&mut self.codes) {
                moved(&mut site.line, lines);
                moved(&mut site.last_line, lines);
            }
        }
        match &mut self.kind {
            Kind::Function(function) => {
                let function = Arc::make_mut(function);
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
                    .chain(function.assignments.iter_mut().map(|each| &mut each.value))
                    .for_each(|expression| expression.shift(bytes));
            }
            Kind::Class(class) => {
                let class = Arc::make_mut(class);
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
                value, annotation, ..
            } => value
                .iter_mut()
                .chain(annotation.as_deref_mut())
                .for_each(|expression| expression.shift(bytes)),
            Kind::Compound(compound) => {
                for branch in &mut compound.branches {
                    branch.head.shift(bytes);
                    if let Some(test) = &mut branch.test {
                        test.shift(bytes);
                    }
                    branch
                        .body
                        .iter_mut()
                        .for_each(|inner| inner.shift(bytes, lines));
                }
            }
            _ => {}
        }
    }
}
