"""The command line as a user meets it: real processes, real output."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import warm
from PIL import Image
from sklearn.datasets import load_digits

from offshelf.config.override import beyond_ascii

FAST = ["backbone=tiny", "layer=last", "tracking=none", "classifier.C=2000"]


def run(*arguments, cwd, timeout=600, **environment):
    """A finished `offshelf` process."""
    command = [warm.program(), *arguments]
    surroundings = {**os.environ, **environment}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=timeout, env=surroundings, check=False
    )


@pytest.fixture
def digit_folder(tmp_path):
    """24 of scikit-learn's digits as a folder of three classes: 3, 5 and 8, which are easily confused."""
    digits = load_digits()
    for label in (3, 5, 8):
        folder = tmp_path / "digits" / str(label)
        folder.mkdir(parents=True)
        for number, pixels in enumerate(digits.images[digits.target == label][:8]):
            Image.fromarray((pixels * 255 / 16).astype(np.uint8)).save(folder / f"{number}.png")
    return tmp_path / "digits"


def metrics(folder):
    """metrics.json of the only run below a folder."""
    (path,) = Path(folder).rglob("metrics.json")
    return json.loads(path.read_text())


@pytest.mark.slow
def test_nothing_heavy_is_imported_to_answer():
    """Help, typos and completion must not wait for torch."""
    code = """
import sys
import offshelf.cli, offshelf.config, offshelf.config.completion
from offshelf.config import load
load("classify", [])
load("retrieve", [])
heavy = {"torch", "torchvision", "timm", "pytorch_lightning", "mlflow", "sklearn", "matplotlib", "pandas"}
sys.exit(" ".join(heavy & sys.modules.keys()) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help(arguments, tmp_path):
    """The commands, with examples."""
    done = run(*arguments, cwd=tmp_path)

    assert done.returncode == 0
    assert "offshelf classify layer=all" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["clasify"], "There is no command 'clasify'; did you mean 'classify'?"),
        (["classify", "clasifier.C=2"], "There is no key 'clasifier'; did you mean 'classifier'?"),
        (["classify", 'dataset.root=a "b(c'], "quote a value with such characters"),
        (["classify", "dataset=folder"], "Missing: dataset.root. Set: dataset.root=…"),
        (["classify", "-m", "layer=a,b", "dataset=digits,digit"], "did you mean 'digits'?"),
        (["classify", "layer=blocks.77", "tracking=none"], "efficientnet_lite0 has no layer 'blocks.77'"),
        (["classify", "layer=blok", "tracking=none"], "did you mean 'blocks."),
        (["classify", "dataset=folder", "dataset.root=/nowhere", "tracking=none"], "/nowhere is not a folder"),
        (["classify", "--config-dir", "nowhere"], "nowhere is not a folder"),
        (["classify", "--config-name", "nothing"], "There is no config 'nothing'"),
        (["classify", "tracking.uri=http://127.0.0.1:9"], "No MLflow server answers at http://127.0.0.1:9"),
        (["retrieve", "retrieval=nearst"], "retrieval has no option 'nearst'; did you mean 'nearest'?"),
        (["retrieve", "query_augmentation=whole", "tracking=none"], "augmentation@query_augmentation=whole"),
        (["ui", "prot=3"], "did you mean 'port=…'?"),
        (["ui"], "There are no runs in"),
        (["report", "nowhere"], "nowhere/study.yaml cannot be read"),
    ],
)
def test_mistakes_get_a_sentence(arguments, message, tmp_path):
    """Exit code 1, no traceback."""
    done = run(*arguments, cwd=tmp_path)

    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("Error") == 1, "Hydra announces it as well"


def test_odd_characters_as_the_message_says(tmp_path):
    """The quotes that it names bring the value through."""
    override = 'dataset.root=a"b(c d'
    said = run("classify", "dataset=folder", override, cwd=tmp_path).stderr
    quoted = shlex.split(said.partition("shell: ")[2])[0]
    done = run("classify", "dataset=folder", quoted, "tracking=none", cwd=tmp_path)

    assert f"{override} is not a folder" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["classify", "dataset=folder", "dataset.root=~/photos"], "dataset.root={home}/photos is not a folder"),
        (["store", "du", "home=~/nothing"], "{home}/nothing"),
    ],
)
def test_home_folder_in_a_value(arguments, message, tmp_path):
    """`~/` is the home folder, which no shell puts in after an equals sign."""
    home = tmp_path / "user"
    home.mkdir()
    done = run(*arguments, cwd=tmp_path, HOME=str(home))

    assert message.format(home=home) in done.stdout + done.stderr
    assert "is not an override" not in done.stderr


def test_config_is_shown_before_it_runs(tmp_path):
    """Hydra's flags work; missing values may stay open."""
    done = run("classify", "dataset=folder", "--cfg", "job", cwd=tmp_path)

    assert done.returncode == 0
    assert "_target_: offshelf.tasks.classify.classify" in done.stdout
    assert "root: ???" in done.stdout


