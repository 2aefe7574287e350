//! What a statement sees while it runs apart from the live program: other modules as
//! they will be, functions with their new code, names as they are at its place.

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{Call, Facts, Kind};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyModule, PyTuple, PyType};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::codes;
use crate::stage::Stage;
use crate::timeline::Place;
use crate::transaction::Write;

/// Names of a namespace that stand for something else while a statement runs.
pub(crate) struct View<'py> {
    namespace: Bound<'py, PyDict>,
    shown: Vec<Shown<'py>>,
    /// Names that the statement binds in any case, such as the `x` of `x = x`.
    bound: Vec<String>,
    /// Containers made for an earlier place of the source, and the live ones.
    pub(crate) copies: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
    /// Names that hold something else at that place, which cannot be had again.
    pub(crate) unknown: Vec<String>,
}

struct Shown<'py> {
    name: String,
    before: Option<Bound<'py, PyAny>>,
    value: Bound<'py, PyAny>,
}

impl<'py> View<'py> {
    fn new(namespace: &Bound<'py, PyDict>) -> Self {
        View {
            namespace: namespace.clone(),
            shown: Vec::new(),
            bound: Vec::new(),
            copies: Vec::new(),
            unknown: Vec::new(),
        }
    }

    fn show(&mut self, name: &str, value: Bound<'py, PyAny>) -> PyResult<()> {
        let before = self.namespace.get_item(name)?;
        self.namespace.set_item(name, &value)?;
        self.shown.push(Shown {
            name: name.to_string(),
            before,
            value,
        });
        Ok(())
    }

    /// Puts back what the names held, where the statement has not bound them itself.
    pub(crate) fn leave(&mut self) -> PyResult<()> {
        while let Some(Shown {
            name,
            before,
            value,
        }) = self.shown.pop()
        {
            let now = self.namespace.get_item(&name)?;
            if now.is_some_and(|now| now.is(&value)) && !self.bound.contains(&name) {
                match before {
                    Some(before) => self.namespace.set_item(name, before)?,
                    None => self.namespace.del_item(name)?,
                }
            }
        }
        Ok(())
    }
}

/// Namespaces that were made for one view, by module.
#[derive(Default)]
struct Shadows<'py> {
    /// Functions have their new code, and other modules are as they will be.
    new: bool,
    /// What names of the statement's own module hold at its place.
    early: FxHashMap<String, Bound<'py, PyAny>>,
    module: usize,
    globals: FxHashMap<usize, Bound<'py, PyDict>>,
    functions: FxHashMap<usize, Bound<'py, PyAny>>,
    /// Each copy and the function that it stands for.
    copies: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
}

