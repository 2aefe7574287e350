//! The words of a source's import statements, without parsing it.
//!
//! Who imports a module must name it: the last part of its name is a word of the statement,
//! unless a package is named by dots alone. What these words tell is where to look; whether
//! it really is an import of that module the outline says.

use std::hash::{Hash, Hasher};

use memchr::memmem;
use rustc_hash::FxHasher;

/// The hash of a word.
pub(crate) type Word = u64;

pub(crate) fn word<T: Hash + ?Sized>(text: &T) -> Word {
    let mut hasher = FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What stands for "a relative import", which may name a package by its dots.
pub(crate) const DOTS: &str = ".";

/// The words of all import statements of a text, in order, each once.
#[must_use]
pub fn import_words(text: &str) -> Box<[u64]> {
    let mut words = Vec::new();
    let mut done = 0;
    for at in memmem::find_iter(text.as_bytes(), b"import") {
        if at < done {
            continue;
        }
        let start = start_of_statement(text, at);
        done = end_of_statement(text, at);
        let statement = &text[start..done];
        for line in statement.lines() {
            let code = line.split('#').next().unwrap_or_default();
            words.extend(
                code.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
                    .filter(|part| !part.is_empty())
                    .map(word),
            );
        }
        if statement.contains('.') {
            words.push(word(DOTS));
        }
    }
    words.sort_unstable();
    words.dedup();
    words.into()
}

/// Where the line begins, or the first of those that a backslash joins to it.
fn start_of_statement(text: &str, at: usize) -> usize {
    let mut start = at;
    loop {
        start = text[..start].rfind('\n').map_or(0, |line| line + 1);
        if start == 0 || !text[..start - 1].ends_with('\\') {
            return start;
        }
        start -= 1;
    }
}

/// Where the line ends, or the last of those that brackets or backslashes join to it.
fn end_of_statement(text: &str, at: usize) -> usize {
    let mut open = false;
    let mut end = at;
    for line in text[at..].split_inclusive('\n') {
        end += line.len();
        let code = line.split('#').next().unwrap_or_default();
        for letter in code.bytes() {
            match letter {
                b'(' => open = true,
                b')' => open = false,
                _ => {}
            }
        }
        if !open && !line.trim_end_matches('\n').ends_with('\\') {
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_import_is_seen() {
        for text in [
            "import a.b.name\n",
            "import x as y, name",
            "from name import *\n",
            "from . import name\n",
            "from .a import (b,  # )\n    name)\n",
            "from a \\\n    import name\n",
            "from name \\\n    import a\n",
            "import a, \\\n    name\n",
            "if x:\n    import name\n",
            "x = 1; import name; y = 2\n",
            "import first\nimport name\n",
            "def f():\n    \"\"\"import\n    \"\"\"\n    from name import f\n",
        ] {
            assert!(import_words(text).contains(&word("name")), "{text}");
        }
        assert!(!import_words("name = 1\nimport a\nname()\n").contains(&word("name")));
        assert!(import_words("from .. import a\n").contains(&word(DOTS)));
        assert!(!import_words("import a\n").contains(&word(DOTS)));
    }
}
