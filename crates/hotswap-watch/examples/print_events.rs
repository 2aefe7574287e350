//! Prints what a watcher says, one JSON object a line, until standard input ends.
//!
//! `print_events ROOT [--poll] [--sweep MS] [--quiet-us N] [--untracked]`
//!
//! Standing in for a session, it tracks every module below ROOT with the
//! content it has at the start, and says `{"ready": ...}` when it watches.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use hotswap_watch::{FileChange, PollMode, WatchConfig, Watcher, content_hash};

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = WatchConfig::default();
    let mut root = None;
    let mut tracks = true;
    let mut arguments = env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<u64, Box<dyn Error>> {
            let value = arguments.next().and_then(|value| value.into_string().ok());
            Ok(value.ok_or("a number is missing")?.parse()?)
        };
        match argument.to_str() {
            Some("--poll") => {
                config.poll = PollMode::Always;
                config.poll_interval = Duration::from_millis(100);
            }
            Some("--sweep") => config.sweep_interval = Duration::from_millis(number()?),
            Some("--quiet-us") => config.quiet = Duration::from_micros(number()?),
            Some("--untracked") => tracks = false,
            _ => root = Some(PathBuf::from(argument)),
        }
    }
    let root =
        root.ok_or("usage: print_events ROOT [--poll] [--sweep MS] [--quiet-us N] [--untracked]")?;
    let (watcher, events) = Watcher::start(config)?;
    if tracks {
        track_all(&watcher, &root, 0)?;
    }
    watcher.watch_tree(&root);
    watcher.settle(Duration::from_secs(10));
    let status = watcher.status();
    println!(
        "{{\"ready\":true,\"watched\":{},\"polled\":{},\"tracked\":{},\"fallbacks\":[{}]}}",
        status.watched.len(),
        status.polled.len(),
        status.tracked,
        status
            .fallbacks
            .iter()
            .map(|said| quoted(said))
            .collect::<Vec<_>>()
            .join(",")
    );
    io::stdout().flush()?;
    let end = thread::spawn(move || {
        let mut rest = Vec::new();
        // Whatever ends standard input ends this program.
        let _ = io::stdin().read_to_end(&mut rest);
        let counters = watcher.status().counters;
        drop(watcher);
        counters
    });
    for batch in events {
        let changes: Vec<String> = batch.changes.iter().map(shown).collect();
        println!(
            "{{\"age_us\":{},\"changes\":[{}]}}",
            batch.first_seen.elapsed().as_micros(),
            changes.join(",")
        );
        io::stdout().flush()?;
    }
    if let Ok(counters) = end.join() {
        println!(
            "{{\"overflows\":{},\"wakeups\":{}}}",
            counters.overflows, counters.wakeups
        );
    }
    Ok(())
}

fn track_all(watcher: &Watcher, directory: &Path, depth: usize) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.is_dir() && !hidden && depth < 8 {
            track_all(watcher, &path, depth + 1)?;
        } else if path.extension().is_some_and(|extension| extension == "py")
            && let Ok(bytes) = fs::read(&path)
        {
            watcher.track(&path, Some(content_hash(&bytes)));
        }
    }
    Ok(())
}

fn shown(change: &FileChange) -> String {
    let size = change
        .content
        .as_ref()
        .map_or("null".to_owned(), |bytes| bytes.len().to_string());
    let hash = change.content.as_ref().map_or("null".to_owned(), |bytes| {
        quoted(&format!("{:?}", content_hash(bytes)))
    });
    format!(
        "{{\"path\":{},\"size\":{size},\"hash\":{hash},\"unsettled\":{},\"error\":{}}}",
        quoted(&change.path.to_string_lossy()),
        change.unsettled,
        change.error.as_deref().map_or("null".to_owned(), quoted)
    )
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control.is_control() => out.push_str(&format!("\\u{:04x}", control as u32)),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
