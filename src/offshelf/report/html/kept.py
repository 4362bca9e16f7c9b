"""The pictures in the page of an earlier run, by the ids of their images."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from offshelf.dataset import ImageFile
from offshelf.errors import ImageError
from offshelf.report.html.packing import NONE, front_decoded, unpacked

_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True)
class _Sheet:
    """A sheet of pictures as a file in memory: a `Location`."""

    data: bytes = field(repr=False)

    def read_bytes(self) -> bytes:
        """Return the bytes."""
        return self.data

    def __str__(self) -> str:
        return "a sheet of pictures"


@dataclass(frozen=True, eq=False)
class KeptPictures:
    """Pictures of some images of a run."""

    places: Mapping[str, int]
    """Place of the tile of an image by its id."""
    sizes: Mapping[str, tuple[int, int]]
    """Width and height."""
    side: int
    columns: int
    sheets: Sequence[str]
    """Data URIs."""
    read: dict[int, np.ndarray | None] = field(default_factory=dict, repr=False)
    """Sheets that were decoded, by their numbers."""

    @staticmethod
    def of(page: str) -> "KeptPictures | None":
        """Return the pictures of a page; None if it is not the page of a run."""
        found = _DATA.search(page)
        try:
            return _read(json.loads(found[1])) if found else None
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            return None

    def picture(self, id: str) -> np.ndarray | None:
        """Return the picture of an image, uint8 [H, W, 3]; None if the page has none."""
        place = self.places.get(id)
        sheet = None if place is None else self._sheet(place // self.columns**2)
        if place is None or sheet is None:
            return None
        row, column = divmod(place % self.columns**2, self.columns)
        width, height = self.sizes[id]
        top, left = row * self.side, column * self.side
        picture = sheet[top : top + height, left : left + width]
        return picture if picture.size else None

    def _sheet(self, number: int) -> np.ndarray | None:
        if number not in self.read:
            self.read[number] = _decoded(self.sheets[number]) if number < len(self.sheets) else None
        return self.read[number]


def _read(data: Mapping[str, Any]) -> KeptPictures:
    kept = data["pictures"]
    tiles, sizes = unpacked(kept["tiles"], "uint16").tolist(), unpacked(kept["sizes"], "uint8").reshape(-1, 2).tolist()
    known = [(id, *one) for id, *one in zip(front_decoded(data["ids"]), tiles, sizes, strict=True) if one[0] != NONE]
    columns = int(kept["perSheet"]) ** 0.5
    return KeptPictures(
        {id: tile for id, tile, _ in known},
        {id: (width, height) for id, _, (width, height) in known},
        int(kept["side"]),
        max(int(columns), 1),
        [str(sheet) for sheet in kept["sheets"]],
    )


def _decoded(sheet: str) -> np.ndarray | None:
    try:
        return ImageFile(_Sheet(base64.b64decode(sheet.partition(",")[2]))).load()
    except (ImageError, ValueError):
        return None
