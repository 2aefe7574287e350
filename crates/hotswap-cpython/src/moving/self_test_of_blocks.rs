//! Moves calls of its own, after a look at a frame whose state is known (CPython 3.9 and
//! 3.10).

use std::ffi::CStr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict};
use rustc_hash::FxHashMap;

use super::frame_object::{Frame, code_of, frame_of, is_generator, is_running};
use super::slots::Slots;
use super::successor::{move_generator, refused};
use super::thread_state::ThreadState;
use super::{Moved, NOT_BEGUN, Route, Target, nested, watched};
use crate::bytecode::Listing;
use crate::once::intern;
use crate::support::raised;

const PROGRAMS: &CStr = c"
class Manager:
    def __init__(self, out):
        self.out = out
    def __enter__(self):
        return self
    def __exit__(self, *raised):
        self.out.append(raised[0])

def looking(mark, look):
    for each in (mark,):
        try:
            return look(mark)
        finally:
            each = None

def generator(things, out):
    with Manager(out):
        for thing in things:
            back = yield ('old', thing)

def new_generator(things, out):
    more, first = 1, 2
    with Manager(out):
        for thing in things:
            cell = thing
            back = yield ('new', (lambda: cell)(), back, [out, (things, (out, things))] is out)

def looked_at():
    yield is_idle(itself)

def loop(things, out):
    try:
        with Manager(out):
            for thing in things:
                out.append(('old', thing))
        return 'old'
    finally:
        out.append('old end')

def next_loop(things, out):
    more, first = 1, 2
    try:
        with Manager(out):
            for thing in things:
                cell = thing
                out.append(('next', (lambda: cell)(), [out, (things, (out, things))] is out))
        return 'next'
    finally:
        out.append('next end')

def last_loop(things, out):
    try:
        with Manager(out):
            for thing in things:
                out.append(('last', thing))
                if thing == 4:
                    return 'last'
    finally:
        out.append('last end')

def endless(things, out):
    while True:
        try:
            things.pop()
        except KeyError:
            out.append('old')

def new_endless(things, out):
    more = 1
    while True:
        (lambda: out.append(('new', things.pop())))()

def making(things):
    sum = 0
    while True:
        sum += 1
        if sum > 3:
            break
    yield ('old', (sum, (sum, (sum, (sum, sum, sum)))))
    yield ('old', sum)

def new_making(things):
    sum = 0
    while True:
        if sum > 2:
            break
        sum += 2
    yield ('new', len(things) - 1, sum)
    yield ('new', [out, (things, (out, things))][0] is out)

async def waiting(thing):
    return await thing

async def new_waiting(thing):
    more = await thing
    return await thing
";

/// Looks at frames and moves a generator, a coroutine and one that has not begun.
pub(super) fn self_test(py: Python<'_>) -> Result<(), String> {
    let namespace = PyDict::new(py);
    py.run(PROGRAMS, Some(&namespace), None).map_err(raised)?;
    look_at_layout(py, &namespace)?;
    move_suspended(py, &namespace)
}

/// Moves loops, while the program's own functions that trace do not.
pub(super) fn running_self_test(py: Python<'_>) -> Result<(), String> {
    let namespace = PyDict::new(py);
    py.run(PROGRAMS, Some(&namespace), None).map_err(raised)?;
    ThreadState::look(py)?;
    let state = ThreadState::own(py);
    let (trace, profile) = (state.trace_function(), state.profile_function());
    let tracing = state.tracing();
    state.set_trace_function(None);
    state.set_profile_function(None);
    state.set_tracing(0);
    let tested = move_loops(py, &namespace);
    state.set_tracing(tracing);
    state.set_profile_function(profile);
    state.set_trace_function(trace);
    tested
}

/// A loop inside a `with` and a `try`, twice; one that ends with an exception; one in a
/// generator.
fn move_loops(py: Python<'_>, namespace: &Bound<'_, PyDict>) -> Result<(), String> {
    move_loop(
        py,
        namespace,
        &["loop", "next_loop", "last_loop"],
        c"
out = []
result = loop(iter([1, 2, 3, 4, 5]), out)
answer = result == 'last' and out == [('old', 1), ('next', 2, False), ('last', 3), ('last', 4), None, 'last end']
",
    )?;
    move_loop(
        py,
        namespace,
        &["endless", "new_endless"],
        c"
out = []
try:
    endless({1, 2, 3}, out)
except KeyError as error:
    names, entry = [], error.__traceback__.tb_next
    while entry is not None:
        names.append(entry.tb_frame.f_code.co_name)
        entry = entry.tb_next
    answer = out == [('new', 2), ('new', 3)] and names == ['new_endless', '<lambda>']
",
    )?;
    move_loop(
        py,
        namespace,
        &["making", "new_making"],
        c"
answer = [*making([1, 2, 3])] == [('new', 2, 3), ('new', True)]
",
    )
}

