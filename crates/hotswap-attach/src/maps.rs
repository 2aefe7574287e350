//! What a process has mapped, read from the text of `/proc/PID/maps`.

/// A range of addresses with one set of rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Where in the file it begins, in bytes.
    pub(crate) offset: u64,
    pub(crate) executable: bool,
    /// Zero where no file is behind it.
    pub(crate) inode: u64,
    /// As the kernel writes it: a path, perhaps with ` (deleted)` behind it, `[vdso]`, or nothing.
    pub(crate) path: String,
}

impl Mapping {
    pub(crate) fn contains(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// The path without the kernel's remark that the file is gone.
    pub(crate) fn file(&self) -> &str {
        self.path.strip_suffix(DELETED).unwrap_or(&self.path)
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.path.ends_with(DELETED)
    }

    pub(crate) fn file_name(&self) -> &str {
        self.file().rsplit('/').next().unwrap_or_default()
    }
}

const DELETED: &str = " (deleted)";

/// The mappings, in the order of their addresses. Lines of another form are left out.
pub(crate) fn parse(text: &str) -> Vec<Mapping> {
    text.lines().filter_map(mapping).collect()
}

fn mapping(line: &str) -> Option<Mapping> {
    let mut rest = line;
    let range = word(&mut rest)?;
    let rights = word(&mut rest)?;
    let offset = word(&mut rest)?;
    word(&mut rest)?; // the device
    let inode = word(&mut rest)?;
    let (start, end) = range.split_once('-')?;
    Some(Mapping {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        offset: u64::from_str_radix(offset, 16).ok()?,
        executable: rights.contains('x'),
        inode: inode.parse().ok()?,
        path: unescape(rest.trim_start()),
    })
}

fn word<'text>(rest: &mut &'text str) -> Option<&'text str> {
    let trimmed = rest.trim_start();
    let (word, after) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
    *rest = after;
    (!word.is_empty()).then_some(word)
}

/// The kernel writes a line break in a path as `\012`, and nothing else so.
fn unescape(path: &str) -> String {
    path.replace("\\012", "\n")
}

#[cfg(test)]
mod tests {
    use super::parse;

    const TEXT: &str = "\
55a0-55b0 r-xp 00001000 fe:00 1234                       /opt/a b/python3.12
7f00-7f10 rw-p 00000000 00:00 0
7f20-7f30 r-xp 00000000 fe:00 77                         /lib/libc.so.6 (deleted)
7ffd-7fff r-xp 00000000 00:00 0                          [vdso]
not a line
";

    #[test]
    fn reads_what_the_kernel_writes() {
        let maps = parse(TEXT);
        assert_eq!(maps.len(), 4);
        assert_eq!(
            (maps[0].start, maps[0].end, maps[0].offset),
            (0x55a0, 0x55b0, 0x1000)
        );
        assert_eq!((maps[0].inode, maps[0].executable), (1234, true));
        assert_eq!(maps[0].file_name(), "python3.12");
        assert_eq!(maps[0].file(), "/opt/a b/python3.12");
        assert_eq!((maps[1].path.as_str(), maps[1].executable), ("", false));
        assert!(maps[2].is_deleted());
        assert_eq!(maps[2].file_name(), "libc.so.6");
        assert!(maps[3].contains(0x7ffe) && !maps[3].contains(0x7fff));
    }
}
