//! Caches of results whose inputs changed.

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::Kind;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use rustc_hash::FxHashSet;

use crate::class::cached_function;
use crate::native as cpython;
use crate::stage::{After, Stage};
use crate::transaction::Write;

impl<'py> Stage<'_, 'py> {
    /// Empties the caches of functions that got new code under whatever name, or that
    /// read or call something that changed.
    pub(crate) fn plan_caches(&mut self) -> PyResult<()> {
        if self.changed.is_empty() && self.pairs.is_empty() {
            return Ok(());
        }
        for cache in self.caches()? {
            let Some(function) = innermost(&cache) else {
                continue;
            };
            let code = function.peek("__code__")?;
            if self.pairs.iter().any(|pair| pair.old.is(&code)) {
                self.empty(cache);
                continue;
            }
            let Some((module, facts)) = self.facts_of(&function)? else {
                continue;
            };
            if !self.reads_changed(module, &facts) {
                continue;
            }
            let name: String = function.peek("__qualname__")?.extract()?;
            let alone = code.getattr("co_argcount")?.extract::<u32>()? == 0
                && code.getattr("co_kwonlyargcount")?.extract::<u32>()? == 0;
            // Without arguments it usually keeps the one object of its kind.
            if alone && let Some(reason) = self.impurity(module, &facts) {
                let entry = self.entry(module, &name, None, "function", "stale");
                entry.reason = format!("its cached result was made with what changed; {reason}");
                entry.advice = format!("{name}.cache_clear()");
                continue;
            }
            self.entry(module, &name, None, "function", "re-ran").reason =
                "its cache was emptied: something it reads changed".to_string();
            self.empty(cache);
        }
        self.plan_cached_values()
    }

    /// The same for what a `cached_property` keeps on instances.
    fn plan_cached_values(&mut self) -> PyResult<()> {
        let mut seen: FxHashSet<usize> = FxHashSet::default();
        for module in self.order.clone() {
            for value in self.live_dict(module).values() {
                let Ok(class) = value.cast_into::<PyType>() else {
                    continue;
                };
                if !seen.insert(class.as_ptr() as usize) {
                    continue;
                }
                for (name, member) in cpython::type_dict(&class).iter() {
                    let Some(function) = cached_function(&member)? else {
                        continue;
                    };
                    let Some((source, facts)) = self.facts_of(&function)? else {
                        continue;
                    };
                    if !self.reads_changed(source, &facts) {
                        continue;
                    }
                    let name: String = name.extract()?;
                    self.drop_cached_values(&class, &name, &member)?;
                    let label: String = function.peek("__qualname__")?.extract()?;
                    self.entry(source, &label, None, "method", "re-ran").reason =
                        "the values that it keeps were dropped: something it reads changed"
                            .to_string();
                }
            }
        }
        Ok(())
    }

    fn empty(&mut self, cache: Bound<'py, PyAny>) {
        if cpython::is_native_cache(&cache) {
            self.transaction.push(Write::ClearCache { object: cache });
        } else {
            self.after.push(After::ClearCache(cache));
        }
    }

    /// The caches that stand at names of the edited modules, of those that use them,
    /// and of their classes.
    fn caches(&self) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut found = Vec::new();
        let mut seen: FxHashSet<usize> = FxHashSet::default();
        for module in &self.order {
            let namespace = self.live_dict(*module);
            for value in namespace.values() {
                note(&value, &mut seen, &mut found)?;
                if let Ok(class) = value.cast::<PyType>()
                    && seen.insert(class.as_ptr() as usize)
                {
                    for member in cpython::type_dict(class).values() {
                        note(&member, &mut seen, &mut found)?;
                    }
                }
            }
        }
        Ok(found)
    }

    /// What calling a function of the project does, by its new source.
    fn facts_of(
        &self,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<Option<(usize, hotswap_plan::Facts)>> {
        let globals = function.peek("__globals__")?;
        let Some(module) = self.world.by_dict(&globals) else {
            return Ok(None);
        };
        let Some(outline) = self.outline(module) else {
            return Ok(None);
        };
        let qualname: String = function.peek("__qualname__")?.extract()?;
        let mut parts = qualname.split('.');
        let Some(index) = parts.next().and_then(|head| outline.last_binder(head)) else {
            return Ok(None);
        };
        let mut statement = &outline.statements[index];
        for name in parts {
            let Kind::Class(class) = &statement.kind else {
                return Ok(None);
            };
            let inner = class
                .body
                .iter()
                .rev()
                .find(|member| member.binds.iter().any(|bound| bound == name));
            match inner {
                Some(inner) => statement = inner,
                None => return Ok(None),
            }
        }
        Ok(statement
            .function()
            .map(|function| (module, function.facts.clone())))
    }
}

/// Notes a cache, also one inside a property, a static or a class method.
fn note<'py>(
    value: &Bound<'py, PyAny>,
    seen: &mut FxHashSet<usize>,
    found: &mut Vec<Bound<'py, PyAny>>,
) -> PyResult<()> {
    if value
        .cast_exact::<pyo3::types::PyFunction>()
        .is_ok_and(|function| !cpython::has_attributes(function))
    {
        // Most members of modules and classes are plain functions.
        return Ok(());
    }
    let mut object = value.clone();
    for _ in 0..5 {
        let field = cpython::with_class_name(&object, |kind| match kind {
            b"staticmethod" | b"classmethod" => Some("__func__"),
            b"property" => Some("fget"),
            _ => None,
        });
        let Some(field) = field else { break };
        object = object.getattr(field)?;
    }
    let native = cpython::is_native_cache(&object);
    // A lookup by name could run code of the program, except on plain functions.
    let written = object
        .cast_exact::<pyo3::types::PyFunction>()
        .is_ok_and(cpython::has_attributes)
        && object
            .peek("__dict__")?
            .cast_into::<PyDict>()?
            .contains("cache_clear")?;
    if (native || written) && seen.insert(object.as_ptr() as usize) {
        found.push(object);
    }
    Ok(())
}

/// The function under all wrappers.
fn innermost<'py>(cache: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let mut object = cache.clone();
    for _ in 0..20 {
        match object.peek("__wrapped__") {
            Ok(inner) => object = inner,
            Err(_) => break,
        }
    }
    object.peek("__code__").is_ok().then_some(object)
}
