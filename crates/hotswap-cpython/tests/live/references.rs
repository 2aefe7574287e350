use crate::harness::check;

/// Two objects, and a way to make one replace the other that checks the way back too.
const SWAP: &str = r#"
class T:
    def __init__(self, name): self.name = name
    def method(self): return self.name
    def __repr__(self): return self.name
def swap(old, new, own=0, skip=()):
    """own: the references that the caller's own running frames hold."""
    # Held by: the caller's frame (if it is no module), this frame, the pair.
    return cpython.replace([(old, new)], list(skip), own)
def reasons(left):
    return sorted((count, reason) for _, count, reason in left[0])
"#;

fn check_swap(source: &str) {
    check(&format!("{SWAP}{source}"));
}

#[test]
fn every_kind_of_holder_follows_and_is_restored() {
    check_swap(
        r#"
import contextvars, operator, weakref, asyncio, typing
class Slotted:
    __slots__ = ("a", "b", "__dict__")
class ListOf(list):
    __slots__ = ("extra",)
class DictOf(dict): pass
class TupleOf(tuple): pass
class SetOf(set):
    def __iter__(self): raise AssertionError("not for us")
Named = collections.namedtuple("Named", "x y")
class Meta(type):
    def __setattr__(cls, name, value): raise AssertionError("not for us")
class Class(metaclass=Meta): pass
class Holder:
    def __init__(self, **kw): self.__dict__.update(kw)
class Plain:
    def __init__(self, a): self.a = a; self.b = 1
class Hooked:
    def __setattr__(self, name, value): raise AssertionError("not for us")
    def __eq__(self, other): raise AssertionError("not for us")

def build(o):
    made = {}
    made["list"] = [1, o, o]
    made["tuple"] = (1, o)
    made["named tuple"] = Named(o, 2)
    made["tuple subclass"] = TupleOf([o])
    made["dict value"] = {"k": o}
    made["set"] = {o, 1, 2}
    made["set subclass"] = SetOf([o, 5])
    made["dict key"] = {1: 2, o: 3, "z": 4}
    made["key and value"] = {o: o}
    made["key in a tuple"] = {(1, (2, o)): 5, 7: 8}
    made["tuple in a set"] = {(o, 1)}
    made["method in a set"] = {o.method}
    made["list subclass"] = ListOf([o]); made["list subclass"].extra = o
    made["dict subclass"] = DictOf(k=o); made["dict subclass"].attr = o
    made["default dict"] = collections.defaultdict(int, k=o)
    made["ordered"] = collections.OrderedDict([(1, 1), (o, 2), (3, o)]); made["ordered"].move_to_end(1)
    made["counter"] = collections.Counter([o, o])
    made["deque"] = collections.deque([1, o, 2])
    s = made["slots"] = Slotted(); s.a = o; s.c = o
    made["instance"] = Plain(o)
    made["instance with a dict"] = Holder(a=o, b=o); made["instance with a dict"].__dict__
    h = made["hooked"] = Hooked(); h.__dict__["a"] = o
    def closure(): return o
    made["cell"] = closure
    def default(a=o, *, b=o): return a, b
    made["defaults"] = default
    def attribute(): pass
    attribute.a = o
    made["function attribute"] = attribute
    def documented(): pass
    documented.__doc__ = o
    made["function field"] = documented
    def annotated(): pass
    annotated.__annotations__ = {"x": o}
    made["annotations"] = annotated
    made["bound method"] = o.method
    made["partial"] = functools.partial(print, o, k=o)
    made["partial of a method"] = functools.partial(o.method)
    made["property"] = property(o, None, o)
    made["classmethod"] = classmethod(o)
    made["staticmethod"] = staticmethod(o)
    c = functools.cached_property(len); c.func = o
    made["cached property"] = c
    class C(Class): attr = o
    made["class attribute"] = C
    made["namespace"] = types.SimpleNamespace(a=o)
    m = types.ModuleType("m"); m.a = o
    made["module"] = m
    made["proxy"] = types.MappingProxyType({"a": o})
    made["list iterator"] = iter([1, o])
    made["map"] = map(o, [1])
    made["filter"] = filter(o, [1])
    made["cycle"] = itertools.cycle([o])
    made["repeat"] = itertools.repeat(o)
    made["chain"] = itertools.chain([o], (o,))
    made["starmap"] = itertools.starmap(o, [])
    made["callable iterator"] = iter(o.method, 5)
    made["exception"] = ValueError(o)
    cause = KeyError(1); cause.extra = o
    made["exception attribute"] = cause
    made["generic alias"] = list[o]
    made["typing alias"] = typing.List[T]; made["typing alias"].__dict__["extra"] = o
    made["weak method"] = weakref.finalize(C, o.method)
    made["itemgetter"] = operator.itemgetter(o)
    made["simple class"] = type("X", (), {"v": o})
    made["bytes attribute"] = type("B", (bytes,), {})(b"x"); made["bytes attribute"].a = o
    made["int attribute"] = type("I", (int,), {})(5); made["int attribute"].a = o
    made["unbounded cache"] = functools.lru_cache(maxsize=None)(lambda x: x); made["unbounded cache"](o)
    made["bounded cache"] = functools.lru_cache(maxsize=3)(lambda x: (x, o)[1])
    made["bounded cache"](o); made["bounded cache"](1)
    made["infinite nesting"] = loop = [o]; loop.append((loop,))
    made["super"] = super(T, o)
    return made

def shapes(made):
    """What can be read out of the holders, with objects by name."""
    out = {}
    for kind, h in made.items():
        found = []
        for each in gc.get_referents(h):
            found.append(each)
        out[kind] = found
    return out

old, new = T("old"), T("new")
made = build(old)
order = [list(map(str, made["dict key"])), list(map(str, made["ordered"]))]
replaced, (left,) = cpython.replace([(old, new)], [globals()])
assert not left, left
gc.collect()
targets = [old]
holders = [h for h, _ in cpython.referrers(targets) if h is not globals() and h is not targets]
assert not holders, [(type(h), h) for h in holders]

def verify(made, o, other):
    assert made["list"] == [1, o, o]
    assert made["tuple"] == (1, o) and hash(made["tuple"]) == hash((1, o))
    assert made["named tuple"].x is o
    assert o in made["set"] and other not in made["set"] and len(made["set"]) == 3
    assert o in made["set subclass"] and len(made["set subclass"]) == 2
    assert made["dict key"][o] == 3 and other not in made["dict key"]
    assert made["key and value"][o] is o
    assert made["key in a tuple"][(1, (2, o))] == 5 and made["key in a tuple"][7] == 8
    assert (o, 1) in made["tuple in a set"]
    assert o.method in made["method in a set"]
    assert made["list subclass"] == [o] and made["list subclass"].extra is o
    assert made["dict subclass"]["k"] is o and made["dict subclass"].attr is o
    assert made["default dict"]["k"] is o
    assert list(made["ordered"].items()) == [(o, 2), (3, o), (1, 1)]
    assert made["counter"][o] == 2 and len(made["counter"]) == 1
    assert list(made["deque"]) == [1, o, 2]
    assert made["slots"].a is o and made["slots"].c is o
    assert made["instance"].a is o and made["instance"].b == 1
    assert made["instance with a dict"].a is o
    assert made["hooked"].a is o
    assert made["cell"]() is o
    assert made["defaults"]() == (o, o)
    assert made["function attribute"].a is o
    assert made["function field"].__doc__ is o
    assert made["annotations"].__annotations__["x"] is o
    assert made["bound method"]() == o.name
    assert made["partial"].args == (o,) and made["partial"].keywords["k"] is o
    assert made["partial of a method"]() == o.name
    assert made["property"].fget is o and made["property"].fdel is o
    assert made["classmethod"].__func__ is o and made["staticmethod"].__func__ is o
    assert made["cached property"].func is o
    assert made["class attribute"].attr is o
    assert made["namespace"].a is o and made["module"].a is o and made["proxy"]["a"] is o
    assert made["exception"].args == (o,) and made["exception attribute"].extra is o
    assert made["generic alias"].__args__ == (o,)
    assert made["typing alias"].__dict__["extra"] is o
    assert made["simple class"].v is o
    assert made["bytes attribute"].a is o and made["int attribute"].a is o
    for kind in ("unbounded cache", "bounded cache"):
        hits = made[kind].cache_info().hits
        assert made[kind](o) is o
        assert made[kind].cache_info().hits == hits + 1, kind
    assert made["infinite nesting"][0] is o
verify(made, new, old)
assert [list(map(str, made["dict key"])), list(map(str, made["ordered"]))] == [
    [each.replace("old", "new") for each in names] for names in order]
assert replaced.restore() == 0
verify(made, old, new)
assert [list(map(str, made["dict key"])), list(map(str, made["ordered"]))] == order
targets[0] = new
assert not [h for h, _ in cpython.referrers(targets) if h is not globals() and h is not targets]

# The cache drops its oldest entries, and with them the old object.
for each in range(2, 20):
    made["bounded cache"](each)
    assert made["bounded cache"].cache_info().currsize == 3
    assert made["bounded cache"](each) is old

# And again, with the iterators used afterwards. What restores holds the old object.
del replaced
replaced, (left,) = cpython.replace([(old, new)], [globals()])
assert not left
assert list(made["list iterator"]) == [1, new]
assert next(made["cycle"]) is new
assert next(made["repeat"]) is new
assert list(made["chain"]) == [new, new]
assert made["super"].__self__ is new
"#,
    );
}

