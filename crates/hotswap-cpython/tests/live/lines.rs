use crate::harness::check;

/// A file of functions, moved down by ten lines with its code objects.
const MOVED: &str = r#"
import linecache, traceback, os, tempfile
path = os.path.join(tempfile.mkdtemp(), "demo.py")
source = '''def f(x):
    a = x
    def inner():
        return 1/0
    return inner()
def g():
    yield 1
    yield 2
    raise ValueError
def spin(event):
    event.wait()
    raise KeyError
'''
def write(text):
    with open(path, "w") as file:
        file.write(text)
    linecache.checkcache(path)
write(source)
ns = {}
exec(compile(source, path, "exec"), ns)

def every(code):
    yield code
    for nested in cpython.nested_code(code):
        yield from every(nested)

def shift(delta):
    for name in ("f", "g", "spin"):
        for code in every(ns[name].__code__):
            cpython.shift_first_line(code, delta)

def lines_of(function):
    try:
        function()
    except BaseException as error:
        return [(each.lineno, each.line) for each in traceback.extract_tb(error.__traceback__)
                if each.filename == path]
"#;

fn check_moved(source: &str) {
    check(&format!("{MOVED}{source}"));
}

#[test]
fn tracebacks_and_sources_show_moved_lines() {
    check_moved(
        r#"
import inspect
assert lines_of(lambda: ns["f"](1)) == [(5, "return inner()"), (4, "return 1/0")]
write("\n" * 10 + source)
shift(10)
assert lines_of(lambda: ns["f"](1)) == [(15, "return inner()"), (14, "return 1/0")]
assert inspect.getsource(ns["f"]).startswith("def f(x)")
write(source)
shift(-10)
assert lines_of(lambda: ns["f"](1)) == [(5, "return inner()"), (4, "return 1/0")]
try:
    cpython.shift_first_line(ns["f"].__code__, -100)
except ValueError:
    pass
else:
    raise AssertionError
assert ns["f"].__code__.co_firstlineno == 1
"#,
    );
}

#[test]
fn running_frames_and_suspended_generators_show_moved_lines() {
    check_moved(
        r#"
generator = ns["g"]()
next(generator)
event, seen = threading.Event(), []
def body():
    seen.extend(lines_of(lambda: ns["spin"](event)))
thread = threading.Thread(target=body)
thread.start()
while not any(frame.f_code is ns["spin"].__code__ or
              (frame.f_back and frame.f_back.f_code.co_name in ("wait", "spin"))
              for frame in sys._current_frames().values()):
    time.sleep(0.001)
write("\n" * 10 + source)
shift(10)
assert generator.gi_frame.f_lineno == 17
next(generator)
assert generator.gi_frame.f_lineno == 18
assert lines_of(lambda: next(generator)) == [(19, "raise ValueError")]
event.set()
thread.join()
assert seen == [(22, "raise KeyError")], seen
"#,
    );
}

#[test]
fn tracing_reports_moved_lines_before_and_after_code_was_traced() {
    check_moved(
        r#"
seen = []
def trace(frame, event, argument):
    if frame.f_code.co_filename == path and event == "line":
        seen.append(frame.f_lineno)
    return trace
def traced():
    seen.clear()
    sys.settrace(trace)
    try:
        lines_of(lambda: ns["f"](1))
    finally:
        sys.settrace(None)
    return seen[:3]
assert traced() == [2, 3, 5]
shift(10)
assert traced() == [12, 13, 15]
assert lines_of(lambda: ns["f"](1))[-1][0] == 14
shift(-10)
assert traced() == [2, 3, 5]

# While the traced function is in the middle of a line.
exec(compile("def h(move):\n x = 1\n move()\n y = 2\n return y", path, "exec"), ns)
seen.clear()
sys.settrace(trace)
try:
    ns["h"](lambda: cpython.shift_first_line(ns["h"].__code__, 100))
finally:
    sys.settrace(None)
assert seen[:2] == [2, 3], seen
assert len(seen) == 4, seen
seen.clear()
sys.settrace(trace)
try:
    ns["h"](int)
finally:
    sys.settrace(None)
assert seen == [102, 103, 104, 105], seen
"#,
    );
}

#[test]
fn armed_monitoring_reports_moved_lines() {
    check_moved(
        r#"
if sys.version_info >= (3, 12):
    monitoring, seen = sys.monitoring, []
    monitoring.use_tool_id(3, "test")
    monitoring.register_callback(3, monitoring.events.LINE, lambda code, line: seen.append(line))
    monitoring.set_local_events(3, ns["f"].__code__, monitoring.events.LINE)
    lines_of(lambda: ns["f"](1))
    assert seen == [2, 3, 5], seen
    seen.clear()
    shift(10)
    lines_of(lambda: ns["f"](1))
    assert seen == [12, 13, 15], seen
    monitoring.set_local_events(3, ns["f"].__code__, 0)
    monitoring.free_tool_id(3)
"#,
    );
}

#[test]
fn running_parent_makes_new_inner_functions() {
    check(
        r#"
exec(compile("""
def parent():
    while True:
        def inner(): return "old"
        yield inner()
""", "before.py", "exec"))
exec(compile("def inner(): return 'new'", "after.py", "exec"))
running = parent()
assert next(running) == next(running) == "old"
parent_code = parent.__code__
(old,) = cpython.nested_code(parent_code)
before = sys.getrefcount(inner.__code__)
assert cpython.replace_code_constant(parent_code, old, inner.__code__) == 1
assert sys.getrefcount(inner.__code__) == before + 1
assert next(running) == "new"
assert next(parent()) == "new"
assert cpython.replace_code_constant(parent_code, old, inner.__code__) == 0
assert cpython.nested_code(parent_code) == [inner.__code__]
"#,
    );
}
