"""`offshelf rerun`: a run again, from its own record: what differs today, and whether the numbers came out equal."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich import box
from rich.table import Table

from offshelf.commands.arguments import Parser, divide
from offshelf.config import components, run_recorded
from offshelf.config.trust import Trust
from offshelf.errors import ConfigError
from offshelf.report import flat
from offshelf.runs.recorded import PastRun
from offshelf.secret import is_masked, masked
from offshelf.terminal import discard, show, terminal
from offshelf.tracking import Followed, NoTracking, Tracker, allowed_name, provenance
from offshelf.tracking.reading import SETTINGS

COMPARED = ("test/", "cv/", "data/")
"""How metrics begin that have to come out equal; others tell of costs and certificates."""

MEMORY = {"_target_": "offshelf.store.MemoryStore"}
DIGESTS = {"data_digest": "images, labels or folds", "feature_digest": "images, weights or whatever makes features"}
"""Tags that fix the numbers, and what has changed where they differ."""


def main(arguments: Sequence[str]) -> int:
    """Run again. Returns the exit code: 1 where a metric did not come out as it was.

    Raises:
        ConfigError: an argument is misspelt, or the run's config is not to be had any more, or not trusted.
        TrackingError: there is no such run.
        OffshelfError: the run fails.
    """
    options = _parser().parse_intermixed_args(arguments)
    words, where = divide(options.words, {**SETTINGS, "trust": ""})
    trust = Trust.of(where.pop("trust"))
    if len(words) != 1:
        raise ConfigError(f"One run at a time; got {len(words)}. See: offshelf rerun --help")
    past = PastRun.find(words[0], **where)
    tracker = NoTracking() if options.check else _tracker(past.config, where["uri"], trust)
    if past.tags:
        _show("Differs today", changed(_versions(past.tags), _versions(provenance())))
    else:
        print("An output folder does not tell what it was made with: versions and digests are not compared.")
    again = rerun(past, tracker, trust, is_kept=not options.check, is_cold=options.cold)
    differing = changed(_compared(past.metrics), _compared(again.metrics))
    for tag, what in DIGESTS.items():
        if tag in past.tags and past.tags[tag] != again.tags.get(tag):
            terminal().print(f"Not the same as then: {what} ({tag}).", soft_wrap=True)
    _show("Came out otherwise", differing)
    if not differing:
        print(f"Equal: all {len(_compared(past.metrics))} metrics of {past.name}, to the last digit.")
    return 1 if differing else 0


def rerun(past: PastRun, tracker: Tracker, trust: Trust, is_kept: bool = True, is_cold: bool = False) -> Followed:
    """Run a recorded config. Returns what the run logged.

    Args:
        past: The run.
        tracker: Where it is tracked, under the run's name, with its id as the tag `rerun_of`.
        trust: What its config may name.
        is_kept: Whether it has an output folder that stays.
        is_cold: Whether its features are extracted anew, in memory.

    Raises:
        ConfigError: the config had secrets, which are on no record, beside the store's.
        OffshelfError: the run fails.
    """
    config = past.config | ({"store": MEMORY} if is_cold else {})
    _require_secrets(config)
    followed = Followed(tracker, {"rerun_of": past.id or past.name})
    with _output(is_kept) as folder:
        result = run_recorded(config, folder, followed, trust, show if is_kept else discard)
        if is_kept:
            show(*result.closing())
    return followed


def _require_secrets(config: Mapping[str, Any]) -> None:
    """The store's address may be completed from the environment, when it is connected to."""
    keys = [key for key, value in flat(config).items() if is_masked(value) and key != "tracking.uri"]
    if keys:
        raise ConfigError(
            f"The run had a secret in {', '.join(keys)}, which is on no record. Run it again as it was typed, with its "
            "task and overrides."
        )


def _tracker(config: Mapping[str, Any], uri: str, trust: Trust) -> Tracker:
    """The recorded one; a server or database gets a run only if the user names it, not because a record does.

    Raises:
        ConfigError: the record names another.
    """
    tracking = config.get("tracking") or {"_target_": "offshelf.tracking.NoTracking"}
    recorded = masked(str(tracking.get("uri") or ""))
    if recorded and recorded != masked(uri):
        address = (
            "its whole address as uri=…; the password is on no record" if is_masked(recorded) else f"uri={recorded}"
        )
        raise ConfigError(
            f"By its record the run was tracked in {recorded}. To leave nothing behind, add --check; to send this one "
            f"there too, add {address}."
        )
    named = {"tracking": {**tracking, "uri": uri} if recorded else tracking}
    tracker: Tracker = components(named, ("tracking",), trust)["tracking"]
    return tracker


@contextmanager
def _output(is_kept: bool) -> Iterator[Path]:
    """An output folder, named as those of other tasks are, or one that goes away."""
    if is_kept:
        yield Path("outputs/rerun") / f"{datetime.now():%Y-%m-%d/%H-%M-%S-%f}"
        return
    with TemporaryDirectory() as folder:
        yield Path(folder)


def changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """By name what was and what is, where they are not equal; None where it is missing."""
    names = [*then, *(name for name in now if name not in then)]
    return {name: (then.get(name), now.get(name)) for name in names if then.get(name) != now.get(name)}


def _versions(tags: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in tags.items() if name.startswith("version.") or name == "mlflow.source.git.commit"
    }


def _compared(metrics: Mapping[str, float]) -> dict[str, float]:
    """By the names that they have on record."""
    return {allowed_name(name): value for name, value in sorted(metrics.items()) if name.startswith(COMPARED)}


def _show(title: str, differing: Mapping[str, tuple[Any, Any]]) -> None:
    if not differing:
        return
    table = Table(title=title, box=box.SIMPLE, title_justify="left", pad_edge=False)
    for column in ("", "then", "now"):
        table.add_column(column, overflow="fold")
    for name, (then, now) in differing.items():
        cells = ("–" if value is None else str(value) for value in (then, now))
        table.add_row(name.removeprefix("version."), *cells)
    terminal().print(table)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf rerun", description=__doc__)
    parser.add_argument(
        "words", nargs="+", help="id (its first letters), name, or output folder", metavar="RUN|home=DIR|trust=PACKAGE"
    )
    parser.add_argument("--check", action="store_true", help="leave nothing behind: no tracked run, no output folder")
    parser.add_argument("--cold", action="store_true", help="extract all features anew, in memory")
    return parser
