//! Calls that are inside old code when an update has been committed.
//!
//! Each old version that is still in use is remembered with its source, until nobody is
//! inside any more. The planner says which places of it are places of the newest version;
//! suspended generators go on there at once, running loops at their next round.

mod left;
mod route;
mod standing;
mod task;

use std::sync::Arc;

use crate::codes;
use crate::native as cpython;
use hotswap_cpython::attributes::Peek as _;
use hotswap_cpython::moving::{self, Moved};
use hotswap_plan::{Correspondence, Definition, correspond};
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyWeakref, PyWeakrefMethods, PyWeakrefReference};
use rustc_hash::FxHashSet;

use crate::body::Body;
use crate::consistency::frames_inside;
use crate::report::{ChangeEntry, Pending};
use crate::stage::Stage;
use crate::world::World;
pub(crate) use left::{Inside, note_inside};
use route::Way;
pub(crate) use standing::{Becomes, Standing};

/// How the reason begins where a call is about to move.
pub(crate) const NEXT_ROUND: &str = "it takes the new code at the next round of its loop";

/// A version of a definition: its code and where its source stands.
pub(crate) struct Version {
    code: Py<PyCode>,
    text: Arc<str>,
    name: String,
    line: u32,
}

/// An old version that calls may be inside of, and the newest one.
pub(crate) struct Lingering {
    old: Version,
    new: Version,
    way: Option<Way>,
    /// The map between both, where both sources could be read.
    map: Option<Correspondence>,
    /// Why calls cannot be moved at all.
    obstacle: Option<String>,
    /// The namespace of the module whose running body this is.
    module: Option<Py<PyDict>>,
    /// The generators that were suspended in the old code when they were looked for. No new
    /// one can begin there; but one that ran then may be suspended by now.
    suspended: Vec<Py<PyWeakref>>,
    /// Calls were running in the old code when last looked at.
    ran: bool,
}

impl Version {
    pub(crate) fn of(code: &Bound<'_, PyAny>, text: &Arc<str>) -> PyResult<Version> {
        Ok(Version {
            text: text.clone(),
            name: codes::name_of(code)?,
            line: codes::line_of(code)?,
            code: code.clone().cast_into::<PyCode>()?.unbind(),
        })
    }

    fn definition(&self) -> Definition<'_> {
        Definition {
            text: &self.text,
            name: &self.name,
            line: self.line,
        }
    }

    fn copy(&self, py: Python<'_>) -> Version {
        Version {
            code: self.code.clone_ref(py),
            text: self.text.clone(),
            name: self.name.clone(),
            line: self.line,
        }
    }
}

/// Which points of one version are points of another.
fn lead(old: &Version, new: &Version) -> Option<Correspondence> {
    correspond(old.definition(), new.definition())
}

impl Lingering {
    fn new(
        py: Python<'_>,
        old: Version,
        new: Version,
        map: Option<Correspondence>,
    ) -> PyResult<Lingering> {
        let mut lingering = Lingering {
            old,
            new,
            way: None,
            map,
            obstacle: None,
            module: None,
            suspended: Vec::new(),
            ran: false,
        };
        let obstacle = match &lingering.map {
            None => Some("its source is not known".to_string()),
            Some(map) => match moving::check(py) {
                Err(absent) => Some(absent.reason),
                Ok(()) => {
                    lingering.way = route::between(py, &lingering.old, &lingering.new, map)?;
                    match lingering.way {
                        Some(_) => None,
                        None => Some(route::UNKNOWN.to_string()),
                    }
                }
            },
        };
        lingering.obstacle = obstacle;
        Ok(lingering)
    }

    /// The body of a module, which runs as a source was, and as it is now.
    pub(crate) fn of_body(
        py: Python<'_>,
        module: &Py<PyDict>,
        body: &Body,
        code: &Bound<'_, PyCode>,
        text: &Arc<str>,
    ) -> PyResult<Lingering> {
        let old = Version::of(body.code.bind(py), &body.text)?;
        let new = Version::of(code, text)?;
        let map = lead(&old, &new);
        let mut lingering = Lingering::new(py, old, new, map)?;
        lingering.module = Some(module.clone_ref(py));
        Ok(lingering)
    }

