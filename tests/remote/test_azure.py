"""Azure's protocol as Azurite 3.37.0 speaks it: its listings give ETags without the quotes that all else has."""

import http.server
import threading
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pytest
from noise import write_noise

from offshelf.dataset import Folder, check_images, digests
from offshelf.errors import ImageError
from offshelf.remote import Url, client, clients

pytest.importorskip("obstore")

ENTRY = (
    "<Blob><Name>{}</Name><Properties><Last-Modified>Tue, 01 Dec 2026 09:00:00 GMT</Last-Modified>"
    "<Content-Length>{}</Content-Length><Content-Type>image/png</Content-Type><Etag>{}</Etag><BlobType>BlockBlob</BlobType></Properties></Blob>"
)


class Handler(http.server.BaseHTTPRequestHandler):
    """Lists and reads the blobs of the server's dictionary: bytes and tag by key."""

    def do_GET(self):
        parts = urlsplit(self.path)
        key = unquote(parts.path).removeprefix("/account/photos").lstrip("/")
        if not key:
            prefix = parse_qs(parts.query).get("prefix", [""])[0]
            blobs = [
                ENTRY.format(name, len(data), tag)
                for name, (data, tag) in sorted(self.server.blobs.items())
                if name.startswith(prefix)
            ]
            xml = f"<EnumerationResults><Blobs>{''.join(blobs)}</Blobs><NextMarker/></EnumerationResults>"
            return self.answer(200, xml.encode())
        data, tag = self.server.blobs.get(key, (b"", ""))
        wanted = self.headers.get("If-Match")
        if not tag:
            return self.answer(404)
        if wanted not in (None, f'"{tag}"'):
            return self.answer(412)
        return self.answer(200, data, tag)

    do_HEAD = do_GET

    def answer(self, status, data=b"", tag=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Last-Modified", "Tue, 01 Dec 2026 09:00:00 GMT")
        if tag:
            self.send_header("ETag", f'"{tag}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def azure(monkeypatch):
    """The blobs of a container `photos`."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.blobs = {}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"http://127.0.0.1:{server.server_port}/account")
        clients._client.cache_clear()
        yield server.blobs
        server.shutdown()
    clients._client.cache_clear()


def test_a_folder(azure, tmp_path):
    """What is listed is what is read; a blob that is written again meanwhile is noticed."""
    write_noise(tmp_path / "noise")
    for number, path in enumerate(sorted((tmp_path / "noise").rglob("*.png"))):
        azure[f"set/{path.relative_to(tmp_path / 'noise').as_posix()}"] = (path.read_bytes(), f"0x{number}")
    here, there = Folder(str(tmp_path / "noise")).load(), Folder("az://photos/set").load()
    check_images(there.pictures)

    assert list(digests(there.pictures)) == list(digests(here.pictures))
    assert np.array_equal(there.pictures[1].load(), here.pictures[1].load())
    last = there.pictures[-1]
    key = str(last.path).removeprefix("az://photos/")
    azure[key] = (azure[key][0] + b" ", "0x99")
    newer = Folder("az://photos/set").load().pictures[-1]
    azure[key] = (azure[key][0] + b" ", "0x100")
    with pytest.raises(ImageError, match="changed while it was in use"):
        newer.check()


def test_one_tag_for_a_blob(azure):
    """By a listing, by asking and by reading."""
    azure["a/b.bin"] = (b"0123456789", "0x8DC")
    url = Url.of("az://photos/a/b.bin")
    server = client(url)
    ((_, listed),) = [one for page in server.pages(Url.of("az://photos/a")) for one in page]

    assert listed.tag == server.about(url).tag == '"0x8DC"'
    assert server.get(url, listed.tag) == b"0123456789"
