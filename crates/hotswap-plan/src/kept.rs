//! Sources that are kept for an edit that may never come.

use std::fmt;
use std::sync::{Arc, OnceLock};

/// The text of a source, compressed until somebody asks for it; clones share it.
///
/// A program of a thousand modules has megabytes of sources, of which a developer edits a few.
#[derive(Clone)]
pub struct Kept(Arc<Inner>);

struct Inner {
    /// Empty where the text was never compressed.
    packed: Box<[u8]>,
    length: usize,
    text: OnceLock<Arc<str>>,
}

impl Kept {
    /// A text that is at hand.
    #[must_use]
    pub fn new(text: Arc<str>) -> Kept {
        Kept(Arc::new(Inner {
            packed: Box::default(),
            length: text.len(),
            text: OnceLock::from(text),
        }))
    }

    /// The same text, compressed. None where nobody would gain by it.
    #[must_use]
    pub fn pack(&self) -> Option<Kept> {
        if !self.0.packed.is_empty() {
            return None;
        }
        let packed = lz4_flex::block::compress(self.text().as_bytes());
        let gains = packed.len() < self.0.length && unpack(&packed, self.0.length).is_some();
        gains.then(|| {
            Kept(Arc::new(Inner {
                packed: packed.into_boxed_slice(),
                length: self.0.length,
                text: OnceLock::new(),
            }))
        })
    }

    /// Whether this is one kept source, not only the same text.
    #[must_use]
    pub fn is(&self, other: &Kept) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The text; from the first time that it is asked for it stays at hand.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        self.0.text.get_or_init(|| {
            // What `pack` made it has also unpacked.
            unpack(&self.0.packed, self.0.length).unwrap_or_default()
        })
    }
}

fn unpack(packed: &[u8], length: usize) -> Option<Arc<str>> {
    let bytes = lz4_flex::block::decompress(packed, length).ok()?;
    Some(String::from_utf8(bytes).ok()?.into())
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_as_it_was() {
        for text in [
            "def f():\n    return 'ä'\n".repeat(50),
            String::new(),
            "x".to_string(),
        ] {
            let kept = Kept::new(text.as_str().into());
            let packed = kept.pack();
            assert_eq!(packed.is_some(), text.len() > 100);
            let packed = packed.unwrap_or(kept);
            assert_eq!(**packed.text(), *text);
            assert!(text.is_empty() || packed.0.packed.len() < 200);
        }
    }
}
