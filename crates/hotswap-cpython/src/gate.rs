//! A gate before functions: while it is closed, other threads begin no call of them.
//!
//! Where many threads go in and out of code that is about to change, a moment at which
//! all are out hardly ever comes by itself: with 8 threads that are inside half of their
//! time, one look in 256 would meet it. Behind a closed gate each thread only has to get
//! out once.
//!
//! A function object says which C function begins a call of it, at a place that its type
//! names (PEP 590). While the gate is closed that is [`begin_call`]: it lets pass whoever
//! is inside already, lets others wait without the lock of the interpreter, and then
//! begins the call as ever. No Python frame shows it. CPython 3.11 begins calls from
//! Python code without asking the function, unless an evaluator of frames is set (PEP
//! 523); so one is set there for that time, which does as the interpreter's own. Call sites
//! that were specialised for the function are made to look at it again.
//!
//! The gate is an aid and no promise: a call may come past it. Whoever closes it looks at
//! the stacks all the same.
//!
//! It opens by itself when its time is up, so that nobody can wait for ever: neither for a
//! lock that a thread before the gate holds, nor in a child that was forked meanwhile. A
//! function whose gate is open gets rid of it at its next call.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyFunction};

use crate::heap::address;
use crate::once::Once;
use crate::support::{Result, Tested, Unsupported, raised, tested};
use crate::{frames, threads};

pub(crate) const CAPABILITY: &str = "gate before functions";

