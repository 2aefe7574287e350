"""The engine of this process, the thread that applies its updates, and the process events it must survive."""

from __future__ import annotations

import _thread
import atexit
import os
import sys
import time
from _collections import deque  # type: ignore[import-not-found]

from hotswap import _plugins
from hotswap._config import CHILDREN, Options
from hotswap._errors import HotswapError, NotWatchingError, RollbackError
from hotswap._finder import NotingFinder
from hotswap._logging import apply_logger, log_report, on_first_use, watch_logger
from hotswap._main_thread import is_main_thread
from hotswap._plain import replace
from hotswap._report import Report, merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Union

    from hotswap._control import Server
    from hotswap._hotswap import Engine, ReportDict

STOP_SECONDS = 2.0
"""How long `stop`, and the end of the interpreter, wait for an update in progress."""
PARK_SECONDS = 0.5
"""How long the end of the interpreter waits for a busy thread to stand still."""
FORK_SECONDS = 0.5
"""How long a fork waits for an update in another thread: the child would know only half of it, and would
inherit the locks of what that thread is importing."""
DISCOVERY_SECONDS = 5.0
"""The same for our own imports, which end by themselves."""
READY_SECONDS = 2.0
"""How long after its start a program is left alone before what the first update needs is loaded."""
LISTEN_SECONDS = 0.05
"""How long after its start others can ask this process: the program's first steps come first."""
IMPORTING_SECONDS = 1.0
"""How long at most a program that goes on importing is left alone, before either."""
REARM_SECONDS = 0.05
"""How long a forked child runs before it watches by itself: long enough for one that only calls exec."""
BEFORE_AFTER_ERROR = "a callback for updates failed"

before_callbacks: list[Callable[[], object]] = []
after_callbacks: list[Callable[[Report], object]] = []
listening_callbacks: list[Callable[[], object]] = []
"""Called, in this process and in its forks, before others can ask it."""
followers: list[Callable[[Report, float], object]] = []
"""Who follows the reports from outside of the program; called with the time as well, must not raise."""


