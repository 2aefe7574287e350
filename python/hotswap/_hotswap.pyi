"""Types of the native part. Everything here is wrapped by the public API; see `hotswap`."""

from collections.abc import Callable
from typing import Any, TypedDict, final, type_check_only

__version__: str

@type_check_only
class ChangeDict(TypedDict):
    """One entry of a report."""

    qualname: str
    module: str
    file: str
    line: int
    kind: str
    """`function`, `class`, `method`, `attribute`, `statement`, `import`, `module`, `instance`."""
    action: str
    """`patched`, `rebound`, `re-ran`, `migrated`, `added`, `removed`, `kept`, `stale`, `not applied`, `moved`."""
    reason: str
    advice: str

@type_check_only
class ErrorDict(TypedDict):
    """Why an update (or one group of it) was rejected."""

    type: str
    message: str
    file: str
    line: int
    traceback: str

@type_check_only
class GroupDict(TypedDict):
    """Files that succeed or fail together."""

    status: str
    files: list[str]
    changes: list[ChangeDict]
    error: ErrorDict | None

@type_check_only
class PendingDict(TypedDict):
    """Code that is still running in an old version."""

    where: str
    qualname: str
    file: str
    line: int
    reason: str

@type_check_only
class ReportDict(TypedDict):
    """One update, as plain data."""

    generation: int
    status: str
    groups: list[GroupDict]
    files: list[str]
    changes: list[ChangeDict]
    pending: list[PendingDict]
    error: ErrorDict | None
    duration_ms: dict[str, float]
    notes: list[str]

@final
class Engine:
    """One watching engine; made by `hotswap.watch`."""

    def __new__(cls, options: dict[str, Any]) -> Engine:
        """Options: paths (list of absolute paths or None), include, exclude (lists of globs),
        poll ("auto", True, False or seconds), strategy ("patch" or "reload"),
        apply ("immediate" or "checkpoint"), consistency ("auto", "immediate" or "quiescent"),
        quiescence_timeout (seconds), only_import_exist (bool), interval (seconds), history (count), history_bytes."""
    def start(self) -> None:
        """Read the sources below the paths and start the native watcher thread."""
    def inherit(self, other: Engine) -> None:
        """Where paths are added, before `start`: take over what another engine knows of files and modules."""
    def before_fork(self, seconds: float) -> None:
        """Before a fork: wait at most this long for an update in another thread; none begins until `after_fork`."""
    def after_fork(self) -> None:
        """After a fork, in the parent."""
    def after_fork_in_child(self, parent: Engine) -> None:
        """In a forked child, before `start`: take over what the parent's engine knows, and give that up."""
    def wait(self, timeout: float | None = None) -> bool:
        """Block with the GIL released until a batch of changed files is whole. False: time is up, or stopped."""
    def note_import(self, name: str) -> None:
        """An import of this module begins (called by the noting finder; microseconds)."""
    def apply(self) -> ReportDict | None:
        """Apply what `wait` announced. None: nothing to do (new modules were noted, or the content was the same)."""
    def sync(self, timeout: float | None = None) -> ReportDict:
        """Apply everything that differs on disk now, in this thread."""
    def rollback(self, generation: int) -> ReportDict:
        """Apply the code of an earlier generation again."""
    def diff(self, a: int, b: int) -> str:
        """The unified diff of the sources between two generations."""
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def get_ready(self) -> None:
        """Do what the first update would have to wait for."""
    def stop(self, leaving: bool = False) -> None:
        """Stop the native thread and forget everything. Idempotent, also in a forked child.

        `leaving`: the process ends, and does not wait for what the system does by itself.
        """
    @property
    def stopped(self) -> bool: ...
    @property
    def worker(self) -> int | None:
        """The identifier of the thread that works on an update now."""
    def status(self) -> dict[str, Any]:
        """generation, paused, watched (files, directories, polled directories), pending, notes, uncovered modules,
        pinned (files whose content on disk is not what runs, with the generation that does),
        oldest_generation that can come back, history_bytes."""

@final
class Event:
    """As `threading.Event`, between threads of the system whatever `threading` has become."""

    def __new__(cls) -> Event: ...
    def set(self) -> None: ...
    def clear(self) -> None: ...
    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> bool: ...

def start_thread(target: Callable[[], object]) -> None:
    """Run this in a new thread of the system."""

def give_way() -> None:
    """Let another thread run that waits for the GIL."""

def restore_order(container: dict[Any, Any], order: dict[Any, Any]) -> None:
    """Give the keys of a dict the order that they have in another one, at one moment for all threads."""

def thread_ident() -> int:
    """The number of this thread of the system."""

def first_thread_ident() -> int | None:
    """The number of the thread that initialised the interpreter; None: it cannot be told."""

def is_main_interpreter() -> bool: ...
def peek(thing: object, name: str, default: Any = None) -> Any:
    """What `getattr` gives where no code of the program has a say in it: a lazy object would set itself up."""

def park() -> None:
    """Let go of the interpreter for ever: this thread never returns."""

def park_other(ident: int, kind: type[BaseException], seconds: float) -> bool:
    """Raise this in another thread, where making an instance parks it. False: that did not happen in time."""

def doctor() -> dict[str, Any]:
    """What this interpreter offers: a list of capabilities with whether, and why not."""

@type_check_only
class AttachmentDict(TypedDict):
    """What was done in another process."""

    channel: int
    """The descriptor of this process's end of the socket pair, which the caller owns."""
    thread: int
    """The thread that was stopped."""
    reason: str
    """Why it was thought safe."""
    tries: int
    pause: float
    """Seconds that the thread stood still."""
    interpreter: str
    """The name of the file that the interpreter is in."""

@type_check_only
class ProcessDict(TypedDict):
    """A Python process of this machine."""

    pid: int
    uid: int
    version: str
    """`"3.12"`, or empty where it cannot be told from outside."""
    command: list[str]
    hotswap: bool

def attach(pid: int, source: str, patience: float, despite_seccomp: bool) -> AttachmentDict:
    """Start ASCII source in another process. `patience`: seconds. Raises `hotswap.AttachError`."""

def python_processes() -> list[ProcessDict]:
    """The Python processes that this one may look into."""

def memory_file(name: str, content: bytes) -> int:
    """A descriptor of a file in memory with this content; `os.memfd_create` is not always there."""
