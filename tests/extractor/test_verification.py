"""Features that other releases wrote are taken only where they come out equal today."""

import json
import re

import numpy as np
import pytest

import offshelf.extractor.runner
from offshelf import releases
from offshelf.augmentation import center, mirror
from offshelf.backbone import Tiny
from offshelf.commands.store import main
from offshelf.dataset import ImageArray
from offshelf.errors import StoreError
from offshelf.extractor import Extractor, Request, get_or_extract
from offshelf.extractor.verification import SAMPLE, sample
from offshelf.store import DiskStore
from offshelf.store.shard import open_shard

REQUEST = Request(Tiny(), ("block2", "block3"), "auto", mirror().views)
EXTRACTOR = Extractor(device="cpu", chunk=10)


def images(count=30):
    """Different ones, one of them tall."""
    random = np.random.default_rng(0)
    shapes = [(120, 20) if number == 7 else (24, 24 + number) for number in range(count)]
    return [ImageArray(random.integers(0, 256, (*shape, 3), np.uint8)) for shape in shapes]


@pytest.fixture
def other(monkeypatch):
    """Work as under other releases: `other(pillow="9.0.0")`; without any, as of today."""
    today = releases.releases()

    def set_to(text=None, **changed):
        def then():
            return text or json.dumps({**json.loads(today), **changed}, sort_keys=True)

        for place in ("offshelf.store.shard", "offshelf.store.disk", "offshelf.releases"):
            monkeypatch.setattr(f"{place}.releases", then)

    return set_to


@pytest.fixture
def passes(monkeypatch):
    """How many images each extraction was given."""
    seen = []
    predict = offshelf.extractor.runner.predict

    def counted(extractor, images, *rest):
        seen.append(len(images))
        return predict(extractor, images, *rest)

    monkeypatch.setattr("offshelf.extractor.runner.predict", counted)
    return seen


def test_equal_features_of_other_releases_are_taken_after_one_look(tmp_path, other, passes, caplog):
    """Eight images the first time, none after it; in another process neither; and again under yet other releases."""
    pictures = images()
    other(pillow="9.0.0")
    before = get_or_extract(DiskStore(tmp_path), EXTRACTOR, pictures, REQUEST)
    other()
    caplog.set_level("INFO")
    for _ in range(2):
        found = get_or_extract(DiskStore(tmp_path), EXTRACTOR, pictures, REQUEST)
        assert found.cost.extracted == 0
    assert passes == [30, SAMPLE]
    assert all((found.values[layer] == before.values[layer]).all() for layer in REQUEST.layers)
    assert re.search(
        r"written under pillow 9\.0\.0 \(today [\d.]+\): 8 image\(s\) extracted again are equal", caplog.text
    )
    other(torch="2.0.0")
    get_or_extract(DiskStore(tmp_path), EXTRACTOR, pictures, REQUEST)
    assert passes == [30, SAMPLE, SAMPLE]


def test_the_same_releases_cost_nothing(tmp_path, passes):
    """Nothing is extracted again, and nothing is left lying."""
    for _ in range(2):
        get_or_extract(DiskStore(tmp_path), EXTRACTOR, images(), REQUEST)

    assert passes == [30]
    assert not list(tmp_path.rglob("releases"))


