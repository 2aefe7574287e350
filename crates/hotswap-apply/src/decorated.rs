//! Unchanged functions under a decorator that would do something else to them now: an
//! argument of it reads something that changed, or it decides by other code or values.

use std::sync::Arc;

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{Call, Expression, Facts, FunctionDef, Outline, Pragma, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyTuple, PyType};

use crate::codes;
use crate::stage::{Changed, Late, Stage};
use crate::timeline::Place;
use crate::values;

/// A name and a value.
type Attribute<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

impl<'py> Stage<'_, 'py> {
    /// Applies the decorators of a function again if they would do something else now and
    /// applying them is harmless. True: the definition was looked after.
    pub(crate) fn derive_decorators(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<bool> {
        let Some(function) = new.function() else {
            return Ok(false);
        };
        let name = old.function().map_or(&function.name, |old| &old.name);
        let made = self.live_dict(module).get_item(name)?;
        let cause = match self.decoration_cause(module, function) {
            Some(cause) => Some(cause),
            None if new.pragma == Some(Pragma::Rerun) && self.is_noted(module, new) => {
                Some("its docstring or signature".to_string())
            }
            // What is carried over need not be made anew.
            None if self.is_carried(module, new) => None,
            None => written_for(made.as_ref(), old.function(), function)?,
        };
        let Some(cause) = cause else {
            return Ok(false);
        };
        if new.pragma == Some(Pragma::Keep) {
            return Ok(true);
        }
        let mut kept = None;
        if new.pragma != Some(Pragma::Rerun) {
            let mut reason = self.why_not_decorate(module, function, made.as_ref());
            if reason.is_some()
                && let Some(made) = &made
                && let Some(attributes) =
                    self.decorated_on_trial(module, (old, new), outline, made)?
            {
                kept = Some((made.clone(), attributes));
                reason = None;
            } else if reason.is_none()
                && self.is_harmless_decoration(module, function)
                && let Some(made) = &made
            {
                // Evaluated once more with the old inputs it tells what the program did.
                match self.decorated_before(module, old, false)? {
                    Some(fresh) if same_making(made, &fresh, 0)? => {
                        kept = Some((made.clone(), own_attributes(made, &fresh)?));
                    }
                    _ => reason = Some("the program changed what it made since".to_string()),
                }
            }
            if let Some(reason) = reason {
                let entry = self.entry(module, &function.name, Some(new), "function", "stale");
                entry.reason = format!("its decorator depends on {cause}; {reason}");
                entry.advice = "# hotswap: rerun".to_string();
                return Ok(false);
            }
        }
        if !self.committed
            && self.must_wait(module, &new.facts)
            && !self.can_show(module, &new.facts)
        {
            let step = outline.statements.iter().position(|other| {
                other.span.start <= new.span.start && new.span.end <= other.span.end
            });
            if let Some(step) = step {
                self.late.push(Late {
                    module,
                    step,
                    remade: None,
                });
                self.late_names.insert((module, function.name.clone()));
            }
            return Ok(true);
        }
        self.run(module, Some(old), new, outline)?;
        if let Some((made, attributes)) = kept {
            for (key, value) in attributes {
                self.transaction.push(crate::transaction::Write::Item {
                    dict: made.peek("__dict__")?.cast_into::<PyDict>()?,
                    key,
                    value: Some(value),
                });
            }
        }
        Ok(true)
    }

    /// What changed for the decorators of a function, by name. None: they would do the same.
    pub(crate) fn decoration_cause(&self, module: usize, function: &FunctionDef) -> Option<String> {
        function.decorators.iter().find_map(|decorator| {
            let mut facts = decorator.facts.clone();
            // Other code of the decorator reaches what it made by itself.
            facts.reads.retain(|path| *path != decorator.head);
            facts.calls.clear();
            if self.change_of(module, &decorator.head) == Some(Changed::Value) {
                return Some(decorator.head.join("."));
            }
            self.cause(module, &facts)
                .or_else(|| self.decides_anew(module, decorator))
        })
    }

    /// Whether a decorator of the program has other statements that run when it is
    /// applied, or reads another value there. What it does when the decorated function
    /// is called is not meant: the wrappers have their new code.
    fn decides_anew(&self, module: usize, decorator: &Expression) -> Option<String> {
        let (source, name) = self.definition_of(module, &decorator.head)?;
        let outline = self.outline(source)?;
        let definition = outline.statements[outline.last_binder(&name)?].function()?;
        let called = usize::from(!decorator.facts.calls.is_empty());
        let before = self.edits.get(&source).and_then(|edited| {
            let at = edited.old_outline.last_binder(&name)?;
            edited.old_outline.statements[at].function()
        });
        if before.is_some_and(|before| before.decides[called] != definition.decides[called]) {
            return Some(format!("{name}()"));
        }
        let layers = definition.layers.iter().take(called + 1);
        layers
            .filter_map(|layer| self.cause(source, layer))
            .map(|cause| format!("{cause}, which {name}() reads"))
            .next()
    }

    /// Why the decorators of a function must not be applied again. None: they may.
    pub(crate) fn why_not_decorate(
        &self,
        module: usize,
        function: &FunctionDef,
        made: Option<&Bound<'py, PyAny>>,
    ) -> Option<String> {
        let decorators = &function.decorators;
        // What it registered is withdrawn when it runs again.
        let reason = decorators
            .iter()
            .find_map(|decorator| self.decoration_impurity(module, decorator, true));
        if reason.is_some() {
            return reason;
        }
        made.is_some_and(keeps_state)
            .then(|| "what it made keeps state".to_string())
    }

    fn is_harmless_decoration(&self, module: usize, function: &FunctionDef) -> bool {
        function
            .decorators
            .iter()
            .all(|decorator| self.decoration_impurity(module, decorator, false).is_none())
    }

    /// Whether a decorator is the `getter`, `setter` or `deleter` of a property.
    fn extends_property(&self, module: usize, head: &[String]) -> bool {
        let Some((part, property)) = head.split_last() else {
            return false;
        };
        matches!(part.as_str(), "getter" | "setter" | "deleter")
            && self
                .object_at(module, property)
                .is_ok_and(|object| object.is_some_and(|object| is_property(&object)))
    }

    /// What the program has set on what decorators made, where it is not known whether they do
    /// harm: they are applied once more under watch, as they were and as they are, and must
    /// have made what is there. None: they must not be applied again.
    fn decorated_on_trial(
        &mut self,
        module: usize,
        (old, new): (&Statement, &Statement),
        outline: &Arc<Outline>,
        made: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Vec<Attribute<'py>>>> {
        let Some(fresh) = self.made_alike(module, old, made)? else {
            return Ok(None);
        };
        if self.must_wait(module, &new.facts) && !self.can_show(module, &new.facts) {
            let same = |other: &Statement| other.span.start == new.span.start;
            let Some(at) = outline.statements.iter().position(same) else {
                return Ok(None);
            };
            self.rehearsed_late.insert((module, at));
        } else if self.rehearse(module, new, outline)?.is_err() {
            return Ok(None);
        }
        Ok(Some(own_attributes(made, &fresh)?))
    }

    /// What decorators make of the old definition under watch, if that is what is there.
    fn made_alike(
        &mut self,
        module: usize,
        old: &Statement,
        made: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if self.committed || keeps_state(made) || crate::trial::is_traced(self.py)? {
            return Ok(None);
        }
        match self.decorated_before(module, old, true)? {
            Some(fresh) if same_making(made, &fresh, 0)? => Ok(Some(fresh)),
            _ => Ok(None),
        }
    }

    /// An edited function that waits for the commit: whether its decorators made what is there
    /// can be told only before.
    pub(crate) fn try_decorators_late(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        at: usize,
    ) -> PyResult<()> {
        let (Some(before), Some(function)) = (old.function(), new.function()) else {
            return Ok(());
        };
        if self.decoration_cause(module, function).is_none() || new.pragma == Some(Pragma::Keep) {
            return Ok(());
        }
        if let Some(made) = self.live_dict(module).get_item(&before.name)?
            && self.made_alike(module, old, &made)?.is_some()
        {
            self.rehearsed_late.insert((module, at));
        }
        Ok(())
    }

    /// Whether such a function may be defined again, now that all is committed.
    pub(crate) fn tried_late(
        &mut self,
        module: usize,
        new: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<bool> {
        let same = |other: &Statement| other.span.start == new.span.start;
        let at = outline.statements.iter().position(same);
        match at.filter(|at| self.rehearsed_late.contains(&(module, *at))) {
            Some(at) => self.may_run_late(module, at, outline),
            None => Ok(false),
        }
    }

    /// Runs a definition under watch, and lets go of what comes out. An error in words: what
    /// was not harmless.
    fn rehearse(
        &mut self,
        module: usize,
        statement: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<Result<(), String>> {
        let copy = self.namespace(module)?.copy()?;
        let code = self.compile_statement(module, statement, outline)?;
        let text = self.text(module);
        let place = Place {
            outline,
            text: &text,
            index: crate::chain::holder_of(outline, statement).unwrap_or(usize::MAX),
            new: true,
        };
        let mut view = self.view(module, place, &statement.facts, &copy, &[])?;
        let ran = match view.unknown.first() {
            None => self.on_trial(&copy, &[], || codes::execute(&code, &copy, None)),
            Some(name) => Ok(Err(format!("what {name} held there is not known"))),
        };
        view.leave()?;
        ran
    }

    /// A definition whose decorators had to wait for the commit with being applied again. False:
    /// that would not be harmless, as far as can be told only now.
    pub(crate) fn may_run_late(
        &mut self,
        module: usize,
        at: usize,
        outline: &Arc<Outline>,
    ) -> PyResult<bool> {
        if !self.rehearsed_late.remove(&(module, at)) {
            return Ok(true);
        }
        let statement = &outline.statements[at];
        let Err(reason) = self.rehearse(module, statement, outline)? else {
            return Ok(true);
        };
        let label = statement.label(&self.text(module));
        let entry = self.entry(module, &label, Some(statement), "function", "stale");
        entry.reason = format!("its decorator would do something else now; {reason}");
        entry.advice = "# hotswap: rerun".to_string();
        Ok(false)
    }

    /// What a definition gives that is evaluated with the old source and the old inputs;
    /// with `watched`, if that is seen to do no harm.
    fn decorated_before(
        &mut self,
        module: usize,
        old: &Statement,
        watched: bool,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.definition_before(module, old, watched)?.ok())
    }

    /// The same. An error in words: why it came to nothing.
    pub(crate) fn definition_before(
        &mut self,
        module: usize,
        old: &Statement,
        watched: bool,
    ) -> PyResult<Result<Bound<'py, PyAny>, String>> {
        let unknown = || "its source is not known".to_string();
        let (outline, text) = match self.edits.get(&module) {
            Some(edited) => (edited.old_outline.clone(), edited.old_text.clone()),
            None => match self.outline(module) {
                Some(outline) => (outline, self.text(module)),
                None => return Ok(Err(unknown())),
            },
        };
        let copy = self.namespace_before(module)?;
        let skeleton = hotswap_plan::Skeleton::new(&text, &outline).statement(old);
        let code = self.compile(module, &skeleton.finish())?;
        let place = Place {
            outline: &outline,
            text: &text,
            index: crate::chain::holder_of(&outline, old).unwrap_or(usize::MAX),
            new: false,
        };
        let mut view = self.view(module, place, &old.facts, &copy, &[])?;
        let run = || codes::execute(&code, &copy, None);
        let ran = match watched {
            true => self.on_trial(&copy, &[], run),
            false => Ok(run().map_err(|error| error.to_string())),
        };
        view.leave()?;
        let made = match (ran?, old.function()) {
            (Ok(()), Some(function)) => copy.get_item(&function.name)?.ok_or_else(unknown),
            (Err(reason), _) => Err(reason),
            (_, None) => Err(unknown()),
        };
        Ok(made)
    }

    /// Why applying a decorator may do more than to make another function of one; with
    /// `registering`, to enter it somewhere is no reason.
    fn decoration_impurity(
        &self,
        module: usize,
        decorator: &Expression,
        registering: bool,
    ) -> Option<String> {
        let unknown = || {
            Some(format!(
                "{} is not known to be harmless",
                decorator.head.join(".")
            ))
        };
        if self.extends_property(module, &decorator.head) {
            return None;
        }
        let Some((source, name)) = self.definition_of(module, &decorator.head) else {
            return unknown();
        };
        let Some(outline) = self.outline(source) else {
            return unknown();
        };
        let Some(statement) = outline.last_binder(&name).map(|at| &outline.statements[at]) else {
            return unknown();
        };
        if statement.class().is_some() && decorator.facts.calls.len() < 2 {
            // An instance that wraps the function.
            return match self.makes_fresh(source, &[name], 0) {
                true => None,
                false => unknown(),
            };
        }
        let Some(definition) = statement.function() else {
            return unknown();
        };
        if !definition.decorators.is_empty() {
            return unknown();
        }
        let mut arguments = decorator.facts.clone();
        let called = !arguments.calls.is_empty();
        arguments
            .calls
            .retain(|call| !matches!(call, Call::Path(path) if *path == decorator.head));
        if let Some(reason) = self.impurity(module, &arguments) {
            return Some(reason);
        }
        // What is called when it is applied: the function, and what that one returns.
        let layers = if called { 2 } else { 1 };
        definition.layers.iter().take(layers).find_map(|layer| {
            let mut facts = layer.clone();
            facts.writes_to_arguments = false;
            if registering {
                without_registering(&mut facts);
            }
            self.impurity(source, &facts)
        })
    }
}

