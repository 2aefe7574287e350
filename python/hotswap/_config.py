"""Settings: `[tool.hotswap]` in pyproject.toml, below `HOTSWAP_*` variables, below arguments."""

from __future__ import annotations

import os
import sys

from hotswap._errors import HotswapConfigError
from hotswap._logging import watch_logger
from hotswap._plain import asdict

# Importing `typing` takes longer than all of hotswap.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from dataclasses import dataclass
    from typing import Any, Union

    StrPath = Union[str, "os.PathLike[str]"]
else:
    from hotswap._plain import dataclass

STRATEGIES = ("patch", "reload")
APPLY = ("immediate", "checkpoint")
CONSISTENCIES = ("auto", "immediate", "quiescent")
_OFF = frozenset(("0", "off", "false", "no"))
CHILDREN = "HOTSWAP_CHILDREN"
"""Set by `hotswap run`, for the workers that its program starts."""
_SWITCHES = frozenset(("HOTSWAP_NO_ATTACH", "HOTSWAP_WHEELS", CHILDREN))
"""Variables that are no settings."""
_TRUE = frozenset(("1", "on", "true", "yes"))


@dataclass(frozen=True)
class Options:
    """The settings of the engine, all checked."""

    paths: tuple[str, ...] | None = None
    """Absolute paths of files and directories; None for every imported module but the standard library."""
    include: tuple[str, ...] = ()
    """Globs; where there are any, only files that match one are watched."""
    exclude: tuple[str, ...] = ()
    """Globs of files and directories to leave out."""
    poll: str | bool | float = "auto"
    """`auto`, True, False, or the polling period in seconds."""
    strategy: str = "patch"
    """`patch`: only what changed; `reload`: the whole module runs once more."""
    apply: str = "immediate"
    """`immediate`, or `checkpoint`: only where the program calls `hotswap.checkpoint()`."""
    consistency: str = "auto"
    """`auto`, `immediate` or `quiescent`."""
    quiescence_timeout: float = 1.0
    """Seconds to wait, at most, for running code to leave the changed definitions."""
    only_import_exist: bool = True
    """False: a new file is imported at once."""
    interval: float = 2.0
    """Seconds after which a change is applied at the latest; the period where polling is needed."""
    history: int = 100
    """Reports and generations to remember."""
    history_bytes: int = 64 * 1024 * 1024
    """Bytes that the sources of earlier generations may take; the oldest are forgotten beyond."""

    control: bool = True
    """Whether `hotswap status` and its like reach this process, through a socket of its user."""
    allow_world_writable: bool = False
    """True: root may watch what other users can write, who can then run code as root."""

    def for_engine(self) -> dict[str, Any]:
        """The settings as the native engine takes them."""
        options: dict[str, Any] = asdict(self)
        for key in ("paths", "include", "exclude"):
            options[key] = None if options[key] is None else list(options[key])
        for key in ("control", "allow_world_writable"):
            del options[key]
        return options


def enabled() -> bool:
    """False if `HOTSWAP=0` turned everything off."""
    return os.environ.get("HOTSWAP", "").strip().lower() not in _OFF


def resolve(
    paths: Sequence[StrPath],
    arguments: Mapping[str, Any],
    defaults: Mapping[str, Any] | None = None,
    with_configured_paths: bool = False,
) -> Options:
    """The settings for watching these paths. An argument that is None counts as not given.

    The paths take the place of the configured ones, or stand beside them.
    """
    watched = [_absolute(path) for path in paths]
    settings = {**(defaults or {}), **_from_pyproject(watched), **_from_environment()}
    for name, value in arguments.items():
        if value is not None:
            settings[name] = _CHECKS[name](value, f"argument {name}={value!r}")
    if watched:
        configured = settings.get("paths") if with_configured_paths else None
        settings["paths"] = tuple(dict.fromkeys((*watched, *(configured or ()))))
    return Options(**settings)


