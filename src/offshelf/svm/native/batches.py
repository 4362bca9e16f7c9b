"""Arguments of compiled functions that take many: structures with the layouts of those in C."""

import ctypes
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

_INT, _DOUBLE, _ARRAY = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p
_KINDS = {_INT: b"i", _DOUBLE: b"d", _ARRAY: b"p"}


class Field(ctypes.Structure):
    """A field of a C structure: `layout.h`."""

    _fields_ = (("name", ctypes.c_char_p), ("offset", _INT), ("kind", ctypes.c_char))


class _Batch(ctypes.Structure):
    """A structure made of numbers and arrays, of which None is a null pointer."""

    DTYPES: ClassVar[dict[str, Any]]
    """The types of arrays that are not float64; None: any."""

    def __init__(self, **values: Any) -> None:
        self.arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
        """Kept alive as long as their addresses are in use."""
        for name, array in self.arrays.items():
            dtype = self.DTYPES.get(name, np.float64)
            if (dtype and array.dtype != dtype) or not array.flags.c_contiguous:
                expected = np.dtype(dtype or array.dtype).name
                raise TypeError(f"{name} is {expected} in C's order; got {array.dtype}, strides {array.strides}.")
        addresses = {name: array.ctypes.data for name, array in self.arrays.items()}
        super().__init__(**{**values, **addresses})


def _fields(kind: Any, names: str) -> tuple[tuple[str, Any], ...]:
    return tuple((name, kind) for name in names.split())


class OvoBatch(_Batch):
    """The arguments of `ovo_solve`; `ovo.c` describes them. The layouts are compared when the library is loaded."""

    DTYPES = dict.fromkeys(("class_starts", "first", "second", "starts"), np.int64)
    _fields_ = (
        *_fields(_INT, "rows pairs variants values"),
        *_fields(_ARRAY, "products shift"),
        *_fields(_DOUBLE, "kappa bias_share"),
        *_fields(_INT, "has_free_bias is_squared"),
        *_fields(_ARRAY, "class_starts first second starts weights Cs"),
        *_fields(_DOUBLE, "tol target_gap"),
        *_fields(_ARRAY, "betas offsets gaps"),
    )


class BinaryBatch(_Batch):
    """The arguments of `binary_solve`; `batch.h` describes them. The layouts are compared on loading."""

    DTYPES = {  # noqa: RUF012 - declared above
        **dict.fromkeys(("order", "class_starts", "first", "second"), np.int64),
        **{"source": None, "groups": np.int32, "signs": np.int8, "members": np.bool_},
    }
    _fields_ = (
        *_fields(_INT, "row_count dims tasks first_task variants values"),
        *_fields(_ARRAY, "source"),
        *_fields(_INT, "is_double"),
        *_fields(_DOUBLE, "inverse_scale bias"),
        *_fields(_ARRAY, "diagonal shift"),
        *_fields(_DOUBLE, "mean_square kappa"),
        *_fields(_INT, "is_free is_squared group_count"),
        *_fields(_ARRAY, "groups means radii signs order class_starts first second members"),
        *_fields(_INT, "weight_columns"),
        *_fields(_ARRAY, "weights Cs"),
        *_fields(_DOUBLE, "tol"),
        *_fields(_ARRAY, "solutions gaps"),
    )


def layout_difference(structure: type[_Batch], layout: Callable[..., int]) -> str | None:
    """Return how the layout of a structure differs from the one that a C function describes; None if it does not."""
    name, field = structure.__name__, Field()
    size = layout(0, ctypes.byref(field))
    if size != ctypes.sizeof(structure):
        return f"its {name} has {size} bytes, not {ctypes.sizeof(structure)}"
    for number, (own, kind, *_) in enumerate(structure._fields_):
        layout(number, ctypes.byref(field))
        expected = (own.encode(), getattr(structure, own).offset, _KINDS[kind])
        if (field.name, field.offset, field.kind) != expected:
            return f"field {number} of its {name} is {field.name!r} at {field.offset}, not {own!r} at {expected[1]}"
    return None
