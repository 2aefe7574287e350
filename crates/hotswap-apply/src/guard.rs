//! Deriving values through functions that are harmless on most of their ways: what may
//! not be harmless is watched, and a run that comes to it ends before anything happened.
//!
//! A rare branch that logs, warns or asks a subprocess makes a function impure, although
//! no run has ever gone there. Its other statements are known to be harmless, so it is
//! enough that an exception is raised where one of the doubtful lines begins. That is
//! what a trace function does (`sys.settrace`; a debugger's is never replaced).

use std::sync::Arc;

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{BodyStep, Call, Facts, Outline, Span, Statement};
use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyFunction, PyModule, PyTuple, PyType};
use rustc_hash::FxHashSet;

use crate::codes;
use crate::recipe::Making;
use crate::stage::Stage;
use crate::values;

pyo3::create_exception!(
    hotswap,
    NotHarmless,
    PyBaseException,
    "A statement that may have effects was about to run while a value was derived."
);

/// How the reason begins where a run was stopped at a place in doubt.
const CAME_TO: &str = "it came to";

/// Beyond this depth calls are not followed.
const DEPTH: usize = 20;

/// What must not be reached.
#[derive(Clone, Debug)]
pub(crate) struct Doubt {
    file: String,
    place: Place,
    reason: String,
    origin: Origin,
}

/// The version of a function that a doubt is about.
#[derive(Clone, Copy, Debug)]
struct Origin {
    /// The address of the code that the function has now.
    code: usize,
    /// Whether that is the code of this version.
    live: bool,
    /// Whether the version goes with the commit.
    old: bool,
}

/// One of the texts that the code of a module may be from.
struct Version {
    text: Arc<str>,
    outline: Arc<Outline>,
    live: bool,
    old: bool,
}

impl Version {
    fn origin(&self, code: &Bound<'_, PyAny>) -> Origin {
        Origin {
            code: code.as_ptr() as usize,
            live: self.live,
            old: self.old,
        }
    }
}

#[derive(Clone, Debug)]
enum Place {
    /// A line from the first to the last of these.
    Lines(u32, u32),
    /// The beginning of any function of this name.
    Call(String),
    /// A statement of the module from the first to the last of these lines.
    Statement(u32, u32),
}

