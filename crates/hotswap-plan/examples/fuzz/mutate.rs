//! Edits, from what people do to what no one does.

use hotswap_plan::{Outline, Statement};

/// A small generator of numbers: the same seed gives the same edits everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    fn next(&mut self) -> u64 {
        // Splitmix64, by Steele, Lea and Flood.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 where that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit == 0 {
            return 0;
        }
        (self.next() % limit as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }
}

/// Texts that stand in the way of a parser, or that change what others mean.
const PIECES: [&str; 38] = [
    "from __future__ import annotations\n",
    "\"\"\"A docstring.\"\"\"\n",
    "# hotswap: keep\n",
    "# a comment with é\n",
    "\n\n\n",
    "X = 1; Y = 2; Z = lambda: (X, Y)\n",
    "@staticmethod\n",
    "@(lambda f: f)\n",
    "class A[T]: x: T\n",
    "def f[T: int](x: T = 1, /, *a, k=2, **kw) -> T: return x\n",
    "type Alias[T] = list[T]\n",
    "match x:\n    case {'a': [1, *rest]} if rest: pass\n    case _: y = 1\n",
    "try:\n    import a\nexcept* ImportError:\n    a = None\n",
    "with open(x) as f, g() as (a, b): pass\n",
    "if __name__ == '__main__':\n    main()\n",
    "from m import *\n",
    "from . import (a, b as c,)\n",
    "x: int\n",
    "x = y = z = [i for i in range(3) if (j := i)]\n",
    "f'{x!r:>{width}} {f\"{y}\"}'\n",
    "del x, y\n",
    "global x\n",
    "async def g():\n    async for x in y: await z\n",
    "class C(metaclass=M, **kw):\n    __slots__ = ()\n    class D: pass\n    def m(self): self.a = 1\n",
    "if x:\n    def f(): pass\nelse:\n    def f(): return 1\n",
    "x = {'a': 1, **b}\n",
    "x = \\\n    1\n",
    "\t\n",
    "\u{c}\n",
    "\r\n",
    "\u{feff}",
    "'''",
    "(",
    "\\",
    "\0",
    "\u{2028}",
    "    ",
    "é = 'ü'; def",
];

/// One edit. `other` is a source that pieces are taken from.
pub fn mutate(random: &mut Random, text: &str, other: &str) -> String {
    match random.below(14) {
        0..=3 => statements(random, text, other),
        4..=7 => lines(random, text, other),
        8 | 9 => words(random, text),
        10 => numbers(random, text),
        11 => insert(random, text),
        12 => indent(random, text),
        _ => damage(random, text),
    }
}

/// Whole statements, also inside classes: dropped, doubled, moved, joined by `;`, or another file's.
fn statements(random: &mut Random, text: &str, other: &str) -> String {
    let Ok(outline) = Outline::parse(text) else {
        return lines(random, text, other);
    };
    let mut all: Vec<&Statement> = Vec::new();
    flatten(&outline.statements, &mut all);
    if all.is_empty() {
        return insert(random, text);
    }
    let one = *random.pick(&all);
    let at = *random.pick(&all);
    let piece = one.span.of(text);
    match random.below(6) {
        0 => cut(text, one),
        1 => paste(text, at, piece),
        2 => paste(&cut(text, one), &fitting(at, one), piece),
        3 => match Outline::parse(other) {
            Ok(theirs) if !theirs.statements.is_empty() => {
                let taken = random.pick(&theirs.statements);
                paste(text, at, taken.span.of(other))
            }
            _ => text.to_string(),
        },
        4 => {
            let end = one.span.end as usize;
            format!("{}; joined = 1{}", &text[..end], &text[end..])
        }
        _ => {
            let start = one.span.start as usize;
            format!("{}joined = 1; {}", &text[..start], &text[start..])
        }
    }
}

fn flatten<'a>(statements: &'a [Statement], all: &mut Vec<&'a Statement>) {
    for statement in statements {
        all.push(statement);
        if let Some(class) = statement.class() {
            flatten(&class.body, all);
        }
    }
}

fn cut(text: &str, statement: &Statement) -> String {
    let (start, end) = (statement.span.start as usize, statement.span.end as usize);
    format!("{}{}", &text[..start], &text[end..])
}