/// Leaves out what enters something into a container.
fn without_registering(facts: &mut Facts) {
    facts.stores.clear();
    facts.calls.retain(|call| {
        !matches!(call, Call::Path(path)
            if path.len() == 2 && hotswap_plan::changes_in_place(&path[1]))
    });
}

/// Whether decorators wrote a function for the parameters that a definition had: such code
/// stands in no file, names them one by one, and does not follow an edit of them.
pub(crate) fn written_for(
    made: Option<&Bound<'_, PyAny>>,
    old: Option<&FunctionDef>,
    new: &FunctionDef,
) -> PyResult<Option<String>> {
    let (Some(made), Some(old)) = (made, old) else {
        return Ok(None);
    };
    if new.decorators.is_empty()
        || old.signature == new.signature
        || !made.is_exact_instance_of::<PyFunction>()
    {
        return Ok(None);
    }
    let code = made.peek("__code__")?;
    let file: String = code.getattr("co_filename")?.extract()?;
    let held: Vec<String> = code.getattr("co_varnames")?.extract()?;
    // Those by keyword stand behind the others, and `*args` behind them.
    let before = &old.parameters;
    let named = before.iter().filter(|each| held.contains(&each.name));
    let named = named.count();
    let generated = file.starts_with('<') && named == before.len() && named > 0;
    Ok(generated.then(|| "the parameters that the function had".to_string()))
}

