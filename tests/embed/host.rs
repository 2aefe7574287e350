//! A Rust program with a main loop of its own and a plug-in in Python, by plain calls
//! of CPython. What it understands is said in `host.c`; it is compiled by `rustc` alone.

use std::ffi::{CStr, CString, c_char, c_int, c_ulong, c_void};
use std::io::BufRead;
use std::sync::mpsc;
use std::time::Duration;

/// What of CPython is called; the same from 3.9 on.
mod python {
    use super::{c_char, c_int, c_ulong, c_void};

    unsafe extern "C" {
        pub fn Py_InitializeEx(signals: c_int);
        pub fn Py_FinalizeEx() -> c_int;
        pub fn PyEval_SaveThread() -> *mut c_void;
        pub fn PyEval_RestoreThread(state: *mut c_void);
        pub fn PyGILState_Ensure() -> c_int;
        pub fn PyGILState_Release(held: c_int);
        pub fn PyThread_get_thread_ident() -> c_ulong;
        pub fn PyRun_SimpleStringFlags(code: *const c_char, flags: *mut c_void) -> c_int;
    }
}

/// Runs this in a thread of the host's: `import hotswap; hotswap.watch(...); ...`
fn run_plugin(code: &CStr) {
    // SAFETY: Python is initialised, and is finalised only after this thread was joined.
    let held = unsafe { python::PyGILState_Ensure() };
    // SAFETY: this thread is attached, and the text ends with NUL.
    let ended = unsafe { python::PyRun_SimpleStringFlags(code.as_ptr(), std::ptr::null_mut()) };
    if ended != 0 {
        eprintln!("the plug-in has failed");
    }
    // SAFETY: what was taken above is given back, by the same thread.
    unsafe { python::PyGILState_Release(held) };
}

/// The next line of standard input; the main loop turns meanwhile.
fn main_loop(input: &mpsc::Receiver<String>) -> String {
    loop {
        match input.recv_timeout(Duration::from_millis(10)) {
            Ok(line) => return line,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return "end".into(),
        }
    }
}

fn main() {
    let mut words = std::env::args().skip(1).map(|word| CString::new(word).expect("no NUL"));
    let (Some(begin), Some(finish)) = (words.next(), words.next()) else {
        std::process::exit(2);
    };
    let (said, input) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = said.send(line);
        }
    });
    for life in 1.. {
        // SAFETY: Python is not initialised. 0: no signal handlers.
        unsafe { python::Py_InitializeEx(0) };
        // SAFETY: this thread is attached since the call above.
        let saved = unsafe { python::PyEval_SaveThread() };
        let code = begin.clone();
        let plugin = std::thread::spawn(move || run_plugin(&code));
        // SAFETY: the call has no conditions.
        println!("host: main thread {}", unsafe { python::PyThread_get_thread_ident() });
        println!("host: life {life}");
        let word = main_loop(&input);
        if word == "leave" {
            return;
        }
        let code = finish.clone();
        let messenger = std::thread::spawn(move || run_plugin(&code));
        messenger.join().expect("the messenger does not panic");
        plugin.join().expect("the plug-in's thread does not panic");
        // SAFETY: what this thread gave away above, which nobody else has taken.
        unsafe { python::PyEval_RestoreThread(saved) };
        // SAFETY: this thread initialised Python and is attached.
        println!("host: finalised {}", unsafe { python::Py_FinalizeEx() });
        if word != "again" {
            break;
        }
    }
    println!("host: end");
}
