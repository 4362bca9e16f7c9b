"""The retrieval sets, from miniatures of their official archives on a server, and ground truths that are none."""

import pickle
import shutil

import numpy as np
import pytest
from miniature import write
from miniature_retrieval import (
    OXFORD,
    OXFORD_TRUTH,
    PARIS,
    PARIS_TRUTH,
    classic_gnd,
    revisited_gnd,
)

from offshelf.dataset import Holidays, Oxford5k, Paris6k, ROxford5k, RParis6k, Sculptures6k, UkBench
from offshelf.errors import ConfigError, DatasetError


def named(images, protocol=""):
    """For each query the ids of what is relevant, of what is ignored, and how many are missing."""
    ids = [one.id for one in images.references]
    return [
        ([ids[row] for row in truth.relevant], [ids[row] for row in truth.ignored], truth.missing)
        for truth in images.truths[protocol]
    ]


def test_oxford5k(place):
    """All images are references, the queries' own among the relevant ones; a query is seen in its box."""
    images = Oxford5k(**place("oxford5k")).load()

    assert images.metric == "mAP"
    assert [one.id for one in images.references] == OXFORD
    assert [one.id for one in images.queries] == ["all_souls_1", "ashmolean_1"]
    assert named(images) == [
        (["all_souls_000001", "all_souls_000013", "all_souls_000026"], ["oxford_000317"], 0),
        (["ashmolean_000000", "ashmolean_000007"], [], 0),
    ]
    query = images.queries[0].image
    assert query.path.stem == "all_souls_000013"
    assert query.region == (3.5, 2.4, 12.6, 11.5)
    assert query.load().shape == (10, 9, 3)  # 4 to 13, 2 to 12, rounded
    assert images.references[1].image.load().shape == (16, 20, 3)


def test_oxford5k_regions(place):
    """The smallest square about the box's centre, or the reference itself."""
    settings = place("oxford5k")
    # 9.1 x 9.1 stays, 12 x 6 grows to 12 x 12 about 8, 3.
    square = Oxford5k(**settings, region="square").load()
    assert square.queries[0].image.region == pytest.approx((3.5, 2.4, 12.6, 11.5))
    assert square.queries[1].image.region == (2, -3, 14, 9)
    whole = Oxford5k(**settings, region="whole").load()
    assert whole.queries[0].image is whole.references[1].image
    assert len(whole.pictures) == len(OXFORD)
    with pytest.raises(ConfigError, match=r"dataset\.region must be box, square or whole; got 'crop'"):
        Oxford5k(root="x", region="crop")


@pytest.mark.parametrize("folder", ["", "jpg"])
def test_oxford5k_from_the_pickle(place, tmp_path, folder):
    """Placed by hand, beside images by hand: the same references, queries and truths as from the text files."""
    settings = place("oxford5k")
    lists = Oxford5k(**settings).load()
    other = tmp_path / "by_hand"
    (other / folder).mkdir(parents=True)
    for path in (tmp_path / "data/oxford5k").glob("*.jpg"):
        shutil.copy(path, other / folder)
    gnd = classic_gnd(OXFORD, OXFORD_TRUTH)
    gnd["gnd"][0]["ok"] = np.array(gnd["gnd"][0]["ok"])
    (other / "gnd_oxford5k.pkl").write_bytes(pickle.dumps(gnd, 2))
    found = Oxford5k(root=str(other), download=False, verify=False).load()

    assert named(found) == named(lists)
    assert [one.image.region for one in found.queries] == [one.image.region for one in lists.queries]


def test_paris6k(place, caplog):
    """Two archives of one tree; the corrupt files are no references, and forgotten where they are relevant."""
    settings = place("paris6k")
    with caplog.at_level("INFO"):
        images = Paris6k(**settings).load()

    assert [one.id for one in images.references] == [PARIS[0], PARIS[1], PARIS[2], PARIS[4]]
    assert named(images) == [
        (["paris_defense_000000", "paris_defense_000605", "paris_general_000005"], [], 0),
        (["paris_defense_000000", "paris_triomphe_000001"], [], 0),
    ]
    assert (
        "20 files of paris6k are corrupt and left out. The ground truth has them 2 times as relevant, not counted "
        "(dataset.count_corrupt), and 1 times as junk."
    ) in caplog.text
    counted = Paris6k(**settings, count_corrupt=True).load()
    assert [truth.missing for truth in counted.truths[""]] == [0, 2]
    assert counted.digest != images.digest


def test_paris6k_from_the_pickle(place, tmp_path):
    """Whose list of references may hold corrupt files too."""
    settings = place("paris6k")
    lists = Paris6k(**settings).load()
    folder = tmp_path / "data/paris6k"
    for path in folder.glob("*.txt"):
        path.unlink()
    (folder / "paris_120310.tgz").unlink()
    (folder / "paris_120310.tgz.unpacked").unlink()
    (folder / "gnd_paris6k.pkl").write_bytes(pickle.dumps(classic_gnd(PARIS, PARIS_TRUTH), 2))
    found = Paris6k(
        **settings,
    ).load()

    assert found.digest == lists.digest


