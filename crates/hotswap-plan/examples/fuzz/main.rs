//! Edits real sources at random and checks what the planner makes of each edit.
//!
//! ```text
//! cargo run --release -p hotswap-plan --example fuzz -- --seconds 600 /usr/lib/python3.12
//! cargo run -p hotswap-plan --example fuzz -- --cases 2000 --seed 1 python tests
//! ```
//!
//! An edit is a chain of mutations: lines and statements are dropped, doubled, moved,
//! taken from other files, and bytes are damaged. After each, four things must hold:
//! nothing panics; the plan applied to the old statements gives the new ones; every
//! skeleton parses and has what was kept where it was; and parsing with the previous
//! outline at hand gives what parsing afresh gives. A failure is written to
//! `fuzz-failure-*`: old text, new text and what is wrong.

#![forbid(unsafe_code)]

mod check;
mod mutate;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mutate::{Random, mutate};

struct Asked {
    cases: u64,
    seconds: Option<Duration>,
    seed: u64,
    roots: Vec<PathBuf>,
}

#[derive(Default)]
struct Counts {
    cases: u64,
    parsed: u64,
    checks: check::Counts,
}

fn main() -> ExitCode {
    let Some(asked) = asked() else {
        eprintln!("fuzz [--cases N] [--seconds N] [--seed N] FOLDER...");
        return ExitCode::FAILURE;
    };
    let mut files = Vec::new();
    for root in &asked.roots {
        collect(root, &mut files);
    }
    files.sort();
    if files.is_empty() {
        eprintln!("no Python files there");
        return ExitCode::FAILURE;
    }
    // The stack of a Python thread is as large as this, or larger.
    let worker = std::thread::Builder::new().stack_size(8 << 20);
    let run = worker.spawn(move || run(&asked, &files));
    match run.map(std::thread::JoinHandle::join) {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn asked() -> Option<Asked> {
    let mut asked = Asked {
        cases: u64::MAX,
        seconds: None,
        seed: 1,
        roots: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next()?.parse::<u64>().ok();
        match word.as_str() {
            "--cases" => asked.cases = number()?,
            "--seconds" => asked.seconds = Some(Duration::from_secs(number()?)),
            "--seed" => asked.seed = number()?,
            folder => asked.roots.push(PathBuf::from(folder)),
        }
    }
    let bounded = asked.cases != u64::MAX || asked.seconds.is_some();
    (bounded && !asked.roots.is_empty()).then_some(asked)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_file() {
        if path.extension().is_some_and(|extension| extension == "py") {
            files.push(path.to_path_buf());
        }
        return;
    }
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        if !entry.path().is_symlink() {
            collect(&entry.path(), files);
        }
    }
}

fn run(asked: &Asked, files: &[PathBuf]) -> bool {
    let started = Instant::now();
    let mut counts = Counts::default();
    let mut failed = 0;
    for problem in check::deep() {
        println!("{problem}");
        failed += 1;
    }
    while counts.cases < asked.cases
        && asked.seconds.is_none_or(|limit| started.elapsed() < limit)
        && failed < 10
    {
        // Each case has a seed of its own, so that it can be had again.
        let seed = asked.seed.wrapping_mul(1 << 32).wrapping_add(counts.cases);
        counts.cases += 1;
        if let Err(problem) = case(seed, files, &mut counts) {
            println!("seed {seed}: {problem}");
            failed += 1;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let Counts {
        cases,
        parsed,
        checks,
    } = counts;
    println!(
        "{cases} edits of {} files in {seconds:.0} s: {parsed} new texts parsed, {} statements planned, {} skeletons, {failed} failures",
        files.len(),
        checks.statements,
        checks.skeletons,
    );
    failed == 0
}

/// One file, some edits of it in a row.
fn case(seed: u64, files: &[PathBuf], counts: &mut Counts) -> Result<(), String> {
    let mut random = Random::new(seed);
    let bytes = |random: &mut Random| std::fs::read(random.pick(files)).unwrap_or_default();
    let first = bytes(&mut random);
    let other = bytes(&mut random);
    let mut old = check::decode(&first)?;
    let others = check::decode(&other)?;
    for _ in 0..random.below(3) + 1 {
        let mut new = old.clone();
        for _ in 0..random.below(4) + 1 {
            new = mutate(&mut random, &new, &others);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            check::pair(&old, &new, &mut counts.checks)
        }));
        match outcome {
            Ok(Ok(true)) => {
                counts.parsed += 1;
                old = new;
            }
            Ok(Ok(false)) => {}
            Ok(Err(problem)) => return Err(keep(seed, &old, &new, problem)),
            Err(_) => return Err(keep(seed, &old, &new, "a panic".to_string())),
        }
    }
    Ok(())
}

/// Writes down what failed; returns what to print.
fn keep(seed: u64, old: &str, new: &str, problem: String) -> String {
    for (which, text) in [("old.py", old), ("new.py", new), ("why.txt", &problem)] {
        let name = format!("fuzz-failure-{seed}-{which}");
        if let Err(error) = std::fs::write(&name, text) {
            return format!("{problem}; {name}: {error}");
        }
    }
    let first = problem.lines().next().unwrap_or_default();
    format!("{first} (see fuzz-failure-{seed}-*)")
}
