"""`python -m hotswap`."""

import sys

from hotswap.cli import main


def start() -> None:
    """Run the command line, and exit with its code if it has one."""
    code = main()
    # Without one the interpreter goes on as after any program: with -i, to its prompt.
    if code:
        sys.exit(code)


if __name__ == "__main__":
    start()
