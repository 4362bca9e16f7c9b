"""Features of others: the rows as they are in every kind of file, and runs on them that equal scikit-learn's."""

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pictures import sizes
from scipy.io import savemat
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import SVC

import offshelf
from offshelf.dataset import Digits, GivenFeatures
from offshelf.errors import ConfigError, DatasetError, OffshelfError

X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
LABELS = np.array(["cat", "dog"] * 20)
NUMBERS = np.array([3, 10] * 20)


def write(path, **arrays):
    """A file of arrays, in the format of its name."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".mat":
        savemat(path, arrays)
    elif path.suffix == ".h5":
        path = path.with_suffix(".mat")
        with h5py.File(path, "w", userblock_size=512) as file:
            for name, values in arrays.items():
                file[name] = values.T
        head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
        with path.open("r+b") as file:
            file.write(head.ljust(512, b"\0"))
    else:
        pq.write_table(pa.table({name: list(values) for name, values in arrays.items()}), path)
    return str(path)


def named(images):
    """The label of each row, in words."""
    return [images.classes[target] for target in images.targets]


def refused(match, path, **settings):
    """The one sentence of a file."""
    with pytest.raises(DatasetError, match=match) as caught:
        GivenFeatures(path=path, **settings).load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["npz", "mat", "h5", "parquet"])
@pytest.mark.parametrize("labels", [LABELS, NUMBERS])
def test_kinds_of_files(tmp_path, kind, labels):
    """Rows and labels are those that were written; MATLAB's numbers are integers again."""
    if kind == "h5" and labels is LABELS:
        return  # texts of MATLAB 7.3 are references to codes
    given = labels[:, None].astype(float) if kind in ("mat", "h5") and labels is NUMBERS else labels
    given = given.astype(object) if kind == "mat" and labels is LABELS else given  # a cell array
    path = write(tmp_path / f"t.{kind}", fts=X.astype(float), labels=given)
    images = GivenFeatures(path=path).load()
    assert [sample.image.values.tolist() for sample in images.samples] == X.tolist()
    assert images.classes == (("cat", "dog") if labels is LABELS else ("3", "10"))
    assert named(images) == labels.astype(str).tolist()
    assert sizes(images) == (30, 10)
    assert images.samples[7].id.endswith(":7")
    assert images.notes[0].startswith("Features are given, 6 numbers each")


def test_labels_in_a_file_of_their_own(tmp_path):
    """Of NumPy or text; their number has to be that of the rows."""
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", NUMBERS)
    (tmp_path / "y.txt").write_text("\n".join(LABELS) + "\n")
    assert named(GivenFeatures(path=str(tmp_path / "x.npy"), labels=str(tmp_path / "y.npy")).load())[:2] == ["3", "10"]
    assert named(GivenFeatures(path=str(tmp_path / "x.npy"), labels=str(tmp_path / "y.txt")).load()) == LABELS.tolist()
    refused("no arrays that may be the labels.*dataset.labels=FILE", str(tmp_path / "x.npy"))
    np.save(tmp_path / "z.npy", X.T)
    refused("6 rows of features and 40 labels.*transpose", str(tmp_path / "z.npy"), labels=str(tmp_path / "y.npy"))


def test_splits(tmp_path):
    """An array, names of files, or a file for each part."""
    split = np.array(["train"] * 30 + ["test"] * 10)
    path = write(tmp_path / "t.npz", x=X, y=LABELS, split=split)
    assert sizes(GivenFeatures(path=path).load()) == (30, 10)
    assert sizes(GivenFeatures(path=path, arrays={"split": None}, test_fraction=0.5).load()) == (20, 20)
    (tmp_path / "parts").mkdir()
    write(tmp_path / "parts/train.npz", x=X, y=LABELS)
    write(tmp_path / "parts/test.npz", x=X[:8] + 1, y=LABELS[:8])
    assert sizes(GivenFeatures(path=str(tmp_path / "parts")).load()) == (40, 8)
    parts = {"train": str(tmp_path / "parts/test.npz"), "test": path}
    assert sizes(GivenFeatures(path=parts, arrays={"split": None}).load()) == (8, 40)


