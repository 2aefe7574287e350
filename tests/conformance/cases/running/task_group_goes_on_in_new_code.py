"""Tasks of a task group, and the coroutine that waits for the group at the end of its `async with`, go on in the new code."""

WEIGHT = 2
TAGS = ["running", "on-stack", "async", "held"]
PYTHON = "3.11"

FILES = {
    "mod.py": """\
import asyncio
OUT = []
async def poll(go):
    while not go.is_set():
        OUT.append("old")
        await asyncio.sleep(0.005)
    return "old"
async def work(go):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(poll(go)) for _ in range(2)]
    return ["old", *(task.result() for task in tasks)]
""",
}

STEPS = [
    [("write", "mod.py", FILES["mod.py"].replace("old", "new"))],
]


def setup(ns):
    import asyncio
    import threading

    ns.go, ns.results, ns.out = threading.Event(), [], ns.mod.OUT
    work = ns.mod.work
    ns.thread = threading.Thread(target=lambda: ns.results.append(asyncio.run(work(ns.go))), daemon=True)
    ns.thread.start()
    assert ns.wait(lambda: len(ns.out) > 2)


def check(ns):
    ok = ns.wait(lambda: ns.out[-1] == "new")
    ns.go.set()
    ns.thread.join(5)
    assert ok and ns.results == [["new", "new", "new"]], (ns.out[-1], ns.results)
