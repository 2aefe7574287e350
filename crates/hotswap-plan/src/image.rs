//! A text of which only some parts are held: the others are blank.
//!
//! A skeleton keeps a few statements of a file that may have thousands of lines. Neither
//! making it nor compiling it may cost more than reading the ends of these lines: a line
//! on which nothing is kept comes out empty, without the spaces that would stand in for it.

use std::ops::Range;

/// The parts that are held, by their place in the text.
#[derive(Clone, Debug)]
pub(crate) struct Image<'a> {
    text: &'a str,
    /// In order; no two overlap.
    parts: Vec<Part>,
    end: usize,
}

#[derive(Clone, Debug)]
struct Part {
    start: usize,
    bytes: Vec<u8>,
}

impl Part {
    fn end(&self) -> usize {
        self.start + self.bytes.len()
    }
}

impl<'a> Image<'a> {
    pub(crate) fn new(text: &'a str) -> Image<'a> {
        Image {
            text,
            parts: Vec::new(),
            end: 0,
        }
    }

    /// What lies behind the last byte that this was said of is left out.
    pub(crate) fn keep_until(&mut self, end: usize) {
        self.end = self.end.max(end);
    }

    /// A part of the text, to be written to; blank where nothing was written yet.
    pub(crate) fn part(&mut self, range: Range<usize>) -> &mut [u8] {
        let first = self.parts.partition_point(|part| part.end() <= range.start);
        let behind = self.parts.partition_point(|part| part.start < range.end);
        let within = |part: &Part| part.start <= range.start && range.end <= part.end();
        if !(first < behind && within(&self.parts[first])) {
            let joined = &self.parts[first..behind.max(first)];
            let start = joined.first().map_or(range.start, |part| part.start);
            let end = joined.last().map_or(range.end, Part::end);
            let (start, end) = (start.min(range.start), end.max(range.end));
            let blank = self.text.as_bytes()[start..end].iter().map(blank);
            let mut bytes: Vec<u8> = blank.collect();
            for part in joined {
                let at = part.start - start;
                bytes[at..at + part.bytes.len()].copy_from_slice(&part.bytes);
            }
            let new = Part { start, bytes };
            self.parts.splice(first..behind.max(first), [new]);
        }
        let part = &mut self.parts[first];
        &mut part.bytes[range.start - part.start..range.end - part.start]
    }

    /// The text, with these words put in at these places, which are in order.
    pub(crate) fn finish(&self, insertions: &[(u32, String)]) -> String {
        let mut out = Vec::with_capacity(self.end.min(4096) + 64);
        let mut from = 0;
        for (at, words) in insertions {
            let at = (*at as usize).min(self.end);
            self.write(from..at, &mut out);
            out.extend_from_slice(words.as_bytes());
            from = at;
        }
        self.write(from..self.end, &mut out);
        // Blanking replaces whole characters byte by byte, so this cannot fail.
        String::from_utf8(out).unwrap_or_default()
    }

    fn write(&self, range: Range<usize>, out: &mut Vec<u8>) {
        let mut from = range.start;
        let first = self.parts.partition_point(|part| part.end() <= from);
        for part in &self.parts[first..] {
            if part.start >= range.end {
                break;
            }
            if from < part.start {
                self.write_blank(from..part.start, out);
                from = part.start;
            }
            let until = part.end().min(range.end);
            out.extend_from_slice(&part.bytes[from - part.start..until - part.start]);
            from = until;
        }
        if from < range.end {
            self.write_blank(from..range.end, out);
        }
    }

    /// Only the columns of what follows on the last line are of any use.
    fn write_blank(&self, range: Range<usize>, out: &mut Vec<u8>) {
        let gap = &self.text.as_bytes()[range];
        let mut last_line = 0;
        for end in memchr::memchr_iter(b'\n', gap) {
            out.push(b'\n');
            last_line = end + 1;
        }
        out.extend(gap[last_line..].iter().map(blank));
    }
}

fn blank(byte: &u8) -> u8 {
    match byte.is_ascii_whitespace() {
        true => *byte,
        false => b' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_a_kept_part_are_empty() {
        let text = "one\n  two; three\n\tfour\n";
        let mut image = Image::new(text);
        image.part(11..16).copy_from_slice(b"three");
        image.keep_until(16);
        assert_eq!(image.finish(&[]), "\n       three");
        image.part(18..22).copy_from_slice(b"four");
        image.keep_until(22);
        assert_eq!(image.finish(&[]), "\n       three\n\tfour");
    }

    #[test]
    fn parts_that_overlap_become_one() {
        let text = "abcdefghij";
        let mut image = Image::new(text);
        image.part(1..3).copy_from_slice(b"bc");
        image.part(6..8).copy_from_slice(b"gh");
        image.part(2..7).fill(b'-');
        image.part(3..4)[0] = b'D';
        image.keep_until(9);
        assert_eq!(image.finish(&[]), " b-D---h ");
        let words = [(2, "<".to_string()), (9, ">".to_string())];
        assert_eq!(image.finish(&words), " b<-D---h >");
    }

    #[test]
    fn characters_of_several_bytes_keep_their_columns() {
        let text = "'é'; x";
        let mut image = Image::new(text);
        image.part(6..7).copy_from_slice(b"x");
        image.keep_until(7);
        assert_eq!(image.finish(&[]), "      x");
    }
}
