"""A progress bar for extraction, with rate and time left."""

from typing import Any

import pytorch_lightning as pl
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from offshelf.extractor.plan import Plan
from offshelf.extractor.work import Work
from offshelf.terminal import terminal


class ExtractionProgress(pl.Callback):
    """Shows how it runs, images done by all processes, images per second and time left, on stderr."""

    def __init__(self, work: Work, plan: Plan) -> None:
        self.work, self.plan = work, plan
        self._bar: Progress | None = None
        self._done = 0

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the bar."""
        console = terminal(stderr=True)
        if not self._done:
            console.print(f"Extracting {pl_module.name}: {self.plan}", highlight=False, soft_wrap=True)
        columns = (BarColumn(), MofNCompleteColumn(), "images", _Rate(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console)
        self._bar.add_task("extract", total=self.work.total, completed=self._done)
        self._bar.start()

    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        """Advance by the images that are complete with this batch."""
        if self._bar:
            last: int = int(pl_module.views) - 1  # type: ignore[arg-type]
            self._done += int((batch.views == last).sum()) + len(batch.faults)
            self._bar.update(self._bar.task_ids[0], completed=min(self._done + self.work.elsewhere, self.work.total))

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
