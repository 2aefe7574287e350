"""While text that was refused is on disk, tracebacks and `inspect` show the source that runs; afterwards the new one."""
WEIGHT = 2
TAGS = ['failure', 'lines', 'held']
PYTHON = '3.8'

_ONE = "def f():\n    raise ValueError('one')\n"
FILES = {"mod.py": _ONE}
STEPS = [
    [("write", "mod.py", "# a\n# b\n# c\ndef f(:\n    raise ValueError('two')\n")],
    [("write", "mod.py", "# a\n# b\n# c\ndef f():\n    raise ValueError('two')\n\n\n1 / 0\n")],
    [("write", "mod.py", "# a\n# b\n# c\ndef f():\n    raise ValueError('two')\n")],
]


def setup(ns):
    ns.f = ns.mod.f


def _shown(f):
    import inspect
    import traceback
    try:
        f()
    except ValueError as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return last.lineno, last.line, inspect.getsource(f)


def check_1(ns):
    assert _shown(ns.f) == (2, "raise ValueError('one')", _ONE), _shown(ns.f)


check_2 = check_1


def check_3(ns):
    assert _shown(ns.f) == (5, "raise ValueError('two')", _ONE.replace("one", "two")), _shown(ns.f)
