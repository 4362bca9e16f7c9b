"""Files of web sites: a real server with TLS, which misbehaves as real ones do."""

import hashlib
import re
import shutil
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from offshelf.errors import RemoteError
from offshelf.remote import Url, client
from offshelf.remote import client as client_of
from offshelf.remote.clients import _client
from offshelf.remote.faults import ChangedError, GoneError


@dataclass
class Web:
    """Files by path, what was asked, and the answers to give instead."""

    files: dict[str, bytes]
    url: str = ""
    asked: list[str] = field(default_factory=list)
    authorization: list[str | None] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """Of the next answers; 0: as it should be; -1: half of the body."""
    has_head: bool = True
    has_ranges: bool = True
    has_tags: bool = True


def handler(web):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            web.asked.append(f"{self.command} {self.path}")
            web.authorization.append(self.headers.get("Authorization"))
            data = web.files.get(self.path.partition("?")[0])
            status = web.statuses.pop(0) if web.statuses else 0
            if status > 0 or data is None or (self.command == "HEAD" and not web.has_head):
                self.begin(status or (404 if data is None else 405), {"Content-Length": "0"})
                return
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if web.has_ranges else None
            start, end = (int(wanted[1]), int(wanted[2]) + 1) if wanted else (0, len(data))
            headers = {"Content-Length": str(len(data[start:end]))}
            if wanted:
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
            if web.has_tags:
                headers["ETag"] = f'"{hashlib.md5(data).hexdigest()}"'
            self.begin(206 if wanted else 200, headers)
            if self.command == "GET":
                self.wfile.write(data[start : start + len(data) // 2] if status < 0 else data[start:end])
                self.close_connection = status < 0

        do_HEAD = do_GET

        def begin(self, status, headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            pass

    return Handler


@pytest.fixture
def web(tmp_path, monkeypatch):
    """With a certificate that it has signed itself, which the environment trusts."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    key, file = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        key,
        "-out",
        file,
        "-days",
        "1",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setattr("offshelf.remote.site.BACKOFF", 0.01)
    _client.cache_clear()
    found = Web({"/a.jpg": b"a picture", "/empty.jpg": b"", "/a%20%23%25b.jpg": b"odd"})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(found)) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        found.url = f"https://localhost:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        server.shutdown()
    _client.cache_clear()


def at(web, path):
    url = Url.of(f"{web.url}/{path}")
    return client(url), url


def test_a_file(web):
    site, url = at(web, "a.jpg")
    about = site.about(url)
    assert about.size == 9 and about.tag == f'"{hashlib.md5(b"a picture").hexdigest()}"'
    assert site.get(url, about.tag) == b"a picture" and site.get_range(url, 2, 5, about.tag) == b"pic"


def test_odd_names_and_empty_files(web):
    site, url = at(web, "")
    assert site.get(url / "a #%b.jpg") == b"odd"
    assert site.get(url / "empty.jpg") == b"" and site.about(url / "empty.jpg").size == 0


def test_a_server_without_head_and_ranges(web):
    """As one is that answers to signed addresses of GET alone."""
    web.has_head = web.has_ranges = False
    site, url = at(web, "a.jpg")
    assert site.about(url).size == 9 and site.get_range(url, 2, 5) == b"pic"
    web.has_ranges = True
    assert site.about(url).size == 9


def test_without_tags(web):
    web.has_tags = False
    site, url = at(web, "a.jpg")
    assert site.about(url).tag == ""


def test_what_passes_is_tried_again(web):
    site, url = at(web, "a.jpg")
    web.statuses = [503, 429, -1, 502]
    assert site.get(url) == b"a picture" and len(web.asked) == 5


def test_a_server_that_stays_busy(web):
    site, url = at(web, "a.jpg?sig=hunter22")
    web.statuses = [503] * 20
    with pytest.raises(RemoteError, match=r"has failed 9 times \(503 Service Unavailable\): try again later") as error:
        site.get(url)
    assert len(web.asked) == 9 and "hunter22" not in str(error.value)


def test_one_that_breaks_off_for_ever(web):
    site, url = at(web, "a.jpg")
    web.statuses = [-1] * 20
    with pytest.raises(RemoteError, match=r"breaks off \(no connection, or connection lost\): check"):
        site.get(url)


@pytest.mark.parametrize(("status", "fault", "said"), [
    (403, RemoteError, r"refuses access to https://localhost:\d+/a.jpg \(403 Forbidden\): an expired signature"),
    (401, RemoteError, r"refuses access .* \(401 Unauthorized\)"),
    (410, GoneError, r"a.jpg does not exist"),
    (418, GoneError, r"a.jpg cannot be read \(418"),
])  # fmt: skip
def test_refusals(web, status, fault, said):
    site, url = at(web, "a.jpg?sig=hunter22")
    web.statuses = [status]
    with pytest.raises(fault, match=said) as error:
        site.get(url)
    assert "hunter22" not in str(error.value)


def test_a_missing_file(web):
    site, url = at(web, "b.jpg")
    for ask in (site.get, site.about):
        with pytest.raises(GoneError, match=r"b.jpg does not exist"):
            ask(url)


def test_a_file_that_changes(web):
    site, url = at(web, "a.jpg")
    tag = site.about(url).tag
    web.files["/a.jpg"] = b"another pic"
    with pytest.raises(ChangedError, match="was changed while it was in use; start again"):
        site.get(url, tag)
    with pytest.raises(ChangedError):
        site.get_range(url, 0, 4, tag)


def test_user_and_password(web):
    url = Url.of(web.url.replace("https://", "https://me:p%40ss@") + "/a.jpg")
    assert client_of(url).get(url) == b"a picture"
    assert web.authorization == ["Basic bWU6cEBzcw=="]  # me:p@ss


def test_a_certificate_that_nobody_knows(web, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setattr("offshelf.remote.site.TRIES", 1)
    _client.cache_clear()
    site, url = at(web, "a.jpg")
    with pytest.raises(RemoteError, match=r"self-signed certificate; a certificate of your own: SSL_CERT_FILE=FILE"):
        site.get(url)


def test_nobody_there(monkeypatch):
    monkeypatch.setattr("offshelf.remote.site.TRIES", 1)
    _client.cache_clear()
    url = Url.of("http://127.0.0.1:9/a.jpg")
    with pytest.raises(RemoteError, match=r"http://127.0.0.1:9 does not answer"):
        client(url).get(url)


def test_a_site_cannot_be_listed(web):
    site, url = at(web, "photos")
    with pytest.raises(RemoteError, match=r"cannot be listed: list the images in a table, dataset=csv"):
        list(site.pages(url))
