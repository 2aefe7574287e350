"""What an update did, as plain values: `Report` and its parts."""

from __future__ import annotations

import os

from hotswap._plain import asdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from dataclasses import dataclass, field
    from typing import Any, Literal

    Status = Literal["applied", "rejected", "held", "unchanged"]
else:
    from hotswap._plain import dataclass, field

_NAMES_PER_LINE = 4
_FILES_PER_LINE = 3


@dataclass(frozen=True)
class Change:
    """One definition, statement or module, and what became of it."""

    qualname: str
    """The name inside its module, such as `Cart.total`; of a statement the names it binds."""
    module: str
    """The module's name, such as `shop.cart`."""
    file: str
    """Absolute path of the source."""
    line: int
    """First line in the new source, counted from 1; 0 where there is none."""
    kind: str
    """`function`, `class`, `method`, `attribute`, `statement`, `import`, `module` or `instance`."""
    action: str
    """`patched`, `rebound`, `re-ran`, `migrated`, `added`, `removed`, `moved`, `kept`, `stale` or
    `not applied`."""
    reason: str = ""
    """Why it was done, or not done."""
    advice: str = ""
    """What the user can do about it; empty when there is nothing to do."""

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Change:
        """The change that `to_dict` of a report wrote."""
        return cls(
            qualname=value.get("qualname", ""),
            module=value.get("module", ""),
            file=value.get("file", ""),
            line=value.get("line", 0),
            kind=value.get("kind", ""),
            action=value.get("action", ""),
            reason=value.get("reason", ""),
            advice=value.get("advice", ""),
        )


@dataclass(frozen=True)
class ErrorInfo:
    """Why an update, or one group of it, was rejected."""

    type: str
    """Name of the exception's class, such as `SyntaxError`."""
    message: str
    """The exception's text."""
    file: str = ""
    """Absolute path of the file at fault; empty when unknown."""
    line: int = 0
    """Line at fault, counted from 1; 0 when unknown."""
    traceback: str = ""
    """The traceback as Python prints it; empty where no code ran."""

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ErrorInfo:
        """The error that `to_dict` of a report wrote."""
        return cls(
            type=value.get("type", ""),
            message=value.get("message", ""),
            file=value.get("file", ""),
            line=value.get("line", 0),
            traceback=value.get("traceback", ""),
        )


@dataclass(frozen=True)
class Group:
    """Files that succeed or fail together."""

    status: Status
    """`applied`, `rejected`, `held` or `unchanged`."""
    files: tuple[str, ...] = ()
    """Absolute paths."""
    changes: tuple[Change, ...] = ()
    """What was done to the definitions of these files and to those that depend on them."""
    error: ErrorInfo | None = None
    """None unless `status` is `rejected`."""

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Group:
        """The group that `to_dict` of a report wrote."""
        return cls(
            status=value.get("status", "unchanged"),
            files=tuple(value.get("files", ())),
            changes=tuple(Change.from_dict(change) for change in value.get("changes", ())),
            error=_error(value.get("error")),
        )


@dataclass(frozen=True)
class Pending:
    """Code that is still running in an old version."""

    where: str
    """The thread, task or generator, by name."""
    qualname: str
    """The definition it is inside of."""
    file: str
    """Absolute path of that definition's source."""
    line: int
    """The line it is at, in the old source."""
    reason: str = ""
    """Why it could not be moved to the new code."""

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Pending:
        """The entry that `to_dict` of a report wrote."""
        return cls(
            where=value.get("where", ""),
            qualname=value.get("qualname", ""),
            file=value.get("file", ""),
            line=value.get("line", 0),
            reason=value.get("reason", ""),
        )


