"""What a study says, and what is said of one that is malformed."""

import re
from pathlib import Path

import pytest

from offshelf.errors import ConfigError
from offshelf.study import Column, StudyRow, read_study

GOOD = """\
title: Coins
metric: mean_class_accuracy
columns:
  head: { class: "0" }
  mean: { metric: accuracy, run: again, beside: all }
rows:
  - { name: ours, run: coins svm, beside: "SVM [1]" }
notes: [One., Two.]
"""
PUBLISHED = "method,head,all\nSVM [1],50,60.5\nOther,-,\n"


def write(folder, text=GOOD, published=PUBLISHED):
    """A study's folder."""
    (folder / "study.yaml").write_text(text)
    if published:
        (folder / "published.csv").write_text(published)
    return folder


def test_read(tmp_path):
    """Columns take the study's metric, and the published column of their name, unless they say otherwise."""
    study = read_study(write(tmp_path))

    assert (study.title, study.kind, study.name, study.notes) == ("Coins", "table", tmp_path.name, ("One.", "Two."))
    assert study.columns == (
        Column("head", "mean_class_accuracy", "0", "", "head"),
        Column("mean", "accuracy", None, "again", "all"),
    )
    assert study.rows == (StudyRow("ours", "coins svm", "SVM [1]"),)
    assert study.published == {"SVM [1]": {"head": 50, "all": 60.5}, "Other": {"head": None, "all": None}}
    assert [column.name for column in study.summary] == ["mean"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title:", "titel:", "study.yaml: there is no key 'titel'; did you mean 'title'?"),
        ("title: Coins\n", "", "study.yaml: the key 'title' is missing."),
        ("title: Coins", "title: [a]", "study.yaml: 'title' is one text; got ['a']."),
        ("title: Coins", "title: Coins\nkind: tabel", "there is no kind 'tabel'; did you mean 'table'?"),
        ("title: Coins", "title: 'Coins", "study.yaml is not YAML: "),
        ("title: Coins", "title: !!python/object/apply:os.getcwd []", "study.yaml is not YAML: "),
        ("{ class", "{ clss", "study.yaml, columns, head: there is no key 'clss'; did you mean 'class'?"),
        (
            "metric: accuracy",
            "metric: acuracy",
            "columns, mean: there is no metric 'acuracy'; did you mean 'accuracy'?",
        ),
        ("metric: mean_class_accuracy\n", "", "columns, head: the key 'metric' is missing."),
        (
            "metric: mean_class_accuracy",
            "metric: accuracy",
            "columns, head: accuracy has no numbers for single classes.",
        ),
        (
            "metric: accuracy",
            "metric: ns_score",
            "columns, mean: there is no metric 'ns_score'",
        ),
        ("metric: accuracy", "metric: medium/mAPP", "columns, mean: there is no metric 'medium/mAPP'"),
        (
            "metric: mean_class_accuracy",
            "metric: mAP",
            "columns, head: mAP has no numbers for single classes.",
        ),
        ("run: coins svm", "runs: coins svm", "row 1: there is no key 'runs'; did you mean 'run'?"),
        ("run: coins svm, ", "", "row 1: the key 'run' is missing."),
        ('"SVM [1]" }', '"SVN [1]" }', "row 'ours': published.csv has no method 'SVN [1]'; did you mean 'SVM [1]'?"),
        ("beside: all", "beside: al", "column 'mean': published.csv has no column 'al'; did you mean 'all'?"),
        (", beside: all", "", "published.csv has the column 'all', which no column of the study is compared with."),
        ("columns:", "columns: [head]\nrows:", "study.yaml"),
        (GOOD[GOOD.index("rows") :], "", "'rows' is empty"),
        (GOOD[GOOD.index("rows") :], "rows: 3", "'rows' is a list; got 3."),
        (GOOD[GOOD.index("columns") : GOOD.index("rows")], "", "'columns' is empty"),
        (
            "title: Coins",
            "title: Coins\nkind: layers",
            "only studies of the kind 'table' compare rows with published methods",
        ),
        (', beside: "SVM [1]" }', " }\nkind: layers", "'run' of a column is for the kind 'table'"),
        ("notes:", "  - { name: ours, run: x }\nnotes:", "two rows are called 'ours'; give each a name of its own."),
        (GOOD, "just words", "study.yaml: expected keys and values (title, kind, "),
    ],
)
def test_malformed(old, new, message, tmp_path):
    """One sentence that names the file and the key."""
    assert old in GOOD
    with pytest.raises(ConfigError) as error:
        read_study(write(tmp_path, GOOD.replace(old, new, 1)))

    assert message in str(error.value)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a table"),
        ("name,head\n", "the first column is called 'method'; got 'name'"),
        ("method,head,all\nSVM [1],1\n", "line 2: 3 cells are expected; got 2"),
        ("method,head,all\nSVM [1],1,2\nSVM [1],1,2\n", "line 3: the method 'SVM [1]' occurs twice"),
        ("method,head,all\nSVM [1],x,2\n", "line 2, head: a number in percent is expected; got 'x'"),
        ("method,head,all\nSVM [1],1,200\n", "line 2, all: a number in percent is expected; got '200'"),
        ("method,head,all\nSVM [1],nan,20\n", "line 2, head: a number in percent is expected; got 'nan'"),
    ],
)
def test_malformed_published(text, message, tmp_path):
    """The line and the column are named."""
    write(tmp_path, published=None)
    (tmp_path / "published.csv").write_text(text)
    with pytest.raises(ConfigError) as error:
        read_study(tmp_path)

    assert message in str(error.value)
    assert "published.csv" in str(error.value)


def test_no_study(tmp_path):
    """A folder without the file."""
    with pytest.raises(
        ConfigError, match=r"study\.yaml cannot be read: .* A study is a folder that holds a study\.yaml"
    ):
        read_study(tmp_path / "nowhere")


def test_the_documented_example(tmp_path):
    """Of experiments/README.md."""
    text = (Path(__file__).parents[2] / "experiments/README.md").read_text()
    example = re.search("```yaml\n(.*?)```", text, re.DOTALL).group(1)
    study = read_study(write(tmp_path, example, "method,head,accuracy\nSVM [1],1,2\n"))

    assert [column.beside for column in study.columns] == ["head", "accuracy", "accuracy", "abroad"]
