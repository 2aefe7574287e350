//! Calls that stand at the end of a round of their loop until an update has been committed.
//!
//! Code is *held* from the moment when it is known what it will become until the update is
//! committed or given up. A call of it that jumps back in a loop waits there, if somebody asks
//! for it and if it could move: it is then between two rounds, and nothing of its thread
//! runs. Whoever holds the lock of the interpreter may count on those that [`standing`] names
//! until the lock is given away.
//!
//! No call waits for ever: it may hold what another needs to get so far. It goes on by itself
//! when its time is up, also in a child that was forked meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyCode;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::heap::address;
use crate::once::Once;
use crate::{frames, threads};

/// The pauses of a thread that waits. They are no signal from the one who lets go, because a
/// forked child would inherit the lock that goes with it.
const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LAST_PAUSE: Duration = Duration::from_millis(1);

/// When those who wait go on by themselves, in nanoseconds since [`start`]; 0: nobody is
/// asked to wait.
static UNTIL: AtomicU64 = AtomicU64::new(0);
/// How often those who waited were let go.
static TURNS: AtomicU64 = AtomicU64::new(0);

#[derive(Default)]
struct State {
    /// The addresses of held code objects.
    held: FxHashSet<usize>,
    /// Which thread stands in which of them, and where.
    standing: FxHashMap<u64, Place>,
    /// Where it was of no use to stand.
    in_vain: FxHashSet<(u64, Place)>,
}

/// The address of a code object, and the offset of the place that a loop jumps back to.
type Place = (usize, u32);

/// Locked for moments only, in which nothing of Python runs.
static STATE: Mutex<Option<State>> = Mutex::new(None);

fn with<R>(work: impl FnOnce(&mut State) -> R) -> R {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    work(state.get_or_insert_with(State::default))
}

/// Calls of this code do not move before it is let [`go`]. To be said before it is armed.
pub fn hold(code: &Bound<'_, PyCode>) {
    let _ = with(|state| state.held.insert(address(code)));
}

/// The update was committed: calls of this code may move. False: it was not held.
pub fn go(code: &Bound<'_, PyCode>) -> bool {
    with(|state| state.held.remove(&address(code)))
}

/// Lets calls of held code wait where they could move, for `limit` from now at most.
pub fn ask(limit: Duration) {
    UNTIL.store(now().saturating_add(nanoseconds(limit)), Ordering::Release);
}

/// Lets go on who waits, and asks nobody any more.
pub fn let_go() {
    UNTIL.store(0, Ordering::Release);
    TURNS.fetch_add(1, Ordering::Release);
    try_all();
}

/// Lets go on who waits. They do not wait at the same places again until [`try_all`].
pub fn let_go_on() {
    with(|state| {
        let standing = state.standing.iter();
        let standing = standing.map(|(thread, place)| (*thread, *place));
        state.in_vain.extend(standing);
    });
    TURNS.fetch_add(1, Ordering::Release);
}

/// Every place is as good as another again.
pub fn try_all() {
    with(|state| state.in_vain.clear());
}

/// The threads that stand at the end of a round of a loop, and the address of the code.
#[must_use]
pub fn standing(_py: Python<'_>) -> FxHashMap<u64, usize> {
    with(|state| {
        let standing = state.standing.iter();
        standing
            .map(|(thread, (code, _))| (*thread, *code))
            .collect()
    })
}

pub(super) fn is_held(code: usize) -> bool {
    with(|state| state.held.contains(&code))
}

/// Whether the newest call of this thread, which jumps back to an offset of held code, is to
/// wait at this moment. It is of no use where another call of held code is below it, which is
/// in the middle of a round.
pub(super) fn is_asked(py: Python<'_>, code: usize, offset: u32) -> bool {
    let place = (threads::own_ident(py), (code, offset));
    let inside = |code: &Bound<'_, PyCode>| is_held(address(code));
    is_time() && !with(|state| state.in_vain.contains(&place)) && {
        frames::own(py).filter(inside).count() <= 1
    }
}

fn is_time() -> bool {
    let until = UNTIL.load(Ordering::Acquire);
    until != 0 && now() < until
}

/// Waits until the update is committed or given up, or the time is up. Other threads run
/// meanwhile; what was known of the watched code before may be out of date.
pub(super) fn stand(py: Python<'_>, code: usize, offset: u32) {
    let thread = threads::own_ident(py);
    let turn = TURNS.load(Ordering::Acquire);
    with(|state| state.standing.insert(thread, (code, offset)));
    py.detach(|| {
        let mut pause = FIRST_PAUSE;
        while is_time() && TURNS.load(Ordering::Acquire) == turn {
            std::thread::sleep(pause);
            pause = (pause * 2).min(LAST_PAUSE);
        }
    });
    with(|state| state.standing.remove(&thread));
}

/// After a fork: nobody but this thread is there.
pub fn forget_other_threads() {
    let_go();
    with(|state| state.standing.clear());
}

fn start() -> Instant {
    static START: Once<Instant> = Once::new();
    *START.get_or_init(Instant::now)
}

fn now() -> u64 {
    // Never 0, which stands for nobody.
    nanoseconds(start().elapsed()).max(1)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
