//! Turns the baseline and the new source of a module into a plan.
//!
//! The crate knows Python's syntax and nothing else: it reads no file, holds no
//! Python object and never runs code. [`Outline::parse`] says what a source
//! defines, statement by statement; [`diff`] says which statements of the new
//! outline are the same, differ only inside function bodies, or must run;
//! [`Skeleton`] writes the text to compile for them, in which everything else
//! is blank and every line keeps its number.
//!
//! Whether a statement is *derived* again depends on live values and is decided
//! by `hotswap-apply`, from the [`Facts`] that are collected here.
#![forbid(unsafe_code)]

mod assignments;
mod deep;
mod diff;
mod facts;
mod given_back;
mod image;
mod kept;
mod nested;
mod of_object;
mod outline;
mod points;
mod purity;
mod reader;
mod scan;
mod shift;
mod skeleton;
mod source;
mod static_attributes;
mod steps;
mod touched;

pub use diff::{Change, ClassChange, FunctionChange, Plan, Shift, Step, diff, diff_bodies};
pub use facts::{ASSIGNS_GLOBAL, Call, Facts, Receiver, changes_in_place};
pub use kept::Kept;
pub use nested::{NestedFunction, nested_function};
pub use outline::{
    Assignment, Branch, ClassDef, CodeSite, Compound, Expression, FunctionDef, Import, Item, Kind,
    Outline, Parameter, Pragma, Span, Statement, SyntaxProblem, Target,
};
pub use points::{Correspondence, Definition, Place, Point, PointKind, correspond};
pub use purity::{
    is_pure_builtin, is_pure_library, is_pure_method, is_pure_method_name, makes_fresh_object,
};
pub use skeleton::{DECORATOR_STUB, Skeleton};
pub use source::{DecodeProblem, Source};
pub use static_attributes::static_attributes;
pub use steps::{BodyStep, body_steps};
