"""What all official sets have in common: how files are had, placed by hand, half unpacked, missing, and counted."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from miniature import archive, write
from server import serve

from offshelf.dataset import Cub200, H3d, Voc2007
from offshelf.errors import DatasetError

TREE = "VOCdevkit/VOC2007"


@pytest.fixture
def offline(tmp_path):
    """VOC 2007's archives in place, and a spec that downloads nothing."""
    write("voc2007", tmp_path / "data/voc2007")
    return {"root": str(tmp_path / "data"), "download": False, "verify": False}


def test_placed_archives(offline, tmp_path):
    """Are unpacked, once."""
    first = Voc2007(**offline).load()
    kept = tmp_path / "data/voc2007" / TREE / "ImageSets/Main/train.txt"
    kept.write_text("not unpacked again")

    assert len(Voc2007(**offline).load().samples) == len(first.samples) == 10
    assert kept.read_text() == "not unpacked again"


def test_processes_that_start_together(tmp_path):
    """One downloads and unpacks, the others wait for it."""
    write("voc2007", tmp_path / "site")
    with serve(tmp_path / "site") as site, ThreadPoolExecutor(4) as pool:
        spec = Voc2007(root=str(tmp_path / "data"), mirrors=[site.url], verify=False)
        loaded = list(pool.map(lambda _: spec.load(), range(4)))

    assert len(site.asked) == 2
    assert len({images.digest for images in loaded}) == 1


def test_unpacking_that_was_killed(offline, tmp_path):
    """An archive without its mark is unpacked again, over what is there."""
    Voc2007(**offline).load()
    folder = tmp_path / "data/voc2007"
    (folder / "VOCtest_06-Nov-2007.tar.unpacked").unlink()
    (folder / TREE / "JPEGImages/000004.jpg").unlink()
    Voc2007(**offline).load()

    assert (folder / TREE / "JPEGImages/000004.jpg").is_file()


@pytest.mark.parametrize("root", ["data", "data/voc2007"])
def test_placed_tree(offline, tmp_path, root):
    """Without its archives, in the folder of all sets or in one of its own; numbers of images are checked."""
    Voc2007(**offline).load()
    for file in (tmp_path / "data/voc2007").glob("*.tar*"):
        file.unlink()
    settings = {"root": str(tmp_path / root), "download": False}

    assert len(Voc2007(**settings, verify=False).load().samples) == 10
    with pytest.raises(DatasetError, match=r"has 6 \+ 4 samples .* where 5,011 \+ 4,952 are official"):
        Voc2007(**settings).load()


def test_missing_part(offline, tmp_path):
    """What, where, and where from."""
    (tmp_path / "data/voc2007/VOCtest_06-Nov-2007.tar").unlink()
    with pytest.raises(DatasetError) as error:
        Voc2007(**offline).load()

    folder = tmp_path / "data/voc2007"
    assert str(error.value) == (
        f"voc2007 is incomplete: {folder}/VOCtest_06-Nov-2007.tar is missing, and dataset.download=false. Place the "
        f"file there by hand, or its unpacked content as {folder}/{TREE}/ImageSets/Main/aeroplane_test.txt; it is "
        "described at http://host.robots.ox.ac.uk/pascal/VOC/voc2007/"
    )


def test_nothing_to_be_had(tmp_path):
    """Every address is named with what it said."""
    with serve(tmp_path / "nothing") as site:
        spec = H3d(root=str(tmp_path / "data"), mirrors=[site.url])
        with pytest.raises(DatasetError, match=r"h3d is incomplete.*tgz: 404 Not Found; https://www2\.eecs.*by hand"):
            spec.load()


def test_placed_archive_of_another_content(tmp_path):
    """By its checksum and, where that is not asked for, by what it unpacks to."""
    folder = tmp_path / "cub200"
    folder.mkdir()
    archive(folder / "CUB_200_2011.tgz", {"CUB_200/lists/train.txt": "1"})
    with pytest.raises(DatasetError, match="has the sha256"):
        Cub200(root=str(tmp_path)).load()
    with pytest.raises(DatasetError, match=r"does not contain CUB_200_2011/images: it is not the published"):
        Cub200(root=str(tmp_path), verify=False).load()


def test_folder_that_cannot_be_written_to(tmp_path):
    """A file is in its place."""
    (tmp_path / "cub200").write_text("")
    with pytest.raises(DatasetError, match="cub200 cannot be written to: File exists"):
        Cub200(root=str(tmp_path)).load()


def test_archives_are_verified_on_demand(tmp_path):
    """`load` trusts what it unpacked; `check_files` reads it again."""
    write("h3d", tmp_path / "h3d")
    spec = H3d(root=str(tmp_path), download=False)
    with pytest.raises(DatasetError, match=r"6 \+ 3 samples"):
        spec.load()
    spec.check_files()
    assert (tmp_path / "h3d/attributes_dataset.tgz.sha256").is_file()
    with (tmp_path / "h3d/attributes_dataset.tgz").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(DatasetError, match=r"attributes_dataset\.tgz has the sha256"):
        spec.check_files()


def test_list_that_is_missing(offline, tmp_path):
    """Half a tree, placed by hand."""
    Voc2007(**offline).load()
    shutil.rmtree(tmp_path / "data/voc2007" / TREE / "JPEGImages")
    (tmp_path / "data/voc2007" / TREE / "ImageSets/Main/cow_test.txt").unlink()
    with pytest.raises(DatasetError, match=r"cow_test\.txt cannot be read: No such file or directory"):
        Voc2007(**offline).load()
