"""Tar files as the library `webdataset` and `tar` write them: each sample once, or one sentence."""

import gzip
import io
import json
import pickle
import tarfile
import tracemalloc

import numpy as np
import pytest
import webdataset
from pictures import digests_of, png, pngs, sizes

from offshelf.dataset import WebDataset, check_images, digests
from offshelf.errors import DatasetError, ImageError

LABELS = ["cat", "dog"] * 6


def tar(path, members):
    """A tar of members, by name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return str(path)


def samples(rows=range(12), extension="txt", text=LABELS.__getitem__):
    """Images and their labels, sample by sample."""
    for row in rows:
        yield f"{row:03}.png", png(row)
        yield f"{row:03}.{extension}", str(text(row)).encode()


def named(images):
    """The label of each image, in words."""
    return [images.classes[target] for target in images.targets]


def refused(match, path, **settings):
    """The one sentence of a file."""
    with pytest.raises(DatasetError, match=match) as caught:
        WebDataset(path=path, **settings).load()
    assert "\n" not in str(caught.value)


def test_written_by_webdataset(tmp_path):
    """Images are those bytes, in order, at random, and in another process; class numbers may have gaps."""
    with webdataset.TarWriter(str(tmp_path / "t.tar")) as file:
        for row, image in enumerate(pngs()):
            file.write({"__key__": f"a.b/{row:03}", "png": image, "cls": [10, 9][row % 2]})
    images = WebDataset(path=str(tmp_path / "t.tar")).load()
    check_images(images.pictures)
    assert list(digests(images.pictures)) == digests_of(range(12))
    assert images.classes == ("9", "10")
    assert named(images) == ["10", "9"] * 6
    assert images.samples[3].id == "t.tar/a.b/003.png"
    assert "Labels are those of cls (dataset.label, dataset.key)." in images.notes
    again = pickle.loads(pickle.dumps(images))
    assert [again.samples[row].image.digest for row in (7, 0, 11)] == digests_of([7, 0, 11])
    assert list(digests(images.keeping(np.array([2, 9])).pictures)) == digests_of([2, 9])


def test_splits_and_patterns(tmp_path):
    """By names of files, by folders, or a pattern for each part; a shard that is missing is named."""
    for number in range(3):
        tar(tmp_path / f"train-{number:03}.tar", samples(range(4 * number, 4 * number + 4)))
    tar(tmp_path / "test-000.tar", samples())
    assert sizes(WebDataset(path=str(tmp_path)).load()) == (12, 12)
    images = WebDataset(path=str(tmp_path / "train-{000..002}.tar")).load()
    assert sizes(images) == (9, 3)
    assert [image.digest for image in images.pictures] == digests_of(range(12))
    by_part = {"train": str(tmp_path / "train-{000..001}.tar"), "test": str(tmp_path / "train-002.tar")}
    assert sizes(WebDataset(path=by_part).load()) == (8, 4)
    refused("stands for 5 files; missing: .*train-003.tar", str(tmp_path / "train-{000..004}.tar"))


def test_keys_end_at_the_first_dot(tmp_path):
    """Of the base name: a.v1 and a.v2 are one sample of two images, of which one has to be chosen."""
    members = [
        member
        for row in range(12)
        for member in (
            (f"f.x/{row:02}.Left.PNG", png(row)),
            (f"f.x/{row:02}.right.png", png(row + 50)),
            (f"f.x/{row:02}.txt", LABELS[row].encode()),
        )
    ]
    path = tar(tmp_path / "t.tar", members)
    refused(r"f.x/00 has 2 images \(a key ends at the first dot of a name\): left.png, right.png", path)
    assert [one.digest for one in WebDataset(path=path, image="right.png").load().pictures] == digests_of(range(50, 62))
    assert [one.digest for one in WebDataset(path=path, image="left.png").load().pictures] == digests_of(range(12))


def test_missing_members(tmp_path):
    """Samples without image or label are left out by name; members may be anywhere, systems' files are none."""
    members = [*samples(), ("x.txt", b"cat"), ("y.png", png(1)), ("._000.png", b"x"), ("README", b"x")]
    members = members[1:] + members[:1]
    images = WebDataset(path=tar(tmp_path / "t.tar", members)).load()
    assert sorted((one.id, one.why) for one in images.not_taken) == [
        ("t.tar/README", "no image"),
        ("t.tar/x", "no image"),
        ("t.tar/y", "no member .txt"),
    ]
    assert sorted(image.digest for image in images.pictures) == sorted(digests_of(range(12)))
    refused("no samples of an image and a label: .*no image", tar(tmp_path / "u.tar", [("x.txt", b"cat")]))
    refused("two members 000.png", tar(tmp_path / "v.tar", [*samples(), ("000.png", b"x")]))


