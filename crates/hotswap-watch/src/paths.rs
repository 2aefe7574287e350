//! The spelling of paths: one file has many on Windows, and some elsewhere.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Returns the path that the system has for `path`: absolute, without links, and on Windows
/// with the letters and the long names that are on disk, without `\\?\` where it is not needed.
pub fn real(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path).map(without_verbatim_prefix)
}

/// Returns the spelling by which files are compared: absolute, the directory as by [`real`],
/// the file's own name as it is on disk (a linked file keeps its name).
#[must_use]
pub fn canonical(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let absolute = without_verbatim_prefix(absolute);
    let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return absolute;
    };
    if absolute.is_dir() {
        return real(&absolute).unwrap_or(absolute);
    }
    let Ok(directory) = fs::canonicalize(parent) else {
        return absolute;
    };
    let file = directory.join(name_on_disk(&absolute).as_deref().unwrap_or(name));
    without_verbatim_prefix(file)
}

/// Returns the name that a directory has for an entry, where it may differ from the one asked
/// for: in the case of its letters, or as a short name of the form `LONGNA~1.PY`.
#[cfg(windows)]
pub(crate) fn name_on_disk(path: &Path) -> Option<std::ffi::OsString> {
    if fs::symlink_metadata(path).ok()?.is_symlink() {
        return None;
    }
    let real = fs::canonicalize(path).ok()?;
    real.file_name().map(OsStr::to_os_string)
}

/// Returns nothing: the name that opens a file here is taken for its name.
#[cfg(not(windows))]
pub(crate) fn name_on_disk(_: &Path) -> Option<std::ffi::OsString> {
    None
}

/// Tells whether two names can be those of one entry of a directory.
///
/// On Windows and macOS the case of letters does not tell two files apart, as a rule;
/// who asks this has to see whether it is one file.
pub(crate) fn same_name(one: &OsStr, other: &OsStr) -> bool {
    if one == other {
        return true;
    }
    if !cfg!(any(windows, target_os = "macos")) {
        return false;
    }
    match (one.to_str(), other.to_str()) {
        (Some(one), Some(other)) => one
            .chars()
            .flat_map(char::to_lowercase)
            .eq(other.chars().flat_map(char::to_lowercase)),
        _ => false,
    }
}

/// Takes `\\?\` away where the rest names the same: `C:\a` and `\\server\share\a`.
#[cfg(windows)]
fn without_verbatim_prefix(path: PathBuf) -> PathBuf {
    use std::path::{Component, Prefix};
    let mut components = path.components();
    let Some(Component::Prefix(prefix)) = components.next() else {
        return path;
    };
    let start = match prefix.kind() {
        Prefix::VerbatimDisk(disk) => format!("{}:", char::from(disk)).into(),
        Prefix::VerbatimUNC(server, share) => {
            let mut start = std::ffi::OsString::from(r"\\");
            start.push(server);
            start.push(r"\");
            start.push(share);
            start
        }
        _ => return path,
    };
    // Without the prefix, longer paths are refused, and blanks and dots at the end of a name,
    // `/` in it and the names of devices are read in another way.
    let plain = components
        .as_path()
        .iter()
        .all(|name| name.to_str().is_some_and(is_plain_name));
    let mut short = start;
    short.push(components.as_path());
    if plain && short.len() < LONGEST_PLAIN_PATH {
        PathBuf::from(short)
    } else {
        path
    }
}

#[cfg(not(windows))]
fn without_verbatim_prefix(path: PathBuf) -> PathBuf {
    path
}

/// `MAX_PATH`, less the twelve characters that a directory must leave to its files.
#[cfg(windows)]
const LONGEST_PLAIN_PATH: usize = 248;

#[cfg(windows)]
fn is_plain_name(name: &str) -> bool {
    const DEVICES: &[&str] = &["AUX", "CON", "NUL", "PRN", "CONIN$", "CONOUT$"];
    if name == r"\" {
        return true;
    }
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let numbered = (stem.get(..3)).is_some_and(|kind| {
        (kind.eq_ignore_ascii_case("COM") || kind.eq_ignore_ascii_case("LPT"))
            && stem.chars().count() == 4
    });
    let device = DEVICES
        .iter()
        .any(|device| stem.eq_ignore_ascii_case(device));
    !(numbered || device || name.ends_with([' ', '.']) || name.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_case_of_letters_tells_files_apart_only_where_it_does_on_disk() {
        let folds = cfg!(any(windows, target_os = "macos"));
        assert!(same_name("m.py".as_ref(), "m.py".as_ref()));
        assert_eq!(
            same_name("Modul\u{c9}.py".as_ref(), "modul\u{e9}.PY".as_ref()),
            folds
        );
        assert!(!same_name("m.py".as_ref(), "n.py".as_ref()));
    }

    #[test]
    fn a_file_that_is_not_there_keeps_its_name() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("Gone.py");
        assert_eq!(canonical(&path), real(root.path()).unwrap().join("Gone.py"));
    }
}
