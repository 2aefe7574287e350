//! The sources of earlier generations, for going back and for comparing.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use crate::modules::Text;

/// The text of a file before and after a commit. None: there was no such module.
pub(crate) struct FileChange {
    pub file: PathBuf,
    pub before: Option<Text>,
    pub after: Option<Text>,
}

/// A file whose module came under another name.
pub(crate) struct Move {
    pub from: PathBuf,
    pub to: PathBuf,
    /// The name that the module had.
    pub name: String,
}

/// What one commit changed.
struct Generation {
    number: u64,
    files: Vec<FileChange>,
    moves: Vec<Move>,
}

/// The latest commits, bounded in number and in memory.
pub(crate) struct History {
    generations: VecDeque<Generation>,
    /// The generation before the oldest one that is kept.
    oldest: u64,
    /// How many generations are kept.
    count: usize,
    /// How many bytes of text they may hold together.
    bytes: usize,
}

impl History {
    pub(crate) fn new(count: usize, bytes: usize) -> History {
        History {
            generations: VecDeque::new(),
            oldest: 0,
            count,
            bytes,
        }
    }

    /// Notes what a commit changed; what is beyond the bounds is forgotten.
    pub(crate) fn push(&mut self, number: u64, files: Vec<FileChange>, moves: Vec<Move>) {
        match self.generations.back_mut() {
            // A commit that changed no behaviour has the number of the one before.
            Some(last) if last.number == number => {
                last.files.extend(files);
                last.moves.extend(moves);
            }
            _ => self.generations.push_back(Generation {
                number,
                files,
                moves,
            }),
        }
        while self.generations.len() > self.count
            || self.held() > self.bytes && self.generations.len() > 1
        {
            if let Some(first) = self.generations.pop_front() {
                self.oldest = first.number;
            }
        }
    }

    /// Bytes of text that nothing but the history needs.
    pub(crate) fn held(&self) -> usize {
        let files = self.generations.iter().flat_map(|each| &each.files);
        files
            .map(|change| change.before.as_ref().map_or(0, |text| text.len()))
            .sum()
    }

    /// The oldest generation that can come back.
    pub(crate) fn oldest(&self) -> u64 {
        self.oldest
    }

    /// Why a generation cannot come back, for people; None if it can.
    pub(crate) fn missing(&self, generation: u64, newest: u64) -> Option<String> {
        if generation > newest {
            return Some(format!(
                "there is no generation {generation} yet; the newest is {newest}"
            ));
        }
        (generation < self.oldest).then(|| {
            format!(
                "generation {generation} is no longer kept; the oldest that can come back is {} (settings history = {}, history_bytes = {})",
                self.oldest, self.count, self.bytes
            )
        })
    }

    /// What every file held that changed since a generation. None: it was not loaded.
    pub(crate) fn texts_at(&self, generation: u64) -> BTreeMap<PathBuf, Option<Text>> {
        let mut texts = BTreeMap::new();
        let later = self.generations.iter().rev();
        for entry in later.take_while(|entry| entry.number > generation) {
            for change in entry.files.iter().rev() {
                texts.insert(change.file.clone(), change.before.clone());
            }
        }
        texts
    }

    /// The moves since a generation, newest first.
    pub(crate) fn moves_since(&self, generation: u64) -> Vec<&Move> {
        let later = self.generations.iter().rev();
        later
            .take_while(|entry| entry.number > generation)
            .flat_map(|entry| entry.moves.iter().rev())
            .collect()
    }

