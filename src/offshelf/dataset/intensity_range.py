"""The range of values of images of more than 8 bits: one for a whole set, from the values of all its images.

For integers it is the fewest of 8, 10, 12, 14 and 16 bits that hold the largest value of all; for fractions 0 to 1. For
anything else (negative, more than 16 bits) it is from the smallest to the largest value of all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from offshelf.errors import DatasetError

ValueRange = tuple[float, float]
"""The values of black and white."""

Range = ValueRange | Literal["auto"] | None
"""A range; `auto`: the set's; None: images of more than 8 bits are rejected."""

DEPTHS = (8, 10, 12, 14, 16)
"""Bit depths of cameras."""

TOLERANCE = 0.05
"""Tolerance of fractions beyond 0 and 1, because resampling and JPEG overshoot."""

DARK = 1 / 16
"""Images whose largest value is below this share of the range are named, because they become nearly black."""


@dataclass(frozen=True)
class Extent:
    """The range and kind of an image's values."""

    low: float
    high: float
    is_float: bool
    """Whether values are stored as floating-point numbers."""
    is_whole: bool
    """Whether all values are nevertheless integers."""

    @property
    def fits_fractions(self) -> bool:
        """Whether the values can be fractions of 1."""
        return self.is_float and self.low >= -TOLERANCE and self.high <= 1 + TOLERANCE


def common_range(extents: Mapping[str, Extent]) -> ValueRange:
    """Return the range of a set, from the extents of its images by name.

    Raises:
        DatasetError: Some images hold fractions of 1, others counts.
    """
    _require_one_kind(extents)
    several = extents.values()
    low, high = min(one.low for one in several), max(one.high for one in several)
    if any(one.fits_fractions for one in several) and all(one.fits_fractions or one.high <= 1 for one in several):
        return 0.0, 1.0
    is_whole = all(one.is_whole for one in several)
    spare = 0 if is_whole else TOLERANCE  # resampled counts overshoot as well
    for white in (2.0**bits - 1 for bits in DEPTHS):
        if -spare * white <= low and high <= white * (1 + spare):
            # Floating-point counts are taken for a camera's only if they reach its upper half.
            return (0.0, white) if is_whole or high > white / 2 else _widest(low, high)
    return _widest(low, high)


def _require_one_kind(extents: Mapping[str, Extent]) -> None:
    fractions = [name for name, one in extents.items() if one.fits_fractions and not one.is_whole]
    counts = [name for name, one in extents.items() if one.high > 1 + TOLERANCE]
    if fractions and counts:
        kinds = (f"{name} from {extents[name].low:g} to {extents[name].high:g}" for name in (fractions[0], counts[0]))
        raise DatasetError(
            f"Images of more than 8 bits hold values of two kinds, so that no range suits all: {', '.join(kinds)}. "
            "Convert one kind, or set black and white with dataset.value_range=[black,white]"
        )


def _widest(low: float, high: float) -> ValueRange:
    return low, (high if high > low else low + 1)


def describe(extents: Mapping[str, Extent], values: ValueRange) -> tuple[str, bool]:
    """Return a line on the chosen range, and whether it deserves a warning."""
    low, high = min(one.low for one in extents.values()), max(one.high for one in extents.values())
    depth = next((f"{bits} bits, " for bits in DEPTHS if values == (0, 2**bits - 1)), "")
    line = (
        f"{len(extents):,} image(s) of more than 8 bits hold values from {low:g} to {high:g}: all are read by one "
        f"range, {depth}{values[0]:g} (black) to {values[1]:g} (white). To change it: dataset.value_range=[low,high]"
    )
    dark = [name for name, one in extents.items() if one.high - values[0] < DARK * (values[1] - values[0])]
    if dark:
        line += f". {len(dark):,} of them become nearly black: {', '.join(dark[:3])}{', …' * (len(dark) > 3)}"
    return line, bool(dark) or not (depth or values == (0, 1))


def parse_range(given: Any) -> Range:
    """Return a range from a setting: `auto`, null, or [black, white]. Raises DatasetError."""
    if given is None or given == "auto":
        return given
    try:
        if isinstance(given, str) or not isinstance(given, Sequence):
            raise TypeError
        low, high = (float(value) for value in given)
    except (TypeError, ValueError):
        low = high = 0.0
    if not low < high < float("inf") or low == -float("inf"):
        raise DatasetError(
            f"dataset.value_range={given} is not a range: expected auto, null, or [black,white] with the first below "
            "the second, as in dataset.value_range=[0,4095]"
        )
    return low, high
