//! One update from prepared groups to outcomes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::native as cpython;
use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::{Change, Kind, Outline, Plan, diff};
use pyo3::prelude::*;
use pyo3::types::PyType;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::codes;
use crate::consistency::{
    AUTO_WAIT, Moment, doors, still_left, wait_before_commit, wait_before_statements,
};
use crate::fault::{self, guarded};
use crate::half_made;
use crate::imports::StagedImports;
use crate::live::LiveFunctions;
use crate::report::{Failure, Outcome, Pending};
use crate::running::{Standing, note_inside};
use crate::stage::{Edited, Stage};
use crate::transaction::{Transaction, Write};
use crate::undisturbed::Undisturbed;
use crate::world::World;

/// The new source of one module.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Index of the module in the [`World`].
    pub module: usize,
    /// The new text.
    pub text: Arc<str>,
    /// Its outline.
    pub outline: Arc<Outline>,
    /// What separates it from the baseline, where that was worked out beforehand.
    pub comparison: Option<Arc<Comparison>>,
}

/// What separates two sources of a module.
#[derive(Debug)]
pub struct Comparison {
    pub(crate) before: Arc<Outline>,
    pub(crate) after: Arc<Outline>,
    pub(crate) plan: Plan,
}

impl Comparison {
    /// Compares two outlines; needs no interpreter.
    #[must_use]
    pub fn of(before: Arc<Outline>, after: Arc<Outline>) -> Comparison {
        Comparison {
            plan: diff(&before, &after),
            before,
            after,
        }
    }

    /// The plan, if these are the sources that were compared.
    fn plan_for(&self, before: &Arc<Outline>, after: &Arc<Outline>) -> Option<Plan> {
        let same = Arc::ptr_eq(&self.before, before) && Arc::ptr_eq(&self.after, after);
        same.then(|| self.plan.clone())
    }
}

/// How an update treats what did not change.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Statements of an edited module run again although they did not change
    /// (`strategy="reload"`); definitions are patched, `__main__` is never run.
    pub reload: bool,
    /// The code of an earlier generation comes back: its statements take back what
    /// they had made before they were removed.
    pub revive: bool,
    /// Whether to wait for a moment when nobody is inside changed code.
    pub consistency: Consistency,
    /// How long [`Consistency::Quiescent`] waits.
    pub quiescence: Duration,
}

/// When a commit may happen while old code is on a stack: such a frame goes on in
/// its old version and may call new functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// Wait a little, and only where changed functions call one another and a thread
    /// is inside one of them; then commit.
    #[default]
    Auto,
    /// Commit at once.
    Immediate,
    /// Wait until no thread or generator is inside a changed function; or hold the update.
    Quiescent,
}

/// Edits that succeed or fail together.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The edited modules.
    pub edits: Vec<Edit>,
}

/// After so many moments that passed before they could be used an update is held.
const MOMENTS: usize = 20;

