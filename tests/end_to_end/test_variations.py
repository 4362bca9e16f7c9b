"""One config, run in some fifty ways that must not matter: every number comes out the same, to the last digit.

Numbers are metrics.json without costs, predictions.csv, per_class.csv, the model's bytes, all features in the store.
"""

import ast
import gc
import hashlib
import json
import locale
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import torch
import warm
from PIL import Image
from threadpoolctl import threadpool_limits

from offshelf.commands import rerun
from offshelf.config import load, perform
from offshelf.dataset import decode
from offshelf.extractor import stream
from offshelf.store import DamagedShardError
from offshelf.store.shard import open_shard

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]

WORDS = ["backbone=tiny", "layer=block3", "augmentation=mirror", "classifier.C=[0.2,20]", "bootstrap.replicates=100"]
FILES = ("predictions.csv", "per_class.csv", "c_curve.csv", "model.safetensors")


def pictures(folder, reverse=False):
    """Three classes that are hard to tell apart, as JPEG and PNG, of several sizes, some with an alpha channel."""
    for seed in sorted(range(36), reverse=reverse):
        noise = np.random.default_rng(seed)
        shape = (24 + seed % 5, 30 - seed % 7, 4 if seed % 6 == 5 else 3)
        pixels = noise.integers(0, 230, shape, dtype=np.uint8)
        pixels[..., seed % 3] += np.uint8(6)
        part = "train" if seed < 24 else "test"
        path = folder / part / "abc"[seed % 3] / f"{seed}.{'jpg' if seed % 2 == 0 else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The images, and the numbers of a run that does nothing special."""
    place = tmp_path_factory.mktemp("original")
    pictures(place / "images")
    run(place, place)
    return place, numbers(place)


def words(place, images=None, *more):
    """Overrides of the run."""
    home = [] if any(word.startswith("home=") for word in more) else [f"home={place / 'home'}"]
    data = ["dataset=folder", f"dataset.root='{images or place / 'images'}'"]
    tracking = [] if any(word.startswith("tracking=") for word in more) else ["tracking=none"]
    return [*data, *WORDS, *home, *tracking, *more]


def run(place, source, *more, images=None):
    """The run in this process: images of `source`, home and output in `place`."""
    overrides = words(place, images or source / "images", *more)
    perform(load("classify", overrides), place / "out")


def numbers(place, out=None, home=None):
    """Everything that a run computes."""
    out = out or place / "out"
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    found = {name: value for name, value in metrics.items() if not name.startswith("cost/")}
    found |= {name: (out / name).read_bytes() for name in FILES if (out / name).exists()}
    return found | {"features": features(home or place / "home")}


def features(home):
    """Digest of all rows of all features, by image and key."""
    rows = {}
    for path in sorted((home / "store").rglob("*.safetensors")):
        with suppress(DamagedShardError):  # which stays beside what was extracted again
            shard = open_shard(path)
            for key in shard.tensors:
                for image, row in zip(shard.images, shard.read(key), strict=True):
                    rows[key, image.tobytes()] = row.tobytes()
    return hashlib.sha256(repr(sorted(rows.items())).encode()).hexdigest() if rows else None


def check(found, wanted, kept=()):
    """Equal to the last digit, but for what this variation does not write."""
    assert wanted["cv/accuracy"] < 1 and 0 < wanted["test/accuracy"] < 1, "numbers that could not differ"
    differing = [name for name in wanted if name not in kept and found.get(name) != wanted[name]]
    assert not differing, {name: (found.get(name), wanted[name]) for name in differing if name not in FILES}