impl<'py> Stage<'_, 'py> {
    /// Lets a statement of the new source see what it would see after a fresh start.
    /// `skip` names what the caller has put into the namespace itself.
    pub(crate) fn view(
        &mut self,
        module: usize,
        place: Place<'_>,
        facts: &Facts,
        namespace: &Bound<'py, PyDict>,
        skip: &[String],
    ) -> PyResult<View<'py>> {
        let mut view = View::new(namespace);
        if self.committed {
            return Ok(view);
        }
        let statement = place.outline.statements.get(place.index);
        if let Some(statement) =
            statement.filter(|one| matches!(one.kind, Kind::Assign { value: Some(_), .. }))
        {
            view.bound = statement.binds.clone();
        }
        let (early, mut unknown) = self.early_values(module, place, facts, namespace, skip)?;
        for (name, early) in early {
            if let Some(live) = namespace.get_item(&name)?
                && crate::values::is_container(&early)
                && live.get_type().is(early.get_type())
            {
                view.copies.push((early.clone(), live));
            }
            view.show(&name, early)?;
        }
        let mut shadows = Shadows {
            new: place.new,
            module,
            ..Shadows::default()
        };
        self.early_of_callees(
            module,
            place,
            facts,
            namespace,
            skip,
            &mut shadows.early,
            &mut unknown,
        )?;
        view.unknown = unknown;
        if place.new || !shadows.early.is_empty() {
            for (name, value) in self.shown_names(module, facts, namespace, &mut shadows)? {
                if !skip.contains(&name) {
                    view.show(&name, value)?;
                }
            }
            // Code with effects may have handed a copy on to somebody.
            if !shadows.copies.is_empty() && self.impurity(module, facts).is_some() {
                for (copy, function) in shadows.copies {
                    self.transaction.push(Write::Reference {
                        old: copy,
                        new: function,
                    });
                }
            }
            let made = shadows.globals.into_iter();
            self.shadows
                .extend(made.map(|(module, globals)| (globals, module)));
        }
        Ok(view)
    }

    /// Lets names that hold the namespace of their module (`names = globals()`) hold another
    /// one in its place, and says which.
    pub(crate) fn show_own_names(
        &self,
        module: usize,
        facts: &Facts,
        namespace: &Bound<'py, PyDict>,
    ) -> PyResult<Vec<String>> {
        let live = self.live_dict(module);
        let mut shown = Vec::new();
        for path in &facts.reads {
            let held = namespace.get_item(&path[0])?;
            if held.is_some_and(|held| held.is(&live) && !held.is(namespace)) {
                namespace.set_item(&path[0], namespace)?;
                shown.push(path[0].clone());
            }
        }
        Ok(shown)
    }

    /// Gives those names the namespace of their module again.
    pub(crate) fn hide_own_names(
        &self,
        module: usize,
        shown: &[String],
        namespace: &Bound<'py, PyDict>,
    ) -> PyResult<()> {
        for name in shown {
            namespace.set_item(name, self.live_dict(module))?;
        }
        Ok(())
    }

    /// The same at the place of a statement of the new source, or of one inside it.
    pub(crate) fn view_at(
        &mut self,
        module: usize,
        start: u32,
        facts: &Facts,
        namespace: &Bound<'py, PyDict>,
    ) -> PyResult<View<'py>> {
        let Some(outline) = self.outline(module) else {
            return Ok(View::new(namespace));
        };
        let text = self.text(module);
        let holder = outline
            .statements
            .iter()
            .position(|other| other.span.start <= start && start < other.span.end);
        let place = Place {
            outline: &outline,
            text: &text,
            index: holder.unwrap_or(usize::MAX),
            new: true,
        };
        self.view(module, place, facts, namespace, &[])
    }

    /// The same at the place of a statement of the old source, or of one inside it.
    pub(crate) fn view_before(
        &mut self,
        module: usize,
        start: u32,
        facts: &Facts,
        namespace: &Bound<'py, PyDict>,
    ) -> PyResult<View<'py>> {
        let (outline, text) = match self.edits.get(&module) {
            Some(edited) => (edited.old_outline.clone(), edited.old_text.clone()),
            None => match self.outline(module) {
                Some(outline) => (outline, self.text(module)),
                None => return Ok(View::new(namespace)),
            },
        };
        let holder = outline
            .statements
            .iter()
            .position(|other| other.span.start <= start && start < other.span.end);
        let place = Place {
            outline: &outline,
            text: &text,
            index: holder.unwrap_or(usize::MAX),
            new: false,
        };
        self.view(module, place, facts, namespace, &[])
    }

    /// What the functions that a statement calls have to see at its place, where names of
    /// its module hold something else there than in the end.
    #[allow(clippy::too_many_arguments)]
    fn early_of_callees(
        &mut self,
        module: usize,
        place: Place<'_>,
        facts: &Facts,
        namespace: &Bound<'py, PyDict>,
        skip: &[String],
        early: &mut FxHashMap<String, Bound<'py, PyAny>>,
        unknown: &mut Vec<String>,
    ) -> PyResult<()> {
        if facts.calls.is_empty() {
            return Ok(());
        }
        let mut wanted = crate::timeline::rebound_after(place);
        wanted.extend(skip.iter().cloned());
        if wanted.is_empty() {
            return Ok(());
        }
        let mut names = FxHashSet::default();
        let mut seen = FxHashSet::default();
        for call in &facts.calls {
            if let Call::Path(path) = call
                && path.len() == 1
                && let Some(head) = namespace.get_item(&path[0])?
            {
                names.extend(self.reaches_names(module, &head, &wanted, place.new, &mut seen));
            }
        }
        if names.is_empty() {
            return Ok(());
        }
        let harmless = self.impurity(module, facts).is_none();
        // What a copy of a function assigned to a global name would be lost with its namespace.
        if !harmless && !place.outline.globals_declared.is_empty() {
            return Ok(());
        }
        let live = self.live_dict(module);
        for name in names {
            let value = match skip.contains(&name) {
                true => namespace.get_item(&name)?,
                false => {
                    let value = self.early_value(module, place, &name, namespace)?;
                    if value.is_none() {
                        unknown.push(name.clone());
                    }
                    value
                }
            };
            let Some(value) = value else { continue };
            let mut same = live.get_item(&name)?.is_some_and(|now| now.is(&value));
            if let Some(staging) = self.staging.get(&module) {
                let now = staging.namespace.get_item(&name)?;
                same &= now.is_some_and(|now| now.is(&value));
            }
            if !same && (harmless || crate::values::is_plain(&value)) {
                early.insert(name, value);
            }
        }
        Ok(())
    }

    /// Whether a function has to be shown as a copy.
    fn needs_shadow(&self, function: &Bound<'py, PyAny>, shadows: &Shadows<'py>) -> bool {
        function.is_exact_instance_of::<PyFunction>()
            && (shadows.new && self.function_changed(function, &mut FxHashSet::default())
                || self.reaches_early(function, shadows))
    }

    fn reaches_early(&self, function: &Bound<'py, PyAny>, shadows: &Shadows<'py>) -> bool {
        if shadows.early.is_empty() {
            return false;
        }
        let wanted: FxHashSet<String> = shadows.early.keys().cloned().collect();
        let mut seen = FxHashSet::default();
        let found = self.reaches_names(shadows.module, function, &wanted, shadows.new, &mut seen);
        !found.is_empty()
    }

    /// Whether everything changed that a statement calls can be shown to it, so that it
    /// runs before the commit, while the rest of the program sees the old definitions.
    pub(crate) fn can_show(&self, module: usize, facts: &Facts) -> bool {
        if facts.reads.iter().any(|path| {
            self.is_late(module, path, &mut Vec::new()) || self.reads_pending_member(module, path)
        }) {
            return false;
        }
        let mut seen = Vec::new();
        // What a copy assigned to a global name would be lost with its namespace.
        self.can_show_calls(module, facts, &mut seen)
            && (self.impurity(module, facts).is_none()
                || seen
                    .iter()
                    .all(|(source, name)| !self.assigns_global(*source, name)))
    }

    fn assigns_global(&self, module: usize, name: &str) -> bool {
        let Some(outline) = self.outline(module) else {
            return true;
        };
        let function = outline
            .last_binder(name)
            .and_then(|at| outline.statements[at].function());
        function.is_none_or(|function| {
            function
                .facts
                .effects
                .contains(&hotswap_plan::ASSIGNS_GLOBAL)
        })
    }

    /// Whether a path leads to a class that is made anew: its methods run with what they
    /// call only after the commit.
    fn is_being_remade(&self, module: usize, path: &[String]) -> bool {
        let made_anew = self.rebuilt.iter().chain(&self.replaced);
        self.object_at(module, path).is_ok_and(|object| {
            object.is_some_and(|object| {
                made_anew
                    .clone()
                    .any(|(one, other)| one.is(&object) || other.is(&object))
            })
        })
    }

    /// Whether a path names a plain value of a class, which is there without a call.
    fn names_plain_member(&self, module: usize, path: &[String]) -> bool {
        let Ok(Some(class)) = self.object_at(module, &path[..1]) else {
            return false;
        };
        path.len() > 1
            && class.is_instance_of::<PyType>()
            && self
                .object_at(module, path)
                .is_ok_and(|value| value.is_some_and(|value| crate::values::is_comparable(&value)))
    }

    fn can_show_calls(
        &self,
        module: usize,
        facts: &Facts,
        seen: &mut Vec<(usize, String)>,
    ) -> bool {
        use crate::stage::Changed;
        facts.reads.iter().all(|path| {
            // Passed on as a value it would be the copy that is kept.
            let called = facts
                .calls
                .iter()
                .any(|call| matches!(call, Call::Path(called) if called == path));
            match self.change_of(module, path) {
                Some(Changed::Value) => {
                    return !(called && self.is_being_remade(module, path)
                        || self.calls_pending(module, facts, path));
                }
                None if !self.call_changed(module, path) => return true,
                None if self.names_plain_member(module, path) => return true,
                _ => {}
            }
            let Some((source, name)) = self.definition_of(module, path) else {
                return false;
            };
            let Some(outline) = self.outline(source) else {
                return false;
            };
            let function = outline
                .last_binder(&name)
                .and_then(|at| outline.statements[at].function())
                .filter(|function| function.decorators.is_empty());
            let (Some(function), true) = (function, called) else {
                return called && self.can_show_held(source, &name);
            };
            let key = (source, name);
            if seen.contains(&key) {
                return true;
            }
            seen.push(key);
            self.can_show_calls(source, &function.facts, seen)
        })
    }

    /// Whether a closure or a wrapper can be shown as a copy: it is harmless to call, and
    /// its new code finds its cells.
    fn can_show_held(&self, module: usize, name: &str) -> bool {
        let Ok(Some(held)) = self.live_dict(module).get_item(name) else {
            return false;
        };
        held.is_exact_instance_of::<PyFunction>()
            && self
                .function_impurity(&held, 0)
                .is_some_and(|reason| reason.is_none())
            && self.cells_fit(&held, 0)
    }

    fn cells_fit(&self, function: &Bound<'py, PyAny>, depth: usize) -> bool {
        let Ok(code) = function.peek("__code__") else {
            return false;
        };
        let fits = self
            .pairs
            .iter()
            .find(|pair| pair.old.is(&code))
            .is_none_or(|pair| {
                matches!((codes::free_variables(&pair.new), codes::free_variables(&pair.old)),
                    (Ok(new), Ok(old)) if new == old)
            });
        fits && depth < 20
            && crate::callee::held_functions(function)
                .iter()
                .all(|held| self.cells_fit(held, depth + 1))
    }

    /// The names that must hold something else for some code to see the new program.
    fn shown_names(
        &self,
        module: usize,
        facts: &Facts,
        namespace: &Bound<'py, PyDict>,
        shadows: &mut Shadows<'py>,
    ) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
        let mut shown: Vec<(String, Bound<'py, PyAny>)> = Vec::new();
        for path in &facts.reads {
            let Some(head) = namespace.get_item(&path[0])? else {
                continue;
            };
            let changed = shadows.new
                && (self.change_of(module, path).is_some() || self.call_changed(module, path))
                || path.len() == 1
                    && module == shadows.module
                    && self.reaches_early(&head, shadows);
            if !changed {
                continue;
            }
            let called = facts
                .calls
                .iter()
                .any(|call| matches!(call, Call::Path(called) if called == path));
            if let Ok(class) = head.cast::<PyType>()
                && path.len() > 1
            {
                if (!called || path.len() > 2)
                    && let Some(paths) = paths_below(facts, &path[..1])
                    && let Some(shown_class) = self.members_of(class, &paths)?
                {
                    shown.push((path[0].clone(), shown_class));
                }
            } else if let Ok(original) = head.cast::<PyModule>()
                && path.len() > 1
            {
                let known = shown.iter().position(|(name, _)| *name == path[0]);
                let copy = match known {
                    Some(at) => shown[at].1.clone(),
                    None => {
                        let copy = self.module_stand_in(original)?;
                        shown.push((path[0].clone(), copy.clone()));
                        copy
                    }
                };
                self.fill_stand_in(&copy, original, facts, (path, 1), called, shadows)?;
            } else if path.len() == 1
                && called
                && let Some(copy) = self.shadow_function(&head, shadows)?
            {
                shown.push((path[0].clone(), copy));
            }
        }
        Ok(shown)
    }

    /// An object with the attributes of a class that some code reads, as they will be.
    /// None: the class itself shows them.
    fn members_of(
        &self,
        class: &Bound<'py, PyType>,
        paths: &[&[String]],
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(made) = self.made_enum(class) {
            return Ok(Some(made));
        }
        let members = PyDict::new(self.py);
        let mut differs = false;
        for path in paths {
            let name = &path[0];
            if members.contains(name)? {
                continue;
            }
            let pending = self.pending_member(class, name)?;
            differs |= pending.is_some();
            let mut value = match pending {
                Some(value) => value,
                None => match class.getattr(name.as_str()) {
                    Ok(value) => value,
                    Err(_) => continue,
                },
            };
            if let Some(content) = self.transaction.pending_content(&value) {
                differs = true;
                value = content;
            }
            let inner: Vec<&[String]> = paths
                .iter()
                .filter(|other| other[0] == *name && other.len() > 1)
                .map(|other| &other[1..])
                .collect();
            if let Ok(nested) = value.cast::<PyType>()
                && path.len() > 1
                && !paths
                    .iter()
                    .any(|other| other.len() == 1 && other[0] == *name)
                && let Some(stand_in) = self.members_of(nested, &inner)?
            {
                differs = true;
                value = stand_in;
            }
            members.set_item(name, value)?;
        }
        if !differs {
            return Ok(None);
        }
        let kind = self.py.import("types")?.getattr("SimpleNamespace")?;
        kind.call((), Some(&members)).map(Some)
    }

    /// What this update gives a class, or the one of its bases that decides, under a name.
    pub(crate) fn pending_member(
        &self,
        class: &Bound<'py, PyType>,
        name: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        for base in class.mro().iter() {
            let Ok(base) = base.cast_into::<PyType>() else {
                continue;
            };
            let pending = PyDict::new(self.py);
            self.transaction.pending_members(&base, &pending)?;
            if let Some(value) = pending.get_item(name)? {
                return Ok(Some(value));
            }
            if crate::native::type_dict(&base).contains(name)? {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// A module object that shows what the module will hold.
    fn module_stand_in(&self, module: &Bound<'py, PyModule>) -> PyResult<Bound<'py, PyAny>> {
        let copy = self
            .py
            .get_type::<PyModule>()
            .call1((module.getattr("__name__")?,))?;
        let dict = copy.getattr("__dict__")?.cast_into::<PyDict>()?;
        let staged = self
            .world
            .by_dict(module.dict().as_any())
            .and_then(|index| self.staging.get(&index));
        match staged {
            Some(staging) => dict.update(staging.namespace.as_mapping())?,
            None => dict.update(module.dict().as_mapping())?,
        }
        Ok(copy)
    }

    fn fill_stand_in(
        &self,
        copy: &Bound<'py, PyAny>,
        original: &Bound<'py, PyModule>,
        facts: &Facts,
        (path, at): (&[String], usize),
        called: bool,
        shadows: &mut Shadows<'py>,
    ) -> PyResult<()> {
        let dict = copy.getattr("__dict__")?.cast_into::<PyDict>()?;
        let (name, last) = (&path[at], path.len() == at + 1);
        let Some(value) = dict.get_item(name)? else {
            return Ok(());
        };
        if let Ok(inner) = value.cast::<PyModule>() {
            if last {
                return Ok(());
            }
            let shown = original.dict().get_item(name)?;
            let (inner_copy, inner_original) = match shown {
                Some(shown) if !shown.is(inner) && shown.cast::<PyModule>().is_ok() => {
                    (value.clone(), shown.cast_into::<PyModule>()?)
                }
                _ => (self.module_stand_in(inner)?, inner.clone()),
            };
            dict.set_item(name, &inner_copy)?;
            let below = (path, at + 1);
            return self.fill_stand_in(&inner_copy, &inner_original, facts, below, called, shadows);
        }
        if let Ok(class) = value.cast::<PyType>()
            && !last
            && !called
            && let Some(paths) = paths_below(facts, &path[..=at])
            && let Some(shown) = self.members_of(class, &paths)?
        {
            dict.set_item(name, shown)?;
        } else if last
            && called
            && let Some(function) = self.shadow_function(&value, shadows)?
        {
            dict.set_item(name, function)?;
        }
        Ok(())
    }

    /// A copy of a project function with its new code and defaults, in a namespace
    /// where all that it calls is new as well. None: the function itself will do.
    fn shadow_function(
        &self,
        function: &Bound<'py, PyAny>,
        shadows: &mut Shadows<'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if function.cast::<PyFunction>().is_err() {
            return Ok(None);
        }
        if let Some(known) = shadows.functions.get(&(function.as_ptr() as usize)) {
            return Ok(Some(known.clone()));
        }
        let Some(module) = self.world.by_dict(&function.peek("__globals__")?) else {
            return Ok(None);
        };
        let Some((code, closure)) = self.code_to_show(function, shadows.new)? else {
            return Ok(None);
        };
        let globals = match shadows.globals.get(&module) {
            Some(globals) => globals.clone(),
            None => {
                let globals = match self.staging.get(&module) {
                    Some(staging) if shadows.new => staging.namespace.copy()?,
                    _ => self.live_dict(module).copy()?,
                };
                if module == shadows.module {
                    for (name, value) in &shadows.early {
                        globals.set_item(name, value)?;
                    }
                }
                shadows.globals.insert(module, globals.clone());
                globals
            }
        };
        let new = shadows.new;
        let setting = |name: &'static str| -> PyResult<Bound<'py, PyAny>> {
            match self
                .transaction
                .pending_attribute(function, name)
                .filter(|_| new)
            {
                Some(value) => Ok(value.unwrap_or_else(|| self.py.None().into_bound(self.py))),
                None => function.getattr(name),
            }
        };
        let copy = self.py.get_type::<PyFunction>().call1((
            &code,
            &globals,
            function.peek("__name__")?,
            setting("__defaults__")?,
            &closure,
        ))?;
        copy.setattr("__kwdefaults__", setting("__kwdefaults__")?)?;
        shadows
            .functions
            .insert(function.as_ptr() as usize, copy.clone());
        shadows.copies.push((copy.clone(), function.clone()));
        let name: String = function.peek("__name__")?.extract()?;
        if shadows.new
            && let Some(outline) = self.outline(module)
            && let Some(at) = outline.last_binder(&name)
        {
            let mut versions = Vec::new();
            crate::callee::functions_of(&outline.statements[at], &name, &mut versions);
            for version in versions {
                for (name, value) in self.shown_names(module, &version.facts, &globals, shadows)? {
                    globals.set_item(name, value)?;
                }
            }
        }
        // Also what only the code itself tells, of a closure or a wrapper.
        let mut names = FxHashSet::default();
        crate::callee::global_names(&code, &mut names)?;
        for name in names {
            if let Some(held) = globals.get_item(&name)?
                && !shadows.copies.iter().any(|(known, _)| known.is(&held))
                && self.needs_shadow(&held, shadows)
                && let Some(shadow) = self.shadow_function(&held, shadows)?
            {
                globals.set_item(name, shadow)?;
            }
        }
        self.with_shadowed_cells(&copy, function, shadows).map(Some)
    }

    /// The code and closure that a function will have. None: a copy cannot have them.
    fn code_to_show(
        &self,
        function: &Bound<'py, PyAny>,
        new: bool,
    ) -> PyResult<Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
        let (code, closure) = (function.peek("__code__")?, function.peek("__closure__")?);
        if !new {
            return Ok(Some((code, closure)));
        }
        if self.remade_closures.iter().any(|made| made.is(function))
            && let Some((code, closure)) = self.transaction.pending_code(function)
        {
            let none = self.py.None().into_bound(self.py);
            return Ok(Some((code, closure.map_or(none, Bound::into_any))));
        }
        match self.pairs.iter().find(|pair| pair.old.is(&code)) {
            Some(pair)
                if codes::free_variables(&pair.new)? != codes::free_variables(&pair.old)? =>
            {
                Ok(None)
            }
            Some(pair) => Ok(Some((pair.new.clone(), closure))),
            None => Ok(Some((code, closure))),
        }
    }

    /// The copy of a function, with copies in the cells that hold what has to be shown.
    fn with_shadowed_cells(
        &self,
        copy: &Bound<'py, PyAny>,
        function: &Bound<'py, PyAny>,
        shadows: &mut Shadows<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Ok(cells) = copy.getattr("__closure__")?.cast_into::<PyTuple>() else {
            return Ok(copy.clone());
        };
        let kind = self.py.import("types")?.getattr("CellType")?;
        let mut shown = Vec::new();
        let mut differs = false;
        for cell in cells.iter() {
            let shadow = match cell.getattr("cell_contents") {
                Ok(held) if self.needs_shadow(&held, shadows) => {
                    self.shadow_function(&held, shadows)?
                }
                _ => None,
            };
            differs |= shadow.is_some();
            shown.push(match shadow {
                Some(shadow) => kind.call1((shadow,))?,
                None => cell,
            });
        }
        if !differs {
            return Ok(copy.clone());
        }
        let whole = self.py.get_type::<PyFunction>().call1((
            copy.getattr("__code__")?,
            copy.getattr("__globals__")?,
            copy.getattr("__name__")?,
            copy.getattr("__defaults__")?,
            PyTuple::new(self.py, shown)?,
        ))?;
        whole.setattr("__kwdefaults__", copy.getattr("__kwdefaults__")?)?;
        shadows
            .functions
            .insert(function.as_ptr() as usize, whole.clone());
        shadows.copies.push((whole.clone(), function.clone()));
        Ok(whole)
    }
}

/// What some code reads of an object at a path; None if it reads the object itself too.
fn paths_below<'f>(facts: &'f Facts, prefix: &[String]) -> Option<Vec<&'f [String]>> {
    let at = prefix.len();
    let below = facts.reads.iter().filter(|path| path.starts_with(prefix));
    let paths: Vec<&[String]> = below.map(|path| &path[at..]).collect();
    paths.iter().all(|path| !path.is_empty()).then_some(paths)
}
