"""Runs `training/train.py` under hotswap and edits its loop while it runs, three times.

    python examples/train.py

The loop stands at the top level of the script, so it can never be entered again: it goes on in the new code
at its next round, with the model and all variables it has. Exits with 0 only if it did. CPython 3.11 to 3.13.
"""

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SECONDS = 30

EDITS = [
    (
        "a schedule for the learning rate, with a variable of its own",
        5,
        [
            ("for epoch in range", "boost = 1.0\n\nfor epoch in range"),
            (
                "weight -= RATE * 2 * error",
                "boost = min(boost * 1.1, 4.0)\n        weight -= RATE * boost * 2 * error",
            ),
        ],
        "loss",
    ),
    (
        "more in the log",
        10,
        [
            ("def report(epoch, loss):", "def report(epoch, loss, rate):"),
            ('loss {loss:.4f}"', 'loss {loss:.4f}  rate {rate:.3f}"'),
            ("report(epoch, error**2)", "report(epoch, error**2, RATE * boost)"),
        ],
        "rate",
    ),
    (
        "after the bad batch: the step is taken back",
        24,
        [
            (
                '        print(f"epoch {epoch:3}  {problem};',
                '        weight += error / 10\n        print(f"epoch {epoch:3}  {problem};',
            ),
            ("if epoch == 24:", "if epoch % 4 == 0:"),
            ("the batch is left out", "the step was too large"),
        ],
        "too large",
    ),
]


def main():
    if not (3, 11) <= sys.version_info < (3, 14):
        print("running calls move on CPython 3.11 to 3.13 only")
        return 2
    with tempfile.TemporaryDirectory(prefix="hotswap-train-") as temporary:
        script = Path(temporary).resolve() / "train.py"
        shutil.copy(Path(__file__).parent / "training" / "train.py", script)
        print("hotswap run train.py")
        process = subprocess.Popen(
            [sys.executable, "-m", "hotswap", "run", "train.py"],
            cwd=temporary,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        try:
            return watch(process, script)
        finally:
            process.kill()
            process.wait()


def watch(process, script):
    """Prints what the script prints, edits it on the way, and says whether it took every edit."""
    lines = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line) for line in process.stdout], daemon=True).start()
    left, expected, seen, loads = list(EDITS), None, 0, 0
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            line = lines.get(timeout=1).rstrip("\n")
        except queue.Empty:
            continue
        print(f"    {line}")
        loads += line.startswith("loading")
        if expected and expected in line:
            seen, expected = seen + 1, None
        if line.startswith("done"):
            break
        number = line.split()[1] if line.startswith("epoch") else "0"
        if left and int(number) >= left[0][1]:
            words, _, replacements, expected = left.pop(0)
            text = script.read_text(encoding="utf-8")
            for old, new in replacements:
                if text.count(old) != 1:
                    print(f"FAILED: {old!r} is not in train.py once")
                    return 1
                text = text.replace(old, new)
            print(f"\n  edit train.py: {words}")
            script.write_text(text, encoding="utf-8")
    if seen != len(EDITS) or loads != 1:
        print(f"FAILED: {seen} of {len(EDITS)} edits were seen, and the model was loaded {loads} times")
        return 1
    print("\nOne run, three edits of its loop; the model was loaded once.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
