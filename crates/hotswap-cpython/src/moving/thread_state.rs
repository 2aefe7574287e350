//! The fields of the state of a thread of CPython 3.9 to 3.11 (`Include/cpython/pystate.h`).

use std::ffi::c_int;
#[cfg(not(Py_3_11))]
use std::ffi::c_void;

use pyo3::ffi;
use pyo3::prelude::*;

#[cfg(Py_3_11)]
use super::frame::{Frame, Object};
#[cfg(not(Py_3_11))]
use super::frame_object::Object;
use crate::once::intern;

/// A trace function of the C level.
#[cfg(Py_3_11)]
pub(super) type TraceFunction =
    unsafe extern "C" fn(Object, *mut ffi::PyFrameObject, c_int, Object) -> c_int;

/// A trace function of the C level, which the end of a thread may unwind through.
#[cfg(not(Py_3_11))]
pub(super) type TraceFunction =
    unsafe extern "C-unwind" fn(Object, *mut ffi::PyFrameObject, c_int, Object) -> c_int;

/// Where the fields are, in bytes.
#[cfg(Py_3_11)]
mod at {
    pub(super) const INTERPRETER: usize = 16;
    pub(super) const RECURSION_REMAINING: usize = 32;
    pub(super) const RECURSION_LIMIT: usize = 36;
    pub(super) const TRACING: usize = 44;
    /// A structure on the stack of C that says whether instructions are traced, and which
    /// frame is the newest.
    pub(super) const C_FRAME: usize = 56;
    pub(super) const PROFILE_FUNCTION: usize = 64;
    pub(super) const TRACE_FUNCTION: usize = 72;
    pub(super) const PROFILE_OBJECT: usize = 80;
    pub(super) const TRACE_OBJECT: usize = 88;
    pub(super) const THREAD: usize = 152;
    /// Inside the structure of `C_FRAME`.
    pub(super) const NEWEST_FRAME: usize = 8;
}

/// Where the fields are, in bytes.
#[cfg(not(Py_3_11))]
mod at {
    pub(super) const INTERPRETER: usize = 16;
    pub(super) const FRAME: usize = 24;
    pub(super) const DEPTH: usize = 32;
    pub(super) const TRACING: usize = 44;
    /// On 3.10, a structure on the stack of C that begins with whether instructions are
    /// traced; before, this itself.
    pub(super) const TRACES: usize = 48;
    pub(super) const PROFILE_FUNCTION: usize = 56;
    pub(super) const TRACE_FUNCTION: usize = 64;
    pub(super) const PROFILE_OBJECT: usize = 72;
    pub(super) const TRACE_OBJECT: usize = 80;
    pub(super) const THREAD: usize = 176;
    /// Inside the state of the interpreter (`Include/internal/pycore_interp.h`).
    #[cfg(not(Py_3_10))]
    pub(super) const RECURSION_LIMIT: usize = 64;
    /// How many threads are traced.
    #[cfg(not(Py_3_10))]
    pub(super) const TRACED_THREADS: usize = 68;
}

/// What an interpreter that traces has in the first byte of the structure of `C_FRAME`.
#[cfg(Py_3_11)]
const TRACES: u8 = 255;

/// The state of a thread that is alive as long as this is used.
#[derive(Clone, Copy)]
pub(super) struct ThreadState(*mut ffi::PyThreadState);

impl ThreadState {
    /// That of this thread.
    pub(super) fn own(_py: Python<'_>) -> ThreadState {
        // SAFETY: this thread is attached, so there is one.
        ThreadState(unsafe { ffi::PyThreadState_Get() })
    }

    /// Those of all threads of this interpreter. None ends before the lock is given away.
    pub(super) fn all(_py: Python<'_>) -> Vec<ThreadState> {
        let mut found = Vec::new();
        // SAFETY: this thread is attached.
        let interpreter = unsafe { ffi::PyInterpreterState_Get() };
        // SAFETY: the interpreter of this thread.
        let mut state = unsafe { ffi::PyInterpreterState_ThreadHead(interpreter) };
        while !state.is_null() {
            found.push(ThreadState(state));
            // SAFETY: a state leaves the list, and is freed, by a thread that holds the lock
            // of the interpreter, as this one does now.
            state = unsafe { ffi::PyThreadState_Next(state) };
        }
        found
    }

