"""A server on loopback that answers as it is told: what a client meets when the address was wrong, or worse."""

import datetime as dt
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = tuple[int, str, bytes]
METADATA = (
    b'{"resourceType":"CapabilityStatement","status":"active","date":"2026-01-01","kind":"instance",'
    b'"fhirVersion":"4.0.1","format":["json"],"rest":[{"mode":"server","resource":[]}]}'
)


@contextmanager
def odd_server(answer: Callable[[str], Answer], *, certificate: Path | None = None) -> Iterator[str]:
    """Serve `answer(path)` to every request until the block ends. Yields the base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._say()

        def _say(self) -> None:
            status, content_type, body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing: the test says what went wrong."""

    with _serving(Handler, certificate) as url:
        yield url


@contextmanager
def endless_server(*, sent: list[int]) -> Iterator[str]:
    """Answers /metadata, then every request with a body of 2 GB that it sends as long as somebody takes it.
    `sent[0]` counts the bytes that were taken."""
    sent.append(0)
    chunk = b'{"resourceType":"Bundle","type":"searchset","entry":[' + b" " * 1_000_000

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/fhir+json")
            if self.path.endswith("/metadata"):
                self.send_header("Content-Length", str(len(METADATA)))
                self.end_headers()
                self.wfile.write(METADATA)
                return
            self.send_header("Content-Length", str(2 * 1024**3))
            self.end_headers()
            try:
                while sent[0] < 2 * 1024**3:
                    sent[0] += self.wfile.write(chunk)
            except OSError:
                self.close_connection = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, *args: object) -> None:
            """Say nothing: the test says what went wrong."""

    with _serving(Handler, None) as url:
        yield url


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler], certificate: Path | None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda request, client_address: None  # type: ignore[method-assign] # refused handshakes are the point
        scheme = "https"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}/fhir"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def self_signed(folder: Path) -> Path:
    """A PEM file with a fresh key and a certificate for 127.0.0.1 that nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
