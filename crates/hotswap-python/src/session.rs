//! One update, from changed files to a report. Reads top to bottom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hotswap_apply::{
    Applicable, Comparison, Edit, Failure, Group, Options, Outcome, World, applicable, update,
};
use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{DecodeProblem, Outline};
use hotswap_watch::{ContentHash, Watcher};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::clock::Clock;
use crate::coverage::Coverage;
use crate::departures::Waiting;
use crate::disk::{self, Disk, Seen};
use crate::groups::groups;
use crate::history::{FileChange, History};
use crate::modules::{Glance, Text};
use crate::reading::Read;
use crate::report::{GroupReport, ReportData, RunningBody};

/// How long a file that does not parse is waited for: it may be in the middle of a save.
const SETTLE: Duration = Duration::from_millis(60);

/// What the watcher has seen in files when it announced them.
pub(crate) type Contents = FxHashMap<PathBuf, ContentHash>;

/// By file.
type FirstRead = FxHashMap<PathBuf, (disk::FileState, Option<Box<[u64]>>)>;

/// Settings of a session.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub options: Options,
    pub import_new: bool,
    pub history: usize,
    /// Bytes of earlier sources to keep.
    pub history_bytes: usize,
}

/// What the engine knows between updates.
pub(crate) struct Session {
    pub settings: Settings,
    pub coverage: Coverage,
    pub disk: Disk,
    pub world: World,
    pub watcher: Option<Watcher>,
    /// The modules that were loaded before have been noted.
    pub started: bool,
    /// What this interpreter can do has been tested.
    pub tested: bool,
    /// What the modules that are loaded were made of cannot be told from their files.
    pub doubts: bool,
    pub seen: FxHashMap<String, (usize, usize)>,
    pub uncovered: BTreeMap<String, String>,
    /// By what modules are known that read files of packages.
    pub readers: hotswap_apply::Readers,
    /// What was just read of the files of new modules, and the words of its imports.
    pub first_read: FirstRead,
    /// Modules that were being imported while files were read.
    pub overlapped: FxHashSet<String>,
    pub generation: u64,
    pub history: History,
    /// Files whose content on disk is not what runs, and the generation that does.
    pub pinned: BTreeMap<PathBuf, u64>,
    pub rejected: FxHashMap<PathBuf, Rejected>,
    /// What was parsed while waiting for a save to be whole.
    pub parsed: FxHashMap<PathBuf, Read>,
    /// How long the present update has held the GIL.
    pub clock: Clock,
    /// How long the next update has held the GIL before it began.
    pub ahead: Duration,
    /// What the last update has no more use for, to be freed without the GIL.
    pub spent: Vec<Group>,
    /// The imports that began in the thread that updates.
    pub began: Arc<Mutex<Vec<String>>>,
    /// How many imports have begun, in any thread.
    pub imports_begun: Arc<AtomicU64>,
    /// What the last look at the modules saw.
    pub glance: Option<Glance>,
    /// Modules whose file is gone; they come back with it.
    pub detached: Vec<hotswap_apply::Module>,
    /// Files that are gone, and whose modules stay until a refused group is applied.
    pub waiting: Vec<Waiting>,
}

/// A file whose present content was refused.
#[derive(Clone)]
pub(crate) struct Rejected {
    hash: ContentHash,
    missing: Vec<String>,
    group: Vec<PathBuf>,
    /// Files of modules that it tried to import.
    tried: Vec<PathBuf>,
    /// It was only held: every later update tries it again.
    pub again: bool,
}

/// A changed file on its way to an edit.
pub(crate) struct FileEdit {
    pub(crate) path: PathBuf,
    pub(crate) modules: Vec<usize>,
    text: Option<Text>,
    pub(crate) outline: Option<Arc<Outline>>,
    comparison: Option<Arc<Comparison>>,
    problem: Option<Failure>,
    held: bool,
    /// The text is the baseline's, but what runs is something else.
    forced: bool,
}

