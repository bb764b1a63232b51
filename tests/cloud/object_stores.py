"""Object stores on this machine: an emulator, and a proxy that makes them misbehave."""

import http.client
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

# What is done with a request: "pass", "503", "lost" (done, but its answer never arrives), "hang".
Fault = Callable[[int, str, str], str]
HANG_SECONDS = 1.5


def no_fault(number: int, method: str, path: str) -> str:
    return "pass"


class Proxy(ThreadingHTTPServer):
    """Passes requests on to a server on this machine, or does not.

    The emulator of Google's store ignores the conditions of a request: they are judged here.
    """

    daemon_threads = True

    def __init__(self, upstream: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.fault: Fault = no_fault
        self.seen: Counter[str] = Counter()
        self.requests: list[tuple[str, str]] = []
        self.conditions = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Proxy

    def log_message(self, *arguments: object) -> None:
        pass

    def _answer(self) -> None:
        body = self._body()
        self.server.requests.append((self.command, self.path))
        fault = self.server.fault(len(self.server.requests), self.command, self.path)
        self.server.seen[fault] += 1
        if fault == "503":
            self._send(503, {}, b'{"error": {"code": 503, "message": "try again"}}')
            return
        if fault == "hang":
            time.sleep(HANG_SECONDS)
            self.close_connection = True
            return
        answer = self._conditional(body)
        if fault == "lost":
            self.close_connection = True
            return
        self._send(*answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def _conditional(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        query = parse_qs(urlsplit(self.path).query)
        wanted = query.get("ifGenerationMatch", [None])[0]
        if wanted is None:
            return self._forward(self.command, self.path, body)
        with self.server.conditions:
            if self._generation(query, body) != wanted:
                return 412, {}, b'{"error": {"code": 412, "message": "conditionNotMet"}}'
            return self._forward(self.command, self.path, body)

    def _generation(self, query: dict[str, list[str]], body: bytes) -> str:
        path = urlsplit(self.path).path.replace("/upload/", "/").replace("/download/", "/")
        if self.command == "POST":
            name = query.get("name") or [
                json.loads(re.search(rb'\{.*?"name".*?\}', body)[0])["name"]
            ]
            path = f"{path}/{quote(name[0], safe='')}"
        status, _, answer = self._forward("GET", path, b"")
        return json.loads(answer)["generation"] if status == 200 else "0"

    def _forward(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "transfer-encoding"}
        headers |= {"Connection": "close", "Content-Length": str(len(body))}
        upstream.request(method, path, body, headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        return answer.status, dict(answer.getheaders()), content

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        if not any(name.lower() == "content-length" for name in headers):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Runs a server in a thread."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def google_store(bucket: str) -> Iterator[Proxy]:
    """An empty Google store with one bucket, behind a proxy."""
    from gcp_storage_emulator.server import create_server

    emulator = create_server("127.0.0.1", 0, in_memory=True, default_bucket=bucket)
    emulator.start()
    port = emulator._api._httpd.socket.getsockname()[1]
    proxy = Proxy(port)
    try:
        with serving(proxy):
            yield proxy
    finally:
        emulator.stop()


@contextmanager
def s3_store(bucket: str) -> Iterator[Proxy]:
    """An empty S3 store with one bucket, behind a proxy."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    proxy = Proxy(port)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.request("PUT", f"/{bucket}", headers={"Host": f"127.0.0.1:{port}"})
    connection.getresponse().read()
    try:
        with serving(proxy):
            yield proxy
    finally:
        server.stop()


class _Tokens(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        content = json.dumps({"access_token": "t", "expires_in": 3600, "token_type": "Bearer"})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def token_server() -> Iterator[str]:
    """Gives a token to whoever asks."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Tokens)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}/token"


def service_account(token_uri: str) -> dict[str, str]:
    """Credentials of nobody, which ask that server for their token."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return {
        "type": "service_account",
        "project_id": "no-project",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "nobody@no-project.example",
        "client_id": "1",
        "token_uri": token_uri,
    }
