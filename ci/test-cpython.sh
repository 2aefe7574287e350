#!/usr/bin/env bash
# Tests the crate hotswap-cpython in an embedded interpreter of each CPython given.
#
#   ci/test-cpython.sh PYTHON [PYTHON ...] [-- ARGUMENT-OF-CARGO-TEST ...]
#
# Each version gets a target directory of its own, so nothing is built twice.
set -euo pipefail
cd "$(dirname "$0")/.."

pythons=()
while [[ $# -gt 0 && "$1" != "--" ]]; do
    pythons+=("$1")
    shift
done
[[ "${1:-}" == "--" ]] && shift
[[ ${#pythons[@]} -gt 0 ]] || pythons=(python3)

for python in "${pythons[@]}"; do
    python=$(command -v "$python")
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    library=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))')
    home=$("$python" -c 'import sys; print(sys.base_prefix)')
    echo "== CPython $version ($python)"
    # The embedded interpreter finds its library and standard library through these.
    PYO3_PYTHON="$python" \
    CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/cpython-$version" \
    LD_LIBRARY_PATH="$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" \
    PYTHONHOME="$home" \
        cargo test --quiet -p hotswap-cpython "$@"
done
