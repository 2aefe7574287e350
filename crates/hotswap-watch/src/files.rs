//! What is known of each file, and what is on disk now.

use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::{ContentHash, content_hash};

/// What the program holds of a file, or what was last reported of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    /// The file was listed and never read: its stamp stands for its content.
    Listed,
    /// This content.
    Content(ContentHash),
    /// No file.
    Absent,
    /// A file that cannot be read, for this reason.
    Unreadable(String),
}

/// One file that is known by name.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) held: Held,
    /// The stamp at the last look; `None` when there was no file.
    pub(crate) stamp: Option<Stamp>,
    /// The program has loaded this file.
    pub(crate) tracked: bool,
    /// The file was modified so shortly before the last look that a further
    /// change could have left its stamp as it is (clocks of file systems are
    /// coarse, up to two seconds).
    pub(crate) racy: bool,
}

/// What `stat` says of a file; any difference means: read it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    changed: (i64, i64),
    pub(crate) size: u64,
    pub(crate) inode: (u64, u64),
    pub(crate) links: u64,
    is_file: bool,
}

impl Stamp {
    /// Returns the stamp of the file behind `path`, symlinks followed.
    pub(crate) fn of(path: &Path) -> Option<Stamp> {
        let metadata = fs::metadata(path).ok()?;
        #[cfg_attr(
            not(windows),
            expect(unused_mut, reason = "Windows says more by a handle")
        )]
        let mut stamp = Stamp::from(&metadata);
        // Without it a directory could not be told from the one that stood there before.
        #[cfg(windows)]
        if metadata.is_dir() {
            stamp.inode = identity(path).unwrap_or_default();
        }
        Some(stamp)
    }

    pub(crate) fn is_racy(&self) -> bool {
        match self.modified.map(|time| time.elapsed()) {
            Some(Ok(age)) => age < Duration::from_secs(2),
            // In the future, or not told at all: never trust it.
            Some(Err(_)) | None => true,
        }
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Stamp {
        #[cfg(unix)]
        let (changed, inode, links) = {
            use std::os::unix::fs::MetadataExt;
            (
                (metadata.ctime(), metadata.ctime_nsec()),
                (metadata.dev(), metadata.ino()),
                metadata.nlink(),
            )
        };
        #[cfg(not(unix))]
        let (changed, inode, links) = ((0, 0), (0, 0), 1);
        Stamp {
            modified: metadata.modified().ok(),
            changed,
            size: metadata.len(),
            inode,
            links,
            is_file: metadata.is_file(),
        }
    }
}

/// What tells one directory from another at the same path: of the volume, and on it.
#[cfg(windows)]
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    let handle = winapi_util::Handle::from_path_any(path).ok()?;
    let information = winapi_util::file::information(&handle).ok()?;
    Some((information.volume_serial_number(), information.file_index()))
}

/// What tells one directory from another at the same path: its device, and on it.
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    Stamp::of(path).map(|stamp| stamp.inode)
}

/// What is on disk at one path.
#[derive(Debug)]
pub(crate) enum Disk {
    Absent,
    Content {
        bytes: Vec<u8>,
        stamp: Stamp,
        /// Nobody wrote while we read.
        whole: bool,
    },
    Unreadable {
        reason: String,
        stamp: Option<Stamp>,
        /// Another program has it open and lets nobody else read it.
        locked: bool,
    },
}

impl Disk {
    /// Reads what is on disk now. Never waits for a writer: pipes are not opened.
    pub(crate) fn read(path: &Path) -> Disk {
        let before = match fs::metadata(path) {
            Ok(metadata) => Stamp::from(&metadata),
            Err(error) => return Disk::from_error(&error, None),
        };
        if !before.is_file {
            return Disk::Unreadable {
                reason: "not a regular file".into(),
                stamp: Some(before),
                locked: false,
            };
        }
        let mut bytes = Vec::with_capacity(usize::try_from(before.size).unwrap_or(0) + 1);
        let after = fs::File::open(path).and_then(|mut file| {
            file.read_to_end(&mut bytes)?;
            file.metadata()
        });
        match after {
            Ok(metadata) => {
                let stamp = Stamp::from(&metadata);
                let whole = stamp == before && bytes.len() as u64 == stamp.size;
                Disk::Content {
                    bytes,
                    stamp,
                    whole,
                }
            }
            Err(error) => Disk::from_error(&error, Some(before)),
        }
    }

    fn from_error(error: &io::Error, stamp: Option<Stamp>) -> Disk {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Disk::Absent,
            _ => Disk::Unreadable {
                reason: error.to_string(),
                stamp,
                locked: is_lock(error),
            },
        }
    }

    pub(crate) fn stamp(&self) -> Option<Stamp> {
        match self {
            Disk::Absent => None,
            Disk::Content { stamp, .. } => Some(*stamp),
            Disk::Unreadable { stamp, .. } => *stamp,
        }
    }

    /// Returns what the program will hold once this has been reported.
    pub(crate) fn as_held(&self) -> Held {
        match self {
            Disk::Absent => Held::Absent,
            Disk::Content { bytes, .. } => Held::Content(content_hash(bytes)),
            Disk::Unreadable { reason, .. } => Held::Unreadable(reason.clone()),
        }
    }
}

/// Tells whether a file could not be read only because another program has it open.
fn is_lock(error: &io::Error) -> bool {
    // ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION; elsewhere a lock keeps no reader out.
    cfg!(windows) && matches!(error.raw_os_error(), Some(32 | 33))
}

/// Tells whether a file of this name can be a module.
pub(crate) fn is_source(path: &Path) -> bool {
    // Editors keep their swap and lock files under a leading dot, and no
    // module can be imported from such a name.
    path.extension().is_some_and(|extension| extension == "py")
        && path
            .file_name()
            .is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_importable_source_names_count() {
        assert!(is_source(Path::new("/a/m.py")));
        assert!(is_source(Path::new("/a/__init__.py")));
        for other in ["m.pyi", "m.pyc", ".#m.py", ".m.py", "m.py~", "py", ".py"] {
            assert!(!is_source(Path::new(other)), "{other}");
        }
    }

    #[test]
    fn a_directory_is_not_another_that_was_at_its_path() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pkg");
        fs::create_dir(&path).unwrap();
        let before = Stamp::of(&path).unwrap();
        assert_eq!(Stamp::of(&path).unwrap().inode, before.inode);
        fs::rename(&path, root.path().join("old")).unwrap();
        fs::create_dir(&path).unwrap();
        assert_ne!(Stamp::of(&path).unwrap().inode, before.inode);
    }

    #[test]
    fn a_folder_named_like_a_module_is_unreadable_not_gone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("m.py");
        fs::create_dir(&path).unwrap();
        assert!(matches!(Disk::read(&path), Disk::Unreadable { .. }));
        assert!(matches!(
            Disk::read(&root.path().join("n.py")),
            Disk::Absent
        ));
    }
}
