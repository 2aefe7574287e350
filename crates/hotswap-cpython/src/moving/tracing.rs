//! Watching old code through the trace functions of the threads that are inside it
//! (CPython 3.11).
//!
//! There is no event for the jumps of one code object. A trace function sees each line of a
//! thread; it is set only where a call is in watched code, and only until it is moved. A
//! program's own trace function is called as if nothing were, and stays where
//! `sys.gettrace` looks.
//!
//! After the function has returned, the interpreter goes on with the names and constants of
//! the old code, which it has at hand. It takes up those of a frame when a function returns
//! that the frame has called. Thus a move has three steps:
//!
//! 1. At the head of a loop the call gets a function on its stack, and goes on in code that
//!    calls it ([`Carrier`]).
//! 2. When this function returns, the call gets the new code, or its old one back.
//! 3. Before the first instruction there, what the function returned leaves the stack.
//!
//! Nothing else runs in this thread or another in between: the carrier and the function
//! contain no instruction at which a thread lets others on.

use std::ffi::{c_char, c_int};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCode, PyDict};
use rustc_hash::FxHashMap;

use super::frame::{
    Frame, OWNED_BY_GENERATOR, OWNED_BY_THREAD, Object, UNIT, data_stack, first_instruction,
    traces_instructions,
};
use super::relocate::{self, NO_ROOM, Room, Way, refused, relocate};
use super::thread_state::{ThreadState, TraceFunction};
use super::watched::{self, Watched};
use super::word::Word;
use super::{Moved, Route, Target, check_running, rooms, standing};
use crate::bytecode::Listing;
use crate::gate::{Evaluates, evaluator};
use crate::once::{Once, intern};
use crate::support::{CpythonError, Result, Unsupported, raised};

/// How long a thread is traced at first, and then each time somebody looks at it.
const AT_FIRST: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(200);
/// So many events are between two looks at the clock.
const EVENTS: u32 = 512;
/// More than the frame of the carrier's function takes, in words.
const CALLED: usize = 64;

/// A thread that is traced, or was until its time was up.
struct Followed {
    /// The trace function of the program.
    before: Option<TraceFunction>,
    /// The calls in watched code, by the address of the frame: the offset of the last line
    /// that began.
    frames: FxHashMap<usize, u32>,
    flight: Option<Flight>,
    /// It is traced although no call is known: one is about to begin.
    expects: bool,
    /// The same, because it may go on with a coroutine whose code is held.
    resumes: bool,
    since: Instant,
    until: Instant,
    events: u32,
}

/// A call between the first and the last step of a move.
#[derive(Clone)]
struct Flight {
    watched: Arc<Watched>,
    /// The place in the old code.
    from: u32,
    frame: usize,
    words: usize,
    /// Whether the program traces each instruction of it.
    instructions: c_char,
    profile: Option<TraceFunction>,
    /// The function has returned; what came of it.
    landed: Option<Moved>,
}

/// By the address of a thread's state. Locked for moments only, in which nothing of Python
/// runs.
static FOLLOWED: Mutex<Option<FxHashMap<usize, Followed>>> = Mutex::new(None);

fn with<R>(work: impl FnOnce(&mut FxHashMap<usize, Followed>) -> R) -> R {
    let mut all = FOLLOWED.lock().unwrap_or_else(PoisonError::into_inner);
    work(all.get_or_insert_with(FxHashMap::default))
}

fn is_ours(function: Option<TraceFunction>) -> bool {
    function.is_some_and(|function| function as usize == at_event as *const () as usize)
}

/// Code that calls a function, the function, and where the call is.
struct Carrier {
    code: Py<PyCode>,
    call: u32,
    function: Py<PyAny>,
    function_code: Py<PyCode>,
}

static CARRIER: Once<std::result::Result<Carrier, String>> = Once::new();

