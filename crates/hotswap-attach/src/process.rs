//! What `/proc` says of a process.

/// The lines of `/proc/PID/status` that matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// The program's name, cut off by the kernel behind 15 bytes.
    pub(crate) name: String,
    /// `R`, `S`, `D`, `T` (stopped), `t` (stopped by a tracer), `Z`, ...
    pub(crate) state: char,
    /// The real user.
    pub(crate) uid: u32,
    /// Zero: nobody traces it.
    pub(crate) tracer: i32,
    /// The effective capabilities, one bit each.
    pub(crate) capabilities: u64,
    /// 0: none, 1: strict, 2: a filter.
    pub(crate) seccomp: u8,
    /// The process that this is a thread of.
    pub(crate) group: i32,
}

/// Reads the text of `/proc/PID/status`. What is missing stays at its default.
pub(crate) fn parse_status(text: &str) -> Status {
    let mut status = Status::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match key {
            "Name" => status.name = value.to_owned(),
            "State" => status.state = value.chars().next().unwrap_or_default(),
            "Tgid" => status.group = value.parse().unwrap_or_default(),
            "Uid" => status.uid = first_number(value),
            "TracerPid" => status.tracer = value.parse().unwrap_or_default(),
            "CapEff" => status.capabilities = u64::from_str_radix(value, 16).unwrap_or_default(),
            "Seccomp" => status.seccomp = value.parse().unwrap_or_default(),
            _ => {}
        }
    }
    status
}

fn first_number(value: &str) -> u32 {
    value
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or_default()
}

/// The environment variable with which a program forbids attaching, if it was started with one.
pub(crate) fn forbids(environment: &[u8]) -> Option<&'static str> {
    environment.split(|byte| *byte == 0).find_map(|entry| {
        let (name, value) = split_once(entry, b'=')?;
        match name {
            b"HOTSWAP_NO_ATTACH" if value != b"0" && !value.is_empty() => Some("HOTSWAP_NO_ATTACH"),
            // Any value but none turns it off; see sys.remote_exec in the documentation of CPython 3.14.
            b"PYTHON_DISABLE_REMOTE_DEBUG" if !value.is_empty() => {
                Some("PYTHON_DISABLE_REMOTE_DEBUG")
            }
            _ => None,
        }
    })
}

fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|byte| *byte == at)?;
    Some((&bytes[..place], &bytes[place + 1..]))
}

#[cfg(test)]
mod tests {
    use super::{forbids, parse_status};

    #[test]
    fn reads_what_the_kernel_writes() {
        let status = parse_status(
            "Name:\tpython3\nState:\tS (sleeping)\nTgid:\t41\nUid:\t1000\t0\t0\t0\nTracerPid:\t12\nCapEff:\t0000000000080000\nSeccomp:\t2\n",
        );
        assert_eq!((status.name.as_str(), status.state), ("python3", 'S'));
        assert_eq!((status.uid, status.tracer, status.group), (1000, 12, 41));
        assert_eq!((status.capabilities, status.seccomp), (1 << 19, 2));
    }

    #[test]
    fn the_environment_can_say_no() {
        assert_eq!(
            forbids(b"A=1\0HOTSWAP_NO_ATTACH=1\0"),
            Some("HOTSWAP_NO_ATTACH")
        );
        assert_eq!(
            forbids(b"HOTSWAP_NO_ATTACH=0\0XHOTSWAP_NO_ATTACH=1\0"),
            None
        );
        assert_eq!(
            forbids(b"PYTHON_DISABLE_REMOTE_DEBUG=1"),
            Some("PYTHON_DISABLE_REMOTE_DEBUG")
        );
        assert_eq!(forbids(b"PYTHON_DISABLE_REMOTE_DEBUG=\0"), None);
        assert_eq!(forbids(b""), None);
    }
}
