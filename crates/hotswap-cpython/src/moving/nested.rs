//! Watching old code through the trace functions of the threads that are inside it, and
//! going on in another frame (CPython 3.9 and 3.10).
//!
//! There is no event for the jumps of one code object. A trace function sees each line of a
//! thread; it is set only where a call is in watched code, and only until it is moved. A
//! program's own trace function is called as if nothing were, and stays where
//! `sys.gettrace` looks.
//!
//! The interpreter has the code and the variables of a call at hand and takes up no others.
//! So the call gets another frame (`successor`), and this frame is run by the trace function
//! itself, in the place of the old one: its caller is the caller of the old one, and it is
//! the frame of the generator if there is one. When it has ended, or has suspended the
//! generator, the old frame, which is empty, returns what the new one gave: for the length
//! of one instruction, in which nothing else runs, a `return` stands where it is. An
//! exception leaves it there too, past all handlers and without a line in the traceback.
//!
//! A call that is moved again would be one deeper in the stack of C each time. Instead the
//! frame that was run returns, and its successor is run in its place ([`RUNS`]).

use std::ffi::{c_char, c_int, c_void};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCode};
use rustc_hash::FxHashMap;

use super::frame_object::{Frame, Object, frame_of, replace_code_of, set_frame_of};
use super::successor::{Way, forget_variables, hand_over, make, refused};
use super::thread_state::{ThreadState, TraceFunction};
use super::watched::{self, Watched};
use super::{Moved, Route, Target, check_running, standing};
use crate::once::intern;
use crate::support::Result;

/// How long a thread is traced at first, and then each time somebody looks at it.
const AT_FIRST: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(200);
/// So many events are between two looks at the clock.
const EVENTS: u32 = 512;
/// `RETURN_VALUE` (`Include/opcode.h`), as an instruction without an argument.
const RETURN: [u8; 2] = [83, 0];

unsafe extern "C-unwind" {
    fn _PyEval_EvalFrameDefault(
        thread: *mut c_void,
        frame: *mut c_void,
        throws: c_int,
    ) -> *mut ffi::PyObject;
    fn _PyInterpreterState_GetEvalFrameFunc(
        interpreter: *mut ffi::PyInterpreterState,
    ) -> *const c_void;
}

/// A thread that is traced, or was until its time was up.
struct Followed {
    /// The trace function of the program.
    before: Option<TraceFunction>,
    /// The calls in watched code, by the address of the frame: the offset of the last line
    /// that began, or -1.
    frames: FxHashMap<usize, i64>,
    /// It is traced although no call is known: one is about to begin.
    expects: bool,
    /// The same, because it may go on with a coroutine whose code is held.
    resumes: bool,
    /// A new frame that has not come to its first instruction.
    start: Option<Start>,
    /// A frame that is about to return.
    leaving: Option<Leaving>,
    since: Instant,
    until: Instant,
    events: u32,
}

impl Followed {
    fn new(time: Duration) -> Followed {
        let now = Instant::now();
        Followed {
            before: None,
            frames: FxHashMap::default(),
            expects: false,
            resumes: false,
            start: None,
            leaving: None,
            since: now,
            until: now + time,
            events: 0,
        }
    }

    fn is_idle(&self) -> bool {
        self.frames.is_empty()
            && !(self.expects || self.resumes)
            && self.start.is_none()
            && self.leaving.is_none()
    }
}

#[derive(Clone, Copy)]
struct Start {
    frame: usize,
    /// Whether the program traces each instruction of it.
    instructions: c_char,
    /// It heard of the line.
    told: bool,
}

struct Leaving {
    frame: usize,
    /// The instruction in whose place the return stands, and where.
    instruction: [u8; 2],
    place: usize,
    how: How,
}

/// How an old frame ends.
enum How {
    /// With the value on its stack.
    Returns,
    /// With this exception: its type, its value and its traceback.
    Raises([usize; 3]),
    /// Its generator is suspended, and yields the value on its stack.
    Suspends,
}

