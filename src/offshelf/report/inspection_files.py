"""The files of an inspection."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from offshelf.dataset import LeftOut
from offshelf.inspection.inspection import Inspection
from offshelf.report.files import write_bytes, write_table, write_text
from offshelf.report.findings import left_out_table
from offshelf.report.html.embedding import Embedding
from offshelf.report.inspection_parquet import parquet
from offshelf.report.inspection_tables import (
    copy_columns,
    label_columns,
    metadata_columns,
    odd_columns,
    pair_columns,
    part_columns,
)

METADATA, TABLE = "metadata.csv", "inspection.parquet"
"""Names of the table to edit, and of the one for other tools."""


def write_inspection(
    folder: Path,
    inspection: Inspection,
    embedding: Embedding,
    metrics: Mapping[str, float],
    left_out: Sequence[LeftOut],
) -> None:
    """Write all tables that have rows, the numbers of the classifier and the table for other tools.

    Raises:
        StoreError: The folder cannot be written.
    """
    tables = {
        "labels.csv": label_columns(inspection),
        "leaks.csv": inspection.leaked,
        "copies.csv": copy_columns(inspection),
        "odd.csv": odd_columns(inspection),
        "confused_classes.csv": pair_columns(inspection),
        "class_parts.csv": part_columns(inspection),
        "left_out.csv": left_out_table(left_out),
        METADATA: metadata_columns(inspection),
    }
    for name, columns in tables.items():
        if any(columns.values()):
            write_table(folder / name, columns)
    write_text(folder / "metrics.json", json.dumps(dict(metrics), indent=2) + "\n")
    write_bytes(folder / TABLE, parquet(inspection, embedding.places))
