//! Default values of unchanged parameters that read something changed.

use hotswap_plan::{Expression, Facts, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::fault;
use crate::native as cpython;
use crate::stage::{LateDefault, Stage};
use crate::statement::evaluate_in;
use crate::transaction::Write;
use crate::values;

impl<'py> Stage<'_, 'py> {
    /// Default values of a function whose source is unchanged and which read something
    /// that changed. `old` is the definition as it was; `class` is where it is a method,
    /// with the names of the classes around it.
    pub(crate) fn derive_defaults(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        class: Option<(&[String], &Bound<'py, PyType>)>,
    ) -> PyResult<()> {
        let (Some(before), Some(after), Some(site)) =
            (old.function(), new.function(), old.codes.last())
        else {
            return Ok(());
        };
        let mut due = Vec::new();
        for (index, parameter) in after.parameters.iter().enumerate() {
            // Most defaults are plain constants.
            let reads = |default: &&Expression| {
                !(default.facts.reads.is_empty() && default.facts.calls.is_empty())
            };
            let Some(default) = parameter.default.as_ref().filter(reads) else {
                continue;
            };
            // A default whose own source changed is evaluated with the header.
            let Some(was) = before.parameters.iter().position(|other| {
                other.name == parameter.name
                    && other.keyword_only == parameter.keyword_only
                    && other
                        .default
                        .as_ref()
                        .is_some_and(|other| other.fingerprint == default.fingerprint)
            }) else {
                continue;
            };
            let sure = self.default_cause(module, &default.facts, class, false);
            let only_plain = sure.is_none();
            let cause = sure.or_else(|| self.default_cause(module, &default.facts, class, true));
            if let Some(cause) = cause {
                due.push(Due {
                    was,
                    index,
                    default,
                    cause,
                    only_plain,
                });
            }
        }
        if due.is_empty() {
            return Ok(());
        }
        for target in self.functions_at(module, &before.name, site.line) {
            self.derive_defaults_of(module, old, new, class, &target.function, &due)?;
        }
        Ok(())
    }

    /// What a default reads that changed, in its module or in the class around it.
    fn default_cause(
        &self,
        module: usize,
        facts: &Facts,
        class: Option<(&[String], &Bound<'py, PyType>)>,
        plain: bool,
    ) -> Option<String> {
        let mut facts = facts.clone();
        if let Some((path, _)) = class {
            for read in facts.reads.clone() {
                facts.reads.push(path.iter().cloned().chain(read).collect());
            }
        }
        match plain {
            true => self.cause_of_plain(module, &facts),
            false => self.cause(module, &facts),
        }
    }

    fn derive_defaults_of(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        class: Option<(&[String], &Bound<'py, PyType>)>,
        target: &Bound<'py, PyAny>,
        due: &[Due<'_>],
    ) -> PyResult<()> {
        let (Some(before), Some(after)) = (old.function(), new.function()) else {
            return Ok(());
        };
        let text = self.text(module);
        let before_update = self.namespace_before(module)?;
        let namespace = self.namespace(module)?;
        let (mut old_scope, mut new_scope) = (None, None);
        if let Some((path, class)) = class {
            let hidden = self.bound_below_member(module, path, new);
            let members = cpython::type_dict(class).copy()?;
            crate::class::hide(&members, &hidden)?;
            old_scope = Some(members.copy()?);
            self.transaction.pending_members(class, &members)?;
            crate::class::hide(&members, &hidden)?;
            new_scope = Some(members);
        }
        for each in due {
            let parameter = &after.parameters[each.index];
            let source = each.default.span.of(&text);
            if each.only_plain
                && !parameter_default(target, before, each.was)?
                    .is_some_and(|now| values::is_comparable(&now))
            {
                continue;
            }
            let mut stale = self.impurity_guarded(module, &each.default.facts);
            let watched = stale.is_some() && self.may_be_tried(module, &each.default.facts)?;
            if stale.is_none() || watched {
                stale = None;
                let start = before.parameters[each.was]
                    .default
                    .as_ref()
                    .map_or(0, |default| default.span.start);
                let facts = &each.default.facts;
                let mut view = self.view_before(module, start, facts, &before_update)?;
                let scope = old_scope.as_ref();
                let was = self.default_in(source, (&before_update, scope), watched);
                view.leave()?;
                let now = parameter_default(target, before, each.was)?;
                if !matches!((&was, &now), (Ok(was), Some(now)) if values::alike(was, now)) {
                    let came_to = self.came_to.take();
                    stale = Some(
                        came_to
                            .unwrap_or_else(|| "the program changed its value since".to_string()),
                    );
                }
            }
            let name = match class {
                Some((path, _)) => format!("{}.{}({})", path.join("."), after.name, parameter.name),
                None => format!("{}({})", after.name, parameter.name),
            };
            if let Some(reason) = stale {
                let entry = self.entry(module, &name, Some(new), "function", "stale");
                entry.reason = format!("the default depends on {}; {reason}", each.cause);
                entry.advice = "# hotswap: rerun".to_string();
                continue;
            }
            let facts = &each.default.facts;
            if self.must_wait(module, facts) && !self.can_show(module, facts) {
                self.late_defaults.push(LateDefault {
                    module,
                    target: target.clone(),
                    statement: new.clone(),
                    index: each.index,
                    class: class.map(|(path, class)| (path.to_vec(), class.clone())),
                    cause: each.cause.clone(),
                });
                continue;
            }
            let start = each.default.span.start;
            let mut view = self.view_at(module, start, &each.default.facts, &namespace)?;
            let value = self.default_in(source, (&namespace, new_scope.as_ref()), watched);
            view.leave()?;
            let value = match value {
                Err(error) if watched => {
                    let entry = self.entry(module, &name, Some(new), "function", "stale");
                    entry.reason = format!("the default depends on {}; {error}", each.cause);
                    entry.advice = "# hotswap: rerun".to_string();
                    continue;
                }
                value => value?,
            };
            let changed = class.map_or(&after.name, |(path, _)| &path[0]);
            self.note_code(module, changed, crate::stage::Changed::Code);
            self.set_default(target, after, each.index, value)?;
            self.entry(module, &name, Some(new), "function", "re-ran")
                .reason = format!("the default reads {}", each.cause);
        }
        Ok(())
    }

    /// Whether a default that calls what is not known may be evaluated with each thing that
    /// it does looked at.
    pub(crate) fn may_be_tried(&self, module: usize, facts: &Facts) -> PyResult<bool> {
        let own = Facts {
            calls: Vec::new(),
            ..facts.clone()
        };
        Ok(self.impurity(module, &own).is_none() && !crate::trial::is_traced(self.py)?)
    }

    fn default_in(
        &self,
        source: &str,
        (globals, scope): (&Bound<'py, PyDict>, Option<&Bound<'py, PyDict>>),
        watched: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let run = || evaluate_in(self.py, source, globals, scope);
        if !watched {
            return self.guarded(globals, &[], run);
        }
        self.on_trial(globals, &[], run)?.map_err(|reason| {
            *self.came_to.borrow_mut() = Some(reason.clone());
            crate::guard::NotHarmless::new_err(reason)
        })
    }

    /// Evaluates the defaults that call what was committed only now.
    pub(crate) fn run_late_defaults(&mut self) -> PyResult<()> {
        for late in std::mem::take(&mut self.late_defaults) {
            let Some(function) = late.statement.function() else {
                continue;
            };
            let parameter = &function.parameters[late.index];
            let Some(default) = &parameter.default else {
                continue;
            };
            let mut name = format!("{}({})", function.name, parameter.name);
            let mut scope = None;
            if let Some((path, class)) = &late.class {
                let members = cpython::type_dict(class).copy()?;
                let hidden = self.bound_below_member(late.module, path, &late.statement);
                crate::class::hide(&members, &hidden)?;
                scope = Some(members);
                name = format!("{}.{name}", path.join("."));
            }
            let text = self.text(late.module);
            let namespace = self.live_dict(late.module);
            fault::point("a late default")?;
            let value = self.guarded(&namespace, &[], || {
                evaluate_in(self.py, default.span.of(&text), &namespace, scope.as_ref())
            });
            let entry = |stage: &mut Self, action: &'static str, reason: String| {
                stage
                    .entry(
                        late.module,
                        &name,
                        Some(&late.statement),
                        "function",
                        action,
                    )
                    .reason = reason;
            };
            match value {
                Ok(value) => {
                    self.set_default(&late.target, function, late.index, value)?;
                    entry(self, "re-ran", format!("the default reads {}", late.cause));
                }
                Err(error) => {
                    let reason = format!("the default depends on {}; {error}", late.cause);
                    entry(self, "stale", reason);
                }
            }
        }
        self.commit()
    }

    /// Sets one default on top of what this update has planned for the function.
    fn set_default(
        &mut self,
        target: &Bound<'py, PyAny>,
        function: &hotswap_plan::FunctionDef,
        index: usize,
        value: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let parameter = &function.parameters[index];
        let name = if parameter.keyword_only {
            "__kwdefaults__"
        } else {
            "__defaults__"
        };
        let present = match self.transaction.pending_attribute(target, name) {
            Some(Some(planned)) => planned,
            _ => target.getattr(name)?,
        };
        let changed = if parameter.keyword_only {
            let defaults = present.cast_into::<PyDict>()?.copy()?;
            defaults.set_item(&parameter.name, value)?;
            defaults.into_any()
        } else {
            let at = default_position(function, index);
            let mut defaults: Vec<Bound<'py, PyAny>> =
                present.cast_into::<PyTuple>()?.iter().collect();
            if let Some(slot) = defaults.get_mut(at) {
                *slot = value;
            }
            PyTuple::new(self.py, defaults)?.into_any()
        };
        self.transaction.push(Write::Attribute {
            object: target.clone(),
            name,
            value: Some(changed),
        });
        Ok(())
    }
}

/// A default that must be evaluated again.
struct Due<'o> {
    /// Its parameter in the old definition.
    was: usize,
    /// Its parameter in the new one.
    index: usize,
    default: &'o Expression,
    /// The name that it reads.
    cause: String,
    /// Only a plain value is out of date: what else was made follows by itself.
    only_plain: bool,
}

fn default_position(function: &hotswap_plan::FunctionDef, index: usize) -> usize {
    function.parameters[..index]
        .iter()
        .filter(|parameter| !parameter.keyword_only && parameter.default.is_some())
        .count()
}

pub(crate) fn parameter_default<'py>(
    target: &Bound<'py, PyAny>,
    function: &hotswap_plan::FunctionDef,
    index: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let parameter = &function.parameters[index];
    if parameter.keyword_only {
        let defaults = target.getattr("__kwdefaults__")?;
        return if defaults.is_none() {
            Ok(None)
        } else {
            Ok(defaults.cast::<PyDict>()?.get_item(&parameter.name)?)
        };
    }
    let defaults = target.getattr("__defaults__")?;
    if defaults.is_none() {
        return Ok(None);
    }
    Ok(defaults
        .cast_into::<PyTuple>()?
        .get_item(default_position(function, index))
        .ok())
}
