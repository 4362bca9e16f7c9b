"""Cut CUB-200-2011 to its first ten classes.

python experiments/cub_ten/subset.py CUB_200_2011 data/cub200/CUB_200_2011
"""

import shutil
import sys
from pathlib import Path

CLASSES = 10
LISTS = ("images", "bounding_boxes", "image_class_labels", "train_test_split")


def cut(source: Path, target: Path) -> int:
    """Copy the lists and images of the first classes. Returns the number of images."""
    names = (source / "classes.txt").read_text().splitlines()[:CLASSES]
    folders = tuple(name.split()[1] + "/" for name in names)
    paths = dict(line.split() for line in (source / "images.txt").read_text().splitlines())
    kept = {image: path for image, path in paths.items() if path.startswith(folders)}
    target.mkdir(parents=True)
    (target / "classes.txt").write_text("".join(f"{name}\n" for name in names))
    for name in LISTS:
        lines = (source / f"{name}.txt").read_text().splitlines()
        (target / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines if line.split()[0] in kept))
    for path in kept.values():
        (target / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / "images" / path, target / "images" / path)
    return len(kept)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(f"{cut(Path(sys.argv[1]), Path(sys.argv[2]))} images")
