//! Every holder of an object, and its replacement by another.
//!
//! ```text
//! let found = find_references(py, &pairs, &skip)?;   // one pass over the heap, nothing written
//! if found.left(0, own).is_empty() {                 // all references accounted for?
//!     let replaced = found.replace(py, &[])?;             // all, or none and an error
//!     replaced.restore(py)?;                         // back, where nobody wrote meanwhile
//! }
//! ```
//!
//! A reference is replaced only where the way to do so is known for the kind of
//! holder, and only if as many of them were found inside the holder as it shows
//! to the collector. Weak references do not follow. Not replaced, but counted:
//! frozensets, frames and generators, C types that keep derived state, and
//! whatever is held without showing it to the collector.

mod cache;
mod iterators;
mod kind;
mod place;
mod rebuild;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyFrozenSet, PyTuple, PyType};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::commit::AtomicSection;
use crate::heap::{address, scan_references};
use crate::support::Result;

use cache::RememberedHash;
use kind::Kinds;
use place::{Place, Within, places_in};
use rebuild::Rebuild;

pub use cache::{clear_lru_cache, refill_lru_cache};
pub use iterators::redirect_iterators;
pub(crate) use place::type_name;

/// An object and the one that takes its place.
#[derive(Debug, Clone)]
pub struct Replacement<'py> {
    /// The object whose references are looked for.
    pub old: Bound<'py, PyAny>,
    /// What they refer to afterwards.
    pub new: Bound<'py, PyAny>,
}

/// References that cannot be replaced.
#[derive(Debug, Clone)]
pub struct Left<'py> {
    /// Who holds them, where that is known.
    pub holder: Option<Bound<'py, PyAny>>,
    /// How many.
    pub count: usize,
    /// Why they stay, for people.
    pub reason: String,
}

/// All references to some objects, found but not yet changed.
#[derive(Debug)]
pub struct References<'py> {
    pairs: Vec<Replacement<'py>>,
    located: Vec<Located>,
    rebuilds: Vec<Rebuild>,
    /// Bounded caches that are emptied: what they remember of a key's hash was not found.
    emptied: Vec<Bound<'py, PyAny>>,
    left: Vec<Vec<Left<'py>>>,
    /// References counted by each object, less those that a holder showed.
    unseen: Vec<isize>,
}

/// A reference inside a holder.
#[derive(Debug)]
struct Located {
    target: usize,
    holder: Py<PyAny>,
    place: Place,
}

