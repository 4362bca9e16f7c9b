"""Result of the task `dataset`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typing_extensions import override

from offshelf.dataset import About, ImageSet, RetrievalSet
from offshelf.report import about_table, found_line, repeats_line, retrieval_table, shared_groups_line, size_table
from offshelf.tasks.results.result import Result
from offshelf.terminal import Line
from offshelf.terminal.grid import Grid


@dataclass(frozen=True, kw_only=True, eq=False)
class DatasetDescription(Result):
    """What a data set is, and what of its copy was verified."""

    images: ImageSet | RetrievalSet = field(repr=False)
    """The data set."""
    about: About | None
    """Title, licence and origin of a published set; None for others."""
    folder: Path | None
    """Where a published set lies; None for others."""
    verified: tuple[str, ...]
    """Published files whose checksums were compared and are right."""
    read_images: bool
    """Whether each image was read."""

    @override
    def columns(self) -> dict[str, list[Any]]:
        """The rows that the terminal shows: name and value."""
        table = content_table(self.images)
        return {"name": table.cells(0), "value": table.cells(1)}

    @override
    def lines(self) -> list[Line]:
        is_published = self.about is not None and self.folder is not None
        return [
            about_table(self.about, self.folder) if self.about and self.folder else "",
            found_line(self.images),
            content_table(self.images),
            checksum_line(self.verified) if is_published else "",
            *self.closing(),
        ]

    @override
    def closing(self) -> list[Line]:
        if not self.read_images:
            return []
        known = [repeats_line(self.images, where=""), shared_groups_line(self.images)]
        return [f"Every image can be read: {len(self.images.pictures):,}", *known]


def content_table(images: ImageSet | RetrievalSet) -> Grid:
    """Return a table of the sizes of a data set and its official metric."""
    return retrieval_table(images) if isinstance(images, RetrievalSet) else size_table(images)


def checksum_line(verified: Sequence[str]) -> str:
    """Return a sentence: which published files have the right checksums."""
    if not verified:
        return "No checksum was compared: no published file is here, or dataset.verify=false"
    return f"Checksums verified: {', '.join(verified)}"
