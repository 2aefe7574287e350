//! The Python processes of this machine, as far as this process may look into them.

use std::fs;

use crate::PythonProcess;
use crate::maps;
use crate::process;

pub(crate) fn processes() -> Vec<PythonProcess> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = std::process::id();
    let mut found: Vec<PythonProcess> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| pid.cast_unsigned() != own)
        .filter_map(look)
        .collect();
    found.sort_unstable_by_key(|process| process.pid);
    found
}

/// What there is to say of a process, if Python runs in it.
fn look(pid: i32) -> Option<PythonProcess> {
    let maps = maps::parse(&fs::read_to_string(format!("/proc/{pid}/maps")).ok()?);
    let names = || {
        maps.iter()
            .filter(|mapping| mapping.executable)
            .map(maps::Mapping::file_name)
    };
    // The library first: a program called python may be a mere start of it.
    let file = names()
        .find(|name| name.starts_with("libpython3"))
        .or_else(|| names().find(|name| is_interpreter(name)))
        .or_else(|| names().find(|name| name.contains(".cpython-3")))?;
    let status = process::parse_status(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?);
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    Some(PythonProcess {
        pid,
        uid: status.uid,
        version: version(file),
        command: words(&command),
        has_hotswap: maps.iter().any(|mapping| is_hotswap(mapping.file_name())),
    })
}

fn is_interpreter(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|rest| {
        rest.is_empty()
            || rest.starts_with('3')
                && rest
                    .bytes()
                    .all(|byte| byte == b'.' || byte.is_ascii_digit())
    })
}

fn is_hotswap(name: &str) -> bool {
    name.starts_with("_hotswap.") || name.starts_with("memfd:hotswap")
}

/// `3.12` from names such as `libpython3.12.so.1.0`, `python3.12` and `_x.cpython-312-x86_64.so`.
fn version(name: &str) -> String {
    if let Some((_, rest)) = name.split_once(".cpython-3") {
        let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
        return format!("3.{minor}");
    }
    let rest = name.trim_start_matches("lib").trim_start_matches("python");
    let mut parts = rest.split('.');
    let major = parts.next().unwrap_or_default();
    let minor: String = parts
        .next()
        .unwrap_or_default()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    if major == "3" && !minor.is_empty() {
        format!("3.{minor}")
    } else {
        String::new()
    }
}

fn words(command: &[u8]) -> Vec<String> {
    let command = command.strip_suffix(b"\0").unwrap_or(command);
    command
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{is_interpreter, version, words};

    #[test]
    fn the_version_is_in_the_name() {
        assert_eq!(version("libpython3.12.so.1.0"), "3.12");
        assert_eq!(version("libpython3.13d.so.1.0"), "3.13");
        assert_eq!(version("python3.9"), "3.9");
        assert_eq!(version("_ssl.cpython-311-x86_64-linux-gnu.so"), "3.11");
        assert_eq!(version("python3"), "");
    }

    #[test]
    fn an_interpreter_is_called_so() {
        assert!(
            is_interpreter("python3.12") && is_interpreter("python3") && is_interpreter("python")
        );
        assert!(!is_interpreter("python3-config") && !is_interpreter("pythonw.so"));
    }

    #[test]
    fn the_words_of_a_command() {
        assert_eq!(words(b"python\0-c\0\0"), ["python", "-c", ""]);
        assert_eq!(words(b"gunicorn: master"), ["gunicorn: master"]);
    }
}
