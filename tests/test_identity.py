"""Digests change with every field that counts, and with no other."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from offshelf.augmentation import View
from offshelf.identity import array_digest, digest
from offshelf.store import FeatureKey


@dataclass(frozen=True)
class Spec:
    """A spec with a path."""

    size: int = 1
    root: str = field(default="/a", metadata={"identity": False})


def test_fields_count_unless_marked():
    """Size is identity, the root is not."""
    assert digest(Spec()) == digest(Spec(root="/b"))
    assert digest(Spec()) != digest(Spec(size=2))


def test_order_of_keys_does_not_count():
    """Canonical JSON sorts."""
    assert digest({"a": 1, "b": (1, 2)}) == digest({"b": [1, 2], "a": 1})


def test_values_without_canonical_form_are_refused():
    """Nothing is silently turned to text."""
    with pytest.raises(TypeError, match="No canonical form"):
        digest({"a": object()})
    with pytest.raises(ValueError):
        digest(float("nan"))


def test_array_digest_sees_dtype_and_shape():
    """Same bytes, other meaning."""
    values = np.zeros((2, 4), np.uint8)
    digests = {array_digest(values), array_digest(values.T), array_digest(values.view(np.int8))}

    assert len(digests) == 3


def test_every_field_of_a_feature_key_counts():
    """One change at a time changes the key."""
    plain = FeatureKey("n", "m", "avg", View())
    others = [
        FeatureKey("N", "m", "avg", View()),
        FeatureKey("n", "M", "avg", View()),
        FeatureKey("n", "m", "max", View()),
        FeatureKey("n", "m", "avg", View(box=(0, 0, 0.5, 1))),
        FeatureKey("n", "m", "avg", View(fit="whole")),
        FeatureKey("n", "m", "avg", View(mirror=True)),
    ]

    assert len({key.digest for key in [plain, *others]}) == 7
