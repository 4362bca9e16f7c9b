"""Nothing is lost: extractions that are killed, that run side by side, and that meet images they cannot use."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from offshelf.augmentation import center, mirror
from offshelf.backbone import Pixels, Tiny
from offshelf.backbone.network import TappedNetwork
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.dataset import ImageArray, ImageFile, check_images
from offshelf.errors import BackboneError, BadImagesError, StoreError
from offshelf.extractor import Extractor, Request, extract_missing, get_or_extract
from offshelf.store import DiskStore, MemoryStore
from offshelf.store.shard import open_shard

REQUEST = Request(Tiny(), ("block1", "block3"), "auto", mirror().views)
TRIALS = Path(__file__).with_name("killed_extractions.py")


def trial(kind, folder, number):
    """What killed_extractions.py saw of so many extractions."""
    done = subprocess.run(
        [sys.executable, TRIALS, kind, folder, str(number)],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.soak)])
def test_killed_at_any_instant_it_resumes(kills, tmp_path):
    """SIGKILL again and again: no shard is damaged, no image lost or doubled, the bits are an uninterrupted run's."""
    seen = trial("kill", tmp_path, kills)

    assert seen["kills"] == kills
    assert seen["sound"]
    assert seen["equal"]
    assert seen["decodes"] <= seen["most"], "more than the chunks in flight were done again"


@pytest.mark.soak
def test_eight_processes_at_once_share_the_work(tmp_path):
    """Together at most 1.2 times the passes of one, the same numbers, nothing left lying."""
    seen = trial("crowd", tmp_path, 8)

    assert seen["codes"] == [0] * 8
    assert seen["passes"] <= 1.2
    assert seen["equal"]
    assert seen["sound"]
    assert not seen["left"]


@pytest.mark.soak
def test_torchrun_shares_the_work(tmp_path):
    """Two processes of a gloo group: each image is decoded once, by one of them; the bits are those of one alone."""
    script = Path(__file__).with_name("torchrun_worker.py")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])

    assert sum(seen["decodes"]) == 320
    assert min(seen["decodes"]) > 0
    assert seen["equal"]
    assert seen["sound"]