def test_labels_in_json(tmp_path):
    """By a key that can be meant, or is set; lists are several labels."""

    def text(row):
        return json.dumps({"width": 8, "label": LABELS[row], "meta": {"genus": [LABELS[row], "animal"]}, "n": row})

    path = tar(tmp_path / "t.tar", samples(extension="json", text=text))
    images = WebDataset(path=path).load()
    assert named(images) == LABELS
    assert "Labels are those of json, key label (dataset.label, dataset.key)." in images.notes
    several = WebDataset(path=path, key="meta.genus").unsplit()
    assert (several.classes, several.targets[0].tolist()) == (("animal", "cat", "dog"), [1, 1, -1])
    assert WebDataset(path=path, key="n", target="number").load().targets.tolist() == list(range(12))
    refused("no key 'genus'", path, key="genus")
    odd = tar(tmp_path / "u.tar", samples(extension="json", text=lambda row: '{"a": 1, "b": 2}'))
    refused("no keys that may be the label; its keys: a, b.*dataset.key=a", odd)
    refused("000.json is not JSON", tar(tmp_path / "v.tar", samples(extension="json", text=lambda row: "{")))
    both = [*samples(), *((f"{row:03}.json", text(row).encode()) for row in range(12))]
    refused("labels in txt and json.*dataset.label=txt", tar(tmp_path / "w.tar", both))
    assert named(WebDataset(path=tar(tmp_path / "w.tar", both), label="json").load()) == LABELS


def test_tars_that_are_not_whole(tmp_path):
    """Cut between two members, within one, or in a header; compressed; no tar."""
    whole = (tmp_path / "t.tar", tar(tmp_path / "t.tar", samples()))[0].read_bytes()
    with tarfile.open(tmp_path / "t.tar") as file:
        border = file.getmembers()[4].offset
    for cut in (border, border + 100, border + 600, len(whole.rstrip(b"\0"))):
        (tmp_path / "cut.tar").write_bytes(whole[:cut])
        refused("cut.tar is (damaged, or ends without|not a whole tar)", str(tmp_path / "cut.tar"))
    (tmp_path / "bad.tar").write_bytes(whole[:border] + b"x" * 512 + whole[border + 512 :])
    refused("bad.tar is damaged", str(tmp_path / "bad.tar"))
    (tmp_path / "t.tar.gz").write_bytes(gzip.compress(whole))
    refused("compressed with gzip.*plain .tar", str(tmp_path / "t.tar.gz"))
    (tmp_path / "text.tar").write_text("no tar" * 500)
    refused("not a whole tar", str(tmp_path / "text.tar"))
    refused("holds no file of the kind .tar", str(tmp_path / "x")) if (tmp_path / "x").mkdir() is None else None


def test_cut_while_in_use(tmp_path):
    """Is said by the image."""
    path = tar(tmp_path / "t.tar", samples())
    image = WebDataset(path=path).load().pictures[11]
    (tmp_path / "t.tar").write_bytes((tmp_path / "t.tar").read_bytes()[:-12_000])
    with pytest.raises(ImageError, match=r"t.tar/011.png was cut off"):
        image.load()


@pytest.mark.soak
@pytest.mark.slow
def test_memory_of_many(tmp_path):
    """Some 80 bytes a sample beside its name."""
    count = 10_000
    path = tar(tmp_path / "t.tar", samples(range(2))) and tar(
        tmp_path / "t.tar",
        (
            (f"{row:06}.{end}", data)
            for row in range(count)
            for end, data in (("png", b"x"), ("cls", b"%d" % (row % 2)))
        ),
    )
    made = WebDataset(path=path)
    tracemalloc.start()
    images = made.unsplit()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(images.samples) == count
    assert taken / count < 120


def groups_of(images):
    """The name of the group of each image."""
    return [images.groups.names[number] for number in images.groups.numbers_N]


def test_groups(tmp_path):
    """By a key of the JSON member, and by a regular expression on the sample's key."""
    members = [
        (f"p{row // 3}/{row:03}.{kind}", data)
        for row in range(12)
        for kind, data in (("png", png(row)), ("json", json.dumps({"y": row % 2, "who": {"id": row // 4}}).encode()))
    ]
    path = tar(tmp_path / "t.tar", members)
    images = WebDataset(path=path, key="y", group="who.id", test_fraction=0.4).load()
    assert groups_of(images) == [str(row // 4) for row in range(12)]
    (fold,) = images.folds
    assert not {*images.groups.numbers_N[fold.train]} & {*images.groups.numbers_N[fold.test]}
    assert groups_of(WebDataset(path=path, key="y", group="^(p.)/").load()) == [f"p{row // 3}" for row in range(12)]
    refused(r"t.tar: p0/000.json has no key 'whose' \(dataset.group\)", path, key="y", group="whose")
    refused(r"the sample p0/000 has no group \(dataset.group=\^\(q\)\)", path, key="y", group="^(q)")


def test_groups_without_json(tmp_path):
    path = tar(tmp_path / "t.tar", samples())
    refused(
        r"the sample 000 has no group \(dataset.group=who\). Each image needs a group: a key of its member",
        path,
        group="who",
    )


def test_samples_whose_members_are_apart(tmp_path):
    """All images first, then all labels: each sample is one, in the order of the first members."""
    both = list(samples())
    path = tar(tmp_path / "t.tar", both[::2] + both[:0:-2])
    images = WebDataset(path=path).load()
    assert [images.samples[row].id for row in range(12)] == [f"t.tar/{row:03}.png" for row in range(12)]
    assert named(images) == LABELS