/// What begins a call. As `vectorcallfunc`, but the end of a thread may unwind through it.
type Begin = unsafe extern "C-unwind" fn(
    *mut ffi::PyObject,
    *const *mut ffi::PyObject,
    usize,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

/// So many calls one within the other may have come through the gate: each has a frame of
/// C on the stack of its thread, which calls of Python functions otherwise have not.
const DEEPEST: u32 = 60;

/// The pauses of a thread that waits. They are no signal from the one who opens, because a
/// forked child would inherit the lock that goes with it.
const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LAST_PAUSE: Duration = Duration::from_millis(1);

/// So long the gate counts as closed while it is tried out, if others run meanwhile.
const LONGEST_TEST: Duration = Duration::from_secs(1);

/// When the gate opens by itself, in nanoseconds since [`start`]; 0: it is open.
static OPENS: AtomicU64 = AtomicU64::new(0);
/// How often a gate was closed or opened.
static TURNS: AtomicU64 = AtomicU64::new(0);
/// The thread that closed the gate and never waits before it.
static OWNER: AtomicU64 = AtomicU64::new(0);
/// The addresses of the code objects: who runs one of them is inside. Never waited for, and
/// touched only with the lock of the interpreter held.
static CODES: Mutex<Vec<usize>> = Mutex::new(Vec::new());

thread_local! {
    /// The calls of this thread that came through the gate and have not returned.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// A closed gate; dropping it opens it.
pub struct Gate<'py> {
    py: Python<'py>,
    functions: Vec<Bound<'py, PyFunction>>,
    turn: u64,
}

impl<'py> Gate<'py> {
    /// Closes the gate before `functions` for other threads, at most for `limit`. Threads that
    /// run one of `codes` pass.
    pub fn close(
        py: Python<'py>,
        functions: &[Bound<'py, PyFunction>],
        codes: &[Bound<'py, PyCode>],
        limit: Duration,
    ) -> Result<Self> {
        let plain = plain(py)?;
        if is_closed() {
            return Err(absent("another update has closed it").into());
        }
        if !evaluator::set(py) {
            return Err(absent("the program has an evaluator of frames of its own").into());
        }
        if let Ok(mut inside) = CODES.try_lock() {
            inside.clear();
            inside.extend(codes.iter().map(address));
        }
        OWNER.store(threads::own_ident(py), Ordering::Relaxed);
        let turn = TURNS.fetch_add(1, Ordering::Relaxed) + 1;
        OPENS.store(now().saturating_add(nanoseconds(limit)), Ordering::Release);
        let mut gate = Self {
            py,
            functions: Vec::new(),
            turn,
        };
        for function in functions {
            // Somebody else's way to begin a call is left alone.
            if begin_of(function) == plain {
                set_begin(function, begin_call as *const () as usize);
                gate.functions.push(function.clone());
            }
        }
        Ok(gate)
    }

    /// Whether it has not opened by itself.
    pub fn is_closed(&self) -> bool {
        is_closed() && TURNS.load(Ordering::Relaxed) == self.turn
    }
}

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        if TURNS.load(Ordering::Relaxed) == self.turn {
            open();
        }
        evaluator::unset();
        if let Ok(plain) = plain(self.py) {
            for function in &self.functions {
                take_away(function, plain);
            }
        }
    }
}

fn open() {
    OPENS.store(0, Ordering::Release);
    TURNS.fetch_add(1, Ordering::Relaxed);
}

fn is_closed() -> bool {
    let opens = OPENS.load(Ordering::Acquire);
    opens != 0 && now() < opens
}

/// Begins a call of a function with a gate.
///
/// No value here has a destructor: at the end of the interpreter CPython up to 3.13 ends
/// other threads by unwinding their stack, through the call that is made here.
unsafe extern "C-unwind" fn begin_call(
    function: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with its lock held.
    let py = unsafe { Python::assume_attached() };
    let Some(begin) = pass(py, function) else {
        // SAFETY: this thread is attached, and this exception exists.
        let kind = unsafe { ffi::PyExc_SystemError };
        // SAFETY: as above, with a text that ends in a zero.
        unsafe { ffi::PyErr_SetString(kind, c"a call without a way to begin it".as_ptr()) };
        return std::ptr::null_mut();
    };
    deeper();
    // SAFETY: the function's own way to begin a call, with the arguments that were given.
    let result = unsafe { begin(function, arguments, count, names) };
    less_deep();
    result
}

/// Waits where this thread has to, and returns how a call of the function begins.
fn pass(py: Python<'_>, function: *mut ffi::PyObject) -> Option<Begin> {
    // SAFETY: the interpreter lends the function for the call.
    let function = unsafe { Bound::from_borrowed_ptr(py, function) };
    // SAFETY: only functions have got this way to begin a call.
    let function = unsafe { function.cast_into_unchecked::<PyFunction>() };
    // Only where this is known has a function got a gate.
    let plain = plain(py).ok()?;
    if is_closed() && !may_pass(py) {
        let turn = TURNS.load(Ordering::Relaxed);
        py.detach(|| wait_for_the_next(turn));
    }
    if !is_closed() {
        take_away(&function, plain);
    }
    // SAFETY: it was read from a function object, as what begins calls of it.
    Some(unsafe { std::mem::transmute::<usize, Begin>(plain) })
}

fn wait_for_the_next(turn: u64) {
    let mut pause = FIRST_PAUSE;
    while is_closed() && TURNS.load(Ordering::Relaxed) == turn {
        std::thread::sleep(pause);
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// Whether this thread is inside already, or is the one that others wait for.
fn may_pass(py: Python<'_>) -> bool {
    if threads::own_ident(py) == OWNER.load(Ordering::Relaxed) {
        return true;
    }
    let Ok(codes) = CODES.try_lock() else {
        return true;
    };
    frames::own(py).any(|code| codes.contains(&address(&code)))
}

fn deeper() {
    let depth = DEPTH.get().saturating_add(1);
    DEPTH.set(depth);
    if depth > DEEPEST {
        open();
    }
}

fn less_deep() {
    DEPTH.set(DEPTH.get().saturating_sub(1));
}

fn start() -> Instant {
    static START: Once<Instant> = Once::new();
    *START.get_or_init(Instant::now)
}

fn now() -> u64 {
    // Never 0, which stands for an open gate.
    nanoseconds(start().elapsed()).max(1)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn absent(reason: &str) -> Unsupported {
    Unsupported {
        capability: CAPABILITY,
        reason: reason.into(),
    }
}

/// Where a function says what begins a call of it.
fn place_of_begin(function: &Bound<'_, PyFunction>) -> *mut usize {
    let kind = function.get_type_ptr();
    // SAFETY: the type of a live object is alive; the field never changes.
    let offset = unsafe { (*kind).tp_vectorcall_offset };
    function
        .as_ptr()
        .cast::<u8>()
        .wrapping_offset(offset)
        .cast()
}

fn begin_of(function: &Bound<'_, PyFunction>) -> usize {
    // SAFETY: the type of functions names the place (PEP 590), in a live function.
    unsafe { place_of_begin(function).read() }
}

#[cfg(Py_3_12)]
fn set_begin(function: &Bound<'_, PyFunction>, begin: usize) {
    // SAFETY: a live function, and a function that begins calls of functions; call sites that
    // were specialised forget it.
    unsafe { crate::linked::PyFunction_SetVectorcall(function.as_ptr(), begin) }
}

#[cfg(not(Py_3_12))]
fn set_begin(function: &Bound<'_, PyFunction>, begin: usize) {
    // SAFETY: the type of functions names the place (PEP 590), in a live function; the lock of
    // the interpreter keeps others from reading it.
    unsafe { place_of_begin(function).write(begin) }
    crate::functions::withdraw_version(function);
}

fn take_away(function: &Bound<'_, PyFunction>, plain: usize) {
    if begin_of(function) == begin_call as *const () as usize {
        set_begin(function, plain);
    }
}

/// What begins a call of a function that nobody has changed.
fn plain(py: Python<'_>) -> std::result::Result<usize, Unsupported> {
    static PLAIN: Tested<usize> = Tested::new();
    tested(py, CAPABILITY, &PLAIN, || test(py)).copied()
}

/// Whether the capability is there.
pub(crate) fn check(py: Python<'_>) -> std::result::Result<(), Unsupported> {
    plain(py).map(drop)
}

/// What a function of the self-test answers instead of being called.
unsafe extern "C-unwind" fn answer(
    _: *mut ffi::PyObject,
    _: *const *mut ffi::PyObject,
    _: usize,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with its lock held.
    unsafe { ffi::PyLong_FromLong(2) }
}

/// Gives a function another way to begin calls, and sees whether calls from Python code that
/// the interpreter has made quick for it begin that way.
fn test(py: Python<'_>) -> std::result::Result<usize, String> {
    let names = PyDict::new(py);
    let source = c"def f(a=0):\n return 1\ndef g():\n return f()\ndef h():\n return [f(3), g()]\nfor _ in range(40): h()\n";
    py.run(source, Some(&names), None).map_err(raised)?;
    let get = |name: &str| -> PyResult<Bound<'_, PyAny>> { names.as_any().get_item(name) };
    let function = get("f").map_err(raised)?;
    let function = function.cast_into::<PyFunction>();
    let function = function.map_err(|_| "a function is of another type".to_string())?;
    let call = || -> std::result::Result<Vec<i64>, String> {
        let caller = get("h").map_err(raised)?;
        caller.call0().and_then(|all| all.extract()).map_err(raised)
    };
    let plain = begin_of(&function);
    let other = get("g").map_err(raised)?;
    let other = other.cast_into::<PyFunction>();
    let other = other.map_err(|_| "a function is of another type".to_string())?;
    if plain == 0 || begin_of(&other) != plain {
        return Err("functions begin their calls in several ways".into());
    }
    if !evaluator::set(py) {
        return Err("the program has an evaluator of frames of its own".into());
    }
    OPENS.store(now() + nanoseconds(LONGEST_TEST), Ordering::Release);
    set_begin(&function, answer as *const () as usize);
    let changed = call();
    set_begin(&function, plain);
    evaluator::unset();
    open();
    match (changed?, call()?) {
        (changed, back) if changed == [2, 2] && back == [1, 1] => Ok(plain),
        (changed, back) => Err(format!(
            "calls of a function with another beginning gave {changed:?}, then {back:?}"
        )),
    }
}

/// Not on this version: calls from Python code ask the function how they begin.
#[cfg(any(not(Py_3_11), Py_3_12))]
mod evaluator {
    pub(super) fn set(_py: pyo3::Python<'_>) -> bool {
        true
    }

    pub(super) fn unset() {}
}

/// Who evaluates the frames of calls from Python code.
#[cfg(all(Py_3_11, not(Py_3_12)))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evaluates {
    /// The interpreter, without leaving its loop.
    Interpreter,
    /// The interpreter, asked by the gate.
    Gate,
    /// An evaluator of the program.
    Program,
}

/// Makes calls from Python code ask the function how they begin.
#[cfg(all(Py_3_11, not(Py_3_12)))]
pub(crate) mod evaluator {
    use std::ffi::{c_int, c_void};

    use pyo3::ffi;
    use pyo3::prelude::*;

    type Evaluator = unsafe extern "C-unwind" fn(
        *mut ffi::PyThreadState,
        *mut c_void,
        c_int,
    ) -> *mut ffi::PyObject;

    unsafe extern "C-unwind" {
        fn _PyEval_EvalFrameDefault(
            thread: *mut ffi::PyThreadState,
            frame: *mut c_void,
            throws: c_int,
        ) -> *mut ffi::PyObject;
        fn _PyInterpreterState_GetEvalFrameFunc(
            interpreter: *mut ffi::PyInterpreterState,
        ) -> Evaluator;
        fn _PyInterpreterState_SetEvalFrameFunc(
            interpreter: *mut ffi::PyInterpreterState,
            evaluator: Evaluator,
        );
    }

    /// False: the program has one of its own.
    pub(super) fn set(_py: Python<'_>) -> bool {
        let is_plain = current() == _PyEval_EvalFrameDefault as *const () as usize;
        if is_plain {
            replace(evaluate);
        }
        is_plain
    }

    /// Who evaluates frames: nobody but the interpreter, the gate, or the program.
    pub(crate) fn present() -> super::Evaluates {
        match current() {
            plain if plain == _PyEval_EvalFrameDefault as *const () as usize => {
                super::Evaluates::Interpreter
            }
            gate if gate == evaluate as *const () as usize => super::Evaluates::Gate,
            _ => super::Evaluates::Program,
        }
    }

    pub(super) fn unset() {
        if current() == evaluate as *const () as usize {
            replace(_PyEval_EvalFrameDefault);
        }
    }

    fn current() -> usize {
        // SAFETY: this thread is attached to an interpreter.
        let interpreter = unsafe { ffi::PyInterpreterState_Get() };
        // SAFETY: the interpreter of this thread.
        let evaluator = unsafe { _PyInterpreterState_GetEvalFrameFunc(interpreter) };
        evaluator as *const () as usize
    }

    fn replace(evaluator: Evaluator) {
        // SAFETY: this thread is attached to an interpreter.
        let interpreter = unsafe { ffi::PyInterpreterState_Get() };
        // SAFETY: the interpreter of this thread, whose lock is held; the function does what
        // the interpreter's own does, or is it.
        unsafe { _PyInterpreterState_SetEvalFrameFunc(interpreter, evaluator) }
    }

    /// Runs a frame as ever. No value here has a destructor, as in `begin_call`.
    unsafe extern "C-unwind" fn evaluate(
        thread: *mut ffi::PyThreadState,
        frame: *mut c_void,
        throws: c_int,
    ) -> *mut ffi::PyObject {
        if !super::is_closed() {
            unset();
        }
        super::deeper();
        // SAFETY: what the interpreter gave, for the function that it would have called.
        let result = unsafe { _PyEval_EvalFrameDefault(thread, frame, throws) };
        super::less_deep();
        result
    }
}
