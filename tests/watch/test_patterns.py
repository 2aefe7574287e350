"""Each way of saving in patterns.py gives exactly one update, or none where nothing changed."""

import json
import os
import shutil
from pathlib import Path

import patterns
import pytest

NAMES = [pattern.__name__ for pattern in patterns.PATTERNS]
# Nothing changes that an import would see.
SILENT = {"touch", "same_content", "editor_litter"}
# Two valid versions 50 ms apart: waiting for the second would cost every save 50 ms.
# A rename long before the edit is an update of its own.
MOST_UPDATES = {"format_on_save": 2, "dir_rename_then_edit": 2}
# Found by the safety sweep, which is told to run often here.
SWEPT = {"hard_link_write"}


def tree(tmp_path, git=False):
    root = str(tmp_path / "root")
    os.makedirs(root)
    patterns.prep(root)
    if git:
        patterns.git_prep_g["g"] = patterns.git_prep(root)
    return root


def contents(paths):
    return {path: Path(path).read_bytes() if os.path.exists(path) else None for path in paths}


def check(events, pattern, root):
    must, may_not = pattern(root)
    batches = events.until(must)
    shown = json.dumps(batches, indent=1)[:4000]
    last = {change["path"]: change for batch in batches for change in batch["changes"]}
    assert set(must) <= set(last), f"not reported: {set(must) - set(last)}\n{shown}"
    assert not set(may_not) & set(last), f"noise: {shown}"
    for path, content in contents(last).items():
        assert last[path]["size"] == (None if content is None else len(content)), (
            f"{path} is not whole: {shown}"
        )
    for batch in batches:
        for change in batch["changes"]:
            assert change["error"] is None and not change["unsettled"], shown
    return batches, shown


def run(watch, tmp_path, name, *options):
    if name == "rsync" and not shutil.which("rsync"):
        pytest.skip("rsync is not installed")
    root = tree(tmp_path, git=name.startswith("git_"))
    events = watch(root, *options)
    batches, shown = check(events, getattr(patterns, name), root)
    if name in SILENT:
        assert not batches, shown
    else:
        assert 1 <= len(batches) <= MOST_UPDATES.get(name, 1), shown
    return events


@pytest.mark.parametrize("name", NAMES)
def test_each_save_is_one_update(watch, tmp_path, name):
    events = run(watch, tmp_path, name, *(["--sweep", "300"] if name in SWEPT else []))
    assert events.ready["polled"] == 0, "this test needs file events"


@pytest.mark.parametrize("name", NAMES)
def test_each_save_is_one_update_when_polling(watch, tmp_path, name):
    events = run(watch, tmp_path, name, "--poll")
    assert events.ready["watched"] == 0
