//! The order of the names in a namespace: a name that an update adds stands where a fresh
//! start would have put it. Who walks `vars(module)` sees it there: pytest, registries,
//! `__locals = locals()`.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::stage::Stage;
use crate::transaction::Write;

/// Namespaces with more names are left as they are: all behind the new name would be moved
/// while nobody else may run.
const MOST: usize = 2_000;

/// What the import system binds.
const GIVEN: [&str; 9] = [
    "__name__",
    "__doc__",
    "__package__",
    "__loader__",
    "__spec__",
    "__path__",
    "__file__",
    "__cached__",
    "__builtins__",
];

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
            let names = self.names_in_order(module)?;
            let mut before = last_given(&live, &names);
            for name in names {
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

/// The last of the names that a namespace has before its first statement runs.
fn last_given(namespace: &Bound<'_, PyDict>, names: &[String]) -> Option<String> {
    let own: FxHashSet<&str> = names.iter().map(String::as_str).collect();
    let keys = namespace.keys();
    let keys = keys.iter().map_while(|key| key.extract::<String>().ok());
    keys.take_while(|key| GIVEN.contains(&key.as_str()) || !own.contains(key.as_str()))
        .last()
}

/// Puts each name directly behind the other one of its pair, if both are there. No two stand
/// behind the same one.
pub(crate) fn place(
    dict: &Bound<'_, PyDict>,
    places: &[(Bound<'_, PyString>, Bound<'_, PyString>)],
) -> PyResult<()> {
    let mut behind = FxHashMap::default();
    let mut placed = FxHashSet::default();
    for (name, before) in places {
        if dict.contains(name)? && dict.contains(before)? {
            behind.insert(before.to_str()?, name);
            placed.insert(name.to_str()?);
        }
    }
    let order = PyDict::new(dict.py());
    for key in dict.keys() {
        let text = key.cast::<PyString>().ok();
        let mut last = text.map(|text| text.to_str()).transpose()?.unwrap_or("");
        if placed.contains(last) {
            continue;
        }
        order.set_item(&key, ())?;
        while let Some(next) = behind.remove(last) {
            order.set_item(next, ())?;
            last = next.to_str()?;
        }
    }
    crate::contents::set_order(dict, &order)
}
