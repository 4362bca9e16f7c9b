"""YOLO's files: a data.yaml with the classes and folders, and a text file of boxes for each image."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import yaml
from typing_extensions import override

from offshelf.dataset.annotated.file_tree import FileTree, as_text, file_tree
from offshelf.dataset.annotated.objects import Annotations, Found, Objects
from offshelf.dataset.boxes import ROUNDING
from offshelf.dataset.image import PixelBox
from offshelf.dataset.kind import is_named_image
from offshelf.dataset.remote.file import place
from offshelf.errors import ConfigError, DatasetError
from offshelf.names import listed

PARTS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class Yolo(Objects):
    """The objects of a data.yaml: boxes, or the boxes of polygons. Whatever else it holds is not read, nor run.

    Its `val` is tested on if there is no `test`, else trained on, as for folders.
    """

    path: str
    """The data.yaml."""
    val: str | None = None
    """Use of its part val: `train`, `test`, `ignore`; None: as above."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.val not in (None, "train", "test", "ignore"):
            raise ConfigError(f"dataset.val must be train, test, ignore, or null; got '{self.val}'.")
        if self.boxes == "pixels":
            raise ConfigError("YOLO's boxes are fractions of the image: dataset.boxes=auto")

    @override
    def at_path(self, path: str) -> "Yolo":
        return replace(self, path=path, test=None, shots=None, fractions=None, draws=1)

    @override
    def annotations(self) -> Annotations:
        given = place(self.path)
        tree = file_tree(given.parent)
        file = tree.root / given.name
        content = _read(tree, file)
        names = _names(file, content)
        objects: list[Found] = []
        bare = images = 0
        parts, notes = self._parts(content)
        for word, part in parts:
            found = list(_images(tree, file, content, word))
            if not found:
                raise DatasetError(f"{file}: the part {word} lists no images.")
            images += len(found)
            for image, text in _with_texts(tree, found):
                mine = list(_objects(tree, image, text, names, part))
                bare += not mine
                objects += mine
        notes += [f"{bare:,} of {images:,} images have no object."] if bare else []
        ordered = [names[number] for number in sorted(names)]
        return Annotations(file.parent.name or "yolo", objects, ordered, {}, notes, "fractions")

    def _parts(self, content: Mapping[str, Any]) -> tuple[list[tuple[str, str]], list[str]]:
        """Return the parts of the file, each with its use, and remarks."""
        having = [part for part in PARTS if content.get(part)]
        if "train" not in having:
            raise DatasetError(f"{self.path} names no images to train on: it has no key train.")
        use = self.val or ("train" if "test" in having else "test")
        notes = [f"val is used to {use} (dataset.val)."] if "val" in having and use != "ignore" else []
        roles = {"train": "train", "val": use, "test": "ignore" if use == "test" and "val" in having else "test"}
        chosen = [(part, roles[part]) for part in having if roles[part] != "ignore"]
        is_split = any(role == "test" for _, role in chosen)
        return [(part, role if is_split else "") for part, role in chosen], notes


