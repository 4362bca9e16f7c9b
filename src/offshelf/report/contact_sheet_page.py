"""A contact sheet of queries with their results: one self-contained HTML page."""

import base64
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape

import numpy as np

from offshelf.dataset import Image
from offshelf.dataset.retrieval_set import RetrievalItem, RetrievalSet, Truth
from offshelf.evaluation.retrieval import RetrievalScore
from offshelf.report.retrieval_tables import of_one

QUERIES = 60
"""Number of queries on a page; with ten references each, a few MB."""
SIDE = 112
"""Side of a thumbnail, in pixels."""


def contact_sheet(score: RetrievalScore, images: RetrievalSet, title: str) -> str:
    """Return a page with the worst queries by the official metric, each with its first references.

    A reference has a green frame if it is right, a red one if it is wrong, and a grey one if the protocol does not
    count it. Queries without relevant references are not shown.

    Raises:
        ImageError: An image can no longer be read.
    """
    protocol, _, metric = images.metric.rpartition("/")
    numbers = score.by_query[images.metric]
    worst = np.argsort(numbers, kind="stable")[: np.isfinite(numbers).sum()][:QUERIES]
    found = {query: [row for row in score.first_QT[query].tolist() if row >= 0] for query in worst}
    rows = sorted({row for several in found.values() for row in several})
    thumbnails = dict(zip(rows, _thumbnails([images.references[row].image for row in rows]), strict=True))
    asked = _thumbnails([images.queries[query].image for query in worst])
    strips = [
        _strip(
            _figure(images.queries[query], thumbnail, "query", f"{of_one(metric)} {numbers[query]:.3f}"),
            [
                _figure(
                    images.references[row], thumbnails[row], _verdict(row, images.truths[protocol][query]), str(rank)
                )
                for rank, row in enumerate(found[query], 1)
            ],
        )
        for query, thumbnail in zip(worst, asked, strict=True)
    ]
    shown = f"The {len(worst)} worst of {len(numbers):,} queries" if len(worst) < len(numbers) else "All queries"
    return _PAGE.format(
        title=escape(title), side=SIDE, shown=shown, metric=escape(images.metric), body="\n".join(strips)
    )


def _verdict(row: int, truth: Truth) -> str:
    if _holds(truth.relevant, row):
        return "right"
    return "ignored" if _holds(truth.ignored, row) else "wrong"


def _holds(sorted_rows: np.ndarray, row: int) -> bool:
    place = np.searchsorted(sorted_rows, row)
    return bool(place < len(sorted_rows) and sorted_rows[place] == row)


def _strip(query: str, found: Sequence[str]) -> str:
    return f"<section>{query}{''.join(found)}</section>"


def _figure(picture: RetrievalItem, thumbnail: str, kind: str, caption: str) -> str:
    name = escape(picture.id, quote=True)
    image = f'<img src="data:image/jpeg;base64,{thumbnail}" alt="{name}">'
    return f'<figure class="{kind}" title="{name}, {kind}">{image}<figcaption>{escape(caption)}</figcaption></figure>'


def _thumbnails(images: Sequence[Image]) -> list[str]:
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(_thumbnail, images))


def _thumbnail(image: Image) -> str:
    """Return a JPEG in base64. Small images are enlarged without interpolation, to be visible."""
    from PIL import Image as Pillow

    picture = Pillow.fromarray(image.load())
    scale = SIDE / max(picture.size)
    width, height = (max(1, round(scale * length)) for length in picture.size)
    how = Pillow.Resampling.NEAREST if scale > 1 else Pillow.Resampling.LANCZOS
    data = io.BytesIO()
    picture.resize((width, height), how, reducing_gap=None if scale > 1 else 2.0).save(data, "JPEG", quality=80)
    return base64.b64encode(data.getvalue()).decode()


_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 2em }}
section {{ display: flex; flex-wrap: wrap; gap: .5em; padding: .7em 0; border-top: 1px solid #ddd }}
figure {{ margin: 0; padding: 3px; border: 3px solid; border-radius: 4px; text-align: center }}
img {{ width: {side}px; height: {side}px; object-fit: contain; display: block }}
figcaption {{ font-size: 12px; color: #333 }}
.query {{ border-color: #333; margin-right: 1em }}
.right {{ border-color: #1a8f3c }}
.wrong {{ border-color: #d3302f }}
.ignored {{ border-color: #bbb; border-style: dashed }}
</style>
<h1>{title}</h1>
<p>{shown}, by {metric}, the worst first. Left the query, then its first references: framed green if right, red if
wrong, dashed grey if the protocol does not count them. Hover over an image for its name.</p>
{body}
"""
