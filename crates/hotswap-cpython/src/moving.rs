//! Calls in progress that go on in another code object.
//!
//! From CPython 3.12 on a native callback on the backward jumps of the old code finds the
//! call that jumps as the current frame, with everything it holds in memory; a suspended
//! generator holds its frame itself. Both get the new code, the variables by name and the
//! place to go on at. The interpreter reads all of it anew when the callback returns
//! (`_Py_call_instrumentation_jump` in CPython's `Python/instrumentation.c`). CPython 3.11
//! has trace functions only, and takes a detour (`tracing`). Up to 3.10 a call gets another
//! frame (`successor`); a running one goes on in it inside its own trace function
//! (`nested`).
//!
//! What the caller must know is in [`Route`]: that two places of two versions mean the
//! same. What is checked here is that the interpreter cannot be hurt: the layout by a
//! self-test, and on each move the code, the place, the depth of the stack, the room, and
//! that no variable without a value is read where CPython does not look.

#[cfg(all(Py_3_11, not(Py_3_15)))]
mod called;
#[cfg(all(Py_3_11, not(Py_3_15)))]
mod frame;
#[cfg(not(Py_3_11))]
mod frame_object;
#[cfg(Py_3_12)]
mod jumps;
#[cfg(not(Py_3_11))]
mod nested;
#[cfg(all(Py_3_11, not(Py_3_15)))]
mod padding;
#[cfg(all(Py_3_11, not(Py_3_15)))]
mod relocate;
#[cfg(all(Py_3_11, not(Py_3_15)))]
mod remembered;
#[cfg(all(Py_3_11, not(Py_3_15)))]
mod rooms;
#[cfg(all(Py_3_11, not(Py_3_15)))]
mod self_test;
#[cfg(not(Py_3_11))]
mod self_test_of_blocks;
mod slots;
pub mod standing;
#[cfg(not(Py_3_11))]
mod successor;
#[cfg(not(Py_3_12))]
mod thread_state;
#[cfg(all(Py_3_11, not(Py_3_12)))]
mod tracing;
mod watched;
#[cfg(all(Py_3_11, not(Py_3_15)))]
mod word;

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyCode;
use rustc_hash::FxHashMap;

use crate::bytecode::Block;
use crate::support::{Result, Tested, Unsupported, tested};

#[cfg(Py_3_12)]
use jumps as watching;
#[cfg(not(Py_3_11))]
use nested as watching;
#[cfg(all(Py_3_11, not(Py_3_12)))]
use tracing as watching;

#[cfg(all(Py_3_11, not(Py_3_15)))]
pub use called::called;
#[cfg(all(Py_3_11, not(Py_3_15)))]
pub use padding::{make_room, make_room_in_new};
pub use watched::{Armed, armed};
pub use watching::{arm, disarm, follow};

pub(crate) const CAPABILITY: &str = "moving suspended calls";
pub(crate) const RUNNING: &str = "moving running calls";

/// Where a call goes on in the new code.
#[derive(Debug, Clone)]
pub struct Target {
    /// In bytes from the start of the new code.
    pub offset: u32,
    /// How many values lie on the stack there.
    pub depth: u32,
    /// Variables that must have a value.
    pub needed: Vec<String>,
    /// Variables that the old code does not have, and what is called to make their values.
    pub given: Arc<Vec<(String, Py<PyAny>)>>,
    /// The blocks that the new code is in there, up to CPython 3.10.
    pub blocks: Vec<Block>,
}

/// Stands for the place of a generator that has not begun, up to CPython 3.10.
pub const NOT_BEGUN: u32 = u32::MAX;

/// The way from one code object to another.
#[derive(Debug)]
pub struct Route<'py> {
    /// The code that calls are in.
    pub old: Bound<'py, PyCode>,
    /// The code to go on in.
    pub new: Bound<'py, PyCode>,
    /// Where the old code jumps back to, in bytes, and what that is in the new one.
    pub loops: FxHashMap<u32, Target>,
    /// The same for instructions at which a generator is suspended, or not yet begun.
    pub suspensions: FxHashMap<u32, Target>,
}

