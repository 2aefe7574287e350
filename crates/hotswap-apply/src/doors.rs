//! Keeps threads out of code that is about to change, while those inside come out.
//!
//! Never for long: a thread before the gate may hold what one inside waits for. The gate
//! stays closed while threads come out, and is tried again where they did not; each time
//! it is open for as long as it was closed.

use std::time::{Duration, Instant};

use hotswap_cpython::frames::RunningCall;
use hotswap_cpython::gate::Gate;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyFunction};
use rustc_hash::FxHashMap;

use crate::undisturbed::Undisturbed;

/// How long nobody may come out before the gate opens: the first time, and at most.
const FIRST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_millis(100);
/// How long the gate stays closed whoever comes out.
const LIMIT: Duration = Duration::from_millis(500);

/// Where a thread is: the calls that it is inside of, each with its line.
type Place = Vec<(usize, i32)>;

/// The gate of one wait, and whom it waits for.
pub(crate) struct Doors<'py> {
    functions: Vec<Bound<'py, PyFunction>>,
    gate: Option<Gate<'py>>,
    /// Who comes out shall not be interrupted by all who wait: with a short switch interval they
    /// take most of the time of the machine for asking.
    undisturbed: Option<Undisturbed<'py>>,
    /// When the gate was closed, or opened again, and when somebody came out last.
    since: Instant,
    came_out: Instant,
    /// How many threads were inside then.
    count: usize,
    /// When it may be closed, and how long nobody may come out.
    next: Instant,
    patience: Duration,
    /// Who stayed inside when the gate was closed last. There is no use in closing it again
    /// before each of them has moved.
    stayed: FxHashMap<u64, Place>,
}

impl<'py> Doors<'py> {
    /// For calls of these functions.
    pub(crate) fn of(functions: Vec<Bound<'py, PyAny>>) -> Self {
        let functions = functions.into_iter();
        let now = Instant::now();
        Self {
            functions: functions.filter_map(|each| each.cast_into().ok()).collect(),
            gate: None,
            undisturbed: None,
            since: now,
            came_out: now,
            count: 0,
            next: now,
            patience: FIRST,
            stayed: FxHashMap::default(),
        }
    }

    /// Whether others are kept out now.
    pub(crate) fn are_closed(&self) -> bool {
        self.gate.as_ref().is_some_and(Gate::is_closed)
    }

    /// Lets everybody in.
    pub(crate) fn open(&mut self) {
        self.gate = None;
        self.undisturbed = None;
    }

    /// Opens or closes the gate, now that these calls were seen inside.
    pub(crate) fn turn(
        &mut self,
        py: Python<'py>,
        codes: &[Bound<'py, PyCode>],
        calls: &[RunningCall],
    ) {
        let now = Instant::now();
        let inside = places(calls);
        if self.gate.is_some() && inside.is_empty() {
            // Only what is suspended is in the way, and who goes on with it may be waiting here.
            self.open();
            self.next = now + FIRST;
            return;
        }
        if self.gate.is_some() {
            if inside.len() < self.count {
                self.count = inside.len();
                self.came_out = now;
            }
            if now.duration_since(self.came_out) > self.patience || !self.are_closed() {
                self.open();
                self.next = now + now.duration_since(self.since);
                self.patience = (self.patience * 2).min(LONGEST);
                self.stayed = inside;
            }
            return;
        }
        self.stayed
            .retain(|thread, place| inside.get(thread) == Some(place));
        // At once: with many threads it may take long to get the lock again for a second look.
        if now >= self.next && !inside.is_empty() && self.stayed.is_empty() {
            // Without the capability moments are looked for as before.
            self.gate = Gate::close(py, &self.functions, codes, LIMIT).ok();
            (self.since, self.came_out, self.count) = (now, now, inside.len());
            match self.gate {
                Some(_) => self.undisturbed = Undisturbed::soon(py).ok(),
                None => self.next = now + LONGEST,
            }
        }
    }
}

fn places(calls: &[RunningCall]) -> FxHashMap<u64, Place> {
    let mut places: FxHashMap<u64, Place> = FxHashMap::default();
    for call in calls {
        let place = places.entry(call.thread).or_default();
        place.push((call.code, call.line));
    }
    places
}
