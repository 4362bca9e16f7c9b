"""Faults planted in a folder of real photographs: at which place of its list `offshelf inspect` has each.

    python benchmark/planted_faults.py 101_ObjectCategories --seeds 5

A seed draws classes and images from the class folders, 70 % of them for training. It gives three images a wrong class,
saves two again as JPEG files (one of them smaller), and saves one training image again among the test images. Inspected
with the defaults. Of Caltech-101 leave out BACKGROUND_Google and Faces_easy, whose images are in other folders too.
"""

import argparse
import random
import shutil
import tempfile
from pathlib import Path

from machine import machine, table
from PIL import Image

import offshelf


def draw(source: Path, root: Path, classes: int, images: int, rng: random.Random) -> list[Path]:
    """Copy a sample of class folders to train/CLASS and test/CLASS; return its files."""
    names = sorted(folder.name for folder in source.iterdir() if folder.is_dir())
    drawn = []
    for name in sorted(rng.sample(names, min(classes, len(names)))):
        files = sorted((source / name).iterdir())
        rng.shuffle(files)
        files = files[:images]
        for number, file in enumerate(files):
            to = root / ("train" if number < 0.7 * len(files) else "test") / name / file.name
            to.parent.mkdir(parents=True, exist_ok=True)
            drawn.append(Path(shutil.copy(file, to)))
    return drawn


def again(file: Path, to: Path, share: float, quality: int) -> None:
    """Save an image once more, with sides of a share of its own."""
    picture = Image.open(file).convert("RGB")
    picture.resize((round(picture.width * share), round(picture.height * share))).save(to, quality=quality)


def places(source: Path, seed: int, classes: int, images: int) -> tuple[list[int], list[int], list[int]]:
    """Return the places, from 1, of the wrong labels, the copies and the leak."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "photographs"
        files = draw(source, root, classes, images, rng)
        name = lambda file: str(file.relative_to(root))  # noqa: E731
        wrong, pairs = [], []
        for file in (files.pop(rng.randrange(len(files))) for _ in range(3)):
            other = rng.choice([one for one in sorted((root / "train").iterdir()) if one.name != file.parent.name])
            to = root / file.relative_to(root).parts[0] / other.name / f"wrong_{file.name}"
            to.parent.mkdir(parents=True, exist_ok=True)
            wrong.append(name(file.rename(to)))
        for share in (1.0, 0.75):
            file = files.pop(rng.randrange(len(files)))
            again(file, file.with_name(f"copy_{file.stem}.jpg"), share, 80)
            pairs.append({name(file), name(file.with_name(f"copy_{file.stem}.jpg"))})
        file = rng.choice([file for file in files if file.relative_to(root).parts[0] == "train"])
        leak = root / "test" / file.parent.name / f"leak_{file.stem}.jpg"
        again(file, leak, 1.0, 85)
        found = offshelf.inspect(root, output_dir=Path(folder) / "found", bootstrap__replicates=0, report__points=100)
        ids = found.labels["id"].tolist()
        groups = found.copies.groupby("group")["id"].agg(set)
        leaks = list(zip(found.leaks["id"], found.leaks["training_id"], strict=True))
        return (
            [ids.index(one) + 1 for one in wrong],
            [int(min(groups.index[[pair <= group for group in groups]], default=0)) for pair in pairs],
            [leaks.index((name(leak), name(file))) + 1 if (name(leak), name(file)) in leaks else 0],
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="a folder of class folders")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--images", type=int, default=40, help="most images of a class")
    arguments = parser.parse_args()
    print(machine())
    lines = []
    for seed in range(arguments.seeds):
        found = places(arguments.photographs, seed, arguments.classes, arguments.images)
        lines.append([str(seed), *(", ".join(str(one or "not found") for one in each) for each in found)])
    table(["seed", "places of three wrong labels", "of two copies", "of a leak"], lines)


if __name__ == "__main__":
    main()