/// Whether two results of a decorated definition were made the same way, and nobody
/// changed the one that lives.
fn same_making(live: &Bound<'_, PyAny>, fresh: &Bound<'_, PyAny>, depth: usize) -> PyResult<bool> {
    if values::equal(live, fresh) {
        return Ok(true);
    }
    if depth > 10
        || !live.is_exact_instance_of::<PyFunction>()
        || !fresh.is_exact_instance_of::<PyFunction>()
        || !codes::same_behaviour(&live.peek("__code__")?, &fresh.peek("__code__")?)?
    {
        return Ok(false);
    }
    let cells = |function: &Bound<'_, PyAny>| -> PyResult<Vec<Py<PyAny>>> {
        let Ok(cells) = function.peek("__closure__")?.cast_into::<PyTuple>() else {
            return Ok(Vec::new());
        };
        let contents = cells
            .iter()
            .filter_map(|cell| cell.getattr("cell_contents").ok());
        Ok(contents.map(Bound::unbind).collect())
    };
    let py = live.py();
    let (left, right) = (cells(live)?, cells(fresh)?);
    if left.len() != right.len() {
        return Ok(false);
    }
    for (a, b) in left.iter().zip(&right) {
        if !same_making(a.bind(py), b.bind(py), depth + 1)? {
            return Ok(false);
        }
    }
    let (held, given) = (
        live.peek("__dict__")?.cast_into::<PyDict>()?,
        fresh.peek("__dict__")?.cast_into::<PyDict>()?,
    );
    for (key, value) in given.iter() {
        match held.get_item(key)? {
            Some(now) if same_making(&now, &value, depth + 1)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Attributes of a live function that its definition does not give it.
fn own_attributes<'py>(
    live: &Bound<'py, PyAny>,
    fresh: &Bound<'py, PyAny>,
) -> PyResult<Vec<Attribute<'py>>> {
    if !live.is_exact_instance_of::<PyFunction>() || !fresh.is_exact_instance_of::<PyFunction>() {
        return Ok(Vec::new());
    }
    let (held, given) = (
        live.peek("__dict__")?.cast_into::<PyDict>()?,
        fresh.peek("__dict__")?.cast_into::<PyDict>()?,
    );
    let mut own = Vec::new();
    for (key, value) in held.iter() {
        if !given.contains(&key)? {
            own.push((key, value));
        }
    }
    Ok(own)
}

