//! Calls at the top of a module that fill values of it: `_init()` below `codes = Codes()`.
//!
//! Done once more to what is there, such a call would do some of it twice and leave the rest
//! of what it had done before. So all that makes those values runs apart, watched: the old
//! statements, to see whether the program changed anything since, and the new ones.

use std::sync::Arc;

use hotswap_plan::{Call, Facts, Kind, Outline, Skeleton, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction};
use rustc_hash::FxHashSet;

use crate::codes;
use crate::stage::{Changed, Stage};
use crate::timeline::links;
use crate::values;

/// One version of a module.
struct Version {
    text: Arc<str>,
    outline: Arc<Outline>,
    new: bool,
}

impl<'py> Stage<'_, 'py> {
    /// A call that fills values of its module and reads something that changed. False: it is
    /// another one, or nothing can be made of it.
    pub(crate) fn fill_again(
        &mut self,
        module: usize,
        statement: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<bool> {
        let Some(function) = only_call(statement) else {
            return Ok(false);
        };
        let Some(edited) = self.edits.get(&module).filter(|_| !self.committed) else {
            return Ok(false);
        };
        let versions = [
            Version {
                text: edited.old_text.clone(),
                outline: edited.old_outline.clone(),
                new: false,
            },
            Version {
                text: self.text(module),
                outline: outline.clone(),
                new: true,
            },
        ];
        let (mut functions, mut names) = (vec![function.clone()], FxHashSet::default());
        for version in &versions {
            let found = filled_by(&version.outline, &function);
            let Some((called, read)) = found else {
                return Ok(false);
            };
            functions.extend(called);
            names.extend(read);
        }
        if names.is_empty() {
            return Ok(false);
        }
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort_unstable();
        functions.sort_unstable();
        functions.dedup();
        let mut results = Vec::new();
        for version in &versions {
            match self.run_filled(module, version, &functions, &names, statement)? {
                Some(result) => results.push(result),
                None => return Ok(false),
            }
        }
        let [before, after] = &results[..] else {
            return Ok(false);
        };
        let live = self.live_dict(module);
        for name in &names {
            let same = match (live.get_item(name)?, before.get_item(name)?) {
                (Some(live), Some(made)) => values::alike(&live, &made),
                (live, made) => live.is_none() && made.is_none(),
            };
            if !same {
                return Ok(false);
            }
        }
        self.take_filled(module, statement, &names, after)?;
        Ok(true)
    }

    /// What the statements of one version that make some names give to them, with the call
    /// that fills them. None: that is not harmless.
    fn run_filled(
        &mut self,
        module: usize,
        version: &Version,
        functions: &[String],
        names: &[String],
        call: &Statement,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let outline = &version.outline;
        let mut run: Vec<usize> = names.iter().flat_map(|name| links(outline, name)).collect();
        run.extend(
            (0..outline.statements.len())
                .filter(|at| outline.statements[*at].fingerprint == call.fingerprint),
        );
        if names.iter().any(|name| name == "__doc__") {
            run.extend(
                (0..outline.statements.len())
                    .filter(|at| outline.statements[*at].kind == Kind::Docstring),
            );
        }
        run.sort_unstable();
        run.dedup();
        let fills = |at: &usize| {
            let statement = &outline.statements[*at];
            matches!(statement.kind, Kind::Assign { .. } | Kind::Docstring)
                || statement.fingerprint == call.fingerprint
        };
        if !run.iter().all(fills) {
            return Ok(None);
        }
        let copy = match version.new {
            true => self.namespace(module)?.copy()?,
            false => self.namespace_before(module)?,
        };
        for name in names {
            if copy.contains(name)? {
                copy.del_item(name)?;
            }
        }
        for name in functions {
            if let Some(function) = self.in_namespace(module, name, &copy, version.new)? {
                copy.set_item(name, function)?;
            }
        }
        let mut steps = Vec::new();
        for at in run {
            let statement = &outline.statements[at];
            let skeleton = Skeleton::new(&version.text, outline).statement(statement);
            steps.push(self.compile(module, &skeleton.finish())?);
        }
        // Together: what one of them makes is new to the next.
        let writable = [copy.clone().into_any()];
        let run = || {
            let mut steps = steps.iter();
            steps.try_for_each(|code| codes::execute(code, &copy, None))
        };
        if crate::trial::attempt_with(self.py, None, &writable, run)?.is_err() {
            return Ok(None);
        }
        Ok(Some(copy))
    }

    /// A function of a module that finds its names in another namespace, with the code that
    /// it has or will have. None: it is no plain function of that module.
    fn in_namespace(
        &self,
        module: usize,
        name: &str,
        namespace: &Bound<'py, PyDict>,
        new: bool,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(function) = namespace.get_item(name)? else {
            return Ok(None);
        };
        let live = self.live_dict(module);
        let own = function.is_exact_instance_of::<PyFunction>()
            && (function.getattr("__globals__")?.is(&live)
                || self.staging.get(&module).is_some_and(|staging| {
                    function
                        .getattr("__globals__")
                        .is_ok_and(|globals| globals.is(&staging.namespace))
                }));
        if !own {
            return Ok(None);
        }
        let mut code = function.getattr("__code__")?;
        if let Some(pair) = self.pairs.iter().find(|pair| new && pair.old.is(&code)) {
            code = pair.new.clone();
        }
        let kind = self.py.get_type::<PyFunction>();
        let arguments = (
            code,
            namespace,
            name,
            function.getattr("__defaults__")?,
            function.getattr("__closure__")?,
        );
        let copy = kind.call1(arguments)?;
        copy.setattr("__kwdefaults__", function.getattr("__kwdefaults__")?)?;
        Ok(Some(copy))
    }

    fn take_filled(
        &mut self,
        module: usize,
        statement: &Statement,
        names: &[String],
        made: &Bound<'py, PyDict>,
    ) -> PyResult<()> {
        let (live, namespace) = (self.live_dict(module), self.namespace(module)?);
        for name in names {
            let (Some(was), Some(now)) = (live.get_item(name)?, made.get_item(name)?) else {
                continue;
            };
            let present = namespace.get_item(name)?;
            if values::alike(&was, &now)
                || present.is_some_and(|present| values::alike(&present, &now))
            {
                continue;
            }
            if self.follow_instance(&was, &now)? {
                self.show_stand_in(&namespace, name, now, was.clone())?;
                self.changed.insert((module, name.clone()), Changed::Value);
            } else if values::is_container(&was) && was.get_type().is(now.get_type()) {
                self.stand_in(&namespace, name, now, was.clone())?;
                self.changed.insert((module, name.clone()), Changed::Value);
            } else {
                self.bind(module, name, Some(now.clone()))?;
                self.note_value(module, name, Some(was), Some(now));
            }
            self.entry(module, name, Some(statement), "statement", "re-ran")
                .reason = "what fills it reads something that changed".to_string();
        }
        Ok(())
    }
}

