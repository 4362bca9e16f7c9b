"""A tracker that records what its run logs, and leaves all else to another."""

from offshelf.tracking import Offline, RecordingTracker
from offshelf.tracking.outbox.outbox import Outbox


def test_a_run_is_recorded_and_passed_on(tmp_path, home):
    """Without what runs nested under it log."""
    tracker = RecordingTracker(Offline(), {"rerun_of": "abc"})
    with tracker.start("a run", tmp_path / "out") as run:
        run.log({"n": 1}, {"test/accuracy": 0.5}, {"metric": "accuracy"})
        run.log_text("x", "a.txt")
        with run.child("layer") as child:
            child.log(metrics={"test/accuracy": 0.1, "cv/accuracy": 0.2})
    journal = Outbox(home).find(run.id)

    assert tracker.metrics == {"test/accuracy": 0.5}
    assert tracker.tags == {"metric": "accuracy"}
    assert journal.read().metrics == tracker.metrics
    assert journal.read().tags.items() >= {"rerun_of": "abc", "metric": "accuracy"}.items()
    assert (journal.folder / "files/a.txt").read_text() == "x"


def test_a_sweep_is_the_other_trackers(tmp_path, home):
    """With its finished jobs."""
    tracker = RecordingTracker(Offline())
    with tracker.sweep("sweep", "d", resume=True, shared=False) as sweep:
        pass
    assert Outbox(home).find(sweep.id).read().end.status == "FINISHED"
    assert tracker.finished("d") == {}
    assert tracker.metrics == {}
