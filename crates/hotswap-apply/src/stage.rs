//! The state of one group's update while it is prepared.

use std::sync::Arc;

use hotswap_plan::{Outline, Plan, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::live::LiveFunctions;
use crate::report::{ChangeEntry, Pending};
use crate::running::Inside;
use crate::transaction::Transaction;
use crate::world::World;

/// The new source of one module, compared with its baseline.
pub(crate) struct Edited {
    pub text: Arc<str>,
    pub outline: Arc<Outline>,
    pub old_text: Arc<str>,
    pub old_outline: Arc<Outline>,
    pub plan: Plan,
    /// Statements whose import had failed and is tried again.
    pub awaited: Vec<usize>,
    /// The whole module runs: nothing inside a statement is spared.
    pub whole: bool,
}

/// The staging namespace of one module.
pub(crate) struct Staging<'py> {
    /// A copy of the live namespace in which statements run.
    pub namespace: Bound<'py, PyDict>,
    /// The live namespace.
    pub live: Bound<'py, PyDict>,
    /// Something ran that may have made functions with the staging globals.
    pub made_functions: bool,
}

/// A function that gets new code.
pub(crate) struct Pair<'py> {
    pub old: Bound<'py, PyAny>,
    pub new: Bound<'py, PyAny>,
    /// It is made inside another function that gets new code.
    pub nested: bool,
    /// The class whose `__class__` cell the new code may need.
    pub class: Option<Bound<'py, PyType>>,
}

/// Something that runs Python code and so cannot be part of the commit.
pub(crate) enum After<'py> {
    /// Apply a class decorator again.
    Decorate {
        class: Bound<'py, PyType>,
        source: String,
        namespace: Bound<'py, PyDict>,
    },
    /// Give live instances what needs functions that were not committed before.
    Attributes {
        module: usize,
        class: Bound<'py, PyType>,
        after: Box<hotswap_plan::ClassDef>,
        statement: Box<Statement>,
        old: Option<Box<hotswap_plan::FunctionDef>>,
        added: Vec<String>,
        /// Those that others have made meanwhile.
        latecomers: bool,
    },
    /// Let a class see to one of its instances.
    Migrate {
        object: Bound<'py, PyAny>,
        added: Bound<'py, pyo3::types::PySet>,
        removed: Bound<'py, pyo3::types::PySet>,
        old_values: Bound<'py, PyDict>,
    },
    /// Set an attribute of an object again whose value reads something that changed.
    Store(crate::stored::Stored<'py>),
    /// Empty a cache by a method of the program.
    ClearCache(Bound<'py, PyAny>),
}

/// A member of a class that reads what is bound only after the swap.
pub(crate) struct LateMember<'py> {
    pub module: usize,
    pub class: Bound<'py, PyType>,
    /// The definitions of the class and of those around it, from the outside.
    pub path: Vec<hotswap_plan::ClassDef>,
    /// More than one where they make one value together.
    pub members: Vec<Statement>,
    /// How many statements already waited when it was put off: it reads what they bind, and
    /// those that wait behind them may read it.
    pub behind: usize,
}

/// A default value that calls what is committed only then.
pub(crate) struct LateDefault<'py> {
    pub module: usize,
    pub target: Bound<'py, PyAny>,
    pub statement: Statement,
    /// Of the parameter.
    pub index: usize,
    pub class: Option<(Vec<String>, Bound<'py, PyType>)>,
    pub cause: String,
}

/// A statement that must see committed definitions, so it runs after the swap.
#[derive(Clone)]
pub(crate) struct Late {
    pub module: usize,
    pub step: usize,
    /// A class that must be made anew, whatever its own statement says, and what of it
    /// differs.
    pub remade: Option<Box<hotswap_plan::ClassChange>>,
}

/// The value of a name before and after; None where it is not bound.
pub(crate) type OldAndNew<'py> = (Option<Bound<'py, PyAny>>, Option<Bound<'py, PyAny>>);

/// What changed about a name, for those that read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// Its value.
    Value,
    /// The body of the function or methods of the class it names.
    Code,
    /// Only nested functions inside the function: those that it made are patched.
    Nested,
}

