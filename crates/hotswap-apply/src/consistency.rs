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

use crate::report::Pending;
use crate::stage::Stage;
use crate::update::{Consistency, Options};
use crate::world::{Superseded, World};

/// How long [`Consistency::Auto`] waits.
const AUTO_WAIT: Duration = Duration::from_millis(10);

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
pub(crate) fn wait_before_statements(
    py: Python<'_>,
    stage: &Stage<'_, '_>,
    options: Options,
) -> Moment {
    // Where nothing runs, holding the update before the commit loses nothing.
    if options.consistency != Consistency::Quiescent || !stage.runs_statements() {
        return Moment::AtOnce;
    }
    let (codes, functions) = stage.to_change();
    let codes = with_older(py, stage.world, codes);
    let mut doors = Doors::of(functions);
    wait_until_left(py, &codes, options.quiescence, Some(&mut doors))
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
    doors: &mut Doors<'py>,
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
        Consistency::Auto => match wait_until_left(py, &codes, AUTO_WAIT, None) {
            Moment::Never(_) => Moment::Later,
            moment => moment,
        },
        Consistency::Quiescent => wait_until_left(py, &codes, options.quiescence, Some(doors)),
    }
}

/// Whether nobody has entered the changed code since the wait ended, where that matters.
pub(crate) fn still_left(
    py: Python<'_>,
    stages: &[(usize, Stage<'_, '_>)],
    options: Options,
) -> bool {
    if options.consistency != Consistency::Quiescent {
        return true;
    }
    let mut codes = Vec::new();
    for (_, stage) in stages {
        codes.extend(stage.transaction.doomed_codes());
    }
    let own = own_thread(py);
    frames_inside(py, &codes)
        .iter()
        .all(|call| call.thread == own)
}

fn own_thread(py: Python<'_>) -> u64 {
    py.import("threading")
        .and_then(|threading| threading.getattr("get_ident")?.call0()?.extract())
        .unwrap_or_default()
}

/// Waits with the GIL released until nobody is inside some code; returns with the GIL
/// held, so that the answer still holds for what comes next.
///
/// The calls of this thread do not count: whoever calls `sync()` or `checkpoint()`
/// says that it is at a safe moment. With `doors` generators that stand in the code count as
/// well, and others may be kept from entering it.
fn wait_until_left<'py>(
    py: Python<'py>,
    codes: &[Bound<'py, PyCode>],
    limit: Duration,
    mut doors: Option<&mut Doors<'py>>,
) -> Moment {
    if codes.is_empty() {
        return Moment::AtOnce;
    }
    let own = own_thread(py);
    let deadline = Instant::now() + limit;
    let mut pause = Duration::ZERO;
    let mut before = Vec::new();
    let mut waited = false;
    loop {
        let looking = Instant::now();
        let mut running = frames_inside(py, codes);
        running.retain(|call| call.thread != own);
        let places: Vec<(u64, i32)> = running
            .iter()
            .map(|call| (call.thread, call.line))
            .collect();
        let mut inside: Vec<Pending> = running
            .iter()
            .map(|call| pending_call(call, &codes[call.code]))
            .collect();
        if inside.is_empty() && doors.is_some() {
            inside = suspended(py, codes);
        }
        if inside.is_empty() {
            return if waited {
                Moment::Later
            } else {
                Moment::AtOnce
            };
        }
        let now = Instant::now();
        if now >= deadline {
            if let Some(doors) = doors {
                doors.open();
            }
            return Moment::Never(inside);
        }
        let rest = deadline - now;
        let took = looking.elapsed();
        let closed = doors.as_deref_mut().is_some_and(|doors| {
            doors.turn(py, codes, &running);
            doors.are_closed()
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
        let active = py.import("threading")?.getattr("_active")?;
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
pub(crate) fn suspended(py: Python<'_>, codes: &[Bound<'_, PyCode>]) -> Vec<Pending> {
    const SUSPENDS: u32 = 0x20 | 0x80 | 0x200;
    let suspending: Vec<_> = codes
        .iter()
        .filter(|code| {
            code.getattr("co_flags")
                .and_then(|flags| flags.extract::<u32>())
                .is_ok_and(|flags| flags & SUSPENDS != 0)
        })
        .cloned()
        .collect();
    if suspending.is_empty() {
        return Vec::new();
    }
    let found = cpython::generators_with_code(py, &suspending).unwrap_or_default();
    found
        .into_iter()
        .map(|index| {
            let code = &suspending[index];
            Pending {
                place: "generator".to_string(),
                qualname: codes::name_of(code.as_any()).unwrap_or_default(),
                file: code
                    .getattr("co_filename")
                    .and_then(|file| file.extract())
                    .unwrap_or_default(),
                line: codes::line_of(code.as_any()).unwrap_or_default(),
                reason: "it is suspended in the old code and ends there".to_string(),
            }
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
            let mut sites = Vec::new();
            changed_sites(
                &edited.plan.steps,
                &edited.old_outline.statements,
                &edited.outline.statements,
                &mut sites,
            );
            for site in sites {
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
}

fn changed_sites<'o>(
    steps: &[Step],
    old: &'o [Statement],
    new: &[Statement],
    sites: &mut Vec<&'o CodeSite>,
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
                sites.extend(differing.map(|(was, _)| was));
            }
            (Change::Function(_) | Change::Run, ..) => sites.extend(before.codes.iter()),
            (Change::Class(change), Kind::Class(was), Kind::Class(is)) => {
                changed_sites(&change.steps, &was.body, &is.body, sites);
            }
            _ => {}
        }
    }
}
