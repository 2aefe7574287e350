//! Calls that stand at the end of a round of their loop, while an update waits for a moment
//! when nobody is inside what it changes.
//!
//! A server's main loop never leaves its function. Between two rounds it is as good as out: it
//! goes on in the new code before anything else. So loops that can move wait there until the
//! rest is out as well, or stands at the end of a round too. Never for long: a thread that
//! stands may hold what another needs to get so far. If nobody gets any further, all are let go,
//! and wait at other places only for as long as they have waited.

use std::time::{Duration, Instant};

use hotswap_cpython::frames::RunningCall;
use hotswap_cpython::moving;
use pyo3::prelude::*;
use pyo3::types::PyCode;
use rustc_hash::{FxHashMap, FxHashSet};

use super::route::{self, Way};
use super::{Version, lead};
use crate::native as cpython;
use crate::report::Pending;
use crate::world::World;

/// How long those who stand wait for somebody to come out, the first time, and at most unless
/// the update may wait longer.
const FIRST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_millis(100);
/// How long they stand whoever comes out, and while statements of the update run.
const LIMIT: Duration = Duration::from_millis(500);
/// How often threads are looked at that have to be traced.
const FOLLOW: Duration = Duration::from_millis(20);
/// How long is waited at the end until those who were let go have moved. It takes about a
/// millisecond, and longer only where a thread does not get a processor.
const LEAVING: Duration = Duration::from_millis(250);

/// An old version and the one that it will become.
pub(crate) type Becomes = (Version, Version);

/// The codes whose calls may stand, and for how long.
pub(crate) struct Standing<'py> {
    py: Python<'py>,
    /// Held codes, by address; None: their calls cannot move, for this reason.
    held: FxHashMap<usize, Held<'py>>,
    /// The update was committed, and these may move.
    freed: Vec<Bound<'py, PyCode>>,
    /// Since when somebody stands, when somebody came out last, and how many were inside then.
    since: Option<Instant>,
    came_out: Instant,
    count: usize,
    /// Until then nobody stands where it was in vain.
    next: Instant,
    patience: Duration,
    longest: Duration,
    followed: Instant,
}

struct Held<'py> {
    old: Bound<'py, PyCode>,
    new: usize,
    way: std::result::Result<Way, String>,
}

impl<'py> Standing<'py> {
    /// Nobody stands yet. `limit` is how long the update waits.
    pub(crate) fn nobody(py: Python<'py>, limit: Duration) -> Self {
        let now = Instant::now();
        Self {
            py,
            held: FxHashMap::default(),
            freed: Vec::new(),
            since: None,
            came_out: now,
            count: 0,
            next: now,
            patience: FIRST,
            longest: LONGEST.max(limit / 4),
            followed: now,
        }
    }

