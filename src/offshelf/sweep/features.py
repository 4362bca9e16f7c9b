"""Features first: what the jobs of a sweep extract, in one pass over the images for each network and list of views."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from offshelf.backbone import resolve_layers, select_layers
from offshelf.backbone.origin import NotBuiltError, only_known
from offshelf.config import build, build_group, components
from offshelf.config.job import Job, as_in_hydra
from offshelf.config.recorded_config import feature_identity, feature_spec, missing_features
from offshelf.config.trust import EVERYTHING
from offshelf.config.values import portable, restored
from offshelf.errors import ConfigError, OffshelfError
from offshelf.launcher import Basic, Launcher
from offshelf.process.signals import obey, staying
from offshelf.store import MemoryStore
from offshelf.sweep.identity import Datasets
from offshelf.terminal import say


def passes(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return configs of the features that jobs need, with all layers: one per data set, network and list of views.

    A job that cannot be foreseen has no part in it: its own run will say why. Nor has one that keeps its features to
    itself, or whose task is to extract them.
    """
    found: dict[str, dict[str, Any]] = {}
    known: dict[str, dict[str, Any]] = {}
    for job in jobs:
        try:
            values = job.values
            if "tracking" not in values or "store" not in values:
                continue
            name = feature_identity(values, without=("layer", "baseline", "layer_fusion"))  # one pass takes all layers
            if name not in known:  # to know its layers, a network of the user's own has to be built
                parts = components(values, ("backbone", "store"), EVERYTHING)
                known[name] = {**parts, "names": parts["backbone"].layer_names()}
            names, backbone = known[name]["names"], known[name]["backbone"].name
            fusion = build_group(values, "layer_fusion")
            layers = (
                fusion.layers(known[name]["backbone"], values["layer"])
                if fusion
                else select_layers(values["layer"], names, backbone)
            )
        except BaseException as error:  # whatever it is, it stays in its job
            obey(error)
            continue
        if isinstance(known[name]["store"], MemoryStore):
            continue
        shared = found.setdefault(name, {**values, "layer": [], "baseline": None, "layer_fusion": None})
        shared["layer"] = select_layers([*shared["layer"], *layers], names, backbone)
        if len(layers) > 1 and not fusion:  # one feature alone is not compared with anything
            shared["baseline"] = values.get("baseline")
    return [{**one, "layer": list(one["layer"])} for one in found.values()]


def require_possible(jobs: Sequence[Job], datasets: Datasets) -> None:
    """Refuse a sweep none of whose jobs can be run, before anything is on record; one that can is enough.

    Raises:
        OffshelfError: why the first cannot.
    """
    refused: list[tuple[Job, OffshelfError]] = []
    for job in jobs:
        try:
            with staying(), as_in_hydra(job):
                _require_possible(job, datasets)
        except OffshelfError as error:
            refused.append((job, error))
        except Exception:  # the job will say so
            return
        else:
            return
    if len(refused) == 1:
        raise refused[0][1]
    if refused:
        first, why = refused[0]
        raise ConfigError(f"None of the {len(refused)} jobs can be run. First {first}: {why}") from why


def _require_possible(job: Job, datasets: Datasets) -> None:
    build(job.values)
    backbone, layer = build_group(job.values, "backbone"), job.values.get("layer")
    fusion = build_group(job.values, "layer_fusion")
    if backbone and layer is not None:
        fusion.layers(backbone, layer) if fusion else resolve_layers(backbone, layer)
    with only_known():
        datasets.job_digest(job)


def lines(shared: Mapping[str, Any], planned: set[Any]) -> list[str]:
    """Return in words what is missing of a shared pass, except `planned` features; empty if it cannot be told."""
    try:
        with only_known():
            return missing_features(shared, planned)
    except NotBuiltError:  # which it will be where features are extracted
        return [f"{', '.join(shared['layer'])} of a network that has not been built yet"]
    except BaseException as error:  # jobs will say so
        obey(error)
        return []


def extract_first(jobs: Sequence[Job], launcher: Launcher, folder: Path) -> None:
    """Extract the features that jobs need, where the jobs will run; a failure is left to the jobs that need them."""
    planned: set[Any] = set()
    missing = [(shared, text) for shared in passes(jobs) if (text := lines(shared, planned))]
    for _, text in missing:
        say(*(f"Features first: {line}" for line in text), stderr=True)
    # What travels, also in files, has no secret.
    alone = [[portable(shared)] for shared, _ in missing if not _has_cluster(shared)]
    # Several processes share a pass, a chunk of images each; a cluster of the extractor's own has its actors for that.
    work = [each for each in alone for _ in range(max(1, launcher.slots // len(alone)))]
    here = [[portable(shared)] for shared, _ in missing if _has_cluster(shared)]
    for place, passes_of_it in ((launcher, work), (Basic(), here)):
        if passes_of_it:
            with closing(place.run(passes_of_it, extract, folder)) as done:
                for _ in done:
                    pass


def _has_cluster(shared: Mapping[str, Any]) -> bool:
    return bool((shared.get("extractor") or {}).get("cluster"))


def extract(passes: Sequence[Mapping[str, Any]]) -> Generator[bool, None, None]:
    """Run shared passes, as far as they go. Yields for each whether it was completed."""
    for travelled in passes:
        try:
            feature_spec(restored(travelled), EVERYTHING).extract_missing()
        except BaseException as error:  # it will come again in each job that needs it, which says so
            obey(error)
            if isinstance(error, GeneratorExit):
                raise
            yield False
        else:
            yield True
