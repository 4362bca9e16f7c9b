"""`inspection.parquet`: a row per image with its findings, its place on the map and its features, for other tools."""

from io import BytesIO
from typing import Any

import numpy as np

from offshelf.inspection.inspection import Inspection
from offshelf.inspection.pixels import COLUMNS
from offshelf.names import readable
from offshelf.report.inspection_tables import cells, finding_columns, path_of, suggested_cells


def parquet(inspection: Inspection, places_N2: np.ndarray) -> bytes:
    """Return the table as a Parquet file.

    Args:
        inspection: What was found.
        places_N2: Places of all images on the map: float [N, 2].
    """
    import pyarrow as pa
    from pyarrow import parquet as pq

    features = np.ascontiguousarray(inspection.features_ND, np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(features.ravel()), features.shape[1])
    columns = {name: pa.array(values) for name, values in _columns(inspection).items()}
    places = {name: pa.array(places_N2[:, at].astype(np.float32)) for at, name in enumerate(("x", "y"))}
    table = pa.table({**columns, **places, "features": vectors})
    file = BytesIO()
    few = [name for name in table.column_names if name != "features"]  # numbers without pattern do not get smaller
    pq.write_table(table, file, compression={name: "zstd" for name in few} | {"features": "none"}, use_dictionary=few)
    return file.getvalue()


def _columns(inspection: Inspection) -> dict[str, Any]:
    images, labels = inspection.images, inspection.labels
    count = len(images.samples)
    ids = [readable(sample.id) for sample in images.samples]
    own, other, flagged = np.full(count, np.nan), np.full(count, np.nan), np.zeros(count, bool)
    if labels is not None:
        rows = labels.rows[::-1]  # of several labels the most probably wrong one
        own[rows], other[rows], flagged[rows] = labels.own[::-1], labels.other[::-1], labels.flagged[::-1]
    group = np.full(count, -1)
    for number, one in enumerate(inspection.copies.groups, 1):
        group[one.rows] = number
    pixels = inspection.pixels
    return {
        "id": ids,
        "path": [path_of(inspection, row) for row in range(count)],
        "part": inspection.parts_N.tolist(),
        "label": cells(inspection),
        "suggested_label": suggested_cells(inspection),
        "label_probability": own,
        "suggested_probability": other,
        "label_is_flagged": flagged,
        "copies": group,
        **finding_columns(inspection),
        "distance": inspection.odd.distances_N,
        **({name: getattr(pixels, name) for name in COLUMNS} if pixels else {}),
    }