/// The function that a statement calls, if that is all it does.
fn only_call(statement: &Statement) -> Option<String> {
    let facts = &statement.facts;
    let is_plain = matches!(statement.kind, Kind::Expression)
        && statement.binds.is_empty()
        && facts.effects.is_empty()
        && facts.stores.is_empty();
    match &facts.calls[..] {
        [Call::Path(path)] if is_plain && path.len() == 1 => Some(path[0].clone()),
        _ => None,
    }
}

/// The functions of its module that a function calls, and the names of values that they read
/// or assign. None: it is no plain function, or one of them is not.
fn filled_by(outline: &Outline, function: &str) -> Option<(Vec<String>, Vec<String>)> {
    let definition = |name: &str| {
        let statement = &outline.statements[outline.last_binder(name)?];
        statement
            .function()
            .filter(|function| function.decorators.is_empty())
    };
    let (mut called, mut names) = (vec![function.to_string()], Vec::new());
    let mut at = 0;
    while at < called.len() {
        let facts: Vec<&Facts> = definition(&called[at])?.layers.iter().collect();
        at += 1;
        for path in facts.iter().flat_map(|facts| &facts.reads) {
            let name = &path[0];
            if called.contains(name) || names.contains(name) {
                continue;
            }
            match outline.last_binder(name) {
                Some(binder) => match &outline.statements[binder].kind {
                    Kind::Function(_) => called.push(name.clone()),
                    Kind::Class(_) | Kind::Import(_) => {}
                    _ => names.push(name.clone()),
                },
                None if name == "__doc__" => names.push(name.clone()),
                None => {}
            }
        }
    }
    called.remove(0);
    let assigned = &outline.globals_declared;
    names.extend(
        assigned
            .iter()
            .filter(|name| *name == "__doc__" || outline.last_binder(name).is_some())
            .cloned(),
    );
    names.sort_unstable();
    names.dedup();
    Some((called, names))
}
