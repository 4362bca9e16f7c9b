"""Each published set from its server to its score: download, verify, unpack, load, extract, classify."""

import hashlib
import json
from dataclasses import replace

import pytest
from hydra.utils import instantiate

from offshelf.config import build, load, plain
from offshelf.dataset import check_images

SETS = {
    # option: settings a miniature needs, official metric
    "voc2007": ([], "mAP_11pt"),
    "mit67": ([], "mean_class_accuracy"),
    "cub200": ([], "accuracy"),
    "flowers102": ([], "mean_class_accuracy"),
    "h3d": ([], "mAP_area"),
    "uiuc_attributes": (["dataset.test=both"], "mean_auc"),
    "caltech101": (["dataset.train_per_class=3", "dataset.repeats=2"], "mean_class_accuracy"),
    "sun397": (["dataset.partition=all"], "accuracy"),
    "stanford_cars": (["dataset.box=true"], "accuracy"),
    "eurosat": ([], "accuracy"),
    "dtd": (["dataset.partition=all"], "accuracy"),
    "food101": ([], "accuracy"),
    "pets": ([], "mean_class_accuracy"),
    "cifar10": ([], "accuracy"),
}
FAST = ["backbone=tiny", "store=memory", "tracking=none", "classifier.C=2", "extractor=cpu"]


@pytest.mark.parametrize("name", SETS)
def test_from_server_to_score(name, place, tmp_path, monkeypatch):
    """With the checksums and numbers of the miniature in place of the real ones, and then again from what is there."""
    settings, metric = SETS[name]
    site = place(name)
    overrides = [f"dataset={name}", f"dataset.root={site['root']}", f"dataset.mirrors=[{site['mirrors'][0]}]"]
    spec = instantiate(plain(load("classify", [*overrides, *settings]))["dataset"], _convert_="all")
    remotes = [
        replace(remote, checksum=f"sha256:{hashlib.sha256((tmp_path / 'site' / remote.name).read_bytes()).hexdigest()}")
        for remote in spec.remotes()
    ]
    monkeypatch.setattr(type(spec), "remotes", lambda self: remotes)
    monkeypatch.setattr(type(spec), "sizes", lambda self: None)
    monkeypatch.setattr("offshelf.dataset.caltech101.COUNT", 17)

    task = build(load("classify", [*overrides, *settings, *FAST]))
    value = task(output_dir=str(tmp_path / "out"), config={})
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics[f"test/{metric}"] == value
    assert 0 <= value <= 1

    images = replace(spec, mirrors=(), download=False).load()
    check_images(images.pictures)
    assert images.metric == metric
    assert len({sample.id for sample in images.samples}) == len(images.samples)
    assert {path.name for path in spec.folder.glob("*.unpacked")} == {
        f"{remote.name}.unpacked" for remote in remotes if remote.holds
    }


def test_every_published_set_is_here():
    """An option that reads official files has its miniature."""
    from miniature import WRITERS

    from offshelf.config import conf_dir

    published = {path.stem for path in (conf_dir() / "dataset").glob("*.yaml")} - {"csv", "digits", "folder"}
    assert published == set(SETS) == set(WRITERS)