/// Prepares every group, commits those that could be prepared in one stretch, and
/// makes the new sources of committed groups their baselines.
///
/// `imported` gives the names of the modules whose import began in this thread since
/// it was asked last, so that those of a failed group can be forgotten. `give_way` lets other
/// threads run between two groups, and says whether it did.
pub fn update(
    py: Python<'_>,
    world: &mut World,
    groups: &[Group],
    options: Options,
    imported: &dyn Fn() -> Vec<String>,
    give_way: &mut dyn FnMut() -> bool,
) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = groups
        .iter()
        .map(|group| Outcome {
            files: files_of(world, group),
            ..Outcome::default()
        })
        .collect();
    drop(imported());
    let mut counters = Vec::new();
    let mut combinations = Vec::new();
    let committed = {
        let world: &World = world;
        let mut standing = Standing::nobody(py, options.quiescence);
        let mut stages: Vec<(usize, Stage<'_, '_>)> = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            if give_way() {
                // Whatever was prepared before is looked at again before the commit.
                codes::note_execution();
            }
            let started = Instant::now();
            let prepared = prepare(py, world, group, options, &mut standing);
            outcomes[index].prepare_ms = started.elapsed().as_secs_f64() * 1e3;
            outcomes[index].imported = imported();
            match prepared {
                Ok(stage) => {
                    outcomes[index].scan_ms = stage.scan_ms;
                    stages.push((index, stage));
                }
                Err(Refused::Failed { error, notes }) => {
                    outcomes[index].failure = Some(failure(py, &error, world, group));
                    outcomes[index].notes = notes;
                    outcomes[index].collect = half_made::is_left(py, &error, world);
                }
                Err(Refused::InUse(inside)) => {
                    outcomes[index].held = true;
                    outcomes[index].pending = inside;
                }
            }
        }
        let late = stages.iter().any(|(_, stage)| {
            !stage.late.is_empty()
                || !stage.after.is_empty()
                || !stage.collected.is_empty()
                || !stage.hooked.is_empty()
                || !stage.namings.is_empty()
                || !stage.carried.is_empty()
                || stage.will_take_over()
        });
        // Until the end of this block, where also what failed has been undone.
        let _undisturbed = match late && cpython::other_threads(py) {
            true => Undisturbed::begin(py)
                .map_err(|error| error.write_unraisable(py, None))
                .ok(),
            false => None,
        };
        // Its first use does work that may give the GIL away: not between the look at
        // the stacks and the commit.
        drop(hotswap_cpython::commit::AtomicSection::enter(py));
        let mut doors = doors(&stages);
        let mut rounds = 0;
        let auto_until = Instant::now() + AUTO_WAIT;
        let (started, section, caught_up) = loop {
            rounds += 1;
            let quiescent = options.consistency == Consistency::Quiescent;
            let moment = if quiescent && rounds > MOMENTS {
                Moment::Never(Vec::new())
            } else {
                wait_before_commit(py, &stages, options, auto_until, &mut doors, &mut standing)
            };
            let waited = match moment {
                Moment::AtOnce => false,
                Moment::Later => true,
                Moment::Never(inside) => {
                    for (index, mut stage) in stages {
                        outcomes[index].held = true;
                        outcomes[index].pending = inside.clone();
                        outcomes[index].notes = stage.give_up();
                    }
                    return outcomes;
                }
            };
            let started = Instant::now();
            let section = hotswap_cpython::commit::AtomicSection::enter(py);
            let others = cpython::other_threads(py);
            let executed = codes::executed();
            // Nor is it known what ran while values for instances were worked out.
            let others_ran = |stage: &Stage<'_, '_>| {
                others && (waited || stage.executed != executed || !stage.gaining.is_empty())
            };
            let behind = stages.iter().map(|(_, stage)| stage);
            let made = guarded(|| functions_made(py, behind.filter(|stage| others_ran(stage))));
            let mut caught_up = Vec::new();
            for (_, stage) in &mut stages {
                caught_up.push(match (others_ran(stage), &made) {
                    (false, _) => Ok(()),
                    (true, Ok(made)) => guarded(|| stage.catch_up(made)),
                    (true, Err(error)) => Err(error.clone_ref(py)),
                });
            }
            // A search may do work that gives the GIL away: then the moment is past.
            if !others || still_left(py, &stages, options, auto_until, &standing) {
                if others {
                    note_inside(py, &mut stages, &standing);
                }
                break (started, section, caught_up);
            }
        };
        let mut done = Vec::new();
        let mut failed = Vec::new();
        for ((index, mut stage), caught_up) in stages.into_iter().zip(caught_up) {
            match caught_up.and_then(|()| stage.commit()) {
                Ok(()) => done.push((index, stage)),
                Err(error) => failed.push((index, stage, error)),
            }
        }
        drop(section);
        // Who was kept out goes in now, to the new code.
        drop(doors);
        let pause = started.elapsed().as_secs_f64() * 1e3;
        let mut committed = Vec::new();
        for (index, mut stage) in done {
            if !late {
                give_way();
            }
            stage.committed = true;
            let late = guarded(|| {
                stage.run_late()?;
                stage.take_over()
            });
            outcomes[index].imported.extend(imported());
            match late {
                Ok(()) => {
                    committed.push(index);
                    let outcome = &mut outcomes[index];
                    outcome.commit_ms = pause;
                    stage.transaction.settle();
                    stage.settle_lost();
                    stage.settle_first_values();
                    if let Err(error) = stage.move_running() {
                        stage.notes.push(format!(
                            "calls that are inside old code were not looked for: {error}"
                        ));
                    }
                    match stage.transaction.replaced_codes() {
                        Ok(replaced) => standing.free(replaced.iter().map(|(old, _)| old)),
                        Err(error) => error.write_unraisable(py, None),
                    }
                    if let Err(error) = stage.note_superseded() {
                        stage.notes.push(format!(
                            "calls that are inside old code will not be known: {error}"
                        ));
                    }
                    let lost = stage.lost_references();
                    stage.entries.extend(lost);
                    outcome.changes = std::mem::take(&mut stage.entries);
                    // A class may be looked at more than once.
                    outcome.changes.dedup();
                    outcome.pending = std::mem::take(&mut stage.pending);
                    outcome.notes = std::mem::take(&mut stage.notes);
                    outcome.collect = stage.transaction.collect;
                    counters.append(&mut stage.counters);
                    combinations.append(&mut stage.combinations);
                    if stage.transaction.homeless > 0 {
                        outcome.notes.push(format!(
                            "{} running call(s) that statements of this update began keep a copy of their module's names",
                            stage.transaction.homeless
                        ));
                    }
                }
                Err(error) => failed.push((index, stage, error)),
            }
        }
        for (index, mut stage, error) in failed {
            outcomes[index].failure = Some(failure(py, &error, world, &groups[index]));
            outcomes[index].notes = stage.give_up();
            outcomes[index].collect =
                stage.transaction.collect || half_made::is_left(py, &error, world);
            counters.append(&mut stage.counters);
        }
        if let Err(error) = standing.end(world) {
            error.write_unraisable(py, None);
        }
        committed
    };
    if outcomes.iter().any(|outcome| outcome.collect)
        && let Err(error) = py.import("gc").and_then(|gc| gc.call_method0("collect"))
    {
        error.write_unraisable(py, None);
    }
    if let Err(error) = crate::enums::drop_unheld(&combinations) {
        error.write_unraisable(py, None);
    }
    if let Err(error) = crate::counters::settle(py, counters) {
        error.write_unraisable(py, None);
    }
    for index in committed {
        for edit in &groups[index].edits {
            let (text, outline) = (edit.text.clone(), Some(edit.outline.clone()));
            world.modules.set_baseline(edit.module, text, outline);
        }
    }
    outcomes
}

