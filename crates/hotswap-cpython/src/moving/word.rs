//! What a frame holds in a slot.
//!
//! Up to CPython 3.13 that is a reference to an object, or null. From 3.14 on its lowest bits
//! say more (`_PyStackRef` of `Include/internal/pycore_stackref.h`): a number, nothing, or a
//! reference that is not counted, because the object lives for ever or somebody deeper on the
//! stack holds it.

use pyo3::ffi;

use super::frame::Object;

/// The bit of a reference that is not counted; alone it stands for nothing.
#[cfg(Py_3_14)]
const NOT_COUNTED: usize = 1;
/// Both bits: a number.
#[cfg(Py_3_14)]
const TAGS: usize = 3;

/// The content of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Word(Object);

impl Word {
    /// Makes a word of a reference that is then the word's, or of null.
    pub(super) fn owning(object: Object) -> Word {
        #[cfg(Py_3_14)]
        {
            if object.is_null() {
                return Word(std::ptr::without_provenance_mut(NOT_COUNTED));
            }
            // SAFETY: a live object, to which the caller has a reference.
            if unsafe { crate::linked::PyUnstable_IsImmortal(object) } != 0 {
                return Word(object.map_addr(|bits| bits | NOT_COUNTED));
            }
        }
        Word(object)
    }

    /// The object, borrowed; null if there is none.
    pub(super) fn object(self) -> Object {
        #[cfg(Py_3_14)]
        return match self.0.addr() & TAGS == TAGS {
            true => std::ptr::null_mut(),
            false => self.0.map_addr(|bits| bits & !TAGS),
        };
        #[cfg(not(Py_3_14))]
        self.0
    }

    /// The same content, which nobody else need hold any more.
    ///
    /// # Safety
    ///
    /// The word is in a live frame.
    #[cfg(Py_3_12)]
    pub(super) unsafe fn kept(self) -> Word {
        #[cfg(Py_3_14)]
        if self.0.addr() & TAGS == NOT_COUNTED && !self.object().is_null() {
            // SAFETY: somebody holds the object, as the caller vouches.
            unsafe { ffi::Py_INCREF(self.object()) };
            return Word::owning(self.object());
        }
        self
    }

    /// Gives back the reference, if it is counted.
    ///
    /// # Safety
    ///
    /// The word was in a frame, and is in none any more.
    pub(super) unsafe fn release(self) {
        #[cfg(Py_3_14)]
        if self.0.addr() & TAGS != 0 {
            return;
        }
        // SAFETY: a reference that was the frame's, or null.
        unsafe { ffi::Py_XDECREF(self.0) };
    }
}
