"""YOLO's files: a data.yaml with the classes and folders, and a text file of boxes for each image."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from typing_extensions import override

from offshelf.dataset.annotated.objects import Annotations, Found, Objects
from offshelf.dataset.boxes import ROUNDING
from offshelf.dataset.image import PixelBox
from offshelf.dataset.kind import is_named_image
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
        file = Path(self.path).expanduser().absolute()
        content = _read(file)
        names = _names(file, content)
        objects: list[Found] = []
        bare = images = 0
        parts, notes = self._parts(content)
        for given, part in parts:
            found = list(_images(file, content, given))
            if not found:
                raise DatasetError(f"{file}: the part {given} lists no images.")
            images += len(found)
            for image in found:
                mine = list(_objects(image, names, part, _shown(image, file.parent)))
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


def _read(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(file.read_text("utf-8-sig"))
    except OSError as error:
        raise DatasetError(f"dataset.path={file} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        raise DatasetError(f"{file} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict) or "names" not in content:
        raise DatasetError(f"{file} has no names of classes: expected is YOLO's data.yaml, with train, val and names.")
    return content


def _names(file: Path, content: Mapping[str, Any]) -> dict[int, str]:
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


def _images(file: Path, content: Mapping[str, Any], part: str) -> Iterator[Path]:
    """Yield the images of a part: of a folder, a list in a text file, or several. Raises DatasetError."""
    base = file.parent / str(content.get("path") or "")
    given = content[part]
    for each in given if isinstance(given, list) else [given]:
        one = str(each).replace("\\", "/")
        places = [base / one, file.parent / one, file.parent / one.removeprefix("../")]
        place = next((place for place in places if place.exists()), None)
        if place is None:
            raise DatasetError(
                f"{file}: the part {part} names {one}, which is neither in {base} nor in {file.parent}. Correct it, or "
                "remove the part from the file."
            )
        if place.is_dir():
            yield from sorted(image for image in place.rglob("*") if is_named_image(image.name) and image.is_file())
        else:
            lines = place.read_text("utf-8-sig").splitlines()
            yield from (place.parent / line.strip() for line in lines if line.strip())


def _labels_of(image: Path) -> Path:
    """Return the text file of an image: in labels/ for its last images/, else beside it."""
    parts = list(image.parts)
    for place in reversed(range(len(parts) - 1)):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _objects(image: Path, names: Mapping[int, str], part: str, shown: str) -> Iterator[Found]:
    """Yield the objects of an image; none without a text file. Raises DatasetError."""
    file = _labels_of(image)
    if not file.is_file():
        return
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeError) as error:
        raise DatasetError(f"{file} cannot be read: {error}.") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            label, box = _object(file, number, line.split(), names)
            yield Found(f"{shown}#{number}", image, box, label, part)


def _object(file: Path, number: int, cells: Sequence[str], names: Mapping[int, str]) -> tuple[str, PixelBox]:
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


def _shown(image: Path, folder: Path) -> str:
    return image.relative_to(folder).as_posix() if image.is_relative_to(folder) else str(image)