def nearest_pyproject(path: str) -> str | None:
    """The pyproject.toml at or above this path."""
    folder = os.path.abspath(path)
    while True:
        candidate = os.path.join(folder, "pyproject.toml")
        if os.path.isfile(candidate):
            return candidate
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _from_pyproject(watched: Sequence[str]) -> dict[str, Any]:
    try:
        pyproject = nearest_pyproject(watched[0] if watched else os.getcwd())
        text = ""
        if pyproject is not None:
            with open(pyproject, encoding="utf-8") as file:
                text = file.read()
    except FileNotFoundError:  # the working directory is gone
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise HotswapConfigError(f"{pyproject}: cannot be read: {error}") from error
    if pyproject is None or not _has_table(text):
        return {}
    table = _parse_toml(pyproject, text).get("tool", {}).get("hotswap", {})
    if not isinstance(table, dict):
        raise HotswapConfigError(f"{pyproject}: tool.hotswap must be a table")
    settings = {}
    for name, value in table.items():
        place = f"{pyproject}: [tool.hotswap] {name} = {value!r}"
        check = _CHECKS.get(name)
        if check is None:
            raise HotswapConfigError(f"{place}: no such setting{_did_you_mean(name, '')}")
        settings[name] = check(value, place)
    if settings.get("paths") is not None:
        folder = os.path.dirname(pyproject)
        settings["paths"] = tuple(os.path.join(folder, path) for path in settings["paths"])
    return settings


def _has_table(text: str) -> bool:
    """Whether there may be a table `tool.hotswap`, which is worth ten milliseconds of parsing.

    That a project depends on hotswap is not.
    """
    if "hotswap" not in text:
        return False
    bare = "".join(letter for letter in text if letter not in " \t\"'")
    return any(words in bare for words in ("tool.hotswap", "[tool]", "tool={"))


def _parse_toml(path: str, text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise HotswapConfigError(f"{path}: not valid TOML: {error}") from error


def _from_environment() -> dict[str, Any]:
    settings = {}
    for variable, text in os.environ.items():
        if not variable.startswith("HOTSWAP_") or not text or variable in _SWITCHES:
            continue
        name = variable[len("HOTSWAP_") :].lower()
        check = _CHECKS.get(name)
        if check is None:  # perhaps another program's; an error would stop ours
            watch_logger.warning("%s=%s: no such setting%s", variable, text, _did_you_mean(name, "HOTSWAP_"))
            continue
        settings[name] = check(_from_text(name, text), f"{variable}={text}")
    if settings.get("paths") is not None:
        settings["paths"] = tuple(_absolute(path) for path in settings["paths"])
    return settings


def _from_text(name: str, text: str) -> object:
    if name in ("paths", "include", "exclude"):
        return [part for part in text.split(os.pathsep) if part]
    lower = text.strip().lower()
    if name in ("control", "allow_world_writable", "only_import_exist") or (
        name == "poll" and lower in _OFF | _TRUE and lower not in ("0", "1")
    ):
        return lower in _TRUE if lower in _OFF | _TRUE else text
    if name in ("history", "history_bytes") and lower.isdigit():
        return int(lower)
    if name in ("poll", "quiescence_timeout", "interval"):
        try:
            return float(lower)
        except ValueError:
            return text
    return text


def _one_of(choices: tuple[str, ...]) -> Callable[[object, str], str]:
    def check(value: object, place: str) -> str:
        if isinstance(value, str) and value in choices:
            return value
        raise HotswapConfigError(f"{place}: expected one of {', '.join(choices)}")

    return check


def _globs(value: object, place: str) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise HotswapConfigError(f"{place}: expected a list of strings")


def _seconds(value: object, place: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    raise HotswapConfigError(f"{place}: expected a number of seconds")


def _poll(value: object, place: str) -> str | bool | float:
    if value == "auto" or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)) and 0 < value < float("inf"):
        return float(value)
    raise HotswapConfigError(f"{place}: expected auto, true, false or a number of seconds above 0")


def _boolean(value: object, place: str) -> bool:
    if isinstance(value, bool):
        return value
    raise HotswapConfigError(f"{place}: expected true or false")


def _count(value: object, place: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise HotswapConfigError(f"{place}: expected a whole number of at least 1")


_CHECKS: dict[str, Callable[[object, str], Any]] = {
    "paths": _globs,
    "include": _globs,
    "exclude": _globs,
    "poll": _poll,
    "strategy": _one_of(STRATEGIES),
    "apply": _one_of(APPLY),
    "consistency": _one_of(CONSISTENCIES),
    "quiescence_timeout": _seconds,
    "only_import_exist": _boolean,
    "interval": _seconds,
    "history": _count,
    "history_bytes": _count,
    "control": _boolean,
    "allow_world_writable": _boolean,
}
assert set(_CHECKS) == set(Options.__annotations__)


def _did_you_mean(name: str, prefix: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, _CHECKS, 1)
    if not close:
        names = ", ".join(prefix + (key.upper() if prefix else key) for key in sorted(_CHECKS))
        return f"; there are {names}"
    return f"; did you mean {prefix + close[0].upper() if prefix else close[0]}?"


def _absolute(path: StrPath) -> str:
    return os.path.abspath(os.fspath(path))
