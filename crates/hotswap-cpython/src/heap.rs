//! Every object that the collector knows, by file, code object or class.
//!
//! Functions, generators, classes and the instances of all classes made in
//! Python are always tracked, so one pass over the heap finds them wherever they
//! are held: in a deque, a C iterator, a closure, a frozen generation. Plain
//! values, tuples of nothing but plain values, code objects, and the instances
//! of some C types are not tracked and not found.

use std::ffi::{c_int, c_void};

use crate::once::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyFunction, PyString, PyType};
use pyo3::{Borrowed, ffi};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::code;
#[cfg(not(Py_3_12))]
use crate::commit::AtomicSection;
use crate::functions::code_of;
#[cfg(Py_3_12)]
use crate::linked;
use crate::names;
#[cfg(not(Py_3_14))]
use crate::rings::Anchors;
use crate::support::{Result, Unsupported, known_interpreter};

pub(crate) const CAPABILITY: &str = "heap scan";

/// Calls `visit` with every object the collector tracks, frozen ones included,
/// until it returns false.
///
/// `visit` must neither make nor free an object that the collector tracks, must
/// not run Python code and must not let other threads in (the first use of
/// PyO3's `intern!` or `PyOnceLock` does): the walk follows the lists that such
/// things change. It may take references, but not drop the last one.
pub fn for_each_object<'py>(
    py: Python<'py>,
    visit: &mut dyn FnMut(&Bound<'py, PyAny>) -> bool,
) -> Result<()> {
    check(py)?;
    visit_tracked(py, &mut |object| {
        // SAFETY: the collector tracks complete live objects only, and the
        // borrow ends with the call.
        let object = unsafe { Borrowed::from_ptr(py, object) };
        visit(&object)
    })
}

/// All live functions whose code was compiled from one of `filenames`.
pub fn functions_in_files<'py>(
    py: Python<'py>,
    filenames: &[Bound<'py, PyString>],
) -> Result<Vec<Bound<'py, PyFunction>>> {
    // Tested here, because a self-test makes objects and must not run in a walk.
    let layout = code::layout(py)?;
    // A file's code objects share one string, so nearly every question is
    // answered by its address.
    let mut known: FxHashMap<usize, bool> = FxHashMap::default();
    let mut found = Vec::new();
    for_each_function(py, &mut |function| {
        let filename = code::filename_of(&code_of(function), layout);
        let wanted = *known.entry(address(&filename)).or_insert_with(|| {
            let mut names = filenames.iter();
            names.any(|name| name.is(&filename) || same_text(name, &filename))
        });
        if wanted {
            found.push(function.clone());
        }
    })?;
    Ok(found)
}

/// All live functions that run one of `codes`.
pub fn functions_with_code<'py>(
    py: Python<'py>,
    codes: &[Bound<'py, PyCode>],
) -> Result<Vec<Bound<'py, PyFunction>>> {
    let wanted: FxHashSet<usize> = codes.iter().map(|code| address(code)).collect();
    let mut found = Vec::new();
    for_each_function(py, &mut |function| {
        if wanted.contains(&address(&code_of(function))) {
            found.push(function.clone());
        }
    })?;
    Ok(found)
}

/// All instances of `classes`, and of their subclasses if asked for.
pub fn instances_of<'py>(
    py: Python<'py>,
    classes: &[Bound<'py, PyType>],
    subclasses: bool,
) -> Result<Vec<Bound<'py, PyAny>>> {
    let mut wanted: FxHashMap<usize, bool> =
        classes.iter().map(|each| (address(each), true)).collect();
    let mut is_wanted = |object: &Bound<'py, PyAny>| {
        let kind = object.get_type_ptr();
        if !subclasses {
            return wanted.contains_key(&(kind as usize));
        }
        *wanted.entry(kind as usize).or_insert_with(|| {
            // SAFETY: both are live types, and the call only walks their bases.
            let inherits = |class: &Bound<'py, PyType>| unsafe {
                ffi::PyType_IsSubtype(kind, class.as_type_ptr()) != 0
            };
            classes.iter().any(inherits)
        })
    };
    let mut found = Vec::new();
    for_each_object(py, &mut |object| {
        if is_wanted(object) {
            found.push(object.clone());
        }
        true
    })?;
    Ok(found)
}