fn carrier(py: Python<'_>) -> std::result::Result<&'static Carrier, String> {
    let made = CARRIER.get_or_init(|| make_carrier(py).map_err(raised));
    made.as_ref().map_err(Clone::clone)
}

fn make_carrier(py: Python<'_>) -> PyResult<Carrier> {
    let namespace = PyDict::new(py);
    let source = c"
def carrier(function):
    function()
def function():
    pass
";
    py.run(source, Some(&namespace), None)?;
    let code_of = |name: &str| -> PyResult<Bound<'_, PyCode>> {
        let function = namespace.as_any().get_item(name)?;
        Ok(function.getattr(intern!(py, "__code__"))?.cast_into()?)
    };
    let place = |code: &Bound<'_, PyCode>, name: &str| -> PyResult<u32> {
        let listing = Listing::of(code)?;
        let found = listing.instructions.iter().find(|each| each.name == name);
        found.map(|each| each.offset).ok_or_else(|| {
            pyo3::exceptions::PyRuntimeError::new_err(format!("there is no {name} in a function"))
        })
    };
    let (code, plain) = (code_of("carrier")?, code_of("function")?);
    // As if it began in the middle of a `yield from`: there no thread lets others on.
    let resumed = 2;
    let at = place(&plain, "RESUME")? as usize + 1;
    let mut bytes = plain
        .getattr(intern!(py, "co_code"))?
        .extract::<Vec<u8>>()?;
    if let Some(argument) = bytes.get_mut(at) {
        *argument = resumed;
    }
    let changed = PyDict::new(py);
    changed.set_item("co_code", PyBytes::new(py, &bytes))?;
    let inner = plain.call_method(intern!(py, "replace"), (), Some(&changed))?;
    let function = namespace.as_any().get_item("function")?;
    function.setattr(intern!(py, "__code__"), &inner)?;
    Ok(Carrier {
        call: place(&code, "PRECALL")?,
        code: code.unbind(),
        function: function.unbind(),
        function_code: inner.cast_into::<PyCode>()?.unbind(),
    })
}

/// Lets calls that are in `route.old` go on in `route.new` when they next jump back in a
/// loop. A code object that is watched already gets another way.
pub fn arm(py: Python<'_>, route: &Route<'_>) -> Result<()> {
    check_running(py)?;
    watch(py, route)
}

pub(super) fn watch(py: Python<'_>, route: &Route<'_>) -> Result<()> {
    carrier(py).map_err(|reason| {
        CpythonError::Unsupported(Unsupported {
            capability: super::RUNNING,
            reason,
        })
    })?;
    watched::insert(Watched::of(route)?);
    follow(py)
}

/// Ends the watch over a code object; over the last one, no thread is traced any more.
pub fn disarm(py: Python<'_>, code: &Bound<'_, PyCode>) -> Result<()> {
    if watched::remove(code) == Some(true) {
        for state in ThreadState::all(py) {
            with(|all| {
                let Some(followed) = all.get_mut(&state.address()) else {
                    return;
                };
                followed.frames.clear();
                followed.expects = false;
                followed.resumes = false;
                // Who is in the middle of a move ends it first.
                if followed.flight.is_none() {
                    let before = followed.before;
                    all.remove(&state.address());
                    release(state, before);
                }
            });
        }
    }
    Ok(())
}

/// Gives the thread its own trace function back.
fn release(state: ThreadState, before: Option<TraceFunction>) {
    if is_ours(state.trace_function()) {
        state.set_trace_function(before);
    }
}

