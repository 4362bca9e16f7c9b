"""`offshelf report`: a study's runs beside what was published, as a table and a figure."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table

from offshelf.commands.arguments import Parser, divide, require_folder_name
from offshelf.commands.result import CommandResult
from offshelf.metric import Bootstrap
from offshelf.report import Sheet
from offshelf.study.report import make_report
from offshelf.study.study import read_study
from offshelf.terminal import terminal
from offshelf.tracking import MLflow
from offshelf.tracking.mlflow.reading import SETTINGS, TrackedRuns


def main(arguments: Sequence[str]) -> CommandResult:
    """Report on one study.

    Raises:
        ConfigError: an argument is misspelt, or the study malformed.
        TrackingError: there are no runs, or they kept no predictions.
        StoreError: the report cannot be written.
    """
    others, where = divide(arguments, SETTINGS)
    options = _parser().parse_args(others)
    if options.out:
        require_folder_name(options.out, "Name a folder: a report is several files.")
    study = read_study(Path(options.study))
    report = make_report(study, TrackedRuns(**where), Bootstrap(options.replicates))
    folder = Path(options.out) if options.out else study.folder / "report"
    report.write(folder)
    tracking = MLflow(where["home"] or None, where["uri"] or None, where["experiment"])
    with tracking.start(f"report {study.name}") as run:
        run.log(params={"study": study.name})
        report.log(run)
    _show(report.brief)
    terminal().print(f"The report is in {folder}\nSee it beside its runs with: offshelf ui", soft_wrap=True)
    return CommandResult({"study": study.name, "folder": folder, "metrics": report.metrics, "table": report.cells})


def _show(sheet: Sheet) -> None:
    table = Table(title=sheet.title, box=box.SIMPLE, title_justify="left", pad_edge=False)
    for number, column in enumerate(sheet.columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=number > 0)
    for row in sheet.rows:
        table.add_row(*row)
    console = terminal()
    console.print(table)
    for note in sheet.notes:
        console.print(note, soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf report", description=__doc__, epilog="also: home=DIR uri=URI experiment=NAME")
    parser.add_argument("study", help="a folder with a study.yaml", metavar="STUDY_DIR")
    parser.add_argument("--out", help="where to write it; by default the folder's report/", metavar="DIR")
    parser.add_argument("--replicates", type=int, default=1000, help="draws of the bootstrap")
    return parser
