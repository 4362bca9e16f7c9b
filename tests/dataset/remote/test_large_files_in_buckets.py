"""Tables, tar files and features in a real bucket: copied once, used like those of a disk; tables of addresses."""

import numpy as np
import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pictures import png, pngs

from offshelf.dataset import GivenFeatures, Parquet, WebDataset, check_images, digests
from offshelf.dataset.sources.huggingface import HuggingFace
from offshelf.errors import DatasetError

pytestmark = pytest.mark.slow
LABELS = ["cat", "dog"] * 6


@pytest.fixture
def data(tmp_path, bucket):
    """Files here and there, and the address."""
    name, store = bucket
    for part, rows in (("train", slice(0, 8)), ("test", slice(8, 12))):
        for number in range(2):
            table = pa.table({"image": pngs(12)[rows][number::2], "label": LABELS[rows][number::2]})
            (tmp_path / "d").mkdir(exist_ok=True)
            pq.write_table(table, tmp_path / "d" / f"{part}-{number:05}-of-00002.parquet")
    np.savez(tmp_path / "d" / "f.npz", features=np.eye(12, 5, dtype=np.float32), labels=np.array(LABELS))
    for path in sorted((tmp_path / "d").iterdir()):
        obstore.put(store, f"deep/{path.name}", path.read_bytes(), use_multipart=False)
    return tmp_path / "d", f"s3://{name}/deep", store


def same(here, there):
    """The same images, names, labels and folds."""
    assert [one.id for one in here.samples] == [one.id for one in there.samples]
    assert list(digests(here.pictures)) == list(digests(there.pictures)) and here.digest == there.digest


@pytest.mark.parametrize("inner", ["", "/*.parquet", "/{train,test}-{00000..00001}-of-00002.parquet"])
def test_tables(data, server, inner):
    """As a folder, by a pattern, and by names; a warm one fetches nothing."""
    folder, url, _ = data
    there = Parquet(path=url + inner).load()
    same(Parquet(path=str(folder) + inner).load(), there)
    assert server.counted()[1] == 4
    same(there, Parquet(path=url + inner).load())
    assert server.counted()[1] == 0


def test_parts_and_changes(data, server):
    folder, url, store = data
    spec = Parquet(
        path={
            "train": f"{url}/train-*",
            "test": [f"{url}/test-00000-of-00002.parquet", f"{url}/test-00001-of-00002.parquet"],
        }
    )
    first = spec.load()
    changed = pa.table({"image": [png(40), png(41)], "label": ["cat", "dog"]})
    pq.write_table(changed, folder / "x.parquet")
    obstore.put(store, "deep/test-00000-of-00002.parquet", (folder / "x.parquet").read_bytes(), use_multipart=False)
    assert spec.load().digest != first.digest


def test_what_is_missing(data, server):
    _, url, _ = data
    with pytest.raises(DatasetError, match=r"dataset.path=s3://.*/deep/\*.tar matches no object"):
        WebDataset(path=f"{url}/*.tar").load()
    with pytest.raises(DatasetError, match=r"has no files of the kind .tar below it"):
        WebDataset(path=url).load()
    with pytest.raises(DatasetError, match=r"dataset.path: s3://.*/deep/0.tar does not exist"):
        WebDataset(path=f"{url}/0.tar").load()
    with pytest.raises(DatasetError, match=r"is an address; of such a folder the tables are read by dataset=parquet"):
        HuggingFace(path=url).load()
    store = data[2]
    obstore.delete(store, "deep/test-00001-of-00002.parquet")
    with pytest.raises(DatasetError, match=r"1 of 2 shards are missing: 00001"):
        Parquet(path=url).load()


def test_features(data, server):
    folder, url, _ = data
    same(GivenFeatures(path=str(folder / "f.npz")).load(), GivenFeatures(path=f"{url}/f.npz").load())


def test_tables_of_addresses(data, server, tmp_path):
    """Whose images are objects: below a root, or with whole addresses."""
    _, url, store = data
    for row in range(12):
        obstore.put(store, f"deep/images/{row}.png", png(row), use_multipart=False)
    names = [f"images/{row}.png" for row in range(12)]
    pq.write_table(pa.table({"file": names, "label": LABELS}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"file": [f"{url}/{name}" for name in names], "label": LABELS}), tmp_path / "b.parquet")
    server.counted()
    for path, root in ((tmp_path / "a.parquet", url), (tmp_path / "b.parquet", None)):
        images = Parquet(path=str(path), root=root).load()
        check_images(images.pictures)
        assert list(images.pictures.digests()) == [digest_of(row) for row in range(12)]
    assert server.counted() == (2, 12)
    assert images.samples[3].id == f"{url}/images/3.png"


def digest_of(row):
    """As an image of bytes in memory has it."""
    from offshelf.dataset import ImageBytes

    return ImageBytes(png(row)).digest
