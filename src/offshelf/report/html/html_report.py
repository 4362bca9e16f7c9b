"""Settings of the report of a run."""

import math
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from offshelf.errors import ConfigError
from offshelf.report.html.embedding import Way

if TYPE_CHECKING:
    from offshelf.report.html.contents import Contents

FILE = "report.html"
"""Name of the report in the output folder and among the artifacts."""


@dataclass(frozen=True)
class HtmlReport:
    """A page with the answer, the curves, the mistakes as pictures and a map of the images.

    It is one file that loads nothing else, works without a network and runs no script but its own.

    Raises:
        ConfigError: a value is out of range.
    """

    max_mb: float = 5
    """Largest size in megabytes (10^6 bytes), which bounds the embedded pictures, mistakes first."""
    map: Way = "pca"
    """How images are placed on the map: the first two principal components, t-SNE, which takes minutes from
    thousands of images on, or UMAP, for which `offshelf[umap]` is needed."""
    points: int = 20_000
    """Number of images on the map, those of the test part first, and of these the mistakes; at most 50,000."""

    def __post_init__(self) -> None:
        if not 0.2 <= self.max_mb < math.inf:
            raise ConfigError(f"report.max_mb is a number of megabytes from 0.2 on; got {self.max_mb}.")
        if self.map == "umap" and find_spec("umap") is None:
            raise ConfigError("report.map=umap needs umap-learn: pip install 'offshelf[umap]'")
        if not 1 <= self.points <= 50_000:
            raise ConfigError(f"report.points is from 1 to 50,000; got {self.points:,}.")

    def page(self, contents: "Contents") -> str:
        """Return the page of a run."""
        from offshelf.report.html.page import page

        return page(contents, self.max_mb * 1e6, self.points, self.map)
