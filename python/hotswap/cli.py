"""The command `hotswap`."""

from __future__ import annotations

import os
import sys

from hotswap import _run
from hotswap._config import CHILDREN, CONSISTENCIES, STRATEGIES, enabled, resolve
from hotswap._errors import HotswapError
from hotswap._logging import watch_logger
from hotswap._plain import asdict, to_json
from hotswap._run import Target
from hotswap._session import open_session
from hotswap._stream_log import DEBUG, INFO, StreamLog, wants_colour
from hotswap._workers import WorkersLog

# `argparse`, `json`, `logging` and the like are imported where they are needed: a program that runs
# under hotswap would otherwise wait for them at each start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence
    from dataclasses import dataclass
    from typing import Any, NoReturn, TextIO
else:
    from hotswap._plain import dataclass

_USAGE = """\
usage: hotswap [run] [options] script.py [arguments]
       hotswap [run] [options] -m module [arguments]
       hotswap [run] [options] -c code [arguments]
       hotswap [run] [options] - [arguments]          the program is read from stdin
       hotswap attach [options] PID                   brings hotswap into a running process
       hotswap ps [--json]                            lists the processes one may attach to
       hotswap status | log | history | diff | rollback | pause | resume [PID] [--json]
       hotswap doctor [--json]
       hotswap --version | --help
"""
_EPILOG = """\
Python's own flags (-b -B -d -E -i -I -O -P -q -s -S -u -v -W -X) may stand before the program.
Settings are read from [tool.hotswap] in pyproject.toml, then HOTSWAP_* variables, then these options.
HOTSWAP=0 turns everything off.
"""
_ASKING = frozenset(("status", "log", "history", "diff", "rollback", "pause", "resume"))
"""The commands that ask a running process; a word behind them and --help says more."""
_PYTHON_FLAGS = frozenset("bBdEiIOPqRsSuv")
_PYTHON_FLAGS_WITH_VALUE = frozenset("WX")
_OWN_FLAGS_WITH_VALUE = frozenset(
    ("--watch", "--include", "--exclude", "--poll", "--strategy", "--consistency", "--log")
)
_HIDING_FLAGS = frozenset("EIsS")
"""With these the new interpreter might not find hotswap by itself."""
_START_FROM = """\
import sys
sys.path.append({0!r})
import hotswap.__main__ as main
sys.path.remove({0!r})
main.start()
"""


