"""A folder of class folders, with or without `train/` and `test/` in it."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path, PurePath

import numpy as np
from typing_extensions import override

from offshelf.dataset.bucket_walk import BucketWalk
from offshelf.dataset.files import Files
from offshelf.dataset.groups import GroupRule, Groups
from offshelf.dataset.image import parse_colour
from offshelf.dataset.imageset import Dataset, FileSamples, Fold, ImageSet
from offshelf.dataset.intensity_range import parse_range
from offshelf.dataset.kind import SUFFIXES, is_named_image
from offshelf.dataset.layout import Layout, find_layout
from offshelf.dataset.leaks import LeakRules
from offshelf.dataset.partition import with_folds
from offshelf.dataset.raster import MAX_PIXELS, require_pixels
from offshelf.dataset.remote.file import Place
from offshelf.dataset.split_names import ALIKE, Split, as_read, folded, require_split, told_apart
from offshelf.dataset.training_sizes import TrainingSizes
from offshelf.dataset.walk import SYSTEM, Walk
from offshelf.errors import ConfigError, DatasetError
from offshelf.names import listed, readable
from offshelf.remote import Url, is_url

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Folder(Dataset, TrainingSizes, LeakRules):
    """Images in class folders. If it contains `train/` and `test/`, or similar names, these are the split."""

    root: str
    test_fraction: float = 0.25
    """Share of each class that is held out if there is no split, drawn with `seed`."""
    folds: int | None = None
    """Number of folds to cross-validate with instead of holding out."""
    background: str | Sequence[int] = "white"
    """Colour behind transparent pixels: a name, #rrggbb or [r,g,b]."""
    value_range: str | Sequence[float] | None = "auto"
    """Range of images of more than 8 bits per value: [black, white]; `auto`, see value_range.py; None rejects them."""
    max_pixels: int = MAX_PIXELS
    """Largest accepted number of pixels of an image."""
    split: Split = field(default="auto", hash=False)
    """`auto`: by folder names; `none`: every folder is a class; or `{train: FOLDER, test: FOLDER}`, or lists."""
    val: str | None = None
    """Use of `val/` if there are `train/` and `test/` too: `train` (the default), `test` or `ignore`."""
    ignore: Sequence[str] = field(default=(), hash=False)
    """Patterns of names, or of paths below the root, to leave out: `masks`, `train/*.png`."""

    group: int | str | None = None
    """Which images are on one side of a split: those with one name of the nth folder below their class folder (a
    number), or with one finding of a regular expression, or its brackets, in their path below it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_split(self.split, self.val, "FOLDER")
        if self.group is not None:
            GroupRule(self.group)
        require_pixels(self.max_pixels)

    @override
    def load(self) -> ImageSet:
        """Load the images; classes are the sorted folder names, those of `train/` if there is one."""
        return self.drawn(self._split(self.unsplit()))

    def _split(self, images: ImageSet) -> ImageSet:
        return images if self.has_other_source else with_folds(images, self.test_fraction, self.folds, self.seed)

    @override
    def at_path(self, path: str) -> "Folder":
        if not is_url(path) and Path(path).expanduser().is_file():
            raise ConfigError(
                f"dataset.test={path} is a file, and this data set a folder: dataset@dataset.test=csv "
                f"dataset.test.path={path}"
            )
        split = self.split if isinstance(self.split, str) else "auto"
        return replace(self, root=path, split=split, test=None, shots=None, fractions=None, draws=1)

    def unsplit(self) -> ImageSet:
        """Load the images without drawing folds; a folder's own split still is its fold."""
        if not self.root:
            raise DatasetError("dataset.root is empty. Expected: a folder with a folder for each class.")
        walk = walk_of(self.root, self.ignore)
        root = walk.root
        layout = find_layout(walk, self.split, self.val)
        if layout.test and self.folds is not None:
            raise DatasetError(
                f"{root} has its own split ({layout.train[0].name}/ and {layout.test[0].name}/); "
                f"dataset.folds={self.folds} cannot be combined with it."
            )
        classes = _classes(walk, layout.train, self.split)
        folders, respelt = _class_folders(walk, layout, classes)
        samples, counts = self._read(walk, folders)
        groups = None if self.group is None else _groups(GroupRule(self.group), samples, folders, counts, root)
        notes = (
            *layout.notes,
            *respelt,
            *_remarks(walk, classes, folders, layout),
            *(groups.notes() if groups else ()),
        )
        is_test = np.repeat([folder.parent in layout.test for folder, _ in folders], counts)
        folds = (Fold(np.flatnonzero(~is_test), np.flatnonzero(is_test)),) if layout.test else ()
        named = tuple(map(readable, classes))
        return ImageSet(
            *(readable(root.name or "root"), named, samples, folds),
            notes=notes,
            not_taken=tuple(walk.left_out),
            groups=groups,
        )

    def _read(self, walk: Walk, folders: Sequence[tuple[PurePath, int]]) -> tuple[FileSamples, list[int]]:
        """Return the samples of class folders, given with their class numbers, and the size of each folder."""
        background = parse_colour(self.background)
        counts: list[int] = []

        def names() -> Iterator[str]:
            for folder, _ in folders:
                found = _images(walk, folder)
                counts.append(len(found))
                yield from found

        files = Files(walk.locations(names()), background, parse_range(self.value_range), self.max_pixels)
        walk.require_each_once()
        return FileSamples(files, np.repeat(np.array([number for _, number in folders], np.int32), counts)), counts


