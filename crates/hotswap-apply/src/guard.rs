//! Deriving values through functions that are harmless on most of their ways: what may
//! not be harmless is watched, and a run that comes to it ends before anything happened.
//!
//! A rare branch that logs, warns or asks a subprocess makes a function impure, although
//! no run has ever gone there. Its other statements are known to be harmless, so it is
//! enough that an exception is raised where one of the doubtful lines begins. That is
//! what a trace function does (`sys.settrace`; a debugger's is never replaced).

use hotswap_plan::{Call, Facts};
use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyFunction, PyModule, PyTuple};

use crate::codes;
use crate::stage::Stage;

pyo3::create_exception!(
    hotswap,
    NotHarmless,
    PyBaseException,
    "A statement that may have effects was about to run while a value was derived."
);

/// Beyond this depth calls are not followed.
const DEPTH: usize = 20;

/// Lines of a function that must not be reached.
#[derive(Clone, Debug)]
pub(crate) struct Doubt {
    file: String,
    first: u32,
    last: u32,
    reason: String,
}

impl<'py> Stage<'_, 'py> {
    /// Why running this may not be harmless, as [`Stage::impurity`] says it, except for
    /// what [`Self::execute_guarded`] keeps from running.
    pub(crate) fn impurity_guarded(&self, module: usize, facts: &Facts) -> Option<String> {
        let reason = self.impurity(module, facts)?;
        let is_traced = self
            .py
            .import("sys")
            .and_then(|sys| sys.call_method0("gettrace"))
            .is_ok_and(|tracer| !tracer.is_none());
        let mut doubts = Doubts::default();
        if is_traced || self.doubts_of(module, facts, 0, &mut doubts).is_some() {
            return Some(reason);
        }
        self.doubts.borrow_mut().append(&mut doubts.found);
        None
    }

    /// Why some facts stay impure although the functions that are called are watched.
    fn doubts_of(
        &self,
        module: usize,
        facts: &Facts,
        depth: usize,
        doubts: &mut Doubts,
    ) -> Option<String> {
        let own = Facts {
            calls: Vec::new(),
            ..facts.clone()
        };
        if let Some(reason) = self.impurity_at(module, &own, depth) {
            return Some(reason);
        }
        for call in &facts.calls {
            let alone = Facts {
                calls: vec![call.clone()],
                ..Facts::default()
            };
            let Some(reason) = self.impurity_at(module, &alone, depth) else {
                continue;
            };
            let followed = match call {
                Call::Path(path) => self
                    .function_at(module, path)
                    .is_some_and(|function| self.doubts_in(&function, depth + 1, doubts).is_some()),
                _ => false,
            };
            if !followed {
                return Some(reason);
            }
        }
        None
    }

    /// Notes the doubtful statements of a function. None: it cannot be watched.
    fn doubts_in(
        &self,
        function: &Bound<'py, PyAny>,
        depth: usize,
        doubts: &mut Doubts,
    ) -> Option<()> {
        let at = function.as_ptr() as usize;
        if doubts.seen.contains(&at) {
            return Some(());
        }
        if depth > DEPTH {
            return None;
        }
        doubts.seen.push(at);
        let source = self.world.by_dict(&function.getattr("__globals__").ok()?)?;
        let code = function.getattr("__code__").ok()?;
        let name = codes::name_of(&code).ok()?;
        let qualname: String = function.getattr("__qualname__").ok()?.extract().ok()?;
        if name != qualname {
            return None;
        }
        let file: String = code.getattr("co_filename").ok()?.extract().ok()?;
        // Until the commit it may run as it was or as it will be.
        let mut versions = vec![(self.text(source), self.outline(source)?)];
        if let Some(edited) = self.edits.get(&source) {
            versions.push((edited.old_text.clone(), edited.old_outline.clone()));
        }
        for (text, outline) in versions {
            let definition = outline.statements[outline.last_binder(&name)?].function()?;
            if !definition.decorators.is_empty() {
                return None;
            }
            for step in hotswap_plan::body_steps(&text, definition.def_start)? {
                if let Some(reason) = self.doubts_of(source, &step.facts, depth, doubts) {
                    doubts.found.push(Doubt {
                        file: file.clone(),
                        first: step.first_line,
                        last: step.last_line,
                        reason,
                    });
                }
            }
        }
        Some(())
    }

    /// The function that a path of names leads to through modules.
    fn function_at(&self, module: usize, path: &[String]) -> Option<Bound<'py, PyAny>> {
        let mut object = self.live_dict(module).get_item(&path[0]).ok()??;
        for name in &path[1..] {
            object = match object.cast::<PyModule>() {
                Ok(module) => module.dict().get_item(name).ok()??,
                Err(_) => return None,
            };
        }
        object
            .is_exact_instance_of::<PyFunction>()
            .then_some(object)
    }

    /// Runs code that was found to be harmless. An error of type [`NotHarmless`]: it came to
    /// one of the lines in doubt, and nothing but harmless things were done before.
    pub(crate) fn execute_guarded(
        &self,
        code: &Bound<'py, PyAny>,
        globals: &Bound<'py, PyDict>,
    ) -> PyResult<()> {
        let doubts = self.doubts.borrow().clone();
        if doubts.is_empty() {
            return codes::execute(code, globals, None);
        }
        let py = self.py;
        let watch = move |arguments: &Bound<'_, PyTuple>,
                          _: Option<&Bound<'_, PyDict>>|
              -> PyResult<Option<Py<PyAny>>> {
            let frame = arguments.get_item(0)?;
            let line: u32 = frame.getattr("f_lineno")?.extract().unwrap_or(0);
            let near = doubts
                .iter()
                .filter(|doubt| (doubt.first..=doubt.last).contains(&line));
            for doubt in near {
                let file: String = frame.getattr("f_code")?.getattr("co_filename")?.extract()?;
                if file == doubt.file {
                    let place = format!("it came to line {line} of {file}, which");
                    return Err(NotHarmless::new_err(format!("{place} {}", doubt.reason)));
                }
            }
            // It stays the trace function of the frame.
            Ok(None)
        };
        let local = PyCFunction::new_closure(py, None, None, watch)?.unbind();
        let global = move |arguments: &Bound<'_, PyTuple>,
                           _: Option<&Bound<'_, PyDict>>|
              -> PyResult<Py<PyAny>> {
            Ok(local.clone_ref(arguments.py()).into_any())
        };
        let global = PyCFunction::new_closure(py, None, None, global)?;
        let sys = py.import("sys")?;
        sys.call_method1("settrace", (global,))?;
        let ran = codes::execute(code, globals, None);
        sys.call_method1("settrace", (py.None(),))?;
        if let Err(error) = &ran
            && error.is_instance_of::<NotHarmless>(py)
        {
            *self.came_to.borrow_mut() = Some(error.value(py).to_string());
        }
        ran
    }
}

#[derive(Default)]
struct Doubts {
    found: Vec<Doubt>,
    seen: Vec<usize>,
}
