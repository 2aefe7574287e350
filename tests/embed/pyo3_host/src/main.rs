//! A Rust program with a main loop of its own and a plug-in in Python, by PyO3.
//!
//! Its words are those of `host.c`, but for "again": PyO3 initialises Python once, in the
//! thread that asks for it first, and never finalises it.

use std::io::BufRead;
use std::time::{Duration, Instant};

// The embedding, as in the documentation.
use pyo3::prelude::*;

fn run_plugin(code: &std::ffi::CStr) -> PyResult<()> {
    // The first call of the process initialises Python, in whatever thread.
    Python::attach(|py| py.run(code, None, None)) // import hotswap; hotswap.watch(...); ...
}

fn start_plugin(code: std::ffi::CString) -> std::thread::JoinHandle<PyResult<()>> {
    std::thread::spawn(move || run_plugin(&code)) // the main loop needs no Python
}
// The end of the part in the documentation.

fn main() {
    let mut words = std::env::args()
        .skip(1)
        .map(|word| std::ffi::CString::new(word).expect("no NUL"));
    let (begin, finish) = (words.next().expect("code"), words.next().expect("code"));
    println!("host: life 1");
    let plugin = start_plugin(begin);
    let mut word = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut word)
        .expect("a line");
    if word.trim() != "leave" {
        let said = start_plugin(finish).join().expect("no panic");
        let ended = plugin.join().expect("no panic");
        println!("host: plug-in {:?} {:?}", said.is_ok(), ended.is_ok());
    }
    // What a host does after its plug-ins, hotswap's thread still being there.
    let until = Instant::now() + Duration::from_millis(100);
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("host: end");
}
