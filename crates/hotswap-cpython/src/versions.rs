//! Version numbers of functions, which CPython 3.12 gives out twice.
//!
//! A call site that was specialised for a function remembers its version number
//! and trusts that another function with that number has as many parameters and
//! defaults. On 3.12 there are two counters: a function that is made takes the
//! number of its code object, one whose code or defaults were assigned takes the
//! next number of a counter in the interpreter's state
//! (<https://github.com/python/cpython/issues/116916>, solved in 3.13). Both
//! begin at 1, so the numbers of functions that hotswap has changed are those of
//! others, and a call site that meets both crashes the process or mixes up
//! arguments. Here the second counter is moved to where the first never comes.

use pyo3::prelude::*;

use crate::support::{Tested, Unsupported, tested};

pub(crate) const CAPABILITY: &str = "function versions";

/// Sees to it that a changed function never gets the version number of another.
pub(crate) fn separate(py: Python<'_>) -> std::result::Result<(), Unsupported> {
    static OUTCOME: Tested<()> = Tested::new();
    tested(py, CAPABILITY, &OUTCOME, || platform::separate(py)).copied()
}

#[cfg(not(all(Py_3_12, not(Py_3_13))))]
mod platform {
    use super::*;

    /// One counter serves both, or code objects have no number.
    pub(super) fn separate(_py: Python<'_>) -> std::result::Result<(), String> {
        Ok(())
    }
}

#[cfg(all(Py_3_12, not(Py_3_13)))]
mod platform {
    use crate::once::intern;
    use pyo3::ffi;
    use pyo3::types::{PyDict, PyFunction};

    use super::*;
    use crate::layout::{WORD, place, size_of_body};
    use crate::support::raised;

    /// Code objects are numbered from 1; no process makes so many.
    const FAR: u32 = 1 << 31;
    /// Where the counter is looked for in the interpreter's state. On 64-bit Linux it
    /// lies at 0x41df8, and the whole is 0x5da40 bytes.
    const PLACES: std::ops::Range<usize> = 0x3_0000..0x5_0000;
    /// Rounds that must agree on one place.
    const ROUNDS: usize = 4;
    /// Another thread may take a number in the middle of a round.
    const TRIES: usize = 8;

    pub(super) fn separate(py: Python<'_>) -> std::result::Result<(), String> {
        if !cfg!(all(target_pointer_width = "64", target_os = "linux")) {
            return Err("the counter's place is known on 64-bit Linux only".to_string());
        }
        for _ in 0..TRIES {
            let Some(counter) = find(py)? else { continue };
            let before = read(counter);
            if before >= FAR {
                return Ok(());
            }
            write(counter, FAR);
            if next_version(py)? >= FAR {
                return Ok(());
            }
            write(counter, before);
            return Err("the counter was found, but a check of it failed".to_string());
        }
        Err("the counter was not found".to_string())
    }

    /// The one place in the interpreter's state that holds the next number in each round.
    fn find(py: Python<'_>) -> std::result::Result<Option<*mut u32>, String> {
        // SAFETY: this thread is attached to an interpreter.
        let state = unsafe { ffi::PyInterpreterState_Get() }.cast::<u8>();
        let mut places: Vec<*mut u32> = PLACES
            .step_by(size_of::<u32>())
            .map(|offset| state.wrapping_add(offset).cast())
            .collect();
        for _ in 0..ROUNDS {
            let next = next_version(py)?.wrapping_add(1);
            places.retain(|place| read(*place) == next);
        }
        Ok(match places[..] {
            [place] => Some(place),
            _ => None,
        })
    }

    fn read(place: *mut u32) -> u32 {
        // SAFETY: every place lies inside the interpreter's state (see `PLACES`), which
        // lives as long as the process, and is aligned as the state is.
        unsafe { place.read_volatile() }
    }

    fn write(place: *mut u32, value: u32) {
        // SAFETY: `find` has seen this place follow the numbers that functions got; the
        // lock of the interpreter keeps others from using it now.
        unsafe { place.write_volatile(value) }
    }

    /// Changes a function and calls it until a call site has asked for its number.
    fn next_version(py: Python<'_>) -> std::result::Result<u32, String> {
        let source = c"def made(): pass\ndef other(): pass\nmade.__code__ = other.__code__\ndef call():\n for _ in range(64): made()\ncall()";
        let namespace = PyDict::new(py);
        py.run(source, Some(&namespace), None).map_err(raised)?;
        let made = namespace
            .as_any()
            .get_item(intern!(py, "made"))
            .map_err(raised)?
            .cast_into::<PyFunction>()
            .map_err(|_| "the specimen is no function".to_string())?;
        match version_of(made.as_any()) {
            Some(version) if version != 0 => Ok(version),
            _ => Err("a function that was called often has no number".to_string()),
        }
    }

    /// The last field of a function.
    fn version_of(function: &Bound<'_, PyAny>) -> Option<u32> {
        let offset = size_of_body(function).checked_sub(WORD)?;
        let place = place(function, offset).cast::<u32>();
        // SAFETY: the last word of a live object, which is aligned.
        Some(unsafe { place.read() })
    }
}
