//! Hands PyO3's `cfg(Py_3_X)` flags to this crate, which chooses by CPython version.

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
}
