from __future__ import annotations

import pytest

click = pytest.importorskip("click")

from click.testing import CliRunner  # noqa: E402

APP = """\
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
@cli.group()
def sub():
    pass
@sub.command()
def deep():
    click.echo("deep")
# end
"""


def run(command, *words):
    result = CliRunner().invoke(command, words)
    return result.output.strip() if result.exit_code == 0 else result.exit_code


@pytest.fixture
def mod(project):
    return project.load(APP)


def test_command_is_added_to_the_held_group(project, mod):
    cli = mod.cli
    project.apply(("# end", '@cli.command()\ndef more():\n    click.echo("more")'))
    assert run(cli, "more") == "more"


def test_option_is_added(project, mod):
    cli, bye = mod.cli, mod.say_bye
    project.apply(
        (
            '@click.option("--n", default=1)\ndef say_bye(n',
            '@click.option("--n", default=1)\n@click.option("--m", default=2)\ndef say_bye(n, m',
        ),
        ('"bye %d" % n', '"bye %d" % m'),
    )
    assert run(cli, "bye", "--m", "5") == "bye 5"
    assert bye.name == "bye"


def test_renamed_command_replaces_the_old_one(project, mod):
    cli = mod.cli
    project.apply(('"bye")', '"leave")'))
    assert run(cli, "leave") == "bye 1"
    assert run(cli, "bye") == 2
    assert sorted(cli.commands) == ["hello", "leave", "sub"]


def test_renamed_function_renames_its_command(project, mod):
    cli = mod.cli
    project.apply(("def hello", "def good_day"))
    assert run(cli, "good-day") == "hello"
    assert sorted(cli.commands) == ["bye", "good-day", "sub"]


def test_removed_command_is_withdrawn(project, mod):
    cli = mod.cli
    report = project.apply(('@cli.command()\ndef hello():\n    click.echo("hello")\n', ""))
    assert run(cli, "hello") == 2
    assert "click: the command hello was withdrawn" in report.notes


def test_group_that_runs_again_keeps_its_commands(project, mod):
    project.apply(
        (
            "@click.group()\ndef cli():\n    pass",
            '@click.group()\n@click.option("--v")\ndef cli(v):\n    click.echo(v)',
        )
    )
    assert run(mod.cli, "--v", "x", "hello") == "x\nhello"
    project.apply(("@cli.group()", '@cli.group("below")'))
    assert run(mod.cli, "below", "deep") == "None\ndeep" or run(mod.cli, "below", "deep") == "deep"
    assert sorted(mod.cli.commands) == ["below", "bye", "hello"]


def test_rejected_update_leaves_the_group_as_it_was(project, mod):
    before = dict(mod.cli.commands)
    project.refuse(
        ('"bye")', '"leave")'),
        ("# end", '@cli.command()\ndef more():\n    click.echo("more")\nraise SystemExit(3)'),
    )
    assert mod.cli.commands == before
    assert run(mod.cli, "bye") == "bye 1"


def test_statement_that_is_gone_withdraws_its_command(project, mod):
    project.apply(
        ("# end", '@click.command()\ndef extra():\n    click.echo("extra")\ncli.add_command(extra, "more")')
    )
    assert run(mod.cli, "more") == "extra"
    project.apply(('cli.add_command(extra, "more")', 'cli.add_command(extra, "less")'))
    assert sorted(mod.cli.commands) == ["bye", "hello", "less", "sub"]


def test_help_follows_the_docstring(project):
    mod = project.load("import click\n@click.command()\ndef hello():\n    'Old words.'\n")
    project.apply(("Old", "New"))
    assert "New words." in run_help(mod.hello)


def run_help(command):
    from click.testing import CliRunner

    return CliRunner().invoke(command, ["--help"]).output