/// Functions by the address of their code.
type Made<'py> = FxHashMap<usize, Vec<Bound<'py, PyAny>>>;

/// All functions of those old codes of which others may have made more: one search, however
/// many groups there are.
fn functions_made<'s, 'w: 's, 'py: 'w>(
    py: Python<'py>,
    stages: impl Iterator<Item = &'s Stage<'w, 'py>>,
) -> PyResult<Made<'py>> {
    let mut old = Vec::new();
    for stage in stages {
        let swapped = stage.swapped.iter().map(|pair| &pair.old);
        old.extend(swapped.filter(|old| !stage.is_as_it_was(old)).cloned());
    }
    let mut made = Made::default();
    if old.is_empty() {
        return Ok(made);
    }
    for function in cpython::functions_with_code(py, &old)? {
        let code = hotswap_cpython::functions::code_of(&function).as_ptr() as usize;
        made.entry(code).or_default().push(function.into_any());
    }
    Ok(made)
}

fn files_of(world: &World, group: &Group) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = group
        .edits
        .iter()
        .map(|edit| world.modules[edit.module].file.clone())
        .collect();
    files.sort();
    files.dedup();
    files
}

fn prepare<'w, 'py>(
    py: Python<'py>,
    world: &'w World,
    group: &Group,
    options: Options,
    standing: &mut Standing<'py>,
) -> Result<Stage<'w, 'py>, Refused> {
    let mut stage = guarded(|| begin(py, world, group, options))?;
    match wait_before_statements(py, &stage, options, standing) {
        Moment::AtOnce => {}
        Moment::Later => stage = guarded(|| begin(py, world, group, options))?,
        Moment::Never(inside) => return Err(Refused::InUse(inside)),
    }
    let prepared = guarded(|| {
        stage.hand_over()?;
        stage.prepare_all()
    });
    match prepared {
        Ok(()) => Ok(stage),
        Err(error) => Err(Refused::Failed {
            error,
            notes: stage.give_up(),
        }),
    }
}

