"""Addresses of buckets, where paths are: as data sets, as what is tested on, as stores."""

import obstore
import pytest
from noise import write_noise

import offshelf
from offshelf.commands.inspect import main as inspect
from offshelf.errors import ConfigError

pytestmark = pytest.mark.slow


@pytest.fixture
def noise(tmp_path, bucket):
    """Two classes of noise in a folder, and in a bucket with a table of them."""
    name, store = bucket
    write_noise(tmp_path / "noise")
    lines = ["path,label"]
    for path in sorted((tmp_path / "noise").rglob("*.png")):
        key = path.relative_to(tmp_path / "noise").as_posix()
        obstore.put(store, f"set/{key}", path.read_bytes(), use_multipart=False)
        lines += [f"{key},{path.parent.name}"] if key.startswith("train/") else []
    obstore.put(store, "set/table.csv", "\n".join(lines).encode(), use_multipart=False)
    return tmp_path / "noise", f"s3://{name}/set"


def digits_of(result):
    """What a run measures."""
    return {name: value for name, value in result.metrics.items() if not name.startswith("cost/")}


def test_data_sets(noise, server):
    """A folder, a table, and another set that is tested on: the numbers of the same files here."""
    here, there = noise
    settings = {"backbone": "tiny", "store": None, "bootstrap__replicates": 0}
    assert digits_of(offshelf.classify(there, **settings)) == digits_of(offshelf.classify(here, **settings))

    across = [offshelf.classify(f"{root}/train", test=f"{root}/test", **settings) for root in (there, here)]
    assert digits_of(across[0]) == digits_of(across[1])
    assert offshelf.classify(f"{there}/table.csv", **settings).metrics["test/accuracy"] <= 1


def test_a_store(noise, server, bucket):
    """Features are written into the bucket, and found there again."""
    here, _ = noise
    name, store = bucket
    address = f"s3://{name}/features"
    first = offshelf.classify(here, backbone="tiny", store=address, bootstrap__replicates=0)
    net = offshelf.load_backbone("tiny")
    net.encode(str(here), layer="block3", store=address)

    shards = [one["path"] for page in obstore.list(store, "features") for one in page]
    assert any(shard.endswith(".safetensors") for shard in shards)
    again = offshelf.classify(here, backbone="tiny", store=address, bootstrap__replicates=0)
    assert digits_of(again) == digits_of(first)
    assert not list(here.parent.rglob("s3:*"))
    with pytest.raises(ConfigError, match="the address of a folder in a bucket"):
        net.encode(str(here), store="https://localhost/features")


def test_an_inspection_of_an_address(noise, server):
    """`offshelf inspect ADDRESS` says how it is meant."""
    with pytest.raises(ConfigError, match=r"offshelf inspect dataset=folder dataset.root=s3://"):
        inspect([noise[1]])
