"""Data sets in the layout of the Hugging Face hub, from a folder or from the hub."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from typing_extensions import override

from offshelf.dataset.sources.columns import AUTO
from offshelf.dataset.sources.hub import from_hub
from offshelf.dataset.sources.hub_folder import find_layout
from offshelf.dataset.sources.metadata_table import FILE_NAME, find_metadata, unlisted
from offshelf.dataset.sources.sharded import Rows
from offshelf.dataset.sources.table_file import open_table
from offshelf.dataset.sources.tables import InTables, declared_part
from offshelf.errors import DatasetError
from offshelf.remote import Url, is_url

ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
"""Name of a data set of the hub."""


@dataclass(frozen=True)
class HuggingFace(InTables):
    """A folder as the hub has it: Parquet files, images with `metadata.csv` beside them, or what `save_to_disk` writes.

    Another word is the name of a data set of the hub. Code of a data set is never run.
    """

    path: str
    """The folder, or a name such as `uoft-cs/cifar10`."""
    config: str | None = None
    """The configuration, if there are several."""
    download: bool = True
    """Whether a data set of the hub is downloaded if it is not in the cache of `datasets`."""

    @override
    def rows(self) -> Rows:
        folder = Path(self.path).expanduser().absolute()
        if not self.path:
            raise DatasetError("dataset.path is empty. Expected: a folder, or the name of a data set of the hub.")
        if is_url(self.path):
            raise DatasetError(
                f"dataset.path={Url.of(self.path)} is an address; of such a folder the tables are read by "
                "dataset=parquet, and images beside metadata.csv by dataset=csv."
            )
        if folder.is_dir():
            return self._of_folder(folder)
        if folder.exists() or not ID.fullmatch(self.path):
            raise DatasetError(f"dataset.path={self.path} is neither a folder nor the name of a data set of the hub.")
        return self.rows_of(self.path, from_hub(self.path, self.config, self.download))

    def _of_folder(self, folder: Path) -> Rows:
        layout = find_layout(folder, self.config)
        if layout and layout.tables:
            parts = [
                declared_part(open_table(one.path), one.path.relative_to(folder).as_posix(), one.part, layout.declared)
                for one in layout.tables
            ]
            return self.rows_of(folder.name, parts)
        metadata = find_metadata(folder)
        if not metadata:
            raise DatasetError(
                f"{folder} has no Parquet or Arrow files, and no metadata.csv, .jsonl or .parquet beside images. If "
                f"it has a folder for each class: dataset=folder dataset.root={self.path}"
            )
        columns = {**self.columns, "image": self.columns.get("image", AUTO)}
        named = replace(self, columns=columns | ({"image": FILE_NAME} if columns["image"] == AUTO else {}))
        rows = named.rows_of(folder.name, metadata)
        return replace(rows, not_taken=unlisted(folder, metadata))
