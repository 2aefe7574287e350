//! When a commit may happen while old code is on a stack.
//!
//! Nothing of hotswap is locked while it waits, and the GIL is released: whoever is
//! inside the old code can get out of it, whatever lock it needs for that.

use std::time::{Duration, Instant};

use crate::codes;
use crate::doors::Doors;
use crate::native as cpython;
use hotswap_plan::{Change, CodeSite, Kind, Statement, Step};
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyWeakrefMethods, PyWeakrefReference};
use rustc_hash::FxHashSet;

use crate::report::Pending;
use crate::running::{Becomes, Standing, Version};
use crate::stage::{Edited, Stage};
use crate::update::{Consistency, Options};
use crate::world::{Superseded, World};

/// How long [`Consistency::Auto`] waits.
pub(crate) const AUTO_WAIT: Duration = Duration::from_millis(10);

/// The pauses between two looks: short at first, never much shorter than a look takes.
const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LAST_PAUSE: Duration = Duration::from_micros(200);
const PAUSE_BEFORE_THE_GATE: Duration = Duration::from_millis(1);

/// What came of waiting.
pub(crate) enum Moment {
    /// Nobody was inside, and nobody else ran since the question.
    AtOnce,
    /// Others ran meanwhile; what was known of the program before may be out of date.
    Later,
    /// Time is up: these are inside.
    Never(Vec<Pending>),
}

/// Waits before anything of an update runs, so that an update which is held has done
/// nothing and can be tried again.
pub(crate) fn wait_before_statements<'py>(
    py: Python<'py>,
    stage: &Stage<'_, 'py>,
    options: Options,
    standing: &mut Standing<'py>,
) -> Moment {
    // Where nothing runs, holding the update before the commit loses nothing.
    if options.consistency != Consistency::Quiescent || !stage.runs_statements() {
        return Moment::AtOnce;
    }
    let (codes, functions) = stage.to_change();
    let codes = with_older(py, stage.world, codes);
    let mut doors = Doors::of(functions);
    let becomes = || stage.will_become();
    let mut ways = Ways {
        doors: &mut doors,
        standing,
        becomes: &becomes,
    };
    wait_until_left(py, &codes, options.quiescence, Some(&mut ways))
}

/// What helps a quiescent update to its moment.
struct Ways<'a, 'py> {
    /// They keep others from going in.
    doors: &'a mut Doors<'py>,
    /// Those who never come out stand where they can move.
    standing: &'a mut Standing<'py>,
    /// Tells what the old code becomes.
    becomes: &'a dyn Fn() -> PyResult<Vec<Becomes>>,
}

impl<'py> Ways<'_, 'py> {
    fn let_go(&mut self) {
        self.doors.open();
        self.standing.let_go();
    }
}

/// The doors of what is about to be committed, to be kept until it is.
pub(crate) fn doors<'py>(stages: &[(usize, Stage<'_, 'py>)]) -> Doors<'py> {
    let stages = stages.iter();
    Doors::of(
        stages
            .flat_map(|(_, stage)| stage.transaction.doomed_functions())
            .collect(),
    )
}

/// Waits between the last statement and the commit.
pub(crate) fn wait_before_commit<'py>(
    py: Python<'py>,
    stages: &[(usize, Stage<'_, 'py>)],
    options: Options,
    auto_until: Instant,
    doors: &mut Doors<'py>,
    standing: &mut Standing<'py>,
) -> Moment {
    let mut codes = Vec::new();
    for (_, stage) in stages {
        codes.extend(stage.transaction.doomed_codes());
    }
    let Some((_, first)) = stages.first() else {
        return Moment::AtOnce;
    };
    let related = call_one_another(&codes);
    codes = with_older(py, first.world, codes);
    match options.consistency {
        Consistency::Immediate => Moment::AtOnce,
        Consistency::Auto if !related => Moment::AtOnce,
        Consistency::Auto => {
            let rest = auto_until.saturating_duration_since(Instant::now());
            match wait_until_left(py, &codes, rest, None) {
                Moment::Never(_) => Moment::Later,
                moment => moment,
            }
        }
        Consistency::Quiescent => {
            let becomes = || {
                let mut all = Vec::new();
                for (_, stage) in stages {
                    all.extend(stage.becomes()?);
                }
                Ok(all)
            };
            let mut ways = Ways {
                doors,
                standing,
                becomes: &becomes,
            };
            wait_until_left(py, &codes, options.quiescence, Some(&mut ways))
        }
    }
}

