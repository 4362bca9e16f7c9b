"""The task, from images to MLflow, on a small folder of objects."""

import csv
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.preprocessing import FunctionTransformer, Normalizer

from offshelf.augmentation import PatchGrid, Views, center, mirror, whole
from offshelf.backbone import Pixels, Tiny
from offshelf.dataset import Csv, Folder, ImageFile
from offshelf.dataset.retrieval_set import RetrievalItem, RetrievalSet, Truth
from offshelf.errors import BadImagesError, DatasetError
from offshelf.evaluation.retrieval import RetrievalProbe
from offshelf.extractor import Extractor
from offshelf.metric import Bootstrap
from offshelf.postprocess import chain
from offshelf.retrieval import Approximate, Nearest, SpatialSearch
from offshelf.store import DiskStore, MemoryStore
from offshelf.tasks.classify import classify
from offshelf.tasks.extract import extract
from offshelf.tasks.features import FeatureSpec
from offshelf.tasks.retrieve import retrieve
from offshelf.tracking import MLflow, NoTracking, RecordingTracker
from offshelf.tracking.mlflow.client import default_uri

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)


@pytest.fixture
def objects(tmp_path):
    """Four objects of four pictures each, in colours that tell them apart."""
    random = np.random.default_rng(0)
    for number, colour in enumerate([(200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40)]):
        folder = tmp_path / "objects" / f"object {number}"
        folder.mkdir(parents=True)
        for view in range(4):
            pixels = np.clip(np.array(colour) + random.integers(-30, 30, (40, 50, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{view}.png")
    return tmp_path / "objects"


class Pair:
    """Two references and two queries that are others, one protocol, `faulty` the files that are no images."""

    def __init__(self, folder, faulty=()):
        self.paths = [folder / f"{name}.png" for name in ("r0", "r1", "q0", "q1")]
        for row, path in enumerate(self.paths):
            colour = [(200, 40, row), (row, 40, 200)][row % 2]
            Image.fromarray(np.full((8, 8, 3), colour, np.uint8)).save(path)
        for name in faulty:
            (folder / f"{name}.png").write_bytes(b"no image")

    def load(self):
        pictures = [RetrievalItem(path.stem, ImageFile(path)) for path in self.paths]
        truths = [Truth(np.array([row]), np.array([], np.int64)) for row in (0, 1)]
        return RetrievalSet("pair", pictures[:2], pictures[2:], {"": truths})


def run(folder, **changes):
    """Retrieve with small components."""
    settings = {
        "augmentation": center(),
        "backbone": Pixels(8),
        "layer": "last",
        "pooling": "auto",
        "extractor": Extractor(device="cpu"),
        "store": MemoryStore(),
        "postprocess": Normalizer(),
        "retrieval": Nearest(device="cpu"),
        "bootstrap": Bootstrap(100),
        "tracking": NoTracking(),
        "output_dir": str(folder / "out"),
        "config": {"layer": "last"},
    }
    return retrieve(**{**settings, **changes})


def results(folder):
    """metrics.json and queries.csv."""
    metrics = json.loads((folder / "out/metrics.json").read_text())
    return metrics, list(csv.DictReader((folder / "out/queries.csv").read_text().splitlines()))


def test_a_folder_of_objects(objects, tmp_path):
    """Each picture finds the other three of its object first: N-S score 4, mAP 1, and files for a person."""
    value = float(run(tmp_path, dataset=Folder(str(objects))))
    metrics, queries = results(tmp_path)

    assert value == metrics["test/leave_query_out/mAP"] == metrics["test/leave_query_out/mAP_low"] == 1
    assert metrics["test/with_query/ns_score"] == 4
    assert metrics["test/with_query/recall_at_4"] == 1
    assert metrics["cost/images_extracted"] == 16
    assert metrics["footprint/floats"] == 192
    assert metrics["footprint/bytes"] == 768
    assert len(queries) == 16
    assert queries[0]["query"].endswith("0.png")
    assert {row["leave_query_out/AP"] for row in queries} == {"1.0"}
    assert (tmp_path / "out/precision_recall.png").stat().st_size > 5000
    assert (tmp_path / "out/config.yaml").exists()


def test_objects_of_few_pictures(objects, tmp_path):
    """Of which none could be held out to classify: two of each, and one alone, which has nothing to find."""
    for number in range(4):
        for view in (2, 3):
            (objects / f"object {number}" / f"{view}.png").unlink()
    (objects / "object 3" / "1.png").unlink()
    value = float(run(tmp_path, dataset=Folder(str(objects))))
    _, queries = results(tmp_path)

    assert value == 1
    assert [row["leave_query_out/AP"] for row in queries] == ["1.0"] * 6 + [""]
    assert [row["with_query/AP"] for row in queries] == ["1.0"] * 7


def test_a_list_of_objects(objects, tmp_path):
    """The same from a CSV."""
    lines = [f"object {number}/{view}.png,object {number}" for number in range(4) for view in range(2)]
    (objects / "list.csv").write_text("\n".join(["path,label", *lines]))

    assert float(run(tmp_path, dataset=Csv(str(objects / "list.csv")))) == 1
    assert len(results(tmp_path)[1]) == 8


class Frames(HTMLParser):
    """Classes of the frames of a contact sheet, strip by strip, and what it would load from elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.strips, self.outside = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "section":
            self.strips.append([])
        if tag == "figure":
            self.strips[-1].append(found["class"])
        self.outside += [link for key in ("src", "href") if (link := found.get(key)) and not link.startswith("data:")]


def test_contact_sheet(objects, tmp_path):
    """The worst queries first, right, wrong and ignored framed, nothing loaded from elsewhere, names escaped."""
    like_object_0 = np.full((40, 50, 3), (200, 40, 40), np.uint8)
    Image.fromarray(like_object_0).save(objects / "object 3" / "<b>.png")
    run(tmp_path, dataset=Folder(str(objects)))
    text = (tmp_path / "out/contact_sheet.html").read_text()
    page = Frames(text)

    assert len(page.strips) == 17
    assert page.strips[0][:2] == ["query", "ignored"]  # the query itself is left out of its ranking
    assert page.strips[0].count("wrong") >= 4
    assert page.strips[-1][:5] == ["query", "ignored", "right", "right", "right"]
    assert not page.outside
    assert "&lt;b&gt;.png" in text
    assert "<b>.png" not in text


@pytest.mark.slow
def test_layers_are_children_of_their_run(objects, tmp_path):
    """In MLflow with metrics, tables, figures; the last layer is reported, whatever another one's metric."""
    result = run(tmp_path, dataset=Folder(str(objects)), backbone=Tiny(), layer="all", tracking=MLflow(str(tmp_path)))
    client = MlflowClient(default_uri(tmp_path))
    (experiment,) = client.search_experiments(filter_string="name = 'offshelf'")
    found = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    parent, *children = found
    outer, inner = ({item.path for item in client.list_artifacts(one.info.run_id)} for one in (parent, children[0]))
    metrics, _ = results(tmp_path)

    assert [item.info.run_name for item in children] == ["block1", "block2", "block3"]
    assert {item.info.status for item in found} == {"FINISHED"}
    assert float(result) == children[-1].data.metrics["test/leave_query_out/mAP"]
    assert metrics == parent.data.metrics
    assert metrics["test/leave_query_out/mAP/block1"] == children[0].data.metrics["test/leave_query_out/mAP"]
    assert inner == {"queries.csv", "precision_recall.png"}
    assert outer == inner | {"config.yaml", "contact_sheet.html", "layers.png", "layers.json"}
    assert len({item.data.tags["data_digest"] for item in found}) == 1
    assert parent.data.tags["metric"] == "leave_query_out/mAP"


def test_patches_of_queries_are_among_those_of_references(objects, tmp_path):
    """Extracted once an image, and the footprint is that of all patches; other views of queries are another pass."""
    store = MemoryStore()
    grid = PatchGrid(levels=3, query_levels=2)
    run(tmp_path, dataset=Folder(str(objects)), augmentation=grid, retrieval=SpatialSearch(device="cpu"), store=store)
    spatial, _ = results(tmp_path)
    run(tmp_path, dataset=Folder(str(objects)), augmentation=grid, query_augmentation=whole(), store=store)
    other, _ = results(tmp_path)

    assert spatial["test/leave_query_out/mAP"] == 1
    assert spatial["footprint/floats"] == 14 * 192
    assert spatial["cost/images_extracted"] == other["cost/images_extracted"] == 16


def test_jitter_and_mirror(objects, tmp_path):
    """Spatial search over any views."""
    result = run(tmp_path, dataset=Folder(str(objects)), augmentation=mirror(), retrieval=SpatialSearch(device="cpu"))

    assert float(result) == 1


def test_same_numbers_cold_and_warm(objects, tmp_path):
    """From the store on disk: nothing is extracted, nothing differs but the costs."""
    store = DiskStore(tmp_path / "store")
    numbers = []
    for _ in range(2):
        run(tmp_path, dataset=Folder(str(objects)), backbone=Tiny(), layer="all", store=store)
        metrics, queries = results(tmp_path)
        numbers.append(({key: value for key, value in metrics.items() if "cost/" not in key}, queries))

    assert metrics["cost/images_extracted"] == 0
    assert numbers[0] == numbers[1]


def test_queries_that_are_no_references(tmp_path):
    """Each finds the reference of its colour."""
    assert float(run(tmp_path, dataset=Pair(tmp_path))) == 1
    metrics, queries = results(tmp_path)

    assert metrics["cost/images_extracted"] == 4
    assert [row["query"] for row in queries] == ["q0", "q1"]
    assert set(queries[0]) >= {"AP", "AP_rectangle", "P_at_1", "recall_at_4"}


def test_files_that_are_no_images(tmp_path):
    """All are named before any work; left out where that is asked for, a missing reference as never found."""
    broken = Pair(tmp_path, faulty=("r0", "q1"))
    with pytest.raises(BadImagesError) as error:
        run(tmp_path, dataset=broken)
    assert "r0.png" in str(error.value)
    assert "q1.png" in str(error.value)

    assert float(run(tmp_path, dataset=broken, on_error="skip")) == 0
    metrics, queries = results(tmp_path)
    assert metrics["data/left_out_reference"] == metrics["data/left_out_query"] == 1
    assert [row["query"] for row in queries] == ["q0"]
    assert (tmp_path / "out/left_out.csv").read_text().count("\n") == 3


def test_other_tasks_on_a_retrieval_set(tmp_path):
    """It is extracted and extracted again like any other; it cannot be classified."""
    common = {
        "dataset": Pair(tmp_path),
        "augmentation": center(),
        "backbone": Pixels(8),
        "layer": "last",
        "pooling": "auto",
        "extractor": Extractor(device="cpu"),
        "store": MemoryStore(),
        "on_error": "stop",
    }
    asked = Views([{"mirror": True}])

    assert float(extract(**common, dry_run=False, config={})) == 4
    assert FeatureSpec(**common).extract_missing() == 0
    assert FeatureSpec(**common, query_augmentation=asked).extract_missing() == 4
    with pytest.raises(DatasetError, match="offshelf retrieve"):
        classify(
            **common,
            postprocess=Normalizer(),
            classifier=None,
            baseline=None,
            bootstrap=Bootstrap(0),
            tracking=NoTracking(),
            output_dir=str(tmp_path),
            config={},
        )


def test_postprocessing_learns_from_another_data_set(objects, tmp_path):
    """Components of other images: not those of the references, and as scikit-learn's PCA of those images has them."""
    (tmp_path / "pair").mkdir()
    whiten = {"postprocess": chain(["pca"], components=1), "store": MemoryStore()}
    tracking = RecordingTracker(NoTracking(), {})
    own = run(tmp_path, dataset=Pair(tmp_path / "pair"), **whiten, tracking=tracking)
    assert tracking.tags["postprocess_learnt_from"] == "the references that are searched"

    said = []
    others = {"postprocess_dataset": Folder(str(objects)), "notify": lambda *lines: said.extend(lines)}
    run(tmp_path, dataset=Pair(tmp_path / "pair"), **others, **whiten, tracking=tracking)
    assert tracking.tags["postprocess_learnt_from"] == "objects"
    assert len(tracking.tags["postprocess_data_digest"]) > 20
    assert "Postprocessing learns from objects." in said
    assert float(own) == 1
    assert results(tmp_path)[0]["cost/images_extracted"] == 16


def test_what_postprocessing_is_fitted_to():
    """Features of other images, or those of the references; the search goes on in what is left of them."""
    random = np.random.default_rng(0)
    references, queries, fit_features = (random.random((count, 1, 6), np.float32) for count in (5, 4, 20))
    images = RetrievalSet("numbers", [], [], {"": [Truth(np.array([row]), np.array([], np.int64)) for row in range(4)]})
    probe = RetrievalProbe(chain(["pca"], components=2), Nearest(device="cpu"), Bootstrap(0))
    pca = PCA(2).fit(fit_features[:, 0])
    distances = np.linalg.norm(pca.transform(queries[:, 0])[:, None] - pca.transform(references[:, 0]), axis=2)

    assert (probe.score("x", references, queries, images, fit_features).first_QT == np.argsort(distances, axis=1)).all()
    assert (probe.score("x", references, queries, images).first_QT != np.argsort(distances, axis=1)).any()


def test_recall_of_an_approximate_search():
    """Of two heaps one is searched, for four: of the exact search's first ten these are found, and no others ranked."""
    heaps = np.repeat([[0.0], [100.0]], 60, axis=0) + np.arange(120)[:, None] / 100
    references = np.array(heaps[:, None], np.float32)
    images = RetrievalSet("heaps", [], [], {"": [Truth(np.array([0, 119]), np.array([], np.int64))]})
    alike = FunctionTransformer()
    score = RetrievalProbe(alike, Approximate(cells=2, probes=1, neighbours=4), Bootstrap(0)).score(
        "x", references, references[:1], images
    )

    assert score.first_QT.tolist() == [[0, 1, 2, 3, *[-1] * 6]]
    assert score.metrics["search/recall_at_10"] == 0.4
    assert score.ranks[""].found_Q.tolist() == [1]
    exact = RetrievalProbe(alike, Nearest(device="cpu"), Bootstrap(0)).score("x", references, references[:1], images)
    assert "search/recall_at_10" not in exact.metrics


def test_approximate_search_of_a_folder(objects, tmp_path):
    """Of so few references there is one cell: the same numbers, a contact sheet, and a recall of 1."""
    assert float(run(tmp_path, dataset=Folder(str(objects)), retrieval=Approximate())) == 1
    assert results(tmp_path)[0]["search/recall_at_10"] == 1
