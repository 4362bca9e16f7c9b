"""How `metadata.csv` is read again as the set that it lists: separator of its labels, settings of `dataset=csv`."""

import re
from collections.abc import Sequence
from pathlib import Path

from offshelf.dataset import ImageFile, ImageSet
from offshelf.dataset.labels import SIGNS
from offshelf.dataset.raster import MAX_PIXELS
from offshelf.names import in_quotes

SEPARATORS = (";", "|", ",", "/", "#", "~", "␟")
"""Between several labels of an image in `metadata.csv`: the first one that no label contains."""
_PLAIN = re.compile(r"[\w/.~-]+")
"""Texts that need no quotes in an override."""


def separator_of(classes: Sequence[str]) -> str:
    """Return what stands between several labels of an image."""
    return next((sign for sign in SEPARATORS if not any(sign in name for name in classes)), SEPARATORS[-1])


def reading_settings(table: Path, images: ImageSet) -> list[str]:
    """Return the overrides by which `dataset=csv` reads the table of a set as that set."""
    words = ["dataset=csv", _override("dataset.path", str(table))]
    if images.kind == "labels":
        words.append(f'dataset.separator="{separator_of(images.classes)}"')
    elif images.kind == "number":
        words.append("dataset.target=number")
    elif any(sign in name for name in images.classes for sign in (*SIGNS, "[")):
        words.append("dataset.separator=none")  # else it is asked whether these are several labels
    if images.groups is not None:
        words.append("dataset.group=group")
    return words + _of_pixels(images)


def _of_pixels(images: ImageSet) -> list[str]:
    """Return how files are decoded, where it is not the default and the same for all."""
    files = [image for image in images.pictures if isinstance(image, ImageFile)]
    found = [
        {f"dataset.background={_listed(image.background)}" for image in files},
        {f"dataset.value_range={_listed(image.value_range)}" for image in files},
        {f"dataset.max_pixels={image.max_pixels}" for image in files},
    ]
    default = {"dataset.background=[255,255,255]", "dataset.value_range=auto", f"dataset.max_pixels={MAX_PIXELS}"}
    return [word for words in found if len(words) == 1 for word in words - default]


def _listed(values: str | Sequence[float] | None) -> str:
    if values is None or isinstance(values, str):
        return values or "null"
    return f"[{','.join(f'{value:.17g}' for value in values)}]"


def _override(key: str, text: str) -> str:
    """Return an override whose value is a text, whatever is in it."""
    return f"{key}={text if _PLAIN.fullmatch(text) else in_quotes(text)}"
