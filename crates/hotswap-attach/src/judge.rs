//! Whether a thread of another process may be made to call a function.
//!
//! The function, `pthread_create`, takes locks of the C library: the allocator's and the one
//! over its stacks. A thread that was stopped inside them would wait for itself. So a thread
//! is used where it waits in a system call that is made without such a lock, or where it runs
//! outside the C library, the dynamic loader and whatever file defines `malloc`.

use crate::maps::Mapping;

// Linux x86-64, from `arch/x86/entry/syscalls/syscall_64.tbl` of the kernel.
const READ: i64 = 0;
const FUTEX: i64 = 202;
/// Waits that are entered by the program itself, or by functions of the C library that hold
/// no lock meanwhile.
const WAITS: [i64; 23] = [
    7,   // poll
    23,  // select
    34,  // pause
    35,  // nanosleep
    43,  // accept
    45,  // recvfrom
    47,  // recvmsg
    61,  // wait4
    128, // rt_sigtimedwait
    130, // rt_sigsuspend
    208, // io_getevents
    220, // semtimedop
    230, // clock_nanosleep
    232, // epoll_wait
    247, // waitid
    270, // pselect6
    271, // ppoll
    281, // epoll_pwait
    288, // accept4
    299, // recvmmsg
    333, // io_pgetevents
    426, // io_uring_enter
    441, // epoll_pwait2
];
/// `FUTEX_WAIT_BITSET` without its flags: conditions and semaphores wait so, mutexes never do.
const FUTEX_WAIT_BITSET: u64 = 9;
const FUTEX_COMMAND: u64 = 0x7f;

/// How good a thread's prospects are, the least first; told without stopping it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Waits,
    WaitsOnCondition,
    Runs,
    InSystemCall,
    Unlikely,
}

/// Ranks a thread by the text of `/proc/PID/task/TID/syscall`.
pub(crate) fn rank(text: &str) -> Rank {
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some(first) = words.first() else {
        return Rank::Runs;
    };
    if *first == "running" {
        return Rank::Runs;
    }
    match first.parse::<i64>() {
        Ok(number) if WAITS.contains(&number) => Rank::Waits,
        Ok(FUTEX) => {
            let operation = words
                .get(2)
                .and_then(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok());
            match operation {
                Some(operation) if operation & FUTEX_COMMAND == FUTEX_WAIT_BITSET => {
                    Rank::WaitsOnCondition
                }
                _ => Rank::Unlikely,
            }
        }
        Ok(number) if number >= 0 => Rank::InSystemCall,
        _ => Rank::Unlikely,
    }
}

/// Where a stopped thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The system call it is in; negative: none.
    pub(crate) call: i64,
    /// The call's second argument.
    pub(crate) second: u64,
    /// The address of the next instruction.
    pub(crate) instruction: u64,
}

/// Why this thread may be used, or else what it is doing.
pub(crate) fn judge(
    position: Position,
    forbidden: &[(u64, u64)],
    maps: &[Mapping],
) -> Result<&'static str, String> {
    if position.call >= 0 {
        return match position.call {
            call if WAITS.contains(&call) => Ok("it waited in a system call"),
            READ => Ok("it waited in a read"),
            FUTEX if position.second & FUTEX_COMMAND == FUTEX_WAIT_BITSET => {
                Ok("it waited on a condition")
            }
            call => Err(format!("was in system call {call}")),
        };
    }
    let within = |range: &(u64, u64)| (range.0..range.1).contains(&position.instruction);
    if forbidden.iter().any(within) {
        return Err("was inside the C library or its allocator".to_owned());
    }
    match maps
        .iter()
        .find(|mapping| mapping.contains(position.instruction))
    {
        // A function of the kernel in user space; an allocator may have called it for the time.
        Some(mapping) if mapping.path.starts_with("[v") => {
            Err("was asking for the time".to_owned())
        }
        _ => Ok("it ran outside the C library"),
    }
}

#[cfg(test)]
mod tests {
    use super::{FUTEX, Position, Rank, judge, rank};
    use crate::maps;

    fn at(call: i64, second: u64, instruction: u64) -> Position {
        Position {
            call,
            second,
            instruction,
        }
    }

    #[test]
    fn waiting_threads_come_first_and_mutexes_last() {
        let texts = [
            "232 0x5 0x7f 0x1 0xffffffff 0x0 0x0 0x7ffd 0x7f",
            "202 0x55 0x189 0x0 0x0 0x0 0xffffffff 0x7ffd 0x7f",
            "running",
            "9 0x0 0x1000 0x3 0x22 0xffffffff 0x0 0x7ffd 0x7f",
            "202 0x55 0x80 0x2 0x0 0x0 0x0 0x7ffd 0x7f",
        ];
        let ranks: Vec<Rank> = texts.iter().map(|text| rank(text)).collect();
        assert!(ranks.is_sorted());
        assert_eq!(ranks[0], Rank::Waits);
        assert_eq!(ranks[4], Rank::Unlikely);
        assert_eq!(rank("-1 0x7ffd 0x7f"), Rank::Unlikely);
        assert_eq!(rank(""), Rank::Runs);
    }

    #[test]
    fn a_thread_in_the_allocator_is_left_alone() {
        let forbidden = [(0x1000, 0x2000)];
        let maps = maps::parse("5000-6000 r-xp 00000000 00:00 0 [vdso]\n");
        assert!(judge(at(-1, 0, 0x1800), &forbidden, &maps).is_err());
        assert!(judge(at(-1, 0, 0x2000), &forbidden, &maps).is_ok());
        assert!(judge(at(-1, 0, 0x5800), &forbidden, &maps).is_err());
    }

    #[test]
    fn a_thread_that_waits_for_a_mutex_or_maps_memory_is_left_alone() {
        assert!(judge(at(FUTEX, 0x80, 0), &[], &[]).is_err());
        assert!(judge(at(FUTEX, 0x189, 0), &[], &[]).is_ok());
        assert!(judge(at(9, 0, 0), &[], &[]).is_err());
        assert!(judge(at(0, 0, 0), &[], &[]).is_ok());
    }
}
