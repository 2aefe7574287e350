"""`hotswap attach` and `hotswap ps`: the end that asks. `_attached.py` is what runs in the other process.

The native part starts `_BOOTSTRAP` in a new thread of the target, with one end of a socket pair. That says
what it finds there, in one line of words; it is answered with hotswap itself, as far as the target lacks it:
the package as code or source, the extension as a descriptor of a file in memory. From then on both ends speak
the language of `_control.py`. Nothing that comes from the target is ever taken for more than JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
import marshal
import os
import select
import socket
import struct
import sys
import time
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from hotswap._attached import PROTOCOL
from hotswap._errors import AttachError, TraceError
from hotswap._report import Report
from hotswap._stream_log import StreamLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

PATIENCE = 5.0
"""Seconds in which a thread of the target has to come to a safe place."""
TIMEOUT = 30.0
"""Seconds in which the target has to answer, which it can when its GIL is free."""
SAY_AFTER = 1.0
"""Seconds after which the user is told that the GIL is waited for."""
END_SECONDS = 5.0
"""How long the end of an attachment is waited for."""

# Runs in a thread that Python does not know, in an interpreter that may lack nearly everything: so it
# imports built-in modules only. The first import of `threading` is left to `_main_thread.py`.
_BOOTSTRAP = r'''
def begin():
    import _imp, _signal, _socket, sys
    channel = _socket.socket(fileno=CHANNEL)
    channel.settimeout(None)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, SIGNALS)

    def say(*words):
        line = " ".join(words).replace("\n", "\\n") + "\n"
        channel.sendall(line.encode("utf-8", "replace"), _socket.MSG_NOSIGNAL)

    def receive(size):
        parts = []
        while size:
            part = channel.recv(min(size, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    class Package:
        """hotswap as it came over the channel: finder and loader."""

        def __init__(self, modules, extension):
            self.modules = modules
            self.extension = extension

        def install(self):
            if self not in sys.meta_path:
                sys.meta_path.append(self)

        def remove(self):
            if self in sys.meta_path:
                sys.meta_path.remove(self)

        def find_spec(self, name, path=None, target=None):
            from importlib.machinery import ExtensionFileLoader, ModuleSpec
            if name == "hotswap._hotswap" and self.extension is not None:
                place = "/proc/self/fd/%d" % self.extension
                return ModuleSpec(name, ExtensionFileLoader(name, place), origin=place)
            if name not in self.modules:
                return None
            place = "<hotswap attach>/" + name.replace(".", "/") + ".py"
            return ModuleSpec(name, self, origin=place, is_package=self.modules[name][1])

        def create_module(self, spec):
            return None

        def exec_module(self, module):
            code = self.modules[module.__name__][0]
            if isinstance(code, bytes):
                import marshal
                code = marshal.loads(code)
            else:
                code = compile(code, module.__spec__.origin, "exec", dont_inherit=True)
            exec(code, module.__dict__)

    try:
        if hasattr(sys, "audit"):
            sys.audit("hotswap.attach", ASKER_PID, ASKER_UID)
        environment = getattr(sys.modules.get("os"), "environ", {})
        if environment.get("HOTSWAP_NO_ATTACH", "0") not in ("", "0"):
            return say("refused", "HOTSWAP_NO_ATTACH is set in its environment, which forbids attaching")
        if not getattr(sys, "is_remote_debug_enabled", lambda: True)():
            return say("refused", "it was started with remote debugging turned off")
        from importlib.machinery import PathFinder
        own = sys.modules.get("hotswap")
        native = sys.modules.get("hotswap._hotswap")
        installed = own is None and PathFinder.find_spec("hotswap") is not None
        say("hotswap", "PROTOCOL", "%d.%d.%d" % sys.version_info[:3], _imp.extension_suffixes()[0],
            getattr(native, "__version__", "unknown") if own is not None and native is not None else "-",
            "installed" if installed else "-")
        data, extra, _, _ = channel.recvmsg(8, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
        if not data:
            raise EOFError
        extension = int.from_bytes(extra[0][2][:4], sys.byteorder) if extra else None
        data += receive(8 - len(data))
        import marshal
        modules = marshal.loads(receive(int.from_bytes(data, "big")))
        package = None
        if modules:
            package = Package(modules, extension)
            package.install()
        elif own is not None:
            install = getattr(own.__spec__.loader, "install", None)
            if install is not None:
                install()
        try:
            import hotswap._hotswap
        finally:
            if extension is not None:
                import posix
                posix.close(extension)
            if package is not None and getattr(sys.modules.get("hotswap"), "__loader__", None) is not package:
                package.remove()  # another attachment was faster
        from hotswap import _attached
        _attached.start(channel)
        channel = None
    except EOFError:
        pass
    except BaseException as error:
        try:
            import traceback
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            say("failed", type(error).__name__ + ": " + str(error) + "\n" + text)
        except BaseException:
            pass
    finally:
        if channel is not None:
            channel.close()


begin()
'''


class Target:
    """A process to which a channel is open."""

    def __init__(self, pid: int, connection: socket.socket, found: dict[str, Any]) -> None:
        self.pid = pid
        self.found = found
        """What the native part says of the way in."""
        self.version = ""
        self._connection = connection
        self._text = b""

    def receive_line(self, timeout: float | None) -> bytes | None:
        """The next line, without its end; None if there was none in time. EOFError: nobody is there."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._text:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._connection], [], [], left)[0]:
                return None
            try:
                received = self._connection.recv(1 << 16)
            except ConnectionResetError:
                received = b""
            if not received:
                raise EOFError
            self._text += received
        line, _, self._text = self._text.partition(b"\n")
        return line

    def receive(self, timeout: float | None) -> dict[str, Any] | None:
        """The next message."""
        line = self.receive_line(timeout)
        if line is None:
            return None
        message = json.loads(line)
        if not isinstance(message, dict):
            raise AttachError(f"process {self.pid} sent something that is no message: {line[:80]!r}")
        return message

    def send(self, **message: Any) -> None:
        """Send a command."""
        try:
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            raise EOFError from None

    def send_package(self, payload: bytes, extension: bytes | None) -> None:
        """Send what the target lacks of hotswap; the extension as a descriptor."""
        from hotswap._hotswap import memory_file

        ancillary: list[tuple[int, int, bytes]] = []
        descriptor = None if extension is None else memory_file("hotswap", extension)
        if descriptor is not None:
            ancillary.append((socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor)))
        try:
            self._connection.sendmsg([len(payload).to_bytes(8, "big")], ancillary)
            self._connection.sendall(payload)
        except OSError:
            raise EOFError from None
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def close(self) -> None:
        self._connection.close()


