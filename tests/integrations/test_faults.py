"""An update that fails at any of its steps leaves what frameworks know of the program as it was.

Every sixth step by default; FAULT_STRIDE=1 takes all of them (minutes).
"""

from __future__ import annotations

import functools
import gc
import logging
import os
import sys

import pytest

import fingerprint
import hotswap
from hotswap import _hotswap

STRIDE = int(os.environ.get("FAULT_STRIDE", "6"))

FLASK = """\
from flask import Flask, Blueprint
LIMIT = 1
app = Flask(__name__)
part = Blueprint("part", __name__)
@app.route("/")
def index():
    return "home %d" % LIMIT
@app.route("/other")
def other():
    return "other"
@part.route("/inner")
def inner():
    return "inner"
@app.before_request
def before():
    pass
@app.errorhandler(404)
def lost(error):
    return "lost", 404
app.register_blueprint(part, url_prefix="/part")
"""
FLASK_EDITS = (
    ("LIMIT = 1", "LIMIT = 2"),
    ('"/other")\ndef other', '"/another")\ndef other'),
    ('@part.route("/inner")\ndef inner', '@part.route("/innermost")\ndef inner'),
    ("@app.before_request\ndef before():\n    pass\n", "@app.after_request\ndef after(r):\n    return r\n"),
    ('return "lost", 404', 'return "really lost", 404'),
    (
        'app.register_blueprint(part, url_prefix="/part")\n',
        'app.register_blueprint(part, url_prefix="/part")\n'
        '@app.route("/new")\ndef new():\n    return "new"\n',
    ),
)

FASTAPI = """\
from fastapi import FastAPI
LIMIT = 1
app = FastAPI()
@app.get("/")
def index(n: int = LIMIT):
    return {"n": n}
@app.get("/other")
def other():
    return "other"
"""
FASTAPI_EDITS = (
    ("LIMIT = 1", "LIMIT = 2"),
    ('@app.get("/other")\ndef other():', '@app.get("/another")\ndef other(word: str = "w"):'),
    ('    return "other"\n', '    return "other"\n@app.get("/new")\ndef new():\n    return "new"\n'),
)

CLICK = """\
import click
@click.group()
def cli():
    pass
@cli.command()
def hello():
    click.echo("hello")
@cli.command("bye")
@click.option("--n", default=1)
def say_bye(n):
    click.echo("bye %d" % n)
"""
CLICK_EDITS = (
    ("@cli.command()\ndef hello():\n", '@cli.command("hi")\ndef hello():\n'),
    ("default=1", "default=2"),
    ('"bye %d" % n)\n', '"bye %d" % n)\n@cli.command()\ndef new():\n    click.echo("new")\n'),
)

LOGS = """\
import logging, logging.handlers
log = logging.getLogger("shop of the faults")
log.handlers.clear()
one = logging.NullHandler()
log.addHandler(one)
two = logging.StreamHandler()
log.addHandler(two)
"""
LOGS_EDITS = (
    ("log.addHandler(one)\n", ""),
    ("log.addHandler(two)\n", "log.addHandler(two)\nlog.addHandler(logging.handlers.BufferingHandler(5))\n"),
)


def flask_state(mod):
    app = mod.app
    held = [
        *app.view_functions.items(),
        *app.before_request_funcs.items(),
        *app.after_request_funcs.items(),
        *app.error_handler_spec.items(),
        *app.blueprints.items(),
    ]
    rules = sorted((rule.rule, rule.endpoint) for rule in app.url_map.iter_rules())
    client = app.test_client()
    paths = ("/", "/other", "/another", "/part/inner", "/part/innermost", "/new")
    return held, [rules, *(client.get(path).get_data(as_text=True) for path in paths)]


def fastapi_state(mod):
    from fastapi.testclient import TestClient

    client = TestClient(mod.app)
    paths = ("/", "/other", "/another", "/new", "/openapi.json")
    answers = [client.get(path).text for path in paths]
    for (
        thing
    ) in gc.get_objects():  # FastAPI caches what it found out of functions, for as long as there is room
        if type(thing) is functools._lru_cache_wrapper and str(thing.__module__).startswith("fastapi"):
            thing.cache_clear()
    return list(mod.app.router.routes), answers


def click_state(mod):
    from click.testing import CliRunner

    calls = (("hello",), ("hi",), ("bye",), ("new",), ("--help",))
    commands = sorted(mod.cli.commands.items())
    params = [param for _, command in commands for param in command.params]
    return [*commands, *params], [CliRunner().invoke(mod.cli, words).output for words in calls]


def log_state(mod):
    handlers = list(logging.getLogger("shop of the faults").handlers)
    return handlers, [type(handler).__name__ for handler in handlers]


CASES = {
    "flask": (FLASK, FLASK_EDITS, flask_state),
    "fastapi": (FASTAPI, FASTAPI_EDITS, fastapi_state),
    "click": (CLICK, CLICK_EDITS, click_state),
    "logging": (LOGS, LOGS_EDITS, log_state),
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("panics", [False, True], ids=["error", "panic"])
@pytest.mark.parametrize("framework", CASES)
def test_fault_at_every_step(project, framework, panics):
    pytest.importorskip(framework)
    text, edits, state = CASES[framework]
    mod = project.load(text)
    # Once through, so that what an update imports at its first time is there.
    project.refuse((text, text + "1 / 0\n"))
    project.take_back((text + "1 / 0\n", text))
    held, answers = state(mod)
    before = fingerprint.take(project.root)
    step = sys.version_info.minor % STRIDE
    while True:
        project.edit(*edits)
        _hotswap._fail_at_step(step, panics)
        report = hotswap.sync()
        _hotswap._fail_at_step(None)
        if report.status == "applied":
            break
        assert report.error is not None and "injected" in report.error.message, report
        assert state(mod) == (held, answers), report.error.message
        lines = fingerprint.differences(before, fingerprint.take(project.root))
        assert lines == [], f"{report.error.message}: {lines[:5]}"
        project.write("mod", text)
        assert hotswap.sync().status == "unchanged"
        step += STRIDE
    assert step > 10
    assert state(mod)[1] != answers