/// Where `at` is after `gone` was cut out.
fn fitting(at: &Statement, gone: &Statement) -> Statement {
    let mut at = at.clone();
    let length = gone.span.end - gone.span.start;
    if at.span.start >= gone.span.end {
        at.span.start -= length;
    } else if at.span.start > gone.span.start {
        at.span.start = gone.span.start;
    }
    at
}

fn paste(text: &str, at: &Statement, piece: &str) -> String {
    let start = (at.span.start as usize).min(text.len());
    let indent = " ".repeat(at.column as usize);
    format!("{}{piece}\n{indent}{}", &text[..start], &text[start..])
}

fn lines(random: &mut Random, text: &str, other: &str) -> String {
    let mut all: Vec<&str> = text.split_inclusive('\n').collect();
    if all.is_empty() {
        return insert(random, text);
    }
    let start = random.below(all.len());
    let end = (start + 1 + random.below(8)).min(all.len());
    let to = random.below(all.len());
    match random.below(4) {
        0 => drop(all.drain(start..end)),
        1 => {
            let block: Vec<&str> = all[start..end].to_vec();
            all.splice(to..to, block);
        }
        2 => {
            let block: Vec<&str> = all.drain(start..end).collect();
            let to = to.min(all.len());
            all.splice(to..to, block);
        }
        _ => {
            let theirs: Vec<&str> = other.split_inclusive('\n').collect();
            let from = random.below(theirs.len());
            let block = theirs.iter().skip(from).take(1 + random.below(12));
            all.splice(to..to, block.copied());
        }
    }
    all.concat()
}

/// Another name of the text in one place, or in all.
fn words(random: &mut Random, text: &str) -> String {
    let names: Vec<&str> = text
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .filter(|word| !word.is_empty())
        .collect();
    if names.is_empty() {
        return text.to_string();
    }
    let (old, new) = (*random.pick(&names), *random.pick(&names));
    match random.below(3) {
        0 => text.replace(old, new),
        _ => text.replacen(old, new, 1 + random.below(3)),
    }
}

fn numbers(random: &mut Random, text: &str) -> String {
    let places: Vec<usize> = text
        .bytes()
        .enumerate()
        .filter(|(_, byte)| byte.is_ascii_digit())
        .map(|(at, _)| at)
        .collect();
    if places.is_empty() {
        return insert(random, text);
    }
    let at = *random.pick(&places);
    let digit = random.below(10);
    format!("{}{digit}{}", &text[..at], &text[at + 1..])
}

fn insert(random: &mut Random, text: &str) -> String {
    let starts: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at + 1))
        .collect();
    let at = *random.pick(&starts);
    format!("{}{}{}", &text[..at], random.pick(&PIECES), &text[at..])
}

/// Some lines go one level in or out; going in under a new `if`.
fn indent(random: &mut Random, text: &str) -> String {
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    let start = random.below(all.len());
    let end = (start + 1 + random.below(20)).min(all.len());
    let inward = random.below(2) == 0;
    let mut out = String::new();
    for (number, line) in all.iter().enumerate() {
        if number == start && inward {
            let deep = line.len() - line.trim_start_matches(' ').len();
            out.push_str(&" ".repeat(deep));
            out.push_str("if condition:\n");
        }
        if (start..end).contains(&number) && inward {
            out.push_str("    ");
            out.push_str(line);
        } else if (start..end).contains(&number) {
            out.push_str(line.strip_prefix("    ").unwrap_or(line));
        } else {
            out.push_str(line);
        }
    }
    out
}

/// What no editor does: a character gone, changed or put in, or the end cut off.
fn damage(random: &mut Random, text: &str) -> String {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    if places.is_empty() {
        return random.pick(&PIECES).to_string();
    }
    let at = *random.pick(&places);
    let next = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
    match random.below(4) {
        0 => text[..at].to_string(),
        1 => format!("{}{}", &text[..at], &text[next..]),
        2 => format!("{}{}{}", &text[..at], random.pick(&PIECES), &text[at..]),
        _ => {
            let signs = [
                '(', ')', '[', '\'', '"', ':', '\n', '\t', '@', '\\', ';', '#', 'é',
            ];
            format!("{}{}{}", &text[..at], random.pick(&signs), &text[next..])
        }
    }
}