def connect(
    pid: int,
    wheels: Sequence[str] = (),
    timeout: float = TIMEOUT,
    despite_seccomp: bool = False,
    tell: Any = None,
) -> Target:
    """Bring hotswap into another process, where it waits for commands.

    `wheels` are wheels, or directories of them, to take the extension from. `timeout`: seconds. `tell` is
    called with a line for the user if the wait is long. Raises `AttachError`.
    """
    from hotswap._hotswap import attach

    source = _BOOTSTRAP.replace("PROTOCOL", str(PROTOCOL))
    source = source.replace("ASKER_PID", str(os.getpid())).replace("ASKER_UID", str(os.getuid()))
    try:
        found: dict[str, Any] = {**attach(pid, source, PATIENCE, despite_seccomp)}
        connection = socket.socket(fileno=found["channel"])
    except TraceError as error:
        connection, found = _ask_interpreter(pid, source, timeout, error)
    target = Target(pid, connection, found)
    try:
        _hand_over(target, wheels, timeout, tell)
    except EOFError:
        target.close()
        raise AttachError(f"process {pid} ended before hotswap was there") from None
    except BaseException:
        target.close()
        raise
    return target


_FROM_SCRIPT = """
import _socket, _thread
connection = _socket.socket(_socket.AF_UNIX)
connection.connect({path!r})
names = {{"CHANNEL": connection.detach(), "SIGNALS": ()}}
_thread.start_new_thread(exec, ({source!r}, names))
"""


