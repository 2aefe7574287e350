"""Annotations of functions and methods that did not change follow the names they read."""
WEIGHT = 2
TAGS = ["functions", "derived", "held"]
FILES = {
    "app.py": """
from typing import Callable, List

def apply(action: Callable[[int], str], items: List[int]) -> Callable:
    return action

class Runner:
    def run(self, action: Callable) -> None:
        pass
"""
}
STEPS = [[("sub", "app.py", "from typing import Callable, List", "from collections.abc import Callable\nfrom typing import List")]]


def setup(ns):
    ns.apply, ns.run = ns.app.apply, ns.app.Runner.run


def check(ns):
    import collections.abc
    import inspect

    held = inspect.get_annotations(ns.apply) if hasattr(inspect, "get_annotations") else ns.apply.__annotations__
    assert held["return"] is collections.abc.Callable
    assert held["action"] == collections.abc.Callable[[int], str]
    assert ns.run.__annotations__["action"] is collections.abc.Callable
