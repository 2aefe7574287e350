//! hotswap-cpython.