    /// The unified diff of the sources from one generation to another.
    pub(crate) fn diff(&self, a: u64, b: u64) -> String {
        let (from, to) = (a.min(b), a.max(b));
        let mut texts: BTreeMap<&PathBuf, (Option<&Text>, Option<&Text>)> = BTreeMap::new();
        let within = |entry: &&Generation| entry.number > from && entry.number <= to;
        for entry in self.generations.iter().filter(within) {
            for change in &entry.files {
                let (before, after) = (change.before.as_ref(), change.after.as_ref());
                texts
                    .entry(&change.file)
                    .and_modify(|pair| pair.1 = after)
                    .or_insert((before, after));
            }
        }
        let mut out = String::new();
        for (file, (old, new)) in texts {
            let (old, new) = if a <= b { (old, new) } else { (new, old) };
            let name = file.display().to_string();
            let header = |text: Option<&Text>| match text {
                Some(_) => name.clone(),
                None => "/dev/null".to_string(),
            };
            let text = |text: Option<&Text>| text.map_or_else(Text::default, Text::clone);
            let (left, right) = (text(old), text(new));
            out.push_str(&unified_diff(&left, &right, &header(old), &header(new)));
        }
        out
    }
}

/// Lines around a change that a diff shows.
const CONTEXT: usize = 3;

/// The unified diff of two texts; only what lies between their common ends is compared.
fn unified_diff(old: &str, new: &str, old_name: &str, new_name: &str) -> String {
    let lines = |text| -> Vec<&str> { str::split_inclusive(text, '\n').collect() };
    let (left, right) = (lines(old), lines(new));
    let same = |one: &mut dyn Iterator<Item = &&str>, other: &mut dyn Iterator<Item = &&str>| {
        one.zip(other)
            .take_while(|(one, other)| one == other)
            .count()
    };
    let head = same(&mut left.iter(), &mut right.iter());
    let tail = same(
        &mut left[head..].iter().rev(),
        &mut right[head..].iter().rev(),
    );
    let from = head.saturating_sub(CONTEXT);
    let until = |lines: &[&str]| lines.len() - tail.saturating_sub(CONTEXT);
    let (left, right) = (
        left[from..until(&left)].concat(),
        right[from..until(&right)].concat(),
    );
    let diff = similar::TextDiff::from_lines(&left, &right);
    let mut unified = diff.unified_diff();
    let mut out = String::new();
    for hunk in unified.context_radius(CONTEXT).iter_hunks() {
        if out.is_empty() {
            out = format!("--- {old_name}\n+++ {new_name}\n");
        }
        let ops = hunk.ops();
        let (Some(first), Some(last)) = (ops.first(), ops.last()) else {
            continue;
        };
        let place = |start: usize, end: usize| {
            let (start, length) = (start + from, end - start);
            // An empty range is named by the line before it.
            match length {
                0 => format!("{start},0"),
                1 => format!("{}", start + 1),
                _ => format!("{},{length}", start + 1),
            }
        };
        out.push_str(&format!(
            "@@ -{} +{} @@\n",
            place(first.old_range().start, last.old_range().end),
            place(first.new_range().start, last.new_range().end),
        ));
        let hunk = hunk.to_string();
        out.push_str(hunk.split_once('\n').map_or("", |(_, body)| body));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::unified_diff;

    #[test]
    fn the_diff_of_a_part_is_that_of_the_whole() {
        let text: String = (0..40).map(|line| format!("line {line}\n")).collect();
        let edits: [fn(&str) -> String; 8] = [
            |text| text.replace("line 20\n", "other\n"),
            |text| text.replace("line 20\n", "") + "more\n",
            |text| text.replace("line 0\n", ""),
            |text| text.replace("line 39\n", "line 39"),
            |text| format!("first\n{text}"),
            |text| text.replace("line 3\n", "3\n").replace("line 30\n", "30\n"),
            |_| String::new(),
            str::to_string,
        ];
        for edit in edits {
            let new = edit(&text);
            for (old, new) in [(&text, &new), (&new, &text)] {
                let whole = similar::TextDiff::from_lines(old, new)
                    .unified_diff()
                    .header("a", "b")
                    .to_string();
                assert_eq!(unified_diff(old, new, "a", "b"), whole);
            }
        }
    }
}
