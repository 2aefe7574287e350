//! What an update did, as plain data.

use std::path::PathBuf;

/// What happened to one definition, statement or object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeEntry {
    /// Name inside the module: `Cart.total`, or the first line of a nameless statement.
    pub qualname: String,
    /// The module.
    pub module: String,
    /// Its file.
    pub file: String,
    /// Line in the new source; 0 if there is none.
    pub line: u32,
    /// `function`, `class`, `method`, `attribute`, `statement`, `import`, `module` or `instance`.
    pub kind: &'static str,
    /// `patched`, `rebound`, `re-ran`, `migrated`, `added`, `removed`, `kept`, `stale`, `not applied`, `moved`.
    pub action: &'static str,
    /// Why, where it is not obvious.
    pub reason: String,
    /// What the user may do about it.
    pub advice: String,
}

/// Code that goes on in an old version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// The thread, generator, task or closure.
    pub place: String,
    /// The function.
    pub qualname: String,
    /// Its file.
    pub file: String,
    /// The line where it stands.
    pub line: u32,
    /// Why it was not moved.
    pub reason: String,
}

/// Why an update was rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// Name of the exception class.
    pub kind: String,
    /// Its message.
    pub message: String,
    /// The file it points to.
    pub file: String,
    /// The line; 0 if unknown.
    pub line: u32,
    /// The formatted traceback.
    pub traceback: String,
    /// Modules that could not be found; the update is tried again when they appear.
    pub missing: Vec<String>,
}

/// What became of one group of files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The files of the group.
    pub files: Vec<PathBuf>,
    /// None: it was committed.
    pub failure: Option<Failure>,
    /// No safe moment came: nothing was changed, and `pending` says who was in the way.
    pub held: bool,
    /// What happened.
    pub changes: Vec<ChangeEntry>,
    /// Who still runs old code.
    pub pending: Vec<Pending>,
    /// Remarks for the whole update.
    pub notes: Vec<String>,
    /// Modules whose import began while the group was applied.
    pub imported: Vec<String>,
    /// Something was left for the collector to take away.
    pub collect: bool,
    /// Milliseconds with the GIL held in the commit itself.
    pub commit_ms: f64,
    /// Milliseconds for finding the live functions, the GIL held.
    pub scan_ms: f64,
    /// Milliseconds for matching, compiling and running statements.
    pub prepare_ms: f64,
}
