"""The assignment of folders to training and testing. Ambiguous layouts raise an error that asks the user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from offshelf.dataset.split_names import Part, Split, part_among, part_of
from offshelf.dataset.walk import Walk
from offshelf.errors import DatasetError

IMAGES = ("images", "image", "imgs", "img", "jpegimages", "data")
"""Names of image folders that stand next to folders of labels."""
AS_CLASSES = "dataset.split=none takes all folders as classes"


@dataclass(frozen=True)
class Layout:
    """Folders whose class folders are read. Without a split, only the root is trained on until parts are drawn."""

    train: tuple[PurePath, ...]
    test: tuple[PurePath, ...] = ()
    notes: tuple[str, ...] = ()


def find_layout(walk: Walk, split: Split, val: str | None) -> Layout:
    """Find the parts of a folder of images.

    Raises:
        DatasetError: The folder can be read in several ways; the message says how to choose one.
    """
    if isinstance(split, Mapping):
        train, test = (_given(walk, split[part]) for part in ("train", "test"))
        _require_apart(walk, train, test)
        return Layout(train, test, (f"Trained on: {_names(train)}; tested on: {_names(test)} (dataset.split).",))
    named: dict[Part, list[str]] = {}
    others = []
    for name in walk.folders(walk.root) if split == "auto" else ():
        part = part_of(name)
        if part:
            named.setdefault(part, []).append(name)
        else:
            others.append(name)
    if not named:
        if split == "auto":
            _question_flat(walk, others)
        return Layout((walk.root,))
    _question_named(walk, named, others)
    return _with_val(walk, {part: walk.root / names[0] for part, names in named.items()}, val)


def _with_val(walk: Walk, parts: Mapping[Part, PurePath], val: str | None) -> Layout:
    """Assign the validation part: to testing if there is no test part, else to training, unless `val` decides."""
    train = parts["train"]
    if "val" not in parts:
        return Layout((train,), (_labelled(walk, parts, "test"),))
    name = parts["val"].name
    if "test" not in parts:
        if val in ("train", "ignore"):
            raise DatasetError(f"{walk.root} has no folder to test on except {name}/; dataset.val={val} leaves none.")
        return Layout((train,), (_labelled(walk, parts, "val"),), (f"{name}/ is tested on, as there is no test/.",))
    if val == "test":
        validation = _labelled(walk, parts, "val")
        return Layout((train,), (validation,), (f"{name}/ is tested on, {parts['test'].name}/ is not read.",))
    test = _labelled(walk, parts, "test")
    if val == "ignore":
        return Layout((train,), (test,), (f"{name}/ is not read (dataset.val).",))
    choice = "" if val else " (dataset.val=train; ignore and test are the others)"
    return Layout((train, _labelled(walk, parts, "val")), (test,), (f"{name}/ is trained on too{choice}.",))


def _labelled(walk: Walk, parts: Mapping[Part, PurePath], part: Part) -> PurePath:
    """Return a part that has class folders. Raises DatasetError: images without labels cannot be scored."""
    folder, train = parts[part], parts["train"]
    if walk.folders(folder) or not walk.folders(train):
        return folder
    ways = {"test": ("val", "dataset.val=test"), "val": ("test", "dataset.val=ignore")}
    other, way = ways[part]
    if other not in parts:
        way = f"dataset.root={train}, which draws a test part from {train.name}/"
    raise DatasetError(f"{folder} has no class folders, so that its images have no labels. Continue with {way}.")


def _question_named(walk: Walk, named: Mapping[Part, Sequence[str]], others: Sequence[str]) -> None:
    """Raise DatasetError if folders with names of parts are not clearly a split."""
    root = walk.root
    for part, names in named.items():
        if len(names) > 1:
            raise DatasetError(
                f"{root} has {len(names)} folders that may be its {part} part: {', '.join(names)}. Choose one: "
                f"{_as_split(named)}; or {AS_CLASSES}."
            )
    found = [name for names in named.values() for name in names]
    is_whole = "train" in named and len(named) > 1
    if others and not (is_whole and walk.peek(root / named["train"][0])):
        several = len(found) > 1
        way = f"{_as_split(named)} is a split" if is_whole else f"'dataset.ignore=[\"{found[0]}\"]' leaves it out"
        raise DatasetError(
            f"{root} has {_listed(found)}, which may be {'parts' if several else 'a part'} of a split or "
            f"{'classes' if several else 'a class'}, next to {_listed(others)}: {AS_CLASSES}; {way}."
        )
    if not is_whole:
        alone = root / found[0]
        raise DatasetError(
            f"{root} has {_listed(found)} and no part to {'test' if 'train' in named else 'train'} on. "
            f"dataset.root={alone} draws a test part from it; {AS_CLASSES}."
        )
    for name in found:
        _question_deeper(walk, root / name)


def _question_deeper(walk: Walk, folder: PurePath) -> None:
    """Raise DatasetError if a part is nested in a folder of its own: train/train, train/images."""
    inner = walk.peek(folder)
    if len(inner) == 1 and (part_of(inner[0]) or len(walk.peek(folder / inner[0])) > 1):
        raise DatasetError(
            f"{folder} contains one folder, {inner[0]}/. If the class folders are in that one, set both parts: "
            f"'dataset.split={{train: …/{inner[0]}, test: …}}'; {AS_CLASSES}."
        )


def _question_flat(walk: Walk, names: Sequence[str]) -> None:
    """Raise DatasetError if class folders look like parts of a split, or contain such parts."""
    root = walk.root
    alike: dict[tuple[str, ...], dict[Part, str]] = {}
    for name in names:
        found = part_among(name)
        if found:
            alike.setdefault(found[1], {})[found[0]] = name
    for parts in alike.values():
        if "train" in parts and len(parts) > 1:
            raise DatasetError(
                f"{root} has {_listed(list(parts.values()))}, which look like parts of a split: "
                f"{_as_split({part: [_unnested(walk, name)] for part, name in parts.items()})}; {AS_CLASSES}."
            )
    split = [name for name in names if {"train"} < {part_of(inner) for inner in walk.peek(root / name)} - {None}]
    images = [name for name in split if name.casefold() in IMAGES]
    if len(split) > 1 and len(split) == len(names) and not images:
        raise DatasetError(
            f"The folders of {root} ({_listed(split)}) each contain a split; expected is train/CLASS and test/CLASS. "
            f"List the images in a table (dataset=csv), or draw a split: {AS_CLASSES}."
        )
    if split:
        inner = (images or split)[0]
        raise DatasetError(f"{root} contains no train/, but {inner}/ does: dataset.root={root / inner}; {AS_CLASSES}.")


def _unnested(walk: Walk, name: str) -> str:
    return f"{name}/{name}" if name in walk.peek(walk.root / name) else name


def _as_split(named: Mapping[Part, Sequence[str]]) -> str:
    """Return the setting that assigns the folders."""
    train = (named.get("train") or ["FOLDER"])[0]
    test = (named.get("test") or named.get("val") or ["FOLDER"])[0]
    return f"'dataset.split={{train: {train}, test: {test}}}'"


def _given(walk: Walk, names: str | Sequence[str]) -> tuple[PurePath, ...]:
    folders = tuple(walk.root / str(name) for name in (names if isinstance(names, list | tuple) else [names]))
    for folder in folders:
        if not walk.is_folder(folder):
            raise DatasetError(f"dataset.split names {folder}, which is not a folder.")
    if not folders:
        raise DatasetError("dataset.split names no folder for a part.")
    return folders


def _require_apart(walk: Walk, train: Sequence[PurePath], test: Sequence[PurePath]) -> None:
    """Raise DatasetError if a folder is in two parts, or twice in one."""
    real = [walk.real(folder) for folder in (*train, *test)]
    for row, one in enumerate(real):
        for other in real[:row]:
            if one.is_relative_to(other) or other.is_relative_to(one):
                raise DatasetError(f"dataset.split names {one} and {other}: the same folder, or one in the other.")


def _names(folders: Sequence[PurePath]) -> str:
    return ", ".join(f"{folder.name}/" for folder in folders)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(f"{name}/" for name in names[:3]) + more
