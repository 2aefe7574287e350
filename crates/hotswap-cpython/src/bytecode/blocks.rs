//! The blocks that a call is in: CPython up to 3.10 keeps a stack of them.

use std::ffi::c_int;

use rustc_hash::FxHashMap;

use super::{Block, Listing};

/// What stands in a block that a `try` or `with` statement has begun.
const BEGUN: c_int = 122;
/// What stands in a block whose handler runs (`Include/opcode.h`).
pub(crate) const HANDLED: c_int = 257;
/// A handler finds the exception on the stack, and the one that was handled before.
pub(super) const PUSHED: i32 = 6;

impl Listing {
    /// The blocks around the instruction at `offset`, outermost first. None if it is never
    /// reached, or not by ways that agree on them.
    #[must_use]
    pub fn blocks(&self, offset: u32) -> Option<Vec<Block>> {
        let wanted = *self.index.get(&offset)?;
        let mut known: FxHashMap<usize, Vec<Block>> = FxHashMap::default();
        known.insert(0, Vec::new());
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            let here = known.get(&at)?.clone();
            let each = &self.instructions[at];
            let depth = c_int::try_from(self.depth(each.offset)?).ok()?;
            let begins = match &*each.name {
                "SETUP_FINALLY" | "SETUP_WITH" => Some(depth),
                // What was entered is above the block.
                "SETUP_ASYNC_WITH" => Some(depth - 1),
                _ => None,
            };
            let mut after = here.clone();
            if let Some(level) = begins {
                after.push(Block {
                    kind: BEGUN,
                    handler: each.target,
                    level,
                });
            }
            if matches!(&*each.name, "POP_BLOCK" | "POP_EXCEPT" | "END_ASYNC_FOR") {
                after.pop()?;
            }
            for next in &self.successors[at] {
                let is_handler = begins.is_some()
                    && each.target == Some(self.instructions[*next].offset)
                    && *next != at + 1;
                let there = match (is_handler, begins) {
                    (true, Some(level)) => {
                        let mut there = here.clone();
                        there.push(Block {
                            kind: HANDLED,
                            handler: None,
                            level,
                        });
                        there
                    }
                    _ => after.clone(),
                };
                match known.get(next) {
                    Some(before) if *before != there => return None,
                    Some(_) => {}
                    None => {
                        known.insert(*next, there);
                        open.push(*next);
                    }
                }
            }
        }
        known.remove(&wanted)
    }
}

#[cfg(test)]
mod tests {
    use pyo3::prelude::*;
    use pyo3::types::{PyCode, PyDict};

    use super::*;

    /// Wherever two ways meet they must agree on the blocks, in all of these libraries, and
    /// each return is in none.
    #[test]
    fn all_ways_agree_on_the_blocks() {
        Python::attach(|py| {
            let names = [
                "asyncio.tasks",
                "asyncio.base_events",
                "contextlib",
                "subprocess",
                "tarfile",
                "threading",
                "shutil",
            ];
            let mut inside = 0;
            for name in names {
                let source = format!(
                    "import importlib.util\nspec = importlib.util.find_spec('{name}')\ntext = open(spec.origin, encoding='utf-8').read()\ndef codes(code):\n    yield code\n    for each in code.co_consts:\n        if isinstance(each, type(code)):\n            yield from codes(each)\nfound = list(codes(compile(text, spec.origin, 'exec')))\n"
                );
                let namespace = PyDict::new(py);
                let source = std::ffi::CString::new(source).unwrap();
                py.run(&source, Some(&namespace), None).unwrap();
                let found = namespace.as_any().get_item("found").unwrap();
                for code in found.try_iter().unwrap() {
                    let code = code.unwrap().cast_into::<PyCode>().unwrap();
                    let listing = Listing::of(&code).unwrap();
                    for each in &listing.instructions {
                        let Some(depth) = listing.depth(each.offset) else {
                            continue;
                        };
                        if !matches!(&*each.name, "RETURN_VALUE" | "FOR_ITER" | "YIELD_FROM") {
                            continue;
                        }
                        let blocks = listing.blocks(each.offset);
                        let blocks = blocks.unwrap_or_else(|| panic!("{code:?} {each:?}"));
                        inside += usize::from(!blocks.is_empty());
                        if each.name == "RETURN_VALUE" {
                            assert!(blocks.is_empty(), "{code:?} {each:?}");
                            assert_eq!(depth, 1, "{code:?} {each:?}");
                        }
                    }
                }
            }
            assert!(inside > 10, "{inside}");
        });
    }
}
