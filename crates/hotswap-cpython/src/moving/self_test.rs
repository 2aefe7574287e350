//! Moves a loop and a generator of its own, after a look at frames whose state is known.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict};
use rustc_hash::FxHashMap;

use super::frame::{
    Frame, OWNED_BY_THREAD, WORD, data_stack, first_instruction, is_idle, size_before_frame,
};
use super::relocate::{move_generator, refused};
use super::slots::Slots;
use super::{Moved, Route, Target, watched, watching};
use crate::bytecode::Listing;
use crate::once::intern;
use crate::support::raised;

/// Looks at frames and moves a generator.
pub(super) fn self_test(py: Python<'_>) -> Result<(), String> {
    if crate::code::machine_code_is_on(py).map_err(raised)? {
        return refused(
            "the just-in-time compiler is on, whose traces know the frames they were made for",
        );
    }
    let namespace = programs(py)?;
    look_at_layout(py, &namespace)?;
    test_generator(py, &namespace)
}

/// Moves loops.
#[cfg(Py_3_12)]
pub(super) fn running_self_test(py: Python<'_>) -> Result<(), String> {
    let namespace = programs(py)?;
    test_loops(py, &namespace)
}

/// Moves loops, while the program's own functions that trace do not.
#[cfg(not(Py_3_12))]
pub(super) fn running_self_test(py: Python<'_>) -> Result<(), String> {
    let namespace = programs(py)?;
    super::thread_state::ThreadState::look(py)?;
    look_at_frame_object(py, &namespace)?;
    let state = super::thread_state::ThreadState::own(py);
    let (trace, profile) = (state.trace_function(), state.profile_function());
    let tracing = state.tracing();
    state.set_trace_function(None);
    state.set_profile_function(None);
    state.set_tracing(0);
    let tested = test_loops(py, &namespace);
    state.set_tracing(tracing);
    state.set_profile_function(profile);
    state.set_trace_function(trace);
    tested
}

/// Whether the field that asks for an event at each instruction is where it should be.
#[cfg(not(Py_3_12))]
fn look_at_frame_object(py: Python<'_>, namespace: &Bound<'_, PyDict>) -> Result<(), String> {
    let look = pyo3::wrap_pyfunction!(asks_for_instructions, py).map_err(raised)?;
    namespace.set_item("asks", look).map_err(raised)?;
    let source = c"
import sys
def asking(asks):
    frame = sys._getframe()
    seen = [asks(frame)]
    frame.f_trace_opcodes = True
    seen.append(asks(frame))
    frame.f_trace_opcodes = False
    seen.append(asks(frame))
    return seen == [0, 1, 0]
answer = asking(asks)
";
    py.run(source, Some(namespace), None).map_err(raised)?;
    let answer = namespace.as_any().get_item("answer").map_err(raised)?;
    match answer.is_truthy().map_err(raised)? {
        true => Ok(()),
        false => refused("the fields of a frame object are not where they should be"),
    }
}

#[cfg(not(Py_3_12))]
#[pyfunction]
fn asks_for_instructions(frame: &Bound<'_, PyAny>) -> i8 {
    // SAFETY: the self-test calls with a frame object.
    let field = unsafe { super::frame::traces_instructions(frame.as_ptr().cast()) };
    // SAFETY: frame objects are larger than this.
    unsafe { field.read() }
}

fn programs(py: Python<'_>) -> Result<Bound<'_, PyDict>, String> {
    let namespace = PyDict::new(py);
    let source = c"
def loop(things, out):
    for thing in things:
        out.append(('old', thing))
    return 'old'
def new_loop(things, out):
    more, first = 0, 0
    for thing in things:
        cell = thing
        out.append(('new', (lambda: cell)(), [out, (things, (out, things))] is out))
    return 'new'
def endless(things, out):
    while True:
        if not things:
            return 'old'
        out.append(('old', things.pop()))
def new_endless(things, out):
    more = 1
    while True:
        if not things:
            return 'new'
        (lambda: out.append(('new', things.pop())))()
def making(things):
    sum = 0
    while True:
        sum += 1
        if sum > 3:
            break
    yield ('old', (sum, (sum, (sum, (sum, sum, sum)))))
def new_making(things):
    sum = 0
    while True:
        if sum > 2:
            break
        sum += 2
    yield ('new', len(things) - 1, sum)
def generator(things):
    for thing in things:
        back = yield ('old', thing)
def self_seen():
    yield is_idle(itself)
def new_generator(things):
    for thing in things:
        back = yield ('new', thing)
";
    py.run(source, Some(&namespace), None).map_err(raised)?;
    Ok(namespace)
}

fn code_in<'py>(namespace: &Bound<'py, PyDict>, name: &str) -> PyResult<Bound<'py, PyCode>> {
    let py = namespace.py();
    let function = namespace.as_any().get_item(name)?;
    Ok(function.getattr(intern!(py, "__code__"))?.cast_into()?)
}

