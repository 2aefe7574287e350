//! Parses the part of a source that an edit touched.
//!
//! Between two top-level statements that begin at the start of a line the parser knows nothing
//! of what came before: no bracket is open and no block. So where the text before such a place
//! and the text from another one on are as in the previous source, only what lies between them
//! is parsed, as a source of its own, and the statements around it are taken over. Whatever
//! does not fit this picture (an `else` that belongs to the statement before, a string that
//! swallows the rest) does not parse by itself, and the whole source is parsed instead; so
//! does what is said of a syntax error never come from here.

use crate::deep;
use crate::outline::{Kind, Outline, Statement};
use crate::reader::{Known, Lines, Reader};

/// The outline of an edited text; None where all of it must be parsed.
pub(crate) fn parse(text: &str, before: &str, previous: &Outline) -> Option<Outline> {
    let touched = Touched::between(text, before, previous)?;
    let middle = &text[touched.start..touched.end];
    // Where a source with `from __future__` begins and ends is a matter of the whole.
    let futures_stay = previous.statements[touched.kept..]
        .iter()
        .all(|statement| statement.kind != Kind::Future);
    if !futures_stay || middle.contains("__future__") || middle.trim_end().ends_with('\\') {
        return None;
    }
    let parsed = deep::parsing(middle.len(), || {
        let parsed = ruff_python_parser::parse_module(middle).ok()?;
        let suite = &parsed.syntax().body;
        let depth = deep::depth(suite);
        if depth > deep::DEEPEST {
            return None;
        }
        Some(deep::walking(depth, || {
            let replaced = &previous.statements[touched.kept..touched.resumed];
            let first = previous
                .statements
                .first()
                .map_or(0, |first| first.span.start);
            let lines = Lines::new(middle);
            let reader = Reader {
                text: middle,
                lines: &lines,
                futures: &previous.futures,
                known: Some(Known::new(before, replaced, first)),
            };
            reader.module(suite, touched.kept == 0)
        }))
    })?;
    // The first statement may be the docstring.
    if touched.kept == 0 && touched.resumed < previous.statements.len() {
        let was_first = touched.resumed == 0;
        if was_first != parsed.is_empty() {
            return None;
        }
    }
    let lines = Lines::new(text);
    let reader = Reader {
        text,
        lines: &lines,
        futures: &previous.futures,
        known: None,
    };
    let mut statements = Vec::with_capacity(previous.statements.len() + parsed.len());
    statements.extend_from_slice(&previous.statements[..touched.kept]);
    let place = |statement: &mut Statement, bytes: i64, by: i64| {
        statement.shift(bytes, by);
        let is_definition = matches!(statement.kind, Kind::Function(_) | Kind::Class(_));
        // The comment above it may lie on the other side of the cut.
        statement.pragma = reader.pragma(statement.first_line, statement.last_line, is_definition);
    };
    let first_line = i64::from(lines.line(touched.start as u32)) - 1;
    for mut statement in parsed {
        place(&mut statement, touched.start as i64, first_line);
        statements.push(statement);
    }
    let moved = text.len() as i64 - before.len() as i64;
    let resumed = &previous.statements[touched.resumed..];
    if let Some(first) = resumed.first() {
        let start = (i64::from(first.span.start) + moved) as u32;
        let by = i64::from(lines.line(start)) - i64::from(first.first_line);
        for old in resumed {
            let mut statement = old.clone();
            if old.first_line == first.first_line {
                place(&mut statement, moved, by);
            } else {
                statement.shift(moved, by);
            }
            statements.push(statement);
        }
    }
    Some(Outline::of(statements, previous.futures.clone(), &lines))
}

/// The part of a text that is not as in the previous one.
struct Touched {
    /// Where it begins and ends in the new text.
    start: usize,
    end: usize,
    /// So many old statements lie before it.
    kept: usize,
    /// From this old statement on everything lies behind it.
    resumed: usize,
}

impl Touched {
    fn between(text: &str, before: &str, previous: &Outline) -> Option<Touched> {
        let old = &previous.statements;
        let (new_bytes, old_bytes) = (text.as_bytes(), before.as_bytes());
        let prefix = common_prefix(new_bytes, old_bytes);
        let suffix = common_suffix(&new_bytes[prefix..], &old_bytes[prefix..]);
        // The last statement that begins before the first difference is parsed again.
        let mut kept = old.partition_point(|each| each.span.start as usize <= prefix);
        let start = loop {
            let Some(last) = kept.checked_sub(1) else {
                break 0;
            };
            kept = last;
            if last == 0 {
                break 0;
            }
            if begins_line(old, before, last) {
                break old[last].span.start as usize;
            }
        };
        let rest = old_bytes.len() - suffix;
        let mut resumed = old.partition_point(|each| (each.span.start as usize) < rest);
        let end = loop {
            let Some(next) = old.get(resumed) else {
                break text.len();
            };
            let at = next.span.start as usize + text.len() - before.len();
            if resumed >= kept
                && begins_line(old, before, resumed)
                && at >= start
                && (at == 0 || new_bytes[at - 1] == b'\n')
            {
                break at;
            }
            resumed += 1;
        };
        Some(Touched {
            start,
            end,
            kept,
            resumed,
        })
    }
}