    pub(super) fn address(self) -> usize {
        self.0 as usize
    }

    fn get<T: Copy>(self, offset: usize) -> T {
        let field = self.0.cast::<u8>().wrapping_add(offset).cast::<T>();
        // SAFETY: a field of a live state, as whoever made this vouches.
        unsafe { field.read() }
    }

    fn set<T: Copy>(self, offset: usize, value: T) {
        let field = self.0.cast::<u8>().wrapping_add(offset).cast::<T>();
        // SAFETY: a field of a live state, as whoever made this vouches.
        unsafe { field.write(value) }
    }

    /// The number of the thread, as `threading.get_ident` gives it.
    pub(super) fn thread(self) -> u64 {
        self.get(at::THREAD)
    }

    #[cfg(not(Py_3_11))]
    pub(super) fn pointer(self) -> *mut c_void {
        self.0.cast()
    }

    /// Has the thread be in a call, whose frame it does not own.
    #[cfg(not(Py_3_11))]
    pub(super) fn set_frame(self, frame: Object) {
        self.set(at::FRAME, frame);
    }

    /// The thread counts as so many calls deeper.
    #[cfg(not(Py_3_11))]
    pub(super) fn go_deeper(self, calls: c_int) {
        let depth: c_int = self.get(at::DEPTH);
        self.set(at::DEPTH, depth + calls);
    }

    /// How many calls may still begin below each other.
    #[cfg(Py_3_11)]
    pub(super) fn calls_left(self) -> c_int {
        self.get(at::RECURSION_REMAINING)
    }

    pub(super) fn trace_function(self) -> Option<TraceFunction> {
        self.get(at::TRACE_FUNCTION)
    }

    pub(super) fn profile_function(self) -> Option<TraceFunction> {
        self.get(at::PROFILE_FUNCTION)
    }

    /// Puts another function in the place of the one for profiles, which has the same object.
    pub(super) fn set_profile_function(self, function: Option<TraceFunction>) {
        self.set(at::PROFILE_FUNCTION, function);
        self.update();
    }

    /// Puts another function in the place of the one that traces. What `sys.gettrace` gives
    /// is another field, and stays.
    pub(super) fn set_trace_function(self, function: Option<TraceFunction>) {
        #[cfg(not(Py_3_10))]
        self.count_traced(
            c_int::from(function.is_some()) - c_int::from(self.trace_function().is_some()),
        );
        self.set(at::TRACE_FUNCTION, function);
        self.update();
    }

    /// How many trace functions the thread is in.
    pub(super) fn tracing(self) -> c_int {
        self.get(at::TRACING)
    }

    /// Lets the thread be in none for a moment, or in as many as it was.
    pub(super) fn set_tracing(self, count: c_int) {
        self.set(at::TRACING, count);
        self.update();
    }

    /// CPython 3.9 asks each thread only if any is traced.
    #[cfg(not(Py_3_10))]
    fn count_traced(self, more: c_int) {
        let interpreter: *mut u8 = self.get(at::INTERPRETER);
        let field = interpreter.wrapping_add(at::TRACED_THREADS).cast::<c_int>();
        // SAFETY: the self-test has found the field before this one; the lock is held.
        let count = unsafe { field.read() };
        // SAFETY: the same.
        unsafe { field.write(count + more) }
    }

    /// As `call_trace` and `_PyEval_SetTrace` have it.
    #[cfg(not(Py_3_11))]
    fn update(self) {
        let traced = self.trace_function().is_some() || self.profile_function().is_some();
        let value = c_int::from(traced && self.tracing() == 0);
        #[cfg(Py_3_10)]
        {
            let field: *mut c_int = self.get(at::TRACES);
            // SAFETY: a thread state always refers to such a structure, which begins with
            // this.
            unsafe { field.write(value) }
        }
        #[cfg(not(Py_3_10))]
        self.set(at::TRACES, value);
    }

