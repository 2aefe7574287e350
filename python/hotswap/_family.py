"""Processes that belong together, such as a server and its workers: one edit, one line."""

from __future__ import annotations

from hotswap._logging import level_of
from hotswap._plain import replace
from hotswap._report import Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

SAME_EDIT_SECONDS = 2.0
"""Reports on the same files in several processes, no further apart than this, are of one edit."""
QUIET_SECONDS = 0.25
"""How long after a process has told of an edit others may: then its line is written."""

Outcome = tuple[int, float, Report]
"""What one process made of an edit: its number, when, and its report."""


def gather(outcomes: Iterable[Outcome]) -> list[list[Outcome]]:
    """The reports of several processes, one list for each edit, in the order of time."""
    edits: list[list[Outcome]] = []
    for outcome in sorted(outcomes, key=lambda outcome: outcome[1]):
        for edit in reversed(edits):
            if belongs(outcome, edit):
                edit.append(outcome)
                break
        else:
            edits.append([outcome])
    return edits


def belongs(outcome: Outcome, edit: Sequence[Outcome]) -> bool:
    """Whether this report is of the same edit as those."""
    pid, when, report = outcome
    return (
        when - edit[0][1] <= SAME_EDIT_SECONDS
        and all(other != pid for other, _, _ in edit)
        and any(set(report.files) & set(other.files) for _, _, other in edit)
    )


def as_one(edit: Sequence[Outcome]) -> Report:
    """The report that stands for all: of those with the worst outcome if all have it, else of an applied one.

    Its time is the slowest process's.
    """
    applied = [outcome for outcome in edit if outcome[2].status == "applied"]
    _, _, shown = max(applied or edit, key=lambda outcome: (level_of(outcome[2]), len(outcome[2].changes)))
    slowest = max((outcome[2].total_ms for outcome in applied or edit), default=0.0)
    report: Report = replace(shown, duration_ms={**shown.duration_ms, "total": slowest})
    return report


def line_of(edit: Sequence[Outcome]) -> str:
    """The line of one edit: `hotswap #7  shop/cart.py  patched Cart.total   2.9 ms (slowest of 4 processes)`.

    A process that came out otherwise is named, with its reason.
    """
    shown = as_one(edit)
    text = str(shown)
    if len(edit) == 1:
        return text
    alike = [outcome for outcome in edit if outcome[2].status == shown.status]
    took = f"   {shown.total_ms:.1f} ms"
    if len(alike) > 1 and took in text:
        text = text.replace(took, f"{took} (slowest of {len(alike)} processes)", 1)
    elif len(alike) > 1:
        text += f" (in {len(alike)} processes)"
    for pid, _, report in edit:
        if report.status != shown.status:
            text += f"; in {pid}: {str(report)[len('hotswap ') :]}"
    return text


def level_of_edit(edit: Sequence[Outcome]) -> int:
    """How loud the line is."""
    return max(level_of(report) for _, _, report in edit)


def to_dict(edit: Sequence[Outcome]) -> dict[str, Any]:
    """One edit for JSON: the report that stands for all, and the outcome in each process."""
    return {
        **as_one(edit).to_dict(),
        "processes": [
            {
                "pid": pid,
                "time": when,
                "status": report.status,
                "generation": report.generation,
                "total_ms": report.total_ms,
                "error": report.to_dict()["error"],
            }
            for pid, when, report in sorted(edit, key=lambda outcome: outcome[0])
        ],
    }


def families(processes: Mapping[int, int], marks: Mapping[int, int]) -> list[list[int]]:
    """Sort processes into families, each with its first process first.

    `processes` gives the parent of every process that matters, `marks` the family that those which
    watch count themselves to: a fork keeps it when its parent has gone.
    """
    first: dict[int, int] = {}
    for pid in marks:
        head, above = pid, pid
        seen = {pid}
        while True:
            mark = marks.get(head, head)
            if mark in marks and mark not in seen:
                head = above = mark
                seen.add(mark)
                continue
            above = processes.get(above, 0)
            if not above or above in seen:
                break
            seen.add(above)
            if above in marks:
                head = above
        # Of those whose first process has gone, the mark is all that they have in common.
        first[pid] = marks.get(head, head)
    heads: dict[int, list[int]] = {}
    for pid in sorted(marks):
        heads.setdefault(first[pid], []).append(pid)
    return [[head] * (head in pids) + [pid for pid in pids if pid != head] for head, pids in heads.items()]
