"""Result of the task `extract`."""

from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from offshelf.dataset import ImageSet, LeftOut, RetrievalSet
from offshelf.extractor import Forecast
from offshelf.report import extraction_table, found_line, left_out_line, repeats_line
from offshelf.tasks.results.result import Result
from offshelf.terminal import Line


@dataclass(frozen=True, kw_only=True, eq=False)
class ExtractionResult(Result):
    """What an extraction comprised, or would comprise."""

    images: ImageSet | RetrievalSet = field(repr=False)
    """The images that were used."""
    preprocessing: str = field(repr=False)
    """A sentence: how the network sees an image."""
    layers: tuple[str, ...]
    """Names of the layers, from input to output."""
    views: int
    """Views per image."""
    forecast: Forecast
    """What was missing before, and with `dry_run` what its extraction will cost."""
    dry_run: bool
    """Whether nothing was extracted."""
    left_out: tuple[LeftOut, ...] = field(default=(), repr=False)
    """Images that could not be used; not empty only with `on_error="skip"`."""

    @property
    @override
    def objective(self) -> float:
        """Number of images whose features were missing."""
        return float(self.forecast.missing)

    @override
    def columns(self) -> dict[str, list[Any]]:
        """One row: images, missing, layers, views, passes, bytes and seconds (None where they were not estimated)."""
        forecast = self.forecast
        return {
            "images": [forecast.images],
            "missing": [forecast.missing],
            "layers": [", ".join(self.layers)],
            "views": [self.views],
            "passes": [forecast.passes],
            "bytes": [forecast.size],
            "seconds": [forecast.seconds],
        }

    @override
    def lines(self) -> list[Line]:
        table = extraction_table(self.forecast, self.layers, self.views)
        return [found_line(self.images), self.preprocessing, table, *self.closing()]

    @override
    def closing(self) -> list[Line]:
        return [repeats_line(self.images, where=""), left_out_line(self.left_out)]
