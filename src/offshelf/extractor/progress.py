"""The progress of an extraction: a bar in a terminal, elsewhere a line every ten seconds."""

from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text
from typing_extensions import override

from offshelf.extractor.chunks import ChunkQueue
from offshelf.extractor.request import Request
from offshelf.terminal import terminal
from offshelf.terminal.progress import Progress

if TYPE_CHECKING:
    from offshelf.extractor.stream import Batch  # imports torch


class ExtractionProgress:
    """Shows on stderr the plan, the images done by all processes, images per second, and the time left."""

    def __init__(self, queue: ChunkQueue, how: str, request: Request) -> None:
        """Take in words how features are extracted."""
        self.queue, self.how = queue, how
        self.name, self.last_view = request.backbone.name, len(request.views) - 1
        self._bar: Bar | None = None
        self._lines: Progress | None = None
        self._done = 0

    def start(self) -> None:
        """Draw the bar."""
        console = terminal(stderr=True)
        if not self._done:
            console.print(f"Extracting {self.name}: {self.how}", highlight=False, soft_wrap=True)
        if not console.is_terminal:
            self._lines = self._lines or Progress(f"Extracting {self.name}", "images", self._state)
            return
        columns = (BarColumn(), MofNCompleteColumn(), "images", _Rate(), TimeRemainingColumn())
        self._bar = Bar(*columns, console=console)
        self._bar.add_task("extract", total=self.queue.total, completed=self._done)
        self._bar.start()

    def advance(self, batch: "Batch") -> None:
        """Advance by the images that are complete with this batch."""
        self.add(int((batch.views == self.last_view).sum()) + len(batch.faults))

    def add(self, images: int) -> None:
        """Advance by a number of images."""
        self._done += images
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=self._state()[0])
        elif self._lines:
            self._lines.tick()

    def stop(self) -> None:
        """Leave the bar as it stands, and release the terminal; after lines, say how long it took."""
        if self._lines:
            self._lines.stop()
        if self._bar:
            self._bar.stop()
            self._bar = None

    def _state(self) -> tuple[int, int]:
        return min(self._done + self.queue.elsewhere, self.queue.total), self.queue.total


class _Rate(ProgressColumn):
    @override
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")
