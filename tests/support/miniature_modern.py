"""Miniatures of data sets that are scored today."""

import io

import numpy as np
import scipy.io
from miniature import archive, miniature, picture, text


def matlab(**variables):
    """A MATLAB file's bytes."""
    file = io.BytesIO()
    scipy.io.savemat(file, variables)
    return file.getvalue()


@miniature("flowers102")
def flowers102(folder):
    """Labels and ids count from 1; a few of the classes alone."""
    labels = [1, 2, 1, 2, 1, 3, 3, 3, 2, 1]
    images = {f"jpg/image_{number:05d}.jpg": picture(number, label) for number, label in enumerate(labels, 1)}
    archive(folder / "102flowers.tgz", images)
    (folder / "imagelabels.mat").write_bytes(matlab(labels=np.array([labels], np.uint8)))
    parts = {"trnid": [[5, 6, 9]], "valid": [[3, 4, 7]], "tstid": [[1, 2, 8, 10]]}
    (folder / "setid.mat").write_bytes(matlab(**{name: np.array(ids, np.uint16) for name, ids in parts.items()}))


def folds(names, count=10):
    """Names dealt out by number to three parts, otherwise in each of the splits."""
    for number in range(1, count + 1):
        yield number, [[name for row, name in enumerate(names) if (row + number) % 3 == part] for part in range(3)]