impl Session {
    pub(crate) fn new(settings: Settings, coverage: Coverage) -> Session {
        Session {
            history: History::new(settings.history, settings.history_bytes),
            pinned: BTreeMap::new(),
            settings,
            coverage,
            disk: Disk::default(),
            world: World::reading(disk::read_outline),
            watcher: None,
            started: false,
            tested: false,
            doubts: false,
            seen: FxHashMap::default(),
            uncovered: BTreeMap::new(),
            readers: hotswap_apply::Readers::default(),
            first_read: FirstRead::default(),
            overlapped: FxHashSet::default(),
            generation: 0,
            rejected: FxHashMap::default(),
            parsed: FxHashMap::default(),
            clock: Clock::new(),
            ahead: Duration::ZERO,
            spent: Vec::new(),
            began: Arc::default(),
            imports_begun: Arc::default(),
            glance: None,
            detached: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Takes over what another session knows; it keeps its watcher.
    pub(crate) fn inherit(&mut self, other: &mut Session) {
        self.disk = std::mem::take(&mut other.disk);
        self.world = std::mem::take(&mut other.world);
        self.seen = std::mem::take(&mut other.seen);
        self.glance = None;
        if self.coverage.roots != other.coverage.roots {
            // What the other engine did not cover was never looked at for this one.
            let modules = &self.world.modules;
            self.seen
                .retain(|name, _| modules.iter().any(|module| module.name == *name));
        }
        self.rejected = std::mem::take(&mut other.rejected);
        self.detached = std::mem::take(&mut other.detached);
        self.waiting = std::mem::take(&mut other.waiting);
    }

    /// Applies all that differs on disk now.
    pub(crate) fn sync(&mut self, py: Python<'_>) -> PyResult<ReportData> {
        self.clock = Clock::after(self.ahead);
        self.note_modules(py)?;
        let mut paths: FxHashSet<PathBuf> = self.disk.files.keys().cloned().collect();
        paths.extend(self.coverage.files());
        self.apply_paths(py, paths.into_iter().collect(), None)
    }

    /// Applies what the watcher has announced.
    pub(crate) fn apply_announced(
        &mut self,
        py: Python<'_>,
        paths: Vec<PathBuf>,
        contents: &Contents,
    ) -> PyResult<Option<ReportData>> {
        self.clock = Clock::after(self.ahead);
        self.note_modules(py)?;
        if paths.is_empty()
            && !self.is_held()
            && self.world.modules.iter().all(|module| module.certain)
        {
            return Ok(None);
        }
        let report = self.apply_paths(py, paths, Some(contents))?;
        Ok((report.status() != "unchanged").then_some(report))
    }

    /// Whether an update waits for running code to leave what it changes.
    pub(crate) fn is_held(&self) -> bool {
        self.rejected.values().any(|rejected| rejected.again)
    }

    /// `announced` is what the watcher has seen in some of these files, where it was the
    /// watcher that named them.
    fn apply_paths(
        &mut self,
        py: Python<'_>,
        mut paths: Vec<PathBuf>,
        announced: Option<&Contents>,
    ) -> PyResult<ReportData> {
        let started = Instant::now();
        let ahead = std::mem::take(&mut self.ahead);
        let all = started.checked_sub(ahead).unwrap_or(started);
        let mut report = ReportData::new(self.generation);
        hotswap_apply::settle_bodies(py, &mut self.world);
        paths.extend(self.waiting_paths());
        paths.sort();
        paths.dedup();
        // What the watcher saw last has mostly been read ahead: the file need not be read again.
        let mut looked: Vec<(PathBuf, Seen)> = Vec::new();
        paths.retain(|path| {
            let seen = announced.and_then(|contents| contents.get(path));
            let read = self.parsed.get(path);
            match read.filter(|read| Some(&read.hash) == seen) {
                Some(read) => looked.push((path.clone(), Seen::Changed(read.state.clone()))),
                None => return true,
            }
            false
        });
        if !paths.is_empty() {
            let (coverage, disk) = (&self.coverage, &self.disk);
            looked.extend(self.clock.detached(py, || look(coverage, disk, &paths)));
            looked.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        self.hold_back_departures(&mut looked);
        report.time("read", started);

        let parsing = Instant::now();
        let mut edits = self.read_edits(py, looked, announced.is_some(), &mut report)?;
        self.retry_rejected(py, &mut edits, &report.differing)?;
        self.add_uncertain(py, &mut edits, &mut report)?;
        if announced.is_none() {
            self.add_readers(&mut edits);
        }
        report.time("parse", parsing);
        if edits.is_empty() {
            self.note_generation(&mut report);
            self.parsed.clear();
            report.time("total", all);
            report.note_held(self.clock.read());
            return Ok(report);
        }

        let applying = Instant::now();
        let known = loaded_modules(py)?;
        let finders = finders(py)?.copy()?;
        if report.new_files {
            py.import("importlib")?.call_method0("invalidate_caches")?;
        }
        for group in groups(&self.world, edits, &report.departures) {
            self.clock.give_way(py);
            self.apply_group(py, group, &mut report)?;
        }
        self.commit_groups(py, &mut report, &known, self.settings.options)?;
        self.follow_bodies(py, &mut report)?;
        self.undo_departures(py, &mut report)?;
        if !report.refused_files().is_empty() {
            self.forget_finders(py, &finders)?;
        }
        self.note_generation(&mut report);
        report.time("apply", applying);
        if sys_modules(py)?.len() != known.len() {
            self.note_modules(py)?;
        }
        // What was read ahead for groups that came to nothing is read again.
        self.parsed.clear();
        self.world.forget_ahead();
        report.time("total", all);
        report.note_held(self.clock.read());
        Ok(report)
    }

    /// Turns what was found on disk into edits of loaded modules.
    fn read_edits(
        &mut self,
        py: Python<'_>,
        looked: Vec<(PathBuf, Seen)>,
        background: bool,
        report: &mut ReportData,
    ) -> PyResult<Vec<FileEdit>> {
        self.read_ahead(
            py,
            looked.iter().filter_map(|(path, seen)| match seen {
                Seen::Changed(state) => Some((path, state)),
                _ => None,
            }),
        );
        let mut gone = Vec::new();
        let mut changed = Vec::new();
        let mut appeared = Vec::new();
        for (path, seen) in looked {
            self.clock.give_way(py);
            match seen {
                Seen::Same => {}
                Seen::Gone => gone.push(path),
                Seen::Unreadable(error) => {
                    report.notes.push(format!(
                        "{} cannot be read: {error}; the loaded code keeps running",
                        path.display()
                    ));
                }
                Seen::Changed(mut state) => {
                    let known = self.disk.files.get(&path).map(|known| known.hash);
                    if known != Some(state.hash) && background {
                        state = self.settled(py, &path, state);
                    }
                    let differs = known != Some(state.hash);
                    if differs && known.is_some() && !self.world.modules.has_file(&path) {
                        // While the old text is still at hand: it is their baseline.
                        self.adopt_strays(py, &path)?;
                    }
                    self.disk.files.insert(path.clone(), state);
                    if differs {
                        report.differing.push(path.clone());
                        self.reattach(py, &path)?;
                        if !self.world.modules.has_file(&path) {
                            self.adopt_strays(py, &path)?;
                        }
                        report.new_files |= known.is_none();
                        if known.is_none() && !self.world.modules.has_file(&path) {
                            appeared.push(path);
                        } else {
                            changed.push(path);
                        }
                    }
                }
            }
        }
        for path in gone {
            self.file_gone(py, &path, &appeared, report)?;
        }
        for path in &appeared {
            // It was moved there, and may have been edited on the way.
            if self.world.modules.has_file(path) {
                changed.push(path.clone());
            }
        }
        // Only now, when no module leaves the list any more, are they known by number.
        let mut edits = Vec::new();
        for path in &changed {
            self.clock.give_way(py);
            edits.extend(self.edit_of(py, path)?);
        }
        edits.extend(self.awaiting(py, &appeared, &changed)?);
        self.import_new(py, appeared, report)?;
        Ok(edits)
    }

    /// Modules that had tried in vain to import what has just appeared.
    fn awaiting(
        &mut self,
        py: Python<'_>,
        appeared: &[PathBuf],
        changed: &[PathBuf],
    ) -> PyResult<Vec<FileEdit>> {
        let mut names = Vec::new();
        for path in appeared {
            names.extend(self.module_name(py, path)?);
        }
        let mut paths: Vec<PathBuf> = Vec::new();
        if !names.is_empty() {
            for module in self.world.modules.iter() {
                if !changed.contains(&module.file)
                    && !paths.contains(&module.file)
                    && hotswap_apply::awaits(py, module, &names)?
                {
                    paths.push(module.file.clone());
                }
            }
        }
        self.world.appeared = names;
        let mut edits = Vec::new();
        for path in paths {
            if let Some(mut edit) = self.edit_of(py, &path)? {
                edit.forced = true;
                edits.push(edit);
            }
        }
        Ok(edits)
    }

    /// Waits for a file that does not parse to change again: it may be half written.
    fn settled(&mut self, py: Python<'_>, path: &Path, state: disk::FileState) -> disk::FileState {
        let mut state = state;
        let deadline = Instant::now() + SETTLE;
        loop {
            let known = self.parsed.get(path);
            if known.is_some_and(|known| known.hash == state.hash) {
                return state;
            }
            if let Ok(text) = disk::decode(py, &state.bytes)
                && let Ok(outline) = self.parse(py, path, &text)
            {
                let read = Read {
                    hash: state.hash,
                    state: state.clone(),
                    text,
                    outline: Arc::new(outline),
                    comparison: None,
                };
                self.parsed.insert(path.to_path_buf(), read);
                return state;
            }
            if Instant::now() >= deadline {
                return state;
            }
            self.clock
                .detached(py, || std::thread::sleep(Duration::from_millis(5)));
            let probe = Disk {
                files: [(path.to_path_buf(), state.clone())].into_iter().collect(),
            };
            if let Seen::Changed(newer) = probe.look(path) {
                state = newer;
            }
        }
    }

    /// Parses a text without the GIL; what is as in the baseline is taken from there.
    fn parse(
        &mut self,
        py: Python<'_>,
        path: &Path,
        text: &str,
    ) -> Result<Outline, hotswap_plan::SyntaxProblem> {
        let baseline = self.world.modules.from_file(path).first().copied();
        let baseline = baseline.and_then(|at| {
            let module = &self.world.modules[at];
            Some((module.text().clone(), module.outline()?))
        });
        self.clock.detached(py, || {
            Outline::parse_after(
                text,
                baseline
                    .as_ref()
                    .map(|(text, outline)| (&**text, &**outline)),
            )
        })
    }

    /// The edit that a file's present content is for the modules loaded from it.
    fn edit_of(&mut self, py: Python<'_>, path: &Path) -> PyResult<Option<FileEdit>> {
        let modules = self.world.modules.from_file(path);
        let (Some(first), Some(state)) = (modules.first(), self.disk.files.get(path)) else {
            return Ok(None);
        };
        let baseline = self.world.modules[*first].text().clone();
        let (hash, bytes) = (state.hash, state.bytes.clone());
        let known = self.parsed.remove(path).filter(|known| known.hash == hash);
        let mut edit = FileEdit {
            path: path.to_path_buf(),
            modules,
            text: None,
            outline: None,
            comparison: None,
            problem: None,
            held: false,
            forced: false,
        };
        if let Some(read) = known
            && !read.text.trim().is_empty()
        {
            edit.text = Some(read.text);
            edit.outline = Some(read.outline);
            edit.comparison = read.comparison;
            return Ok(Some(edit));
        }
        match disk::decode(py, &bytes) {
            Err(problem) => edit.problem = Some(decode_failure(path, &problem)),
            Ok(text) => {
                if text.trim().is_empty() && !baseline.trim().is_empty() {
                    edit.held = true;
                } else {
                    match self.parse(py, path, &text) {
                        Ok(outline) => edit.outline = Some(Arc::new(outline)),
                        Err(problem) => {
                            edit.problem = Some(syntax_failure(py, path, &bytes, &problem)?)
                        }
                    }
                    edit.text = Some(text);
                }
            }
        }
        Ok(Some(edit))
    }

    /// Modules whose file changed between their import and the first look: what the
    /// live module shows is compared with the file.
    fn add_uncertain(
        &mut self,
        py: Python<'_>,
        edits: &mut Vec<FileEdit>,
        report: &mut ReportData,
    ) -> PyResult<()> {
        let due: Vec<usize> = (0..self.world.modules.len())
            .filter(|at| !self.world.modules[*at].certain)
            .collect();
        for index in due {
            let module = &mut self.world.modules[index];
            module.certain = true;
            if !hotswap_apply::reconcile_module(py, module)? {
                continue;
            }
            let path = module.file.clone();
            report.notes.push(format!(
                "{} changed between its import and the first look at it: its functions and plain values were compared with the running ones",
                path.display()
            ));
            let text = module.text().clone();
            if edits.iter().any(|edit| edit.path == path) {
                continue;
            }
            let outline = disk::outline(&text);
            edits.push(FileEdit {
                path,
                modules: vec![index],
                text: Some(text),
                outline,
                comparison: None,
                problem: None,
                held: false,
                forced: true,
            });
        }
        Ok(())
    }

    /// Modules that ask for versions of packages, where some were installed meanwhile: no
    /// source need have changed.
    fn add_readers(&self, edits: &mut Vec<FileEdit>) {
        for (index, module) in self.world.modules.iter().enumerate() {
            let is_known = edits.iter().any(|edit| edit.path == module.file);
            if is_known || !module.reads_other_metadata() {
                continue;
            }
            let text = module.text().clone();
            edits.push(FileEdit {
                path: module.file.clone(),
                modules: vec![index],
                outline: disk::outline(&text),
                text: Some(text),
                comparison: None,
                problem: None,
                held: false,
                forced: true,
            });
        }
    }

    /// Files that were refused before are tried again when something they wait for changed.
    fn retry_rejected(
        &mut self,
        py: Python<'_>,
        edits: &mut Vec<FileEdit>,
        differing: &[PathBuf],
    ) -> PyResult<()> {
        let changed: Vec<PathBuf> = edits.iter().map(|edit| edit.path.clone()).collect();
        let due: Vec<PathBuf> = self
            .rejected
            .iter()
            .filter(|(path, rejected)| {
                !changed.contains(path)
                    && self
                        .disk
                        .files
                        .get(*path)
                        .is_some_and(|state| state.hash == rejected.hash)
                    && (rejected.again
                        || rejected.group.iter().any(|member| changed.contains(member))
                        || rejected.tried.iter().any(|file| differing.contains(file))
                        || rejected.missing.iter().any(|name| self.is_there(name)))
            })
            .map(|(path, _)| path.clone())
            .collect();
        for path in due {
            if let Some(edit) = self.edit_of(py, &path)? {
                edits.push(edit);
            }
        }
        Ok(())
    }

    /// The watched files that modules of these names may have come from.
    fn files_of_modules(&self, names: &[String]) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for name in names {
            let parts: PathBuf = name.split('.').collect();
            let (file, package) = (parts.with_extension("py"), parts.join("__init__.py"));
            let files = self.disk.files.keys();
            found.extend(
                files
                    .filter(|path| path.ends_with(&file) || path.ends_with(&package))
                    .cloned(),
            );
        }
        found
    }

    /// Whether a file for a module of this name is among the watched ones.
    fn is_there(&self, name: &str) -> bool {
        let parts: PathBuf = name.split('.').collect();
        let (file, package) = (parts.with_extension("py"), parts.join("__init__.py"));
        self.disk
            .files
            .keys()
            .any(|path| path.ends_with(&file) || path.ends_with(&package))
    }

    /// With `only_import_exist=False` new files are imported at once.
    fn import_new(
        &mut self,
        py: Python<'_>,
        appeared: Vec<PathBuf>,
        report: &mut ReportData,
    ) -> PyResult<()> {
        if !self.settings.import_new {
            return Ok(());
        }
        for path in appeared {
            let Some(name) = self.module_name(py, &path)? else {
                continue;
            };
            py.import("importlib")?.call_method0("invalidate_caches")?;
            if let Err(error) = py.import(name.as_str()) {
                report.notes.push(format!(
                    "{}: the new module could not be imported: {error}",
                    path.display()
                ));
            } else {
                report.files.push(path.clone());
                report.groups.push(GroupReport::imported(&path, &name));
                report.behaviour = true;
                report.committed.push(FileChange {
                    before: None,
                    after: self
                        .disk
                        .files
                        .get(&path)
                        .and_then(|state| disk::decode(py, &state.bytes).ok()),
                    file: path,
                });
            }
        }
        Ok(())
    }

    /// The name under which a file would be imported, from `sys.path`.
    pub(crate) fn module_name(&self, py: Python<'_>, path: &Path) -> PyResult<Option<String>> {
        let folders: Vec<String> = py
            .import("sys")?
            .getattr("path")?
            .try_iter()?
            .flatten()
            .filter_map(|entry| entry.extract().ok())
            .collect();
        let mut best: Option<(usize, String)> = None;
        for folder in folders {
            let folder = hotswap_watch::paths::canonical(Path::new(if folder.is_empty() {
                "."
            } else {
                &folder
            }));
            let Ok(relative) = path.strip_prefix(&folder) else {
                continue;
            };
            let mut parts: Vec<String> = relative
                .with_extension("")
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            if parts.last().is_some_and(|last| last == "__init__") {
                parts.pop();
            }
            if parts.is_empty() || !parts.iter().all(|part| is_identifier(part)) {
                continue;
            }
            if best
                .as_ref()
                .is_none_or(|(length, _)| parts.len() < *length)
            {
                best = Some((parts.len(), parts.join(".")));
            }
        }
        Ok(best.map(|(_, name)| name))
    }

    /// A group with a file that cannot be read or parsed is refused at once.
    fn apply_group(
        &mut self,
        py: Python<'_>,
        group: Vec<FileEdit>,
        report: &mut ReportData,
    ) -> PyResult<()> {
        let files: Vec<PathBuf> = group.iter().map(|edit| edit.path.clone()).collect();
        if let Some(problem) = group.iter().find_map(|edit| edit.problem.clone()) {
            self.reject(py, &files, &problem)?;
            report.groups.push(GroupReport::rejected(files, problem));
            return Ok(());
        }
        if group.iter().any(|edit| edit.held) {
            for edit in &group {
                self.pin_lines(py, &edit.path)?;
            }
            report.groups.push(GroupReport::held(files));
            return Ok(());
        }
        let mut edits = Vec::new();
        for edit in group {
            let (Some(text), Some(outline)) = (edit.text, edit.outline) else {
                continue;
            };
            for module in edit.modules {
                if !edit.forced && *self.world.modules[module].text() == text {
                    continue;
                }
                let dict = self.world.modules[module].dict.clone_ref(py);
                let mut running = |pending| {
                    report.bodies.push(RunningBody {
                        file: edit.path.clone(),
                        dict: dict.clone_ref(py),
                        text: text.clone(),
                        pending,
                    });
                };
                let world = &mut self.world;
                let (now, outline, comparison) =
                    match applicable(py, world, module, &text, &outline) {
                        Applicable::Whole { in_guard } => {
                            if in_guard {
                                running(None);
                            }
                            (text.clone(), outline.clone(), edit.comparison.clone())
                        }
                        Applicable::Part(part) => {
                            running(Some(part.pending));
                            if *self.world.modules[module].text() == part.text {
                                continue;
                            }
                            (part.text, part.outline, None)
                        }
                    };
                edits.push(Edit {
                    module,
                    text: now,
                    outline,
                    comparison,
                });
            }
        }
        if edits.is_empty() {
            if report.bodies.iter().any(|body| files.contains(&body.file)) {
                return Ok(());
            }
            for file in &files {
                self.rejected.remove(file);
                self.pinned.remove(file);
            }
            self.refresh_lines(py, &files)?;
            return Ok(());
        }
        report.due.push(Group { edits });
        Ok(())
    }

    /// Prepares and commits all groups, and notes what became of them.
    pub(crate) fn commit_groups(
        &mut self,
        py: Python<'_>,
        report: &mut ReportData,
        known: &Bound<'_, PyDict>,
        options: Options,
    ) -> PyResult<()> {
        let groups = std::mem::take(&mut report.due);
        if groups.is_empty() {
            return Ok(());
        }
        if !self.tested {
            // The self-tests run Python code; the commit must not be the one to do it.
            hotswap_cpython::capabilities(py);
            self.tested = true;
        }
        let before: Vec<Vec<FileChange>> = groups
            .iter()
            .map(|group| {
                group
                    .edits
                    .iter()
                    .map(|edit| {
                        let module = &self.world.modules[edit.module];
                        FileChange {
                            file: module.file.clone(),
                            before: Some(module.text().clone()),
                            after: Some(edit.text.clone()),
                        }
                    })
                    .collect()
            })
            .collect();
        self.world.owned_packages = owned_packages(py);
        let began = self.began.clone();
        let imported = move || {
            let mut began = began.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *began)
        };
        let clock = &mut self.clock;
        let mut give_way = || clock.give_way(py);
        let outcomes = update(
            py,
            &mut self.world,
            &groups,
            options,
            &imported,
            &mut give_way,
        );
        self.spent = groups;
        let kept: FxHashSet<String> = outcomes
            .iter()
            .filter(|outcome| outcome.failure.is_none())
            .flat_map(|outcome| outcome.imported.iter().cloned())
            .collect();
        for (outcome, files) in outcomes.into_iter().zip(before) {
            self.clock.give_way(py);
            if outcome.held {
                let waiting = Failure::default();
                self.reject(py, &outcome.files, &waiting)?;
                for file in &outcome.files {
                    if let Some(rejected) = self.rejected.get_mut(file) {
                        rejected.again = true;
                    }
                }
                report.groups.push(GroupReport::waiting(outcome));
                continue;
            }
            match &outcome.failure {
                Some(failure) => {
                    let failure = failure.clone();
                    self.forget_imported(py, known, &outcome.imported, &kept)?;
                    self.reject(py, &outcome.files, &failure)?;
                    let tried: Vec<PathBuf> = self.files_of_modules(&outcome.imported);
                    for file in &outcome.files {
                        if let Some(rejected) = self.rejected.get_mut(file) {
                            rejected.tried.clone_from(&tried);
                        }
                    }
                    let refused = GroupReport::rolled_back(outcome.files, failure, outcome.notes);
                    report.groups.push(refused);
                }
                None => {
                    for file in &outcome.files {
                        self.rejected.remove(file);
                    }
                    self.refresh_lines(py, &outcome.files)?;
                    for file in &outcome.files {
                        self.pinned.remove(file);
                    }
                    report.behaviour |= !outcome.changes.is_empty();
                    report.committed.extend(files);
                    // All groups are committed in one stretch.
                    report.pause_ms = report.pause_ms.max(outcome.commit_ms);
                    report.scan_ms += outcome.scan_ms;
                    report.prepare_ms += outcome.prepare_ms;
                    report.groups.push(GroupReport::applied(outcome));
                }
            }
        }
        Ok(())
    }

    /// Bodies that are still running go on in their new source where they can; what of it
    /// could not be applied is tried again.
    fn follow_bodies(&mut self, py: Python<'_>, report: &mut ReportData) -> PyResult<()> {
        for body in std::mem::take(&mut report.bodies) {
            if report
                .refused_files()
                .iter()
                .flatten()
                .any(|file| *file == body.file)
            {
                continue;
            }
            if body.pending.is_some() {
                self.reject(py, std::slice::from_ref(&body.file), &Failure::default())?;
                if let Some(waiting) = self.rejected.get_mut(&body.file) {
                    waiting.again = true;
                }
            }
            let Some(module) = self.world.by_dict(body.dict.bind(py).as_any()) else {
                continue;
            };
            let moving = hotswap_apply::move_body(py, &mut self.world, module, &body.text)?;
            if let Some((pending, moves)) = moving {
                // What a call in a function would do says nothing of a body that stays.
                let pending = match moves {
                    true => pending,
                    false => body.pending.unwrap_or(pending),
                };
                report.note_body(&body.file, pending, moves);
            }
        }
        Ok(())
    }

    /// Gives the update its number and notes what leads back from it.
    pub(crate) fn note_generation(&mut self, report: &mut ReportData) {
        let (files, moves) = (
            std::mem::take(&mut report.committed),
            std::mem::take(&mut report.moves),
        );
        if files.is_empty() && moves.is_empty() {
            return;
        }
        if report.behaviour {
            self.generation += 1;
        }
        report.generation = self.generation;
        self.history.push(self.generation, files, moves);
    }

    fn reject(&mut self, py: Python<'_>, files: &[PathBuf], failure: &Failure) -> PyResult<()> {
        for file in files {
            if let Some(state) = self.disk.files.get(file) {
                self.rejected.insert(
                    file.clone(),
                    Rejected {
                        hash: state.hash,
                        missing: failure.missing.clone(),
                        group: files.to_vec(),
                        tried: Vec::new(),
                        again: false,
                    },
                );
            }
            self.pin_lines(py, file)?;
        }
        Ok(())
    }

    /// While refused text is on disk, tracebacks go on showing the committed source.
    /// An entry without a time is never checked against the disk.
    pub(crate) fn pin_lines(&self, py: Python<'_>, file: &Path) -> PyResult<()> {
        let cache = py
            .import("linecache")?
            .getattr("cache")?
            .cast_into::<PyDict>()?;
        for at in self.world.modules.from_file(file) {
            let module = &self.world.modules[at];
            let lines: Vec<&str> = module.text().split_inclusive('\n').collect();
            cache.set_item(
                &module.code_file,
                (module.text().len(), py.None(), lines, &module.code_file),
            )?;
        }
        Ok(())
    }

    /// Lines of committed files are read from disk again when somebody asks.
    fn refresh_lines(&self, py: Python<'_>, files: &[PathBuf]) -> PyResult<()> {
        let modules = py.import("sys")?.getattr("modules")?;
        let Ok(linecache) = modules.get_item("linecache") else {
            return Ok(());
        };
        let cache = linecache.getattr("cache")?.cast_into::<PyDict>()?;
        let modules = files
            .iter()
            .flat_map(|file| self.world.modules.from_file(file));
        for at in modules {
            let module = &self.world.modules[at];
            if cache.contains(&module.code_file)? {
                cache.del_item(&module.code_file)?;
            }
        }
        Ok(())
    }

    /// The finders that a refused update had made go; who needs one makes it again.
    fn forget_finders(&self, py: Python<'_>, known: &Bound<'_, PyDict>) -> PyResult<()> {
        let finders = finders(py)?;
        for folder in finders.keys() {
            let covered = folder
                .extract::<PathBuf>()
                .is_ok_and(|path| self.coverage.covers(&path.join("__init__.py")));
            if covered && !known.contains(&folder)? && finders.contains(&folder)? {
                finders.del_item(&folder)?;
            }
        }
        Ok(())
    }

    /// Watched pure-Python modules that a refused update imported leave `sys.modules`
    /// again, so that the next try imports them afresh.
    fn forget_imported(
        &mut self,
        py: Python<'_>,
        known: &Bound<'_, PyDict>,
        imported: &[String],
        kept: &FxHashSet<String>,
    ) -> PyResult<()> {
        let modules = py
            .import("sys")?
            .getattr("modules")?
            .cast_into::<PyDict>()?;
        for (name, module) in modules.copy()?.iter() {
            let Ok(name) = name.extract::<String>() else {
                continue;
            };
            // What other threads and other groups import meanwhile is not the failed one's.
            if known.contains(&name)? || !imported.contains(&name) || kept.contains(&name) {
                continue;
            }
            let file: Option<String> = module
                .peek("__file__")
                .ok()
                .and_then(|file| file.extract().ok());
            let Some(file) = file else { continue };
            if !self
                .coverage
                .covers(&hotswap_watch::paths::canonical(Path::new(&file)))
            {
                continue;
            }
            modules.del_item(&name)?;
            self.seen.remove(&name);
            self.glance = None;
            if let Some((parent, child)) = name.rsplit_once('.')
                && let Some(parent) = modules.get_item(parent)?
                && parent.getattr(child).is_ok_and(|value| value.is(&module))
            {
                parent.delattr(child)?;
            }
        }
        Ok(())
    }
}

/// Reads the files whose stamps changed.
fn look(coverage: &Coverage, disk: &Disk, paths: &[PathBuf]) -> Vec<(PathBuf, Seen)> {
    let mut looked = Vec::new();
    for path in paths {
        if !coverage.covers(path) && !disk.files.contains_key(path) {
            continue;
        }
        match disk.look(path) {
            Seen::Same => {}
            seen => looked.push((path.clone(), seen)),
        }
    }
    looked
}

/// The finders of the folders from which something was imported.
fn finders(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    Ok(py
        .import("sys")?
        .getattr("path_importer_cache")?
        .cast_into::<PyDict>()?)
}

/// What `sys.modules` holds now.
pub(crate) fn loaded_modules(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    sys_modules(py)?.copy()
}

fn sys_modules(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    Ok(py
        .import("sys")?
        .getattr("modules")?
        .cast_into::<PyDict>()?)
}

pub(crate) fn detach_from_package(
    modules: &Bound<'_, PyDict>,
    name: &str,
    module: &Bound<'_, PyAny>,
) -> PyResult<()> {
    if let Some((parent, child)) = name.rsplit_once('.')
        && let Some(parent) = modules.get_item(parent)?
        && parent.getattr(child).is_ok_and(|value| value.is(module))
    {
        parent.delattr(child)?;
    }
    Ok(())
}

fn is_identifier(part: &str) -> bool {
    let mut letters = part.chars();
    letters
        .next()
        .is_some_and(|first| first == '_' || first.is_alphabetic())
        && letters.all(|letter| letter == '_' || letter.is_alphanumeric())
}

fn decode_failure(path: &Path, problem: &DecodeProblem) -> Failure {
    let line = match problem {
        DecodeProblem::NotUtf8 { line } | DecodeProblem::Nul { line } => *line as u32,
        DecodeProblem::OtherEncoding { .. } => 1,
    };
    let message = match problem {
        DecodeProblem::NotUtf8 { .. } => "the file is not valid UTF-8; save it as UTF-8, or name its encoding in a comment on the first line".to_string(),
        DecodeProblem::Nul { .. } => "source code cannot contain null bytes".to_string(),
        DecodeProblem::OtherEncoding { encoding } => format!("the file cannot be decoded as {encoding}, which its first lines name"),
    };
    Failure {
        kind: "SyntaxError".to_string(),
        message,
        file: path.display().to_string(),
        line,
        ..Failure::default()
    }
}

/// The error in CPython's words; ours only where CPython takes the text.
fn syntax_failure(
    py: Python<'_>,
    path: &Path,
    bytes: &[u8],
    problem: &hotswap_plan::SyntaxProblem,
) -> PyResult<Failure> {
    let file = path.display().to_string();
    let mut failure = Failure {
        kind: "SyntaxError".to_string(),
        message: problem.message.clone(),
        file: file.clone(),
        line: problem.line,
        ..Failure::default()
    };
    let kwargs = PyDict::new(py);
    kwargs.set_item("dont_inherit", true)?;
    let compiled = py
        .import("builtins")?
        .getattr("compile")?
        .call((PyBytes::new(py, bytes), &file, "exec"), Some(&kwargs));
    if let Err(error) = compiled {
        let value = error.value(py);
        failure.kind = error.get_type(py).name()?.to_string();
        failure.message = value
            .getattr("msg")
            .and_then(|text| text.extract())
            .unwrap_or(failure.message);
        failure.line = value
            .getattr("lineno")
            .and_then(|line| line.extract())
            .unwrap_or(failure.line);
    }
    Ok(failure)
}

/// An outcome that says nothing, for groups that were not prepared.
pub(crate) fn empty_outcome(files: Vec<PathBuf>) -> Outcome {
    Outcome {
        files,
        ..Outcome::default()
    }
}

/// The packages whose registries the plugins that are loaded look after. None where
/// the engine is used without the Python package.
fn owned_packages(py: Python<'_>) -> Vec<String> {
    let plugins = py
        .import("sys")
        .and_then(|sys| sys.getattr("modules")?.get_item("hotswap._plugins"));
    plugins
        .and_then(|plugins| plugins.call_method0("owned_packages")?.extract())
        .unwrap_or_default()
}
