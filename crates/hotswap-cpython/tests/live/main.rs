//! Runs each capability on live objects in an embedded interpreter.
//!
//! A case is a snippet of Python that asserts; `cpython` in it is this crate
//! (see `harness.rs`).

mod commit;
mod frames;
mod functions;
mod gate;
mod harness;
mod heap;
mod lines;
mod references;
mod support;
mod types;
