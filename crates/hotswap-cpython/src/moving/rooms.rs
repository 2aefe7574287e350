//! How much room a generator has for its frame.
//!
//! It is made for the code that it begins in, and does not note the size. Of one that
//! has been moved it is known from here.

use pyo3::prelude::*;

use super::remembered::Remembered;
use super::slots::Slots;

static MOVED: Remembered = Remembered::new();

/// How many words a generator has for variables and stack.
pub(super) fn of(generator: &Bound<'_, PyAny>, slots: &Slots) -> usize {
    MOVED.get(generator).unwrap_or_else(|| slots.size())
}

/// Notes the room of a generator that leaves the code it was made for.
///
/// After an error it must not be moved: it would count from then on as one that was made
/// for the code it is in.
pub(super) fn note(generator: &Bound<'_, PyAny>, words: usize) -> PyResult<()> {
    MOVED.insert(generator, words)
}

/// Forgets generators that are gone.
pub(super) fn tend(py: Python<'_>) {
    MOVED.tend(py);
}
