"""The native part once more, for another interpreter of this process.

Its statics outlive an interpreter and are the same for all of them. A copy of the file has its own.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType


def load(module: ModuleType) -> None:
    """Put a fresh copy of this module in its place in `sys.modules`, where the import takes it from."""
    name, origin = module.__name__, module.__file__ or ""
    try:
        with open(origin, "rb") as file:
            content = file.read()
    except OSError as error:
        raise ImportError(
            f"{name} serves another interpreter of this process, or one that has ended, and cannot be copied "
            f"for this one: {error}",
            name=name,
            path=origin,
        ) from error
    with _file_of(content, os.path.basename(origin)) as path:
        spec = spec_from_file_location(name, path, loader=ExtensionFileLoader(name, path))
        assert spec is not None and spec.loader is not None
        copy = module_from_spec(spec)
        spec.loader.exec_module(copy)
    copy.__spec__, copy.__loader__, copy.__file__ = module.__spec__, module.__loader__, origin
    sys.modules[name] = copy


@contextmanager
def _file_of(content: bytes, name: str) -> Iterator[str]:
    """A file that is there while it is loaded: what is mapped needs no name."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        with os.fdopen(os.memfd_create(name), "wb") as file:
            file.write(content)
            file.flush()
            # The loader takes a name that it has seen for the library that it was then, also when that
            # has another file: a path of its own each time, to the same place.
            way = "".join(
                "./" if bit == "1" else "/" for bit in f"{int.from_bytes(os.urandom(6), 'big'):048b}"
            )
            yield f"/proc/self/fd/{way}{file.fileno()}"
        return
    descriptor, path = tempfile.mkstemp(suffix=name)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    try:
        yield path
    finally:
        try:
            os.unlink(path)
        except PermissionError:
            pass  # Windows keeps what is loaded
