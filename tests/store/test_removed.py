"""A store under fire: what others remove is extracted again, and writers of the same content do not meet."""

import hashlib
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from offshelf.augmentation import View, center
from offshelf.backbone import Pixels
from offshelf.dataset import ImageArray
from offshelf.errors import MissingFeatureError, StoreError
from offshelf.extractor import Extractor, Request, get_or_extract
from offshelf.store import DiskStore, FeatureKey, GoneShardError, claim
from offshelf.store import maintenance as care
from offshelf.store.inventory import holdings
from offshelf.store.shard import Shard

KEY = FeatureKey("a" * 64, "layer4", "avg", View())
NAMES = [hashlib.sha256(bytes([number])).hexdigest() for number in range(8)]
VALUES = np.random.default_rng(0).normal(size=(8, 16)).astype(np.float32)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def shards(root):
    """Files of shards."""
    return sorted(root.rglob("*.safetensors"))


def extract(store):
    """Features of a few images, raw pixels, and how many were extracted."""
    pictures = [ImageArray(np.full((8, 8, 3), 20 * number, np.uint8)) for number in range(6)]
    request = Request(Pixels(4), ("pixels",), "auto", center().views)
    found = get_or_extract(store, Extractor(device="cpu", engine="eager"), pictures, request)
    return found.values["pixels"], found.cost.extracted


@pytest.mark.parametrize("moment", ["before the look", "after the look"])
def test_what_is_removed_is_extracted_again(moment, tmp_path, monkeypatch, caplog):
    """Whichever moment it is removed at; the numbers are the same, and nobody hears of a broken disk."""
    whole, _ = extract(DiskStore(tmp_path))
    place, name = (DiskStore, "read") if moment == "before the look" else (Shard, "read")
    original, removed = getattr(place, name), []

    def remove(self, *arguments):
        if not removed:
            removed.extend(shards(tmp_path))
            for path in removed:
                path.unlink()
        return original(self, *arguments)

    monkeypatch.setattr(place, name, remove)
    again, extracted = extract(DiskStore(tmp_path))

    assert removed and extracted == 6
    assert (again == whole).all()
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_a_store_that_keeps_nothing(tmp_path, monkeypatch):
    """Ends in a sentence of what is wrong, after a few tries."""
    original = DiskStore.read

    def remove(self, *arguments):
        for path in shards(tmp_path):
            path.unlink()
        return original(self, *arguments)

    monkeypatch.setattr(DiskStore, "read", remove)
    with pytest.raises(StoreError, match="removed from the store as fast as they are extracted"):
        extract(DiskStore(tmp_path))


def test_reading_what_is_gone(tmp_path):
    """Is an error of its own: missing, not damaged."""
    store = DiskStore(tmp_path)
    store.put(NAMES, {KEY: VALUES})
    (path,) = shards(tmp_path)
    shard = store.catalogue(KEY.network).find(KEY.digest, np.zeros((1, 32), np.uint8))[0][0]
    path.unlink()

    with pytest.raises(GoneShardError, match="was removed"):
        shard.read(KEY.digest)
    with pytest.raises(MissingFeatureError):
        store.read([KEY], NAMES)
    assert shard.is_intact()


def test_writers_of_the_same_content(tmp_path):
    """Many at once in one process, as are processes of the same number on several machines: all of them succeed."""

    def write(_):
        store = DiskStore(tmp_path)
        store.put(NAMES, {KEY: VALUES})
        return store.read([KEY], NAMES)[:, 0]

    with ThreadPoolExecutor(16) as pool:
        read = list(pool.map(write, range(80)))

    assert all((values == VALUES).all() for values in read)
    assert len(shards(tmp_path)) == 1
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_store_that_is_pruned_all_the_time(tmp_path):
    """By somebody who removes folders and all, while others write and read: no run fails, no number is wrong."""
    over = threading.Event()

    def prune():
        while not over.wait(0.004):
            shutil.rmtree(tmp_path / "store", ignore_errors=True)
            time.sleep(0.03)

    whole, _ = extract(DiskStore(tmp_path / "other"))
    pruner = threading.Thread(target=prune)
    pruner.start()
    try:
        for _ in range(15):
            assert (extract(DiskStore(tmp_path / "store"))[0] == whole).all()
    finally:
        over.set()
        pruner.join()


def test_looking_while_others_remove(tmp_path, monkeypatch):
    """Inventory and verification of files that are gone when it is their turn."""
    store = DiskStore(tmp_path)
    for number in range(3):
        store.put(NAMES[number:], {KEY: VALUES[number:]})
    held = holdings(tmp_path)
    shards(tmp_path)[0].unlink()
    monkeypatch.setattr(care, "holdings", lambda root: held)

    assert held[0].touched > 0 and held[0].size > 0
    assert care.verify(tmp_path) == []
    assert len(holdings(tmp_path)[0].shards) == 2


def test_a_claim_whose_folder_goes_away(tmp_path, monkeypatch):
    """Is taken all the same."""
    from filelock import FileLock

    acquire, removed = FileLock.acquire, []

    def late(self, *arguments, **options):
        if not removed:
            shutil.rmtree(tmp_path / "store")
            removed.append(True)
        return acquire(self, *arguments, **options)

    monkeypatch.setattr(FileLock, "acquire", late)
    taken = claim.claim(tmp_path / "store/net", "work")

    assert removed and taken.is_held
    taken.release()
