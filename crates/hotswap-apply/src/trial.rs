//! Running code of the program that may write to some objects and to what it makes, and
//! to nothing else.
//!
//! What a hook of a class does cannot be told from its source: it calls what it is given.
//! So it is watched while it runs. A trace function looks at the code of each Python
//! function before its first instruction, and stops at stores whose target is neither
//! allowed nor new; a profile function does the same for functions in C. What is new is
//! known to `tracemalloc`, which follows allocations from the beginning of the run on.
//! A run that is stopped has done nothing but what is allowed.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hotswap_cpython::attributes::Peek as _;
use hotswap_cpython::heap::reference_count;
use hotswap_plan::{is_pure_builtin, is_pure_library, is_pure_method, is_pure_method_name};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{
    PyCFunction, PyDict, PyFrame, PyFunction, PyList, PyModule, PyString, PyTuple, PyType,
};

use crate::codes;
use crate::guard::NotHarmless;
use crate::undisturbed::Undisturbed;
use crate::values;

mod held;
mod judged;
mod warned;

use judged::{Judgement, Operand, Path, Scope, Step, Unless};

/// So many containers of a kind CPython keeps for later use, at the most: what it takes
/// from there is not seen as new, so that store is emptied first.
const KEPT_FOR_LATER: usize = 100;

/// So often a run is tried. What another thread gives back meanwhile may be taken for later
/// use as well, and is then not seen as new.
const TRIES: u32 = 4;

/// So many instructions that store something are looked at, at the most: each takes some
/// microseconds.
const MOST_LOOKS: usize = 50_000;

/// So long a thread may work on a run: the program is slower meanwhile, as its allocations are
/// followed.
const LONGEST: Duration = Duration::from_secs(1);

/// So long a run may take in all, where its thread has to wait for a processor.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls something, with the objects given the only old ones that it may write to. An
/// error in words: why it came to nothing.
pub(crate) fn attempt<'py>(
    callable: &Bound<'py, PyAny>,
    arguments: &Bound<'py, PyTuple>,
    keywords: Option<&Bound<'py, PyDict>>,
    writable: &[Bound<'py, PyAny>],
) -> PyResult<Result<(), String>> {
    let run = || callable.call(arguments, keywords).map(|_| ());
    Ok(attempt_with(callable.py(), None, writable, run)?.map_err(|reason| reason.words))
}

/// The same for whatever runs code of the program. `scope` is the namespace in which that
/// code runs, and may bind names; functions may not assign them.
pub(crate) fn attempt_with<'py, R>(
    py: Python<'py>,
    scope: Option<&Bound<'py, PyDict>>,
    writable: &[Bound<'py, PyAny>],
    run: impl FnMut() -> PyResult<R>,
) -> PyResult<Result<R, Reason>> {
    attempt_making(py, &[], scope, writable, run)
}

