from __future__ import annotations

import pytest

prometheus_client = pytest.importorskip("prometheus_client")

METRICS = """\
from prometheus_client import CollectorRegistry, Counter, Gauge
registry = CollectorRegistry()
C = Counter("reqs", "Requests", ["m"], registry=registry)
G = Gauge("load", "Load", registry=registry)
"""


@pytest.fixture
def mod(project):
    mod = project.load(METRICS)
    mod.C.labels("x").inc(3)
    mod.G.set(7)
    return mod


def values(mod):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in mod.registry.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


def test_metric_that_runs_again_keeps_its_counts(project, mod):
    project.apply(('"Requests"', '"All requests"'))
    mod.C.labels("x").inc()
    assert values(mod) == {("reqs_total", "x"): 4, ("load",): 7}
    assert next(iter(mod.registry.collect())).documentation in ("All requests", "Load")


def test_metric_with_other_labels_starts_anew(project, mod):
    project.apply(('["m"]', '["m", "k"]'))
    assert values(mod) == {("load",): 7}


def test_renamed_and_removed_metrics_are_unregistered(project, mod):
    project.apply(('"reqs"', '"hits"'))
    assert values(mod) == {("load",): 7}
    project.apply(('G = Gauge("load", "Load", registry=registry)\n', ""))
    assert values(mod) == {}


def test_failed_update_leaves_the_metrics_as_they_were(project, mod):
    project.refuse(('"reqs"', '"hits"'), ("G =", "1 / 0\nG ="))
    mod.C.labels("x").inc()
    assert values(mod) == {("reqs_total", "x"): 4, ("load",): 7}
