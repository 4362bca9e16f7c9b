"""Groups of images: where they come from, and that nothing drawn divides them."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from offshelf.dataset import Csv, Fold, Folder, ImageArray, ImageSet, Sample, TrainingSizes
from offshelf.dataset.groups import GroupRule, Groups
from offshelf.errors import ConfigError, DatasetError

PIXEL = ImageArray(np.zeros((2, 2, 3), np.uint8))


@pytest.fixture
def scans(tmp_path):
    """Two classes of eight patients, each with three scans: CLASS/PATIENT/SCAN.png, and a table of them."""
    lines = ["path,label,patient"]
    for patient in range(16):
        for scan in range(3):
            name = f"{'ill' if patient % 2 else 'well'}/p{patient}/{scan}.png"
            (tmp_path / "scans" / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((4, 4, 3), 3 * patient + scan, np.uint8)).save(tmp_path / "scans" / name)
            lines.append(f"scans/{name},{name.split('/')[0]},p{patient}")
    (tmp_path / "scans.csv").write_text("\n".join(lines))
    return tmp_path


def made(targets, groups, train=None):
    """A set of images in groups; all are trained on, unless said."""
    rows = np.arange(len(targets))
    train = rows if train is None else np.asarray(train)
    samples = [Sample(f"{row}.png", PIXEL, targets[row]) for row in rows]
    several = isinstance(targets[0], tuple)
    classes = tuple("abcdef"[: len(targets[0]) if several else max(targets) + 1])
    folds = (Fold(train, np.setdiff1d(rows, train)),)
    metric = "mAP_sklearn" if several else "accuracy"
    return ImageSet("set", classes, samples, folds, metric, groups=Groups.of(list(map(str, groups)), "patient"))


def divided(images):
    """Names of the groups on both sides of a fold."""
    of = images.groups.numbers_N
    return [name for fold in images.folds for name in set(of[fold.train].tolist()) & set(of[fold.test].tolist())]


@pytest.mark.parametrize("folds", [None, 4])
def test_groups_of_a_table_and_of_folders(scans, folds):
    """A column, a folder level, a regular expression: the same groups, on one side; all classes on both sides."""
    by_column = Csv(str(scans / "scans.csv"), group="patient", folds=folds).load()
    by_level = Folder(str(scans / "scans"), group=1, folds=folds).load()
    by_pattern = Folder(str(scans / "scans"), group=r"^p(\d+)/", folds=folds).load()

    for images in (by_column, by_level, by_pattern):
        assert images.groups.count == 16
        assert not divided(images)
        assert len(images.folds) == (folds or 1)
        for fold in images.folds:
            assert set(images.targets[fold.train]) == set(images.targets[fold.test]) == {0, 1}
    assert by_level.groups.names == tuple(sorted(f"p{patient}" for patient in range(16)))
    assert [by_level.samples[row].id.split("/")[1] for row in range(48)] == [
        by_level.groups.names[number] for number in by_level.groups.numbers_N
    ]
    drawn = Csv(str(scans / "scans.csv"), folds=folds).load().folds
    assert divided(replace(by_column, folds=drawn))


def test_groups_are_part_of_the_identity(scans):
    """They change folds of cross-validation and intervals, so that a run is another one."""
    one, other = (Csv(str(scans / "scans.csv"), group=group).load() for group in ("patient", None))
    same = ImageSet(one.name, one.classes, one.samples, one.folds)

    assert one.digest != same.digest
    assert other.groups is None
    assert any("dataset.group=patient keeps them on one" in note for note in other.notes)


def test_what_no_group_is(scans):
    """One sentence, with the way out."""
    table = scans / "scans.csv"
    with pytest.raises(DatasetError, match=r"has no column 'patients' \(rename 'patient'\?\).*dataset.group=patient"):
        Csv(str(table), group="patients").load()
    table.write_text(table.read_text().replace(",p3", ",", 1))
    with pytest.raises(DatasetError, match=r"line 11: no patient \(dataset.group\)"):
        Csv(str(table), group="patient").load()
    with pytest.raises(DatasetError, match=r"48 of 48 image\(s\) is in fewer folders below its class folder"):
        Folder(str(scans / "scans"), group=2).load()
    with pytest.raises(DatasetError, match=r"48 of 48 image\(s\) does not match"):
        Folder(str(scans / "scans"), group="video").load()
    for wrong in (0, -1, True, 1.5, "(p"):
        with pytest.raises(ConfigError, match=r"dataset\.group"):
            Folder(str(scans), group=wrong)


def test_a_class_of_one_group(scans):
    """It cannot be on both sides: the classes are named."""
    table = scans / "scans.csv"
    text = "\n".join(
        line.rsplit(",", 1)[0] + (",one" if ",ill," in line else "," + line.rsplit(",", 1)[1])
        for line in table.read_text().splitlines()
    )
    table.write_text(text)
    with pytest.raises(DatasetError, match=r"images of 2 groups \(patient\).*ill \(1\)"):
        Csv(str(table), group="patient").load()


def test_names_that_may_be_one_group():
    """Groups that are spelt alike are told."""
    (note,) = Groups.of(["P1", "p1 ", "p2", "p2"], "patient").notes()

    assert "differ only in" in note
    assert GroupRule(r"(\w+)_(\d+)_").groups(["a_1_x.png", "a_1_y.png", "a_2_x.png"]).names == ("a/1", "a/2")


@pytest.mark.parametrize("shots", [1, 2, 4])
def test_shots_are_of_different_groups(shots):
    """As many as there are: no second image of a patient before the first of all others of its class."""
    groups = np.repeat(np.arange(6), 10)
    images = made((groups % 2).tolist(), groups)
    drawn = TrainingSizes(shots=shots, draws=1).drawn(images)
    for number in (0, 1):
        mine = drawn.groups.numbers_N[drawn.folds[0].train][drawn.targets[drawn.folds[0].train] == number]
        assert np.bincount(mine).max() == (1 if shots <= 3 else 2)
        assert len(set(mine)) == min(shots, 3)


@pytest.mark.parametrize("kind", ["class", "labels"])
def test_fractions_are_of_whole_groups(kind):
    """Nested, stratified, and each class in all of them; the whole is everything."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), rng.integers(1, 9, 40))
    targets = (
        [(1, -1) if group % 4 else (-1, 1) for group in groups] if kind == "labels" else (groups % 4 == 0).tolist()
    )
    targets = targets if kind == "labels" else [int(one) for one in targets]
    images = made(targets, groups)
    drawn = TrainingSizes(fractions=[0.01, 0.1, 0.5, 1], draws=3).drawn(images)
    of = drawn.groups.numbers_N
    sizes = np.bincount(of)

    for size in drawn.sizes:
        for fold in size.folds:
            taken = np.unique(of[fold.train])
            assert len(fold.train) == sizes[taken].sum()
            assert (drawn.counts(fold.train) > 0).all()
            if size.value == 0.5:
                assert 0.4 < len(fold.train) / len(groups) < 0.6
                share = drawn.counts(fold.train)[-1] / drawn.counts(np.arange(len(groups)))[-1]
                assert 0.3 < share < 0.7
    for small, large in zip(drawn.sizes, drawn.sizes[1:], strict=False):
        assert all(set(a.train) <= set(b.train) for a, b in zip(small.folds, large.folds, strict=False))
    assert len(drawn.sizes[-1].folds[0].train) == len(groups)
