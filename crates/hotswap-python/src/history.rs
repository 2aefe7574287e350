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
            let lines = |text: Option<&Text>| text.map(|text| text.to_string()).unwrap_or_default();
            let (left, right) = (lines(old), lines(new));
            out.push_str(
                &similar::TextDiff::from_lines(left.as_str(), right.as_str())
                    .unified_diff()
                    .header(&header(old), &header(new))
                    .to_string(),
            );
        }
        out
    }
}
