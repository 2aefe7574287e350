"""The program under test: imports a generated project, and tells when it first sees an edit.

child.py ROOT ENGINE MODULES BALLAST
"""

from __future__ import annotations

import builtins
import importlib
import json
import os
import sys
import threading
import time

root, engine, modules, ballast = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
smallest = bool(os.environ.get("MIN_DEBOUNCE"))
sys.path.insert(0, root)
out = os.dup(1)
# Whatever an engine prints is not ours.
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def say(**words: object) -> None:
    os.write(out, (json.dumps(words) + "\n").encode())


def in_thread(work: object) -> None:
    threading.Thread(target=work, daemon=True).start()


def watch_with_watchfiles(on_changes: object) -> None:
    import watchfiles

    for changes in watchfiles.watch(root, debounce=1 if smallest else 1600, step=1 if smallest else 50):
        on_changes(changes)


def reload_changed(changes: object) -> None:
    for _, path in changes:
        name = os.path.relpath(path, root).removesuffix(".py").replace(os.sep, ".")
        if path.endswith(".py") and name in sys.modules:
            importlib.reload(sys.modules[name])


class AutoreloadShell:
    """As much of IPython's shell as `%autoreload` asks for."""

    user_ns: dict = {}

    def push(self, names: dict) -> None:
        self.user_ns.update(names)


def start_before() -> None:
    """What an engine wants to be done before the project is imported."""
    if engine == "jurigged":
        import jurigged

        jurigged.watch(os.path.join(root, "**", "*.py"), debounce=0.0 if smallest else 0.05)
    elif engine == "hotswap":
        import hotswap

        def tell(report: object) -> None:
            say(report=report.to_dict()["duration_ms"], status=report.status)

        builtins.session = hotswap.watch(root, on_update=tell)


def start_after() -> None:
    """What it wants afterwards."""
    if engine == "watchfiles_reload":
        in_thread(lambda: watch_with_watchfiles(reload_changed))
    elif engine == "module_hot_loading":
        from module_hot_loading import monitor_dir

        event = threading.Event()
        event.set()
        words = {"interval": 0.05 if smallest else 2, "only_import_exist": True}
        threading.Thread(target=monitor_dir, args=(root, event, __file__), kwargs=words, daemon=True).start()


def import_all() -> None:
    for index in range(modules):
        importlib.import_module(f"app.m{index}")


def run_hmr() -> None:
    """hmr runs an entry file again when something that it has used changed."""
    from reactivity.hmr.core import HMR_CONTEXT, SyncReloader

    entry = os.path.join(root, "entry.py")
    with open(entry, "w", encoding="utf-8") as file:
        file.write("import builtins\nimport app.m0\n")
        file.writelines(f"import app.m{index}\n" for index in range(modules))
        file.write("builtins.seen = app.m0.probe()\n")
    reloader = SyncReloader(entry, includes=(root,))
    reloader.effect = HMR_CONTEXT.effect(reloader.run_entry_file)
    in_thread(lambda: watch_with_watchfiles(reloader.on_events) if smallest else reloader.start_watching())


keep = [[number] for number in range(ballast)]
began = time.monotonic_ns()
if engine == "hmr":
    run_hmr()
    probe = lambda: builtins.seen  # noqa: E731
else:
    start_before()
    import_all()
    start_after()
    import app.m0

    probe = lambda: app.m0.probe()  # noqa: E731
    if engine == "ipython":
        from IPython.extensions.autoreload import ModuleReloader

        reloader = ModuleReloader(AutoreloadShell())
        reloader.enabled = reloader.check_all = True
        reloader.check()
ended = time.monotonic_ns()
time.sleep(float(os.environ.get("SETTLE", "1.5")))
say(ready=True, import_ms=(ended - began) / 1e6)

edited = os.path.join(root, "app", "m0.py")
stamp = os.stat(edited).st_mtime_ns
last = probe()
longest = 0
before = time.monotonic_ns()
while True:
    if engine == "ipython" and os.stat(edited).st_mtime_ns != stamp:
        # A cell that is run in the very moment of the save.
        stamp = os.stat(edited).st_mtime_ns
        reloader.check()
    try:
        value = probe()
    except AttributeError:  # a module in the middle of its reload
        value = last
    now = time.monotonic_ns()
    longest = max(longest, now - before)
    if value != last:
        last = value
        say(value=value, t=now, longest_us=longest / 1e3)
        longest = 0
    before = now
    time.sleep(0.0001)
