//! What stands in the way of an attachment, in words that say what to do about it.

use std::path::PathBuf;

/// Why nothing was started in another process. In each of these cases it runs on as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// This is not Linux on x86-64.
    #[error(
        "attaching works on Linux x86-64 only; start the program with `hotswap run`, or call hotswap.watch() in it"
    )]
    Unsupported,
    /// The process does not exist.
    #[error("there is no process {pid}; `hotswap ps` lists those one may attach to")]
    NoSuchProcess {
        /// The asked process.
        pid: i32,
    },
    /// It has ended, and its parent has not asked for its exit status yet.
    #[error("process {pid} has already ended (a zombie)")]
    Ended {
        /// The asked process.
        pid: i32,
    },
    /// It is the process that asks.
    #[error("process {pid} is this one; call hotswap.watch() in it")]
    OwnProcess {
        /// The asked process.
        pid: i32,
    },
    /// Another user's.
    #[error(
        "process {pid} belongs to uid {owner}, and this is uid {own}: attach as that user, or as root"
    )]
    OtherUser {
        /// The asked process.
        pid: i32,
        /// Its real user.
        owner: u32,
        /// The user who asks.
        own: u32,
    },
    /// The program asked the kernel not to be looked into.
    #[error(
        "process {pid} has asked not to be traced (PR_SET_DUMPABLE, or a set-uid or unreadable program): root may attach all the same"
    )]
    NotDumpable {
        /// The asked process.
        pid: i32,
    },
    /// The kernel's rights, as they are in a container, do not suffice.
    #[error(
        "the kernel does not let this process trace {pid}: the capability CAP_SYS_PTRACE is missing (in a container: `--cap-add=SYS_PTRACE`)"
    )]
    NoCapability {
        /// The asked process.
        pid: i32,
    },
    /// The Yama module restricts tracing.
    #[error("the kernel does not let this process trace {pid}: {}", yama_advice(*scope))]
    Yama {
        /// The asked process.
        pid: i32,
        /// What `/proc/sys/kernel/yama/ptrace_scope` holds.
        scope: u8,
    },
    /// A filter for system calls is on the process that asks.
    #[error(
        "a seccomp filter keeps this process from tracing {pid} (a container's profile, most likely): attach from outside the container, or change its profile"
    )]
    FilteredHere {
        /// The asked process.
        pid: i32,
    },
    /// A filter for system calls is on the target, and might kill it for one of ours.
    #[error(
        "process {pid} runs under a seccomp filter, which might end it for a system call it does not know; `--despite-seccomp` attaches all the same"
    )]
    FilteredThere {
        /// The asked process.
        pid: i32,
    },
    /// A debugger, strace or another attachment is at it.
    #[error("process {pid} is already traced by {tracer} ({name}): detach that first")]
    AlreadyTraced {
        /// The asked process.
        pid: i32,
        /// The process that traces it.
        tracer: i32,
        /// What that one is called.
        name: String,
    },
    /// Stopped by job control.
    #[error(
        "process {pid} is stopped (by Ctrl-Z or SIGSTOP): resume it first, with `fg` or `kill -CONT {pid}`"
    )]
    JobStopped {
        /// The asked process.
        pid: i32,
    },
    /// No interpreter is in it.
    #[error(
        "no CPython was found in process {pid} ({program}): none of its {looked} mapped files defines PyGILState_Ensure (either it is not Python, or its interpreter's names are hidden)"
    )]
    NotPython {
        /// The asked process.
        pid: i32,
        /// What it runs.
        program: String,
        /// How many files were looked at.
        looked: usize,
    },
    /// The interpreter is there, but not started.
    #[error(
        "the interpreter in process {pid} is not started yet, or has ended: try again once Python runs in it"
    )]
    NotInitialised {
        /// The asked process.
        pid: i32,
    },
    /// A file that the process runs cannot be read.
    #[error("{path} of process {pid} cannot be read: {reason}")]
    Unreadable {
        /// The asked process.
        pid: i32,
        /// The mapped file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file on disk is another one than the one that runs.
    #[error(
        "{path} was replaced on disk since process {pid} started it, so its functions cannot be found; root may attach all the same"
    )]
    Replaced {
        /// The asked process.
        pid: i32,
        /// The mapped file.
        path: PathBuf,
    },
    /// A function that is needed is not where it should be.
    #[error("process {pid} has no function {name}, which attaching needs")]
    NoFunction {
        /// The asked process.
        pid: i32,
        /// Its name.
        name: &'static str,
    },
    /// Every thread was in a place where it may hold a lock.
    #[error(
        "no thread of process {pid} came to a safe place within {seconds} s ({tries} looks; the last one {last}): nothing was done to it, try again"
    )]
    NoSafeThread {
        /// The asked process.
        pid: i32,
        /// How long was looked.
        seconds: u64,
        /// How often a thread was stopped and looked at.
        tries: u32,
        /// Where the last one was.
        last: String,
    },
    /// A step failed in the target, or with it.
    #[error("{step} failed in process {pid}: {reason}; it runs on as it was")]
    Step {
        /// The asked process.
        pid: i32,
        /// What was tried.
        step: &'static str,
        /// What the system says.
        reason: String,
    },
    /// The program said no.
    #[error("process {pid} was started with {variable}, which forbids attaching")]
    Forbidden {
        /// The asked process.
        pid: i32,
        /// The environment variable that says so.
        variable: &'static str,
    },
}

impl AttachError {
    /// Whether it is the kernel's rules that do not let this process trace the other one.
    #[must_use]
    pub fn is_about_rights(&self) -> bool {
        matches!(
            self,
            Self::OtherUser { .. }
                | Self::NotDumpable { .. }
                | Self::NoCapability { .. }
                | Self::Yama { .. }
                | Self::FilteredHere { .. }
        )
    }
}

fn yama_advice(scope: u8) -> &'static str {
    match scope {
        1 => {
            "Yama (ptrace_scope 1) allows a process to trace its own descendants only; attach as root, start the program with `hotswap run` or under `setpriv --ptracer any`, or have it call prctl(PR_SET_PTRACER)"
        }
        2 => "Yama (ptrace_scope 2) asks for the capability CAP_SYS_PTRACE; attach as root",
        _ => {
            "Yama (ptrace_scope 3) forbids tracing until the next boot; start the program with `hotswap run`, or call hotswap.watch() in it"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AttachError;

    #[test]
    fn each_scope_of_yama_has_advice_of_its_own() {
        let said: Vec<String> = (1..=3)
            .map(|scope| AttachError::Yama { pid: 7, scope }.to_string())
            .collect();
        assert!(said[0].contains("descendants"));
        assert!(said[1].contains("CAP_SYS_PTRACE"));
        assert!(said[2].contains("next boot"));
    }
}
