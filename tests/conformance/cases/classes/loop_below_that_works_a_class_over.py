"""A loop below a class that makes functions of its members does so for a new member, and leaves the others."""
WEIGHT = 1
TAGS = ["classes", "held"]
FILES = {
    "app.py": """
class Figure:
    def __init__(self, name, function):
        self.name, self.function = name, function
        self.__doc__ = function.__doc__

    def __get__(self, instance, owner=None):
        return self if instance is None else self.function(instance)


class Stats:
    def __init__(self, data):
        self.data = list(data)

    def _calc_mean(self):
        return sum(self.data) / len(self.data)
    mean = Figure("mean", _calc_mean)
    average = mean

    def spread(self):
        return max(self.data) - min(self.data)


def convert(name):
    def helper(data):
        return getattr(Stats(data), name)
    return helper


for name, member in list(Stats.__dict__.items()):
    if isinstance(member, Figure):
        if name == "average":
            continue
        function = convert(name)
        function.__doc__ = member.function.__doc__
        globals()[name] = function
        delattr(Stats, "_calc_" + name)
del name, member, function
"""
}
STEPS = [
    [
        (
            "sub",
            "app.py",
            "    average = mean\n",
            "    average = mean\n\n    def _calc_total(self):\n        return sum(self.data)\n    total = Figure(\"total\", _calc_total)\n",
        ),
        ("sub", "app.py", "max(self.data) - min(self.data)", "max(self.data) - min(self.data) + 1"),
    ]
]


def setup(ns):
    ns.mean, ns.stats = ns.app.mean, ns.app.Stats([1, 2, 3])
    ns.held = ns.app.Stats
    assert ns.mean([1, 2, 3]) == 2 and not hasattr(ns.app.Stats, "_calc_mean")


def check(ns):
    assert ns.app.total([1, 2, 3]) == 6
    assert ns.app.Stats is ns.held
    assert not hasattr(ns.app.Stats, "_calc_total") and not hasattr(ns.app.Stats, "_calc_mean")
    assert ns.stats.total == 6 and ns.stats.mean == 2 and ns.stats.average == 2
    assert ns.stats.spread() == 3
    assert ns.app.mean is ns.mean and ns.mean([1, 3]) == 2
    assert not hasattr(ns.app, "member")
