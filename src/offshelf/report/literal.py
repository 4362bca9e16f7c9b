"""Literal names in figures: matplotlib takes `$` for mathematics, and hides labels with a leading `_`."""


def literal(text: str) -> str:
    """Return text that matplotlib draws as written; characters without a glyph become their code points."""
    sound = text.encode("utf-8", "backslashreplace").decode()
    drawn = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in sound)
    return (" " if drawn.startswith("_") else "") + drawn.replace("$", r"\$")