/// Whether nobody has entered the changed code since the wait ended, where that matters.
pub(crate) fn still_left<'py>(
    py: Python<'py>,
    stages: &[(usize, Stage<'_, 'py>)],
    options: Options,
    auto_until: Instant,
    standing: &Standing<'py>,
) -> bool {
    match options.consistency {
        Consistency::Immediate => return true,
        Consistency::Auto if Instant::now() >= auto_until => return true,
        Consistency::Auto | Consistency::Quiescent => {}
    }
    let mut codes = Vec::new();
    for (_, stage) in stages {
        codes.extend(stage.transaction.doomed_codes());
    }
    if options.consistency == Consistency::Auto && !call_one_another(&codes) {
        return true;
    }
    let own = own_thread(py);
    let running = frames_inside(py, &codes);
    let standing = standing.threads(&running, &codes);
    let mut calls = running.iter();
    calls.all(|call| call.thread == own || standing.contains(&call.thread))
}

pub(crate) fn own_thread(py: Python<'_>) -> u64 {
    py.import("_thread")
        .and_then(|thread| thread.getattr("get_ident")?.call0()?.extract())
        .unwrap_or_default()
}

/// Waits with the GIL released until nobody is inside some code; returns with the GIL
/// held, so that the answer still holds for what comes next.
///
/// The calls of this thread do not count: whoever calls `sync()` or `checkpoint()`
/// says that it is at a safe moment. With `ways` generators that are suspended in the code count
/// as well, others may be kept from entering it, and a loop that can move counts as out while
/// it stands at the end of a round.
fn wait_until_left<'py>(
    py: Python<'py>,
    codes: &[Bound<'py, PyCode>],
    limit: Duration,
    mut ways: Option<&mut Ways<'_, 'py>>,
) -> Moment {
    if codes.is_empty() {
        return Moment::AtOnce;
    }
    let own = own_thread(py);
    let deadline = Instant::now() + limit;
    let mut pause = Duration::ZERO;
    let mut before = Vec::new();
    let mut becomes = None;
    let mut waited = false;
    loop {
        let looking = Instant::now();
        let mut running = frames_inside(py, codes);
        running.retain(|call| call.thread != own);
        let mut stand = 0;
        let mut used: Vec<usize> = running.iter().map(|call| call.code).collect();
        if let Some(ways) = &mut ways {
            let standing = ways.standing.threads(&running, codes);
            stand = standing.len();
            running.retain(|call| !standing.contains(&call.thread));
        }
        let places: Vec<(u64, i32)> = running
            .iter()
            .map(|call| (call.thread, call.line))
            .collect();
        let mut inside: Vec<Pending> = running
            .iter()
            .map(|call| pending_call(call, &codes[call.code]))
            .collect();
        if let Some(ways) = &ways {
            for (pending, call) in inside.iter_mut().zip(&running) {
                ways.standing.explain(pending, &codes[call.code]);
            }
            if inside.is_empty() {
                for (at, pending) in suspended(py, codes) {
                    used.push(at);
                    inside.push(pending);
                }
            }
        }
        if inside.is_empty() {
            if let Some(ways) = &mut ways {
                ways.standing.stay();
            }
            return if waited {
                Moment::Later
            } else {
                Moment::AtOnce
            };
        }
        let now = Instant::now();
        if now >= deadline {
            if let Some(ways) = ways {
                ways.let_go();
            }
            return Moment::Never(inside);
        }
        if let Some(ways) = &mut ways {
            // Where it is not known what becomes of them they are waited for until they end.
            let known = becomes.get_or_insert_with(|| (ways.becomes)().unwrap_or_default());
            let used = used.into_iter().collect::<FxHashSet<usize>>();
            let used: Vec<_> = used.into_iter().map(|at| codes[at].clone()).collect();
            if let Err(error) = ways.standing.learn(&used, known) {
                error.write_unraisable(py, None);
            }
        }
        let rest = deadline - now;
        let took = looking.elapsed();
        let closed = ways.as_deref_mut().is_some_and(|ways| {
            if let Err(error) = ways.standing.turn(stand, inside.len()) {
                error.write_unraisable(py, None);
            }
            ways.doors.turn(py, codes, &running);
            ways.doors.are_closed()
        });
        let longest = match closed {
            true => PAUSE_BEFORE_THE_GATE,
            false => LAST_PAUSE,
        };
        let longest = longest.max(took * 4);
        // Where threads go in and out there are moments, but short ones: look as often as can
        // be. Where they only come out, let them.
        pause = match closed || places == before {
            true => (pause * 2).max(FIRST_PAUSE).min(longest),
            false => Duration::ZERO,
        };
        before = places;
        py.detach(|| match pause.is_zero() {
            true => std::thread::yield_now(),
            false => std::thread::sleep(pause.min(rest)),
        });
        waited = true;
    }
}

