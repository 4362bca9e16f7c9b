"""Features in a real bucket: what is written is read, by others too, whatever happens between."""

import hashlib
import json
import pickle
import subprocess
import sys
import time

import numpy as np
import obstore
import pytest

from offshelf.augmentation import View
from offshelf.errors import ConfigError, MissingFeatureError, RemoteError, StoreError
from offshelf.remote import bucket as remote_bucket
from offshelf.store import BucketStore, DamagedShardError, DiskStore, FeatureKey, Use, lease
from offshelf.store.any_store import damage_in, delete_damaged, delete_from, held_in
from offshelf.store.bucket_maintenance import pull, push
from offshelf.store.bucket_shards import PART

pytestmark = pytest.mark.slow
NETWORK = "ab" * 32
KEYS = [FeatureKey(NETWORK, f"block{number}", "avg", View(), "tiny float32") for number in (1, 2)]


def names(numbers):
    """Digests of images."""
    return [hashlib.sha256(bytes([number])).hexdigest() for number in numbers]


def rows(numbers, width=6):
    """Features that name their image."""
    return np.array([[number + column / 8 for column in range(width)] for number in numbers], np.float32)


def fill(store, numbers):
    """A shard of some images, of both layers."""
    store.put(names(numbers), {KEYS[0]: rows(numbers), KEYS[1]: -rows(numbers, 3)})


@pytest.fixture
def url(bucket, server):
    """Where the store is."""
    return f"s3://{bucket[0]}/deep/features"


@pytest.fixture
def store(server, url):
    """An empty one, without a cache."""
    return BucketStore(url, cache_gb=0)


def objects(bucket):
    """Keys below the network."""
    return [one["path"] for page in bucket[1].list("deep/features") for one in page]


def shards(bucket):
    return [key for key in objects(bucket) if key.endswith(".safetensors")]


def test_what_is_written_is_read(store, url):
    """Here, by another process, in any order, one layer alone; images twice are one."""
    fill(store, range(5))
    fill(store, range(5, 8))
    for reader in (store, BucketStore(url), pickle.loads(pickle.dumps(store))):
        wanted = [7, 0, 3, 3]
        assert np.array_equal(reader.read(KEYS[:1], names(wanted))[:, 0], rows(wanted))
        assert np.array_equal(reader.read(KEYS[1:], names(wanted))[:, 0], -rows(wanted, 3))
        assert reader.missing(KEYS, names([7, 9, 0, 9])).tolist() == [1]
        with pytest.raises(MissingFeatureError, match=rf"No features of layer block1 for image .* in {url}"):
            reader.read(KEYS[:1], names([9]))


def test_shards_are_those_of_a_disk(store, bucket, tmp_path):
    """To the byte, so that either can be copied."""
    disk = DiskStore(tmp_path / "store")
    for each in (store, disk):
        fill(each, range(5))
    (file,) = (tmp_path / "store").rglob("*.safetensors")
    (key,) = shards(bucket)
    assert key.endswith(file.name) and bytes(obstore.get(bucket[1], key).bytes()) == file.read_bytes()


def test_two_writers_of_the_same_and_of_others(store, url, bucket):
    """Each is seen by the other, and the same shard is one object."""
    other = BucketStore(url)
    assert len(store.missing(KEYS, names(range(3)))) == 3
    for each in (store, other):
        fill(each, range(3))
    fill(other, range(3, 6))
    assert len(shards(bucket)) == 2 and not len(store.missing(KEYS, names(range(6))))


def test_opening_takes_a_listing_and_a_request_for_many_shards(store, url, server):
    """Not one for each shard; and looking again only a listing."""
    for number in range(PART + 3):
        fill(store, [number])
    server.counted()
    reader = BucketStore(url, cache_gb=0)
    assert not len(reader.missing(KEYS, names(range(PART + 3))))
    assert server.counted() == (1, 2)
    reader.missing(KEYS, names([0]))
    assert server.counted() == (1, 0)


def test_a_read_takes_a_tensor_and_a_cached_one_nothing(url, server):
    store = BucketStore(url)
    fill(store, range(4))
    server.counted()
    store.read(KEYS[:1], names(range(4)))
    assert server.counted() == (1, 1)
    for reader in (store, BucketStore(url)):
        reader.missing(KEYS, names([0]))
        server.counted()
        assert np.array_equal(reader.read(KEYS[:1], names(range(4)))[:, 0], rows(range(4)))
        assert server.counted() == (1, 0)


def test_a_damaged_cache_is_read_anew(url, home, server):
    store = BucketStore(url)
    fill(store, range(4))
    store.read(KEYS[:1], names(range(4)))
    (file,) = [path for path in (home / "remote" / "features").rglob("*") if path.is_file()]
    data = bytearray(file.read_bytes())
    data[40] ^= 1
    file.write_bytes(data)
    assert np.array_equal(store.read(KEYS[:1], names(range(4)))[:, 0], rows(range(4)))


