//! The crate's functions as a Python module, and a way to run a snippet with it.

use std::ffi::CString;
use std::sync::{Mutex, PoisonError};

use hotswap_cpython::CpythonError;
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyDict;

create_exception!(cpython, Absent, PyException);

/// Runs `source` with the module `cpython` in scope, alone in this process.
///
/// Tests share one interpreter and look at its whole heap, so only one runs at a time.
pub fn check(source: &str) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    Python::attach(|py| {
        if let Err(error) = run(py, source) {
            error.print(py);
            panic!("the snippet failed");
        }
    });
}

fn run(py: Python<'_>, source: &str) -> PyResult<()> {
    let namespace = PyDict::new(py);
    namespace.set_item("__name__", "snippet")?;
    namespace.set_item("cpython", pyo3::wrap_pymodule!(cpython)(py))?;
    py.run(
        c"import gc, sys, threading, time, types, functools, itertools, collections",
        Some(&namespace),
        None,
    )?;
    let source = CString::new(source).expect("a snippet has no zero byte");
    py.run(&source, Some(&namespace), None)?;
    py.run(c"gc.collect()", Some(&namespace), None)
}

fn python_error(error: CpythonError) -> PyErr {
    match error {
        CpythonError::Python(error) => error,
        CpythonError::Unsupported(absent) => Absent::new_err(absent.to_string()),
    }
}

#[pymodule]
mod cpython {
    use hotswap_cpython::{
        audit, code, commit, frames, functions, gate, heap, lines, references, support, tuple,
        types,
    };
    use pyo3::prelude::*;
    use pyo3::types::{PyCode, PyDict, PyFunction, PyList, PyString, PyTuple, PyType};

    use super::python_error;

    #[pymodule_export]
    use super::Absent;

    #[pyfunction]
    fn capabilities(py: Python<'_>) -> Vec<(&'static str, bool, String)> {
        let all = support::capabilities(py).into_iter();
        all.map(|each| (each.name, each.available, each.reason))
            .collect()
    }

    #[pyfunction]
    #[pyo3(signature = (function, code, closure=None))]
    fn set_code(
        function: &Bound<'_, PyFunction>,
        code: &Bound<'_, PyCode>,
        closure: Option<&Bound<'_, PyTuple>>,
    ) -> PyResult<()> {
        functions::set_code_and_closure(function, code, closure).map_err(python_error)
    }

    #[pyfunction]
    fn set_globals(function: &Bound<'_, PyFunction>, globals: &Bound<'_, PyDict>) -> PyResult<()> {
        functions::set_globals(function, globals).map_err(python_error)
    }

