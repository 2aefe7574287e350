"""Installs this checkout of hotswap into `hotswap-venv` in the working directory and runs the demonstration.

    python3 path/to/hotswap/examples/try.py

It needs Python and Rust (`cargo`), nothing else.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def main():
    if sys.version_info < (3, 9):  # noqa: UP036  (this file is run by whatever python3 is)
        sys.exit("hotswap needs Python 3.9 or newer")
    if shutil.which("cargo") is None:
        sys.exit("hotswap is built from source here, which needs Rust: there is no `cargo` on PATH")
    place = Path.cwd() / "hotswap-venv"
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print(f"making {place}", flush=True)
        venv.create(place, with_pip=True)
    print("building and installing hotswap; the first time takes a minute or two", flush=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", CHECKOUT], check=True)
    print(flush=True)
    sys.exit(subprocess.run([python, CHECKOUT / "examples" / "demo.py"]).returncode)


if __name__ == "__main__":
    main()
