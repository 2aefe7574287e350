//! Which mounts swallow file events.

#[cfg(any(target_os = "linux", test))]
use std::path::{Path, PathBuf};

/// The mounts of this process, as `/proc/self/mountinfo` lists them.
#[cfg(any(target_os = "linux", test))]
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    mounts: Vec<(PathBuf, String)>,
}

#[cfg(any(target_os = "linux", test))]
impl Mounts {
    /// Reads a mount table; lines that cannot be understood are left out.
    ///
    /// A line is `36 35 98:0 /root /mount/point options [fields] - type source options`.
    pub(crate) fn parse(table: &str) -> Mounts {
        let mounts = table
            .lines()
            .filter_map(|line| {
                let (place, kind) = line.split_once(" - ")?;
                let point = place.split(' ').nth(4)?;
                let kind = kind.split(' ').next()?;
                Some((PathBuf::from(unescape(point)), kind.to_owned()))
            })
            .collect();
        Mounts { mounts }
    }

    /// Returns the type of the mount that holds `path`, an absolute path without symlinks.
    pub(crate) fn kind_of(&self, path: &Path) -> Option<&str> {
        // Of two mounts on one point, the one listed last covers the other.
        self.mounts
            .iter()
            .filter(|(point, _)| path.starts_with(point))
            .max_by_key(|(point, _)| point.components().count())
            .map(|(_, kind)| kind.as_str())
    }
}

/// Tells whether files of a mount can change without an event on this machine.
pub(crate) fn changes_behind_our_back(kind: &str) -> bool {
    const SHARED: &[&str] = &[
        "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "drvfs", "gfs2", "gpfs", "lustre",
        "ncpfs", "nfs", "nfs4", "ocfs2", "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
    ];
    // These are FUSE over local disks: all writes go through this kernel.
    const LOCAL_FUSE: &[&str] = &["fuse.fuse-overlayfs", "fuse.mergerfs", "fuse.encfs"];
    SHARED.contains(&kind)
        || kind == "fuse"
        || (kind.starts_with("fuse.") && !LOCAL_FUSE.contains(&kind))
}

/// The table writes blanks, tabs, newlines and backslashes as three octal digits.
#[cfg(any(target_os = "linux", test))]
fn unescape(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut rest = field;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4);
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &rest[at + 4..];
            }
            None => {
                out.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:35 / /mnt/c rw,noatime - 9p drvfs rw
41 22 0:36 / /mnt/with\\040blank rw - fuse.sshfs host:/ rw
42 40 8:2 / /mnt/c/local rw - ext4 /dev/sdb1 rw
not a mount line
";

    #[test]
    fn the_innermost_mount_decides() {
        let mounts = Mounts::parse(TABLE);
        let kind = |path: &str| mounts.kind_of(Path::new(path)).map(str::to_owned);
        assert_eq!(kind("/home/me/app"), Some("ext4".into()));
        assert_eq!(kind("/mnt/c/app"), Some("9p".into()));
        assert_eq!(kind("/mnt/cc"), Some("ext4".into()));
        assert_eq!(kind("/mnt/c/local/app"), Some("ext4".into()));
        assert_eq!(kind("/mnt/with blank/app"), Some("fuse.sshfs".into()));
    }

    #[test]
    fn shared_mounts_are_polled_and_local_ones_are_not() {
        for kind in [
            "9p",
            "cifs",
            "nfs4",
            "fuse",
            "fuse.sshfs",
            "vboxsf",
            "virtiofs",
        ] {
            assert!(changes_behind_our_back(kind), "{kind}");
        }
        for kind in [
            "ext4",
            "btrfs",
            "overlay",
            "tmpfs",
            "fuseblk",
            "fuse.fuse-overlayfs",
        ] {
            assert!(!changes_behind_our_back(kind), "{kind}");
        }
    }
}
