//! Calls that were inside old code at the commit, and have left before anybody could look.
//!
//! After the commit other threads have their turn before it is looked who still is inside.
//! Such a call has met the new functions as much as one that stays.

use hotswap_cpython::frames::RunningCall;
use pyo3::prelude::*;
use pyo3::types::PyCode;

use super::{Look, Standing};
use crate::consistency::{frames_inside, own_thread, pending_call, with_older};
use crate::stage::Stage;

/// Why a call is listed that is in no old code any more.
const LEFT: &str = "it was running when the update was committed, and has left since";

/// A call of old code at the moment of the commit.
pub(crate) struct Inside<'py> {
    code: Bound<'py, PyCode>,
    call: RunningCall,
}

/// Notes for each group which other threads are inside what it is about to change: one look at
/// the stacks, in the same stretch as the commit. Who stands between two rounds is as good as out.
pub(crate) fn note_inside<'py>(
    py: Python<'py>,
    stages: &mut [(usize, Stage<'_, 'py>)],
    standing: &Standing<'py>,
) {
    let (mut codes, mut groups) = (Vec::new(), Vec::new());
    for (at, (_, stage)) in stages.iter().enumerate() {
        codes.extend(with_older(
            py,
            stage.world,
            stage.transaction.doomed_codes(),
        ));
        groups.resize(codes.len(), at);
    }
    let own = own_thread(py);
    let running = frames_inside(py, &codes);
    let standing = standing.threads(&running, &codes);
    for (_, stage) in stages.iter_mut() {
        stage.inside.clear();
    }
    for call in running {
        if call.thread != own && !standing.contains(&call.thread) {
            let code = codes[call.code].clone();
            let (_, stage) = &mut stages[groups[call.code]];
            stage.inside.push(Inside { code, call });
        }
    }
}

impl Stage<'_, '_> {
    /// Names the calls that were inside at the commit and that a look at those who still are
    /// has not found.
    pub(super) fn name_those_who_left(&mut self, look: &Look) {
        let inside = std::mem::take(&mut self.inside);
        let codes: Vec<_> = inside.iter().map(|each| each.code.clone()).collect();
        let running = frames_inside(self.py, &codes);
        for Inside { code, call } in inside {
            if look.has_found(call.thread, &code) {
                continue;
            }
            let mut pending = pending_call(&call, &code);
            let runs = |now: &RunningCall| now.thread == call.thread && codes[now.code].is(&code);
            if !running.iter().any(runs) {
                pending.reason = LEFT.to_string();
            }
            self.pending.push(pending);
        }
    }
}
