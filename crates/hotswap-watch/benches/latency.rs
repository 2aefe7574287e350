//! The time from just before a save to the event in another thread, in microseconds.
//!
//! A plain program: what counts is the tail, and each save must stand alone,
//! which the sampling of a benchmark library would not let it.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use hotswap_watch::{ChangeEvent, Receiver, WatchConfig, Watcher, content_hash};

const SAVES: usize = 300;
/// So long that a save is not one of a burst.
const PAUSE: Duration = Duration::from_millis(35);
const DEADLINE: Duration = Duration::from_secs(5);

fn main() {
    let root = match std::env::temp_dir().canonicalize() {
        Ok(temporary) => temporary.join(format!("hotswap-latency-{}", std::process::id())),
        Err(error) => return eprintln!("no temporary directory: {error}"),
    };
    for quiet in [
        Duration::ZERO,
        Duration::from_millis(1),
        Duration::from_millis(2),
    ] {
        for (name, save) in [("close", write as fn(&Path, &[u8])), ("rename", replace)] {
            let config = WatchConfig {
                quiet,
                ..WatchConfig::default()
            };
            let (watcher, events, path) = start(&root, config);
            let mut times = measure(&events, &path, save);
            drop(watcher);
            times.sort_unstable();
            let at = |part: usize| times[(times.len() - 1) * part / 100];
            println!(
                "lead {:>4} us  {name:<6}  p50 {:>6}  p95 {:>6}  p99 {:>6}  ({} saves, 300 files tracked)",
                quiet.as_micros(),
                at(50),
                at(95),
                at(99),
                times.len()
            );
        }
    }
    if let Err(error) = fs::remove_dir_all(&root) {
        eprintln!("{} is left behind: {error}", root.display());
    }
}

fn start(root: &Path, config: WatchConfig) -> (Watcher, Receiver<ChangeEvent>, PathBuf) {
    let (watcher, events) = Watcher::start(config).expect("a watcher");
    for number in 0..300 {
        let path = root
            .join(format!("p{}", number % 20))
            .join(format!("m{number}.py"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let content = source(0);
        fs::write(&path, &content).expect("a module");
        watcher.track(&path, Some(content_hash(&content)));
    }
    watcher.watch_tree(root);
    assert!(watcher.settle(DEADLINE));
    (watcher, events, root.join("p7/m7.py"))
}

fn measure(events: &Receiver<ChangeEvent>, path: &Path, save: fn(&Path, &[u8])) -> Vec<u128> {
    (1..=SAVES)
        .map(|number| {
            thread::sleep(PAUSE);
            let content = source(number);
            let start = Instant::now();
            save(path, &content);
            let batch = events.recv_timeout(DEADLINE).expect("an event");
            let time = start.elapsed().as_micros();
            assert_eq!(batch.changes[0].content.as_deref(), Some(&content[..]));
            time
        })
        .collect()
}

/// Returns a module of 8 KiB.
fn source(number: usize) -> Vec<u8> {
    let mut text = format!("VERSION = {number}\n").into_bytes();
    while text.len() < 8192 {
        text.extend(b"# a line of a module that is as long as most of them are\n");
    }
    text
}

fn write(path: &Path, content: &[u8]) {
    fs::write(path, content).expect("a save");
}

fn replace(path: &Path, content: &[u8]) {
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, content).expect("a temporary file");
    fs::rename(&temporary, path).expect("a save");
}