def _ask_interpreter(
    pid: int, source: str, timeout: float, refusal: TraceError
) -> tuple[socket.socket, dict[str, Any]]:
    """The way of PEP 768, for where threads may not be stopped: the interpreter runs a script by itself.

    From CPython 3.14, of the same minor version at both ends. It comes to that when its main thread next runs
    Python code. Raises `refusal` where this way is not open either.
    """
    remote_exec = getattr(sys, "remote_exec", None)
    if remote_exec is None:
        raise refusal
    import tempfile

    with tempfile.TemporaryDirectory(prefix="hotswap-") as folder:  # for this user only
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(folder, "channel"))
        listener.listen(1)
        script = os.path.join(folder, "start.py")
        with open(script, "x", encoding="ascii") as file:
            file.write(_FROM_SCRIPT.format(path=listener.getsockname(), source=source))
        try:
            remote_exec(pid, script)
        except (OSError, RuntimeError):
            raise refusal from None
        listener.settimeout(timeout)
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            raise AttachError(
                f"{refusal}. Its interpreter was asked to let hotswap in, but its main thread ran no Python "
                f"code within {timeout:g} s"
            ) from None
        finally:
            listener.close()
    peer = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if peer[0] != pid:
        connection.close()
        raise AttachError(f"process {peer[0]} has answered in the place of {pid}")
    connection.settimeout(None)
    how = {"thread": pid, "reason": "the interpreter let hotswap in by itself", "tries": 0, "pause": 0.0}
    return connection, {**how, "interpreter": ""}


def _hand_over(target: Target, wheels: Sequence[str], timeout: float, tell: Any) -> None:
    words = _first_words(target, timeout, tell)
    protocol, target.version, suffix, loaded, installed = words
    if int(protocol) != PROTOCOL:
        raise AttachError(f"process {target.pid} answers in another way than this hotswap understands")
    modules: dict[str, tuple[Any, bool]] = {}
    extension = None
    if loaded == "-":
        modules, extension = _package_for(target, suffix, installed != "-", wheels)
    target.send_package(marshal.dumps(modules, 2), extension)


def _first_words(target: Target, timeout: float, tell: Any) -> list[str]:
    line = target.receive_line(min(SAY_AFTER, timeout))
    if line is None:
        if tell is not None:
            tell(f"waiting for the GIL of process {target.pid}: some code in it holds it")
        line = target.receive_line(max(0.0, timeout - SAY_AFTER))
    if line is None:
        raise AttachError(
            f"process {target.pid} did not give its GIL away within {timeout:g} s; nothing was changed "
            f"in it. Try again, or wait longer with --timeout"
        )
    first, *words = line.decode("utf-8", "replace").split(" ")
    if first == "hotswap" and len(words) == 5:
        return words
    raise _failure(target.pid, first, " ".join(words))


def _failure(pid: int, kind: str, text: str) -> AttachError:
    message, _, more = text.replace("\\n", "\n").partition("\n")
    if kind == "refused":
        return AttachError(f"process {pid} refuses: {message}")
    return AttachError(f"hotswap could not start in process {pid}: {message}" + (f"\n{more}" if more else ""))


def _package_for(
    target: Target, suffix: str, installed: bool, wheels: Sequence[str]
) -> tuple[dict[str, tuple[Any, bool]], bytes | None]:
    """The modules for the target, and its extension; nothing where it has both."""
    if suffix == EXTENSION_SUFFIXES[0]:
        import hotswap._hotswap as native

        return _own_modules(True), Path(native.__file__).read_bytes()
    if installed:
        return {}, None
    extension = _extension_from_wheels(suffix, wheels)
    if extension is None:
        raise AttachError(_missing_wheel(target, suffix, wheels))
    return _own_modules(False), extension


