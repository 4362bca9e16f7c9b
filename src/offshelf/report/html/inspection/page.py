"""The page of an inspection as a whole."""

from offshelf.names import readable
from offshelf.report.html.document import Document, Section
from offshelf.report.html.gallery import tiles_data
from offshelf.report.html.inspection.contents import InspectionContents, Lists, Shown
from offshelf.report.html.inspection.lists import Cards
from offshelf.report.html.inspection.summary import summary
from offshelf.report.html.page import map_section
from offshelf.report.html.tiles import Tiles

SCRIPT = ("data.js", "items.js", "lists.js", "colours.js", "grid.js", "map.js", "page.js", "ready.js")
"""Parts of the script, which share their names: each uses those before it."""
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
        bare = Document(
            "inspection of a data set", readable(contents.title), _sections(contents, shown), shown.data(), SCRIPT
        )
        order = list(shown.order)
        left = limit - bare.size(tiles_data(Tiles(), order, len(shown.rows))) - MARGIN
        if left > 0.3 * limit or (points < 500 and listed < 5):
            break
        points, listed = max(points // 2, 1), max(listed // 2, 1)
    samples = contents.inspection.images.samples
    images = [samples[row].image for row in shown.rows[order].tolist()] if contents.has_pictures else []
    return bare.html(tiles_data(Tiles.of(images, max(left, 0)), order, len(shown.rows)))


def _sections(contents: InspectionContents, shown: Shown) -> list[Section]:
    cards = Cards(shown)
    bodies = {
        "answer": summary(contents),
        "labels": cards.labels(),
        "leaks": cards.leaks(),
        "copies": cards.copies(),
        "odd": cards.odd(),
        "pairs": cards.pairs(),
        "divided": cards.divided(),
        "map-section": map_section(contents.inspection.images.kind, contents.embedding.about, "flagged label"),
    }
    more = {name: _more(*counts) for name, counts in cards.counts().items()}
    leads = {name: f'<p class="lead">{words}{more.get(name, "")}</p>' for name, words in LEADS.items()}
    return [Section(name, *TITLES[name], body and leads.get(name, "") + body) for name, body in bodies.items()]


def _more(shown: int, count: int, file: str) -> str:
    """Say how many entries of a list are not on the page."""
    return f" The first {shown:,} of {count:,} are here; {file} has all." if shown < count else ""
