//! The frame of a call (`Include/internal/pycore_frame.h` in CPython).

use std::ffi::{c_char, c_int};

use pyo3::ffi;
use pyo3::prelude::*;

use super::word::Word;
use crate::layout::size_of_type;

pub(super) type Object = *mut ffi::PyObject;

pub(super) const OWNED_BY_THREAD: c_char = 0;
pub(super) const OWNED_BY_GENERATOR: c_char = 1;
pub(super) const WORD: usize = size_of::<usize>();
/// An instruction is one unit of two bytes, and those that follow it are its caches.
pub(super) const UNIT: u32 = 2;

/// Where the fields are, in bytes.
mod at {
    pub(super) const CODE: usize = if cfg!(Py_3_12) { 0 } else { 32 };
    pub(super) const FUNCTION: usize = if cfg!(Py_3_12) { 16 } else { 0 };
    pub(super) const GLOBALS: usize = if cfg!(Py_3_12) { 24 } else { 8 };
    pub(super) const FRAME_OBJECT: usize = if cfg!(Py_3_12) { 48 } else { 40 };
    #[cfg(not(Py_3_12))]
    pub(super) const CALLER: usize = 48;
    pub(super) const INSTRUCTION: usize = 56;
    pub(super) const STACK_TOP: usize = 64;
    pub(super) const OWNER: usize = match (cfg!(Py_3_14), cfg!(Py_3_12)) {
        (true, _) => 74,
        (_, true) => 70,
        (_, false) => 69,
    };
    /// The variables, and behind them the stack.
    pub(super) const SLOTS: usize = if cfg!(Py_3_14) { 80 } else { 72 };
    /// Where a frame object (`struct _frame`) refers to its frame.
    pub(super) const FRAME_IN_OBJECT: usize = 24;
    /// Where a frame object of CPython 3.11 says whether each instruction is traced.
    #[cfg(not(Py_3_12))]
    pub(super) const TRACES_INSTRUCTIONS: usize = 45;
    /// How far before its frame a generator keeps its state.
    pub(super) const STATE_BEFORE_FRAME: usize = 5;
    /// Where a generator of CPython 3.11 refers to its code once more.
    #[cfg(not(Py_3_12))]
    pub(super) const CODE_IN_GENERATOR: usize = 16;
    /// Where a thread state has the end of its newest frame; the end of the room for more
    /// follows.
    pub(super) const DATA_STACK_TOP: usize = if cfg!(Py_3_12) { 240 } else { 304 };
}

/// The frame of a call that is alive as long as this is used.
#[derive(Clone, Copy)]
pub(super) struct Frame(*mut u8);

impl Frame {
    /// The frame that a frame object belongs to.
    ///
    /// # Safety
    ///
    /// `object` is a frame object whose call is in progress until the last use of the result.
    pub(super) unsafe fn of_object(object: *mut ffi::PyFrameObject) -> Frame {
        let field = object.cast::<u8>().wrapping_add(at::FRAME_IN_OBJECT);
        // SAFETY: a live frame object has the field, as the caller vouches.
        Frame(unsafe { field.cast::<*mut u8>().read() })
    }

    /// The frame inside a generator: its type's size without items ends with the fields of
    /// the frame (`PyGen_Type` in CPython's `Objects/genobject.c`).
    pub(super) fn inside(generator: &Bound<'_, PyAny>) -> Result<Frame, String> {
        let before = size_before_frame(generator.get_type_ptr())?;
        Ok(Frame(generator.as_ptr().cast::<u8>().wrapping_add(before)))
    }

