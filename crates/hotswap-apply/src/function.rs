//! Functions: new code, defaults and metadata for those that live.

use std::sync::Arc;

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{
    Change, CodeSite, FunctionChange, FunctionDef, Kind, Outline, Skeleton, Statement, Step,
};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyString, PyTuple, PyType};

use crate::codes;
use crate::live::LiveFunction;
use crate::native as cpython;
use crate::report::Pending;
use crate::stage::{After, Changed, Pair, Stage};
use crate::transaction::Write;

/// Two places of the same function, old and new, and the classes around them.
struct SitePair<'o> {
    scope: Vec<String>,
    old: &'o CodeSite,
    new: &'o CodeSite,
    /// It needs new code; the others are there to be told apart from.
    due: bool,
}

impl<'py> Stage<'_, 'py> {
    /// Gives the functions of unchanged and body-only changed statements their new
    /// code or their new lines. Nothing of the program runs.
    pub(crate) fn patch_bodies(&mut self, module: usize) -> PyResult<()> {
        let edited = &self.edits[&module];
        let (old_outline, new_outline) = (edited.old_outline.clone(), edited.outline.clone());
        let plan = edited.plan.clone();
        let (old, new) = (&old_outline.statements, &new_outline.statements);
        self.patch_statements(module, &plan.steps, old, new)
    }

    /// The same for a part of the module's statements, or for those of a block.
    pub(crate) fn patch_statements(
        &mut self,
        module: usize,
        steps: &[Step],
        old_statements: &[Statement],
        new_statements: &[Statement],
    ) -> PyResult<()> {
        let (old_outline, new_outline, text, old_text) = match self.edits.get(&module) {
            Some(edited) => (
                edited.old_outline.clone(),
                edited.outline.clone(),
                edited.text.clone(),
                edited.old_text.clone(),
            ),
            None => match self.outline(module) {
                Some(outline) => {
                    let text = self.text(module);
                    (outline.clone(), outline, text.clone(), text)
                }
                None => return Ok(()),
            },
        };
        let mut sites = Vec::new();
        let mut due = Vec::new();
        let mut moved = Vec::new();
        collect_sites(
            steps,
            old_statements,
            new_statements,
            &mut Vec::new(),
            &mut |scope, old, new| {
                let kept = any_differs(old, new);
                for (before, after) in old.codes.iter().zip(new.codes.iter()) {
                    let due = differs(before, after);
                    if kept {
                        let scope = scope
                            .iter()
                            .map(|(_, class)| class.name.clone())
                            .chain(after.scope.iter().cloned())
                            .collect();
                        sites.push(SitePair {
                            scope,
                            old: before,
                            new: after,
                            due,
                        });
                    }
                    if !due && before.line != after.line {
                        moved.push((
                            before.line,
                            before.last_line,
                            after.line as i32 - before.line as i32,
                        ));
                    }
                }
                if kept {
                    due.push((scope.clone(), old, new));
                }
            },
        );
        if !due.is_empty() {
            let unit = self.compile(module, &skeleton_of(&due, &text, &new_outline))?;
            let old_unit = || {
                let mut skeleton = Skeleton::new(&old_text, &old_outline);
                for (scope, statement, _) in &due {
                    for (class, _) in scope {
                        skeleton = skeleton.class(class);
                    }
                    skeleton = skeleton.statement(statement);
                }
                skeleton.finish()
            };
            self.pair_sites(module, &sites, &unit, &old_unit)?;
        }
        if !moved.is_empty() {
            let codes = self.codes_by_line(module);
            for (first, last, delta) in moved {
                self.shift(&codes, first, last, delta)?;
            }
        }
        self.note_bodies(module, steps, old_statements, new_statements, "");
        Ok(())
    }

    fn pair_sites(
        &mut self,
        module: usize,
        sites: &[SitePair<'_>],
        unit: &Bound<'py, PyAny>,
        old_text: &dyn Fn() -> String,
    ) -> PyResult<()> {
        let mut old_unit: Option<Option<Bound<'py, PyAny>>> = None;
        for (index, site) in sites.iter().enumerate().filter(|(_, site)| site.due) {
            let same_place =
                |select: fn(&SitePair<'_>) -> (u32, String, Vec<String>)| -> Vec<usize> {
                    (0..sites.len())
                        .filter(|other| select(&sites[*other]) == select(site))
                        .collect()
                };
            let new_place =
                same_place(|pair| (pair.new.line, pair.new.name.clone(), pair.scope.clone()));
            let found = codes::at_site(unit, &site.scope, &site.new.name, site.new.line)?;
            let group: Vec<&CodeSite> = new_place.iter().map(|at| sites[*at].new).collect();
            let rank = new_place.iter().position(|at| *at == index).unwrap_or(0);
            let Some(new_code) = codes::pick(&found, &group, rank).cloned() else {
                continue;
            };
            let old_place =
                same_place(|pair| (pair.old.line, pair.old.name.clone(), pair.scope.clone()));
            let mut candidates = self.functions_at(module, &site.old.name, site.old.line);
            candidates.retain(|live| class_fits(live, &site.scope));
            let distinct = candidates
                .iter()
                .filter(|live| !live.code.is(&candidates[0].code))
                .count();
            if distinct > 0 && site.old.name == "<lambda>" {
                // Several lambdas stand on this line: compile the old text to tell them apart.
                let template = old_unit
                    .get_or_insert_with(|| self.compile(module, &old_text()).ok())
                    .as_ref()
                    .map(|unit| codes::at_site(unit, &site.scope, &site.old.name, site.old.line))
                    .transpose()?
                    .unwrap_or_default();
                let group: Vec<&CodeSite> = old_place.iter().map(|at| sites[*at].old).collect();
                let rank = old_place.iter().position(|at| *at == index).unwrap_or(0);
                let Some(template) = codes::pick(&template, &group, rank) else {
                    continue;
                };
                candidates
                    .retain(|live| codes::same_behaviour(&live.code, template).unwrap_or(false));
            }
            let class = self.class_at(module, &site.scope)?;
            for live in candidates {
                self.pair(&live.code, &new_code, class.clone())?;
            }
        }
        Ok(())
    }

    /// Live functions of this module that were defined at a place of the old source.
    pub(crate) fn functions_at(
        &self,
        module: usize,
        name: &str,
        line: u32,
    ) -> Vec<LiveFunction<'py>> {
        let file = self.code_file(module);
        let own = self.live_dict(module);
        self.live
            .at(file, name, line)
            .into_iter()
            .filter(|live| match live.function.getattr("__globals__") {
                Ok(globals) if globals.is(&own) => true,
                // A namespace that no other module of this file owns: a copy made by hand.
                Ok(globals) => self.world.by_dict(&globals).is_none(),
                Err(_) => false,
            })
            .collect()
    }

    /// The live class at a path of class names.
    pub(crate) fn class_at(
        &self,
        module: usize,
        scope: &[String],
    ) -> PyResult<Option<Bound<'py, PyType>>> {
        let Some((first, rest)) = scope.split_first() else {
            return Ok(None);
        };
        let Some(mut object) = self.live_dict(module).get_item(first)? else {
            return Ok(None);
        };
        for name in rest {
            let Ok(class) = object.cast_into::<PyType>() else {
                return Ok(None);
            };
            match crate::native::type_dict(&class).get_item(name)? {
                Some(inner) => object = inner,
                None => return Ok(None),
            }
        }
        Ok(object.cast_into::<PyType>().ok())
    }

    /// Plans new code for an old code object and for those inside it.
    pub(crate) fn pair(
        &mut self,
        old: &Bound<'py, PyAny>,
        new: &Bound<'py, PyAny>,
        class: Option<Bound<'py, PyType>>,
    ) -> PyResult<()> {
        if self.pairs.iter().any(|pair| pair.old.is(old)) {
            return Ok(());
        }
        let mut tree = Vec::new();
        codes::pair_tree(old, new, &mut tree)?;
        let pairs = tree.into_iter().enumerate().map(|(at, (old, new))| Pair {
            old,
            new,
            nested: at > 0,
            class: class.clone(),
        });
        self.pairs.extend(pairs);
        Ok(())
    }

    /// The code of a module's file that functions run, in the order of its lines.
    pub(crate) fn codes_by_line(&self, module: usize) -> Vec<(u32, Bound<'py, PyAny>)> {
        let mut codes = self.live.codes_of(self.code_file(module));
        codes.sort_by_key(|(line, _)| *line);
        codes
    }

    /// Moves the line numbers of everything defined on some old lines.
    pub(crate) fn shift(
        &mut self,
        codes: &[(u32, Bound<'py, PyAny>)],
        first: u32,
        last: u32,
        delta: i32,
    ) -> PyResult<()> {
        let begin = codes.partition_point(|(line, _)| *line < first);
        let within = codes[begin..].iter().take_while(|(line, _)| *line <= last);
        self.shift_codes(within.map(|(_, code)| code.clone()).collect(), delta)
    }

    /// The lines of code objects, and of those inside them, move by `delta`. The class that a
    /// call makes notes its new line.
    pub(crate) fn shift_codes(
        &mut self,
        mut todo: Vec<Bound<'py, PyAny>>,
        delta: i32,
    ) -> PyResult<()> {
        while let Some(code) = todo.pop() {
            if !self.shifted.insert(code.as_ptr() as usize) {
                continue;
            }
            for old in codes::nested(&code)? {
                if let Some(new) = cpython::moved_class_body(&old, delta)? {
                    let (parent, old) = (code.clone(), old.clone());
                    self.transaction.push(Write::Nested { parent, old, new });
                }
                todo.push(old);
            }
            self.transaction.push(Write::Shift { code, delta });
        }
        Ok(())
    }

    /// Reports changed bodies and notes who must look at them.
    fn note_bodies(
        &mut self,
        module: usize,
        steps: &[Step],
        old: &[Statement],
        new: &[Statement],
        prefix: &str,
    ) {
        for step in steps {
            let Some(before) = step.old.map(|at| &old[at]) else {
                continue;
            };
            let after = &new[step.new];
            match (&step.change, &before.kind, &after.kind) {
                (Change::Bodies, Kind::Function(was), Kind::Function(is)) => {
                    let name = format!("{prefix}{}", is.name);
                    let outer = prefix.split('.').next().unwrap_or_default();
                    let change = if was.own_body == is.own_body {
                        Changed::Nested
                    } else {
                        Changed::Code
                    };
                    self.note_code(module, if outer.is_empty() { &name } else { outer }, change);
                    let kind = if prefix.is_empty() {
                        "function"
                    } else {
                        "method"
                    };
                    self.entry(module, &name, Some(after), kind, "patched");
                }
                (Change::Bodies, Kind::Class(_), Kind::Class(is)) => {
                    let outer = prefix
                        .split('.')
                        .next()
                        .filter(|name| !name.is_empty())
                        .unwrap_or(&is.name);
                    let outer = outer.to_string();
                    self.note_code(module, &outer, Changed::Code);
                    for (was, now) in before.codes.iter().zip(after.codes.iter()) {
                        if was.fingerprint != now.fingerprint {
                            let path: Vec<&str> = std::iter::once(is.name.as_str())
                                .chain(now.scope.iter().skip(1).map(String::as_str))
                                .collect();
                            let name = format!("{prefix}{}.{}", path.join("."), now.name);
                            self.entry(module, &name, Some(after), "method", "patched")
                                .line = now.line;
                        }
                    }
                }
                (Change::Bodies, ..) => {
                    for name in after.binds.clone() {
                        self.note_code(
                            module,
                            if prefix.is_empty() {
                                &name
                            } else {
                                prefix.trim_end_matches('.')
                            },
                            Changed::Code,
                        );
                    }
                    let label = format!("{prefix}{}", after.label(&self.text(module)));
                    self.entry(module, &label, Some(after), "function", "patched");
                }
                (Change::Class(change), Kind::Class(was), Kind::Class(is)) => {
                    let inner = format!("{prefix}{}.", is.name);
                    self.note_bodies(module, &change.steps, &was.body, &is.body, &inner);
                }
                _ => {}
            }
        }
    }

    pub(crate) fn note_code(&mut self, module: usize, name: &str, change: Changed) {
        let entry = self
            .changed
            .entry((module, name.to_string()))
            .or_insert(change);
        if *entry == Changed::Nested {
            *entry = change;
        }
    }

    /// Evaluates the changed parts of a function's header and plans the swap.
    /// `made` is the function that the stripped definition made.
    pub(crate) fn patch_function(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        change: &FunctionChange,
        made: &Bound<'py, PyAny>,
        class: Option<Bound<'py, PyType>>,
    ) -> PyResult<usize> {
        let (Some(before), Some(after)) = (old.function(), new.function()) else {
            return Ok(0);
        };
        let Some(site) = old.codes.last() else {
            return Ok(0);
        };
        let live = self.functions_at(module, &before.name, site.line);
        let new_code = made.getattr("__code__")?;
        for target in &live {
            self.pair(&target.code, &new_code, class.clone())?;
            self.merge_defaults(&target.function, made, before, after, change)?;
            if change.annotations {
                let names = [crate::annotations::attribute_of(made)?, "__type_params__"];
                for name in names {
                    if let Ok(value) = made.getattr(name) {
                        self.set_metadata(&target.function, name, value)?;
                    }
                }
            }
            if before.name != after.name {
                for name in ["__name__", "__qualname__"] {
                    self.set_metadata(&target.function, name, made.getattr(name)?)?;
                }
            }
        }
        Ok(live.len())
    }

    fn merge_defaults(
        &mut self,
        function: &Bound<'py, PyAny>,
        made: &Bound<'py, PyAny>,
        before: &FunctionDef,
        after: &FunctionDef,
        change: &FunctionChange,
    ) -> PyResult<()> {
        let py = self.py;
        let kept = |name: &str, keyword_only: bool| -> PyResult<Option<Bound<'py, PyAny>>> {
            if keyword_only {
                let values = function.getattr("__kwdefaults__")?;
                return if values.is_none() {
                    Ok(None)
                } else {
                    Ok(values.cast::<PyDict>()?.get_item(name)?)
                };
            }
            let values = function.getattr("__defaults__")?;
            if values.is_none() {
                return Ok(None);
            }
            let values = values.cast_into::<PyTuple>()?;
            let names: Vec<&str> = before
                .parameters
                .iter()
                .filter(|p| !p.keyword_only && p.default.is_some())
                .map(|p| p.name.as_str())
                .collect();
            match names.iter().position(|other| *other == name) {
                Some(at) if names.len() == values.len() => Ok(Some(values.get_item(at)?)),
                _ => Ok(None),
            }
        };
        let new_defaults = made.getattr("__defaults__")?;
        let new_keywords = made.getattr("__kwdefaults__")?;
        let mut positional = Vec::new();
        let keywords = PyDict::new(py);
        let mut at = 0;
        for (index, parameter) in after.parameters.iter().enumerate() {
            if parameter.default.is_none() {
                continue;
            }
            let fresh = if parameter.keyword_only {
                new_keywords.cast::<PyDict>()?.get_item(&parameter.name)?
            } else {
                at += 1;
                Some(new_defaults.get_item(at - 1)?)
            };
            let value = match kept(&parameter.name, parameter.keyword_only)? {
                Some(value) if !change.defaults.contains(&index) => Some(value),
                _ => fresh,
            };
            let Some(value) = value else { continue };
            if parameter.keyword_only {
                keywords.set_item(&parameter.name, value)?;
            } else {
                positional.push(value);
            }
        }
        let none = py.None().into_bound(py);
        let positional = if positional.is_empty() {
            none.clone()
        } else {
            PyTuple::new(py, positional)?.into_any()
        };
        let keywords = if keywords.is_empty() {
            none
        } else {
            keywords.into_any()
        };
        for (name, value) in [("__defaults__", positional), ("__kwdefaults__", keywords)] {
            self.transaction.push(Write::Attribute {
                object: function.clone(),
                name,
                value: Some(value),
            });
        }
        Ok(())
    }

    /// Turns the pairs of code objects into writes on all functions that hold an old one.
    pub(crate) fn swap_codes(&mut self) -> PyResult<()> {
        self.follow_codes()?;
        for pair in std::mem::take(&mut self.pairs) {
            let wanted = codes::free_variables(&pair.new)?;
            let (old_doc, new_doc) = (codes::docstring(&pair.old)?, codes::docstring(&pair.new)?);
            let headers = self.changed_headers(&pair)?;
            let mut left_behind = None;
            for function in self.live.with_code(&pair.old).to_vec() {
                if self.remade_closures.iter().any(|made| made.is(&function)) {
                    continue;
                }
                match fitting_closure(&function, &pair, &wanted)? {
                    Ok(closure) => {
                        self.transaction.push(Write::Code {
                            function: function.clone(),
                            code: pair.new.clone(),
                            closure,
                        });
                        self.metadata(&function, old_doc.as_ref(), new_doc.as_ref())?;
                        if let Some(headers) = &headers {
                            self.follow_headers(&function, headers)?;
                        }
                    }
                    Err(variable) => left_behind = Some((function, variable)),
                }
            }
            match left_behind {
                Some((function, variable)) => {
                    self.world
                        .retired
                        .borrow_mut()
                        .push(pair.old.clone().unbind());
                    self.pending.push(Pending {
                        place: "closure".to_string(),
                        qualname: function.getattr("__qualname__")?.extract()?,
                        file: pair.old.getattr("co_filename")?.extract()?,
                        line: codes::line_of(&pair.old)?,
                        reason: format!(
                            "it was made before `{variable}` was captured, and has no cell for it"
                        ),
                    });
                }
                None => self.transaction.keep(pair.old.clone()),
            }
            self.swapped.push(pair);
        }
        Ok(())
    }

    /// An attribute of a function, and of the copies that `functools.wraps` made
    /// where they still hold the old value.
    pub(crate) fn set_metadata(
        &mut self,
        function: &Bound<'py, PyAny>,
        name: &'static str,
        value: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        if name == "__annotations__"
            && cfg!(Py_3_14)
            && !function.getattr("__annotate__")?.is_none()
        {
            // What is there is not evaluated for that: it may name what no longer exists.
            let none = self.py.None().into_bound(self.py);
            self.set_metadata(function, "__annotate__", none)?;
            self.transaction.push(Write::Attribute {
                object: function.clone(),
                name,
                value: Some(value),
            });
            return Ok(());
        }
        let old = function.getattr(name)?;
        if name == "__annotations__" {
            self.set_annotations(function, value.clone())?;
        } else {
            self.transaction.push(Write::Attribute {
                object: function.clone(),
                name,
                value: Some(value.clone()),
            });
        }
        for holder in self.wrappers_of(function)? {
            if !cpython::runs_code(&holder, &self.intern(name))
                && holder.getattr(name).is_ok_and(|copy| {
                    // The same dict has been changed in place.
                    copy.is(&old) && name != "__annotations__"
                        || !copy.is(&old) && copy.eq(&old).unwrap_or(false)
                })
            {
                self.transaction.push(Write::Attribute {
                    object: holder,
                    name,
                    value: Some(value.clone()),
                });
            }
        }
        Ok(())
    }

    /// The docstring, on the function and on the copies that `functools.wraps` made;
    /// caches of what it returned are emptied.
    fn metadata(
        &mut self,
        function: &Bound<'py, PyAny>,
        old_doc: Option<&Bound<'py, PyAny>>,
        new_doc: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        let none = self.py.None().into_bound(self.py);
        let old_doc = old_doc.unwrap_or(&none);
        let new_doc = new_doc.unwrap_or(&none);
        let doc_changed = !old_doc.eq(new_doc)?;
        if let Some(class) = self.owner_of(function)? {
            self.drop_values_made_by(&class, function)?;
        }
        let mut holders = vec![function.clone()];
        holders.extend(self.wrappers_of(function)?);
        for holder in holders {
            if doc_changed
                && !cpython::runs_code(&holder, &self.intern("__doc__"))
                && let Ok(doc) = holder.getattr("__doc__")
                && let Some(doc) = doc_after(&doc, old_doc, new_doc)?
            {
                self.transaction.push(Write::Attribute {
                    object: holder.clone(),
                    name: "__doc__",
                    value: Some(doc),
                });
            }
            if doc_changed && !holder.is(function) {
                self.copies_of_docstring(&holder, old_doc, new_doc)?;
            }
            if holder.peek("cache_clear").is_ok() && holder.peek("cache_parameters").is_ok() {
                if cpython::is_native_cache(&holder) {
                    self.transaction.push(Write::ClearCache { object: holder });
                } else {
                    self.after.push(After::ClearCache(holder));
                }
            }
        }
        Ok(())
    }

    /// What a wrapper made of the function's docstring and keeps under another name.
    fn copies_of_docstring(
        &mut self,
        holder: &Bound<'py, PyAny>,
        old: &Bound<'py, PyAny>,
        new: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let (Ok(old), Ok(dict)) = (old.extract::<String>(), holder.peek("__dict__")) else {
            return Ok(());
        };
        let (Ok(dict), false) = (dict.cast_into::<PyDict>(), old.is_empty()) else {
            return Ok(());
        };
        for (key, value) in dict.iter() {
            let Ok(text) = value.extract::<String>() else {
                continue;
            };
            let value = match new.extract::<String>() {
                _ if text == old => new.clone(),
                // Only a text that nobody else would have written counts as a part.
                Ok(new) if old.len() > 40 && text.contains(&old) => {
                    PyString::new(self.py, &text.replace(&old, &new)).into_any()
                }
                _ => continue,
            };
            self.transaction.push(Write::Item {
                dict: dict.clone(),
                key,
                value: Some(value),
            });
        }
        Ok(())
    }

    /// The class in whose body a function was defined, by its qualified name.
    fn owner_of(&self, function: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyType>>> {
        let globals = function.getattr("__globals__")?.cast_into::<PyDict>()?;
        let qualname: String = function.getattr("__qualname__")?.extract()?;
        let mut parts: Vec<&str> = qualname.split('.').collect();
        parts.pop();
        let Some((head, rest)) = parts.split_first() else {
            return Ok(None);
        };
        let mut object = globals.get_item(head)?;
        for name in rest {
            let Some(Ok(class)) = object.map(|object| object.cast_into::<PyType>()) else {
                return Ok(None);
            };
            object = crate::native::type_dict(&class).get_item(name)?;
        }
        Ok(object.and_then(|object| object.cast_into::<PyType>().ok()))
    }

    /// What stands at the function's name or at another name of its module and leads to
    /// it: wrappers by `functools.wraps`, properties, static and class methods.
    fn wrappers_of(&self, function: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let globals = function.getattr("__globals__")?.cast_into::<PyDict>()?;
        let mut wrappers = named_wrappers(&globals, function)?;
        for value in globals.values() {
            if value
                .cast_exact::<PyFunction>()
                .is_ok_and(cpython::has_attributes)
                && value
                    .getattr("__dict__")?
                    .cast_into::<PyDict>()?
                    .get_item("__wrapped__")?
                    .is_some_and(|inner| inner.is(function))
                && !wrappers.iter().any(|known| known.is(&value))
            {
                wrappers.push(value);
            }
        }
        Ok(wrappers)
    }
}

/// What stands at a function's own name and leads to it.
fn named_wrappers<'py>(
    globals: &Bound<'py, PyDict>,
    function: &Bound<'py, PyAny>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let qualname: String = function.getattr("__qualname__")?.extract()?;
    let mut parts = qualname.split('.');
    let Some(mut object) = parts
        .next()
        .and_then(|name| globals.get_item(name).ok().flatten())
    else {
        return Ok(Vec::new());
    };
    for name in parts {
        let Ok(class) = object.cast_into::<PyType>() else {
            return Ok(Vec::new());
        };
        match crate::native::type_dict(&class).get_item(name)? {
            Some(inner) => object = inner,
            None => return Ok(Vec::new()),
        }
    }
    let mut chain = Vec::new();
    for _ in 0..20 {
        if object.is(function) {
            return Ok(chain);
        }
        let next = ["__wrapped__", "__func__", "fget", "func"]
            .iter()
            .find_map(|name| object.peek(name).ok());
        chain.push(object);
        match next {
            Some(next) => object = next,
            None => break,
        }
    }
    Ok(Vec::new())
}

