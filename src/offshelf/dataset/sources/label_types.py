"""Arrow's types of labels: which can be classes."""

from collections.abc import Sequence
from typing import Any

from offshelf.errors import DatasetError


def is_list_type(kind: Any) -> bool:
    """Return whether cells are lists."""
    from pyarrow import types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def is_text_type(kind: Any) -> bool:
    """Return whether cells are texts, each written once or not."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return is_text_type(kind.value_type)
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def require_classes(where: str, kind: Any, values: Sequence[Any]) -> None:
    """Raise DatasetError for a type, or values, that are no classes."""
    from pyarrow import types

    if types.is_integer(kind):
        if any(number < 0 for number in values if number is not None):
            raise DatasetError(
                f"{where} has the class number {min(values)}. If it marks images without a label, leave them out of "
                "the files; if it is a class, write classes as texts."
            )
    elif types.is_floating(kind) or types.is_decimal(kind):
        raise DatasetError(
            f"{where} holds numbers with decimals. To predict them: dataset.target=number with classifier=ridge; if "
            "they are classes, write them as integers or texts."
        )
    elif not (is_text_type(kind) or types.is_boolean(kind) or types.is_null(kind)):
        raise DatasetError(f"{where} is of type {kind}; expected: names, integers, or lists of these.")


def refuse_hot(where: str, values: Any, inner: Any, names: Sequence[str] | None) -> None:
    """Raise DatasetError for lists that hold a zero or one for each class; `inner` are the items of all lists."""
    import pyarrow.compute
    from pyarrow import types

    kind = inner.type
    is_number = types.is_boolean(kind) or types.is_floating(kind) or types.is_integer(kind)
    if names or not is_number or len(values) < 2 or not len(inner):
        return
    if not types.is_integer(kind) or set(pyarrow.compute.unique(inner).to_pylist()) <= {0, 1}:
        raise DatasetError(
            f"{where} holds lists that look like a zero or one for each class. Write the names or numbers of an "
            "image's classes instead."
        )
