"""Arrays and names as short texts, which the page's script reads."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

NONE = 0xFFFF
"""Stands for no class, no tile, or no number in unsigned 16 bits."""


def packed(values: np.ndarray, dtype: str) -> str:
    """Return the bytes of an array, little-endian, in base64."""
    return base64.b64encode(np.ascontiguousarray(values, np.dtype(dtype).newbyteorder("<")).tobytes()).decode()


def quantised(values_N: np.ndarray) -> dict[str, Any]:
    """Return numbers in 16 bits each: `low` + code * `step`; NaN is NONE. The error is at most half a step."""
    known = values_N[np.isfinite(values_N)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    step = (high - low) / (NONE - 1)
    codes = np.full(len(values_N), NONE, np.float64)
    codes[np.isfinite(values_N)] = np.round((known - low) / step) if step else 0
    return {"low": low, "step": step, "codes": packed(codes, "uint16")}


def front_coded(names: Sequence[str]) -> dict[str, Any]:
    """Return names, sorted, each without what it shares with the one before, and the place of each in the given order.

    Front coding: Witten, Moffat, Bell: Managing Gigabytes (1999), section 4.1.
    """
    order = sorted(range(len(names)), key=names.__getitem__)
    shared, rests, before = [], [], ""
    for number in order:
        name = names[number]
        common = next((at for at, pair in enumerate(zip(before, name, strict=False)) if pair[0] != pair[1]), None)
        shared.append(min(len(before), len(name), NONE) if common is None else min(common, NONE))
        rests.append(name[shared[-1] :])
        before = name
    return {
        "shared": packed(np.array(shared, np.int64), "uint16"),
        "rests": rests,
        "order": packed(np.array(order, np.int64), "uint32"),
    }


def unpacked(text: str, dtype: str) -> np.ndarray:
    """Return an array from what `packed` made of it."""
    return np.frombuffer(base64.b64decode(text), np.dtype(dtype).newbyteorder("<"))


def front_decoded(coded: Mapping[str, Any]) -> list[str]:
    """Return names from what `front_coded` made of them."""
    shared, order = unpacked(coded["shared"], "uint16").tolist(), unpacked(coded["order"], "uint32").tolist()
    names, before = [""] * len(order), ""
    for place, common, rest in zip(order, shared, coded["rests"], strict=True):
        before = before[:common] + str(rest)
        names[place] = before
    return names


def embedded(data: Any) -> str:
    """Return data as JSON that no HTML parser takes for markup."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