/// The same where the code objects `makers` may make classes, too: it is known that making
/// these runs nothing that cannot be watched.
pub(crate) fn attempt_making<'py, R>(
    py: Python<'py>,
    makers: &[Bound<'py, PyAny>],
    scope: Option<&Bound<'py, PyDict>>,
    writable: &[Bound<'py, PyAny>],
    mut run: impl FnMut() -> PyResult<R>,
) -> PyResult<Result<R, Reason>> {
    let mut outcome = attempt_once(py, makers, scope, writable, &mut run)?;
    for again in 1..TRIES {
        match outcome {
            Err(Reason {
                may_be_new: true, ..
            }) => {
                // Memory that other threads let go of meanwhile looks like what was there before.
                // A long run takes more time than they are kept away at first, as any does on a busy machine.
                let _undisturbed = match crate::native::other_threads(py) {
                    true => Some(Undisturbed::begin_for(py, 2 << (2 * (again - 1)))?),
                    false => None,
                };
                outcome = attempt_once(py, makers, scope, writable, &mut run)?;
            }
            _ => break,
        }
    }
    Ok(outcome)
}

thread_local! {
    static KEEPS_LABELS: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, runs in this thread may not even say anew what something is called.
pub(crate) struct LabelsKept {
    before: bool,
}

impl LabelsKept {
    pub(crate) fn begin() -> LabelsKept {
        LabelsKept {
            before: KEEPS_LABELS.replace(true),
        }
    }
}

impl Drop for LabelsKept {
    fn drop(&mut self) {
        KEEPS_LABELS.set(self.before);
    }
}

/// Whether a trace function is set: a debugger's or that of coverage.
pub(crate) fn is_traced(py: Python<'_>) -> PyResult<bool> {
    let tracer = py.import("sys")?.call_method0("gettrace")?;
    Ok(!tracer.is_none())
}

/// Why a run was stopped.
pub(crate) struct Reason {
    pub words: String,
    /// Because an object is not known to be new.
    may_be_new: bool,
}

fn certain(words: String) -> Reason {
    Reason {
        words,
        may_be_new: false,
    }
}

fn attempt_once<'py, R>(
    py: Python<'py>,
    makers: &[Bound<'py, PyAny>],
    scope: Option<&Bound<'py, PyDict>>,
    writable: &[Bound<'py, PyAny>],
    run: &mut impl FnMut() -> PyResult<R>,
) -> PyResult<Result<R, Reason>> {
    let (sys, malloc) = (py.import("sys")?, py.import("tracemalloc")?);
    let is_free = sys.call_method0("gettrace")?.is_none()
        && sys.call_method0("getprofile")?.is_none()
        && !malloc.call_method0("is_tracing")?.is_truthy()?;
    if !is_free {
        return Ok(Err(certain(
            "a debugger or profiler is at work".to_string(),
        )));
    }
    let watch = Arc::new(Watch {
        makers: makers.iter().map(|each| each.clone().unbind()).collect(),
        scope: scope.map(|scope| scope.clone().into_any().unbind()),
        writable: writable.iter().map(|each| each.clone().unbind()).collect(),
        origin: malloc.getattr("get_object_traceback")?.unbind(),
        judged: Mutex::new(HashMap::new()),
        refused: Mutex::new(None),
        looks: AtomicUsize::new(0),
        began: (Instant::now(), seconds_worked(py)),
        took_names: AtomicBool::new(false),
    });
    let _held = held::hold(scope, writable)?;
    let holders = scope.and_then(|scope| reference_count(scope.as_any()));
    let gc = py.import("gc")?;
    let collects = gc.call_method0("isenabled")?.is_truthy()?;
    gc.call_method0("disable")?;
    if hides_instances(py) {
        // From here on the youngest objects are those that the run makes.
        gc.call_method1("collect", (0,))?;
    }
    let kept = PyList::empty(py);
    for _ in 0..KEPT_FOR_LATER {
        kept.append(PyDict::new(py))?;
        kept.append(PyList::empty(py))?;
    }
    malloc.call_method1("start", (1,))?;
    let result = watched(&watch, &sys, run);
    sys.call_method1("settrace", (py.None(),))?;
    sys.call_method1("setprofile", (py.None(),))?;
    malloc.call_method0("stop")?;
    if collects {
        gc.call_method0("enable")?;
    }
    let refused = watch
        .refused
        .lock()
        .ok()
        .and_then(|mut reason| reason.take());
    match (result, refused) {
        // Also where the program caught the exception.
        (_, Some(reason)) => Ok(Err(reason)),
        (Ok(_), None)
            if watch.took_names.load(Ordering::Relaxed)
                && scope.and_then(|scope| reference_count(scope.as_any())) > holders =>
        {
            Ok(Err(certain(
                "keeps hold of the names of its module".to_string(),
            )))
        }
        (Ok(done), None) => Ok(Ok(done)),
        (Err(error), None) if error.is_instance_of::<PyException>(py) => {
            Ok(Err(certain(format!("it raised {error}"))))
        }
        (Err(error), None) => Err(error),
    }
}

fn watched<R>(
    watch: &Arc<Watch>,
    sys: &Bound<'_, PyModule>,
    run: &mut impl FnMut() -> PyResult<R>,
) -> PyResult<R> {
    let py = sys.py();
    let local = {
        let watch = watch.clone();
        let look = move |arguments: &Bound<'_, PyTuple>,
                         _: Option<&Bound<'_, PyDict>>|
              -> PyResult<Option<Py<PyAny>>> {
            let event = arguments.get_item(1)?;
            if event.eq("opcode")? {
                watch.at_instruction(&arguments.get_item(0)?)?;
            }
            // It stays the trace function of the frame.
            Ok(None)
        };
        PyCFunction::new_closure(py, None, None, look)?.unbind()
    };
    let global = {
        let watch = watch.clone();
        let look = move |arguments: &Bound<'_, PyTuple>,
                         _: Option<&Bound<'_, PyDict>>|
              -> PyResult<Option<Py<PyAny>>> {
            let frame = arguments.get_item(0)?;
            if !watch.at_call(&frame)? {
                return Ok(None);
            }
            let local = local.clone_ref(frame.py());
            // In this order: CPython 3.13 begins to report instructions when both are set.
            frame.setattr("f_trace", &local)?;
            frame.setattr("f_trace_opcodes", true)?;
            frame.setattr("f_trace_lines", false)?;
            Ok(Some(local.into_any()))
        };
        PyCFunction::new_closure(py, None, None, look)?
    };
    let profile = {
        let watch = watch.clone();
        let look =
            move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| -> PyResult<()> {
                if arguments.get_item(1)?.eq("c_call")? {
                    watch.at_builtin(&arguments.get_item(0)?, &arguments.get_item(2)?)?;
                }
                Ok(())
            };
        PyCFunction::new_closure(py, None, None, look)?
    };
    // CPython 3.12 reports instructions only if some frame had asked for them before.
    let outer = sys.call_method0("_getframe")?;
    let asked = outer.getattr("f_trace_opcodes")?;
    outer.setattr("f_trace_opcodes", true)?;
    sys.call_method1("setprofile", (profile,))?;
    sys.call_method1("settrace", (global,))?;
    outer.setattr("f_trace_opcodes", asked)?;
    codes::note_execution();
    run()
}

/// How long this thread has had a processor. `None`: the platform does not say.
fn seconds_worked(py: Python<'_>) -> Option<f64> {
    let time = crate::native::import(py, "time").ok()?;
    time.call_method0("thread_time").ok()?.extract().ok()
}

/// A code object and what it may do.
type Judged = (Py<PyAny>, Arc<Judgement>);

struct Watch {
    /// The code objects that may make classes.
    makers: Vec<Py<PyAny>>,
    scope: Option<Py<PyAny>>,
    writable: Vec<Py<PyAny>>,
    /// `tracemalloc.get_object_traceback`
    origin: Py<PyAny>,
    /// By the address of the code object, which is kept alive.
    judged: Mutex<HashMap<usize, Judged>>,
    refused: Mutex<Option<Reason>>,
    /// Instructions looked at so far.
    looks: AtomicUsize,
    /// And how many seconds this thread had worked by then.
    began: (Instant, Option<f64>),
    /// `globals()` was called: what it gave stands in for the names of a module.
    took_names: AtomicBool,
}

impl Watch {
    /// Before a function begins or goes on. Whether its instructions must be looked at.
    fn at_call(&self, frame: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.in_time(frame.py())?;
        let judgement = self.judgement(frame)?;
        if judgement.binds_names {
            let names = frame.getattr("f_locals")?;
            let own = self.scope.as_ref().is_some_and(|scope| scope.is(&names));
            if !own && !self.may_write(&names)? {
                return self.refuse("assigns a global name", false).map(|()| false);
            }
        }
        let makes_classes = judgement.makes_classes && !self.is_maker(frame)?;
        let refused = match makes_classes {
            true => Some("makes a class"),
            false => judgement.refused.as_deref(),
        };
        if let Some(reason) = refused {
            let name = codes::name_of(&frame.getattr("f_code")?)?;
            return self
                .refuse(&format!("{name}() {reason}"), false)
                .map(|()| false);
        }
        Ok(!judgement.checks.is_empty())
    }

    fn is_maker(&self, frame: &Bound<'_, PyAny>) -> PyResult<bool> {
        let code = frame.getattr("f_code")?;
        Ok(self.makers.iter().any(|each| each.is(&code)))
    }

    fn judgement(&self, frame: &Bound<'_, PyAny>) -> PyResult<Arc<Judgement>> {
        let code = frame.getattr("f_code")?;
        let at = code.as_ptr() as usize;
        if let Ok(judged) = self.judged.lock()
            && let Some((_, judgement)) = judged.get(&at)
        {
            return Ok(judgement.clone());
        }
        let judgement = Arc::new(Judgement::of(&code, frame)?);
        if let Ok(mut judged) = self.judged.lock() {
            judged.insert(at, (code.unbind(), judgement.clone()));
        }
        Ok(judgement)
    }

    fn in_time(&self, py: Python<'_>) -> PyResult<()> {
        let (began, worked) = self.began;
        let passed = began.elapsed();
        if passed <= LONGEST {
            return Ok(());
        }
        let working = worked.zip(seconds_worked(py)).map(|(at, now)| now - at);
        if passed <= PATIENCE && working.is_some_and(|seconds| seconds <= LONGEST.as_secs_f64()) {
            return Ok(());
        }
        self.refuse("takes too long to be watched", false)
    }

    /// Before an instruction: may it store where it is going to?
    fn at_instruction(&self, frame: &Bound<'_, PyAny>) -> PyResult<()> {
        let at: u32 = frame.getattr("f_lasti")?.extract().unwrap_or(0);
        let judgement = self.judgement(frame)?;
        if self.looks.fetch_add(1, Ordering::Relaxed) >= MOST_LOOKS {
            return self.refuse("takes too long to be watched", false);
        }
        let Some(check) = judgement.checks.get(&at) else {
            return Ok(());
        };
        let target = follow(frame, &check.target)?;
        let allowed = match &target {
            None => false,
            Some(target) => {
                is_excepted(frame, target, &check.unless)?
                    || (!values::is_plain(target) && self.may_write(target)?)
            }
        };
        if allowed {
            return Ok(());
        }
        let name = codes::name_of(&frame.getattr("f_code")?)?;
        let does = match check.unless {
            Unless::KeepsDict => "takes hold of the __dict__ of",
            _ => "changes",
        };
        self.refuse(
            &format!("{name}() {does} {}", check.target.text()),
            target.is_some(),
        )
    }

    /// Before a function in C is called.
    fn at_builtin(&self, frame: &Bound<'_, PyAny>, function: &Bound<'_, PyAny>) -> PyResult<()> {
        self.in_time(frame.py())?;
        let name: String = function.peek("__name__")?.extract()?;
        let owner = function
            .peek("__self__")
            .ok()
            .filter(|owner| !owner.is_none());
        let allowed = match &owner {
            Some(class) if class.is_instance_of::<PyType>() => matches!(
                name.as_str(),
                "__new__"
                    | "__init_subclass__"
                    | "__subclasshook__"
                    | "__subclasses__"
                    | "fromkeys"
                    | "from_bytes"
                    | "maketrans"
                    | "mro"
            ),
            Some(object) if !object.is_instance_of::<PyModule>() => {
                let kind = object.get_type().name()?.to_string();
                is_pure_method(&kind, &name)
                    || (is_pure_method_name(&name) && !values::is_python_class(&object.get_type())?)
                    || reads_only(&kind, &name)
                    || (self.may_write(object)? && (is_container(object) || name == "cache_clear"))
            }
            _ => {
                let home: String = function.peek("__module__")?.extract().unwrap_or_default();
                match home.as_str() {
                    "builtins" if matches!(name.as_str(), "setattr" | "delattr") => {
                        // Its target is looked at where the name is read.
                        self.judgement(frame)?.sets_by_name
                    }
                    "builtins" if matches!(name.as_str(), "globals" | "locals") => {
                        self.may_take_names(frame, &name)?
                    }
                    "builtins" if name == "vars" => self.judgement(frame)?.reads_vars,
                    "builtins" if name == "__build_class__" => self.is_maker(frame)?,
                    "builtins" => {
                        // What `eval` and `exec` run is looked at as well.
                        is_pure_builtin(&name)
                            || matches!(
                                name.as_str(),
                                "callable" | "compile" | "dir" | "eval" | "exec" | "id" | "iter"
                            )
                    }
                    "_abc" => true,
                    "sys" => matches!(
                        name.as_str(),
                        "_getframe"
                            | "_getframemodulename"
                            | "getdefaultencoding"
                            | "getrecursionlimit"
                            | "getsizeof"
                            | "intern"
                    ),
                    "_thread" => name == "get_ident",
                    "_warnings" => name == "warn" && warned::is_ignored(frame)?,
                    "posix" | "nt" => matches!(name.as_str(), "fspath" | "getpid"),
                    _ => is_pure_library(&home, &name),
                }
            }
        };
        if allowed {
            return Ok(());
        }
        let home = match &owner {
            Some(owner) if !owner.is_instance_of::<PyModule>() => String::new(),
            _ => {
                let home: Option<String> = function.peek("__module__")?.extract()?;
                home.filter(|home| home != "builtins")
                    .map_or_else(String::new, |home| format!("{home}."))
            }
        };
        self.refuse(
            &format!("calls {home}{name}(), which is not known to be harmless"),
            owner.is_some_and(|owner| is_container(&owner)),
        )
    }

    /// Whether a call may have its names: local ones are a copy, and those of the namespace in
    /// which the code runs are counted afterwards.
    fn may_take_names(&self, frame: &Bound<'_, PyAny>, function: &str) -> PyResult<bool> {
        let names = frame.getattr("f_globals")?;
        if function == "locals" && !frame.getattr("f_locals")?.is(&names) {
            return Ok(true);
        }
        let own = self.scope.iter().chain(&self.writable);
        self.took_names.store(true, Ordering::Relaxed);
        Ok(own.into_iter().any(|each| each.is(&names)))
    }

    /// Whether an object is one of those that may be written to, or was made meanwhile.
    fn may_write(&self, object: &Bound<'_, PyAny>) -> PyResult<bool> {
        if self.writable.iter().any(|each| each.is(object)) {
            return Ok(true);
        }
        let py = object.py();
        if !self.origin.bind(py).call1((object,))?.is_none() {
            return Ok(true);
        }
        if !hides_instances(py) {
            return Ok(false);
        }
        let youngest = crate::native::import(py, "gc")?.call_method1("get_objects", (0,))?;
        let youngest = youngest.cast_into::<PyList>()?;
        Ok(youngest.iter().any(|each| each.is(object)))
    }

    fn refuse(&self, reason: &str, may_be_new: bool) -> PyResult<()> {
        if let Ok(mut refused) = self.refused.lock() {
            refused.get_or_insert_with(|| Reason {
                words: reason.to_string(),
                may_be_new,
            });
        }
        Err(NotHarmless::new_err(reason.to_string()))
    }
}

/// Whether a method of an object made in C does nothing but look.
fn reads_only(kind: &str, name: &str) -> bool {
    matches!(
        name,
        "__contains__"
            | "__getitem__"
            | "__dir__"
            | "isatty"
            | "fileno"
            | "readable"
            | "seekable"
            | "writable"
    ) || match kind {
        "ContextVar" => name == "get",
        "Match" => matches!(name, "end" | "expand" | "span" | "start"),
        "code" => matches!(name, "co_lines" | "co_positions" | "replace"),
        _ => false,
    }
}

/// Whether `tracemalloc` does not find instances of Python classes: on 3.11 it does not
/// count the two words before their header (`Modules/_tracemalloc.c`, mended in 3.12).
fn hides_instances(py: Python<'_>) -> bool {
    let version = py.version_info();
    (version.major, version.minor) == (3, 11)
}

/// Whether a method of this object can do nothing but change the object.
fn is_container(object: &Bound<'_, PyAny>) -> bool {
    let kind = object.get_type();
    let Ok(home) = kind
        .getattr("__module__")
        .and_then(|home| home.extract::<String>())
    else {
        return false;
    };
    values::is_container(object)
        || (matches!(home.as_str(), "collections" | "builtins")
            && kind.name().is_ok_and(|name| {
                [
                    "deque",
                    "OrderedDict",
                    "defaultdict",
                    "Counter",
                    "bytearray",
                ]
                .iter()
                .any(|known| name == *known)
            }))
}

/// The cell of a name of an outer function.
fn cell_of<'py>(frame: &Bound<'py, PyAny>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(function) = hotswap_cpython::moving::called(frame.cast::<PyFrame>()?) else {
        return Ok(None);
    };
    let names = function.peek("__code__")?.getattr("co_freevars")?;
    let names: Vec<String> = names.extract()?;
    let Some(at) = names.iter().position(|each| each == name) else {
        return Ok(None);
    };
    function.peek("__closure__")?.get_item(at).map(Some)
}

/// Whether an attribute only says what a function or class is called, and where it is to be
/// found: packages like to say that theirs come from the top.
fn is_label(target: &Bound<'_, PyAny>, name: &Bound<'_, PyAny>) -> bool {
    let labels = ["__module__", "__name__", "__qualname__", "__doc__"];
    (target.is_exact_instance_of::<PyFunction>() || target.is_instance_of::<PyType>())
        && name
            .extract::<&str>()
            .is_ok_and(|name| labels.contains(&name))
}

/// Whether storing to an object does no harm although it is none that may be written to.
fn is_excepted(
    frame: &Bound<'_, PyAny>,
    target: &Bound<'_, PyAny>,
    unless: &Unless,
) -> PyResult<bool> {
    Ok(match unless {
        Unless::Nothing => false,
        Unless::Plain => values::is_plain(target),
        Unless::KeepsDict => {
            target.is_instance_of::<PyType>() || target.is_instance_of::<PyModule>()
        }
        Unless::Holds(slot, value) => {
            if let Step::Attribute(name) = slot
                && !KEEPS_LABELS.get()
                && let Some(name) = evaluate(frame, name)?
                && is_label(target, &name)
            {
                return Ok(true);
            }
            let held = match (slot, target.cast::<PyType>()) {
                // What a class inherits is not its own.
                (Step::Attribute(name), Ok(class)) => match evaluate(frame, name)? {
                    Some(name) => crate::native::type_dict(class).get_item(name)?,
                    None => None,
                },
                _ => taken(frame, target, slot)?,
            };
            match (held, evaluate(frame, value)?) {
                (Some(held), Some(value)) => {
                    held.is(&value) || (values::is_plain(&held) && values::equal(&held, &value))
                }
                _ => false,
            }
        }
    })
}

/// The object that a path leads to, without running code. None: not known.
fn follow<'py>(frame: &Bound<'py, PyAny>, path: &Path) -> PyResult<Option<Bound<'py, PyAny>>> {
    let of = |scope: &str| -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(frame.getattr(scope)?.get_item(&path.name).ok())
    };
    let first = match path.scope {
        Scope::Local => of("f_locals")?,
        Scope::Global | Scope::Either => {
            let local = match path.scope {
                Scope::Either => of("f_locals")?,
                _ => None,
            };
            match local.or(of("f_globals")?) {
                Some(found) => Some(found),
                None => of("f_builtins")?,
            }
        }
        Scope::Namespace => {
            let namespace = frame.getattr("f_globals")?;
            // Unless it is another function by now.
            (!namespace.contains("globals")?).then_some(namespace)
        }
        Scope::Cell => cell_of(frame, &path.name)?,
    };
    let Some(mut object) = first else {
        return Ok(None);
    };
    for step in &path.steps {
        let Some(found) = taken(frame, &object, step)? else {
            return Ok(None);
        };
        object = found;
    }
    Ok(Some(object))
}

