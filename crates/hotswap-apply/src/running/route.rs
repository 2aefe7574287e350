//! From places of the source to instructions, by the source that the compiler notes for each.

use hotswap_cpython::bytecode::{Instruction, Listing};
use hotswap_cpython::moving::{NOT_BEGUN, Route, Target};
use hotswap_plan::{Correspondence, Place, Point, PointKind};
use pyo3::prelude::*;
use pyo3::types::PyCode;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

use super::Version;

/// The instruction at which a call waits for another that it gives the values of.
const WAITS: &str = if cfg!(Py_3_11) {
    "YIELD_VALUE"
} else {
    "YIELD_FROM"
};

/// Why there is no way where the instructions of a code object are not those of its source.
pub(super) const UNKNOWN: &str = "its code does not come from its source alone";

/// Which instructions of two code objects mean the same.
#[derive(Debug, Default)]
pub(super) struct Way {
    pub(super) loops: FxHashMap<u32, Target>,
    pub(super) suspensions: FxHashMap<u32, Target>,
    /// Where each loop with a counterpart jumps back to, its first and its last line.
    pub(super) loop_lines: Vec<(u32, u32, u32)>,
}

impl Way {
    /// The first line of the innermost loop around a line, if it has a counterpart.
    pub(super) fn loop_around(&self, line: u32) -> Option<u32> {
        let lines = self.loop_lines.iter();
        let around = lines.filter(|(_, first, last)| (*first..=*last).contains(&line));
        around.map(|(_, first, _)| *first).max()
    }

    pub(super) fn route<'py>(
        &self,
        old: &Bound<'py, PyCode>,
        new: &Bound<'py, PyCode>,
    ) -> Route<'py> {
        Route {
            old: old.clone(),
            new: new.clone(),
            loops: self.loops.clone(),
            suspensions: self.suspensions.clone(),
        }
    }
}

/// One side: a code object and what is asked of it again and again.
struct Side<'py> {
    py: Python<'py>,
    listing: Listing,
    /// Where its loops jump back to.
    back: FxHashSet<u32>,
    variables: FxHashSet<String>,
}

impl<'py> Side<'py> {
    /// None: the instructions are not those of the text.
    fn of(version: &Version, py: Python<'py>) -> PyResult<Option<Side<'py>>> {
        let code = version.code.bind(py);
        let known = Listing::with_source(code, &version.text, &version.name, version.line)?;
        let Some(listing) = known else {
            return Ok(None);
        };
        let back = listing
            .instructions
            .iter()
            .filter(|each| jumps_back(each))
            .filter_map(|each| each.target)
            .collect();
        let mut variables = FxHashSet::default();
        for names in ["co_varnames", "co_cellvars", "co_freevars"] {
            variables.extend(code.getattr(names)?.extract::<Vec<String>>()?);
        }
        Ok(Some(Side {
            py,
            listing,
            back,
            variables,
        }))
    }

    /// Instructions of a name whose source is one of `places`.
    fn named<'s>(&'s self, name: &'s str, places: &'s [Place]) -> impl Iterator<Item = u32> + 's {
        let instructions = self.listing.instructions.iter();
        instructions
            .filter(move |each| {
                each.name == name && place(each).is_some_and(|it| places.contains(&it))
            })
            .map(|each| each.offset)
    }

    /// The first instruction whose source lies inside `around`.
    fn first_inside(&self, around: Place) -> Option<u32> {
        let mut instructions = self.listing.instructions.iter();
        let inside = |each: &&Instruction| place(each).is_some_and(|it| around.contains(it));
        instructions.find(inside).map(|each| each.offset)
    }

    /// The suspension behind an instruction.
    fn suspension_behind(&self, offset: u32) -> Option<u32> {
        let mut rest = self.listing.instructions.iter();
        rest.find(|each| each.offset > offset && each.name == WAITS)
            .map(|each| each.offset)
    }

    /// Where a loop jumps back to whose next item is taken at `offset`.
    fn head(&self, offset: u32, is_async: bool) -> Option<u32> {
        if cfg!(Py_3_11) || !is_async {
            return Some(offset);
        }
        // The end of the loop is an exception, for which a block begins.
        let begins = self.listing.before(offset)?;
        (begins.name == "SETUP_FINALLY").then_some(begins.offset)
    }

    /// The suspensions that a point stands for, in the order of the code. A `finally` block
    /// is in the code more than once.
    fn suspensions(&self, point: &Point) -> Vec<u32> {
        match &point.kind {
            PointKind::Yield => self.named("YIELD_VALUE", &point.places).collect(),
            PointKind::YieldFrom | PointKind::Await => self.named(WAITS, &point.places).collect(),
            PointKind::AsyncFor => self
                .named("GET_ANEXT", &point.places)
                .filter_map(|at| self.suspension_behind(at))
                .collect(),
            PointKind::Enter(index) => {
                // Up to CPython 3.12 each manager has the whole statement for its source. From
                // 3.14 on its two methods are looked up one by one, the first to be called last.
                let (name, each) = match cfg!(Py_3_14) {
                    true => ("LOAD_SPECIAL", 2),
                    false => ("BEFORE_ASYNC_WITH", 1),
                };
                let entering = self.named(name, &point.places);
                let entering: Vec<u32> = entering.skip(each - 1).step_by(each).collect();
                let one = match entering.len() {
                    1 => entering.first(),
                    _ => entering.get(*index),
                };
                one.and_then(|at| self.suspension_behind(*at))
                    .into_iter()
                    .collect()
            }
            PointKind::Exit => {
                // Where a `return`, `break` or `continue` leaves it as well there are more, and
                // nothing tells which is which.
                let all: Vec<u32> = self.named(WAITS, &point.places).collect();
                match all[..] {
                    [_, done, raised] => vec![done, raised],
                    _ => Vec::new(),
                }
            }
            PointKind::For | PointKind::While { .. } => Vec::new(),
        }
    }
}

