"""A page as a file: it loads nothing, and has the only script and style that its policy lets run."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from offshelf import __version__
from offshelf.names import visible
from offshelf.report.html.chart import section
from offshelf.report.html.packing import embedded


@dataclass(frozen=True)
class Section:
    """A part of a page."""

    name: str
    """Its id."""
    link: str
    """Its name among the links at the top."""
    heading: str
    body: str
    """HTML; a section without is left out."""


@dataclass(frozen=True)
class Document:
    """The parts of a page but for its pictures."""

    kind: str
    """What the page is: a report of a classification."""
    title: str
    sections: Sequence[Section]
    data: Mapping[str, Any]
    """What the script reads."""
    script: Sequence[str]
    """Files among the assets, which share their names: each uses those before it."""

    def html(self, pictures: Mapping[str, Any]) -> str:
        """Return the page."""
        style, script = _asset("page.css"), _script(tuple(self.script))
        policy = (
            f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'"
        )
        shown = [one for one in self.sections if one.body]
        body = "\n".join(section(one.name, one.heading, one.body) for one in shown)
        values = {
            "policy": policy,
            "kind": escape(self.kind),
            "title": escape(visible(self.title)),
            "style": style,
            "links": "".join(f'<li><a href="#{one.name}">{one.link}</a></li>' for one in shown),
            "sections": visible(body),  # the script makes those names visible that it shows
            "footer": f"offshelf {__version__}, {datetime.now():%Y-%m-%d %H:%M}. This file needs no other.",
            "data": embedded({**self.data, "pictures": pictures}),
            "script": script,
        }
        return re.sub("@([a-z]+)@", lambda found: values[found[1]], _asset("page.html"))

    def size(self, pictures: Mapping[str, Any]) -> int:
        """Return the bytes of the page."""
        return len(self.html(pictures).encode("utf-8", "backslashreplace"))


@cache
def _asset(name: str) -> str:
    return (Path(__file__).with_name("assets") / name).read_text(encoding="utf-8")


@cache
def _script(files: tuple[str, ...]) -> str:
    return f'"use strict";\n(() => {{\n{"".join(map(_asset, files))}}})();\n'


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def command_list(commands: Mapping[str, str]) -> str:
    """Return commands to copy, by what they do; empty if there are none."""
    lines = "".join(
        f"<div><dt>{escape(what)}</dt><dd><code>{escape(command)}</code>"
        f'<button type="button" class="copy" aria-label="copy the command">copy</button></dd></div>'
        for what, command in commands.items()
    )
    return f'<dl class="commands">{lines}</dl>' if lines else ""