pub(crate) fn frames_inside(
    py: Python<'_>,
    codes: &[Bound<'_, PyCode>],
) -> Vec<hotswap_cpython::frames::RunningCall> {
    hotswap_cpython::frames::code_is_running(py, codes).unwrap_or_default()
}

/// Whether several code objects are about to change of which one names another.
fn call_one_another(codes: &[Bound<'_, PyCode>]) -> bool {
    let names: Vec<String> = codes
        .iter()
        .filter_map(|code| codes::name_of(code.as_any()).ok())
        .collect();
    codes.iter().zip(&names).any(|(code, own)| {
        let used: Vec<String> = code
            .getattr("co_names")
            .and_then(|names| names.extract())
            .unwrap_or_default();
        used.iter().any(|name| name != own && names.contains(name))
    })
}

/// A thread as its program names it, or by its number. No lock of `threading` is taken.
pub(crate) fn thread_name(py: Python<'_>, ident: u64) -> String {
    let name = || -> PyResult<String> {
        // A program may do without it.
        let modules = py.import("sys")?.getattr("modules")?;
        let active = modules.get_item("threading")?.getattr("_active")?;
        active.get_item(ident)?.getattr("name")?.extract()
    };
    name().map_or_else(
        |_| format!("thread {ident}"),
        |name| format!("thread {name}"),
    )
}

pub(crate) fn pending_call(
    call: &hotswap_cpython::frames::RunningCall,
    code: &Bound<'_, PyCode>,
) -> Pending {
    Pending {
        place: thread_name(code.py(), call.thread),
        qualname: call.function.clone(),
        file: code
            .getattr("co_filename")
            .and_then(|file| file.extract())
            .unwrap_or_default(),
        line: u32::try_from(call.line).unwrap_or(0),
        reason: "it is running; the next call takes the new code".to_string(),
    }
}

/// Generators, coroutines and async generators that stand in one of these codes.
fn suspended(py: Python<'_>, codes: &[Bound<'_, PyCode>]) -> Vec<(usize, Pending)> {
    const SUSPENDS: u32 = 0x20 | 0x80 | 0x200;
    let suspends = |at: &usize| {
        let flags = codes[*at].getattr("co_flags");
        let flags = flags.and_then(|flags| flags.extract::<u32>());
        flags.is_ok_and(|flags| flags & SUSPENDS != 0)
    };
    let places: Vec<usize> = (0..codes.len()).filter(suspends).collect();
    let suspending: Vec<_> = places.iter().map(|at| codes[*at].clone()).collect();
    if suspending.is_empty() {
        return Vec::new();
    }
    let found = cpython::generators_with_code(py, &suspending).unwrap_or_default();
    found
        .into_iter()
        // One that is on a stack was found there.
        .filter(|(generator, _)| !hotswap_cpython::moving::runs(py, generator).unwrap_or(false))
        .map(|(_, index)| {
            let code = &suspending[index];
            let pending = Pending {
                place: "generator".to_string(),
                qualname: codes::name_of(code.as_any()).unwrap_or_default(),
                file: code
                    .getattr("co_filename")
                    .and_then(|file| file.extract())
                    .unwrap_or_default(),
                line: codes::line_of(code.as_any()).unwrap_or_default(),
                reason: "it is suspended in the old code and ends there".to_string(),
            };
            (places[index], pending)
        })
        .collect()
}

/// These code objects and all earlier versions of them that are alive: a call that
/// began before several updates is inside the changed definition as much as another.
pub(crate) fn with_older<'py>(
    py: Python<'py>,
    world: &World,
    codes: Vec<Bound<'py, PyCode>>,
) -> Vec<Bound<'py, PyCode>> {
    let mut all = codes;
    for each in world.superseded.borrow().iter() {
        let (Some(old), Some(now)) = (each.old.bind(py).upgrade(), each.now.bind(py).upgrade())
        else {
            continue;
        };
        if all.iter().any(|code| code.is(&now))
            && !all.iter().any(|code| code.is(&old))
            && let Ok(old) = old.cast_into::<PyCode>()
        {
            all.push(old);
        }
    }
    all
}

