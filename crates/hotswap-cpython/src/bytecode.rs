//! What the instructions of a code object do to the stack and the variables of a call.
//!
//! The instructions are read by the public `dis` module, which knows its own version.

#[cfg(not(Py_3_11))]
mod blocks;
#[cfg(not(Py_3_11))]
mod places;

#[cfg(not(Py_3_11))]
pub(crate) use blocks::HANDLED;
use std::collections::BTreeSet;

use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCode, PyModule, PyString, PyTuple};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::once::intern;

/// A stretch of source: first line, column, last line, column; lines one-based, columns
/// in bytes, the end exclusive.
pub type Stretch = (u32, u32, u32, u32);

/// One instruction.
#[derive(Debug, Clone)]
pub struct Instruction {
    /// Where it stands, in bytes from the start of the code; where others extend its
    /// argument, the first of those, because that is what is jumped to.
    pub offset: u32,
    /// Its name, without specialisation.
    pub name: String,
    /// The line it belongs to.
    pub line: Option<u32>,
    /// The source it belongs to; up to 3.10 only [`Listing::with_source`] knows.
    pub stretch: Option<Stretch>,
    /// Where it may jump to.
    pub target: Option<u32>,
    reads: Vec<String>,
    writes: Vec<String>,
}

/// The instructions of a code object.
#[derive(Debug)]
pub struct Listing {
    /// In the order of the code, those that only extend an argument part of what they extend.
    pub instructions: Vec<Instruction>,
    /// How many values lie on the stack before an instruction that can be reached.
    depths: FxHashMap<u32, u32>,
    successors: Vec<Vec<usize>>,
    /// The handlers that an exception in each instruction leads to.
    raised_to: Vec<Vec<usize>>,
    index: FxHashMap<u32, usize>,
}

/// A block that a call is in, as CPython up to 3.10 notes it: a `try` or `with` statement, or
/// a handler that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What stands for its kind.
    pub kind: std::ffi::c_int,
    /// Where its handler begins, in bytes; None where the handler runs.
    pub handler: Option<u32>,
    /// How many values lie on the stack below it.
    pub level: std::ffi::c_int,
}

/// An entry of the table of exception handlers, in bytes.
struct Handler {
    start: u32,
    end: u32,
    target: u32,
    depth: u32,
    with_place: bool,
}

impl Listing {
    /// Reads a code object.
    pub fn of(code: &Bound<'_, PyCode>) -> PyResult<Listing> {
        let py = code.py();
        let dis = py.import(intern!(py, "dis"))?;
        let jumps = jumps(&dis)?;
        let mut instructions = Vec::new();
        let mut effects: Vec<[i32; 2]> = Vec::new();
        let mut line = None;
        let mut extended = None;
        for item in dis
            .call_method1(intern!(py, "get_instructions"), (code,))?
            .try_iter()?
        {
            let item = item?;
            let name: String = item.getattr(intern!(py, "opname"))?.extract()?;
            let opcode: u32 = item.getattr(intern!(py, "opcode"))?.extract()?;
            line = line_of(&item)?.or(line);
            let offset: u32 = item.getattr(intern!(py, "offset"))?.extract()?;
            let start = extended.take().unwrap_or(offset);
            if name == "EXTENDED_ARG" {
                extended = Some(start);
                continue;
            }
            let argument = item.getattr(intern!(py, "arg"))?;
            let number: Option<i32> = argument.extract()?;
            let effect = |jump: bool| stack_effect(opcode, number, jump);
            let value = item.getattr(intern!(py, "argval"))?;
            let target = match jumps.contains(&opcode) {
                true => Some(value.extract()?),
                false => None,
            };
            let falls = effect(false)?;
            let jumped = match target {
                // The compiler counts one more than there are.
                #[cfg(not(Py_3_11))]
                Some(_) if name == "SETUP_WITH" => blocks::PUSHED,
                Some(_) => effect(true)?,
                None => falls,
            };
            effects.push([falls, jumped]);
            let (reads, writes) = variables(&name, &value);
            instructions.push(Instruction {
                offset: start,
                line,
                stretch: stretch(&item)?,
                target,
                reads,
                writes,
                name,
            });
        }
        let index: FxHashMap<u32, usize> = instructions
            .iter()
            .enumerate()
            .map(|(at, each)| (each.offset, at))
            .collect();
        let mut listing = Listing {
            instructions,
            depths: FxHashMap::default(),
            successors: Vec::new(),
            raised_to: Vec::new(),
            index,
        };
        listing.connect(&handlers(code)?, &effects);
        Ok(listing)
    }

