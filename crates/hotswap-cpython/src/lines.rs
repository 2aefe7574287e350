//! First line numbers of live code objects.
//!
//! All line numbers of a code object are stored relative to its first one, so
//! moving that moves tracebacks, running frames, suspended generators, tracing
//! and monitoring along. Only 3.11 keeps a table of absolute lines, made when
//! the code is traced; it is thrown away and made anew when needed.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCode;

use crate::code;
use crate::support::{Result, Unsupported};

pub(crate) const CAPABILITY: &str = "line shift";

/// Moves all lines of `code` by `delta`, in place.
///
/// Code objects nested in it are not touched; the caller walks
/// [`nested_code`](crate::code::nested_code). From 3.12 on the hash of a code
/// object depends on its first line, so what keeps `code` as a dict key loses
/// it. Tracebacks that exist already keep the lines they were made with.
pub fn shift_first_line(code: &Bound<'_, PyCode>, delta: i32) -> Result<()> {
    check(code.py())?;
    let layout = code::layout(code.py())?;
    let line = code::read_first_line(code, layout)
        .checked_add(delta)
        .filter(|&line| line >= 0)
        .ok_or_else(|| PyValueError::new_err("the first line would leave the file"))?;
    code::write_first_line(code, layout, line);
    #[cfg(all(Py_3_11, not(Py_3_12)))]
    line_table::forget(code)?;
    Ok(())
}

/// Whether lines can be moved here.
pub(crate) fn check(py: Python<'_>) -> std::result::Result<(), Unsupported> {
    let renamed = |absent: Unsupported| Unsupported {
        capability: CAPABILITY,
        reason: absent.reason,
    };
    code::layout(py).map_err(renamed)?;
    #[cfg(all(Py_3_11, not(Py_3_12)))]
    line_table::offset(py).map_err(renamed)?;
    Ok(())
}

/// The table of absolute lines that 3.11 makes when code is traced.
#[cfg(all(Py_3_11, not(Py_3_12)))]
mod line_table {
    use crate::once::intern;
    use pyo3::ffi;
    use pyo3::prelude::*;
    use pyo3::types::PyCode;

    use crate::code::specimen;
    use crate::layout::{WORD, find_pointer, place, points_to, read_word, verify};
    use crate::support::{Tested, Unsupported, raised, tested};

    pub(super) fn forget(code: &Bound<'_, PyCode>) -> std::result::Result<(), Unsupported> {
        let offset = *offset(code.py())?;
        let field = place(code, offset).cast::<*mut std::ffi::c_void>();
        // SAFETY: the self-test found the field, and `code` is a live code object.
        let table = unsafe { field.replace(std::ptr::null_mut()) };
        // SAFETY: the interpreter allocates the table with `PyMem_Malloc`, asks
        // for it anew at each traced line, and holds no pointer into it while
        // other code runs. Null is allowed.
        unsafe { ffi::PyMem_Free(table) };
        Ok(())
    }

    /// The table follows the cached bytecode, which follows the weak references
    /// and the line table proper.
    pub(super) fn offset(py: Python<'_>) -> std::result::Result<&'static usize, Unsupported> {
        static OFFSET: Tested<usize> = Tested::new();
        tested(py, super::CAPABILITY, &OFFSET, || {
            let code = specimen(py, "<hotswap self-test>", 1).map_err(raised)?;
            let lines = code.getattr(intern!(py, "co_linetable")).map_err(raised)?;
            let bytecode = code.getattr(intern!(py, "co_code")).map_err(raised)?;
            let at = find_pointer(&code, &lines, "co_linetable")?;
            verify(points_to(&code, at + 2 * WORD, &bytecode), "_co_code")?;
            let fresh = read_word(&code, at + 3 * WORD) == Some(0);
            verify(fresh, "_co_linearray")?;
            Ok(at + 3 * WORD)
        })
    }
}
