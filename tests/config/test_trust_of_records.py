"""What a recorded config may have built, when somebody else wrote it: as in a folder sent by a stranger."""

import json
import re

import pytest
import yaml

from offshelf.commands import export as serving
from offshelf.commands import predict, rerun
from offshelf.commands import store as maintenance
from offshelf.commands.command_table import TASKS as COMMANDS
from offshelf.config import components, conf_dir, run_recorded
from offshelf.config.trust import EVERYTHING, Trust
from offshelf.errors import ConfigError
from offshelf.extractor import Extractor
from offshelf.runs.recorded import RecordedRun
from offshelf.tracking import NoTracking

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)

SHIPPED = sorted(
    {
        target
        for path in conf_dir().rglob("*.yaml")
        if path.parent.name not in ("hydra", "job_logging")
        for target in re.findall(r"_target_: ([\w.]+)", path.read_text(encoding="utf-8"))
    }
)
"""Everything that a shipped config names."""

UNRECORDED = ("extract.extract", "layers.layers", "dataset.describe", "inspect.inspect")
"""Tasks that leave no run."""

CLUSTER = "offshelf.cluster.RayCluster"

NETWORK = """
from pathlib import Path
Path("was-run").touch()
from torch import nn
from os import getcwd as borrowed

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3, stride=8), nn.ReLU())
"""


@pytest.fixture
def place(noise_run, tmp_path, monkeypatch):
    """A run on noise, with a module that leaves a file when it is run; commands run there."""
    noise_run(tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    monkeypatch.syspath_prepend(str(tmp_path / "place"))
    name = f"net_{abs(hash(tmp_path)) % 10**9}"
    (tmp_path / f"place/{name}.py").write_text(NETWORK)
    return tmp_path / "place", name


def rewrite(place, **changed):
    """The output folder's config with other values."""
    file = place / "out/config.yaml"
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump(config | changed))


def commands(place):
    """Every command that builds what a record names."""
    home = f"home={place / 'home'}"
    return [
        lambda *more: predict.main([str(place / "out"), str(place / "images/test"), home, *more]),
        lambda *more: serving.main([str(place / "out"), str(place / "model"), home, *more]),
        lambda *more: serving.main([str(place / "out"), str(place / "model.onnx"), home, *more]),
        lambda *more: rerun.main([str(place / "out"), home, "--check", *more]),
    ]


@pytest.mark.parametrize("command", range(4))
@pytest.mark.parametrize("group", ["backbone", "extractor", "augmentation"])
def test_a_strangers_code_is_not_run(command, group, place):
    """By no command and in no group: nothing is imported, and the sentence says what to add."""
    place, name = place
    rewrite(place, **{group: {"_target_": f"{name}.Net"}})

    with pytest.raises(ConfigError, match=rf"names {name}\.Net, .* add: trust={name}$"):
        commands(place)[command]()
    assert not (place / "was-run").exists()


def test_a_network_of_ones_own_is_named_by_its_module(place):
    """`Custom` is offshelf's, what it loads is not; trusted by name it is built."""
    place, name = place
    own = {"_target_": "offshelf.backbone.Custom", "module": f"{name}.Net"}
    rewrite(place, backbone=own)

    with pytest.raises(ConfigError, match=rf"names {name}\.Net"):
        commands(place)[3]()
    assert not (place / "was-run").exists()
    commands(place)[3](f"trust={name}")
    assert (place / "was-run").exists()


def test_what_a_trusted_module_has_imported_is_not_its_own(place):
    """Trust in a package is trust in what it defines."""
    place, name = place
    Trust((name,)).require({"_target_": f"{name}.Net"})

    with pytest.raises(ConfigError, match=f"names {name}.borrowed"):
        Trust((name,)).require({"_target_": f"{name}.borrowed"})
    with pytest.raises(ConfigError, match=f"names {name}x.Net"):
        Trust((name,)).require({"_target_": f"{name}x.Net"})


