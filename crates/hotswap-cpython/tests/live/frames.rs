use crate::harness::check;

#[test]
fn running_code_is_found_in_every_thread() {
    check(
        r#"
ready, go = threading.Event(), threading.Event()
class Work:
    def body(self):
        ready.set()
        go.wait()
def idle(): pass
thread = threading.Thread(target=Work().body)
thread.start()
ready.wait()
while True:
    running = cpython.code_is_running([idle.__code__, Work.body.__code__])
    if running and running[0][2] == Work.body.__code__.co_firstlineno + 2:
        break
    time.sleep(0.001)
((ident, index, line, name),) = running
assert ident == thread.ident and index == 1
assert name == ("Work.body" if sys.version_info >= (3, 11) else "body")
go.set()
thread.join()
assert cpython.code_is_running([idle.__code__, Work.body.__code__]) == []
def deep(n):
    return deep(n - 1) if n else cpython.code_is_running([deep.__code__])
assert len(deep(4)) == 5
"#,
    );
}

#[test]
fn module_bodies_in_progress_are_found() {
    check(
        r#"
seen = []
module = types.ModuleType("module")
module.look = lambda: seen.extend(cpython.modules_in_progress())
code = compile("x = 1\n\nlook()\n", "module.py", "exec")
exec(code, module.__dict__)
(found,) = [each for each in seen if each[2] is code]
assert found[1] is module.__dict__ and found[3] == 3 and found[0] == threading.get_ident()
assert not [each for each in cpython.modules_in_progress() if each[2] is code]
"#,
    );
}