class UpdateLoop:
    """One engine and its thread. Every method may be called from any thread.

    No lock of this class is held while the engine works: an update runs user
    code, and user code may call anything here.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.on_update: list[Callable[[Report], object]] = []
        self.history: deque[Report] = deque(maxlen=options.history)
        self.times: deque[float] = deque(maxlen=options.history)
        self._holders: set[object] = set()
        self._server: Server | None = None
        self._finder = NotingFinder(self._note_import)
        self._engine: Engine | None = None
        self._inheriting: Engine | None = None
        self._generation_base = 0
        self._thread: Thread | None = None
        self._importing = False
        # No lock guards these: a signal handler that syncs may come in the middle of anything.
        self._unsynced: deque[Report] = deque(maxlen=options.history)
        self._reset_threading()

    def start(self) -> None:
        """Read the sources, watch them, and apply what changes from now on."""
        global family
        if self.options.control:
            # Here, not in the thread that listens: a program may be going through sys.modules.
            import hotswap._control  # noqa: F401
        self._engine = _new_engine(self.options)
        self._finder.install()
        try:
            self._engine.start()
            self._thread = start_thread(self._run)
        except BaseException as error:
            self._finder.remove()
            self._engine.stop()
            if isinstance(error, RuntimeError):
                # An isolated interpreter may forbid threads, or those that do not keep it from ending.
                raise HotswapError(
                    f"hotswap needs a thread of its own, which cannot be started: {error}"
                ) from error
            raise
        if family is None:
            family = os.getpid()
        _arrange_process_events()

    def widen(self, options: Options, open_paths: list[tuple[str, ...] | None]) -> None:
        """Watch these options' paths as well as those of the open sessions; other settings stay."""
        if _covers(self.options.paths, options.paths):
            return
        wider = replace(self.options, paths=_union([*open_paths, options.paths]))
        self.options = wider
        old = self._engine
        new = _new_engine(wider)
        if old is not None:
            new.inherit(old)
        new.start()
        if self.paused:
            new.pause()
        self._generation_base = self.generation
        self._engine = new
        if old is not None:
            old.stop()

    @property
    def generation(self) -> int:
        """The generation that is running."""
        return self.history[-1].generation if self.history else self._generation_base

    @property
    def oldest(self) -> int:
        """The oldest generation that the present engine may know."""
        return self._generation_base

    @property
    def paused(self) -> bool:
        """Whether background updates are held back."""
        return not self._resumed.is_set()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def sync(self, timeout: float | None = None) -> Report:
        """Apply everything that differs on disk now, in this thread."""
        engine = self._armed_engine()
        if _thread.get_ident() in self._updating:
            return self._in_progress()
        report = self._update(lambda: engine.sync(timeout)) or self._empty_report()
        if not self._in_own_thread():
            # The thread may have committed a batch that it has not told of yet.
            self._idle.wait(STOP_SECONDS if timeout is None else timeout)
        unsynced = []
        while self._unsynced:
            try:
                unsynced.append(self._unsynced.popleft())
            except IndexError:  # another thread was faster
                break
        return merge([*unsynced, report])

    def checkpoint(self) -> Report | None:
        """Apply what has been waiting for the program's safe point. None: nothing has."""
        if not self._announced.is_set():
            return None
        self._announced.clear()
        engine = self._armed_engine()
        try:
            return self._update(engine.apply)
        finally:
            self._taken.set()

    def rollback(self, generation: int) -> Report:
        """Apply the code of an earlier generation."""
        engine = self._armed_engine()
        own = self._own_generation(generation)
        report = self._update(lambda: engine.rollback(own))
        return report or self._empty_report()

    def diff(self, a: int, b: int) -> str:
        """The unified diff of the sources between two generations."""
        engine = self._armed_engine()
        return engine.diff(self._own_generation(a), self._own_generation(b))

    def _own_generation(self, generation: int) -> int:
        """The number that the present engine has for a generation."""
        if generation < self._generation_base:
            raise RollbackError(
                f"generation {generation} was made before the watched paths were widened, or before a fork; "
                f"the oldest that can come back is {self._generation_base}"
            )
        return generation - self._generation_base

    def pause(self, holder: object) -> None:
        """Apply nothing in the background until everyone who paused has called `resume`."""
        self._holders.add(holder)
        self._resumed.clear()
        if self._engine is not None:
            self._engine.pause()

    def resume(self, holder: object) -> None:
        """Apply in the background again, first what changed meanwhile, unless others have paused too."""
        self._holders.discard(holder)
        if self._holders:
            return
        if self._engine is not None:
            self._engine.resume()
        self._resumed.set()
        if self._holders:  # somebody paused meanwhile, in another thread
            self._resumed.clear()
            if self._engine is not None:
                self._engine.pause()

    def status(self) -> dict[str, Any]:
        """What is watched, how, and what is not."""
        status = dict(self._armed_engine().status())
        status.update(generation=self.generation, paused=self.paused, pid=os.getpid())
        if "oldest_generation" in status:
            status["oldest_generation"] += self._generation_base
        server = self._server
        status["channel"] = {
            "path": None if server is None else server.path,
            "reason": "control = false" if not self.options.control else server.reason if server else "",
        }
        return status

    def stop(self, seconds: float = STOP_SECONDS, leaving: bool = False) -> None:
        """Watch no more. Waits for an update in progress, at most this long. Idempotent.

        `leaving`: the process ends.
        """
        self._stopping.set()
        self._finder.remove()
        if self._server is not None:
            self._server.stop()
        if self._engine is not None:
            self._engine.stop(leaving)
        self._resumed.set()
        self._taken.set()
        if self._thread is not None and not in_thread(self._thread):
            self._thread.join(seconds)
            if self._thread.is_alive():
                _unfinished.append(self)

    def abandon(self) -> None:
        """At the end of the interpreter: who is still in the middle of an update stands still for ever.

        Not in a sub-interpreter, whose end allows no thread that is still there: the update ends with an
        exception, as if its statement had raised it.
        """
        from hotswap._hotswap import is_main_interpreter, park_other, thread_ident

        busy = {self._engine.worker} if self._engine is not None else set()
        if self._thread is not None and self._thread.is_alive():
            busy.add(self._thread.ident)
        for ident in busy - {thread_ident()}:
            if ident is None:
                continue
            if is_main_interpreter():
                park_other(ident, ProcessEnds, PARK_SECONDS)
            else:
                park_other(ident, InterpreterEnds, 0)
                if self._thread is not None:
                    self._thread.join(PARK_SECONDS)

    def before_fork(self) -> None:
        """See to it that no update of another thread is under way, if it does not take long."""
        from hotswap._hotswap import Event

        thread = _thread.get_ident()
        if thread in self._forking:  # registered twice
            return
        engine = self._engine or self._inheriting
        self._forking[thread] = engine
        # No sleep of gevent's, which would let greenlets fork.
        started, pause = time.monotonic(), Event()
        while any(
            time.monotonic() < started + patience
            for other, patience in tuple(self._busy.items())
            if other != thread
        ):
            pause.wait(0.0005)
        if engine is not None:
            engine.before_fork(0.0 if self._busy else FORK_SECONDS)

    def after_fork(self) -> None:
        """In the parent: go on."""
        engine = self._forking.pop(_thread.get_ident(), None)
        if engine is not None:
            engine.after_fork()
        self._forked.set()

    def after_fork_in_child(self) -> None:
        """Forget the parent's engine, whose thread is not here, and watch with one of our own soon."""
        self._server = None
        if self.stopped:
            return
        paused = self.paused
        # A child that forks at once, as daemons do, has not begun to watch.
        parents = self._forking.get(_thread.get_ident()) or self._engine or self._inheriting
        self._engine = self._inheriting = None
        self._generation_base = self.generation
        self._unsynced.clear()
        self._reset_threading()
        if paused:
            self._resumed.clear()
        if parents is not None:
            # Nothing is made here but an object: most children only call exec.
            self._inheriting = _new_engine(self.options)
            self._inheriting.after_fork_in_child(parents)
        self._thread = start_thread(self._run_after_fork)

    def _in_own_thread(self) -> bool:
        return self._thread is not None and in_thread(self._thread)

    def _reset_threading(self) -> None:
        from hotswap._hotswap import Event

        self._updating: set[int] = set()
        # The threads that are in the middle of something, and how long a fork waits for them.
        self._busy: dict[int, float] = {}
        self._forking: dict[int, Engine | None] = {}
        self._forked = Event()
        self._arming = _thread.allocate_lock()
        self._stopping = Event()
        self._resumed = Event()
        self._resumed.set()
        self._idle = Event()
        self._idle.set()
        # With apply="checkpoint": a batch is whole, and the program has taken it.
        self._announced = Event()
        self._taken = Event()
        self._thread = None

    def _run(self) -> None:
        errands = [(READY_SECONDS, self._get_ready), (LISTEN_SECONDS, self._listen)]
        patience = time.monotonic() + IMPORTING_SECONDS
        while not self.stopped:
            engine = self._armed_engine()
            try:
                # A paused engine does not return, but goes on noting what is imported.
                whole = engine.wait(errands[-1][0] if errands else None)
                if not whole and errands:
                    if self._importing and time.monotonic() < patience:
                        self._importing = False
                        continue
                    _, errand = errands.pop()
                    if not self.stopped:
                        self._begin(DISCOVERY_SECONDS)
                        try:
                            errand()
                        finally:
                            self._end()
                    continue
                self._resumed.wait()
                if whole and not self.stopped and self._engine is engine:
                    self._apply(engine)
            except Exception:
                if self.stopped or self._engine is not engine:
                    continue
                apply_logger.exception("an update failed inside hotswap; the program runs on")
                self._stopping.wait(0.1)

    def _get_ready(self) -> None:
        """Load what the first update would have to wait for."""
        if "logging" in sys.modules:
            apply_logger.made()
        _plugins.load()
        self._armed_engine().get_ready()

    def _listen(self) -> None:
        """Open the control channel of this process."""
        if not self.options.control:
            return
        from hotswap._control import Server

        for callback in tuple(listening_callbacks):
            _call(callback)
        self._server = server = Server()
        server.start()
        if self.stopped:
            server.stop()

    def _apply(self, engine: Engine) -> None:
        if self.options.apply == "checkpoint":
            self._taken.clear()
            self._announced.set()
            self._taken.wait()
            return
        self._idle.clear()
        try:
            self._update(engine.apply)
        finally:
            self._idle.set()

    def _run_after_fork(self) -> None:
        if self._stopping.wait(REARM_SECONDS):
            return
        try:
            self._armed_engine()
        except Exception:
            watch_logger.exception("changes are not watched in this forked child")
            return
        self._run()

    def _armed_engine(self) -> Engine:
        if self._engine is None:
            with self._arming:
                if self._engine is None:
                    engine = self._inheriting or _new_engine(self.options)
                    engine.start()
                    if self.paused:
                        engine.pause()
                    self._engine = engine
                    self._inheriting = None
        return self._engine

    def _note_import(self, name: str) -> None:
        if self._engine is not None:
            self._importing = True
            self._engine.note_import(name)

    def _update(self, work: Callable[[], ReportDict | None]) -> Report | None:
        thread = _thread.get_ident()
        if thread in self._updating:  # called by a statement, or by one of the callbacks below
            return self._in_progress()
        self._updating.add(thread)
        self._begin(FORK_SECONDS)
        try:
            report = self._update_alone(work)
        finally:
            self._end()
            self._updating.discard(thread)
        interrupted = (
            report is not None and report.error is not None and report.error.type == "KeyboardInterrupt"
        )
        if interrupted and is_main_thread():
            # The user means the program, not the update, which was rolled back and reported.
            raise KeyboardInterrupt
        return report

    def _begin(self, patience: float) -> None:
        """Wait for another thread that is forking; then have forks wait for this one."""
        thread = _thread.get_ident()
        deadline = time.monotonic() + FORK_SECONDS
        while any(other != thread for other in tuple(self._forking)) and time.monotonic() < deadline:
            self._forked.clear()
            self._forked.wait(0.01)
        self._busy[thread] = patience

    def _end(self) -> None:
        self._busy.pop(_thread.get_ident(), None)

    def _in_progress(self) -> Report:
        return self._empty_report("an update is in progress in this thread")

    def _empty_report(self, *notes: str) -> Report:
        return Report(generation=self.generation, notes=notes)

    def _update_alone(self, work: Callable[[], ReportDict | None]) -> Report | None:
        report = None
        try:
            for before in tuple(before_callbacks):
                _call(before)
            value = _plugins.run_update(work, self._diff_of_engine)
            report = None if value is None else Report.from_dict(value)
            if report is not None and self._generation_base:
                report = replace(report, generation=report.generation + self._generation_base)
            if report is not None and report.status != "unchanged":
                self._publish(report)
        finally:
            outcome = report or self._empty_report()
            for after in tuple(after_callbacks):
                _call(after, outcome)
        return report

    def _diff_of_engine(self, a: int, b: int) -> str:
        if self._engine is None:
            return ""
        try:
            return self._engine.diff(a, b)
        except NotWatchingError:
            return ""  # the program has ended since: nothing is left to be withdrawn

    def _publish(self, report: Report) -> None:
        when = time.time()
        self.history.append(report)
        self.times.append(when)
        if self._in_own_thread():
            self._unsynced.append(report)
            from hotswap._hotswap import give_way

            # Nobody needs to wait for what is told of the update; it is done.
            give_way()
        log_report(report)
        for callback in tuple(self.on_update):
            _call(callback, report)
        for follower in tuple(followers):
            follower(report, when)


