use crate::harness::check;

#[test]
fn hot_callers_follow_a_function_that_gains_and_loses_free_variables() {
    check(
        r#"
def make(a, b):
    def one(x): return a + x
    def two(x): return a + b + x
    def none(x): return x
    return one, two, none
f, two, none = make(1, 10)
one_code, one_cells = f.__code__, f.__closure__

def hot():
    for _ in range(10000):
        r = f(1)
    return r

assert hot() == 2
for code, closure, want in [
    (two.__code__, two.__closure__, 12),
    (none.__code__, None, 1),
    (one_code, one_cells, 2),
    (none.__code__, None, 1),
    (two.__code__, two.__closure__, 12),
] * 50:
    cpython.set_code(f, code, closure)
    assert hot() == want
    assert f.__code__ is code
    assert f.__closure__ is closure
    assert cpython.parts_of(f) == (code, globals(), closure)
"#,
    );
}

#[test]
fn closure_of_the_same_length_is_replaced() {
    check(
        r#"
def make(a):
    def f(): return a
    return f
f, g = make("old"), make("new")
assert [f() for _ in range(10000)][-1] == "old"
cpython.set_code(f, f.__code__, g.__closure__)
assert f() == "new" and f.__closure__ is g.__closure__
"#,
    );
}

#[test]
fn hot_callers_see_a_changed_signature() {
    check(
        r#"
def f(x): return ("old", x)
def call():
    for _ in range(10000):
        r = f(1)
    return r
assert call() == ("old", 1)
cpython.set_code(f, (lambda x, *z: ("star", x, z)).__code__)
assert call() == ("star", 1, ())
def wide(x, y=5, *z): return ("wide", x, y, z)
cpython.set_code(f, wide.__code__)
f.__defaults__ = wide.__defaults__
assert call() == ("wide", 1, 5, ())
cpython.set_code(f, (lambda: 0).__code__)
f.__defaults__ = None
try:
    call()
except TypeError:
    pass
else:
    raise AssertionError("too many arguments were accepted")

class A:
    @property
    def p(self): return "old"
    def __getitem__(self, i): return "old"
    def __init__(self): self.made = "old"
a = A()
def hot():
    for _ in range(10000):
        r = (a.p, a[0], A().made)
    return r
assert hot() == ("old", "old", "old")
def init(self, *rest): self.made = ("new", rest)
cpython.set_code(A.p.fget, (lambda self, *z: ("new", z)).__code__)
cpython.set_code(A.__getitem__, (lambda self, i, *z: ("new", i, z)).__code__)
cpython.set_code(A.__init__, init.__code__)
assert hot() == (("new", ()), ("new", 0, ()), ("new", ()))
"#,
    );
}

#[test]
fn function_swaps_its_own_code_while_it_runs() {
    check(
        r#"
def make(a):
    def f(depth):
        if depth:
            return f(depth - 1)
        cpython.set_code(f, new.__code__, new.__closure__)
        return "old", a
    return f
def make_new(a, b):
    def new(depth): return "new", a, b
    return new
new = make_new(1, 2)
f = make(3)
assert f(5) == ("old", 3)
assert f(5) == ("new", 1, 2)
"#,
    );
}

#[test]
fn closure_that_does_not_fit_is_refused() {
    check(
        r#"
def make(a):
    def f(): return a
    return f
f = make(1)
code, closure = f.__code__, f.__closure__
for wrong in (None, (1,), (types.CellType(1), types.CellType(2))):
    try:
        cpython.set_code(f, code, wrong)
    except ValueError:
        pass
    else:
        raise AssertionError(wrong)
    assert f.__code__ is code and f.__closure__ is closure and f() == 1
"#,
    );
}

#[test]
fn change_of_kind_warns_nobody_and_runs_no_python() {
    check(
        r#"
import warnings
shown = []
def plain(): return 1
def generator(): yield 2
async def coroutine(): return 3
plain_code = plain.__code__
with warnings.catch_warnings():
    warnings.simplefilter("error")
    cpython.set_code(plain, generator.__code__)
    assert list(plain()) == [2]
    cpython.set_code(plain, coroutine.__code__)
    try:
        plain().send(None)
    except StopIteration as stop:
        assert stop.value == 3
    cpython.set_code(plain, plain_code)
    assert plain() == 1
"#,
    );
}

#[test]
fn old_cells_and_codes_are_released() {
    check(
        r#"
import weakref
class Marker: pass
def make(a):
    def f(): return a
    return f
marker = Marker()
gone = weakref.ref(marker)
f = make(marker)
del marker
exec(compile("def other(): return 'new'", "other", "exec"))
code = f.__code__
before = sys.getrefcount(code), sys.getrefcount(other.__code__)
cpython.set_code(f, other.__code__)
gc.collect()
assert gone() is None
assert (sys.getrefcount(code), sys.getrefcount(other.__code__)) == (before[0] - 1, before[1] + 1)
"#,
    );
}

#[test]
fn rehomed_function_reads_globals_and_builtins_of_its_new_home() {
    check(
        r#"
staging = {"value": "staging", "len": len}
exec("""
def read(): return value
def read_many():
    for _ in range(10000):
        r = value
    return r, type(len)
""", staging)
read, read_many = staging["read"], staging["read_many"]
home = {"value": "home", "__builtins__": __builtins__}
assert [read() for _ in range(10000)][-1] == "staging"
assert read_many()[0] == "staging"
for function in (read, read_many):
    cpython.set_globals(function, home)
    assert function.__globals__ is home
assert read() == "home"
assert read_many()[0] == "home"
home["value"] = "changed"
assert [read() for _ in range(10000)][-1] == "changed"
staging["value"] = "nobody looks here"
assert read() == "changed"
for _ in range(100):
    cpython.set_globals(read, staging)
    assert read() == "nobody looks here"
    cpython.set_globals(read, home)
    assert read() == "changed"

special = {"__builtins__": {"len": lambda x: "special"}}
exec("def measure(): return len('')", staging)
measure = staging["measure"]
assert [measure() for _ in range(10000)][-1] == 0
del staging["len"]
assert [measure() for _ in range(10000)][-1] == 0
cpython.set_globals(measure, special)
assert [measure() for _ in range(10000)][-1] == "special"
cpython.set_globals(measure, staging)
assert [measure() for _ in range(10000)][-1] == 0
"#,
    );
}

#[test]
fn rehomed_functions_keep_counts_of_references_right() {
    check(
        r#"
staging, home = {}, {}
exec("def f(): return 1", staging)
f = staging["f"]
before = sys.getrefcount(staging), sys.getrefcount(home)
for _ in range(1000):
    cpython.set_globals(f, home)
    cpython.set_globals(f, staging)
assert (sys.getrefcount(staging), sys.getrefcount(home)) == before
"#,
    );
}
