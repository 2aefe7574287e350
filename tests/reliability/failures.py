"""Random edits that fail at random places: after each the process is what it was before.

python tests/reliability/failures.py [--rounds 2000] [--seed 1]

The program is that of the soak. A round goes to a random state of it; in most rounds a statement that fails
is put somewhere between the others, so that some before it have run and some after it never do. If the
update is refused, a deep fingerprint (tests/fingerprint.py) of every module, class, function, instance and
container must be what it was before, and of what the interpreter and its libraries know of them too.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import fingerprint
import hotswap
from soak import PARTS, SIDE, Program

GUEST = "import side\nVALUE = 1\nclass Half:\n    pass\nraise ValueError('the guest')\n"
EXCEPTIONS = (
    "ValueError('x')",
    "SystemExit(3)",
    "KeyboardInterrupt",
    "GeneratorExit",
    "MemoryError",
    "RecursionError",
    "StopIteration",
    "BaseException",
)
# Statements that fail in ways of their own; {e} is one of the exceptions.
FAILING = (
    "raise {e}",
    "def failing():\n    raise {e}\nfailing()",
    "def failing(x=(_ for _ in ()).throw({e})):\n    pass",
    "def failing(x: [][1] = 1):\n    pass",
    "@missing_decorator\ndef failing():\n    pass",
    "def refuse(one):\n    raise {e}\n@refuse\nclass Failing:\n    pass",
    "class Failing(Base, 1):\n    pass",
    "class Failing(Base):\n    made = Thing()\n    def hello(self):\n        return 0\n    raise {e}",
    "class Meta(type):\n    def __new__(*args):\n        raise {e}\nclass Failing(metaclass=Meta):\n    pass",
    "class Hooked:\n    def __init_subclass__(cls):\n        raise {e}\nclass Failing(Hooked):\n    pass",
    "import guest",
    "from side import SIDE as again, nothing_of_this_name",
    "import no_such_module_at_all",
    "(lambda f: f(f))(lambda f: f(f))",
    "LIMIT = 77\nDOUBLE = LIMIT * 2\nraise {e}",
    "TABLE = {{'one': 111, 'bad': {{}}['x']}}",
    "plain = outer = Thing = Point = None\nraise {e}",
    "del plain, outer, Colour\nraise {e}",
    "for number in range(3):\n    if number:\n        raise {e}",
    "with open('/nonexistent/file'):\n    pass",
    "assert False, 'no'",
    "[x for x in 1]",
    "def (:",
    "x = = 1",
)


class Rounds:
    """One program and what happened to it."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.statuses: Counter[str] = Counter()
        self.problems: list[str] = []

    def run(self, rounds: int) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name).resolve()
            sys.path.insert(0, str(folder))
            sys.dont_write_bytecode = True
            program = Program(folder)
            (folder / "guest.py").write_text(GUEST)
            import mixed  # noqa: F401

            with hotswap.watch(folder) as self.session:
                self.session.pause()
                hotswap.sync()
                for number in range(rounds):
                    self.round(number, folder, program)
                    if len(self.problems) > 5:
                        break

    def round(self, number: int, folder: Path, program: Program) -> None:
        choose = self.choose
        picks = [choose.randrange(len(part)) for part in PARTS]
        texts = {"mixed.py": program.mixed(picks), "side.py": choose.choice(SIDE)}
        broken = choose.random() < 0.8
        what = ""
        if broken:
            where = "side.py" if choose.random() < 0.2 else "mixed.py"
            what = choose.choice(FAILING).format(e=choose.choice(EXCEPTIONS))
            texts[where] = self.insert(texts[where], what)
        before = fingerprint.take(folder)
        if broken and where == "mixed.py" and choose.random() < 0.15:
            # The module that it imports goes in the same save.
            (folder / "side.py").unlink(missing_ok=True)
            del texts["side.py"]
        for name, text in texts.items():
            (folder / name).write_text(text)
        try:
            report = hotswap.sync()
        except KeyboardInterrupt:
            # In the main thread it is raised again, after the update was rolled back and told of.
            report = self.session.history[-1]
        self.statuses[report.status] += 1
        if broken and report.status == "applied" and not any(g.status == "rejected" for g in report.groups):
            self.problems.append(f"round {number}: {what!r} was applied: {report}")
        if not any(group.status == "applied" for group in report.groups):
            lines = fingerprint.differences(before, fingerprint.take(folder))
            if lines:
                shown = "\n  ".join(itertools.islice(lines, 6))
                self.problems.append(f"round {number}, {what!r}, {report}:\n  {shown}")

    def insert(self, text: str, statement: str) -> str:
        """The text with one more statement between two of its own, or behind the last."""
        lines = text.splitlines()
        starts = [0]
        for node in ast.parse(text).body[2:]:
            decorators = getattr(node, "decorator_list", [])
            starts.append(min([node.lineno, *(one.lineno for one in decorators)]) - 1)
        at = self.choose.choice([*starts[1:], len(lines)])
        return "\n".join([*lines[:at], statement, *lines[at:], ""])


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=2000)
    words.add_argument("--seed", type=int, default=1)
    asked = words.parse_args()
    started = time.monotonic()
    rounds = Rounds(asked.seed)
    rounds.run(asked.rounds)
    for problem in rounds.problems:
        print(problem, file=sys.stderr)
    figures = {
        "python": ".".join(map(str, sys.version_info[:3])),
        "seed": asked.seed,
        "rounds": sum(rounds.statuses.values()),
        "seconds": round(time.monotonic() - started, 1),
        "statuses": dict(rounds.statuses),
        "problems": len(rounds.problems),
    }
    print(json.dumps(figures))
    return 1 if rounds.problems else 0


if __name__ == "__main__":
    sys.exit(main())