impl<'py> Stage<'_, 'py> {
    /// After the commit: remembers which code replaced which.
    pub(crate) fn note_superseded(&mut self) -> PyResult<()> {
        let mut known = self.world.superseded.borrow_mut();
        known.retain(|each| each.old.bind(self.py).upgrade().is_some());
        for pair in &self.swapped {
            let now = PyWeakrefReference::new(&pair.new)?.unbind();
            for each in known.iter_mut() {
                let current = each.now.bind(self.py).upgrade();
                if current.is_some_and(|current| current.is(&pair.old)) {
                    each.now = now.clone_ref(self.py);
                }
            }
            known.push(Superseded {
                old: PyWeakrefReference::new(&pair.old)?.unbind(),
                now,
            });
        }
        Ok(())
    }

    /// Whether more than bodies and headers of functions differ.
    fn runs_statements(&self) -> bool {
        let harmless =
            |change: &Change| matches!(change, Change::Same | Change::Bodies | Change::Function(_));
        self.edits.values().any(|edited| {
            let mut steps = edited.plan.steps.iter();
            !steps.all(|step| harmless(&step.change) && !step.renamed)
        })
    }

    /// The live functions that this update is about to change, told from the plan alone, and
    /// their code objects.
    fn to_change(&self) -> (Vec<Bound<'py, PyCode>>, Vec<Bound<'py, PyAny>>) {
        let mut codes: Vec<Bound<'py, PyCode>> = Vec::new();
        let mut functions = Vec::new();
        for (module, edited) in &self.edits {
            for (site, _) in sites_of(edited) {
                for live in self.functions_at(*module, &site.name, site.line) {
                    functions.push(live.function);
                    if let Ok(code) = live.code.cast_into::<PyCode>()
                        && !codes.iter().any(|known| known.is(&code))
                    {
                        codes.push(code);
                    }
                }
            }
        }
        (codes, functions)
    }

    /// What the code of these functions will become, told from the sources before any of the
    /// new one runs.
    fn will_become(&self) -> PyResult<Vec<Becomes>> {
        let mut found = Vec::new();
        for (module, edited) in &self.edits {
            let unit = self.compile(*module, &edited.text)?;
            for (site, new) in sites_of(edited) {
                let Some(new) = new else { continue };
                let Some(code) = codes::at_line(&unit, &new.name, new.line)? else {
                    continue;
                };
                for live in self.functions_at(*module, &site.name, site.line) {
                    let old = Version::of(&live.code, &edited.old_text)?;
                    found.push((old, Version::of(&code, &edited.text)?));
                }
            }
        }
        Ok(found)
    }

    /// The same, once it is there.
    fn becomes(&self) -> PyResult<Vec<Becomes>> {
        let mut found = Vec::new();
        for (old, new) in self.transaction.new_codes()? {
            if let Some((old_text, new_text)) = self.texts_of(&old)? {
                let old = Version::of(&old, &old_text)?;
                found.push((old, Version::of(&new, &new_text)?));
            }
        }
        Ok(found)
    }
}

/// The places of functions that differ, and what they are in the new source.
fn sites_of(edited: &Edited) -> Vec<(&CodeSite, Option<&CodeSite>)> {
    let mut sites = Vec::new();
    changed_sites(
        &edited.plan.steps,
        &edited.old_outline.statements,
        &edited.outline.statements,
        &mut sites,
    );
    sites
}

fn changed_sites<'o>(
    steps: &[Step],
    old: &'o [Statement],
    new: &'o [Statement],
    sites: &mut Vec<(&'o CodeSite, Option<&'o CodeSite>)>,
) {
    for step in steps {
        let Some(before) = step.old.map(|at| &old[at]) else {
            continue;
        };
        match (&step.change, &before.kind, &new[step.new].kind) {
            (Change::Bodies, ..) => {
                let pairs = before.codes.iter().zip(new[step.new].codes.iter());
                let differing = pairs
                    .filter(|(was, is)| was.fingerprint != is.fingerprint || was.text != is.text);
                sites.extend(differing.map(|(was, is)| (was, Some(is))));
            }
            (Change::Function(_) | Change::Run, ..) => {
                let after = &new[step.new].codes;
                let same = after.len() == before.codes.len();
                let becomes = |at: usize| same.then(|| &after[at]);
                let all = before.codes.iter().enumerate();
                sites.extend(all.map(|(at, was)| (was, becomes(at))));
            }
            (Change::Class(change), Kind::Class(was), Kind::Class(is)) => {
                changed_sites(&change.steps, &was.body, &is.body, sites);
            }
            _ => {}
        }
    }
}
