"""Whether a Python that starts under `HOTSWAP=1`, or below `hotswap run`, is to watch: with `hotswap._child`.

Beside the package, not in it: a program that is not to watch shall find no more of hotswap in `sys.modules`.
"""

import os
import sys


def _asked() -> bool:
    if os.environ.get("HOTSWAP") == "1":
        return True
    # Of the processes that a program below `hotswap run` starts, its own are those of multiprocessing.
    if not os.environ.get("HOTSWAP_CHILDREN", "").startswith(f"{os.getppid()} "):
        return False
    words = getattr(sys, "orig_argv", None)  # from 3.10 on
    if words is None:
        try:
            with open("/proc/self/cmdline", "rb") as file:
                words = os.fsdecode(file.read()).split("\0")
        except OSError:
            return False
    # Up to 3.13 the words begin so, from 3.14 on the fork server's do not.
    return any("from multiprocessing." in word for word in words)


if _asked():
    import hotswap._child  # noqa: F401
