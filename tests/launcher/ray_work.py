"""Small functions for work on Ray."""

import os
import time


def square(piece):
    yield from (number**2 for number in piece)
