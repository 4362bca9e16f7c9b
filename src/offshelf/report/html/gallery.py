"""Pictures of the test images, and the map: what the page's script needs of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offshelf.memo import once
from offshelf.names import readable
from offshelf.report.html.contents import Contents
from offshelf.report.html.embedding import Embedding, Way, embed
from offshelf.report.html.items import Items
from offshelf.report.html.neighbours import Neighbours
from offshelf.report.html.packing import NONE, front_coded, packed, quantised
from offshelf.report.html.tiles import SHEET, Tiles

CONTEXT = 0.25
"""Share of the pictures, as long as there are so many mistakes, that goes to other images for the map."""


@dataclass(frozen=True, eq=False)
class Gallery:
    """The images that a page shows: tested ones first, the first items' first, then training images."""

    contents: Contents
    items: Items
    neighbours: Sequence[Neighbours]
    rows: np.ndarray
    """Rows of the samples: int64 [P]."""
    tested: int
    """Number of the tested ones."""

    @staticmethod
    def of(contents: Contents, items: Items, neighbours: Sequence[Neighbours], most: int) -> "Gallery":
        """Choose the images: at most so many, but the neighbours of the first items in any case."""
        tested = contents.tested.rows[items.order(len(contents.tested.rows))][:most]
        beside = list(dict.fromkeys(row for one in neighbours for _, rows in one for row in rows))
        trained = np.unique(np.concatenate([fold.train for fold in contents.images.folds]))
        seen = np.setdiff1d(np.array(beside, np.int64), tested, assume_unique=True)
        others = np.setdiff1d(trained, np.concatenate([tested, seen]))
        others = np.random.default_rng(0).permutation(others)[: max(most - len(tested) - len(seen), 0)]
        return Gallery(contents, items, neighbours, np.concatenate([tested, seen, others]), len(tested))

    def picture_order(self) -> list[int]:
        """Return the places of the images whose pictures matter most first.

        Mistakes with their neighbours, the worst first, and between them a sample of all others, for the map.
        """
        place = {row: number for number, row in enumerate(self.rows.tolist())}
        first: dict[int, None] = {}
        for number, item in enumerate(self.items.places.tolist()):
            if not self._is_shown(number):
                break
            first[place.get(int(self.contents.tested.rows[item]), -1)] = None
            beside = self.neighbours[number] if number < len(self.neighbours) else []
            first.update((place[row], None) for _, rows in beside for row in rows)
        first.pop(-1, None)
        rest = np.random.default_rng(0).permutation(len(self.rows)).tolist()
        others = iter([number for number in rest if number not in first])
        mixed: list[int] = []
        for count, number in enumerate(first):
            mixed.append(number)
            if count % round(1 / CONTEXT) == 0:
                mixed += [other for other in (next(others, None),) if other is not None]
        return mixed + list(others)

    def data(self, embedding: Embedding) -> dict[str, Any]:
        """Return the images and items, without their pictures."""
        images, items, count = self.contents.images, self.items, self.tested
        place = {row: number for number, row in enumerate(self.rows.tolist())}
        shown = [place.get(row, -1) for row in self.contents.tested.rows[items.places].tolist()]
        kept = np.flatnonzero(np.array(shown, np.int64) >= 0)
        return {
            "kind": images.kind,
            "classes": [readable(name) for name in images.classes],
            "tested": count,
            "ids": front_coded([readable(images.samples[row].id) for row in self.rows.tolist()]),
            "x": quantised(embedding.places[:, 0]),
            "y": quantised(embedding.places[:, 1]),
            **({"values": quantised(images.targets[self.rows])} if images.kind == "number" else {}),
            "colours": packed(_class_of(images.targets[self.rows]), "uint16"),
            "items": {
                "points": packed(np.array(shown, np.int64)[kept], "uint32"),
                **{name: packed(getattr(items, name)[kept], "uint16") for name in ("true", "taken")},
                "trueScores": quantised(items.true_scores[kept]),
                "takenScores": quantised(items.taken_scores[kept]),
                "wrong": packed(items.is_wrong[kept], "uint8"),
            },
            "neighbours": [[[group, [place[row] for row in rows]] for group, rows in one] for one in self.neighbours],
            "isProbability": self.contents.chosen.has_probabilities,
            "isRepeated": self.contents.is_repeated,
        }

    def embedding(self, how: Way) -> Embedding:
        """Return the map of the images."""
        rows = np.sort(self.rows)  # the same for jobs that differ in their mistakes alone
        contents, chosen = self.contents, self.contents.chosen
        fitted = (chosen.name, chosen.transformers[0], contents.images.folds[0].train)
        known = (contents.found.digest, *fitted, rows, how)
        found = once(lambda: embed(contents.features(rows), how), "map", *known)
        return Embedding(found.places[np.searchsorted(rows, self.rows)], found.about)

    def _is_shown(self, number: int) -> bool:
        return bool(self.items.is_wrong[number]) or (self.items.true[number] == NONE and number < len(self.neighbours))


def tiles_data(tiles: Tiles, order: Sequence[int], points: int) -> dict[str, Any]:
    """Return the pictures for the script: the number of its tile for each image, NONE without one."""
    numbers, sizes = np.full(points, NONE), np.zeros((points, 2), np.int64)
    made = np.array(order, np.int64)[tiles.numbers]
    numbers[made] = tiles.places
    sizes[made] = np.array(tiles.sizes, np.int64).reshape(-1, 2)
    return {
        "side": tiles.side,
        "perSheet": SHEET,
        "isExact": tiles.is_exact,
        "sheets": tiles.sheets,
        "tiles": packed(numbers, "uint16"),
        "sizes": packed(sizes, "uint8"),
    }


def _class_of(targets: np.ndarray) -> np.ndarray:
    """Return the class that an image is coloured by: of several labels the first one; NONE without one."""
    if targets.ndim == 2:
        has_any = (targets > 0).any(axis=1)
        return np.where(has_any, (targets > 0).argmax(axis=1), NONE)
    return targets if targets.dtype.kind == "i" else np.full(len(targets), NONE)