/// By the address of a thread's state. Locked for moments only, in which nothing of Python
/// runs; so are the other tables here.
static FOLLOWED: Mutex<Option<FxHashMap<usize, Followed>>> = Mutex::new(None);

/// Frames that are run by a trace function here, and the frame that comes in the place of
/// each; by their addresses.
static RUNS: Mutex<Option<FxHashMap<usize, Option<usize>>>> = Mutex::new(None);

/// The profile functions of threads, while a call or a return is kept from them.
static PROFILES: Mutex<Option<FxHashMap<usize, TraceFunction>>> = Mutex::new(None);

/// Frames of generators that were exchanged while they ran: who resumed the generator still
/// looks at them once. They are empty.
static LATER: Mutex<Vec<usize>> = Mutex::new(Vec::new());

fn locked<K, V, R>(
    table: &Mutex<Option<FxHashMap<K, V>>>,
    work: impl FnOnce(&mut FxHashMap<K, V>) -> R,
) -> R {
    let mut all = table.lock().unwrap_or_else(PoisonError::into_inner);
    work(all.get_or_insert_with(FxHashMap::default))
}

fn with<R>(work: impl FnOnce(&mut FxHashMap<usize, Followed>) -> R) -> R {
    locked(&FOLLOWED, work)
}

fn is_ours(function: Option<TraceFunction>) -> bool {
    function.is_some_and(|function| function as usize == at_event as *const () as usize)
}

/// Lets calls that are in `route.old` go on in `route.new` when they next jump back in a
/// loop. A code object that is watched already gets another way.
pub fn arm(py: Python<'_>, route: &Route<'_>) -> Result<()> {
    check_running(py)?;
    watch(py, route)
}

pub(super) fn watch(py: Python<'_>, route: &Route<'_>) -> Result<()> {
    watched::insert(Watched::of(route)?);
    look(py, true)
}

/// Ends the watch over a code object; over the last one, no thread is traced any more.
pub fn disarm(py: Python<'_>, code: &Bound<'_, PyCode>) -> Result<()> {
    if watched::remove(code) == Some(true) {
        for state in ThreadState::all(py) {
            let before = with(|all| {
                let followed = all.get_mut(&state.address())?;
                followed.frames.clear();
                followed.expects = false;
                followed.resumes = false;
                // Who is in the middle of a move ends it first.
                let idle = followed.is_idle();
                idle.then(|| all.remove(&state.address()))?
            });
            if let Some(before) = before {
                release(state, before.before);
            }
        }
    }
    drop_later(py);
    Ok(())
}

/// Gives the thread its own trace function back.
fn release(state: ThreadState, before: Option<TraceFunction>) {
    if is_ours(state.trace_function()) {
        state.set_trace_function(before);
    }
}

/// Drops the empty frames of generators that nobody looks at any more.
fn drop_later(py: Python<'_>) {
    let mut frames = {
        let mut all = LATER.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *all)
    };
    let mut kept = Vec::new();
    for address in frames.drain(..) {
        // SAFETY: this holds the reference to it.
        let frame = unsafe { Frame::of_object(address as *mut _) };
        // Its caller is forgotten when the generator has given its value.
        match frame.caller().is_null() {
            // SAFETY: the reference is given back.
            true => drop(unsafe { Bound::from_owned_ptr(py, frame.object()) }),
            false => kept.push(address),
        }
    }
    if !kept.is_empty() {
        let mut all = LATER.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(kept);
    }
}

/// Looks which threads are inside watched code, and traces them.
pub fn follow(py: Python<'_>) -> Result<()> {
    look(py, false)
}