/// Whether an instruction may jump back in a loop.
fn jumps_back(each: &Instruction) -> bool {
    if cfg!(Py_3_11) {
        return each.name == "JUMP_BACKWARD" || each.name.starts_with("POP_JUMP_BACKWARD");
    }
    each.target.is_some_and(|target| target <= each.offset)
}

fn place(instruction: &Instruction) -> Option<Place> {
    let (line, column, end_line, end_column) = instruction.stretch?;
    Some(Place {
        line,
        column,
        end_line,
        end_column,
    })
}

/// Which instructions of `old` and `new` belong to the points that correspond. None: the
/// instructions of either are not those of its source.
pub(super) fn between(
    py: Python<'_>,
    old: &Version,
    new: &Version,
    map: &Correspondence,
) -> PyResult<Option<Way>> {
    let (Some(before), Some(after)) = (Side::of(old, py)?, Side::of(new, py)?) else {
        return Ok(None);
    };
    let mut way = Way::default();
    for (from, to) in &map.pairs {
        for (here, there) in loops(&before, &after, from, to) {
            let depth = (before.listing.depth(here), after.listing.depth(there));
            if let (Some(was), Some(depth)) = depth
                && was == depth
                && let Some(target) = target(&before, &after, to, (there, there), depth)?
                && way.loops.insert(here, target).is_none()
                && let Some(whole) = from.places.first()
            {
                way.loop_lines.push((here, whole.line, whole.end_line));
            }
        }
        let (mine, theirs) = (before.suspensions(from), after.suspensions(to));
        if mine.len() == theirs.len() {
            for (here, there) in mine.into_iter().zip(theirs) {
                suspend(&before, &after, to, (here, there), &mut way)?;
            }
        }
    }
    let begins = |side: &Side<'_>| {
        let mut all = side.listing.instructions.iter();
        all.find(|each| each.name == "RETURN_GENERATOR")
            .map(|each| each.offset)
    };
    let nothing = Point {
        kind: PointKind::Yield,
        places: Vec::new(),
        literals: Vec::new(),
    };
    if !cfg!(Py_3_11) {
        let target = target(&before, &after, &nothing, (NOT_BEGUN, 0), 0)?;
        way.suspensions
            .extend(target.map(|target| (NOT_BEGUN, target)));
    }
    if let (Some(here), Some(there)) = (begins(&before), begins(&after)) {
        let next = after.listing.after(there).map_or(there, |next| next.offset);
        let target = target(&before, &after, &nothing, (there, next), 0)?;
        way.suspensions.extend(target.map(|target| (here, target)));
    }
    Ok(Some(way))
}