    /// As `_PyThreadState_UpdateTracingState` and `PyThreadState_EnterTracing` have it.
    #[cfg(Py_3_11)]
    fn update(self) {
        let traced = self.trace_function().is_some() || self.profile_function().is_some();
        let value = match traced && self.tracing() == 0 {
            true => TRACES,
            false => 0,
        };
        let field: *mut u8 = self.get(at::C_FRAME);
        // SAFETY: a thread state always refers to such a structure, which begins with this.
        unsafe { field.write(value) }
    }

    /// Compares the fields with what is known of this thread.
    pub(super) fn look(py: Python<'_>) -> Result<(), String> {
        let own = ThreadState::own(py);
        let raised = crate::support::raised;
        let sys = py.import(intern!(py, "sys")).map_err(raised)?;
        let limit: c_int = sys
            .call_method0("getrecursionlimit")
            .and_then(|limit| limit.extract())
            .map_err(raised)?;
        let object = |name: &str| -> Result<Object, String> {
            let object = sys.call_method0(name).map_err(raised)?;
            Ok(match object.is_none() {
                true => std::ptr::null_mut(),
                false => object.as_ptr(),
            })
        };
        // SAFETY: this thread is attached.
        let interpreter = unsafe { ffi::PyInterpreterState_Get() };
        let right = [
            (
                own.get::<*mut ffi::PyInterpreterState>(at::INTERPRETER) == interpreter,
                "interpreter",
            ),
            (
                own.thread() == crate::threads::own_ident(py),
                "number of the thread",
            ),
            (
                own.limit().is_none_or(|own| own == limit),
                "limit of recursion",
            ),
            #[cfg(Py_3_11)]
            (own.calls_left() <= limit, "depth of recursion"),
            #[cfg(not(Py_3_11))]
            (
                (0..=limit).contains(&own.get::<c_int>(at::DEPTH)),
                "depth of recursion",
            ),
            (
                own.get::<Object>(at::TRACE_OBJECT) == object("gettrace")?,
                "trace function",
            ),
            (
                own.get::<Object>(at::PROFILE_OBJECT) == object("getprofile")?,
                "profile function",
            ),
        ];
        if let Some((_, field)) = right.iter().find(|(right, _)| !right) {
            return Err(format!(
                "the {field} in a thread's state is not where it should be"
            ));
        }
        // SAFETY: the lock is held; the reference is borrowed from the running frame.
        let object = unsafe { ffi::PyEval_GetFrame() };
        if object.is_null() {
            return Ok(());
        }
        match own.is_newest(object) {
            true => Ok(()),
            false => Err("the newest frame of a thread is not where it should be".to_string()),
        }
    }

    #[cfg(Py_3_11)]
    fn is_newest(self, object: *mut ffi::PyFrameObject) -> bool {
        // SAFETY: its call is in progress.
        let frame = unsafe { Frame::of_object(object) };
        let c_frame: *mut u8 = self.get(at::C_FRAME);
        let newest = c_frame.wrapping_add(at::NEWEST_FRAME).cast::<usize>();
        // SAFETY: the fields around it are right, so that this one refers to the structure.
        let newest = unsafe { newest.read() };
        newest == frame.address()
    }

    #[cfg(not(Py_3_11))]
    fn is_newest(self, object: *mut ffi::PyFrameObject) -> bool {
        let newest: Object = self.get(at::FRAME);
        newest.cast() == object
    }

    /// How many calls may be below each other, where a field says so.
    #[cfg(Py_3_11)]
    fn limit(self) -> Option<c_int> {
        Some(self.get(at::RECURSION_LIMIT))
    }

    /// How many calls may be below each other, where a field says so.
    #[cfg(Py_3_10)]
    #[cfg(not(Py_3_11))]
    fn limit(self) -> Option<c_int> {
        None
    }

    /// How many calls may be below each other, where a field says so.
    #[cfg(not(Py_3_10))]
    fn limit(self) -> Option<c_int> {
        // SAFETY: this thread is attached.
        let interpreter = unsafe { ffi::PyInterpreterState_Get() }.cast::<u8>();
        let field = interpreter
            .wrapping_add(at::RECURSION_LIMIT)
            .cast::<c_int>();
        // SAFETY: the state of an interpreter is larger.
        Some(unsafe { field.read() })
    }
}
