//! What a skeleton compiles to, with a compile of the whole file as the oracle.
//!
//! Each function of real files is taken as the one that was edited: the skeleton that
//! the engine builds for it is compiled, and the function's code object compared with
//! the whole file's, down to the tables of lines and exceptions (`oracle.py`).

use std::ffi::CString;
use std::sync::{Mutex, PoisonError};

use hotswap_plan::{ClassDef, Kind, Outline, Skeleton, Source, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyModule};

const STANDARD_LIBRARY: [&str; 5] = ["asyncio", "dataclasses", "typing", "email", "unittest"];
const INSTALLED: [&str; 12] = [
    "_pytest",
    "attr",
    "click",
    "fastapi",
    "flask",
    "httpx",
    "hypothesis",
    "jinja2",
    "pydantic",
    "rich",
    "starlette",
    "typer",
];
/// How many of them there must be.
const ENOUGH: usize = 10;

#[test]
fn functions_of_the_standard_library_are_compiled_as_in_their_files() {
    let totals = compare(&STANDARD_LIBRARY, STANDARD_LIBRARY.len());
    assert!(totals.rejected.is_empty(), "{:?}", totals.rejected);
}

#[test]
#[ignore = "slow, and needs ten packages of PyPI on PYTHONPATH"]
fn functions_of_packages_are_compiled_as_in_their_files() {
    compare(&INSTALLED, ENOUGH);
}

/// A place of a function: the classes around it, its name, its first line.
type Site = (Vec<String>, String, u32);

/// One text to compile, and the functions that are taken from it.
struct Unit {
    way: &'static str,
    text: String,
    sites: Vec<Site>,
}

fn compare(packages: &[&str], enough: usize) -> Totals {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    Python::attach(|py| {
        compare_with(py, packages, enough).unwrap_or_else(|error| {
            error.print(py);
            panic!("the oracle failed");
        })
    })
}

fn compare_with(py: Python<'_>, packages: &[&str], enough: usize) -> PyResult<Totals> {
    let source = CString::new(include_str!("oracle.py")).expect("no zero byte");
    let oracle = PyModule::from_code(py, &source, c"oracle.py", c"oracle")?;
    let mut missing = Vec::new();
    let mut problems = Vec::new();
    let mut totals = Totals::default();
    for package in packages {
        let files: Option<Vec<String>> = oracle.call_method1("files_of", (package,))?.extract()?;
        let Some(files) = files else {
            missing.push(*package);
            continue;
        };
        for file in files {
            check_file(&oracle, &file, &mut totals, &mut problems)?;
        }
    }
    println!(
        "CPython {}: {} functions ({} code objects) of {} files of {} packages from {} skeletons; not installed: {missing:?}; not Python of this version: {:?}",
        Python::version_str().split(' ').next().unwrap_or_default(),
        totals.functions,
        totals.codes,
        totals.files,
        packages.len() - missing.len(),
        totals.skeletons,
        totals.rejected,
    );
    assert!(
        packages.len() - missing.len() >= enough,
        "{enough} packages are needed, these are not installed: {missing:?}"
    );
    let shown = problems.iter().take(40).cloned().collect::<Vec<_>>();
    assert!(
        problems.is_empty(),
        "{} differences:\n{}",
        problems.len(),
        shown.join("\n")
    );
    Ok(totals)
}

#[derive(Default)]
struct Totals {
    files: usize,
    functions: usize,
    codes: usize,
    skeletons: usize,
    rejected: Vec<String>,
}

fn check_file(
    oracle: &Bound<'_, PyModule>,
    file: &str,
    totals: &mut Totals,
    problems: &mut Vec<String>,
) -> PyResult<()> {
    let py = oracle.py();
    let bytes = std::fs::read(file)?;
    let whole = match oracle
        .getattr("Oracle")?
        .call1((file, PyBytes::new(py, &bytes)))
    {
        Ok(whole) => whole,
        Err(error) if error.is_instance_of::<pyo3::exceptions::PySyntaxError>(py) => {
            totals.rejected.push(file.to_string());
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let source = match Source::decode(&bytes) {
        Ok(source) => source,
        Err(problem) => {
            problems.push(format!("{file}: {problem:?}"));
            return Ok(());
        }
    };
    let text = source.text;
    let outline = match Outline::parse(&text) {
        Ok(outline) => outline,
        Err(problem) => {
            problems.push(format!("{file}: {problem:?}"));
            return Ok(());
        }
    };
    let mut units = Vec::new();
    collect(
        &text,
        &outline,
        &outline.statements,
        &mut Vec::new(),
        &mut units,
    );
    totals.skeletons += units.len();
    for unit in units {
        let got: Vec<String> = whole
            .call_method1("check", (unit.text, unit.sites))?
            .extract()?;
        problems.extend(
            got.iter()
                .map(|problem| format!("{file}, {}: {problem}", unit.way)),
        );
    }
    let missed: Vec<String> = whole.call_method0("missed")?.extract()?;
    problems.extend(
        missed
            .iter()
            .map(|key| format!("{file}: no site for {key}")),
    );
    let (functions, codes): (usize, usize) = whole.call_method0("counts")?.extract()?;
    totals.files += 1;
    totals.functions += functions;
    totals.codes += codes;
    Ok(())
}

/// The skeletons for an edit of each statement of a body with functions in it.
fn collect<'o>(
    text: &str,
    outline: &Outline,
    body: &'o [Statement],
    classes: &mut Vec<&'o ClassDef>,
    units: &mut Vec<Unit>,
) {
    for statement in body {
        let path: Vec<String> = classes.iter().map(|class| class.name.clone()).collect();
        let around = || {
            let all = Skeleton::new(text, outline);
            classes
                .iter()
                .fold(all, |skeleton, class| skeleton.class(class))
        };
        let sites: Vec<Site> = statement
            .codes
            .iter()
            .map(|site| {
                let scope = path.iter().chain(&site.scope).cloned().collect();
                (scope, site.name.clone(), site.line)
            })
            .collect();
        if sites.is_empty() {
            continue;
        }
        if let Kind::Function(function) = &statement.kind {
            // An edited header: without the decorators, and with only what changed in it.
            let own: Vec<Site> = sites.last().cloned().into_iter().collect();
            let every: Vec<usize> = (0..function.parameters.len()).collect();
            let masked = around().function(statement, function, &[], false);
            let whole = around().function(statement, function, &every, true);
            for (way, skeleton) in [("masked header", masked), ("header", whole)] {
                units.push(Unit {
                    way,
                    text: skeleton.finish(),
                    sites: own.clone(),
                });
            }
        }
        units.push(Unit {
            way: "statement",
            text: around().statement(statement).finish(),
            sites,
        });
        match &statement.kind {
            Kind::Class(class) => {
                classes.push(class);
                collect(text, outline, &class.body, classes, units);
                classes.pop();
            }
            // Only blocks of the module are looked into.
            Kind::Compound(compound) if classes.is_empty() => {
                for branch in &compound.branches {
                    collect(text, outline, &branch.body, classes, units);
                }
            }
            _ => {}
        }
    }
}