def _own_modules(as_code: bool) -> dict[str, tuple[Any, bool]]:
    """This package, by the names of its modules: their marshalled code or their source, and whether they are
    packages."""
    top = Path(__file__).parent
    modules: dict[str, tuple[Any, bool]] = {}
    for file in sorted(top.rglob("*.py")):
        relative = file.relative_to(top)
        if relative.parts[0] in ("__main__.py", "cli.py", "_attach.py", "_run.py"):
            continue
        words = ["hotswap", *relative.with_suffix("").parts]
        is_package = words[-1] == "__init__"
        name = ".".join(words[:-1] if is_package else words)
        modules[name] = (_code(name, file) if as_code else file.read_text("utf-8"), is_package)
    return modules


def _code(name: str, file: Path) -> bytes | str:
    from importlib.machinery import SourceFileLoader

    code = SourceFileLoader(name, str(file)).get_code(name)
    # In the format of this version, which is the target's: 3.14 has constants that older ones lack.
    return file.read_text("utf-8") if code is None else marshal.dumps(code)


def _extension_from_wheels(suffix: str, wheels: Sequence[str]) -> bytes | None:
    import zipfile

    version = _version()
    for wheel in _wheels(wheels):
        if wheel.name.split("-")[1:2] != [version]:
            continue
        try:
            with zipfile.ZipFile(wheel) as archive:
                name = f"hotswap/_hotswap{suffix}"
                if name in archive.namelist():
                    return archive.read(name)
        except (OSError, zipfile.BadZipFile) as error:
            raise AttachError(f"{wheel} cannot be read: {error}") from error
    return None


def _wheels(given: Sequence[str]) -> list[Path]:
    """Those named, and those in the folders named, on the command line and then in HOTSWAP_WHEELS."""
    configured = [part for part in os.environ.get("HOTSWAP_WHEELS", "").split(os.pathsep) if part]
    found: list[Path] = []
    for place in map(Path, (*given, *configured)):
        if place.is_dir():
            found += sorted(place.glob("hotswap-*.whl"))
        elif place.exists():
            found.append(place)
        else:
            raise AttachError(f"there is no wheel or folder {place}")
    return found


def _missing_wheel(target: Target, suffix: str, wheels: Sequence[str]) -> str:
    version = _version()
    tag = "cp" + "".join(target.version.split(".")[:2])
    looked = f" (looked at {len(_wheels(wheels))} wheels)" if wheels else ""
    return (
        f"process {target.pid} runs Python {target.version}, this is Python "
        f"{'.'.join(map(str, sys.version_info[:2]))}: the extension {suffix.strip('.')} is needed{looked}. "
        f"Get the wheel hotswap-{version}-{tag}-{tag}-*.whl with: pip download hotswap=={version} --no-deps "
        f"--only-binary :all: --python-version {'.'.join(target.version.split('.')[:2])} -d DIR, "
        f"and attach with --wheel DIR"
    )


def _version() -> str:
    from hotswap._hotswap import __version__

    return __version__