impl Located {
    fn is_base_of(&self, classes: &[Bound<'_, PyType>]) -> bool {
        let holder = self.holder.as_ptr();
        matches!(self.place, Place::Base(_)) && classes.iter().any(|class| class.as_ptr() == holder)
    }
}

/// References that were replaced, and can be restored.
#[derive(Debug)]
pub struct Replaced {
    pairs: Vec<(Py<PyAny>, Py<PyAny>)>,
    located: Vec<Located>,
    rebuilds: Vec<Rebuild>,
    /// What emptied caches held: no finaliser of a result runs before this goes.
    _emptied: Vec<Py<PyAny>>,
}

/// Finds every reference to the old objects of `pairs`, in one pass over the heap.
///
/// References from holders for which `skip` is true are neither replaced nor
/// counted as left; `skip` must not run Python code. A second pass follows where
/// hashes depend on a reference (a tuple that is a dict key). Nothing of the program is changed, but an
/// instance whose attributes refer to an old object gets a real `__dict__`.
pub fn find_references<'py>(
    py: Python<'py>,
    pairs: &[Replacement<'py>],
    skip: &dyn Fn(&Bound<'py, PyAny>) -> bool,
) -> Result<References<'py>> {
    let kinds = Kinds::get(py)?;
    // A finaliser that ran between the scan and the count would spoil both.
    let _section = AtomicSection::enter(py)?;
    let scan = Scan::run(py, pairs)?;

    let mut found = References {
        pairs: pairs.to_vec(),
        located: Vec::new(),
        rebuilds: Vec::new(),
        emptied: Vec::new(),
        left: vec![Vec::new(); pairs.len()],
        unseen: scan.unseen,
    };
    // Objects whose hash follows from a reference that will be replaced.
    let mut rehashed: FxHashMap<usize, Rehashed<'py>> = FxHashMap::default();
    for Holder { object, shown } in scan.holders {
        // What an object that goes away refers to does not matter.
        if scan.targets.contains_key(&address(&object)) || skip(&object) {
            continue;
        }
        let mut within = places_in(&object, &kinds, &scan.targets, &shown, &scan.classes)?;
        for (&target, &count) in &shown {
            let accounted = within.accounted(target);
            if accounted == count {
                continue;
            }
            let mut left = count.saturating_sub(accounted);
            if accounted > count {
                within.forget(target);
                left = count;
            }
            found.left[target].push(Left {
                holder: Some(object.clone()),
                count: left,
                reason: place::reason(&object),
            });
        }
        if within.is_empty() {
            continue;
        }
        if kinds.hashes_by_content(&object) {
            let at = address(&object);
            let object = object.clone();
            let because = vec![at];
            rehashed.insert(at, Rehashed { object, because });
        }
        found.take(object, within);
    }
    found.follow_hashes(py, &kinds, &scan.classes, rehashed)?;
    Ok(found)
}

/// Replaces every reference to `old` that can be, and says how many are left.
///
/// `own` is the number of references that the caller itself holds, the one
/// passed here included.
pub fn replace_reference<'py>(
    py: Python<'py>,
    old: &Bound<'py, PyAny>,
    new: &Bound<'py, PyAny>,
    own: usize,
    skip: &dyn Fn(&Bound<'py, PyAny>) -> bool,
) -> Result<(Replaced, Vec<Left<'py>>)> {
    let pair = Replacement {
        old: old.clone(),
        new: new.clone(),
    };
    // The clone in the pair is one more.
    let found = find_references(py, &[pair], skip)?;
    let left = found.left(0, own + 1);
    Ok((found.replace(py, &[])?, left))
}

impl<'py> References<'py> {
    /// The references to the pair at `index` that cannot be replaced.
    ///
    /// `own` is the number of references to the old object that the caller held
    /// when it asked: what its Rust code owns, and the entry in `pairs`.
    pub fn left(&self, index: usize, own: usize) -> Vec<Left<'py>> {
        let mut left = self.left.get(index).cloned().unwrap_or_default();
        let unseen = self.unseen.get(index).copied().unwrap_or(0);
        let hidden = unseen.saturating_sub_unsigned(own);
        if hidden > 0 {
            left.push(Left {
                holder: None,
                count: hidden.unsigned_abs(),
                reason: "held by a running call or by C code that does not show it".into(),
            });
        }
        left
    }

    /// How many references will be replaced.
    pub fn count(&self) -> usize {
        self.located.len() + self.rebuilds.len()
    }