    pub(crate) fn is_body_of(&self, module: &Py<PyDict>) -> bool {
        self.module.as_ref().is_some_and(|dict| dict.is(module))
    }

    /// Whether it leads to code of this source.
    pub(crate) fn leads_to(&self, text: &str) -> bool {
        *self.new.text == *text
    }

    /// Whether a call has gone on in the new code.
    fn has_moved(&self, py: Python<'_>) -> bool {
        let armed = moving::armed(self.old.code.bind(py));
        armed.is_some_and(|armed| armed.moved > 0)
    }

    /// Lets running calls go on in the new code at the next round of their loops.
    fn arm(&mut self, py: Python<'_>) {
        let Some(way) = &self.way else { return };
        if way.loops.is_empty()
            || moving::check_running(py).is_err()
            || moving::armed(self.old.code.bind(py)).is_some()
        {
            return;
        }
        let route = way.route(self.old.code.bind(py), self.new.code.bind(py));
        if let Err(error) = moving::arm(py, &route) {
            self.obstacle = Some(error.to_string());
        }
    }

    /// Why a running call that stands at a line is still in the old code.
    fn reason(&self, py: Python<'_>, line: u32) -> String {
        if let Some(obstacle) = &self.obstacle {
            return format!(
                "it goes on in the old code: {obstacle}; the next call takes the new code"
            );
        }
        if let Err(absent) = moving::check_running(py) {
            return format!(
                "it goes on in the old code: {}; the next call takes the new code",
                absent.reason
            );
        }
        let armed = moving::armed(self.old.code.bind(py));
        if let Some(refusal) = armed.and_then(|armed| armed.refusal) {
            return format!(
                "it goes on in the old code: {refusal}; the next call takes the new code"
            );
        }
        let map = self.map.as_ref();
        let around = self.way.as_ref().and_then(|way| way.loop_around(line));
        if let Some(first) = around {
            return format!("{NEXT_ROUND} in line {first}");
        }
        let lost = map.is_some_and(|map| !map.lost.is_empty());
        match lost {
            true => "it ends in the old code: the loop it is in has no counterpart in the new code; the next call takes the new code".to_string(),
            false => "it is running; the next call takes the new code".to_string(),
        }
    }
}

impl Drop for Lingering {
    /// The old version is no longer watched.
    fn drop(&mut self) {
        // At the end of the interpreter nothing is left to be undone.
        Python::try_attach(|py| {
            if let Err(error) = moving::disarm(py, self.old.code.bind(py)) {
                cpython::raised(error).write_unraisable(py, None);
            }
        });
    }
}

impl World {
    /// Whether calls were inside old code when that was looked at last.
    #[must_use]
    pub fn is_left_behind(&self) -> bool {
        !self.lingering.borrow().is_empty()
    }

    /// Whether calls were inside this code when that was looked at last.
    fn lingers(&self, code: &Bound<'_, PyCode>) -> bool {
        let known = self.lingering.borrow();
        known.iter().any(|each| each.old.code.is(code))
    }

    /// No longer moves the running body of a module.
    pub(crate) fn forget_body(&self, module: &Py<PyDict>) {
        let all = std::mem::take(&mut *self.lingering.borrow_mut());
        let (gone, kept): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|each| each.is_body_of(module));
        *self.lingering.borrow_mut() = kept;
        drop(gone);
    }
}

/// The new source becomes the baseline of modules whose bodies have gone on in it.
pub fn settle_bodies(py: Python<'_>, world: &mut World) {
    let arrived: Vec<(Py<PyDict>, Body)> = world
        .lingering
        .borrow()
        .iter()
        .filter(|each| each.has_moved(py))
        .filter_map(|each| {
            let body = Body {
                code: each.new.code.clone_ref(py),
                text: each.new.text.clone(),
            };
            Some((each.module.as_ref()?.clone_ref(py), body))
        })
        .collect();
    for (dict, body) in arrived {
        if let Some(module) = world.by_dict(dict.bind(py)) {
            world.modules.set_baseline(module, body.text.clone(), None);
            world.modules.set_body(module, body);
        }
        world.forget_body(&dict);
    }
}

