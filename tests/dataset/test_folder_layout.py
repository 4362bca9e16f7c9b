"""What is trained on and what is tested on: by the names people give; what may be meant otherwise is asked about."""

import pytest
from trees import picture, tree

from offshelf.dataset import Folder
from offshelf.dataset.split_names import part_of
from offshelf.errors import ConfigError, DatasetError


def parts(root, **settings):
    """Folders, two levels deep, of the images that are trained on, and of those that are tested on."""
    images = Folder(str(root), **settings).load()
    (fold,) = images.folds
    return tuple({images.samples[row].id.rpartition("/")[0] for row in rows} for rows in (fold.train, fold.test))


@pytest.mark.parametrize(
    ("train", "test"),
    [
        *(("train", "test"), ("Train", "Test"), ("TRAIN", "TEST"), ("training", "testing"), ("train", "val")),
        *(("train", "valid"), ("training", "validation"), ("train_set", "test_set"), ("train2017", "val2017")),
        *(("Training Set", "Test Set"), ("trainset", "testset"), ("train-images", "test-images"), ("train", "dev")),
        *(
            ("trn", "tst"),
            ("trainval", "test"),
            ("train_val", "test"),
            ("train+val", "Test"),
            ("TrainData", "EvalData"),
            ("train", "eval"),
            ("train", "holdout"),
            ("train_256", "test_256"),
        ),
    ],
)
def test_names_of_parts(tmp_path, train, test):
    """Neither is a class, whatever the spelling."""
    tree(tmp_path, f"{train}/cat", f"{train}/dog", f"{test}/cat", f"{test}/dog")
    assert Folder(str(tmp_path)).load().classes == ("cat", "dog")
    assert parts(tmp_path) == ({f"{train}/cat", f"{train}/dog"}, {f"{test}/cat", f"{test}/dog"})


@pytest.mark.parametrize(
    "name", ["cat", "train station", "test tube", "retrain", "protest", "contest", "evaluator", ""]
)
def test_other_names(name):
    """A word in another word, or beside others, is no part."""
    assert part_of(name) is None


def test_classes_that_sound_like_parts(tmp_path):
    """Without a counterpart they are classes as any."""
    tree(tmp_path, "train_station", "test_tube", "airport")
    assert Folder(str(tmp_path)).load().classes == ("airport", "test_tube", "train_station")


def test_validation_part(tmp_path):
    """Tested on where there is no test part, else trained on, unless it is said; all of it in a sentence."""
    tree(tmp_path, *(f"{part}/{name}" for part in ("train", "val") for name in ("cat", "dog")))
    assert parts(tmp_path)[1] == {"val/cat", "val/dog"}
    assert Folder(str(tmp_path)).load().notes == ("val/ is tested on, as there is no test/.",)
    with pytest.raises(DatasetError, match=r"no folder to test on except val/; dataset\.val=train"):
        Folder(str(tmp_path), val="train").load()

    tree(tmp_path, "test/cat", "test/dog")
    assert parts(tmp_path) == ({"train/cat", "train/dog", "val/cat", "val/dog"}, {"test/cat", "test/dog"})
    assert "val/ is trained on too (dataset.val=train" in Folder(str(tmp_path)).load().notes[0]
    assert parts(tmp_path, val="ignore") == ({"train/cat", "train/dog"}, {"test/cat", "test/dog"})
    assert parts(tmp_path, val="test") == ({"train/cat", "train/dog"}, {"val/cat", "val/dog"})
    assert Folder(str(tmp_path), val="test").load().not_taken[0].id == "test"