@miniature("dtd")
def dtd(folder):
    """Ten splits of train, val and test."""
    names = [f"{label}/{label}_{number:04d}.jpg" for label in ("banded", "dotted", "woven") for number in range(6)]
    members = {f"dtd/images/{name}": picture(row, row // 6) for row, name in enumerate(names)}
    for number, parts in folds(names):
        for part, listed in zip(("train", "val", "test"), parts, strict=True):
            members[f"dtd/labels/{part}{number}.txt"] = text(listed)
    archive(folder / "dtd-r1.0.1.tar.gz", members)


@miniature("sun397")
def sun397(folder):
    """Nested classes, lists with a slash before names, other formats by the name of .jpg, an image in no list."""
    classes = ["a/abbey", "c/church/indoor", "c/church/outdoor"]
    names = [f"{label}/sun_{number:03d}.jpg" for label in classes for number in range(6)]
    kinds = {0: ("L", "JPEG"), 7: ("RGBA", "PNG"), 8: ("P", "GIF"), 13: ("RGB", "BMP")}
    images = {
        f"SUN397/{name}": picture(row, row // 6, *kinds.get(row, ("RGB", "JPEG"))) for row, name in enumerate(names)
    }
    images |= {
        "SUN397/ClassName.txt": text(f"/{label}" for label in classes),
        "SUN397/a/abbey/sun_none.jpg": picture(99),
    }
    archive(folder / "SUN397.tar.gz", images)
    lists = {}
    for number, (first, second, third) in folds(names):
        lists[f"Partitions/Training_{number:02d}.txt"] = text(f"/{name}" for name in first + second)
        lists[f"Partitions/Testing_{number:02d}.txt"] = text(f"/{name}" for name in third)
    archive(folder / "Partitions.zip", lists)


@miniature("caltech101")
def caltech101(folder):
    """An archive in the archive, the background, a greyscale image, an annotation, a file of the system's."""
    counts = {"accordion": 5, "Faces": 8, "yin_yang": 4, "BACKGROUND_Google": 3}
    members = {
        f"101_ObjectCategories/{name}/image_{number:04d}.jpg": picture(number, row, "L" if number == 1 else "RGB")
        for row, (name, count) in enumerate(counts.items())
        for number in range(1, count + 1)
    }
    members["101_ObjectCategories/BACKGROUND_Google/tmp"] = "rubbish"
    archive(folder / "inner.tar.gz", members)
    inner = (folder / "inner.tar.gz").read_bytes()
    (folder / "inner.tar.gz").unlink()
    contents = {"101_ObjectCategories.tar.gz": inner, "Annotations.tar": b"", "show_annotation.m": "%"}
    outer = {f"caltech-101/{name}": data for name, data in contents.items()}
    archive(folder / "caltech-101.zip", {**outer, "__MACOSX/caltech-101/._show_annotation.m": "rubbish"})


@miniature("eurosat")
def eurosat(folder):
    """Images of 64 x 64 by class, and three lists of files."""
    names = [f"{label}_{number}.jpg" for label in ("AnnualCrop", "Forest", "SeaLake") for number in range(1, 7)]
    trees = {
        f"2750/{name.split('_')[0]}/{name}": picture(row, row // 6, size=(64, 64)) for row, name in enumerate(names)
    }
    archive(folder / "EuroSAT.zip", trees)
    for part, shift in (("train", 0), ("val", 1), ("test", 2)):
        (folder / f"eurosat-{part}.txt").write_text(text(names[shift::3]))


@miniature("stanford_cars")
def stanford_cars(folder):
    """Structs of MATLAB's, boxes from 1, the devkit's test list without classes, a greyscale image."""
    kind = [("bbox_x1", "O"), ("bbox_y1", "O"), ("bbox_x2", "O"), ("bbox_y2", "O"), ("class", "O"), ("fname", "O")]
    for part, labels in (("train", [2, 1, 3, 3, 2, 1]), ("test", [1, 2, 3])):
        images = {
            f"cars_{part}/{row:05d}.jpg": picture(row, label, "L" if row == 1 else "RGB")
            for row, label in enumerate(labels, 1)
        }
        archive(folder / f"cars_{part}.tgz", images)
        rows = np.array([(3, 2, 12, 11, label, f"{row:05d}.jpg") for row, label in enumerate(labels, 1)], dtype=kind)
        lists = matlab(annotations=rows[None])
        if part == "test":
            (folder / "cars_test_annos_withlabels.mat").write_bytes(lists)
            continue
        names = np.array(
            [["AM General Hummer SUV 2000", "Acura RL Sedan 2012", "smart fortwo Convertible 2012"]], object
        )
        archive(
            folder / "car_devkit.tgz",
            {"devkit/cars_train_annos.mat": lists, "devkit/cars_meta.mat": matlab(class_names=names)},
        )


@miniature("food101")
def food101(folder):
    """Lists without the files' endings."""
    train = ["apple_pie/1", "waffles/2", "waffles/3", "apple_pie/4"]
    test = ["waffles/5", "apple_pie/6"]
    members = {f"images/{name}.jpg": picture(row, name[0] == "w") for row, name in enumerate(train + test)}
    lists = {"classes": ["apple_pie", "waffles"], "train": train, "test": test}
    members |= {f"meta/{name}.txt": text(rows) for name, rows in lists.items()}
    archive(folder / "food-101.tar.gz", {f"food-101/{name}": data for name, data in members.items()})


@miniature("pets")
def pets(folder):
    """Breeds numbered as no sorting would, a PNG with alpha named .jpg, files of MATLAB's among the images."""
    trainval = ["Abyssinian_1 1 1 1", "beagle_1 2 2 1", "Maine_Coon_3 3 1 2", "Abyssinian_5 1 1 1", "beagle_4 2 2 1"]
    test = ["beagle_2 2 2 1", "Abyssinian_2 1 1 1", "Maine_Coon_1 3 1 2"]
    rows = [row.split() for row in trainval + test]
    images = {
        f"images/{name}.jpg": picture(row, int(label), *(("RGBA", "PNG") if name == "Abyssinian_5" else ()))
        for row, (name, label, _, _) in enumerate(rows)
    }
    archive(folder / "images.tar.gz", {**images, "images/Abyssinian_1.mat": "MATLAB 5.0"})
    lists = {f"annotations/{part}.txt": text(listed) for part, listed in (("trainval", trainval), ("test", test))}
    archive(folder / "annotations.tar.gz", lists)


@miniature("cifar10")
def cifar10(folder):
    """Records of a class and three planes."""
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

    def batch(count, seed):
        random = np.random.default_rng(seed)
        rows = random.integers(0, 30, (count, 3073), dtype=np.uint8) + np.arange(count, dtype=np.uint8)[:, None] * 20
        rows[:, 0] = np.arange(count) % 10
        return rows.tobytes()

    members = {f"data_batch_{number}.bin": batch(10, number) for number in range(1, 6)}
    members |= {"test_batch.bin": batch(10, 9), "batches.meta.txt": text([*names, ""]), "readme.html": "<html>"}
    archive(folder / "cifar-10-binary.tar.gz", {f"cifar-10-batches-bin/{name}": data for name, data in members.items()})
