//! Where inside a holder a reference is, and how it is written.

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrame, PyFrozenSet, PyFunction, PyList, PyString, PyTuple, PyType};
use rustc_hash::FxHashMap;

use super::cache;
use super::kind::{Kinds, name_of};
use crate::functions;
use crate::heap::address;
use crate::layout::{BODY, WORD, read_word, size_of_body, swap_pointer};
use crate::names;
use crate::support::Result;
use crate::tuple::set_tuple_item;
use crate::types::{set_bases, set_instance_class, set_type_attribute, type_dict};

/// One reference inside its holder.
#[derive(Debug)]
pub(super) enum Place {
    ListItem(usize),
    TupleItem(usize),
    /// The value of a dict under this key.
    Value(Py<PyAny>),
    DequeItem(usize),
    Cell,
    /// A field or slot, by its offset.
    Word(usize),
    /// An attribute of a class.
    Attribute(Py<PyString>),
    /// An entry of a class's `__bases__`.
    Base(usize),
    /// The class of an instance.
    Class,
}

impl Place {
    /// How many references to an object this holds.
    pub(super) fn holds(&self, object: &Bound<'_, PyAny>) -> usize {
        match self {
            Self::Value(key) => usize::from(key.is(object)),
            Self::Attribute(name) => usize::from(name.is(object)),
            _ => 0,
        }
    }

    /// Writes `to` where `from` is. False where something else is by now.
    pub(super) fn write<'py>(
        &self,
        holder: &Bound<'py, PyAny>,
        from: &Bound<'py, PyAny>,
        to: &Bound<'py, PyAny>,
    ) -> Result<bool> {
        let py = holder.py();
        match self {
            Self::ListItem(index) => {
                let list = holder.cast::<PyList>().map_err(PyErr::from)?;
                let there = list.get_item(*index).is_ok_and(|item| item.is(from));
                if there {
                    list.set_item(*index, to)?;
                }
                Ok(there)
            }
            Self::TupleItem(index) => {
                let tuple = holder.cast::<PyTuple>().map_err(PyErr::from)?;
                let there = tuple.get_item(*index).is_ok_and(|item| item.is(from));
                if there {
                    set_tuple_item(tuple, *index, to)?;
                }
                Ok(there)
            }
            Self::Value(key) => {
                let dict = holder.cast::<PyDict>().map_err(PyErr::from)?;
                let there = dict.get_item(key)?.is_some_and(|value| value.is(from));
                if there {
                    dict.set_item(key, to)?;
                }
                Ok(there)
            }
            Self::DequeItem(index) => {
                let deque = builtin_type(holder, "collections.deque")?;
                let item = deque.call_method1(names::get_item(py), (holder, index));
                let there = item.is_ok_and(|item| item.is(from));
                if there {
                    deque.call_method1(names::set_item(py), (holder, index, to))?;
                }
                Ok(there)
            }
            Self::Cell => write_cell(holder, from, to),
            Self::Word(offset) => Ok(write_word(holder, *offset, from, to)),
            Self::Attribute(name) => {
                let class = holder.cast::<PyType>().map_err(PyErr::from)?;
                let value = type_dict(class).get_item(name)?;
                let there = value.is_some_and(|value| value.is(from));
                if there {
                    set_type_attribute(class, name.bind(py), Some(to))?;
                }
                Ok(there)
            }
            Self::Base(index) => {
                let class = holder.cast::<PyType>().map_err(PyErr::from)?;
                let mut bases: Vec<Bound<'py, PyAny>> = class.bases().iter().collect();
                match bases.get_mut(*index) {
                    Some(base) if base.is(from) => *base = to.clone(),
                    _ => return Ok(false),
                }
                set_bases(class, &PyTuple::new(py, bases)?)?;
                Ok(true)
            }
            Self::Class => {
                let there = holder.get_type_ptr() as usize == address(from);
                if there {
                    let class = to.cast::<PyType>().map_err(PyErr::from)?;
                    set_instance_class(holder, class).map_err(|_| {
                        let names = (path_of(from), path_of(to));
                        PyTypeError::new_err(format!(
                            "an instance of {} cannot become one of {}, which CPython lays out \
                             otherwise",
                            names.0, names.1
                        ))
                    })?;
                }
                Ok(there)
            }
        }
    }

    /// Whether the hash of the holder may follow from this reference.
    pub(super) fn may_change_a_hash(&self) -> bool {
        matches!(self, Self::TupleItem(_) | Self::Word(_))
    }
}

