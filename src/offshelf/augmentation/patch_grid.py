"""The overlapping sub-patches of the 2014 paper's spatial search."""

from dataclasses import dataclass
from functools import cached_property

from offshelf.augmentation.rotate import FILLS, Fill
from offshelf.augmentation.view import View
from offshelf.errors import ConfigError
from offshelf.suggest import did_you_mean


@dataclass(frozen=True)
class PatchGrid:
    """A grid of i x i sub-patches of equal size that together cover the image, at each level i from 1 on (section 4).

    The paper gives neither their size nor their overlap. By default a neighbour shares half of a patch, because the
    patches of level 2 then have 2/3 of the image's sides, 4/9 of its area, as the crops of the paper's section 3 have.
    Side 2 / (i + 1) is also what R-MAC adopted later (Tolias et al., ICLR 2016). Features are taken from the smallest
    square that contains a patch, as the paper says, so that nothing is warped; level 1 is the whole image.
    """

    levels: int = 4
    """Levels of a reference: 4 make 1 + 4 + 9 + 16 = 30 patches, the paper's h_r."""
    query_levels: int = 3
    """Levels of a query: 3 make 14 patches, the paper's h_q."""
    overlap: float = 0.5
    """Share of a patch's side that it has in common with its neighbour; 0: no overlap."""
    fill: Fill = "reflect"
    """Filling of a square where the image is shorter than it, as for View."""

    def __post_init__(self) -> None:
        for name in ("levels", "query_levels"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"augmentation.{name} must be a whole number of at least 1; got {value}.")
        if isinstance(self.overlap, bool) or not isinstance(self.overlap, int | float) or not 0 <= self.overlap < 1:
            raise ConfigError(
                f"augmentation.overlap must be a share of a patch's side, from 0 to below 1; got {self.overlap}."
            )
        if self.fill not in FILLS:
            raise ConfigError(f"augmentation.fill cannot be '{self.fill}'{did_you_mean(self.fill, FILLS)}")

    @cached_property
    def views(self) -> tuple[View, ...]:
        """Patches level by level, each from left to right, then downwards."""
        return self._patches(self.levels)

    @cached_property
    def query_views(self) -> tuple[View, ...]:
        """Patches of the first levels: stored features of a reference also serve the image as a query."""
        return self._patches(self.query_levels)

    def _patches(self, levels: int) -> tuple[View, ...]:
        return tuple(patch for level in range(1, levels + 1) for patch in self._level(level))

    def _level(self, count: int) -> list[View]:
        """Return `count` patches along each axis; the first begins, and the last ends, at the image's border."""
        side = 1 / (1 + (count - 1) * (1 - self.overlap))
        starts = [number * side * (1 - self.overlap) for number in range(count)]
        ends = [*(start + side for start in starts[:-1]), 1.0]
        spans = list(zip(starts, ends, strict=True))
        return [
            View((left, top, right, bottom), fit="enclosing", fill=self.fill)
            for top, bottom in spans
            for left, right in spans
        ]