    /// Replaces all references that were found and can be. After an error
    /// everything is as it was.
    ///
    /// Runs no Python code, unless a dict or set must be built anew whose keys
    /// have a `__hash__` or `__eq__` in Python.
    ///
    /// The classes in `doomed` are about to be replaced themselves: where `CPython` refuses
    /// to give one another base, it keeps the one that it has.
    pub fn replace(self, py: Python<'py>, doomed: &[Bound<'py, PyType>]) -> Result<Replaced> {
        let _section = AtomicSection::enter(py)?;
        let pairs = self.pairs.iter();
        let mut replaced = Replaced {
            pairs: pairs
                .map(|pair| (pair.old.clone().unbind(), pair.new.clone().unbind()))
                .collect(),
            located: Vec::new(),
            rebuilds: Vec::new(),
            _emptied: Vec::new(),
        };
        // Keys are found by their old hashes, so values come first.
        let (mut last, first): (Vec<_>, Vec<_>) = self
            .located
            .into_iter()
            .partition(|each| each.place.may_change_a_hash());
        let mut located = first;
        located.append(&mut last);
        for each in located {
            let (old, new) = &replaced.pairs[each.target];
            match each
                .place
                .write(each.holder.bind(py), old.bind(py), new.bind(py))
            {
                Ok(true) => replaced.located.push(each),
                Ok(false) => (),
                Err(_) if each.is_base_of(doomed) => (),
                Err(error) => {
                    replaced.restore(py)?;
                    return Err(error);
                }
            }
        }
        let forward = replaced.mapping(py, false);
        for each in self.rebuilds {
            let outcome = each.run(py, &forward);
            replaced.rebuilds.push(each);
            if let Err(error) = outcome {
                replaced.restore(py)?;
                return Err(error);
            }
        }
        for cache in &self.emptied {
            let held = cache::clear_lru_cache(cache)?.unwrap_or_default();
            replaced
                ._emptied
                .extend(held.into_iter().map(Bound::unbind));
        }
        Ok(replaced)
    }

    fn take(&mut self, holder: Bound<'py, PyAny>, within: Within) {
        let Within { places, keyed, .. } = within;
        if keyed {
            self.rebuilds.push(Rebuild::of(&holder));
        }
        for (target, owner, place) in places {
            let holder = owner.unwrap_or_else(|| holder.clone().unbind());
            self.located.push(Located {
                target,
                holder,
                place,
            });
        }
    }

    /// Looks for dicts and sets in which something lies whose hash will change.
    fn follow_hashes(
        &mut self,
        py: Python<'py>,
        kinds: &Kinds<'py>,
        classes: &place::Classes,
        mut rehashed: FxHashMap<usize, Rehashed<'py>>,
    ) -> Result<()> {
        // Which of the holders to be written to each hash depends on.
        let mut known: FxHashMap<usize, FxHashSet<usize>> = FxHashMap::default();
        for (&at, each) in &rehashed {
            known.insert(at, each.because.iter().copied().collect());
        }
        let mut hashed: Vec<Rebuild> = Vec::new();
        let mut rebuilt: FxHashSet<usize> = FxHashSet::default();
        for each in &self.rebuilds {
            if let Rebuild::Container(container) = each {
                rebuilt.insert(container.as_ptr() as usize);
            }
        }
        // Holders that must stay as they are, each with the key they are part of.
        let mut fixed: FxHashMap<usize, Bound<'py, PyAny>> = FxHashMap::default();
        while !rehashed.is_empty() {
            let keys: Vec<Rehashed<'py>> = rehashed.drain().map(|(_, each)| each).collect();
            let all_keys: FxHashSet<usize> = keys.iter().map(|key| address(&key.object)).collect();
            for (holder, held) in holders_of(py, &keys)? {
                let at = address(&holder);
                let held = || held.iter().map(|&key| &keys[key]);
                let because = held().flat_map(|key| key.because.iter().copied());
                if classes.is_internal(&holder) {
                    continue;
                }
                if holder.is_instance_of::<PyFrozenSet>() {
                    fixed.extend(because.map(|root| (root, holder.clone())));
                } else if kinds.is_bounded_cache(&holder) {
                    let objects: Vec<_> = held().map(|key| &key.object).collect();
                    match RememberedHash::all_in(&holder, &objects)? {
                        Some(hashes) => self.rebuilds.extend(hashes.into_iter().map(Rebuild::Hash)),
                        None => self.emptied.push(holder),
                    }
                } else if kinds.hashes_by_content(&holder) {
                    let known = known.entry(at).or_default();
                    let because: Vec<usize> = because.filter(|&root| known.insert(root)).collect();
                    if !because.is_empty() {
                        if let Ok(tuple) = holder.cast::<PyTuple>() {
                            hashed.push(Rebuild::Tuple(tuple.clone().unbind()));
                        }
                        let entry = rehashed.entry(at).or_insert_with(|| Rehashed {
                            object: holder,
                            because: Vec::new(),
                        });
                        entry.because.extend(because);
                    }
                } else if !rebuilt.contains(&at) && rebuild::is_keyed_by_any(&holder, &all_keys) {
                    rebuilt.insert(at);
                    self.rebuilds.push(Rebuild::of(&holder));
                }
            }
        }
        // Before anything asks for a hash.
        hashed.append(&mut self.rebuilds);
        self.rebuilds = hashed;
        let located = std::mem::take(&mut self.located);
        for each in located {
            match fixed.get(&(each.holder.as_ptr() as usize)) {
                None => self.located.push(each),
                Some(holder) => self.left[each.target].push(Left {
                    reason: format!("part of a key in a {}", place::type_name(holder)),
                    holder: Some(each.holder.bind(py).clone()),
                    count: 1,
                }),
            }
        }
        Ok(())
    }
}

