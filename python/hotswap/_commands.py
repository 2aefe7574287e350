"""`hotswap status`, `log`, `history`, `diff`, `rollback`, `pause`, `resume`: what is printed, what fails."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from hotswap import _family
from hotswap._client import ControlError, Member, choose
from hotswap._family import Outcome
from hotswap._report import Report, short_path, summary
from hotswap._stream_log import dressed, wants_colour

COMMANDS = {
    "status": "Say what is watched, which generation runs, and what is still in old code.",
    "log": "Show the latest updates, and with --follow those that come.",
    "history": "List the generations; those that can come back are numbered.",
    "diff": "Show what changed in the sources from one generation to another, by default in the last update.",
    "rollback": "Run the code of an earlier generation, with the state of now; nothing is written to disk.",
    "pause": "Apply no more edits until `hotswap resume`.",
    "resume": "Apply edits again, first what changed meanwhile.",
}
SECONDS_OF_AN_UPDATE = 60.0
"""How long a rollback may take."""


def main(words: Sequence[str]) -> int:
    """One of the commands; the exit code."""
    name = words[0]
    options = _parser(name).parse_args(words[1:])
    try:
        members = choose(options.pid)
        done: int = globals()[f"_{name}"](members, options)
    except ControlError as error:
        print(f"hotswap: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return done


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        f"hotswap {name}",
        description=COMMANDS[name],
        epilog="Without PID: the only program of this user that is watched, with all its processes.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("pid", metavar="PID", nargs="?", type=_number, help="the process; of a family the first means all")
    add("--json", action="store_true", help="print JSON")
    if name in ("log", "history"):
        add("--last", metavar="N", type=_number, default=20, help="how many (20)")
    if name == "log":
        add("--follow", "-f", action="store_true", help="go on with what comes, until Ctrl-C or the end")
    if name == "diff":
        add("--from", metavar="N", type=_number, dest="old", help="the older generation")
    if name in ("diff", "rollback"):
        add("--to", metavar="N", type=_number, help="the generation (rollback: by default the one before)")
    return parser


def _number(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a number, not {text!r}")
    return int(text)


# --------------------------------------------------------------------------------------------- status


def _status(members: list[Member], options: argparse.Namespace) -> int:
    if options.json:
        print(json.dumps({"processes": [_facts(member) for member in members]}, indent=2))
        return 0
    first, *others = members
    print(f"{first.pid}  {first.command}")
    for line in _status_lines(first.status):
        print(f"  {line}")
    for member in others:
        print(f"  {member.pid}  {', '.join(_in_short(member.status))}")
    return 0


def _facts(member: Member) -> dict[str, Any]:
    return member.status or {"pid": member.pid, "answers": False}


def _in_short(status: dict[str, Any]) -> list[str]:
    """One of several processes, in a line."""
    if not status:
        return ["does not answer"]
    words = [f"generation {status['generation']}"]
    if status["paused"]:
        words.append("paused")
    if status.get("pinned"):
        words.append(f"{len(status['pinned'])} pinned")
    if status.get("pending"):
        words.append(f"{len(status['pending'])} still in old code")
    if status.get("last"):
        words.append(f"last update {status['last']}")
    return words


def _status_lines(status: dict[str, Any]) -> Iterator[str]:
    if not status:
        yield "does not answer: it is stopped, or code in C holds its GIL"
        return
    yield ", ".join(_in_short({**status, "pinned": None, "pending": None}))
    files, directories = status.get("files", ()), status.get("directories", ())
    yield f"watches {_count(files, 'file')} in {_count(directories, 'directory', 'directories')}"
    for path, reason in status.get("polled", ()):
        yield f"polls {short_path(path)}: {reason}"
    for path, generation in status.get("pinned", {}).items():
        yield f"{short_path(path)} is pinned: generation {generation} runs until the file changes"
    for pending in status.get("pending", ()):
        where = f"{short_path(pending['file'])}:{pending['line']}"
        yield f"{pending['where']} is still in the old {pending['qualname']}, {where}: {pending['reason']}"
    yield from status.get("notes", ())
    if status.get("uncovered"):
        yield f"{_count(status['uncovered'], 'module')} cannot be updated (--json names them)"


def _count(things: Sequence[object], one: str, many: str | None = None) -> str:
    return f"{len(things)} {one if len(things) == 1 else many or one + 's'}"


# ----------------------------------------------------------------------------------- log and history


def _log(members: list[Member], options: argparse.Namespace) -> int:
    for edit in _last(_edits(members), options.last):
        _print_edit(edit, options.json)
    if options.follow:
        for edit in _coming(members):
            _print_edit(edit, options.json)
    return 0


def _history(members: list[Member], options: argparse.Namespace) -> int:
    answers = {member.pid: member.channel.ask(command="log") for member in members}
    if options.json:
        print(
            json.dumps({"processes": [{"pid": pid, **answer} for pid, answer in answers.items()]}, indent=2)
        )
        return 0
    for pid, answer in answers.items():
        if len(answers) > 1:
            print(f"{pid}")
        running = answer["generation"]
        made = [entry for entry in answer["log"] if entry["report"]["status"] != "held"]
        applied = [entry for entry in made if _applied(entry["report"])]
        for entry in _last(applied, options.last):
            report = Report.from_dict(entry["report"])
            mark = "*" if report.generation == running else " "
            files = ", ".join(short_path(path) for path in report.files)
            print(f"{mark} #{report.generation}  {_clock(entry['time'])}  {files}  {summary(report.changes)}")
        if not applied:
            print(f"* #{running}  no update yet")
        elif answer["oldest"] < running:
            print(f"  #{answer['oldest']} is the oldest that can come back")
    return 0


def _last(things: list[Any], number: int) -> list[Any]:
    return things[len(things) - min(number, len(things)) :]


def _applied(report: dict[str, Any]) -> bool:
    return any(group["status"] == "applied" for group in report["groups"])


def _edits(members: list[Member]) -> list[list[Outcome]]:
    outcomes = []
    for member in members:
        for entry in member.channel.ask(command="log")["log"]:
            outcomes.append((member.pid, entry["time"], Report.from_dict(entry["report"])))
    return _family.gather(outcomes)


def _coming(members: list[Member]) -> Iterator[list[Outcome]]:
    """The edits that come, from every process, until the last of them is gone."""
    import queue
    import threading

    coming: queue.SimpleQueue[Outcome | BaseException | None] = queue.SimpleQueue()

    def listen(member: Member) -> None:
        try:
            for value in member.channel.follow():
                if "report" in value:
                    coming.put((member.pid, value["time"], Report.from_dict(value["report"])))
            coming.put(None)
        except BaseException as error:
            coming.put(error)

    for member in members:
        threading.Thread(target=listen, args=(member,), daemon=True).start()
    open_edit: list[Outcome] = []
    listening = len(members)
    while listening or open_edit:
        try:
            outcome = coming.get(timeout=_family.QUIET_SECONDS if open_edit else None)
        except queue.Empty:
            yield open_edit
            open_edit = []
            continue
        if outcome is None or isinstance(outcome, BaseException):
            listening -= 1
            if isinstance(outcome, BaseException) and len(members) == 1:
                raise outcome
            if not listening and open_edit:
                yield open_edit
                return
            continue
        if open_edit and not _family.belongs(outcome, open_edit):
            yield open_edit
            open_edit = []
        open_edit.append(outcome)
        if len(open_edit) == listening:
            yield open_edit
            open_edit = []


def _print_edit(edit: list[Outcome], as_json: bool) -> None:
    when = min(outcome[1] for outcome in edit)
    if as_json:
        print(json.dumps({"time": when, **_family.to_dict(edit)}), flush=True)
        return
    line = dressed(_family.line_of(edit), _family.level_of_edit(edit), wants_colour(sys.stdout))
    print(f"{_clock(when)}  {line}", flush=True)


def _clock(when: float) -> str:
    today = time.strftime("%x") == time.strftime("%x", time.localtime(when))
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", time.localtime(when))


# ------------------------------------------------------------------------------- diff and rollback


def _diff(members: list[Member], options: argparse.Namespace) -> int:
    words = {"from": options.old, "to": options.to}
    # The workers of a family run the same files; the one that has updated most knows most.
    member = max(members, key=lambda member: member.status.get("generation", -1))
    answer = member.channel.ask(command="diff", **words)
    if options.json:
        print(json.dumps({"pid": member.pid, **answer}))
    elif answer["diff"]:
        print(answer["diff"], end="")
    else:
        print(f"no difference from generation {answer['from']} to {answer['to']}", file=sys.stderr)
    return 0


def _rollback(members: list[Member], options: argparse.Namespace) -> int:
    outcomes: list[Outcome] = []
    refused = []
    # A family goes back where it has come forward: its first process may have none of the program's modules.
    if options.to is None and len(members) > 1:
        members = [member for member in members if member.status.get("generation", 0)] or members
    for member in members:
        try:
            answer = member.channel.ask(SECONDS_OF_AN_UPDATE, command="rollback", to=options.to)
        except ControlError as error:
            refused.append(str(error))
        else:
            outcomes.append((member.pid, time.time(), Report.from_dict(answer["report"])))
    if options.json:
        done = [{"pid": pid, "report": report.to_dict()} for pid, _, report in outcomes]
        print(json.dumps({"processes": done, "refused": refused}))
    elif outcomes:
        print(_family.line_of(outcomes))
    for line in refused:
        print(f"hotswap: {line}", file=sys.stderr)
    return 1 if refused or any(report.status == "rejected" for _, _, report in outcomes) else 0


# --------------------------------------------------------------------------------- pause and resume


def _pause(members: list[Member], options: argparse.Namespace) -> int:
    return _tell("pause", members, options)


def _resume(members: list[Member], options: argparse.Namespace) -> int:
    return _tell("resume", members, options)


def _tell(command: str, members: list[Member], options: argparse.Namespace) -> int:
    answers = {member.pid: member.channel.ask(command=command)["paused"] for member in members}
    if options.json:
        print(json.dumps({"processes": [{"pid": pid, "paused": paused} for pid, paused in answers.items()]}))
        return 0
    for pid, paused in answers.items():
        if command == "resume" and paused:
            print(f"{pid}  still paused: the program itself called pause()")
        else:
            print(f"{pid}  {'paused' if paused else 'resumed'}")
    return 0