impl<'py> Stage<'_, 'py> {
    /// Why running this may not be harmless, as [`Stage::impurity`] says it, except for
    /// what [`Self::execute_guarded`] keeps from running.
    pub(crate) fn impurity_guarded(&self, module: usize, facts: &Facts) -> Option<String> {
        let reason = self.impurity(module, facts)?;
        let is_traced = crate::trial::is_traced(self.py).unwrap_or(true);
        let mut doubts = Doubts::default();
        if is_traced || self.doubts_of(module, facts, 0, &mut doubts).is_some() {
            return Some(reason);
        }
        self.doubts.borrow_mut().append(&mut doubts.found);
        None
    }

    /// The same for a statement: where what it calls is not known, all that it does is
    /// watched. An own effect of it stays a reason.
    pub(crate) fn impurity_on_trial(
        &self,
        module: usize,
        facts: &Facts,
        (text, span): (&str, Span),
    ) -> Option<String> {
        let reason = self.impurity_guarded(module, facts)?;
        let own = Facts {
            calls: Vec::new(),
            ..facts.clone()
        };
        let is_traced = crate::trial::is_traced(self.py).unwrap_or(true);
        if is_traced || self.impurity(module, &own).is_some() {
            return Some(reason);
        }
        let line = |at: u32| {
            let before = text.get(..at as usize).unwrap_or_default();
            u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX)
        };
        self.doubts.borrow_mut().push(Doubt {
            file: self.code_file(module).to_string(),
            place: Place::Statement(line(span.start), line(span.end)),
            reason,
            origin: Origin {
                code: 0,
                live: false,
                old: false,
            },
        });
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
        let mut calls = facts.calls.iter();
        calls.find_map(|call| self.doubt_of_call(module, call, depth, doubts))
    }

    /// The same for one call.
    fn doubt_of_call(
        &self,
        module: usize,
        call: &Call,
        depth: usize,
        doubts: &mut Doubts,
    ) -> Option<String> {
        let alone = Facts {
            calls: vec![call.clone()],
            ..Facts::default()
        };
        let reason = self.impurity_at(module, &alone, depth)?;
        let Call::Path(path) = call else {
            return Some(reason);
        };
        let watched =
            self.object_below(module, path)
                .and_then(|object| match object.cast::<PyType>() {
                    Ok(class) => self.watch_making(module, path, class, depth + 1, doubts),
                    Err(_) => self.watch_function(&object, depth + 1, doubts),
                });
        watched.is_none().then_some(reason)
    }

    /// Notes the doubtful lines of a function. None: it cannot be watched.
    fn watch_function(
        &self,
        function: &Bound<'py, PyAny>,
        depth: usize,
        doubts: &mut Doubts,
    ) -> Option<()> {
        if !function.is_exact_instance_of::<PyFunction>() {
            return None;
        }
        if doubts.is_known(function, depth)? {
            return Some(());
        }
        let source = self.world.by_dict(&function.peek("__globals__").ok()?)?;
        let code = function.peek("__code__").ok()?;
        let name = codes::name_of(&code).ok()?;
        let qualname: String = function.peek("__qualname__").ok()?.extract().ok()?;
        if name != qualname {
            return None;
        }
        let file: String = code.getattr("co_filename").ok()?.extract().ok()?;
        let mut steps = Vec::new();
        for version in self.versions(source)? {
            let outline = &version.outline;
            let definition = outline.statements[outline.last_binder(&name)?].function()?;
            if !definition.decorators.is_empty() {
                return None;
            }
            let body = hotswap_plan::body_steps(&version.text, definition.def_start)?;
            let origin = version.origin(&code);
            steps.extend(body.into_iter().map(|step| (step, origin)));
        }
        doubts.watched.push(function.as_ptr() as usize);
        for (step, origin) in steps {
            let facts = step.facts.clone();
            self.watch_step(source, (&file, origin), &step, Some(facts), depth, doubts);
        }
        Some(())
    }

    /// The same for what runs when a class is called.
    fn watch_making(
        &self,
        module: usize,
        path: &[String],
        class: &Bound<'py, PyType>,
        depth: usize,
        doubts: &mut Doubts,
    ) -> Option<()> {
        if doubts.is_known(class.as_any(), depth)? {
            return Some(());
        }
        let (home, init) = match self.making(module, path, class).ok()? {
            Making::Init(home, init) => (home, init),
            Making::Harmless => return Some(()),
            Making::Above => return self.watch_above(class, depth, doubts),
            Making::Unknown => return None,
        };
        let (_, name) = self.definition_of(module, path)?;
        let mut steps = Vec::new();
        let mut goes_above = false;
        let made = crate::native::type_dict(class)
            .get_item(&init.name)
            .ok()??;
        let code = made.peek("__code__").ok()?;
        for version in self.versions(home)? {
            let origin = version.origin(&code);
            let (text, outline) = (&version.text, &version.outline);
            let definition = outline.statements[outline.last_binder(&name)?].class()?;
            let mut methods = definition.body.iter().rev().filter_map(Statement::function);
            let version = methods.find(|method| method.name == init.name)?;
            if !version.decorators.is_empty() {
                return None;
            }
            for step in hotswap_plan::body_steps(text, version.def_start)? {
                let mut facts = self.facts_of_init(home, version, &step.facts, depth);
                if let Some(facts) = &mut facts {
                    goes_above |= crate::recipe::take_init_above(facts);
                }
                steps.push((step, origin, facts));
            }
        }
        doubts.watched.push(class.as_ptr() as usize);
        if goes_above {
            self.watch_above(class, depth, doubts)?;
        }
        for (step, origin, facts) in steps {
            let file = self.code_file(home);
            self.watch_step(home, (file, origin), &step, facts, depth, doubts);
        }
        Some(())
    }

    /// The same for what `__init__` of the class above does.
    fn watch_above(
        &self,
        class: &Bound<'py, PyType>,
        depth: usize,
        doubts: &mut Doubts,
    ) -> Option<()> {
        if self.makes_above_only(class, depth).ok()? {
            return Some(());
        }
        let (home, name, base) = self.only_base(class).ok()??;
        self.watch_making(home, &[name], &base, depth + 1, doubts)
    }

    /// Until the commit code may run as it was or as it will be.
    fn versions(&self, module: usize) -> Option<Vec<Version>> {
        let edited = self.edits.get(&module).filter(|_| !self.committed);
        let mut versions = vec![Version {
            text: self.text(module),
            outline: self.outline(module)?,
            live: edited.is_none(),
            old: false,
        }];
        versions.extend(edited.map(|edited| Version {
            text: edited.old_text.clone(),
            outline: edited.old_outline.clone(),
            live: true,
            old: true,
        }));
        Some(versions)
    }

    /// Notes the lines of one statement that are in doubt, given what of it may count. None:
    /// it writes to its arguments.
    fn watch_step(
        &self,
        module: usize,
        (file, origin): (&str, Origin),
        step: &BodyStep,
        facts: Option<Facts>,
        depth: usize,
        doubts: &mut Doubts,
    ) {
        let doubt = |first: u32, last: u32, reason: String| Doubt {
            file: file.to_string(),
            place: Place::Lines(first, last),
            reason,
            origin,
        };
        let whole = |reason| doubt(step.first_line, step.last_line, reason);
        let Some(facts) = facts else {
            doubts
                .found
                .push(whole("writes to its arguments".to_string()));
            return;
        };
        let own = Facts {
            calls: Vec::new(),
            ..facts.clone()
        };
        if let Some(reason) = self.impurity_at(module, &own, depth) {
            doubts.found.push(whole(reason));
            return;
        }
        for call in &facts.calls {
            let Some(reason) = self.doubt_of_call(module, call, depth, doubts) else {
                continue;
            };
            if let Some((file, name)) = self.entry_of(module, call) {
                doubts.found.push(Doubt {
                    file,
                    place: Place::Call(name),
                    reason: "is not known to be harmless".to_string(),
                    origin,
                });
                continue;
            }
            let mut places = step
                .calls
                .iter()
                .filter(|place| place.2 == *call)
                .peekable();
            if places.peek().is_none() {
                doubts.found.push(whole(reason.clone()));
            }
            let places = places.map(|(first, last, _)| doubt(*first, *last, reason.clone()));
            doubts.found.extend(places);
        }
    }

    /// The file and the name of the function that a call runs, if that is all it does: also
    /// below a `classmethod` or an `lru_cache`.
    fn entry_of(&self, module: usize, call: &Call) -> Option<(String, String)> {
        let Call::Path(path) = call else {
            return None;
        };
        let (last, owner) = path.split_last()?;
        let mut object = match owner {
            [] => self.object_below(module, path)?,
            _ => {
                let owner = self.object_below(module, owner)?;
                match owner.cast::<PyType>() {
                    // A metaclass may have its own idea of attributes.
                    Ok(class) if class.get_type().is(self.py.get_type::<PyType>()) => {
                        crate::reach::lookup(class, last).ok()??
                    }
                    _ => self.object_below(module, path)?,
                }
            }
        };
        for _ in 0..3 {
            let inner = match object.get_type().name().ok()?.to_str().ok()? {
                "classmethod" | "staticmethod" => "__func__",
                "_lru_cache_wrapper" => "__wrapped__",
                _ => break,
            };
            object = object.getattr(inner).ok()?;
        }
        if !object.is_exact_instance_of::<PyFunction>() {
            return None;
        }
        let code = object.peek("__code__").ok()?;
        let file = code.getattr("co_filename").ok()?.extract().ok()?;
        Some((file, codes::name_of(&code).ok()?))
    }

    /// The object that a path of names leads to, through modules.
    fn object_below(&self, module: usize, path: &[String]) -> Option<Bound<'py, PyAny>> {
        let mut object = self.live_dict(module).get_item(&path[0]).ok()??;
        for name in &path[1..] {
            object = object
                .cast::<PyModule>()
                .ok()?
                .dict()
                .get_item(name)
                .ok()??;
        }
        Some(object)
    }

    /// Runs code that was found to be harmless. An error of type [`NotHarmless`]: it came to
    /// something that is not, and nothing but harmless things were done before.
    pub(crate) fn execute_guarded(
        &self,
        code: &Bound<'py, PyAny>,
        globals: &Bound<'py, PyDict>,
    ) -> PyResult<()> {
        self.guarded(globals, &[], || codes::execute(code, globals, None))
    }

    /// The same for whatever runs code in a namespace. Where it comes to a place in doubt it
    /// runs once more, and each of its instructions is looked at; it may write to what was
    /// made for it alone.
    pub(crate) fn guarded<R>(
        &self,
        globals: &Bound<'py, PyDict>,
        own_values: &[Bound<'py, PyAny>],
        mut run: impl FnMut() -> PyResult<R>,
    ) -> PyResult<R> {
        let py = self.py;
        match self.past_doubts(&mut run) {
            Err(error) if error.is_instance_of::<NotHarmless>(py) => {
                let mut writable = self.new_objects()?;
                writable.extend(own_values.iter().cloned());
                writable.extend(globals.get_item("__annotations__")?);
                match crate::trial::attempt_with(py, Some(globals), &writable, run)? {
                    Ok(done) => {
                        self.came_to.take();
                        Ok(done)
                    }
                    Err(reason) => {
                        // Of two places where it was stopped the one in its own source says more.
                        let first = error.value(py).to_string();
                        let came_to = match first.starts_with(CAME_TO) {
                            true => first,
                            false => reason.words,
                        };
                        *self.came_to.borrow_mut() = Some(came_to.clone());
                        Err(NotHarmless::new_err(came_to))
                    }
                }
            }
            ran => ran,
        }
    }

    /// Runs something in a namespace with each of its instructions looked at. An error in
    /// words: what was not harmless, before it happened.
    pub(crate) fn on_trial<R>(
        &self,
        globals: &Bound<'py, PyDict>,
        own_values: &[Bound<'py, PyAny>],
        run: impl FnMut() -> PyResult<R>,
    ) -> PyResult<Result<R, String>> {
        let mut writable = self.new_objects()?;
        writable.extend(own_values.iter().cloned());
        let ran = crate::trial::attempt_with(self.py, Some(globals), &writable, run)?;
        Ok(ran.map_err(|reason| reason.words))
    }

    /// Functions, classes and instances that names of edited modules have only in this update.
    fn new_objects(&self) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut found: Vec<Bound<'py, PyAny>> = Vec::new();
        for (module, staging) in &self.staging {
            let live = self.live_dict(*module);
            for (name, value) in staging.namespace.iter() {
                let known = live.get_item(&name)?.is_some_and(|known| known.is(&value));
                if known || !values::has_identity(&value) || self.is_defined_live(&value)? {
                    continue;
                }
                found.push(value);
            }
        }
        Ok(found)
    }

    /// Whether a function or class is what its own module holds under its name, or is of a
    /// module that is none of the watched ones.
    fn is_defined_live(&self, value: &Bound<'py, PyAny>) -> PyResult<bool> {
        let home = value.peek("__module__").ok();
        let home = home.and_then(|home| home.extract::<String>().ok());
        let Some(home) = home.and_then(|home| self.world.by_name(&home)) else {
            return Ok(true);
        };
        let Some(qualname) = value.peek("__qualname__").ok() else {
            return Ok(true);
        };
        let qualname: String = qualname.extract().unwrap_or_default();
        let first = qualname.split('.').next().unwrap_or_default();
        let held = self.live_dict(home).get_item(first)?;
        // What is not at the top of its module is not told from what has been there.
        Ok(first != qualname || held.is_some_and(|held| held.is(value)))
    }

    /// Runs something up to the first of the places in doubt.
    fn past_doubts<R>(&self, run: &mut impl FnMut() -> PyResult<R>) -> PyResult<R> {
        let mut doubts = self.doubts.borrow().clone();
        doubts.retain(|doubt| !(self.committed && doubt.origin.old));
        if doubts.is_empty() {
            return run();
        }
        let live = doubts.iter().filter(|doubt| doubt.origin.live);
        let live: FxHashSet<usize> = live.map(|doubt| doubt.origin.code).collect();
        let py = self.py;
        let doubts = Arc::new(doubts);
        let entries = doubts.clone();
        let watch = move |arguments: &Bound<'_, PyTuple>,
                          _: Option<&Bound<'_, PyDict>>|
              -> PyResult<Option<Py<PyAny>>> {
            let frame = arguments.get_item(0)?;
            let line: u32 = frame.getattr("f_lineno")?.extract().unwrap_or(0);
            let code = frame.getattr("f_code")?;
            let is_module = codes::name_of(&code)? == "<module>";
            let code = code.as_ptr() as usize;
            let is_known = live.contains(&code);
            let is_near = |doubt: &Doubt| match doubt.place {
                Place::Lines(first, last) => {
                    (first..=last).contains(&line)
                        && (!is_known || doubt.origin.live && doubt.origin.code == code)
                }
                Place::Statement(first, last) => is_module && (first..=last).contains(&line),
                Place::Call(_) => false,
            };
            refuse(&frame, &doubts, is_near, |doubt| match doubt.place {
                Place::Statement(..) => doubt.reason.clone(),
                _ => format!(
                    "{CAME_TO} line {line} of {}, which {}",
                    doubt.file, doubt.reason
                ),
            })?;
            // It stays the trace function of the frame.
            Ok(None)
        };
        let local = PyCFunction::new_closure(py, None, None, watch)?.unbind();
        let global = move |arguments: &Bound<'_, PyTuple>,
                           _: Option<&Bound<'_, PyDict>>|
              -> PyResult<Py<PyAny>> {
            let frame = arguments.get_item(0)?;
            let name = codes::name_of(&frame.getattr("f_code")?)?;
            let is_entry =
                |doubt: &Doubt| matches!(&doubt.place, Place::Call(other) if *other == name);
            refuse(&frame, &entries, is_entry, |doubt| {
                format!(
                    "{CAME_TO} {name}() of {}, which {}",
                    doubt.file, doubt.reason
                )
            })?;
            Ok(local.clone_ref(arguments.py()).into_any())
        };
        let global = PyCFunction::new_closure(py, None, None, global)?;
        let sys = py.import("sys")?;
        sys.call_method1("settrace", (global,))?;
        let ran = run();
        sys.call_method1("settrace", (py.None(),))?;
        if let Err(error) = &ran
            && error.is_instance_of::<NotHarmless>(py)
        {
            *self.came_to.borrow_mut() = Some(error.value(py).to_string());
        }
        ran
    }
}

/// An error, if one of the doubts that are near is about the code of this frame.
fn refuse(
    frame: &Bound<'_, PyAny>,
    doubts: &[Doubt],
    is_near: impl Fn(&Doubt) -> bool,
    reason: impl Fn(&Doubt) -> String,
) -> PyResult<()> {
    for doubt in doubts.iter().filter(|doubt| is_near(doubt)) {
        let file: String = frame.getattr("f_code")?.getattr("co_filename")?.extract()?;
        if file == doubt.file {
            return Err(NotHarmless::new_err(reason(doubt)));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Doubts {
    found: Vec<Doubt>,
    /// Functions and classes whose lines were gone through, or are being.
    watched: Vec<usize>,
}

impl Doubts {
    /// Whether a function or class was looked at already. None: calls are too deep here.
    fn is_known(&self, object: &Bound<'_, PyAny>, depth: usize) -> Option<bool> {
        if self.watched.contains(&(object.as_ptr() as usize)) {
            return Some(true);
        }
        (depth <= DEPTH).then_some(false)
    }
}