#[test]
fn references_that_stay_are_counted() {
    check_swap(
        r#"
old, new = T("old"), T("new")
frozen = frozenset([old])
key = (old, 1)
frozen_key = frozenset([key])
def generator(o):
    yield o
suspended = generator(old)
next(suspended)
async def coroutine(o): return o
waiting = coroutine(old)
ready, go = threading.Event(), threading.Event()
def body(o):
    ready.set(); go.wait()
thread = threading.Thread(target=body, args=(old,)); thread.start(); ready.wait()
replaced, (left,) = cpython.replace([(old, new)], [globals()])
go.set(); thread.join()
by_reason = collections.Counter()
for holder, count, reason in left:
    by_reason[reason] += count
assert by_reason["an element of a frozenset, which cannot be changed"] == 1, by_reason
if sys.version_info >= (3, 11):
    assert by_reason["a local variable of a generator"] == 1
    assert by_reason["a local variable of a coroutine"] == 1
else:
    # Frames of their own.
    assert by_reason["a local variable of a frame"] == 2
assert by_reason["part of a key in a frozenset"] == 1
assert any(holder is None for holder, _, _ in left)
assert key[0] is old and key in frozen_key and old in frozen
waiting.close()
"#,
    );
}

#[test]
fn what_the_program_changed_meanwhile_is_not_restored() {
    check_swap(
        r#"
old, new, other = T("old"), T("new"), T("other")
holder, untouched, cls = [old], {"k": old}, type("C", (), {"a": old})
replaced, (left,) = cpython.replace([(old, new)], [globals()])
assert holder[0] is untouched["k"] is cls.a is new
holder[0] = other
del cls.a
assert replaced.restore() == 2
assert holder == [other] and untouched["k"] is old and not hasattr(cls, "a")
"#,
    );
}

