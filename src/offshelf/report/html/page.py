"""The report of a run as a whole."""

from html import escape

from offshelf.names import readable
from offshelf.report.html.answer import answer
from offshelf.report.html.class_bars import MOST as MOST_CLASSES
from offshelf.report.html.class_bars import class_bars
from offshelf.report.html.confusion import confusion, confusion_data
from offshelf.report.html.contents import Contents
from offshelf.report.html.curves import curves
from offshelf.report.html.document import Document, Section
from offshelf.report.html.embedding import Way
from offshelf.report.html.gallery import Gallery, tiles_data
from offshelf.report.html.items import items_of
from offshelf.report.html.neighbours import neighbours_of
from offshelf.report.html.probabilities import score_charts
from offshelf.report.html.tiles import Tiles

SCRIPT = ("data.js", "items.js", "gallery.js", "matrix.js", "colours.js", "grid.js", "map.js", "page.js", "ready.js")
"""Parts of the script, which share their names: each uses those before it."""

MARGIN = 1000
"""Bytes that are kept free for what changes with the pictures."""
FEWEST = 20
"""Images of the map and classes of the list, together, that a page has at least, though it gets larger than asked."""

TITLES = {
    "answer": ("Answer", "The answer"),
    "curves": ("Curves", "Choices and scores"),
    "classes-section": ("Classes", "Classes"),
    "confusion": ("Confusion", "What is taken for what"),
    "pictures": ("Pictures", "Pictures"),
    "map-section": ("Map", "Map"),
}
"""Of each section its name among the links, and its heading."""

WHAT = {"wrong": "mistakes", "right": "right ones", "all": "all"}
"""What the gallery shows, in words."""


def page(contents: Contents, limit: float, points: int, how: Way) -> str:
    """Return the report of a run.

    Args:
        contents: What it is made from.
        limit: Largest number of bytes.
        points: Largest number of images on the map.
        how: How they are placed: `pca`, `tsne` or `umap`.
    """
    most, listed = points, min(MOST_CLASSES, len(contents.images.classes))
    fixed = _fixed_sections(contents)
    items = items_of(contents)
    neighbours = neighbours_of(contents, items)
    while True:
        gallery = Gallery.of(contents, items, neighbours, most)
        embedding = gallery.embedding(how)
        sections = {
            **fixed,
            "classes-section": class_bars(contents, listed),
            "pictures": _pictures(contents),
            "map-section": map_section(contents.chosen.kind, embedding.about),
        }
        ordered = [Section(name, *words, sections[name]) for name, words in TITLES.items()]
        data = {**gallery.data(embedding), "confusion": confusion_data(contents)}
        bare = Document("report of a classification", readable(contents.title), ordered, data, SCRIPT)
        order = gallery.picture_order()
        none = tiles_data(Tiles(), order, len(gallery.rows))
        left = limit - bare.size(none) - MARGIN
        if left > 0.3 * limit or (most < 500 and (left >= 0 or most + listed < FEWEST)):
            break
        listed = listed if most >= 500 else max(listed // 2, 1)
        most = max(most // 2, 1)
    shown = [contents.images.samples[row].image for row in gallery.rows[order].tolist()]
    return bare.html(tiles_data(Tiles.of(shown, max(left, 0)), order, len(gallery.rows)))


def _fixed_sections(contents: Contents) -> dict[str, str]:
    """Return the sections that do not depend on the number of images and classes that are shown."""
    charts = f'<div class="charts">{curves(contents)}{score_charts(contents)}</div>'
    return {"answer": answer(contents), "curves": charts, "confusion": confusion(contents)}


def _pictures(contents: Contents) -> str:
    kind = contents.chosen.kind
    options = "".join(f'<option value="{name}">{words}</option>' for name, words in WHAT.items())
    show = f'<label class="control">Show <select id="show">{options}</select></label>' if kind == "class" else ""
    names = ("true", "taken for") if kind == "class" else ("lacks, but has", "was given, but has not")
    filters = "".join(
        f'<label class="control">{words} <select id="{name}"><option value="">any</option></select></label>'
        for name, words in zip(("true", "taken"), names, strict=True)
    )
    chosen = "" if kind == "number" else f'<div class="controls">{show}{filters}</div>'
    return (
        f'<p class="lead" id="count" aria-live="polite" tabindex="-1"></p>{chosen}<div id="cards" class="cards"></div>'
        '<button type="button" id="more" class="button">Show more</button><noscript>The pictures and the map need this '
        "file's script.</noscript>"
    )


def map_section(kind: str, about: str, ringed: str = "mistake") -> str:
    """Return the map of the images, which the script draws; `ringed` is what the ringed images are, in the singular."""
    buttons = "".join(
        f'<button type="button" class="button" id="{name}" aria-label="{words}">{sign}</button>'
        for name, sign, words in (
            ("in", "+", "zoom in"),
            ("out", "−", "zoom out"),
            ("whole", "⤢", "show the whole map"),
        )
    )
    wrongs = kind != "number"
    what = f"{ringed}s are ringed" if wrongs else "colours go from blue, the least number, to orange, the largest"
    keys = "Drag to move; + and − zoom, arrows move" + (f", n and p go from {ringed} to {ringed}." if wrongs else ".")
    only = (
        '<label class="control"><input type="checkbox" id="only-wrong"> ' + f"{ringed}s only</label>" if wrongs else ""
    )
    tell = "map of the images" + (f"; press n for the next {ringed}" if wrongs else "")
    return (
        f'<p class="lead">{escape(about)} Large dots are test images, small ones training images; {what}. '
        f'{keys}</p><div class="controls"><span id="legend" class="chips"></span>'
        '<label class="control"><input type="checkbox" id="trained" checked> training images</label>'
        f'{only}</div><div class="map"><canvas id="map" tabindex="0" role="img" aria-label="{tell}"></canvas>'
        f'<canvas id="ring" aria-hidden="true"></canvas><div class="zoom">{buttons}</div></div>'
        '<p id="place" class="note" aria-live="polite"></p>'
    )
