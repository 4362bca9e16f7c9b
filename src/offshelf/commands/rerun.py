"""`offshelf rerun`: repeat a run from its record; what differs today, and whether the numbers are equal."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from offshelf.commands.arguments import Parser, divide
from offshelf.commands.result import CommandResult
from offshelf.config import run_recorded
from offshelf.config.recorded_config import recorded_tracker, require_secrets
from offshelf.config.trust import Trust
from offshelf.errors import ConfigError
from offshelf.runs.recorded import RecordedRun
from offshelf.terminal import discard, say, show, terminal
from offshelf.terminal.grid import Grid, columns
from offshelf.tracking import NoTracking, RecordingTracker, Tracker, allowed_name, provenance
from offshelf.tracking.mlflow.reading import SETTINGS

COMPARED_PREFIXES = ("test/", "test_without_leaks/", "cv/", "data/")
"""Prefixes of metrics that must be equal; others are costs and certificates."""

MEMORY_STORE = {"_target_": "offshelf.store.MemoryStore"}
DIGEST_TAGS = {"data_digest": "images, labels or folds", "feature_digest": "images, weights or whatever makes features"}
"""Tags that determine the numbers, and what has changed if they differ."""


def main(arguments: Sequence[str]) -> CommandResult:
    """Repeat a run. The exit code is 1 where a metric differs from the recorded one.

    Raises:
        ConfigError: an argument is misspelt, or the run's config cannot be built any more, or is not trusted.
        TrackingError: there is no such run.
        OffshelfError: the run fails.
    """
    options = _parser().parse_intermixed_args(arguments)
    words, where = divide(options.words, {**SETTINGS, "trust": "", "store.root": ""})
    trust, root = Trust.of(where.pop("trust")), where.pop("store.root")
    if len(words) != 1:
        raise ConfigError(f"One run at a time; got {len(words)}. See: offshelf rerun --help")
    past = RecordedRun.find(words[0], **where)
    past = past if options.cold else past.storing(where["home"], root)
    tracker = NoTracking() if options.check else recorded_tracker(past.config, where["home"], where["uri"], trust)
    versions = changed(_versions(past.tags), _versions(provenance())) if past.tags else {}
    _show("Differs today", versions)
    if not past.tags:
        print("An output folder does not tell what it was made with: versions and digests are not compared.")
    again = rerun(past, tracker, trust, is_kept=not options.check, is_cold=options.cold)
    differing = changed(_compared(past.metrics), _compared(again.metrics))
    digests = [tag for tag in DIGEST_TAGS if tag in past.tags and past.tags[tag] != again.tags.get(tag)]
    for tag in digests:
        terminal().print(f"Not the same as then: {DIGEST_TAGS[tag]} ({tag}).", soft_wrap=True)
    _show("Differs from the record", differing)
    compared = len(_compared(past.metrics))
    if not differing:
        say(f"Equal: all {compared} metrics of {past.name}, to the last digit.")
    found = {"compared": compared, "metrics": _pairs(differing), "versions": _pairs(versions), "digests": digests}
    return CommandResult({"run": past.id, "name": past.name, "is_equal": not differing, **found}, 1 if differing else 0)


def rerun(
    past: RecordedRun, tracker: Tracker, trust: Trust, is_kept: bool = True, is_cold: bool = False
) -> RecordingTracker:
    """Run a recorded config. Returns what the run logged.

    Args:
        past: The run.
        tracker: Where it is tracked, under the run's name, with its id as the tag `rerun_of`.
        trust: What its config may name.
        is_kept: Whether it has an output folder that stays.
        is_cold: Whether its features are extracted again, in memory.

    Raises:
        ConfigError: the config had secrets, which are on no record, beside the store's.
        OffshelfError: the run fails.
    """
    config = past.config | ({"store": MEMORY_STORE} if is_cold else {})
    require_secrets(config)
    followed = RecordingTracker(tracker, {"rerun_of": past.id or past.name})
    with _output(is_kept) as folder:
        result = run_recorded(config, folder, followed, trust, show if is_kept else discard)
        if is_kept:
            show(*result.closing())
    return followed


@contextmanager
def _output(is_kept: bool) -> Iterator[Path]:
    """Yield an output folder, named as those of other tasks are, or one that is removed afterwards."""
    if is_kept:
        yield Path("outputs/rerun") / f"{datetime.now():%Y-%m-%d/%H-%M-%S-%f}"
        return
    with TemporaryDirectory() as folder:
        yield Path(folder)


def changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return by name the value then and now where they differ; None where it is missing."""
    names = [*then, *(name for name in now if name not in then)]
    return {name: (then.get(name), now.get(name)) for name in names if then.get(name) != now.get(name)}


def _pairs(differing: Mapping[str, tuple[Any, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {"then": then, "now": now} for name, (then, now) in differing.items()}


def _versions(tags: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in tags.items() if name.startswith("version.") or name == "mlflow.source.git.commit"
    }


def _compared(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics that must be equal, under their recorded names."""
    return {allowed_name(name): value for name, value in sorted(metrics.items()) if name.startswith(COMPARED_PREFIXES)}


def _show(title: str, differing: Mapping[str, tuple[Any, Any]]) -> None:
    if not differing:
        return
    grid = Grid(columns(["", "then", "now"]), title)
    for name, (then, now) in differing.items():
        cells = ("–" if value is None else str(value) for value in (then, now))
        grid.add(name.removeprefix("version."), *cells)
    terminal().print(grid)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf rerun", description=__doc__)
    parser.add_argument(
        "words",
        nargs="+",
        help="id (its first letters), name, or output folder",
        metavar="RUN|home=DIR|store.root=DIR|trust=PACKAGE",
    )
    parser.add_argument("--check", action="store_true", help="leave nothing behind: no tracked run, no output folder")
    parser.add_argument("--cold", action="store_true", help="extract all features again, in memory")
    return parser
