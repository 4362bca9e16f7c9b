"""Features as plain files."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from offshelf.dataset import ImageSet, Sample, digests
from offshelf.errors import StoreError
from offshelf.extractor import Features
from offshelf.report import write_table


def export(folder: Path, images: ImageSet, features: Features, parquet: bool = False) -> None:
    """Write a data set's features to a folder.

    `samples.csv` has a row per sample: id, class (several labels as `1;-1;0`, in the order of the classes) or number,
    role in the first fold (train or test) and image digest. `<layer>.npy`, float32 [N, V, D], holds the rows of a layer
    in this order. With `parquet`, `features.parquet` holds all of it, with a column of N lists of V * D values for each
    layer.

    Raises:
        StoreError: The folder cannot be written.
    """
    table = _samples(images)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if parquet:
            _write_parquet(folder / "features.parquet", table, features)
        else:
            write_table(folder / "samples.csv", table)
            for name, values in features.values.items():
                np.save(folder / f"{name}.npy", values)
    except OSError as error:
        raise StoreError(f"Could not write features to {folder}: {error.strerror}.") from error


def require_folder(folder: Path) -> None:
    """Create the folder for features before the work.

    Raises:
        StoreError: The folder cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"Could not write features to {folder}: {error.strerror}.") from error
    if not os.access(folder, os.W_OK):
        raise StoreError(f"Could not write features to {folder}: it is read-only.")


def _samples(images: ImageSet) -> dict[str, list[str]]:
    fold = images.folds[0]
    roles = np.full(len(images.samples), "", dtype="<U5")
    roles[fold.train], roles[fold.test] = "train", "test"
    return {
        "id": [sample.id for sample in images.samples],
        "number" if images.kind == "number" else "class": [_label(sample, images.classes) for sample in images.samples],
        "role": roles.tolist(),
        "image": list(digests(images.pictures)),
    }


def _label(sample: Sample, classes: Sequence[str]) -> str:
    if isinstance(sample.target, float):
        return repr(float(sample.target))
    return ";".join(map(str, sample.target)) if isinstance(sample.target, tuple) else classes[sample.target]


def _write_parquet(path: Path, table: dict[str, list[str]], features: Features) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    columns = {name: pa.array(values) for name, values in table.items()}
    for name, values in features.values.items():
        flat = values.reshape(len(values), -1)
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), flat.shape[1])
    parquet.write_table(pa.table(columns), path)