/// What came of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// The call is in the new code.
    Done,
    /// It stays in the old code, for this reason.
    Refused(String),
}

/// Whether suspended calls can be moved on this interpreter.
pub fn check(py: Python<'_>) -> std::result::Result<(), Unsupported> {
    static OUTCOME: Tested<()> = Tested::new();
    tested(py, CAPABILITY, &OUTCOME, || self_test(py)).map(|_| ())
}

/// Whether running calls can be moved on this interpreter.
pub fn check_running(py: Python<'_>) -> std::result::Result<(), Unsupported> {
    static OUTCOME: Tested<()> = Tested::new();
    check(py)?;
    tested(py, RUNNING, &OUTCOME, || running_self_test(py)).map(|_| ())
}

/// Moves a suspended generator, coroutine or async generator, or one that has not begun.
pub fn move_suspended(
    py: Python<'_>,
    generator: &Bound<'_, PyAny>,
    route: &Route<'_>,
) -> Result<Moved> {
    check(py)?;
    #[cfg(all(Py_3_11, not(Py_3_15)))]
    return Ok(relocate::move_generator(py, generator, route));
    #[cfg(not(Py_3_11))]
    return Ok(successor::move_generator(py, generator, route));
    #[cfg(Py_3_15)]
    {
        let _ = (generator, route);
        Ok(Moved::Refused(String::from("not on this version")))
    }
}

/// Whether a generator is on a stack now. None: that cannot be told on this interpreter.
pub fn runs(py: Python<'_>, generator: &Bound<'_, PyAny>) -> Option<bool> {
    check(py).ok()?;
    #[cfg(all(Py_3_11, not(Py_3_15)))]
    return frame::is_idle(generator).ok().map(|idle| !idle);
    #[cfg(not(Py_3_11))]
    return Some(frame_object::is_running(generator));
    #[cfg(Py_3_15)]
    {
        let _ = generator;
        None
    }
}

/// The function of a call in progress, where the layout of frames is known.
#[cfg(not(all(Py_3_11, not(Py_3_15))))]
pub fn called<'py>(
    _frame: &Bound<'py, pyo3::types::PyFrame>,
) -> Option<Bound<'py, pyo3::types::PyFunction>> {
    None
}

/// Makes room in generators where they can be moved.
#[cfg(not(all(Py_3_11, not(Py_3_15))))]
pub fn make_room(
    _namespace: &Bound<'_, pyo3::types::PyDict>,
    _module: &str,
    _body: Option<&Bound<'_, PyCode>>,
) -> PyResult<()> {
    Ok(())
}

/// Makes room in generators where they can be moved.
#[cfg(not(all(Py_3_11, not(Py_3_15))))]
pub fn make_room_in_new(_code: &Bound<'_, PyCode>) -> PyResult<()> {
    Ok(())
}

#[cfg(Py_3_15)]
fn self_test(_: Python<'_>) -> std::result::Result<(), String> {
    Err("hotswap moves suspended calls on CPython 3.9 to 3.14 only".to_string())
}

#[cfg(all(Py_3_11, not(Py_3_15)))]
use self_test::self_test;

#[cfg(not(Py_3_11))]
use self_test_of_blocks::{running_self_test, self_test};

#[cfg(Py_3_15)]
fn running_self_test(_: Python<'_>) -> std::result::Result<(), String> {
    Err("hotswap moves running calls on CPython 3.9 to 3.14 only".to_string())
}

#[cfg(all(Py_3_11, not(Py_3_15)))]
use self_test::running_self_test;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_moved_where_it_is_known_how() {
        Python::attach(|py| {
            let (suspended, running) = (check(py), check_running(py));
            assert_eq!(suspended.is_ok(), cfg!(not(Py_3_15)), "{suspended:?}");
            assert_eq!(running.is_ok(), cfg!(not(Py_3_15)), "{running:?}");
        });
    }
}
