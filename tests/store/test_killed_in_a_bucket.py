"""Extractions into a real bucket that are killed in the middle, and go on from there; and two machines at once."""

import signal
import time

import numpy as np
import obstore
import pytest
from processes import finish, start

from offshelf.store import BucketStore
from offshelf.store.any_store import held_in

pytestmark = pytest.mark.slow


@pytest.fixture
def command(bucket, server):
    """Which extracts 1,797 digits in 29 chunks."""
    url = f"s3://{bucket[0]}/features"
    return ["extract", "backbone=tiny", "layer=block1", "extractor.chunk=64", "store=bucket", f"store.url={url}"], url


def shards(bucket):
    """Keys of the shards."""
    return {one["path"] for page in bucket[1].list("features") for one in page if one["path"].endswith(".safetensors")}


def until(bucket, count, process):
    """Wait for so many shards, as long as the process runs."""
    while len(shards(bucket)) < count and process.poll() is None:
        time.sleep(0.02)


def images_of(url):
    """Digests of the images of all shards: uint8 [N, 32]."""
    (holding,) = held_in(BucketStore(url))
    return np.concatenate([shard.images for shard in holding.shards])


def test_killed_again_and_again(command, bucket, tmp_path):
    """What was written stays, and is not extracted again, except one chunk for each time."""
    words, url = command
    killed = 0
    for wanted in (2, 9, 17):
        process = start(*words, cwd=tmp_path)
        before = shards(bucket)
        until(bucket, wanted, process)
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert before <= shards(bucket)
    before = shards(bucket)
    code, _, errors = finish(*words, cwd=tmp_path)
    assert code == 0, errors
    assert killed and before <= shards(bucket)
    found = images_of(url)
    distinct = len(np.unique(found, axis=0))
    assert distinct == 1797
    assert len(found) - distinct <= 64 * killed


def test_two_machines(command, bucket, tmp_path, monkeypatch):
    """With a home each: they divide the work."""
    words, url = command
    machines = []
    for name in ("one", "two"):
        monkeypatch.setenv("OFFSHELF_HOME", str(tmp_path / name))
        machines.append(start(*words, cwd=tmp_path))
    for machine in machines:
        _, errors = machine.communicate(timeout=300)
        assert machine.returncode == 0, errors
    found = images_of(url)
    assert len(found) == len(np.unique(found, axis=0))
    assert not any("/claims/" in one["path"] for page in obstore.list(bucket[1], "features") for one in page)
