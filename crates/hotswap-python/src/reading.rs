//! Changed sources, parsed and compared with their baselines by native threads.
//!
//! Nothing here needs the GIL, so none of it is part of the pause. What could not be parsed
//! is not here: it may be in the middle of a save, and is looked at again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hotswap_apply::Comparison;
use hotswap_plan::{Kept, Outline};
use hotswap_watch::ContentHash;
use pyo3::prelude::*;

use crate::disk::{FileState, Seen};
use crate::modules::Text;
use crate::session::Session;

/// A source that parses.
pub(crate) struct Read {
    /// Of the bytes that it was decoded from.
    pub hash: ContentHash,
    /// Those bytes, and the stamp of their file just before they were read.
    pub state: FileState,
    pub text: Text,
    pub outline: Arc<Outline>,
    /// What separates it from the baseline of the modules of its file.
    pub comparison: Option<Arc<Comparison>>,
}

/// A source to be parsed, and the baseline of its module.
struct Due {
    path: PathBuf,
    state: FileState,
    baseline: Option<(usize, Kept, Option<Arc<Outline>>)>,
}

/// What came of one: itself where it parses, and the outline of the baseline.
type Parsed = (PathBuf, Option<Read>, Option<(usize, Option<Arc<Outline>>)>);

impl Session {
    /// Reads a file ahead that has just been saved.
    pub(crate) fn read_early(&mut self, py: Python<'_>, path: &PathBuf) {
        if !self.disk.files.contains_key(path) {
            return;
        }
        let disk = &self.disk;
        if let Seen::Changed(state) = py.detach(|| disk.look(path)) {
            self.read_ahead(py, std::iter::once((path, &state)));
            self.compile_ahead(py, path);
        }
    }

    /// Compiles what an update of this file will have to compile, if that is known.
    fn compile_ahead(&mut self, py: Python<'_>, path: &PathBuf) {
        let started = Instant::now();
        self.world.forget_ahead();
        if let Some(read) = self.parsed.get(path)
            && let Some(comparison) = &read.comparison
            && let Some(module) = self.world.modules.from_file(path).first()
        {
            hotswap_apply::compile_ahead(py, &self.world, *module, &read.text, comparison);
        }
        self.ahead = started.elapsed();
    }

    /// Parses these contents of files, for `edit_of` to take.
    pub(crate) fn read_ahead<'s>(
        &mut self,
        py: Python<'_>,
        changed: impl Iterator<Item = (&'s PathBuf, &'s FileState)>,
    ) {
        let mut due = Vec::new();
        for (path, state) in changed {
            let known = self.disk.files.get(path).map(|known| known.hash);
            let read = self.parsed.get(path).map(|read| read.hash);
            if [known, read].contains(&Some(state.hash)) {
                continue;
            }
            let baseline = self.world.modules.from_file(path).first().map(|at| {
                let module = &self.world.modules[*at];
                (*at, module.source.clone(), module.outline_if_parsed())
            });
            due.push(Due {
                path: path.clone(),
                state: state.clone(),
                baseline,
            });
        }
        if due.is_empty() {
            return;
        }
        let parsed = self.clock.detached(py, || parse_all(due));
        for (path, read, baseline) in parsed {
            if let Some((at, outline)) = baseline {
                self.world.modules.note_outline(at, outline);
            }
            if let Some(read) = read {
                self.parsed.insert(path, read);
            }
        }
    }
}

/// In as many threads as there are processors, if it is more than one.
fn parse_all(due: Vec<Due>) -> Vec<Parsed> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(due.len()).min(8);
    if threads < 2 {
        return due.into_iter().map(parse).collect();
    }
    let due: Vec<Mutex<Option<Due>>> = due.into_iter().map(|each| Mutex::new(Some(each))).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut parsed = Vec::new();
        while let Some(each) = due.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut each = each.lock().unwrap_or_else(PoisonError::into_inner);
            parsed.extend(each.take().map(parse));
        }
        parsed
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut parsed = work();
        for other in others {
            match other.join() {
                Ok(more) => parsed.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        parsed
    })
}

fn parse(due: Due) -> Parsed {
    let baseline = due.baseline.map(|(at, text, outline)| {
        let outline = outline.or_else(|| crate::disk::outline(text.text()));
        (at, text, outline)
    });
    let known = baseline
        .as_ref()
        .and_then(|(_, text, outline)| Some((&**text.text(), outline.as_deref()?)));
    // Encodings that only Python knows are decoded there.
    let text = due.state.bytes.decode().ok();
    let read = text.and_then(|text| {
        let outline = Arc::new(Outline::parse_after(&text, known).ok()?);
        let before = baseline.as_ref().and_then(|(.., outline)| outline.clone());
        Some(Read {
            hash: due.state.hash,
            state: due.state,
            text,
            comparison: before.map(|before| Arc::new(Comparison::of(before, outline.clone()))),
            outline,
        })
    });
    let baseline = baseline.map(|(at, _, outline)| (at, outline));
    (due.path, read, baseline)
}