def main(argv: Sequence[str] | None = None) -> int | None:
    """The command line; the exit code, or None after a program has run to its end."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] == "doctor":
        return _doctor(words[1:])
    if words and words[0] in ("attach", "ps"):
        from hotswap import _attach

        return (_attach.attach_command if words[0] == "attach" else _attach.ps_command)(words[1:])
    if words and words[0] in _ASKING:
        from hotswap import _commands

        return _commands.main(words)
    if words and words[0] == "run":
        return _run_command(words[1:])
    if not words or words[0] in ("-h", "--help"):
        print(_run_parser().format_help(), end="")
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        return _version()
    if words[0].startswith("-") or os.path.exists(words[0]) or words[0].endswith((".py", ".pyw")):
        return _run_command(words)
    _fail(f"there is no command {words[0]!r}, and no such file")


@dataclass(frozen=True)
class RunWords:
    """The words after `run`, sorted by whom they are for."""

    python: tuple[str, ...]
    """Flags for the interpreter."""
    own: tuple[str, ...]
    """Options of hotswap."""
    target: Target | None
    """None: nothing to run was named."""


@dataclass(frozen=True)
class RunOptions:
    """The options of `run`; the same words as in the parser."""

    watch: Sequence[str] = ()
    include: Sequence[str] | None = None
    exclude: Sequence[str] | None = None
    poll: object = None
    strategy: str | None = None
    consistency: str | None = None
    log: str | None = None
    quiet: bool = False
    verbose: bool = False
    json: bool = False


def split_run_words(words: Sequence[str]) -> RunWords:
    """Sort the words after `run`. Everything behind the program's name is the program's, unread."""
    python: list[str] = []
    own: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            if not rest:
                break
            word = rest.pop(0)
            return RunWords(tuple(python), tuple(own), Target("script", word, tuple(rest)))
        if word == "-":
            return RunWords(tuple(python), tuple(own), Target("stdin", "-", tuple(rest)))
        if word == "--check-hash-based-pycs":
            python += [word, _value(word, rest)]
        elif word.startswith("--"):
            own.append(word)
            if word in _OWN_FLAGS_WITH_VALUE:
                own.append(_value(word, rest))
        elif word.startswith("-"):
            for position, letter in enumerate(word[1:], 1):
                attached = word[position + 1 :]
                if letter in "mc":
                    value = attached or _value(f"-{letter}", rest)
                    kind = "module" if letter == "m" else "code"
                    return RunWords(tuple(python), tuple(own), Target(kind, value, tuple(rest)))
                if letter in _PYTHON_FLAGS_WITH_VALUE:
                    python += [f"-{letter}", attached or _value(f"-{letter}", rest)]
                    break
                if letter in _PYTHON_FLAGS:
                    python.append(f"-{letter}")
                elif letter == "h":
                    own.append("--help")
                else:
                    _fail(f"unknown option -{letter}")
        else:
            return RunWords(tuple(python), tuple(own), Target("script", word, tuple(rest)))
    return RunWords(tuple(python), tuple(own), None)


def _run_command(words: Sequence[str]) -> int | None:
    sorted_words = split_run_words(words)
    options = RunOptions()
    if sorted_words.own:
        options = RunOptions(**vars(_run_parser().parse_args(sorted_words.own)))
    target = sorted_words.target
    if target is None:
        if sys.stdin is None or sys.stdin.isatty():
            _fail("nothing to run: name a script, -m module or -c code")
        target = Target("stdin", "", ())
    if sorted_words.python:
        return _start_python(sorted_words.python, [*sorted_words.own, *_words_of(target)])
    missing = _run.missing_script(target)
    if missing is not None:
        print(missing, file=sys.stderr)
        return 2
    if enabled():
        _watch(target, options)
    _run.run(target)
    return None


def _watch(target: Target, options: RunOptions) -> None:
    level = DEBUG if options.verbose else INFO
    log = StreamLog(level, options.json, _log_file(options.log) if options.log else None)
    if not options.quiet:
        log.attach()
    workers = WorkersLog(log)
    arguments = {
        "include": options.include,
        "exclude": options.exclude,
        "poll": options.poll,
        "strategy": options.strategy,
        "consistency": options.consistency,
    }
    root = target.folder()
    if not root:
        watch_logger.warning("the working directory is gone: nothing is watched")
        return
    if _is_scripts_folder(root):
        # An installed command such as flask or uvicorn: the user's own modules are not beside it.
        root = os.getcwd()
    try:
        settings = resolve([root, *options.watch], arguments, with_configured_paths=True)
        open_session(settings, None if options.quiet else workers.write_report)
    except HotswapError as error:
        _fail(str(error))
    told = {
        "first": os.getpid(),
        "options": asdict(settings),
        "level": level,
        "json": options.json,
        "quiet": options.quiet,
        "log": os.path.abspath(options.log) if options.log else None,
    }
    os.environ[CHILDREN] = f"{os.getpid()} {to_json(told)}"


def _is_scripts_folder(root: str) -> bool:
    """Whether this is where commands are installed."""
    if os.path.basename(root).lower() not in ("bin", "scripts"):
        return False
    import sysconfig

    return os.path.normcase(root) == os.path.normcase(os.path.realpath(sysconfig.get_path("scripts")))


def _log_file(path: str) -> TextIO:
    try:
        return open(path, "a", encoding="utf-8")
    except OSError as error:
        _fail(f"cannot write the log: {error}")


def _start_python(flags: Sequence[str], words: Sequence[str]) -> int:
    """Start the same command in an interpreter with these flags; on POSIX this process becomes it."""
    if not sys.executable:
        _fail("the interpreter's own path is not known, so it cannot be started with other flags")
    start = ["-m", "hotswap"]
    if any(flag[1:2] in _HIDING_FLAGS for flag in flags):
        place = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        start = ["-c", _START_FROM.format(place)]
    command = _run.python_flags([*flags, *start, "run", *words])
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if os.name == "posix":
        os.execv(sys.executable, command)
    import subprocess

    child = subprocess.Popen(command)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the child was interrupted too, and decides
            continue


def _words_of(target: Target) -> list[str]:
    before = {"script": ["--", target.value], "module": ["-m", target.value], "code": ["-c", target.value]}
    return [*before.get(target.kind, ["-"]), *target.arguments]


def _doctor(words: Sequence[str]) -> int:
    import argparse
    import json
    import platform

    parser = argparse.ArgumentParser("hotswap doctor", description="Say what hotswap can do here.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(words)
    findings = {
        "hotswap": _native_version(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "executable": sys.executable,
        "enabled": enabled(),
        **_native_doctor(),
    }
    if options.json:
        print(json.dumps(findings, indent=2, default=str))
    else:
        _print_findings(findings)
    return 0


def _native_doctor() -> dict[str, Any]:
    try:
        from hotswap._hotswap import doctor
    except ImportError as error:
        return {"native": f"cannot be loaded: {error}"}
    return doctor()


def _native_version() -> str:
    try:
        from hotswap._hotswap import __version__
    except ImportError:
        return "unknown"
    return __version__


def _print_findings(findings: dict[str, Any]) -> None:
    colour = wants_colour(sys.stdout)
    for name, value in findings.items():
        if isinstance(value, (list, dict)):
            print(f"{name}:")
            entries = value.items() if isinstance(value, dict) else ((None, entry) for entry in value)
            for key, entry in entries:
                print("  " + _finding(key, entry, colour))
        else:
            print(f"{name}: {value}")


def _finding(key: str | None, entry: Any, colour: bool) -> str:
    if isinstance(entry, bool):
        entry = {"available": entry}
    if not isinstance(entry, dict):
        return str(entry) if key is None else f"{key}: {entry}"
    name = key or entry.get("name") or entry.get("capability") or ""
    available = bool(entry.get("available", entry.get("supported", True)))
    word = "yes" if available else "no "
    if colour:
        word = f"\x1b[{32 if available else 31}m{word}\x1b[0m"
    why = entry.get("reason") or entry.get("why") or ""
    return f"{word}  {name}" + (f": {why}" if why else "")


def _version() -> int:
    import platform

    print(f"hotswap {_native_version()} (Python {platform.python_version()})")
    return 0


def _run_parser() -> ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(
        "hotswap run",
        usage=_USAGE[len("usage: ") :].rstrip(),
        description="Run a program as python does, and apply every save of its sources while it runs.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--watch", metavar="PATH", action="append", default=[], help="watch this too (repeatable)")
    add("--include", metavar="GLOB", action="append", help="watch only files that match (repeatable)")
    add("--exclude", metavar="GLOB", action="append", help="leave out what matches (repeatable)")
    add("--poll", metavar="WHEN", type=_poll_argument, help="auto, on, off, or the period in seconds")
    add("--strategy", choices=STRATEGIES, help="patch: only what changed; reload: the module runs again")
    add("--consistency", choices=CONSISTENCIES, help="whether to wait until nobody runs the changed code")
    add(
        "--log",
        metavar="FILE",
        help="write to this file, not to stderr (where lines wait while a program draws)",
    )
    add("--quiet", action="store_true", help="say nothing on stderr")
    add("--verbose", action="store_true", help="also say why, and what is still in old code")
    add("--json", action="store_true", help="write each update as a line of JSON")
    return parser


def _poll_argument(text: str) -> object:
    if text in ("on", "off"):
        return text == "on"
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        import argparse

        raise argparse.ArgumentTypeError(f"expected auto, on, off or seconds, not {text!r}") from None


def _value(option: str, rest: list[str]) -> str:
    if not rest:
        _fail(f"argument expected for {option}")
    return rest.pop(0)


def _fail(message: str) -> NoReturn:
    print(f"hotswap: {message}", file=sys.stderr)
    raise SystemExit(2)
