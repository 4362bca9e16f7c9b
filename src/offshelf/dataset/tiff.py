"""TIFF files in which zero is white; Pillow inverts some of them wrongly and rejects the others."""

import struct
from collections.abc import Iterator

BITS, PHOTOMETRIC = 258, 262
"""Tags. For the latter, 0 means that zero is white, 1 that zero is black."""


def black_as_zero(data: bytes) -> bytes | None:
    """Return the file declared with zero as black, if it has zero as white and more than 8 bits; else None."""
    try:
        order, places = _places(data)
        if PHOTOMETRIC not in places or BITS not in places:
            return None
        photometric, bits = (struct.unpack_from(f"{order}H", data, places[tag])[0] for tag in (PHOTOMETRIC, BITS))
    except (struct.error, KeyError, OverflowError):  # offsets beyond the file
        return None
    if photometric or bits <= 8:  # beyond two samples `bits` is an offset; files with zero as white have one sample
        return None
    place = places[PHOTOMETRIC]
    return data[:place] + struct.pack(f"{order}H", 1) + data[place + 2 :]


def _places(data: bytes) -> tuple[str, dict[int, int]]:
    """Return byte order, and the offset of the values of the first directory by tag. Raises struct.error, KeyError."""
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    is_big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    start = struct.unpack_from(f"{order}Q" if is_big else f"{order}I", data, 8 if is_big else 4)[0]
    return order, dict(_entries(data, order, start, is_big))


def _entries(data: bytes, order: str, start: int, is_big: bool) -> Iterator[tuple[int, int]]:
    head, length, value = ("Q", 20, 12) if is_big else ("H", 12, 8)
    count = struct.unpack_from(f"{order}{head}", data, start)[0]
    first = start + struct.calcsize(head)
    for place in range(first, first + length * min(count, 4096), length):
        yield struct.unpack_from(f"{order}H", data, place)[0], place + value
