"""What the terminal prints, it prints as it is."""

import io
import logging
import logging.config
import subprocess
import sys
import unicodedata

import pytest
import yaml
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from offshelf.config import conf_dir
from offshelf.names import visible
from offshelf.terminal import say, terminal


@pytest.mark.parametrize("text", ["pip install 'offshelf[fast]'", "cars[/old] [bold]", ":smile:", "classifier.C=[…]"])
def test_brackets_stay(text):
    """In lines, and in a table's title and cells."""
    console = terminal()
    console.file = io.StringIO()
    table = Table(title=text)
    table.add_row(text)
    console.print(text)
    console.print(table)

    assert console.file.getvalue().count(text) == 3


NASTY = "evil\x1b]0;title\x07\x1b[31m\r\x00\x7f\x9b2J\u202egnp.\u2066"
SHOWN = r"evil\x1b]0;title\x07\x1b[31m\x0d\x00\x7f\x9b2J\u202egnp.\u2066"


def controls(text):
    """Characters that are no letter, by Unicode's own classes: control, and explicit direction."""
    explicit = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return {
        one for one in text if unicodedata.category(one) == "Cc" or unicodedata.bidirectional(one) in explicit
    } - set("\n\t")


def test_exactly_what_unicode_calls_a_control_is_escaped():
    """Of all characters: neither more nor less."""
    every = "".join(map(chr, range(0x11000)))

    assert {one for one in every if visible(one) != one} == controls(every)


def test_control_characters_are_shown(capsys):
    """In lines, cells, titles and in rich's own texts; lines stay lines, and columns stay aligned."""
    table = Table(title=NASTY)
    for cell in (NASTY, "plain"):
        table.add_row(cell, "|")
    say(NASTY, f"a\nb{NASTY}")
    terminal().print(table)
    terminal().print(Text("x\x1b[31my"))
    out = capsys.readouterr().out

    assert not controls(out)
    assert out.startswith(f"{SHOWN}\na\nb{SHOWN}\n")
    assert r"x\x1b[31my" in out
    rows = [line for line in out.splitlines() if line.rstrip().endswith("│") and "|" in line]
    assert len({line.index("|") for line in rows}) == 1


def test_styles_still_work(monkeypatch):
    """Those of rich, in a line beside a name that has an escape code in it, and a bar that moves the cursor."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    console = terminal()
    console.file = io.StringIO()
    console.print(Text("good \x1b[5m", style="bold"))
    with Progress(console=console) as bar:
        bar.update(bar.add_task(NASTY, total=1), completed=1)
    out = console.file.getvalue()

    assert "\x1b[1m" in out
    assert "\x1b[?25l" in out, "the cursor is hidden, as ever"
    assert "\x1b[5m" not in out
    assert "\x1b]0;" not in out


def test_an_error_shows_them():
    """Of an argument that the error names."""
    command = [sys.executable, "-m", "offshelf", "report", "no\x1b[31mne\u202e"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert r"no\x1b[31mne\u202e" in done.stderr
    assert not controls(done.stderr)


def test_log_lines_show_them():
    """As tasks configure them."""
    settings = yaml.safe_load((conf_dir() / "hydra/job_logging/offshelf.yaml").read_text(encoding="utf-8"))
    configured = logging.config.DictConfigurator(settings).configure_formatter(settings["formatters"]["plain"])
    record = logging.LogRecord("offshelf", logging.WARNING, "", 0, "%s is not taken", (NASTY,), None)

    assert configured.format(record) == f"{SHOWN} is not taken"