/// Who is inside old code now, with the reasons. What nobody is inside of is forgotten.
pub fn still_pending(py: Python<'_>, world: &mut World) -> Vec<Pending> {
    settle_bodies(py, world);
    let mut known = world.lingering.borrow_mut();
    look(py, &mut known).pending
}

/// What a look at the old versions has found.
#[derive(Default)]
struct Look {
    pending: Vec<Pending>,
    /// The names of suspended calls that were moved, and how many there were of each.
    moved: Vec<(String, usize)>,
    /// Threads and the addresses of the old code that they run.
    running: FxHashSet<(u64, usize)>,
    /// The addresses of old code in which calls were suspended.
    suspended: FxHashSet<usize>,
}

impl Look {
    /// Whether a call that a thread had in this code was seen, or may since be suspended.
    fn has_found(&self, thread: u64, code: &Bound<'_, PyCode>) -> bool {
        let code = code.as_ptr() as usize;
        self.running.contains(&(thread, code)) || self.suspended.contains(&code)
    }
}

/// Looks who is inside the old versions, moves those that can be moved and forgets the
/// versions that nobody is in. Running loops are watched.
fn look(py: Python<'_>, known: &mut Vec<Lingering>) -> Look {
    let mut found = Look::default();
    let codes: Vec<Bound<'_, PyCode>> = known
        .iter()
        .map(|each| each.old.code.bind(py).clone())
        .collect();
    if codes.is_empty() {
        return found;
    }
    let mut used = vec![false; codes.len()];
    for (index, generator) in still_suspended(py, known, &codes) {
        let each = &known[index];
        found.suspended.insert(codes[index].as_ptr() as usize);
        let refusal = match (&each.obstacle, &each.way) {
            (None, Some(way)) => {
                let route = way.route(each.old.code.bind(py), each.new.code.bind(py));
                match moving::move_suspended(py, &generator, &route) {
                    Ok(Moved::Done) => {
                        let mut moved = found.moved.iter_mut();
                        match moved.find(|(name, _)| *name == each.new.name) {
                            Some((_, count)) => *count += 1,
                            None => found.moved.push((each.new.name.clone(), 1)),
                        }
                        continue;
                    }
                    Ok(Moved::Refused(reason)) => reason,
                    Err(error) => error.to_string(),
                }
            }
            (Some(obstacle), _) => obstacle.clone(),
            (None, None) => "its source is not known".to_string(),
        };
        used[index] = true;
        let pending = &mut found.pending;
        pending.push(pending_generator(&generator, &codes[index], &refusal));
    }
    let running = frames_inside(py, &codes);
    for each in known.iter_mut() {
        each.ran = false;
    }
    for call in &running {
        used[call.code] = true;
        known[call.code].ran = true;
    }
    for (each, _) in known.iter_mut().zip(&used).filter(|(_, used)| **used) {
        each.arm(py);
    }
    if let Err(error) = moving::follow(py) {
        // Those that are not seen stay in the old code, and are named as such.
        cpython::raised(error).write_unraisable(py, None);
    }
    // Who stands at the end of a round goes on in the new code before anything else.
    let standing = standing::stand(py, &running, &codes);
    for call in running {
        let code = codes[call.code].as_ptr() as usize;
        found.running.insert((call.thread, code));
        if standing.contains(&call.thread) && moving::armed(&codes[call.code]).is_some() {
            continue;
        }
        let line = u32::try_from(call.line).unwrap_or(0);
        let reason = known[call.code].reason(py, line);
        let mut entry = crate::consistency::pending_call(&call, &codes[call.code]);
        entry.reason = reason;
        found.pending.push(entry);
    }
    let mut used = used.into_iter();
    // A body that has gone on is still to be told to its module.
    known.retain(|each| {
        used.next().unwrap_or(false) || (each.module.is_some() && each.has_moved(py))
    });
    found
}