def walk_of(root: str, ignore: Sequence[str] = ()) -> Walk:
    """Return what reads the folders below a root, here or in a bucket. Raises DatasetError if it is no folder."""
    if is_url(root):
        return BucketWalk(Url.of(root), ignore)
    folder = Path(root).expanduser().absolute()
    if not folder.is_dir():
        raise DatasetError(f"dataset.root={root} is not a folder. Expected: a folder with a folder for each class.")
    return Walk(folder.resolve() if folder.name in ("", "..") else folder, ignore)


def _groups(
    rule: GroupRule,
    samples: FileSamples,
    folders: Sequence[tuple[PurePath, int]],
    counts: Sequence[int],
    root: PurePath,
) -> Groups:
    """Return the groups of the images of class folders; `counts` are the numbers of their images."""
    starts = np.repeat([len(f"{folder.relative_to(root).as_posix()}/") for folder, _ in folders], counts)
    return rule.groups([samples.files.name(row)[start:] for row, start in enumerate(starts.tolist())])


def _classes(walk: Walk, folders: Sequence[PurePath], split: Split) -> tuple[str, ...]:
    """Return the sorted names of the classes to train on. Raises DatasetError if there are fewer than two.

    They are the first part's if parts are found by name, and those of all parts if these are given.
    """
    among = folders[:1] if isinstance(split, str) else folders
    classes = tuple(sorted({name for folder in among for name in walk.folders(folder)}))
    if len(classes) < 2:
        is_loose = not classes and any(map(is_named_image, walk.files(folders[0])))
        why = "its images are not in class folders" if is_loose else f"it has {len(classes)} class folder(s)"
        if len(classes) == 1 and len(walk.peek(folders[0] / classes[0])) > 1:
            why += f" (the classes may be those in it: dataset.root={folders[0] / classes[0]})"
        metadata = folders[0] / "metadata.csv"
        if is_loose and walk.has_file(metadata):
            raise DatasetError(
                f"{folders[0]} has its images beside metadata.csv: dataset=csv dataset.path={metadata} "
                "dataset.columns.path=file_name dataset.columns.label=COLUMN"
            )
        raise DatasetError(
            f"{folders[0]} needs a folder for each of two or more classes; {why}. If labels are in a table, or in the "
            "files' names, list path and label in a CSV file: dataset=csv"
        )
    return classes


def _class_folders(walk: Walk, layout: Layout, classes: Sequence[str]) -> tuple[list[tuple[PurePath, int]], list[str]]:
    """Return all class folders with their class numbers, and remarks on their names.

    Raises:
        DatasetError: A part has a class that is not trained on, or images outside class folders.
    """
    number = {name: row for row, name in enumerate(classes)}
    alike = Counter(map(folded, classes))
    by_fold = {folded(name): name for name in classes if alike[folded(name)] == 1}
    folders: list[tuple[PurePath, int]] = []
    notes = []
    for part in (*layout.train, *layout.test):
        _require_no_strays(walk, part, is_split=bool(layout.test))
        found = {name: name if name in number else by_fold.get(folded(name)) for name in walk.folders(part)}
        if not found:
            raise DatasetError(f"{part} has no class folders, so that its images have no labels.")
        unknown = [name for name, known in found.items() if known is None]
        if unknown:
            raise DatasetError(_unknown(part, layout.train[0], unknown, classes))
        other = [f"{readable(name)} ({readable(known)})" for name, known in found.items() if known and known != name]
        if other:
            notes.append(
                f"{part.name}/ spells {len(other)} class(es) differently from {layout.train[0].name}/, only in case or "
                f"accents; they are taken as the same: {listed(other)}."
            )
        folders += [(part / name, number[known]) for name, known in found.items() if known]
    return folders, notes


