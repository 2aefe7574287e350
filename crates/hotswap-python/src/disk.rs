//! What the watched files held when they were last looked at.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hotswap_plan::{DecodeProblem, Kept, Outline, Source};
use hotswap_watch::{ContentHash, content_hash};
use pyo3::prelude::*;
use rustc_hash::FxHashMap;

/// What tells that a file is untouched without reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub modified_ns: i128,
    pub changed_ns: i128,
    pub size: u64,
    pub inode: u64,
}

impl Stamp {
    pub(crate) fn of(path: &Path) -> Option<Stamp> {
        let data = std::fs::metadata(path).ok()?;
        Some(Stamp::from_metadata(&data))
    }

    #[cfg(unix)]
    fn from_metadata(data: &std::fs::Metadata) -> Stamp {
        use std::os::unix::fs::MetadataExt;
        Stamp {
            modified_ns: i128::from(data.mtime()) * 1_000_000_000 + i128::from(data.mtime_nsec()),
            changed_ns: i128::from(data.ctime()) * 1_000_000_000 + i128::from(data.ctime_nsec()),
            size: data.len(),
            inode: data.ino(),
        }
    }

    #[cfg(not(unix))]
    fn from_metadata(data: &std::fs::Metadata) -> Stamp {
        let modified = data
            .modified()
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .map_or(0, |since| since.as_nanos() as i128);
        Stamp {
            modified_ns: modified,
            changed_ns: modified,
            size: data.len(),
            inode: 0,
        }
    }
}

/// One watched file.
#[derive(Clone, Debug)]
pub(crate) struct FileState {
    pub stamp: Stamp,
    pub hash: ContentHash,
    /// The bytes seen last.
    pub bytes: Content,
}

/// The bytes of a file. Of nearly every source they are its text as well, and then shared
/// with the modules that were loaded from it: a program's sources are kept in memory once.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Text(Kept),
    Other(Arc<[u8]>),
}

impl Content {
    fn of(bytes: Vec<u8>) -> Content {
        match Source::decode(&bytes) {
            Ok(source) if source.text.as_bytes() == bytes => {
                Content::Text(Kept::new(source.text.into()))
            }
            _ => Content::Other(bytes.into()),
        }
    }

    /// Compresses a text; the words of its imports, which are to be had of it now.
    pub(crate) fn pack(&mut self) -> Option<Box<[u64]>> {
        let Content::Text(kept) = self else {
            return None;
        };
        let words = hotswap_apply::import_words(kept.text());
        if let Some(packed) = kept.pack() {
            *kept = packed;
        }
        Some(words)
    }

    /// The source text, if it needs no decoder that only Python has.
    pub(crate) fn decode(&self) -> Result<Arc<str>, DecodeProblem> {
        match self {
            Content::Text(text) => Ok(text.text().clone()),
            Content::Other(bytes) => Source::decode(bytes).map(|source| source.text.into()),
        }
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Content::Text(text) => text.text().as_bytes(),
            Content::Other(bytes) => bytes,
        }
    }
}

/// All watched files by path.
#[derive(Default)]
pub(crate) struct Disk {
    pub files: FxHashMap<PathBuf, FileState>,
}

/// What a look at a file found.
pub(crate) enum Seen {
    /// As before.
    Same,
    /// Other bytes than before, or the first ones.
    Changed(FileState),
    /// It is gone.
    Gone,
    /// It is there and cannot be read.
    Unreadable(String),
}

impl Disk {
    /// Looks at a file, and reads it if its stamp changed.
    pub(crate) fn look(&self, path: &Path) -> Seen {
        let known = self.files.get(path);
        let Some(stamp) = Stamp::of(path) else {
            return if known.is_some() {
                Seen::Gone
            } else {
                Seen::Same
            };
        };
        if known.is_some_and(|known| known.stamp == stamp) {
            return Seen::Same;
        }
        match std::fs::read(path) {
            Ok(bytes) => {
                let hash = content_hash(&bytes);
                Seen::Changed(FileState {
                    stamp,
                    hash,
                    bytes: Content::of(bytes),
                })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Seen::Gone,
            Err(error) => Seen::Unreadable(error.to_string()),
        }
    }

    /// Reads a file for the first time, or again.
    pub(crate) fn read(&mut self, path: &Path) -> Option<&FileState> {
        if let Seen::Changed(state) = self.look(path) {
            self.files.insert(path.to_path_buf(), state);
        }
        self.files.get(path)
    }
}

/// Source text of a file's bytes; encodings that only Python knows are decoded there.
pub(crate) fn decode(py: Python<'_>, bytes: &Content) -> Result<Arc<str>, DecodeProblem> {
    match bytes.decode() {
        Ok(text) => Ok(text),
        Err(DecodeProblem::OtherEncoding { encoding }) => {
            let text = pyo3::types::PyBytes::new(py, bytes)
                .call_method1("decode", (encoding.as_str(),))
                .and_then(|text| text.extract::<String>())
                .map_err(|_| DecodeProblem::OtherEncoding {
                    encoding: encoding.clone(),
                })?;
            Ok(Source::from_text(&text, encoding)?.text.into())
        }
        Err(problem) => Err(problem),
    }
}

/// Parses a text; None where it does not parse.
pub(crate) fn outline(text: &str) -> Option<Arc<Outline>> {
    Outline::parse(text).ok().map(Arc::new)
}

/// Reads and parses a file that is not loaded; None where that cannot be done. Encodings
/// that only Python knows are left to the import itself.
pub(crate) fn read_outline(path: &Path) -> Option<Arc<Outline>> {
    let source = Source::decode(&std::fs::read(path).ok()?).ok()?;
    outline(&source.text)
}
