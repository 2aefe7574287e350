//! The line that the body of a class notes.
//!
//! Since CPython 3.13 the body of a class begins by storing its first line as
//! `__firstlineno__` (`codegen_class_body` in `Python/codegen.c`, in `compile.c` before 3.14). That
//! is a constant: it does not move with the first line of the code object.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCode, PyDict, PyTuple};
use rustc_hash::FxHashSet;

use crate::code;
use crate::names;
use crate::once::intern;
use crate::support::Result;

const NAME: &str = "__firstlineno__";

/// The body of a class as it is `delta` lines further down, with the bodies of the classes
/// inside it. The functions inside it are the same. None: it notes no line, or not where that
/// can be changed, or the code around it cannot be given another one.
pub fn moved_class_body<'py>(
    body: &Bound<'py, PyCode>,
    delta: i32,
) -> Result<Option<Bound<'py, PyCode>>> {
    let py = body.py();
    if !cfg!(Py_3_13) || code::constants_are_writable(py).is_err() {
        return Ok(None);
    }
    moved(body, delta).map_err(Into::into)
}

fn moved<'py>(body: &Bound<'py, PyCode>, delta: i32) -> PyResult<Option<Bound<'py, PyCode>>> {
    let py = body.py();
    let mut instructions = body
        .getattr(intern!(py, "co_code"))?
        .cast_into::<PyBytes>()?
        .as_bytes()
        .to_vec();
    let mut constants: Vec<Bound<'py, PyAny>> = code::constants_of(body)?.iter().collect();
    let first: i32 = body.getattr(names::first_line(py))?.extract()?;
    let lines = (first, first + delta);
    if !note_line(body, &mut instructions, &mut constants, lines)? {
        return Ok(None);
    }
    for constant in &mut constants {
        if let Ok(inner) = constant.cast::<PyCode>()
            && let Some(inner) = moved(inner, delta)?
        {
            *constant = inner.into_any();
        }
    }
    let changes = PyDict::new(py);
    changes.set_item(intern!(py, "co_code"), PyBytes::new(py, &instructions))?;
    changes.set_item(names::constants(py), PyTuple::new(py, constants)?)?;
    changes.set_item(names::first_line(py), lines.1)?;
    let moved = body.call_method(intern!(py, "replace"), (), Some(&changes))?;
    Ok(moved.cast_into().ok())
}

/// Changes the line that the first store to the name stores. False: there is none, or what
/// it stores is not the first line of the code, loaded by one instruction right before it.
fn note_line<'py>(
    body: &Bound<'py, PyCode>,
    instructions: &mut [u8],
    constants: &mut Vec<Bound<'py, PyAny>>,
    (first, line): (i32, i32),
) -> PyResult<bool> {
    let py = body.py();
    let variables: Vec<String> = body.getattr(intern!(py, "co_names"))?.extract()?;
    let name = variables.iter().position(|name| name == NAME);
    let Some(name) = name.and_then(|at| u8::try_from(at).ok()) else {
        return Ok(false);
    };
    let numbers = Numbers::read(py)?;
    let unit = |at: usize| [instructions[2 * at], instructions[2 * at + 1]];
    let units = 0..instructions.len() / 2;
    let mut stores = units.clone();
    let Some(store) = stores.find(|at| unit(*at) == [numbers.store, name]) else {
        return Ok(false);
    };
    if store < 2 || unit(store - 2)[0] == numbers.extended {
        return Ok(false);
    }
    let [load, argument] = unit(store - 1);
    let is_small = Some(load) == numbers.small;
    let noted = match constants.get(usize::from(argument)) {
        _ if is_small => Some(i32::from(argument)),
        Some(constant) if load == numbers.constant => constant.extract().ok(),
        _ => None,
    };
    if noted != Some(first) {
        return Ok(false);
    }
    let is_user = |at: &usize| numbers.users.contains(&unit(*at)[0]) && unit(*at)[1] == argument;
    let place = match u8::try_from(line) {
        Ok(line) if is_small => {
            instructions[2 * store - 1] = line;
            return Ok(true);
        }
        // Something else may load the same constant.
        _ if is_small || units.filter(is_user).count() > 1 => constants.len(),
        _ => usize::from(argument),
    };
    let Ok(argument) = u8::try_from(place) else {
        return Ok(false);
    };
    let line = line.into_pyobject(py)?.into_any();
    match constants.get_mut(place) {
        Some(constant) => *constant = line,
        None => constants.push(line),
    }
    instructions[2 * store - 2] = numbers.constant;
    instructions[2 * store - 1] = argument;
    Ok(true)
}

/// The numbers of instructions.
struct Numbers {
    store: u8,
    constant: u8,
    /// Since CPython 3.14 small numbers are no constants.
    small: Option<u8>,
    extended: u8,
    /// All that load a constant.
    users: FxHashSet<u8>,
}

impl Numbers {
    fn read(py: Python<'_>) -> PyResult<Numbers> {
        let dis = py.import(intern!(py, "dis"))?;
        let known = dis.getattr(intern!(py, "opmap"))?.cast_into::<PyDict>()?;
        let number = |name: &str| -> PyResult<Option<u8>> {
            let number = known.get_item(name)?;
            number.map(|number| number.extract()).transpose()
        };
        let constants: Vec<u16> = dis.getattr(intern!(py, "hasconst"))?.extract()?;
        let users = constants.into_iter();
        Ok(Numbers {
            store: number("STORE_NAME")?.unwrap_or_default(),
            constant: number("LOAD_CONST")?.unwrap_or_default(),
            small: number("LOAD_SMALL_INT")?,
            extended: number("EXTENDED_ARG")?.unwrap_or_default(),
            // Those beyond a byte are the compiler's own.
            users: users.filter_map(|each| u8::try_from(each).ok()).collect(),
        })
    }
}
