"""What runs in an actor of an extraction: a network that is loaded once, and decoding beside it."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Condition, Thread

import numpy as np
from typing_extensions import override

from offshelf.dataset import Image
from offshelf.extractor.chunks import Chunk
from offshelf.extractor.extractor import Extractor
from offshelf.extractor.request import Request
from offshelf.process.cores import LIMIT
from offshelf.store import Claim, FeatureKey, FeatureStore, MemoryStore


@dataclass(frozen=True)
class Target:
    """Where features go."""

    store: FeatureStore | None
    """None: they are sent back."""
    beacon: Path | None
    """A file that a node sees if it sees the folder of the store; features of others are sent back. None: all do."""


@dataclass(frozen=True, eq=False)
class Order:
    """A chunk of images, which know their digests."""

    rows: np.ndarray
    """Row numbers in the whole list, int64 [n]."""
    images: Sequence[Image]


@dataclass(frozen=True, eq=False)
class Delivery:
    """What came of a chunk."""

    faults: Mapping[int, str]
    """Reasons why images cannot be extracted, by row number."""
    how: str
    """Device, precision and engine."""
    images: Sequence[str] = ()
    """Digests of the images that `features` are of."""
    features: Mapping[FeatureKey, np.ndarray] = field(default_factory=dict)
    """Features, float32 [n, D_key] each, where this node does not see the store; else they are stored."""


class ExtractionSeat:
    """Extracts chunks one after the other, and decodes the next one meanwhile."""

    def __init__(self, extractor: Extractor, request: Request, images: int, target: Target) -> None:
        """Take the number of all images to extract, on which the engine depends."""
        os.environ[LIMIT] = str(extractor.ray.threads)
        sees = target.beacon is None or target.beacon.exists()
        self.sent = _Sent()
        self.store: FeatureStore = target.store if target.store is not None and sees else self.sent
        self.extractor, self.request, self.total = extractor, request, images
        self.orders = _Orders(self._deliver)
        self.how = ""
        Thread(target=self._run, daemon=True).start()

    def call(self, order: Order) -> Delivery:
        """Extract a chunk; several may wait.

        Raises:
            OffshelfError: As `predict`, except BadImagesError.
        """
        return self.orders.put(order).result()

    def stop(self) -> None:
        """Do nothing: whatever is not written is extracted again."""

    def _run(self) -> None:
        try:
            self._extract()
        except BaseException as error:  # for whoever has asked, and asks
            self.orders.fail(error)

    def _extract(self) -> None:
        from offshelf.extractor.lightning import Forward, device_of, run_pass
        from offshelf.extractor.stream import Stream
        from offshelf.extractor.writer import StoreWriter

        extractor, request = self.extractor, self.request
        plan = extractor.plan(self.total, request.backbone)
        if plan.device == "cpu":
            _settle_on_cpu(extractor.ray.threads)
        forward = Forward(request, plan, extractor.engine == "auto")
        self.how = str(plan)
        stream = Stream(
            self.orders,
            self.orders.pictures,
            request.views,
            request.backbone.preprocessing(),
            extractor.batch_size,
            threads=extractor.workers or extractor.ray.threads,
            device=device_of(plan, 0),
        )
        while True:
            self.orders.wait()
            writer = StoreWriter(self.store, request.keys(extractor), self.orders, self.orders.pictures)
            try:
                run_pass(forward, stream, writer, None, 0)
                self.how = str(forward.engines.plan)  # another one, if an engine was not equal to PyTorch
            finally:
                writer.close()

    def _deliver(self, faults: Mapping[int, str]) -> Delivery:
        """Return what came of the chunk that the writer has just written."""
        images, features = self.sent.take()
        return Delivery(faults, self.how, images, features)


class _Orders:
    """Chunks that were asked for, as the stream and the writer of an extraction see them."""

    def __init__(self, deliver: Callable[[Mapping[int, str]], Delivery]) -> None:
        self.pictures: dict[int, Image] = {}
        self.images: dict[int, str] = {}
        self.faults: dict[int, str] = {}
        self.deliver = deliver
        self._waiting: deque[tuple[Order, Future[Delivery]]] = deque()
        self._taken: list[Future[Delivery]] = []
        self._why: BaseException | None = None
        self._changed = Condition()

    def put(self, order: Order) -> "Future[Delivery]":
        """Ask for a chunk."""
        done: Future[Delivery] = Future()
        with self._changed:
            if self._why:
                raise self._why
            self._waiting.append((order, done))
            self._changed.notify_all()
        return done

    def wait(self) -> None:
        """Wait until there is a chunk."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks that are there: to wait for others would hold back the last batches of those before."""
        while self._waiting:
            order, done = self._waiting.popleft()
            rows = order.rows.tolist()
            self.pictures.update(zip(rows, order.images, strict=True))
            self.images.update((row, image.digest) for row, image in zip(rows, order.images, strict=True))
            self._taken.append(done)
            yield Chunk(order.rows, _Ticket(finish=partial(self._finish, rows, done)))

    def fail(self, error: BaseException) -> None:
        """Tell all who wait, and who will ask, why nothing more comes."""
        with self._changed:
            self._why = error
            waiting = [*self._taken, *(done for _, done in self._waiting)]
        for done in waiting:
            if not done.done():
                done.set_exception(error)

    def _finish(self, rows: Sequence[int], done: "Future[Delivery]") -> None:
        for row in rows:
            del self.pictures[row], self.images[row]
        self._taken.remove(done)
        done.set_result(self.deliver({row: self.faults.pop(row) for row in rows if row in self.faults}))


@dataclass(frozen=True, eq=False)
class _Ticket(Claim):
    """The claim of a chunk that was asked for: to release it is to say that the chunk is written."""

    finish: Callable[[], None] = field(kw_only=True)

    @override
    def release(self) -> None:
        self.finish()


class _Sent(MemoryStore):
    """A store that keeps what is put until it is taken, to be sent."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "_last", ((), {}))

    @override
    def put(self, images: Sequence[str], features: Mapping[FeatureKey, np.ndarray]) -> None:
        object.__setattr__(self, "_last", (images, features))

    def take(self) -> tuple[Sequence[str], Mapping[FeatureKey, np.ndarray]]:
        """Return digests and features of the last chunk; nothing if it had none."""
        taken: tuple[Sequence[str], Mapping[FeatureKey, np.ndarray]] = self.__dict__["_last"]
        object.__setattr__(self, "_last", ((), {}))
        return taken


def _settle_on_cpu(threads: int) -> None:
    import torch

    from offshelf.extractor.allocator import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(threads)
