//! The frame of a call in CPython 3.12 and 3.13 (`Include/internal/pycore_frame.h`).

use std::ffi::{c_char, c_int};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyTuple};

use super::jumps::{self, Watched};
use super::slots::Slots;
use super::{Moved, Route, Target, rooms};
use crate::bytecode::Listing;
use crate::once::intern;
use crate::support::raised;

type Object = *mut ffi::PyObject;

/// `_PyInterpreterFrame`; the variables and the stack follow it.
#[repr(C)]
struct Frame {
    /// Owned.
    code: Object,
    previous: *mut Frame,
    /// Owned.
    function: Object,
    globals: Object,
    builtins: Object,
    locals: Object,
    frame_object: Object,
    /// The instruction that runs, or ran last.
    instruction: *mut u16,
    /// The top of the stack, counted from the first variable.
    stack_top: c_int,
    return_offset: u16,
    owner: c_char,
}

const OWNED_BY_THREAD: c_char = 0;
const OWNED_BY_GENERATOR: c_char = 1;

/// Where a frame object (`struct _frame`) refers to its frame.
const FRAME_IN_OBJECT: usize = 24;
/// Where a thread state has the end of its newest frame; the end of the room for more follows.
const DATA_STACK_TOP: usize = 240;
const WORD: usize = size_of::<usize>();
/// How far before its frame a generator keeps its state.
const STATE_BEFORE_FRAME: usize = 5;
/// An instruction is one unit of two bytes, and those that follow it are its caches.
const UNIT: u32 = 2;

impl Frame {
    /// The first variable of a frame.
    fn slots(frame: *mut Frame) -> *mut Object {
        // The variables begin where the fields end, without padding.
        frame
            .cast::<u8>()
            .wrapping_add(size_of::<Frame>())
            .cast::<Object>()
    }
}

/// Where the instructions of a code object begin: its type's size is the offset
/// (`PyCode_Type` in CPython's `Objects/codeobject.c`).
fn first_instruction(code: Object) -> *mut u16 {
    // SAFETY: the type of a live object is alive.
    let size = unsafe { (*ffi::Py_TYPE(code)).tp_basicsize };
    code.cast::<u8>().wrapping_offset(size).cast::<u16>()
}

fn refused<T>(reason: impl Into<String>) -> Result<T, String> {
    Err(reason.into())
}

/// Moves the call that is jumping now.
///
/// `from` and `to` are the offsets of the jump, in bytes.
pub(super) fn move_current(
    py: Python<'_>,
    watched: &Watched,
    from: u32,
    to: u32,
    target: &Target,
) -> Moved {
    // SAFETY: the lock is held; the reference is borrowed from the frame, which is alive as
    // long as it runs, and it runs while its callback does.
    let object = unsafe { ffi::PyEval_GetFrame() };
    if object.is_null() {
        return Moved::Refused("nothing runs".to_string());
    }
    let field = object
        .cast::<u8>()
        .wrapping_add(FRAME_IN_OBJECT)
        .cast::<*mut Frame>();
    // SAFETY: the self-test found the frame there; the field is never written while it runs.
    let frame = unsafe { field.read() };
    // CPython 3.12 is at the destination when it calls back, 3.13 at the jump.
    let at = if cfg!(Py_3_13) { from } else { to };
    let expected = first_instruction(watched.old.as_ptr()).wrapping_add((at / UNIT) as usize);
    let way = Way {
        old: watched.old.as_ptr(),
        new: watched.new.as_ptr(),
        old_slots: &watched.old_slots,
        new_slots: &watched.new_slots,
        target,
    };
    // SAFETY: `frame` is the frame of the running call, as its object says.
    let (code, instruction, owner) =
        unsafe { ((*frame).code, (*frame).instruction, (*frame).owner) };
    if code != way.old || instruction != expected {
        return Moved::Refused("the call is at another place than it said".to_string());
    }
    let room = match owner {
        OWNED_BY_THREAD => Room::Thread,
        OWNED_BY_GENERATOR => match generator_around(py, frame) {
            Ok(generator) => Room::Generator(rooms::of(&generator, &watched.old_slots), generator),
            Err(reason) => return Moved::Refused(reason),
        },
        _ => return Moved::Refused("the call has no place of its own".to_string()),
    };
    let next = first_instruction(way.new).wrapping_add((target.offset / UNIT) as usize);
    // SAFETY: the frame is that of the current call and is in the old code (see above).
    match unsafe { relocate(py, frame, &way, room, next) } {
        Ok(()) => Moved::Done,
        Err(reason) => Moved::Refused(reason),
    }
}

