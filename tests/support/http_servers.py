"""Small HTTP servers between the shop and Stripe: HTTPS with its own CA, a proxy."""

import json
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ACCOUNT = {"id": "acct_1234567890wxyz", "object": "account"}
OPENSSL = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


class Recorder(ThreadingHTTPServer):
    """Serves one handler class and keeps the requests that came."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.requests: list[tuple[str, dict[str, str]]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is what some tests are about."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Quiet(BaseHTTPRequestHandler):
    server: Recorder

    def log_message(self, *_: object) -> None:
        """Not in the test's output."""

    def note(self) -> None:
        self.server.requests.append((f"{self.command} {self.path}", dict(self.headers)))

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Stripe(Quiet):
    """Answers each question with an account."""

    def do_GET(self) -> None:
        self.note()
        self.answer(200, json.dumps(ACCOUNT).encode(), Content_Type="application/json")

    do_POST = do_GET


class Proxy(Quiet):
    """An HTTP proxy: forwards nothing but tunnels, and those to `target`, whoever was asked for."""

    target: str | None = None
    refusal: int = 0

    def do_GET(self) -> None:
        self.note()
        if self.refusal:
            self.answer(self.refusal, b"<h1>Proxy says no</h1>")
            return
        self.answer(200, json.dumps(ACCOUNT).encode())

    def do_CONNECT(self) -> None:
        self.note()
        if self.refusal or self.target is None:
            self.answer(self.refusal or 502, b"no")
            return
        host, _, port = self.target.partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as far:
            self.send_response(200)
            self.end_headers()
            pump(self.connection, far)


def pump(near: socket.socket, far: socket.socket) -> None:
    other = {near: far, far: near}
    with suppress(OSError):
        while ready := select.select([near, far], [], [], 10)[0]:
            for end in ready:
                data = end.recv(65_536)
                if not data:
                    return
                other[end].sendall(data)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], **attributes: Any) -> Iterator[Recorder]:
    server = Recorder(type("Handler", (handler,), attributes))
    with running(server):
        yield server


@contextmanager
def running(server: Recorder) -> Iterator[Recorder]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Authority:
    """A certificate authority of its own, and certificates that it signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "authority.pem"
        self.key = folder / "authority.key"
        subject = ("-subj", "/CN=A company's authority", "-days", "2", "-nodes")
        openssl(*OPENSSL, *subject, "-keyout", self.key, "-out", self.file)

    def certificate(self, host: str) -> tuple[Path, Path]:
        """Certificate and key for a host name."""
        paths = self.folder / f"{host}.pem", self.folder / f"{host}.key"
        subject = ("-subj", f"/CN={host}", "-days", "2", "-nodes")
        names = ("-addext", f"subjectAltName=DNS:{host}", "-addext", "basicConstraints=CA:FALSE")
        signed = ("-CA", self.file, "-CAkey", self.key)
        openssl(*OPENSSL, *subject, *names, *signed, "-keyout", paths[1], "-out", paths[0])
        return paths

    @contextmanager
    def serving(self, host: str) -> Iterator[Recorder]:
        """Stripe by HTTPS under this name."""
        server = Recorder(Stripe)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate(host))
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        with running(server):
            yield server


def openssl(*words: str | Path) -> None:
    subprocess.run(words, check=True, capture_output=True)
