//! The frame object of a call, and the generator that holds one, of CPython 3.9 and 3.10
//! (`Include/cpython/frameobject.h`, `Include/genobject.h`).

use std::ffi::{c_char, c_int};
use std::mem::offset_of;

use pyo3::ffi;
use pyo3::prelude::*;

pub(super) type Object = *mut ffi::PyObject;

/// An instruction is one unit of two bytes.
pub(super) const UNIT: u32 = 2;
/// How many of them count one in the fields of a frame.
const COUNTED: c_int = if cfg!(Py_3_10) { UNIT as c_int } else { 1 };
/// `CO_MAXBLOCKS`.
const MOST_BLOCKS: usize = 20;

/// `PyTryBlock`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TryBlock {
    pub(super) kind: c_int,
    pub(super) handler: c_int,
    pub(super) level: c_int,
}

/// `struct _frame`.
#[repr(C)]
struct Fields {
    head: ffi::PyVarObject,
    caller: Object,
    code: Object,
    builtins: Object,
    globals: Object,
    locals: Object,
    stack: *mut Object,
    #[cfg(not(Py_3_10))]
    stack_top: *mut Object,
    trace: Object,
    #[cfg(Py_3_10)]
    depth: c_int,
    traces_lines: c_char,
    traces_instructions: c_char,
    generator: Object,
    last: c_int,
    line: c_int,
    block_count: c_int,
    state: i8,
    blocks: [TryBlock; MOST_BLOCKS],
    slots: [Object; 1],
}

/// Where the fields of a generator are, in bytes.
mod at {
    pub(super) const FRAME: usize = 16;
    #[cfg(not(Py_3_10))]
    pub(super) const RUNS: usize = 24;
    pub(super) const CODE: usize = if cfg!(Py_3_10) { 24 } else { 32 };
}

/// `enum _framestate`.
#[cfg(Py_3_10)]
mod state {
    pub(super) const SUSPENDED: i8 = -1;
    pub(super) const EXECUTING: i8 = 0;
    pub(super) const CLEARED: i8 = 4;
}

/// A frame object that is alive as long as this is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame(*mut u8);

impl Frame {
    /// The frame at an address.
    ///
    /// # Safety
    ///
    /// `object` is a frame object that lives until the last use of the result.
    pub(super) unsafe fn of_object(object: *mut ffi::PyFrameObject) -> Frame {
        Frame(object.cast())
    }

    fn get<T: Copy>(self, offset: usize) -> T {
        let field = self.0.wrapping_add(offset).cast::<T>();
        // SAFETY: the field of a live frame, as whoever made this vouches.
        unsafe { field.read() }
    }

    fn set<T: Copy>(self, offset: usize, value: T) {
        let field = self.0.wrapping_add(offset).cast::<T>();
        // SAFETY: the field of a live frame, as whoever made this vouches.
        unsafe { field.write(value) }
    }

    pub(super) fn address(self) -> usize {
        self.0 as usize
    }

    pub(super) fn object(self) -> Object {
        self.0.cast()
    }

    /// How many hold the frame object.
    pub(super) fn references(self) -> isize {
        // SAFETY: a live object.
        unsafe { ffi::Py_REFCNT(self.object()) }
    }

    /// The code it runs; the frame owns the reference.
    pub(super) fn code(self) -> Object {
        self.get(offset_of!(Fields, code))
    }

    pub(super) fn globals(self) -> Object {
        self.get(offset_of!(Fields, globals))
    }

    /// The namespace, where one was asked for or the code has no variables of its own.
    pub(super) fn locals(self) -> Object {
        self.get(offset_of!(Fields, locals))
    }

    pub(super) fn set_locals(self, locals: Object) {
        self.set(offset_of!(Fields, locals), locals);
    }

    pub(super) fn caller(self) -> Object {
        self.get(offset_of!(Fields, caller))
    }

    pub(super) fn set_caller(self, caller: Object) {
        self.set(offset_of!(Fields, caller), caller);
    }

    /// The generator that it is the frame of, which it does not own.
    pub(super) fn generator(self) -> Object {
        self.get(offset_of!(Fields, generator))
    }

    pub(super) fn set_generator(self, generator: Object) {
        self.set(offset_of!(Fields, generator), generator);
    }

    /// The instruction that runs, or ran last, in bytes; None: it has not begun.
    pub(super) fn last(self) -> Option<u32> {
        let last: c_int = self.get(offset_of!(Fields, last));
        u32::try_from(last * COUNTED).ok().filter(|_| last >= 0)
    }

