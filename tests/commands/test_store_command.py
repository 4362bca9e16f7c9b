"""offshelf store, as a user types it."""

import json
import os
import shutil
import time

import numpy as np
import pytest
from pyarrow import parquet

from offshelf.backbone import Tiny
from offshelf.commands.store import VERBS, main
from offshelf.config import load
from offshelf.errors import ConfigError, StoreError
from offshelf.extractor import Extractor
from offshelf.store import DiskStore
from offshelf.store.shard import open_shard
from offshelf.terminal import show

SETTINGS = ["backbone=tiny", "layer=all"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A home with digits through two small backbones in its store."""
    home = tmp_path_factory.mktemp("filled")
    for seed in (0, 1):
        fill(home, seed)
    return home


@pytest.fixture
def store(home, filled):
    """A copy of that store, in a home of the test's own."""
    shutil.copytree(filled, home)
    return DiskStore(home / "store")


def fill(home, seed):
    """What `offshelf extract` does."""
    from offshelf.config import build, plain

    config = load("extract", [*SETTINGS, f"backbone.seed={seed}", f"home={home}", "extractor.chunk=600"])
    build(config)(config=plain(config))


def shards(store):
    """Its files."""
    return sorted(store.root.rglob("*.safetensors"))


def flip(path):
    """Damage a shard in its numbers."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.slow
def test_ls_and_du(store, capsys):
    """Backbones, layers, counts, ages, runs; what is damaged and what is not a shard."""
    flip_header, foreign = shards(store)[0], shards(store)[0].with_name("notes.txt")
    flip_header.write_bytes(flip_header.read_bytes()[:100])
    foreign.write_text("mine")
    assert main(["ls"]).code == 0
    listed = capsys.readouterr().out
    assert main(["du", f"home={store.root.parent}"]).code == 0
    sizes = capsys.readouterr().out

    assert listed.count("tiny float32") == 2
    assert "1,797" in listed
    assert "center" in listed
    assert "used by extract digits tiny" in listed
    assert f"Damaged: {flip_header}" in listed
    assert f"Not a shard, left alone: {foreign}" in listed
    assert str(store.root) in sizes


@pytest.mark.slow
def test_verify_finds_a_flipped_bit_and_repair_mends_only_that(store, capsys):
    """Exit code 1 and the file; then the shard is made anew, bit for bit, and nothing else is."""
    assert main(["verify"]).code == 0
    assert "Sound: every byte of 6 shard(s)" in capsys.readouterr().out
    bad, before = shards(store)[2], {path: path.read_bytes() for path in shards(store)}
    count = len(open_shard(bad).images)
    flip(bad)
    ages = {path: path.stat().st_mtime_ns for path in shards(store) if path != bad}

    assert main(["verify"]).code == 1
    assert f"Damaged: {bad} (tiny float32)" in capsys.readouterr().out
    assert main(["verify", "--repair"]).code == 0
    assert f"damaged shards removed, {count} image(s) extracted again" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in shards(store)} == before
    assert ages == {path: path.stat().st_mtime_ns for path in ages}


def test_repair_says_what_it_could_not_extract_again(store, capsys, monkeypatch):
    """The data of the run is gone, say: the damaged shard goes, the reason is printed, the exit code is 1."""
    (remark,) = shards(store)[0].parent.glob("runs/*.json")
    content = json.loads(remark.read_text())
    content["config"]["dataset"] = {"_target_": "offshelf.dataset.Folder", "root": "/nowhere"}
    remark.write_text(json.dumps(content))
    flip(shards(store)[0])

    assert main(["verify", "--repair"]).code == 1
    assert "its features were not extracted again: " in capsys.readouterr().err
    assert main(["verify"]).code == 0


def test_prune_asks(store, capsys, monkeypatch):
    """No by default; nobody to ask is an error; --yes does not ask."""
    count = len(shards(store))
    with pytest.raises(ConfigError, match="add --yes"):
        main(["prune"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "")
    assert main(["prune"]).code == 0
    assert "Nothing was deleted" in capsys.readouterr().out
    assert len(shards(store)) == count
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert main(["prune", "--backbone", shards(store)[0].parent.name[:8].upper()]).code == 0
    assert len(shards(store)) == count // 2
    with pytest.raises(ConfigError, match=r"no features of a backbone 'Tinny'; did you mean 'tiny'\?"):
        main(["prune", "--backbone", "Tinny", "--yes"])
    assert len(shards(store)) == count // 2
    assert main(["prune", "--backbone", "TINY float32", "--yes"]).code == 0
    assert not list(store.root.iterdir())


def test_prune_keeps_what_is_used_written_or_not_ours(store, capsys):
    """By age; while a process is at work; files of others."""
    first, second = sorted({path.parent for path in shards(store)})
    long_ago = time.time() - 40 * 86400
    for path in (*first.glob("*.safetensors"), *second.glob("*.safetensors")):
        os.utime(path, (long_ago, long_ago))
    for remark in first.glob("runs/*.json"):
        content = json.loads(remark.read_text())
        remark.write_text(json.dumps({**content, "time": long_ago}))
    (first / "notes.txt").write_text("mine")
    (second / ".1234.99.tmp").write_bytes(b"half")
    (second / ".5678.99.tmp").write_bytes(b"half")
    os.utime(second / ".5678.99.tmp", (long_ago, long_ago))
    claim = store.claim(first.name + "0" * 32, "w" * 64)

    assert main(["prune", "--unused-days", "30", "--yes"]).code == 0
    assert "Kept, a process is writing it" in capsys.readouterr().out
    assert list(first.glob("*.safetensors"))
    claim.release()
    assert main(["prune", "--unused-days", "30", "--yes"]).code == 0
    assert [path.name for path in first.iterdir()] == ["notes.txt"]
    assert len(list(second.glob("*.safetensors"))) == 3
    assert [path.name for path in second.glob(".*.tmp")] == [".1234.99.tmp"]


def test_export(store, tmp_path, home, capsys):
    """Arrays and ids in the same order, as npy and as parquet."""
    assert main(["export", str(tmp_path / "npy"), *SETTINGS]).code == 0
    assert main(["export", str(tmp_path / "pq"), *SETTINGS, "--format", "parquet"]).code == 0
    lines = (tmp_path / "npy/samples.csv").read_text().splitlines()
    values = np.load(tmp_path / "npy/block3.npy")
    table = parquet.read_table(tmp_path / "pq/features.parquet")
    image = lines[6].split(",")[3]
    key = Extractor().key(Tiny(), "block3", "auto", load_view())

    assert lines[0] == "id,class,role,image"
    assert len(lines) == 1798
    assert values.shape == (1797, 1, 32)
    assert (values[5, 0] == DiskStore(home / "store").read([key], [image])[0, 0]).all()
    assert table.column("image")[5].as_py() == image
    assert table.column("block3")[5].as_py() == values[5, 0].tolist()
    assert table.column_names == ["id", "class", "role", "image", "block1", "block2", "block3"]


def load_view():
    """The plain view."""
    from offshelf.augmentation import View

    return View()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "The following arguments are required"),
        (["lss"], "invalid choice: 'lss'"),
        (["verify", "--repiar"], "Unrecognized arguments: --repiar"),
        (["ls", "hme=3"], "did you mean 'home'"),
        (["prune", "--unused-days", "soon"], "a number of days, 0 or more; got 'soon'"),
        (["prune", "--unused-days", "nan", "--yes"], "a number of days, 0 or more; got 'nan'"),
        (["prune", "--unused-days", "-1", "--yes"], "a number of days, 0 or more; got '-1'"),
        (["verify", "--again", "-3"], "a whole number, 0 or more; got '-3'"),
        (["ls", "home="], "home is empty"),
        (["ls", "store.root="], "root is empty"),
    ],
)
def test_mistakes(arguments, message, home):
    """One sentence."""
    with pytest.raises(ConfigError, match=message):
        main(arguments)


def test_where_to_export_to_is_looked_at_first(home, tmp_path):
    """Nothing is extracted for a folder that is a file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"Could not write features to .*file: File exists"):
        main(["export", str(tmp_path / "file"), "backbone=tiny"])
    assert not (home / "store").exists()