class InterpreterEnds(BaseException):
    """Raised in a thread that is in the middle of an update when its sub-interpreter ends."""


class ProcessEnds(BaseException):
    """Raised in a thread that is in the middle of an update when the interpreter ends.

    An instance is never there: who makes one is parked. The interpreter would end that thread by
    unwinding its stack, through frames that cannot be unwound.
    """

    def __init__(self) -> None:
        from hotswap._hotswap import park

        park()


def require_native() -> None:
    """Say why, in an interpreter that cannot have the native part."""
    try:
        import hotswap._hotswap  # noqa: F401
    except ImportError as error:
        if "subinterpreters" not in str(error):
            raise
        raise HotswapError(
            "hotswap cannot run in an interpreter with a lock (GIL) of its own: its native part serves the "
            "main interpreter's lock only. Call hotswap.watch() there, or make this one with that lock"
        ) from error


def _new_engine(options: Options) -> Engine:
    from hotswap._hotswap import Engine

    return Engine(options.for_engine())


def _covers(old: tuple[str, ...] | None, new: tuple[str, ...] | None) -> bool:
    if old is None or new is None:
        return old is None
    return all(any(_inside(path, root) for root in old) for path in new)


def _union(all_paths: list[tuple[str, ...] | None]) -> tuple[str, ...] | None:
    """What the sessions watch together; None is every imported module."""
    union: list[str] = []
    for paths in all_paths:
        if paths is None:
            return None
        union += [path for path in paths if not any(_inside(path, root) for root in union)]
    return tuple(union)