/// Generators that are suspended in old code. The heap is searched only for versions in
/// which calls were running, and have left since: a generator may have been among them.
fn still_suspended<'py>(
    py: Python<'py>,
    known: &mut [Lingering],
    codes: &[Bound<'py, PyCode>],
) -> Vec<(usize, Bound<'py, PyAny>)> {
    let running = frames_inside(py, codes);
    let left = |at: &usize| known[*at].ran && running.iter().all(|call| call.code != *at);
    let searched: Vec<usize> = (0..codes.len()).filter(left).collect();
    let asked: Vec<_> = searched.iter().map(|at| codes[*at].clone()).collect();
    for at in &searched {
        known[*at].suspended.clear();
    }
    for (at, generator) in suspended(py, &asked) {
        known[searched[at]].suspended.extend(weak(&generator));
    }
    let mut found: Vec<(usize, Bound<'py, PyAny>)> = Vec::new();
    for (at, each) in known.iter_mut().enumerate() {
        each.suspended.retain(|reference| {
            let Some(generator) = reference.bind(py).upgrade() else {
                return false;
            };
            let stays = is_inside(&generator, &codes[at]);
            if stays && !runs(&generator) {
                found.push((at, generator));
            }
            stays
        });
    }
    found
}

fn weak(generator: &Bound<'_, PyAny>) -> Option<Py<PyWeakref>> {
    let reference = PyWeakrefReference::new(generator).ok()?.into_any();
    Some(reference.cast_into::<PyWeakref>().ok()?.unbind())
}

/// Whether a generator is in this code and has not ended.
fn is_inside(generator: &Bound<'_, PyAny>, code: &Bound<'_, PyCode>) -> bool {
    let of = |names: [&str; 3]| names.iter().find_map(|name| generator.getattr(*name).ok());
    of(["gi_code", "cr_code", "ag_code"]).is_some_and(|own| own.is(code))
        && of(["gi_frame", "cr_frame", "ag_frame"]).is_some_and(|frame| !frame.is_none())
}

fn suspended<'py>(
    py: Python<'py>,
    codes: &[Bound<'py, PyCode>],
) -> Vec<(usize, Bound<'py, PyAny>)> {
    const SUSPENDS: u32 = 0x20 | 0x80 | 0x200;
    let suspends = |code: &Bound<'py, PyCode>| {
        let flags = code
            .getattr("co_flags")
            .and_then(|flags| flags.extract::<u32>());
        flags.is_ok_and(|flags| flags & SUSPENDS != 0)
    };
    let places: Vec<usize> = (0..codes.len())
        .filter(|at| suspends(&codes[*at]))
        .collect();
    let asked: Vec<_> = places.iter().map(|at| codes[*at].clone()).collect();
    if asked.is_empty() {
        return Vec::new();
    }
    let found = hotswap_cpython::heap::generators_with_code(py, &asked).unwrap_or_default();
    found
        .into_iter()
        .filter(|(generator, _)| !runs(generator))
        .map(|(generator, at)| (places[at], generator))
        .collect()
}

/// Whether a generator is on a stack now; an async generator says so while it waits, too.
fn runs(generator: &Bound<'_, PyAny>) -> bool {
    ["gi_running", "cr_running"]
        .iter()
        .filter_map(|name| generator.getattr(*name).ok())
        .any(|running| running.is_truthy().unwrap_or(false))
}

fn pending_generator(
    generator: &Bound<'_, PyAny>,
    code: &Bound<'_, PyCode>,
    refusal: &str,
) -> Pending {
    let of = |names: [&str; 3]| names.iter().find_map(|name| generator.getattr(*name).ok());
    let line = of(["gi_frame", "cr_frame", "ag_frame"])
        .and_then(|frame| frame.getattr("f_lineno").ok())
        .and_then(|line| line.extract().ok());
    let kind = || Some(generator.get_type().name().ok()?.to_string());
    let place = task::name(generator)
        .map(|name| format!("task {name}"))
        .or_else(kind);
    Pending {
        place: place.unwrap_or_else(|| "generator".to_string()),
        qualname: generator
            .peek("__qualname__")
            .and_then(|name| name.extract())
            .unwrap_or_default(),
        file: code
            .getattr("co_filename")
            .and_then(|file| file.extract())
            .unwrap_or_default(),
        line: line.unwrap_or_else(|| codes::line_of(code.as_any()).unwrap_or_default()),
        reason: format!("it is suspended in the old code and goes on there: {refusal}"),
    }
}

