"""Servers that a run asks for at its start, under the conditions under which MLflow's client will."""

import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from offshelf.errors import TrackingError
from offshelf.tracking.mlflow.reachability import require_reachable


class Healthy(BaseHTTPRequestHandler):
    """Answers."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """Of HTTP, on a free port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture
def certificate(tmp_path, server):
    """That the server has from now on, signed by itself."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    key, file = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", file, "-days", "1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return file


def test_a_certificate_of_ones_own(server, certificate, monkeypatch):
    """By MLflow's variables; without one the reason is said, and the way out."""
    uri = f"https://127.0.0.1:{server.server_port}"
    with pytest.raises(TrackingError, match=r"self-signed certificate; .*MLFLOW_TRACKING_SERVER_CERT_PATH=FILE"):
        require_reachable(uri)
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
        require_reachable(uri)
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
    require_reachable(uri)


def test_a_proxy(server, monkeypatch):
    """As for all that requests asks for."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "")
    require_reachable("http://nowhere.invalid:5000")


def test_what_does_not_answer():
    """In a few words."""
    with pytest.raises(
        TrackingError, match=r"No MLflow server answers at http://127\.0\.0\.1:9 \(.*Connection refused"
    ):
        require_reachable("http://127.0.0.1:9")
    with pytest.raises(TrackingError, match=r"No MLflow server answers at http://nowhere\.invalid \("):
        require_reachable("http://nowhere.invalid")
    with pytest.raises(TrackingError, match="No MLflow server answers"):
        require_reachable("http://")
