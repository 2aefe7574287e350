//! What a dict holds, by addresses alone.

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The addresses of the keys and values of a dict, in order.
///
/// Only the dict itself is read, not the objects in it: that is many times faster than going
/// through thousands of them. What an address refers to may be gone when it is looked at.
#[cfg(not(Py_GIL_DISABLED))]
pub fn addresses(dict: &Bound<'_, PyDict>) -> Vec<(usize, usize)> {
    let mut found = Vec::with_capacity(dict.len());
    let (mut position, mut key, mut value) = (0, std::ptr::null_mut(), std::ptr::null_mut());
    loop {
        // SAFETY: a live dict, and nothing changes it: the lock is held, and no code runs
        // between two calls.
        let more = unsafe {
            pyo3::ffi::PyDict_Next(
                dict.as_ptr(),
                &raw mut position,
                &raw mut key,
                &raw mut value,
            )
        };
        if more == 0 {
            return found;
        }
        found.push((key as usize, value as usize));
    }
}

/// The addresses of the keys and values of a dict, in order.
#[cfg(Py_GIL_DISABLED)]
pub fn addresses(dict: &Bound<'_, PyDict>) -> Vec<(usize, usize)> {
    let items = dict.iter();
    items
        .map(|(key, value)| (key.as_ptr() as usize, value.as_ptr() as usize))
        .collect()
}