/// Looks which threads are inside watched code, and traces them.
pub fn follow(py: Python<'_>) -> Result<()> {
    let all = watched::all();
    let codes: Vec<usize> = all
        .iter()
        .filter(|each| !each.loops.is_empty())
        .map(|each| each.old.as_ptr() as usize)
        .collect();
    let mut inside: FxHashMap<u64, FxHashMap<usize, u32>> = FxHashMap::default();
    if !codes.is_empty() {
        crate::frames::for_each_frame(py, &mut |thread, held| {
            // SAFETY: a frame that is on the stack of a thread, while the lock is held.
            let frame = unsafe { Frame::of_object(held.as_ptr().cast()) };
            if codes.contains(&(frame.code() as usize))
                && let Some(offset) = frame.offset()
            {
                let frames = inside.entry(thread).or_default();
                frames.insert(frame.address(), offset);
            }
            Ok(())
        })?;
    }
    let resumes = all.iter().any(|each| {
        let code = each.old.bind(py);
        standing::is_held(code.as_ptr() as usize) && suspends(code)
    });
    let own = ThreadState::own(py).address();
    let now = Instant::now();
    let states = ThreadState::all(py);
    with(|followed| {
        followed.retain(|address, _| states.iter().any(|state| state.address() == *address));
        for state in states {
            let frames = inside.remove(&state.thread()).unwrap_or_default();
            let known = followed.contains_key(&state.address());
            let resumes = resumes && state.address() != own;
            if !known && !resumes && frames.is_empty() {
                continue;
            }
            let each = followed.entry(state.address()).or_insert(Followed {
                before: None,
                frames: FxHashMap::default(),
                flight: None,
                expects: false,
                resumes: false,
                since: now,
                until: now,
                events: 0,
            });
            each.until = now + AGAIN.max(AT_FIRST.saturating_sub(now - each.since));
            each.frames.retain(|frame, _| frames.contains_key(frame));
            for (frame, offset) in frames {
                each.frames.entry(frame).or_insert(offset);
            }
            each.resumes = resumes;
            if each.flight.is_some() || each.expects {
                continue;
            }
            if each.frames.is_empty() && !each.resumes {
                let before = each.before;
                followed.remove(&state.address());
                release(state, before);
            } else {
                take(state, each);
            }
        }
    });
    Ok(())
}

/// Whether code is that of a generator or coroutine.
fn suspends(code: &Bound<'_, PyCode>) -> bool {
    const SUSPENDS: u32 = 0x20 | 0x80 | 0x200;
    let flags = code.getattr(intern!(code.py(), "co_flags"));
    flags
        .and_then(|flags| flags.extract::<u32>())
        .is_ok_and(|flags| flags & SUSPENDS != 0)
}

/// Traces a thread, beside what traces it already.
fn take(state: ThreadState, followed: &mut Followed) {
    if !is_ours(state.trace_function()) {
        followed.before = state.trace_function();
        state.set_trace_function(Some(at_event));
    }
}

/// Traces this thread, where calls of watched code are about to begin.
pub(super) fn expect_own(py: Python<'_>) {
    let state = ThreadState::own(py);
    let now = Instant::now();
    with(|all| {
        let each = all.entry(state.address()).or_insert(Followed {
            before: None,
            frames: FxHashMap::default(),
            flight: None,
            expects: true,
            resumes: false,
            since: now,
            until: now + AT_FIRST,
            events: 0,
        });
        take(state, each);
    });
}

/// What becomes of an event.
enum Answer {
    /// The program does not hear of it.
    Keep,
    /// The program hears of it.
    Pass(Option<TraceFunction>),
    /// The program hears that a line begins, and then perhaps of the event.
    Line(Option<TraceFunction>, bool),
}

/// Called by the interpreter for each event of a traced thread.
unsafe extern "C" fn at_event(
    object: Object,
    frame: *mut ffi::PyFrameObject,
    what: c_int,
    argument: Object,
) -> c_int {
    let pass = |function: Option<TraceFunction>, what: c_int| match function {
        // SAFETY: the function that was set for this object, which the thread still has.
        Some(function) => unsafe { function(object, frame, what, argument) },
        None => 0,
    };
    // SAFETY: the interpreter calls in a thread that is attached.
    let py = unsafe { Python::assume_attached() };
    match answer(py, frame, what, argument) {
        Answer::Keep => 0,
        Answer::Pass(function) => pass(function, what),
        Answer::Line(function, more) => match pass(function, ffi::PyTrace_LINE) {
            0 if more => pass(function, what),
            outcome => outcome,
        },
    }
}

