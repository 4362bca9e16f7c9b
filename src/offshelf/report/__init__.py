"""Presentation of runs: tables in the terminal, plots, and files in the output folder."""

from offshelf.report.comparison import FIGURES, Point, comparison_figure, write_figure
from offshelf.report.contact_sheet_page import contact_sheet
from offshelf.report.dataset import about_table, retrieval_table, size_table
from offshelf.report.figures import (
    confusion_figure,
    curve_figure,
    layer_figure,
    precision_recall_figure,
    scatter_figure,
    similarity_figure,
)
from offshelf.report.files import (
    Scored,
    csv_text,
    curve_table,
    flat,
    layer_columns,
    metric_columns,
    per_class,
    with_error_bar,
    write_bytes,
    write_run,
    write_table,
    write_text,
)
from offshelf.report.findings import found_line, left_out_table, remarks, repeats_line, shared_groups_line
from offshelf.report.learning_curve import learning_curve_columns, learning_curve_figure, learning_curve_table
from offshelf.report.prediction_table import (
    Predictions,
    paired,
    paired_probabilities,
    predictions,
    read_predictions,
    why_unpaired,
)
from offshelf.report.recommendation import LeaderboardRow, leaderboard_columns, leaderboard_table, skipped_lines
from offshelf.report.reliability import probability_line, reliability_columns, reliability_figure
from offshelf.report.retrieval_tables import layer_scores, paired_queries, protocol_scores, query_table, query_values
from offshelf.report.sheet import SHEETS, Sheet, write_sheet
from offshelf.report.sheet_view import show_runs, show_sheet
from offshelf.report.sweep import JobOutcome, forecast_table, job_columns, job_table, sweep_figure
from offshelf.report.table import (
    extraction_table,
    layer_listing,
    left_out_line,
    other_numbers,
    score_table,
    spectrum_table,
)

__all__ = [
    "FIGURES",
    "SHEETS",
    "JobOutcome",
    "LeaderboardRow",
    "Point",
    "Predictions",
    "Scored",
    "Sheet",
    "about_table",
    "comparison_figure",
    "confusion_figure",
    "contact_sheet",
    "csv_text",
    "curve_figure",
    "curve_table",
    "extraction_table",
    "flat",
    "forecast_table",
    "found_line",
    "job_columns",
    "job_table",
    "layer_columns",
    "layer_figure",
    "layer_listing",
    "layer_scores",
    "leaderboard_columns",
    "leaderboard_table",
    "learning_curve_columns",
    "learning_curve_figure",
    "learning_curve_table",
    "left_out_line",
    "left_out_table",
    "metric_columns",
    "other_numbers",
    "paired",
    "paired_probabilities",
    "paired_queries",
    "per_class",
    "precision_recall_figure",
    "predictions",
    "probability_line",
    "protocol_scores",
    "query_table",
    "query_values",
    "read_predictions",
    "reliability_columns",
    "reliability_figure",
    "remarks",
    "repeats_line",
    "retrieval_table",
    "scatter_figure",
    "score_table",
    "shared_groups_line",
    "show_runs",
    "show_sheet",
    "similarity_figure",
    "size_table",
    "skipped_lines",
    "spectrum_table",
    "sweep_figure",
    "why_unpaired",
    "with_error_bar",
    "write_bytes",
    "write_figure",
    "write_run",
    "write_sheet",
    "write_table",
    "write_text",
]