/// Where the only loop of a code object jumps back to.
fn head(code: &Bound<'_, PyCode>) -> Result<Target, String> {
    let listing = Listing::of(code).map_err(raised)?;
    let back = listing.instructions.iter().rev().find_map(|each| {
        let target = each.target?;
        (target < each.offset).then_some(target)
    });
    target(
        &listing,
        back.ok_or("there is no loop in the self-test's code")?,
        0,
    )
}

/// Lets a call go through the codes of these names, from loop to loop.
fn move_loop(
    py: Python<'_>,
    namespace: &Bound<'_, PyDict>,
    names: &[&str],
    program: &CStr,
) -> Result<(), String> {
    let mut codes = Vec::new();
    for name in names {
        codes.push(code_in(namespace, name).map_err(raised)?);
    }
    for pair in codes.windows(2) {
        let (from, to) = (head(&pair[0])?, head(&pair[1])?);
        let route = Route {
            old: pair[0].clone(),
            new: pair[1].clone(),
            loops: [(from.offset, to)].into_iter().collect(),
            suspensions: FxHashMap::default(),
        };
        nested::watch(py, &route).map_err(|error| error.to_string())?;
    }
    nested::expect_own(py);
    namespace.set_item("answer", false).map_err(raised)?;
    let ran = py.run(program, Some(namespace), None);
    let armed = watched::armed(&codes[0]);
    for code in &codes {
        nested::disarm(py, code).map_err(|error| error.to_string())?;
    }
    ran.map_err(raised)?;
    let answer = namespace.as_any().get_item("answer").map_err(raised)?;
    if answer.is_truthy().map_err(raised)? {
        return Ok(());
    }
    let refusal = armed.and_then(|armed| armed.refusal);
    refused(format!(
        "a call did not go on in the new code{}",
        refusal.map_or(String::new(), |why| format!(": {why}"))
    ))
}

fn code_in<'py>(namespace: &Bound<'py, PyDict>, name: &str) -> PyResult<Bound<'py, PyCode>> {
    let py = namespace.py();
    let function = namespace.as_any().get_item(name)?;
    Ok(function.getattr(intern!(py, "__code__"))?.cast_into()?)
}

/// Reads a call whose state is known, before anything is written.
fn look_at_layout(py: Python<'_>, namespace: &Bound<'_, PyDict>) -> Result<(), String> {
    let look = pyo3::wrap_pyfunction!(look_at_caller, py).map_err(raised)?;
    namespace.set_item("look", look).map_err(raised)?;
    let source = c"seen = looking(object(), look)";
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
    // SAFETY: the object's call is in progress.
    let frame = unsafe { Frame::of_object(object) };
    let attribute = |name: &str| held.getattr(name).ok();
    let is = |name: &str, found: super::frame_object::Object| {
        attribute(name).is_some_and(|object| match object.is_none() {
            true => found.is_null(),
            false => object.as_ptr() == found,
        })
    };
    let last: Option<i64> = attribute("f_lasti").and_then(|last| last.extract().ok());
    let code = attribute("f_code").and_then(|code| code.cast_into::<PyCode>().ok());
    let slots = code.as_ref().and_then(|code| Slots::of(code).ok());
    let count = slots.map_or(usize::MAX, |slots| slots.names.len());
    // The handler is the last thing in the code.
    let blocks = frame.blocks();
    let listing = code.as_ref().and_then(|code| Listing::of(code).ok());
    let begun = listing.and_then(|listing| {
        let all = &listing.instructions;
        let setup = all.iter().find(|each| each.name == "SETUP_FINALLY")?;
        Some((setup.target?, listing.depth(setup.offset)?))
    });
    let right = [
        (is("f_code", frame.code()), "code"),
        (is("f_globals", frame.globals()), "globals"),
        (is("f_back", frame.caller()), "caller"),
        (
            last.and_then(|last| u32::try_from(last).ok()) == frame.last(),
            "instruction",
        ),
        (frame.generator().is_null(), "generator"),
        (frame.locals().is_null(), "namespace"),
        (frame.tracing().1 == 1 && frame.tracing().2 == 0, "tracing"),
        (frame.stack() == frame.slot(count), "stack"),
        (frame.get_slot(0) == mark.as_ptr(), "first variable"),
        (
            begun.is_some_and(|(handler, depth)| {
                blocks.len() == 1
                    && blocks[0].kind == 122
                    && blocks[0].handler == super::frame_object::counted(handler)
                    && u32::try_from(blocks[0].level) == Ok(depth)
            }),
            "blocks",
        ),
    ];
    let wrong = right.iter().find(|(right, _)| !right);
    wrong.map_or(String::new(), |(_, field)| {
        format!("the {field} of a frame is not where it should be")
    })
}