def _inside(path: str, root: str) -> bool:
    try:
        return os.path.commonpath((path, root)) == root
    except ValueError:  # on different drives
        return False


def _call(callback: Callable[..., object], *arguments: object) -> None:
    try:
        callback(*arguments)
    except Exception:
        apply_logger.exception("%s: %r", BEFORE_AFTER_ERROR, callback)


class NativeThread:
    """A thread of the system that `threading` does not know; what is used of `threading.Thread`."""

    def __init__(self, target: Callable[[], None], start: Callable[[Callable[[], None]], object]) -> None:
        from hotswap._hotswap import Event

        self._target = target
        self._start = start
        self._ended = Event()
        self.ident: int | None = None

    def start(self) -> None:
        self._start(self._run)

    def join(self, timeout: float | None = None) -> None:
        self._ended.wait(timeout)

    def is_alive(self) -> bool:
        return not self._ended.is_set()

    def _run(self) -> None:
        from hotswap._hotswap import thread_ident

        self.ident = thread_ident()
        try:
            self._target()
        finally:
            self._ended.set()


if TYPE_CHECKING:
    import threading

    Thread = Union[threading.Thread, NativeThread]


def in_thread(thread: Thread) -> bool:
    """Whether this is that thread."""
    from hotswap._hotswap import thread_ident

    return thread.ident == thread_ident()


