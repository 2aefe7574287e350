//! Loaded modules and the source they were loaded from.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hotswap_apply::Module;
use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::Kept;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyFunction, PyModule, PyString, PyType};
use rustc_hash::FxHashSet;

use crate::disk::{self, Content, FileState, Seen, Stamp};
use crate::session::Session;
use hotswap_watch::paths::canonical;

impl Session {
    /// Notes the modules that were loaded since the last look. True: some are being
    /// initialised and are left for the next look.
    pub(crate) fn note_modules(&mut self, py: Python<'_>) -> PyResult<bool> {
        let mut unfinished = false;
        let sys = py.import("sys")?;
        let modules = sys.getattr("modules")?.cast_into::<PyDict>()?;
        let begun = self.imports_begun.load(Ordering::SeqCst);
        let glance = self.glance_at(&sys, &modules, begun)?;
        if glance.is_some() && glance == self.glance {
            return Ok(false);
        }
        let mut new = Vec::new();
        // A copy: looking at a module may import others.
        for (name, module) in modules.copy()?.iter() {
            let (Ok(name), pointer) = (name.extract::<String>(), module.as_ptr() as usize) else {
                continue;
            };
            let spec = spec_pointer(&module);
            if self.seen.get(&name) == Some(&(pointer, spec)) {
                continue;
            }
            if is_initializing(&module) && name != "__main__" {
                unfinished = true;
                // What is on disk now was perhaps written after the loader had read it.
                self.overlapped.insert(name);
                continue;
            }
            self.seen.insert(name.clone(), (pointer, spec));
            new.push((name, module));
        }
        if !new.is_empty() {
            self.readers.look(py);
        }
        self.read_first(py, &new);
        for (name, module) in new {
            self.note_module(py, &name, &module)?;
        }
        self.first_read.clear();
        self.drop_replaced(py, &modules);
        // Looking at modules may have imported others.
        self.glance = match unfinished {
            true => None,
            false => glance.filter(|glance| glance.modules.len() == modules.len()),
        };
        self.work_out_imports(py);
        Ok(unfinished)
    }