def test_several_labels_and_numbers(tmp_path):
    """A zero or one for each class; numbers to predict."""
    hot = np.random.default_rng(1).integers(0, 2, (40, 3))
    images = GivenFeatures(path=write(tmp_path / "t.npz", x=X, label=hot)).unsplit()
    assert images.targets.tolist() == (2 * hot - 1).tolist()
    images = GivenFeatures(path=write(tmp_path / "u.npz", x=X, y=X[:, 0]), target="number").load()
    assert images.targets.tolist() == X[:, 0].tolist()


def test_what_is_not_clear(tmp_path):
    """One sentence each; nothing is unpickled."""
    refused(
        "2 arrays that may be the features: a, b.*arrays.features=NAME", write(tmp_path / "a.npz", a=X, b=X, y=LABELS)
    )
    refused("2 arrays that may be the labels: u, v", write(tmp_path / "b.npz", x=X, u=LABELS, v=LABELS))
    refused("no array 'z'", write(tmp_path / "c.npz", x=X, y=LABELS), arrays={"label": "z"})
    wrong = X.copy()
    wrong[5, 2] = np.nan
    refused("1 rows have numbers that are not finite, such as row 5", write(tmp_path / "d.npz", x=wrong, y=LABELS))
    refused("not a whole file of NumPy arrays", write(tmp_path / "e.npz", x=X, y=LABELS.astype(object)))
    (tmp_path / "f.npz").write_bytes((tmp_path / "c.npz").read_bytes()[:-50])
    refused("f.npz is not a whole file", str(tmp_path / "f.npz"))
    (tmp_path / "g.mat").write_bytes(b"x" * 300)
    refused("g.mat is not a whole MATLAB file", str(tmp_path / "g.mat"))
    (tmp_path / "h").mkdir()
    write(tmp_path / "h/0.npz", x=X, y=LABELS)
    write(tmp_path / "h/1.npz", x=X[:, :3], y=LABELS)
    refused(r"1.npz has features of 3 numbers, .*0.npz of 6", str(tmp_path / "h"))
    (tmp_path / "t.csv").write_text("1,2")
    refused("features are read from files .npy, .npz", str(tmp_path / "t.csv"))
    with pytest.raises(ConfigError, match=r"dataset\.arrays"):
        GivenFeatures(path="x", arrays={"labels": "y"})


@pytest.fixture
def digits(tmp_path, home):
    """A file of the digits' pixels, with the split of the data set."""
    images = Digits().load()
    (fold,) = images.folds
    x = np.stack([sample.image.pixels[..., 0].ravel() for sample in images.samples]).astype(np.float32)
    rows = np.r_[fold.train[:200], fold.test[:200]]
    split = np.array(["train"] * 200 + ["test"] * 200)
    return x[rows], images.targets[rows], write(tmp_path / "t.npz", x=x[rows], y=images.targets[rows], split=split)


def test_classify_equals_scikit_learn(digits):
    """The accuracy of its SVM on the same rows; no network is built, and nothing stored."""
    x, y, path = digits
    result = offshelf.classify(
        "features", path=path, backbone="none", classifier="linear_svm", C=[1], postprocess="none"
    )
    expected = SVC(kernel="linear", C=1.0).fit(x[:200], y[:200]).score(x[200:], y[200:])
    assert result.metrics["test/accuracy"] == pytest.approx(expected, abs=0.02)


def test_retrieve_equals_scikit_learn(digits):
    """First neighbours."""
    x, y, path = digits
    result = offshelf.retrieve("features", path=path, backbone="none", postprocess="none")
    near = NearestNeighbors(n_neighbors=2).fit(x).kneighbors(x, return_distance=False)[:, 1]
    assert result.metrics["test/leave_query_out/mP_at_1"] == pytest.approx(float((y[near] == y).mean()), abs=0.01)


@pytest.mark.slow
def test_what_does_not_go_with_features(digits):
    """A network, images without one, several views."""
    _, _, path = digits
    for words, match in (
        ({"dataset": "features", "path": path}, "backbone=none"),
        ({"dataset": "digits", "backbone": "none"}, "goes with dataset=features"),
        ({"dataset": "features", "path": path, "backbone": "none", "augmentation": "mirror"}, "augmentation=center"),
    ):
        with pytest.raises(OffshelfError, match=match):
            offshelf.classify(**words)
