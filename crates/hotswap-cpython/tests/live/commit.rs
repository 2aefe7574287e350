use crate::harness::check;

#[test]
fn no_other_thread_runs_in_a_commit() {
    check(
        r#"
class Slow:
    """Gives the lock away when it dies, or would be hooked."""
    def __del__(self):
        for _ in range(2000): pass
class Meta(type):
    def __setattr__(cls, name, value):
        for _ in range(2000): pass
        super().__setattr__(name, value)
count = 1000
def functions(sign):
    ns = {}
    exec("\n".join(f"def f{i}(x):\n    return x {sign} {i}" for i in range(count)), ns)
    return [ns[f"f{i}"] for i in range(count)]
ticks, running = [0], [True]
def spin():
    while running[0]:
        ticks[0] += 1
interval = sys.getswitchinterval()
sys.setswitchinterval(1e-6)
thread = threading.Thread(target=spin)
thread.start()
try:
    for attempt in range(5):
        olds, news = functions("+"), functions("-")
        swaps = [(f, g.__code__) for f, g in zip(olds, news)]
        classes = [Meta(f"C{i}", (), {"a": Slow()}) for i in range(count)]
        attributes = [(c, "a", i) for i, c in enumerate(classes)]
        live, new = {i: Slow() for i in range(count)}, {i: i for i in range(count)}
        while not ticks[0]:
            time.sleep(0.001)
        before, after = cpython.commit_all(swaps, attributes, (live, new), ticks)
        assert before == after, after - before
        assert [f(1) for f in olds] == [g(1) for g in news]
        assert [c.a for c in classes] == list(range(count)) and live == new
        assert gc.isenabled()
finally:
    running[0] = False
    thread.join()
    sys.setswitchinterval(interval)
gc.disable()
cpython.commit_all([], [], ({}, {}), ticks)
assert not gc.isenabled()
gc.enable()
"#,
    );
}

/// An audit hook cannot be taken away again, so this one has a process of its
/// own: itself, started with a variable set.
#[test]
fn audit_hooks_are_noticed_and_never_see_half_a_function() {
    const INSIDE: &str = "HOTSWAP_TEST_WITH_AUDIT_HOOK";
    if std::env::var_os(INSIDE).is_none() {
        let this = std::env::current_exe().expect("a test has a path");
        let name = "commit::audit_hooks_are_noticed_and_never_see_half_a_function";
        let outcome = std::process::Command::new(this)
            .args([name, "--exact", "--nocapture"])
            .env(INSIDE, "1")
            .output()
            .expect("a test can be started");
        assert!(outcome.status.success(), "{outcome:?}");
        check("assert cpython.audit_hooks_present() is False");
        return;
    }
    check(
        r#"
assert cpython.audit_hooks_present() is False
def make(a, b):
    def one(): return "one", a
    def two(): return "two", a, b
    return one, two
one, two = make(1, 2)
one_code, one_cells = one.__code__, one.__closure__
seen, armed, refuse = [], [False], [False]
def hook(event, arguments):
    if armed[0] and event == "object.__setattr__" and arguments[1] == "__code__":
        seen.append([one() for _ in range(100)][-1])
        if refuse[0]:
            raise RuntimeError("refused")
[one() for _ in range(10000)]
sys.addaudithook(hook)
assert cpython.audit_hooks_present() is True
armed[0] = True
for _ in range(100):
    cpython.set_code(one, two.__code__, two.__closure__)
    assert one() == ("two", 1, 2)
    cpython.set_code(one, one_code, one_cells)
    assert one() == ("one", 1)
assert set(seen) <= {("one", 1), ("two", 1, 2)} and len(seen) == 200
refuse[0] = True
try:
    cpython.set_code(one, two.__code__, two.__closure__)
except RuntimeError:
    pass
else:
    raise AssertionError
assert one.__code__ is one_code and one.__closure__ is one_cells
assert [one() for _ in range(10000)][-1] == ("one", 1)
home = {"__builtins__": __builtins__}
try:
    cpython.set_globals(one, home)
except RuntimeError:
    pass
else:
    raise AssertionError
assert one.__globals__ is globals()
"#,
    );
}
