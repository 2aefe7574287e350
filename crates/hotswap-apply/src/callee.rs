//! What a live function does, as far as its code, its cells and its source tell:
//! also closures and wrappers, of which no statement of a module speaks.

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{Call, Facts, FunctionDef, Kind, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyTuple};
use rustc_hash::FxHashSet;

use crate::codes;
use crate::stage::Stage;

/// Beyond this depth calls are not followed.
const DEPTH: usize = 20;

impl<'py> Stage<'_, 'py> {
    /// Why calling a function of the program may not be harmless. None: it was not found
    /// in a source. `Some(None)`: it is harmless.
    #[allow(clippy::option_option)]
    pub(crate) fn function_impurity(
        &self,
        function: &Bound<'py, PyAny>,
        depth: usize,
    ) -> Option<Option<String>> {
        if depth > DEPTH {
            return Some(Some("calls too deep to follow".to_string()));
        }
        // What it does besides calling itself is being found out.
        let at = function.as_ptr() as usize;
        if self.judged.borrow().contains(&at) {
            return Some(None);
        }
        self.judged.borrow_mut().push(at);
        let judgement = self.judge(function, depth);
        self.judged.borrow_mut().pop();
        judgement
    }

    #[allow(clippy::option_option)]
    fn judge(&self, function: &Bound<'py, PyAny>, depth: usize) -> Option<Option<String>> {
        let source = self.world.by_dict(&function.peek("__globals__").ok()?)?;
        let code = function.peek("__code__").ok()?;
        let own: String = codes::name_of(&code).ok()?;
        let qualname: String = function.peek("__qualname__").ok()?.extract().ok()?;
        let outline = self.outline(source)?;
        let definition = |name: &str| {
            let name = self.name_now(source, name);
            let at = outline.last_binder(&name)?;
            outline.statements[at].function().cloned()
        };
        if qualname == own {
            let name = self.name_now(source, &own);
            let mut versions = Vec::new();
            functions_of(
                &outline.statements[outline.last_binder(&name)?],
                &name,
                &mut versions,
            );
            if versions.is_empty() {
                return None;
            }
            // Of those in the branches of an `if` each may be the one.
            let mut reasons = versions
                .iter()
                .map(|version| self.impurity_at(source, &version.facts, depth + 1));
            return Some(reasons.find_map(|reason| reason));
        }
        // Not the name that `functools.wraps` gave to a wrapper.
        let place: String = code.getattr("co_qualname").ok()?.extract().ok()?;
        let (outer, inner) = place.split_once(".<locals>.")?;
        if outer.contains('.') || inner.contains('.') {
            return None;
        }
        let mut facts: Facts = definition(outer)?.layers.get(1)?.clone();
        let free = codes::free_variables(&code).ok()?;
        let cells = function.peek("__closure__").ok()?;
        let mut called = Vec::new();
        facts.calls.retain(|call| match call {
            Call::Path(path) if path.len() == 1 => {
                let at = free.iter().position(|name| *name == path[0]);
                called.extend(at);
                at.is_none()
            }
            _ => true,
        });
        for at in called {
            let held = cells.get_item(at).ok()?.getattr("cell_contents").ok()?;
            let reason = self.function_impurity(&held, depth + 1)?;
            if reason.is_some() {
                return Some(reason);
            }
        }
        Some(self.impurity_at(source, &facts, depth + 1))
    }

    /// The name that a definition has in the new source, where it was renamed.
    fn name_now(&self, module: usize, name: &str) -> String {
        let renamed = self.edits.get(&module).and_then(|edited| {
            let step = edited.plan.steps.iter().find(|step| {
                step.renamed
                    && step.old.is_some_and(|at| {
                        edited.old_outline.statements[at]
                            .binds
                            .first()
                            .map(String::as_str)
                            == Some(name)
                    })
            })?;
            edited.outline.statements[step.new].binds.first().cloned()
        });
        renamed.unwrap_or_else(|| name.to_string())
    }

    /// Whether a live function would run something that changed: its own code, or that of
    /// what it names or holds in its cells, or reads a name with another value.
    pub(crate) fn function_changed(
        &self,
        function: &Bound<'py, PyAny>,
        seen: &mut FxHashSet<(usize, String)>,
    ) -> bool {
        if !function.is_exact_instance_of::<PyFunction>()
            || !seen.insert((function.as_ptr() as usize, String::new()))
        {
            return false;
        }
        let Ok(code) = function.peek("__code__") else {
            return false;
        };
        if self.pairs.iter().any(|pair| pair.old.is(&code))
            || self.remade_closures.iter().any(|made| made.is(function))
        {
            return true;
        }
        let globals = function.peek("__globals__").ok();
        if let Some(source) = globals.and_then(|globals| self.world.by_dict(&globals)) {
            let mut names = FxHashSet::default();
            if global_names(&code, &mut names).is_ok()
                && names
                    .into_iter()
                    .any(|name| self.call_changed_at(source, &[name], seen))
            {
                return true;
            }
        }
        held_functions(function)
            .iter()
            .any(|held| self.function_changed(held, seen))
    }

    /// Whether a function of a module reads one of some names, itself or by what it calls.
    pub(crate) fn reaches_names(
        &self,
        module: usize,
        function: &Bound<'py, PyAny>,
        wanted: &FxHashSet<String>,
        new: bool,
        seen: &mut FxHashSet<usize>,
    ) -> FxHashSet<String> {
        let mut found = FxHashSet::default();
        if !function.is_exact_instance_of::<PyFunction>()
            || !seen.insert(function.as_ptr() as usize)
        {
            return found;
        }
        let live = self.live_dict(module);
        let own = function
            .peek("__globals__")
            .is_ok_and(|globals| globals.is(&live));
        if own && let Ok(code) = function.peek("__code__") {
            let pair = self.pairs.iter().find(|pair| pair.old.is(&code));
            let code = match pair.filter(|_| new) {
                Some(pair) => pair.new.clone(),
                None => code,
            };
            let mut names = FxHashSet::default();
            if global_names(&code, &mut names).is_ok() {
                for name in names {
                    if let Ok(Some(value)) = live.get_item(&name) {
                        found.extend(self.reaches_names(module, &value, wanted, new, seen));
                    }
                    if wanted.contains(&name) {
                        found.insert(name);
                    }
                }
            }
        }
        for held in held_functions(function) {
            found.extend(self.reaches_names(module, &held, wanted, new, seen));
        }
        found
    }
}