#[test]
fn skipped_holders_keep_theirs_and_are_not_counted() {
    check_swap(
        r#"
old, new = T("old"), T("new")
mine, theirs = [old], [old]
replaced, (left,) = cpython.replace([(old, new)], [globals(), mine])
assert not left, left
assert mine == [old] and theirs == [new]
assert replaced.count() == 1
"#,
    );
}

#[test]
fn many_objects_move_in_one_pass_with_references_among_them() {
    check_swap(
        r#"
class Old: pass
class New: __slots__ = ("next", "name", "__weakref__")
olds = [Old() for _ in range(200)]
for i, o in enumerate(olds):
    o.next, o.name = olds[(i + 1) % 200], i
index = {o: o.name for o in olds}
news = []
for o in olds:
    n = New(); n.next, n.name = o.next, o.name; news.append(n)
pairs = list(zip(olds, news))
del o, n
replaced, left = cpython.replace(pairs, [globals()])
assert not any(left), [each for each in left if each][:3]
assert olds == news
assert all(n.next is news[(i + 1) % 200] for i, n in enumerate(news))
assert list(index) == news and index[news[7]] == 7
assert replaced.restore() == 0
assert all(isinstance(o, Old) for o in olds) and index[olds[7]] == 7
assert all(isinstance(n.next, Old) for n in news)
"#,
    );
}

