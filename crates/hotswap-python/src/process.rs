//! When this process began, in the terms of its system.

/// Nanoseconds since the epoch at which this process began (for a forked child: was
/// forked), rounded down to the clock tick; None where it cannot be told.
#[cfg(target_os = "linux")]
pub(crate) fn started_ns() -> Option<i128> {
    // Fields of proc(5): the 22nd of stat, after the command in parentheses, counts
    // ticks of 10 ms since the boot; btime is the boot in seconds.
    let own = std::fs::read_to_string("/proc/self/stat").ok()?;
    let ticks: i128 = own
        .rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(19)?
        .parse()
        .ok()?;
    let system = std::fs::read_to_string("/proc/stat").ok()?;
    let boot = system
        .lines()
        .find_map(|line| line.strip_prefix("btime "))?;
    let boot: i128 = boot.trim().parse().ok()?;
    Some(boot * 1_000_000_000 + ticks * 10_000_000)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn started_ns() -> Option<i128> {
    None
}