/// Whether a live function belongs to the class at a path, as far as its name tells.
fn class_fits(live: &LiveFunction<'_>, scope: &[String]) -> bool {
    let Some(class) = scope.last() else {
        return true;
    };
    match live
        .function
        .getattr("__qualname__")
        .and_then(|name| name.extract::<String>())
    {
        Ok(qualname) => qualname.contains(&format!("{class}.")) || !qualname.contains('.'),
        Err(_) => false,
    }
}

/// The closure that the new code needs, from the cells of the old one, by name.
/// CPython compares only how many free variables two code objects have, not which:
/// a renamed one would silently read another variable's cell.
pub(crate) fn fitting_closure<'py>(
    function: &Bound<'py, PyAny>,
    pair: &Pair<'py>,
    wanted: &[String],
) -> PyResult<Result<Option<Bound<'py, PyTuple>>, String>> {
    let py = function.py();
    if wanted.is_empty() {
        return Ok(Ok(None));
    }
    let had = codes::free_variables(&pair.old)?;
    let cells = function.getattr("__closure__")?;
    let mut closure = Vec::new();
    for name in wanted {
        if let Some(at) = had.iter().position(|other| other == name) {
            closure.push(cells.get_item(at)?);
        } else if let (true, Some(class)) = (name == "__class__", &pair.class) {
            closure.push(py.import("types")?.getattr("CellType")?.call1((class,))?);
        } else {
            return Ok(Err(name.clone()));
        }
    }
    Ok(Ok(Some(PyTuple::new(py, closure)?)))
}

