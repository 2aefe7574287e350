use crate::harness::check;

const PROGRAM: &str = r#"
def until(condition):
    for _ in range(5000):
        if condition(): return True
        time.sleep(0.001)
    raise AssertionError("waited in vain")
said = []
def f(word, *, more=""):
    said.append(word + more)
    return sys._getframe(1).f_code.co_name
def calls(word):
    return f(word, more="!")
for _ in range(50): calls("warm")
said.clear()
"#;

fn check_with_program(source: &str) {
    check(&format!("{PROGRAM}{source}"));
}

#[test]
fn other_threads_begin_no_call_before_a_closed_gate() {
    check_with_program(
        r#"
at, results = threading.Event(), []
def other():
    at.set()
    results.append(calls("other"))
thread = threading.Thread(target=other)
def meanwhile():
    thread.start()
    at.wait()
    time.sleep(0.05)
    assert said == [] and results == [], said
    assert calls("own") == "calls"
assert cpython.with_gate([f], [f.__code__], 60, meanwhile)
thread.join()
assert said == ["own!", "other!"] and results == ["calls"], (said, results)
"#,
    );
}

#[test]
fn gate_opens_by_itself() {
    check_with_program(
        r#"
thread = threading.Thread(target=calls, args=("other",))
def meanwhile():
    thread.start()
    until(lambda: said)
assert not cpython.with_gate([f], [f.__code__], 0.02, meanwhile)
thread.join()
assert calls("after") == "calls" and said == ["other!", "after!"]
"#,
    );
}

#[test]
fn who_is_inside_passes_and_comes_out() {
    check_with_program(
        r#"
inside, leave = threading.Event(), threading.Event()
def g():
    inside.set()
    leave.wait()
    f("from inside")
thread = threading.Thread(target=g)
thread.start()
inside.wait()
def meanwhile():
    leave.set()
    thread.join()
assert cpython.with_gate([f, g], [f.__code__, g.__code__], 60, meanwhile)
assert said == ["from inside"]
"#,
    );
}

#[test]
fn exceptions_generators_and_changed_code_pass_the_gate_as_ever() {
    check_with_program(
        r#"
def raises(): raise KeyError(1)
def generates(n): yield from range(n)
def replaced(): return 1
threads, results = [], []
def note(call):
    try: results.append(call())
    except Exception as error: results.append(repr(error))
def meanwhile():
    for call in (raises, lambda: list(generates(3)), lambda: generates(), replaced):
        threads.append(threading.Thread(target=note, args=(call,)))
        threads[-1].start()
    time.sleep(0.02)
    assert results == []
    replaced.__code__ = (lambda: 2).__code__
functions = [raises, generates, replaced]
assert cpython.with_gate(functions, [f.__code__ for f in functions], 60, meanwhile)
for thread in threads: thread.join()
texts = sorted(map(str, results))
assert texts[:3] == ["2", "KeyError(1)", "TypeError(\"generates() missing 1 required positional argument: 'n'\")"], texts
assert texts[3] == "[0, 1, 2]"
"#,
    );
}

#[test]
fn recursion_through_the_gate_opens_it() {
    check_with_program(
        r#"
def down(n): return down(n - 1) if n else 0
def meanwhile():
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
def start():
    return outer()
def outer():
    return down(500)
# As if `outer` were a function that changes, so that the thread is inside.
assert not cpython.with_gate([down], [down.__code__, outer.__code__], 60, meanwhile)
assert down(700) == 0
"#,
    );
}
