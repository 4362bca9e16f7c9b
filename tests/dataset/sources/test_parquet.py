"""Parquet and Arrow files as pyarrow, pandas and `datasets` write them: the right labels, or one sentence."""

import json
import pickle
import tracemalloc

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from pictures import digests_of, png, pngs, sizes

from offshelf.dataset import Parquet, check_images, digests
from offshelf.dataset.sources import table_file
from offshelf.errors import BadImagesError, ConfigError, DatasetError

LABELS = ["cat", "dog"] * 6


def write(path, label=LABELS, image=None, rows=5, metadata=None, **others):
    """A Parquet file of twelve images, three row groups."""
    made = pa.table({"image": pngs(len(label)) if image is None else image, "label": label, **others})
    pq.write_table(made.replace_schema_metadata(metadata), path, row_group_size=rows)
    return str(path)


def class_label(*names, column="label"):
    """The metadata in which `datasets` declares the names of classes."""
    features = {"image": {"_type": "Image"}, column: {"names": list(names), "_type": "ClassLabel"}}
    return {"huggingface": json.dumps({"info": {"features": features}})}


def named(images):
    """The label of each image, in words."""
    return [images.classes[target] for target in images.targets]


def refused(match, path, **settings):
    """The one sentence of a file."""
    with pytest.raises(DatasetError, match=match) as caught:
        Parquet(path=path, **settings).load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["bytes", "struct", "feather", "feather file", "stream", "large"])
def test_the_same_bytes_are_the_same_image(tmp_path, kind):
    """As in a file, in every format: in order, at random, and in another process."""
    images = pngs()
    cells = [{"bytes": one, "path": f"{row}.png"} for row, one in enumerate(images)] if kind == "struct" else images
    table = pa.table({"image": pa.array(cells, pa.large_binary()) if kind == "large" else cells, "label": LABELS})
    path = tmp_path / "t.bin"
    if kind == "stream":
        with pa.ipc.new_stream(path, table.schema) as file:
            file.write_table(table, max_chunksize=5)
    elif kind.startswith("feather"):
        pa.feather.write_feather(table, path, chunksize=5, compression="lz4" if kind == "feather" else "uncompressed")
    else:
        pq.write_table(table, path, row_group_size=5)

    found = Parquet(path=str(path)).load()
    check_images(found.pictures)
    assert list(digests(found.pictures)) == digests_of(range(12))
    assert named(found) == LABELS
    assert [one.id for one in found.samples][::11] == ["t.bin:0", "t.bin:11"]
    again = pickle.loads(pickle.dumps(found))
    for row in (7, 0, 11, 3):
        assert again.samples[row].image.load().tolist() == found.pictures[row].load().tolist()
    assert list(digests(found.keeping(np.array([2, 9])).pictures)) == digests_of([2, 9])


def test_large_row_groups_are_read_in_pieces(tmp_path, monkeypatch):
    """Each once in their order, and right in any other."""
    monkeypatch.setattr(table_file, "PIECE", 1000)
    path, read = write(tmp_path / "t.parquet", rows=12), []
    reader = table_file.ParquetFile.read
    monkeypatch.setattr(table_file.ParquetFile, "read", lambda *given: read.append(given[1]) or reader(*given))
    files = Parquet(path=path).load().pictures
    assert [image.digest for image in files] == digests_of(range(12))
    assert read == sorted(set(read))
    assert len(read) > 3
    for row in (11, 0, 6, 5):
        assert files[row].digest == digests_of([row])[0]


def test_memory_of_many(tmp_path):
    """Some 40 bytes a row: neither names nor images are kept."""
    count = 20_000
    path = write(tmp_path / "t.parquet", ["ab"[row % 2] for row in range(count)], [b"x" * 100] * count, rows=1000)
    made = Parquet(path=path)
    made.unsplit()  # imports
    tracemalloc.start()
    images = made.unsplit()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(images.samples) == count
    assert taken / count < 80


def test_paths_below_the_tables_folder(tmp_path):
    """Or below `root`; named by their paths."""
    for row in range(12):
        (tmp_path / f"{row}.png").write_bytes(png(row))
    write(tmp_path / "t.parquet", image=[f"{row}.png" for row in range(12)])
    found = Parquet(path=str(tmp_path / "t.parquet")).load()
    assert [one.id for one in found.samples][:2] == ["0.png", "1.png"]
    assert [image.digest for image in found.pictures] == digests_of(range(12))
    refused("None of the files.*dataset.root=DIR", str(tmp_path / "t.parquet"), root=str(tmp_path / "x"))
    write(tmp_path / "u.parquet", image=["0.png"] * 12)
    refused("names 0.png.* more than once", str(tmp_path / "u.parquet"))