/// The offsets of the instructions of a name.
fn offsets(listing: &Listing, name: &str) -> Vec<u32> {
    let named = listing.instructions.iter().filter(|each| each.name == name);
    named.map(|each| each.offset).collect()
}

fn only(listing: &Listing, name: &str) -> Result<Target, String> {
    let [offset] = offsets(listing, name)[..] else {
        return refused(format!("there is not one {name} in the self-test's code"));
    };
    let depth = listing.depth(offset).ok_or("it is not reached")?;
    Ok(Target {
        offset,
        depth,
        needed: Vec::new(),
        given: std::sync::Arc::default(),
        blocks: Vec::new(),
    })
}

/// A loop that has more variables afterwards, one whose stack is empty, one in a generator.
fn test_loops(py: Python<'_>, namespace: &Bound<'_, PyDict>) -> Result<(), String> {
    test_loop(
        py,
        namespace,
        ("loop", "new_loop"),
        c"
out = []
result = loop(iter([1, 2, 3]), out)
answer = result == 'new' and out == [('old', 1), ('new', 2, False), ('new', 3, False)]
",
    )?;
    test_loop(
        py,
        namespace,
        ("endless", "new_endless"),
        c"
out = []
result = endless([1, 2, 3], out)
answer = result == 'new' and out == [('old', 3), ('new', 2), ('new', 1)]
",
    )?;
    test_loop(
        py,
        namespace,
        ("making", "new_making"),
        c"
answer = [*making([1, 2, 3])] == [('new', 2, 3)]
",
    )
}

/// Where the only loop of a code object jumps back to.
fn head(code: &Bound<'_, PyCode>) -> Result<Target, String> {
    let listing = Listing::of(code).map_err(raised)?;
    let back = listing.instructions.iter().rev().find_map(|each| {
        let target = each.target?;
        (each.name.contains("JUMP_BACKWARD") && target < each.offset).then_some(target)
    });
    let offset = back.ok_or("there is no loop in the self-test's code")?;
    let depth = listing.depth(offset).ok_or("it is not reached")?;
    Ok(Target {
        offset,
        depth,
        needed: Vec::new(),
        given: std::sync::Arc::default(),
        blocks: Vec::new(),
    })
}

fn test_loop(
    py: Python<'_>,
    namespace: &Bound<'_, PyDict>,
    (old, new): (&str, &str),
    program: &std::ffi::CStr,
) -> Result<(), String> {
    let old = code_in(namespace, old).map_err(raised)?;
    let new = code_in(namespace, new).map_err(raised)?;
    let (from, to) = (head(&old)?, head(&new)?);
    let route = Route {
        old: old.clone(),
        new,
        loops: [(from.offset, to)].into_iter().collect(),
        suspensions: FxHashMap::default(),
    };
    watching::watch(py, &route).map_err(|error| error.to_string())?;
    #[cfg(not(Py_3_12))]
    super::tracing::expect_own(py);
    let ran = py.run(program, Some(namespace), None);
    let armed = watched::armed(&old);
    watching::disarm(py, &old).map_err(|error| error.to_string())?;
    ran.map_err(raised)?;
    let answer = namespace.as_any().get_item("answer").map_err(raised)?;
    if !answer.is_truthy().map_err(raised)? {
        let refusal = armed.and_then(|armed| armed.refusal);
        return refused(format!(
            "a call did not go on in the new code{}",
            refusal.map_or(String::new(), |why| format!(": {why}"))
        ));
    }
    Ok(())
}

/// Reads a call whose state is known, before anything is written.
fn look_at_layout(py: Python<'_>, namespace: &Bound<'_, PyDict>) -> Result<(), String> {
    let look = pyo3::wrap_pyfunction!(look_at_caller, py).map_err(raised)?;
    namespace.set_item("look", look).map_err(raised)?;
    let source = c"
def looking(mark, look):
    for each in (mark,):
        return look(mark)
seen = looking(object(), look)
";
    py.run(source, Some(namespace), None).map_err(raised)?;
    let seen = namespace.as_any().get_item("seen").map_err(raised)?;
    let seen: String = seen.extract().map_err(raised)?;
    match seen.is_empty() {
        true => Ok(()),
        false => Err(seen),
    }
}

