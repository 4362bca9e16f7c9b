"""The page of an inspection as a whole: one file that loads nothing, with the only script that its policy lets run."""

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from offshelf import __version__
from offshelf.names import readable
from offshelf.report.html.chart import section
from offshelf.report.html.gallery import tiles_data
from offshelf.report.html.inspection.contents import InspectionContents, Lists, Shown
from offshelf.report.html.inspection.lists import Cards
from offshelf.report.html.inspection.summary import summary
from offshelf.report.html.packing import embedded
from offshelf.report.html.page import map_section
from offshelf.report.html.tiles import Tiles

SCRIPT = ("data.js", "lists.js", "colours.js", "grid.js", "map.js", "page.js")
"""Parts of the script, which share their names: each uses those before it."""
STYLE = ("page.css", "inspection.css")
MARGIN = 1000
"""Bytes that are kept free for what changes with the pictures."""
LISTED = 100
"""Largest number of entries of a list."""

TITLES = {
    "answer": ("Found", "What was found"),
    "labels": ("Labels", "Labels that are probably wrong"),
    "leaks": ("Leaks", "Test images that are known from training"),
    "copies": ("Copies", "The same and nearly the same images"),
    "odd": ("Odd ones", "Odd ones out"),
    "pairs": ("One class?", "Classes that are taken for each other"),
    "divided": ("Parts", "Classes that fall into two parts"),
    "map-section": ("Map", "Map"),
}
"""Of each section its name among the links, and its heading."""

LEADS = {
    "labels": "By a classifier that was not fitted to the image (confident learning); the most probably wrong first. A "
    "suggestion is a guess to look at.",
    "leaks": "Each test image beside the training image that it is known from: the same bytes first, then the nearest.",
    "copies": "A chain of near duplicates is one group. The most alike first.",
    "odd": "The oddest of each kind first. What most images of a set are is not odd.",
    "pairs": "Pairs with mistakes in both directions, the least told apart first: one class under two names, perhaps.",
    "divided": "Along a principal component of the features: two classes under one name, perhaps. The clearest first.",
}
"""What a section shows, in words."""


def inspection_page(contents: InspectionContents, limit: float, points: int) -> str:
    """Return the page.

    Args:
        contents: What it is made from.
        limit: Largest number of bytes.
        points: Largest number of images on the map.
    """
    listed = LISTED
    while True:
        shown = Shown.of(Lists(contents, listed), points)
        sections, data = _sections(contents, shown), shown.data()
        order = list(shown.order)
        none = tiles_data(Tiles(), order, len(shown.rows))
        left = limit - len(_html(contents, sections, {**data, "pictures": none}).encode("utf-8", "backslashreplace"))
        if left - MARGIN > 0.3 * limit or (points < 500 and listed < 5):
            break
        points, listed = max(points // 2, 1), max(listed // 2, 1)
    samples = contents.inspection.images.samples
    images = [samples[row].image for row in shown.rows[order].tolist()] if contents.has_pictures else []
    pictures = tiles_data(Tiles.of(images, max(left - MARGIN, 0)), order, len(shown.rows))
    return _html(contents, sections, {**data, "pictures": pictures})


def _sections(contents: InspectionContents, shown: Shown) -> dict[str, str]:
    cards = Cards(shown)
    bodies = {
        "answer": summary(contents),
        "labels": cards.labels(),
        "leaks": cards.leaks(),
        "copies": cards.copies(),
        "odd": cards.odd(),
        "pairs": cards.pairs(),
        "divided": cards.divided(),
        "map-section": map_section(contents.inspection.images.kind, contents.embedding.about),
    }
    return {name: body for name, body in bodies.items() if body}


def _html(contents: InspectionContents, sections: Mapping[str, str], data: Mapping[str, Any]) -> str:
    style, script = _style(), _script()
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    values = {
        "policy": policy,
        "title": escape(readable(contents.title)),
        "style": style,
        "links": "".join(f'<li><a href="#{name}">{TITLES[name][0]}</a></li>' for name in sections),
        "sections": "\n".join(
            section(name, TITLES[name][1], body, LEADS.get(name, "")) for name, body in sections.items()
        ),
        "footer": f"offshelf {__version__}, {datetime.now():%Y-%m-%d %H:%M}. This file needs no other.",
        "data": embedded(data),
        "script": script,
    }
    template = _asset("page.html").replace("report of a classification", "inspection of a data set")
    return re.sub("@([a-z]+)@", lambda found: values[found[1]], template)


@cache
def _asset(name: str) -> str:
    return (Path(__file__).parents[1] / "assets" / name).read_text(encoding="utf-8")


@cache
def _script() -> str:
    return f'"use strict";\n(() => {{\n{"".join(map(_asset, SCRIPT))}}})();\n'


@cache
def _style() -> str:
    return "".join(map(_asset, STYLE))


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