/// Whether what a decorator made holds something that the program may have changed since:
/// an object, or a container with something in it, in one of its cells, its own or those
/// of what it wraps.
pub(crate) fn keeps_state(object: &Bound<'_, PyAny>) -> bool {
    let mut due = vec![object.peek("__func__").unwrap_or_else(|_| object.clone())];
    for _ in 0..20 {
        let Some(object) = due.pop() else {
            return false;
        };
        if is_property(&object) {
            let parts = ["fget", "fset", "fdel"].iter();
            let held = parts.filter_map(|part| object.getattr(*part).ok());
            due.extend(held.filter(|part| !part.is_none()));
            continue;
        }
        if !object.is_exact_instance_of::<PyFunction>() {
            return true;
        }
        let Ok(Ok(cells)) = object
            .peek("__closure__")
            .map(|cells| cells.cast_into::<PyTuple>())
        else {
            continue;
        };
        for cell in cells.iter() {
            match cell.getattr("cell_contents") {
                Ok(value) if value.is_exact_instance_of::<PyFunction>() => due.push(value),
                Ok(value) if values::is_plain(&value) || value.is_instance_of::<PyType>() => {}
                Ok(value)
                    if values::is_container(&value) && value.len().is_ok_and(|len| len == 0) => {}
                Ok(_) => return true,
                Err(_) => {}
            }
        }
    }
    true
}

fn is_property(object: &Bound<'_, PyAny>) -> bool {
    object
        .get_type()
        .name()
        .is_ok_and(|name| name == "property")
}