def test_second_archive_that_is_missing(place, tmp_path):
    """A tree that the first one unpacked says nothing of the second; one that was placed by hand is taken as it is."""
    settings = place("paris6k")
    Paris6k(**settings).load()
    folder = tmp_path / "data/paris6k"
    (folder / "paris_2-v1.tgz").unlink()
    assert len(Paris6k(**settings).load().references) == 4
    (folder / "paris_2-v1.tgz.unpacked").unlink()
    offline = settings | {"download": False}
    with pytest.raises(DatasetError, match=r"paris_2-v1\.tgz is missing"):
        Paris6k(**offline).load()
    (folder / "paris_1-v1.tgz").unlink()
    (folder / "paris_1-v1.tgz.unpacked").unlink()
    assert len(Paris6k(**offline).load().references) == 4


@pytest.mark.parametrize(("spec", "name"), [(ROxford5k, "oxford5k"), (RParis6k, "paris6k")])
def test_revisited(place, tmp_path, spec, name):
    """Easy, medium and hard by hand; a query without easy references has nothing to find there."""
    images = spec(**place(f"r{name}")).load()
    ids = [one.id for one in images.references]

    assert images.name == f"r{name}"
    assert images.metric == "medium/mAP"
    assert (tmp_path / f"data/{name}/gnd_r{name}.pkl").is_file()  # beside the images of the classic set
    assert not {one.id for one in images.queries} & set(ids)
    junk = [ids[3]] if name == "oxford5k" else []
    easy, hard = [ids[0]], [ids[1], ids[2]]
    assert named(images, "easy")[0] == (easy, hard + junk, 0)
    assert named(images, "medium")[0] == (easy + hard, junk, 0)
    assert named(images, "hard")[0] == (hard, easy + junk, 0)
    assert named(images, "easy")[1] == ([], [ids[2]], 0)
    assert named(images, "medium")[1] == named(images, "hard")[1] == ([ids[2]], [], 0)
    assert images.queries[1].image.region == (2.0, 0.0, 14.0, 6.0)


def test_ground_truths_that_are_none(place, tmp_path):
    """Of another set, of other images, with rows that do not exist; each is a sentence."""
    settings = place("roxford5k")
    ROxford5k(**settings).load()
    path = tmp_path / "data/oxford5k/gnd_roxford5k.pkl"

    def fails(change, why):
        gnd = revisited_gnd(OXFORD)
        change(gnd)
        path.write_bytes(pickle.dumps(gnd, 2))
        with pytest.raises(DatasetError, match=why):
            ROxford5k(**settings).load()

    fails(lambda gnd: gnd["gnd"][0].update(easy=[6]), "gnd with bbx, easy, hard, junk: IndexError")
    fails(lambda gnd: gnd["gnd"][0].update(easy=[-1]), "IndexError")
    fails(lambda gnd: gnd["gnd"][0].update(easy=7), "TypeError")
    fails(lambda gnd: gnd["gnd"][0].update(bbx=[1, 2, 3]), "ValueError")
    fails(lambda gnd: gnd["gnd"].pop(), "ValueError")
    fails(lambda gnd: gnd.pop("qimlist"), "KeyError")
    fails(lambda gnd: gnd["gnd"][0].update(junk=[0]), "all_souls_000001 both as relevant and as ignored")
    fails(lambda gnd: gnd["imlist"].append("bridge_of_sighs_000001"), "The image bridge_of_sighs_000001 is missing")
    path.write_bytes(pickle.dumps(classic_gnd(OXFORD, OXFORD_TRUTH), 2))
    with pytest.raises(DatasetError, match="KeyError"):
        ROxford5k(**settings).load()


def test_lists_that_are_none(place, tmp_path):
    """Names that do not exist, two queries in one file, a box that is none, a list that is missing."""
    settings = place("oxford5k")
    Oxford5k(**settings).load()
    folder = tmp_path / "data/oxford5k"
    for name, content, why in (
        (
            "all_souls_1_good.txt",
            "atlantis_000001\n",
            "all_souls_1 names atlantis_000001, which is not among",
        ),
        ("all_souls_1_query.txt", "oxc1_atlantis_000001 1 2 3 4\n", "The image atlantis_000001 is missing"),
        ("all_souls_1_query.txt", "oxc1_all_souls_000013 1 2 3 x\n", "are not all numbers"),
        ("all_souls_1_query.txt", "a 1 2 3 4\nb 1 2 3 4\n", "describes 2 queries"),
        ("all_souls_1_query.txt", "<html>\n", "5 fields are expected"),
    ):
        before = (folder / name).read_text()
        (folder / name).write_text(content)
        with pytest.raises(DatasetError, match=why):
            Oxford5k(**settings).load()
        (folder / name).write_text(before)
    (folder / "ashmolean_1_junk.txt").unlink()
    with pytest.raises(DatasetError, match=r"ashmolean_1_junk\.txt cannot be read"):
        Oxford5k(**settings).load()