    /// Looks how calls of these codes can move, where that is not known yet.
    pub(crate) fn learn(
        &mut self,
        running: &[Bound<'py, PyCode>],
        becomes: &[Becomes],
    ) -> PyResult<()> {
        let py = self.py;
        for code in running {
            let found = becomes.iter().find(|(old, _)| old.code.is(code));
            let Some((old, new)) = found else { continue };
            let (key, target) = (code.as_ptr() as usize, new.code.as_ptr() as usize);
            if self.held.get(&key).is_some_and(|held| held.new == target) {
                continue;
            }
            let way = self.way(old, new)?;
            if let Ok(way) = &way {
                let route = way.route(code, new.code.bind(py));
                moving::standing::hold(code);
                if let Err(error) = moving::arm(py, &route) {
                    moving::standing::go(code);
                    return Err(cpython::raised(error));
                }
            } else if self.held.contains_key(&key) {
                moving::disarm(py, code).map_err(cpython::raised)?;
                moving::standing::go(code);
            }
            let held = Held {
                old: code.clone(),
                new: target,
                way,
            };
            self.held.insert(key, held);
        }
        Ok(())
    }

    /// How calls get from one version to the other; or why they cannot.
    fn way(&self, old: &Version, new: &Version) -> PyResult<std::result::Result<Way, String>> {
        let py = self.py;
        if let Err(absent) = moving::check_running(py) {
            return Ok(Err(absent.reason));
        }
        let Some(map) = lead(old, new) else {
            return Ok(Err("its source is not known".to_string()));
        };
        let Some(way) = route::between(py, old, new, &map)? else {
            return Ok(Err(route::UNKNOWN.to_string()));
        };
        Ok(match way.loops.is_empty() && !map.lost.is_empty() {
            true => Err("the loop it is in has no counterpart in the new code".to_string()),
            false => Ok(way),
        })
    }

    /// The threads that stand between two rounds and are in the middle of nothing else.
    pub(crate) fn threads(
        &self,
        running: &[RunningCall],
        codes: &[Bound<'py, PyCode>],
    ) -> FxHashSet<u64> {
        stand(self.py, running, codes)
    }

    /// Asks calls to stand or lets them go, now that so many stand and so many are inside.
    pub(crate) fn turn(&mut self, standing: usize, inside: usize) -> PyResult<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        if now.duration_since(self.followed) > FOLLOW {
            self.followed = now;
            moving::follow(self.py).map_err(cpython::raised)?;
        }
        if now >= self.next {
            moving::standing::try_all();
        }
        if standing == 0 {
            self.since = None;
            moving::standing::ask(LIMIT);
            return Ok(());
        }
        let since = *self.since.get_or_insert_with(|| {
            (self.came_out, self.count) = (now, inside);
            now
        });
        if inside < self.count {
            (self.came_out, self.count) = (now, inside);
        }
        if now.duration_since(self.came_out) > self.patience || now.duration_since(since) > LIMIT {
            moving::standing::let_go_on();
            self.since = None;
            self.next = now + now.duration_since(since);
            self.patience = (self.patience * 2).min(self.longest);
        }
        moving::standing::ask(LIMIT);
        Ok(())
    }

    /// Those who stand do so for a while, without anybody looking.
    pub(crate) fn stay(&self) {
        if !self.held.is_empty() {
            moving::standing::ask(LIMIT);
        }
    }

    /// Lets everybody go on in the old code.
    pub(crate) fn let_go(&mut self) {
        moving::standing::let_go();
        self.since = None;
    }

    /// The update of these codes was committed.
    pub(crate) fn free<'a>(&mut self, codes: impl Iterator<Item = &'a Bound<'py, PyAny>>)
    where
        'py: 'a,
    {
        for code in codes {
            if let Some(held) = self.held.remove(&(code.as_ptr() as usize)) {
                moving::standing::go(&held.old);
                self.freed.push(held.old);
            }
        }
    }

    /// Says why a call is still in the way.
    pub(crate) fn explain(&self, pending: &mut Pending, code: &Bound<'py, PyCode>) {
        let Some(held) = self.held.get(&(code.as_ptr() as usize)) else {
            return;
        };
        let why = match &held.way {
            Err(reason) => Some(reason.clone()),
            Ok(way) => moving::armed(code)
                .and_then(|armed| armed.refusal)
                .or_else(|| {
                    let first = way.loop_around(pending.line)?;
                    Some(format!(
                        "the round of its loop in line {first} has not come to its end"
                    ))
                }),
        };
        if let Some(why) = why {
            pending.reason = format!("it is running: {why}");
        }
    }

    /// The update has ended: lets everybody go, and waits for a moment until they have moved.
    pub(crate) fn end(mut self, world: &World) -> PyResult<()> {
        let (py, freed) = (self.py, std::mem::take(&mut self.freed));
        self.let_go();
        let began = Instant::now();
        while !moving::standing::standing(py).is_empty() && began.elapsed() < LEAVING {
            py.detach(|| std::thread::sleep(Duration::from_micros(100)));
        }
        for code in freed {
            if !world.lingers(&code) {
                moving::disarm(py, &code).map_err(cpython::raised)?;
            }
        }
        Ok(())
    }
}

impl Drop for Standing<'_> {
    /// What was not committed is what it was.
    fn drop(&mut self) {
        if self.held.is_empty() {
            return;
        }
        moving::standing::let_go();
        for held in self.held.values() {
            moving::standing::go(&held.old);
            if let Err(error) = moving::disarm(self.py, &held.old) {
                cpython::raised(error).write_unraisable(self.py, None);
            }
        }
    }
}

/// The threads that stand in one of these codes, in the only call of such code that they
/// are in.
pub(super) fn stand(
    py: Python<'_>,
    running: &[RunningCall],
    codes: &[Bound<'_, PyCode>],
) -> FxHashSet<u64> {
    let mut standing = moving::standing::standing(py);
    if standing.is_empty() {
        return FxHashSet::default();
    }
    let mut calls: FxHashMap<u64, usize> = FxHashMap::default();
    for call in running {
        *calls.entry(call.thread).or_default() += 1;
        let code = codes[call.code].as_ptr() as usize;
        if standing.get(&call.thread) != Some(&code) {
            standing.remove(&call.thread);
        }
    }
    standing.retain(|thread, _| calls.get(thread) == Some(&1));
    standing.into_keys().collect()
}
