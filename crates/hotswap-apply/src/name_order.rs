//! The order of the names in a namespace: a name that an update adds stands where a fresh
//! start would have put it. Who walks `vars(module)` sees it there: pytest, registries,
//! `__locals = locals()`.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use rustc_hash::FxHashSet;

use crate::stage::Stage;
use crate::transaction::Write;

/// Namespaces with more names are left as they are: all behind the new name would be moved
/// while nobody else may run.
const MOST: usize = 2_000;

impl<'py> Stage<'_, 'py> {
    /// Gives the names that this update adds their places.
    pub(crate) fn plan_name_order(&mut self) -> PyResult<()> {
        let mut modules: Vec<usize> = self.bound.iter().map(|(module, ..)| *module).collect();
        modules.sort_unstable();
        modules.dedup();
        for module in modules {
            let live = self.live_dict(module);
            let mut added = FxHashSet::default();
            for (_, name, value) in self.bound.iter().filter(|(at, _, _)| *at == module) {
                if value.is_some() && !live.contains(name)? {
                    added.insert(name.clone());
                }
            }
            if added.is_empty() || live.len() > MOST {
                continue;
            }
            let mut places = Vec::new();
            let mut before: Option<String> = None;
            for name in self.names_in_order(module)? {
                if added.contains(&name) {
                    if let Some(before) = &before {
                        places.push((self.intern(&name), self.intern(before)));
                    }
                } else if !live.contains(&name)? {
                    continue;
                }
                before = Some(name);
            }
            if !places.is_empty() {
                let dict = live;
                self.transaction.push(Write::Order { dict, places });
            }
        }
        Ok(())
    }

    /// The names of a module in the order in which its statements bind them first.
    fn names_in_order(&self, module: usize) -> PyResult<Vec<String>> {
        let Some(outline) = self.outline(module) else {
            return Ok(Vec::new());
        };
        let mut seen = FxHashSet::default();
        let mut names = Vec::new();
        let mut add = |name: &String| {
            if seen.insert(name.clone()) {
                names.push(name.clone());
            }
        };
        for (index, statement) in outline.statements.iter().enumerate() {
            if !statement.binds.iter().any(|name| name == "*") {
                statement.binds.iter().for_each(&mut add);
                continue;
            }
            let own = outline.imports().filter(|(at, _)| *at == index);
            for (_, import) in own {
                if import.bound != "*" {
                    add(&import.bound);
                } else if let Some(source) = self.imported_module(module, import) {
                    self.star_names(source)?.iter().for_each(&mut add);
                }
            }
        }
        Ok(names)
    }
}

/// Puts each name directly behind the other one of its pair, if both are there.
pub(crate) fn place(
    dict: &Bound<'_, PyDict>,
    places: &[(Bound<'_, PyString>, Bound<'_, PyString>)],
) -> PyResult<()> {
    let mut keys: Vec<Bound<'_, PyAny>> = dict.keys().iter().collect();
    for (name, before) in places {
        let position = |keys: &[Bound<'_, PyAny>], wanted: &Bound<'_, PyString>| {
            keys.iter().position(|key| {
                key.cast::<PyString>()
                    .is_ok_and(|key| key.is(wanted) || key.to_str().ok() == wanted.to_str().ok())
            })
        };
        let Some(from) = position(&keys, name) else {
            continue;
        };
        let key = keys.remove(from);
        let to = position(&keys, before).map_or(from, |at| at + 1);
        keys.insert(to, key);
    }
    let order = PyDict::new(dict.py());
    for key in keys {
        order.set_item(key, ())?;
    }
    crate::contents::set_order(dict, &order)
}