    /// Reads the sources of new modules without the GIL, one by one: what is kept of each is small.
    fn read_first(&mut self, py: Python<'_>, new: &[(String, Bound<'_, PyAny>)]) {
        let files: FxHashSet<PathBuf> = new
            .iter()
            .filter_map(|(_, module)| Some(source_file(module)?.0))
            .filter(|file| self.coverage.covers(file) && !self.disk.files.contains_key(file))
            .collect();
        let disk = &self.disk;
        let read = py.detach(|| {
            let files = files.into_iter();
            files
                .filter_map(|file| {
                    let Seen::Changed(mut state) = disk.look(&file) else {
                        return None;
                    };
                    let words = state.bytes.pack();
                    Some((file, (state, words)))
                })
                .collect()
        });
        self.first_read = read;
    }

    /// Compresses the sources that were read in a hurry.
    pub(crate) fn pack_sources(&mut self, py: Python<'_>) {
        let files = self.disk.files.iter();
        let plain: Vec<(PathBuf, Kept)> = files
            .filter_map(|(path, state)| match &state.bytes {
                Content::Text(kept) => Some((path.clone(), kept.clone())),
                Content::Other(_) => None,
            })
            .collect();
        let packed: Vec<(PathBuf, Kept, Kept)> = py.detach(|| {
            let plain = plain.into_iter();
            plain
                .filter_map(|(path, kept)| kept.pack().map(|packed| (path, kept, packed)))
                .collect()
        });
        for (path, plain, packed) in packed {
            for at in self.world.modules.from_file(&path) {
                if self.world.modules[at].source.is(&plain) {
                    self.world.modules.note_source(at, packed.clone());
                }
            }
            if let Some(state) = self.disk.files.get_mut(&path) {
                state.bytes = Content::Text(packed);
            }
        }
    }

    /// What `sys.modules` holds, by addresses alone; None where imports would not be noticed.
    /// While neither this nor the number of imports has changed, no module is a new one.
    fn glance_at(
        &self,
        sys: &Bound<'_, PyModule>,
        modules: &Bound<'_, PyDict>,
        begun: u64,
    ) -> PyResult<Option<Glance>> {
        let finders = sys.getattr("meta_path")?;
        let notices = finders.try_iter()?.flatten().any(|finder| {
            hotswap_cpython::types::with_class_name(&finder, |name| name == b"NotingFinder")
        });
        if !notices {
            return Ok(None);
        }
        Ok(Some(Glance {
            begun,
            modules: hotswap_cpython::dicts::addresses(modules),
        }))
    }

    /// Looks through the sources of new modules for imports, without the GIL: the first
    /// update need not.
    fn work_out_imports(&mut self, py: Python<'_>) {
        let unread = self.world.modules.iter().enumerate();
        let texts: Vec<(usize, Text)> = unread
            .filter(|(_, module)| module.is_unread())
            .map(|(at, module)| (at, module.text().clone()))
            .collect();
        if texts.is_empty() {
            return;
        }
        let words: Vec<(usize, Box<[u64]>)> = py.detach(|| {
            let texts = texts.into_iter();
            texts
                .map(|(at, text)| (at, hotswap_apply::import_words(&text)))
                .collect()
        });
        for (at, words) in words {
            self.world.modules.note_import_words(at, words);
        }
    }

    fn note_module(
        &mut self,
        py: Python<'_>,
        name: &str,
        module: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let Some((file, code_file)) = source_file(module) else {
            if let Some(reason) = why_not(module) {
                self.uncovered.insert(name.to_string(), reason);
            }
            return Ok(());
        };
        if !self.coverage.covers(&file) && !is_inside_archive(&file) {
            return Ok(());
        }
        if is_inside_archive(&file) {
            let reason = "its source is inside an archive".to_string();
            self.uncovered.insert(name.to_string(), reason);
            return Ok(());
        }
        let Some(dict) = module
            .peek("__dict__")
            .ok()
            .and_then(|dict| dict.cast_into::<PyDict>().ok())
        else {
            return Ok(());
        };
        self.adopt(py, name.to_string(), file, code_file, module, &dict)
    }

    /// Adds a namespace that was loaded from a file to the watched ones.
    pub(crate) fn adopt(
        &mut self,
        py: Python<'_>,
        name: String,
        file: PathBuf,
        code_file: String,
        object: &Bound<'_, PyAny>,
        dict: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        let snapshot = self.disk.files.get(&file).cloned();
        let (newest, words) = match self.first_read.remove(&file) {
            Some((state, words)) => (Some(state), words),
            None => match self.disk.look(&file) {
                Seen::Changed(state) => (Some(state), None),
                _ => (None, None),
            },
        };
        let (state, certain) = choose_baseline(object, snapshot.clone(), newest.clone());
        // A file that was read before the import and is still the same is what was imported.
        let overlapped = self.overlapped.remove(&name);
        let certain =
            certain || (self.started && !overlapped && snapshot.is_some() && newest.is_none());
        let certain = certain && !self.doubts;
        let Some(state) = state else { return Ok(()) };
        let source = match &state.bytes {
            Content::Text(kept) => kept.clone(),
            Content::Other(_) => match disk::decode(py, &state.bytes) {
                Ok(text) => Kept::new(text),
                Err(_) => return Ok(()),
            },
        };
        if snapshot.is_none() {
            // What is there now, if it is something else, is found as a change later.
            self.disk.files.insert(file.clone(), state.clone());
        }
        if let Some(watcher) = &self.watcher {
            if let Some(directory) = file.parent() {
                watcher.watch_directory(directory);
            }
            watcher.track(&file, Some(state.hash));
        }
        let body = match &*name == "__main__" || !certain {
            true => running_body(py, dict),
            false => None,
        };
        // The code that runs says whether it was made from this text.
        let certain = certain
            || match &body {
                Some(body) => hotswap_apply::is_code_of(body, source.text(), &code_file)?,
                None => false,
            };
        hotswap_cpython::moving::make_room(dict, &name, body.as_ref())?;
        let mut module = Module::new(
            name,
            file,
            code_file,
            object.clone().unbind(),
            dict.clone().unbind(),
            source,
        );
        module.certain = certain;
        if body.is_none() {
            module.note_first_values(py, &self.readers);
        }
        if let Some(words) = words {
            module.note_import_words(words);
        }
        // Where size or second differ; a file that was only written anew may be the same.
        module.other = !certain
            && compiled_from(object).is_some_and(|header| header.key != pyc_key(&state.stamp));
        self.world.modules.note(module);
        Ok(())
    }

    /// Modules whose place in `sys.modules` another object has taken.
    fn drop_replaced(&mut self, py: Python<'_>, modules: &Bound<'_, PyDict>) {
        self.world.modules.retain(|module| {
            if module.file.as_os_str().is_empty() {
                return true;
            }
            match modules.get_item(&module.name) {
                Ok(Some(now)) => {
                    now.is(&module.object)
                        || !module
                            .object
                            .bind(py)
                            .is_instance_of::<pyo3::types::PyModule>()
                }
                _ => true,
            }
        });
    }

    /// Namespaces that hold functions of a file and belong to no known module: code
    /// that was loaded by path, by `runpy` or by `exec`.
    pub(crate) fn adopt_strays(&mut self, py: Python<'_>, file: &Path) -> PyResult<()> {
        let spellings: Vec<Bound<'_, PyString>> = vec![PyString::new(py, &file.to_string_lossy())];
        let Ok(functions) = hotswap_cpython::heap::functions_in_files(py, &spellings) else {
            return Ok(());
        };
        let modules = py
            .import("sys")?
            .getattr("modules")?
            .cast_into::<PyDict>()?;
        for function in functions {
            let globals = function.getattr("__globals__")?.cast_into::<PyDict>()?;
            if self.world.by_dict(globals.as_any()).is_some() {
                continue;
            }
            let Some(name) = globals
                .get_item("__name__")?
                .and_then(|name| name.extract::<String>().ok())
            else {
                continue;
            };
            // Its import will tell of it. While its body runs, a function of that code exists.
            let importing = modules.get_item(&name)?.is_some_and(|module| {
                is_initializing(&module)
                    && module.peek("__dict__").is_ok_and(|dict| dict.is(&globals))
            });
            if importing && name != "__main__" {
                continue;
            }
            let spelled: String = function
                .getattr("__code__")?
                .getattr("co_filename")?
                .extract()?;
            let owner = globals
                .get_item("__file__")?
                .and_then(|path| path.extract::<String>().ok())
                .is_some_and(|path| canonical(Path::new(&path)) == file);
            if owner {
                self.adopt(
                    py,
                    name,
                    file.to_path_buf(),
                    spelled,
                    globals.as_any(),
                    &globals,
                )?;
            }
        }
        Ok(())
    }
}

