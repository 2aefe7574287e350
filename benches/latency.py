#!/usr/bin/env python3
"""Save-to-live latency of hot-reload engines, side by side in one run.

A child process imports a generated project of M modules (F functions each) and
holds a heap ballast of K objects; a probe thread calls one function until its
answer changes.  The parent saves an edit of that function and reads, on the same
monotonic clock, when the child first saw the new answer.  Engines take turns edit
by edit, so the machine's drift hits all alike.

  latency.py --engines hotswap,jurigged,module_hot_loading,watchfiles_reload \
             --modules 200 --functions 20 --ballast 1000000 --edits 30
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

CHILD = r"""
import sys, os, time, threading, gc, json, importlib
root, engine, modules, ballast = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sys.path.insert(0, root)
_out = os.dup(1)
def say(d): os.write(_out, (json.dumps(d) + '\n').encode())
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
keep = [[i] for i in range(ballast)]
t0 = time.monotonic_ns()
def start_before():
    if engine == "jurigged":
        import jurigged
        jurigged.watch(os.path.join(root, "**", "*.py"), debounce=0.0 if os.environ.get("MIN_DEBOUNCE") else 0.05)
    elif engine == "hotswap":
        import hotswap
        globals()["_session"] = hotswap.watch(root)
    elif engine == "hmr":
        pass
def start_after():
    if engine == "module_hot_loading":
        from module_hot_loading import monitor_dir
        ev = threading.Event(); ev.set()
        iv = 0.05 if os.environ.get("MIN_DEBOUNCE") else 2
        threading.Thread(target=monitor_dir, args=(root, ev, __file__), kwargs=dict(interval=iv, only_import_exist=True), daemon=True).start()
    elif engine == "watchfiles_reload":
        import watchfiles
        def loop():
            db = 1 if os.environ.get("MIN_DEBOUNCE") else 1600
            for changes in watchfiles.watch(root, debounce=db, step=1 if os.environ.get("MIN_DEBOUNCE") else 50):
                for _, p in changes:
                    if p.endswith(".py"):
                        name = os.path.relpath(p, root)[:-3].replace(os.sep, ".")
                        if name in sys.modules:
                            try: importlib.reload(sys.modules[name])
                            except Exception as e: print("ERR", e, file=sys.stderr)
        threading.Thread(target=loop, daemon=True).start()
start_before()
for i in range(modules):
    importlib.import_module(f"app.m{i}")
start_after()
t1 = time.monotonic_ns()
import app.m0 as target
old_style = engine in ("module_hot_loading", "watchfiles_reload")
time.sleep(1.5)
say({"ready": True, "import_ms": (t1 - t0) / 1e6})
last = target.probe()
stall = 0
prev = time.monotonic_ns()
while True:
    v = target.probe()
    now = time.monotonic_ns()
    if now - prev > stall: stall = now - prev
    if v != last:
        last = v
        say({"value": v, "t": now, "stall_us": stall / 1e3})
        stall = 0
    time.sleep(0.0001)
    prev = time.monotonic_ns()
