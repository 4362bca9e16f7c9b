"""The description of a run in Markdown: what it answers, links to its files, a table, and a picture of its curve."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NOTE_TAG = "mlflow.note.content"
"""Tag that MLflow shows as the description of a run."""

LONGEST = 7500
"""Characters of a description: MLflow stores 8,000 of a tag, and links are longer in it."""

FILE = "artifact:"
"""Beginning of the address of one of the run's own files, until the run has a place."""

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#!|~&]|:(?=//)|@")
"""What Markdown, HTML or a link that is made of an address begins with."""


def plain(text: str) -> str:
    """Return a text as Markdown that shows it as it is."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", " ".join(text.split()))


@dataclass(frozen=True)
class Note:
    """The parts of a description; all texts are plain."""

    answer: str
    """A line, in bold."""
    facts: Sequence[str] = ()
    """Sentences."""
    files: Sequence[tuple[str, str]] = ()
    """Words and the names of the files that they link to."""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    """Cells of a table, which is cut off where it is too long."""
    pictures: Sequence[str] = ()
    """Names of files."""

    def markdown(self) -> str:
        """Return the description."""
        links = " · ".join(f"[{plain(words)}]({FILE}{name})" for words, name in self.files)
        head = [f"**{plain(self.answer)}**", links, *(plain(fact) for fact in self.facts)]
        pictures = [f"![{plain(name)}]({FILE}{name})" for name in self.pictures]
        room = LONGEST - sum(map(len, [*head, *pictures]))
        return "\n\n".join(part for part in [*head, "\n".join(self._table(room)), *pictures] if part)

    def _table(self, room: int) -> Iterator[str]:
        if not self.rows:
            return
        head = [_line(self.columns), _line(["---", *["---:"] * (len(self.columns) - 1)], is_plain=False)]
        yield from head
        left = room - sum(map(len, head))
        for number, row in enumerate(self.rows):
            line = _line(row)
            left -= len(line) + 1
            if left < 0:
                yield f"\n{len(self.rows) - number:,} more rows are in the run's files."
                return
            yield line


def _line(cells: Sequence[str], is_plain: bool = True) -> str:
    return f"| {' | '.join(plain(cell) if is_plain else cell for cell in cells)} |"
