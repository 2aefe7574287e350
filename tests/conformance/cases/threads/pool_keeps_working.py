"""A pool that was given a function before the edits gives results of ever newer code, one for each call."""

WEIGHT = 2
TAGS = ["threads", "held"]
PYTHON = "3.8"


def _source(n):
    return "def work(item):\n    return item, %d\n" % n


FILES = {"mod.py": _source(0)}
STEPS = [[("write", "mod.py", _source(n))] for n in range(1, 21)]


def setup(ns):
    import concurrent.futures
    import threading

    ns.pool = concurrent.futures.ThreadPoolExecutor(4)
    ns.stop, ns.bad, ns.count = threading.Event(), [], 0
    work = ns.mod.work

    def feed():
        last = 0
        while not ns.stop.is_set():
            results = list(ns.pool.map(work, range(20)))
            if [item for item, _ in results] != list(range(20)):
                ns.bad.append(results)
            versions = [version for _, version in results]
            if min(versions) < last:
                ns.bad.append((last, versions))
            last = max(versions)
            ns.count += 1

    ns.thread = threading.Thread(target=feed, daemon=True)
    ns.thread.start()


def check(ns):
    ns.stop.set()
    ns.thread.join(5)
    assert list(ns.pool.map(ns.mod.work, [7])) == [(7, 20)]
    ns.pool.shutdown()
    assert ns.count and not ns.bad, ns.bad[:3]
