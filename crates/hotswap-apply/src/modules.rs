//! The list of watched modules, found by file, name, namespace or by what they import.
//!
//! An update asks for one of thousands. So there is an index, which every change of the
//! list drops and the next question makes again; a new baseline changes only what the
//! index says of that module's imports.

use std::cell::{OnceCell, RefCell};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;

use hotswap_plan::{Kept, Outline};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::body::Body;
use crate::import_words::{Word, word};
use crate::world::Module;

/// Watched modules, in the order in which they were noted.
#[derive(Default)]
pub struct Modules {
    list: Vec<Module>,
    index: OnceCell<Index>,
}

struct Index {
    by_file: FxHashMap<u64, Vec<usize>>,
    by_name: FxHashMap<u64, Vec<usize>>,
    by_dict: FxHashMap<usize, usize>,
    /// The modules whose import statements hold a word.
    by_word: RefCell<Option<FxHashMap<Word, Vec<usize>>>>,
}

impl Deref for Modules {
    type Target = [Module];

    fn deref(&self) -> &[Module] {
        &self.list
    }
}

/// Whoever gets a module this way may give it another name or file: the index is dropped.
impl DerefMut for Modules {
    fn deref_mut(&mut self) -> &mut [Module] {
        self.index = OnceCell::new();
        &mut self.list
    }
}

impl Modules {
    /// Adds a module at the end.
    pub fn push(&mut self, module: Module) {
        self.index = OnceCell::new();
        self.list.push(module);
    }

    /// Adds a module; one with the same namespace gives its place up.
    pub fn note(&mut self, module: Module) {
        let same = self.of_namespace(module.dict.as_ptr() as usize);
        self.index = OnceCell::new();
        match same {
            Some(at) => self.list[at] = module,
            None => self.list.push(module),
        }
    }

    /// Notes what the body of a module runs.
    pub(crate) fn set_body(&mut self, at: usize, body: Body) {
        self.list[at].body = Some(body);
    }

    /// Takes a module out of the list.
    pub fn remove(&mut self, at: usize) -> Module {
        self.index = OnceCell::new();
        self.list.remove(at)
    }

    /// Keeps those for which `keep` is true.
    pub fn retain(&mut self, keep: impl FnMut(&Module) -> bool) {
        let before = self.list.len();
        self.list.retain(keep);
        if self.list.len() != before {
            self.index = OnceCell::new();
        }
    }

    /// Notes the words of a module's import statements, worked out elsewhere.
    pub fn note_import_words(&mut self, at: usize, words: Box<[Word]>) {
        if let Some(module) = self.list.get_mut(at) {
            module.note_import_words(words);
        }
    }

    /// Notes the text of a module's baseline in another form.
    pub fn note_source(&mut self, at: usize, source: Kept) {
        if let Some(module) = self.list.get_mut(at) {
            module.source = source;
        }
    }

    /// Notes the outline of a module's baseline, worked out elsewhere.
    pub fn note_outline(&self, at: usize, outline: Option<Arc<Outline>>) {
        if let Some(module) = self.list.get(at) {
            module.note_outline(outline);
        }
    }

    /// Makes another source the baseline of a module.
    pub fn set_baseline(&mut self, at: usize, text: Arc<str>, outline: Option<Arc<Outline>>) {
        let Some(module) = self.list.get_mut(at) else {
            return;
        };
        let known = self.index.get().map(|index| index.by_word.borrow_mut());
        let Some(mut known) = known.filter(|by_word| by_word.is_some()) else {
            return module.set_baseline(text, outline);
        };
        let before: FxHashSet<Word> = module.import_words().iter().copied().collect();
        module.set_baseline(text, outline);
        let after: FxHashSet<Word> = module.import_words().iter().copied().collect();
        if let Some(by_word) = &mut *known {
            for gone in before.difference(&after) {
                if let Some(holders) = by_word.get_mut(gone) {
                    holders.retain(|other| *other != at);
                }
            }
            for new in after.difference(&before) {
                by_word.entry(*new).or_default().push(at);
            }
        }
    }

    /// The modules that were loaded from a file.
    #[must_use]
    pub fn from_file(&self, file: &Path) -> Vec<usize> {
        let found = self.index().by_file.get(&word(&file.as_os_str()));
        let found = found.map_or(&[][..], Vec::as_slice).iter().copied();
        found.filter(|at| self.list[*at].file == file).collect()
    }

    /// Whether a module was loaded from a file.
    #[must_use]
    pub fn has_file(&self, file: &Path) -> bool {
        !self.from_file(file).is_empty()
    }

    /// The first module of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<usize> {
        let found = self.index().by_name.get(&word(&name))?;
        let mut found = found.iter().copied();
        found.find(|at| self.list[*at].name == name)
    }

    /// The module whose namespace is at this address.
    #[must_use]
    pub fn of_namespace(&self, address: usize) -> Option<usize> {
        self.index().by_dict.get(&address).copied()
    }

    /// The modules whose import statements hold one of these words, in the order of the list.
    pub(crate) fn importing(&self, words: &[Word]) -> Vec<usize> {
        let mut by_word = self.index().by_word.borrow_mut();
        let by_word = by_word.get_or_insert_with(|| {
            let mut by_word: FxHashMap<Word, Vec<usize>> = FxHashMap::default();
            for (at, module) in self.list.iter().enumerate() {
                for word in module.import_words() {
                    by_word.entry(*word).or_default().push(at);
                }
            }
            by_word
        });
        let mut found: Vec<usize> = words
            .iter()
            .filter_map(|word| by_word.get(word))
            .flatten()
            .copied()
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let mut index = Index {
                by_file: FxHashMap::default(),
                by_name: FxHashMap::default(),
                by_dict: FxHashMap::default(),
                by_word: RefCell::default(),
            };
            for (at, module) in self.list.iter().enumerate() {
                let (file, name) = (word(&module.file.as_os_str()), word(&module.name.as_str()));
                index.by_file.entry(file).or_default().push(at);
                index.by_name.entry(name).or_default().push(at);
                let address = module.dict.as_ptr() as usize;
                index.by_dict.entry(address).or_insert(at);
            }
            index
        })
    }
}
