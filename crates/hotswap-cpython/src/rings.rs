//! The collector's own lists: one ring of objects per generation, and one of frozen ones.
//!
//! Each tracked object has a head of two words before it, which links it into a
//! ring. The ring's anchor is a head without an object, inside the interpreter's
//! state. A new object is the last of the youngest ring, so the head after it is
//! that anchor; the others follow at known distances, which the collector's own
//! figures confirm. CPython 3.9 to 3.13 are built this way.

#![cfg_attr(Py_3_14, allow(dead_code))]

use std::ffi::c_int;

use crate::once::intern;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::support::{Tested, Unsupported, raised, tested};

pub(crate) const CAPABILITY: &str = "frozen objects";

#[repr(C)]
#[derive(Clone, Copy)]
struct Head {
    next: usize,
    previous: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Generation {
    head: Head,
    threshold: c_int,
    count: c_int,
}

/// The part of the collector's state that starts at the youngest generation.
#[repr(C)]
#[derive(Clone, Copy)]
struct Generations {
    generations: [Generation; 3],
    youngest: usize,
    permanent: Generation,
}

/// The anchors of all rings of this interpreter.
pub(crate) struct Anchors {
    start: usize,
}

/// How far from its start the collector's part of the interpreter state may be.
const STATE: usize = 1 << 20;
/// The low bits of a link are marks of the collector.
const MARKS: usize = 3;

impl Anchors {
    /// Finds the anchors of the current interpreter.
    pub(crate) fn find(py: Python<'_>) -> std::result::Result<Self, Unsupported> {
        static PASSED: Tested<()> = Tested::new();
        tested(py, CAPABILITY, &PASSED, || test(py))?;
        Self::look(py).map_err(|reason| Unsupported {
            capability: CAPABILITY,
            reason,
        })
    }

    fn look(py: Python<'_>) -> std::result::Result<Self, String> {
        // SAFETY: this thread is attached to an interpreter.
        let state = unsafe { ffi::PyInterpreterState_Get() } as usize;
        let newest = PyList::empty(py);
        let start = read_head(newest.as_ptr() as usize - size_of::<Head>()).next & !MARKS;
        if !(state..state + STATE).contains(&start) {
            return Err("the youngest generation has no anchor in the interpreter".into());
        }
        let anchors = Self { start };
        if anchors.read().youngest != start {
            return Err("the anchor of the youngest generation could not be confirmed".into());
        }
        Ok(anchors)
    }

    fn read(&self) -> Generations {
        let state = self.start as *const Generations;
        // SAFETY: the anchor lies inside the interpreter's state, of which the
        // collector's part is much longer than what is read here.
        unsafe { state.read() }
    }

    /// Visits the objects of all three generations, then the frozen ones.
    #[cfg(not(Py_3_12))]
    pub(crate) fn visit_all(&self, visit: &mut dyn FnMut(*mut ffi::PyObject) -> bool) {
        for index in 0..3 {
            if !walk(self.generation(index), visit) {
                return;
            }
        }
        self.visit_frozen(visit);
    }

    /// Visits the objects that `gc.freeze` has put aside.
    pub(crate) fn visit_frozen(&self, visit: &mut dyn FnMut(*mut ffi::PyObject) -> bool) {
        walk(self.permanent(), visit);
    }

    fn generation(&self, index: usize) -> usize {
        self.start + index * size_of::<Generation>()
    }

    fn permanent(&self) -> usize {
        self.start + std::mem::offset_of!(Generations, permanent)
    }
}

/// Follows a ring from its anchor; false when `visit` asked to stop.
fn walk(anchor: usize, visit: &mut dyn FnMut(*mut ffi::PyObject) -> bool) -> bool {
    let mut head = read_head(anchor).next & !MARKS;
    while head != anchor {
        // Read before the visit, as the collector does.
        let next = read_head(head).next & !MARKS;
        if !visit((head + size_of::<Head>()) as *mut ffi::PyObject) {
            return false;
        }
        head = next;
    }
    true
}

fn read_head(address: usize) -> Head {
    // SAFETY: callers pass the head of a live tracked object or an anchor, and
    // the lock of the interpreter keeps others from relinking it.
    unsafe { (address as *const Head).read() }
}

fn test(py: Python<'_>) -> std::result::Result<(), String> {
    if cfg!(Py_3_14) {
        return Err("not needed here".into());
    }
    let gc = py.import(intern!(py, "gc")).map_err(raised)?;
    let thresholds: (c_int, c_int, c_int) = gc
        .call_method0(intern!(py, "get_threshold"))
        .and_then(|thresholds| thresholds.extract())
        .map_err(raised)?;
    let frozen: usize = gc
        .call_method0(intern!(py, "get_freeze_count"))
        .and_then(|count| count.extract())
        .map_err(raised)?;

    let anchors = Anchors::look(py)?;
    let [young, middle, old] = anchors.read().generations.map(|each| each.threshold);
    if (young, middle, old) != thresholds {
        return Err("the generations do not have the thresholds that gc states".into());
    }
    let rings = [0, 1, 2].map(|index| anchors.generation(index));
    for anchor in rings.into_iter().chain([anchors.permanent()]) {
        let next = read_head(anchor).next & !MARKS;
        if read_head(next).previous & !MARKS != anchor {
            return Err("a generation's list is not closed".into());
        }
    }
    let mut seen = 0;
    anchors.visit_frozen(&mut |_| {
        seen += 1;
        true
    });
    if seen != frozen {
        return Err("the list of frozen objects has another length than gc states".into());
    }
    Ok(())
}