@pytest.mark.parametrize(
    ("label", "classes"),
    [
        (LABELS, ("cat", "dog")),
        ([3, 10] * 6, ("3", "10")),  # gaps, and in the order of numbers
        (pa.array(LABELS).dictionary_encode(), ("cat", "dog")),
        ([True, False] * 6, ("False", "True")),
        (["7", "007"] * 6, ("007", "7")),
    ],
)
def test_labels(tmp_path, label, classes):
    """Names and integers, none of which is changed."""
    images = Parquet(path=write(tmp_path / "t.parquet", label)).load()
    assert images.classes == classes
    assert sizes(images) == (9, 3)


def test_pandas_categories(tmp_path):
    """Are their names."""
    pd.DataFrame({"image": pngs(), "label": pd.Categorical(LABELS)}).to_parquet(tmp_path / "t.parquet")
    assert named(Parquet(path=str(tmp_path / "t.parquet")).load()) == LABELS


def test_several_labels(tmp_path):
    """Lists of names or numbers, an empty list for none; or texts with a separator, which are asked about."""
    lists = [["a"], ["a", "b"], [], ["b"]] * 3
    images = Parquet(path=write(tmp_path / "t.parquet", lists)).load()
    assert (images.classes, images.metric) == (("a", "b"), "mAP_sklearn")
    assert images.targets[:4].tolist() == [[1, -1], [1, 1], [-1, -1], [-1, 1]]
    texts = write(tmp_path / "u.parquet", ["|".join(labels) or "c" for labels in lists])
    refused(r"several in one cell.*separator='\|'.*separator=null", texts)
    assert Parquet(path=texts, separator=None).unsplit().classes == ("a", "a|b", "b", "c")
    assert Parquet(path=texts, separator="|").unsplit().classes == ("a", "b", "c")
    refused("a zero or one for each class", write(tmp_path / "v.parquet", [[0, 1], [1, 0]] * 6))


def test_numbers(tmp_path):
    """Are predicted only if asked for."""
    path = write(tmp_path / "t.parquet", [row / 2 for row in range(12)])
    refused("dataset.target=number", path)
    images = Parquet(path=path, target="number").load()
    assert images.targets.tolist() == [row / 2 for row in range(12)]
    assert (images.kind, images.metric, images.classes) == ("number", "r2", ("label",))


def test_names_of_classes_in_another_order(tmp_path):
    """Count by name, not number, from file to file."""
    write(tmp_path / "0.parquet", [0, 1] * 6, metadata=class_label("cat", "dog"))
    write(tmp_path / "1.parquet", [1, 0] * 6, metadata=class_label("dog", "cat", "newt"))
    images = Parquet(path=str(tmp_path)).load()
    assert images.classes == ("cat", "dog")
    assert named(images) == LABELS * 2
    assert any("1 declared class(es) have no image: newt" in note for note in images.notes)


def test_numbers_of_classes_that_are_not_declared(tmp_path):
    """Out of the range of names; names in some files only."""
    refused(
        "row 8: label 7 .* from 0 to 1",
        write(tmp_path / "a.parquet", [0, 1] * 4 + [7] * 4, metadata=class_label("a", "b")),
    )
    write(tmp_path / "0.parquet", [0, 1] * 6, metadata=class_label("a", "b"))
    write(tmp_path / "1.parquet", [0, 1] * 6)
    refused("the same number would be two classes", [str(tmp_path / "0.parquet"), str(tmp_path / "1.parquet")])
    refused("class number -3", write(tmp_path / "c.parquet", [0, -3] * 6))


def test_images_without_a_label(tmp_path):
    """Stop, or are left out and listed; a whole test part of them has a way out."""
    path = write(tmp_path / "t.parquet", [0, 1, -1] * 4, metadata=class_label("a", "b"))
    refused("4 images have no label: t.parquet:2.*dataset.unlabelled=skip", path)
    images = Parquet(path=path, unlabelled="skip").load()
    assert len(images.samples) == 8
    assert [one.id for one in images.not_taken][:2] == ["t.parquet:2", "t.parquet:5"]
    nothing = write(tmp_path / "u.parquet", [*LABELS[:11], None])
    refused("1 images have no label", nothing)

    for part, labels in (("train", [0, 1] * 6), ("validation", [0, 1]), ("test", [-1, -1])):
        write(tmp_path / f"{part}.parquet", labels, metadata=class_label("a", "b"))
    parts = [str(tmp_path / f"{part}.parquet") for part in ("train", "validation", "test")]
    refused("the whole test part: dataset.val=test", parts)
    assert sizes(Parquet(path=parts, val="test").load()) == (12, 2)