/// Whether a statement begins at the start of a line, and no other ends on that line.
fn begins_line(old: &[Statement], text: &str, index: usize) -> bool {
    let start = old[index].span.start as usize;
    old[index].column == 0
        && (start == 0 || text.as_bytes()[start - 1] == b'\n')
        && (index == 0 || old[index - 1].last_line < old[index].first_line)
}

/// Blocks of this size are compared at once.
const BLOCK: usize = 256;

fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    let blocks = left.chunks_exact(BLOCK).zip(right.chunks_exact(BLOCK));
    let same = BLOCK * blocks.take_while(|(one, other)| one == other).count();
    let rest = left[same..].iter().zip(&right[same..]);
    same + rest.take_while(|(one, other)| one == other).count()
}

fn common_suffix(left: &[u8], right: &[u8]) -> usize {
    let blocks = left.rchunks_exact(BLOCK).zip(right.rchunks_exact(BLOCK));
    let same = BLOCK * blocks.take_while(|(one, other)| one == other).count();
    let (left, right) = (&left[..left.len() - same], &right[..right.len() - same]);
    let rest = left.iter().rev().zip(right.iter().rev());
    same + rest.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "\"doc\"\nimport os\n\n# about f\n@deco(1)\ndef f(a=1):\n    global G\n    return lambda: a\n\nclass A(B):\n    \"doc\"\n    x = {1: 2}\n    def __init__(self):\n        self.y = os\n    def m(self): pass\n\nif f:\n    pass\na = 1; b = 2\nlast = 3\n";

    /// Texts that come of OLD by one change at each place.
    fn edited() -> Vec<String> {
        let inserted = [
            "x",
            "\n",
            "#",
            "'",
            "\"\"\"",
            "(",
            ")",
            "    ",
            "\\\n",
            ":",
            ";",
            "@d\n",
            "else:\n    pass\n",
            "if x:\n",
            "z = 1\n",
            "# hotswap: keep\n",
            "    q = 1\n",
            "from __future__ import annotations\n",
            "\"doc\"\n",
            "def f(): pass\n",
        ];
        let mut texts = Vec::new();
        for at in 0..=OLD.len() {
            for piece in inserted {
                texts.push(format!("{}{piece}{}", &OLD[..at], &OLD[at..]));
            }
            for length in [1, 2, 9, 30, 70] {
                let end = (at + length).min(OLD.len());
                texts.push(format!("{}{}", &OLD[..at], &OLD[end..]));
            }
        }
        texts
    }

    #[test]
    fn a_part_read_by_itself_gives_what_the_whole_gives() {
        let future = format!("from __future__ import annotations\n{OLD}");
        let mut by_part = 0;
        for start in [OLD, &future] {
            let old = Outline::parse(start).unwrap();
            for text in edited() {
                let new = if start == OLD {
                    text
                } else {
                    format!("from __future__ import annotations\n{text}")
                };
                let Some(outline) = parse(&new, start, &old) else {
                    continue;
                };
                by_part += 1;
                let whole = Outline::parse(&new);
                assert!(whole.as_ref() == Ok(&outline), "{new:?}");
            }
        }
        assert!(by_part > 2_000, "only {by_part}");
    }

    #[test]
    fn what_does_not_parse_is_left_to_the_parser_of_the_whole() {
        let old = Outline::parse(OLD).unwrap();
        for new in [
            OLD.replace("import os\n", "import os\nelse:\n    pass\n"),
            OLD.replace("import os\n", "import os\n\"\"\""),
            OLD.replace("last = 3\n", "    last = 3\n"),
            OLD.replace("class A(B):", "class A(B:"),
        ] {
            assert!(parse(&new, OLD, &old).is_none(), "{new}");
        }
    }

    #[test]
    fn common_parts_are_counted_to_the_byte() {
        for length in [0, 1, 255, 256, 257, 700] {
            let same = vec![b'x'; length];
            let (mut left, mut right) = (same.clone(), same);
            left.push(b'l');
            right.extend(b"rr");
            assert_eq!(common_prefix(&left, &right), length);
            left.reverse();
            right.reverse();
            assert_eq!(common_suffix(&left, &right), length);
        }
    }
}
