//! What is peculiar to Windows: many spellings of one path, and files that nobody else may read.

#![cfg(windows)]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use hotswap_watch::{
    ChangeEvent, Receiver, WatchConfig, Watcher, content_hash,
    paths::{canonical, real},
};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(300);
const OLD: &[u8] = b"x = 1\n";
const NEW: &[u8] = b"x = 2\n";

/// A folder with `Shop.py`, as the system spells it.
fn folder() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = real(root.path()).unwrap();
    fs::write(path.join("Shop.py"), OLD).unwrap();
    (root, path)
}

/// Watches a folder of which the program has loaded one file.
fn watch(directory: &Path, loaded: &Path) -> (Watcher, Receiver<ChangeEvent>) {
    let config = WatchConfig {
        sweep_interval: Duration::from_millis(100),
        ..WatchConfig::default()
    };
    let (watcher, events) = Watcher::start(config).unwrap();
    watcher.track(loaded, Some(content_hash(OLD)));
    watcher.watch_tree(directory);
    assert!(watcher.settle(DEADLINE));
    assert!(events.is_empty());
    (watcher, events)
}

/// The file is reported once, under this spelling.
fn expect_only(events: &Receiver<ChangeEvent>, path: &Path) {
    let batch = events.recv_timeout(DEADLINE).unwrap();
    let paths: Vec<_> = batch.changes.iter().map(|change| &change.path).collect();
    assert_eq!(paths, [path]);
    assert_eq!(batch.changes[0].content.as_deref(), Some(NEW), "{batch:?}");
    assert!(events.recv_timeout(SILENCE).is_err());
}

fn respelled(path: &Path, change: impl Fn(&str) -> String) -> PathBuf {
    PathBuf::from(change(path.to_str().unwrap()))
}

/// With the other letter case in the drive and in everything behind it.
fn in_small_letters(path: &Path) -> PathBuf {
    let small = respelled(path, str::to_lowercase);
    assert_ne!(small, path);
    small
}

fn verbatim(path: &Path) -> PathBuf {
    respelled(path, |path| format!(r"\\?\{path}"))
}

/// The name of the form `LONGNA~1.PY`, as the command processor tells it.
fn short(path: &Path) -> PathBuf {
    let asked = format!("for %I in (\"{}\") do @echo %~sI", path.display());
    let answer = Command::new("cmd")
        .args(["/d", "/c"])
        .raw_arg(asked)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&answer.stdout);
    PathBuf::from(said.trim().trim_matches('"'))
}

#[test]
fn one_file_has_one_spelling() {
    let (_root, folder) = folder();
    let file = folder.join("Shop.py");
    assert!(folder.to_str().unwrap().as_bytes()[1] == b':', "{folder:?}");
    for other in [
        file.clone(),
        in_small_letters(&file),
        verbatim(&file),
        verbatim(&in_small_letters(&file)),
        folder.join("sub").join("..").join("Shop.py"),
        respelled(&file, |path| path.replace('\\', "/")),
    ] {
        assert_eq!(canonical(&other), file, "{other:?}");
    }
}

#[test]
fn names_that_only_the_verbatim_form_can_say_keep_it() {
    let (_root, folder) = folder();
    for name in ["ends in a dot.", "nul.py", "COM1"] {
        let path = verbatim(&folder.join("x")).with_file_name(name);
        assert_eq!(
            canonical(&path),
            verbatim(&folder.join("x")).with_file_name(name)
        );
    }
}

#[test]
fn a_file_that_was_loaded_in_other_letters_is_reported_in_them() {
    let (_root, folder) = folder();
    let loaded = in_small_letters(&folder.join("Shop.py"));
    let (_watcher, events) = watch(&folder, &loaded);
    fs::write(folder.join("Shop.py"), NEW).unwrap();
    expect_only(&events, &loaded);
}

#[test]
fn only_the_name_of_the_file_may_differ_in_its_letters() {
    let (_root, folder) = folder();
    let loaded = folder.join("SHOP.py");
    let (_watcher, events) = watch(&folder, &loaded);
    fs::write(folder.join("Shop.py"), NEW).unwrap();
    expect_only(&events, &loaded);
}

#[test]
fn a_verbatim_path_is_the_same_folder() {
    let (_root, folder) = folder();
    let loaded = folder.join("Shop.py");
    let (_watcher, events) = watch(&verbatim(&folder), &loaded);
    fs::write(verbatim(&loaded), NEW).unwrap();
    expect_only(&events, &loaded);
}

#[test]
fn a_file_is_the_same_under_its_short_name() {
    let (_root, folder) = folder();
    let loaded = folder.join("a longer name.py");
    fs::write(&loaded, OLD).unwrap();
    let other = short(&loaded);
    assert!(other.to_str().unwrap().contains('~'), "{other:?}");
    assert_eq!(canonical(&other), loaded);
    let (_watcher, events) = watch(&folder, &loaded);
    fs::write(&other, NEW).unwrap();
    expect_only(&events, &loaded);
    fs::remove_file(&other).unwrap();
    let batch = events.recv_timeout(DEADLINE).unwrap();
    assert_eq!(batch.changes[0].path, loaded);
    assert_eq!(batch.changes[0].content, None);
}

/// Opens a file as some editors do: nobody else can read it.
fn open_alone(path: &Path) -> File {
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .share_mode(0)
        .open(path)
        .unwrap()
}

#[test]
fn a_file_that_an_editor_has_locked_is_read_when_it_lets_go() {
    let (_root, folder) = folder();
    let file = folder.join("Shop.py");
    let (_watcher, events) = watch(&folder, &file);
    let mut editor = open_alone(&file);
    editor.write_all(NEW).unwrap();
    assert!(fs::read(&file).is_err());
    assert!(events.recv_timeout(SILENCE).is_err());
    drop(editor);
    expect_only(&events, &file);
}

#[test]
fn a_file_that_stays_locked_is_reported_with_the_reason_and_again_when_it_is_free() {
    let (_root, folder) = folder();
    let file = folder.join("Shop.py");
    let (_watcher, events) = watch(&folder, &file);
    let mut editor = open_alone(&file);
    editor.write_all(NEW).unwrap();
    let batch = events.recv_timeout(DEADLINE).unwrap();
    assert_eq!(batch.changes[0].content, None);
    assert!(batch.changes[0].error.is_some(), "{batch:?}");
    sleep(SILENCE);
    drop(editor);
    expect_only(&events, &file);
}
