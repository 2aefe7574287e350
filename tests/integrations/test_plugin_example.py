"""The example of docs/plugins.md, as it stands there."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from hotswap import _plugins

DOCUMENT = Path(__file__).parents[2] / "docs" / "plugins.md"
SHOP = """\
_table = {}
def register(name, function): _table[name] = function
def unregister(name): del _table[name]
def names(): return dict(_table)
"""


@pytest.fixture
def shop(monkeypatch):
    code = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.S)[-1]
    for name, source in (("shop", SHOP), ("shop_hotswap", code)):
        module = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(source, name, "exec"), module.__dict__)
    _plugins.discover()
    monkeypatch.setitem(_plugins._waiting, "shop", "shop_hotswap:ShopPlugin")
    monkeypatch.setattr(_plugins, "_loaded", list(_plugins._loaded))
    monkeypatch.setattr(_plugins, "_owned", list(_plugins._owned))
    return sys.modules["shop"]


PROGRAM = (
    "import shop\ndef one(): pass\ndef two(): pass\nshop.register('one', one)\nshop.register('two', two)\n"
)


def test_removed_function_is_withdrawn(project, shop):
    project.load(PROGRAM)
    report = project.apply(("def one(): pass\n", ""), ("shop.register('one', one)\n", ""))
    assert list(shop.names()) == ["two"]
    assert "shop: one was withdrawn" in report.notes


def test_failed_update_is_put_back(project, shop):
    project.load(PROGRAM)
    project.refuse(("def two", "def three(): pass\nshop.register('three', three)\n1 / 0\ndef two"))
    assert list(shop.names()) == ["one", "two"]