QUESTIONS = {
    # folders of images, and what is said
    "train alone": (["train/a", "train/b"], r"no part to test on\. dataset\.root=.*train draws"),
    "test alone": (["test/a", "test/b"], "no part to train on"),
    "a class called test": (
        ["cat", "dog", "test"],
        r"test/, which may be a part of a split or a class, next to cat/, dog/",
    ),
    "a class called train": (["bus", "car", "train"], r"dataset\.split=none takes all folders as classes"),
    "test folder of classes": (["cat", "dog", "test/cat", "test/dog"], "a part of a split or a class"),
    "class folders beside a part": (["yes", "no", "test/yes"], r"dataset\.ignore=\[\"test\"\]' leaves it out"),
    "flat parts and a class": (["train", "test", "bus"], "parts of a split or classes"),
    "two spellings": (["train/a", "train/b", "Train/a", "test/a", "test/b"], "2 folders that may be its train part"),
    "val and validation": (["train/a", "train/b", "val/a", "validation/a"], "2 folders that may be its val part"),
    "one word more": (
        ["seg_train/a", "seg_train/b", "seg_test/a", "seg_test/b"],
        r"\{train: seg_train, test: seg_test\}",
    ),
    "one word more, nested": (
        ["seg_train/seg_train/a", "seg_train/seg_train/b", "seg_test/seg_test/a", "seg_test/seg_test/b"],
        r"\{train: seg_train/seg_train, test: seg_test/seg_test\}",
    ),
    "inside each class": (["cat/train", "cat/test", "dog/train", "dog/test"], "each contain a split"),
    "a level deeper": (["set/train/a", "set/train/b", "set/test/a"], r"but set/ does: dataset\.root=\S*/set;"),
    "images and labels": (["images/train", "images/val", "labels/train", "labels/val"], "but images/ does"),
    "nested parts": (["train/train/a", "train/train/b", "test/test/a", "test/test/b"], "contains one folder, test/"),
    "classes a level deeper": (["train/images/a", "train/images/b", "test/images/a"], "contains one folder, images/"),
    "test without labels": (["train/a", "train/b", "test"], r"test has no class folders.*dataset\.root=\S*/train"),
    "val without labels": (["train/a", "train/b", "val"], r"val has no class folders.*dataset\.root=\S*/train"),
    "val without labels, and a test": (["train/a", "train/b", "val", "test/a"], r"val has .*dataset\.val=ignore"),
    "test without labels, and a val": (["train/a", "train/b", "val/a", "test"], r"test has .*dataset\.val=test"),
    "all without labels": (["train", "test"], "are not in class folders.*dataset=csv"),
    "class that is not trained on": (
        ["train/cat", "train/dog", "test/cats"],
        r"cats \(is it cat\?\).*dataset\.ignore=",
    ),
    "one class, classes in it": (["set/cat", "set/dog"], r"the classes may be those in it: dataset\.root=\S*/set"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_asked_about(tmp_path, name):
    """One sentence, with the way out."""
    folders, message = QUESTIONS[name]
    with pytest.raises(DatasetError, match=message) as error:
        Folder(str(tree(tmp_path, *folders))).load()
    assert "\n" not in str(error.value)


def test_ways_out(tmp_path):
    """Every folder a class; or the parts as they are named."""
    tree(tmp_path / "a", "bus", "car", "train")
    assert Folder(str(tmp_path / "a"), split="none").load().classes == ("bus", "car", "train")

    tree(tmp_path / "b", "x/y/cat", "x/y/dog", "more/dog", "z/cat", "z/dog", "rest/cat")
    found = parts(tmp_path / "b", split={"train": ["x/y", "more"], "test": "z"})
    assert found == ({"x/y/cat", "x/y/dog", "more/dog"}, {"z/cat", "z/dog"})
    images = Folder(str(tmp_path / "b"), split={"train": ["x/y", "more"], "test": "z"}).load()
    assert [one.id for one in images.not_taken] == ["rest"]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"train": "train", "test": "gone"}, "names .*gone, which is not a folder"),
        ({"train": "train", "test": "train/cat"}, "one in the other"),
        ({"train": "train", "test": "train"}, "the same folder"),
    ],
)
def test_parts_that_cannot_be(tmp_path, split, message):
    """By name."""
    tree(tmp_path, "train/cat", "train/dog")
    with pytest.raises(DatasetError, match=message):
        Folder(str(tmp_path), split=split).load()


@pytest.mark.parametrize(
    "settings", [{"split": "yes"}, {"split": {"train": "a"}}, {"val": "both"}, {"split": {"train": "a", "tets": "b"}}]
)
def test_settings_that_say_nothing(settings):
    """Refused when they are made."""
    with pytest.raises(ConfigError, match=r"dataset\.(split|val)"):
        Folder("x", **settings)


def test_images_beside_class_folders(tmp_path):
    """In a part of a split they may be a class, and are asked about; beside classes alone they are named."""
    tree(tmp_path, "cat", "dog")
    picture(tmp_path / "stray.png")
    images = Folder(str(tmp_path)).load()
    assert [(one.id, one.why) for one in images.not_taken] == [
        ("stray.png", "next to the class folders, so without a class")
    ]

    tree(tmp_path / "split", "train/cat", "train/dog", "test/cat", "test/dog")
    picture(tmp_path / "split/train/stray.png")
    with pytest.raises(DatasetError, match=r"1 image\(s\) next to its class folders: train/stray\.png"):
        Folder(str(tmp_path / "split")).load()
    assert len(Folder(str(tmp_path / "split"), ignore=["train/*.*"]).load().samples) == 16


def test_classes_that_differ_in_case(tmp_path):
    """From part to part they are the same, and it is said; within a part they are two."""
    tree(tmp_path / "a", "train/Coast", "train/forest", "test/coast", "test/FOREST")
    images = Folder(str(tmp_path / "a")).load()
    assert images.classes == ("Coast", "forest")
    assert "coast (Coast)" in images.notes[0]
    assert "only in case or accents" in images.notes[0]
    assert parts(tmp_path / "a") == ({"train/Coast", "train/forest"}, {"test/coast", "test/FOREST"})

    tree(tmp_path / "b", "train/B\u00e4r", "train/x", "test/Ba\u0308r", "test/x")  # as macOS stores accents
    assert Folder(str(tmp_path / "b")).load().classes == ("B\u00e4r", "x")

    tree(tmp_path / "c", "train/a", "train/A", "test/a", "test/A")
    images = Folder(str(tmp_path / "c")).load()
    assert images.classes == ("A", "a")
    assert images.notes == (
        "Class folders that differ only in case, accents, spaces or zeros are separate classes: A, a.",
    )


def test_classes_that_are_not_tested(tmp_path):
    """Named."""
    images = Folder(str(tree(tmp_path, "train/cat", "train/dog", "train/owl", "test/cat"))).load()
    assert images.notes == ("2 class(es) have no test images: dog, owl.",)
