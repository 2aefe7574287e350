//! Closures whose new code needs a variable that they have no cell for.

use std::sync::Arc;

use hotswap_plan::{Call, Kind, Outline, Pragma, Skeleton};
use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyTuple};

use crate::codes;
use crate::function::fitting_closure;
use crate::stage::{Changed, Stage};
use crate::timeline::Place;
use crate::values;

impl<'py> Stage<'_, 'py> {
    /// `q = make(1, 2)`, where a function inside `make` captures more than before: the
    /// call is harmless and gives a function again, of which the live one takes over
    /// code and cells, if the program has not changed what its own cells hold.
    pub(crate) fn derive_closure(
        &mut self,
        module: usize,
        index: usize,
        old_index: Option<usize>,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let statement = &outline.statements[index];
        let ([name], Kind::Assign { .. }, Some(old_index)) =
            (&statement.binds[..], &statement.kind, old_index)
        else {
            return Ok(());
        };
        let nested = statement.facts.calls.iter().any(|call| {
            matches!(call, Call::Path(path)
                if matches!(self.change_of(module, path), Some(Changed::Nested | Changed::Code)))
        });
        if self.committed || !nested || statement.pragma == Some(Pragma::Keep) {
            return Ok(());
        }
        let Some(live) = self.live_dict(module).get_item(name)? else {
            return Ok(());
        };
        if !live.is_exact_instance_of::<PyFunction>() || self.finds_its_cells(&live)? {
            return Ok(());
        }
        if self.impurity(module, &statement.facts).is_some()
            || self.must_wait(module, &statement.facts) && !self.can_show(module, &statement.facts)
        {
            return Ok(());
        }
        let (old_outline, old_text) = match self.edits.get(&module) {
            Some(edited) => (edited.old_outline.clone(), edited.old_text.clone()),
            None => (outline.clone(), self.text(module)),
        };
        let before = Place {
            outline: &old_outline,
            text: &old_text,
            index: old_index,
            new: false,
        };
        let copy = self.namespace_before(module)?;
        if !self.run_link(module, before, &copy, std::slice::from_ref(name))?
            || !copy
                .get_item(name)?
                .is_some_and(|was| same_cells(&was, &live).unwrap_or(false))
        {
            return Ok(());
        }
        let text = self.text(module);
        let place = Place {
            outline,
            text: &text,
            index,
            new: true,
        };
        let copy = self.namespace(module)?.copy()?;
        let code = self.compile(
            module,
            &Skeleton::new(&text, outline).statement(statement).finish(),
        )?;
        self.shadows.push((copy.clone(), module));
        let mut view = self.view(module, place, &statement.facts, &copy, &[])?;
        let ran = codes::execute(&code, &copy, None);
        view.leave()?;
        let made = match ran {
            Ok(()) => copy.get_item(name)?,
            Err(_) => None,
        };
        if let Some(made) = made.filter(|made| made.is_exact_instance_of::<PyFunction>()) {
            self.adopt_function(&live, &made, None)?;
            self.note_code(module, name, Changed::Code);
            self.entry(module, name, Some(statement), "statement", "re-ran")
                .reason = "the function that it holds captures another variable".to_string();
        }
        Ok(())
    }

    fn finds_its_cells(&self, function: &Bound<'py, PyAny>) -> PyResult<bool> {
        let code = function.getattr("__code__")?;
        let Some(pair) = self.pairs.iter().find(|pair| pair.old.is(&code)) else {
            return Ok(true);
        };
        Ok(fitting_closure(function, pair, &codes::free_variables(&pair.new)?)?.is_ok())
    }
}

/// Whether two closures of one code hold the same.
fn same_cells(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> PyResult<bool> {
    if !a.getattr("__code__")?.is(&b.getattr("__code__")?) {
        return Ok(false);
    }
    let (Ok(left), Ok(right)) = (
        a.getattr("__closure__")?.cast_into::<PyTuple>(),
        b.getattr("__closure__")?.cast_into::<PyTuple>(),
    ) else {
        return Ok(true);
    };
    for (x, y) in left.iter().zip(right.iter()) {
        match (x.getattr("cell_contents"), y.getattr("cell_contents")) {
            (Ok(x), Ok(y)) if values::equal(&x, &y) => {}
            (Err(_), Err(_)) => {}
            _ => return Ok(false),
        }
    }
    Ok(left.len() == right.len())
}