    /// The generator that the frame of a running call lies in, if one owns it. All three
    /// kinds have the same fields before it.
    pub(super) fn generator(self, py: Python<'_>) -> Result<Bound<'_, PyAny>, String> {
        let before = size_before_frame(std::ptr::addr_of_mut!(ffi::PyGen_Type))?;
        let generator = self.0.wrapping_sub(before).cast::<ffi::PyObject>();
        // SAFETY: the frame says that a generator owns it, and lies at that place inside it;
        // who runs it holds a reference.
        Ok(unsafe { Bound::from_borrowed_ptr(py, generator) })
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

    /// The frame of the caller, if it has one.
    #[cfg(not(Py_3_12))]
    pub(super) fn caller(self) -> Option<Frame> {
        let caller: *mut u8 = self.get(at::CALLER);
        (!caller.is_null()).then_some(Frame(caller))
    }

    /// How far the instruction that runs, or ran last, is from the first, in bytes.
    #[cfg(not(Py_3_12))]
    pub(super) fn offset(self) -> Option<u32> {
        let distance = (self.instruction() as isize) - (first_instruction(self.code()) as isize);
        u32::try_from(distance).ok()
    }

    /// The code it runs; the frame owns the reference.
    pub(super) fn code(self) -> Object {
        self.get::<Word>(at::CODE).object()
    }

    pub(super) fn code_word(self) -> Word {
        self.get(at::CODE)
    }

    /// The reference becomes the frame's.
    pub(super) fn set_code(self, code: Object) {
        self.set(at::CODE, Word::owning(code));
    }

    pub(super) fn function(self) -> Object {
        self.get::<Word>(at::FUNCTION).object()
    }

    pub(super) fn globals(self) -> Object {
        self.get(at::GLOBALS)
    }

    pub(super) fn frame_object(self) -> Object {
        self.get(at::FRAME_OBJECT)
    }

    pub(super) fn set_frame_object(self, object: Object) {
        self.set(at::FRAME_OBJECT, object);
    }

    /// The instruction that runs, or ran last.
    pub(super) fn instruction(self) -> *mut u16 {
        self.get(at::INSTRUCTION)
    }

    pub(super) fn set_instruction(self, instruction: *mut u16) {
        self.set(at::INSTRUCTION, instruction);
    }

    /// The top of the stack, counted from the first variable. Known while the interpreter
    /// calls back, and of a generator that does not run.
    pub(super) fn stack_top(self) -> c_int {
        #[cfg(Py_3_14)]
        {
            let top: usize = self.get(at::STACK_TOP);
            let distance = top.wrapping_sub(self.slot(0) as usize).cast_signed();
            c_int::try_from(distance / WORD.cast_signed()).unwrap_or(-1)
        }
        #[cfg(not(Py_3_14))]
        self.get(at::STACK_TOP)
    }

    pub(super) fn set_stack_top(self, top: c_int) {
        #[cfg(Py_3_14)]
        if let Ok(top) = usize::try_from(top) {
            self.set(at::STACK_TOP, self.slot(top));
        }
        #[cfg(not(Py_3_14))]
        self.set(at::STACK_TOP, top);
    }

    pub(super) fn owner(self) -> c_char {
        self.get(at::OWNER)
    }

    /// The address of a variable or of a value on the stack.
    pub(super) fn slot(self, index: usize) -> *mut Object {
        let first = self.0.wrapping_add(at::SLOTS).cast::<Object>();
        first.wrapping_add(index)
    }

    pub(super) fn get_slot(self, index: usize) -> Word {
        self.get(at::SLOTS + index * WORD)
    }

    pub(super) fn set_slot(self, index: usize, word: Word) {
        self.set(at::SLOTS + index * WORD, word);
    }
}

/// How far inside a generator its frame begins.
pub(super) fn size_before_frame(kind: *mut ffi::PyTypeObject) -> Result<usize, String> {
    // SAFETY: called with static types and types of live objects.
    unsafe { size_of_type(kind) }
        .checked_sub(at::SLOTS)
        .ok_or_else(|| "the frame of a generator was not found".to_string())
}

/// Where the instructions of a code object begin: its type's size is the offset
/// (`PyCode_Type` in CPython's `Objects/codeobject.c`).
pub(super) fn first_instruction(code: Object) -> *mut u16 {
    let kind = std::ptr::addr_of_mut!(ffi::PyCode_Type);
    // SAFETY: a type of the interpreter.
    let size = unsafe { size_of_type(kind) };
    code.cast::<u8>().wrapping_add(size).cast::<u16>()
}

/// Whether a generator is suspended or has not begun: those states are negative in all
/// versions (`PyFrameState` in CPython's `Include/internal/pycore_frame.h`).
pub(super) fn is_idle(generator: &Bound<'_, PyAny>) -> Result<bool, String> {
    let frame = Frame::inside(generator)?;
    let state = frame.0.wrapping_sub(at::STATE_BEFORE_FRAME).cast::<i8>();
    // SAFETY: the byte lies in a live generator, before its frame.
    Ok(unsafe { state.read() } < 0)
}

/// Generators of CPython 3.11 refer to their code themselves too.
#[cfg(not(Py_3_12))]
pub(super) fn set_code_of_generator(generator: &Bound<'_, PyAny>, code: Object) -> Object {
    let field = generator
        .as_ptr()
        .cast::<u8>()
        .wrapping_add(at::CODE_IN_GENERATOR);
    // SAFETY: a field of a live generator, which owns a reference there.
    unsafe { field.cast::<Object>().replace(code) }
}

/// Whether the trace function is called for each instruction of a frame, beside each line.
///
/// # Safety
///
/// `object` is a live frame object.
#[cfg(not(Py_3_12))]
pub(super) unsafe fn traces_instructions(object: *mut ffi::PyFrameObject) -> *mut c_char {
    let field = object.cast::<u8>().wrapping_add(at::TRACES_INSTRUCTIONS);
    field.cast::<c_char>()
}

/// Where the thread notes the end of its newest frame, and the end of the room for more.
pub(super) fn data_stack() -> (*mut *mut Object, *mut Object) {
    // SAFETY: the lock is held, so there is a thread state.
    let state = unsafe { ffi::PyThreadState_Get() };
    let top = state
        .cast::<u8>()
        .wrapping_add(at::DATA_STACK_TOP)
        .cast::<*mut Object>();
    // SAFETY: a thread state of the versions that this is compiled for has more than these
    // bytes (`Include/cpython/pystate.h`).
    (top, unsafe { top.wrapping_byte_add(WORD).read() })
}
