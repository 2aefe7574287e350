"""Running `for` loops over lists, ranges, enumerations, zips, dict views, generators and files take the new body at their next round, and go on where they were."""

WEIGHT = 2
TAGS = ["running", "on-stack", "threads", "held"]
PYTHON = "3.8"

KINDS = {
    "a_list": "[0, 1, 2, 3, 4, 5]",
    "a_range": "range(6)",
    "an_enumeration": 'enumerate("abcdef")',
    "a_zip": 'zip("abcdef", range(6))',
    "a_view": 'dict(enumerate("abcdef")).items()',
    "a_generator": "numbers()",
    "a_file": "open(__file__)",
}

_BODY = """\
def {name}(out, turn):
    for item in {made}:
        out.append(("old", item))
        turn()
"""

FILES = {
    "mod.py": "def numbers():\n    n = 0\n    while n < 6:\n        n += 1\n        yield n\n"
    + "".join(_BODY.format(name=name, made=made) for name, made in KINDS.items()),
}

STEPS = [
    [("write", "mod.py", FILES["mod.py"].replace('("old", item)', '("new", item)'))],
]


def setup(ns):
    import threading

    ns.outs, ns.threads = {}, []
    ns.go = threading.Event()
    for name in KINDS:
        out = ns.outs[name] = []
        calls = []

        def turn(calls=calls):
            calls.append(1)
            if len(calls) == 2:
                ns.go.wait(10)

        thread = threading.Thread(target=getattr(ns.mod, name), args=(out, turn), daemon=True)
        thread.start()
        ns.threads.append(thread)
    assert ns.wait(lambda: all(len(out) == 2 for out in ns.outs.values()))
    lines = FILES["mod.py"].splitlines(True)
    ns.items = {
        name: list(eval(made, {"numbers": ns.mod.numbers, "__file__": ns.mod.__file__}))
        for name, made in KINDS.items()
    }
    ns.items["a_file"] = lines


def check(ns):
    ns.go.set()
    for thread in ns.threads:
        thread.join(5)
        assert not thread.is_alive()
    for name, out in ns.outs.items():
        assert {word for word, _ in out[2:]} == {"new"}, (name, out)
        if name != "a_file":  # whose content is the new one by now
            assert [item for _, item in out] == ns.items[name], (name, out)