fn suspend(
    before: &Side<'_>,
    after: &Side<'_>,
    to: &Point,
    (here, there): (u32, u32),
    way: &mut Way,
) -> PyResult<()> {
    let depths = (before.listing.depth(here), after.listing.depth(there));
    // What is yielded has left the stack.
    if let (Some(was), Some(depth)) = depths
        && was == depth
        && let Some(depth) = depth.checked_sub(1)
    {
        let next = after.listing.after(there).map_or(there, |next| next.offset);
        let target = target(before, after, to, (there, next), depth)?;
        way.suspensions.extend(target.map(|target| (here, target)));
    }
    Ok(())
}

/// Where the loops of two points jump back to, old and new.
fn loops(before: &Side<'_>, after: &Side<'_>, from: &Point, to: &Point) -> Vec<(u32, u32)> {
    match (&from.kind, &to.kind) {
        (PointKind::For, PointKind::For) | (PointKind::AsyncFor, PointKind::AsyncFor) => {
            let head = match from.kind {
                PointKind::For => "FOR_ITER",
                _ => "GET_ANEXT",
            };
            let mine: Vec<u32> = before.named(head, &from.places).collect();
            let theirs: Vec<u32> = after.named(head, &to.places).collect();
            let is_async = from.kind == PointKind::AsyncFor;
            let heads = mine.into_iter().zip(theirs.iter()).map(|(here, there)| {
                Some((before.head(here, is_async)?, after.head(*there, is_async)?))
            });
            let heads: Option<Vec<_>> = heads.collect();
            heads
                .filter(|all| all.len() == theirs.len())
                .unwrap_or_default()
        }
        (
            PointKind::While {
                test: old_test,
                forever: was_forever,
                body: old_body,
            },
            PointKind::While {
                test,
                forever,
                body,
            },
        ) => {
            let mut found = Vec::new();
            let to_body = after.first_inside(*body);
            let to_test = match forever {
                true => to_body,
                false => after.first_inside(*test),
            };
            // Where the old condition has been evaluated it held, and is not asked again;
            // where there was none, the new one is.
            let decided = match was_forever {
                true => to_test,
                false => to_body,
            };
            let from_body = before.first_inside(*old_body);
            let from_test = before.first_inside(*old_test);
            for (here, there) in [(from_body, decided), (from_test, to_test)] {
                if let (Some(here), Some(there)) = (here, there)
                    && before.back.contains(&here)
                {
                    found.push((here, there));
                }
            }
            found
        }
        _ => Vec::new(),
    }
}

/// The place to go on at, and the instruction that runs next there. None: it is not known
/// what the interpreter keeps for a call there.
fn target(
    before: &Side<'_>,
    after: &Side<'_>,
    to: &Point,
    (offset, next): (u32, u32),
    depth: u32,
) -> PyResult<Option<Target>> {
    let Some(blocks) = after.listing.blocks(next) else {
        return Ok(None);
    };
    let mut needed = after.listing.needed(next, true);
    let fresh = after.listing.needed(next, false);
    needed.extend(
        fresh
            .into_iter()
            .filter(|name| !before.variables.contains(name)),
    );
    let mut given = Vec::new();
    for (name, text) in &to.literals {
        if needed.contains(name) && !before.variables.contains(name) {
            let makes = std::ffi::CString::new(format!("lambda: ({text})"))?;
            given.push((name.clone(), after.py.eval(&makes, None, None)?.unbind()));
        }
    }
    Ok(Some(Target {
        offset,
        depth,
        needed: needed.into_iter().collect(),
        given: Arc::new(given),
        blocks,
    }))
}