/// Moves a generator that does not run.
pub(super) fn move_generator(
    py: Python<'_>,
    generator: &Bound<'_, PyAny>,
    route: &Route<'_>,
) -> Moved {
    let moved = (|| {
        let slots = |code| Slots::of(code).map_err(|error| error.to_string());
        let (old_slots, new_slots) = (slots(&route.old)?, slots(&route.new)?);
        if !is_idle(generator)? {
            return refused("it runs");
        }
        let frame = frame_in(generator)?;
        // SAFETY: a generator with a frame that does not run keeps it in its own memory.
        let (code, instruction, owner) =
            unsafe { ((*frame).code, (*frame).instruction, (*frame).owner) };
        if code != route.old.as_ptr() || owner != OWNED_BY_GENERATOR {
            return refused("it is not in the old code");
        }
        let distance = (instruction as isize) - (first_instruction(code) as isize);
        let distance = u32::try_from(distance).map_err(|_| "it is at an unknown place")?;
        // Which of the two instructions of a suspension is noted depends on the version.
        let found = [0, UNIT].into_iter().find_map(|behind| {
            let at = distance.checked_sub(behind)?;
            Some((behind, route.suspensions.get(&at)?))
        });
        let Some((behind, target)) = found else {
            return refused("the new code has no place like the one it is suspended at");
        };
        let way = Way {
            old: code,
            new: route.new.as_ptr(),
            old_slots: &old_slots,
            new_slots: &new_slots,
            target,
        };
        let next =
            first_instruction(way.new).wrapping_add(((target.offset + behind) / UNIT) as usize);
        let room = Room::Generator(rooms::of(generator, &old_slots), generator.clone());
        // SAFETY: the frame belongs to a live generator that does not run.
        unsafe { relocate(py, frame, &way, room, next) }
    })();
    match moved {
        Ok(()) => Moved::Done,
        Err(reason) => Moved::Refused(reason),
    }
}

/// Whether a generator is suspended or has not begun: those states are negative in all
/// versions (`PyFrameState` in CPython's `Include/internal/pycore_frame.h`).
fn is_idle(generator: &Bound<'_, PyAny>) -> Result<bool, String> {
    let state = frame_in(generator)?
        .cast::<i8>()
        .wrapping_sub(STATE_BEFORE_FRAME);
    // SAFETY: the byte lies in a live generator, before its frame.
    Ok(unsafe { state.read() } < 0)
}

/// The frame inside a generator: its type's size without items ends with the fields of the
/// frame (`PyGen_Type` in CPython's `Objects/genobject.c`).
fn frame_in(generator: &Bound<'_, PyAny>) -> Result<*mut Frame, String> {
    // SAFETY: the type of a live object is alive.
    let size = unsafe { (*generator.get_type_ptr()).tp_basicsize };
    let offset = usize::try_from(size)
        .ok()
        .and_then(|size| size.checked_sub(size_of::<Frame>()))
        .ok_or("its frame was not found")?;
    Ok(generator
        .as_ptr()
        .cast::<u8>()
        .wrapping_add(offset)
        .cast::<Frame>())
}

/// The generator that a frame lies in. All three kinds have the same fields before it.
fn generator_around(py: Python<'_>, frame: *mut Frame) -> Result<Bound<'_, PyAny>, String> {
    // SAFETY: a static type.
    let size = unsafe { (*std::ptr::addr_of!(ffi::PyGen_Type)).tp_basicsize };
    let before = usize::try_from(size)
        .ok()
        .and_then(|size| size.checked_sub(size_of::<Frame>()))
        .ok_or("its frame was not found")?;
    let generator = frame
        .cast::<u8>()
        .wrapping_sub(before)
        .cast::<ffi::PyObject>();
    // SAFETY: the frame says that a generator owns it, and lies at that place inside it; who
    // runs it holds a reference.
    Ok(unsafe { Bound::from_borrowed_ptr(py, generator) })
}

/// What a move needs to know of both sides.
struct Way<'a> {
    old: Object,
    new: Object,
    old_slots: &'a Slots,
    new_slots: &'a Slots,
    target: &'a Target,
}

enum Room<'py> {
    /// On the stack of the thread, which it may take more of.
    Thread,
    /// So many words inside this generator.
    Generator(usize, Bound<'py, PyAny>),
}

