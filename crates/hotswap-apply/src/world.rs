//! The watched modules, as the engine knows them.

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hotswap_plan::{Kept, Outline};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyWeakrefReference};

use rustc_hash::FxHashMap;

use crate::ahead::Ahead;
use crate::body::Body;
use crate::first_values::FirstValues;
use crate::import_words::import_words;
use crate::modules::Modules;
use crate::revive::Lost;
use crate::running::Lingering;

/// A watched module and the source it was last committed with.
pub struct Module {
    /// Key in `sys.modules` (or `__name__` where it is in none).
    pub name: String,
    /// Path of the source file.
    pub file: PathBuf,
    /// The file name inside its code objects.
    pub code_file: String,
    /// The module object.
    pub object: Py<PyAny>,
    /// Its namespace.
    pub dict: Py<PyDict>,
    /// The baseline's text.
    pub source: Kept,
    /// Whether the baseline is known to be what was imported.
    pub certain: bool,
    /// Whether the baseline is known *not* to be what was imported.
    pub other: bool,
    /// What its body runs, while it does.
    pub(crate) body: Option<Body>,
    /// What its names held at the end of its import.
    pub(crate) first: FirstValues,
    outline: OnceCell<Option<Arc<Outline>>>,
    words: OnceCell<Box<[u64]>>,
}

impl Module {
    /// A module whose baseline is `source`.
    #[must_use]
    pub fn new(
        name: String,
        file: PathBuf,
        code_file: String,
        object: Py<PyAny>,
        dict: Py<PyDict>,
        source: Kept,
    ) -> Module {
        Module {
            name,
            file,
            code_file,
            object,
            dict,
            source,
            certain: true,
            other: false,
            body: None,
            first: FirstValues::default(),
            outline: OnceCell::new(),
            words: OnceCell::new(),
        }
    }

    /// The baseline's text.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        self.source.text()
    }

    /// The parsed baseline; None if it does not parse.
    #[must_use]
    pub fn outline(&self) -> Option<Arc<Outline>> {
        self.outline
            .get_or_init(|| Outline::parse(self.text()).ok().map(Arc::new))
            .clone()
    }

    /// The parsed baseline, if somebody has asked for it; None else.
    #[must_use]
    pub fn outline_if_parsed(&self) -> Option<Arc<Outline>> {
        self.outline.get().cloned().flatten()
    }

    /// Notes what `outline` would work out.
    pub(crate) fn note_outline(&self, outline: Option<Arc<Outline>>) {
        // Where it is known already it is the same.
        let _ = self.outline.set(outline);
    }

    /// The words of its import statements, as hashes.
    pub(crate) fn import_words(&self) -> &[u64] {
        self.words.get_or_init(|| import_words(self.text()))
    }

    /// Whether what is to be had of the text without parsing it is not worked out yet.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.words.get().is_none()
    }

    /// Notes the words of its import statements, worked out elsewhere.
    pub fn note_import_words(&mut self, words: Box<[u64]>) {
        self.words = OnceCell::from(words);
    }

    /// Makes another source the baseline.
    pub(crate) fn set_baseline(&mut self, text: Arc<str>, outline: Option<Arc<Outline>>) {
        self.source = Kept::new(text);
        self.outline = OnceCell::new();
        self.words = OnceCell::new();
        if let Some(outline) = outline {
            // A cell that was made a line above is empty.
            let _ = self.outline.set(Some(outline));
        }
    }
}

/// Reads and parses a source; None where that cannot be done.
pub type ReadOutline = fn(&Path) -> Option<Arc<Outline>>;

/// A code object that was replaced, and the latest one; neither is kept alive.
pub(crate) struct Superseded {
    pub old: Py<PyWeakrefReference>,
    pub now: Py<PyWeakrefReference>,
}

/// All watched modules of one interpreter.
#[derive(Default)]
pub struct World {
    /// In the order in which they were noted.
    pub modules: Modules,
    /// Code objects that were left behind in an old version; kept alive so that
    /// no new object takes their address.
    pub(crate) retired: RefCell<Vec<Py<PyAny>>>,
    /// Code that was replaced and may still run, and what stands in its place by now.
    pub(crate) superseded: RefCell<Vec<Superseded>>,
    /// Old versions of definitions that calls were inside of when last looked at.
    pub(crate) lingering: RefCell<Vec<Lingering>>,
    /// What removed statements had made, oldest first.
    pub(crate) lost: RefCell<VecDeque<Lost>>,
    /// Values that could not be derived again when what they read changed, as they were
    /// left, by module and name.
    pub(crate) underived: RefCell<FxHashMap<(String, String), Py<PyAny>>>,
    /// Code that was compiled for an update that has not begun.
    pub(crate) ahead: RefCell<Option<Ahead>>,
    /// Packages whose registries a plugin looks after.
    pub owned_packages: Vec<String>,
    /// Names of modules whose files have just come into being.
    pub appeared: Vec<String>,
    /// Reads and parses a source that is not loaded. None: it is not there.
    pub(crate) read_outline: Option<ReadOutline>,
}

impl World {
    /// A world without modules that reads and parses files which are not loaded by
    /// `read_outline`; None from there: it cannot be had.
    #[must_use]
    pub fn reading(read_outline: ReadOutline) -> World {
        World {
            read_outline: Some(read_outline),
            ..World::default()
        }
    }

    /// Index of the module with this namespace.
    #[must_use]
    pub fn by_dict(&self, dict: &Bound<'_, PyAny>) -> Option<usize> {
        self.modules.of_namespace(dict.as_ptr() as usize)
    }

    /// Index of the module registered as `name`.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<usize> {
        self.modules.named(name)
    }
}
