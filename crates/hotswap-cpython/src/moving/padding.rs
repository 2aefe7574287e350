//! Room in generators for the variables that a later version of their code may have.
//!
//! A generator has its frame inside, as large as the code says that it began in. Codes of
//! generators and coroutines get to say a little more, before the first one is made of
//! them: [`PADDING`] words, 128 bytes for each generator. No instruction is changed. From
//! 3.12 on nothing that a program can read of its code is changed either: the size of a
//! frame is a number of its own there (`co_framesize`, which `_PyFrame_NumSlotsForCodeObject`
//! of `Include/internal/pycore_frame.h` reads). On 3.11 it is `co_stacksize` that says more.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyFunction, PyString, PyTuple, PyType};

use super::remembered::Remembered;
use super::slots::Slots;
use crate::functions::code_of;
use crate::layout::place;
use crate::once::intern;
use crate::support::{Tested, tested};

/// In words.
const PADDING: u16 = 16;

/// `CO_GENERATOR`, `CO_COROUTINE` and `CO_ASYNC_GENERATOR`.
const SUSPENDS: u32 = 0x20 | 0x80 | 0x200;

/// Where a code object has the number that a generator's size is made of
/// (`Include/cpython/code.h`): the size of the frame, or else of the stack.
const SIZE: usize = if cfg!(Py_3_12) { 76 } else { 68 };
/// The words of a frame before its variables, which the size of a frame counts too.
const FRAME_FIELDS: usize = if cfg!(Py_3_14) { 10 } else { 9 };

/// How much stack the instructions of codes that were given more need.
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
    let field = place(code, SIZE).cast::<i32>();
    // SAFETY: the self-test found the number at this offset of code objects.
    let size = unsafe { field.read() };
    // SAFETY: the same; no frame of this code exists (see the count of references).
    unsafe { field.write(size + i32::from(PADDING)) };
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

/// Compares the numbers of code objects of different sizes with what they say, and lets a
/// padded one work.
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
    for name in ["small", "large"] {
        let function = namespace.as_any().get_item(name)?;
        let code = function.getattr("__code__")?.cast_into::<PyCode>()?;
        let slots = Slots::of(&code)?;
        let size = || {
            let field = place(&code, SIZE).cast::<i32>();
            // SAFETY: code objects of these versions are larger (`Include/cpython/code.h`).
            usize::try_from(unsafe { field.read() }).unwrap_or(0)
        };
        let stated = match cfg!(Py_3_12) {
            true => slots.size() + FRAME_FIELDS,
            false => slots.stack,
        };
        if size() != stated {
            return Ok(Err(
                "a size in code objects is not where it should be".to_string()
            ));
        }
        make_room_in(&code, 2)?;
        if size() != stated + usize::from(PADDING) {
            return Ok(Err("the size of a frame was not written".to_string()));
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
