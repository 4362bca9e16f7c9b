"""Extraction by actors of Ray: the same digits, each image once, whatever dies."""

import json
import subprocess
import sys
from pathlib import Path

import namespaces
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rays
from cluster_images import Broken, Deadly, Unseen
from PIL import Image as Pillow

from offshelf.augmentation import mirror
from offshelf.backbone import Tiny
from offshelf.cluster import RayCluster
from offshelf.dataset import ImageArray, Parquet, check_images
from offshelf.dataset.files import Files
from offshelf.dataset.location import Paths
from offshelf.errors import BadImagesError, ConfigError, OffshelfError
from offshelf.extractor import Extractor, Request, extract_missing, get_or_extract
from offshelf.store import DiskStore, MemoryStore
from offshelf.store.shard import open_shard

REQUEST = Request(Tiny(), ("block1", "block3"), "auto", mirror().views)
CPU = {"device": "cpu", "engine": "eager", "chunk": 8, "batch_size": 4, "workers": 2}


def on_ray(jobs=1):
    """One actor takes seconds to import PyTorch."""
    return Extractor(**CPU, cluster="ray", ray=RayCluster(rays.address(), jobs=jobs))


def pictures(count, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 24, 24, 3), dtype=np.uint8)
    return [ImageArray(image) for image in pixels]


@pytest.mark.slow
def test_digits_of_one_machine(tmp_path):
    """Each image is in one shard, and nothing else is left."""
    images = pictures(30)
    expected = get_or_extract(MemoryStore(), Extractor(**CPU), images, REQUEST)
    found = get_or_extract(DiskStore(tmp_path / "store"), on_ray(jobs=2), images, REQUEST)
    assert found.cost.extracted == 30
    assert found.cost.how == expected.cost.how
    assert all(np.array_equal(found.values[layer], expected.values[layer]) for layer in REQUEST.layers)

    shards = [open_shard(path) for path in (tmp_path / "store").rglob("*.safetensors")]
    assert sorted(len(shard.images) for shard in shards) == [6, 8, 8, 8]
    assert not [path for path in (tmp_path / "store").rglob("*") if path.suffix == ".lock" or ".seen" in path.name]


@pytest.mark.slow
def test_files_travel_as_names(tmp_path):
    """A folder's files, and cells of a table, are read by the actors, which do not see the store."""
    for number, image in enumerate(pictures(12)):
        Pillow.fromarray(image.pixels).save(tmp_path / f"{number}.png")
    encoded = [(tmp_path / f"{number}.png").read_bytes() for number in range(12)]
    pq.write_table(pa.table({"image": encoded, "label": ["a", "b"] * 6}), tmp_path / "all.parquet", row_group_size=5)
    expected = get_or_extract(MemoryStore(), Extractor(**CPU), pictures(12), REQUEST)
    files = Files(Paths(tmp_path, [f"{number}.png" for number in range(12)]))
    for images in (files, Parquet(path=str(tmp_path / "all.parquet")).load().pictures):
        check_images(images)
        found = get_or_extract(MemoryStore(), on_ray(), images, REQUEST)
        assert all(np.array_equal(found.values[layer], expected.values[layer]) for layer in REQUEST.layers)


@pytest.mark.slow
def test_actor_that_dies(tmp_path):
    """The only one: its images are extracted by another. What always kills is told in the end; all else is stored."""
    images = pictures(24)
    once = [*images[:9], Deadly(images[9].pixels, tmp_path / "once"), *images[10:]]
    assert extract_missing(DiskStore(tmp_path / "a"), on_ray(), once, REQUEST).extracted == 24
    assert len((tmp_path / "once").read_text()) == 2

    always = [*images[:-1], Deadly(images[-1].pixels, tmp_path / "always", often=9)]
    with pytest.raises(OffshelfError, match=r"were lost 2 times: its process died.*extractor\.ray\.retries"):
        extract_missing(DiskStore(tmp_path / "b"), on_ray(), always, REQUEST)
    keys = list(REQUEST.keys(on_ray()).values())
    assert len(DiskStore(tmp_path / "b").missing(keys, [image.digest for image in images])) == 8


@pytest.mark.slow
def test_images_that_cannot_be_read():
    """Anywhere: all others are stored. By the nodes alone: the run stops, since nothing is wrong with the images."""
    images = pictures(12)
    store = MemoryStore()
    with pytest.raises(BadImagesError, match=r"1 image\(s\) cannot be used.*\n2\.jpg cannot be read as an image"):
        extract_missing(store, on_ray(), [*images, Broken(pictures(1, seed=1)[0].pixels)], REQUEST)
    assert not len(store.missing(list(REQUEST.keys(on_ray()).values()), [image.digest for image in images]))

    with pytest.raises(OffshelfError, match=r"node of the Ray cluster does not see the images.*/data/1\.jpg"):
        extract_missing(MemoryStore(), on_ray(), [*images, Unseen(pictures(1, seed=1)[0].pixels)], REQUEST)


class Overtaken(MemoryStore):
    """A store that others fill after the first look."""

    looks = 0

    def missing(self, keys, images):
        self.looks += 1
        return super().missing(keys, images)[: None if self.looks == 1 else 0]


@pytest.mark.slow
def test_others_have_extracted_everything():
    """Between two looks into the store: no actor is waited for."""
    assert extract_missing(Overtaken(), on_ray(), pictures(4), REQUEST).how == "from the store"


def test_unknown_cluster():
    with pytest.raises(ConfigError, match=r"extractor\.cluster is ray, or null for this machine; got 'dask'"):
        Extractor(cluster="dask")


PROGRAM = Path(__file__).with_name("killed_nodes.py")


def nodes(*arguments):
    """What the program with nodes in namespaces finds."""
    if not namespaces.are_permitted():
        pytest.skip("only the superuser of a Linux machine may make namespaces")
    done = subprocess.run(
        [sys.executable, PROGRAM, *arguments], capture_output=True, text=True, timeout=3000, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_killed_nodes():
    """Machines of their own whose power fails twenty times, half of them without a word: nothing is lost."""
    found = nodes("kill", "20", "3000")
    assert found["kills"] == 20
    assert found["lost"] == 0
    assert found["survived"] == found["extractions"]
    assert found["twice"] <= found["kills"]


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_two_drivers_at_once():
    found = nodes("two")
    assert found["equal"] == [True, True]
    assert found["twice"] == 0


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_head_that_dies():
    """The extraction says so; no actor goes on for long; another cluster does the rest."""
    found = nodes("behead")
    assert "the same command goes on from there" in found["told"][0]
    assert found["left"] == []
    assert found["equal"]
