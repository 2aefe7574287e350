//! A module whose body is still running: a script with its loop at the top level.
//!
//! What the body has passed is updated. The statement it is in, and those below, are the
//! running code's own: they keep their old text in the baseline until the body has come
//! further, has ended, or has gone on in the code of the new source.

use std::sync::Arc;

use hotswap_cpython::frames::{ModuleInProgress, modules_in_progress};
use hotswap_plan::{Kind, Outline, Span, Statement, diff};
use pyo3::exceptions::PySyntaxError;
use pyo3::prelude::*;
use pyo3::types::PyCode;
use rustc_hash::FxHashMap;

use crate::codes;
use crate::report::Pending;
use crate::running::Lingering;
use crate::stage::Stage;
use crate::world::World;

/// The code that the body of a module runs, and the source it was compiled from.
pub(crate) struct Body {
    pub(crate) code: Py<PyCode>,
    pub(crate) text: Arc<str>,
}

/// What of a new source can be applied while the body runs.
#[derive(Debug)]
pub enum Applicable {
    /// All of it: the body has ended, or is in the guard of the program's main function,
    /// which never runs again.
    Whole {
        /// The body runs in the guard, and that is what changed.
        in_guard: bool,
    },
    /// What stands above the statement that runs.
    Part(Part),
}

/// The part of a new source that can be applied.
#[derive(Debug)]
pub struct Part {
    /// The new source down to the statement that runs, and the baseline from there.
    pub text: Arc<str>,
    /// Its outline.
    pub outline: Arc<Outline>,
    /// Where the body is, and that the rest waits.
    pub pending: Pending,
}

/// Whether the code of a module's body is what the compiler makes of a text.
pub fn is_code_of(code: &Bound<'_, PyCode>, text: &str, file: &str) -> PyResult<bool> {
    match codes::compile(code.py(), text, file) {
        Ok(made) => codes::same_behaviour(code.as_any(), &made),
        Err(error) if error.is_instance_of::<PySyntaxError>(code.py()) => Ok(false),
        Err(error) => Err(error),
    }
}

fn in_progress<'py>(
    py: Python<'py>,
    world: &World,
    module: usize,
) -> Option<ModuleInProgress<'py>> {
    let dict = world.modules[module].dict.bind(py);
    let running = modules_in_progress(py).ok()?;
    // The outermost, should somebody run the namespace once more.
    running.into_iter().rev().find(|each| each.globals.is(dict))
}

/// What of a new source can be applied now.
pub fn applicable(
    py: Python<'_>,
    world: &mut World,
    module: usize,
    text: &str,
    outline: &Arc<Outline>,
) -> Applicable {
    let Some(running) = in_progress(py, world, module) else {
        return Applicable::Whole { in_guard: false };
    };
    match part(world, module, &running, text, outline) {
        Some(Some(part)) => Applicable::Part(part),
        Some(None) => Applicable::Whole { in_guard: true },
        None => Applicable::Whole { in_guard: false },
    }
}

/// None inside: the body is in the guard, which changed. None: it is in the guard, which did
/// not, or it is not known where it is.
fn part(
    world: &mut World,
    module: usize,
    running: &ModuleInProgress<'_>,
    text: &str,
    outline: &Arc<Outline>,
) -> Option<Option<Part>> {
    let is_known = |body: &Body| body.code.as_ptr() == running.code.as_ptr();
    if !world.modules[module].body.as_ref().is_some_and(is_known) {
        let body = Body {
            code: running.code.clone().unbind(),
            text: world.modules[module].text().clone(),
        };
        world.modules.set_body(module, body);
    }
    let known = &world.modules[module];
    let body = known.body.as_ref()?.text.clone();
    let (baseline, old) = (known.text().clone(), known.outline()?);
    let line = u32::try_from(running.line).ok()?;
    let (span, kind) = current_statement(&body, line)?;
    // The guard of a program's main function never runs again anyway. Unless it has
    // changed itself, its code is as good as new.
    if kind == Kind::MainGuard {
        let guard = &body[span.start as usize..span.end as usize];
        let mut all = outline.statements.iter();
        let same = |each: &Statement| {
            text.get(each.span.start as usize..each.span.end as usize) == Some(guard)
        };
        return match all.any(same) {
            true => None,
            false => Some(None),
        };
    }
    // From there on the baseline is what the body was compiled from.
    let rest = &body[line_start(&body, span.start)..];
    let cut = match baseline.ends_with(rest) {
        true => baseline.len() - rest.len(),
        false => 0,
    };
    let first = old
        .statements
        .iter()
        .position(|each| each.span.start as usize >= cut)?;
    let steps = diff(&old, outline).steps;
    let later = |step: &&hotswap_plan::Step| step.old.is_some_and(|old| old >= first);
    let earlier = |step: &&hotswap_plan::Step| step.old.is_some_and(|old| old < first);
    let next = match steps.iter().filter(later).map(|step| step.new).min() {
        Some(next) => next,
        None => steps
            .iter()
            .filter(earlier)
            .map(|step| step.new + 1)
            .max()
            .unwrap_or(0),
    };
    let until = match (cut, outline.statements.get(next)) {
        (0, _) => 0,
        (_, Some(statement)) => line_start(text, statement.span.start),
        (_, None) => text.len(),
    };
    let head = &text[..until];
    let gap = if head.is_empty() || head.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let mixed: Arc<str> = format!("{head}{gap}{}", &baseline[cut..]).into();
    let pending = Pending {
        place: crate::consistency::thread_name(running.code.py(), running.thread),
        qualname: "<module>".to_string(),
        file: known.code_file.clone(),
        line,
        reason: "the module's body is still running: what stands from there on waits until the body has come further or has ended".to_string(),
    };
    let (text, outline) = match Outline::parse(&mixed) {
        Ok(parsed) => (mixed, Arc::new(parsed)),
        // Where both do not go together everything waits.
        Err(_) => (baseline, old),
    };
    Some(Some(Part {
        text,
        outline,
        pending,
    }))
}

