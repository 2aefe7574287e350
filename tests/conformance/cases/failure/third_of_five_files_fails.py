"""Of five files that import one another in a chain, saved together, the third fails: none of them is new. Mended, all are."""
WEIGHT = 2
TAGS = ['failure', 'atomic', 'held']
PYTHON = '3.8'

_NAMES = ["a", "b", "c", "d", "e"]


def _source(index, n, tail=""):
    name = _NAMES[index]
    head = "import %s\nfrom %s import VALUE_%s\n\n" % ((_NAMES[index - 1],) * 2 + (_NAMES[index - 1].upper(),)) if index else ""
    return head + "VALUE_%s = %d\n\n\ndef f():\n    return %d\n\n\nclass Thing:\n    version = %d\n%s" % (name.upper(), n, n, n, tail)


def _save(n, tail=""):
    return [("write", name + ".py", _source(index, n, tail if name == "c" else "")) for index, name in enumerate(_NAMES)]


FILES = {name + ".py": _source(index, 1) for index, name in enumerate(_NAMES)}
STEPS = [_save(2, "\n\nprint(VALUE_B / 0)\n"), [("write", "c.py", _source(2, 2))]]


def setup(ns):
    ns.modules = [ns.a, ns.b, ns.c, ns.d, ns.e]
    ns.held = [(module.f, module.Thing()) for module in ns.modules]


def _versions(ns):
    found = set()
    for module, (f, thing) in zip(ns.modules, ns.held):
        found |= {f(), thing.version, getattr(module, "VALUE_" + module.__name__.upper())}
    return found | {ns.b.VALUE_A, ns.e.VALUE_D}


def check_1(ns):
    assert _versions(ns) == {1}, _versions(ns)


def check_2(ns):
    assert _versions(ns) == {2}, _versions(ns)
