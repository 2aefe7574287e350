//! Docstrings that a decorator or a hook has added to when the module was imported.

/// The docstring that the new source would have got: what was added to the old one (`live`)
/// is added to the new one, by a three-way merge of lines.
///
/// Who adds a paragraph often takes the indentation away before (`inspect.cleandoc` and the
/// like). None: it cannot be told what was added.
pub(crate) fn merged(old: &str, live: &str, new: &str) -> Option<String> {
    let ways: [fn(&str) -> String; 3] = [str::to_string, dedented, cleaned];
    ways.iter()
        .map(|way| (way(old), way(new)))
        .filter(|(old, _)| has_all_lines(live, old))
        .find_map(|(old, new)| {
            // A last line is the same whether another one follows or not.
            let ended = |text: &str| format!("{text}\n");
            let merged = diffy::merge(&ended(&old), &ended(live), &ended(&new)).ok()?;
            merged.strip_suffix('\n').map(str::to_string)
        })
}

/// Whether a text has the lines of another one, in their order.
fn has_all_lines(text: &str, wanted: &str) -> bool {
    let mut lines = text.lines();
    wanted
        .lines()
        .all(|wanted| lines.any(|line| line == wanted))
}

/// Without the margin that all lines but the first have in common, as by `textwrap.dedent`.
fn dedented(text: &str) -> String {
    let Some((first, rest)) = text.split_once('\n') else {
        return text.to_string();
    };
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let margin = rest.split('\n').filter(|line| !line.trim().is_empty());
    let margin = margin.map(indent).min().unwrap_or(0);
    let mut out = first.to_string();
    for line in rest.split('\n') {
        out.push('\n');
        if !line.trim().is_empty() {
            out.push_str(line.get(margin..).unwrap_or(line));
        }
    }
    out
}

/// The same without empty lines at both ends, as by `inspect.cleandoc`.
fn cleaned(text: &str) -> String {
    let text = dedented(text.trim_start_matches([' ', '\t']));
    text.trim_matches('\n').trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "Does a thing.\n\n    Always.\n\n    It takes the\n    the time that\n    it takes.\n\n    ";
    const NEW: &str =
        "Does a thing.\n\n    Always.\n\n    It takes\n    the time that\n    it takes.\n\n    ";

    #[test]
    fn what_was_added_is_added_to_the_new_one() {
        for way in [str::to_string, dedented, cleaned] {
            let added = |doc: &str| format!("{}\n.. versionadded:: 2\n", way(doc));
            let first = |doc: &str| way(doc).replacen("\n", "\n\n(deprecated)\n", 1);
            assert_eq!(merged(OLD, &added(OLD), NEW), Some(added(NEW)));
            assert_eq!(merged(OLD, &first(OLD), NEW), Some(first(NEW)));
        }
    }

    #[test]
    fn one_that_was_replaced_stays() {
        assert_eq!(merged(OLD, "Something else.", NEW), None);
        let changed = dedented(OLD).replace("It takes the", "It needs the");
        assert_eq!(merged(OLD, &changed, NEW), None);
        assert_eq!(merged("One line.", "ONE LINE.", "Another line."), None);
    }
}
