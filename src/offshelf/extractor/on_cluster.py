"""An extraction by actors on a Ray cluster. This process holds names and digests; it imports no torch."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from uuid import uuid4

from offshelf.cluster import Answer, Gone, Opened, Seats
from offshelf.dataset import Image, digests
from offshelf.dataset.files import Files
from offshelf.errors import ImageError, OffshelfError, StoreError
from offshelf.extractor.chunks import Chunk, ChunkQueue, require_none
from offshelf.extractor.extraction_seat import Delivery, ExtractionSeat, Order, Target
from offshelf.extractor.extractor import Extractor
from offshelf.extractor.progress import ExtractionProgress
from offshelf.extractor.request import Request
from offshelf.store import DiskStore, FeatureStore, MemoryStore

AHEAD = 3
"""Chunks that an actor has at once: it decodes those that follow, and never waits for this process."""


def predict_on_cluster(extractor: Extractor, images: Sequence[Image], request: Request, store: FeatureStore) -> str:
    """Extract the request's features of the images that lack them into the store, by actors on a cluster.

    Chunks are claimed here, so that several of these extractions share the work. An actor writes into the store if its
    node sees it; otherwise it sends features back, and they are written here.

    Returns:
        Device, precision and engine that were used.

    Raises:
        BadImagesError: Images cannot be read. The features of all others are in the store.
        OffshelfError: The cluster is gone; what was finished is in the store.
    """
    queue = ChunkQueue(store, list(request.keys(extractor).values()), digests(images), extractor.chunk)
    progress = ExtractionProgress(queue, f"on a Ray cluster, actors of {extractor.ray.wanted}", request)
    alone = replace(extractor, processes=1)
    try:
        with _target(store) as target:
            make = partial(ExtractionSeat, alone, request, queue.total, target)
            with Seats(extractor.ray, make) as seats:
                progress.start()
                work = Distribution(extractor, seats, queue, images, progress)
                work.run()
                while queue.wait():
                    work.run()
    finally:
        progress.stop()
        queue.release()
    require_none(queue.faults, images)
    return work.how


class Distribution:
    """Chunks of a queue and the actors that they go to."""

    def __init__(
        self,
        extractor: Extractor,
        seats: Seats,
        queue: ChunkQueue,
        images: Sequence[Image],
        progress: ExtractionProgress,
    ) -> None:
        self.retries, self.seats, self.queue, self.images = extractor.ray.retries, seats, queue, images
        self.progress, self.how = progress, "from the store"
        chunks = -(-queue.total // extractor.chunk)
        self.wanted = min(extractor.ray.jobs, chunks)
        """Number of actors; 0 where others have extracted everything in the meantime."""
        self.left = chunks
        """About the number of chunks that are not taken."""
        self.sent: dict[int, tuple[int, Chunk]] = {}
        """Actors and chunks by the number of the call."""
        self.again: list[Chunk] = []
        self.deaths: Counter[int] = Counter()
        """How often a chunk was lost, by its first row."""
        self.open: list[int] = []
        self._chunks: Iterator[Chunk] = iter(())
        self._events = seats.events()

    def run(self) -> None:
        """Extract all chunks that no other process is working on.

        Raises:
            OffshelfError: A chunk was lost again and again, or the nodes do not see the images.
        """
        self._chunks = iter(self.queue)
        if self.wanted and not self.open:
            self.seats.open(self.wanted)
            self._take(next(self._events))
        for seat in self.open:
            self._fill(seat)
        while self.sent or self.again:  # lost chunks wait for an actor where all have died
            self._take(next(self._events))

    def _take(self, event: Opened | Answer | Gone) -> None:
        match event:
            case Opened(seat):
                self.open.append(seat)
                self._fill(seat)
            case Answer(seat, call, delivery):
                self._receive(self.sent.pop(call)[1], delivery)
                self._fill(seat)
            case Gone(seat, why):
                self.open.remove(seat)
                self.seats.open(1)
                self._lose(seat, why)

    def _fill(self, seat: int) -> None:
        """Give an actor chunks ahead; towards the end, one at a time, so that none is left with several."""
        most = AHEAD if self.left > AHEAD * self.wanted else 1
        for _ in range(most - sum(holder == seat for holder, _ in self.sent.values())):
            chunk = self.again.pop() if self.again else next(self._chunks, None)
            if chunk is None:
                return
            self.left -= 1
            call = self.seats.call(seat, Order(chunk.rows, taken(self.images, chunk)))
            self.sent[call] = (seat, chunk)

    def _lose(self, seat: int, why: str) -> None:
        lost = [call for call, (holder, _) in self.sent.items() if holder == seat]
        for chunk in [self.sent.pop(call)[1] for call in lost]:
            first = int(chunk.rows[0])
            self.deaths[first] += 1
            if self.deaths[first] > self.retries:
                raise OffshelfError(
                    f"The images from {self.images[first]} on were lost {self.deaths[first]} times: {why}. What was "
                    "finished is in the store; give each actor more memory, or try more often: extractor.ray.retries"
                )
            self.again.append(chunk)
        for other in self.open:
            self._fill(other)

    def _receive(self, chunk: Chunk, delivery: Delivery) -> None:
        for row, why in delivery.faults.items():
            self._require_seen(row, why)
        if delivery.images:
            self.queue.store.put(delivery.images, delivery.features)
        self.queue.faults.update(delivery.faults)
        chunk.claim.release()
        self.how = delivery.how or self.how
        self.progress.add(len(chunk.rows))

    def _require_seen(self, row: int, why: str) -> None:
        """Raise OffshelfError if an image that a node could not read can be read here."""
        if "cannot be read" not in why:
            return
        try:
            self.images[row].load()
        except ImageError:
            return
        raise OffshelfError(
            f"A node of the Ray cluster does not see the images as this machine does: {why.rstrip('.')}. They need to "
            "be under the same path on all nodes: in a shared folder, or as copies."
        )


def taken(images: Sequence[Image], chunk: Chunk) -> Sequence[Image]:
    """Return the images of a chunk as they travel, with their digests."""
    if isinstance(images, Files):
        return images.take(chunk.rows)
    found = [images[row] for row in chunk.rows.tolist()]
    for image in found:
        _ = image.digest  # kept in the image
    return found


@contextmanager
def _target(store: FeatureStore) -> Iterator[Target]:
    """Put a file beside the features for the block, by which nodes know whether they see the same folder."""
    if isinstance(store, MemoryStore):
        yield Target(None, None)
        return
    if not isinstance(store, DiskStore):
        yield Target(store, None)
        return
    beacon = store.root / f".seen-{uuid4().hex}"
    try:
        store.root.mkdir(parents=True, exist_ok=True)
        beacon.touch()
    except OSError as error:
        raise StoreError(f"The feature store {store.root} cannot be written to: {error.strerror}.") from error
    try:
        yield Target(store, beacon)
    finally:
        beacon.unlink(missing_ok=True)
