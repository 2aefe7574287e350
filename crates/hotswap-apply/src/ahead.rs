//! Code that is compiled before its update begins.
//!
//! The compiler takes longer than everything else in the update of one function. While
//! the quiet window of a save runs there is nothing else to do: what the update will
//! compile is compiled then, and taken if it is what the update asks for.

use hotswap_plan::Outline;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::codes;
use crate::function::bodies_to_compile;
use crate::update::Comparison;
use crate::world::World;

/// A text that has been compiled for a module, and what came out.
pub(crate) struct Ahead {
    dict: Py<PyDict>,
    text: String,
    code: Py<PyAny>,
}

/// Compiles the functions of a module of which a new source changes nothing but the bodies.
///
/// Nothing of the program runs: what a loader that rewrites its modules would do is left to
/// the update, and so is an error.
pub fn compile_ahead(py: Python<'_>, world: &World, module: usize, text: &str, found: &Comparison) {
    let known = &world.modules[module];
    let (before, after): (&Outline, &Outline) = (&found.before, &found.after);
    let (old, new) = (&before.statements, &after.statements);
    let Some(skeleton) = bodies_to_compile(&found.plan.steps, old, new, text, after) else {
        return;
    };
    let dict = known.dict.bind(py);
    let compile = || {
        let loader = dict.get_item("__loader__")?;
        if let Some(loader) = loader.filter(|loader| !loader.is_none())
            && codes::rewrites(&loader)?
        {
            return Ok(None);
        }
        codes::compile(py, &skeleton, &known.code_file).map(Some)
    };
    let code: PyResult<Option<Bound<'_, PyAny>>> = compile();
    *world.ahead.borrow_mut() = code.ok().flatten().map(|code| Ahead {
        dict: known.dict.clone_ref(py),
        text: skeleton,
        code: code.unbind(),
    });
}

impl World {
    /// What was compiled ahead, if it is this text of this module; it is given once.
    pub(crate) fn take_ahead<'py>(
        &self,
        py: Python<'py>,
        module: usize,
        text: &str,
    ) -> Option<Bound<'py, PyAny>> {
        let dict = &self.modules[module].dict;
        let mut ahead = self.ahead.borrow_mut();
        let ahead = ahead.take_if(|ahead| ahead.dict.is(dict) && ahead.text == text)?;
        Some(ahead.code.into_bound(py))
    }

    /// Forgets it.
    pub fn forget_ahead(&mut self) {
        self.ahead.take();
    }
}
