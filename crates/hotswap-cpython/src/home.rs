//! Functions, running calls and suspended generators move from one namespace to another.
//!
//! Statements of an update run in a copy of the module's namespace, and what they
//! define belongs to that copy until the commit. A thread that such a statement
//! started may be inside one of these functions by then: a call keeps the
//! namespace it began with, from 3.11 on without owning it. It must move along,
//! or it would use a dict that is gone.

use crate::once::intern;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrame, PyFunction};

use crate::functions::{globals_of, set_globals};
use crate::heap::{address, for_each_object, suspended_frame};
use crate::layout::{BODY, WORD, only, read_word, size_of_body, verify};
use crate::names;
use crate::support::{Result, Tested, Unsupported, raised, tested};

pub(crate) const CAPABILITY: &str = "namespaces of running calls";

/// A namespace that is given up, and the one that takes its place.
#[derive(Debug, Clone)]
pub struct Home<'py> {
    /// What functions and calls refer to now.
    pub from: Bound<'py, PyDict>,
    /// What they refer to afterwards.
    pub to: Bound<'py, PyDict>,
}

/// What was moved, and can be moved back.
#[derive(Debug)]
pub struct Moved<'py> {
    homes: Vec<Home<'py>>,
    functions: Vec<(Bound<'py, PyFunction>, usize)>,
    frames: Vec<(Bound<'py, PyFrame>, usize)>,
    /// Calls that stay in the old namespace, because their layout is not known here.
    pub left: usize,
}

/// Makes every function, running call and suspended generator that looks up its
/// global names in one of the namespaces look them up in the other.
///
/// Runs no Python code. After an error everything is as it was.
pub fn move_home<'py>(py: Python<'py>, homes: Vec<Home<'py>>) -> Result<Moved<'py>> {
    let position =
        |globals: &Bound<'py, PyDict>| homes.iter().position(|home| home.from.is(globals));
    let mut moved = Moved {
        homes: homes.clone(),
        functions: Vec::new(),
        frames: Vec::new(),
        left: 0,
    };
    let mut suspended = Vec::new();
    for_each_object(py, &mut |object| {
        if let Ok(function) = object.cast_exact::<PyFunction>() {
            if let Some(home) = position(&globals_of(function)) {
                moved.functions.push((function.clone(), home));
            }
        } else if crate::heap::is_generator(object) {
            suspended.push(object.clone());
        }
        true
    })?;
    let mut frames = crate::frames::all(py)?;
    for generator in suspended {
        frames.extend(suspended_frame(&generator)?);
    }
    for frame in frames {
        let globals = frame.getattr(names::frame_globals(py))?;
        let globals = globals.cast_into::<PyDict>().map_err(PyErr::from)?;
        if let Some(home) = position(&globals) {
            moved.frames.push((frame, home));
        }
    }
    if layout(py).is_err() {
        moved.left = moved.frames.len();
        for (_, home) in moved.frames.drain(..) {
            // A call that does not own its namespace must find it alive for ever.
            std::mem::forget(homes[home].from.clone());
        }
    }
    if let Err(error) = moved.write(py, false) {
        moved.write(py, true)?;
        return Err(error);
    }
    Ok(moved)
}

impl<'py> Moved<'py> {
    /// Moves everything back that is still where it was moved to.
    pub fn restore(&self, py: Python<'py>) -> Result<()> {
        self.write(py, true)
    }

    fn write(&self, py: Python<'py>, back: bool) -> Result<()> {
        let way = |home: usize| {
            let Home { from, to } = &self.homes[home];
            match back {
                false => (from, to),
                true => (to, from),
            }
        };
        for (function, home) in &self.functions {
            let (from, to) = way(*home);
            if globals_of(function).is(from) {
                set_globals(function, to)?;
            }
        }
        if self.frames.is_empty() {
            return Ok(());
        }
        let layout = layout(py)?;
        for (frame, home) in &self.frames {
            let (from, to) = way(*home);
            layout.write(frame, from, to);
        }
        Ok(())
    }
}

/// Where a call keeps its namespace.
#[derive(Debug)]
struct Layout {
    /// From 3.11 on: where in the frame object the address of the call itself is.
    call: Option<usize>,
    /// Where the namespace is, from the start of the call or of the frame object.
    globals: usize,
}

impl Layout {
    fn field(&self, frame: &Bound<'_, PyFrame>) -> Option<*mut usize> {
        let start = match self.call {
            None => frame.as_ptr() as usize,
            Some(offset) => read_word(frame, offset).filter(|start| *start != 0)?,
        };
        Some((start + self.globals) as *mut usize)
    }

    /// Writes `to` where `from` is.
    fn write(&self, frame: &Bound<'_, PyFrame>, from: &Bound<'_, PyDict>, to: &Bound<'_, PyDict>) {
        let Some(field) = self.field(frame) else {
            return;
        };
        // SAFETY: the self-test found the field in a call, and the frame object
        // knows where its call is, running, suspended or over.
        let now = unsafe { field.read() };
        if now != address(from) {
            return;
        }
        if self.call.is_none() {
            // Before 3.11 a frame owns its namespace.
            // SAFETY: a live dict, of which the frame becomes an owner.
            unsafe { ffi::Py_INCREF(to.as_ptr()) };
        }
        // SAFETY: as above; the interpreter reads the field anew for every name.
        unsafe { field.write(address(to)) };
        if self.call.is_none() {
            // SAFETY: the reference that the frame owned; `from` is another one.
            unsafe { ffi::Py_DECREF(from.as_ptr()) };
        }
    }
}

/// Whether running calls can be moved here.
pub(crate) fn check(py: Python<'_>) -> std::result::Result<(), Unsupported> {
    layout(py).map(drop)
}

fn layout(py: Python<'_>) -> std::result::Result<&'static Layout, Unsupported> {
    static LAYOUT: Tested<Layout> = Tested::new();
    tested(py, CAPABILITY, &LAYOUT, || test(py))
}

/// Suspends generators whose namespaces are known, looks for these, and lets one of
/// them say in which namespace it goes on after it was moved.
fn test(py: Python<'_>) -> std::result::Result<Layout, String> {
    let (first_home, first) = specimen(py).map_err(raised)?;
    let (second_home, second) = specimen(py).map_err(raised)?;
    let first_frame = frame_of(&first).map_err(raised)?;
    let second_frame = frame_of(&second).map_err(raised)?;

    let layout = find(&first, &first_frame, &first_home)?;
    let other = find(&second, &second_frame, &second_home)?;
    let agree = layout.call == other.call && layout.globals == other.globals;
    verify(agree, "f_globals")?;

    // From here on a wrong offset would damage the specimen, not the program.
    layout.write(&second_frame, &second_home, &first_home);
    let shown = second_frame
        .getattr(intern!(py, "f_globals"))
        .map_err(raised)?;
    verify(shown.is(&first_home), "f_globals")?;
    let next = py.import(intern!(py, "builtins")).map_err(raised)?;
    let answer = next
        .call_method1(intern!(py, "next"), (&second,))
        .map_err(raised)?;
    verify(answer.is(&first_home), "f_globals")?;
    layout.write(&second_frame, &first_home, &second_home);
    let answer = next
        .call_method1(intern!(py, "next"), (&second,))
        .map_err(raised)?;
    verify(answer.is(&second_home), "f_globals")?;
    Ok(layout)
}

fn specimen(py: Python<'_>) -> PyResult<(Bound<'_, PyDict>, Bound<'_, PyAny>)> {
    let home = PyDict::new(py);
    let source = c"def make():\n yield\n while True:\n  yield globals()\nmade = make()\nnext(made)";
    py.run(source, Some(&home), None)?;
    let made = home.as_any().get_item(intern!(py, "made"))?;
    Ok((home, made))
}

fn frame_of<'py>(generator: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyFrame>> {
    let frame = generator.getattr(names::generator_frame(generator.py()))?;
    Ok(frame.cast_into()?)
}

fn find(
    generator: &Bound<'_, PyAny>,
    frame: &Bound<'_, PyFrame>,
    home: &Bound<'_, PyDict>,
) -> std::result::Result<Layout, String> {
    let wanted = address(home);
    if cfg!(not(Py_3_11)) {
        let globals = crate::layout::find_pointer(frame, home, "f_globals")?;
        return Ok(Layout {
            call: None,
            globals,
        });
    }
    // The call of a suspended generator lies inside the generator.
    let (start, end) = (
        address(generator) + BODY,
        address(generator) + size_of_body(generator),
    );
    let inside =
        |offset: &usize| read_word(frame, *offset).is_some_and(|word| (start..end).contains(&word));
    let offsets = (BODY..size_of_body(frame)).step_by(WORD);
    let call = only(offsets.filter(inside), "f_frame")?;
    let at = read_word(frame, call).unwrap_or(start) - address(generator);
    let holds = |offset: &usize| read_word(generator, *offset) == Some(wanted);
    let offsets = (at..size_of_body(generator)).step_by(WORD);
    let globals = only(offsets.filter(holds), "f_globals")? - at;
    Ok(Layout {
        call: Some(call),
        globals,
    })
}
