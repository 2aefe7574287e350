from __future__ import annotations

import pytest

typer = pytest.importorskip("typer")

from typer.testing import CliRunner  # noqa: E402

APP = """\
import typer
app = typer.Typer()
@app.command()
def hello():
    print("hello")
@app.command()
def bye():
    print("bye")
# end
"""


def run(app, *words):
    result = CliRunner().invoke(app, words)
    return result.output.strip() if result.exit_code == 0 else result.exit_code


@pytest.fixture
def mod(project):
    return project.load(APP)


def test_command_is_added(project, mod):
    app = mod.app
    project.apply(("# end", '@app.command()\ndef more():\n    print("more")'))
    assert run(app, "more") == "more"


def test_added_parameter_is_an_option(project, mod):
    app = mod.app
    project.apply(("def hello():", "def hello(name: str = 'you'):"), ('print("hello")', "print(name)"))
    assert run(app, "hello", "--name", "bob") == "bob"


def test_renamed_command_replaces_the_old_one(project, mod):
    app = mod.app
    project.apply(("@app.command()\ndef hello", '@app.command("greet")\ndef hello'))
    assert run(app, "greet") == "hello"
    assert run(app, "hello") == 2
    assert [info.name for info in app.registered_commands] == ["greet", None]


def test_removed_command_is_withdrawn(project, mod):
    app = mod.app
    project.apply(("# end", '@app.command()\ndef more():\n    print("more")\n'))
    project.apply(('@app.command()\ndef hello():\n    print("hello")\n', ""))
    assert run(app, "hello") == 2
    assert run(app, "bye") == "bye"


def test_added_group_is_there_once(project, mod):
    app = mod.app
    project.apply(
        (
            "# end",
            'sub = typer.Typer()\n@sub.command()\ndef a():\n    print("a")\n@sub.command()\ndef b():\n    print("b")\napp.add_typer(sub, name="one")',
        )
    )
    assert run(app, "one", "a") == "a"
    project.apply(('"one"', '"two"'))
    assert run(app, "two", "a") == "a"
    assert run(app, "one", "a") == 2


def test_rejected_update_leaves_the_app_as_it_was(project, mod):
    before = list(mod.app.registered_commands)
    project.refuse(
        ("@app.command()\ndef hello", '@app.command("greet")\ndef hello'),
        ("# end", "@app.callback()\ndef main():\n    print('main')\n1 / 0"),
    )
    assert mod.app.registered_commands == before
    assert mod.app.registered_callback is None
    assert run(mod.app, "hello") == "hello"


def test_decorator_that_is_gone_withdraws_its_command(project, mod):
    project.apply(("# end", '@app.command()\ndef more():\n    print("more")\n'))
    project.apply(("@app.command()\ndef hello", "def hello"))
    assert run(mod.app, "hello") == 2
    assert run(mod.app, "bye") == "bye"
