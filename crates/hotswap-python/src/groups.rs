//! Which edited files stand or fall together.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotswap_apply::{Module, World, importers, resolve_import};
use hotswap_plan::{Import, Outline};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::departures::Departure;
use crate::session::FileEdit;

/// Joins edited files where one imports the other, or where what one binds reaches the other
/// through modules that are not edited.
pub(crate) fn groups(
    world: &World,
    edits: Vec<FileEdit>,
    departures: &[Departure],
) -> Vec<Vec<FileEdit>> {
    if edits.len() < 2 {
        return match edits.is_empty() {
            true => Vec::new(),
            false => vec![edits],
        };
    }
    let mut leaders = Leaders((0..edits.len()).collect());
    let mut edited: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
    for (index, edit) in edits.iter().enumerate() {
        for module in &edit.modules {
            let name = world.modules[*module].name.as_str();
            edited.entry(name).or_default().push(index);
        }
    }
    let concerned = importers(world, edits.iter().flat_map(|edit| edit.modules.clone()));
    let mut departing: Vec<Option<usize>> = vec![None; departures.len()];
    for (index, edit) in edits.iter().enumerate() {
        let mut names: FxHashSet<String> = FxHashSet::default();
        let mut paths = Paths {
            world,
            edited: &edited,
            concerned: &concerned,
            seen: FxHashSet::default(),
            met: Vec::new(),
        };
        for module in &edit.modules {
            let known = &world.modules[*module];
            let outlines = [known.outline(), edit.outline.clone()];
            for outline in outlines.into_iter().flatten() {
                names.extend(imports_of(known, &outline));
                paths.follow_reads(known, &outline);
            }
        }
        // All that know a module which goes stand and fall with it.
        for (departure, first) in departures.iter().zip(&mut departing) {
            if departure.concerns(&edit.path, &names) {
                leaders.join(index, *first.get_or_insert(index));
            }
        }
        let named = names.iter().filter_map(|name| edited.get(name.as_str()));
        let mut others: Vec<usize> = named.flatten().copied().chain(paths.met).collect();
        others.sort_unstable();
        for other in others {
            leaders.join(index, other);
        }
    }
    let mut groups: BTreeMap<usize, Vec<FileEdit>> = BTreeMap::new();
    for (index, edit) in edits.into_iter().enumerate() {
        groups.entry(leaders.find(index)).or_default().push(edit);
    }
    groups.into_values().collect()
}

/// The modules that a source of this module names in its imports.
pub(crate) fn imports_of(module: &Module, outline: &Outline) -> FxHashSet<String> {
    let mut names = FxHashSet::default();
    let package = package_of(module);
    for (_, import) in outline.imports() {
        let Some(name) = resolve_import(package, import) else {
            continue;
        };
        if let Some(inner) = &import.name {
            names.insert(format!("{name}.{inner}"));
        }
        names.insert(name);
    }
    names
}

/// The package that the relative imports of a module start from.
fn package_of(module: &Module) -> &str {
    if is_package(module) {
        return &module.name;
    }
    module.name.rsplit_once('.').map_or("", |(head, _)| head)
}

fn is_package(module: &Module) -> bool {
    module.file.ends_with("__init__.py")
}

/// Disjoint sets of edits; the lowest number need not lead.
struct Leaders(Vec<usize>);

impl Leaders {
    fn find(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a] = b;
    }
}

/// Follows what an edited file reads through modules that are not edited.
struct Paths<'a> {
    world: &'a World,
    edited: &'a FxHashMap<&'a str, Vec<usize>>,
    /// The modules from which imports lead to an edited one.
    concerned: &'a FxHashMap<usize, Vec<usize>>,
    seen: FxHashSet<(String, Vec<String>)>,
    /// The edits that it comes to.
    met: Vec<usize>,
}

impl Paths<'_> {
    /// Everything that the statements of a module take from others when they run.
    fn follow_reads(&mut self, module: &Module, outline: &Arc<Outline>) {
        let package = package_of(module);
        let mut attributes: FxHashMap<&str, Vec<&[String]>> = FxHashMap::default();
        for statement in &outline.statements {
            for read in &statement.facts.reads {
                attributes.entry(&read[0]).or_default().push(&read[1..]);
            }
        }
        for (_, import) in outline.imports() {
            let Some((source, taken)) = taken(package, import) else {
                continue;
            };
            self.follow(&source, &taken);
            for rest in attributes.get(import.bound.as_str()).into_iter().flatten() {
                let path: Vec<String> = taken.iter().chain(*rest).cloned().collect();
                self.follow(&source, &path);
            }
        }
    }

    /// What a module holds under a dotted name: the edits that have a part in it.
    fn follow(&mut self, module: &str, path: &[String]) {
        if let Some(edits) = self.edited.get(module) {
            self.met.extend(edits);
            return;
        }
        let Some((name, rest)) = path.split_first() else {
            return;
        };
        let Some(known) = self.world.modules.named(module) else {
            return;
        };
        if !self.concerned.contains_key(&known) && !is_package(&self.world.modules[known]) {
            return;
        }
        if !self.seen.insert((module.to_string(), path.to_vec())) {
            return;
        }
        let inner = format!("{module}.{name}");
        if self.world.modules.named(&inner).is_some() {
            self.follow(&inner, rest);
        }
        if !self.concerned.contains_key(&known) {
            return;
        }
        let known = &self.world.modules[known];
        let Some(outline) = known.outline() else {
            return;
        };
        for (_, import) in outline.imports() {
            let Some((source, taken)) = taken(package_of(known), import) else {
                continue;
            };
            if import.bound == "*" {
                self.follow(&source, path);
            } else if import.bound == *name {
                let path: Vec<String> = taken.iter().chain(rest).cloned().collect();
                self.follow(&source, &path);
            }
        }
    }
}

/// What the name that an import binds stands for: a module, and a dotted name there.
fn taken(package: &str, import: &Import) -> Option<(String, Vec<String>)> {
    let source = resolve_import(package, import)?;
    Some(match &import.name {
        Some(name) if name != "*" => (source, vec![name.clone()]),
        Some(_) => (source, Vec::new()),
        // `import a.b` binds `a`.
        None if !import.aliased => {
            let top = source.split('.').next().unwrap_or_default();
            (top.to_string(), Vec::new())
        }
        None => (source, Vec::new()),
    })
}
