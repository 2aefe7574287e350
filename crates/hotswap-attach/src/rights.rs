//! Why the kernel says no to tracing, as far as it can be told from outside.

use crate::error::AttachError;
use crate::process::Status;

/// What is known of the one who asks, and of the rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asker {
    pub(crate) uid: u32,
    /// Whether it has `CAP_SYS_PTRACE`.
    pub(crate) may_trace: bool,
    /// Whether it runs under a seccomp filter.
    pub(crate) filtered: bool,
    /// `/proc/sys/kernel/yama/ptrace_scope`; zero where there is no Yama.
    pub(crate) yama: u8,
}

const CAP_SYS_PTRACE: u64 = 1 << 19;

impl Asker {
    /// From the status of the asking process, and the text of Yama's file if there is one.
    pub(crate) fn new(own: &Status, yama: Option<&str>) -> Self {
        Self {
            uid: own.uid,
            may_trace: own.capabilities & CAP_SYS_PTRACE != 0,
            filtered: own.seccomp == 2,
            yama: yama.and_then(|text| text.trim().parse().ok()).unwrap_or(0),
        }
    }
}

/// The reason for a refusal (`EPERM` or `EACCES`) to look into a process, or to stop a thread of it.
pub(crate) fn explain(pid: i32, target: &Status, asker: &Asker) -> AttachError {
    if asker.filtered && (asker.may_trace || asker.uid == target.uid) {
        return AttachError::FilteredHere { pid };
    }
    if asker.yama == 3 {
        return AttachError::Yama { pid, scope: 3 };
    }
    if asker.may_trace {
        // A process of another user namespace, where the capability does not count.
        return AttachError::NoCapability { pid };
    }
    if asker.uid == 0 {
        return AttachError::NoCapability { pid };
    }
    if asker.uid != target.uid {
        return AttachError::OtherUser {
            pid,
            owner: target.uid,
            own: asker.uid,
        };
    }
    if asker.yama != 0 {
        return AttachError::Yama {
            pid,
            scope: asker.yama,
        };
    }
    AttachError::NotDumpable { pid }
}

#[cfg(test)]
mod tests {
    use super::{Asker, CAP_SYS_PTRACE, explain};
    use crate::error::AttachError;
    use crate::process::Status;

    fn target() -> Status {
        Status {
            uid: 1000,
            ..Status::default()
        }
    }

    fn asker(uid: u32, yama: Option<&str>) -> Asker {
        Asker::new(
            &Status {
                uid,
                ..Status::default()
            },
            yama,
        )
    }

    #[test]
    fn each_rule_has_its_reason() {
        let own = |yama: Option<&str>| explain(7, &target(), &asker(1000, yama));
        assert_eq!(own(None), AttachError::NotDumpable { pid: 7 });
        assert_eq!(own(Some("0\n")), AttachError::NotDumpable { pid: 7 });
        for scope in 1..=3 {
            let text = scope.to_string();
            assert_eq!(own(Some(&text)), AttachError::Yama { pid: 7, scope });
        }
        assert_eq!(
            explain(7, &target(), &asker(1001, Some("1"))),
            AttachError::OtherUser {
                pid: 7,
                owner: 1000,
                own: 1001
            }
        );
        assert_eq!(
            explain(7, &target(), &asker(0, None)),
            AttachError::NoCapability { pid: 7 }
        );
    }

    #[test]
    fn a_filter_on_the_asker_is_named_where_the_rights_would_do() {
        let own = Status {
            uid: 1000,
            seccomp: 2,
            ..Status::default()
        };
        assert_eq!(
            explain(7, &target(), &Asker::new(&own, None)),
            AttachError::FilteredHere { pid: 7 }
        );
        let root = Status {
            capabilities: CAP_SYS_PTRACE,
            seccomp: 2,
            ..Status::default()
        };
        assert_eq!(
            explain(7, &target(), &Asker::new(&root, None)),
            AttachError::FilteredHere { pid: 7 }
        );
    }
}