OPTIONS = {
    "batches of 1": ["extractor.batch_size=1"],
    "batches of 7": ["extractor.batch_size=7"],
    "batches of 64": ["extractor.batch_size=64"],
    "one worker": ["extractor.workers=1"],
    "five workers": ["extractor.workers=5"],
    "chunks of 1": ["extractor.chunk=1"],
    "chunks of 5": ["extractor.chunk=5"],
    "batches larger than chunks": ["extractor.chunk=4", "extractor.batch_size=16"],
    "the CPU by name": ["extractor=cpu"],
    "eager by name": ["extractor.engine=eager"],
    "features in memory": ["store=memory"],
    "on_error=skip": ["on_error=skip"],
    "a name": ["name=another"],
    "layer in a list": ["layer=[block3]"],
    "no model": ["keep_model_mb=0"],
    "tracking=offline": ["tracking=offline"],
    "tracking=mlflow": ["tracking=mlflow"],
    "launcher=joblib": ["launcher=joblib"],
}
UNWRITTEN = {
    "features in memory": ["features"],
    "no model": ["model.safetensors"],
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name, original, tmp_path):
    """Which say how, not what."""
    place, wanted = original
    run(tmp_path, place, *OPTIONS[name])
    check(numbers(tmp_path), wanted, UNWRITTEN.get(name, ()))


@contextmanager
def threads(number):
    """As many in PyTorch and in BLAS."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        with threadpool_limits(number):
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def patched(target, name, value):
    """An attribute replaced."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, name, value)
        yield


