//! The source of each instruction, where the interpreter notes no more than its line
//! (CPython up to 3.10).
//!
//! The text is compiled once more from a syntax tree in which each node is on a line of its
//! own: the line of an instruction then says which node it was made for. Both compilations
//! must come to the same instructions. On CPython 3.9 they do; 3.10 lets some jumps and
//! idle instructions depend on lines, which are left out of the comparison.

use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict};
use rustc_hash::FxHashMap;

use super::{Listing, Stretch};
use crate::once::intern;

const SOURCE: &std::ffi::CStr = c"
import ast
import dis

JUMPS = {*dis.hasjrel, *dis.hasjabs}
LEFT_OUT = {'NOP', 'JUMP_ABSOLUTE', 'JUMP_FORWARD'}

def steps(code):
    found, start = [], None
    for each in dis.get_instructions(code):
        if start is None:
            start = each.offset
        if each.opname == 'EXTENDED_ARG':
            continue
        argument = None if each.opcode in JUMPS else each.arg
        found.append((start, each.offset, each.opname, argument))
        start = None
    return found

def lines(code):
    size = len(code.co_code)
    if hasattr(code, 'co_lines'):
        spans = list(code.co_lines())
    else:
        starts = [*dis.findlinestarts(code), (size, None)]
        spans = [(at, starts[n + 1][0], line) for n, (at, line) in enumerate(starts[:-1])]
    return {at: line for start, end, line in spans for at in range(start, end, 2)}

def aligned(code, other, places):
    mine, theirs = steps(code), steps(other)
    if code.co_code != other.co_code:
        mine = [each for each in mine if each[2] not in LEFT_OUT]
        theirs = [each for each in theirs if each[2] not in LEFT_OUT]
        if [each[2:] for each in mine] != [each[2:] for each in theirs]:
            return None
    numbers = lines(other)
    found = []
    for here, there in zip(mine, theirs):
        number = numbers.get(there[1])
        if number is not None:
            found.append((here[0], places[number]))
    return found

def codes(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            yield from codes(constant)

def is_around(statement, line):
    first = min([each.lineno for each in getattr(statement, 'decorator_list', [])] + [statement.lineno])
    return first <= line <= statement.end_lineno

def is_of_the_future(statement):
    return isinstance(statement, ast.ImportFrom) and statement.module == '__future__'

def places(code, text, name, line):
    tree = ast.parse(text)
    if name != '<module>':
        tree.body = [each for each in tree.body if is_of_the_future(each) or is_around(each, line)]
    known = [None]
    for node in ast.walk(tree):
        if hasattr(node, 'lineno'):
            known.append((node.lineno, node.col_offset, node.end_lineno, node.end_col_offset))
            node.lineno = node.end_lineno = len(known) - 1
            node.col_offset = node.end_col_offset = 0
    whole = compile(tree, '<places>', 'exec', dont_inherit=True)
    if name == '<module>':
        return aligned(code, whole, known)
    found = [
        aligned(code, each, known)
        for each in codes(whole)
        if each is not whole and each.co_name == name and known[each.co_firstlineno][0] == line
    ]
    return found[0] if len(found) == 1 else None
";

/// Notes the source of each instruction of `code`. False: the text was not compiled to it.
pub(super) fn note(
    listing: &mut Listing,
    code: &Bound<'_, PyCode>,
    text: &str,
    name: &str,
    line: u32,
) -> PyResult<bool> {
    let py = code.py();
    let namespace = PyDict::new(py);
    py.run(SOURCE, Some(&namespace), None)?;
    let places = namespace.as_any().get_item(intern!(py, "places"))?;
    let found: Option<Vec<(u32, Stretch)>> = places.call1((code, text, name, line))?.extract()?;
    let Some(found) = found else {
        return Ok(false);
    };
    let found: FxHashMap<u32, Stretch> = found.into_iter().collect();
    for each in &mut listing.instructions {
        each.stretch = found.get(&each.offset).copied();
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_belongs_to_its_own_expression() {
        Python::attach(|py| {
            let text = "import abc\n@abc.abstractmethod\ndef f(a):\n    while a: b = [c for c in a]; g(a)(1)\n";
            let namespace = PyDict::new(py);
            let source = std::ffi::CString::new(text).unwrap();
            py.run(&source, Some(&namespace), None).unwrap();
            let function = namespace.as_any().get_item("f").unwrap();
            let code = function.getattr("__code__").unwrap();
            let code = code.cast_into::<PyCode>().unwrap();
            let listing = Listing::with_source(&code, text, "f", 2).unwrap().unwrap();
            let calls: Vec<_> = listing
                .instructions
                .iter()
                .filter(|each| each.name == "CALL_FUNCTION")
                .map(|each| each.stretch)
                .collect();
            assert_eq!(
                calls,
                [
                    Some((4, 17, 4, 31)),
                    Some((4, 33, 4, 37)),
                    Some((4, 33, 4, 40))
                ]
            );
            let other = text.replace("(1)", "(1, 2)");
            let none = Listing::with_source(&code, &other, "f", 2).unwrap();
            assert!(none.is_none());
            let elsewhere = Listing::with_source(&code, text, "f", 3).unwrap();
            assert!(elsewhere.is_none());
        });
    }
}