/// What becomes of a slot of the new frame.
enum Filling {
    /// The word of an old slot as it is.
    Moved(usize),
    /// A new reference.
    Made(Object),
}

/// Drops what was made for a move that does not happen.
fn discard(fillings: Vec<Filling>) {
    for filling in fillings {
        if let Filling::Made(object) = filling {
            // SAFETY: made by `fill`, and given to nobody.
            unsafe { ffi::Py_XDECREF(object) };
        }
    }
}

/// Gives a frame another code object, its variables the slots they have there.
///
/// # Safety
///
/// `frame` is that of the current call of this thread, or of a generator that does not run;
/// it is in `way.old` at the place that `way.target` stands for, and `next` is the
/// instruction of `way.new` to go on at.
unsafe fn relocate(
    py: Python<'_>,
    frame: *mut Frame,
    way: &Way<'_>,
    room: Room<'_>,
    next: *mut u16,
) -> Result<(), String> {
    let (old, new) = (way.old_slots, way.new_slots);
    let (before, after) = (old.names.len(), new.names.len());
    // SAFETY: a live frame, as the caller vouches.
    let top = unsafe { (*frame).stack_top };
    let depth = usize::try_from(top)
        .ok()
        .and_then(|top| top.checked_sub(before))
        .ok_or("its stack is not understood")?;
    if depth != way.target.depth as usize || depth > new.stack {
        return refused("what it holds on its stack is not what the new code expects there");
    }
    let slots = Frame::slots(frame);
    let new_end = slots.wrapping_add(new.size());
    let top_field = match &room {
        Room::Generator(words, _) if *words < new.size() => {
            return refused(
                "the new code needs more room than the generator has, which was made for the old one",
            );
        }
        Room::Generator(..) => None,
        Room::Thread => {
            // SAFETY: the state of the running thread.
            let state = unsafe { ffi::PyThreadState_Get() };
            let field = state
                .cast::<u8>()
                .wrapping_add(DATA_STACK_TOP)
                .cast::<*mut Object>();
            // SAFETY: the self-test found the two fields there.
            let (top, limit) = unsafe { (field.read(), field.wrapping_byte_add(WORD).read()) };
            if top != slots.wrapping_add(old.size()) {
                return refused("something else lies behind it on the thread's stack");
            }
            if new_end > limit {
                return refused("the thread's stack has no room for the new code's variables here");
            }
            Some(field)
        }
    };
    // SAFETY: a live frame has `before` slots and `depth` values behind them.
    let held: Vec<Object> = (0..before + depth)
        .map(|at| unsafe { slots.wrapping_add(at).read() })
        .collect();
    let mut fillings = Vec::with_capacity(after);
    let mut taken = vec![false; before];
    // SAFETY: cells and values of a live frame are alive.
    let filled = unsafe { fill(py, frame, way, &held, &mut taken, &mut fillings) };
    if let Err(reason) = filled {
        discard(fillings);
        return Err(reason);
    }
    if let Room::Generator(words, generator) = &room {
        if let Err(error) = rooms::note(generator, *words) {
            discard(fillings);
            return Err(error.to_string());
        }
    }
    // From here on nothing can fail, and nothing of Python runs before the frame is whole.
    for (at, filling) in fillings.iter().enumerate() {
        let word = match filling {
            Filling::Moved(from) => held[*from],
            Filling::Made(object) => *object,
        };
        // SAFETY: there is room for all slots of the new code (checked above).
        unsafe { slots.wrapping_add(at).write(word) };
    }
    for (at, word) in held[before..].iter().enumerate() {
        // SAFETY: the same, for its stack.
        unsafe { slots.wrapping_add(after + at).write(*word) };
    }
    // SAFETY: the reference to the new code is made here, the one to the old is released
    // below; the other fields are plain.
    unsafe {
        ffi::Py_INCREF(way.new);
        (*frame).code = way.new;
        (*frame).instruction = next;
        (*frame).stack_top = (after + depth) as c_int;
        if let Some(field) = top_field {
            field.write(new_end);
        }
    }
    for (word, taken) in held[..before].iter().zip(&taken) {
        if !taken {
            // SAFETY: the frame owned it and does so no more. Code of the program may run.
            unsafe { ffi::Py_XDECREF(*word) };
        }
    }
    // SAFETY: the frame owned it.
    unsafe { ffi::Py_DECREF(way.old) };
    Ok(())
}

