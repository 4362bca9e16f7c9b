"""Networks from torch modules, whose layers are read in one forward pass."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import nn

from offshelf.backbone.backbone import LayerInfo
from offshelf.backbone.layer import resolved, split_pooling, unknown_layer
from offshelf.backbone.layout import Layout
from offshelf.backbone.outline import Size
from offshelf.backbone.pooling import pool
from offshelf.backbone.probe import Build, Shape, layouts, row_of, survey, told
from offshelf.backbone.tap import HEAD, INPUT, TRUNK, Place, Taps, find_place, places
from offshelf.errors import BackboneError


class TappedNetwork(nn.Module):
    """A module in evaluation mode, with hooks that pool the layers' outputs.

    The hook pools and copies at once: a later in-place operation (a ReLU, say) would otherwise change the output, so
    that a layer requested alone and with others would differ. In-place activations are switched off as well. The output
    of a module's second call, or its second map, is `module:2`. The pass ends after the last requested layer, unless
    `whole` is set, as recorders of graphs need.
    """

    def __init__(self, module: nn.Module, layers: Mapping[str, str], name: str, build: Build | None = None) -> None:
        """Take a map of curated names to module paths, a name for messages, and `build` for `probe.layouts`."""
        super().__init__()
        module.eval()
        self.module = module.requires_grad_(False)
        self.layers = dict(layers)
        self.name = name
        self.build = build
        self._layouts: dict[str, Layout] = {}
        for part in module.modules():
            if isinstance(getattr(part, "inplace", None), bool):
                part.inplace = False  # type: ignore[assignment]

    def features(
        self, images: torch.Tensor, layers: Sequence[str], pooling: str, whole: bool = False
    ) -> dict[str, torch.Tensor]:
        """Return pooled outputs by layer name, float32 [N, D_layer] each.

        `pooling` is that of layers whose name has none.

        Raises:
            BackboneError: A layer does not exist, is not reached, has several outputs, or does not give one row per
                image; or the pooling does not fit.
        """
        wanted = self._places(layers)
        unknown = {layer: place for layer, place in wanted.items() if layer not in self._layouts}
        if unknown:
            self._layouts.update(self._find_layouts(unknown, images[:1]))
        found: dict[str, torch.Tensor] = {}

        def tap(layer: str, output: torch.Tensor) -> None:
            layout = self._layouts[layer]
            tensor = output.movedim(layout.images, 0)
            if tensor.shape[0] != images.shape[0]:  # a symbol if a graph is recorded for any number of images
                raise _no_rows(layer, self.name, tuple(output.shape), len(images))
            found[layer] = pool(tensor, split_pooling(layer, pooling)[1], layout)
            if len(found) == len(wanted) and not whole:
                raise _Seen

        with torch.no_grad(), Taps(self.module, wanted, tap), contextlib.suppress(_Seen):
            self.module(images)
        return {layer: found[layer] for layer in layers}

    def _find_layouts(self, wanted: Mapping[str, Place], image: torch.Tensor) -> dict[str, Layout]:
        """Find the axes of the wanted outputs in a pass of one image."""
        shapes: dict[str, Shape] = {}

        def note(layer: str, output: torch.Tensor) -> None:
            shapes[layer] = tuple(output.shape)

        with torch.no_grad(), Taps(self.module, wanted, note) as taps:
            self.module(image.clone())  # a network may write into its input
        rows: dict[str, Shape] = {}
        axes: dict[str, int] = {}
        for layer in wanted:
            shape = self._only(layer, wanted[layer], shapes, taps)
            row = row_of(shape, 1)
            if row is None:
                raise _no_rows(layer, self.name, shape, 1)
            rows[layer], axes[layer] = row, int(shape[0] != 1)
        size = (int(image.shape[2]), int(image.shape[3]))
        found = layouts(self.module, wanted, rows, size, self.build)
        return {layer: replace(found[layer], images=axes[layer]) for layer in wanted}

    def _only(self, layer: str, place: Place, shapes: Mapping[str, Shape], taps: Taps) -> Shape:
        """Return the shape of a layer's only tensor."""
        if layer in shapes and (place.number or taps.given[layer] == 1):
            return shapes[layer]
        if layer in shapes:
            raise BackboneError(
                f"Layer '{layer}' of {self.name} gives {taps.given[layer]} outputs in a pass: it is used several"
                f" times, or has several maps. Name one: {layer}:1 to {layer}:{taps.given[layer]}."
            )
        if taps.given[layer]:
            raise BackboneError(
                f"Layer '{layer}' of {self.name} is not reached in a forward pass, which has {taps.given[layer]} of it."
            )
        if layer in taps.kinds:
            raise BackboneError(f"Layer '{layer}' of {self.name} gives a {taps.kinds[layer]}, not a tensor.")
        raise BackboneError(f"Layer '{layer}' of {self.name} is not reached in a forward pass.")

    def listing(self, size: int | Size) -> list[LayerInfo]:
        """Return curated layers in the order of a pass, then all modules, with shapes for one image of a side or size.

        Several tensors of a module in a pass are numbered, `relu:1`, `relu:2`. Outputs that cannot be layers, because
        they do not have one row per image or their axes are ambiguous, are left out.
        """
        size = (size, size) if isinstance(size, int) else size
        rows = told(self.module, survey(self.module, size, self.layers.values()), size, self.build)
        curated = [LayerInfo(name, path, rows[path]) for name, path in self.layers.items() if path in rows]
        order = list(rows)
        curated.sort(key=lambda info: order.index(info.module))
        others = [path for path in order if not path.startswith((INPUT, HEAD, TRUNK)) and path not in self.layers]
        return curated + [LayerInfo(path, path, rows[path]) for path in others]

    def _places(self, layers: Sequence[str]) -> dict[str, Place]:
        known = places(self.module)
        wanted = {}
        for layer in layers:
            name = split_pooling(layer, "")[0]
            place = find_place(self.module, known, resolved(name, lambda part: self.layers.get(part, part)))
            if place is None:
                raise unknown_layer(name, list(self.layers), self.name, list(known))
            wanted[layer] = place
        return wanted


class _Seen(Exception):  # noqa: N818 - a signal, not an error
    """Every requested layer has been seen."""


def _no_rows(layer: str, name: str, shape: Shape, images: int) -> BackboneError:
    return BackboneError(
        f"Layer '{layer}' of {name} gives {list(shape)} for {images} image(s), not one row per image (windows, "
        "perhaps); use the module around it."
    )