/// Why a group was not prepared.
enum Refused {
    /// An error, and what cannot be undone.
    Failed { error: PyErr, notes: Vec<String> },
    /// Somebody is inside the code that would change.
    InUse(Vec<Pending>),
}

impl From<PyErr> for Refused {
    fn from(error: PyErr) -> Self {
        Refused::Failed {
            error,
            notes: Vec::new(),
        }
    }
}

/// Compares the sources and finds the live functions; nothing runs yet.
fn begin<'w, 'py>(
    py: Python<'py>,
    world: &'w World,
    group: &Group,
    options: Options,
) -> PyResult<Stage<'w, 'py>> {
    fault::point("comparing the sources")?;
    let mut edits = FxHashMap::default();
    for edit in &group.edits {
        let module = &world.modules[edit.module];
        // Source that was imported parses; where it does not, it is taken as empty
        // and every statement of the new one is new.
        let old_outline = module.outline().unwrap_or_default();
        let known = edit.comparison.as_ref();
        let mut plan = known
            .and_then(|known| known.plan_for(&old_outline, &edit.outline))
            .unwrap_or_else(|| diff(&old_outline, &edit.outline));
        let awaited = crate::awaited::try_again(py, world, module, &edit.outline, &mut plan)?;
        if options.reload && module.name != "__main__" && plan.changes_behaviour() {
            run_everything(&mut plan, &edit.outline);
        }
        edits.insert(
            edit.module,
            Edited {
                text: edit.text.clone(),
                outline: edit.outline.clone(),
                old_text: module.text().clone(),
                old_outline,
                plan,
                awaited,
                whole: options.reload && module.name != "__main__",
            },
        );
    }
    let order = crate::order::order(py, world, &edits)?;
    let mut files: Vec<String> = order
        .iter()
        .map(|module| world.modules[*module].code_file.clone())
        .collect();
    files.sort();
    files.dedup();
    let executed = codes::executed();
    let scanning = Instant::now();
    let live = match by_name(py, world, &edits, &order)? {
        Some(live) => live,
        None => LiveFunctions::find(py, &files, &world.retired)?,
    };
    Ok(Stage {
        scan_ms: scanning.elapsed().as_secs_f64() * 1e3,
        py,
        world,
        edits,
        order,
        live,
        staging: FxHashMap::default(),
        transaction: Transaction::default(),
        entries: Vec::new(),
        pending: Vec::new(),
        inside: Vec::new(),
        notes: Vec::new(),
        changed: FxHashMap::default(),
        late_names: FxHashSet::default(),
        late_members: Vec::new(),
        late_defaults: Vec::new(),
        rehearsed_late: FxHashSet::default(),
        late: Vec::new(),
        early: FxHashMap::default(),
        early_depth: 0,
        ran_before: FxHashMap::default(),
        inner_done: FxHashSet::default(),
        shadows: Vec::new(),
        pairs: Vec::new(),
        shifted: FxHashSet::default(),
        committed: false,
        rebound: Vec::new(),
        after: Vec::new(),
        collected: Vec::new(),
        late_chains: Vec::new(),
        namings: Vec::new(),
        carried: Vec::new(),
        hooked: Vec::new(),
        looked_at: Vec::new(),
        asked_hooks: FxHashSet::default(),
        changed_members: Vec::new(),
        abstract_classes: Vec::new(),
        rebuilt: Vec::new(),
        unbound: Vec::new(),
        enums: Vec::new(),
        combinations: Vec::new(),
        counters: Vec::new(),
        replaced: Vec::new(),
        moved: FxHashMap::default(),
        given: FxHashMap::default(),
        effects: Vec::new(),
        revives: options.revive,
        swapped: Vec::new(),
        accounted: FxHashMap::default(),
        executed,
        lost: Vec::new(),
        chained: FxHashSet::default(),
        judged: std::cell::RefCell::default(),
        bound: Vec::new(),
        as_made: FxHashMap::default(),
        chained_members: FxHashSet::default(),
        chains_as_made: FxHashMap::default(),
        doubts: std::cell::RefCell::default(),
        came_to: std::cell::RefCell::default(),
        remade_closures: Vec::new(),
        deferred: Vec::new(),
        stand_ins: Vec::new(),
        registered: Vec::new(),
        gaining: Vec::new(),
        caught_up: Vec::new(),
        vacated: Vec::new(),
        handed_over: Vec::new(),
        bases: FxHashMap::default(),
        passed_on: FxHashSet::default(),
        open: crate::body::open_parts(py, world),
        withdrawn_statements: FxHashSet::default(),
        withdrawn_inner: FxHashSet::default(),
        begun: FxHashSet::default(),
        staged_modules: crate::imports::StagedModules::default(),
    })
}