/// The statement that runs, and of which kind it is.
fn current_statement(body: &str, line: u32) -> Option<(Span, Kind)> {
    let outline = Outline::parse(body).ok()?;
    let current = outline
        .statements
        .iter()
        .find(|each| (each.first_line..=each.last_line).contains(&line))?;
    Some((current.span, current.kind.clone()))
}

/// How many bytes at the end of their sources are not to be touched, because the bodies
/// of these modules have not passed them.
pub(crate) fn open_parts(py: Python<'_>, world: &World) -> FxHashMap<usize, usize> {
    let mut open = FxHashMap::default();
    for running in modules_in_progress(py).unwrap_or_default() {
        let Some(module) = world.by_dict(running.globals.as_any()) else {
            continue;
        };
        let known = &world.modules[module];
        let of_frame = |body: &&Body| body.code.as_ptr() == running.code.as_ptr();
        let body = known.body.as_ref().filter(of_frame);
        let text = body.map_or(known.text(), |body| &body.text);
        let line = u32::try_from(running.line).unwrap_or(0);
        if let Some((span, _)) = current_statement(text, line) {
            open.insert(module, text.len() - line_start(text, span.start));
        }
    }
    open
}

impl Stage<'_, '_> {
    /// Whether the running body of its module has not passed a statement.
    pub(crate) fn is_open(&self, module: usize, statement: &Statement) -> bool {
        let Some(open) = self.open.get(&module) else {
            return false;
        };
        let text = self.text(module);
        statement.span.start as usize + open >= text.len()
    }
}

/// Where the line begins on which `offset` lies; where nothing but white space stands
/// before it.
fn line_start(text: &str, offset: u32) -> usize {
    let offset = offset as usize;
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    match text[start..offset].trim().is_empty() {
        true => start,
        false => offset,
    }
}

/// Lets the running body of a module go on in the code of a new source at the next round
/// of its loop, where it can. Says where it is and whether it can; nothing if it was on its
/// way there already.
pub fn move_body(
    py: Python<'_>,
    world: &mut World,
    module: usize,
    text: &Arc<str>,
) -> PyResult<Option<(Pending, bool)>> {
    let Some(running) = in_progress(py, world, module) else {
        return Ok(None);
    };
    let known = &world.modules[module];
    let body = match &known.body {
        Some(body) if body.code.as_ptr() == running.code.as_ptr() => body,
        _ => return Ok(None),
    };
    let dict = known.dict.clone_ref(py);
    let known_way = world
        .lingering
        .borrow()
        .iter()
        .any(|each| each.is_body_of(&dict) && each.leads_to(text));
    if !known_way {
        let new = codes::compile(py, text, &known.code_file)?;
        let lingering = Lingering::of_body(py, &dict, body, new.cast::<PyCode>()?, text)?;
        world.forget_body(&dict);
        world.lingering.borrow_mut().push(lingering);
    }
    let pending = crate::running::still_pending(py, world);
    let own = pending.into_iter().find(|each| each.qualname == "<module>");
    Ok(own
        .map(|own| {
            let moves = own.reason.starts_with(crate::running::NEXT_ROUND);
            (own, moves)
        })
        .filter(|(_, moves)| !(known_way && *moves)))
}