/// What one step leads to from an object.
fn taken<'py>(
    frame: &Bound<'py, PyAny>,
    object: &Bound<'py, PyAny>,
    step: &Step,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match step {
        Step::Attribute(name) => {
            let Some(Ok(name)) = evaluate(frame, name)?.map(Bound::cast_into::<PyString>) else {
                return Ok(None);
            };
            Ok(match object.cast::<PyType>() {
                Ok(class) => crate::reach::lookup(class, name.to_str()?)?,
                Err(_) if crate::native::runs_code(object, &name) => None,
                Err(_) => crate::native::own_attribute(object, &name)?,
            })
        }
        Step::Item(key) => {
            let is_builtin = object.is_exact_instance_of::<PyDict>()
                || object.is_exact_instance_of::<PyList>()
                || object.is_exact_instance_of::<PyTuple>();
            let key = evaluate(frame, key)?.filter(|key| is_builtin && values::is_plain(key));
            Ok(key.and_then(|key| object.get_item(key).ok()))
        }
    }
}

fn evaluate<'py>(
    frame: &Bound<'py, PyAny>,
    operand: &Operand,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = frame.py();
    Ok(match operand {
        Operand::Text(text) => Some(PyString::new(py, text).into_any()),
        Operand::Number(number) => Some(number.into_pyobject(py)?.into_any()),
        Operand::Path(path) => follow(frame, path)?,
    })
}
