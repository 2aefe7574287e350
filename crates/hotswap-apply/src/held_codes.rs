//! Registries of code objects: containers that hold the code of functions, strongly or by weak
//! references, get the new one.

use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyList, PySet, PyType};
use rustc_hash::FxHashSet;

use crate::codes;
use crate::native as cpython;
use crate::stage::Stage;
use crate::transaction::Write;
use crate::values;

/// An old object and the one that takes its place.
type Replaced<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// So many entries tell whether a container is one of code objects.
const LOOKED_AT: usize = 8;

impl<'py> Stage<'_, 'py> {
    /// Lists, sets and dicts that hold code objects, as registries of a library do, get the
    /// new ones. Mostly the counts of references tell that there are none.
    pub(crate) fn follow_codes(&mut self) -> PyResult<()> {
        let mut replaced = self.held_codes()?;
        let mut notes = Vec::new();
        for pair in &self.pairs {
            replaced.extend(weak_references(&pair.old, &pair.new, &mut notes)?);
        }
        let (moved, by_name) = self.moved_keys(&mut replaced, &mut notes)?;
        self.notes.append(&mut notes);
        let mut holders = by_name;
        if !replaced.is_empty() {
            let old: Vec<_> = replaced.iter().map(|(old, _)| old.clone()).collect();
            for (holder, _) in cpython::referrers_in_all(self.py, &old)? {
                if values::is_container(&holder) && !holders.iter().any(|known| known.is(&holder)) {
                    holders.push(holder);
                }
            }
        }
        for container in holders {
            let content = with_new(&container, &replaced, &moved)?;
            self.transaction.push(Write::Content { container, content });
        }
        Ok(())
    }

    /// Since CPython 3.12 code has another hash on another line. Returns the code that moves
    /// and is a key somewhere, and the containers that names lead to where it is; weak
    /// references to it, which keep their hash, are made anew.
    #[allow(clippy::type_complexity)]
    fn moved_keys(
        &self,
        replaced: &mut Vec<Replaced<'py>>,
        notes: &mut Vec<String>,
    ) -> PyResult<(Vec<(Bound<'py, PyAny>, i32)>, Vec<Bound<'py, PyAny>>)> {
        let mut moved = Vec::new();
        if cfg!(not(Py_3_12)) {
            return Ok((moved, Vec::new()));
        }
        let mut held = false;
        for (code, delta) in self.transaction.shifts() {
            let weak = weak_references(&code, &code, notes)?;
            // The functions, the constants around it and what shifts it hold it in any case.
            let known = self.live.known_references(&code) + 2;
            let strong =
                hotswap_cpython::heap::reference_count(&code).is_none_or(|count| count > known);
            held |= strong;
            if strong || !weak.is_empty() {
                replaced.extend(weak);
                moved.push((code, delta));
            }
        }
        let mut found = Vec::new();
        if held {
            let wanted = moved
                .iter()
                .map(|(code, _)| code.as_ptr() as usize)
                .collect();
            for module in self.world.modules.iter() {
                for value in module.dict.bind(self.py).values() {
                    note_keyed(&value, &wanted, &mut found);
                    if let Ok(class) = value.cast::<PyType>() {
                        for value in cpython::type_dict(class).values() {
                            note_keyed(&value, &wanted, &mut found);
                        }
                    }
                }
            }
        }
        Ok((moved, found))
    }

    /// The pairs of which others than functions hold the old code.
    fn held_codes(&mut self) -> PyResult<Vec<Replaced<'py>>> {
        let mut inner: FxHashSet<usize> = FxHashSet::default();
        for pair in &self.pairs {
            let nested = codes::nested(&pair.old)?;
            inner.extend(nested.iter().map(|code| code.as_ptr() as usize));
        }
        let mut held = Vec::new();
        for pair in &self.pairs {
            // Besides those: the pair itself, and the constants of the code around it. Code
            // that no function runs is not in the list of live code.
            let around = isize::from(
                inner.contains(&(pair.old.as_ptr() as usize))
                    && !self.live.with_code(&pair.old).is_empty(),
            );
            let known = self.live.known_references(&pair.old) + 1 + around;
            if hotswap_cpython::heap::reference_count(&pair.old) == Some(known) {
                self.accounted.insert(pair.old.as_ptr() as usize, known);
            } else {
                held.push((pair.old.clone(), pair.new.clone()));
            }
        }
        Ok(held)
    }
}