def start_thread(target: Callable[[], None], name: str = "hotswap") -> Thread:
    """Run this in a new thread of the system, which does not keep the process alive."""
    thread = _new_thread(target, name)
    thread.start()
    return thread


def _new_thread(target: Callable[[], None], name: str) -> Thread:
    allowed = getattr(_thread, "daemon_threads_allowed", None)
    if "threading" not in sys.modules and (allowed is None or allowed()):
        # Its import takes as long as all of hotswap, and the program may do without it. It is left to say
        # why not in an interpreter that ends only when its threads have.
        return NativeThread(target, lambda run: _thread.start_new_thread(run, ()))
    import threading

    start = getattr(threading, "_start_joinable_thread", None) or getattr(
        threading, "_start_new_thread", None
    )
    if isinstance(start, type(len)):
        return threading.Thread(target=target, name=name, daemon=True)
    # gevent or eventlet has put greenlets in the place of threads, or a module of the program has that name.
    from hotswap._hotswap import start_thread as start_native

    return NativeThread(target, start_native)


_forks_arranged = False
_exit_arranged = False
_unfinished: list[UpdateLoop] = []
"""Loops that were stopped while their thread was busy, and that may still be."""
process_lock = _thread.RLock()
"""Held while the loop of this process is made or given up."""
last_fork: float | None = None
"""When this process has forked."""
family: int | None = None
"""The first process that watched, of which this one is a fork or a worker."""
current: UpdateLoop | None = None
"""The loop of this process. There is one at most: an edit may concern modules of every watched path."""


def _arrange_process_events() -> None:
    global _exit_arranged, _forks_arranged
    if not _exit_arranged:
        _exit_arranged = True
        atexit.register(_at_exit)
    if not _forks_arranged and hasattr(os, "register_at_fork"):
        _forks_arranged = True
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
        )
        # What was registered last is asked first. `logging`, imported since, would take its lock, and then
        # this would wait for an update that wants to log.
        on_first_use.append(lambda: os.register_at_fork(before=_before_fork))


def forget_process_events() -> None:
    """Take back what can be taken back of that, once nothing is watched any more.

    The interpreter forgets no hook for forks; ours do nothing then.
    """
    global _exit_arranged
    with process_lock:
        if current is None and not _unfinished and _exit_arranged:
            _exit_arranged = False
            atexit.unregister(_at_exit)


def _at_exit() -> None:
    loops = [*_unfinished]
    if current is not None:
        current.stop(leaving=True)
        loops.append(current)
    for loop in loops:
        loop.abandon()


def _before_fork() -> None:
    if current is not None:
        current.before_fork()


def _after_fork() -> None:
    global last_fork
    last_fork = time.monotonic()
    if current is not None:
        current.after_fork()


def _after_fork_in_child() -> None:
    global process_lock
    process_lock = _thread.RLock()
    _plugins.after_fork_in_child()
    told = os.environ.get(CHILDREN)
    if told is not None:
        # What this process starts is its own.
        os.environ[CHILDREN] = f"{os.getpid()} {told.partition(' ')[2]}"
    control = sys.modules.get("hotswap._control")
    if control is not None:
        control.after_fork_in_child()
    if current is not None:
        current.after_fork_in_child()
    attached = sys.modules.get("hotswap._attached")
    if attached is not None:
        attached.after_fork_in_child()