pub(crate) struct Stage<'w, 'py> {
    pub py: Python<'py>,
    pub scan_ms: f64,
    pub world: &'w World,
    pub edits: FxHashMap<usize, Edited>,
    pub order: Vec<usize>,
    pub live: LiveFunctions<'py>,
    pub staging: FxHashMap<usize, Staging<'py>>,
    pub transaction: Transaction<'py>,
    pub entries: Vec<ChangeEntry>,
    pub pending: Vec<Pending>,
    /// Calls of other threads that were inside what changes when it was committed.
    pub inside: Vec<Inside<'py>>,
    pub notes: Vec<String>,
    pub changed: FxHashMap<(usize, String), Changed>,
    pub late_names: FxHashSet<(usize, String)>,
    pub late: Vec<Late>,
    pub pairs: Vec<Pair<'py>>,
    /// What [`crate::codes::executed`] said when the live functions were looked for.
    pub executed: u64,
    /// Those whose functions have their writes.
    pub swapped: Vec<Pair<'py>>,
    /// How many references there were to old code of which all holders were known.
    pub accounted: FxHashMap<usize, isize>,
    pub shifted: FxHashSet<usize>,
    /// Statements run in the live namespaces: the swap is done.
    pub committed: bool,
    /// Old and new objects of names whose value changed, for those that imported them.
    pub rebound: Vec<(usize, String, OldAndNew<'py>)>,
    /// Classes made anew in staging, and the live ones that take their members over.
    pub rebuilt: Vec<(Bound<'py, PyType>, Bound<'py, PyType>)>,
    /// Names that are to go, with what they held when that was found.
    pub unbound: Vec<(Bound<'py, PyDict>, String, Bound<'py, PyAny>)>,
    /// Counters that statements of this update may move, with the numbers of before.
    pub counters: Vec<crate::counters::Counter<'py>>,
    /// Enums made anew whose combinations of members are not settled yet.
    pub enums: Vec<crate::enums::MergedEnum<'py>>,
    /// Live classes that CPython cannot change in place, and those that take their place.
    pub replaced: Vec<(Bound<'py, PyType>, Bound<'py, PyType>)>,
    /// Instances that move to another layout, by address, and what takes their place.
    pub moved: FxHashMap<usize, Bound<'py, PyAny>>,
    /// Classes whose instances move to another layout at the next commit, and to which class.
    pub vacated: Vec<(Bound<'py, PyType>, Bound<'py, PyType>)>,
    /// Attributes that instances get at the commit, by address.
    pub given: FxHashMap<usize, Vec<(String, Bound<'py, PyAny>)>>,
    /// Whether statements take back what they had made before they were removed.
    pub revives: bool,
    /// What the statements that this update removes had made.
    pub lost: Vec<crate::revive::Lost>,
    /// What statements that ran may have done outside, in words, should the update fail.
    pub effects: Vec<String>,
    /// Classes of which it must be told anew what is abstract.
    pub abstract_classes: Vec<Bound<'py, PyType>>,
    /// Names whose chain of statements was run as a whole.
    pub chained: FxHashSet<(usize, String)>,
    /// Functions that are being judged, for those that call themselves.
    pub judged: std::cell::RefCell<Vec<usize>>,
    /// What names are bound to by this update.
    pub bound: Vec<(usize, String, Option<Bound<'py, PyAny>>)>,
    /// Whether values of classes that have their turn after the commit were as their
    /// statements made them, by class and by the start of the statement.
    pub as_made: FxHashMap<(usize, u32), bool>,
    /// Values of classes that several statements make, and make anew as a whole: by the class
    /// and the name.
    pub chained_members: FxHashSet<(usize, String)>,
    /// Whether such values were as their statements made them, of classes that have their turn
    /// after the commit.
    pub chains_as_made: FxHashMap<(usize, String), bool>,
    /// Lines that nothing may come to while values are derived.
    pub doubts: std::cell::RefCell<Vec<crate::guard::Doubt>>,
    /// The last one that was come to, in words.
    pub came_to: std::cell::RefCell<Option<String>>,
    /// Live functions that have taken over code and cells of newly made ones.
    pub remade_closures: Vec<Bound<'py, PyAny>>,
    /// Chains that run when their last statement has its turn.
    pub deferred: Vec<crate::chain::Deferred>,
    /// Containers that stand in staging for live ones.
    pub stand_ins: Vec<crate::chain::StandIn<'py>>,
    /// What statements that ran gave to names that later ones bind again, by statement.
    pub early: FxHashMap<(usize, usize, String), Bound<'py, PyAny>>,
    pub early_depth: usize,
    /// The blocks that had run before the update, by where their statement starts.
    pub ran_before: FxHashMap<(usize, u32), Option<Vec<usize>>>,
    /// Statements inside blocks that were looked at, by where they start.
    pub inner_done: FxHashSet<(usize, u32)>,
    /// Namespaces made for statements that ran apart, and the modules they stand for.
    pub shadows: Vec<(Bound<'py, PyDict>, usize)>,
    /// What statements of this update did to containers of the program.
    pub registered: Vec<crate::registrations::Journaled<'py>>,
    /// Classes whose instances gain attributes at the commit.
    pub gaining: Vec<crate::instances::Gaining<'py>>,
    /// Instances that were found since, kept alive so that nothing takes their address.
    pub caught_up: Vec<Bound<'py, PyAny>>,
    /// What modules that change have left for their new code.
    pub handed_over: Vec<(usize, Bound<'py, PyDict>)>,
    /// What the old statements of a chain made of a container that the program changed since, by
    /// module and name.
    pub bases: FxHashMap<(usize, String), Bound<'py, PyAny>>,
    /// Statements that ran together with the class that they pass on or the object that they
    /// complete, by module and start.
    pub passed_on: FxHashSet<(usize, u32)>,
    /// Modules whose bodies still run, and how many bytes at the end of their sources they
    /// have not passed.
    pub open: FxHashMap<usize, usize>,
    /// Removed statements whose registrations were withdrawn, by module and old index.
    pub withdrawn_statements: FxHashSet<(usize, usize)>,
    /// The same for statements of blocks, by module and where they began.
    pub withdrawn_inner: FxHashSet<(usize, u32)>,
    /// Modules whose staging has begun.
    pub begun: FxHashSet<usize>,
    /// The staged modules, for imports.
    pub staged_modules: crate::imports::StagedModules,
    /// What is left to do right after the commit.
    pub after: Vec<After<'py>>,
    /// Classes whose hooks are asked again after the commit.
    pub collected: Vec<crate::class::Collected<'py>>,
    /// Classes that may get a hook by other bases of a base.
    pub hooked: Vec<crate::class::Hooked<'py>>,
    /// Classes whose members such hooks look at.
    pub looked_at: Vec<Bound<'py, PyType>>,
    /// Classes that were looked at for that, by address.
    pub asked_hooks: FxHashSet<usize>,
    /// Classes that hold a container of which this update changes the content.
    pub changed_members: Vec<Bound<'py, PyType>>,
    pub late_members: Vec<LateMember<'py>>,
    /// Combinations of flags that have another value now, each with its class.
    pub combinations: Vec<(Bound<'py, PyType>, u64)>,
    pub late_defaults: Vec<LateDefault<'py>>,
    /// Definitions among the late statements that are first run under watch.
    pub rehearsed_late: FxHashSet<(usize, usize)>,
    /// Values that several statements make and that waited for the commit.
    pub late_chains: Vec<crate::chain::LateChain>,
    /// Statements that may say after the commit what new things are called.
    pub namings: Vec<crate::naming::Naming<'py>>,
    /// Decorated definitions with other metadata, and what their decorators made of the old.
    pub carried: Vec<crate::carried::Carried<'py>>,
}

impl<'w, 'py> Stage<'w, 'py> {
    /// The outline that will be in force: the new one of an edited module.
    pub(crate) fn outline(&self, module: usize) -> Option<Arc<Outline>> {
        match self.edits.get(&module) {
            Some(edited) => Some(edited.outline.clone()),
            None => self.world.modules[module].outline(),
        }
    }

    /// Whether all of a module runs again.
    pub(crate) fn is_whole(&self, module: usize) -> bool {
        self.edits.get(&module).is_some_and(|edited| edited.whole)
    }

    pub(crate) fn text(&self, module: usize) -> Arc<str> {
        match self.edits.get(&module) {
            Some(edited) => edited.text.clone(),
            None => self.world.modules[module].text().clone(),
        }
    }

    pub(crate) fn live_dict(&self, module: usize) -> Bound<'py, PyDict> {
        self.world.modules[module].dict.bind(self.py).clone()
    }

    /// The namespace in which the module's statements run now.
    pub(crate) fn namespace(&mut self, module: usize) -> PyResult<Bound<'py, PyDict>> {
        let live = self.live_dict(module);
        if self.committed {
            return Ok(live);
        }
        if let Some(staging) = self.staging.get(&module) {
            return Ok(staging.namespace.clone());
        }
        let namespace = live.copy()?;
        if let Some(annotations) = namespace.get_item("__annotations__")? {
            namespace.set_item("__annotations__", annotations.call_method0("copy")?)?;
        }
        if let Ok(mut staged) = self.staged_modules.lock() {
            let object = self.world.modules[module].object.clone_ref(self.py);
            staged.push((object, namespace.clone().unbind()));
        }
        self.staging.insert(
            module,
            Staging {
                namespace: namespace.clone(),
                live,
                made_functions: false,
            },
        );
        Ok(namespace)
    }

    /// What a module holds at this moment of the update: staged, else live.
    pub(crate) fn present(&self, module: usize) -> Bound<'py, PyDict> {
        match self.staging.get(&module) {
            Some(staging) if !self.committed => staging.namespace.clone(),
            _ => self.live_dict(module),
        }
    }

    /// A copy of a module's namespace as it was before this update.
    pub(crate) fn namespace_before(&self, module: usize) -> PyResult<Bound<'py, PyDict>> {
        let live = self.live_dict(module);
        let copy = live.copy()?;
        if self.committed {
            self.transaction.names_before(&live, &copy)?;
        }
        Ok(copy)
    }

    /// Binds a name of a module, now or at the commit.
    pub(crate) fn bind(
        &mut self,
        module: usize,
        name: &str,
        value: Option<Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        let live = self.live_dict(module);
        let namespace = self.namespace(module)?;
        if !self.committed {
            match &value {
                Some(value) => namespace.set_item(name, value)?,
                None if namespace.contains(name)? => namespace.del_item(name)?,
                None => {}
            }
        }
        if value.is_none()
            && !self.committed
            && let Some(was) = live.get_item(name)?
        {
            self.unbound.push((live.clone(), name.to_string(), was));
        }
        self.bound.push((module, name.to_string(), value.clone()));
        self.transaction.set_item(&live, name, value);
        Ok(())
    }

    /// Notes that a name has another value from now on.
    pub(crate) fn note_value(
        &mut self,
        module: usize,
        name: &str,
        old: Option<Bound<'py, PyAny>>,
        new: Option<Bound<'py, PyAny>>,
    ) {
        let same = match (&old, &new) {
            (Some(old), Some(new)) => {
                old.is(new) || (crate::values::is_plain(old) && crate::values::equal(old, new))
            }
            (None, None) => true,
            _ => false,
        };
        if !same {
            self.changed
                .insert((module, name.to_string()), Changed::Value);
            self.rebound.push((module, name.to_string(), (old, new)));
        }
    }

    pub(crate) fn entry(
        &mut self,
        module: usize,
        qualname: &str,
        statement: Option<&Statement>,
        kind: &'static str,
        action: &'static str,
    ) -> &mut ChangeEntry {
        let known = &self.world.modules[module];
        self.entries.push(ChangeEntry {
            qualname: qualname.to_string(),
            module: known.name.clone(),
            file: known.file.display().to_string(),
            line: statement.map_or(0, |statement| statement.first_line),
            kind,
            action,
            ..ChangeEntry::default()
        });
        let last = self.entries.len() - 1;
        &mut self.entries[last]
    }

    pub(crate) fn code_file(&self, module: usize) -> &'w str {
        &self.world.modules[module].code_file
    }

    /// Compiles a text as a part of a module, through the module's own loader where
    /// that one rewrites code.
    pub(crate) fn compile(&self, module: usize, text: &str) -> PyResult<Bound<'py, PyAny>> {
        if let Some(code) = self.world.take_ahead(self.py, module, text) {
            return Ok(code);
        }
        let file = self.code_file(module);
        let loader = self.live_dict(module).get_item("__loader__")?;
        if let Some(loader) = loader.filter(|loader| !loader.is_none())
            && let Some(code) = crate::codes::through_loader(&loader, text, file)?
        {
            return Ok(code);
        }
        crate::codes::compile(self.py, text, file)
    }

    pub(crate) fn intern(&self, name: &str) -> Bound<'py, PyString> {
        PyString::intern(self.py, name)
    }
}