    /// Reads a code object, and which source each instruction belongs to. None: it was not
    /// compiled from the definition of this name that begins at this line of the text.
    pub fn with_source(
        code: &Bound<'_, PyCode>,
        text: &str,
        name: &str,
        line: u32,
    ) -> PyResult<Option<Listing>> {
        #[cfg(not(Py_3_11))]
        {
            let mut listing = Listing::of(code)?;
            let known = places::note(&mut listing, code, text, name, line)?;
            Ok(known.then_some(listing))
        }
        #[cfg(Py_3_11)]
        {
            let _ = (text, name, line);
            Listing::of(code).map(Some)
        }
    }

    /// How many values lie on the stack before the instruction at `offset`. None if it is
    /// never reached.
    #[must_use]
    pub fn depth(&self, offset: u32) -> Option<u32> {
        self.depths.get(&offset).copied()
    }

    /// The instruction at `offset`.
    #[must_use]
    pub fn at(&self, offset: u32) -> Option<&Instruction> {
        self.index.get(&offset).map(|at| &self.instructions[*at])
    }

    /// The instruction before the one at `offset`.
    #[must_use]
    pub fn before(&self, offset: u32) -> Option<&Instruction> {
        let at = *self.index.get(&offset)?;
        at.checked_sub(1).map(|at| &self.instructions[at])
    }

    /// The instruction behind the one at `offset`.
    #[must_use]
    pub fn after(&self, offset: u32) -> Option<&Instruction> {
        let at = *self.index.get(&offset)?;
        self.instructions.get(at + 1)
    }

    /// The blocks around the instruction at `offset`: none where no stack of them is kept.
    #[cfg(Py_3_11)]
    #[must_use]
    pub fn blocks(&self, _offset: u32) -> Option<Vec<Block>> {
        Some(Vec::new())
    }

