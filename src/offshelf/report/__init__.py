"""What a person sees of a run: tables in the terminal, plots, and files in the output folder."""

from offshelf.report.files import (
    csv_text,
    curve_table,
    flat,
    per_class,
    predictions,
    write_run,
    write_table,
    write_text,
)
from offshelf.report.plot import confusion_figure, curve_figure, layer_figure
from offshelf.report.table import extraction_table, layer_listing, left_out_line, open_grids, score_table

__all__ = [
    "confusion_figure",
    "csv_text",
    "curve_figure",
    "curve_table",
    "extraction_table",
    "flat",
    "layer_figure",
    "layer_listing",
    "left_out_line",
    "open_grids",
    "per_class",
    "predictions",
    "score_table",
    "write_run",
    "write_table",
    "write_text",
]
