//! Code objects: compiling, finding one in a compiled unit, pairing old with new.

use hotswap_plan::CodeSite;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyTuple};

/// Compiles a text as a module of `file`, with the flags of a fresh start.
pub(crate) fn compile<'py>(py: Python<'py>, text: &str, file: &str) -> PyResult<Bound<'py, PyAny>> {
    hotswap_cpython::code::compile(py, text, file).and_then(with_room)
}

/// Gives the generators that will be made of a new code object room for later versions.
fn with_room(code: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    hotswap_cpython::moving::make_room_in_new(code.cast::<PyCode>()?)?;
    Ok(code)
}

/// Compiles through a loader that rewrites what it loads: pytest's assertions, and
/// loaders that override `source_to_code` (typeguard, beartype). None: an ordinary one.
pub(crate) fn through_loader<'py>(
    loader: &Bound<'py, PyAny>,
    text: &str,
    file: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = loader.py();
    if !rewrites(loader)? {
        return Ok(None);
    }
    if is_of_pytest(loader)? {
        let tree = py.import("ast")?.getattr("parse")?.call1((text, file))?;
        let source = pyo3::types::PyBytes::new(py, text.as_bytes());
        let rewrite = py
            .import("_pytest.assertion.rewrite")?
            .getattr("rewrite_asserts")?;
        rewrite.call1((&tree, source, file, loader.getattr("config")?))?;
        let kwargs = PyDict::new(py);
        kwargs.set_item("dont_inherit", true)?;
        let compile = py.import("builtins")?.getattr("compile")?;
        let code = compile.call((tree, file, "exec"), Some(&kwargs))?;
        return with_room(code).map(Some);
    }
    let source = pyo3::types::PyBytes::new(py, text.as_bytes());
    loader
        .call_method1("source_to_code", (source, file))
        .and_then(with_room)
        .map(Some)
}

/// Whether a loader compiles by code of its own.
pub(crate) fn rewrites(loader: &Bound<'_, PyAny>) -> PyResult<bool> {
    if is_of_pytest(loader)? {
        return Ok(true);
    }
    let Ok(own) = loader.get_type().getattr("source_to_code") else {
        return Ok(false);
    };
    let plain = loader
        .py()
        .import("importlib.machinery")?
        .getattr("SourceFileLoader")?
        .getattr("source_to_code")?;
    Ok(!own.is(&plain))
}

fn is_of_pytest(loader: &Bound<'_, PyAny>) -> PyResult<bool> {
    let home: String = loader.get_type().getattr("__module__")?.extract()?;
    Ok(home == "_pytest.assertion.rewrite")
}

thread_local! {
    static EXECUTED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How often this thread has run code of the program for an update; others may have
/// run whenever the number grew.
pub(crate) fn executed() -> u64 {
    EXECUTED.get()
}

/// Notes that code of the program is about to run.
pub(crate) fn note_execution() {
    EXECUTED.set(EXECUTED.get().wrapping_add(1));
}

/// Runs a code object of a module or a class body.
pub(crate) fn execute<'py>(
    code: &Bound<'py, PyAny>,
    globals: &Bound<'py, PyDict>,
    locals: Option<&Bound<'py, PyDict>>,
) -> PyResult<()> {
    note_execution();
    let exec = code.py().import("builtins")?.getattr("exec")?;
    match locals {
        Some(locals) => exec.call1((code, globals, locals)),
        None => exec.call1((code, globals)),
    }
    .map(drop)
}

pub(crate) fn name_of(code: &Bound<'_, PyAny>) -> PyResult<String> {
    code.getattr("co_name")?.extract()
}

pub(crate) fn line_of(code: &Bound<'_, PyAny>) -> PyResult<u32> {
    code.getattr("co_firstlineno")?.extract()
}

pub(crate) fn free_variables(code: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    code.getattr("co_freevars")?.extract()
}

/// The code objects among the constants of another.
pub(crate) fn nested<'py>(code: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let constants = code.getattr("co_consts")?.cast_into::<PyTuple>()?;
    let kind = code.get_type();
    Ok(constants
        .iter()
        .filter(|constant| constant.get_type().is(&kind))
        .collect())
}

/// Code objects that the compiler puts around others without a scope of the source.
fn is_transparent(name: &str) -> bool {
    name.starts_with("<generic parameters of")
        || matches!(
            name,
            "<listcomp>" | "<setcomp>" | "<dictcomp>" | "<genexpr>"
        )
}

/// All code objects at a site of a compiled unit, in order.
pub(crate) fn at_site<'py>(
    unit: &Bound<'py, PyAny>,
    scope: &[String],
    name: &str,
    line: u32,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut found = Vec::new();
    collect(unit, scope, name, line, &mut found)?;
    Ok(found)
}

fn collect<'py>(
    code: &Bound<'py, PyAny>,
    scope: &[String],
    name: &str,
    line: u32,
    found: &mut Vec<Bound<'py, PyAny>>,
) -> PyResult<()> {
    for inner in nested(code)? {
        let inner_name = name_of(&inner)?;
        if is_transparent(&inner_name) {
            collect(&inner, scope, name, line, found)?;
        } else if let Some((first, rest)) = scope.split_first() {
            if inner_name == *first {
                collect(&inner, rest, name, line, found)?;
            }
        } else if inner_name == name && line_of(&inner)? == line {
            found.push(inner);
        }
    }
    Ok(())
}