impl<'py> Stage<'_, 'py> {
    /// Calls that are inside old code: those that can go on in the new code are moved or
    /// watched, the rest is named.
    pub(crate) fn move_running(&mut self) -> PyResult<()> {
        let py = self.py;
        let mut pairs = self.transaction.replaced_codes()?;
        for pair in &self.swapped {
            if !pairs.iter().any(|(old, _)| old.is(&pair.old)) {
                pairs.push((pair.old.clone(), pair.new.clone()));
            }
        }
        let mut known = self.world.lingering.borrow_mut();
        self.renew(&mut known, &pairs)?;
        let old: Vec<Bound<'py, PyCode>> = pairs
            .iter()
            .filter_map(|(old, _)| old.clone().cast_into::<PyCode>().ok())
            .collect();
        let mut ran = vec![false; old.len()];
        for call in frames_inside(py, &old) {
            ran[call.code] = true;
        }
        let mut waiting: Vec<Vec<Bound<'py, PyAny>>> = vec![Vec::new(); old.len()];
        for (index, generator) in suspended(py, &old) {
            waiting[index].push(generator);
        }
        for (((old, new), ran), waiting) in pairs.iter().zip(ran).zip(waiting) {
            if !ran && waiting.is_empty() {
                continue;
            }
            let Some((old_text, new_text)) = self.texts_of(old)? else {
                continue;
            };
            let before = Version::of(old, &old_text)?;
            let after = Version::of(new, &new_text)?;
            let map = lead(&before, &after);
            let mut lingering = Lingering::new(py, before, after, map)?;
            lingering.ran = ran;
            lingering.suspended = waiting.iter().filter_map(weak).collect();
            known.push(lingering);
        }
        let mut found = look(py, &mut known);
        drop(known);
        self.pending.append(&mut found.pending);
        self.name_those_who_left(&found);
        for (name, count) in found.moved {
            self.entries.push(ChangeEntry {
                qualname: name,
                kind: "function",
                action: "moved",
                reason: format!("{count} suspended call(s) go on in the new code"),
                ..ChangeEntry::default()
            });
        }
        Ok(())
    }

    /// Versions that lead to code which was just replaced lead to its successor.
    fn renew(
        &self,
        known: &mut [Lingering],
        pairs: &[(Bound<'py, PyAny>, Bound<'py, PyAny>)],
    ) -> PyResult<()> {
        let py = self.py;
        for each in known.iter_mut() {
            let latest = each.new.code.bind(py);
            let Some((old, new)) = pairs.iter().find(|(old, _)| old.is(latest)) else {
                continue;
            };
            let Some((_, text)) = self.texts_of(old)? else {
                continue;
            };
            let new = Version::of(new, &text)?;
            let next = lead(&each.new, &new);
            let direct = lead(&each.old, &new).unwrap_or_default();
            let map = match (&each.map, next) {
                (Some(map), Some(next)) => Some(map.followed_by(&next, direct)),
                _ => Some(direct),
            };
            let mut renewed = Lingering::new(py, each.old.copy(py), new, map)?;
            renewed.ran = each.ran;
            renewed.suspended = std::mem::take(&mut each.suspended);
            renewed.module = each.module.take();
            *each = renewed;
        }
        Ok(())
    }

    /// The old and the new source of the module that a code object is of.
    pub(crate) fn texts_of(
        &self,
        code: &Bound<'py, PyAny>,
    ) -> PyResult<Option<(Arc<str>, Arc<str>)>> {
        let file: String = code.getattr("co_filename")?.extract()?;
        Ok(self.edits.iter().find_map(|(module, edited)| {
            (self.world.modules[*module].code_file == file)
                .then(|| (edited.old_text.clone(), edited.text.clone()))
        }))
    }
}
