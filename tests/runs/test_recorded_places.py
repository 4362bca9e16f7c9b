"""Where a run that is made again writes: not where its record says, which may be anybody's."""

import http.server
import shutil
import threading

import pytest
import yaml
from noise import write_noise

import offshelf
from offshelf.commands import predict, rerun
from offshelf.config import build, load, plain
from offshelf.config.trust import without_foreign_downloads

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A run on noise: its output folder, home and images."""
    place = tmp_path_factory.mktemp("original")
    write_noise(place / "images")
    chosen = ["dataset=folder", f"dataset.root={place / 'images'}", "backbone=tiny", f"home={place / 'home'}"]
    config = load("classify", [*chosen, "tracking=none", "bootstrap.replicates=0", "classifier=linear_svm_ovr"])
    build(config)(output_dir=str(place / "out"), config=plain(config))
    return place


@pytest.fixture
def place(original, tmp_path, monkeypatch):
    """A copy; commands run there."""
    shutil.copytree(original, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def recorded(place, **groups):
    """The config of the output folder, with some of its groups changed."""
    file = place / "out/config.yaml"
    config = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(config | {name: config[name] | keys for name, keys in groups.items()}))
    return config


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("command", [predict, rerun])
@pytest.mark.parametrize("way", ["root", "dots", "link", "position"])
def test_a_record_does_not_choose_where_features_go(command, way, place, capsys):
    """Elsewhere nothing is written; the home's store is, and that is said in a line."""
    elsewhere, home = place / "elsewhere", place / "home"
    elsewhere.mkdir()
    (home / "link").symlink_to(elsewhere)
    root = {"root": elsewhere / "store", "dots": home / "../elsewhere/store", "link": home / "link/store"}.get(way)
    given = {"root": str(root)} if root else {"_args_": [str(elsewhere / "store")]}
    recorded(place, store=given)
    if not root:
        config = yaml.safe_load((place / "out/config.yaml").read_text())
        del config["store"]["root"]
        (place / "out/config.yaml").write_text(yaml.safe_dump(config))
    shutil.rmtree(home / "store")
    images = [str(place / "images")] if command is predict else []
    command.main(["out", *images, f"home={home}"])
    said = capsys.readouterr().err

    assert not files(elsewhere)
    assert files(home / "store")
    assert said.count("the home's own store is used instead") == 1


@pytest.mark.parametrize("way", ["predict", "rerun"])
def test_nor_does_it_in_python(way, place, capsys):
    """The same holds of a run that a program has loaded."""
    elsewhere, home = place / "elsewhere", place / "home"
    elsewhere.mkdir()
    recorded(place, store={"root": str(elsewhere / "store")})
    shutil.rmtree(home / "store")
    loaded = offshelf.load("out", home=str(home))
    loaded.predict(str(place / "images")) if way == "predict" else loaded.rerun()

    assert not files(elsewhere)
    assert files(home / "store")
    assert capsys.readouterr().err.count("the home's own store is used instead") == 1


@pytest.fixture
def asked():
    """Paths that a web server was asked for, and its address."""
    paths = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield paths, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("way", ["rerun", "python"])
@pytest.mark.parametrize("root", ["elsewhere", "home"])
def test_a_record_chooses_no_place_and_no_mirror_for_downloads(root, way, place, asked):
    """A published set that is missing is not downloaded there; nobody is asked for it."""
    home, (paths, mirror) = place / "home", asked
    published = {"_target_": "offshelf.dataset.Dtd", "root": str(place / root / "sets"), "mirrors": [mirror]}
    recorded(place, dataset={})
    config = yaml.safe_load((place / "out/config.yaml").read_text())
    (place / "out/config.yaml").write_text(yaml.safe_dump(config | {"dataset": published}))
    with pytest.raises(offshelf.DatasetError, match=r"is missing, and dataset\.download=false"):
        rerun.main(["out", f"home={home}"]) if way == "rerun" else offshelf.load("out", home=str(home)).rerun()

    assert paths == []
    assert not (place / root / "sets").exists()


def test_a_record_may_download_into_its_home():
    """From published addresses, verified: so a run is reproduced on another machine."""
    dataset = {"_target_": "offshelf.dataset.Dtd", "root": "/home/sets", "mirrors": [], "download": True}
    assert without_foreign_downloads({"home": "/home", "dataset": dataset}) == {"home": "/home", "dataset": dataset}
    for changed in ({"verify": False}, {"allow_unverified": True}, {"root": "/home/../sets"}, {"root": ""}):
        bounded = without_foreign_downloads({"home": "/home", "dataset": dataset | changed})
        assert bounded["dataset"]["download"] is False


def test_a_record_chooses_no_server_in_python(place):
    """It gets a run only if the program names it."""
    recorded(place, tracking={"_target_": "offshelf.tracking.MLflow", "uri": "http://127.0.0.1:1"})
    with pytest.raises(offshelf.ConfigError, match=r"tracked in http://127\.0\.0\.1:1"):
        offshelf.load("out", home=str(place / "home")).rerun(tracking=True)


@pytest.mark.parametrize("command", [predict, rerun])
def test_the_user_chooses_where_features_go(command, place, capsys):
    """By store.root; nothing is said then, nor of a store that is in the home."""
    recorded(place, store={"root": str(place / "recorded")})
    images = [str(place / "images")] if command is predict else []
    command.main(["out", *images, f"home={place / 'home'}", f"store.root={place / 'mine'}"])
    assert files(place / "mine")
    assert not (place / "recorded").exists()
    recorded(place, store={"root": str(place / "home/other")})
    command.main(["out", *images, f"home={place / 'home'}"])

    assert files(place / "home/other")
    assert "instead" not in capsys.readouterr().err


def test_a_record_does_not_choose_where_runs_go(place):
    """A run that is made again is tracked in the home that it was looked for in."""
    config = recorded(place)
    tracking = {"_target_": "offshelf.tracking.Offline", "home": str(place / "elsewhere"), "uri": None}
    (place / "out/config.yaml").write_text(yaml.safe_dump(config | {"tracking": tracking}))
    rerun.main(["out", f"home={place / 'home'}"])

    assert not (place / "elsewhere").exists()
    assert list((place / "home").rglob("offline/*"))
