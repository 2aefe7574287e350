"""The host in C of `tests/embed`, compiled for the interpreter that runs this."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "embed" / "host.c"


def compile_host(folder: Path) -> Path:
    """Compile it into this folder. LookupError: there is no compiler, or no library to link with."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    library = sysconfig.get_config_var("LDLIBRARY") or ""
    if compiler is None or ".so" not in library:
        raise LookupError("needs a C compiler and an interpreter with a shared library")
    place = sysconfig.get_config_var("LIBDIR")
    program = folder / "host"
    subprocess.run(
        [
            *(compiler, "-o", str(program), str(SOURCE), "-I", sysconfig.get_paths()["include"]),
            *("-L", place, f"-Wl,-rpath,{place}", f"-lpython{sys.version_info[0]}.{sys.version_info[1]}"),
            *("-pthread", "-Wno-deprecated-declarations"),
        ],
        check=True,
    )
    return program