def test_features_that_come_out_otherwise_stop_the_run(tmp_path, other, monkeypatch):
    """With the release, the number and the way out; also where only tall images differ."""
    from offshelf.augmentation import view

    resize = view.resize

    def then(pixels, width, height, interpolation):
        made = resize(pixels, width, height, interpolation)
        return made if max(pixels.shape[:2]) < 100 else (made // 16) * 16

    pictures = images()
    other(pillow="9.0.0")
    with monkeypatch.context() as patch:
        patch.setattr(view, "resize", then)
        get_or_extract(DiskStore(tmp_path), EXTRACTOR, pictures, REQUEST)
    other()
    for _ in range(2):  # nothing is remembered of it
        with pytest.raises(StoreError) as error:
            get_or_extract(DiskStore(tmp_path), EXTRACTOR, pictures, REQUEST)
        assert re.search(
            r"Features of tiny in the store differ from those of today.*under pillow 9\.0\.0 \(today .*of 8 image\(s\) "
            r"extracted again 1 differ, by up to .*layer block[23] of an image of 20 x 120.*2e-04 is allowed.*"
            r"offshelf store prune --backbone tiny",
            str(error.value),
        )


def test_shards_without_a_record_are_of_other_releases(tmp_path, other, passes, caplog):
    """They are looked at once; the sentence says so."""
    other("{}")
    get_or_extract(DiskStore(tmp_path), EXTRACTOR, images(), REQUEST)
    other()
    caplog.set_level("INFO")
    get_or_extract(DiskStore(tmp_path), EXTRACTOR, images(), REQUEST)

    assert passes == [30, SAMPLE]
    assert "an offshelf that did not record releases" in caplog.text


def test_a_layer_or_a_view_more_is_looked_at_too(tmp_path, other, passes):
    """What vouches for one layer through one view says nothing of others."""
    small = Request(Tiny(), ("block3",), "auto", center().views)
    other(timm="0.1")
    get_or_extract(DiskStore(tmp_path), EXTRACTOR, images(), REQUEST)
    other()
    for request, count in ((small, 1), (small, 0), (REQUEST, 1), (REQUEST, 0)):
        passes.clear()
        get_or_extract(DiskStore(tmp_path), EXTRACTOR, images(), request)
        assert passes == [SAMPLE] * count


def test_some_are_of_other_releases_and_some_are_missing(tmp_path, other, passes):
    """The look comes first, then the rest is extracted; images of today are not looked at."""
    other(numpy="1.0")
    get_or_extract(DiskStore(tmp_path), EXTRACTOR, images(30)[:12], REQUEST)
    other()
    get_or_extract(DiskStore(tmp_path), EXTRACTOR, images(30), REQUEST)

    assert passes == [12, SAMPLE, 30]
    found = {open_shard(path).releases for path in tmp_path.rglob("*.safetensors")}
    assert len(found) == 2


def test_damage_that_shows_on_looking_is_mended(tmp_path, other):
    """A shard of other releases that is not what was written counts as missing, as ever."""
    other(numpy="1.0")
    before = get_or_extract(DiskStore(tmp_path), Extractor(device="cpu", chunk=100), images(), REQUEST)
    other()
    (path,) = tmp_path.rglob("*.safetensors")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    after = get_or_extract(DiskStore(tmp_path), Extractor(device="cpu", chunk=100), images(), REQUEST)

    assert all(np.allclose(after.values[layer], before.values[layer], rtol=1e-5) for layer in REQUEST.layers)


def test_the_sample_has_the_extremes():
    """Tallest, widest, largest and smallest of those that are looked at; no more than asked, and all of few."""
    random = np.random.default_rng(1)
    shapes = [(30, 30)] * 20 + [(90, 20), (20, 90), (200, 200), (5, 5)] + [(30, 30)] * 8
    pictures = [ImageArray(random.integers(0, 256, (*shape, 3), np.uint8)) for shape in shapes]
    chosen = sample(pictures, np.arange(32), 8)

    assert {20, 21, 22, 23} <= set(chosen)
    assert len(chosen) == 8
    assert sample(pictures, np.array([3, 9]), 8) == [3, 9]


@pytest.mark.slow
def test_verify_again(home, capsys, other, monkeypatch):
    """At will, from the runs' configs: equal, then not, after the pixels have changed."""
    from offshelf.augmentation import view
    from offshelf.config import build, load, plain

    config = load("extract", ["backbone=tiny", "layer=block3", f"home={home}"])
    build(config)(config=plain(config))
    assert main(["verify", "--again", "5"]).code == 0
    assert (
        "tiny float32, extract digits tiny: of 5 image(s) extracted again all came out equal" in capsys.readouterr().out
    )
    resize = view.resize
    monkeypatch.setattr(view, "resize", lambda *given: np.ascontiguousarray(resize(*given)[::-1]))
    assert main(["verify", "--again", "5"]).code == 1
    assert re.search(r"of 5 image\(s\) extracted again 5 differ, by up to \d", capsys.readouterr().out)
    assert main(["verify"]).code == 0


def test_pruning_takes_what_vouches_along(tmp_path, other, capsys):
    """Nothing of offshelf's stays, and nothing of it is called foreign."""
    store = DiskStore(tmp_path / "store")
    other(numpy="1.0")
    get_or_extract(store, EXTRACTOR, images(), REQUEST)
    other()
    get_or_extract(store, EXTRACTOR, images(), REQUEST)
    setting = f"store.root={store.root}"
    assert main(["ls", setting]).code == 0
    assert "left alone" not in capsys.readouterr().out
    assert main(["prune", "--yes", setting]).code == 0
    assert not list(store.root.iterdir())
