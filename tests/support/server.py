"""Servers on this machine, for files that data sets are made of; they can break off and answer like a dead site."""

import re
import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread


@dataclass
class Site:
    """A folder that is served, what was asked of it, and how it misbehaves."""

    folder: Path
    url: str = ""
    breaks: list[int] = field(default_factory=list)
    """Bytes after which each next answer breaks off."""
    ranges: bool = True
    """Whether a download can be resumed."""
    shift: int = 0
    """Bytes by which an answer to a range is beside it."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and range of each request."""


@contextmanager
def serve(folder):
    """A Site that answers for as long as the context is open."""
    site = Site(Path(folder))
    with _running(ThreadingHTTPServer(("127.0.0.1", 0), _handler(site)), site, "http"):
        yield site


@contextmanager
def serve_ftp(folder):
    """The same, by the oldest of protocols."""
    site = Site(Path(folder))
    with _running(ThreadingTCPServer(("127.0.0.1", 0), _ftp_handler(site)), site, "ftp"):
        yield site


@contextmanager
def _running(server, site, scheme):
    site.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(site):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            site.asked.append((self.path, wanted))
            path = site.folder / self.path.lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            data = path.read_bytes()
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted).group(1)) if wanted and site.ranges else 0
            if start and start >= len(data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                start += site.shift
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Type", "text/html" if path.suffix == ".html" else "application/octet-stream")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start:][: site.breaks.pop(0) if site.breaks else None])

        def log_message(self, *_):
            pass

    return Handler


def _ftp_handler(site):
    answers = {"USER": "331 password?", "PASS": "230 in", "TYPE": "200 yes", "CWD": "250 there", "QUIT": "221 bye"}

    class Handler(StreamRequestHandler):
        def say(self, line):
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self):
            self.say("220 ready")
            for line in self.rfile:
                verb, _, argument = line.decode().strip().partition(" ")
                if verb == "PASV":
                    data = socket.create_server(("127.0.0.1", 0))
                    port = data.getsockname()[1]
                    self.say(f"227 passive (127,0,0,1,{port // 256},{port % 256})")
                elif verb == "RETR":
                    self.send(data, argument)
                else:
                    self.say(answers.get(verb, "502 no"))

        def send(self, data, name):
            site.asked.append((name, None))
            path = site.folder / name
            with data, data.accept()[0] as connection:
                content = path.read_bytes()
                self.say(f"150 opening ({len(content)} bytes)")
                connection.sendall(content[: site.breaks.pop(0) if site.breaks else None])
            self.say("226 done")

    return Handler
