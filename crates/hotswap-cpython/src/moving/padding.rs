//! Room in generators for the variables that a later version of their code may have.
//!
//! A generator has its frame inside, as large as the code says that it began in. It gets
//! [`PADDING`] words more, 128 bytes, if it is made after its code was seen here. Nothing that
//! a program can read of a code object is changed. From 3.12 on the size of a frame is a
//! number of its own in the code (`co_framesize`, which `_PyFrame_NumSlotsForCodeObject` of
//! `Include/internal/pycore_frame.h` reads). On 3.11 it is made of `co_stacksize`, so there
//! all generators get more: they are allocated by the `tp_basicsize` of their type, to which
//! the frame is added (`make_gen` of `Objects/genobject.c`); `gen_sizeof` does not read it.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyFunction, PyString, PyTuple, PyType};

use super::remembered::Remembered;
#[cfg(Py_3_12)]
use super::slots::Slots;
use crate::functions::code_of;
#[cfg(Py_3_12)]
use crate::layout::place;
#[cfg(not(Py_3_12))]
use crate::layout::{
    GENERATOR, GENERATOR_ROOM, WORD, enlarge_generator_types, generator_types, size_of_type,
};
use crate::once::intern;
use crate::support::{Tested, tested};

/// In words.
const PADDING: u8 = 16;
#[cfg(not(Py_3_12))]
const _: () = assert!(GENERATOR_ROOM == PADDING as usize * WORD);

/// `CO_GENERATOR`, `CO_COROUTINE` and `CO_ASYNC_GENERATOR`.
const SUSPENDS: u32 = 0x20 | 0x80 | 0x200;

/// The words of a frame before its variables.
#[cfg(Py_3_12)]
const FRAME_FIELDS: usize = if cfg!(Py_3_14) { 10 } else { 9 };

/// How much stack the instructions of the codes need whose generators all have more.
static NEEDED: Remembered = Remembered::new();

/// How much stack the instructions of a code object need, and how much its calls have.
pub(super) fn stack_sizes(code: &Bound<'_, PyCode>, stated: usize) -> (usize, usize) {
    match NEEDED.get(code) {
        Some(needed) => (needed, needed + usize::from(PADDING)),
        None => (stated, stated),
    }
}

/// Makes room in the generators that the functions and methods of a module will make.
///
/// `body` is the code of the module's body where that still runs. Codes that something else
/// than their function refers to are left alone: it may be a generator that is there already.
pub fn make_room(
    namespace: &Bound<'_, PyDict>,
    module: &str,
    body: Option<&Bound<'_, PyCode>>,
) -> PyResult<()> {
    let py = namespace.py();
    if check(py).is_err() {
        return Ok(());
    }
    let constants = body.map(constants).transpose()?.unwrap_or_default();
    let mut look = Look {
        module,
        constants,
        functions: Vec::new(),
    };
    for value in namespace.values() {
        look.at(&value, 2)?;
    }
    for function in look.functions {
        let code = code_of(&function);
        let code = code.cast_into::<PyCode>()?;
        let in_body = look.constants.iter().any(|constant| constant.is(&code));
        // The function, this one, and the body of the module with the one from there.
        make_room_in(&code, 2 + if in_body { 2 } else { 0 })?;
    }
    Ok(())
}

/// The same for a code object that was just compiled, and all inside it.
pub fn make_room_in_new(code: &Bound<'_, PyCode>) -> PyResult<()> {
    if check(code.py()).is_err() {
        return Ok(());
    }
    NEEDED.tend(code.py());
    super::rooms::tend(code.py());
    for inner in constants(code)? {
        make_room_in(&inner, 2)?;
    }
    Ok(())
}

/// `references` is how many there are where no generator exists.
fn make_room_in(code: &Bound<'_, PyCode>, references: isize) -> PyResult<()> {
    let py = code.py();
    for inner in constants(code)? {
        make_room_in(&inner, 2)?;
    }
    let flags: u32 = code.getattr(intern!(py, "co_flags"))?.extract()?;
    if flags & SUSPENDS == 0 || crate::heap::reference_count(code) != Some(references) {
        return Ok(());
    }
    if NEEDED.get(code).is_some() {
        return Ok(());
    }
    NEEDED.insert(code, code.getattr(intern!(py, "co_stacksize"))?.extract()?)?;
    #[cfg(Py_3_12)]
    enlarge_frames(code);
    Ok(())
}

/// Where a code object has the size of its frames (`Include/cpython/code.h`).
#[cfg(Py_3_12)]
fn frame_size(code: &Bound<'_, PyCode>) -> *mut i32 {
    place(code, 76).cast()
}

/// Lets the frames of a code object have more room. There must be none yet.
#[cfg(Py_3_12)]
fn enlarge_frames(code: &Bound<'_, PyCode>) {
    let field = frame_size(code);
    // SAFETY: the self-test found the number at this offset of code objects.
    let size = unsafe { field.read() };
    // SAFETY: the same; no frame of this code exists, as the caller vouches.
    unsafe { field.write(size + i32::from(PADDING)) };
}

