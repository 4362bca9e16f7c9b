"""`offshelf report`: the page of a run; a study's runs beside what was published, as a table and a figure."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from offshelf.commands.arguments import Parser, divide, require_folder_name
from offshelf.commands.result import CommandResult
from offshelf.errors import ConfigError, OffshelfError
from offshelf.metric import Bootstrap
from offshelf.report import show_sheet, write_text
from offshelf.runs.recorded import CONFIG, RecordedRun
from offshelf.study.report import make_report
from offshelf.study.study import FILE as STUDY
from offshelf.study.study import read_study
from offshelf.terminal import terminal
from offshelf.tracking import MLflow
from offshelf.tracking.mlflow.reading import SETTINGS, TrackedRuns


def main(arguments: Sequence[str]) -> CommandResult:
    """Write the page of one run, or report on one study.

    Raises:
        ConfigError: an argument is misspelt, the study malformed, or the run has no page.
        TrackingError: there is no such run, or there are none of the study, or they kept no predictions.
        StoreError: the report cannot be written.
    """
    others, where = divide(arguments, SETTINGS)
    options = _parser().parse_args(others)
    folder = Path(options.of).expanduser()
    is_study = folder.is_dir() and not (folder / CONFIG).is_file()
    return _of_study(options, where) if is_study or (folder / STUDY).is_file() else _of_run(options, where)


def _of_run(options: argparse.Namespace, where: Mapping[str, str]) -> CommandResult:
    try:
        past = RecordedRun.find(options.of, where["home"], where["uri"], where["experiment"])
    except OffshelfError as error:
        file = Path(options.of) / STUDY
        raise ConfigError(f"{options.of} is no study, as {file} cannot be read, and no run. {error}") from error
    target = Path(options.out or f"report-{past.id[:8] or past.name}.html").expanduser()
    if target.is_dir() or target.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{target} is not a name for a page: end it with .html.")
    write_text(target, past.report())
    terminal().print(f"The report of {past.name} is {target}", soft_wrap=True, markup=False)
    return CommandResult({"run": past.name, "run_id": past.id, "file": target})


def _of_study(options: argparse.Namespace, where: Mapping[str, str]) -> CommandResult:
    if options.out:
        require_folder_name(options.out, "Name a folder: a report is several files.")
    study = read_study(Path(options.of))
    report = make_report(study, TrackedRuns(**dict(where)), Bootstrap(options.replicates))
    folder = Path(options.out) if options.out else study.folder / "report"
    report.write(folder)
    tracking = MLflow(where["home"] or None, where["uri"] or None, where["experiment"])
    with tracking.start(f"report {study.name}") as run:
        run.log(params={"study": study.name})
        report.log(run)
    show_sheet(report.brief)
    terminal().print(f"The report is in {folder}\nSee it beside its runs with: offshelf ui", soft_wrap=True)
    return CommandResult({"study": study.name, "folder": folder, "metrics": report.metrics, "table": report.cells})


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf report", description=__doc__, epilog="also: home=DIR uri=URI experiment=NAME")
    what = "a run's id, name or output folder; or a folder with a study.yaml"
    parser.add_argument("of", help=what, metavar="RUN|STUDY_DIR")
    where = "where to write it; by default report-ID.html here, of a study the folder's report/"
    parser.add_argument("--out", help=where, metavar="FILE.html|DIR")
    parser.add_argument("--replicates", type=int, default=1000, help="draws of the bootstrap, of a study")
    return parser