/// What was imported when modules were noted last.
#[derive(PartialEq, Eq)]
pub(crate) struct Glance {
    /// How many imports had begun in this process.
    begun: u64,
    /// Addresses of the names and objects in `sys.modules`.
    modules: Vec<(usize, usize)>,
}

/// Gives the code of all functions of a file the name of another file, as CPython does
/// with cached code that was moved. False: it cannot be done here.
pub(crate) fn move_code(py: Python<'_>, from: &str, to: &str) -> PyResult<bool> {
    if from == to {
        return Ok(true);
    }
    let Ok(rename) = py
        .import("_imp")
        .and_then(|imp| imp.getattr("_fix_co_filename"))
    else {
        return Ok(false);
    };
    let name = PyString::new(py, from);
    let Ok(functions) = hotswap_cpython::heap::functions_in_files(py, &[name]) else {
        return Ok(false);
    };
    for function in functions {
        rename.call1((function.getattr("__code__")?, to))?;
    }
    Ok(true)
}

/// The functions and classes of a module that has another name now say so.
pub(crate) fn move_home(
    py: Python<'_>,
    namespace: &Bound<'_, PyDict>,
    code_file: &str,
    from: &str,
    to: &str,
) -> PyResult<()> {
    if from == to {
        return Ok(());
    }
    let is_old = |home: &Bound<'_, PyAny>| home.extract::<String>().is_ok_and(|home| home == from);
    let to = PyString::intern(py, to);
    let file = PyString::new(py, code_file);
    for function in hotswap_cpython::heap::functions_in_files(py, &[file]).unwrap_or_default() {
        if function.getattr("__globals__")?.is(namespace)
            && is_old(&function.getattr("__module__")?)
        {
            function.setattr("__module__", &to)?;
        }
    }
    let mut due: Vec<Bound<'_, PyAny>> = namespace.values().iter().collect();
    while let Some(value) = due.pop() {
        // Also one that `functools.wraps` made to look like it.
        if value.is_instance_of::<PyFunction>() && is_old(&value.getattr("__module__")?) {
            value.setattr("__module__", &to)?;
        }
        let Ok(class) = value.cast_into::<PyType>() else {
            continue;
        };
        let members = hotswap_cpython::types::type_dict(&class);
        // A class that says so already has been here.
        if members
            .get_item("__module__")?
            .is_some_and(|home| is_old(&home))
        {
            let name = PyString::intern(py, "__module__");
            let set = hotswap_cpython::types::set_type_attribute(&class, &name, Some(to.as_any()));
            set.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
            due.extend(members.values().iter());
        }
    }
    Ok(())
}

/// The source that was really imported: the snapshot taken before, or what is on
/// disk now, by what the loader left behind (the header of the `.pyc` names size
/// and time of the source it was compiled from, see PEP 552).
fn choose_baseline(
    module: &Bound<'_, PyAny>,
    snapshot: Option<FileState>,
    newest: Option<FileState>,
) -> (Option<FileState>, bool) {
    // Without a header only a file that was there before the process is sure. The
    // start of the process is known to some hundredths of a second.
    let before_us = |state: &FileState| {
        crate::process::started_ns()
            .is_some_and(|start| state.stamp.changed_ns + 50_000_000 < start)
    };
    // The header names whole seconds: a file that was changed after the cached code was written may
    // have the same size and second, and is not what was imported.
    let header = compiled_from(module);
    let made_from = |state: &FileState| match &header {
        Some(header) => {
            header.key == pyc_key(&state.stamp)
                && (before_us(state) || state.stamp.changed_ns <= header.written_ns)
        }
        None => before_us(state),
    };
    match (snapshot, newest) {
        (Some(only), None) | (None, Some(only)) => {
            let certain = made_from(&only);
            (Some(only), certain)
        }
        (Some(snapshot), Some(newest)) => match &header {
            Some(_) if made_from(&newest) => (Some(newest), true),
            Some(header) => {
                let certain = header.key == pyc_key(&snapshot.stamp);
                (Some(snapshot), certain)
            }
            None => (Some(snapshot), false),
        },
        (None, None) => (None, false),
    }
}

