"""A folder of class folders, with or without `train/` and `test/` in it."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from offshelf.dataset.files import Files
from offshelf.dataset.image import parse_colour
from offshelf.dataset.imageset import FileSamples, Fold, ImageSet
from offshelf.dataset.partition import partition
from offshelf.dataset.raster import MAX_PIXELS
from offshelf.dataset.value_range import parse_range
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
    value_range: str | Sequence[float] | None = "auto"
    """Of images of more than 8 bits a value: [black, white]; `auto`, see value_range.py; None: they are refused."""
    max_pixels: int = MAX_PIXELS
    """Of an image; those of more are refused."""
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
        classes = _classes(root)
        samples, _ = self._read(root, [(root / name, number) for number, name in enumerate(classes)])
        return ImageSet(root.name, classes, samples, folds=())

    def _split(self, root: Path, splits: list[Path]) -> ImageSet:
        if self.folds is not None:
            raise DatasetError(
                f"{root} has its own train/ and test/; dataset.folds={self.folds} does not go with them."
            )
        classes = _classes(root / "train")
        folders = [(split / name, classes.index(name)) for split in splits for name in _classes(split, classes)]
        samples, counts = self._read(root, folders)
        is_test = np.repeat([folder.parent.name == "test" for folder, _ in folders], counts)
        return ImageSet(root.name, classes, samples, (Fold(np.flatnonzero(~is_test), np.flatnonzero(is_test)),))

    def _read(self, root: Path, folders: Sequence[tuple[Path, int]]) -> tuple[FileSamples, list[int]]:
        """The samples of class folders, given with their classes' numbers, and how many each folder has."""
        background = parse_colour(self.background)
        counts: list[int] = []

        def names() -> Iterator[str]:
            for folder, _ in folders:
                counts.append(0)
                for path in _images(folder):
                    counts[-1] += 1
                    yield path.relative_to(root).as_posix()

        files = Files(root, names(), background, parse_range(self.value_range), self.max_pixels)
        return FileSamples(files, np.repeat(np.array([number for _, number in folders], np.int32), counts)), counts


def _classes(folder: Path, known: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the class folders, sorted. Raises DatasetError where they are not in `known`, or are no classes."""
    classes = tuple(sorted(entry.name for entry in _visible(folder) if entry.is_dir()))
    if known and set(classes) - set(known):
        raise DatasetError(
            f"{folder} has classes that train/ has not: {', '.join(sorted(set(classes) - set(known))[:10])}."
        )
    if len(known or classes) < 2:
        is_loose = not classes and any(entry.suffix.lower() in SUFFIXES for entry in _visible(folder))
        why = "its images lie in no class folders" if is_loose else f"it has {len(classes)} class folder(s)"
        raise DatasetError(f"{folder} needs a folder for each of two or more classes; {why}.")
    return classes


def _images(folder: Path) -> Iterator[Path]:
    """Image files below a class folder, sorted. Raises DatasetError where there are none."""
    images = others = 0
    for path in _walk(folder):
        if _is_image(path):
            images += 1
            yield path
        else:
            others += 1
    if not images:
        raise DatasetError(f"The class folder {folder} holds no images ({', '.join(SUFFIXES)}). Fill or remove it.")
    if others:
        log.info("%s: %d file(s) that are no images by their names are left out.", folder, others)


def image_files(folder: Path) -> list[Path]:
    """Files at any depth that are images by their names, sorted; hidden ones are left out. Raises DatasetError."""
    return [path for path in _walk(folder) if _is_image(path)]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _walk(folder: Path) -> Iterator[Path]:
    """Files at any depth, in the order of their paths."""
    for entry in sorted(_visible(folder)):
        if entry.is_dir():
            yield from _walk(entry)
        else:
            yield entry


def _visible(folder: Path) -> Iterator[Path]:
    """Entries that are not hidden and not a system's own."""
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise DatasetError(f"{folder} cannot be read: {error.strerror}.") from error
    return (entry for entry in entries if not entry.name.startswith((".", "__MACOSX")) and entry.name != "Thumbs.db")