"""


def module_text(i, functions, value):
    out = [f'"""module {i}"""', "import os", "LIMIT = 10", "CACHE = {}", ""]
    if i == 0:
        out += ["def probe():", f"    return {value}", ""]
    for f in range(functions):
        out += [
            f"def fn_{f}(a, b={f}, *args, key=None):",
            f'    """Docstring of {f}."""',
            "    total = 0",
            "    for k in range(a):",
            "        if k % 2:",
            "            total += k * b",
            "        else:",
            "            total -= len(args)",
            "    return total, key",
            "",
        ]
    out += ["class Thing:", "    kind = 'x'"]
    for f in range(functions):
        out += [f"    def method_{f}(self, v):", "        self.v = v", f"        return self.v + {f}", ""]
    return "\n".join(out) + "\n"


class Engine:
    def __init__(self, name, args):
        self.name = name
        self.dir = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.dir.name)
        pkg = self.root / "app"
        pkg.mkdir()
        (pkg / "__init__.py").write_text("")
        for i in range(args.modules):
            (pkg / f"m{i}.py").write_text(module_text(i, args.functions, 0))
        self.file = pkg / "m0.py"
        self.functions = args.functions
        self.value = 0
        child = self.root.parent / (self.root.name + "_child.py")
        child.write_text(CHILD)
        self.child = child
        env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
        if args.min_debounce:
            env["MIN_DEBOUNCE"] = "1"
        self.p = subprocess.Popen(
            [
                args.python,
                str(child),
                str(self.root),
                name.split(":")[0],
                str(args.modules),
                str(args.ballast),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=env,
        )
        import queue
        import threading

        self.q = queue.Queue()
        threading.Thread(target=lambda: [self.q.put(l) for l in self.p.stdout], daemon=True).start()
        self.info = self.wait("ready", 180)

    def wait(self, key, timeout):
        import queue

        end = time.time() + timeout
        while time.time() < end:
            try:
                line = self.q.get(timeout=0.5)
            except queue.Empty:
                if self.p.poll() is not None:
                    return None
                continue
            if line.startswith("{"):
                d = json.loads(line)
                if key in d:
                    return d
        return None

    def edit(self, timeout):
        self.value += 1
        text = module_text(0, self.functions, self.value)
        tmp = self.root.parent / (self.root.name + ".tmp")
        tmp.write_text(text)
        t = time.monotonic_ns()
        os.replace(tmp, self.file)
        end = time.time() + timeout
        while time.time() < end:
            d = self.wait("value", timeout)
            if d is None:
                return None
            if d["value"] == self.value:
                return (d["t"] - t) / 1e6, d["stall_us"] / 1e3
        return None

    def rss(self):
        for l in open(f"/proc/{self.p.pid}/status"):
            if l.startswith("VmRSS"):
                return int(l.split()[1]) / 1024

    def stop(self):
        self.p.kill()
        self.p.wait()
        self.dir.cleanup()
        self.child.unlink(missing_ok=True)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--engines", default="jurigged,module_hot_loading,watchfiles_reload")
    ap.add_argument("--python", default=sys.executable)
    ap.add_argument("--modules", type=int, default=200)
    ap.add_argument("--functions", type=int, default=20)
    ap.add_argument("--ballast", type=int, default=0)
    ap.add_argument("--edits", type=int, default=15)
    ap.add_argument("--timeout", type=float, default=8)
    ap.add_argument("--min-debounce", action="store_true")
    ap.add_argument("--json")
    a = ap.parse_args()
    engines = [Engine(n, a) for n in a.engines.split(",")]
    res = {e.name: [] for e in engines}
    import atexit

    for e in engines:
        atexit.register(lambda e=e: e.p.poll() is None and e.p.kill())
    for e in engines:
        if e.info is None:
            print(f"{e.name}: did not start")
    for _ in range(a.edits):
        for e in engines:
            if e.info:
                res[e.name].append(e.edit(a.timeout))
            time.sleep(0.1)
    out = {}
    for e in engines:
        got = [r for r in res[e.name] if r]
        lat = sorted(r[0] for r in got)
        stall = sorted(r[1] for r in got)
        out[e.name] = dict(
            n=len(res[e.name]),
            missed=len(res[e.name]) - len(got),
            p50_ms=statistics.median(lat) if lat else None,
            p95_ms=lat[int(len(lat) * 0.95)] if lat else None,
            max_ms=lat[-1] if lat else None,
            stall_p50_ms=statistics.median(stall) if stall else None,
            stall_max_ms=stall[-1] if stall else None,
            start_ms=e.info and e.info["import_ms"],
            rss_mb=e.rss() if e.info else None,
        )
    for e in engines:
        e.stop()
    print(
        f"modules={a.modules} functions={a.functions} ballast={a.ballast} edits={a.edits} min_debounce={a.min_debounce}"
    )
    for k, v in out.items():
        print(f"{k:22}", {x: (round(y, 2) if isinstance(y, float) else y) for x, y in v.items()})
    if a.json:
        pathlib.Path(a.json).write_text(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