/// Which field of the caller's frame is not what it should be; empty if all are.
#[pyfunction]
fn look_at_caller(mark: &Bound<'_, PyAny>) -> String {
    let py = mark.py();
    // SAFETY: the lock is held; the reference is borrowed from the running frame.
    let object = unsafe { ffi::PyEval_GetFrame() };
    // SAFETY: null or a live frame object.
    let Some(held) = (unsafe { Bound::from_borrowed_ptr_or_opt(py, object.cast()) }) else {
        return "there is no frame".to_string();
    };
    let (field, limit) = data_stack();
    // SAFETY: a field of the state of the running thread.
    let top = unsafe { field.read() };
    // SAFETY: the object's call is in progress. What it refers to is used only after it was
    // found to lie at the end of the thread's stack.
    let frame = unsafe { Frame::of_object(object) };
    let distance = (top as usize).wrapping_sub(frame.slot(0) as usize) / WORD;
    if frame.address() == 0 || distance > 64 || top > limit {
        return "the frame is not where the thread's newest is".to_string();
    }
    let attribute = |name: &str| held.getattr(name).ok();
    let (code, globals) = (attribute("f_code"), attribute("f_globals"));
    let last: Option<isize> = attribute("f_lasti").and_then(|last| last.extract().ok());
    let is = |object: &Option<Bound<'_, PyAny>>, found: super::frame::Object| {
        object
            .as_ref()
            .is_some_and(|object| object.as_ptr() == found)
    };
    let size = code
        .as_ref()
        .and_then(|code| Slots::of(code.cast().ok()?).ok())
        .map_or(0, |slots| slots.size());
    let start = first_instruction(frame.code()) as isize;
    let right = [
        (is(&code, frame.code()), "code"),
        (is(&globals, frame.globals()), "globals"),
        (frame.frame_object() == object.cast(), "frame object"),
        (
            last == Some(frame.instruction() as isize - start),
            "instruction",
        ),
        // While a call is made the stack is a small one, or up to 3.13 not noted.
        (
            (if cfg!(Py_3_14) { 0 } else { -1 }..=16).contains(&frame.stack_top()),
            "stack",
        ),
        (frame.owner() == OWNED_BY_THREAD, "owner"),
        (
            frame.get_slot(0).object() == mark.as_ptr(),
            "first variable",
        ),
        (distance == size, "end"),
    ];
    let wrong = right.iter().find(|(right, _)| !right);
    wrong.map_or(String::new(), |(_, field)| {
        format!("the {field} of a frame is not where it should be")
    })
}

#[pyfunction]
fn generator_is_idle(generator: &Bound<'_, PyAny>) -> bool {
    is_idle(generator).unwrap_or(false)
}

fn test_generator(py: Python<'_>, namespace: &Bound<'_, PyDict>) -> Result<(), String> {
    let old = code_in(namespace, "generator").map_err(raised)?;
    let new = code_in(namespace, "new_generator").map_err(raised)?;
    let suspension = |code: &Bound<'_, PyCode>| -> Result<Target, String> {
        let listing = Listing::of(code).map_err(raised)?;
        let mut target = only(&listing, "YIELD_VALUE")?;
        // What is yielded has left the stack.
        target.depth -= 1;
        Ok(target)
    };
    let from = suspension(&old)?.offset;
    let route = Route {
        old,
        new: new.clone(),
        loops: FxHashMap::default(),
        suspensions: [(from, suspension(&new)?)].into_iter().collect(),
    };
    let source = c"
suspended = generator(iter([1, 2, 3]))
first = next(suspended)
";
    py.run(source, Some(namespace), None).map_err(raised)?;
    let generator = namespace.as_any().get_item("suspended").map_err(raised)?;
    let kinds = [
        std::ptr::addr_of_mut!(ffi::PyGen_Type),
        std::ptr::addr_of_mut!(ffi::PyCoro_Type),
        std::ptr::addr_of_mut!(ffi::PyAsyncGen_Type),
    ];
    let places = kinds.map(size_before_frame);
    if places.iter().any(|place| *place != places[0]) {
        return refused("generators and coroutines are not of one size");
    }
    if Frame::inside(&generator)?.code() != route.old.as_ptr() {
        return refused("the frame of a generator is not where it should be");
    }
    if let Moved::Refused(reason) = move_generator(py, &generator, &route) {
        return Err(reason);
    }
    let looking = pyo3::wrap_pyfunction!(generator_is_idle, py).map_err(raised)?;
    namespace.set_item("is_idle", looking).map_err(raised)?;
    let source = c"
answer = (first, *suspended) == (('old', 1), ('new', 2), ('new', 3))
itself = self_seen()
states = is_idle(itself), next(itself), is_idle(itself), next(itself, None), is_idle(itself)
answer = answer and states == (True, False, True, None, False)
del itself
";
    py.run(source, Some(namespace), None).map_err(raised)?;
    let answer = namespace.as_any().get_item("answer").map_err(raised)?;
    match answer.is_truthy().map_err(raised)? {
        true => Ok(()),
        false => refused("a generator did not go on in the new code"),
    }
}
