"""Both stores keep the same promises; the one on disk survives damage, a full disk and other writers."""

import errno
import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from offshelf.augmentation import View
from offshelf.errors import StoreError
from offshelf.store import DamagedShardError, DiskStore, FeatureKey, MemoryStore
from offshelf.store.claim import is_claimed
from offshelf.store.index import GrowingIndex, Index, find
from offshelf.store.shard import Shard, open_shard

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

    assert (store.read([KEY], names(3, 1, 2, 1))[:, 0] == values(3, 1, 2, 1)).all()


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
        store.read([KEY], names(1, 2))


def test_another_process_sees_finished_shards(tmp_path):
    """A store opened before a shard was written finds it after."""
    reader, writer = DiskStore(tmp_path), DiskStore(tmp_path)
    assert len(reader.missing([KEY], names(1))) == 1
    writer.put(names(1), {KEY: values(1)})

    assert len(reader.missing([KEY], names(1))) == 0
    assert (reader.read([KEY], names(1))[:, 0] == values(1)).all()


def shards(folder):
    """Files of shards."""
    return sorted(folder.rglob("*.safetensors"))


def test_shard_is_named_by_its_bytes(tmp_path):
    """The same content twice is one file, and safetensors itself can read it."""
    store = DiskStore(tmp_path)
    store.put(names(1), {KEY: values(1)})
    store.put(names(1), {KEY: values(1)})
    (path,) = shards(tmp_path)

    assert open_shard(path).is_intact()
    assert (load_file(path)[KEY.digest] == values(1)).all()


@pytest.mark.parametrize("place", range(0, 100, 3))
def test_a_flipped_bit_never_becomes_a_number(tmp_path, place, caplog):
    """Wherever it is, header, digests or numbers: the shard is left out and named, or still gives what was written."""
    DiskStore(tmp_path).put(names(1, 2), {KEY: values(1, 2), OTHER: values(3, 4, dims=2)})
    DiskStore(tmp_path).put(names(3), {KEY: values(3)})
    bad = max(shards(tmp_path), key=lambda path: path.stat().st_size)
    data = bytearray(bad.read_bytes())
    data[place * len(data) // 100] ^= 1 << (place % 8)
    bad.write_bytes(data)

    store = DiskStore(tmp_path)
    missing = store.missing([KEY], names(1, 2, 3)).tolist()
    try:
        read = store.read([KEY], names(1, 2)) if not missing else None
    except DamagedShardError:
        missing, read = store.missing([KEY], names(1, 2, 3)).tolist(), None

    assert (store.read([KEY], names(3))[:, 0] == values(3)).all(), "the good shard stays good"
    if read is not None:
        assert (read[:, 0] == values(1, 2)).all()
    else:
        assert missing in ([0, 1], [0], [1]), "what was damaged counts as missing"
    if missing == [0, 1] and caplog.text:
        assert bad.name in caplog.text


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 0.99])
def test_a_shard_cut_short_is_left_out(tmp_path, share, caplog):
    """With a sentence that names it, once; its images are missing again, the others are not."""
    DiskStore(tmp_path).put(names(1), {KEY: values(1)})
    DiskStore(tmp_path).put(names(2, 3), {KEY: values(2, 3)})
    bad = max(shards(tmp_path), key=lambda path: path.stat().st_size)
    bad.write_bytes(bad.read_bytes()[: int(share * bad.stat().st_size)])
    store = DiskStore(tmp_path)

    assert store.missing([KEY], names(1, 2, 3)).tolist() == [1, 2]
    assert store.missing([KEY], names(1, 2, 3)).tolist() == [1, 2]
    assert caplog.text.count(f"{bad} is ignored") == 1


def test_without_preadv_the_rows_are_the_same(tmp_path, monkeypatch):
    """Where the system has no such call, as Windows, a file is read from an offset on, and its end is noticed."""
    monkeypatch.delattr(os, "preadv")
    DiskStore(tmp_path).put(names(1, 2), {KEY: values(1, 2), OTHER: values(3, 4)})
    store = DiskStore(tmp_path)

    assert (store.read([KEY, OTHER], names(2, 1))[:, 0] == values(2, 1)).all()
    assert (store.read([KEY, OTHER], names(2, 1))[:, 1] == values(4, 3)).all()
    (whole,) = shards(tmp_path)
    opened = open_shard(whole)
    whole.write_bytes(whole.read_bytes()[: min(tensor.offset for tensor in opened.tensors.values()) + 1])
    with pytest.raises(DamagedShardError, match="is truncated"):
        for key in opened.tensors:
            opened.read(key)


def test_foreign_files_are_left_alone(tmp_path):
    """Whatever people and systems put into a folder."""
    store = DiskStore(tmp_path)
    store.put(names(1), {KEY: values(1)})
    folder = shards(tmp_path)[0].parent
    (folder / "notes.txt").write_text("mine")
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "weights.safetensors").write_bytes(save({"a": np.ones(3)}))
    fresh = DiskStore(tmp_path)

    assert (fresh.read([KEY], names(1))[:, 0] == values(1)).all()
    assert (folder / "weights.safetensors").exists()