    /// Goes on at the instruction at `offset`.
    pub(super) fn go_on_at(self, offset: u32) {
        let before = counted(offset) - counted(UNIT);
        self.set(offset_of!(Fields, last), before.max(-1));
    }

    /// Has the instruction at `offset` be the one that ran last.
    pub(super) fn set_last(self, offset: u32) {
        self.set(offset_of!(Fields, last), counted(offset));
    }

    /// Says that no instruction has run.
    pub(super) fn set_not_begun(self) {
        self.set(offset_of!(Fields, last), -1 as c_int);
    }

    /// The line that it is in while it is traced.
    pub(super) fn set_line(self, line: c_int) {
        self.set(offset_of!(Fields, line), line);
    }

    /// The address of a variable.
    pub(super) fn slot(self, index: usize) -> *mut Object {
        let first = self.0.wrapping_add(offset_of!(Fields, slots));
        first.cast::<Object>().wrapping_add(index)
    }

    pub(super) fn get_slot(self, index: usize) -> Object {
        self.get(offset_of!(Fields, slots) + index * size_of::<Object>())
    }

    pub(super) fn set_slot(self, index: usize, object: Object) {
        self.set(
            offset_of!(Fields, slots) + index * size_of::<Object>(),
            object,
        );
    }

    /// Where the stack begins.
    pub(super) fn stack(self) -> *mut Object {
        self.get(offset_of!(Fields, stack))
    }

    /// How many values lie on the stack. Known while the interpreter calls back, and of a
    /// generator that does not run.
    #[cfg(Py_3_10)]
    pub(super) fn depth(self) -> Option<usize> {
        let depth: c_int = self.get(offset_of!(Fields, depth));
        usize::try_from(depth).ok()
    }

    /// How many values lie on the stack. Known while the interpreter calls back, and of a
    /// generator that does not run.
    #[cfg(not(Py_3_10))]
    pub(super) fn depth(self) -> Option<usize> {
        let top: *mut Object = self.get(offset_of!(Fields, stack_top));
        let bytes = (top as usize).checked_sub(self.stack() as usize)?;
        Some(bytes / size_of::<Object>())
    }

    #[cfg(Py_3_10)]
    pub(super) fn set_depth(self, depth: usize) {
        self.set(offset_of!(Fields, depth), depth as c_int);
    }

    #[cfg(not(Py_3_10))]
    pub(super) fn set_depth(self, depth: usize) {
        let top = self.stack().wrapping_add(depth);
        self.set(offset_of!(Fields, stack_top), top);
    }

    /// The blocks that it is in, outermost first.
    pub(super) fn blocks(self) -> Vec<TryBlock> {
        let count: c_int = self.get(offset_of!(Fields, block_count));
        let all: [TryBlock; MOST_BLOCKS] = self.get(offset_of!(Fields, blocks));
        let count = usize::try_from(count).unwrap_or(0).min(MOST_BLOCKS);
        all[..count].to_vec()
    }

    /// False: there are more than a frame can be in.
    pub(super) fn set_blocks(self, blocks: &[TryBlock]) -> bool {
        let mut all = [TryBlock::default(); MOST_BLOCKS];
        let Some(part) = all.get_mut(..blocks.len()) else {
            return false;
        };
        part.copy_from_slice(blocks);
        self.set(offset_of!(Fields, blocks), all);
        self.set(offset_of!(Fields, block_count), blocks.len() as c_int);
        true
    }

    /// The function of the program that traces it, and of what it is told.
    pub(super) fn tracing(self) -> (Object, c_char, c_char) {
        (
            self.get(offset_of!(Fields, trace)),
            self.get(offset_of!(Fields, traces_lines)),
            self.get(offset_of!(Fields, traces_instructions)),
        )
    }

    pub(super) fn set_tracing(self, (trace, lines, instructions): (Object, c_char, c_char)) {
        self.set(offset_of!(Fields, trace), trace);
        self.set(offset_of!(Fields, traces_lines), lines);
        self.set(offset_of!(Fields, traces_instructions), instructions);
    }

    /// Has the trace function called at each instruction, or not.
    pub(super) fn set_traces_instructions(self, traces: c_char) {
        self.set(offset_of!(Fields, traces_instructions), traces);
    }

    /// Whether it is the frame of a generator that is suspended or has not begun.
    #[cfg(Py_3_10)]
    pub(super) fn is_idle(self) -> bool {
        self.get::<i8>(offset_of!(Fields, state)) <= state::SUSPENDED
    }