def test_split_by_names(tmp_path):
    """Of files, folders, shards; part-10 after part-2; a shard that is missing is named."""
    for name, rows in (("train-00000-of-00002", 6), ("train-00001-of-00002", 6), ("test-00000-of-00001", 4)):
        write(tmp_path / f"{name}.parquet", LABELS[:rows])
    images = Parquet(path=str(tmp_path)).load()
    assert sizes(images) == (12, 4)
    assert {images.samples[row].id.partition(":")[0] for row in images.folds[0].test} == {"test-00000-of-00001.parquet"}
    assert sizes(Parquet(path=str(tmp_path), split="none").load()) == (12, 4)
    (tmp_path / "train-00001-of-00002.parquet").unlink()
    refused("train-.*1 of 2 shards are missing: 00001", str(tmp_path))

    (tmp_path / "more").mkdir()
    for number in (10, 2, 1):
        write(tmp_path / f"more/part-{number}.parquet")
    images = Parquet(path=str(tmp_path / "more/part-*.parquet")).load()
    assert [images.samples[row].id for row in (0, 12, 24)] == [f"part-{n}.parquet:0" for n in (1, 2, 10)]
    assert sizes(
        Parquet(
            path={"train": str(tmp_path / "more/part-{1,2}.parquet"), "test": str(tmp_path / "more/part-10.parquet")}
        ).load()
    ) == (24, 12)
    refused("stands for 3 files; missing: .*part-3", str(tmp_path / "more/part-{1..3}.parquet"))


def test_split_by_a_column(tmp_path):
    """In words as people write them; unclear ones are asked about."""
    path = write(tmp_path / "t.parquet", split=["Training"] * 8 + ["valid"] * 2 + ["test"] * 2)
    assert sizes(Parquet(path=path).load()) == (10, 2)
    assert sizes(Parquet(path=path, val="ignore").load()) == (8, 2)
    assert sizes(Parquet(path=path, columns={"split": None}).load()) == (9, 3)
    assert sizes(Parquet(path=path, split={"train": "Training", "test": ["valid", "test"]}).load()) == (8, 4)
    refused("the parts of t are: Training, valid, test", path, split={"train": "x", "test": "test"})
    odd = write(tmp_path / "u.parquet", split=["a"] * 8 + ["test"] * 4)
    refused("not clearly a split.*dataset.split=", odd)
    empty = write(tmp_path / "v.parquet", split=["train"] * 8 + ["test"] * 3 + [None])
    refused("1 images have no part", empty)


def test_columns(tmp_path):
    """A guess is said, more than one candidate is asked about, a misspelt one is named."""
    path = write(tmp_path / "t.parquet", species=LABELS, mask=pngs())
    assert "Columns: image 'image', label 'label' (dataset.columns)." in Parquet(path=path).load().notes
    assert not Parquet(path=path, columns={"image": "mask", "label": "species"}).load().notes
    refused("no column 'lable'.*label='label'", path, columns={"label": "lable"})
    other = tmp_path / "u.parquet"
    pq.write_table(pa.table({"left": pngs(), "right": pngs(), "genus": LABELS}), other)
    refused("2 columns that may hold the images: left, right.*columns.image=left", str(other))
    refused("no column that clearly holds the labels.*genus", str(other), columns={"image": "left"})
    refused("of type int64; expected: bytes", write(tmp_path / "v.parquet", n=range(12)), columns={"image": "n"})
    with pytest.raises(ConfigError, match="no key 'lable'"):
        Parquet(path=path, columns={"lable": "x"})


def test_files_that_differ(tmp_path):
    """A column that is missing, and one that holds something else."""
    write(tmp_path / "0.parquet")
    pq.write_table(pa.table({"image": pngs(), "class": LABELS}), tmp_path / "1.parquet")
    refused("1.parquet has no column 'label', which .*0.parquet has", str(tmp_path))
    pq.write_table(pa.table({"image": pngs(), "label": [0, 1] * 6, "extra": LABELS}), tmp_path / "1.parquet")
    refused("'label' holds int64, and other files another type", str(tmp_path))