fn answer(
    py: Python<'_>,
    object: *mut ffi::PyFrameObject,
    what: c_int,
    argument: Object,
) -> Answer {
    let state = ThreadState::own(py);
    // SAFETY: the interpreter calls for a frame whose call is in progress.
    let frame = unsafe { Frame::of_object(object) };
    let Some((before, flight)) = with(|all| {
        let followed = all.get(&state.address())?;
        Some((followed.before, followed.flight.clone()))
    }) else {
        // Somebody has kept this function and set it again; nothing is watched.
        release(state, None);
        return Answer::Pass(None);
    };
    if let Some(flight) = flight {
        return in_flight(py, state, frame, (object, what, argument), before, flight);
    }
    let ends = with(|all| {
        let followed = all.get_mut(&state.address())?;
        let key = frame.address();
        match what {
            ffi::PyTrace_CALL if watched::at(frame.code() as usize).is_some() => {
                // A generator goes on where it was.
                followed.frames.insert(key, frame.offset().unwrap_or(0));
            }
            ffi::PyTrace_RETURN if followed.frames.remove(&key).is_some() => {
                followed.expects = false;
            }
            _ => {}
        }
        followed.events += 1;
        let late = followed.events % EVENTS == 0 && Instant::now() > followed.until;
        let idle = followed.frames.is_empty() && !followed.expects && !followed.resumes;
        if idle {
            all.remove(&state.address());
        }
        (idle || late).then_some(())
    });
    if ends.is_some() {
        release(state, before);
        return Answer::Pass(before);
    }
    if what != ffi::PyTrace_LINE {
        return Answer::Pass(before);
    }
    let Some(offset) = frame.offset() else {
        return Answer::Pass(before);
    };
    let last = with(|all| {
        let followed = all.get_mut(&state.address())?;
        let last = followed.frames.get_mut(&frame.address())?;
        Some(std::mem::replace(last, offset))
    });
    // A line that begins again behind one that stands below it: a loop has jumped back.
    if last.is_none_or(|last| last < offset) {
        return Answer::Pass(before);
    }
    let key = frame.code() as usize;
    let Some(mut watched) = watched::at(key) else {
        return Answer::Pass(before);
    };
    let Some(target) = watched.loops.get(&offset) else {
        return Answer::Pass(before);
    };
    if standing::is_held(key) {
        if !standing::is_asked(py, key, offset) {
            return Answer::Pass(before);
        }
        if let Err(reason) = rehearse(py, frame, &watched, target) {
            watched.note(Moved::Refused(reason));
            return Answer::Pass(before);
        }
        standing::stand(py, key, offset);
        let is_followed = with(|all| all.contains_key(&state.address()));
        if standing::is_held(key) || !is_followed {
            return Answer::Pass(before);
        }
        // The code may lead to another place by now.
        match watched::at(key) {
            Some(now) => watched = now,
            None => return Answer::Pass(before),
        }
    }
    let Some(target) = watched.loops.get(&offset) else {
        return Answer::Pass(before);
    };
    match take_off(py, state, frame, &watched, target) {
        Ok(Some(words)) => {
            // SAFETY: a live frame object.
            let field = unsafe { traces_instructions(object) };
            // SAFETY: the field of a live frame object, which the self-test has found.
            let instructions = unsafe { field.read() };
            let flight = Flight {
                watched: watched.clone(),
                from: offset,
                frame: frame.address(),
                words,
                instructions,
                profile: state.profile_function(),
                landed: None,
            };
            // A profile need not contain what nobody has written.
            state.set_profile_function(None);
            with(|all| {
                if let Some(followed) = all.get_mut(&state.address()) {
                    followed.flight = Some(flight);
                }
            });
            Answer::Keep
        }
        Ok(None) => Answer::Pass(before),
        Err(reason) => {
            watched.note(Moved::Refused(reason));
            Answer::Pass(before)
        }
    }
}

/// How many words a call takes on its way: the function and nothing below it; then what it
/// returns.
fn needed(watched: &Watched, depth: usize) -> usize {
    let (old, new) = (&watched.old_slots, &watched.new_slots);
    (old.names.len() + depth + 2).max(new.names.len() + depth + 1)
}

