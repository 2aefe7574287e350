//! Values that are made once in the life of the process, without a lock.
//!
//! PyO3's `intern!` and `PyOnceLock` give the lock of the interpreter away before
//! they take a lock of their own. Another thread may then run in the middle of a
//! commit; and if it forks, the child inherits a lock that nobody there will ever
//! open. Here two threads may both make the value, and one of the two is dropped.

use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::prelude::*;
use pyo3::types::PyString;

/// A value that is made when it is asked for the first time.
#[derive(Debug)]
pub(crate) struct Once<T: Send + Sync + 'static> {
    value: AtomicPtr<T>,
}

impl<T: Send + Sync + 'static> Once<T> {
    pub(crate) const fn new() -> Self {
        Self {
            value: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// The value; `make` may run in several threads, and all get the same result.
    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let made = Box::into_raw(Box::new(make()));
        let (null, done, other) = (std::ptr::null_mut(), Ordering::AcqRel, Ordering::Acquire);
        match self.value.compare_exchange(null, made, done, other) {
            // SAFETY: it was made above, and nothing frees what has been stored.
            Ok(_) => unsafe { &*made },
            Err(first) => {
                // SAFETY: it was made above, and not stored.
                drop(unsafe { Box::from_raw(made) });
                // SAFETY: it was stored by another thread, and nothing frees it.
                unsafe { &*first }
            }
        }
    }

    fn get(&self) -> Option<&T> {
        let value = self.value.load(Ordering::Acquire);
        // SAFETY: null, or stored by `get_or_init`, and never freed.
        unsafe { value.as_ref() }
    }
}

/// An interned string.
pub(crate) struct Name {
    text: &'static str,
    value: Once<Py<PyString>>,
}

impl Name {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self {
            text,
            value: Once::new(),
        }
    }

    pub(crate) fn get<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.value
            .get_or_init(|| PyString::intern(py, self.text).unbind())
            .bind(py)
    }
}

/// As PyO3's macro of this name, without a lock.
macro_rules! intern {
    ($py:expr, $text:expr) => {{
        static NAME: $crate::once::Name = $crate::once::Name::new($text);
        NAME.get($py)
    }};
}
pub(crate) use intern;

/// Has PyO3 make what it would make at some later moment, in the middle of an update:
/// it takes locks for that.
pub fn prepare_pyo3(py: Python<'_>) {
    let kind = py.get_type::<pyo3::types::PyDict>();
    // Only that they have been asked for counts. An error asks for the class of panics.
    drop(kind.name());
    drop(kind.qualname());
    drop(kind.module());
    drop(kind.fully_qualified_name());
    drop(kind.mro());
    drop(kind.bases());
    drop(py.None().getattr(py, intern!(py, "no such attribute")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_stays() {
        static ONCE: Once<String> = Once::new();
        let threads: Vec<_> = (0..8)
            .map(|number| {
                std::thread::spawn(move || {
                    ONCE.get_or_init(|| number.to_string()).as_ptr() as usize
                })
            })
            .collect();
        let mut seen: Vec<usize> = threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect();
        seen.dedup();
        assert_eq!(seen.len(), 1);
        assert_eq!(
            ONCE.get_or_init(|| "another".to_string()).as_ptr() as usize,
            seen[0]
        );
    }

    #[test]
    fn names_are_interned() {
        Python::attach(|py| {
            let first = intern!(py, "a name of this test").clone();
            assert!(first.is(intern!(py, "a name of this test")));
        });
    }
}
