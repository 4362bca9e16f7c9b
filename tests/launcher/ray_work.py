"""Small functions for work on Ray."""


def square(piece):
    yield from (number**2 for number in piece)
