//! hotswap-apply.
