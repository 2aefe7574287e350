//! Turns plans into transactions on live objects, and transactions into reports.
//!
//! [`update`] takes groups of edited modules. Every group is prepared first:
//! statements run in staging namespaces that nobody else sees, new code objects
//! are made and paired with the functions that live. Then all groups that could
//! be prepared are committed in one stretch. An error undoes everything that was
//! written for its group.
//!
//! What is *not* here: files, threads, watching, wording for people.
#![forbid(unsafe_code)]

mod ahead;
mod annotations;
mod awaited;
mod block;
mod body;
mod caches;
mod callee;
mod carried;
mod chain;
mod class;
mod closures;
mod codes;
mod collected_names;
mod collections;
mod completed;
mod consistency;
mod contents;
mod counters;
mod decorated;
mod decorators;
mod defaults;
mod depend;
mod derive;
mod display;
mod docs;
mod doors;
mod early;
mod elements;
mod enums;
mod fault;
mod first_values;
mod frozen;
mod function;
mod guard;
mod half_made;
mod handover;
mod headers;
mod held_codes;
mod import_words;
mod imports;
mod initializers;
mod instances;
mod live;
mod methods;
mod modules;
mod moved;
mod name_order;
mod naming;
mod native;
mod order;
mod pending_calls;
mod reach;
mod rebind;
mod recipe;
mod reconcile;
mod registrations;
mod removal;
mod rename;
mod report;
mod revive;
mod running;
mod stage;
mod statement;
mod stored;
mod timeline;
mod transaction;
mod trial;
mod undisturbed;
mod unloaded;
mod update;
mod values;
mod views;
mod world;

pub use ahead::compile_ahead;
pub use awaited::awaits;
pub use body::{Applicable, Part, applicable, is_code_of, move_body};
pub use contents::set_order as restore_order;
#[cfg(debug_assertions)]
pub use fault::fail_at_step;
pub use first_values::Readers;
pub use import_words::import_words;
pub use imports::resolve_import;
pub use modules::Modules;
pub use order::importers;
pub use reconcile::reconcile_module;
pub use report::{ChangeEntry, Failure, Outcome, Pending};
pub use running::{settle_bodies, still_pending};
pub use update::{Comparison, Consistency, Edit, Group, Options, update};
pub use world::{Module, World};