HARMLESS = "os.getcwd"
REFUSED = [
    {"_target_": HARMLESS},
    {"_target_": "offshelf.config.os.getcwd"},
    {"_target_": "offshelf.backbone.custom.importlib.import_module", "name": "this"},
    {"_target_": "offshelf.store.maintenance.remove", "chosen": []},
    {"_target_": "offshelf.report.write_text"},
    {"_target_": "offshelf.cli.run_task"},
    {"_target_": "offshelf.dataset.image_files"},
    {"_target_": "builtins.eval", "_args_": ["1"]},
    {"_target_": "hydra.utils.instantiate", "config": {}},
    {"_target_": "hydra.utils.get_method", "path": HARMLESS},
    {"_target_": "hydra.utils.get_object", "path": "offshelf.cli.main"},
    {"_target_": "sklearn.datasets.load_files", "container_path": "/"},
    {"_target_": "sklearn.utils.Bunch"},
    {"_target_": "sklearn.base.os.getcwd"},
    {"_target_": "sklearn.pipeline.Pipeline", "steps": [], "memory": "cache"},
    {"_target_": "sklearn.model_selection.GridSearchCV", "param_grid": {"pca__memory": "cache"}},
    {"_target_": "sklearn.preprocessing.FunctionTransformer", "func": {"_target_": HARMLESS, "_partial_": True}},
    {
        "_target_": "offshelf.classifier.Tuned",
        "estimator": {"_target_": "sklearn.svm.SVC", "kernel": {"_target_": "a.b"}},
    },
    {"_target_": "offshelf.postprocess.chain", "steps": ["l2", [{"_target_": "a.b"}]]},
    {"_target_": "offshelf.backbone.Custom", "module": HARMLESS},
    {"_target_": "offshelf.backbone.custom.Custom", "module": HARMLESS},
    {"_target_": "offshelf.backbone.TorchHub", "repo": "somebody/else"},
    {"_target_": "offshelf.backbone.TorchHub", "repo": "facebookresearch/dinov2:other"},
    {"_target_": "offshelf.backbone.TorchHub", "repo": "/tmp/repo", "source": "local"},
    {"_target_": "offshelf.no.such"},
    {"_target_": None},
    {"_target_": ["os", "getcwd"]},
    {"nested": [{"deep": {"_target_": HARMLESS}}]},
]


@pytest.mark.parametrize("node", REFUSED, ids=lambda node: str(node)[:60])
def test_only_components_are_built(node):
    """Not what offshelf or scikit-learn happen to import or can do besides; at any depth."""
    with pytest.raises(ConfigError, match=r"is not a component of offshelf or scikit-learn.*trust="):
        components({"backbone": node}, ("backbone",), Trust())


@pytest.mark.parametrize("target", SHIPPED)
def test_every_shipped_config_is_trusted(target):
    """A run of shipped options needs no word. What a command line alone composes leaves no record to build."""
    if target in {f"offshelf.tasks.{task}" for task in UNRECORDED}:
        return
    if target == CLUSTER:
        return  # no record chooses one
    path = {"path": "offshelf.classifier.gram"} if target.startswith("hydra.utils") else {}
    hub = {"repo": "facebookresearch/dinov2"} if target.endswith("TorchHub") else {}
    own = {"module": "sklearn.svm.SVC"} if target.endswith("Custom") else {}
    Trust().require({"_target_": target, **path, **hub, **own})


def test_a_record_chooses_no_cluster():
    """Nor what its nodes would install: features are extracted on this machine."""
    ray = {"_target_": CLUSTER, "address": "ray://elsewhere:10001", "runtime_env": {"pip": ["evil"]}}
    node = {"extractor": {"_target_": "offshelf.extractor.Extractor", "cluster": "ray", "ray": ray, "batch_size": 8}}
    assert components(node, ("extractor",), EVERYTHING)["extractor"].cluster == "ray"
    assert components(node, ("extractor",), Trust())["extractor"] == Extractor(batch_size=8)

    with pytest.raises(ConfigError, match=r"The record names offshelf\.cluster\.RayCluster"):
        Trust().require({"classifier": ray})


def test_the_list_is_not_empty():
    """Of what the last test asks."""
    assert len(SHIPPED) > 60 and "offshelf.backbone.Tiny" in SHIPPED and "classify" in COMMANDS


def test_hub_repositories_by_name():
    """With any ref, or a folder."""
    node = {"_target_": "offshelf.backbone.TorchHub", "repo": "somebody/else:v1"}
    Trust.of("somebody/else").require(node)
    Trust.of(" a , somebody/else:v1").require(node)
    EVERYTHING.require(node)

    with pytest.raises(ConfigError, match=r"trust=somebody/else:v1,other$"):
        Trust.of("somebody/else:v1").require([node, {"_target_": "other.Thing"}])


