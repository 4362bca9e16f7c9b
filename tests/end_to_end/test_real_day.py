"""offshelf where things are not as they should be: real processes, disks, rights and clocks."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import warm
from PIL import Image

pytestmark = pytest.mark.slow
FAST = ["backbone=tiny", "layer=block3", "classifier.C=200", "bootstrap.replicates=0"]
UNTRACKED = [*FAST, "tracking=none"]
TOLD = "Extracting"
"""What a person is told in passing."""


def run(*arguments, cwd, before=(), **environment):
    """A finished `offshelf` process, which has said at most one error, and no traceback."""
    program = [*before, sys.executable, "-m", "offshelf"] if before else [warm.program()]
    command = [*program, *map(str, arguments)]
    surroundings = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=surroundings, timeout=600, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 0 or done.stderr.count("Error: ") == 1, done.stderr
    return done


def metrics(folder):
    """metrics.json of the only run below a folder."""
    (path,) = Path(folder).rglob("metrics.json")
    return json.loads(path.read_text())


@pytest.fixture
def read_only(small_disk):
    """Makes the small disk read-only."""

    def lock():
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        return small_disk

    return lock


def fill(disk, free):
    """Leave so many bytes of a disk."""
    with (disk / "ballast").open("wb") as file:
        file.write(b"\0" * (shutil.disk_usage(disk).free - free))


@pytest.mark.parametrize(
    ("free", "settings", "message"),
    [
        (50_000, ["home={disk}/home"], "mlflow.db cannot be used"),
        pytest.param(
            *(50_000, ["home={disk}/home", "tracking=none", "keep_model_mb=0"], "MiB of features to"),
            marks=pytest.mark.soak,
        ),
        (2_000, ["hydra.run.dir={disk}/run", "tracking=none"], "The output folder"),
        (20_000, ["hydra.run.dir={disk}/run", "tracking=none"], "Could not write the run's results"),
    ],
)
def test_full_disk(small_disk, tmp_path, free, settings, message):
    """A home or an output folder on it: a sentence; with room the same command goes on."""
    fill(small_disk, free)
    command = ["classify", *FAST, "extractor.chunk=500", *(setting.format(disk=small_disk) for setting in settings)]
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "o space left on device" in done.stderr or "disk is full" in done.stderr

    (small_disk / "ballast").unlink()
    if "tracking=none" in settings:  # MLflow's tables alone take most of this disk
        assert run(*command, cwd=tmp_path).returncode == 0


def test_read_only_home(read_only, tmp_path):
    """Said before any work, with the way out."""
    done = run("classify", *FAST, f"home={read_only()}", cwd=tmp_path)

    assert done.returncode == 1
    assert "is read-only. Choose another with home=… or OFFSHELF_HOME." in done.stderr
    assert "Extracting" not in done.stderr


@pytest.mark.parametrize("sweep", [[], pytest.param(["-m"], marks=pytest.mark.soak)])
def test_from_a_read_only_folder(read_only, home, tmp_path, sweep):
    """Results are in the home."""
    folder = read_only()
    done = run("classify", *sweep, *UNTRACKED, f"home={home}", cwd=folder)

    assert done.returncode == 0, done.stderr
    assert metrics(home)["test/accuracy"] > 0.5
    assert str(home) in done.stdout.split("Results are in ")[1]


def test_odd_names(tmp_path):
    """Spaces, umlauts, other scripts, quotes and signs, in the home, the folders, the classes, and what is written."""
    images = tmp_path / "meine Bilder (größer)"
    classes = ["naïve Äpfel", "梨 & 林檎", "it's 50% #1"]
    for number, label in enumerate(classes):
        (images / label).mkdir(parents=True)
        for shade in range(8):
            name = f"Bild {shade} é.png"
            Image.new("RGB", (16, 16), (80 * number, 10 * shade, 200 - 80 * number)).save(images / label / name)
    home = tmp_path / "dächer & 家 50%20 #2"
    where = tmp_path / "hier läuft's"
    where.mkdir()
    chosen = ["dataset=folder", f"dataset.root='{images}'", "name=Prüfung", "layer=[block1,block3]"]
    done = run("classify", *chosen, *FAST[:1], *FAST[2:], cwd=where, OFFSHELF_HOME=str(home))
    assert done.returncode == 0, done.stderr
    found = run("predict", "Prüfung", images, "--out", "é.csv", cwd=where, OFFSHELF_HOME=str(home))
    compared = run("compare", "Prüfung", "--out", "größe.svg", cwd=where, OFFSHELF_HOME=str(home))

    assert (home / "mlflow.db").exists()
    assert list((home / "artifacts").rglob("confusion.png"))
    assert found.returncode == compared.returncode == 0
    table = (where / "é.csv").read_text(encoding="utf-8")
    assert all(label in table for label in classes)
    assert (where / "größe.svg").stat().st_size > 1000


@pytest.mark.parametrize("value", ["0", "1"])
def test_the_user_s_hydra_full_error(value, tmp_path):
    """Changes nothing: a sentence, once, where the mistake is in the command, in the data, or in a job of a sweep."""
    for arguments, message in (
        (["classify", "clasifier.C=2"], "did you mean 'classifier'"),
        (["classify", *UNTRACKED, "dataset=folder", "dataset.root=nowhere"], "is not a folder"),
        (["layers", "backbone=custom", "backbone.module=nowhere.Net"], "nowhere"),
    ):
        done = run(*arguments, cwd=tmp_path, HYDRA_FULL_ERROR=value)
        assert done.returncode == 1
        assert message in done.stderr


@pytest.mark.soak
def test_a_clock_that_was_ahead(home, tmp_path):
    """Features that were written tomorrow are found; ages are not negative; nothing of the future counts as unused."""
    assert run("classify", *FAST, cwd=tmp_path).returncode == 0
    tomorrow = time.time() + 86400
    for path in (home / "store").rglob("*"):
        os.utime(path, (tomorrow, tomorrow))
    again = run("classify", *FAST, cwd=tmp_path)
    listed = run("store", "du", cwd=tmp_path)
    pruned = run("store", "prune", "--unused-days", "0.5", "--yes", cwd=tmp_path)

    assert again.returncode == 0
    assert TOLD not in again.stderr
    assert "now" in listed.stdout
    assert "tiny float32" in listed.stdout.splitlines()[2] and "-" not in listed.stdout.splitlines()[2]
    assert pruned.stdout.startswith("0 bytes freed")


def test_a_clock_that_was_behind(home, tmp_path):
    """Features from 1980 are found, and are as good."""
    assert run("extract", *FAST[:2], cwd=tmp_path).returncode == 0
    for path in (home / "store").rglob("*"):
        os.utime(path, (315532800, 315532800))
    again = run("extract", *FAST[:2], cwd=tmp_path)

    assert TOLD not in again.stderr


COLLEAGUE = 65534
GROUP = 100


@pytest.fixture
def shared(tmp_path):
    """A store of a colleague's, to whose group we belong, without the superuser's rights: as after `umask 002`."""
    without = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", f"--regid={GROUP}", "--clear-groups"]
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("only the superuser can act as several users")
    if subprocess.run([*without, "true"], capture_output=True, check=False).returncode:
        pytest.skip("the superuser may not give up rights here")
    store = tmp_path / "shared"
    store.mkdir()

    def hand_over(group_may_write):
        run("extract", *FAST[:2], f"store.root={store}", "extractor.chunk=600", cwd=tmp_path)
        (network,) = store.iterdir()
        for name in ("0" * 32, "f" * 32):  # locks of a process that has died
            claim = subprocess.run([sys.executable, "-c", DIE, network, name], check=False)
            assert claim.returncode == -9
        for path in [store, *store.rglob("*")]:
            os.chown(path, COLLEAGUE, GROUP)
            writable = 0o020 if group_may_write and path.suffix != ".lock" else 0
            path.chmod(path.stat().st_mode & ~0o022 | writable | (0o020 & path.stat().st_mode))
        return store, without

    return hand_over


DIE = """
import os, sys
from pathlib import Path
from offshelf.store.claim import claim
mine = claim(Path(sys.argv[1]), sys.argv[2])
os.kill(os.getpid(), 9)
"""


@pytest.mark.soak
def test_a_colleague_s_store_that_may_be_written(shared, tmp_path):
    """What is there is used, what is missing is added; locks of the colleague's dead processes are no hindrance."""
    store, without = shared(group_may_write=True)
    done = run("extract", "backbone=tiny", "layer=all", f"store.root={store}", cwd=tmp_path, before=without)
    assert done.returncode == 0, done.stderr
    (network,) = store.iterdir()
    locks = [path for path in (network / ".claims").iterdir() if path.suffix == ".lock"]
    assert len(locks) == 2
    code = "import sys; from pathlib import Path; from offshelf.store.maintenance import is_claimed; "
    code += "sys.exit(is_claimed(Path(sys.argv[1])))"
    assert not subprocess.run([*without, sys.executable, "-c", code, network], check=False).returncode


def test_a_colleague_s_store_that_may_only_be_read(shared, tmp_path):
    """What is there is used; what is missing gets a sentence."""
    store, without = shared(group_may_write=False)
    warm = run("classify", *UNTRACKED, f"store.root={store}", cwd=tmp_path, before=without)
    cold = run("classify", *UNTRACKED, "layer=block2", f"store.root={store}", cwd=tmp_path, before=without)

    assert warm.returncode == 0, warm.stderr
    assert cold.returncode == 1
    assert "cannot be written to: Permission denied. Its features can still be used" in cold.stderr
