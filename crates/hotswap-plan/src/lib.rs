//! hotswap-plan.
