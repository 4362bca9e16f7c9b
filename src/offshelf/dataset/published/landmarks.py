"""Ground truth of Oxford5k and Paris6k, from its text files or pickles, and of their revisited versions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from offshelf.dataset.box_geometry import smallest_square
from offshelf.dataset.image import ImageFile, PixelBox
from offshelf.dataset.published.lists import fields, lines, numbers
from offshelf.dataset.published.pickled import read_pickle
from offshelf.dataset.retrieval_set import RetrievalItem, Truth
from offshelf.errors import ConfigError, DatasetError

Region = Literal["box", "square", "whole"]
"""Part of a query's image that is used: its region of interest, the smallest square around that, or all of it."""

Protocols = Mapping[str, tuple[Sequence[str], Sequence[str]]]
"""Labels that are relevant, and labels that are ignored, by protocol."""

CLASSIC: Protocols = {"": (("good", "ok"), ("junk",))}


@dataclass(frozen=True)
class Landmark:
    """A query: an image, the object in it, and names of images by label."""

    id: str
    image: str
    box: PixelBox | None
    """Region of interest; None for the whole image."""
    labelled: Mapping[str, Sequence[str]]


def require_region(region: Region) -> None:
    """Raise ConfigError for an unknown region."""
    if region not in ("box", "square", "whole"):
        raise ConfigError(f"dataset.region must be box, square or whole; got '{region}'.")


def read_lists(folder: Path, prefix: str = "") -> list[Landmark]:
    """Read the official text files: for each query `*_query.txt` and its good, ok and junk images.

    Args:
        folder: Folder of the files.
        prefix: Prefix of image names in the queries' files only.

    Raises:
        DatasetError: A file is missing or invalid.
    """
    landmarks = []
    for path in sorted(folder.glob("*_query.txt")):
        rows = list(fields(path, 5))
        if len(rows) != 1:
            raise DatasetError(f"{path} describes {len(rows)} queries; one is expected.")
        name, *cells = rows[0]
        x1, y1, x2, y2 = numbers(path, cells)
        query = path.name.removesuffix("_query.txt")
        labelled = {label: lines(folder / f"{query}_{label}.txt") for label in ("good", "ok", "junk")}
        landmarks.append(Landmark(query, name.removeprefix(prefix), (x1, y1, x2, y2), labelled))
    return landmarks


def read_gnd(path: Path, labels: Sequence[str]) -> tuple[list[str], list[Landmark]]:
    """Read a published `gnd_*.pkl` without executing it: names of the references, and queries with their `labels`.

    Raises:
        DatasetError: The file is missing, holds more than plain data, or is not such a ground truth.
    """
    content = read_pickle(path)
    try:
        names, queries = ([str(name) for name in content[key]] for key in ("imlist", "qimlist"))
        landmarks = []
        for query, one in zip(queries, content["gnd"], strict=True):
            x1, y1, x2, y2 = (float(edge) for edge in one["bbx"])
            labelled = {label: _named(one[label], names) for label in labels}
            landmarks.append(Landmark(query, query, (x1, y1, x2, y2), labelled))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        expected = f"imlist, qimlist and gnd with bbx, {', '.join(labels)}"
        raise DatasetError(f"{path} is not the published ground truth of {expected}: {error!r}.") from error
    return names, landmarks


def read_classic(places: Sequence[Path], pickle: Path, prefix: str = "") -> tuple[list[str] | None, list[Landmark]]:
    """Read the text files in the first folder that has any or, if none has, the pickle.

    Returns:
        Names of the references, None if all images are references; and the queries.
    """
    for place in places:
        found = read_lists(place, prefix)
        if found:
            return None, found
    return read_gnd(pickle, ("ok", "junk"))


def image_files(folder: Path, patterns: Sequence[str]) -> dict[str, ImageFile]:
    """Return images by name without suffix, sorted, for the first pattern below `folder` that matches any.

    Raises:
        DatasetError: There are none.
    """
    for pattern in (*patterns, *(f"*/{pattern}" for pattern in patterns)):  # copies with an additional folder
        paths = [path for path in folder.glob(pattern) if not path.name.startswith(".")]
        if paths:
            return {path.stem: ImageFile(path) for path in sorted(paths, key=lambda path: path.stem)}
    raise DatasetError(f"{folder} contains no images as {' or '.join(patterns)}; the copy is incomplete.")


def pictures(images: Mapping[str, ImageFile], names: Iterable[str]) -> list[RetrievalItem]:
    """Return the images of these names. Raises DatasetError if one is missing."""
    return [RetrievalItem(name, _found(images, name)) for name in names]


def queries(images: Mapping[str, ImageFile], landmarks: Sequence[Landmark], region: Region) -> list[RetrievalItem]:
    """Return the images of the queries, cropped by region. Raises DatasetError if one is missing."""
    named = []
    for one in landmarks:
        image = _found(images, one.image)
        if region != "whole" and one.box:
            box = smallest_square(one.box) if region == "square" else one.box
            image = replace(image, region=box)
        named.append(RetrievalItem(one.id, image))
    return named


def truths(
    landmarks: Sequence[Landmark],
    references: Sequence[RetrievalItem],
    protocols: Protocols,
    absent: Collection[str] = (),
) -> dict[str, list[Truth]]:
    """Return a truth for each query, by protocol.

    Args:
        landmarks: The queries.
        references: The references, in the order of their rows.
        protocols: Meaning of the labels.
        absent: Names that may have labels without being references; relevant ones count as never found.

    Raises:
        DatasetError: Another name is not a reference, or one is both relevant and ignored.
    """
    rows = {one.id: row for row, one in enumerate(references)}
    return {
        protocol: [_truth(one, _labelled(one, relevant), _labelled(one, ignored), rows, absent) for one in landmarks]
        for protocol, (relevant, ignored) in protocols.items()
    }


def forget(landmarks: Sequence[Landmark], names: Collection[str]) -> list[Landmark]:
    """Return the queries with all labels of these images removed."""
    return [
        replace(one, labelled={label: [n for n in named if n not in names] for label, named in one.labelled.items()})
        for one in landmarks
    ]


def _labelled(landmark: Landmark, labels: Sequence[str]) -> list[str]:
    """Return the images with one of these labels, without repeats."""
    return list(dict.fromkeys(name for label in labels for name in landmark.labelled.get(label, ())))


def _truth(
    landmark: Landmark, relevant: list[str], ignored: list[str], rows: Mapping[str, int], absent: Collection[str]
) -> Truth:
    both = set(relevant) & set(ignored)
    if both:
        raise DatasetError(f"The ground truth of {landmark.id} has {min(both)} both as relevant and as ignored.")
    unknown = sorted({*relevant, *ignored} - rows.keys() - set(absent))
    if unknown:
        raise DatasetError(f"The ground truth of {landmark.id} names {unknown[0][:80]}, which is not among the images.")
    found, junk = (np.array(sorted(rows[n] for n in names if n in rows), np.int64) for names in (relevant, ignored))
    return Truth(found, junk, len(relevant) - len(found))


def _named(rows: Sequence[int], names: Sequence[str]) -> list[str]:
    if any(row < 0 for row in rows):
        raise IndexError(min(rows))
    return [names[row] for row in rows]


def _found(images: Mapping[str, ImageFile], name: str) -> ImageFile:
    if name not in images:
        raise DatasetError(f"The image {name[:80]} is missing; the copy is incomplete.")
    return images[name]