def attach_command(words: Sequence[str]) -> int:
    """`hotswap attach`; the exit code."""
    options = _attach_parser().parse_args(words)
    out = _Output(options)
    watch = {
        "paths": [os.path.abspath(path) for path in options.watch],
        "arguments": {
            "include": options.include,
            "exclude": options.exclude,
            "strategy": options.strategy,
            "consistency": options.consistency,
        },
    }
    target = None
    try:
        target = connect(options.pid, options.wheel, options.timeout, options.despite_seccomp, out.say)
        target.send(command="watch", follow=True, **watch)
        return _follow(target, options.detach, out)
    except EOFError:
        print(f"hotswap: process {options.pid} has ended", file=sys.stderr)
        return 1
    except AttachError as error:
        print(f"hotswap: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if target is not None:
            target.close()


def _follow(target: Target, detach: bool, out: _Output) -> int:
    """Print what the target says, to the end."""
    ending = False
    deadline: float | None = None
    while True:
        try:
            message = target.receive(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if message is None:
                out.say(f"process {target.pid} is busy; the attachment ends as soon as it can")
                return 1
            if message.get("ok") is False:
                raise AttachError(f"process {target.pid} refuses: {message.get('error')}")
            if "watching" in message:
                out.watching(target, message["watching"])
                if detach:
                    target.send(command="detach")
            elif "report" in message:
                out.report(Report.from_dict(message["report"]))
            elif "log" in message:
                out.say(str(message["log"]), int(message.get("level", logging.INFO)))
            elif "detached" in message:
                out.say(f"detached: process {target.pid} goes on watching")
                return 0
            elif "ended" in message:
                out.say(f"the attachment to process {target.pid} has ended; the code it has stays")
                return 0
        except EOFError:
            out.say(f"process {target.pid} has ended")
            return 0 if ending else 1
        except KeyboardInterrupt:
            if ending:
                raise
            ending, deadline = True, time.monotonic() + END_SECONDS
            target.send(command="end")


class _Output:
    """What the user reads."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._json = options.json
        level = logging.DEBUG if options.verbose else logging.INFO
        self._log = StreamLog(level, options.json, sys.stdout)

    def say(self, text: str, level: int = logging.INFO) -> None:
        self._log.emit(logging.LogRecord("hotswap", level, "", 0, "%s", (text,), None))

    def report(self, report: Report) -> None:
        self._log.write_report(report)

    def watching(self, target: Target, message: dict[str, Any]) -> None:
        found = target.found
        if self._json:
            known = {key: found[key] for key in ("thread", "reason", "tries", "pause", "interpreter")}
            line = {"event": "watching", **message, "python": target.version, **known}
            print(json.dumps(line), flush=True)
            return
        more = ", where hotswap runs already" if message.get("already") else ""
        self.say(
            f"attached to process {target.pid} (Python {target.version}{more}); thread {found['thread']} "
            f"stood still for {found['pause'] * 1000:.1f} ms: {found['reason']}"
        )
        files = message.get("files")
        watched = "1 file is watched" if files == 1 else f"{files} files are watched"
        self.say(f"{watched}; Ctrl-C ends the attachment")


def ps_command(words: Sequence[str]) -> int:
    """`hotswap ps`; the exit code."""
    parser = argparse.ArgumentParser("hotswap ps", description="List the Python processes one may attach to.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(words)
    from hotswap._hotswap import python_processes

    processes = python_processes()
    if options.json:
        print(json.dumps(processes, indent=2))
        return 0
    if not processes:
        print("no Python process that this one may look into")
        return 0
    print(f"{'PID':>8}  {'PYTHON':<7} {'HOTSWAP':<8} COMMAND")
    for process in processes:
        has = "yes" if process["hotswap"] else "-"
        print(f"{process['pid']:>8}  {process['version'] or '?':<7} {has:<8} {' '.join(process['command'])}")
    return 0


def _attach_parser() -> argparse.ArgumentParser:
    from hotswap._config import CONSISTENCIES, STRATEGIES

    parser = argparse.ArgumentParser(
        "hotswap attach",
        description="Bring hotswap into a running Python process, which then takes the edits of its sources.",
        epilog="Linux x86-64. Needs the rights of a debugger over that process. Ctrl-C ends the attachment: "
        "the code that was updated stays, nothing of hotswap runs there any more.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("pid", type=int, metavar="PID", help="the process (see hotswap ps)")
    add("--detach", action="store_true", help="leave hotswap running there and return")
    add("--watch", metavar="PATH", action="append", default=[], help="watch this, not all imported modules")
    add("--include", metavar="GLOB", action="append", help="watch only files that match (repeatable)")
    add("--exclude", metavar="GLOB", action="append", help="leave out what matches (repeatable)")
    add("--strategy", choices=STRATEGIES, help="patch: only what changed; reload: the module runs again")
    add("--consistency", choices=CONSISTENCIES, help="whether to wait until nobody runs the changed code")
    add(
        "--wheel",
        metavar="PATH",
        action="append",
        default=[],
        help="a wheel of hotswap for the target's Python, or a folder of wheels (also: HOTSWAP_WHEELS)",
    )
    add("--timeout", metavar="SECONDS", type=float, default=TIMEOUT, help="how long to wait for its GIL")
    add("--despite-seccomp", action="store_true", help="also where a seccomp filter might end the target")
    add("--verbose", action="store_true", help="also say why, and what is still in old code")
    add("--json", action="store_true", help="write each event as a line of JSON")
    return parser
