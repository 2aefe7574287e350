"""The program that the stress and the soak edit: two modules whose every part tells the number of its version."""

from __future__ import annotations

FAR = """\
LIMIT = "v{n}"
TABLE = {{"version": "v{n}", "fixed": 0}}

def far():
    return "v{n}"

def callee({parameters}):
    return "v{n}"
"""

NEAR = """\
import functools
from far import LIMIT, callee, far as borrowed

def near(default="v{n}"):
    return default

def plain():
    return "v{n}"

def outer():
    kept = []
    def inner():
        kept.append(0)
        del kept[:]
        return "v{n}"
    return inner

def through(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper

@through
def decorated():
    return "v{n}"

short = lambda: "v{n}"

async def coroutine():
    return "v{n}"

class Part:
    level = "v{n}"

    def method(self):
        return "v{n}"

    @property
    def value(self):
        return "v{n}"

    @staticmethod
    def static():
        return "v{n}"

    @classmethod
    def made(cls):
        return "v{n}"
{extra_method}
class Small:
    __slots__ = ("held",)

    def method(self):
        return "v{n}"

def pair():
    return borrowed(), "v{n}", callee({arguments}), plain(), Part.level

{extra_function}"""


def sources(number: int) -> dict[str, str]:
    """Both modules in this version. Signatures and the set of definitions change with it as well."""
    three = number % 3
    words = {
        "n": number,
        "parameters": ", ".join("abc"[:three]),
        "arguments": ", ".join("123"[:three]),
        "extra_method": "\n    def extra(self):\n        return plain()\n\n" if number % 2 else "\n",
        "extra_function": f"\ndef extra():\n    return {number}\n" if number % 5 == 0 else "",
    }
    return {"far.py": FAR.format(**words), "near.py": NEAR.format(**words)}


def version_of(value: object) -> int:
    """The number in a value, a code object's constants or a function's defaults."""
    code_constants = getattr(value, "co_consts", None)
    parts = code_constants if code_constants is not None else value if isinstance(value, tuple) else (value,)
    for part in parts:
        if isinstance(part, str) and part[:1] == "v" and part[1:].isdigit():
            return int(part[1:])
    raise AssertionError(f"no version in {value!r}")