/// The holders of `keys`, each with the positions of the keys it holds.
fn holders_of<'py>(
    py: Python<'py>,
    keys: &[Rehashed<'py>],
) -> Result<Vec<(Bound<'py, PyAny>, FxHashSet<usize>)>> {
    let objects: Vec<_> = keys.iter().map(|each| each.object.clone()).collect();
    let mut held: FxHashMap<usize, (Bound<'py, PyAny>, FxHashSet<usize>)> = FxHashMap::default();
    for (holder, key) in scan_references(py, &objects, &mut |_| ())? {
        let entry = held.entry(holder as usize).or_insert_with(|| {
            // SAFETY: the scan saw this live object, and nothing ran since then.
            let holder = unsafe { Bound::from_borrowed_ptr(py, holder) };
            (holder, FxHashSet::default())
        });
        entry.1.insert(key);
    }
    Ok(held.into_values().collect())
}

impl Replaced {
    /// How many references to an object are held for the way back.
    pub fn holds(&self, object: &Bound<'_, PyAny>) -> usize {
        let one = |held: &Py<PyAny>| usize::from(held.is(object));
        let pairs = self.pairs.iter().map(|(old, new)| one(old) + one(new));
        let located = self.located.iter();
        let located = located.map(|each| one(&each.holder) + each.place.holds(object));
        let rebuilds = self.rebuilds.iter().map(|each| each.holds(object));
        let emptied = self._emptied.iter().map(one);
        pairs.chain(located).chain(rebuilds).chain(emptied).sum()
    }

    /// How many references were replaced.
    pub fn count(&self) -> usize {
        self.located.len() + self.rebuilds.len()
    }

    /// Puts the old objects back wherever the new ones still are, and returns
    /// how many places the program has written to meanwhile; those stay.
    pub fn restore(&self, py: Python<'_>) -> Result<usize> {
        let _section = AtomicSection::enter(py)?;
        let mut conflicts = 0;
        let mut first_error = None;
        let mut write = |each: &Located| {
            let (old, new) = &self.pairs[each.target];
            match each
                .place
                .write(each.holder.bind(py), new.bind(py), old.bind(py))
            {
                Ok(true) => (),
                Ok(false) => conflicts += 1,
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        };
        let (hashed, others): (Vec<_>, Vec<_>) = self
            .located
            .iter()
            .rev()
            .partition(|each| each.place.may_change_a_hash());
        hashed.into_iter().for_each(&mut write);
        let backward = self.mapping(py, true);
        let rebuilds = self.rebuilds.iter().map(|each| each.run(py, &backward));
        let failed = rebuilds.filter_map(std::result::Result::err).next();
        others.into_iter().for_each(&mut write);
        match first_error.or(failed) {
            Some(error) => Err(error),
            None => Ok(conflicts),
        }
    }

    fn mapping<'py>(&self, py: Python<'py>, back: bool) -> FxHashMap<usize, Bound<'py, PyAny>> {
        let pairs = self.pairs.iter().map(|(old, new)| match back {
            false => (old, new),
            true => (new, old),
        });
        pairs
            .map(|(from, to)| (from.as_ptr() as usize, to.bind(py).clone()))
            .collect()
    }
}

/// An object whose hash changes, because these holders are to be written to.
struct Rehashed<'py> {
    object: Bound<'py, PyAny>,
    because: Vec<usize>,
}

/// What one pass over the heap has shown.
struct Scan<'py> {
    targets: FxHashMap<usize, usize>,
    holders: Vec<Holder<'py>>,
    unseen: Vec<isize>,
    classes: place::Classes,
}

/// An object and how many references to each target it shows.
struct Holder<'py> {
    object: Bound<'py, PyAny>,
    shown: FxHashMap<usize, usize>,
}

impl<'py> Scan<'py> {
    fn run(py: Python<'py>, pairs: &[Replacement<'py>]) -> Result<Self> {
        let old: Vec<Bound<'py, PyAny>> = pairs.iter().map(|pair| pair.old.clone()).collect();
        let mut classes = place::Classes::default();
        let references = scan_references(py, &old, &mut |object| {
            if let Ok(class) = object.cast::<PyType>() {
                classes.note(class);
            }
        })?;

        // Counted before anything below takes references of its own. The clones
        // in `old` are the only ones so far.
        let mut unseen: Vec<isize> = old
            .iter()
            // SAFETY: reads the count of a live object.
            .map(|object| unsafe { ffi::Py_REFCNT(object.as_ptr()) } as isize - 1)
            .collect();
        let mut order: Vec<*mut ffi::PyObject> = Vec::new();
        let mut shown: FxHashMap<usize, FxHashMap<usize, usize>> = FxHashMap::default();
        for (holder, target) in references {
            unseen[target] -= 1;
            let entry = shown.entry(holder as usize).or_insert_with(|| {
                order.push(holder);
                FxHashMap::default()
            });
            *entry.entry(target).or_insert(0) += 1;
        }
        let holders = order.into_iter().map(|holder| Holder {
            // SAFETY: the scan saw this live object, and nothing ran since then.
            object: unsafe { Bound::from_borrowed_ptr(py, holder) },
            shown: shown.remove(&(holder as usize)).unwrap_or_default(),
        });
        Ok(Self {
            holders: holders.collect(),
            targets: crate::heap::index(&old),
            unseen,
            classes,
        })
    }
}
