"""Descriptions of runs: Markdown that shows any name as it is, bounded, with links once the run has a place."""

import re

from offshelf.tracking.events import EndEvent, LogEvent
from offshelf.tracking.mlflow.notes import placed
from offshelf.tracking.note import NOTE_TAG, Note, plain

HOSTILE = "a](javascript:alert(1)) <img src=x onerror=alert(1)> | *b* `c` ![d](artifact:e) https://f.example &amp;\n# g"


def test_any_text_is_plain():
    """Nothing of Markdown, HTML or an address is left; entities give the text back."""
    shown = plain(HOSTILE)

    assert not re.search(r"[\[\]<>|*`!#](?!\d+;)|://", shown.replace("&#", "&"))
    assert re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), shown) == " ".join(HOSTILE.split())


def test_long_tables_are_cut():
    note = Note("answer", columns=["layer", "accuracy"], rows=[[f"blocks.{row}", "0.5"] for row in range(5000)])
    text = note.markdown()

    shown = text.count("| blocks.")
    assert len(text) < 8000
    assert 100 < shown < 5000
    assert f"{5000 - shown:,} more rows" in text


def test_links_lead_to_the_run():
    """Files of the run, by its place in MLflow; names of others are text."""
    note = Note(f"answer {HOSTILE}", files=[("report", "report.html")], pictures=["layers.png"]).markdown()
    event = placed(LogEvent(0, {}, {}, {NOTE_TAG: note, "other": "[a](artifact:b)"}), "7", "ab12")

    text = event.tags[NOTE_TAG]
    assert "[report](#/experiments/7/runs/ab12/artifacts/report.html)" in text
    assert "![layers.png](get-artifact?path=layers.png&run_uuid=ab12)" in text
    assert text.count("ab12") == 2
    assert event.tags["other"] == "[a](artifact:b)"
    assert placed(EndEvent(0, "FINISHED"), "7", "ab12") == EndEvent(0, "FINISHED")
