//! hotswap-watch.