@contextmanager
def environment(**values):
    """Variables of the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        time.tzset()
        yield
    time.tzset()


@contextmanager
def used_generators():
    """All global random generators elsewhere than at their start."""
    random.seed(5)
    np.random.seed(7)
    torch.manual_seed(9)
    yield


@contextmanager
def slow_files():
    """Images come in another order than they are asked for."""
    make = stream.Stream._make_views

    def late(self, image):
        time.sleep(0.01 * (int(image.digest[:2], 16) % 3))
        return make(self, image)

    with patched(stream.Stream, "_make_views", late):
        yield


@contextmanager
def backwards():
    """Folders list their entries backwards."""
    listdir, walk, scandir, iterdir = os.listdir, os.walk, os.scandir, Path.iterdir

    @contextmanager
    def entries(*arguments):
        with scandir(*arguments) as found:
            yield iter(list(found)[::-1])

    with ExitStack() as stack:
        stack.enter_context(patched(os, "listdir", lambda *given: listdir(*given)[::-1]))
        stack.enter_context(patched(os, "scandir", entries))
        stack.enter_context(patched(Path, "iterdir", lambda path: iter(list(iterdir(path))[::-1])))
        stack.enter_context(patched(os, "walk", walk))
        yield


@contextmanager
def restored(change, back):
    """A setting of the process."""
    before = change()
    try:
        yield
    finally:
        back(before)


def umask(mode):
    """Rights of new files."""
    return lambda: restored(lambda: os.umask(mode), os.umask)


PROCESS = {
    "one thread": lambda: threads(1),
    "two threads": lambda: threads(2),
    "three threads": lambda: threads(3),
    "random generators used before": used_generators,
    "images that come late": slow_files,
    "folders listed backwards": backwards,
    "JPEGs by Pillow": lambda: patched(decode, "_simplejpeg", lambda: None),
    "umask 077": umask(0o077),
    "umask 000": umask(0o000),
    "another time zone": lambda: environment(TZ="Pacific/Chatham"),
    "another locale": lambda: restored(
        lambda: (locale.setlocale(locale.LC_ALL), locale.setlocale(locale.LC_ALL, "C.utf8"))[0],
        lambda before: locale.setlocale(locale.LC_ALL, before),
    ),
    "a narrow terminal": lambda: environment(COLUMNS="30", NO_COLOR="1", TERM="dumb"),
    "no garbage collection": lambda: restored(gc.disable, lambda _: gc.enable()),
    "deterministic algorithms": lambda: restored(
        lambda: torch.use_deterministic_algorithms(True), lambda _: torch.use_deterministic_algorithms(False)
    ),
    "short printed numbers": lambda: restored(
        lambda: (np.get_printoptions(), np.set_printoptions(precision=2))[0], lambda old: np.set_printoptions(**old)
    ),
}


@pytest.mark.parametrize("name", PROCESS)
def test_the_state_of_the_process(name, original, tmp_path):
    """Threads, random generators, order of events, rights, place and language."""
    place, wanted = original
    with PROCESS[name]():
        run(tmp_path, place)
    check(numbers(tmp_path), wanted)


def created_backwards(place, source):
    pictures(place / "made", reverse=True)
    return place / "made"


def copied(place, source, name="copied"):
    return Path(shutil.copytree(source, place / name, copy_function=shutil.copyfile))


def linked(place, source):
    (place / "link").symlink_to(source)
    return place / "link"


def hard_links(place, source):
    return Path(shutil.copytree(source, place / "hard", copy_function=os.link))


def read_only(place, source):
    folder = copied(place, source)
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


def old_files(place, source):
    folder = copied(place, source)
    for number, path in enumerate(sorted(folder.rglob("*.*"))):
        os.utime(path, (number, 1e9 - number))
    return folder


ROOTS = {
    "files created backwards": created_backwards,
    "copied images": copied,
    "a path with spaces and letters": lambda place, source: copied(place, source, "Bilder, ä é (1)"),
    "a link to the images": linked,
    "hard links": hard_links,
    "read-only images": read_only,
    "other times of files": old_files,
    "a path with dots": lambda place, source: f"{source}/../{source.name}/",
    "a relative path": lambda place, source: os.path.relpath(source),
}


@pytest.mark.parametrize("name", ROOTS)
def test_where_images_are(name, original, tmp_path):
    """And how they got there."""
    place, wanted = original
    run(tmp_path, place, images=ROOTS[name](tmp_path, place / "images"))
    check(numbers(tmp_path), wanted)


def test_where_everything_else_is(original, tmp_path, monkeypatch):
    """A home and an output folder with spaces, another working folder, another one for temporary files."""
    place, wanted = original
    odd = tmp_path / "daheim, ä é (1)"
    (odd / "tmp").mkdir(parents=True)
    monkeypatch.chdir(odd)
    monkeypatch.setattr(tempfile, "tempdir", str(odd / "tmp"))
    monkeypatch.setenv("OFFSHELF_HOME", str(odd / "home"))
    overrides = [word for word in words(odd, place / "images") if not word.startswith("home=")]
    perform(load("classify", overrides), odd / "out")

    check(numbers(odd), wanted)
    (odd / "home").rename(odd / "moved")
    perform(load("classify", words(odd, place / "images", f"home='{odd / 'moved'}'")), odd / "again")
    check(numbers(odd, odd / "again", odd / "moved"), wanted)
    assert json.loads((odd / "again/metrics.json").read_text())["cost/images_extracted"] == 0


def shards(place):
    """Files of the store."""
    return sorted((place / "home/store").rglob("*.safetensors"))


def test_whatever_is_in_the_store(original, tmp_path):
    """All of it, a part, damage, features of other layers, those of an extraction that was asked for alone."""
    place, wanted = original
    perform(load("layers", ["backbone=tiny"]), tmp_path)
    extraction = ["dataset=folder", f"dataset.root={place / 'images'}", *WORDS[:1], "augmentation=mirror"]
    for more in (["dry_run=true"], ["layer=block1"], ["layer=block3"]):
        chosen = [*extraction, f"home={tmp_path / 'home'}", "extractor.chunk=8", *more]
        perform(load("extract", chosen), tmp_path / "extract")
    run(tmp_path, place)
    of_block3 = numbers(tmp_path) | {"features": wanted["features"]}
    check(of_block3, wanted)
    shards(tmp_path)[0].unlink()
    changed = bytearray(shards(tmp_path)[1].read_bytes())
    changed[-5] ^= 1
    shards(tmp_path)[1].write_bytes(changed)
    run(tmp_path, place)
    check(numbers(tmp_path) | {"features": wanted["features"]}, wanted)


def test_stopped_and_taken_up_again(original, tmp_path, monkeypatch):
    """In the middle of the extraction, and again in the middle of the rest."""
    place, wanted = original
    make, left = stream.Stream._make_views, [10]

    def stop(self, image):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return make(self, image)

    monkeypatch.setattr(stream.Stream, "_make_views", stop)
    for _ in range(2):
        left[0] = 10
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, place, "extractor.chunk=3")
    assert 0 < len(shards(tmp_path)) < 12
    left[0] = 1000
    run(tmp_path, place, "extractor.chunk=5")
    check(numbers(tmp_path), wanted)


def test_two_at_once_in_one_home(original, tmp_path):
    """That share the work, each in a thread of its own."""
    place, wanted = original
    overrides = words(tmp_path, place / "images", "extractor.chunk=2")
    configs = [load("classify", overrides) for _ in range(2)]
    both = [
        threading.Thread(target=perform, args=(config, tmp_path / f"out{row}")) for row, config in enumerate(configs)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    for row in range(2):
        check(numbers(tmp_path, tmp_path / f"out{row}"), wanted)


def test_from_its_own_record(original, tmp_path, monkeypatch, capsys):
    """Rerun, warm and cold."""
    place, _ = original
    monkeypatch.chdir(tmp_path)
    for more in ([], ["--cold"]):
        assert rerun.main([str(place / "out"), f"home={place / 'home'}", "--check", *more]).code == 0
    assert capsys.readouterr().out.count("Equal: all") == 2


def command(*arguments, program=(), cwd, **variables):
    """A process of the command line."""
    started = [*(program or [str(warm.program())]), "classify", *arguments]
    return subprocess.Popen(
        started, cwd=cwd, env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_killed_and_taken_up_again(original, tmp_path):
    """By SIGKILL, as soon as something is in the store."""
    place, wanted = original
    given = [*words(tmp_path, place / "images", "extractor.chunk=1", "extractor.batch_size=1"), "hydra.run.dir=out"]
    process = command(*given, cwd=tmp_path)
    while process.poll() is None and len(shards(tmp_path)) < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    again = command(*given, cwd=tmp_path)
    said = again.communicate()[0]

    assert again.returncode == 0, said
    check(numbers(tmp_path), wanted)


@pytest.mark.parametrize("launcher", ["basic", pytest.param("joblib", marks=pytest.mark.soak)])
def test_jobs_of_a_sweep(launcher, original, tmp_path):
    """Which share features, transforms and Gram matrices, in one process or in several."""
    place, wanted = original
    given = words(tmp_path, place / "images", f"launcher={launcher}", "name=one,two", "hydra.sweep.dir=jobs")
    process = command("-m", *given, cwd=tmp_path)
    said = process.communicate()[0]

    assert process.returncode == 0, said
    for job in "01":
        check(numbers(tmp_path, tmp_path / "jobs" / job), wanted)


OWN_PYTHON = [
    "hash seed 1, two threads",
    pytest.param("hash seed 2, two processes", marks=pytest.mark.soak),
    pytest.param("hash seed 3, no asserts", marks=pytest.mark.soak),  # for which Python compiles all libraries anew
]


@pytest.mark.parametrize("name", OWN_PYTHON)
def test_a_python_of_its_own(name, original, tmp_path):
    """What only a new interpreter can vary; several in one, as each takes seconds."""
    place, wanted = original
    variables = {
        "PYTHONHASHSEED": name[10],
        "OMP_NUM_THREADS": "2" if "two threads" in name else "1",
        "LC_ALL": "C",
        "TZ": "Asia/Tokyo",
    }
    more = ["hydra.run.dir=out", *(["extractor.processes=2", "extractor.chunk=6"] if "processes" in name else [])]
    program = [sys.executable, *(["-O"] if "no asserts" in name else []), "-m", "offshelf"]
    process = command(*words(tmp_path, place / "images", *more), program=program, cwd=tmp_path, **variables)
    said = process.communicate()[0]

    assert process.returncode == 0, said
    check(numbers(tmp_path), wanted)


def test_asserts_do_nothing():
    """But check: they call only isinstance and name nothing, so that Python's -O may leave them out."""
    for path in (Path(__file__).parents[2] / "src").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts = [part for found in ast.walk(tree) if isinstance(found, ast.Assert) for part in ast.walk(found)]
        called = {ast.unparse(part.func) for part in parts if isinstance(part, ast.Call)}

        assert called <= {"isinstance"}, path
        assert not any(isinstance(part, ast.NamedExpr | ast.Await | ast.Yield) for part in parts), path
        assert not any(isinstance(found, ast.Name) and found.id == "__debug__" for found in ast.walk(tree)), path


def test_there_are_forty_and_more():
    """Of options, states and places, beside the tests of one variation."""
    assert len(OPTIONS) + len(PROCESS) + len(ROOTS) > 40
