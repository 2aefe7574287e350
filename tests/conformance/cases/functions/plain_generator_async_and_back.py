"""A function turns generator, async, async generator and plain again; held references follow."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def f():
    return 1
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def f():
    yield 1
    yield 2
'''),
    ],
    [
        ('write', 'mod.py', '''\
async def f():
    return 3
'''),
    ],
    [
        ('write', 'mod.py', '''\
async def f():
    yield 4
'''),
    ],
    [
        ('write', 'mod.py', '''\
def f():
    return 5
'''),
    ],
]


def setup(ns):
    ns.f = ns.mod.f


def check_1(ns):
    assert list(ns.f()) == [1, 2]


def check_2(ns):
    import asyncio, inspect
    assert inspect.iscoroutinefunction(ns.f)
    assert asyncio.run(ns.f()) == 3


def check_3(ns):
    import asyncio
    async def all_of():
        return [x async for x in ns.f()]
    assert asyncio.run(all_of()) == [4]


def check(ns):
    assert ns.f() == 5
    import inspect
    assert not inspect.iscoroutinefunction(ns.f)