/// A pair of class definitions around a statement, old and new.
type ClassScope<'o> = Vec<(&'o hotswap_plan::ClassDef, &'o hotswap_plan::ClassDef)>;

/// Goes through what stands in the place of what, as far as functions differ or have moved.
fn collect_sites<'o>(
    steps: &[Step],
    old: &'o [Statement],
    new: &'o [Statement],
    scope: &mut ClassScope<'o>,
    visit: &mut impl FnMut(&ClassScope<'o>, &'o Statement, &'o Statement),
) {
    for step in steps {
        let Some(before) = step.old.map(|at| &old[at]) else {
            continue;
        };
        let after = &new[step.new];
        if matches!(step.change, Change::Same) && same_codes(before, after) {
            continue;
        }
        match (&step.change, &before.kind, &after.kind) {
            (Change::Class(change), Kind::Class(was), Kind::Class(is)) => {
                scope.push((was, is));
                collect_sites(&change.steps, &was.body, &is.body, scope, visit);
                scope.pop();
            }
            // Inside a class only the methods that differ are compiled.
            (Change::Same | Change::Bodies, Kind::Class(was), Kind::Class(is))
                if was.body.len() == is.body.len() =>
            {
                scope.push((was, is));
                let inner: Vec<Step> = (0..is.body.len())
                    .map(|at| Step {
                        new: at,
                        old: Some(at),
                        change: step.change.clone(),
                        renamed: false,
                    })
                    .collect();
                collect_sites(&inner, &was.body, &is.body, scope, visit);
                scope.pop();
            }
            (Change::Same | Change::Bodies, ..) => visit(scope, before, after),
            // Only the `from __future__` imports differ: lambdas among its defaults follow.
            (Change::Function(_), ..) if before.fingerprint == after.fingerprint => {
                visit(scope, before, after);
            }
            _ => {}
        }
    }
}