def folder_of(tmp_path, count):
    """A folder of distinct PNGs."""
    random = np.random.default_rng(0)
    tmp_path.mkdir(exist_ok=True)
    for number in range(count):
        Image.fromarray(random.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    return tmp_path


def files(folder):
    """Its images."""
    return [ImageFile(path) for path in sorted(folder.iterdir())]


def test_grows_by_difference(tmp_path):
    """Added, removed, renamed, touched: only pixels never seen are extracted, whatever data set they are in."""
    folder, store = folder_of(tmp_path / "a", 10), DiskStore(tmp_path / "store")

    def extracted(images):
        return extract_missing(store, Extractor(), images, REQUEST).extracted

    assert extracted(files(folder)) == 10
    (folder / "0.png").unlink()
    (folder / "1.png").rename(folder / "renamed.jpg")
    os.utime(folder / "2.png", (0, 0))
    Image.new("RGB", (9, 9), "teal").save(folder / "new.png")
    assert extracted(files(folder)) == 1
    Image.new("RGB", (9, 9), "navy").save(folder / "3.png")
    assert extracted(files(folder)) == 1
    other = folder_of(tmp_path / "b", 12)
    assert extracted(files(other)) == 2, "two data sets that share images share features"
    assert extracted([ImageFile(path.path, region=(0, 0, 10, 10)) for path in files(other)]) == 12


def test_damage_found_while_reading_is_mended(tmp_path, caplog):
    """A flipped bit in a shard: one warning, its images are extracted again, the numbers are right."""
    images = [ImageArray(np.full((8, 8, 3), number, np.uint8)) for number in range(8)]
    extractor = Extractor(chunk=4)
    whole = get_or_extract(DiskStore(tmp_path), extractor, images, REQUEST)
    bad = sorted(tmp_path.rglob("*.safetensors"))[0]
    data = bytearray(bad.read_bytes())
    data[-3] ^= 16
    bad.write_bytes(data)
    mended = get_or_extract(DiskStore(tmp_path), extractor, images, REQUEST)

    assert mended.cost.extracted == 4
    assert all((mended.values[layer] == whole.values[layer]).all() for layer in whole.values)
    assert f"{bad} is ignored: its checksum differs" in caplog.text


def test_a_disk_that_damages_everything_is_given_up(tmp_path, monkeypatch):
    """No endless loop."""
    monkeypatch.setattr("offshelf.store.shard.content", damaged(monkeypatch))
    with pytest.raises(StoreError, match="its disk is failing"):
        get_or_extract(DiskStore(tmp_path), Extractor(), [ImageArray(np.zeros((8, 8, 3), np.uint8))], REQUEST)


def test_a_disk_that_fills_up_during_the_work(small_disk):
    """One sentence; the chunks that fitted are kept; with more room the same call does only the rest."""
    random = np.random.default_rng(0)
    images = [ImageArray(pixels) for pixels in random.integers(0, 256, (400, 8, 8, 3), dtype=np.uint8)]
    extractor, request = Extractor(device="cpu", chunk=20), Request(Pixels(), ("pixels",), "auto", center().views)
    with pytest.raises(
        StoreError, match=r"Could not write 0\.2 MiB of features.*No space left on device.*store\.root="
    ):
        extract_missing(DiskStore(small_disk), extractor, images, request)

    kept = sum(len(open_shard(path).images) for path in small_disk.rglob("*.safetensors"))
    assert 0 < kept < 400
    assert not list(small_disk.rglob("*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    assert extract_missing(DiskStore(small_disk), extractor, images, request).extracted == 400 - kept
    assert (get_or_extract(DiskStore(small_disk), extractor, images, request).values["pixels"]).shape == (400, 1, 3072)


def test_work_that_broke_off_can_be_taken_up_at_once(tmp_path):
    """In the same process too, as a sweep's next job does: what was claimed is let go, whatever went wrong."""
    images = files(folder_of(tmp_path / "a", 9))
    with pytest.raises(BackboneError, match="no layer 'block9'"):
        extract_missing(
            DiskStore(tmp_path / "store"), Extractor(), images, replace(REQUEST, layers=("block1", "block9"))
        )
    broken = replace(REQUEST, backbone=Broken())
    for _ in range(2):
        with pytest.raises(BackboneError, match="out of memory"):
            extract_missing(DiskStore(tmp_path / "store"), Extractor(chunk=2), images, broken)

    assert extract_missing(DiskStore(tmp_path / "store"), Extractor(chunk=2), images, REQUEST).extracted == 9


class Broken(Tiny):
    """The tiny network, in which everything goes wrong."""

    def load(self):
        class Fail(nn.Module):
            def forward(self, images):
                raise RuntimeError("out of memory")

        return TappedNetwork(nn.Sequential(Fail()), {"block1": "0", "block3": "0"}, "broken")


def damaged(monkeypatch):
    """Contents of a shard whose last bit is wrong, each time otherwise."""
    from offshelf.store import shard

    whole, count = shard.content, iter(range(1, 100))

    def content(images, features):
        data = bytearray(whole(images, features))
        data[-33] ^= next(count)  # the last 32 are the image's digest
        return bytes(data)

    return content


class Fragile(Tiny):
    """Divides by the brightest value: of a black image it makes something that is no number."""

    def preprocessing(self):
        return Preprocessing(32, 32, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def load(self):
        class Divide(nn.Module):
            def forward(self, images):
                return images / images.amax((1, 2, 3), keepdim=True)

        return TappedNetwork(nn.Sequential(Divide()), {"block1": "0"}, "fragile")


@pytest.mark.parametrize("store", [MemoryStore(), None], ids=["memory", "disk"])
def test_values_that_are_not_finite_are_refused(tmp_path, store):
    """Not a number is no feature: the image is named, the others are kept."""
    images = [ImageArray(np.full((8, 8, 3), number * 60, np.uint8)) for number in range(4)]
    images.append(ImageArray(images[0].pixels.copy()))
    store = store or DiskStore(tmp_path)
    request = Request(Fragile(), ("block1",), "auto", center().views)
    with pytest.raises(BadImagesError, match="8 x 8 in memory gives values that are not finite at layer block1") as bad:
        extract_missing(store, Extractor(), images, request)

    assert bad.value.faults.keys() == {0, 4}
    assert extract_missing(store, Extractor(), images[1:4], request).extracted == 0


def test_images_that_vanish_or_break_during_the_work(tmp_path):
    """After the check: all that could be read is in the store, all that could not is named."""
    images = files(folder_of(tmp_path / "a", 9))
    check_images(images)
    images[2].path.unlink()
    images[5].path.write_bytes(images[5].path.read_bytes()[:60])
    store = DiskStore(tmp_path / "store")
    with pytest.raises(BadImagesError) as bad:
        extract_missing(store, Extractor(chunk=4, batch_size=4), images, REQUEST)

    assert bad.value.faults.keys() == {2, 5}
    assert "2.png cannot be read: No such file" in str(bad.value)
    assert "5.png was changed while it was in use" in str(bad.value)
    rest = [image for row, image in enumerate(images) if row not in (2, 5)]
    assert extract_missing(store, Extractor(), rest, REQUEST).extracted == 0


def test_files_that_cannot_be_opened(tmp_path):
    """Folders, broken links, missing files and, for who is no superuser, forbidden ones: all in one message."""
    good = folder_of(tmp_path / "a", 1) / "0.png"
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "secret.jpg").write_bytes(good.read_bytes())
    (tmp_path / "secret.jpg").chmod(0)
    names = ["folder.jpg", "link.jpg", "none.jpg", "secret.jpg"]
    with pytest.raises(BadImagesError) as bad:
        check_images([ImageFile(good), *(ImageFile(tmp_path / name) for name in names)])

    assert bad.value.faults.keys() == ({1, 2, 3} if os.geteuid() == 0 else {1, 2, 3, 4})


@pytest.mark.slow
def test_faults_of_other_processes_come_home(tmp_path):
    """With several processes too."""
    images = files(folder_of(tmp_path / "a", 9))
    check_images(images)
    images[7].path.unlink()
    with pytest.raises(BadImagesError) as bad:
        extract_missing(DiskStore(tmp_path / "store"), Extractor(processes=2, chunk=2, device="cpu"), images, REQUEST)

    assert bad.value.faults.keys() == {7}
