"""A progress bar for extraction, with rate and time left."""

from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text


class ExtractionProgress(pl.Callback):
    """Shows images done, images per second and time left on stderr."""

    def __init__(self, images: int, processes: int) -> None:
        """`images` of this process, one of several that go at the same pace."""
        self.images, self.processes = images, processes
        self._bar: Progress | None = None

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the bar."""
        columns = ("Extracting", BarColumn(), MofNCompleteColumn(), "images", _Rate(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._bar.add_task("extract", total=self.images * self.processes)
        self._bar.start()

    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        """Advance by the images all processes passed."""
        if self._bar:
            self._bar.advance(self._bar.task_ids[0], len(batch[0]) * self.processes)

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the full bar standing."""
        self._stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Give the terminal back."""
        self._stop()

    def _stop(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")