fn differs(before: &CodeSite, after: &CodeSite) -> bool {
    before.fingerprint != after.fingerprint || before.text != after.text
}

fn any_differs(before: &Statement, after: &Statement) -> bool {
    let mut pairs = before.codes.iter().zip(after.codes.iter());
    pairs.any(|(before, after)| differs(before, after))
}

/// The text to compile for an edit of bodies: what `patch_statements` compiles. None: none changed.
pub(crate) fn bodies_to_compile(
    steps: &[Step],
    old: &[Statement],
    new: &[Statement],
    text: &str,
    outline: &Outline,
) -> Option<String> {
    let mut due = Vec::new();
    collect_sites(steps, old, new, &mut Vec::new(), &mut |scope, old, new| {
        if any_differs(old, new) {
            due.push((scope.clone(), old, new));
        }
    });
    (!due.is_empty()).then(|| skeleton_of(&due, text, outline))
}

/// The new sides of pairs of statements.
fn skeleton_of(
    due: &[(ClassScope<'_>, &Statement, &Statement)],
    text: &str,
    outline: &Outline,
) -> String {
    let mut skeleton = Skeleton::new(text, outline);
    for (scope, _, statement) in due {
        for (_, class) in scope {
            skeleton = skeleton.class(class);
        }
        skeleton = skeleton.statement(statement);
    }
    skeleton.finish()
}

/// Whether the functions inside two statements have the same text on the same lines.
fn same_codes(before: &Statement, after: &Statement) -> bool {
    let same = |(was, is): (&CodeSite, &CodeSite)| {
        was.line == is.line && was.fingerprint == is.fingerprint && was.text == is.text
    };
    Arc::ptr_eq(&before.codes, &after.codes)
        || before.codes.len() == after.codes.len()
            && before.codes.iter().zip(after.codes.iter()).all(same)
}

/// The functions of the old source that an edit needs; None where it needs more
/// than can be told beforehand.
pub(crate) fn wanted(
    edited: &crate::stage::Edited,
    file: &str,
) -> Option<Vec<crate::live::Wanted>> {
    let mut wanted = Vec::new();
    let (old, new) = (&edited.old_outline.statements, &edited.outline.statements);
    if edited
        .plan
        .removed
        .iter()
        .any(|at| !old[*at].codes.is_empty())
        || !is_plain(&edited.plan.steps, old, new)
    {
        return None;
    }
    let mut want = |scope: &[&str], site: &CodeSite, replaced: bool| {
        let scope = scope.iter().map(ToString::to_string);
        let own = site.scope.iter().chain(std::iter::once(&site.name));
        wanted.push(crate::live::Wanted {
            file: file.to_string(),
            path: scope.chain(own.cloned()).collect(),
            line: site.line,
            replaced,
        });
    };
    collect_sites(
        &edited.plan.steps,
        old,
        new,
        &mut Vec::new(),
        &mut |scope, before, after| {
            let classes: Vec<&str> = scope.iter().map(|(was, _)| was.name.as_str()).collect();
            for (was, is) in before.codes.iter().zip(after.codes.iter()) {
                let replaced = was.fingerprint != is.fingerprint || was.text != is.text;
                if replaced || was.line != is.line {
                    want(&classes, was, replaced);
                }
            }
        },
    );
    headers(&edited.plan.steps, old, new, &mut Vec::new(), &mut want);
    Some(wanted)
}

/// Whether only bodies and headers of functions differ.
fn is_plain(steps: &[Step], old: &[Statement], new: &[Statement]) -> bool {
    steps.iter().all(|step| {
        !step.renamed
            && match (&step.change, step.old) {
                (Change::Same | Change::Bodies | Change::Function(_), _) => true,
                (Change::Class(change), Some(at)) => match (&old[at].kind, &new[step.new].kind) {
                    (Kind::Class(was), Kind::Class(is)) => {
                        !change.header
                            && !change.decorators
                            && change.removed.is_empty()
                            && is_plain(&change.steps, &was.body, &is.body)
                    }
                    _ => false,
                },
                // A statement without functions needs none of the old ones.
                (Change::Run, Some(at)) => {
                    old[at].codes.is_empty() && new[step.new].codes.is_empty()
                }
                (Change::Run, None) => true,
                _ => false,
            }
    })
}

fn headers<'o>(
    steps: &[Step],
    old: &'o [Statement],
    new: &[Statement],
    scope: &mut Vec<&'o str>,
    want: &mut impl FnMut(&[&str], &CodeSite, bool),
) {
    for step in steps {
        let Some(before) = step.old.map(|at| &old[at]) else {
            continue;
        };
        match (&step.change, &before.kind, &new[step.new].kind) {
            (Change::Function(_), ..) => {
                let sites = before.codes.iter();
                sites.for_each(|site| want(scope, site, true));
            }
            (Change::Class(change), Kind::Class(was), Kind::Class(is)) => {
                scope.push(&was.name);
                headers(&change.steps, &was.body, &is.body, scope, want);
                scope.pop();
            }
            _ => {}
        }
    }
}

/// The docstring that a function or a wrapper gets that has `live` now. None: it stays.
fn doc_after<'py>(
    live: &Bound<'py, PyAny>,
    old: &Bound<'py, PyAny>,
    new: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if live.eq(old)? {
        return Ok(Some(new.clone()));
    }
    let (Ok(live), Ok(old), Ok(new)) = (
        live.cast::<PyString>(),
        old.cast::<PyString>(),
        new.cast::<PyString>(),
    ) else {
        return Ok(None);
    };
    let merged = crate::docs::merged(old.to_str()?, live.to_str()?, new.to_str()?);
    Ok(merged.map(|text| PyString::new(live.py(), &text).into_any()))
}
