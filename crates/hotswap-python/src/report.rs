//! Reports as plain Python data.

use std::path::{Path, PathBuf};
use std::time::Instant;

use hotswap_apply::{ChangeEntry, Failure, Group, Outcome, Pending};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::departures::Departure;
use crate::history::{FileChange, Move};

use crate::session::empty_outcome;

/// What became of one group.
pub(crate) struct GroupReport {
    status: &'static str,
    outcome: Outcome,
}

impl GroupReport {
    pub(crate) fn applied(outcome: Outcome) -> GroupReport {
        GroupReport {
            status: "applied",
            outcome,
        }
    }

    pub(crate) fn rejected(files: Vec<PathBuf>, failure: Failure) -> GroupReport {
        let mut outcome = empty_outcome(files);
        outcome.failure = Some(failure);
        GroupReport {
            status: "rejected",
            outcome,
        }
    }

    /// The same, with what could not be undone.
    pub(crate) fn rolled_back(
        files: Vec<PathBuf>,
        failure: Failure,
        notes: Vec<String>,
    ) -> GroupReport {
        let mut refused = GroupReport::rejected(files, failure);
        refused.outcome.notes = notes;
        refused
    }

    pub(crate) fn held(files: Vec<PathBuf>) -> GroupReport {
        let mut outcome = empty_outcome(files);
        outcome.notes.push(
            "the file is empty: waiting for its content, or for it to be deleted".to_string(),
        );
        GroupReport {
            status: "held",
            outcome,
        }
    }

    /// No moment came when nobody was inside the changed code.
    pub(crate) fn waiting(mut outcome: Outcome) -> GroupReport {
        outcome.notes.push(
            "the changed code was in use all the time; the update is tried again with the next one"
                .to_string(),
        );
        GroupReport {
            status: "held",
            outcome,
        }
    }

    fn module(file: &Path, name: &str, action: &'static str, reason: String) -> GroupReport {
        let mut outcome = empty_outcome(vec![file.to_path_buf()]);
        outcome.changes.push(ChangeEntry {
            qualname: name.to_string(),
            module: name.to_string(),
            file: file.display().to_string(),
            kind: "module",
            action,
            reason,
            ..ChangeEntry::default()
        });
        GroupReport {
            status: "applied",
            outcome,
        }
    }

    pub(crate) fn removed(file: &Path, name: &str) -> GroupReport {
        GroupReport::module(
            file,
            name,
            "removed",
            "its file is gone; code that holds it keeps running".to_string(),
        )
    }

    pub(crate) fn moved(file: &Path, old: &str, name: &str) -> GroupReport {
        GroupReport::module(
            file,
            name,
            "moved",
            format!("it was {old}; its state is kept"),
        )
    }

    /// A rollback took away a module that is newer.
    pub(crate) fn detached(file: &Path, name: &str) -> GroupReport {
        let reason = "it was imported later; code that holds it keeps running".to_string();
        GroupReport::module(file, name, "removed", reason)
    }

    /// A rollback brought back a module whose file is gone.
    pub(crate) fn reattached(file: &Path, name: &str) -> GroupReport {
        let reason = "it came back with its state; its file is gone".to_string();
        GroupReport::module(file, name, "added", reason)
    }

    pub(crate) fn imported(file: &Path, name: &str) -> GroupReport {
        GroupReport::module(file, name, "added", "a new file was imported".to_string())
    }
}

/// A module whose body is still running while its file was changed.
pub(crate) struct RunningBody {
    pub file: PathBuf,
    pub dict: Py<PyDict>,
    /// The new source.
    pub text: std::sync::Arc<str>,
    /// Where it is, if something waits for it.
    pub pending: Option<Pending>,
}

/// A report under construction.
pub(crate) struct ReportData {
    pub generation: u64,
    pub groups: Vec<GroupReport>,
    pub files: Vec<PathBuf>,
    pub notes: Vec<String>,
    pub pause_ms: f64,
    pub scan_ms: f64,
    pub prepare_ms: f64,
    /// Files were seen for the first time.
    pub new_files: bool,
    /// Files whose content is not what it was when they were last looked at.
    pub differing: Vec<PathBuf>,
    /// What the history has to know of this update.
    pub committed: Vec<FileChange>,
    pub moves: Vec<Move>,
    /// Files that are gone, and what their modules were.
    pub departures: Vec<Departure>,
    /// The update changed what the program does.
    pub behaviour: bool,
    /// Groups that are ready to be prepared.
    pub due: Vec<Group>,
    /// Modules of which only a part could be applied, because their bodies still run.
    pub bodies: Vec<RunningBody>,
    times: Vec<(&'static str, f64)>,
}

impl ReportData {
    pub(crate) fn new(generation: u64) -> ReportData {
        ReportData {
            generation,
            groups: Vec::new(),
            files: Vec::new(),
            notes: Vec::new(),
            pause_ms: 0.0,
            scan_ms: 0.0,
            prepare_ms: 0.0,
            new_files: false,
            differing: Vec::new(),
            committed: Vec::new(),
            moves: Vec::new(),
            departures: Vec::new(),
            behaviour: false,
            due: Vec::new(),
            bodies: Vec::new(),
            times: Vec::new(),
        }
    }

    /// How long the GIL was held, all in all and in one go.
    pub(crate) fn note_held(&mut self, (held, longest): (f64, f64)) {
        self.times.push(("held", held));
        self.times.push(("longest", longest));
    }

    pub(crate) fn time(&mut self, stage: &'static str, since: Instant) {
        self.times
            .push((stage, since.elapsed().as_secs_f64() * 1e3));
    }

    /// The files of each group that was not applied.
    pub(crate) fn refused_files(&self) -> Vec<Vec<PathBuf>> {
        self.groups
            .iter()
            .filter(|group| group.status != "applied")
            .map(|group| group.outcome.files.clone())
            .collect()
    }

