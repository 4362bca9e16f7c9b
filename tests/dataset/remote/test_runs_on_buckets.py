"""Whole runs on a real server of buckets: what a warm one asks for, and what none of them writes."""

import json
import sys

import buckets
import obstore
import pytest
from noise import write_noise
from processes import finish

from offshelf.dataset import Folder
from offshelf.errors import RemoteError

pytestmark = pytest.mark.slow
QUICK = ("backbone=pixels", "bootstrap.replicates=0")


@pytest.fixture
def photos(server, bucket, tmp_path):
    """The address of a folder with a split."""
    name, store = bucket
    write_noise(tmp_path / "noise")
    for path in sorted((tmp_path / "noise").rglob("*.png")):
        key = f"photos/{path.relative_to(tmp_path / 'noise').as_posix()}"
        obstore.put(store, key, path.read_bytes(), use_multipart=False)
    return f"s3://{name}/photos"


def test_a_warm_run_lists_once_and_reads_nothing(server, photos, tmp_path):
    """With its report, whose pictures are kept; and what it says is what a folder's run says."""
    command = ["classify", "dataset=folder", *QUICK, "--json"]
    codes, said = [], []
    for root in (photos, photos, str(tmp_path / "noise")):
        server.counted()
        code, output, _ = finish(*command, f"dataset.root={root}", cwd=tmp_path)
        codes.append(code)
        said.append((server.counted(), json.loads(output)["metrics"]))
    assert codes == [0, 0, 0]
    assert [counts for counts, _ in said] == [(1, 16), (1, 0), (0, 0)]
    metrics = [{name: value for name, value in one.items() if not name.startswith("cost/")} for _, one in said]
    assert metrics[0] == metrics[1] == metrics[2]


def test_predictions(server, photos, tmp_path):
    command = ["classify", "dataset=folder", f"dataset.root={photos}", *QUICK, "--json"]
    _, output, _ = finish(*command, cwd=tmp_path)
    run = json.loads(output)["run_id"]
    listed = []
    for images in (f"{photos}/test", f"{photos}/test/a/10.png", str(tmp_path / "noise" / "test")):
        code, output, errors = finish("predict", run, images, "--json", cwd=tmp_path)
        assert code == 0, errors
        listed.append(json.loads(output)["images"])
    assert len(listed[0]) == len(listed[2]) == 6 and len(listed[1]) == 1
    assert listed[0][0] | {"image": ""} == listed[2][0] | {"image": ""}


def test_credentials_are_not_recorded(server, photos, home, tmp_path, monkeypatch):
    """Neither by a run that works nor by one that fails; in no file of the output folder, the home or the terminal."""
    for secret, wanted in ((buckets.SECRET, 0), ("another-secret", 1)):
        buckets.use(monkeypatch, server.url, secret=secret)
        command = ["classify", "dataset=folder", f"dataset.root={photos}", *QUICK]
        code, output, errors = finish(*command, cwd=tmp_path)
        assert code == wanted, errors
        assert secret not in output + errors
        for folder in (home, tmp_path / "outputs"):
            for path in folder.rglob("*"):
                assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    assert "SignatureDoesNotMatch" in errors and "Traceback" not in errors


def test_without_the_library(photos, monkeypatch):
    """One sentence names what to install."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(RemoteError, match=r"s3:// addresses need obstore: pip install 'offshelf\[buckets\]'"):
        Folder(photos).load()
