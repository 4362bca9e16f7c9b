"""Names in figures, as they are: matplotlib takes `$` for mathematics, and a leading `_` for a line without label."""


def literal(text: str) -> str:
    """A text that matplotlib draws as it is written; letters that cannot be drawn by their numbers."""
    sound = text.encode("utf-8", "backslashreplace").decode()
    drawn = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in sound)
    return (" " if drawn.startswith("_") else "") + drawn.replace("$", r"\$")