/// `first` says that code has been edited just now.
fn look(py: Python<'_>, first: bool) -> Result<()> {
    let all = watched::all();
    let codes: Vec<usize> = all
        .iter()
        .filter(|each| !each.loops.is_empty())
        .map(|each| each.old.as_ptr() as usize)
        .collect();
    let mut inside: FxHashMap<u64, FxHashMap<usize, i64>> = FxHashMap::default();
    if !codes.is_empty() {
        crate::frames::for_each_frame(py, &mut |thread, held| {
            // SAFETY: a frame that is on the stack of a thread, while the lock is held.
            let frame = unsafe { Frame::of_object(held.as_ptr().cast()) };
            if codes.contains(&(frame.code() as usize)) {
                let frames = inside.entry(thread).or_default();
                frames.insert(frame.address(), last(frame));
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
            let resumes = resumes && state.address() != own;
            if !followed.contains_key(&state.address()) && !resumes && frames.is_empty() {
                continue;
            }
            let each = followed
                .entry(state.address())
                .or_insert_with(|| Followed::new(AT_FIRST));
            if first {
                each.since = now;
            }
            each.until = now + AGAIN.max(AT_FIRST.saturating_sub(now - each.since));
            each.frames.retain(|frame, _| frames.contains_key(frame));
            for (frame, offset) in frames {
                each.frames.entry(frame).or_insert(offset);
            }
            each.resumes = resumes;
            if each.is_idle() {
                let before = each.before;
                followed.remove(&state.address());
                release(state, before);
            } else {
                take(state, each);
            }
        }
    });
    drop_later(py);
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
    with(|all| {
        let each = all
            .entry(state.address())
            .or_insert_with(|| Followed::new(AT_FIRST));
        each.expects = true;
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
    /// The frame ends with an exception, which is set.
    Raise,
    /// The call goes on in this frame, which is run here.
    Run(Object),
}

/// Called by the interpreter for each event of a traced thread. The end of a thread may
/// unwind through it: where frames are run no value has a destructor.
unsafe extern "C-unwind" fn at_event(
    object: Object,
    frame: *mut ffi::PyFrameObject,
    what: c_int,
    argument: Object,
) -> c_int {
    // SAFETY: the interpreter calls in a thread that is attached.
    let py = unsafe { Python::assume_attached() };
    match answer(py, frame, what) {
        Answer::Keep => 0,
        Answer::Raise => -1,
        Answer::Pass(None) | Answer::Line(None, _) => 0,
        // SAFETY: the function that was set for this object, which the thread still has.
        Answer::Pass(Some(function)) => unsafe { function(object, frame, what, argument) },
        Answer::Line(Some(function), more) => {
            let none = py.None();
            // SAFETY: as above; a line has no argument.
            let outcome = unsafe { function(object, frame, ffi::PyTrace_LINE, none.as_ptr()) };
            // Nothing is left to be dropped where a frame is run.
            drop(none);
            match outcome {
                // SAFETY: as above.
                0 if more => unsafe { function(object, frame, what, argument) },
                outcome => outcome,
            }
        }
        Answer::Run(first) => {
            let (mut run, mut result);
            run = first;
            loop {
                result = run_frame(py, frame, run);
                match successor_of(py, run, result) {
                    Some(next) => run = next,
                    None => break,
                }
            }
            leave_with(py, frame, run, result);
            0
        }
    }
}

/// Runs a frame in the place of another one. No value here has a destructor.
fn run_frame(py: Python<'_>, old: *mut ffi::PyFrameObject, frame: Object) -> Object {
    let state = ThreadState::own(py);
    // SAFETY: a live frame.
    let caller = unsafe { Frame::of_object(frame.cast()) }.caller();
    let tracing = state.tracing();
    state.set_frame(caller);
    state.go_deeper(-1);
    state.set_tracing(0);
    // SAFETY: this thread, and a frame that is whole and has not been run (see `begin`); an
    // exception is not set where the interpreter begins a line.
    let result = unsafe { _PyEval_EvalFrameDefault(state.pointer(), frame.cast(), 0) };
    state.set_tracing(tracing);
    state.go_deeper(1);
    state.set_frame(old.cast());
    result
}

/// The frame that comes in the place of one that was run.
fn successor_of(py: Python<'_>, run: Object, result: Object) -> Option<Object> {
    let next = locked(&RUNS, |all| all.remove(&(run as usize)).flatten())?;
    locked(&RUNS, |all| all.insert(next, None));
    keep_from_profile(ThreadState::own(py));
    // It has returned nothing, and holds nothing any more.
    // SAFETY: the references were ours.
    drop(unsafe { Bound::from_owned_ptr_or_opt(py, result) });
    // SAFETY: as above.
    drop(unsafe { Bound::from_owned_ptr_or_opt(py, run) });
    Some(next as Object)
}

/// The old frame ends as the one that was run has.
fn leave_with(py: Python<'_>, old: *mut ffi::PyFrameObject, run: Object, result: Object) {
    // SAFETY: the interpreter is about to go on in it.
    let frame = unsafe { Frame::of_object(old) };
    // SAFETY: the reference was ours, of which nobody has taken another.
    let run = unsafe { Bound::from_owned_ptr(py, run) };
    // SAFETY: it lives as long as the reference.
    let last = unsafe { Frame::of_object(run.as_ptr().cast()) };
    // SAFETY: a new reference, or null with an exception.
    let result = unsafe { Bound::from_owned_ptr_or_opt(py, result) };
    let generator = last.generator();
    let how = match result {
        Some(value) => {
            let suspends = !generator.is_null() && last.is_idle();
            push(frame, value);
            match suspends {
                true => How::Suspends,
                false => How::Returns,
            }
        }
        None => {
            let how = How::Raises(take_exception());
            push(frame, py.None().into_bound(py));
            how
        }
    };
    if !generator.is_null() {
        if matches!(how, How::Suspends) {
            let caller = last.caller();
            last.set_caller(std::ptr::null_mut());
            // SAFETY: the frame owned it.
            drop(unsafe { Bound::from_owned_ptr_or_opt(py, caller) });
            // Who has resumed the generator looks at the old frame, which it owned.
            let mut later = LATER.lock().unwrap_or_else(PoisonError::into_inner);
            later.push(frame.address());
        } else {
            // Who has resumed it takes its frame away, and means the old one.
            last.set_generator(std::ptr::null_mut());
            frame.set_generator(generator);
            set_frame_of(generator, frame.object());
            // SAFETY: the generator owned it; `run` is another reference.
            drop(unsafe { Bound::from_owned_ptr(py, run.as_ptr()) });
        }
    }
    leave(py, frame, how);
}

/// The exception that is set, as it is: it may be without a value.
fn take_exception() -> [usize; 3] {
    let mut parts: [Object; 3] = [std::ptr::null_mut(); 3];
    let [kind, value, traceback] = &mut parts;
    // SAFETY: this thread is attached; three places for references that become ours.
    unsafe { ffi::PyErr_Fetch(kind, value, traceback) };
    parts.map(|part| part as usize)
}

/// Puts a value on the empty stack of a frame.
fn push(frame: Frame, value: Bound<'_, PyAny>) {
    // SAFETY: a frame has room for one value more than its code says.
    unsafe { frame.stack().write(value.into_ptr()) };
    frame.set_depth(1);
}

/// Has an empty frame with a value on its stack return in the next instruction.
fn leave(py: Python<'_>, frame: Frame, how: How) {
    let state = ThreadState::own(py);
    let Some(place) = instruction(py, frame) else {
        // `begin` has asked before.
        return;
    };
    // SAFETY: the two bytes of the instruction that comes next, in a code object that the
    // frame keeps alive; whoever else runs it does so when they are back.
    let instruction = unsafe { place.read() };
    // SAFETY: the same.
    unsafe { place.write(RETURN) };
    with(|all| {
        let each = all
            .entry(state.address())
            .or_insert_with(|| Followed::new(Duration::ZERO));
        each.leaving = Some(Leaving {
            frame: frame.address(),
            instruction,
            place: place as usize,
            how,
        });
        take(state, each);
    });
}

/// The instruction that a frame is about to run.
fn instruction(py: Python<'_>, frame: Frame) -> Option<*mut [u8; 2]> {
    // SAFETY: a live frame refers to its code.
    let code = unsafe { Bound::from_borrowed_ptr_or_opt(py, frame.code()) }?;
    let bytes = code.getattr(intern!(py, "co_code")).ok()?;
    let bytes = bytes.cast_into::<PyBytes>().ok()?;
    let at = usize::try_from(frame.last()?).ok()?;
    let two = bytes.as_bytes().get(at..at + RETURN.len())?;
    Some(two.as_ptr().cast_mut().cast())
}

fn answer(py: Python<'_>, object: *mut ffi::PyFrameObject, what: c_int) -> Answer {
    let state = ThreadState::own(py);
    // SAFETY: the interpreter calls for a frame whose call is in progress.
    let frame = unsafe { Frame::of_object(object) };
    let key = frame.address();
    let Some((before, leaving, start)) = with(|all| {
        let followed = all.get_mut(&state.address())?;
        let mut leaving = None;
        if followed.leaving.as_ref().is_some_and(|it| it.frame == key) {
            // Before its return it may be told of the instruction.
            match what {
                ffi::PyTrace_RETURN => leaving = followed.leaving.take(),
                _ => return Some((None, None, None)),
            }
        }
        let start = followed.start.filter(|start| start.frame == key);
        Some((Some(followed.before), leaving, start))
    }) else {
        // Somebody has kept this function and set it again; nothing is watched.
        release(state, None);
        return Answer::Pass(None);
    };
    let Some(before) = before else {
        return Answer::Keep;
    };
    if let Some(leaving) = leaving {
        return left(state, frame, before, leaving);
    }
    if let Some(start) = start {
        return started(state, frame, what, before, start);
    }
    let ends = with(|all| {
        let followed = all.get_mut(&state.address())?;
        match what {
            ffi::PyTrace_CALL if watched::at(frame.code() as usize).is_some() => {
                // A generator goes on where it was.
                followed.frames.insert(key, last(frame));
            }
            // A generator that is suspended may be resumed at once.
            ffi::PyTrace_RETURN if !frame.yields() && followed.frames.remove(&key).is_some() => {
                followed.expects = false;
            }
            _ => {}
        }
        followed.events += 1;
        let late = followed.events % EVENTS == 0 && Instant::now() > followed.until;
        let idle = followed.is_idle();
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
    let code = frame.code() as usize;
    let (Some(mut watched), Some(offset)) = (watched::at(code), frame.last()) else {
        return Answer::Pass(before);
    };
    let last = with(|all| {
        let followed = all.get_mut(&state.address())?;
        followed.frames.insert(key, i64::from(offset))
    });
    // A line that begins again behind one that stands below it: a loop has jumped back.
    if last.is_none_or(|last| last < i64::from(offset)) {
        return Answer::Pass(before);
    }
    let Some(target) = watched.loops.get(&offset) else {
        return Answer::Pass(before);
    };
    if standing::is_held(code) {
        if !standing::is_asked(py, code, offset) {
            return Answer::Pass(before);
        }
        if let Err(reason) = rehearse(py, frame, &watched, target) {
            watched.note(Moved::Refused(reason));
            return Answer::Pass(before);
        }
        standing::stand(py, code, offset);
        let is_followed = with(|all| all.contains_key(&state.address()));
        if standing::is_held(code) || !is_followed {
            return Answer::Pass(before);
        }
        // The code may lead to another place by now.
        match watched::at(code) {
            Some(now) => watched = now,
            None => return Answer::Pass(before),
        }
    }
    let Some(target) = watched.loops.get(&offset) else {
        return Answer::Pass(before);
    };
    match begin(py, state, frame, &watched, target) {
        Ok(answer) => {
            watched.note(Moved::Done);
            answer
        }
        Err(reason) => {
            watched.note(Moved::Refused(reason));
            Answer::Pass(before)
        }
    }
}

/// The offset of the instruction that ran last, or -1.
fn last(frame: Frame) -> i64 {
    frame.last().map_or(-1, i64::from)
}

/// Makes the frame in which a call could go on.
fn rehearse<'py>(
    py: Python<'py>,
    frame: Frame,
    watched: &Watched,
    target: &Target,
) -> std::result::Result<Bound<'py, PyAny>, String> {
    // SAFETY: this thread is attached.
    let interpreter = unsafe { ffi::PyInterpreterState_Get() };
    // SAFETY: the interpreter of this thread.
    let evaluator = unsafe { _PyInterpreterState_GetEvalFrameFunc(interpreter) };
    if !std::ptr::eq(evaluator, _PyEval_EvalFrameDefault as *const c_void) {
        return refused("the program has an evaluator of frames of its own");
    }
    if instruction(py, frame).is_none() {
        return refused("its instructions are not understood");
    }
    let generator = frame.generator();
    if !generator.is_null() && frame_of(generator) != Some(frame) {
        return refused("its generator has another frame");
    }
    // SAFETY: the interpreter calls back for the frame, at the place of the target.
    unsafe { make(py, frame, &way(py, watched, target)) }
}

fn way<'a, 'py>(py: Python<'py>, watched: &'a Watched, target: &'a Target) -> Way<'a, 'py> {
    Way {
        old: watched.old.bind(py),
        new: watched.new.bind(py),
        old_slots: &watched.old_slots,
        new_slots: &watched.new_slots,
        target,
    }
}

/// Has the call go on in another frame.
fn begin(
    py: Python<'_>,
    state: ThreadState,
    frame: Frame,
    watched: &Watched,
    target: &Target,
) -> std::result::Result<Answer, String> {
    let made = rehearse(py, frame, watched, target)?;
    let way = way(py, watched, target);
    let generator = frame.generator();
    // SAFETY: it lives as long as the reference.
    let new = unsafe { Frame::of_object(made.as_ptr().cast()) };
    // Making it may have let others run. From here on nothing can fail.
    let tracing = frame.tracing();
    let is_run = locked(&RUNS, |all| all.contains_key(&frame.address()));
    // Of the call and of the new frame, which takes it for its caller; in a generator, what
    // runs it here has one more.
    let references = 2 + isize::from(is_run && !generator.is_null());
    let keeps = frame.references() > references;
    let mut dropped = hand_over(py, frame, new, &way, keeps);
    // SAFETY: a frame refers to its caller, or to nothing.
    let caller = unsafe { Bound::from_borrowed_ptr_or_opt(py, frame.caller()) };
    let made_from = new.caller();
    new.set_caller(caller.map_or(std::ptr::null_mut(), Bound::into_ptr));
    // SAFETY: the new frame owned it.
    dropped.extend(unsafe { Bound::from_owned_ptr_or_opt(py, made_from) });
    if !generator.is_null() {
        new.set_generator(generator);
        frame.set_generator(std::ptr::null_mut());
        // That to the old frame was the generator's: it becomes ours, or is given back if
        // there is another.
        set_frame_of(generator, made.clone().into_ptr());
        if is_run {
            // SAFETY: as said.
            dropped.extend(unsafe { Bound::from_owned_ptr_or_opt(py, frame.object()) });
        }
        let code = replace_code_of(generator, watched.new.clone_ref(py).into_ptr());
        // SAFETY: the generator owned it.
        dropped.extend(unsafe { Bound::from_owned_ptr_or_opt(py, code) });
    }
    let run = made.into_ptr();
    if is_run {
        locked(&RUNS, |all| all.insert(frame.address(), Some(run as usize)));
    } else {
        locked(&RUNS, |all| all.insert(run as usize, None));
    }
    let before = with(|all| {
        let followed = all.get_mut(&state.address())?;
        followed.frames.remove(&frame.address());
        if watched::at(new.code() as usize).is_some() {
            // It has been edited again.
            followed
                .frames
                .insert(run as usize, i64::from(target.offset));
        }
        if followed.before.is_some() {
            // The program hears of the line that begins, and not of the frame.
            new.set_traces_instructions(1);
            followed.start = Some(Start {
                frame: run as usize,
                instructions: tracing.2,
                told: tracing.1 == 0,
            });
        }
        followed.expects = false;
        let before = followed.before;
        let idle = followed.is_idle();
        if idle {
            all.remove(&state.address());
        }
        idle.then_some(before)
    });
    if let Some(before) = before {
        release(state, before);
    }
    forget_variables(py, new, &way);
    drop(dropped);
    if is_run {
        push(frame, py.None().into_bound(py));
        leave(py, frame, How::Returns);
        return Ok(Answer::Keep);
    }
    keep_from_profile(state);
    Ok(Answer::Run(run))
}

/// An event of a frame that has not come to its first instruction.
fn started(
    state: ThreadState,
    frame: Frame,
    what: c_int,
    before: Option<TraceFunction>,
    start: Start,
) -> Answer {
    match what {
        ffi::PyTrace_CALL => return Answer::Keep,
        ffi::PyTrace_LINE => {
            with(|all| {
                let followed = all.get_mut(&state.address())?;
                followed.start = Some(Start {
                    told: true,
                    ..start
                });
                Some(())
            });
            return Answer::Pass(before);
        }
        _ => {}
    }
    frame.set_traces_instructions(start.instructions);
    let idle = with(|all| {
        let followed = all.get_mut(&state.address())?;
        followed.start = None;
        let idle = followed.is_idle();
        if idle {
            all.remove(&state.address());
        }
        idle.then_some(())
    });
    if idle.is_some() {
        release(state, before);
    }
    let more = start.instructions != 0;
    match what {
        ffi::PyTrace_OPCODE if !start.told => Answer::Line(before, more),
        ffi::PyTrace_OPCODE if !more => Answer::Keep,
        _ => Answer::Pass(before),
    }
}

/// An empty frame returns.
fn left(
    state: ThreadState,
    frame: Frame,
    before: Option<TraceFunction>,
    leaving: Leaving,
) -> Answer {
    let place = leaving.place as *mut [u8; 2];
    // SAFETY: the bytes of the code of the frame, which is alive.
    unsafe { place.write(leaving.instruction) };
    let idle = with(|all| {
        let followed = all.get_mut(&state.address())?;
        followed.frames.remove(&frame.address());
        let idle = followed.is_idle();
        if idle {
            all.remove(&state.address());
        }
        idle.then_some(())
    });
    if idle.is_some() {
        release(state, before);
    }
    keep_from_profile(state);
    match leaving.how {
        How::Returns => Answer::Keep,
        How::Suspends => {
            frame.set_suspended();
            Answer::Keep
        }
        How::Raises(parts) => {
            let [kind, value, traceback] = parts.map(|part| part as Object);
            // SAFETY: the references were ours.
            unsafe { ffi::PyErr_Restore(kind, value, traceback) };
            Answer::Raise
        }
    }
}

/// The next event is none of the program's profile function.
fn keep_from_profile(state: ThreadState) {
    let Some(function) = state.profile_function() else {
        return;
    };
    if function as usize != at_profile as *const () as usize {
        locked(&PROFILES, |all| all.insert(state.address(), function));
        state.set_profile_function(Some(at_profile));
    }
}

/// Called by the interpreter in the place of the program's profile function, once.
unsafe extern "C-unwind" fn at_profile(
    _object: Object,
    _frame: *mut ffi::PyFrameObject,
    _what: c_int,
    _argument: Object,
) -> c_int {
    // SAFETY: the interpreter calls in a thread that is attached.
    let state = ThreadState::own(unsafe { Python::assume_attached() });
    let function = locked(&PROFILES, |all| all.remove(&state.address()));
    state.set_profile_function(function);
    0
}
