"""Whole runs on images in large files: the features, the numbers and the records are those of a folder."""

import io
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pictures import png

import offshelf

COUNT = 24


@pytest.fixture
def places(tmp_path):
    """The same images in a folder, a Parquet file and a tar."""
    images = [png(number) for number in range(COUNT)]
    labels = ["ab"[number % 2] for number in range(COUNT)]
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = tmp_path / "files" / label / f"{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image)
            for name, data in ((f"{number:02}.png", image), (f"{number:02}.cls", label.encode())):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    pq.write_table(pa.table({"image": images, "label": labels}), tmp_path / "t.parquet", row_group_size=5)
    return tmp_path


@pytest.fixture
def settings(home):
    """Of cheap runs that share a store."""
    return {"backbone": "pixels", "postprocess": "none", "C": [1.0]}


@pytest.mark.slow
def test_the_store_knows_images_wherever_they_lie(places, settings):
    """What was extracted from a folder is not extracted from a table or a tar."""
    first = offshelf.classify(places / "files", **settings)
    assert first.metrics["cost/images_extracted"] == COUNT
    for name in ("t.parquet", "t.tar"):
        again = offshelf.classify(places / name, **settings)
        assert again.metrics["cost/images_extracted"] == 0


@pytest.mark.slow
def test_several_processes(places, settings):
    """Each opens the files itself."""
    result = offshelf.classify(places / "t.parquet", **settings, extractor__processes=2)
    assert result.metrics["cost/images_extracted"] == COUNT
    alone = offshelf.classify(places / "t.parquet", **settings, store=None)
    assert alone.metrics["test/accuracy"] == result.metrics["test/accuracy"]


@pytest.mark.parametrize("name", ["t.parquet", "t.tar"])
def test_contact_sheet(places, settings, name, tmp_path):
    """Shows the images."""
    offshelf.retrieve(places / name, backbone="pixels", postprocess="none", output_dir=tmp_path / "out")
    page = (tmp_path / "out/contact_sheet.html").read_text()
    assert page.count("data:image/jpeg") > COUNT
    assert name in page