    /// Whether it is the frame of a generator that is suspended or has not begun.
    #[cfg(not(Py_3_10))]
    pub(super) fn is_idle(self) -> bool {
        let top: *mut Object = self.get(offset_of!(Fields, stack_top));
        let runs: i8 = self.get(offset_of!(Fields, state));
        !top.is_null() && runs == 0
    }

    /// Whether a frame that is about to be left yields.
    #[cfg(Py_3_10)]
    pub(super) fn yields(self) -> bool {
        self.get::<i8>(offset_of!(Fields, state)) == state::SUSPENDED
    }

    /// Whether a frame that is about to be left yields.
    #[cfg(not(Py_3_10))]
    pub(super) fn yields(self) -> bool {
        let top: *mut Object = self.get(offset_of!(Fields, stack_top));
        !top.is_null()
    }

    /// Says of the frame of a generator that it is suspended, with an empty stack.
    pub(super) fn set_suspended(self) {
        self.set_depth(0);
        #[cfg(Py_3_10)]
        self.set(offset_of!(Fields, state), state::SUSPENDED);
    }

    /// The frame of a generator is in the state of another.
    #[cfg(Py_3_10)]
    pub(super) fn set_state_of(self, other: Frame) {
        let state: i8 = other.get(offset_of!(Fields, state));
        self.set(offset_of!(Fields, state), state);
    }

    /// Says of a frame that holds nothing any more that it has ended.
    pub(super) fn set_ended(self) {
        #[cfg(Py_3_10)]
        {
            self.set_depth(0);
            self.set(offset_of!(Fields, state), state::CLEARED);
        }
        #[cfg(not(Py_3_10))]
        self.set(
            offset_of!(Fields, stack_top),
            std::ptr::null_mut::<Object>(),
        );
    }
}

/// An offset as frames count it.
pub(super) fn counted(offset: u32) -> c_int {
    c_int::try_from(offset).unwrap_or(c_int::MAX) / COUNTED
}

/// The frame of a generator, while it has one.
pub(super) fn frame_of(generator: Object) -> Option<Frame> {
    let field = generator.cast::<u8>().wrapping_add(at::FRAME);
    // SAFETY: a field of a live generator; all three kinds have it there.
    let frame: *mut u8 = unsafe { field.cast::<*mut u8>().read() };
    (!frame.is_null()).then_some(Frame(frame))
}

/// Exchanges the frame of a generator, which owns the reference.
pub(super) fn set_frame_of(generator: Object, frame: Object) {
    let field = generator.cast::<u8>().wrapping_add(at::FRAME);
    // SAFETY: a field of a live generator; all three kinds have it there.
    unsafe { field.cast::<Object>().write(frame) }
}

/// Exchanges the code of a generator; gives back the old one, whose reference it owned.
pub(super) fn replace_code_of(generator: Object, code: Object) -> Object {
    let field = generator.cast::<u8>().wrapping_add(at::CODE);
    // SAFETY: a field of a live generator, which owns a reference there.
    unsafe { field.cast::<Object>().replace(code) }
}

/// The code that a generator says it is of.
pub(super) fn code_of(generator: Object) -> Object {
    let field = generator.cast::<u8>().wrapping_add(at::CODE);
    // SAFETY: a field of a live generator.
    unsafe { field.cast::<Object>().read() }
}

/// Whether a generator is on a stack, or being closed.
#[cfg(not(Py_3_10))]
pub(super) fn is_running(generator: &Bound<'_, PyAny>) -> bool {
    let field = generator.as_ptr().cast::<u8>().wrapping_add(at::RUNS);
    // SAFETY: a field of a live generator; all three kinds have it there.
    is_generator(generator) && unsafe { field.cast::<c_char>().read() != 0 }
}

/// Whether a generator is on a stack, or being closed.
#[cfg(Py_3_10)]
pub(super) fn is_running(generator: &Bound<'_, PyAny>) -> bool {
    let frame = is_generator(generator).then(|| frame_of(generator.as_ptr()));
    let frame = frame.flatten();
    frame.is_some_and(|frame| frame.get::<i8>(offset_of!(Fields, state)) == state::EXECUTING)
}

/// Whether an object is a generator, a coroutine or an async generator.
pub(super) fn is_generator(object: &Bound<'_, PyAny>) -> bool {
    let kind = object.get_type_ptr();
    kind == std::ptr::addr_of_mut!(ffi::PyGen_Type)
        || kind == std::ptr::addr_of_mut!(ffi::PyCoro_Type)
        || kind == std::ptr::addr_of_mut!(ffi::PyAsyncGen_Type)
}
