//! Which task of `asyncio` a coroutine belongs to.

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Where `asyncio` has its tasks, by version.
const TASKS: [&str; 3] = ["_scheduled_tasks", "_eager_tasks", "_all_tasks"];
/// A chain of coroutines that is longer is not followed to its end.
const LONGEST: usize = 1000;

/// The name of the task that waits in a coroutine or generator, if there is one.
///
/// What cannot be read gives no name: the call is then named by its kind.
pub(super) fn name(awaited: &Bound<'_, PyAny>) -> Option<String> {
    let py = awaited.py();
    let modules = py.import("sys").ok()?.getattr("modules").ok()?;
    let modules = modules.cast_into::<PyDict>().ok()?;
    let asyncio = modules.get_item("asyncio.tasks").ok()??;
    for set in TASKS {
        let Ok(tasks) = asyncio.getattr(set) else {
            continue;
        };
        let Ok(tasks) = tasks.call_method0("copy") else {
            continue;
        };
        for task in tasks.try_iter().ok()?.flatten() {
            if waits_in(&task, awaited) {
                return task.call_method0("get_name").ok()?.extract().ok();
            }
        }
    }
    None
}

fn waits_in(task: &Bound<'_, PyAny>, awaited: &Bound<'_, PyAny>) -> bool {
    let mut next = task.call_method0("get_coro").ok();
    for _ in 0..LONGEST {
        let Some(here) = next.filter(|here| !here.is_none()) else {
            return false;
        };
        if here.is(awaited) {
            return true;
        }
        next = ["cr_await", "gi_yieldfrom", "ag_await"]
            .iter()
            .find_map(|name| here.getattr(*name).ok());
    }
    false
}
