use crate::harness::check;

#[test]
fn hidden_functions_are_found_by_file() {
    check(
        r#"
source = """
import asyncio, functools, weakref
def plain(x): return x
def closure(a):
    def inner(): return a
    return inner
def nothing_but_a_local():
    def local(): return 1
    yield
    local()
class C:
    def method(self): return 1
    @property
    def prop(self): return 1
    @staticmethod
    def static(): return 1
    @classmethod
    def of_class(cls): return 1
    @functools.lru_cache
    def cached(self): return 1
"""
ns = {}
exec(compile(source, "hidden.py", "exec"), ns)
def fresh():
    return ns["closure"](object())
suspended = ns["nothing_but_a_local"]()
next(suspended)
hiding = [
    collections.deque([fresh()]),
    map(fresh(), [1]),
    itertools.cycle([fresh()]),
    itertools.chain([fresh()]),
    frozenset([frozenset([frozenset([fresh()])])]),
    iter([fresh()]),
    functools.partial(functools.partial(int, fresh()), fresh()),
    types.MethodType(fresh(), 1),
    {"a": ({"b": [fresh()]},)},
    types.SimpleNamespace(a=fresh()),
    types.MappingProxyType({"a": fresh()}),
    staticmethod(fresh()),
    (lambda: fresh)(),
]
next(hiding[2])
expected = 13 - 1 + 1  # the last entry hides none, one entry hides two
found = cpython.functions_in_files(["hidden.py"])
assert all(f.__code__.co_filename == "hidden.py" for f in found)
names = collections.Counter(f.__name__ for f in found)
assert names == {"inner": expected, "local": 1, "plain": 1, "closure": 1, "nothing_but_a_local": 1,
                 "method": 1, "prop": 1, "static": 1, "of_class": 1, "cached": 1}, names
assert cpython.functions_in_files(["nowhere.py"]) == [] == cpython.functions_in_files([])

# Another string with the same text, and a name given twice.
again = "".join(["hid", "den", ".py"])
assert len(cpython.functions_in_files([again, "hidden.py", "x"])) == len(found)

inner_code = fresh().__code__
found = cpython.functions_with_code([ns["plain"].__code__, inner_code])
assert collections.Counter(f.__name__ for f in found) == {"inner": expected, "plain": 1}
"#,
    );
}

#[test]
fn frozen_objects_are_found() {
    check(
        r#"
def frozen(): return 1
class Frozen: pass
instance = Frozen()
before = gc.get_freeze_count()
gc.freeze()
try:
    assert gc.get_freeze_count() > 1000
    assert cpython.functions_with_code([frozen.__code__]) == [frozen]
    assert cpython.instances_of([Frozen], False) == [instance]
    def young(): return 2
    assert cpython.functions_with_code([young.__code__]) == [young]
    assert cpython.count_objects() > gc.get_freeze_count()
    holder = [instance]
    holders = [each for each, _ in cpython.referrers([instance])]
    assert any(each is holder for each in holders)
    assert any(each is globals() for each in holders)
finally:
    gc.unfreeze()
assert cpython.functions_with_code([frozen.__code__, young.__code__]) in ([frozen, young], [young, frozen])
"#,
    );
}

#[test]
fn objects_of_every_generation_are_visited_once() {
    check(
        r#"
gc.collect()
old = [[] for _ in range(10)]
gc.collect(); gc.collect()
middle = [[] for _ in range(10)]
gc.collect(0)
young = [[] for _ in range(10)]
gc.disable()
listed = len(gc.get_objects()) + gc.get_freeze_count()
counted = cpython.count_objects()
gc.enable()
assert abs(counted - listed) < 10, (counted, listed)
assert cpython.count_objects_up_to(5) == 5
assert cpython.count_objects_up_to(1) == 1
for group in (old, middle, young):
    for each in group:
        assert [index for _, index in cpython.referrers([each]) if _ is group] == [0]
"#,
    );
}

#[test]
fn instances_are_found_with_and_without_subclasses() {
    check(
        r#"
class A: pass
class B(A): pass
class Slotted: __slots__ = ("x",)
class Number(int): __slots__ = ()
class Text(str): __slots__ = ()
a, b, s = A(), B(), Slotted()
def same(found, wanted):
    assert sorted(map(id, found)) == sorted(map(id, wanted)), (found, wanted)
same(cpython.instances_of([A], False), [a])
same(cpython.instances_of([A], True), [a, b])
same(cpython.instances_of([A, B, Slotted], False), [a, b, s])
same(cpython.instances_of([Slotted], True), [s])
number, text = Number(5), Text("x")
keep = {"deep": ((number,), {"k": text})}
gc.collect()
same(cpython.instances_of([Number], False), [number])
same(cpython.instances_of([Number, Text], True), [number, text])
"#,
    );
}

#[test]
fn unfinished_generators_are_found() {
    check(
        r#"
def g():
    yield 1
async def c():
    await stop()
async def a():
    yield 1
@types.coroutine
def stop():
    yield 1
fresh, suspended, finished = g(), g(), g()
next(suspended), list(finished)
coroutine, asynchronous, done = c(), a(), c()
coroutine.send(None)
done.close()
found = cpython.generators_with_code([g.__code__, c.__code__, a.__code__])
assert sorted((id(o), i) for o, i in found) == sorted(
    [(id(fresh), 0), (id(suspended), 0), (id(coroutine), 1), (id(asynchronous), 2)])
running = []
def r():
    running.extend(cpython.generators_with_code([r_code]))
    yield
r_code = r.__code__
generator = r()
next(generator)
assert running == [(generator, 0)]
coroutine.close()
"#,
    );
}

#[test]
fn referrers_of_many_targets_come_from_one_pass() {
    check(
        r#"
class T: pass
targets = [T() for _ in range(50)]
holders = [[t] for t in targets]
found = cpython.referrers(targets)
by_id = collections.defaultdict(list)
for holder, index in found:
    by_id[id(holder)].append(index)
for index, holder in enumerate(holders):
    assert by_id[id(holder)] == [index]
assert sorted(by_id[id(targets)]) == list(range(50))

# Both references of one holder count.
twice = [targets[0], targets[0]]
assert [i for h, i in cpython.referrers(targets[:1]) if h is twice] == [0, 0]
"#,
    );
}