def _read(tree: FileTree, file: PurePath) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(tree.read_text(file))
    except (yaml.YAMLError, RecursionError) as error:
        raise DatasetError(f"{file} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict) or "names" not in content:
        raise DatasetError(f"{file} has no names of classes: expected is YOLO's data.yaml, with train, val and names.")
    return content


def _names(file: PurePath, content: Mapping[str, Any]) -> dict[int, str]:
    """Return the names of classes by number, which may have gaps. Raises DatasetError."""
    given = content["names"]
    pairs = (
        list(given.items()) if isinstance(given, dict) else list(enumerate(given)) if isinstance(given, list) else []
    )
    numbered = [(int(key) if isinstance(key, str) and key.isdecimal() else key, name) for key, name in pairs]
    names = {number: str(name) for number, name in numbered if isinstance(number, int) and not isinstance(number, bool)}
    if not names or len(names) < len(pairs):
        raise DatasetError(f"{file}: names is neither a list of names nor names by number.")
    twice = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
    if twice:
        raise DatasetError(f"{file} has several classes of one name: {listed(twice)}. Rename or merge them.")
    count = content.get("nc")
    if isinstance(count, int) and count != len(names):
        raise DatasetError(f"{file} says nc: {count}, and names {len(names)} classes; correct one of them.")
    return names


def _images(tree: FileTree, file: PurePath, content: Mapping[str, Any], part: str) -> Iterator[PurePath]:
    """Yield the images of a part: of a folder, a list in a text file, or several. Raises DatasetError."""
    base = file.parent / str(content.get("path") or "")
    given = content[part]
    for each in given if isinstance(given, list) else [given]:
        one = str(each).replace("\\", "/")
        places = [base / one, file.parent / one, file.parent / one.removeprefix("../")]
        found = next((one for one in places if tree.is_folder(one) or tree.is_file(one)), None)
        if found is None:
            raise DatasetError(
                f"{file}: the part {part} names {one}, which is neither in {base} nor in {file.parent}. Correct it, or "
                "remove the part from the file."
            )
        if tree.is_folder(found):
            yield from sorted(tree.below(found, is_named_image))
        else:
            lines = tree.read_text(found).splitlines()
            yield from (found.parent / line.strip() for line in lines if line.strip())


def _labels_of(image: PurePath) -> PurePath:
    """Return the text file of an image: in labels/ for its last images/, else beside it."""
    parts = list(image.parts)
    for at in reversed(range(len(parts) - 1)):
        if parts[at] == "images":
            parts[at] = "labels"
            break
    return type(image)(*parts).with_suffix(".txt")


def _with_texts(tree: FileTree, images: Sequence[PurePath]) -> Iterator[tuple[PurePath, str]]:
    """Yield images with the texts of their objects, empty where there is no file. Raises DatasetError."""
    files = [_labels_of(image) for image in images]
    having = [file for file in files if tree.is_file(file)]
    contents = zip(having, tree.read_all(having), strict=True)
    texts = {file: as_text(content, file) for file, content in contents}
    yield from ((image, texts.get(file, "")) for image, file in zip(images, files, strict=True))


def _objects(tree: FileTree, image: PurePath, text: str, names: Mapping[int, str], part: str) -> Iterator[Found]:
    """Yield the objects of an image. Raises DatasetError."""
    shown, where, file = _shown(image, tree.root), tree.place(image), _labels_of(image)
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            label, box = _object(file, number, line.split(), names)
            yield Found(f"{shown}#{number}", where, box, label, part)


def _object(file: PurePath, number: int, cells: Sequence[str], names: Mapping[int, str]) -> tuple[str, PixelBox]:
    """Return class and box of a line: class, centre and size; or class and the corners of a polygon."""
    where = f"{file}, line {number}"
    try:
        row, *values = (float(cell) for cell in cells)
    except ValueError as error:
        raise DatasetError(f"{where}: not all numbers: {' '.join(cells[:6])}.") from error
    is_polygon = len(values) >= 6 and len(values) % 2 == 0
    if not (len(values) == 4 or is_polygon) or not all(map(math.isfinite, values)):
        raise DatasetError(
            f"{where}: a class and four numbers, or the corners of a polygon, are expected; it has {len(cells)} "
            "numbers."
        )
    if not row.is_integer() or int(row) not in names:
        raise DatasetError(f"{where}: the class {cells[0]} is not among those of data.yaml: {_span(names)}.")
    if any(not -ROUNDING <= value <= 1 + ROUNDING for value in values):
        raise DatasetError(
            f"{where}: {' '.join(cells[1:5])} are not fractions of the image's width and height, within 0 and 1, as "
            "YOLO's are; are they pixels?"
        )
    if is_polygon:
        return names[int(row)], (min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2]))
    x, y, width, height = values
    return names[int(row)], (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _span(names: Mapping[int, str]) -> str:
    numbers = sorted(names)
    return f"{numbers[0]} to {numbers[-1]}" if len(numbers) == numbers[-1] - numbers[0] + 1 else str(numbers)


def _shown(image: PurePath, folder: PurePath) -> str:
    return image.relative_to(folder).as_posix() if image.is_relative_to(folder) else str(image)
