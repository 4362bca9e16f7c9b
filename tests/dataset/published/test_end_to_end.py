"""Each published set from its server to its score: download, verify, unpack, load, extract, classify."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hydra.utils import instantiate

from offshelf.config import build, load, plain
from offshelf.dataset import check_images
from offshelf.errors import DatasetError
from offshelf.metric import RETRIEVAL_METRICS, Ranks, positions

SETS = {
    # option: settings a miniature needs, official metric
    "voc2007": ([], "mAP_11pt"),
    "mit67": ([], "mean_class_accuracy"),
    "cub200": ([], "accuracy"),
    "flowers102": ([], "mean_class_accuracy"),
    "h3d": ([], "mAP_area"),
    "uiuc_attributes": (["dataset.test=both"], "mean_auc"),
    "caltech101": (["dataset.shots=3", "dataset.draws=2"], "mean_class_accuracy"),
    "sun397": (["dataset.partition=all"], "accuracy"),
    "stanford_cars": (["dataset.box=true"], "accuracy"),
    "eurosat": ([], "accuracy"),
    "dtd": (["dataset.partition=all"], "accuracy"),
    "food101": ([], "accuracy"),
    "pets": ([], "mean_class_accuracy"),
    "cifar10": ([], "accuracy"),
}
RETRIEVAL_SETS = {
    "oxford5k": ([], "mAP"),
    "paris6k": ([], "mAP"),
    "sculptures6k": ([], "mAP"),
    "holidays": ([], "mAP"),
    "ukbench": ([], "recall_at_4"),
    "roxford5k": (["dataset.region=square"], "medium/mAP"),
    "rparis6k": (["dataset.region=whole"], "medium/mAP"),
}
FAST = ["backbone=tiny", "store=memory", "tracking=none", "classifier.C=2", "extractor=cpu"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_from_server_to_score(name, place, tmp_path, monkeypatch):
    """With the checksums and numbers of the miniature in place of the real ones, and then again from what is there."""
    settings, metric = SETS[name]
    overrides = offered(name, place, tmp_path, monkeypatch)
    spec = made(overrides, settings)
    monkeypatch.setattr("offshelf.dataset.published.caltech101.COUNT", 17)

    task = build(load("classify", [*overrides, *settings, *FAST]))
    value = float(task(output_dir=str(tmp_path / "out"), config={}))
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics[f"test/{metric}"] == value
    assert 0 <= value <= 1

    images = replace(spec, mirrors=(), download=False).load()
    check_images(images.pictures)
    assert images.metric == metric
    assert len({sample.id for sample in images.samples}) == len(images.samples)
    assert unpacked(spec)


@pytest.mark.parametrize("name", RETRIEVAL_SETS)
def test_from_server_to_truths(name, place, tmp_path, monkeypatch):
    """The same for retrieval; a search that knows the truth scores best, and classifying is refused."""
    settings, metric = RETRIEVAL_SETS[name]
    overrides = offered(name, place, tmp_path, monkeypatch)
    spec = made(overrides, settings)
    spec.load()
    images = replace(spec, mirrors=(), download=False).load()
    check_images(images.pictures)

    assert images.metric == metric
    assert images.name == spec.about.name == name
    assert len({one.id for one in images.references}) == len(images.references)
    assert len({one.id for one in images.queries}) == len(images.queries)
    assert unpacked(spec)
    protocol, _, measure = metric.rpartition("/")
    truths = images.truths[protocol]
    known = [np.isin(np.arange(len(images.references)), truth.relevant).astype(float) for truth in truths]
    ranks = Ranks.of([positions(scores, truth) for scores, truth in zip(known, truths, strict=True)], truths)
    assert np.nanmean(RETRIEVAL_METRICS[measure](ranks)) == 1
    with pytest.raises(DatasetError, match=f"{name} is a retrieval set"):
        build(load("classify", [*overrides, *settings, *FAST]))(output_dir=str(tmp_path / "out"), config={})


def offered(name, place, tmp_path, monkeypatch):
    """Overrides for a miniature on a server, with its checksums and numbers in place of the real ones."""
    site = place(name)
    overrides = [f"dataset={name}", f"dataset.root={site['root']}", f"dataset.mirrors=[{site['mirrors'][0]}]"]
    spec = made(overrides, [])
    files = {path.name: path.read_bytes() for path in (tmp_path / "site").iterdir()}
    checksums = {file: f"sha256:{hashlib.sha256(data).hexdigest()}" for file, data in files.items()}
    official = type(spec).remotes
    monkeypatch.setattr(
        type(spec),
        "remotes",
        lambda self: [replace(remote, checksum=checksums[remote.name]) for remote in official(self)],
    )
    monkeypatch.setattr(type(spec), "sizes", lambda self: None)
    return overrides


def made(overrides, settings):
    """The data set's spec, as the command line makes it."""
    return instantiate(plain(load("classify", [*overrides, *settings]))["dataset"], _convert_="all")


def unpacked(spec):
    """Whether every archive, and nothing else, was unpacked to the end."""
    marks = {path.name for path in spec.folder.glob("*.unpacked")}
    return marks == {f"{remote.name}.unpacked" for remote in spec.remotes() if remote.holds}


def test_every_published_set_is_here():
    """An option that reads official files has its miniature."""
    from miniature import WRITERS

    from offshelf.config import conf_dir

    own = {"coco", "csv", "digits", "features", "folder", "huggingface", "parquet", "voc_xml", "webdataset", "yolo"}
    published = {path.stem for path in (conf_dir() / "dataset").glob("*.yaml")} - own
    assert published == {*SETS, *RETRIEVAL_SETS} == set(WRITERS)
