"""The table of commands: each verb is found by its file's name, and help, docs and configs have the same list."""

import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from offshelf.cli import names_run
from offshelf.commands.command_table import COMMANDS, TASKS, VERBS, help_text
from offshelf.config.folder import root_targets

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_verb_is_a_file_of_its_name(verb):
    """Or a package, among the tasks or the commands."""
    path = Path(find_spec(verb.module).origin)

    assert verb.name == (path.parent.name if path.name == "__init__.py" else path.stem)
    assert path.is_relative_to(ROOT / "src/offshelf" / ("tasks" if verb.is_task else "commands"))
    if not verb.is_task:
        assert callable(import_module(verb.module).main)


def test_tasks_are_the_root_configs():
    """Each names a function of the task's module."""
    targets = root_targets()

    assert set(targets) == set(TASKS)
    for task, target in targets.items():
        assert target.rpartition(".")[0] == COMMANDS[task].module


def test_help_has_all():
    """A line each, none longer than a wide terminal."""
    lines = help_text().splitlines()

    assert [line.split()[1] for line in lines[2 : 2 + len(VERBS)]] == list(COMMANDS)
    assert max(map(len, lines)) <= 120


def test_the_docs_list_all():
    """In the order of the help, with the same words; no page has a command that does not exist."""
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `offshelf (\w+)` \| (.*) \|$", page, re.M) == [(verb.name, verb.about) for verb in VERBS]

    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        code = "\n".join(
            [*re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S), *re.findall(r"`(offshelf [^`\n]*)`", text)]
        )
        named = re.findall(r"^(?:\$ )?offshelf ([a-z]+)", code, re.M)
        assert set(named) <= set(COMMANDS), path


def test_nothing_heavy_is_imported_to_dispatch():
    """The table, the help and a misspelt command need neither Hydra nor the terminal's library."""
    code = """
import sys
sys.argv = ["offshelf", "clasify"]
import offshelf.cli
try:
    offshelf.cli.main()
except SystemExit as ended:
    assert ended.code == 1
heavy = {"hydra", "omegaconf", "rich", "numpy", "yaml", "torch", "mlflow", "sklearn"}
sys.exit(" ".join(heavy & sys.modules.keys()) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "did you mean 'classify'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "is_run"),
    [
        ("", False),
        ("dataset=digits layer=last", False),
        ("--cfg job", False),
        ("-m layer=block1,block2", False),
        ("--config-dir mine dataset=own ~launcher", False),
        ("10d4061a", True),
        ("home=/tmp 10d4061a --out folder", True),
        ("--out folder 10d4061a", True),
    ],
)
def test_a_run_is_told_from_overrides(arguments, is_run):
    """Of the task that takes both."""
    assert names_run("inspect", arguments.split()) == is_run
    assert not names_run("classify", arguments.split())