/// The module and the name of a class, for people. Runs no code of its metaclass.
fn path_of(class: &Bound<'_, PyAny>) -> String {
    let Ok(class) = class.cast::<PyType>() else {
        return type_name(class);
    };
    let name = class.name().map(|name| name.to_string());
    let home = type_dict(class).get_item("__module__").ok().flatten();
    let home = home.and_then(|home| home.extract::<String>().ok());
    match (home, name) {
        (Some(home), Ok(name)) => format!("{home}.{name}"),
        (None, Ok(name)) => name,
        (_, Err(_)) => type_name(class),
    }
}

fn write_cell(
    cell: &Bound<'_, PyAny>,
    from: &Bound<'_, PyAny>,
    to: &Bound<'_, PyAny>,
) -> Result<bool> {
    if !value_of_cell(cell).is_some_and(|value| value.is(from)) {
        return Ok(false);
    }
    // SAFETY: a live cell and a live value, of which the call takes a reference.
    match unsafe { ffi::PyCell_Set(cell.as_ptr(), to.as_ptr()) } {
        0 => Ok(true),
        _ => Err(PyErr::fetch(cell.py()).into()),
    }
}

/// What is in `object` if that is a cell that is not empty.
fn value_of_cell<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    // SAFETY: reads the type of a live object.
    if unsafe { ffi::PyCell_Check(object.as_ptr()) } == 0 {
        return None;
    }
    // SAFETY: a live cell; the call gives a new reference or null.
    let value = unsafe { ffi::PyCell_Get(object.as_ptr()) };
    // SAFETY: the new reference is ours; null becomes `None`.
    unsafe { Bound::from_owned_ptr_or_opt(object.py(), value) }
}

fn write_word(
    holder: &Bound<'_, PyAny>,
    offset: usize,
    from: &Bound<'_, PyAny>,
    to: &Bound<'_, PyAny>,
) -> bool {
    if read_word(holder, offset) != Some(address(from)) {
        return false;
    }
    // SAFETY: `places_in` saw that the holder owns exactly as many references as
    // its plain words show, this one among them, and it still has its value. We
    // give a new reference away.
    let old = unsafe { swap_pointer(holder, offset, to.clone().into_ptr()) };
    // SAFETY: the reference that the field owned is ours now.
    drop(unsafe { Bound::from_owned_ptr_or_opt(holder.py(), old) });
    true
}

/// The class called `name` in C code that `object` is an instance of.
pub(super) fn builtin_type<'py>(
    object: &Bound<'py, PyAny>,
    name: &str,
) -> PyResult<Bound<'py, PyType>> {
    let classes = object.get_type().mro();
    let mut classes = classes
        .iter()
        .filter_map(|class| class.cast_into::<PyType>().ok());
    classes
        .find(|class| name_of(class.as_type_ptr()) == name)
        .ok_or_else(|| PyTypeError::new_err(format!("not an instance of {name}")))
}

/// The tuples and dicts that belong to classes, and to which.
#[derive(Default)]
pub(super) struct Classes {
    bases: FxHashMap<usize, usize>,
    orders: FxHashMap<usize, usize>,
    dicts: FxHashMap<usize, usize>,
}

impl Classes {
    /// Notes the parts of `class`. Takes no references, for use in a walk.
    pub(super) fn note(&mut self, class: &Bound<'_, PyType>) {
        let kind = class.as_type_ptr();
        // SAFETY: reads a field of a live type.
        let bases = unsafe { (*kind).tp_bases };
        // SAFETY: reads a field of a live type.
        let order = unsafe { (*kind).tp_mro };
        // SAFETY: reads a field of a live type.
        let dict = unsafe { (*kind).tp_dict };
        self.bases.insert(bases as usize, address(class));
        self.orders.insert(order as usize, address(class));
        self.dicts.insert(dict as usize, address(class));
    }

    /// Whether `object` is a tuple that only a class may change.
    pub(super) fn is_internal(&self, object: &Bound<'_, PyAny>) -> bool {
        self.orders.contains_key(&address(object)) || self.bases.contains_key(&address(object))
    }
}

/// What was found inside one holder.
#[derive(Default)]
pub(super) struct Within {
    /// Target, the owner where that is not the holder, and the place in it.
    pub(super) places: Vec<(usize, Option<Py<PyAny>>, Place)>,
    /// Whether a target is a key of the dict or an element of the set.
    pub(super) keyed: bool,
    accounted: FxHashMap<usize, usize>,
}

impl Within {
    fn add(&mut self, target: usize, place: Place) {
        self.add_in(target, None, place);
    }

