//! Which modules an update looks at, and in which order.

use hotswap_plan::Outline;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

use crate::import_words::{DOTS, Word, word};
use crate::imports::named_modules;
use crate::stage::Edited;
use crate::world::{Module, World};

/// Edited modules and those that import from them, directly or not, in the order in
/// which their imports ended. Of a circle of imports the module that was imported first
/// comes first: the others were imported by its statements, and are staged there.
pub(crate) fn order(
    py: Python<'_>,
    world: &World,
    edits: &FxHashMap<usize, Edited>,
) -> PyResult<Vec<usize>> {
    let sources = imports(world, edits);
    if sources.len() < 2 {
        return Ok(sources.into_keys().collect());
    }
    // CPython moves a module to the end of `sys.modules` when its body has run
    // (`importlib._bootstrap._load_unlocked`).
    let modules = py.import("sys")?.getattr("modules")?;
    let mut ended: FxHashMap<String, usize> = FxHashMap::default();
    for (at, name) in modules.cast_into::<PyDict>()?.keys().iter().enumerate() {
        if let Ok(name) = name.extract() {
            ended.insert(name, at);
        }
    }
    let end = |module: usize| {
        let at = ended.get(&world.modules[module].name);
        (at.copied().unwrap_or(usize::MAX), module)
    };
    let mut included: Vec<usize> = sources.keys().copied().collect();
    included.sort_by_key(|module| end(*module));
    let mut importers: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    for (module, named) in &sources {
        for source in named {
            importers.entry(*source).or_default().push(*module);
        }
    }
    let mut order = Vec::new();
    let mut taken = FxHashSet::default();
    for module in included {
        if taken.contains(&module) {
            continue;
        }
        // The circle: what it imports that also imports it.
        let (below, above) = (reach(module, &sources), reach(module, &importers));
        let first = below
            .intersection(&above)
            .copied()
            .max_by_key(|module| end(*module))
            .unwrap_or(module);
        for module in [first, module] {
            if taken.insert(module) {
                order.push(module);
            }
        }
    }
    Ok(order)
}

/// Modules of the edited packages that read files which may have changed.
fn read_other_data(world: &World, edits: &FxHashMap<usize, Edited>) -> Vec<usize> {
    let package = |module: usize| {
        let name = &world.modules[module].name;
        name.split('.').next().unwrap_or_default()
    };
    let packages: FxHashSet<&str> = edits.keys().map(|module| package(*module)).collect();
    let reads = |module: &usize| {
        packages.contains(package(*module))
            && !edits.contains_key(module)
            && world.modules[*module].may_read_other_data()
    };
    (0..world.modules.len()).filter(reads).collect()
}

/// The included modules, each with the included ones that it imports.
fn imports(world: &World, edits: &FxHashMap<usize, Edited>) -> FxHashMap<usize, Vec<usize>> {
    let starts = edits.keys().copied().chain(read_other_data(world, edits));
    let mut sources = importers(world, starts);
    let included: Vec<usize> = sources.keys().copied().collect();
    for index in included {
        let targets = match edits.get(&index) {
            Some(edited) => targets(world, index, Some(edited.outline.clone())),
            None => sources.remove(&index).unwrap_or_default(),
        };
        sources.insert(index, targets);
    }
    let included: FxHashSet<usize> = sources.keys().copied().collect();
    for targets in sources.values_mut() {
        targets.retain(|target| included.contains(target));
    }
    sources
}

/// These modules, and those that import from them, directly or not, each with what it
/// imports; of the first ones that is not asked.
pub fn importers(
    world: &World,
    starts: impl IntoIterator<Item = usize>,
) -> FxHashMap<usize, Vec<usize>> {
    let mut named: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    let mut frontier: Vec<usize> = starts.into_iter().collect();
    let mut sources: FxHashMap<usize, Vec<usize>> = frontier
        .iter()
        .map(|module| (*module, Vec::new()))
        .collect();
    while !frontier.is_empty() {
        // Only what mentions the last part of a name can import it, or what names a package
        // by dots alone; the rest is not parsed.
        let mut words: Vec<Word> = frontier
            .iter()
            .map(|module| {
                let name = &world.modules[*module].name;
                word(name.rsplit('.').next().unwrap_or_default())
            })
            .collect();
        if frontier
            .iter()
            .any(|module| is_package(&world.modules[*module]))
        {
            words.push(word(DOTS));
        }
        let mut next = Vec::new();
        for index in world.modules.importing(&words) {
            if sources.contains_key(&index) {
                continue;
            }
            let module = &world.modules[index];
            let targets = named
                .entry(index)
                .or_insert_with(|| targets(world, index, module.outline()));
            if targets.iter().any(|target| frontier.contains(target)) {
                sources.insert(index, targets.clone());
                next.push(index);
            }
        }
        frontier = next;
    }
    sources
}

fn targets(world: &World, module: usize, outline: Option<Arc<Outline>>) -> Vec<usize> {
    let package = package_of(world, module);
    let mut targets: Vec<usize> = outline
        .iter()
        .flat_map(|outline| outline.imports())
        .flat_map(|(_, import)| named_modules(&package, import))
        .filter_map(|name| world.modules.named(&name))
        .filter(|target| *target != module)
        .collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// Everything that the edges lead to, the start included.
fn reach(start: usize, edges: &FxHashMap<usize, Vec<usize>>) -> FxHashSet<usize> {
    let mut reached = FxHashSet::default();
    let mut due = vec![start];
    while let Some(module) = due.pop() {
        if reached.insert(module) {
            due.extend(edges.get(&module).into_iter().flatten());
        }
    }
    reached
}

/// The package that relative imports of a module start from.
fn package_of(world: &World, module: usize) -> String {
    let known = &world.modules[module];
    if is_package(known) {
        return known.name.clone();
    }
    known
        .name
        .rsplit_once('.')
        .map(|(head, _)| head.to_string())
        .unwrap_or_default()
}

fn is_package(module: &Module) -> bool {
    module
        .file
        .file_name()
        .is_some_and(|name| name == "__init__.py")
}
