"""An async function under an async wrapper: bodies of both change."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import asyncio, functools
def logged(fn):
    @functools.wraps(fn)
    async def wrapper(*a):
        return ("old", await fn(*a))
    return wrapper
@logged
async def f(x):
    return x
class A:
    @logged
    async def m(self, x):
        return x
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import asyncio, functools
def logged(fn):
    @functools.wraps(fn)
    async def wrapper(*a):
        await asyncio.sleep(0)
        return ("new", await fn(*a))
    return wrapper
@logged
async def f(x):
    return x * 2
class A:
    @logged
    async def m(self, x):
        return x * 3
''',
        ),
    ],
]


def setup(ns):
    ns.f, ns.a = ns.mod.f, ns.mod.A()


def check(ns):
    import asyncio
    assert asyncio.run(ns.f(2)) == ("new", 4) and asyncio.run(ns.a.m(2)) == ("new", 6)