/// Says what each slot of the new frame gets, and refuses if one lacks what it must have.
///
/// # Safety
///
/// `held` are the words of the live `frame`, which is in `way.old`.
unsafe fn fill(
    py: Python<'_>,
    frame: *mut Frame,
    way: &Way<'_>,
    held: &[Object],
    taken: &mut [bool],
    fillings: &mut Vec<Filling>,
) -> Result<(), String> {
    let (old, new) = (way.old_slots, way.new_slots);
    let no_memory = || "there is no memory for a cell".to_string();
    for (at, name) in new.names.iter().enumerate() {
        let from = old.position(name).filter(|from| !taken[*from]);
        let filling = match from {
            Some(from) if old.cells[from] == new.cells[at] => {
                taken[from] = true;
                Filling::Moved(from)
            }
            Some(from) if new.cells[at] => {
                // SAFETY: a value of a live frame, or null: an empty cell.
                Filling::Made(unsafe { ffi::PyCell_New(held[from]) })
            }
            // SAFETY: the old slot holds a cell; `PyCell_Get` gives a new reference or null.
            Some(from) => Filling::Made(unsafe { ffi::PyCell_Get(held[from]) }),
            None if at >= new.free => {
                // SAFETY: a live frame refers to its function, if it has one.
                let cell = unsafe { free_variable(py, (*frame).function, way, at - new.free) };
                Filling::Made(cell.ok_or_else(|| {
                    format!("the new code uses `{name}` of the function around it, which the call does not know")
                })?)
            }
            // SAFETY: makes an empty cell.
            None if new.cells[at] => {
                Filling::Made(unsafe { ffi::PyCell_New(std::ptr::null_mut()) })
            }
            None => Filling::Made(std::ptr::null_mut()),
        };
        let word = match &filling {
            Filling::Moved(from) => held[*from],
            Filling::Made(object) => *object,
        };
        fillings.push(filling);
        if new.cells[at] && word.is_null() {
            // SAFETY: clears the error of a failed allocation, if there is one.
            unsafe { ffi::PyErr_Clear() };
            return Err(no_memory());
        }
        let empty = match new.cells[at] {
            // SAFETY: it is a cell, and alive.
            true => unsafe {
                let value = ffi::PyCell_Get(word);
                ffi::Py_XDECREF(value);
                value.is_null()
            },
            false => word.is_null(),
        };
        if empty && way.target.needed.iter().any(|needed| needed == name) {
            return Err(format!(
                "the new code reads `{name}` there, which has no value in this call"
            ));
        }
    }
    Ok(())
}

/// The cell of a free variable of the new code, from the function's closure.
///
/// # Safety
///
/// `function` is null or a live object.
unsafe fn free_variable(
    py: Python<'_>,
    function: Object,
    way: &Way<'_>,
    index: usize,
) -> Option<Object> {
    // SAFETY: null or alive, as the caller vouches.
    let function = unsafe { Bound::from_borrowed_ptr_or_opt(py, function) }?;
    let code = function.getattr_opt(intern!(py, "__code__")).ok()??;
    if code.as_ptr() != way.new {
        return None;
    }
    let closure = function.getattr(intern!(py, "__closure__")).ok()?;
    let closure = closure.cast_into::<PyTuple>().ok()?;
    Some(closure.get_item(index).ok()?.into_ptr())
}

/// Moves a call of a function of its own, and a generator.
pub(super) fn self_test(py: Python<'_>) -> Result<(), String> {
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
    test_loop(py, &namespace)?;
    test_generator(py, &namespace)
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
    })
}

