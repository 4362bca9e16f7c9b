"""A folder of class folders, with or without `train/` and `test/` in it."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from offshelf.dataset.image import ImageFile, parse_colour
from offshelf.dataset.imageset import Fold, ImageSet, Sample
from offshelf.dataset.partition import partition
from offshelf.errors import DatasetError

log = logging.getLogger(__name__)

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Folder:
    """Images by class folder. With `train/` and `test/` these are the split (`val/` is trained on too)."""

    root: str
    test_fraction: float = 0.25
    """Held out of each class where there is no `test/`, drawn with `seed`."""
    folds: int | None = None
    """Cross-validate instead of holding out."""
    background: str | Sequence[int] = "white"
    """Seen through transparent pixels: a name, #rrggbb or [r,g,b]."""
    seed: int = 0

    def load(self) -> ImageSet:
        """See Dataset; classes are the sorted folder names, those of `train/` where there is one."""
        images = self.unsplit()
        if images.folds:
            return images
        return replace(
            images, folds=partition(images.targets, images.classes, self.test_fraction, self.folds, self.seed)
        )

    def unsplit(self) -> ImageSet:
        """See Unsplit; a folder's own `train/` and `test/` are its fold all the same."""
        root = Path(self.root).expanduser().absolute()
        if not root.is_dir():
            raise DatasetError(
                f"dataset.root={self.root} is no folder. Expected: a folder with a folder for each class."
            )
        splits = [root / name for name in SPLITS if (root / name).is_dir()]
        if root / "test" in splits and root / "train" in splits:
            return self._split(root, splits)
        return ImageSet(root.name, *self._read(root, root, None), folds=())

    def _split(self, root: Path, splits: list[Path]) -> ImageSet:
        if self.folds is not None:
            raise DatasetError(
                f"{root} has its own train/ and test/; dataset.folds={self.folds} does not go with them."
            )
        classes, _ = self._read(root, root / "train", None)
        samples: list[Sample] = []
        rows: dict[str, list[int]] = {"train": [], "test": []}
        for split in splits:
            _, part = self._read(root, split, classes)
            rows["test" if split.name == "test" else "train"] += range(len(samples), len(samples) + len(part))
            samples += part
        return ImageSet(root.name, classes, samples, (Fold(np.array(rows["train"]), np.array(rows["test"])),))

    def _read(self, root: Path, folder: Path, known: Sequence[str] | None) -> tuple[tuple[str, ...], list[Sample]]:
        classes = tuple(sorted(entry.name for entry in _visible(folder) if entry.is_dir()))
        if known is not None and set(classes) - set(known):
            raise DatasetError(
                f"{folder} has classes that train/ has not: {', '.join(sorted(set(classes) - set(known))[:10])}."
            )
        if len(known or classes) < 2:
            loose = any(entry.suffix.lower() in SUFFIXES for entry in _visible(folder))
            why = (
                "its images lie in no class folders"
                if loose and not classes
                else f"it has {len(classes)} class folder(s)"
            )
            raise DatasetError(f"{folder} needs a folder for each of two or more classes; {why}.")
        background = parse_colour(self.background)
        samples = [
            Sample(path.relative_to(root).as_posix(), ImageFile(path, background), (known or classes).index(name))
            for name in classes
            for path in _images(folder / name)
        ]
        return classes, samples


def _images(folder: Path) -> list[Path]:
    """Image files below a class folder, sorted. Raises DatasetError where there are none."""
    files = [path for path in _walk(folder) if not path.is_dir()]
    images = _of_images(files)
    if not images:
        raise DatasetError(f"The class folder {folder} holds no images ({', '.join(SUFFIXES)}). Fill or remove it.")
    if len(images) < len(files):
        log.info("%s: %d file(s) that are no images by their names are left out.", folder, len(files) - len(images))
    return images


def image_files(folder: Path) -> list[Path]:
    """Files at any depth that are images by their names, sorted; hidden ones are left out. Raises DatasetError."""
    return _of_images([path for path in _walk(folder) if not path.is_dir()])


def _of_images(files: Sequence[Path]) -> list[Path]:
    return sorted(path for path in files if path.suffix.lower() in SUFFIXES)


def _walk(folder: Path) -> Iterator[Path]:
    for entry in sorted(_visible(folder)):
        yield entry
        if entry.is_dir():
            yield from _walk(entry)


def _visible(folder: Path) -> Iterator[Path]:
    """Entries that are not hidden and not a system's own."""
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise DatasetError(f"{folder} cannot be read: {error.strerror}.") from error
    return (entry for entry in entries if not entry.name.startswith((".", "__MACOSX")) and entry.name != "Thumbs.db")
