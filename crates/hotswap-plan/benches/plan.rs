//! What the planner does with an edit: parse, compare, blank out what did not change.
//!
//! `cargo bench --package hotswap-plan`. The sources are generated: so many functions of nine
//! lines and a class with as many methods.

// What the macros of the library make has no documentation.
#![allow(missing_docs)]

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hotswap_plan::{Outline, Skeleton, diff};

fn source(functions: usize, value: usize) -> String {
    let mut text = String::from("import os\nLIMIT = 10\n");
    for number in 0..functions {
        let result = if number == functions / 2 { value } else { 0 };
        let _ = write!(
            text,
            "def f{number}(a, b={number}, *args, key=None):\n    \"\"\"Of {number}.\"\"\"\n    total = {result}\n    \
             for k in range(a):\n        if k % 2:\n            total += k * b\n        else:\n            \
             total -= len(args)\n    return total, key\n\n"
        );
    }
    text.push_str("class Thing:\n");
    for number in 0..functions {
        let _ = write!(
            text,
            "    def m{number}(self, v):\n        self.v = v\n        return self.v + {number}\n\n"
        );
    }
    text
}

fn plan(criterion: &mut Criterion) {
    for functions in [8, 80, 800] {
        let (old, new) = (source(functions, 1), source(functions, 22));
        let lines = old.lines().count();
        let (Ok(before), Ok(after)) = (Outline::parse(&old), Outline::parse(&new)) else {
            return;
        };
        let mut group = criterion.benchmark_group("one function edited");
        group.bench_with_input(BenchmarkId::new("parse all", lines), &new, |bench, new| {
            bench.iter(|| Outline::parse(black_box(new)));
        });
        group.bench_with_input(
            BenchmarkId::new("parse the edit", lines),
            &new,
            |bench, new| {
                bench.iter(|| Outline::parse_after(black_box(new), Some((&old, &before))));
            },
        );
        group.bench_with_input(
            BenchmarkId::new("compare", lines),
            &after,
            |bench, after| {
                bench.iter(|| diff(&before, black_box(after)));
            },
        );
        let edited = &after.statements[2 + functions / 2];
        group.bench_with_input(
            BenchmarkId::new("skeleton", lines),
            &after,
            |bench, after| {
                bench.iter(|| {
                    Skeleton::new(&new, black_box(after))
                        .statement(edited)
                        .finish()
                });
            },
        );
    }
}

criterion_group!(benches, plan);
criterion_main!(benches);