/// Whether the call whose loop begins a round could be moved.
fn rehearse(
    py: Python<'_>,
    frame: Frame,
    watched: &Watched,
    target: &Target,
) -> std::result::Result<(), String> {
    if evaluator::present() == Evaluates::Program {
        return refused("the program has an evaluator of frames of its own");
    }
    let room = match frame.owner() {
        OWNED_BY_THREAD => Room::Reserved(usize::MAX),
        OWNED_BY_GENERATOR => {
            let generator = frame.generator(py)?;
            let words = rooms::of(&generator, &watched.old_slots);
            if words < needed(watched, target.depth as usize) {
                return refused(NO_ROOM);
            }
            Room::Generator(words, generator)
        }
        _ => return refused("the call has no place of its own"),
    };
    // SAFETY: the frame is that of the current call and is in the old code, at the place that
    // the target stands for.
    unsafe { relocate::rehearse(py, frame, &Way::of(watched, target), &room) }
}

/// The first step: lets a call go on in the carrier. Ok(None): not now.
fn take_off(
    py: Python<'_>,
    state: ThreadState,
    frame: Frame,
    watched: &Watched,
    target: &Target,
) -> std::result::Result<Option<usize>, String> {
    let carrier = carrier(py)?;
    match evaluator::present() {
        Evaluates::Interpreter => {}
        // It goes in a moment.
        Evaluates::Gate => return Ok(None),
        Evaluates::Program => {
            return refused("the program has an evaluator of frames of its own");
        }
    }
    if state.calls_left() < 4 {
        return Ok(None);
    }
    let (old, new) = (&watched.old_slots, &watched.new_slots);
    let before = old.names.len();
    let depth = usize::try_from(frame.stack_top())
        .ok()
        .and_then(|top| top.checked_sub(before))
        .ok_or("its stack is not understood")?;
    if depth != target.depth as usize {
        return refused("what it holds on its stack is not what the new code expects there");
    }
    let needed = needed(watched, depth);
    let (field, limit) = data_stack();
    // SAFETY: a field of the state of the running thread.
    let top = unsafe { field.read() };
    let (words, new_top) = match frame.owner() {
        OWNED_BY_THREAD => {
            // An earlier move may have left room behind it, which is its own.
            if top < frame.slot(old.size()) {
                return refused("it is not at the end of the thread's stack");
            }
            let words = needed.max(new.size());
            (words, top.max(frame.slot(words)))
        }
        OWNED_BY_GENERATOR => {
            let words = rooms::of(&frame.generator(py)?, old);
            if words < needed.max(new.needed()) {
                return refused(NO_ROOM);
            }
            (words, top)
        }
        _ => return refused("the call has no place of its own"),
    };
    if new_top.wrapping_add(CALLED) > limit {
        return refused("the thread's stack has no room for the new code's variables here");
    }
    // SAFETY: a field of the state of the running thread, whose newest frame this is.
    unsafe { field.write(new_top) };
    let function = carrier.function.as_ptr();
    // SAFETY: alive for ever; the reference becomes the stack's.
    unsafe { ffi::Py_INCREF(function) };
    frame.set_slot(before + depth, Word::owning(std::ptr::null_mut()));
    frame.set_slot(before + depth + 1, Word::owning(function));
    frame.set_stack_top((before + depth + 2) as c_int);
    let code = carrier.code.as_ptr();
    // SAFETY: alive for ever; the reference becomes the frame's. That to the old code is
    // given back in the second step.
    unsafe { ffi::Py_INCREF(code) };
    frame.set_code(code);
    frame.set_instruction(first_instruction(code).wrapping_add((carrier.call / UNIT) as usize));
    Ok(Some(words))
}