def test_texts_of_a_record_are_not_looked_up(monkeypatch, place):
    """`${…}` in a value is that text: no variable of the environment, and no config made of a text."""
    monkeypatch.setenv("A_SECRET", "told")
    trap = '${oc.create:"{_target_: os.getcwd}"}'
    for text in ("${oc.env:A_SECRET}", trap, "a${b}c", r"\${b}", r"x\\${b}\\", "${"):
        made = components({"dataset": {"_target_": "offshelf.dataset.Folder", "root": text}}, ("dataset",), Trust())
        assert str(made["dataset"].root) == text
    place, _ = place
    config = RecordedRun.find(str(place / "out"), str(place / "home")).config
    missing = {**config["dataset"], "root": "/none/${oc.env:A_SECRET}"}
    with pytest.raises(Exception, match=r"/none/\$\{oc\.env:A_SECRET\}"):
        run_recorded(config | {"dataset": missing}, place / "again", NoTracking(), Trust())


@pytest.mark.parametrize(
    "target", ["os.getcwd", "offshelf.cli.run_task", "offshelf.tasks.classify.gather", None, ["a"]]
)
def test_the_whole_is_a_task(target, place):
    """That leaves records; nothing else is looked for."""
    place, _ = place
    rewrite(place, _target_=target)

    with pytest.raises(ConfigError, match="The record is not of a task that can be run again"):
        commands(place)[3]()


RECORDS = {
    "a tag": "!!python/object/apply:os.getcwd []",
    "no mapping": "[1, 2]",
    "nothing": "",
    "no YAML": "a: [",
    "no text": b"\xff\xfe\x00",
    "deep": "a: " + "[" * 3000,
    "aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]",
    "itself": "a: &a [*a]",
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_config_that_is_none(name, place):
    """One sentence, and nothing of it is made."""
    place, _ = place
    text = RECORDS[name]
    (place / "out/config.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(ConfigError, match=r"config.yaml of the run .*out is not a record of a run") as caught:
        commands(place)[0]()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[1]", '{"a": "b"}', '{"a": null}', "{", "[" * 100_000])
def test_metrics_that_are_none(text, place):
    """Likewise."""
    place, _ = place
    (place / "out/metrics.json").write_text(text)

    with pytest.raises(ConfigError, match="holds no metrics"):
        commands(place)[3]()


def test_a_record_chooses_no_server(place):
    """What is run again is sent where the user says, not where a record says."""
    place, _ = place
    tracking = {"_target_": "offshelf.tracking.MLflow", "home": None, "uri": "http://me:word@127.0.0.1:9/x"}
    rewrite(place, tracking=tracking | {"experiment": "offshelf"})

    with pytest.raises(
        ConfigError, match=r"tracked in http://me:\*\*\*@127\.0\.0\.1:9/x\. .*--check; .*its whole address as uri="
    ):
        rerun.main([str(place / "out"), f"home={place / 'home'}"])
    assert rerun.main([str(place / "out"), f"home={place / 'home'}", "--check"]).code == 0


def test_repair_trusts_no_note_of_a_run(place, capsys):
    """A store that others write to holds their configs: what these name is not run to repair it."""
    place, name = place
    (shard,) = (path for path in (place / "home/store").rglob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    config = RecordedRun.find(str(place / "out"), str(place / "home")).config
    own = {"_target_": "offshelf.backbone.Custom", "module": f"{name}.Net"}
    note = {"name": "theirs", "run": "r", "time": 1.0, "config": config | {"backbone": own}}
    for path in (shard.parent / "runs").iterdir():
        path.write_text(json.dumps(note))
    code = maintenance.main(["verify", "--repair", f"home={place / 'home'}"]).code
    said = capsys.readouterr().err

    assert code == 1
    assert not (place / "was-run").exists()
    assert f"names {name}.Net" in said and f"trust={name}" in said
    shard.write_bytes(b"damaged")
    assert maintenance.main(["verify", "--repair", f"trust={name}", f"home={place / 'home'}"]).code == 0
    assert (place / "was-run").exists()