def test_a_lost_index_is_made_anew(store, url, bucket):
    fill(store, range(4))
    fill(store, range(4, 6))
    for key in objects(bucket):
        if "/index/" in key:
            obstore.delete(bucket[1], key)
    reader = BucketStore(url)
    assert not len(reader.missing(KEYS, names(range(6))))
    assert any("/index/" in key for key in objects(bucket))


def test_a_damaged_index_is_left_out(store, url, bucket, caplog):
    fill(store, range(4))
    (key,) = [key for key in objects(bucket) if "/index/" in key]
    obstore.put(bucket[1], key, b'{"shards": [{"name": "x"}]}')
    assert len(BucketStore(url).missing(KEYS, names(range(4)))) == 4
    assert "offshelf store verify makes the index anew" in caplog.text
    assert damage_in(BucketStore(url)) == []
    assert not len(BucketStore(url).missing(KEYS, names(range(4))))


def test_a_damaged_shard_is_never_a_number(store, url, bucket):
    """It counts as missing, is written again in place, and found by verify."""
    fill(store, range(4))
    (key,) = shards(bucket)
    sound = bytes(obstore.get(bucket[1], key).bytes())
    damaged = bytearray(sound)
    damaged[-200] ^= 1
    obstore.put(bucket[1], key, bytes(damaged))
    reader = BucketStore(url, cache_gb=0)
    with pytest.raises(DamagedShardError, match=r"is ignored: its checksum differs"):
        for key_ in KEYS:
            reader.read([key_], names(range(4)))
    assert len(reader.missing(KEYS, names(range(4)))) == 4
    fill(reader, range(4))
    assert bytes(obstore.get(bucket[1], key).bytes()) == sound
    obstore.put(bucket[1], key, bytes(damaged))
    (damage,) = damage_in(BucketStore(url))
    delete_damaged(BucketStore(url), [damage])
    assert shards(bucket) == [] and len(BucketStore(url).missing(KEYS, names(range(4)))) == 4


def test_a_shard_that_was_removed(store, url, bucket):
    fill(store, range(4))
    obstore.delete(bucket[1], shards(bucket)[0])
    with pytest.raises(DamagedShardError, match="was removed or changed; its features are extracted again"):
        store.read(KEYS[:1], names(range(4)))
    assert len(store.missing(KEYS, names(range(4)))) == 4


def test_faults_that_pass(store, server):
    server.faults = ["busy", None, "dead", "busy", None, "cut", None, "busy"]
    fill(store, range(4))
    fill(store, range(4, 6))
    assert np.array_equal(store.read(KEYS[:1], names(range(6)))[:, 0], rows(range(6)))
    assert not server.faults


def test_a_bucket_that_is_gone_in_the_middle(server, url, monkeypatch):
    """One sentence; what was written is there when it is back."""
    monkeypatch.setattr(remote_bucket, "RETRIES", remote_bucket.RETRIES | {"max_retries": 1})
    store = BucketStore(url)
    fill(store, range(4))
    server.always = "dead"
    with pytest.raises(StoreError, match=r"Could not write .* Nothing that was written is lost: the same command"):
        fill(store, range(4, 6))
    with pytest.raises(RemoteError, match="does not answer, or breaks off"):
        store.missing(KEYS, names(range(6)))
    server.always = None
    assert store.missing(KEYS, names(range(6))).tolist() == [4, 5]
    fill(store, range(4, 6))
    assert not len(BucketStore(url).missing(KEYS, names(range(6))))


def test_contents_and_pruning(store, url, bucket):
    fill(store, range(4))
    store.note_use([NETWORK], Use("run", "r1", 1e9, {"password": "hunter22"}))
    obstore.put(bucket[1], f"deep/features/{NETWORK[:32]}/mine.txt", b"kept")
    (holding,) = held_in(BucketStore(url))
    assert holding.backbone == "tiny float32" and holding.images == 4 and len(holding.shards) == 1
    assert [use.name for use in holding.uses] == ["run"] and "hunter22" not in json.dumps(holding.uses[0].config)
    assert [path.name for path in holding.foreign] == ["mine.txt"] and holding.touched > 1e9
    assert delete_from(BucketStore(url), [holding]) > holding.size
    assert objects(bucket) == [f"deep/features/{NETWORK[:32]}/mine.txt"]


def test_an_empty_store(store, url):
    with pytest.raises(StoreError, match=rf"There is no feature store in {url} yet"):
        held_in(store)