def _unknown(part: PurePath, train: PurePath, unknown: Sequence[str], classes: Sequence[str]) -> str:
    """Return the sentence on classes of a part that are not trained on."""
    near = {name: get_close_matches(name, classes, 1) for name in unknown[:10]}
    named = [
        f"{readable(name)} (is it {readable(like[0])}?)" if like else readable(name) for name, like in near.items()
    ]
    more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
    return (
        f"{part} has classes that {train.name}/ lacks: {', '.join(named)}{more}. Rename them as in {train.name}/, or "
        f"leave them out: 'dataset.ignore=[\"{part.name}/{readable(unknown[0])}\"]'"
    )


def _require_no_strays(walk: Walk, part: PurePath, is_split: bool) -> None:
    """Note images outside class folders; raise DatasetError in a part of a split, since they may be a class."""
    images = walk.pass_over(part, "next to the class folders, so without a class")
    if images and is_split:
        raise DatasetError(
            f"{part} has {len(images)} image(s) next to its class folders: {listed(map(readable, images))}. Move them "
            f"into the folders of their classes, or leave them out: 'dataset.ignore=[\"{part.name}/*.*\"]'"
        )


def _images(walk: Walk, folder: PurePath) -> list[str]:
    """Return the sorted names of the images below a class folder. Raises DatasetError if there are none."""
    images = walk.images(folder)
    if not images:
        below = f"{folder.relative_to(walk.root).as_posix()}/"
        others = [f"{one.id} ({one.why})" for one in walk.left_out if one.id.startswith(below) and one.why != SYSTEM]
        left = f"; left out: {listed(map(readable, others))}" if others else ""
        raise DatasetError(
            f"The class folder {readable(str(folder))} holds no images ({', '.join(SUFFIXES)}){left}. Fill or remove "
            f"it, or leave it out: 'dataset.ignore=[\"{readable(below[:-1])}\"]'"
        )
    return images


def _remarks(
    walk: Walk, classes: Sequence[str], folders: Sequence[tuple[PurePath, int]], layout: Layout
) -> Iterator[str]:
    """Yield remarks on surprising findings."""
    if walk.unmatched:
        yield f"Nothing matches {listed(map(readable, walk.unmatched))} (dataset.ignore)."
    if layout.train[0] != walk.root:
        walk.pass_over(walk.root, "next to the parts of the split")
        read = {part.relative_to(walk.root).parts[0] for part in (*layout.train, *layout.test)}
        for name in walk.folders(walk.root):
            if name not in read:
                walk.leave(name, "a folder next to the parts of the split")
    alike = Counter(map(as_read, classes))
    twins = [told_apart(readable(name)) for name in classes if alike[as_read(name)] > 1]
    if twins:
        yield f"Class folders that differ only in {ALIKE} are separate classes: {listed(twins)}."
    untested = set(range(len(classes))) - {number for folder, number in folders if folder.parent in layout.test}
    if layout.test and untested:
        names = listed(readable(classes[row]) for row in sorted(untested))
        yield f"{len(untested)} class(es) have no test images: {names}."
    inner = list(walk.below.values())
    if len(inner) == len(folders) and len(inner[0]) > 1 and all(names == inner[0] for names in inner):
        yield (
            f"All class folders contain the same folders ({listed(map(readable, sorted(inner[0])))}), "
            "which are read as parts of the class."
        )
    if walk.by_content:
        yield f"{len(walk.by_content)} image(s) by content, not name: {listed(map(readable, walk.by_content))}."


def image_files(folder: Path | Url) -> list[Place]:
    """Return sorted images at any depth; log what is left out, except hidden files. Raises OffshelfError."""
    walk = BucketWalk(folder) if isinstance(folder, Url) else Walk(folder)
    where = walk.locations(walk.images(walk.root))
    found: list[Place] = [where.at(row) for row in range(len(where))]
    others = [f"{readable(one.id)} ({one.why})" for one in walk.left_out if one.why != SYSTEM]
    if others:
        log.warning("%s: %d file(s) are left out: %s", readable(str(folder)), len(others), listed(others))
    return found
