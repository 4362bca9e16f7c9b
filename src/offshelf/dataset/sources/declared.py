"""What the library `datasets` declares of columns, in the metadata of a schema or in a README: images, class names."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Declared:
    """Columns that are declared as images or classes."""

    images: tuple[str, ...] = ()
    classes: Mapping[str, tuple[str, ...]] | None = None
    """Names of the class numbers by column; also of columns of lists."""

    def names(self, column: str) -> tuple[str, ...] | None:
        """Return the names of a column's class numbers, if they are declared."""
        return (self.classes or {}).get(column)

    def __or__(self, other: "Declared") -> "Declared":
        return Declared(self.images or other.images, {**(other.classes or {}), **(self.classes or {})})


def of_schema(schema: Any) -> Declared:
    """Return what a schema's metadata declare; nothing if there are none, or they cannot be understood."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return of_features(features)
    except (KeyError, TypeError, ValueError, AttributeError):
        return Declared()


def of_features(features: Mapping[str, Any]) -> Declared:
    """Return what a mapping of features declares, as `dataset_info.json` has it."""
    images = tuple(name for name, one in features.items() if isinstance(one, Mapping) and one.get("_type") == "Image")
    classes = {name: found for name, one in features.items() if (found := _class_names(one))}
    return Declared(images, classes)


def of_readme(features: Sequence[Mapping[str, Any]]) -> Declared:
    """Return what `dataset_info.features` of a README's YAML declares: a list of names and types."""
    images = tuple(str(one["name"]) for one in features if one.get("dtype") == "image")
    classes = {str(one["name"]): found for one in features if (found := _readme_names(one))}
    return Declared(images, classes)


def _class_names(feature: Any) -> tuple[str, ...] | None:
    if isinstance(feature, list) and feature:  # as older releases write a list
        return _class_names(feature[0])
    if not isinstance(feature, Mapping):
        return None
    if feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list):
        return tuple(map(str, feature["names"]))
    return _class_names(feature["feature"]) if "feature" in feature else None


def _readme_names(feature: Mapping[str, Any]) -> tuple[str, ...] | None:
    kind = feature.get("dtype", feature.get("sequence", feature.get("list")))
    while isinstance(kind, Mapping) and "class_label" not in kind:
        kind = kind.get("dtype")
    if not isinstance(kind, Mapping):
        return None
    names = (kind["class_label"] or {}).get("names")
    if isinstance(names, Mapping):
        return tuple(str(names[key]) for key in sorted(names, key=int))
    return tuple(map(str, names)) if isinstance(names, list) else None