/// The live functions without a pass over the heap, where that is provably enough.
fn by_name<'py>(
    py: Python<'py>,
    world: &World,
    edits: &FxHashMap<usize, Edited>,
    order: &[usize],
) -> PyResult<Option<LiveFunctions<'py>>> {
    let mut wanted = Vec::new();
    for (module, edited) in edits {
        match crate::function::wanted(edited, &world.modules[*module].code_file) {
            Some(more) => wanted.extend(more),
            None => return Ok(None),
        }
    }
    let namespaces: Vec<_> = order
        .iter()
        .map(|module| {
            let known = &world.modules[*module];
            (known.dict.bind(py).clone(), known.code_file.clone())
        })
        .collect();
    LiveFunctions::find_by_name(&namespaces, &wanted, &world.retired)
}

/// With `strategy="reload"` values take the results of a new run; definitions keep
/// their identity, and names that the source no longer binds stay.
fn run_everything(plan: &mut Plan, outline: &Outline) {
    for step in &mut plan.steps {
        let kind = &outline.statements[step.new].kind;
        let value = matches!(
            kind,
            Kind::Assign { .. }
                | Kind::AugAssign { .. }
                | Kind::Compound(_)
                | Kind::Expression
                | Kind::Other
        );
        if value && matches!(step.change, Change::Same | Change::Bodies) {
            step.change = Change::Run;
        }
    }
    plan.removed.clear();
}

