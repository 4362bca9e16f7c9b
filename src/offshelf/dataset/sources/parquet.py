"""Data sets in Parquet and Arrow files, with a column of images or of their paths and a column of labels."""

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from typing_extensions import override

from offshelf.dataset.sources.sharded import Rows
from offshelf.dataset.sources.shards import Where, find_shards
from offshelf.dataset.sources.table_file import SUFFIXES, open_table
from offshelf.dataset.sources.tables import InTables, declared_part
from offshelf.remote import Url, is_url


@dataclass(frozen=True)
class Parquet(InTables):
    """Images of Parquet or Arrow (Feather) files: a column of bytes, of structs {bytes, path}, or of paths; labels.

    A row is named by its file and number, `train.parquet:17`; an image in a file by its path.
    """

    path: Where = field(hash=False)
    """A file, a folder, a pattern, a list of these, or these by part: `{train: …, test: …}`."""

    @override
    def rows(self) -> Rows:
        shards = find_shards(self.path, SUFFIXES)
        parts = [declared_part(open_table(shard.path), shard.name, shard.part) for shard in shards]
        return self.rows_of(name_of(self.path, shards[0].path), parts)


def name_of(where: Where, first: Path) -> str:
    """Return the name of a data set from where it is."""
    if is_url(where):
        url = Url.of(str(where))
        return PurePath(url.name).stem if not re.search(r"[*?\[{]", url.name) else url.parent.name
    path = Path(where).expanduser().absolute() if isinstance(where, str) else first.parent
    return (path.stem if path.is_file() else path.name) if path.exists() else first.parent.name