    #[pyfunction]
    fn parts_of<'py>(
        function: &Bound<'py, PyFunction>,
    ) -> (
        Bound<'py, PyCode>,
        Bound<'py, PyDict>,
        Option<Bound<'py, PyTuple>>,
    ) {
        (
            functions::code_of(function),
            functions::globals_of(function),
            functions::closure_of(function),
        )
    }

    #[pyfunction]
    fn count_objects(py: Python<'_>) -> PyResult<usize> {
        let mut count = 0;
        heap::for_each_object(py, &mut |_| {
            count += 1;
            true
        })
        .map_err(python_error)?;
        Ok(count)
    }

    #[pyfunction]
    fn count_objects_up_to(py: Python<'_>, limit: usize) -> PyResult<usize> {
        let mut count = 0;
        heap::for_each_object(py, &mut |_| {
            count += 1;
            count < limit
        })
        .map_err(python_error)?;
        Ok(count)
    }

    #[pyfunction]
    fn functions_in_files<'py>(
        py: Python<'py>,
        names: Vec<Bound<'py, PyString>>,
    ) -> PyResult<Vec<Bound<'py, PyFunction>>> {
        heap::functions_in_files(py, &names).map_err(python_error)
    }

    #[pyfunction]
    fn functions_with_code<'py>(
        py: Python<'py>,
        codes: Vec<Bound<'py, PyCode>>,
    ) -> PyResult<Vec<Bound<'py, PyFunction>>> {
        heap::functions_with_code(py, &codes).map_err(python_error)
    }

    #[pyfunction]
    fn instances_of<'py>(
        py: Python<'py>,
        classes: Vec<Bound<'py, PyType>>,
        subclasses: bool,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        heap::instances_of(py, &classes, subclasses).map_err(python_error)
    }

    #[pyfunction]
    fn generators_with_code<'py>(
        py: Python<'py>,
        codes: Vec<Bound<'py, PyCode>>,
    ) -> PyResult<Vec<(Bound<'py, PyAny>, usize)>> {
        heap::generators_with_code(py, &codes).map_err(python_error)
    }

    #[pyfunction]
    fn referrers<'py>(
        py: Python<'py>,
        targets: Vec<Bound<'py, PyAny>>,
    ) -> PyResult<Vec<(Bound<'py, PyAny>, usize)>> {
        heap::referrers(py, &targets).map_err(python_error)
    }

    #[pyfunction]
    #[pyo3(signature = (class, name, value=None))]
    fn set_type_attribute(
        class: &Bound<'_, PyType>,
        name: &Bound<'_, PyString>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        types::set_type_attribute(class, name, value).map_err(python_error)
    }

    #[pyfunction]
    fn type_dict<'py>(class: &Bound<'py, PyType>) -> Bound<'py, PyDict> {
        types::type_dict(class)
    }

    #[pyfunction]
    fn set_bases(class: &Bound<'_, PyType>, bases: &Bound<'_, PyTuple>) -> PyResult<()> {
        types::set_bases(class, bases).map_err(python_error)
    }

    #[pyfunction]
    fn set_instance_class(object: &Bound<'_, PyAny>, class: &Bound<'_, PyType>) -> PyResult<()> {
        types::set_instance_class(object, class).map_err(python_error)
    }

    #[pyfunction]
    fn shift_first_line(code: &Bound<'_, PyCode>, delta: i32) -> PyResult<()> {
        lines::shift_first_line(code, delta).map_err(python_error)
    }

    #[pyfunction]
    fn nested_code<'py>(code: &Bound<'py, PyCode>) -> PyResult<Vec<Bound<'py, PyCode>>> {
        code::nested_code(code)
    }

    #[pyfunction]
    fn replace_code_constant(
        parent: &Bound<'_, PyCode>,
        old: &Bound<'_, PyCode>,
        new: &Bound<'_, PyCode>,
    ) -> PyResult<usize> {
        code::replace_code_constant(parent, old, new).map_err(python_error)
    }

    #[pyfunction]
    fn set_tuple_item<'py>(
        tuple: &Bound<'py, PyTuple>,
        index: usize,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        tuple::set_tuple_item(tuple, index, value).map_err(python_error)
    }

    /// What `replace` hands out: restores when asked.
    #[pyclass]
    struct Replaced(references::Replaced);

    #[pymethods]
    impl Replaced {
        fn restore(&self, py: Python<'_>) -> PyResult<usize> {
            self.0.restore(py).map_err(python_error)
        }

        fn count(&self) -> usize {
            self.0.count()
        }
    }

    type Left<'py> = Vec<(Option<Bound<'py, PyAny>>, usize, String)>;

    /// Replaces all references, except those of the objects in `skip`. Returns
    /// what is left for each pair; `own` is what the test itself holds of each.
    #[pyfunction]
    #[pyo3(signature = (pairs, skip, own=0))]
    fn replace<'py>(
        py: Python<'py>,
        pairs: &Bound<'py, PyList>,
        skip: Vec<Bound<'py, PyAny>>,
        own: usize,
    ) -> PyResult<(Replaced, Vec<Left<'py>>)> {
        let mut skip = skip;
        skip.push(pairs.clone().into_any());
        skip.extend(pairs.iter());
        let replacements: Vec<references::Replacement<'py>> = pairs
            .iter()
            .map(|pair| {
                let (old, new) = pair.extract()?;
                Ok(references::Replacement { old, new })
            })
            .collect::<PyResult<_>>()?;
        let skips = |holder: &Bound<'py, PyAny>| skip.iter().any(|each| each.is(holder));
        let found = references::find_references(py, &replacements, &skips).map_err(python_error)?;
        let left = (0..pairs.len()).map(|index| {
            let left = found.left(index, own + 1).into_iter();
            left.map(|each| (each.holder, each.count, each.reason))
                .collect()
        });
        let left = left.collect();
        let replaced = found.replace(py, &[]).map_err(python_error)?;
        Ok((Replaced(replaced), left))
    }

    #[pyfunction]
    fn audit_hooks_present(py: Python<'_>) -> Option<bool> {
        audit::audit_hooks_present(py)
    }

    #[pyfunction]
    fn code_is_running(
        py: Python<'_>,
        codes: Vec<Bound<'_, PyCode>>,
    ) -> PyResult<Vec<(u64, usize, i32, String)>> {
        let running = frames::code_is_running(py, &codes)?.into_iter();
        Ok(running
            .map(|call| (call.thread, call.code, call.line, call.function))
            .collect())
    }

    /// Calls `meanwhile` behind a closed gate; whether it was still closed after that.
    #[pyfunction]
    fn with_gate<'py>(
        py: Python<'py>,
        functions: Vec<Bound<'py, PyFunction>>,
        codes: Vec<Bound<'py, PyCode>>,
        seconds: f64,
        meanwhile: Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        let limit = std::time::Duration::from_secs_f64(seconds);
        let gate = gate::Gate::close(py, &functions, &codes, limit).map_err(python_error)?;
        meanwhile.call0()?;
        Ok(gate.is_closed())
    }

    #[pyfunction]
    #[expect(clippy::type_complexity, reason = "a tuple for Python to unpack")]
    fn modules_in_progress(
        py: Python<'_>,
    ) -> PyResult<Vec<(u64, Bound<'_, PyDict>, Bound<'_, PyCode>, i32)>> {
        let modules = frames::modules_in_progress(py)?.into_iter();
        Ok(modules
            .map(|module| (module.thread, module.globals, module.code, module.line))
            .collect())
    }

    /// Swaps all codes, class attributes and dict values in one section, and
    /// returns the value of `ticks[0]` at its start and at its end.
    #[pyfunction]
    fn commit_all<'py>(
        swaps: Vec<(Bound<'py, PyFunction>, Bound<'py, PyCode>)>,
        attributes: Vec<(Bound<'py, PyType>, Bound<'py, PyString>, Bound<'py, PyAny>)>,
        entries: (Bound<'py, PyDict>, Bound<'py, PyDict>),
        ticks: &Bound<'py, PyList>,
    ) -> PyResult<(u64, u64)> {
        let py = ticks.py();
        let mut section = commit::AtomicSection::enter(py)?;
        let before = ticks.get_item(0)?.extract()?;
        for (function, code) in &swaps {
            section.keep(functions::code_of(function).into_any());
            functions::set_code_and_closure(function, code, None).map_err(python_error)?;
        }
        for (class, name, value) in &attributes {
            section.keep(types::type_dict(class).as_any().get_item(name)?);
            types::set_type_attribute(class, name, Some(value)).map_err(python_error)?;
        }
        let (live, new) = entries;
        for (key, value) in new {
            section.keep(live.as_any().get_item(&key)?);
            live.set_item(key, value)?;
        }
        let after = ticks.get_item(0)?.extract()?;
        Ok((before, after))
    }
}
