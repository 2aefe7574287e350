"""Tasks of an event loop that runs in another thread read pairs that agree, between any two awaits."""

WEIGHT = 2
TAGS = ["threads", "atomic", "held", "running"]
PYTHON = "3.8"


def _source(n):
    return "VALUE = %d\n\n\nasync def one():\n    return %d\n\n\ndef two():\n    return %d\n" % (n, n, n)


FILES = {"mod.py": _source(0)}
STEPS = [[("write", "mod.py", _source(n))] for n in range(1, 17)]


def setup(ns):
    import asyncio
    import sys
    import threading

    sys.setswitchinterval(1e-6)
    mod = ns.mod
    one, two = mod.one, mod.two
    ns.bad, ns.stop = [], threading.Event()

    async def watch():
        last = 0
        while not ns.stop.is_set():
            first = await one()
            second = two()
            third = mod.VALUE
            if not last <= first <= second <= third:
                ns.bad.append((last, first, second, third))
                return
            last = third
            await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(watch() for _ in range(16)))

    def run():
        try:
            asyncio.run(main())
        except Exception as error:
            ns.bad.append(repr(error))

    ns.thread = threading.Thread(target=run, daemon=True)
    ns.thread.start()


def check(ns):
    ns.stop.set()
    ns.thread.join(5)
    assert not ns.thread.is_alive()
    assert ns.mod.two() == 16
    assert not ns.bad, ns.bad[:3]