    /// Names a body that runs on in the group of its file, or by itself where nothing else of
    /// the file could be applied.
    pub(crate) fn note_body(&mut self, file: &Path, pending: Pending, moves: bool) {
        let change = moves.then(|| ChangeEntry {
            qualname: "the running loop".to_string(),
            file: file.display().to_string(),
            line: pending.line,
            kind: "statement",
            action: "moved",
            reason: pending.reason.clone(),
            ..ChangeEntry::default()
        });
        let of_file = |group: &&mut GroupReport| group.outcome.files.iter().any(|own| own == file);
        let at = match self.groups.iter_mut().find(of_file) {
            Some(group) => group,
            None => {
                self.groups.push(GroupReport {
                    status: if moves { "applied" } else { "held" },
                    outcome: empty_outcome(vec![file.to_path_buf()]),
                });
                let Some(last) = self.groups.last_mut() else {
                    return;
                };
                if !moves {
                    last.outcome.notes.push(pending.reason.clone());
                }
                last
            }
        };
        at.outcome.changes.extend(change);
        let same = |each: &Pending| each.qualname == pending.qualname;
        at.outcome.pending.retain(|each| !same(each));
        at.outcome.pending.push(pending);
    }

    /// That the module of a file went is undone.
    pub(crate) fn take_back(&mut self, file: &Path) {
        self.groups.retain(|group| {
            let is_module = group.status == "applied"
                && matches!(&group.outcome.changes[..], [one] if one.kind == "module");
            !(is_module && group.outcome.files == [file])
        });
        self.committed
            .retain(|change| change.file != file || change.after.is_some());
        self.behaviour = self
            .groups
            .iter()
            .any(|group| group.status == "applied" && !group.outcome.changes.is_empty());
    }

    /// The worst of the groups decides.
    pub(crate) fn status(&self) -> &'static str {
        let has = |status: &str| self.groups.iter().any(|group| group.status == status);
        if has("rejected") {
            "rejected"
        } else if has("held") {
            "held"
        } else if self
            .groups
            .iter()
            .any(|group| !group.outcome.changes.is_empty())
        {
            "applied"
        } else {
            "unchanged"
        }
    }

    pub(crate) fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let report = PyDict::new(py);
        report.set_item("generation", self.generation)?;
        report.set_item("status", self.status())?;
        let (groups, changes, pending) = (PyList::empty(py), PyList::empty(py), PyList::empty(py));
        let mut files: Vec<String> = Vec::new();
        let mut notes = self.notes.clone();
        let mut error = py.None().into_bound(py);
        for group in &self.groups {
            let entry = PyDict::new(py);
            let own: Vec<String> = group
                .outcome
                .files
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            entry.set_item("status", group.status)?;
            entry.set_item("files", &own)?;
            files.extend(own);
            let own_changes = PyList::empty(py);
            for change in &group.outcome.changes {
                let change = change_dict(py, change)?;
                own_changes.append(&change)?;
                changes.append(change)?;
            }
            entry.set_item("changes", own_changes)?;
            let failure = match &group.outcome.failure {
                Some(failure) => failure_dict(py, failure)?.into_any(),
                None => py.None().into_bound(py),
            };
            if error.is_none() {
                error = failure.clone();
            }
            entry.set_item("error", failure)?;
            for item in &group.outcome.pending {
                pending.append(pending_dict(py, item)?)?;
            }
            notes.extend(group.outcome.notes.iter().cloned());
            groups.append(entry)?;
        }
        files.sort();
        files.dedup();
        let durations = PyDict::new(py);
        for (stage, milliseconds) in &self.times {
            durations.set_item(stage, milliseconds)?;
        }
        durations.set_item("prepare", self.prepare_ms)?;
        durations.set_item("scan", self.scan_ms)?;
        durations.set_item("pause", self.pause_ms)?;
        report.set_item("groups", groups)?;
        report.set_item("files", files)?;
        report.set_item("changes", changes)?;
        report.set_item("pending", pending)?;
        report.set_item("error", error)?;
        report.set_item("duration_ms", durations)?;
        report.set_item("notes", notes)?;
        Ok(report)
    }
}

fn change_dict<'py>(py: Python<'py>, change: &ChangeEntry) -> PyResult<Bound<'py, PyDict>> {
    let entry = PyDict::new(py);
    entry.set_item("qualname", &change.qualname)?;
    entry.set_item("module", &change.module)?;
    entry.set_item("file", &change.file)?;
    entry.set_item("line", change.line)?;
    entry.set_item("kind", change.kind)?;
    entry.set_item("action", change.action)?;
    entry.set_item("reason", &change.reason)?;
    entry.set_item("advice", &change.advice)?;
    Ok(entry)
}

fn failure_dict<'py>(py: Python<'py>, failure: &Failure) -> PyResult<Bound<'py, PyDict>> {
    let entry = PyDict::new(py);
    entry.set_item("type", &failure.kind)?;
    entry.set_item("message", &failure.message)?;
    entry.set_item("file", &failure.file)?;
    entry.set_item("line", failure.line)?;
    entry.set_item("traceback", &failure.traceback)?;
    Ok(entry)
}

pub(crate) fn pending_dict<'py>(
    py: Python<'py>,
    pending: &Pending,
) -> PyResult<Bound<'py, PyDict>> {
    let entry = PyDict::new(py);
    entry.set_item("where", &pending.place)?;
    entry.set_item("qualname", &pending.qualname)?;
    entry.set_item("file", &pending.file)?;
    entry.set_item("line", pending.line)?;
    entry.set_item("reason", &pending.reason)?;
    Ok(entry)
}
