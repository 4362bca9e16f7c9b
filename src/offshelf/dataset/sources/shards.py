"""The files of a data set: one, a list, a folder, a pattern; and the part of the split that each name stands for."""

import glob
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from offshelf.dataset.kind import is_system
from offshelf.dataset.remote.fetched import Remote, fetch, find_remote
from offshelf.dataset.split_names import part_of
from offshelf.errors import DatasetError
from offshelf.names import listed
from offshelf.remote import is_url

Where = str | Sequence[str] | Mapping[str, str | Sequence[str]]
"""A file, a folder, a pattern with `*` or `{000..009}`; a list of these; or these by the name of their part."""

_NUMBERED = re.compile(r"(?P<stem>.*?)-(?P<number>\d+)-of-(?P<count>\d+)(?:-[0-9a-f]+)?")
"""As the Hugging Face hub names shards."""
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}|\{([^{}]*,[^{}]*)\}")


@dataclass(frozen=True)
class Shard:
    """A file."""

    path: Path
    name: str
    """Path below the folder that all files are in, with `/`."""
    part: str
    """Name of its part of the split, as written; empty if its name says nothing."""


def find_shards(where: Where, suffixes: Sequence[str]) -> list[Shard]:
    """Return the files, in the natural order of their names (part-2 before part-10).

    Raises:
        DatasetError: There are none, one is missing, or one is named twice.
    """
    by_part = where if isinstance(where, Mapping) else {"": where}
    found = [(str(part), file) for part, words in by_part.items() for file in _files(words, suffixes)]
    paths = [_shown(file) for _, file in found]
    twice = [str(path) for number, path in enumerate(paths) if path in paths[:number]] if len(paths) < 1000 else []
    if twice:
        raise DatasetError(f"dataset.path names {listed(twice)} twice.")
    top = paths[0].parent if len({path.parent for path in paths}) == 1 else _common(paths)
    is_alone = len(paths) == 1
    _require_all(paths)
    copies = iter(fetch([file for _, file in found if not isinstance(file, Path)]))
    return [
        Shard(file if isinstance(file, Path) else next(copies), name, part or ("" if is_alone else part_in(name)))
        for (part, file), shown in zip(found, paths, strict=True)
        for name in [shown.relative_to(top).as_posix()]
    ]


def _shown(file: Path | Remote) -> PurePath:
    """Return a path by which a file is named and sorted."""
    if isinstance(file, Path):
        return file
    url = file[0]
    return PurePath("/", url.scheme, url.place, url.path)


def part_in(name: str) -> str:
    """Return the word of a file's name that is a part of a split: `train-00000-of-00002.parquet`, `test/0.tar`."""
    path = PurePath(name)
    for word in reversed(path.parts[:-1]):
        if part_of(word):
            return word
    stem = path.name.partition(".")[0]
    numbered = _NUMBERED.fullmatch(stem)
    word = numbered["stem"] if numbered else stem
    return re.sub(r"[-_.]?\d+$", "", word) if part_of(word) else ""


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts numbers in names by value."""
    return [(0, int(word), "") if word.isdecimal() else (1, 0, word) for word in re.split(r"(\d+)", name) if word]


def expanded(pattern: str) -> Iterator[str]:
    """Yield the names that `{000..009}` and `{a,b}` stand for, in their order."""
    found = _RANGE.search(pattern)
    if not found:
        yield pattern
        return
    first, last, words = found.groups()
    if words is None:
        width = len(first) if first[0] == "0" or len(first) == len(last) else 0
        step = 1 if int(last) >= int(first) else -1
        choices = [f"{number:0{width}d}" for number in range(int(first), int(last) + step, step)]
    else:
        choices = words.split(",")
    for choice in choices:
        yield from expanded(pattern[: found.start()] + choice + pattern[found.end() :])


def _files(words: str | Sequence[str], suffixes: Sequence[str]) -> list[Path | Remote]:
    several = [words] if isinstance(words, str) else list(words)
    if not several or not all(several):
        raise DatasetError("dataset.path is empty. Expected: a file, a folder, a pattern, or a list of these.")
    return list(itertools.chain.from_iterable(_of_word(str(word), suffixes) for word in several))


def _of_word(word: str, suffixes: Sequence[str]) -> Sequence[Path | Remote]:
    if is_url(word):
        remote = [find_remote(name, suffixes) for name in expanded(word)]
        return [one for several in remote for one in sorted(several, key=lambda one: natural(str(one[0])))]
    path = Path(word).expanduser().absolute()
    if path.is_dir():
        found = [file for file in below(path) if file.suffix.lower() in suffixes]
        if not found:
            raise DatasetError(f"dataset.path={word} holds no file of the kind {', '.join(suffixes)}.")
        return found
    if path.exists():
        return [path]
    names = list(expanded(str(path)))
    if len(names) > 1 and not any(map(glob.has_magic, names)):
        missing = [name for name in names if not Path(name).exists()]
        if missing:
            raise DatasetError(f"dataset.path={word} stands for {len(names)} files; missing: {listed(missing)}.")
        return [Path(name) for name in names]
    matches = [Path(match) for name in names for match in glob.glob(name, recursive=True)]  # noqa: PTH207 - absolute
    found = sorted((match for match in matches if match.is_file()), key=lambda one: natural(str(one)))
    if not found:
        raise DatasetError(f"dataset.path={word} does not exist, or matches no file.")
    return found


def below(folder: Path) -> list[Path]:
    """Return the files below a folder in natural order, without those of systems and hidden ones."""
    found = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(is_system(part) for part in path.relative_to(folder).parts)
    ]
    return sorted(found, key=lambda path: natural(path.relative_to(folder).as_posix()))


def _common(paths: Sequence[PurePath]) -> PurePath:
    """Return the deepest folder that holds all files."""
    parts = zip(*(path.parent.parts for path in paths), strict=False)
    same = itertools.takewhile(lambda several: len(set(several)) == 1, parts)
    return PurePath(*(several[0] for several in same))


def _require_all(paths: Sequence[PurePath]) -> None:
    """Raise DatasetError if some of the files that names such as `x-00000-of-00003` announce are missing."""
    announced: dict[tuple[str, int], set[int]] = {}
    for path in paths:
        found = _NUMBERED.fullmatch(path.name.partition(".")[0])
        if found:
            key = str(path.parent / found["stem"]), int(found["count"])
            announced.setdefault(key, set()).add(int(found["number"]))
    for (stem, count), numbers in announced.items():
        missing = [f"{number:05d}" for number in range(count) if number not in numbers]
        if missing and len(paths) > 1:
            raise DatasetError(f"{stem}-*: {len(missing)} of {count} shards are missing: {listed(missing)}.")
