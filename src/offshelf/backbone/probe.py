"""What a pass gives at each place of a network, by shape; no values are needed."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from torch import nn

from offshelf.backbone.layout import GROWTH, Declarations, Layout, is_plain, read_layout
from offshelf.backbone.outline import Size, outline, outline_of, run
from offshelf.backbone.tap import Place, Taps, find_place, places

Shape = tuple[int, ...]
IMAGES = 11
"""In a survey: a number that no network has of heads, windows or tokens, so that the axis of images is known by it."""
Build = Callable[[Size], nn.Module]
"""The same architecture, without values, for images of another size."""


def survey(module: nn.Module, size: Size, paths: Iterable[str] = ()) -> dict[str, Shape]:
    """What each module gives for one image, behind the axis of images, in the order of a pass; `paths` are added.

    Several outputs of one module are numbered, `relu:1`, `relu:2`. Left out is what cannot be a layer: windows, which
    have no row an image, and what has more axes than a map.
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
    """Those of a survey's outputs whose axes can be told apart."""
    known = places(module)
    wanted = {path: place for path in rows if (place := find_place(module, known, path))}
    found = layouts(module, wanted, {path: rows[path] for path in wanted}, size, build)
    return {path: rows[path] for path, layout in found.items() if layout.channels is not None or len(rows[path]) < 2}


def outputs(module: nn.Module, wanted: Mapping[str, Place], images: int, size: Size) -> list[tuple[str, Shape]]:
    """Layer and shape of all that a pass gives, in its order. Raises whatever the network raises."""
    found: list[tuple[str, Shape]] = []
    with Taps(module, wanted, lambda layer, tensor: found.append((layer, tuple(tensor.shape)))):
        run(module, images, size)
    return found


def layouts(
    module: nn.Module, wanted: Mapping[str, Place], shapes: Mapping[str, Shape], size: Size, build: Build | None
) -> dict[str, Layout]:
    """The layout of what each place gives.

    Args:
        module: The network, with values or without.
        wanted: Their places.
        shapes: Of one tensor of each layer, behind the axis of images.
        size: Of the image that gave them.
        build: For networks that see one size alone.
    """
    needed = {layer: wanted[layer] for layer, shape in shapes.items() if not is_plain(shape, size)}
    says = Declarations(module)
    grown = _grown(module, needed, size, build) if needed else {}
    owners = {layer: "" if place.is_method else place.path for layer, place in wanted.items()}
    return {
        layer: read_layout(shape, grown.get(layer), size, says.at(owners[layer])) for layer, shape in shapes.items()
    }


def _grown(module: nn.Module, wanted: Mapping[str, Place], size: Size, build: Build | None) -> dict[str, Shape]:
    """Shapes for an image of GROWTH times the size, behind the axis of images; empty where no such image is taken."""
    larger = size[0] * GROWTH, size[1] * GROWTH
    for number in range(2 if build else 1):
        try:
            grown = outline(lambda: build(larger)) if number and build else outline_of(module)
            found = dict(reversed(outputs(grown, wanted, 1, larger)))  # of several the first
        except Exception:  # networks raise every kind of error at a size that they were not made for
            continue
        return {layer: row_of(shape, 1) or shape for layer, shape in found.items()}
    return {}


def row_of(shape: Shape, images: int) -> Shape | None:
    """The shape of what belongs to one image: images come first or, as tokens [T, N, C], second; None: neither."""
    if shape[0] == images:
        return shape[1:]
    return (shape[0], shape[2]) if len(shape) == 3 and shape[1] == images else None