fn pyc_key(stamp: &Stamp) -> (u32, u32) {
    (
        (stamp.modified_ns / 1_000_000_000) as u32,
        stamp.size as u32,
    )
}

/// What the cached code of a module says of the source it was made from.
struct Header {
    /// Modification time in seconds, and size in bytes.
    key: (u32, u32),
    /// When the cached code itself was written.
    written_ns: i128,
}

fn compiled_from(module: &Bound<'_, PyAny>) -> Option<Header> {
    let cached: String = module
        .peek("__spec__")
        .ok()?
        .getattr("cached")
        .ok()?
        .extract()
        .ok()?;
    let mut header = [0; 16];
    let mut file = std::fs::File::open(cached).ok()?;
    file.read_exact(&mut header).ok()?;
    let written = file.metadata().ok()?.modified().ok()?;
    let written = written.duration_since(std::time::UNIX_EPOCH).ok()?;
    let word = |at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?))
    };
    // Flags other than 0 mean that the header holds a hash of the source instead.
    if word(4)? != 0 {
        return None;
    }
    Some(Header {
        key: (word(8)?, word(12)?),
        written_ns: i128::try_from(written.as_nanos()).ok()?,
    })
}

fn spec_pointer(module: &Bound<'_, PyAny>) -> usize {
    match module.cast::<pyo3::types::PyModule>() {
        Ok(module) => module
            .dict()
            .get_item("__spec__")
            .ok()
            .flatten()
            .map_or(0, |spec| spec.as_ptr() as usize),
        Err(_) => 0,
    }
}

fn is_initializing(module: &Bound<'_, PyAny>) -> bool {
    let Ok(module) = module.cast::<pyo3::types::PyModule>() else {
        return false;
    };
    let Ok(Some(spec)) = module.dict().get_item("__spec__") else {
        return false;
    };
    spec.getattr("_initializing")
        .is_ok_and(|value| value.is_truthy().unwrap_or(false))
}

/// Path of the source and the spelling inside the code objects.
fn source_file(module: &Bound<'_, PyAny>) -> Option<(PathBuf, String)> {
    let dict = module.cast::<pyo3::types::PyModule>().ok()?.dict();
    let file: String = dict.get_item("__file__").ok()??.extract().ok()?;
    if !file.ends_with(".py") {
        return None;
    }
    Some((canonical(Path::new(&file)), file))
}

/// Why a module's source cannot be watched, for `doctor`.
fn why_not(module: &Bound<'_, PyAny>) -> Option<String> {
    let dict = module.cast::<pyo3::types::PyModule>().ok()?.dict();
    // A path with bytes that are no text: Python has put surrogates in their place.
    if let Ok(Some(file)) = dict.get_item("__file__")
        && file.is_instance_of::<PyString>()
        && file.extract::<String>().is_err()
    {
        return Some("its path is not Unicode text".to_string());
    }
    let spec = dict.get_item("__spec__").ok()??;
    let origin: Option<String> = spec.getattr("origin").ok()?.extract().ok()?;
    match origin.as_deref() {
        None | Some("built-in" | "frozen") => None,
        Some(origin) if origin.ends_with(".pyc") => Some("only its .pyc is there".to_string()),
        Some(origin) if origin.ends_with(".so") || origin.ends_with(".pyd") => {
            Some("an extension module".to_string())
        }
        Some(origin) => Some(format!("no source file ({origin})")),
    }
}

/// A path below a file: what `zipimport` gives its modules.
fn is_inside_archive(file: &Path) -> bool {
    file.parent()
        .is_some_and(|parent| !parent.is_dir() && parent.ancestors().any(Path::is_file))
}

/// A text that is shared with the baseline.
pub(crate) type Text = Arc<str>;

/// The code of a module's body where that still runs.
fn running_body<'py>(py: Python<'py>, dict: &Bound<'py, PyDict>) -> Option<Bound<'py, PyCode>> {
    let running = hotswap_cpython::frames::modules_in_progress(py).ok()?;
    let found = running.into_iter().find(|each| each.globals.is(dict));
    found.map(|each| each.code)
}
