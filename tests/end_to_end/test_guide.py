"""The user guide is true: its site builds, and every command in it is run, page by page, in a folder of its own.

A `console` block is a session: what stands behind `$ ` is run by bash, and each line that is shown must be in the
output; `…` stands for anything, and numbers with a decimal point may differ a little. A block of another language whose
first line names a file is that file. What cannot be run here stands in a `text` block with a comment that says why.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import tables
import warm
import yaml

from offshelf import cli
from offshelf.commands.command_table import COMMANDS

ROOT = Path(__file__).parents[2]
NAV = [page for entry in yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"] for page in entry.values()]
TOLERANCE = 0.02
"""By how much a number may differ from the one shown: networks do not give the same last digits on all machines."""

LONG = "run in make soak: "
"""A comment before a block begins with it, and says why the block is not run every time."""

_BLOCK = re.compile(r"(?:<!-- (?P<note>[^\n]*) -->\n+)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, and the comment before it."""

    language: str
    lines: list[str]
    note: str

    @property
    def file(self):
        """The file that the block is; empty where it is none."""
        named = re.match(r"# ([\w./]+\.(?:py|yaml|sh))\b", self.lines[0])
        return named.group(1) if named and self.language != "console" else ""


def blocks(page):
    """Fenced blocks of a page, in their order."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = [Block(m["language"], m["text"].splitlines(), m["note"] or "") for m in _BLOCK.finditer(text)]
    assert text.count("\n```") == 2 * len(found), "each fence is one of a block"
    return found


def write_files(page, folder):
    """The files that blocks are."""
    for block in page:
        if block.file:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text("\n".join(block.lines) + "\n", encoding="utf-8")


def session(block):
    """Commands of a console block, each with the lines that are shown of its output."""
    steps = []
    for line in block.lines:
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps


def shows(line, output):
    """Whether a line of the guide is in an output: word for word, save `…` and the last digits of numbers."""
    parts = re.split(r"(…|\d+\.\d+)", " ".join(line.split()))
    pattern = "".join(
        ".*" if part == "…" else r"(\d+\.\d+)" if re.fullmatch(r"\d+\.\d+", part) else re.escape(part) for part in parts
    )
    expected = [float(part) for part in parts if re.fullmatch(r"\d+\.\d+", part)]
    found = (re.fullmatch(pattern, " ".join(candidate.split())) for candidate in output.splitlines())
    return any(match and list(map(float, match.groups())) == pytest.approx(expected, abs=TOLERANCE) for match in found)


def test_what_counts_as_shown():
    """The oracle of this file, by hand."""
    output = " layer    dims     C\n block1      8   0.14\nIt took 3.2 s in /tmp/a."

    assert shows("block1  8  0.13", output)
    assert shows("It took … s in …", output)
    assert not shows("block1  8  0.11", output)
    assert not shows("block1  9  0.14", output)
    assert not shows("block1", output)


def pages():
    """Of the contents; one with a block that takes too long for every run comes twice."""
    for page in NAV:
        yield pytest.param(page, False, id=page)
        if any(block.note.startswith(LONG) for block in blocks(page)):
            yield pytest.param(page, True, id=f"{page}, whole", marks=pytest.mark.soak)


@pytest.mark.slow
@pytest.mark.parametrize(("page", "whole"), list(pages()))
def test_every_command_of_a_page(page, whole, home, tmp_path, request):
    """In their order, each with exit code 0, unless a comment says otherwise."""
    shutil.copytree(tables.template().name, home)
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    if page not in ("store.md", "sweeps.md"):  # which show what is extracted
        request.getfixturevalue("known_digits")
        shutil.copytree(request.getfixturevalue("digit_features"), home / "store", dirs_exist_ok=True)
    path = os.pathsep.join([str(warm.program().parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "COLUMNS": "120"}
    write_files(blocks(page), tmp_path)
    for block in blocks(page):
        is_run = block.language == "console" and (whole or not block.note.startswith(LONG))
        steps = session(block) if is_run else []
        for number, (command, shown) in enumerate(steps, 1):
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                timeout=900,
                check=False,
            )
            wanted = int(block.note == "the last exits with 1" and number == len(steps))
            assert done.returncode == wanted, f"{command}\n{done.stdout}"
            absent = [line for line in shown if line.strip() not in ("", "…") and not shows(line, done.stdout)]
            assert not absent, f"{command}\n{done.stdout}\ndoes not show: {absent}"


def test_what_is_not_run_says_why():
    """In a comment before it; so does a block that is neither a session nor a file."""
    for page in NAV:
        for block in blocks(page):
            if block.language != "console" and not block.file:
                assert re.match(r"not run: .{10,}", block.note), f"{page}: {block.lines[0]}"


def test_pages_are_in_the_contents():
    """None is forgotten, none has no commands but the benchmarks."""
    assert sorted(NAV) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    assert {page for page in NAV if not any(block.language == "console" for block in blocks(page))} <= {
        "benchmarks.md",
        "guarantees.md",
        "limits.md",
        "svm_map.md",
    }


@pytest.mark.slow
def test_site_builds_without_warnings(tmp_path):
    """mkdocs build --strict; links and anchors included."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert (tmp_path / "site/first_run.html").exists()
    assert not (tmp_path / "site/screenshot.py").exists()


README = blocks("../README.md")
NOT_RUN = [block for page in [*NAV, "../experiments/README.md"] for block in blocks(page) if block.language == "text"]
COMMANDS_SHOWN = {
    line: None
    for block in [*README, *NOT_RUN]
    for line in block.lines
    if line.startswith("offshelf ") and "…" not in line
}


def test_readme_is_short():
    """Whatever else there is to say has a page of its own."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


@pytest.mark.slow
@pytest.mark.parametrize("line", COMMANDS_SHOWN)
def test_command_that_is_not_run(line, monkeypatch, tmp_path):
    """It composes with the files that the README shows; one that is not a task is known, and tested elsewhere."""
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    write_files(README, tmp_path)
    monkeypatch.chdir(tmp_path)
    _, command, *arguments = shlex.split(line, comments=True)
    if command == "-sc" or not COMMANDS[command].is_task:
        return
    arguments = [cli.at_home(argument) for argument in arguments]
    cli.check(command, cli.named_dataset(arguments) if command == "dataset" else arguments)