FLAGS = {"": VERBS, "verify": ("--repair",), "prune": ("--backbone", "--unused-days", "--yes"), "export": ("npy",)}


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help(verb, capsys):
    """Of the command and of each verb: what it does and what it takes."""
    with pytest.raises(SystemExit) as leaving:
        main([verb, "--help"] if verb else ["--help"])
    told = capsys.readouterr().out

    assert leaving.value.code == 0
    assert f"usage: offshelf store {verb}".rstrip() in told
    expected = {
        "": VERBS,
        "verify": ("--repair",),
        "prune": ("--backbone", "--unused-days", "--yes"),
        "export": ("npy",),
    }
    assert all(word in told for word in expected.get(verb, ("home=DIR",)))


def test_no_store_yet(home):
    """The way to one."""
    with pytest.raises(StoreError, match=r"There is no feature store in .*store yet; offshelf extract"):
        main(["ls"])


@pytest.mark.slow
def test_dry_run_says_what_it_will_cost(home, capsys):
    """Images, passes, bytes and time from a probe; nothing is stored. Then what is there costs nothing."""
    from offshelf.config import build, plain

    config = load("extract", [*SETTINGS, f"home={home}", "augmentation=mirror", "dry_run=true"])
    result = build(config)(config=plain(config), notify=show)
    told = " ".join(capsys.readouterr().out.split())

    assert float(result) == 1797
    assert "not in the store 1,797" in told
    assert "passes of a view 3,594" in told
    assert "to be written 862.6 kB" in told  # 1,797 x (2 views x (8 + 16 + 32) values x 4 bytes + 32)
    assert "time, from a probe 0:0" in told
    assert not (home / "store").exists() or not list((home / "store").rglob("*.safetensors"))