@dataclass(frozen=True)
class Report:
    """What one update did. `str(report)` is the line that is logged."""

    generation: int = 0
    """Number of updates committed so far; a rejected update keeps the old number."""
    status: Status = "unchanged"
    """`applied`, `rejected` (if any group was), `held` or `unchanged`."""
    groups: tuple[Group, ...] = ()
    """The outcome, one entry for each set of files that belong together."""
    files: tuple[str, ...] = ()
    """Absolute paths of all files the update looked at."""
    changes: tuple[Change, ...] = ()
    """The changes of all groups."""
    pending: tuple[Pending, ...] = ()
    """Who is still running old code."""
    error: ErrorInfo | None = None
    """The first error; None when all is well."""
    duration_ms: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds by stage. `total` is all of it, with what was compiled while the quiet window ran; `held`
    how long of that other threads could not run Python code (the GIL was held), `longest` the same in one go,
    `pause` the commit itself."""
    notes: tuple[str, ...] = ()
    """What else the user should know."""

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Report:
        """The report that `to_dict` wrote, or that the native part made."""
        return cls(
            generation=value.get("generation", 0),
            status=value.get("status", "unchanged"),
            groups=tuple(Group.from_dict(group) for group in value.get("groups", ())),
            files=tuple(value.get("files", ())),
            changes=tuple(Change.from_dict(change) for change in value.get("changes", ())),
            pending=tuple(Pending.from_dict(pending) for pending in value.get("pending", ())),
            error=_error(value.get("error")),
            duration_ms=dict(value.get("duration_ms", {})),
            notes=tuple(value.get("notes", ())),
        )

    def to_dict(self) -> dict[str, Any]:
        """The report as dicts, lists, strings and numbers, ready for JSON."""
        plain: dict[str, Any] = _lists(asdict(self))
        return plain

    @property
    def total_ms(self) -> float:
        """Milliseconds from the whole batch to the commit."""
        total = self.duration_ms.get("total")
        return sum(self.duration_ms.values()) if total is None else total

    def __str__(self) -> str:
        if self.status == "unchanged" and not self.groups:
            note = f"  {'; '.join(self.notes)}" if self.notes else ""
            return f"hotswap unchanged{note}"
        return "hotswap " + "; ".join(self._parts())

    def _parts(self) -> list[str]:
        groups = self.groups or (Group(self.status, self.files, self.changes, self.error),)
        applied = [group for group in groups if group.status in ("applied", "unchanged")]
        parts = []
        if any(group.status == "applied" for group in applied):
            files = _files(path for group in applied for path in group.files)
            changes = summary([change for group in applied for change in group.changes])
            parts.append(f"#{self.generation}  {files}  {changes}   {self.total_ms:.1f} ms")
        parts += [note for note in self.notes if note.startswith("pinned:")]
        for group in groups:
            if group.status == "rejected":
                parts.append(f"rejected  {_failure(group)}; generation {self.generation} keeps running")
            elif group.status == "held":
                reason = next((change.reason for change in group.changes if change.reason), "")
                reason = reason or "; ".join(self.notes) or "waiting"
                parts.append(f"held  {_files(group.files)}  {reason}")
        return parts or [f"unchanged  {_files(self.files)}"]


def summary(changes: Iterable[Change]) -> str:
    """The changes of an update in a few words: `patched Cart.total, +Cart.discount, LIMIT re-ran`."""
    by_action: dict[str, list[Change]] = {}
    for change in changes:
        by_action.setdefault(change.action, []).append(change)
    words = []
    if by_action.get("patched"):
        words.append("patched " + _names(by_action["patched"]))
    for action, mark in (("added", "+"), ("removed", "-")):
        if by_action.get(action):
            words.append(_names(by_action[action], mark))
    if by_action.get("moved"):
        words.append(_names(by_action["moved"]) + " moved")
    rebound = by_action.get("rebound", [])
    dependants = f" ({len(rebound)} dependant{'s' if len(rebound) > 1 else ''})" if rebound else ""
    if by_action.get("re-ran"):
        words.append(_names(by_action["re-ran"]) + " re-ran" + dependants)
    elif rebound:
        words.append(_names(rebound) + " rebound")
    words += [f"{change.qualname}: {change.reason or 'migrated'}" for change in by_action.get("migrated", [])]
    for action in ("kept", "stale", "not applied"):
        words += [
            f"{change.qualname} {action}" + (f": {change.reason.partition(';')[0]}" if change.reason else "")
            for change in by_action.get(action, [])[:_NAMES_PER_LINE]
        ]
    return ", ".join(words) or "nothing to do"


def merge(reports: list[Report]) -> Report:
    """One report of several updates in a row; of a refused file only the latest outcome counts."""
    if len(reports) == 1:
        return reports[0]
    groups: list[Group] = []
    for report in reports:
        for group in report.groups:
            again = set(group.files)
            groups = [old for old in groups if old.status == "applied" or not again & set(old.files)]
            if group not in groups:
                groups.append(group)
    statuses = {group.status for group in groups}
    order: tuple[Status, ...] = ("rejected", "held", "applied")
    durations: dict[str, float] = {}
    for report in reports:
        for stage, milliseconds in report.duration_ms.items():
            before = durations.get(stage, 0.0)
            single = stage in ("longest", "pause")
            durations[stage] = max(before, milliseconds) if single else before + milliseconds
    return Report(
        generation=max(report.generation for report in reports),
        status=next((status for status in order if status in statuses), "unchanged"),
        groups=tuple(groups),
        files=tuple(dict.fromkeys(path for report in reports for path in report.files)),
        changes=tuple(change for group in groups for change in group.changes),
        pending=reports[-1].pending,
        error=next((group.error for group in groups if group.error), None),
        duration_ms=durations,
        notes=tuple(dict.fromkeys(note for report in reports for note in report.notes)),
    )


def short_path(path: str) -> str:
    """The path as a person in the working directory would write it."""
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):  # no working directory any more; another drive
        return path
    return path if relative.startswith(os.pardir) else relative.replace(os.sep, "/")


def _failure(group: Group) -> str:
    error = group.error or ErrorInfo("Error", "unknown")
    path = error.file or (group.files[0] if group.files else "?")
    at = f":{error.line}" if error.line else ""
    message = error.message.strip().splitlines()
    return f"{short_path(path)}{at}  {error.type}" + (f": {message[0]}" if message else "")


def _files(paths: Iterable[str]) -> str:
    names = [short_path(path) for path in dict.fromkeys(paths)]
    more = len(names) - _FILES_PER_LINE
    return ", ".join(names[:_FILES_PER_LINE]) + (f" and {more} more" if more > 0 else "")


def _names(changes: list[Change], mark: str = "") -> str:
    names = [mark + name for name in dict.fromkeys(change.qualname or change.module for change in changes)]
    more = len(names) - _NAMES_PER_LINE
    return ", ".join(names[:_NAMES_PER_LINE]) + (f" and {more} more" if more > 0 else "")


def _error(value: Mapping[str, Any] | None) -> ErrorInfo | None:
    return None if value is None else ErrorInfo.from_dict(value)


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_lists(item) for item in value]
    return value