/// The only code object of a name and line in a compiled unit, if there is one.
pub(crate) fn at_line<'py>(
    unit: &Bound<'py, PyAny>,
    name: &str,
    line: u32,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut found = Vec::new();
    let mut inside = nested(unit)?;
    while let Some(code) = inside.pop() {
        if name_of(&code)? == name && line_of(&code)? == line {
            found.push(code.clone());
        }
        inside.extend(nested(&code)?);
    }
    Ok(found.pop().filter(|_| found.is_empty()))
}

/// The code object of a class body.
pub(crate) fn class_body<'py>(
    unit: &Bound<'py, PyAny>,
    scope: &[String],
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some((first, rest)) = scope.split_first() else {
        return Ok(Some(unit.clone()));
    };
    for inner in nested(unit)? {
        let name = name_of(&inner)?;
        let got = if is_transparent(&name) {
            class_body(&inner, scope)?
        } else if name == *first {
            class_body(&inner, rest)?
        } else {
            None
        };
        if got.is_some() {
            return Ok(got);
        }
    }
    Ok(None)
}

/// Picks the code of the n-th site among several of the same name and line.
/// Equal functions on one line may share a code object, so sites are counted by content.
pub(crate) fn pick<'a, T>(codes: &'a [T], sites: &[&CodeSite], index: usize) -> Option<&'a T> {
    if codes.len() == sites.len() {
        return codes.get(index);
    }
    let mut distinct: Vec<u64> = Vec::new();
    for site in &sites[..=index] {
        if !distinct.contains(&site.fingerprint) {
            distinct.push(site.fingerprint);
        }
    }
    let rank = distinct
        .iter()
        .position(|hash| *hash == sites[index].fingerprint)?;
    codes.get(rank)
}

/// Pairs an old code object and all code objects inside it with the new ones.
pub(crate) fn pair_tree<'py>(
    old: &Bound<'py, PyAny>,
    new: &Bound<'py, PyAny>,
    pairs: &mut Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
) -> PyResult<()> {
    if old.is(new) || pairs.iter().any(|(known, _)| known.is(old)) {
        return Ok(());
    }
    pairs.push((old.clone(), new.clone()));
    let (left, right) = (nested(old)?, nested(new)?);
    let mut names: Vec<String> = Vec::new();
    for code in &left {
        let name = name_of(code)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for name in names {
        let of_name = |codes: &[Bound<'py, PyAny>]| -> PyResult<Vec<Bound<'py, PyAny>>> {
            let mut out = Vec::new();
            for code in codes {
                if name_of(code)? == name {
                    out.push(code.clone());
                }
            }
            Ok(out)
        };
        let (mut before, mut after) = (of_name(&left)?, of_name(&right)?);
        if before.len() != after.len() {
            // Equal ones first; what is left over is paired only if it is as many.
            let mut rest = Vec::new();
            for code in before {
                match after
                    .iter()
                    .position(|other| same_behaviour(&code, other).unwrap_or(false))
                {
                    Some(at) => pair_tree(&code, &after.remove(at), pairs)?,
                    None => rest.push(code),
                }
            }
            before = rest;
        }
        if before.len() == after.len() {
            for (old, new) in before.iter().zip(&after) {
                pair_tree(old, new, pairs)?;
            }
        }
    }
    Ok(())
}

/// Whether two code objects do the same, wherever they stand in the file.
pub(crate) fn same_behaviour(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> PyResult<bool> {
    for name in [
        "co_code",
        "co_names",
        "co_varnames",
        "co_freevars",
        "co_cellvars",
        "co_flags",
        "co_argcount",
        "co_kwonlyargcount",
    ] {
        if !a.getattr(name)?.eq(b.getattr(name)?)? {
            return Ok(false);
        }
    }
    let (left, right) = (
        a.getattr("co_consts")?.cast_into::<PyTuple>()?,
        b.getattr("co_consts")?.cast_into::<PyTuple>()?,
    );
    if left.len() != right.len() {
        return Ok(false);
    }
    let kind = a.get_type();
    for (x, y) in left.iter().zip(right.iter()) {
        let equal = if x.get_type().is(&kind) && y.get_type().is(&kind) {
            same_behaviour(&x, &y)?
        } else {
            x.get_type().is(y.get_type()) && x.repr()?.as_any().eq(y.repr()?)?
        };
        if !equal {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The docstring that a function with this code has.
pub(crate) fn docstring<'py>(code: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    const HAS_DOCSTRING: u32 = 0x0400_0000;
    let constants = code.getattr("co_consts")?.cast_into::<PyTuple>()?;
    let flags: u32 = code.getattr("co_flags")?.extract()?;
    if cfg!(Py_3_14) && flags & HAS_DOCSTRING == 0 {
        return Ok(None);
    }
    Ok(constants
        .get_item(0)
        .ok()
        .filter(|first| first.is_instance_of::<pyo3::types::PyString>()))
}