fn test_loop(py: Python<'_>, namespace: &Bound<'_, PyDict>) -> Result<(), String> {
    let old = code_in(namespace, "loop").map_err(raised)?;
    let new = code_in(namespace, "new_loop").map_err(raised)?;
    let from = only(&Listing::of(&old).map_err(raised)?, "FOR_ITER")?;
    let to = only(&Listing::of(&new).map_err(raised)?, "FOR_ITER")?;
    let route = Route {
        old: old.clone(),
        new,
        loops: [(from.offset, to)].into_iter().collect(),
        suspensions: rustc_hash::FxHashMap::default(),
    };
    look_at_layout(py, namespace)?;
    jumps::watch(py, &route).map_err(|error| error.to_string())?;
    let ran = py.run(
        c"
out = []
result = loop(iter([1, 2, 3]), out)
answer = result == 'new' and out == [('old', 1), ('new', 2, False), ('new', 3, False)]
",
        Some(namespace),
        None,
    );
    let armed = jumps::armed(&old);
    jumps::disarm(py, &old).map_err(|error| error.to_string())?;
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
    // SAFETY: the lock is held; the reference is borrowed from the running frame.
    let object = unsafe { ffi::PyEval_GetFrame() };
    let py = mark.py();
    // SAFETY: null or a live frame object.
    let Some(held) = (unsafe { Bound::from_borrowed_ptr_or_opt(py, object.cast()) }) else {
        return "there is no frame".to_string();
    };
    let field = object
        .cast::<u8>()
        .wrapping_add(FRAME_IN_OBJECT)
        .cast::<*mut Frame>();
    // SAFETY: a frame object has more than these bytes; what is read is only compared until
    // the first words that it points to are known to be a frame.
    let frame = unsafe { field.read() };
    let state = unsafe { ffi::PyThreadState_Get() };
    let top = state
        .cast::<u8>()
        .wrapping_add(DATA_STACK_TOP)
        .cast::<*mut Object>();
    // SAFETY: a thread state of the versions that this is compiled for has more than these
    // bytes (`Include/cpython/pystate.h`).
    let (top, limit) = unsafe { (top.read(), top.wrapping_byte_add(WORD).read()) };
    let slots = Frame::slots(frame);
    let distance = (top as usize).wrapping_sub(slots as usize) / WORD;
    if frame.is_null() || distance > 64 || top > limit {
        return "the frame is not where the thread's newest is".to_string();
    }
    let attribute = |name: &str| {
        held.getattr(name)
            .map(Bound::into_ptr)
            .unwrap_or(std::ptr::null_mut())
    };
    let code = attribute("f_code");
    let globals = attribute("f_globals");
    // SAFETY: the frame lies on the stack of the running thread (see above).
    let (frame_code, frame_globals, frame_object, instruction, stack_top, owner, first) = unsafe {
        (
            (*frame).code,
            (*frame).globals,
            (*frame).frame_object,
            (*frame).instruction,
            (*frame).stack_top,
            (*frame).owner,
            slots.read(),
        )
    };
    let last: isize = held
        .getattr("f_lasti")
        .and_then(|last| last.extract())
        .unwrap_or(-1);
    let start = first_instruction(code) as isize;
    // SAFETY: a live code object.
    let code = unsafe { Bound::from_owned_ptr_or_opt(py, code) };
    // SAFETY: a live dict.
    let globals = unsafe { Bound::from_owned_ptr_or_opt(py, globals) };
    let size = code
        .as_ref()
        .and_then(|code| Slots::of(code.cast().ok()?).ok())
        .map_or(0, |slots| slots.size());
    let wrong = [
        (code.is_none_or(|code| code.as_ptr() != frame_code), "code"),
        (
            globals.is_none_or(|globals| globals.as_ptr() != frame_globals),
            "globals",
        ),
        (frame_object != object.cast(), "frame object"),
        (instruction as isize - start != last, "instruction"),
        // While a call is made the stack is not noted, or holds the iterator of the loop.
        (stack_top > 3 + 8, "stack"),
        (owner != OWNED_BY_THREAD, "owner"),
        (first != mark.as_ptr(), "first variable"),
        (distance != size, "end"),
    ];
    let wrong = wrong.iter().find(|(wrong, _)| *wrong);
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
        loops: rustc_hash::FxHashMap::default(),
        suspensions: [(from, suspension(&new)?)].into_iter().collect(),
    };
    let source = c"
suspended = generator(iter([1, 2, 3]))
first = next(suspended)
";
    py.run(source, Some(namespace), None).map_err(raised)?;
    let generator = namespace.as_any().get_item("suspended").map_err(raised)?;
    // SAFETY: static types.
    let sizes = unsafe {
        [
            (*std::ptr::addr_of!(ffi::PyGen_Type)).tp_basicsize,
            (*std::ptr::addr_of!(ffi::PyCoro_Type)).tp_basicsize,
            (*std::ptr::addr_of!(ffi::PyAsyncGen_Type)).tp_basicsize,
        ]
    };
    if sizes.iter().any(|size| *size != sizes[0]) {
        return refused("generators and coroutines are not of one size");
    }
    let frame = frame_in(&generator)?;
    // SAFETY: the words lie in a live generator (its size was compared above).
    if unsafe { (*frame).code } != route.old.as_ptr() {
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