/// The definitions of a name in a statement, also in the blocks of one.
pub(crate) fn functions_of<'o>(
    statement: &'o Statement,
    name: &str,
    found: &mut Vec<&'o FunctionDef>,
) {
    match &statement.kind {
        Kind::Function(function) if function.name == name => found.push(function),
        Kind::Compound(compound) => {
            for inner in compound.branches.iter().flat_map(|branch| &branch.body) {
                functions_of(inner, name, found);
            }
        }
        _ => {}
    }
}

/// The functions in the cells of a function.
pub(crate) fn held_functions<'py>(function: &Bound<'py, PyAny>) -> Vec<Bound<'py, PyAny>> {
    let Ok(Ok(cells)) = function
        .peek("__closure__")
        .map(|cells| cells.cast_into::<PyTuple>())
    else {
        return Vec::new();
    };
    cells
        .iter()
        .filter_map(|cell| cell.getattr("cell_contents").ok())
        .filter(|held| held.is_exact_instance_of::<PyFunction>())
        .collect()
}

/// All names in a code object, and in those inside it, those of attributes as well.
pub(crate) fn all_names(code: &Bound<'_, PyAny>, names: &mut FxHashSet<String>) -> PyResult<()> {
    names.extend(code.getattr("co_names")?.extract::<Vec<String>>()?);
    for inner in codes::nested(code)? {
        all_names(&inner, names)?;
    }
    Ok(())
}

/// The names that a code object, and those inside it, look up outside.
pub(crate) fn global_names(code: &Bound<'_, PyAny>, names: &mut FxHashSet<String>) -> PyResult<()> {
    names.extend(hotswap_cpython::code::global_names(code.cast()?)?);
    for inner in codes::nested(code)? {
        global_names(&inner, names)?;
    }
    Ok(())
}
