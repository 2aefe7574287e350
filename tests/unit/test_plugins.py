from __future__ import annotations

import sys
import timeit
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotswap import _plugins


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_plugins, "_waiting", None)
    monkeypatch.setattr(_plugins, "_loaded", [])
    monkeypatch.setattr(_plugins, "_owned", ["hotswap"])
    monkeypatch.setattr(_plugins, "BUILT_IN", {})


@pytest.fixture
def frameworks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with an installed distribution that has a plugin for `shopframe`, and one broken for `badframe`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    metadata = tmp_path / "shop_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "entry_points.txt").write_text(
        "[console_scripts]\nshopframe = nothing:main\n"
        "[hotswap.plugins]\nshopframe = shop_plugin:Plugin\nbadframe = no_such_module:Plugin\n"
    )
    (tmp_path / "shop_plugin.py").write_text(
        "CALLS = []\n"
        "class Plugin:\n"
        "    def begin(self):\n"
        "        CALLS.append('begin')\n"
        "    def end(self, report):\n"
        "        CALLS.append(report and report['status'])\n"
        "        return ['noted']\n"
    )
    yield tmp_path
    for name in ("shopframe", "badframe", "shop_plugin"):
        sys.modules.pop(name, None)


def work() -> dict[str, Any]:
    return {"status": "applied", "notes": ["first"]}


def test_plugin_is_loaded_when_its_framework_is_there(frameworks: Path) -> None:
    assert _plugins.run_update(work)["notes"] == ["first"]
    assert "shop_plugin" not in sys.modules
    sys.modules["shopframe"] = types.ModuleType("shopframe")
    assert _plugins.run_update(work)["notes"] == ["first", "noted"]
    assert sys.modules["shop_plugin"].CALLS == ["begin", "applied"]


def test_framework_that_is_being_imported_is_not_waited_for(frameworks: Path) -> None:
    module = types.ModuleType("shopframe")
    module.__spec__ = types.SimpleNamespace(_initializing=True)  # type: ignore[assignment]
    sys.modules["shopframe"] = module
    assert _plugins.run_update(work)["notes"] == ["first"]
    module.__spec__._initializing = False
    assert _plugins.run_update(work)["notes"] == ["first", "noted"]


def test_plugin_hears_of_an_update_that_failed(frameworks: Path) -> None:
    sys.modules["shopframe"] = types.ModuleType("shopframe")

    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _plugins.run_update(fail)
    assert sys.modules["shop_plugin"].CALLS == ["begin", None]
    assert not _plugins.updating()


def test_nested_update_is_not_told_to_plugins(frameworks: Path) -> None:
    sys.modules["shopframe"] = types.ModuleType("shopframe")
    _plugins.run_update(lambda: [_plugins.updating(), _plugins.run_update(work)] and work())
    assert sys.modules["shop_plugin"].CALLS == ["begin", "applied"]


def test_broken_plugin_is_logged_and_the_others_run(
    frameworks: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("shopframe", "badframe"):
        sys.modules[name] = types.ModuleType(name)
    assert _plugins.run_update(work)["notes"] == ["first", "noted"]
    assert "the plugin no_such_module:Plugin cannot be loaded" in caplog.text
    plugin = sys.modules["shop_plugin"].Plugin
    monkeypatch.setattr(plugin, "end", lambda self, report: 1 / 0)
    assert _plugins.run_update(work)["notes"] == ["first"]
    assert "failed after an update" in caplog.text
    monkeypatch.setattr(plugin, "begin", lambda self: 1 / 0)
    assert _plugins.run_update(work)["notes"] == ["first"]
    assert "failed before an update" in caplog.text


def test_update_without_frameworks_costs_microseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        _plugins, "_waiting", {"noframe1": "", "noframe2": "", "noframe3": "", "noframe4": ""}
    )
    seconds = min(timeit.repeat(lambda: _plugins.run_update(int), number=1000, repeat=5)) / 1000
    assert seconds < 50e-6, f"{seconds * 1e6:.1f} µs"


def test_built_in_plugins_need_no_metadata_and_can_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for name, place in _plugins.BUILT_IN.items():
        pytest.importorskip(name)
        module, _, attribute = place.partition(":")
        plugin = getattr(__import__(module, fromlist=[attribute]), attribute)()
        plugin.begin()
        assert not list(plugin.end(None))