    /// The variables that are read from `offset` on before anything is written to them, on
    /// some way through the code. With `unchecked`, only where the interpreter does not
    /// look whether there is a value, as CPython does since 3.12.
    #[must_use]
    pub fn needed(&self, offset: u32, unchecked: bool) -> BTreeSet<String> {
        let Some(&start) = self.index.get(&offset) else {
            return BTreeSet::new();
        };
        let mut names: Vec<&str> = Vec::new();
        let mut number: FxHashMap<&str, usize> = FxHashMap::default();
        for name in self.instructions.iter().flat_map(|each| &each.reads) {
            number.entry(name).or_insert_with(|| {
                names.push(name);
                names.len() - 1
            });
        }
        let counts = |each: &Instruction| !unchecked || is_unchecked(&each.name);
        let mut live: Vec<FxHashSet<usize>> = vec![FxHashSet::default(); self.instructions.len()];
        loop {
            let mut changed = false;
            for at in (0..self.instructions.len()).rev() {
                let each = &self.instructions[at];
                let mut now: FxHashSet<usize> = FxHashSet::default();
                for next in &self.successors[at] {
                    now.extend(&live[*next]);
                }
                for name in &each.writes {
                    if let Some(name) = number.get(name.as_str()) {
                        now.remove(name);
                    }
                }
                // A handler may be reached before the instruction has written anything.
                for next in &self.raised_to[at] {
                    now.extend(&live[*next]);
                }
                if counts(each) {
                    let own = each.reads.iter();
                    now.extend(own.filter_map(|name| number.get(name.as_str())));
                }
                if now.len() != live[at].len() {
                    live[at] = now;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        live[start]
            .iter()
            .map(|name| names[*name].to_string())
            .collect()
    }

    /// Computes what follows what, and how deep the stack is, from the entry on.
    fn connect(&mut self, handlers: &[Handler], effects: &[[i32; 2]]) {
        let count = self.instructions.len();
        self.successors = vec![Vec::new(); count];
        self.raised_to = vec![Vec::new(); count];
        let mut depths: Vec<Option<i64>> = vec![None; count];
        let mut open = vec![0];
        // CPython 3.10 starts a generator with a value that its first instruction takes.
        let given = |each: &Instruction| i64::from(each.name == "GEN_START");
        if let Some(first) = depths.first_mut() {
            *first = Some(self.instructions.first().map_or(0, given));
        } else {
            return;
        }
        while let Some(at) = open.pop() {
            let Some(depth) = depths[at] else { continue };
            let each = &self.instructions[at];
            let mut next: Vec<(usize, i64, bool)> = Vec::new();
            if !ends(&each.name) && at + 1 < count {
                let mut after = depth + i64::from(effects[at][0]);
                // A generator is started with a value on its stack, which the effect of this
                // instruction counts since 3.13 only.
                if each.name == "RETURN_GENERATOR" {
                    after = depth + 1;
                }
                next.push((at + 1, after, false));
            }
            if let Some(target) = each.target.and_then(|to| self.index.get(&to)) {
                next.push((*target, depth + i64::from(effects[at][1]), false));
            }
            for handler in handlers {
                if (handler.start..handler.end).contains(&each.offset)
                    && let Some(target) = self.index.get(&handler.target)
                {
                    let pushed = i64::from(handler.depth) + 1 + i64::from(handler.with_place);
                    next.push((*target, pushed, true));
                }
            }
            for (to, depth, raised) in next {
                match raised {
                    true => self.raised_to[at].push(to),
                    false => self.successors[at].push(to),
                }
                if depths[to].is_none() {
                    depths[to] = Some(depth);
                    open.push(to);
                }
            }
        }
        for (each, depth) in self.instructions.iter().zip(depths) {
            if let Some(depth) = depth.and_then(|depth| u32::try_from(depth).ok()) {
                self.depths.insert(each.offset, depth);
            }
        }
    }
}

/// How many values more there are on the stack behind an instruction.
///
/// Not by `dis.stack_effect`: a function of an extension module that is called with a keyword
/// crashes CPython 3.12 once it was finalised and initialised again.
fn stack_effect(opcode: u32, argument: Option<i32>, jump: bool) -> PyResult<i32> {
    let (code, argument) = (opcode.cast_signed(), argument.unwrap_or(0));
    // SAFETY: the call looks numbers up in a table; it says so where there is no entry.
    let effect =
        unsafe { ffi::PyCompile_OpcodeStackEffectWithJump(code, argument, i32::from(jump)) };
    match effect {
        i32::MAX => Err(PyValueError::new_err(format!(
            "instruction {opcode} is not known to this interpreter"
        ))),
        effect => Ok(effect),
    }
}

/// The numbers of the instructions that jump.
fn jumps(dis: &Bound<'_, PyModule>) -> PyResult<FxHashSet<u32>> {
    let py = dis.py();
    let mut found: FxHashSet<u32> = FxHashSet::default();
    for list in [intern!(py, "hasjrel"), intern!(py, "hasjabs")] {
        found.extend(dis.getattr(list)?.extract::<Vec<u32>>()?);
    }
    Ok(found)
}

/// Whether the instruction behind this one is not reached from it.
fn ends(name: &str) -> bool {
    matches!(
        name,
        "RETURN_VALUE"
            | "RETURN_CONST"
            | "RAISE_VARARGS"
            | "RERAISE"
            | "JUMP_FORWARD"
            | "JUMP_ABSOLUTE"
            | "JUMP_BACKWARD"
            | "JUMP_BACKWARD_NO_INTERRUPT"
            | "JUMP_NO_INTERRUPT"
            | "JUMP"
    )
}

/// Whether an instruction reads a variable without a look whether it has a value.
fn is_unchecked(name: &str) -> bool {
    cfg!(Py_3_12)
        && name.contains("LOAD_FAST")
        && !matches!(name, "LOAD_FAST_CHECK" | "LOAD_FAST_AND_CLEAR")
}

/// The variables that an instruction reads, and those it writes.
fn variables(name: &str, value: &Bound<'_, PyAny>) -> (Vec<String>, Vec<String>) {
    let names = || -> Vec<String> {
        if let Ok(one) = value.cast::<PyString>() {
            return vec![one.to_string()];
        }
        let several = value.cast::<PyTuple>();
        several.map_or_else(
            |_| Vec::new(),
            |several| several.extract().unwrap_or_default(),
        )
    };
    match name {
        "STORE_FAST_LOAD_FAST" => {
            let mut both = names();
            let read = both.pop();
            let reads = read.filter(|read| !both.contains(read));
            (reads.into_iter().collect(), both)
        }
        "STORE_FAST" | "STORE_DEREF" | "STORE_FAST_STORE_FAST" | "STORE_FAST_MAYBE_NULL" => {
            (Vec::new(), names())
        }
        "DELETE_FAST" | "DELETE_DEREF" => (names(), Vec::new()),
        "LOAD_CLOSURE" | "LOAD_DEREF" | "LOAD_CLASSDEREF" | "LOAD_FROM_DICT_OR_DEREF" => {
            (names(), Vec::new())
        }
        "LOAD_FAST_AND_CLEAR" => (Vec::new(), Vec::new()),
        _ if name.starts_with("LOAD_FAST") => (names(), Vec::new()),
        _ => (Vec::new(), Vec::new()),
    }
}

fn line_of(item: &Bound<'_, PyAny>) -> PyResult<Option<u32>> {
    let py = item.py();
    if cfg!(Py_3_13) {
        return item.getattr(intern!(py, "line_number"))?.extract();
    }
    item.getattr(intern!(py, "starts_line"))?.extract()
}

fn stretch(item: &Bound<'_, PyAny>) -> PyResult<Option<Stretch>> {
    let py = item.py();
    let Some(positions) = item.getattr_opt(intern!(py, "positions"))? else {
        return Ok(None);
    };
    type Positions = (Option<u32>, Option<u32>, Option<u32>, Option<u32>);
    let Ok((line, end_line, column, end_column)) = positions.extract::<Positions>() else {
        return Ok(None);
    };
    Ok((|| Some((line?, column?, end_line?, end_column?)))())
}

/// The exception table of a code object, as CPython's `InternalDocs/exception_handling.md`
/// describes it: numbers of six bits a byte, the highest first, the start of an entry marked.
fn handlers(code: &Bound<'_, PyCode>) -> PyResult<Vec<Handler>> {
    let py = code.py();
    let Some(table) = code.getattr_opt(intern!(py, "co_exceptiontable"))? else {
        return Ok(Vec::new());
    };
    let table = table.cast_into::<PyBytes>()?;
    let mut bytes = table.as_bytes().iter();
    let mut number = || -> Option<u32> {
        let mut value = 0;
        loop {
            let byte = u32::from(*bytes.next()?);
            value = (value << 6) | (byte & 63);
            if byte & 64 == 0 {
                return Some(value);
            }
        }
    };
    let mut found = Vec::new();
    const UNIT: u32 = 2;
    while let (Some(start), Some(length), Some(target), Some(rest)) =
        (number(), number(), number(), number())
    {
        found.push(Handler {
            start: start * UNIT,
            end: (start + length) * UNIT,
            target: target * UNIT,
            depth: rest >> 1,
            with_place: rest & 1 == 1,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use pyo3::types::PyDict;

    use super::*;

    fn code<'py>(py: Python<'py>, text: &str) -> Bound<'py, PyCode> {
        let globals = PyDict::new(py);
        let text = std::ffi::CString::new(text).unwrap();
        py.run(&text, Some(&globals), None).unwrap();
        let function = globals.get_item("f").unwrap().unwrap();
        function.getattr("__code__").unwrap().cast_into().unwrap()
    }

    /// Every code object below one.
    fn all<'py>(code: Bound<'py, PyCode>, found: &mut Vec<Bound<'py, PyCode>>) {
        let constants = code.getattr("co_consts").unwrap();
        for constant in constants.try_iter().unwrap() {
            if let Ok(inner) = constant.unwrap().cast_into::<PyCode>() {
                all(inner, found);
            }
        }
        found.push(code);
    }

    /// The compiler computes the deepest stack by itself; both must come to the same.
    #[test]
    fn depths_agree_with_the_compiler() {
        Python::attach(|py| {
            let mut codes = Vec::new();
            for name in [
                "asyncio.tasks",
                "dataclasses",
                "typing",
                "subprocess",
                "tarfile",
                "ast",
            ] {
                let text = format!(
                    "import importlib.util\nspec = importlib.util.find_spec('{name}')\ntext = open(spec.origin, encoding='utf-8').read()\ng = compile(text, spec.origin, 'exec')\n"
                );
                let globals = PyDict::new(py);
                let text = std::ffi::CString::new(text).unwrap();
                py.run(&text, Some(&globals), None).unwrap();
                let module = globals.get_item("g").unwrap().unwrap();
                all(module.cast_into().unwrap(), &mut codes);
            }
            let mut deeper = 0;
            for code in &codes {
                let listing = Listing::of(code).unwrap();
                let most = listing.depths.values().copied().max().unwrap_or(0);
                let said: u32 = code.getattr("co_stacksize").unwrap().extract().unwrap();
                assert!(most <= said, "{code:?}: {most} of {said}");
                deeper += u32::from(most + 3 >= said);
                for each in &listing.instructions {
                    if matches!(&*each.name, "RETURN_VALUE" | "RETURN_CONST") {
                        let due = u32::from(each.name == "RETURN_VALUE");
                        if let Some(depth) = listing.depth(each.offset) {
                            assert!(depth >= due, "{code:?} at {}", each.offset);
                        }
                    }
                }
            }
            assert!(codes.len() > 500 && deeper as usize > codes.len() / 2);
        });
    }

    #[test]
    fn an_extended_argument_is_part_of_its_instruction() {
        Python::attach(|py| {
            let body = "        b.append(a)\n".repeat(200);
            let text = format!("def f(a, b):\n    for c in a:\n{body}");
            let listing = Listing::of(&code(py, &text)).unwrap();
            let iterates = |each: &&Instruction| each.name == "FOR_ITER";
            let head = listing.instructions.iter().find(iterates).unwrap();
            let last = listing.instructions.iter().rev();
            let back = last.filter(|each| each.name.starts_with("JUMP_"));
            assert_eq!(
                back.filter_map(|each| each.target).next(),
                Some(head.offset)
            );
            assert!(listing.depth(head.offset).is_some());
        });
    }

    #[test]
    fn what_a_loop_needs_is_what_it_reads_first() {
        Python::attach(|py| {
            let code = code(
                py,
                "def f(a, b):
    c = 0
    while True:
        c += a
        d = c
        b = d
",
            );
            let listing = Listing::of(&code).unwrap();
            let back = listing
                .instructions
                .iter()
                .rev()
                .find_map(|each| each.target)
                .unwrap();
            let needed: Vec<String> = listing.needed(back, false).into_iter().collect();
            assert_eq!(needed, ["a", "c"]);
            assert_eq!(listing.depth(back), Some(0));
        });
    }
}
