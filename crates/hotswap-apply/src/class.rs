//! Classes: changed members are evaluated and set on the live class.

use std::sync::Arc;

use crate::native as cpython;
use hotswap_plan::{Change, ClassChange, ClassDef, Kind, Outline, Skeleton, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use rustc_hash::FxHashSet;

use crate::codes;
use crate::stage::{After, Changed, Late, Stage};
use crate::transaction::Write;
use crate::values;

/// Entries of a class's namespace that belong to its layout or to the interpreter.
const LAYOUT: [&str; 4] = ["__dict__", "__weakref__", "__slots__", "_abc_impl"];

impl<'py> Stage<'_, 'py> {
    /// A changed class at module level.
    pub(crate) fn stage_class(
        &mut self,
        module: usize,
        old: &Statement,
        new: &Statement,
        change: &ClassChange,
        outline: &Arc<Outline>,
        step: usize,
    ) -> PyResult<()> {
        let (Some(before), Some(after)) = (old.class(), new.class()) else {
            return Ok(());
        };
        let live = self.live_dict(module).get_item(&before.name)?;
        let Some(class) = live.and_then(|object| object.cast_into::<PyType>().ok()) else {
            return self.run(module, Some(old), new, outline);
        };
        if !self.is_own(module, &class, &before.name)? {
            let entry = self.entry(module, &after.name, Some(new), "class", "not applied");
            entry.reason = "the name holds another class now".to_string();
            return Ok(());
        }
        let mut path = vec![(before, after)];
        self.change_class(module, &class, &mut path, new, change, outline, step)
    }

    /// Whether a class is the one that this module defined under this name.
    fn is_own(&self, module: usize, class: &Bound<'py, PyType>, name: &str) -> PyResult<bool> {
        let own = self.live_dict(module).get_item("__name__")?;
        let module_name = class.getattr("__module__")?;
        let qualname: String = class.getattr("__qualname__")?.extract()?;
        if qualname != name && !qualname.ends_with(&format!(".{name}")) {
            return Ok(false);
        }
        if own.is_some_and(|own| own.eq(&module_name).unwrap_or(false)) {
            return Ok(true);
        }
        // Packages like to say that their classes come from the top: the code knows better.
        for value in cpython::type_dict(class).values() {
            if value.getattr("__code__").is_ok() && self.is_source_function(module, &value)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[allow(clippy::too_many_arguments)]
    fn change_class(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &mut Vec<(&ClassDef, &ClassDef)>,
        statement: &Statement,
        change: &ClassChange,
        outline: &Arc<Outline>,
        step: usize,
    ) -> PyResult<()> {
        let (before, after) = path[path.len() - 1];
        let members_changed = !change.removed.is_empty()
            || change
                .steps
                .iter()
                .any(|step| matches!(step.change, Change::Run) || step.renamed);
        let rebuilt = change.header
            || change.decorators
            || after.has_type_params && members_changed
            || members_changed
                && (is_generated(class, before)? || touches_layout(before, after, change));
        if rebuilt {
            if path.len() > 1 {
                // A nested class is rebuilt by its own statement in the outer body.
                return Ok(());
            }
            return self.rebuild_class(
                module, class, before, after, statement, change, outline, step,
            );
        }
        self.change_members(module, class, path, change, outline, step)
    }

    /// Evaluates the changed statements of a class body in a copy of its namespace.
    fn change_members(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &mut Vec<(&ClassDef, &ClassDef)>,
        change: &ClassChange,
        outline: &Arc<Outline>,
        step_index: usize,
    ) -> PyResult<()> {
        let (before, after) = path[path.len() - 1];
        let names: Vec<String> = path.iter().map(|(_, class)| class.name.clone()).collect();
        let qualname = names.join(".");
        let text = self.text(module);
        let mut skeleton = Skeleton::new(&text, outline);
        for (_, outer) in path.iter() {
            skeleton = skeleton.class(outer);
        }
        let mut runs = false;
        let mut due = Vec::new();
        for step in &change.steps {
            let member = &after.body[step.new];
            let old = step.old.map(|at| &before.body[at]);
            match (&step.change, &member.kind) {
                (Change::Function(header), Kind::Function(function)) => {
                    skeleton =
                        skeleton.function(member, function, &header.defaults, header.annotations);
                    runs = true;
                }
                (Change::Class(inner), Kind::Class(definition)) => {
                    let live = cpython::type_dict(class).get_item(&definition.name)?;
                    if let (Some(Ok(live)), Some(Kind::Class(was))) = (
                        live.map(|object| object.cast_into::<PyType>()),
                        old.map(|old| &old.kind),
                    ) {
                        if is_simple(inner) {
                            path.push((was, definition));
                            self.change_class(
                                module, &live, path, member, inner, outline, step_index,
                            )?;
                            path.pop();
                        } else {
                            skeleton = skeleton.statement(member);
                            due.push(step.clone());
                            runs = true;
                        }
                    }
                }
                (Change::Run, _) => {
                    skeleton = skeleton.statement(member);
                    due.push(step.clone());
                    runs = true;
                }
                (Change::Same, _)
                    if !step.renamed
                        && self.derives_member(module, class, path, member, outline)? =>
                {
                    skeleton = skeleton.statement(member);
                    due.push(step.clone());
                    runs = true;
                }
                _ => {}
            }
            if step.renamed
                && let Some(old) = old
            {
                self.rename_member(class, old, member)?;
            }
        }
        if runs {
            let unit = self.compile(module, &skeleton.finish())?;
            if let Some(body) = codes::class_body(&unit, &names)? {
                self.run_class_body(module, class, &qualname, path, change, &body, &due)?;
            }
        }
        self.remove_members(module, class, before, after, change, &qualname)?;
        self.finish_class(module, class, before, after)
    }

    #[allow(clippy::too_many_arguments)]
    fn run_class_body(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        qualname: &str,
        path: &[(&ClassDef, &ClassDef)],
        change: &ClassChange,
        body: &Bound<'py, PyAny>,
        due: &[hotswap_plan::Step],
    ) -> PyResult<()> {
        let (before, after) = path[path.len() - 1];
        let namespace = self.namespace(module)?;
        let live = cpython::type_dict(class);
        let locals = live.copy()?;
        for name in ["__dict__", "__weakref__"] {
            if locals.contains(name)? {
                locals.del_item(name)?;
            }
        }
        if let Some(annotations) = locals.get_item("__annotations__")? {
            locals.set_item("__annotations__", annotations.call_method0("copy")?)?;
        }
        locals.set_item(
            hotswap_plan::DECORATOR_STUB,
            crate::statement::identity(self.py)?,
        )?;
        // Stubbed definitions would hide what the names hold: their results are taken by position.
        codes::execute(body, &namespace, Some(&locals))?;
        if let Some(staging) = self.staging.get_mut(&module) {
            staging.made_functions = true;
        }
        if let Some(cell) = locals.get_item("__classcell__")? {
            cell.setattr("cell_contents", class)?;
        }
        for step in &change.steps {
            let member = &after.body[step.new];
            if let (Change::Function(header), Some(function), Some(old)) = (
                &step.change,
                member.function(),
                step.old.map(|at| &before.body[at]),
            ) {
                let stored = crate::instances::mangle(&after.name, &function.name);
                let Some(made) = locals.get_item(&stored)? else {
                    continue;
                };
                let made = if made.getattr("__code__").is_ok() {
                    made
                } else {
                    // A later definition of the same name was evaluated on top of it.
                    self.make_member(module, path, member, header, &namespace, &locals)?
                };
                let patched =
                    self.patch_function(module, old, member, header, &made, Some(class.clone()))?;
                let name = format!("{qualname}.{}", function.name);
                let deleted = after
                    .body
                    .iter()
                    .any(|other| other.deletes.contains(&function.name));
                if patched == 0 && !deleted && live.get_item(&stored)?.is_none() {
                    self.transaction
                        .set_class_attribute(class, &stored, Some(made));
                }
                self.note_code(module, &path[0].1.name.clone(), Changed::Code);
                self.entry(module, &name, Some(member), "method", "patched");
            }
        }
        for step in due {
            let member = &after.body[step.new];
            for name in &member.binds {
                // An overload: the definition that follows holds the name.
                let later = change
                    .steps
                    .iter()
                    .rev()
                    .find(|other| after.body[other.new].binds.contains(name));
                if later.is_some_and(|later| {
                    later.new > step.new
                        && later.change != Change::Run
                        && after.body[later.new].function().is_some()
                }) {
                    continue;
                }
                let name = crate::instances::mangle(&after.name, name);
                let Some(value) = locals.get_item(&name)? else {
                    continue;
                };
                self.set_member(
                    module,
                    class,
                    qualname,
                    &name,
                    value,
                    member,
                    step.old.is_some(),
                )?;
            }
        }
        let (had, has) = (
            crate::statement::annotated(&before.body),
            crate::statement::annotated(&after.body),
        );
        if !has.is_empty()
            && due.iter().any(|step| {
                matches!(
                    after.body[step.new].kind,
                    Kind::Assign {
                        annotated: true,
                        ..
                    }
                )
            })
            && let Some(annotations) = locals.get_item("__annotations__")?
        {
            let settled = crate::statement::ordered_annotations(
                self.py,
                annotations.cast::<PyDict>()?,
                &had,
                &has,
            )?;
            self.transaction.set_class_attribute(
                class,
                "__annotations__",
                Some(settled.into_any()),
            );
        }
        Ok(())
    }

    /// Runs one stripped method by itself.
    fn make_member(
        &mut self,
        module: usize,
        path: &[(&ClassDef, &ClassDef)],
        member: &Statement,
        header: &hotswap_plan::FunctionChange,
        namespace: &Bound<'py, PyDict>,
        locals: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (Some(function), Some(outline)) = (member.function(), self.outline(module)) else {
            return Err(pyo3::exceptions::PyRuntimeError::new_err("not a function"));
        };
        let text = self.text(module);
        let mut skeleton = Skeleton::new(&text, &outline);
        for (_, outer) in path {
            skeleton = skeleton.class(outer);
        }
        let skeleton = skeleton.function(member, function, &header.defaults, header.annotations);
        let unit = self.compile(module, &skeleton.finish())?;
        let names: Vec<String> = path.iter().map(|(_, class)| class.name.clone()).collect();
        let body = codes::class_body(&unit, &names)?.ok_or_else(|| {
            pyo3::exceptions::PyRuntimeError::new_err("the class body was not compiled")
        })?;
        let stored = crate::instances::mangle(&path[path.len() - 1].1.name, &function.name);
        self.make(&body, namespace, Some(locals), &stored)
    }

    #[allow(clippy::too_many_arguments)]
    fn set_member(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        qualname: &str,
        name: &str,
        value: Bound<'py, PyAny>,
        member: &Statement,
        changed: bool,
    ) -> PyResult<()> {
        let builtins = self.py.import("builtins")?;
        let is_function = value.get_type().name()? == "function";
        let value = match name {
            "__init_subclass__" | "__class_getitem__" if is_function => {
                builtins.getattr("classmethod")?.call1((value,))?
            }
            "__new__" if is_function => builtins.getattr("staticmethod")?.call1((value,))?,
            _ => value,
        };
        let old = cpython::type_dict(class).get_item(name)?;
        if let Some(old) = &old {
            if old.is(&value) {
                return Ok(());
            }
            let both = old.get_type().name()? == "function" && is_function;
            if both
                && old
                    .getattr("__qualname__")?
                    .eq(value.getattr("__qualname__")?)?
            {
                self.adopt_function(old, &value, Some(class.clone()))?;
                self.note_code(
                    module,
                    qualname.split('.').next().unwrap_or(qualname),
                    Changed::Code,
                );
                self.entry(
                    module,
                    &format!("{qualname}.{name}"),
                    Some(member),
                    "method",
                    "patched",
                );
                return Ok(());
            }
        }
        if let Ok(hook) = value.get_type().getattr("__set_name__") {
            hook.call1((&value, class, name))?;
        }
        self.transaction
            .set_class_attribute(class, name, Some(value.clone()));
        let same = old
            .as_ref()
            .is_some_and(|old| values::is_plain(old) && values::equal(old, &value));
        if !same {
            self.changed
                .insert((module, format!("{qualname}.{name}")), Changed::Value);
        }
        let kind = if member.function().is_some() {
            "method"
        } else {
            "attribute"
        };
        let action = if changed { "re-ran" } else { "added" };
        self.entry(
            module,
            &format!("{qualname}.{name}"),
            Some(member),
            kind,
            action,
        );
        Ok(())
    }

    /// A live function takes over everything of a newly made one.
    pub(crate) fn adopt_function(
        &mut self,
        live: &Bound<'py, PyAny>,
        made: &Bound<'py, PyAny>,
        class: Option<Bound<'py, PyType>>,
    ) -> PyResult<()> {
        let (old_code, new_code) = (live.getattr("__code__")?, made.getattr("__code__")?);
        if self.live.with_code(&old_code).is_empty() {
            // Not a function of an edited file: its holders were not looked for.
            let closure = made.getattr("__closure__")?.cast_into::<PyTuple>().ok();
            self.transaction.push(Write::Code {
                function: live.clone(),
                code: new_code,
                closure,
            });
        } else {
            self.pair(&old_code, &new_code, class)?;
        }
        let mut names: Vec<&'static str> = vec!["__defaults__", "__kwdefaults__", "__doc__"];
        names.push(if cfg!(Py_3_14) {
            "__annotate__"
        } else {
            "__annotations__"
        });
        for name in names {
            let value = made.getattr(name)?;
            self.transaction.push(Write::Attribute {
                object: live.clone(),
                name,
                value: Some(value),
            });
        }
        Ok(())
    }

    fn remove_members(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
        change: &ClassChange,
        qualname: &str,
    ) -> PyResult<()> {
        let live = cpython::type_dict(class);
        for index in &change.removed {
            let member = &before.body[*index];
            for name in &member.binds {
                let stored = crate::instances::mangle(&after.name, name);
                if after.body.iter().any(|other| other.binds.contains(name))
                    || !live.contains(&stored)?
                {
                    continue;
                }
                let none = (name == "__doc__").then(|| self.py.None().into_bound(self.py));
                self.transaction.set_class_attribute(class, &stored, none);
                self.changed
                    .insert((module, format!("{qualname}.{name}")), Changed::Value);
                self.entry(
                    module,
                    &format!("{qualname}.{name}"),
                    None,
                    "attribute",
                    "removed",
                );
            }
        }
        let (had, has) = (
            crate::statement::annotated(&before.body),
            crate::statement::annotated(&after.body),
        );
        let grown = change.steps.iter().any(|step| {
            step.change == Change::Run
                && matches!(
                    after.body[step.new].kind,
                    Kind::Assign {
                        annotated: true,
                        ..
                    }
                )
        });
        if had != has
            && !grown
            && !cfg!(Py_3_14)
            && let Some(annotations) = live.get_item("__annotations__")?
        {
            let settled = crate::statement::ordered_annotations(
                self.py,
                annotations.cast::<PyDict>()?,
                &had,
                &has,
            )?;
            let value = (!settled.is_empty() || !has.is_empty()).then(|| settled.into_any());
            self.transaction
                .set_class_attribute(class, "__annotations__", value);
        }
        Ok(())
    }

    /// What `type.__new__` would derive from the members.
    fn finish_class(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
    ) -> PyResult<()> {
        let binds = |class: &ClassDef, name: &str| {
            class
                .body
                .iter()
                .any(|member| member.binds.iter().any(|bound| bound == name))
        };
        // A class that defines __eq__ without __hash__ is not hashable; the interpreter
        // sees to that only when the class is made.
        if binds(after, "__eq__") && !binds(before, "__eq__") && !binds(after, "__hash__") {
            self.transaction.set_class_attribute(
                class,
                "__hash__",
                Some(self.py.None().into_bound(self.py)),
            );
        }
        if binds(before, "__eq__")
            && !binds(after, "__eq__")
            && !binds(before, "__hash__")
            && !binds(after, "__hash__")
        {
            self.transaction
                .set_class_attribute(class, "__hash__", None);
        }
        if class.getattr("__abstractmethods__").is_ok()
            || class.get_type().getattr("register").is_ok()
        {
            self.after.push(After::Abstract(class.clone()));
        }
        self.new_attributes(module, class, before, after)
    }

    /// Whether an unchanged statement of a class body reads something that changed.
    fn derives_member(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        path: &[(&ClassDef, &ClassDef)],
        member: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<bool> {
        if !matches!(
            member.kind,
            Kind::Assign { .. } | Kind::AugAssign { .. } | Kind::Compound(_)
        ) || member.binds.is_empty()
        {
            return Ok(false);
        }
        let qualname: Vec<String> = path.iter().map(|(_, class)| class.name.clone()).collect();
        let mut facts = member.facts.clone();
        for read in member.facts.reads.clone() {
            let mut inner = qualname.clone();
            inner.extend(read);
            facts.reads.push(inner);
        }
        let Some(cause) = self.cause(module, &facts) else {
            return Ok(false);
        };
        let names: Vec<String> = qualname.clone();
        let mut reason = self.impurity(module, &member.facts);
        if reason.is_none() {
            let text = self.text(module);
            let mut skeleton = Skeleton::new(&text, outline);
            for (_, outer) in path {
                skeleton = skeleton.class(outer);
            }
            let unit = self.compile(module, &skeleton.statement(member).finish())?;
            let live = cpython::type_dict(class);
            let locals = live.copy()?;
            let Some(body) = codes::class_body(&unit, &names)? else {
                return Ok(false);
            };
            let untouched = codes::execute(&body, &self.live_dict(module).copy()?, Some(&locals)).is_ok()
                && member.binds.iter().map(|name| crate::instances::mangle(&path[path.len() - 1].1.name, name)).all(|name| {
                    let name = name.as_str();
                    matches!((live.get_item(name), locals.get_item(name)), (Ok(Some(a)), Ok(Some(b))) if values::equal(&a, &b))
                });
            if untouched {
                return Ok(true);
            }
            reason = Some("the program changed its value since".to_string());
        }
        let label = format!("{}.{}", qualname.join("."), member.binds.join(", "));
        let entry = self.entry(module, &label, Some(member), "attribute", "stale");
        entry.reason = format!("depends on {cause}; {}", reason.unwrap_or_default());
        entry.advice = "# hotswap: rerun".to_string();
        Ok(false)
    }

    /// An unchanged class whose body or decorators read something that changed.
    pub(crate) fn derive_class(
        &mut self,
        module: usize,
        statement: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let Some(definition) = statement.class() else {
            return Ok(());
        };
        let Some(class) = self
            .live_dict(module)
            .get_item(&definition.name)?
            .and_then(|object| object.cast_into::<PyType>().ok())
        else {
            return Ok(());
        };
        if self.cause(module, &statement.facts).is_none()
            && !self.decorator_changed(module, definition)
        {
            return Ok(());
        }
        if !self.is_own(module, &class, &definition.name)? {
            return Ok(());
        }
        let steps = (0..definition.body.len())
            .map(|at| hotswap_plan::Step {
                new: at,
                old: Some(at),
                change: Change::Same,
                renamed: false,
            })
            .collect();
        let change = ClassChange {
            header: false,
            decorators: false,
            steps,
            removed: Vec::new(),
        };
        self.change_members(
            module,
            &class,
            &mut vec![(definition, definition)],
            &change,
            outline,
            usize::MAX,
        )?;
        self.reapply_decorators(module, &class, definition, statement)
    }

    fn decorator_changed(&self, module: usize, definition: &ClassDef) -> bool {
        definition.decorators.iter().any(|decorator| {
            matches!(
                self.change_of(module, &decorator.head),
                Some(Changed::Code | Changed::Value)
            )
        })
    }

    /// A class decorator whose own body changed is applied again after the swap, if
    /// it writes only to the class it is given.
    fn reapply_decorators(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        definition: &ClassDef,
        statement: &Statement,
    ) -> PyResult<()> {
        for decorator in definition.decorators.iter().rev() {
            if self.change_of(module, &decorator.head) != Some(Changed::Code) {
                continue;
            }
            let text = self.text(module);
            let source = decorator.span.of(&text).to_string();
            match self.decorator_impurity(module, &decorator.head, &decorator.facts) {
                Some(reason) => {
                    let entry =
                        self.entry(module, &definition.name, Some(statement), "class", "stale");
                    entry.reason = format!(
                        "its decorator {} changed; {reason}",
                        decorator.head.join(".")
                    );
                    entry.advice = "# hotswap: rerun".to_string();
                }
                None => {
                    let namespace = self.live_dict(module);
                    self.after.push(After::Decorate {
                        class: class.clone(),
                        source,
                        namespace,
                    });
                    self.entry(module, &definition.name, Some(statement), "class", "re-ran")
                        .reason = format!("its decorator {} changed", decorator.head.join("."));
                }
            }
        }
        Ok(())
    }

    fn decorator_impurity(
        &self,
        module: usize,
        head: &[String],
        facts: &hotswap_plan::Facts,
    ) -> Option<String> {
        if !facts.calls.is_empty() {
            return Some("it is made by a call".to_string());
        }
        let (source, name) = self.definition_of(module, head)?;
        let outline = self.outline(source)?;
        let function = outline.statements[outline.last_binder(&name)?].function()?;
        let mut facts = function.facts.clone();
        facts.writes_to_arguments = false;
        // setattr on the argument is a write to the argument.
        facts
            .calls
            .retain(|call| !matches!(call, hotswap_plan::Call::Path(path) if path == &["setattr"]));
        self.impurity(source, &facts)
    }

    /// The module and name under which something that this module uses is defined.
    pub(crate) fn definition_of(&self, module: usize, path: &[String]) -> Option<(usize, String)> {
        let outline = self.outline(module)?;
        let head = path.first()?;
        if path.len() > 1 {
            return self.definition_of(self.module_at(module, head)?, &path[1..]);
        }
        let statement = &outline.statements[outline.last_binder(head)?];
        match &statement.kind {
            Kind::Import(imports) => {
                let import = imports.iter().find(|import| import.bound == *head)?;
                let source = self.imported_module(module, import)?;
                self.definition_of(source, &[import.name.clone()?])
            }
            _ => Some((module, head.clone())),
        }
    }

    fn rename_member(
        &mut self,
        class: &Bound<'py, PyType>,
        old: &Statement,
        new: &Statement,
    ) -> PyResult<()> {
        let (Some(from), Some(to)) = (old.binds.first(), new.binds.first()) else {
            return Ok(());
        };
        if let Some(value) = cpython::type_dict(class).get_item(from)? {
            self.transaction
                .set_class_attribute(class, to, Some(value.clone()));
            self.transaction.set_class_attribute(class, from, None);
            if value.getattr("__code__").is_ok() {
                let qualname: String = value.getattr("__qualname__")?.extract()?;
                let head = qualname
                    .rsplit_once('.')
                    .map(|(head, _)| format!("{head}."))
                    .unwrap_or_default();
                for (name, text) in [
                    ("__name__", to.clone()),
                    ("__qualname__", format!("{head}{to}")),
                ] {
                    let text = PyString::new(self.py, &text).into_any();
                    self.transaction.push(Write::Attribute {
                        object: value.clone(),
                        name,
                        value: Some(text),
                    });
                }
            }
        }
        Ok(())
    }

    /// The methods of a renamed class get its name.
    pub(crate) fn rename_methods(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        old: &Statement,
        new: &Statement,
        outline: &Arc<Outline>,
    ) -> PyResult<()> {
        let (Some(before), Some(after)) = (old.class(), new.class()) else {
            return Ok(());
        };
        let text = self.text(module);
        let unit = self.compile(
            module,
            &Skeleton::new(&text, outline).statement(new).finish(),
        )?;
        for (was, is) in before.body.iter().zip(&after.body) {
            for (site, target) in was.codes.iter().zip(&is.codes) {
                let mut scope = vec![after.name.clone()];
                scope.extend(target.scope.iter().cloned());
                let found = codes::at_site(&unit, &scope, &target.name, target.line)?;
                let Some(code) = found.first() else { continue };
                for live in self.functions_at(module, &site.name, site.line) {
                    self.pair(&live.code, code, Some(class.clone()))?;
                    let qualname = format!("{}.{}", scope.join("."), target.name);
                    let value = PyString::new(self.py, &qualname).into_any();
                    self.transaction.push(Write::Attribute {
                        object: live.function,
                        name: "__qualname__",
                        value: Some(value),
                    });
                }
            }
        }
        Ok(())
    }

    /// Makes the class anew in staging and moves what it is into the live one.
    #[allow(clippy::too_many_arguments)]
    fn rebuild_class(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
        statement: &Statement,
        change: &ClassChange,
        outline: &Arc<Outline>,
        step: usize,
    ) -> PyResult<()> {
        if !self.committed && self.must_wait(module, &statement.facts) {
            self.late.push(Late { module, step });
            self.late_names.insert((module, after.name.clone()));
            return Ok(());
        }
        let namespace = self.namespace(module)?;
        let code = self.compile_statement(module, statement, outline)?;
        codes::execute(&code, &namespace, None)?;
        if let Some(staging) = self.staging.get_mut(&module) {
            staging.made_functions = true;
        }
        let made = namespace.get_item(&after.name)?;
        if self.committed {
            namespace.set_item(&after.name, class)?;
        }
        let Some(made) = made.and_then(|object| object.cast_into::<PyType>().ok()) else {
            return Err(pyo3::exceptions::PyTypeError::new_err(format!(
                "{} is no longer a class",
                after.name
            )));
        };
        if made.is(class) {
            return Ok(());
        }
        // What is staged after this sees the new class; at the commit every reference
        // to it becomes one to the live class.
        self.rebuilt.push((made.clone(), class.clone()));
        self.note_code(module, &after.name, Changed::Code);
        if crate::enums::is_enum(class)? && crate::enums::is_enum(&made)? {
            self.merge_enum(module, class, &made, before, after, statement)?;
        } else if !self.fits(class, &made)? {
            return self.replace_class(module, class, &made, after, statement);
        } else {
            self.transplant(module, class, &made, before, after, change)?;
        }
        self.entry(module, &after.name, Some(statement), "class", "re-ran");
        self.retire_class(class, &made)?;
        self.finish_class(module, class, before, after)?;
        self.new_fields(class, &made)
    }

    /// Whether the live class can take the new layout, bases and metaclass in place.
    fn fits(&self, class: &Bound<'py, PyType>, made: &Bound<'py, PyType>) -> PyResult<bool> {
        if !class.get_type().is(made.get_type()) {
            return Ok(false);
        }
        for name in [
            "__basicsize__",
            "__itemsize__",
            "__dictoffset__",
            "__weakrefoffset__",
        ] {
            if !class.getattr(name)?.eq(made.getattr(name)?)? {
                return Ok(false);
            }
        }
        let slots = |class: &Bound<'py, PyType>| -> PyResult<Vec<String>> {
            let mut names = Vec::new();
            for (name, value) in cpython::type_dict(class).iter() {
                if value.get_type().name()? == "member_descriptor" {
                    names.push(name.extract()?);
                }
            }
            names.sort();
            Ok(names)
        };
        if slots(class)? != slots(made)? {
            return Ok(false);
        }
        let (old, new) = (
            class.getattr("__bases__")?.cast_into::<PyTuple>()?,
            self.live_bases(made)?,
        );
        if old.eq(&new)? {
            return Ok(true);
        }
        // CPython decides; nothing of the program runs between the two assignments.
        match cpython::set_bases(class, &new) {
            Ok(()) => {
                cpython::set_bases(class, &old)?;
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    /// The bases of a class made in staging, each as the live class that it stands for.
    fn live_bases(&self, made: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyTuple>> {
        let bases = made.getattr("__bases__")?.cast_into::<PyTuple>()?;
        let live = bases.iter().map(|base| {
            match self.rebuilt.iter().find(|(staged, _)| staged.is(&base)) {
                Some((_, class)) => class.clone().into_any(),
                None => base,
            }
        });
        PyTuple::new(self.py, live.collect::<Vec<_>>())
    }

    /// Copies the members of a class made anew into the live one.
    fn transplant(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
        change: &ClassChange,
    ) -> PyResult<()> {
        let (old, new) = (cpython::type_dict(class), cpython::type_dict(made));
        let bases = self.live_bases(made)?;
        if !class.getattr("__bases__")?.eq(&bases)? {
            self.transaction.push(Write::Bases {
                class: class.clone(),
                bases,
            });
        }
        let mut kept: FxHashSet<&str> = FxHashSet::default();
        for step in &change.steps {
            let member = &after.body[step.new];
            if matches!(step.change, Change::Same) && member.function().is_none() {
                kept.extend(member.binds.iter().map(String::as_str));
            }
        }
        for (key, value) in new.iter() {
            let name: String = key.extract()?;
            if LAYOUT.contains(&name.as_str()) || value.get_type().name()? == "member_descriptor" {
                continue;
            }
            let was = old.get_item(&key)?;
            if let Some(was) = &was {
                if was.is(&value)
                    || (kept.contains(name.as_str())
                        && !values::is_plain(was)
                        && was.get_type().is(value.get_type()))
                {
                    continue;
                }
                if was.get_type().name()? == "function"
                    && value.get_type().name()? == "function"
                    && self.is_source_function(module, was)?
                {
                    self.adopt_function(was, &value, Some(class.clone()))?;
                    continue;
                }
                if self.adopt_wrapped(module, was, &value, class)? {
                    continue;
                }
                if values::is_plain(was) && values::equal(was, &value) {
                    continue;
                }
            }
            self.transaction
                .set_class_attribute(class, &name, Some(value));
            self.changed
                .insert((module, format!("{}.{name}", after.name)), Changed::Value);
        }
        let bound: FxHashSet<&str> = before
            .body
            .iter()
            .flat_map(|member| member.binds.iter().map(String::as_str))
            .collect();
        for (key, value) in old.iter() {
            let name: String = key.extract()?;
            if new.contains(&key)?
                || LAYOUT.contains(&name.as_str())
                || value.get_type().name()? == "member_descriptor"
            {
                continue;
            }
            let generated = value
                .getattr("__code__")
                .and_then(|code| code.getattr("co_filename"))
                .is_ok_and(|file| {
                    file.extract::<String>()
                        .is_ok_and(|file| file == "<string>" || file.starts_with("<attrs"))
                });
            if bound.contains(name.as_str())
                || generated
                || name.starts_with("__") && name.ends_with("__") && name != "__abstractmethods__"
            {
                self.transaction.set_class_attribute(class, &name, None);
            }
        }
        Ok(())
    }

    /// `property`, `classmethod` and `staticmethod` keep the functions they hold.
    fn adopt_wrapped(
        &mut self,
        module: usize,
        was: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        class: &Bound<'py, PyType>,
    ) -> PyResult<bool> {
        if !was.get_type().is(value.get_type()) {
            return Ok(false);
        }
        let kind = was.get_type().name()?.to_string();
        let fields: &[&str] = match kind.as_str() {
            "property" => &["fget", "fset", "fdel"],
            "classmethod" | "staticmethod" => &["__func__"],
            _ => return Ok(false),
        };
        let mut functions = Vec::new();
        for field in fields {
            let (a, b) = (was.getattr(*field)?, value.getattr(*field)?);
            if a.is_none() && b.is_none() {
                continue;
            }
            if a.getattr("__code__").is_err()
                || b.getattr("__code__").is_err()
                || !self.is_source_function(module, &a)?
            {
                return Ok(false);
            }
            functions.push((a, b));
        }
        for (a, b) in &functions {
            self.adopt_function(a, b, Some(class.clone()))?;
        }
        Ok(true)
    }

    fn is_source_function(&self, module: usize, function: &Bound<'py, PyAny>) -> PyResult<bool> {
        let file: String = function
            .getattr("__code__")?
            .getattr("co_filename")?
            .extract()?;
        Ok(file == self.code_file(module))
    }

    /// Every reference to the staging class becomes one to the live class, and the
    /// staging class leaves the `__subclasses__()` of its bases.
    pub(crate) fn retire_class(
        &mut self,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
    ) -> PyResult<()> {
        self.transaction.push(Write::Reference {
            old: made.clone().into_any(),
            new: class.clone().into_any(),
        });
        self.after.push(After::Hide(made.clone()));
        Ok(())
    }

    /// The live class cannot take the new shape: the new class takes its place.
    fn replace_class(
        &mut self,
        module: usize,
        class: &Bound<'py, PyType>,
        made: &Bound<'py, PyType>,
        after: &ClassDef,
        statement: &Statement,
    ) -> PyResult<()> {
        self.move_instances(module, class, made, after, statement)?;
        self.transaction.push(Write::Reference {
            old: class.clone().into_any(),
            new: made.clone().into_any(),
        });
        self.bind(module, &after.name, Some(made.clone().into_any()))?;
        self.note_value(
            module,
            &after.name,
            Some(class.clone().into_any()),
            Some(made.clone().into_any()),
        );
        self.after.push(After::Hide(class.clone()));
        self.entry(module, &after.name, Some(statement), "class", "re-ran")
            .reason =
            "CPython cannot change its layout or bases in place, so a new class took its place"
                .to_string();
        Ok(())
    }
}

/// Whether nothing but plain members differs.
fn is_simple(change: &ClassChange) -> bool {
    !change.header && !change.decorators
}

/// Whether members of this class are generated from its body when it is made.
fn is_generated(class: &Bound<'_, PyType>, definition: &ClassDef) -> PyResult<bool> {
    if !definition.decorators.is_empty() || crate::enums::is_enum(class)? {
        return Ok(true);
    }
    let dict = cpython::type_dict(class);
    for marker in [
        "_is_protocol",
        "_fields",
        "__total__",
        "__pydantic_fields__",
        "__dataclass_fields__",
        "__attrs_attrs__",
        "__struct_fields__",
    ] {
        if dict.contains(marker)? {
            return Ok(marker != "_is_protocol"
                || dict
                    .get_item(marker)?
                    .is_some_and(|value| value.is_truthy().unwrap_or(false)));
        }
    }
    Ok(false)
}

/// Whether the edit touches `__slots__` or the like, which only a new class can have.
fn touches_layout(before: &ClassDef, after: &ClassDef, change: &ClassChange) -> bool {
    let touches = |member: &Statement| {
        member
            .binds
            .iter()
            .any(|name| matches!(name.as_str(), "__slots__" | "__classcell__"))
    };
    change.removed.iter().any(|at| touches(&before.body[*at]))
        || change
            .steps
            .iter()
            .any(|step| step.change == Change::Run && touches(&after.body[step.new]))
}

impl<'py> Stage<'_, 'py> {
    /// Does what was left for after the commit.
    pub(crate) fn run_after(&mut self) -> PyResult<()> {
        for after in std::mem::take(&mut self.after) {
            match after {
                After::Abstract(class) => update_abstract_methods(&class)?,
                After::Hide(class) => hide_class(&class)?,
                After::Decorate {
                    class,
                    source,
                    namespace,
                } => {
                    crate::statement::evaluate(self.py, &source, &namespace)?.call1((class,))?;
                }
            }
        }
        Ok(())
    }
}

/// What `abc.update_abstractmethods` does (3.10+), for 3.9 as well, and for the
/// subclasses too.
fn update_abstract_methods(class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = class.py();
    let abc = py.import("abc")?;
    if !class.as_any().is_instance(&abc.getattr("ABCMeta")?)? {
        return Ok(());
    }
    let is_abstract = |value: &Bound<'_, PyAny>| {
        value
            .getattr("__isabstractmethod__")
            .is_ok_and(|flag| flag.is_truthy().unwrap_or(false))
    };
    let names = pyo3::types::PySet::empty(py)?;
    for (name, value) in cpython::type_dict(class).iter() {
        if is_abstract(&value) {
            names.add(name)?;
        }
    }
    for base in class.getattr("__bases__")?.try_iter()? {
        let Ok(inherited) = base?.getattr("__abstractmethods__") else {
            continue;
        };
        for name in inherited.try_iter()? {
            let name = name?;
            if class
                .getattr(name.cast::<PyString>()?)
                .is_ok_and(|value| is_abstract(&value))
            {
                names.add(name)?;
            }
        }
    }
    let frozen = py
        .import("builtins")?
        .getattr("frozenset")?
        .call1((names,))?;
    class.setattr("__abstractmethods__", frozen)?;
    if let Ok(reset) = py
        .import("_abc")
        .and_then(|module| module.getattr("_reset_caches"))
    {
        reset.call1((class,))?;
    }
    for sub in class.call_method0("__subclasses__")?.try_iter()? {
        update_abstract_methods(&sub?.cast_into::<PyType>()?)?;
    }
    Ok(())
}

/// Hangs a dead class under a class of its own; where CPython refuses, the
/// collector takes it away.
fn hide_class(class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = class.py();
    let object = py.get_type::<PyAny>();
    let bases = class.getattr("__bases__")?.cast_into::<PyTuple>()?;
    if bases.len() == 1 && bases.get_item(0)?.is(&object) {
        return Ok(());
    }
    let parent = py
        .get_type::<PyType>()
        .call1(("_Gone", PyTuple::empty(py), PyDict::new(py)))?;
    if cpython::set_bases(class, &PyTuple::new(py, [parent])?).is_err() {
        py.import("gc")?.call_method0("collect")?;
    }
    Ok(())
}
