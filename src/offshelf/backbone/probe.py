"""Shapes of the outputs at all places of a network, without values."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from torch import nn

from offshelf.backbone.layout import GROWTH, Declarations, Layout, is_plain, read_layout
from offshelf.backbone.outline import Size, outline, outline_of, run
from offshelf.backbone.tap import Place, Taps, find_place, places

Shape = tuple[int, ...]
IMAGES = 11
"""Number of images in a survey. No network has 11 heads, windows or tokens, so that it identifies the image axis."""
Build = Callable[[Size], nn.Module]
"""Function that makes the same architecture, without values, for images of another size."""


def survey(module: nn.Module, size: Size, paths: Iterable[str] = ()) -> dict[str, Shape]:
    """Return the shape of each module's output for one image, without the image axis, in the order of a pass.

    `paths` are added. Several outputs of one module are numbered, `relu:1`, `relu:2`. Outputs that cannot be layers are
    left out: windows, which do not have one row per image, and outputs with more axes than a map.
    """
    known = places(module)
    added = {path: place for path in paths if (place := find_place(module, known, path))}
    wanted = {**known, **added}
    try:
        found = outputs(outline_of(module), wanted, IMAGES, size)
    except Exception:  # an operation that needs values, not shapes alone
        found = outputs(module, wanted, IMAGES, size)
    count = Counter(layer for layer, _ in found)
    number: Counter[str] = Counter()
    rows = {}
    for layer, shape in found:
        number[layer] += 1
        row = row_of(shape, IMAGES)
        if row is not None and len(row) <= 3:
            rows[layer if count[layer] == 1 else f"{layer}:{number[layer]}"] = row
    return rows


def told(module: nn.Module, rows: Mapping[str, Shape], size: Size, build: Build | None) -> dict[str, Shape]:
    """Return the outputs of a survey whose axes can be identified."""
    known = places(module)
    wanted = {path: place for path in rows if (place := find_place(module, known, path))}
    found = layouts(module, wanted, {path: rows[path] for path in wanted}, size, build)
    return {path: rows[path] for path, layout in found.items() if layout.channels is not None or len(rows[path]) < 2}


def outputs(module: nn.Module, wanted: Mapping[str, Place], images: int, size: Size) -> list[tuple[str, Shape]]:
    """Return layer and shape of all outputs of a pass, in its order. Raises any error of the network."""
    found: list[tuple[str, Shape]] = []
    with Taps(module, wanted, lambda layer, tensor: found.append((layer, tuple(tensor.shape)))):
        run(module, images, size)
    return found


def layouts(
    module: nn.Module, wanted: Mapping[str, Place], shapes: Mapping[str, Shape], size: Size, build: Build | None
) -> dict[str, Layout]:
    """Return the layout of each place's output.

    Args:
        module: The network, with or without values.
        wanted: The places.
        shapes: Shape of one tensor of each layer, without the image axis.
        size: Size of the image that gave these shapes.
        build: Builds the architecture for another size, for networks that accept only one.
    """
    needed = {layer: wanted[layer] for layer, shape in shapes.items() if not is_plain(shape, size)}
    says = Declarations(module)
    grown = _grown(module, needed, size, build) if needed else {}
    owners = {layer: "" if place.is_method else place.path for layer, place in wanted.items()}
    return {
        layer: read_layout(shape, grown.get(layer), size, says.at(owners[layer])) for layer, shape in shapes.items()
    }


def _grown(module: nn.Module, wanted: Mapping[str, Place], size: Size, build: Build | None) -> dict[str, Shape]:
    """Return shapes for an image of GROWTH times the size, without the image axis; empty if it is not accepted."""
    larger = size[0] * GROWTH, size[1] * GROWTH
    for number in range(2 if build else 1):
        try:
            grown = outline(lambda: build(larger)) if number and build else outline_of(module)
            found = dict(reversed(outputs(grown, wanted, 1, larger)))  # the first of several
        except Exception:  # networks raise all kinds of errors at sizes they were not made for
            continue
        return {layer: row_of(shape, 1) or shape for layer, shape in found.items()}
    return {}


def row_of(shape: Shape, images: int) -> Shape | None:
    """Return the shape per image if images are first or, for tokens [T, N, C], second; else None."""
    if shape[0] == images:
        return shape[1:]
    return (shape[0], shape[2]) if len(shape) == 3 and shape[1] == images else None
