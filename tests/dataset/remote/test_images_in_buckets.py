"""Images of a real S3-compatible server, as folders and tables: the same features, read once, listed once."""

import csv
import os
import shutil
from dataclasses import replace
from pathlib import Path

import buckets
import numpy as np
import obstore
import pytest
from noise import write_noise

from offshelf.dataset import Csv, Folder, check_images, digests
from offshelf.dataset.csv_dataset import Csv as Table
from offshelf.dataset.remote.seen import seen
from offshelf.errors import BadImagesError, DatasetError, RemoteError
from offshelf.remote import bucket as remote_bucket

pytestmark = pytest.mark.slow


def upload(store, folder, prefix="photos"):
    """All files below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            obstore.put(
                store, f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes(), use_multipart=False
            )


def described(images):
    """All that a run uses of a set."""
    folds = [(fold.train.tolist(), fold.test.tolist()) for fold in images.folds]
    ids = [sample.id for sample in images.samples]
    return ids, images.classes, images.targets.tolist(), folds, list(digests(images.pictures)), images.digest


@pytest.fixture
def photos(tmp_path):
    """Two classes of noise, with names that people and keys have."""
    write_noise(tmp_path / "noise")
    folder = tmp_path / "noise" / "train"
    first = sorted(folder.rglob("*.png"))[0]
    for name in (
        "a[1].png",
        "b#2.png",
        "c%20d.png",
        "e f.png",
        "ü~é.png",
        "g+h&i=j.png",
        "k?l.png",
        "it's.png",
        "{x}.png",
    ):
        (first.parent / name).write_bytes(first.read_bytes())
    (first.parent / "inner").mkdir()
    (first.parent / "inner" / "z.png").write_bytes(first.read_bytes())
    (folder / "notes.txt").write_text("not an image")
    (first.parent / ".hidden.png").write_bytes(b"")
    return folder


def test_a_folder_is_the_same_in_a_bucket(photos, server, bucket):
    name, store = bucket
    upload(store, photos)
    here = Folder(str(photos)).load()
    check_images(here.pictures)
    for root in (f"s3://{name}/photos", f"s3://{name}/photos/"):
        there = Folder(root).load()
        check_images(there.pictures)
        assert described(there) == described(here)
        assert [one.id for one in there.not_taken] == [one.id for one in here.not_taken]
    assert np.array_equal(there.pictures[3].load(), here.pictures[3].load())
    assert str(there.pictures[0]).startswith(f"s3://{name}/photos/")


def test_a_split_of_folders_and_what_is_ignored(tmp_path, server, bucket):
    name, store = bucket
    write_noise(tmp_path / "all")
    for old, new in (("test", "Test"), ("train", "masks")):
        shutil.copytree(tmp_path / "all" / old, tmp_path / "all" / new)
    shutil.rmtree(tmp_path / "all" / "test")
    upload(store, tmp_path / "all", "deep/er")
    here, there = (Folder(root, ignore=["masks"]).load() for root in (str(tmp_path / "all"), f"s3://{name}/deep/er"))
    assert described(there)[:4] == described(here)[:4] and there.notes == here.notes
    with pytest.raises(DatasetError, match=rf"s3://{name}/deep/er has train/, which may be a part of a split"):
        Folder(f"s3://{name}/deep/er", ignore=["Test"]).load()
    given = Folder(f"s3://{name}/deep/er", split={"train": "train", "test": "masks"}).load()
    assert len(given.folds) == 1
    with pytest.raises(DatasetError, match=r"dataset.split names s3://.*/nothing, which is not a folder"):
        Folder(f"s3://{name}/deep/er", split={"train": "train", "test": "nothing"}).load()


def test_a_warm_run_reads_no_image_and_lists_once(photos, server, bucket, monkeypatch):
    """Also without copies in the home: size and ETag stand for the bytes."""
    monkeypatch.setenv("OFFSHELF_CACHE_GB", "0")
    name, store = bucket
    upload(store, photos)
    first = Folder(f"s3://{name}/photos").load()
    check_images(first.pictures)
    listings, reads = server.counted()
    assert (listings, reads) == (1, len(first.samples))
    again = Folder(f"s3://{name}/photos").load()
    check_images(again.pictures)
    assert server.counted() == (1, 0) and described(again) == described(first)
    changed = again.pictures[2]
    key = str(changed).removeprefix(f"s3://{name}/")
    obstore.put(store, key, again.pictures[-1].path.read_bytes(), use_multipart=False)
    server.counted()
    third = Folder(f"s3://{name}/photos").load()
    check_images(third.pictures)
    assert server.counted() == (1, 1) and third.pictures[2].digest == again.pictures[-1].digest


def test_copies_spare_the_second_reading(photos, server, bucket):
    name, store = bucket
    upload(store, photos)
    images = Folder(f"s3://{name}/photos").load().pictures
    check_images(images)
    server.counted()
    for image in images:
        image.load()
    assert server.counted() == (0, 0)


def test_deep_images_are_not_read_again_either(tmp_path, server, bucket, monkeypatch):
    """Of 16 bits, whose range is that of the set."""
    from PIL import Image

    monkeypatch.setenv("OFFSHELF_CACHE_GB", "0")
    name, store = bucket
    for label in "ab":
        (tmp_path / "deep" / label).mkdir(parents=True)
        for number in range(4):
            values = np.full((8, 8), 900 + number, np.uint16)
            Image.fromarray(values).save(tmp_path / "deep" / label / f"{number}{label}.png")
    upload(store, tmp_path / "deep")
    found = []
    for root in (str(tmp_path / "deep"), *[f"s3://{name}/photos"] * 2):
        server.counted()
        images = Folder(root).load().pictures
        check_images(images)
        found.append((list(digests(images)), server.counted()[1]))
    assert found[0][0] == found[1][0] == found[2][0]
    assert [reads for _, reads in found] == [0, 8, 0]


def write_table(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "x1", "y1", "x2", "y2"), *rows])
    return path


def table_rows(photos):
    files = sorted(path for path in photos.rglob("*.png") if not path.name.startswith("."))
    return [(path.relative_to(photos).as_posix(), path.relative_to(photos).parts[0], "", "", "", "") for path in files]


def test_tables(photos, server, bucket, tmp_path):
    """Here with a root there, there, and of whole addresses."""
    name, store = bucket
    upload(store, photos)
    rows = table_rows(photos)
    local = write_table(tmp_path / "t.csv", rows)
    obstore.put(store, "photos/t.csv", local.read_bytes())
    whole = write_table(tmp_path / "whole.csv", [(f"s3://{name}/photos/{row[0]}", *row[1:]) for row in rows])
    here = Csv(str(local), str(photos)).load()
    check_images(here.pictures)
    for spec in (Csv(str(local), f"s3://{name}/photos"), Csv(f"s3://{name}/photos/t.csv"), Csv(str(whole))):
        there = spec.load()
        check_images(there.pictures)
        assert described(there)[4:] == described(here)[4:]
    assert there.samples[0].id == f"s3://{name}/photos/{rows[0][0]}"


def test_a_warm_table_reads_nothing_but_a_listing(photos, server, bucket, tmp_path, monkeypatch):
    """Also where boxes need the sizes of images."""
    monkeypatch.setenv("OFFSHELF_CACHE_GB", "0")
    name, store = bucket
    upload(store, photos)
    table = write_table(tmp_path / "t.csv", [(*row[:2], "0.1", "0.1", "0.9", "0.9") for row in table_rows(photos)])
    spec = Table(str(table), f"s3://{name}/photos")
    check_images(spec.load().pictures)
    server.counted()
    images = spec.load()
    check_images(images.pictures)
    assert server.counted() == (1, 0) and len(images.samples) == len(table_rows(photos))


def test_a_table_of_few_among_many(photos, server, bucket, tmp_path):
    """A listing that holds mostly others is given up; a missing image is one of the faults."""
    name, store = bucket
    upload(store, photos)
    rows = [*table_rows(photos)[:3], *table_rows(photos)[-3:]]
    table = write_table(tmp_path / "t.csv", [*rows, ("missing.png", rows[0][1], "", "", "", "")])
    spec = Table(str(table), f"s3://{name}/photos")
    images = spec.load()
    assert server.counted() == (1, 0) and [len(server.asked)] == [0]
    with pytest.raises(BadImagesError, match=r"1 image\(s\) cannot be used.*\n.*/photos/missing.png does not"):
        check_images(images.pictures)


def test_faults_that_pass(photos, server, bucket):
    name, store = bucket
    upload(store, photos)
    server.faults = ["busy", None, "dead", "cut", "busy", "slow", "cut", "dead"]
    images = Folder(f"s3://{name}/photos").load()
    check_images(images.pictures)
    assert not server.faults
    assert described(images)[4] == described(Folder(str(photos)).load())[4]


@pytest.mark.parametrize(("fault", "said"), [
    ("busy", r"has failed 3 times \(503 Service Unavailable SlowDown\): try again later"),
    ("dead", r"does not answer, or breaks off 3 times \([\w ]+\): check address and network"),
    ("cut", r"does not answer, or breaks off.*: check address and network"),
    ("expired", r"The credentials for s3://[\w-]+ have expired \(400 Bad Request ExpiredToken\): renew them"),
])  # fmt: skip
def test_faults_that_stay(fault, said, photos, server, bucket, monkeypatch):
    """One sentence for all images, not one for each, whenever they come."""
    monkeypatch.setattr(remote_bucket, "RETRIES", remote_bucket.RETRIES | {"max_retries": 2})
    name, store = bucket
    upload(store, photos)
    images = Folder(f"s3://{name}/photos").load()
    server.always = fault
    with pytest.raises(RemoteError, match=said) as error:
        check_images(images.pictures)
    assert "\n" not in str(error.value) and buckets.SECRET not in str(error.value)
    if fault != "cut":  # a listing is small
        with pytest.raises(RemoteError, match=said):
            Folder(f"s3://{name}/photos").load()


def test_wrong_addresses_and_keys(server, bucket, photos, monkeypatch):
    name, store = bucket
    with pytest.raises(RemoteError, match=r"There is no bucket s3://no-such-bucket, at this server and in this region"):
        Folder("s3://no-such-bucket/photos").load()
    with pytest.raises(DatasetError, match=rf"dataset.root=s3://{name}/photos has no objects below it"):
        Folder(f"s3://{name}/photos").load()
    upload(store, photos)
    buckets.use(monkeypatch, server.url, secret="another-secret")
    with pytest.raises(RemoteError, match=r"refuses access to .*SignatureDoesNotMatch.*AWS_SECRET_ACCESS_KEY") as error:
        Folder(f"s3://{name}/photos").load()
    assert "another-secret" not in str(error.value)


def test_an_object_that_changes_meanwhile(photos, server, bucket, monkeypatch):
    """Between the listing and the reading, and between two readings."""
    monkeypatch.setenv("OFFSHELF_CACHE_GB", "0")
    name, store = bucket
    upload(store, photos)
    images = Folder(f"s3://{name}/photos").load().pictures
    other = images[-1].path.read_bytes()
    obstore.put(store, images[0].path.url.key, other, use_multipart=False)
    with pytest.raises(BadImagesError, match=r"was changed while it was in use; start again"):
        check_images(images)
    images = Folder(f"s3://{name}/photos").load().pictures
    check_images(images)
    obstore.put(store, images[0].path.url.key, images[-2].path.read_bytes(), use_multipart=False)
    with pytest.raises(DatasetError, match=r"was changed while it was in use; start again"):
        images[0].load()


def test_a_wrong_record_heals(photos, server, bucket):
    """What was seen of a version and does not fit its bytes is forgotten."""
    name, store = bucket
    upload(store, photos)
    check_images(Folder(f"s3://{name}/photos").load().pictures)
    images = Folder(f"s3://{name}/photos").load().pictures
    file = images[0].path
    look = seen().get(file.version, 10**9)
    seen().add(file.version, replace(look, digest="ab" * 32))
    check_images(images)
    with pytest.raises(DatasetError, match="start again"):
        images[0].load()
    images = Folder(f"s3://{name}/photos").load().pictures
    check_images(images)
    assert images[0].load().any()


def test_empty_objects_and_markers_of_folders(photos, server, bucket):
    name, store = bucket
    upload(store, photos)
    label = sorted(path.name for path in photos.iterdir() if path.is_dir())[0]
    obstore.put(store, f"photos/{label}/empty.png", b"")
    obstore.put(store, f"photos/{label}/marker", b"")
    images = Folder(f"s3://{name}/photos").load()
    assert "an empty object" in {one.id: one.why for one in images.not_taken}[f"{label}/marker"]
    with pytest.raises(BadImagesError, match=rf"/photos/{label}/empty.png cannot be read as an image: it is"):
        check_images(images.pictures)


def test_many_pages(server, bucket, tmp_path):
    """A listing of more keys than a page."""
    name, store = bucket
    write_noise(tmp_path / "one")
    data = sorted((tmp_path / "one").rglob("*.png"))[0].read_bytes()
    for number in range(1100):
        obstore.put(store, f"many/{'ab'[number % 2]}/{number:04}.png", data, use_multipart=False)
    images = Folder(f"s3://{name}/many").load()
    assert len(images.samples) == 1100 and server.counted() == (2, 0)
    assert [sample.id for sample in images.samples][:2] == ["a/0000.png", "a/0002.png"]
    assert len({os.path.basename(sample.id) for sample in images.samples}) == 1100  # noqa: PTH119
    assert Path(images.samples[-1].id).name == "1099.png"