impl<'py> Stage<'_, 'py> {
    /// Everything up to the commit.
    fn prepare_all(&mut self) -> PyResult<()> {
        let imports = StagedImports::install(self.py, &self.staged_modules)?;
        let staged = guarded(|| self.stage_modules());
        imports.remove(self.py)?;
        staged?;
        self.plan_swap()
    }

    fn stage_modules(&mut self) -> PyResult<()> {
        for module in self.order.clone() {
            self.note_decorated(module)?;
        }
        // What is gone is withdrawn first: what moved to another place registers anew there.
        for module in self.order.clone() {
            self.withdraw_removed(module)?;
        }
        for module in self.order.clone() {
            fault::point("a module")?;
            self.stage_module(module)?;
        }
        Ok(())
    }

    /// Turns what was staged into writes.
    fn plan_swap(&mut self) -> PyResult<()> {
        fault::point("the caches")?;
        self.plan_caches()?;
        fault::point("the swap of code")?;
        self.swap_codes()?;
        self.rehome();
        self.settle_combinations()?;
        fault::point("the stand-ins of containers")?;
        self.settle_stand_ins()?;
        fault::point("abstract methods")?;
        self.plan_abstract_methods()?;
        self.withdraw_named()?;
        self.note_collected()?;
        let staged = self.staging.values();
        self.transaction.namespaces = staged
            .flat_map(|staging| [staging.namespace.clone(), staging.live.clone()])
            .collect();
        let stand_ins = self.stand_ins.iter();
        self.transaction.stood_in_for = stand_ins.map(|each| each.live.clone()).collect();
        self.note_doomed()?;
        // A statement such as `package.module.name = x` may have given one another value.
        for (dict, name, was) in std::mem::take(&mut self.unbound) {
            if dict.get_item(&name)?.is_some_and(|now| !now.is(&was)) {
                self.transaction.keep_item(&dict, &name);
            }
        }
        self.plan_name_order()?;
        self.note_names()?;
        self.transaction.renew_frozensets()
    }

    /// Classes that are made anew after this commit, or whose statement is gone, need not take
    /// bases that they cannot.
    fn note_doomed(&mut self) -> PyResult<()> {
        for (module, edited) in &self.edits {
            let old = &edited.old_outline.statements;
            let gone = edited.plan.removed.iter();
            for class in gone.filter_map(|at| old[*at].class()) {
                let live = self.live_dict(*module).get_item(&class.name)?;
                if let Some(Ok(class)) = live.map(Bound::cast_into::<PyType>) {
                    self.transaction.doomed.push(class);
                }
            }
        }
        for item in &self.late {
            let Some(outline) = self.outline(item.module) else {
                continue;
            };
            let Some(class) = outline.statements[item.step].class() else {
                continue;
            };
            let live = self.live_dict(item.module).get_item(&class.name)?;
            if let Some(Ok(class)) = live.map(Bound::cast_into::<PyType>) {
                self.transaction.doomed.push(class);
            }
        }
        Ok(())
    }

    /// Functions that other threads made of old code since the live ones were looked
    /// for get the new code as well, and instances that they made what those have.
    fn catch_up(&mut self, made: &Made<'py>) -> PyResult<()> {
        self.catch_up_with_functions(made)?;
        self.move_latecomers()?;
        // Last: a search for functions may let others in, who make more of them.
        self.catch_up_with_instances()
    }

    /// Whether nobody but the functions that are known holds this old code, as when it was
    /// looked for.
    fn is_as_it_was(&self, old: &Bound<'py, PyAny>) -> bool {
        let Some(known) = self.accounted.get(&(old.as_ptr() as usize)) else {
            return false;
        };
        let runs_it = |function: &Bound<'py, PyAny>| {
            function
                .cast::<pyo3::types::PyFunction>()
                .is_ok_and(|function| hotswap_cpython::functions::code_of(function).is(old))
        };
        // The transaction keeps it as well by now.
        hotswap_cpython::heap::reference_count(old) == Some(known + 1)
            && self.live.with_code(old).iter().all(runs_it)
    }

    fn catch_up_with_functions(&mut self, made: &Made<'py>) -> PyResult<()> {
        let mut seen = FxHashSet::default();
        for pair in &self.swapped {
            let address = pair.old.as_ptr() as usize;
            let Some(functions) = made.get(&address).filter(|_| seen.insert(address)) else {
                continue;
            };
            let known = self.live.with_code(&pair.old);
            let known: FxHashSet<usize> = known
                .iter()
                .map(|function| function.as_ptr() as usize)
                .collect();
            let free = codes::free_variables(&pair.new)?;
            for function in functions {
                if known.contains(&(function.as_ptr() as usize)) {
                    continue;
                }
                if let Ok(closure) = crate::function::fitting_closure(function, pair, &free)? {
                    self.transaction.push(Write::Code {
                        function: function.clone(),
                        code: pair.new.clone(),
                        closure,
                    });
                }
            }
        }
        Ok(())
    }

    /// After a failure: everything that was written is undone. Returns what cannot
    /// be, in words.
    fn give_up(&mut self) -> Vec<String> {
        self.transaction.roll_back(self.py);
        self.committed = false;
        let mut notes = std::mem::take(&mut self.effects);
        if let Err(error) = self.withdraw_staged() {
            notes.push(format!(
                "what the failed update had registered could not be withdrawn: {error}"
            ));
        }
        if let Err(error) = self.hide_staged_classes() {
            notes.push(format!(
                "classes that the failed update had made still show: {error}"
            ));
        }
        notes.append(&mut self.transaction.conflicts);
        notes.extend(self.take_back());
        notes
    }

    /// Functions that were made in a staging namespace move to the live one.
    fn rehome(&mut self) {
        let staged = self.staging.iter();
        let mut homes: Vec<cpython::Home<'py>> = staged
            .filter(|(_, staging)| staging.made_functions)
            .map(|(_, staging)| cpython::Home {
                from: staging.namespace.clone(),
                to: staging.live.clone(),
            })
            .collect();
        for (shadow, module) in &self.shadows {
            homes.push(cpython::Home {
                from: shadow.clone(),
                to: self.live_dict(*module),
            });
        }
        if !homes.is_empty() {
            self.transaction.push(Write::Home { homes });
        }
    }

    /// Runs what had to wait for the swap, and commits what follows from it.
    fn run_late(&mut self) -> PyResult<()> {
        self.run_after()?;
        self.commit()?;
        let late = std::mem::take(&mut self.late);
        let mut settled = self.replaced.len();
        let mut joined = false;
        for (ran, item) in late.iter().enumerate() {
            if !joined {
                self.run_late_members(Some(ran))?;
            }
            let outline = self.outline(item.module).ok_or_else(|| {
                pyo3::exceptions::PyRuntimeError::new_err("a module lost its outline")
            })?;
            fault::point("a late statement")?;
            self.late_names.clear();
            let edited = self.edits.contains_key(&item.module)
                && self.edits[&item.module].plan.steps[item.step].change
                    != hotswap_plan::Change::Same;
            let statement = outline.statements[item.step].clone();
            self.remember(item.module, &statement)?;
            if self.run_late_chain(item.module, item.step, &outline)? {
                // All of it ran, or its entry says why not.
            } else if joined {
                self.on_top(item.module, |stage| match &item.remade {
                    Some(change) => stage.remake_late(item.module, item.step, change),
                    None if edited => stage.stage_step(item.module, item.step),
                    None => stage.derive_due(item.module, &statement, &outline),
                })?;
            } else if let Some(change) = &item.remade {
                self.remake_late(item.module, item.step, change)?;
            } else if edited {
                self.stage_step(item.module, item.step)?;
            } else if statement.function().is_some() {
                if self.may_run_late(item.module, item.step, &outline)? {
                    let old = self.old_statement(item.module, item.step);
                    self.run(item.module, old.as_ref(), &statement, &outline)?;
                }
            } else {
                self.derive_due(item.module, &statement, &outline)?;
            }
            joined = self.goes_on_with(&late[ran + 1..], settled)?;
            if joined {
                continue;
            }
            self.remake_subclasses()?;
            settled = self.replaced.len();
            self.plan_caches()?;
            self.swap_codes()?;
            self.settle_combinations()?;
            self.plan_abstract_methods()?;
            self.withdraw_named()?;
            self.note_collected()?;
            self.transaction.renew_frozensets()?;
            self.commit()?;
            self.run_after()?;
            // In a circle of imports the order has a module before one that it takes names from.
            for _ in 0..=self.order.len() {
                let known = self.rebound.len();
                for module in self.order.clone() {
                    self.rebind_imports(module)?;
                }
                self.commit()?;
                if self.rebound.len() == known {
                    break;
                }
            }
        }
        self.run_late_members(None)?;
        self.run_late_defaults()?;
        self.carry_over()?;
        self.collect_again()?;
        self.name_again()
    }

    /// Notes the values of the names that a statement is about to bind in place.
    fn remember(&mut self, module: usize, statement: &hotswap_plan::Statement) -> PyResult<()> {
        let live = self.live_dict(module);
        for name in &statement.binds {
            self.transaction.remember_item(&live, name)?;
        }
        Ok(())
    }

    fn lost_references(&mut self) -> Vec<crate::report::ChangeEntry> {
        std::mem::take(&mut self.transaction.left)
            .into_iter()
            .filter_map(|(object, count, reason)| {
                let name = object.peek("__qualname__").ok()?.extract::<String>().ok()?;
                Some(crate::report::ChangeEntry {
                    qualname: name,
                    kind: "function",
                    action: "stale",
                    reason: format!("{count} reference(s) to the old object stay: {reason}"),
                    ..crate::report::ChangeEntry::default()
                })
            })
            .collect()
    }
}

