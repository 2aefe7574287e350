//! The text of a module as CPython's tokenizer would see it.

/// A decoded source: no byte order mark, and `\n` as the only line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The text, UTF-8, newlines normalised.
    pub text: String,
    /// The encoding that the file declares (lower case), `utf-8` if none.
    pub encoding: String,
}

/// Why bytes are not a Python source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeProblem {
    /// Bytes that are not UTF-8 in a file that declares UTF-8 or nothing.
    #[error("line {line}: not valid UTF-8, and no other encoding is declared")]
    NotUtf8 {
        /// One-based line of the first bad byte.
        line: usize,
    },
    /// A NUL byte, which CPython refuses as well.
    #[error("line {line}: source code cannot contain null bytes")]
    Nul {
        /// One-based line of the byte.
        line: usize,
    },
    /// An encoding that only Python can decode.
    #[error("declared encoding {encoding} needs Python's codecs")]
    OtherEncoding {
        /// The name in the coding cookie.
        encoding: String,
    },
}

impl Source {
    /// Decodes a file by the rules of PEP 263: a byte order mark or a coding
    /// cookie in the first two lines, UTF-8 otherwise.
    pub fn decode(bytes: &[u8]) -> Result<Source, DecodeProblem> {
        let (bytes, marked) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => (rest, true),
            None => (bytes, false),
        };
        let cookie = if marked { None } else { coding_cookie(bytes) };
        let encoding = cookie.unwrap_or_else(|| "utf-8".to_string());
        match encoding.as_str() {
            "utf-8" | "utf8" | "utf-8-sig" | "ascii" | "us-ascii" => {
                let text = std::str::from_utf8(bytes).map_err(|error| DecodeProblem::NotUtf8 {
                    line: line_of(bytes, error.valid_up_to()),
                })?;
                Source::from_text(text, encoding)
            }
            "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" => {
                let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
                Source::from_text(&text, encoding)
            }
            _ => Err(DecodeProblem::OtherEncoding { encoding }),
        }
    }

    /// Takes text that was decoded elsewhere and normalises its line ends.
    pub fn from_text(text: &str, encoding: String) -> Result<Source, DecodeProblem> {
        if let Some(at) = memchr::memchr(0, text.as_bytes()) {
            return Err(DecodeProblem::Nul {
                line: line_of(text.as_bytes(), at),
            });
        }
        let text = if text.contains('\r') {
            text.replace("\r\n", "\n").replace('\r', "\n")
        } else {
            text.to_string()
        };
        Ok(Source { text, encoding })
    }

    /// Whether nothing but white space and comments is left.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.text.lines().all(|line| {
            let line = line.trim();
            line.is_empty() || line.starts_with('#')
        })
    }
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    1 + bytes[..at.min(bytes.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

/// Finds `coding[:=]\s*name` in a comment of the first two lines.
fn coding_cookie(bytes: &[u8]) -> Option<String> {
    for line in bytes.split(|byte| *byte == b'\n').take(2) {
        let line = String::from_utf8_lossy(&line[..line.len().min(400)]).into_owned();
        let trimmed = line.trim_start();
        if let Some(comment) = trimmed.strip_prefix('#') {
            if let Some(at) = comment.find("coding") {
                let rest = &comment[at + "coding".len()..];
                if let Some(rest) = rest.strip_prefix([':', '=']) {
                    let name: String = rest
                        .trim_start()
                        .chars()
                        .take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
                        .collect();
                    if !name.is_empty() {
                        return Some(name.to_ascii_lowercase().replace('_', "-"));
                    }
                }
            }
        } else if !trimmed.trim_end().is_empty() {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_mark_and_carriage_returns_are_removed() {
        let source = Source::decode(b"\xef\xbb\xbfa = 1\r\nb = 2\r").unwrap();
        assert_eq!(source.text, "a = 1\nb = 2\n");
    }

    #[test]
    fn cookie_decides_the_encoding() {
        let source = Source::decode(b"#!/x\n# -*- coding: latin-1 -*-\na = '\xe9'\n").unwrap();
        assert!(source.text.contains('\u{e9}'));
        let other = Source::decode(b"# coding: cp1251\n").unwrap_err();
        assert_eq!(
            other,
            DecodeProblem::OtherEncoding {
                encoding: "cp1251".into()
            }
        );
    }

    #[test]
    fn problems_name_the_line() {
        assert_eq!(
            Source::decode(b"a\nb\n\xff").unwrap_err(),
            DecodeProblem::NotUtf8 { line: 3 }
        );
        assert_eq!(
            Source::decode(b"a\n\0").unwrap_err(),
            DecodeProblem::Nul { line: 2 }
        );
    }
}
