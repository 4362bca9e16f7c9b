"""What a person sees of a run: tables in the terminal, plots, and files in the output folder."""

from offshelf.report.files import flat, per_class, write_run
from offshelf.report.plot import confusion_figure, layer_figure
from offshelf.report.table import extraction_table, layer_listing, open_grids, score_table

__all__ = [
    "confusion_figure",
    "extraction_table",
    "flat",
    "layer_figure",
    "layer_listing",
    "open_grids",
    "per_class",
    "score_table",
    "write_run",
]
