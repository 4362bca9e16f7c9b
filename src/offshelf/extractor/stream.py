"""Batches of views, made by threads while the network runs. Each image is decoded once for all its views."""

import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from offshelf.augmentation import View, look
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.dataset import Image
from offshelf.dataset.image import require_pixels
from offshelf.errors import ImageError
from offshelf.extractor.chunks import Chunk, Indexed

BATCHES_AHEAD = 2
"""Batches in preparation while one is in the network. Extraction never holds more pixels than these."""

Slot = tuple[int, int, "Future[list[torch.Tensor]]"]
"""Row number, view number, and a future of the image's views."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Views of one chunk's images, at one scale. All batches have one length, so that the same kernels process them."""

    chunk: Chunk
    rows: np.ndarray
    """Row number of each view's image, int64 [n], n <= B."""
    views: np.ndarray
    """View number of each, int64 [n]."""
    pixels: torch.Tensor
    """uint8 [B, S, S, 3], on the device; rows from n on are padding."""
    faults: dict[int, str]
    """Reasons why images among these cannot be read, by row number."""
    is_last: bool
    """Whether this is the last batch of its chunk."""


@dataclass(frozen=True)
class Stream:
    """Batches of the views of images, chunk by chunk."""

    chunks: Iterable[Chunk]
    images: Indexed[Image]
    views: Sequence[View]
    preprocessing: Preprocessing
    batch_size: int
    threads: int
    device: str = "cpu"
    """Device that makes the views and holds the batches. A GPU receives whole images and resizes them itself."""

    def __iter__(self) -> Iterator[Batch]:
        pending: deque[tuple[Chunk, list[Slot], bool]] = deque()
        with ThreadPoolExecutor(self.threads, "decode", _give_way if self.device == "cpu" else None) as pool:
            try:
                for batch in self._submitted(pool):
                    pending.append(batch)
                    if len(pending) > BATCHES_AHEAD:
                        yield self._collect(*pending.popleft())
                while pending:
                    yield self._collect(*pending.popleft())
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _submitted(self, pool: ThreadPoolExecutor) -> Iterator[tuple[Chunk, list[Slot], bool]]:
        """Yield batches whose images have been submitted to the threads. Chunks are taken no earlier than needed.

        A batch holds views of one scale, which have one size.
        """
        for chunk in self.chunks:
            left = len(chunk.rows) * len(self.views)
            slots_at: dict[float, list[Slot]] = {view.scale: [] for view in self.views}
            for row in chunk.rows.tolist():
                made = pool.submit(self._make_views, self.images[row])
                for number, view in enumerate(self.views):
                    slots = slots_at[view.scale]
                    slots.append((row, number, made))
                    if len(slots) == self.batch_size:
                        left -= len(slots)
                        yield chunk, slots, left == 0
                        slots_at[view.scale] = []
            for slots in filter(None, slots_at.values()):
                left -= len(slots)
                yield chunk, slots, left == 0

    def _make_views(self, image: Image) -> list[torch.Tensor]:
        """Decode an image once, and return all its views, each uint8 [S, S, 3] on the device."""
        pixels = image.load()
        require_pixels(pixels, image)
        if self.device == "cpu":
            return [_tensor(view) for view in look(pixels, self.views, self.preprocessing)]
        whole = _tensor(pixels).to(self.device)
        straight = [view for view in self.views if not view.angle]
        seen = dict(zip(straight, look(whole, straight, self.preprocessing), strict=True))
        turned = [view for view in self.views if view.angle]
        if turned:  # the CPU rotates: only the resulting views are copied to the GPU
            made = look(pixels, turned, self.preprocessing)
            seen.update(zip(turned, (_tensor(view).to(self.device) for view in made), strict=True))
        return [seen[view] for view in self.views]

    def _collect(self, chunk: Chunk, slots: list[Slot], is_last: bool) -> Batch:
        size = self.preprocessing.scaled(self.views[slots[0][1]].scale).size
        pixels = torch.empty((self.batch_size, *size, 3), dtype=torch.uint8, device=self.device)
        filled = pixels.numpy() if self.device == "cpu" else pixels  # NumPy copies without waiting for busy cores
        rows: list[int] = []
        views: list[int] = []
        faults: dict[int, str] = {}
        for row, view, made in slots:
            try:
                filled[len(rows)] = made.result()[view]
            except ImageError as error:
                faults[row] = str(error)
                continue
            rows.append(row)
            views.append(view)
        filled[len(rows) :] = 0
        return Batch(chunk, np.array(rows, np.int64), np.array(views, np.int64), pixels, faults, is_last)


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.require(pixels, requirements=["C", "W"]))


def _give_way() -> None:
    """Lower this thread's priority, on Linux, where threads have their own.

    On a CPU, decoding and the network share the cores. A network's threads wait for each other after every layer, so
    that one core taken from them stops them all. Decoding therefore works best in the gaps.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + 10)