/// Lets all generators that are made from now on be larger, or says why not.
#[cfg(not(Py_3_12))]
fn enlarge_generators(_py: Python<'_>) -> std::result::Result<(), String> {
    let right = generator_types().into_iter().all(|kind| {
        // SAFETY: types of the interpreter, whose lock is held.
        let (size, item) = unsafe { (size_of_type(kind), (*kind).tp_itemsize) };
        size == GENERATOR && usize::try_from(item) == Ok(WORD)
    });
    if !right {
        return Err("generators do not have the size that they should".to_string());
    }
    // SAFETY: the size is read where a generator is made; nothing uses the words at its end.
    unsafe { enlarge_generator_types() };
    Ok(())
}

/// The code objects among the constants of another; each holds one reference more.
fn constants<'py>(code: &Bound<'py, PyCode>) -> PyResult<Vec<Bound<'py, PyCode>>> {
    let py = code.py();
    let constants = code
        .getattr(intern!(py, "co_consts"))?
        .cast_into::<PyTuple>()?;
    Ok(constants
        .iter()
        .filter_map(|constant| constant.cast_into::<PyCode>().ok())
        .collect())
}

/// Looks for the functions of a module, without code of the program.
struct Look<'m, 'py> {
    module: &'m str,
    constants: Vec<Bound<'py, PyCode>>,
    functions: Vec<Bound<'py, PyFunction>>,
}

impl<'py> Look<'_, 'py> {
    fn at(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> PyResult<()> {
        let py = value.py();
        if let Ok(function) = value.cast_exact::<PyFunction>() {
            let home = function.getattr(intern!(py, "__module__"))?;
            if home.extract::<&str>().is_ok_and(|home| home == self.module) {
                self.functions.push(function.clone());
            }
        } else if let Ok(class) = value.cast::<PyType>() {
            if depth == 0 || !self.is_own(class) {
                return Ok(());
            }
            for member in crate::types::type_dict(class).values() {
                self.at(&member, depth - 1)?;
            }
        } else if is_wrapper(value) {
            self.at(&value.getattr(intern!(py, "__func__"))?, depth)?;
        }
        Ok(())
    }

    /// Whether a class was defined in the module, as its dict says.
    fn is_own(&self, class: &Bound<'py, PyType>) -> bool {
        let members = crate::types::type_dict(class);
        let home = members.get_item(intern!(class.py(), "__module__"));
        let home = home.ok().flatten();
        let home = home.and_then(|home| home.cast_into_exact::<PyString>().ok());
        home.is_some_and(|home| home.to_str().is_ok_and(|home| home == self.module))
    }
}

/// Whether it is a `staticmethod` or `classmethod`.
fn is_wrapper(value: &Bound<'_, PyAny>) -> bool {
    let kind = value.get_type_ptr();
    kind == std::ptr::addr_of_mut!(ffi::PyStaticMethod_Type)
        || kind == std::ptr::addr_of_mut!(ffi::PyClassMethod_Type)
}

/// By itself, because the self-test of moving needs more of the standard library than a
/// program should load at its start.
fn check(py: Python<'_>) -> std::result::Result<(), crate::Unsupported> {
    static OUTCOME: Tested<()> = Tested::new();
    tested(py, "room in generators", &OUTCOME, || {
        self_test(py).map_err(crate::support::raised)?
    })
    .map(|_| ())
}

/// Compares the sizes that are to be changed with what they should be, changes them, and lets
/// generators that are larger work.
fn self_test(py: Python<'_>) -> PyResult<std::result::Result<(), String>> {
    let namespace = PyDict::new(py);
    let source = c"
def small(a):
    yield a
def large(a, b=1, *c, d=2):
    def inner():
        yield b
    yield (a, b, c, d, (a, b, (c, d, a)), small(small(small(a))))
    yield from inner()
";
    py.run(source, Some(&namespace), None)?;
    #[cfg(not(Py_3_12))]
    if let Err(reason) = enlarge_generators(py) {
        return Ok(Err(reason));
    }
    for name in ["small", "large"] {
        let function = namespace.as_any().get_item(name)?;
        let code = function.getattr("__code__")?.cast_into::<PyCode>()?;
        #[cfg(Py_3_12)]
        {
            let stated = Slots::of(&code)?.size() + FRAME_FIELDS;
            // SAFETY: code objects of these versions are larger (`Include/cpython/code.h`).
            if usize::try_from(unsafe { frame_size(&code).read() }) != Ok(stated) {
                return Ok(Err(
                    "a size in code objects is not where it should be".to_string()
                ));
            }
        }
        make_room_in(&code, 2)?;
        if NEEDED.get(&code).is_none() {
            return Ok(Err("the code of a new function is in use".to_string()));
        }
    }
    let source = c"
results = [*large(1)]
answer = (results[0][:5], *results[1:]) == ((1, 1, (), 2, (1, 1, ((), 2, 1))), 1)
";
    py.run(source, Some(&namespace), None)?;
    match namespace.as_any().get_item("answer")?.is_truthy()? {
        true => Ok(Ok(())),
        false => Ok(Err("a generator with more room went wrong".to_string())),
    }
}