@pytest.mark.slow
def test_run_leaves_its_files(tmp_path):
    """metrics.json, per_class.csv, config.yaml, and a table on the terminal."""
    done = run("classify", *FAST, cwd=tmp_path)
    (folder,) = (path.parent for path in tmp_path.rglob("metrics.json"))

    assert done.returncode == 0, done.stderr
    assert {"metrics.json", "per_class.csv", "config.yaml"} <= {path.name for path in folder.iterdir()}
    assert metrics(tmp_path)["test/accuracy"] > 0.5
    assert "block3" in done.stdout
    assert folder.relative_to(tmp_path).parts[:2] == ("outputs", "classify")


def test_retrieval_leaves_its_files(digit_folder, tmp_path):
    """A folder of objects, patch by patch: one command, scores on the terminal, files to look at."""
    patches = ["augmentation=patch_grid", "retrieval=spatial_search", "augmentation@query_augmentation=whole"]
    chosen = ["dataset=folder", f"dataset.root={digit_folder}", "backbone=tiny", "tracking=none", *patches]
    done = run("retrieve", *chosen, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    (folder,) = (path.parent for path in tmp_path.rglob("metrics.json"))
    assert folder.relative_to(tmp_path).parts[:2] == ("outputs", "retrieve")
    files = {"metrics.json", "queries.csv", "contact_sheet.html", "precision_recall.png", "config.yaml"}
    assert files <= {path.name for path in folder.iterdir()}
    assert metrics(tmp_path)["test/leave_query_out/mAP"] > 0.4  # by chance 7 of 23
    assert "leave query out" in done.stdout


@pytest.mark.slow
def test_layer_pattern_is_one_run(tmp_path):
    """All matching layers from one pass."""
    done = run("classify", *FAST, "layer=glob(block*)", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert {"test/accuracy/block1", "test/accuracy/block2", "test/accuracy/block3"} <= metrics(tmp_path).keys()


@pytest.mark.soak
@pytest.mark.slow
def test_sweep_goes_on_after_a_failed_job(tmp_path):
    """The failed job is named, the others are finished, the exit code tells."""
    done = run("classify", "-m", *FAST[:1], *FAST[2:], "layer=block1,nolayer,block3", cwd=tmp_path)

    assert done.returncode == 1
    assert "has no layer 'nolayer'" in done.stderr
    assert "1 of 3 jobs failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(list(tmp_path.rglob("metrics.json"))) == 2


def test_completion(tmp_path):
    """Commands, then groups and options of the task."""

    def answers(line):
        return run("-sc", "query=bash", cwd=tmp_path, COMP_LINE=line, COMP_POINT=str(len(line))).stdout.split()

    assert answers("offshelf cl") == ["classify"]
    assert "dataset=digits" in answers("offshelf classify dataset=d")
    assert "dry_run=" in answers("offshelf extract dry")
    assert "complete" in run("-sc", "install=bash", cwd=tmp_path).stdout
    for order in ("install", "uninstall"):
        assert "bashcompinit" in run("-sc", f"{order}=zsh", cwd=tmp_path).stdout.splitlines()[0]


def test_completion_is_taken_away(tmp_path):
    """By bash itself, where nothing completed `offshelf` before."""
    program = Path(sys.executable).parent
    script = """
        PATH=$1:$PATH
        eval "$(offshelf -sc install=bash)" && complete -p offshelf
        eval "$(offshelf -sc uninstall=bash)"
        complete -p offshelf
    """
    done = subprocess.run(
        ["bash", "-c", script, "bash", program], capture_output=True, text=True, cwd=tmp_path, check=False
    )

    assert done.stdout.count("-F hydra_bash_completion offshelf") == 1
    assert done.stderr.count("no completion specification") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.soak)]
)
def test_interruption_loses_nothing(number, code, tmp_path):
    """A clean end, and the next run goes on from the shards that are there."""
    arguments = ["classify", "layer=blocks.0", "tracking=none", "classifier.C=2", "extractor.chunk=32"]
    command = [sys.executable, "-m", "offshelf", *arguments]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    store = Path(os.environ["OFFSHELF_HOME"]) / "store"
    deadline = time.monotonic() + 300
    while len(list(store.rglob("*.safetensors"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)

    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert len(list(store.rglob("*.safetensors"))) >= 2
    assert not list(store.rglob("*.tmp"))


def numbers_however_it_runs(arguments, variants, folder):
    """All metrics of the images by variant; each has a home of its own, but `warm`, which shares that of `cold`.

    Costs are left out, and the certificate of the fit: it follows the features in their last bits, which a convolution
    of one image and one of a batch need not have in common.
    """
    results = {}
    for name, settings in variants.items():
        home = folder / ("cold" if name == "warm" else name)
        outputs = folder / f"run-{name}"
        outputs.mkdir()
        common = ["tracking=none", "baseline=null", "classifier.C=200", f"home={home}"]
        done = run("classify", *arguments, *common, *settings, cwd=outputs)
        assert done.returncode == 0, done.stderr
        found = metrics(outputs)
        assert found["fit/dual_gap"] <= 1e-4
        results[name] = {key: value for key, value in found.items() if key.startswith(("test/", "cv/"))}
    return results


@pytest.mark.slow
def test_same_numbers_however_it_runs(digit_folder, tmp_path):
    """Cold and warm, batch size 1 and 64, 0 and 2 workers: the same metrics to the last digit."""
    variants = {
        "cold": [],
        "warm": [],
        "batch1": ["extractor.batch_size=1"],
        "batch64": ["extractor.batch_size=64"],
        "workers": ["extractor.workers=2"],
    }
    arguments = ["dataset=folder", f"dataset.root={digit_folder}", "backbone=tiny", "layer=all", "dataset.folds=4"]

    results = numbers_however_it_runs(arguments, variants, tmp_path)

    assert 0 < results["cold"]["test/accuracy"] < 1, "numbers that could not differ"

    assert all(result == results["cold"] for result in results.values())


@pytest.mark.soak
@pytest.mark.slow
def test_same_numbers_of_a_pretrained_network(digit_folder, tmp_path):
    """EfficientNet-Lite0 on 24 images: the same metrics to the last digit, with one setting changed at a time."""
    variants = {
        "cold": [],
        "warm": [],
        "batch1": ["extractor.batch_size=1"],
        "processes": ["extractor.processes=2", "extractor.chunk=8"],
    }
    arguments = ["dataset=folder", f"dataset.root={digit_folder}", "layer=[blocks.4,pre_logits]", "dataset.folds=4"]

    results = numbers_however_it_runs(arguments, variants, tmp_path)

    assert {"test/accuracy/blocks.4", "test/accuracy/pre_logits"} <= results["cold"].keys()
    assert all(result == results["cold"] for result in results.values())


@pytest.mark.soak
@pytest.mark.slow
def test_dry_run_extracts_nothing(tmp_path):
    """It says what is missing; afterwards nothing is."""
    first = run("extract", "backbone=tiny", "dry_run=true", cwd=tmp_path)
    second = run("extract", "backbone=tiny", cwd=tmp_path)
    third = run("extract", "backbone=tiny", "dry_run=true", cwd=tmp_path)

    assert [done.returncode for done in (first, second, third)] == [0, 0, 0]
    assert "1,797" in first.stdout.split("not in the store")[1].splitlines()[0]
    assert third.stdout.split("not in the store")[1].splitlines()[0].split()[0] == "0"


@pytest.mark.slow
def test_layers_are_listed(tmp_path):
    """Curated names with modules and shapes."""
    done = run("layers", "backbone=tiny", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "8 x 16 x 16" in done.stdout


@pytest.mark.parametrize(
    ("typed", "passed"),
    [
        ("dataset.root=/home/jörg/Bilder 1", "dataset.root='/home/jörg/Bilder 1'"),
        ("name=Prüfung", "name='Prüfung'"),
        ("dataset.root=/a,/ö", "dataset.root=/a,/ö"),
        ("name='schön'", "name='schön'"),
        ("layer=[a,b]", "layer=[a,b]"),
        ("dataset.root=/a b", "dataset.root=/a b"),
    ],
)
def test_letters_beyond_ascii_are_quoted(typed, passed):
    """For Hydra; what may be a sweep, has quotes already, or needs none stays as it is."""
    assert beyond_ascii(typed) == passed