/// All generators, coroutines and async generators that run one of `codes` and
/// are not finished, each with the index of its code object.
pub fn generators_with_code<'py>(
    py: Python<'py>,
    codes: &[Bound<'py, PyCode>],
) -> Result<Vec<(Bound<'py, PyAny>, usize)>> {
    let wanted: FxHashMap<usize, usize> = index(codes);
    let mut candidates = Vec::new();
    for_each_object(py, &mut |object| {
        if GeneratorKind::of(object).is_some() {
            candidates.push(object.clone());
        }
        true
    })?;
    let mut found = Vec::new();
    for generator in candidates {
        let (code, frame) = match GeneratorKind::of(&generator) {
            Some(GeneratorKind::Generator) => (intern!(py, "gi_code"), intern!(py, "gi_frame")),
            Some(GeneratorKind::Coroutine) => (intern!(py, "cr_code"), intern!(py, "cr_frame")),
            Some(GeneratorKind::Async) => (intern!(py, "ag_code"), intern!(py, "ag_frame")),
            None => continue,
        };
        let code = generator.getattr(code)?;
        let Some(&position) = wanted.get(&address(&code)) else {
            continue;
        };
        if !generator.getattr(frame)?.is_none() {
            found.push((generator, position));
        }
    }
    Ok(found)
}

/// How many references to an object exist, the one at hand included.
///
/// None on a free-threaded build, where no single number says it. An immortal
/// object shows a number that no sum of holders reaches.
pub fn reference_count(object: &Bound<'_, PyAny>) -> Option<isize> {
    if cfg!(Py_GIL_DISABLED) {
        return None;
    }
    // SAFETY: reads the count of a live object; the lock is held.
    Some(unsafe { ffi::Py_REFCNT(object.as_ptr()) })
}

/// Every tracked object that holds one of `targets`, with the target's index.
///
/// A holder appears once per reference it owns. What is held by C code alone, or
/// by the locals of a running call, has no holder to show.
pub fn referrers<'py>(
    py: Python<'py>,
    targets: &[Bound<'py, PyAny>],
) -> Result<Vec<(Bound<'py, PyAny>, usize)>> {
    let found = scan_references(py, targets, &mut |_| ())?;
    let own = |(holder, target)| {
        // SAFETY: the scan saw this live object, and nothing ran since then.
        (unsafe { Bound::from_borrowed_ptr(py, holder) }, target)
    };
    Ok(found.into_iter().map(own).collect())
}

/// The same, also from dicts that the collector does not know: one that never held anything
/// but strings, numbers, code objects and their like is not on its list. Each of those is found
/// by what holds it.
///
/// # Errors
///
/// Where the heap cannot be searched.
pub fn referrers_in_all<'py>(
    py: Python<'py>,
    targets: &[Bound<'py, PyAny>],
) -> Result<Vec<(Bound<'py, PyAny>, usize)>> {
    let mut search = Deep {
        search: Search {
            targets: index(targets),
            holder: std::ptr::null_mut(),
            found: Vec::new(),
        },
        dicts: FxHashSet::default(),
    };
    for_each_object(py, &mut |object| {
        search.search.holder = object.as_ptr();
        traverse(object, note_deep, (&raw mut search).cast());
        true
    })?;
    let Deep { mut search, dicts } = search;
    for dict in dicts {
        // SAFETY: the scan saw this live object, and nothing ran since then.
        let dict = unsafe { Bound::from_borrowed_ptr(py, dict as *mut ffi::PyObject) };
        search.holder = dict.as_ptr();
        traverse(&dict, note_target, (&raw mut search).cast());
    }
    let own = |(holder, target)| {
        // SAFETY: the scan saw this live object, and nothing ran since then.
        (unsafe { Bound::from_borrowed_ptr(py, holder) }, target)
    };
    Ok(search.found.into_iter().map(own).collect())
}

struct Deep {
    search: Search,
    /// Those that the collector does not know.
    dicts: FxHashSet<usize>,
}