#[pyfunction]
fn generator_is_idle(generator: &Bound<'_, PyAny>) -> bool {
    let object = generator.as_ptr();
    is_generator(generator)
        && !is_running(generator)
        && frame_of(object).is_some_and(Frame::is_idle)
}

/// The offsets of the instructions of a name.
fn offsets(listing: &Listing, name: &str) -> Vec<u32> {
    let named = listing.instructions.iter().filter(|each| each.name == name);
    named.map(|each| each.offset).collect()
}

fn target(listing: &Listing, offset: u32, taken: u32) -> Result<Target, String> {
    let depth = listing
        .depth(offset)
        .and_then(|depth| depth.checked_sub(taken));
    Ok(Target {
        offset,
        depth: depth.ok_or("a place in the self-test's code is not reached")?,
        needed: Vec::new(),
        given: std::sync::Arc::default(),
        blocks: listing.blocks(offset).ok_or("its blocks are not known")?,
    })
}

/// The way from the first instruction of a name to the one of that name in the new code.
fn suspensions<'py>(
    namespace: &Bound<'py, PyDict>,
    (old, new): (&str, &str),
    name: &str,
) -> Result<Route<'py>, String> {
    let old = code_in(namespace, old).map_err(raised)?;
    let new = code_in(namespace, new).map_err(raised)?;
    let (before, after) = (
        Listing::of(&old).map_err(raised)?,
        Listing::of(&new).map_err(raised)?,
    );
    let mut suspensions = FxHashMap::default();
    if let (Some(here), Some(there)) = (
        offsets(&before, name).first(),
        offsets(&after, name).first(),
    ) {
        // What is yielded has left the stack.
        suspensions.insert(*here, target(&after, *there, 1)?);
    }
    let start = Target {
        offset: NOT_BEGUN,
        depth: 0,
        needed: Vec::new(),
        given: std::sync::Arc::default(),
        blocks: Vec::new(),
    };
    suspensions.insert(NOT_BEGUN, start);
    Ok(Route {
        old,
        new,
        loops: FxHashMap::default(),
        suspensions,
    })
}

fn move_suspended(py: Python<'_>, namespace: &Bound<'_, PyDict>) -> Result<(), String> {
    let source = c"
out = []
suspended = generator(iter([1, 2, 3]), out)
first = next(suspended)
unbegun = generator(iter([4]), out)
class Wait:
    def __await__(self):
        return (yield 'waits')
waits = waiting(Wait())
waits.send(None)
";
    py.run(source, Some(namespace), None).map_err(raised)?;
    let by_yield = suspensions(namespace, ("generator", "new_generator"), "YIELD_VALUE")?;
    let by_await = suspensions(namespace, ("waiting", "new_waiting"), "YIELD_FROM")?;
    let moves = [
        ("suspended", &by_yield),
        ("unbegun", &by_yield),
        ("waits", &by_await),
    ];
    for (name, route) in moves {
        let generator = namespace.as_any().get_item(name).map_err(raised)?;
        let frame = frame_of(generator.as_ptr()).ok_or("a generator has no frame")?;
        if code_of(generator.as_ptr()) != route.old.as_ptr()
            || frame.code() != route.old.as_ptr()
            || frame.generator() != generator.as_ptr()
        {
            return refused("the fields of a generator are not where they should be");
        }
        if let Moved::Refused(reason) = move_generator(py, &generator, route) {
            return Err(reason);
        }
    }
    let looking = pyo3::wrap_pyfunction!(generator_is_idle, py).map_err(raised)?;
    namespace.set_item("is_idle", looking).map_err(raised)?;
    let source = c"
answer = (first, *suspended) == (('old', 1), ('new', 2, None, False), ('new', 3, None, False))
answer = answer and out == [None]
try:
    next(unbegun)
    answer = False
except UnboundLocalError:
    answer = answer and out == [None, UnboundLocalError]
try:
    answer = answer and waits.send('got') == 'waits' and waits.send('more')
    answer = False
except StopIteration as stop:
    answer = answer and stop.value == 'more'
itself = looked_at()
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
