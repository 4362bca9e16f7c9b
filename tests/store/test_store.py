"""Both stores keep the same promises; the one on disk survives damage, a full disk and other writers."""

import errno
import hashlib
import os

import numpy as np
import pytest

from offshelf.augmentation import View
from offshelf.errors import StoreError
from offshelf.store import DiskStore, FeatureKey, MemoryStore

KEY = FeatureKey("a" * 64, "layer4", "avg", View())
OTHER = FeatureKey("a" * 64, "layer3", "avg", View())


def names(*numbers):
    """Image digests."""
    return [hashlib.sha256(bytes([number])).hexdigest() for number in numbers]


def values(*numbers, dims=3):
    """Distinct rows."""
    return np.array([[number + column / 8 for column in range(dims)] for number in numbers], np.float32)


@pytest.fixture(params=["disk", "memory"])
def store(request, tmp_path):
    """An empty store."""
    return DiskStore(tmp_path / "store") if request.param == "disk" else MemoryStore()


def test_rows_come_back_by_image(store):
    """In any order, repeated, across two puts."""
    store.put(names(1, 2), {KEY: values(1, 2)})
    store.put(names(3), {KEY: values(3)})

    assert (store.get(KEY, names(3, 1, 2, 1)) == values(3, 1, 2, 1)).all()


def test_missing_is_by_image_and_key(store):
    """An image lacks something when it lacks one of the keys; repeats count once."""
    store.put(names(1, 2), {KEY: values(1, 2)})
    store.put(names(2), {OTHER: values(2)})

    assert store.missing([KEY], names(1, 2, 3, 3)).tolist() == [2]
    assert store.missing([KEY, OTHER], names(1, 2, 3)).tolist() == [0, 2]


def test_absent_features_are_an_error(store):
    """Never a row of anything else."""
    store.put(names(1), {KEY: values(1)})
    with pytest.raises(StoreError, match="layer4"):
        store.get(KEY, names(1, 2))


def test_another_process_sees_finished_shards(tmp_path):
    """A store opened before a shard was written finds it after."""
    reader, writer = DiskStore(tmp_path), DiskStore(tmp_path)
    assert len(reader.missing([KEY], names(1))) == 1
    writer.put(names(1), {KEY: values(1)})

    assert len(reader.missing([KEY], names(1))) == 0
    assert (reader.get(KEY, names(1)) == values(1)).all()


def test_shard_is_named_by_its_bytes(tmp_path):
    """So that damage shows; the same content twice is one file."""
    store = DiskStore(tmp_path)
    store.put(names(1), {KEY: values(1)})
    store.put(names(1), {KEY: values(1)})
    (path,) = tmp_path.rglob("*.safetensors")
    assert store._opened[path].is_intact()

    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert not store._opened[path].is_intact()


def test_truncated_shard_is_named(tmp_path):
    """A clear sentence with the file."""
    DiskStore(tmp_path).put(names(1), {KEY: values(1)})
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(StoreError, match=path.name):
        DiskStore(tmp_path).missing([KEY], names(1))


def test_full_disk_loses_nothing(tmp_path, monkeypatch):
    """The error says how to go on, and no partial file stays."""
    store = DiskStore(tmp_path)
    store.put(names(1), {KEY: values(1)})

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"No space left.*home="):
        store.put(names(2), {KEY: values(2)})

    assert len(list(tmp_path.rglob("*"))) == 2
    assert DiskStore(tmp_path).missing([KEY], names(1, 2)).tolist() == [1]