/// An exception as plain data.
fn failure(py: Python<'_>, error: &PyErr, world: &World, group: &Group) -> Failure {
    let value = error.value(py);
    let kind = error
        .get_type(py)
        .name()
        .map(|name| name.to_string())
        .unwrap_or_default();
    let files: Vec<String> = group
        .edits
        .iter()
        .map(|edit| world.modules[edit.module].code_file.clone())
        .collect();
    let mut failure = Failure {
        message: value.str().map(|text| text.to_string()).unwrap_or_default(),
        file: files.first().cloned().unwrap_or_default(),
        kind,
        ..Failure::default()
    };
    if error.is_instance_of::<pyo3::exceptions::PySyntaxError>(py) {
        failure.message = value
            .getattr("msg")
            .and_then(|text| text.extract())
            .unwrap_or(failure.message);
        failure.line = value
            .getattr("lineno")
            .and_then(|line| line.extract())
            .unwrap_or(0);
        if let Ok(file) = value.getattr("filename").and_then(|file| file.extract()) {
            failure.file = file;
        }
    }
    if error.is_instance_of::<pyo3::exceptions::PyImportError>(py)
        && let Ok(name) = value
            .getattr("name")
            .and_then(|name| name.extract::<String>())
    {
        failure.missing.push(name);
    }
    let mut at = error.traceback(py).map(|traceback| traceback.into_any());
    while let Some(traceback) = at {
        let file = traceback.getattr("tb_frame").and_then(|frame| {
            frame
                .getattr("f_code")?
                .getattr("co_filename")?
                .extract::<String>()
        });
        if let (Ok(file), Ok(line)) = (
            file,
            traceback
                .getattr("tb_lineno")
                .and_then(|line| line.extract()),
        ) && files.contains(&file)
        {
            failure.file = file;
            failure.line = line;
        }
        at = traceback
            .getattr("tb_next")
            .ok()
            .filter(|next| !next.is_none());
    }
    failure.traceback = py
        .import("traceback")
        .and_then(|module| {
            module.getattr("format_exception")?.call1((
                error.get_type(py),
                value,
                error.traceback(py),
            ))
        })
        .and_then(|lines| lines.extract::<Vec<String>>())
        .map(|lines| lines.concat())
        .unwrap_or_default();
    failure
}
