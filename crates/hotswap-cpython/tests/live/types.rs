use crate::harness::check;

#[test]
fn setting_an_attribute_bypasses_the_metaclass() {
    check(
        r#"
calls = []
class Meta(type):
    def __setattr__(cls, name, value): calls.append(name); super().__setattr__(name, value)
    def __delattr__(cls, name): calls.append(name); super().__delattr__(name)
class C(metaclass=Meta):
    a = 1
c = C()
assert [c.a for _ in range(10000)][-1] == 1
cpython.set_type_attribute(C, "a", 2)
assert [c.a for _ in range(10000)][-1] == 2
cpython.set_type_attribute(C, "__len__", lambda self: 7)
assert len(c) == 7
cpython.set_type_attribute(C, "__len__")
try:
    len(c)
except TypeError:
    pass
else:
    raise AssertionError("the slot stayed")
cpython.set_type_attribute(C, "a")
assert not hasattr(C, "a") and not calls
try:
    cpython.set_type_attribute(C, "a")
except AttributeError:
    pass
else:
    raise AssertionError
try:
    cpython.set_type_attribute(int, "a", 1)
except TypeError:
    pass
else:
    raise AssertionError
"#,
    );
}

#[test]
fn type_dict_is_the_real_one() {
    check(
        r#"
class C: a = 1
real = cpython.type_dict(C)
assert real["a"] == 1 and real == dict(C.__dict__)
C.b = 2
assert real["b"] == 2
before = sys.getrefcount(real)
for _ in range(100):
    cpython.type_dict(C)
assert sys.getrefcount(real) == before
assert cpython.type_dict(int)["__add__"]
"#,
    );
}

#[test]
fn bases_and_classes_are_set_behind_user_hooks() {
    check(
        r#"
calls = []
class Meta(type):
    def __setattr__(cls, name, value): calls.append(name)
class A(metaclass=Meta):
    def who(self): return "a"
class B(metaclass=Meta):
    def who(self): return "b"
class C(A): pass
c = C()
assert [c.who() for _ in range(10000)][-1] == "a"
cpython.set_bases(C, (B,))
assert [c.who() for _ in range(10000)][-1] == "b"
assert C.__mro__ == (C, B, object) and C in B.__subclasses__() and C not in A.__subclasses__()
for wrong in ((int,), ()):
    try:
        cpython.set_bases(C, wrong)
    except TypeError:
        pass
    else:
        raise AssertionError
assert not calls

class Old:
    def __setattr__(self, name, value): calls.append(name)
    @property
    def __class__(self): return int
class New: pass
o = Old()
o.__dict__["state"] = 5
cpython.set_instance_class(o, New)
assert type(o) is New and o.state == 5 and not calls
class Slotted:
    __slots__ = ("x", "y")
try:
    cpython.set_instance_class(o, Slotted)
except TypeError:
    pass
else:
    raise AssertionError
"#,
    );
}