def test_views_side_by_side(tmp_path):
    """Several keys of one width come as one array [N, K, D], from several shards."""
    store = DiskStore(tmp_path)
    store.put(names(1, 2), {KEY: values(1, 2), OTHER: values(11, 12)})
    store.put(names(3), {KEY: values(3)})
    store.put(names(3, 4), {OTHER: values(13, 14)})

    read = store.read([KEY, OTHER], names(2, 3, 1))
    assert (read == np.stack([values(2, 3, 1), values(12, 13, 11)], axis=1)).all()


def test_where_two_shards_hold_an_image_it_is_always_the_same(tmp_path):
    """Whichever process looks, in whatever order the shards came."""
    writer = DiskStore(tmp_path)
    writer.put(names(1), {KEY: values(1)})
    writer.put(names(1), {KEY: values(1) + 1e-7})

    assert (writer.read([KEY], names(1)) == DiskStore(tmp_path).read([KEY], names(1))).all()


def test_index_finds_what_a_dictionary_finds():
    """Thousands of random digests in several shards, with repeats and strangers."""
    random = np.random.default_rng(0)
    digests = random.integers(0, 256, (3000, 32), dtype=np.uint8)
    digests[:, :2] = 0  # many that begin alike
    parts = [digests[:1000], digests[500:2500]]
    index = Index([Shard(Path(str(number)), part, {}, 0) for number, part in enumerate(parts)])
    expected = {}
    for number, part in enumerate(parts):
        for row, digest in enumerate(part):
            expected.setdefault(digest.tobytes(), (number, row))

    shard, row = index.find(digests)
    found = [(int(s), int(r)) for s, r in zip(shard, row, strict=True)]
    assert found == [expected.get(digest.tobytes(), (-1, -1)) for digest in digests]
    assert Index([]).find(digests)[0].tolist() == [-1] * 3000


def test_an_index_grows_as_one_made_at_once():
    """Shards in any order, some images in several: the same finds; parts that are few, and together hold each once."""
    random = np.random.default_rng(0)
    digests = random.integers(0, 256, (2000, 32), dtype=np.uint8)
    shards = [
        Shard(Path(f"{random.integers(1 << 30):08x}"), digests[random.choice(2000, 20, replace=False)], {}, 0)
        for _ in range(90)
    ]
    whole, growing = Index(sorted(shards, key=lambda shard: shard.path.name)), GrowingIndex()
    for count, shard in enumerate(shards, 1):
        growing.add([shard])
        assert sum(map(len, growing.parts)) == 20 * count
        assert len(growing.parts) <= 1 + np.log2(count)
    listed, number, row = find(growing.parts, digests)
    expected_number, expected_row = whole.find(digests)

    assert (row == expected_row).all()
    for found, expected in zip(number, expected_number, strict=True):
        assert (listed[found] is whole.shards[expected]) if expected >= 0 else found < 0
    assert find([], digests)[1].tolist() == [-1] * 2000


def test_a_store_travels_to_other_processes_empty(tmp_path):
    """They look for themselves: what this one knows of a million images is not sent along."""
    store = DiskStore(tmp_path)
    store.put(names(*range(200)), {KEY: values(*range(200))})
    sent = pickle.dumps(store)

    assert len(sent) < 500
    assert (pickle.loads(sent).read([KEY], names(7))[:, 0] == values(7)).all()


def test_a_claim_is_one_process_s_at_a_time(tmp_path):
    """Let go by release, and by the death of its holder, however it died."""
    store = DiskStore(tmp_path)
    mine = store.claim(KEY.network, "w" * 64)
    assert mine is not None
    assert store.claim(KEY.network, "w" * 64) is None
    assert store.claim(KEY.network, "v" * 64) is not None
    mine.release()
    mine.release()

    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), KEY.network], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "claimed\n"
    assert store.claim(KEY.network, "w" * 64) is None
    assert is_claimed(tmp_path / KEY.network[:32])
    holder.kill()
    holder.wait()
    holder.stdout.close()
    again = store.claim(KEY.network, "w" * 64)
    assert again is not None
    again.release()


HOLD = """
import sys, time
from pathlib import Path
from offshelf.store import DiskStore
mine = DiskStore(Path(sys.argv[1])).claim(sys.argv[2], "w" * 64)
print("claimed", flush=True)
time.sleep(60)
"""


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


def test_a_really_full_disk(small_disk):
    """Shards that fitted stay and can be read; the sentence says how much did not fit."""
    store = DiskStore(small_disk / "store")
    store.put(names(1), {KEY: values(1, dims=1000)})
    with pytest.raises(StoreError, match=r"Could not write 3\.8 MiB of features.*No space left on device"):
        store.put(names(2), {KEY: values(2, dims=1_000_000)})

    assert not list(small_disk.rglob("*.tmp"))
    fresh = DiskStore(small_disk / "store")
    assert fresh.missing([KEY], names(1, 2)).tolist() == [1]
    assert (fresh.read([KEY], names(1))[:, 0] == values(1, dims=1000)).all()


def test_a_read_only_store(small_disk):
    """What is there can be used; new features get a sentence."""
    DiskStore(small_disk).put(names(1), {KEY: values(1)})
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    store = DiskStore(small_disk)

    assert (store.read([KEY], names(1))[:, 0] == values(1)).all()
    with pytest.raises(StoreError, match=r"cannot be written to: Read-only file system\. .*store\.root="):
        store.claim(KEY.network, "w" * 64)
    with pytest.raises(StoreError, match="Read-only file system"):
        store.put(names(2), {KEY: values(2)})
