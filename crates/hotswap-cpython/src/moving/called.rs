//! The function of a call in progress.

use pyo3::prelude::*;
use pyo3::types::{PyFrame, PyFunction};

use super::frame::Frame;

/// The function that the call of a frame object runs, if one made it and the layout of
/// frames is known.
pub fn called<'py>(frame: &Bound<'py, PyFrame>) -> Option<Bound<'py, PyFunction>> {
    let py = frame.py();
    super::check(py).ok()?;
    // SAFETY: whoever asks holds the frame object of a call that is in progress.
    let inner = unsafe { Frame::of_object(frame.as_ptr().cast()) };
    // SAFETY: the frame holds a reference to what it names as its function.
    let function = unsafe { Bound::from_borrowed_ptr_or_opt(py, inner.function()) }?;
    function.cast_into_exact::<PyFunction>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pyo3::types::PyModule;

    #[test]
    fn a_call_names_its_function() {
        Python::attach(|py| {
            let source = cr"
import sys
def here(look):
    def probe():
        return look(sys._getframe()), probe
    return probe()
";
            let module = PyModule::from_code(py, source, c"called.py", c"called").unwrap();
            let look = pyo3::types::PyCFunction::new_closure(
                py,
                None,
                None,
                |arguments, _| -> PyResult<Option<Py<PyFunction>>> {
                    let frame = arguments.get_item(0)?.cast_into::<PyFrame>()?;
                    Ok(called(&frame).map(Bound::unbind))
                },
            )
            .unwrap();
            let found = module.getattr("here").unwrap().call1((look,)).unwrap();
            let (seen, probe) = (found.get_item(0).unwrap(), found.get_item(1).unwrap());
            assert!(seen.is(&probe));
        });
    }
}