def test_official_numbers(place):
    """Half a copy is told from a whole one."""
    with pytest.raises(DatasetError, match=r"has 8 \+ 2 references and queries where 5,063 \+ 55 are official"):
        Oxford5k(**{**place("oxford5k"), "verify": True}).load()


def test_sculptures6k(tmp_path, caplog):
    """Placed by hand; names with and without suffixes, a query without a region, one that its own lists leave out."""
    write("sculptures6k", tmp_path / "sculptures6k")
    settings = {"root": str(tmp_path), "verify": False}
    with caplog.at_level("INFO"):
        images = Sculptures6k(**settings).load()

    arch, other, knife, rodin = (one.id for one in images.references)
    assert named(images) == [([arch, other], [rodin], 0), ([arch, knife], [other], 0)]
    assert images.queries[0].image.region == (2, 1, 12, 13)
    assert images.queries[1].image is images.references[1].image
    assert "1 of 2 queries have no region" in caplog.text
    assert len(Sculptures6k(**settings, split="train").load().references) == 2
    both = Sculptures6k(**settings, split="all").load()
    assert (len(both.references), len(both.queries)) == (6, 3)
    assert both.truths[""][2].relevant.tolist() == [0, 1]
    with pytest.raises(ConfigError, match=r"dataset\.split must be one of test, train, all; got 'val'"):
        Sculptures6k(root="x", split="val")


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("header\na\n1 2 3 4\nb\n\nc\n", "5 lines after its header; 4 per"),
        ("header\n", "0 lines after its header"),
        ("header\nHenry_Moore_Unknown_0000\n\na\nb\n", "no query among the test images"),
        ("header\nHenry_Moore_Arch_Leg_0000\n\nHenry_Moore_Lost_0001\n\n", "Lost_0001, which is not among the images"),
    ],
)
def test_sculptures6k_lists_that_are_none(tmp_path, rows, why):
    """A sentence each."""
    write("sculptures6k", tmp_path / "sculptures6k")
    spec = Sculptures6k(root=str(tmp_path), verify=False)
    spec.load()
    (tmp_path / "sculptures6k/sculptures6k_evaluation/sculptures6k_gt.txt").write_text(rows)
    with pytest.raises(DatasetError, match=why):
        spec.load()


def test_sculptures6k_missing(tmp_path):
    """There is no address."""
    with pytest.raises(DatasetError, match=r"sculptures6k\.zip is missing.*no address is known.*Place the"):
        Sculptures6k(root=str(tmp_path)).load()


def test_holidays(place):
    """Queries are references that are taken out of their own rankings; a scene of one photo has nothing to find."""
    images = Holidays(**place("holidays")).load()

    assert images.name == "holidays"
    assert [one.id for one in images.queries] == ["100000", "100100", "100200"]
    assert named(images) == [(["100001", "100002"], ["100000"], 0), (["100101"], ["100100"], 0), ([], ["100200"], 0)]
    assert len(images.pictures) == len(images.references) == 6


def test_holidays_upright(place, tmp_path):
    """Another folder, another name."""
    settings = place("holidays")
    Holidays(**settings).load()
    images = Holidays(**settings, upright=True).load()

    assert images.name == "holidays_upright"
    assert images.references[0].image.path == tmp_path / "data/holidays_upright/holidays/100000.jpg"
    (tmp_path / "data/holidays_upright/holidays/IMG_1.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"IMG_1\.jpg; images of Holidays are named by six digits"):
        Holidays(**settings, upright=True).load()


def test_ukbench(place, tmp_path):
    """In order of numbers, four a group, the query's own row counts; thumbnails are not read."""
    settings = place("ukbench")
    images = UkBench(**settings).load()

    assert images.metric == "recall_at_4"
    assert [one.id for one in images.references] == [f"ukbench{number:05d}" for number in range(12)]
    assert images.queries == images.references
    assert [truth.relevant.tolist() for truth in images.truths[""]][3:6] == [[0, 1, 2, 3], [4, 5, 6, 7], [4, 5, 6, 7]]
    (tmp_path / "data/ukbench/full/ukbench1.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"ukbench1\.jpg; names of UKBench are ukbench and five digits"):
        UkBench(**settings).load()


def test_no_images(place, tmp_path):
    """A tree that was emptied."""
    settings = place("paris6k")
    Paris6k(**settings).load()
    for path in (tmp_path / "data/paris6k/paris").glob("*/*.jpg"):
        path.unlink()
    with pytest.raises(DatasetError, match=r"paris6k contains no images as jpg/\*\.jpg or paris/\*/\*\.jpg"):
        Paris6k(**settings).load()
