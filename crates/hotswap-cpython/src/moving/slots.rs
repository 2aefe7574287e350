//! The variables of a code object, in the order in which a call holds them.

use pyo3::prelude::*;
use pyo3::types::PyCode;

use crate::once::intern;

/// The variables of a code object and the size of its calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slots {
    /// Local variables, then cells, then free ones. From 3.11 on no cell has the name of a
    /// local variable; before, an argument that is in a cell has both.
    pub(super) names: Vec<String>,
    /// Whether a slot holds a cell.
    pub(super) cells: Vec<bool>,
    /// The first slot of a free variable.
    pub(super) free: usize,
    /// How many values the stack has room for.
    pub(super) stack: usize,
    /// How many values may lie on the stack.
    #[cfg(Py_3_11)]
    pub(super) stack_needed: usize,
}

impl Slots {
    pub(super) fn of(code: &Bound<'_, PyCode>) -> PyResult<Slots> {
        let py = code.py();
        let mut names: Vec<String> = code.getattr(intern!(py, "co_varnames"))?.extract()?;
        let cell_names: Vec<String> = code.getattr(intern!(py, "co_cellvars"))?.extract()?;
        let free_names: Vec<String> = code.getattr(intern!(py, "co_freevars"))?.extract()?;
        let one = cfg!(Py_3_11);
        let is_cell = |name: &String| one && cell_names.contains(name);
        let mut cells: Vec<bool> = names.iter().map(is_cell).collect();
        for name in cell_names {
            if !(one && names.contains(&name)) {
                names.push(name);
                cells.push(true);
            }
        }
        let free = names.len();
        cells.extend(free_names.iter().map(|_| true));
        names.extend(free_names);
        let stated = code.getattr(intern!(py, "co_stacksize"))?.extract()?;
        #[cfg(all(Py_3_11, not(Py_3_15)))]
        let (stack_needed, stack) = super::padding::stack_sizes(code, stated);
        #[cfg(Py_3_15)]
        let (stack_needed, stack) = (stated, stated);
        #[cfg(not(Py_3_11))]
        let stack = stated;
        Ok(Slots {
            names,
            cells,
            free,
            stack,
            #[cfg(Py_3_11)]
            stack_needed,
        })
    }

    /// Where the value of a variable is, or its cell.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().rposition(|known| known == name)
    }

    /// How many words a generator must have room for, and a frame object that is made for a
    /// call of this code has.
    #[cfg(Py_3_11)]
    pub(super) fn needed(&self) -> usize {
        self.names.len() + self.stack_needed
    }

    /// How many words a call has room for.
    #[cfg(Py_3_11)]
    pub(super) fn size(&self) -> usize {
        self.names.len() + self.stack
    }
}