#[test]
fn class_is_replaced_in_instances_subclasses_and_cells() {
    check_swap(
        r#"
def make(version):
    class C:
        def who(self): return version
        def via_super(self): return super().__repr__()
        def own(self): return __class__
    return C
Old, New = make("old"), make("new")
class Sub(Old): pass
class Other: pass
class Mixed(Other, Old): pass
instance, sub, mixed = Old(), Sub(), Mixed()
assert [sub.who() for _ in range(1000)][-1] == "old"
registry, factory = {"c": Old, Old: 1}, functools.partial(Old)
replaced, (left,) = cpython.replace([(Old, New)], [globals()])
assert type(instance) is New and instance.who() == "new"
assert Sub.__bases__ == (New,) and Sub.__mro__ == (Sub, New, object) and sub.who() == "new"
assert Mixed.__bases__ == (Other, New) and mixed.who() == "new"
assert registry["c"] is New and registry[New] == 1 and type(factory()) is New
assert set(New.__subclasses__()) == {Sub, Mixed} and not Old.__subclasses__()
assert instance.via_super()
assert not left, left
assert replaced.restore() == 0
assert type(instance) is Old and Sub.__bases__ == (Old,) and sub.who() == "old"
assert registry["c"] is Old and registry[Old] == 1
"#,
    );
}

#[test]
fn failed_replacement_leaves_everything_as_it_was() {
    check_swap(
        r#"
class Slots: __slots__ = ("a",)
class Plain: pass
instance, holder = Plain(), {"k": Plain, "l": [Plain]}
try:
    cpython.replace([(Plain, Slots)], [globals()])
except TypeError:
    pass
else:
    raise AssertionError("the layouts differ")
assert type(instance) is Plain and holder == {"k": Plain, "l": [Plain]}
class Unhashable:
    __hash__ = None
old, new = Plain(), Unhashable()
keys, items = {1: 1, old: 2}, [old]
try:
    cpython.replace([(old, new)], [globals()])
except TypeError:
    pass
else:
    raise AssertionError("it cannot be a key")
assert keys == {1: 1, old: 2} and items == [old]
"#,
    );
}

#[test]
fn counts_of_references_stay_right() {
    check_swap(
        r#"
old, new = T("old"), T("new")
holders = [[old], (old,), {"k": old}, {old}, {old: 1}, old.method, functools.partial(old.method, old),
           property(old), collections.deque([old])]
gc.collect()
before = sys.getrefcount(old), sys.getrefcount(new)
for _ in range(50):
    replaced, (left,) = cpython.replace([(old, new)], [globals()])
    assert not left, left
    moved = before[0] - sys.getrefcount(old) + 1, sys.getrefcount(new) - before[1] - 1
    assert moved == (10, 10), moved
    replaced.restore()
    del replaced
    assert (sys.getrefcount(old), sys.getrefcount(new)) == before
"#,
    );
}

#[test]
fn tuples_in_place() {
    check(
        r#"
t, extra = (1, 2), []
plain = tuple([1, "x"])
gc.collect()
hash(t)
assert cpython.set_tuple_item(plain, 0, extra) == 1
assert plain[0] is extra and gc.is_tracked(plain)
made = tuple(["a", "b"])
assert {made: 1} and hash(made) == hash(("a", "b"))
assert cpython.set_tuple_item(made, 1, "c") == "b"
assert made == ("a", "c") and hash(made) == hash(("a", "c"))
try:
    cpython.set_tuple_item(made, 2, 1)
except IndexError:
    pass
else:
    raise AssertionError
"#,
    );
}