    fn add_in(&mut self, target: usize, owner: Option<Py<PyAny>>, place: Place) {
        self.account(target, 1);
        self.places.push((target, owner, place));
    }

    fn account(&mut self, target: usize, count: usize) {
        *self.accounted.entry(target).or_insert(0) += count;
    }

    /// How many references to `target` were found or need no writing.
    pub(super) fn accounted(&self, target: usize) -> usize {
        self.accounted.get(&target).copied().unwrap_or(0)
    }

    /// Gives up on `target`: something here is not what it looks like.
    pub(super) fn forget(&mut self, target: usize) {
        self.places.retain(|(each, ..)| *each != target);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty() && !self.keyed
    }
}

/// Finds the places inside `holder` that refer to one of `targets`.
///
/// `shown` says how many references to each target the holder's traversal showed.
pub(super) fn places_in<'py>(
    holder: &Bound<'py, PyAny>,
    kinds: &Kinds<'py>,
    targets: &FxHashMap<usize, usize>,
    shown: &FxHashMap<usize, usize>,
    classes: &Classes,
) -> Result<Within> {
    let mut within = Within::default();
    if kinds.is_descriptor_of_a_class(holder) {
        // It names the class it was made for, and goes away with it.
        for (&target, &count) in shown {
            within.account(target, count);
        }
    } else if let Ok(class) = holder.cast::<PyType>() {
        parts_of_class(class, targets, &mut within);
    } else if let Ok(tuple) = holder.cast::<PyTuple>() {
        items_of_tuple(tuple, targets, classes, &mut within);
    } else if let Ok(dict) = holder.cast::<PyDict>() {
        entries_of_dict(dict, targets, classes, &mut within)?;
    } else if let Ok(list) = holder.cast::<PyList>() {
        for (index, item) in list.iter().enumerate() {
            if let Some(&target) = targets.get(&address(&item)) {
                within.add(target, Place::ListItem(index));
            }
        }
    } else if let Some(value) = value_of_cell(holder) {
        if let Some(&target) = targets.get(&address(&value)) {
            within.add(target, Place::Cell);
        }
    } else if kinds.is_deque(holder) {
        let deque = builtin_type(holder, "collections.deque")?;
        let items = deque.call_method1(names::iterate(holder.py()), (holder,))?;
        for (index, item) in items.try_iter()?.enumerate() {
            if let Some(&target) = targets.get(&address(&item?)) {
                within.add(target, Place::DequeItem(index));
            }
        }
    } else if kinds.is_set(holder) {
        for &target in shown.keys() {
            within.account(target, 1);
            within.keyed = true;
        }
    }
    if holder.cast::<PyType>().is_err() {
        if let Some(&target) = targets.get(&(holder.get_type_ptr() as usize)) {
            within.add(target, Place::Class);
        }
        words_of(holder, kinds, targets, &mut within);
        if kinds.is_bounded_cache(holder) {
            for (target, link, offset) in cache::results_in(holder, targets) {
                within.add_in(target, Some(link.unbind()), Place::Word(offset));
            }
        }
        attributes_of(holder, targets, shown, &mut within)?;
    }
    Ok(within)
}

/// A class names its base beside the tuple of its bases; the setter of that
/// tuple writes both.
fn parts_of_class(
    class: &Bound<'_, PyType>,
    targets: &FxHashMap<usize, usize>,
    within: &mut Within,
) {
    // SAFETY: reads a field of a live type.
    let base = unsafe { (*class.as_type_ptr()).tp_base };
    if let Some(&target) = targets.get(&(base as usize)) {
        within.account(target, 1);
    }
}

fn items_of_tuple(
    tuple: &Bound<'_, PyTuple>,
    targets: &FxHashMap<usize, usize>,
    classes: &Classes,
    within: &mut Within,
) {
    let class = classes.bases.get(&address(tuple));
    let is_order = classes.orders.contains_key(&address(tuple));
    for (index, item) in tuple.iter_borrowed().enumerate() {
        let Some(&target) = targets.get(&(item.as_ptr() as usize)) else {
            continue;
        };
        match class {
            _ if is_order => within.account(target, 1),
            // The bases of a class that goes away itself.
            Some(class) if targets.contains_key(class) => within.account(target, 1),
            Some(&class) => within.add_in(target, Some(owner(tuple, class)), Place::Base(index)),
            None => within.add(target, Place::TupleItem(index)),
        }
    }
}