def test_files_that_are_none(tmp_path):
    """Truncated ones, others, none, empty words."""
    whole = (tmp_path / "t.parquet", write(tmp_path / "t.parquet"))[0].read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:-9])
    refused("cut.parquet is a Parquet file without its end", str(tmp_path / "cut.parquet"))
    (tmp_path / "csv.parquet").write_text("path,label\n")
    refused("not a Parquet or Arrow file", str(tmp_path / "csv.parquet"))
    (tmp_path / "lfs.parquet").write_text("version https://git-lfs.github.com/spec/v1\n")
    refused("git lfs pull", str(tmp_path / "lfs.parquet"))
    refused("does not exist", str(tmp_path / "none.parquet"))
    refused("dataset.path is empty", "")


def test_images_that_are_none(tmp_path):
    """An empty cell, a damaged page: each is named by its row, and the others are whole."""
    path = write(tmp_path / "t.parquet", image=[None, *pngs(11)])
    with pytest.raises(BadImagesError, match=r"t.parquet, row 0: 'image' is empty"):
        check_images(Parquet(path=path).load().pictures)
    path = tmp_path / "u.parquet"
    pq.write_table(pa.table({"image": pngs(), "label": LABELS}), path, row_group_size=6, compression="gzip")
    at = pq.ParquetFile(path).metadata.row_group(1).column(0).dictionary_page_offset
    data = bytearray(path.read_bytes())
    data[at + 40 : at + 400] = bytes(360)
    path.write_bytes(data)
    with pytest.raises(BadImagesError, match=r"u.parquet, row 6 is damaged") as caught:
        check_images(Parquet(path=str(path)).load().pictures)
    assert sorted(caught.value.faults) == [6, 7, 8, 9, 10, 11]


def test_written_by_datasets(tmp_path):
    """With images, class names, and the file's metadata as that library has them."""
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["dog", "cat"])})
    rows = {"image": [{"bytes": one, "path": None} for one in pngs()], "label": [1, 0] * 6}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "t.parquet")
    images = Parquet(path=str(tmp_path / "t.parquet")).load()
    assert images.classes == ("dog", "cat")
    assert named(images) == LABELS
    assert list(digests(images.pictures)) == digests_of(range(12))


def groups_of(images):
    """The name of the group of each image."""
    return [images.groups.names[number] for number in images.groups.numbers_N]


def apart(images):
    """Whether no group is on both sides of a fold."""
    numbers = images.groups.numbers_N
    return all(not {*numbers[fold.train]} & {*numbers[fold.test]} for fold in images.folds)


def test_groups(tmp_path):
    """A column, of numbers or texts, keeps groups on one side; across files one name is one group."""
    whose = [row // 4 for row in range(12)]
    write(tmp_path / "0.parquet", patient=whose, rows=5)
    write(tmp_path / "1.parquet", patient=[row + 1 for row in whose], rows=7)
    images = Parquet(path=str(tmp_path), group="patient", test_fraction=0.5).load()
    assert groups_of(images) == list(map(str, whose + [row + 1 for row in whose]))
    assert images.groups.count == 4 and images.groups.what == "patient" and apart(images)
    assert apart(Parquet(path=str(tmp_path), group="patient", folds=2).load())
    assert images.digest != Parquet(path=str(tmp_path), test_fraction=0.5).load().digest


def test_groups_of_a_part_and_without_labels(tmp_path):
    """They follow the rows that are used."""
    label = ["cat", None, "dog", *LABELS[3:]]
    split = ["train"] * 8 + ["test"] * 4
    path = write(tmp_path / "t.parquet", label=label, split=split, who=[f"p{row}" for row in range(12)])
    images = Parquet(path=path, group="who", unlabelled="skip", split="none", columns={"split": None}).load()
    assert groups_of(images) == [f"p{row}" for row in range(12) if row != 1]


def test_groups_that_are_not_there(tmp_path):
    path = write(tmp_path / "t.parquet", who=["a", None] * 6)
    refused(r"t.parquet, row 1: 'who' is empty \(dataset.group\). Each image needs a group", path, group="who")
    refused(
        r"t.parquet has no column\(s\) 'whose' \(dataset.group\); its columns: image, label, who", path, group="whose"
    )
