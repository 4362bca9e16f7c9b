"""The service of an exported model: images as bytes or text, answered in one row each, also if some are unusable."""

import base64
import binascii
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np

from offshelf.config.trust import Trust
from offshelf.dataset import ImageArray, ImageBytes
from offshelf.errors import BadImagesError, ConfigError, ImageError
from offshelf.model import records
from offshelf.runs.recorded import RecordedRun
from offshelf.serving.predictor import Predictor
from offshelf.store import MemoryStore

BLOCK = 256
"""Number of images whose bytes and features are in memory at a time."""
LARGEST_IMAGE = 64 * 2**20
"""Largest size of an image file, in bytes."""
LARGEST_REQUEST = 10_000
"""Largest number of images in a request."""
EXPECTED = "expected an image file's bytes, as base64 or a data: URL"


@dataclass(frozen=True, eq=False)
class Service:
    """A run's model with its network, for requests."""

    predictor: Predictor
    images: Path | None = None
    """Folder of images that may be named by path; None: paths are not opened."""
    largest: int = LARGEST_IMAGE

    @staticmethod
    def of(folder: Path, images: str = "", trust: str = "") -> "Service":
        """Load from a folder with a run's config and model. Raises as `Predictor.of`.

        Args:
            folder: Folder of config and model.
            images: Folder of images that may be named by their path in it; empty: none.
            trust: As on the command line.
        """
        past = RecordedRun.find(str(folder))
        predictor = Predictor.of(past.config, past.model(), Trust.of(trust))
        return Service(predictor, Path(images).resolve() if images else None)

    def warm_up(self) -> None:
        """Build the network, so that no request has to wait for it."""
        list(self.predictor.scores([ImageArray(np.zeros((8, 8, 3), np.uint8))], MemoryStore()))

    def answer(self, given: Sequence[Any], probabilities: bool | None = None) -> list[dict[str, Any]]:
        """Return each image's class and score, or its labels, the scores of all, and `error`, None if there is none.

        An unusable image does not affect the others: its row gives the reason, and everything else in it is None.

        Args:
            given: Bytes of image files, or text: base64, a `data:` URL, or a path in the folder of images.
            probabilities: Whether to return those of all classes too; None: if the model has learnt them.

        Raises:
            ConfigError: There are more images than a request may have.
            ModelError: The model has no probabilities.
        """
        if len(given) > LARGEST_REQUEST:
            raise ConfigError(f"{len(given):,} images in one request; at most {LARGEST_REQUEST:,} are accepted.")
        if probabilities:
            self.predictor.model.probabilities(np.empty((0, len(self.predictor.model.classes))))  # raises before work
        wanted = self.predictor.model.calibration is not None if probabilities is None else probabilities
        return [
            row for start in range(0, len(given), BLOCK) for row in self._rows(given[start : start + BLOCK], wanted)
        ]

    def _rows(self, given: Sequence[Any], probabilities: bool) -> Iterator[dict[str, Any]]:
        images: dict[int, ImageBytes] = {}
        faults: dict[int, str] = {}
        for row, one in enumerate(given):
            try:
                images[row] = self._image(one)
            except ImageError as error:
                faults[row] = str(error)
        scores = self._scores(images, faults)
        model = self.predictor.model
        names = list(map(_name, given))
        good = records(model, [names[row] or "" for row in images], scores, probabilities)
        said = {"class": ["class", "score", "scores"], "labels": ["labels", "scores"], "number": ["number"]}
        empty = dict.fromkeys([*said[model.kind], *(["probabilities"] if probabilities else [])])
        for row, name in enumerate(names):
            if row in faults:
                yield {"image": name, **empty, "error": faults[row]}
            else:
                yield {**good.pop(0), "error": None}

    def _scores(self, images: dict[int, ImageBytes], faults: dict[int, str]) -> np.ndarray:
        """Return scores, float64 [n, K], of the readable images; add the others to the faults."""
        store = MemoryStore()
        while images:
            try:
                return np.concatenate(list(self.predictor.scores(list(images.values()), store)))
            except BadImagesError as bad:
                rows = list(images)
                for place, why in bad.faults.items():
                    faults[rows[place]] = why
                    del images[rows[place]]
        return np.empty((0, len(self.predictor.model.classes)))

    def _image(self, given: Any) -> ImageBytes:
        if not isinstance(given, bytes | bytearray | str):
            raise ImageError(f"It is {'null' if _is_null(given) else f'a {type(given).__name__}'}; {EXPECTED}.")
        data = self._bytes(given) if isinstance(given, str) else bytes(given)
        if not data:
            raise ImageError(f"It is empty; {EXPECTED}.")
        self._require_size(len(data))
        return self.predictor.bytes(data)

    def _bytes(self, text: str) -> bytes:
        self._require_size(len(text) // 4)  # for the longest way to write a byte, and spaces
        if text.startswith("data:"):
            head, comma, content = text.partition(",")
            if not comma:
                raise ImageError(f"It is a data: URL without a comma; {EXPECTED}.")
            plain = unquote_to_bytes(content)
            return self._base64(plain.decode("latin-1")) if head.endswith(";base64") else plain
        path = self._path(text)
        if path is None:
            return self._base64(text)
        try:
            with path.open("rb") as file:
                data = file.read(self.largest + 1)
        except OSError as error:
            raise ImageError("It cannot be read.") from error
        return data

    def _base64(self, text: str) -> bytes:
        letters = "".join(text.split()).translate(str.maketrans("-_", "+/")).rstrip("=")
        try:
            return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
        except (binascii.Error, ValueError) as error:
            place = ", or the path of one in the folder of images" if self.images else ""
            raise ImageError(f"It is not base64; {EXPECTED}{place}.") from error

    def _require_size(self, size: int) -> None:
        if size > self.largest:
            raise ImageError(f"It is larger than {self.largest // 2**20} MiB, the limit for one image.")

    def _path(self, text: str) -> Path | None:
        """Return a file in the folder of images; None for other text. Nothing outside the folder is accessed."""
        if not self.images or len(text) > 4096 or "\0" in text:
            return None
        inside = Path(os.path.normpath(self.images / text))
        if not inside.is_relative_to(self.images):
            return None
        try:
            path = inside.resolve(strict=True)
            return path if path.is_relative_to(self.images) and path.is_file() else None
        except (OSError, RuntimeError):  # missing, or a cycle of links
            return None


def _is_null(given: Any) -> bool:
    """Return whether a value is None, NaN, or pandas' equivalent."""
    is_nan = isinstance(given, float) and math.isnan(given)
    return given is None or is_nan or type(given).__name__ in ("NAType", "NaTType")


def _name(given: Any) -> str | None:
    if isinstance(given, bytes | bytearray):
        return str(ImageBytes(bytes(given)))
    if not isinstance(given, str):
        return None
    return given if len(given) <= 256 and not given.startswith("data:") else f"{given[:40]}…"
