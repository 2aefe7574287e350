//! Safe functions over CPython's private parts, one file per capability.
//!
//! ```text
//! functions   code, closure and globals of a live function
//! heap        every object the collector knows, by file, code object or class
//! import      modules of the standard library, whatever code runs
//! home        functions and running calls that move to another namespace
//! references  every holder of an object, and its replacement by another
//! types       attributes and bases of classes, without metaclass hooks
//! attributes  what an object itself keeps, without code of its class
//! lines       first line numbers of live code objects
//! code        constants of live code objects
//! tuple       items of live tuples
//! bytecode    what instructions do to the stack and the variables of a call
//! frames      code that is on a stack now
//! moving      calls in progress that go on in another code object
//! gate        functions that other threads do not enter for a moment
//! threads     the end of a thread that never ends by itself; which thread came first
//! owner       which interpreter this copy of the library belongs to
//! commit      a stretch in which no other Python code runs
//! audit       whether an audit hook looks on
//! versions    numbers of functions, which CPython 3.12 gives out twice
//! ```
//!
//! All unsafe code that hotswap runs in its own process is here. What holds:
//!
//! - Nothing is written at an offset that was not found in this very process:
//!   each capability first makes objects of its own, looks for known values in
//!   them, writes, and reads back through the public interface.
//! - Where that fails, and on versions it was not tried on, the capability is
//!   absent: its functions return [`Unsupported`] with the reason.
//! - Nothing here decides what to change, imports user modules, or notes the
//!   old values of a transaction. Where a function hands out what it replaced,
//!   its documentation says so.

#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

#[cfg(any(PyPy, GraalPy))]
compile_error!("hotswap-cpython is about the private parts of CPython and no other Python");

pub mod attributes;
pub mod audit;
pub mod bytecode;
pub mod class_lines;
pub mod code;
pub mod commit;
pub mod dicts;
pub mod frames;
pub mod functions;
pub mod gate;
pub mod heap;
pub mod home;
mod import;
mod layout;
pub mod lines;
#[cfg(Py_3_12)]
mod linked;
pub mod moving;
mod names;
mod once;
pub mod owner;
pub mod references;
mod rings;
pub mod support;
pub mod threads;
pub mod tuple;
pub mod types;
mod versions;

pub use import::import;
pub use once::prepare_pyo3;
pub use support::{Capability, CpythonError, Result, Unsupported, capabilities};
