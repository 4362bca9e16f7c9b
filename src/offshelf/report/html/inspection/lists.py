"""The lists of an inspection as cards; the page's script puts the pictures in their places and shows more of them."""

from collections.abc import Sequence
from html import escape

from offshelf.inspection.labels import NONE
from offshelf.inspection.odd import KINDS
from offshelf.names import readable
from offshelf.report.html.inspection.contents import STRIP, Shown

FIRST = 12
"""Number of cards that are shown before more are asked for."""
LARGE, SMALL = 104, 44
"""Sides of pictures, in pixels."""
WORDS = {
    "bytes": "the same bytes as",
    "near": "nearly the same as",
    "group": "in the same group as",
}
"""How a test image leaks from a training image."""


class Cards:
    """Makes the cards of all lists."""

    def __init__(self, shown: Shown) -> None:
        """Take the lists, and the places of the images of the page."""
        self.lists, self.place = shown.lists, shown.place
        self.contents, self.found = shown.lists.contents, shown.lists.contents.inspection

    def counts(self) -> dict[str, tuple[int, int, str]]:
        """Return for each list how many entries are shown, how many there are, and the file that has all."""
        found, labels = self.found, self.found.labels
        whole = {
            "labels": (labels.count if labels else 0, "labels.csv"),
            "leaks": (len(found.leaked["id"]), "leaks.csv"),
            "copies": (len(found.copies.groups), "copies.csv"),
            "odd": (len(found.odd.order), "odd.csv"),
            "pairs": (len(found.pairs), "confused_classes.csv"),
            "divided": (len(found.divided), "class_parts.csv"),
        }
        return {name: (min(count, self.lists.most), count, file) for name, (count, file) in whole.items()}

    def labels(self) -> str:
        """Return the labels that are probably wrong, with the nearest images of both classes."""
        labels = self.found.labels
        if labels is None or not len(self.lists.labels):
            return ""
        cards = []
        for at, near in zip(self.lists.labels.tolist(), self.lists.beside, strict=True):
            row, given, suggested = (int(values[at]) for values in (labels.rows, labels.given, labels.suggested))
            lines = self._says("given", "labelled", given, labels.own[at], suggested)
            tag = "looks like" if labels.flagged[at] else "or perhaps"
            lines += self._says("seen", tag, suggested, labels.other[at], given)
            strips = "".join(
                f"<div><p>nearest of <bdi>{self._class(number)}</bdi></p>{self._strip(rows)}</div>"
                for number, rows in near
            )
            attributes = f' data-given="{given}" data-seen="{suggested}" data-flagged="{int(labels.flagged[at])}"'
            cards.append(self._card(row, lines, f'<div class="near">{strips}</div>', attributes))
        return self._unflagged() + self._filters() + _shelf("labels", cards)

    def leaks(self) -> str:
        """Return test images beside the training images that they are known from."""
        leaked = self.found.leaked
        cards = []
        for at, (row, other) in enumerate(self.lists.leaks):
            likeness = leaked["likeness"][at]
            mine, theirs = (escape(readable(str(leaked[name][at]))) for name in ("label", "training_label"))
            lines = _line("given", "tested as", mine, "") + _line("given", "trained as", theirs, "")
            how = f"{WORDS[str(leaked['leak'][at])]} a training image" + (f", {likeness:.3f}" if likeness else "")
            lines += f'<p class="note">{how}{_badge("two labels") if mine != theirs else ""}</p>'
            strip = self._strip([other], LARGE)
            beside = f'<div class="near"><div><p>training image {self._path(other)}</p>{strip}</div></div>'
            cards.append(self._card(row, lines, beside))
        return _shelf("leaks", cards)

    def copies(self) -> str:
        """Return the groups of copies."""
        cards = []
        for group in self.found.copies.groups[: self.lists.most]:
            how = "the same bytes" if group.is_exact else f"nearly the same, {group.likeness:.3f}"
            badges = _badge("two labels") * group.has_two_labels + _badge("train and test") * group.crosses
            rows = group.rows[:STRIP].tolist()
            more = f" and {len(group.rows) - STRIP:,} more" if len(group.rows) > STRIP else ""
            names = "".join(f"<li>{self._path(row)} <span>{self._label(row)}</span></li>" for row in rows)
            cards.append(
                f'<article class="card wide" tabindex="-1">{self._strip(rows, 72)}<div>'
                f"<p><b>{len(group.rows):,} images</b>, {how}{badges}</p>"
                f'<ul class="names">{names}</ul><p>{more}</p></div></article>'
            )
        return _shelf("copies", cards)

    def odd(self) -> str:
        """Return the odd images."""
        odd = self.found.odd
        cards = []
        for row in odd.order[: self.lists.most].tolist():
            kinds = odd.kinds(row)
            words = ", ".join(KINDS[kind] for kind in kinds)
            lines = _line("seen", "", escape(words), "") + _line("given", "labelled", self._label(row), "")
            lines += f'<p class="note">{escape(self._numbers(row))}</p>'
            cards.append(self._card(row, lines, "", f' data-kinds="{escape("|".join(kinds))}"'))
        used = [kind for kind in KINDS if kind in odd.by_kind and (odd.by_kind[kind] > 0).any()]
        options = "".join(
            f'<option value="{kind}">{KINDS[kind]} ({int((odd.by_kind[kind] > 0).sum()):,})</option>' for kind in used
        )
        select = f'<select data-filter="kinds" data-of="odd"><option value="">all kinds</option>{options}</select>'
        chosen = f'<div class="controls"><label class="control">Show {select}</label></div>' if len(used) > 1 else ""
        return chosen + _shelf("odd", cards)

    def pairs(self) -> str:
        """Return the pairs of classes that are taken for each other."""
        cards = []
        for pair in self.found.pairs[: self.lists.most]:
            one, other = self._class(pair.one), self._class(pair.other)
            flag = _badge("hardly told apart") if pair.is_flagged else ""
            sides = "".join(
                f"<div><p>{count:,} of {total:,} <bdi>{mine}</bdi> taken for <bdi>{theirs}</bdi></p>"
                f"{self._strip(rows)}</div>"
                for count, total, mine, theirs, rows in (
                    (pair.taken[0], pair.counts[0], one, other, self.lists.confused(pair.one, pair.other)),
                    (pair.taken[1], pair.counts[1], other, one, self.lists.confused(pair.other, pair.one)),
                )
            )
            head = f"<p><b><bdi>{one}</bdi></b> and <b><bdi>{other}</bdi></b>{flag}</p>"
            error = f'<p class="note">error {pair.error:.3f}, at least {pair.low:.3f}; guessing has 0.5</p>'
            cards.append(_plain(head + error, sides))
        return _shelf("pairs", cards)

    def divided(self) -> str:
        """Return the classes that fall into two parts."""
        cards = []
        for one in self.found.divided[: self.lists.most]:
            sides = "".join(
                f"<div><p>{len(rows):,} images</p>{self._strip(rows[:STRIP].tolist())}</div>" for rows in one.parts
            )
            clear = f"the parts explain {one.separation:.0%} of an axis; halves of one class explain 64 %"
            head = f'<p><b><bdi>{self._class(one.number)}</bdi></b></p><p class="note">{clear}</p>'
            cards.append(_plain(head, sides))
        return _shelf("divided", cards)

    def _unflagged(self) -> str:
        """Say which of the shown labels are flagged, if not all are."""
        labels = self.found.labels
        if labels is None or labels.count >= len(self.lists.labels):
            return ""
        first = f"The first {labels.count} are flagged" if labels.count else "None is flagged"
        return f'<p class="note">{first}; the others are the next in order, and more probably right than wrong.</p>'

    def _filters(self) -> str:
        labels = self.found.labels
        if labels is None or self.found.images.kind != "class":
            return ""
        made = []
        for name, words, numbers in (("given", "labelled", labels.given), ("seen", "looks like", labels.suggested)):
            used = sorted({int(number) for number in numbers[self.lists.labels]})
            options = "".join(f'<option value="{number}">{self._class(number)}</option>' for number in used)
            select = f'<select data-filter="{name}" data-of="labels"><option value="">any</option>{options}</select>'
            made.append(f'<label class="control">{words} {select}</label>')
        return f'<div class="controls">{"".join(made)}</div>'

    def _says(self, kind: str, tag: str, number: int, share: float, other: int) -> str:
        name = self._class(number) if number != NONE else f"not {self._class(other)}"
        return _line(kind, tag, name, f"{share:.3f}")

    def _card(self, row: int, lines: str, beside: str, attributes: str = "") -> str:
        where = f'<button type="button" class="where" data-show="{self.place[row]}">on the map</button>'
        return (
            f'<article class="card"{attributes} tabindex="-1">{self._picture(row, LARGE)}'
            f'<div><p class="path">{self._path(row)}</p>{lines}{where}</div>{beside}</article>'
        )

    def _picture(self, row: int, side: int) -> str:
        """Return the place of a picture, which the script puts there; its name until then."""
        name = escape(self.contents.name(row))
        return f'<span class="pic" data-point="{self.place[row]}" data-side="{side}" title="{name}"></span>'

    def _strip(self, rows: Sequence[int], side: int = SMALL) -> str:
        return f'<div class="strip">{"".join(self._picture(row, side) for row in rows)}</div>'

    def _path(self, row: int) -> str:
        name = escape(self.contents.name(row))
        return f'<bdi title="{name}">{name}</bdi>'

    def _class(self, number: int) -> str:
        return escape(readable(self.found.images.classes[number]))

    def _label(self, row: int) -> str:
        return escape(readable(self.found.images.label(row)))

    def _numbers(self, row: int) -> str:
        """Return the numbers of an image that say how it is odd."""
        pixels = self.found.pixels
        size = f"{pixels.width[row]:.0f} x {pixels.height[row]:.0f} pixels, " if pixels else ""
        return f"{size}distance {self.found.odd.distances_N[row]:.3f}"


def _plain(head: str, sides: str) -> str:
    """Return a card without a picture of its own."""
    return f'<article class="card plain" tabindex="-1"><div>{head}</div><div class="near">{sides}</div></article>'


def _line(kind: str, tag: str, name: str, number: str) -> str:
    """Return a line of a card; the name is HTML."""
    tagged = f'<span class="tag">{tag}</span>' if tag else ""
    counted = f'<span class="number">{number}</span>' if number else ""
    return f'<p class="says {kind}">{tagged}<b><bdi>{name}</bdi></b>{counted}</p>'


def _badge(words: str) -> str:
    return f' <span class="badge">{words}</span>'


def _shelf(name: str, cards: Sequence[str]) -> str:
    """Return cards of which only the first are shown, and a button for more; nothing without cards."""
    if not cards:
        return ""
    more = f'<button type="button" class="button more" data-of="{name}">Show more</button>'
    return f'<div class="cards" id="{name}-cards">{"".join(cards)}</div>{more if len(cards) > FIRST else ""}'