/// An event in the middle of a move.
fn in_flight(
    py: Python<'_>,
    state: ThreadState,
    frame: Frame,
    (object, what, argument): (*mut ffi::PyFrameObject, c_int, Object),
    before: Option<TraceFunction>,
    flight: Flight,
) -> Answer {
    let called = carrier(py).is_ok_and(|carrier| frame.code() == carrier.function_code.as_ptr());
    if called {
        let caller = frame.caller();
        if what == ffi::PyTrace_RETURN
            && flight.landed.is_none()
            && let Some(caller) = caller.filter(|caller| caller.address() == flight.frame)
        {
            let outcome = land(py, caller, &flight, argument.is_null());
            ask_for_instructions(py, object);
            with(|all| {
                if let Some(flight) = all
                    .get_mut(&state.address())
                    .and_then(|followed| followed.flight.as_mut())
                {
                    flight.landed = Some(outcome);
                }
            });
        }
        return Answer::Keep;
    }
    if frame.address() != flight.frame {
        return Answer::Pass(before);
    }
    let Some(outcome) = flight.landed else {
        return Answer::Keep;
    };
    // The third step.
    // SAFETY: a live frame object.
    let field = unsafe { traces_instructions(object) };
    // SAFETY: its field, which gets back what it had.
    unsafe { field.write(flight.instructions) };
    state.set_profile_function(flight.profile);
    if let Ok(top) = usize::try_from(frame.stack_top())
        && let Some(top) = top.checked_sub(1)
        && let Ok(index) = c_int::try_from(top)
    {
        let returned = frame.get_slot(top);
        frame.set_stack_top(index);
        // SAFETY: what the function returned, which was the stack's: None.
        unsafe { returned.release() };
    }
    let moved = outcome == Moved::Done;
    flight.watched.note(outcome);
    let idle = with(|all| {
        let followed = all.get_mut(&state.address())?;
        followed.flight = None;
        followed.expects = false;
        match moved {
            true => followed.frames.remove(&flight.frame),
            // The line that begins now begins for the first time.
            false => followed.frames.insert(flight.frame, 0),
        };
        if followed.frames.is_empty() && !followed.resumes {
            all.remove(&state.address());
            return Some(());
        }
        None
    });
    if idle.is_some() {
        release(state, before);
    }
    match what {
        ffi::PyTrace_LINE => Answer::Pass(before),
        _ => Answer::Line(before, flight.instructions != 0),
    }
}

/// Has the interpreter call before the first instruction of the caller of a frame, which the
/// third step needs. The object of that frame may have gone with the move; the interpreter
/// then makes another, as large as the new code needs it.
fn ask_for_instructions(py: Python<'_>, called: *mut ffi::PyFrameObject) {
    // SAFETY: a live frame object; the call gives a new reference or null.
    let caller = unsafe { ffi::PyFrame_GetBack(called) };
    // SAFETY: the reference is ours; null becomes `None`.
    let Some(caller) = (unsafe { Bound::from_owned_ptr_or_opt(py, caller.cast()) }) else {
        drop(PyErr::take(py));
        return;
    };
    // SAFETY: a live frame object, which its call keeps alive.
    let field = unsafe { traces_instructions(caller.as_ptr().cast()) };
    // SAFETY: the field of a live frame object.
    unsafe { field.write(1) };
}

/// The second step: the call gets the new code, or back the old one.
fn land(py: Python<'_>, frame: Frame, flight: &Flight, raises: bool) -> Moved {
    let watched = &flight.watched;
    let (old, carrier) = (watched.old.as_ptr(), frame.code());
    let at = first_instruction(old).wrapping_add((flight.from / UNIT) as usize);
    frame.set_code(old);
    // SAFETY: the frame owned it, and others hold it.
    unsafe { ffi::Py_DECREF(carrier) };
    if raises {
        frame.set_instruction(at);
        return Moved::Refused("an exception has reached it".to_string());
    }
    // The interpreter goes on behind what it finds.
    frame.set_instruction(at.wrapping_sub(1));
    let Some(target) = watched.loops.get(&flight.from) else {
        return Moved::Refused("the new code has no place like the one it is at".to_string());
    };
    let way = Way::of(watched, target);
    let room = match frame.owner() {
        OWNED_BY_GENERATOR => match frame.generator(py) {
            Ok(generator) => Room::Generator(flight.words, generator),
            Err(reason) => return Moved::Refused(reason),
        },
        _ => Room::Reserved(flight.words),
    };
    let next = first_instruction(way.new).wrapping_add((target.offset / UNIT) as usize);
    // SAFETY: the frame is that of a call which waits for its function to return; it is in
    // the old code, at the place that the target stands for.
    match unsafe { relocate(py, frame, &way, &room, next.wrapping_sub(1)) } {
        Ok(()) => Moved::Done,
        Err(reason) => Moved::Refused(reason),
    }
}