def test_push_and_pull(store, url, bucket, tmp_path):
    """A laptop's features to the bucket, and from there to another; what is there is not copied again."""
    first, second = DiskStore(tmp_path / "1"), DiskStore(tmp_path / "2")
    fill(first, range(4))
    fill(first, range(4, 6))
    fill(store, range(4))
    assert push(store, held_in(first))[0] == 1 and push(BucketStore(url), held_in(first)) == (0, 0)
    assert pull(store, held_in(store), second.root)[0] == 2
    assert np.array_equal(second.read(KEYS[:1], names(range(6)))[:, 0], rows(range(6)))
    file = sorted((tmp_path / "1").rglob("*.safetensors"))[0]
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    obstore.delete(bucket[1], next(key for key in shards(bucket) if key.endswith(file.name)))
    for one in [key for key in objects(bucket) if "/index/" in key]:
        obstore.delete(bucket[1], one)
    with pytest.raises(StoreError, match="is damaged, and is not copied"):
        push(BucketStore(url), held_in(first))


def test_releases_are_vouched_for(store, url):
    fill(store, range(4))
    store.vouch(KEYS, "then")
    assert BucketStore(url).vouched(NETWORK) == {(key.digest, "then") for key in KEYS}
    assert not BucketStore(url).has_foreign(KEYS[0]) and not BucketStore(url).foreign(KEYS, names(range(4)))


def at(monkeypatch, folder):
    """Be another machine, which has a home of its own."""
    monkeypatch.setenv("OFFSHELF_HOME", str(folder))


def test_claims_of_one_home_and_of_others(store, url, tmp_path, monkeypatch, bucket):
    """One of them has the work, until it is released; other work is free."""
    mine = store.claim(NETWORK, "work")
    assert mine.is_held and BucketStore(url).claim(NETWORK, "work") is None
    at(monkeypatch, tmp_path / "other")
    other = BucketStore(url)
    assert other.claim(NETWORK, "work") is None
    elsewhere = other.claim(NETWORK, "elsewhere")
    assert elsewhere.is_held
    mine.release()
    assert not any("/claims/work" in key for key in objects(bucket)) and not mine.is_held
    monkeypatch.setattr(lease, "ASK", 0)
    theirs = other.claim(NETWORK, "work")
    assert theirs.is_held
    for one in (theirs, elsewhere):
        one.release()


HOLDER = """
import sys, time
from offshelf.store import BucketStore, lease
lease.BEAT = 0.1
claim = BucketStore(sys.argv[1]).claim(sys.argv[2], "work")
print(claim.is_held, flush=True)
time.sleep(100)
"""


def test_a_dead_holder(url, tmp_path, monkeypatch):
    """Its claim is free at once for its own home, and for others after a while without a sign of life."""
    monkeypatch.setattr(lease, "ASK", 0)
    monkeypatch.setattr(lease, "EXPIRY", 1.0)
    first = tmp_path / "first"
    for claimant in ("another", "first"):
        at(monkeypatch, first)
        command = [sys.executable, "-c", HOLDER, url, NETWORK]
        holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert holder.stdout.readline() == "True\n"
        at(monkeypatch, tmp_path / claimant)
        store = BucketStore(url)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:  # longer than it takes to expire: the holder lives
            assert store.claim(NETWORK, "work") is None
        holder.kill()
        holder.communicate()
        began = time.monotonic()
        while (taken := store.claim(NETWORK, "work")) is None:
            assert time.monotonic() - began < 30
        assert (time.monotonic() - began >= 0.8) == (claimant == "another")
        taken.release()


def test_a_holder_that_was_taken_for_dead(url, tmp_path, monkeypatch):
    """It finds out, and does not release the claim of the other one."""
    monkeypatch.setattr(lease, "ASK", 0)
    monkeypatch.setattr(lease, "EXPIRY", 0.2)
    monkeypatch.setattr(lease, "BEAT", 1.0)
    slow = BucketStore(url).claim(NETWORK, "work")
    at(monkeypatch, tmp_path / "other")
    other = BucketStore(url)
    while (taken := other.claim(NETWORK, "work")) is None:
        pass
    end = time.monotonic() + 20
    while not slow.held.is_lost and time.monotonic() < end:
        time.sleep(0.05)
    assert slow.held.is_lost
    slow.release()
    at(monkeypatch, tmp_path / "third")
    assert BucketStore(url).claim(NETWORK, "work") is None
    taken.release()


@pytest.mark.parametrize("wrong", ["features", "/features", "https://host/features", ""])
def test_addresses(wrong):
    with pytest.raises(ConfigError, match=r"store\.url is the address of a folder in a bucket"):
        BucketStore(wrong)
    with pytest.raises(ConfigError, match=r"store\.cache_gb"):
        BucketStore("s3://b/f", cache_gb=-1)


WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from test_bucket_store import fill, BucketStore
store = BucketStore(sys.argv[2])
for number in range(20):
    fill(store, [int(sys.argv[3]) * 10 + number])
"""


def test_several_processes_write(url, bucket, server):
    """At once, partly the same: nothing is lost, nothing is there twice."""
    from pathlib import Path

    here = str(Path(__file__).parent)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, here, url, str(one)]) for one in range(3)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    assert len(shards(bucket)) == 40
    store = BucketStore(url)
    assert np.array_equal(store.read(KEYS[:1], names(range(40)))[:, 0], rows(range(40)))