extern "C" fn note_deep(object: *mut ffi::PyObject, search: *mut c_void) -> c_int {
    // SAFETY: `referrers_in_all` passes its own `Deep`, which nothing else uses while the
    // holder is traversed.
    let deep = unsafe { &mut *search.cast::<Deep>() };
    if let Some(&target) = deep.search.targets.get(&(object as usize)) {
        deep.search.found.push((deep.search.holder, target));
    }
    // SAFETY: a traversal visits live objects only.
    let is_dict = unsafe { ffi::PyDict_CheckExact(object) } != 0;
    // SAFETY: every dict has the header that this reads.
    if is_dict && unsafe { ffi::PyObject_GC_IsTracked(object) } == 0 {
        deep.dicts.insert(object as usize);
    }
    0
}

/// The references to `targets` as pairs of holder and target index. `each` is
/// called with every holder looked at. The pointers are good until Python code
/// runs or an object is freed.
pub(crate) fn scan_references<'py>(
    py: Python<'py>,
    targets: &[Bound<'py, PyAny>],
    each: &mut dyn FnMut(&Bound<'py, PyAny>),
) -> Result<Vec<(*mut ffi::PyObject, usize)>> {
    let mut search = Search {
        targets: index(targets),
        holder: std::ptr::null_mut(),
        found: Vec::new(),
    };
    for_each_object(py, &mut |object| {
        each(object);
        search.holder = object.as_ptr();
        traverse(object, note_target, (&raw mut search).cast());
        true
    })?;
    Ok(search.found)
}

struct Search {
    targets: FxHashMap<usize, usize>,
    holder: *mut ffi::PyObject,
    found: Vec<(*mut ffi::PyObject, usize)>,
}

extern "C" fn note_target(object: *mut ffi::PyObject, search: *mut c_void) -> c_int {
    // SAFETY: `scan_references` passes its own `Search`, which nothing else
    // uses while the holder is traversed.
    let search = unsafe { &mut *search.cast::<Search>() };
    if let Some(&target) = search.targets.get(&(object as usize)) {
        search.found.push((search.holder, target));
    }
    0
}

/// Calls `visit` with every reference that `object` owns.
pub(crate) fn traverse(object: &Bound<'_, PyAny>, visit: ffi::visitproc, argument: *mut c_void) {
    let kind = object.get_type_ptr();
    // SAFETY: the type of a live object is alive.
    let Some(traverse) = (unsafe { (*kind).tp_traverse }) else {
        return;
    };
    // SAFETY: asks the type of a live object. Static types say no here, and
    // their traversal would refuse to work.
    if unsafe { ffi::PyObject_IS_GC(object.as_ptr()) } == 0 {
        return;
    }
    // SAFETY: the type's own traversal of a complete object, as the collector
    // itself may call it at any allocation.
    unsafe { traverse(object.as_ptr(), visit, argument) };
}

fn for_each_function<'py>(
    py: Python<'py>,
    visit: &mut dyn FnMut(&Bound<'py, PyFunction>),
) -> Result<()> {
    for_each_object(py, &mut |object| {
        if let Ok(function) = object.cast_exact::<PyFunction>() {
            visit(function);
        }
        true
    })
}

/// Whether this is a generator, a coroutine or an async generator.
pub(crate) fn is_generator(object: &Bound<'_, PyAny>) -> bool {
    GeneratorKind::of(object).is_some()
}

/// The frame of a generator or the like that is not finished.
pub(crate) fn suspended_frame<'py>(
    generator: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, pyo3::types::PyFrame>>> {
    let py = generator.py();
    let name = match GeneratorKind::of(generator) {
        Some(GeneratorKind::Generator) => names::generator_frame(py),
        Some(GeneratorKind::Coroutine) => names::coroutine_frame(py),
        Some(GeneratorKind::Async) => names::async_frame(py),
        None => return Ok(None),
    };
    Ok(generator.getattr(name)?.cast_into().ok())
}

enum GeneratorKind {
    Generator,
    Coroutine,
    Async,
}

impl GeneratorKind {
    fn of(object: &Bound<'_, PyAny>) -> Option<Self> {
        let kind = object.get_type_ptr();
        if kind == &raw mut ffi::PyGen_Type {
            Some(Self::Generator)
        } else if kind == &raw mut ffi::PyCoro_Type {
            Some(Self::Coroutine)
        } else if kind == &raw mut ffi::PyAsyncGen_Type {
            Some(Self::Async)
        } else {
            None
        }
    }
}

pub(crate) fn index<T>(objects: &[Bound<'_, T>]) -> FxHashMap<usize, usize> {
    let pairs = objects.iter().enumerate();
    pairs
        .map(|(index, object)| (address(object), index))
        .collect()
}

pub(crate) fn address<T>(object: &Bound<'_, T>) -> usize {
    object.as_ptr() as usize
}

/// Compares two strings without running the methods of a subclass.
fn same_text(left: &Bound<'_, PyString>, right: &Bound<'_, PyAny>) -> bool {
    // SAFETY: asks the type of a live object.
    if unsafe { ffi::PyUnicode_Check(right.as_ptr()) } == 0 {
        return false;
    }
    // SAFETY: two live strings; the call compares their text.
    let order = unsafe { ffi::PyUnicode_Compare(left.as_ptr(), right.as_ptr()) };
    if order == -1 {
        drop(PyErr::take(left.py()));
    }
    order == 0
}

/// Whether the heap can be walked here.
pub(crate) fn check(py: Python<'_>) -> std::result::Result<(), Unsupported> {
    known_interpreter(py).map_err(|reason| Unsupported {
        capability: CAPABILITY,
        reason,
    })
}

/// Whether the walk includes frozen objects.
pub(crate) fn check_frozen(py: Python<'_>) -> std::result::Result<(), Unsupported> {
    check(py)?;
    #[cfg(not(Py_3_14))]
    Anchors::find(py)?;
    Ok(())
}

/// From 3.14 on the public walk includes frozen objects.
#[cfg(Py_3_14)]
fn visit_tracked(_py: Python<'_>, visit: &mut dyn FnMut(*mut ffi::PyObject) -> bool) -> Result<()> {
    public_walk(visit);
    Ok(())
}

#[cfg(all(Py_3_12, not(Py_3_14)))]
fn visit_tracked(py: Python<'_>, visit: &mut dyn FnMut(*mut ffi::PyObject) -> bool) -> Result<()> {
    let frozen = Anchors::find(py).ok();
    if public_walk(visit)
        && let Some(anchors) = frozen
    {
        anchors.visit_frozen(visit);
    }
    Ok(())
}

#[cfg(not(Py_3_12))]
fn visit_tracked(py: Python<'_>, visit: &mut dyn FnMut(*mut ffi::PyObject) -> bool) -> Result<()> {
    if let Ok(anchors) = Anchors::find(py) {
        // A collection would move objects from ring to ring under the walk.
        let _section = AtomicSection::enter(py)?;
        anchors.visit_all(visit);
        return Ok(());
    }
    let objects = py
        .import(intern!(py, "gc"))?
        .call_method0(intern!(py, "get_objects"))?;
    for object in objects.try_iter()? {
        if !visit(object?.as_ptr()) {
            break;
        }
    }
    Ok(())
}

/// Walks with `PyUnstable_GC_VisitObjects`; false when `visit` asked to stop.
#[cfg(Py_3_12)]
fn public_walk(mut visit: &mut dyn FnMut(*mut ffi::PyObject) -> bool) -> bool {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    struct Walk<'a, 'b> {
        visit: &'a mut &'b mut dyn FnMut(*mut ffi::PyObject) -> bool,
        stopped: bool,
        panic: Option<Box<dyn std::any::Any + Send>>,
    }

    extern "C" fn step(object: *mut ffi::PyObject, walk: *mut c_void) -> c_int {
        // SAFETY: the `Walk` below, which nothing else uses during the call.
        let walk = unsafe { &mut *walk.cast::<Walk<'_, '_>>() };
        match catch_unwind(AssertUnwindSafe(|| (walk.visit)(object))) {
            Ok(go_on) => walk.stopped = !go_on,
            Err(panic) => {
                walk.stopped = true;
                walk.panic = Some(panic);
            }
        }
        c_int::from(!walk.stopped)
    }

    let mut walk = Walk {
        visit: &mut visit,
        stopped: false,
        panic: None,
    };
    // SAFETY: this thread is attached, and the argument outlives the call.
    unsafe { linked::PyUnstable_GC_VisitObjects(step, (&raw mut walk).cast()) };
    if let Some(panic) = walk.panic {
        resume_unwind(panic);
    }
    !walk.stopped
}
