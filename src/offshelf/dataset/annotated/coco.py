"""COCO's JSON: images, categories, and annotations with boxes x, y, width, height."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from typing_extensions import override

from offshelf.dataset.annotated.objects import Annotations, Found, Objects
from offshelf.dataset.box_geometry import from_size
from offshelf.dataset.image import PixelBox
from offshelf.dataset.remote.file import Place, below, place
from offshelf.dataset.remote.versions import with_versions
from offshelf.errors import DatasetError, ImageError
from offshelf.names import listed

NO_BOX: PixelBox = (math.nan, math.nan, math.nan, math.nan)
CROWD = "marked as a crowd (dataset.crowds)"
NEEDED = ("images", "annotations", "categories")
PROBED = 20
"""Images that are looked for in a folder."""
PROBED_BY_REQUESTS = 3
"""The same at an address."""


@dataclass(frozen=True, kw_only=True)
class Coco(Objects):
    """The objects of a JSON file; classes are its categories, in the order of their ids."""

    path: str
    """The JSON file, such as instances_train2017.json, or its address; that of `dataset.test` is another one."""
    root: str | None = None
    """Folder of the images, or its address; None: found near the file."""
    crowds: bool = False
    """Whether to take boxes around a crowd of objects (iscrowd)."""

    @override
    def at_path(self, path: str) -> "Coco":
        return replace(self, path=path, test=None, shots=None, fractions=None, draws=1)

    @override
    def annotations(self) -> Annotations:
        file = place(self.path)
        content = _read(file)
        names = _by_id(file, content, "categories", "name")
        images = {key: one for key, one in _entries(file, content, "images", "file_name").items()}
        twice = [name for name, count in Counter(names.values()).items() if count > 1]
        if twice:
            raise DatasetError(f"{file} has several categories of one name: {listed(twice)}. Rename or merge them.")
        annotations = content["annotations"]
        _require_known(file, annotations, "category_id", names, "categories")
        _require_known(file, annotations, "image_id", images, "images")
        file_of = self._files(file, {key: str(one["file_name"]) for key, one in images.items()})
        objects = [
            Found(
                f"{images[one['image_id']]['file_name']}#{one.get('id', number)}",
                file_of[one["image_id"]],
                _box(one.get("bbox")),
                names[one["category_id"]],
                why=CROWD if one.get("iscrowd") and not self.crowds else "",
            )
            for number, one in enumerate(annotations)
        ]
        bare = len(images) - len({one["image_id"] for one in annotations})
        notes = [f"{bare:,} of {len(images):,} images have no annotation."] if bare else []
        stated = {
            file_of[key]: (float(one["width"]), float(one["height"]))
            for key, one in images.items()
            if _is_number(one.get("width")) and _is_number(one.get("height"))
        }
        return Annotations(file.stem, _with_own_ids(objects), [names[key] for key in sorted(names)], stated, notes)

    def _files(self, file: Place, names: Mapping[Any, str]) -> dict[Any, Place]:
        """Return the file of each image. Raises DatasetError if the first of them are not found near the JSON file."""
        folder = place(self.root) if self.root is not None else _folder_near(file, list(names.values()))
        return dict(zip(names, with_versions([below(folder, name) for name in names.values()]), strict=True))


def _folder_near(file: Place, names: Sequence[str]) -> Place:
    """Return the folder of the images: that of the file, or one of the usual ones beside it."""
    above = file.parent.parent
    alike = [above / name for name in _named_alike(file)]
    places = [file.parent, file.parent / "images", *alike, above / "images", above]
    places += [above / "images" / one.name for one in alike]
    for folder in places:
        if any((folder / name).exists() for name in names[: PROBED if isinstance(file, Path) else PROBED_BY_REQUESTS]):
            return folder
    raise DatasetError(
        f"The images of {file}, such as {names[0] if names else 'none'}, are not near it. Set their folder: "
        "dataset.root=DIR"
    )


def _named_alike(file: Place) -> list[str]:
    """Return the names of folders that the file may be named after, as instances_train2017.json is after train2017."""
    if not isinstance(file, Path):
        return PurePosixPath(file.name).stem.split("_")
    return [one.name for one in sorted(file.parent.parent.iterdir()) if one.is_dir() and one.name in file.stem]


def _read(file: Place) -> Mapping[str, Any]:
    try:
        (known,) = with_versions([file])
        content = json.loads(known.read_bytes())
    except OSError as error:
        raise DatasetError(f"dataset.path={file} cannot be read: {error.strerror}.") from error
    except ImageError as error:
        raise DatasetError(f"dataset.path={file} cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{file} is not JSON, or is cut off: {error}.") from error
    lacking = [key for key in NEEDED if not isinstance(content, dict) or not isinstance(content.get(key), list)]
    if lacking:
        raise DatasetError(
            f"{file} has no list of {' and '.join(lacking)}: it is not COCO's JSON of objects (instances_*.json)."
        )
    odd = [key for key in NEEDED if not all(isinstance(one, dict) for one in content[key])]
    if odd:
        raise DatasetError(f"{file}: the entries of {odd[0]} are not all objects with keys.")
    return dict(content)


def _entries(file: Place, content: Mapping[str, Any], key: str, needed: str) -> dict[Any, Mapping[str, Any]]:
    """Return entries by their id. Raises DatasetError if an id is missing or used twice."""
    found: dict[Any, Mapping[str, Any]] = {}
    for number, one in enumerate(content[key]):
        identity = one.get("id")
        if not isinstance(identity, int | str) or isinstance(identity, bool) or not one.get(needed):
            raise DatasetError(f"{file}: entry {number} of {key} has no id, or no {needed}.")
        if identity in found:
            raise DatasetError(f"{file} has two {key} with the id {identity}.")
        found[identity] = one
    return found


def _by_id(file: Place, content: Mapping[str, Any], key: str, needed: str) -> dict[Any, str]:
    found = {identity: str(one[needed]) for identity, one in _entries(file, content, key, needed).items()}
    if len({type(identity) for identity in found}) > 1:
        raise DatasetError(f"{file}: the ids of {key} are numbers and texts; they are of one kind.")
    return found


def _require_known(
    file: Place, annotations: Sequence[Mapping[str, Any]], key: str, known: Mapping[Any, object], what: str
) -> None:
    """Raise DatasetError for annotations of categories or images that the file does not have."""
    odd = [one for one in annotations if not isinstance(one.get(key), int | str) or one[key] not in known]
    if odd:
        ids = listed(f"{one.get('id', '?')} ({key} {one.get(key)})" for one in odd)
        raise DatasetError(
            f"{file}: {len(odd):,} of {len(annotations):,} annotations are of {what} that do not exist: {ids}."
        )


def _box(given: Any) -> PixelBox:
    """Return the corners of a box; NaN if it is not four numbers."""
    if not isinstance(given, list) or len(given) != 4 or not all(map(_is_number, given)):
        return NO_BOX
    return from_size(*map(float, given))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _with_own_ids(objects: Sequence[Found]) -> list[Found]:
    """Return objects with ids that differ, numbered where annotations share theirs."""
    seen: Counter[str] = Counter()
    made = []
    for one in objects:
        seen[one.id] += 1
        made.append(one if seen[one.id] == 1 else replace(one, id=f"{one.id}-{seen[one.id]}"))
    return made