/// Notes a dict or set of code objects that holds one of some.
fn note_keyed<'py>(
    value: &Bound<'py, PyAny>,
    wanted: &FxHashSet<usize>,
    found: &mut Vec<Bound<'py, PyAny>>,
) {
    let is_code = |item: &Bound<'py, PyAny>| item.is_exact_instance_of::<PyCode>();
    let is_wanted = |item: &Bound<'py, PyAny>| wanted.contains(&(item.as_ptr() as usize));
    let holds = if let Ok(dict) = value.cast_exact::<PyDict>() {
        dict.iter().take(LOOKED_AT).any(|(key, _)| is_code(&key))
            && dict.iter().any(|(key, _)| is_wanted(&key))
    } else if let Ok(set) = value.cast_exact::<PySet>() {
        set.iter().take(LOOKED_AT).any(|item| is_code(&item))
            && set.iter().any(|item| is_wanted(&item))
    } else {
        false
    };
    if holds && !found.iter().any(|known| known.is(value)) {
        found.push(value.clone());
    }
}

/// The content of a container with what takes the place of some objects, and with the hashes
/// that code will have which moves to other lines.
fn with_new<'py>(
    container: &Bound<'py, PyAny>,
    replaced: &[Replaced<'py>],
    moved: &[(Bound<'py, PyAny>, i32)],
) -> PyResult<Bound<'py, PyAny>> {
    let mut done = Vec::new();
    let mut outcome = Ok(());
    for (code, delta) in moved {
        outcome = cpython::shift_first_line(code, *delta);
        if outcome.is_err() {
            break;
        }
        done.push((code, -delta));
    }
    let content = outcome.and_then(|()| with_replaced(container, replaced));
    for (code, back) in done {
        cpython::shift_first_line(code, back)?;
    }
    content
}

fn with_replaced<'py>(
    container: &Bound<'py, PyAny>,
    replaced: &[Replaced<'py>],
) -> PyResult<Bound<'py, PyAny>> {
    let new_of = |item: Bound<'py, PyAny>| {
        let pair = replaced.iter().find(|(old, _)| old.is(&item));
        pair.map_or(item, |(_, new)| new.clone())
    };
    if let Ok(dict) = container.cast_exact::<PyDict>() {
        let copy = PyDict::new(container.py());
        for (key, value) in dict.iter() {
            copy.set_item(new_of(key), new_of(value))?;
        }
        return Ok(copy.into_any());
    }
    let items: PyResult<Vec<_>> = container.try_iter()?.collect();
    let items: Vec<_> = items?.into_iter().map(new_of).collect();
    container.get_type().call1((items,))
}

/// The weak references to old code, each with one of its kind to the new. `notes` says of
/// which kind none could be made.
fn weak_references<'py>(
    old: &Bound<'py, PyAny>,
    new: &Bound<'py, PyAny>,
    notes: &mut Vec<String>,
) -> PyResult<Vec<Replaced<'py>>> {
    let weakref = old.py().import("weakref")?;
    let count = weakref.call_method1("getweakrefcount", (old,))?;
    if count.extract::<usize>()? == 0 {
        return Ok(Vec::new());
    }
    let keyed = weakref.getattr("KeyedRef")?;
    let mut found = Vec::new();
    let references = weakref.call_method1("getweakrefs", (old,))?;
    for reference in references.cast_into::<PyList>()?.iter() {
        let kind = reference.get_type();
        let callback = reference.getattr("__callback__")?;
        let made = match kind.is(&keyed) {
            true => kind.call1((new, callback, reference.getattr("key")?)),
            // A class of the program may take other arguments.
            false => kind.call1((new, callback)),
        };
        match made {
            Ok(made) if made.get_type().is(&kind) => found.push((reference, made)),
            _ => notes.push(format!(
                "a {kind} to the code of {} stays one to the old code",
                codes::name_of(old)?
            )),
        }
    }
    Ok(found)
}