fn entries_of_dict(
    dict: &Bound<'_, PyDict>,
    targets: &FxHashMap<usize, usize>,
    classes: &Classes,
    within: &mut Within,
) -> Result<()> {
    let class = classes.dicts.get(&address(dict));
    for (key, value) in dict.iter() {
        if let Some(&target) = targets.get(&address(&key)) {
            within.account(target, 1);
            within.keyed = true;
        }
        let Some(&target) = targets.get(&address(&value)) else {
            continue;
        };
        match class {
            Some(&class) => {
                let name = key.cast_into::<PyString>().map_err(PyErr::from)?;
                let place = Place::Attribute(name.unbind());
                within.add_in(target, Some(owner(dict, class)), place);
            }
            None => within.add(target, Place::Value(key.unbind())),
        }
    }
    if within.keyed && builtin_type(dict, "collections.OrderedDict").is_ok() {
        // It shows each key twice: as its own and as that of the dict below it.
        for (key, _) in dict.iter() {
            if let Some(&target) = targets.get(&address(&key)) {
                within.account(target, 1);
            }
        }
    }
    Ok(())
}

/// The class at the address that was noted for one of its parts.
fn owner<T>(part: &Bound<'_, T>, class: usize) -> Py<PyAny> {
    let class = class as *mut ffi::PyObject;
    // SAFETY: the class was alive in the walk that noted it, and between walk
    // and here no Python code runs and nothing is freed.
    unsafe { Bound::from_borrowed_ptr(part.py(), class) }.unbind()
}

/// Fields of plain builtin types, and slots of classes made in Python.
fn words_of(
    holder: &Bound<'_, PyAny>,
    kinds: &Kinds<'_>,
    targets: &FxHashMap<usize, usize>,
    within: &mut Within,
) {
    let (start, except) = match holder.cast_exact::<PyFunction>() {
        Err(_) => (kinds.first_plain_word(holder), Vec::new()),
        Ok(function) => match functions::layout(function.py()) {
            Err(_) => return,
            Ok(layout) => (BODY, layout.versioned().collect()),
        },
    };
    for offset in (start..size_of_body(holder)).step_by(WORD) {
        let target = read_word(holder, offset).and_then(|word| targets.get(&word));
        if let Some(&target) = target
            && !except.contains(&offset)
        {
            within.add(target, Place::Word(offset));
        }
    }
}

/// Attributes that an instance keeps beside itself: it has no dict as long as
/// nobody asks for one (3.11 and later), or the dict keeps them there (3.13).
fn attributes_of(
    holder: &Bound<'_, PyAny>,
    targets: &FxHashMap<usize, usize>,
    shown: &FxHashMap<usize, usize>,
    within: &mut Within,
) -> Result<()> {
    let complete = |(target, &count): (&usize, &usize)| within.accounted(*target) >= count;
    if !keeps_attributes(holder) || shown.iter().all(complete) {
        return Ok(());
    }
    // SAFETY: a live instance; the call gives a new reference or raises.
    let dict = unsafe { ffi::PyObject_GenericGetDict(holder.as_ptr(), std::ptr::null_mut()) };
    // SAFETY: the new reference is ours.
    let dict = unsafe { Bound::from_owned_ptr_or_err(holder.py(), dict) }?;
    let dict = dict.cast_into::<PyDict>().map_err(PyErr::from)?;
    for (key, value) in dict.iter() {
        if let Some(&target) = targets.get(&address(&value)) {
            let owner = dict.clone().into_any().unbind();
            within.add_in(target, Some(owner), Place::Value(key.unbind()));
        }
    }
    Ok(())
}

fn keeps_attributes(holder: &Bound<'_, PyAny>) -> bool {
    /// `Py_TPFLAGS_MANAGED_DICT`, which 3.11 has without showing it.
    const MANAGED_DICT: std::ffi::c_ulong = 1 << 4;
    let kind = holder.get_type_ptr();
    // SAFETY: reads the flags of a live type.
    let flags = unsafe { ffi::PyType_GetFlags(kind) };
    cfg!(Py_3_11) && flags & MANAGED_DICT != 0
}

/// Why the references of `holder` cannot be replaced, for people.
pub(super) fn reason(holder: &Bound<'_, PyAny>) -> String {
    let name = type_name(holder);
    if holder.is_instance_of::<PyFrozenSet>() {
        return format!("an element of a {name}, which cannot be changed");
    }
    if holder.is_instance_of::<PyFrame>() || name.ends_with("generator") || name == "coroutine" {
        return format!("a local variable of a {name}");
    }
    format!("held by a {name} in a way that hotswap does not know")
}

/// The name of an object's type, without asking the type.
pub(crate) fn type_name(object: &Bound<'_, PyAny>) -> String {
    name_of(object.get_type_ptr())
}
