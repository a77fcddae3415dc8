import asyncio
import datetime as dt
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from careplan_exchange.errors import EndpointUnreachableError, SettingsError
from careplan_exchange.fhir import Connection, connect

from .wire import CountingIds


@pytest.fixture
def authority(tmp_path):
    """A certificate for localhost that signed itself, and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    (tmp_path / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return tmp_path


async def answer(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    body = b'{"resourceType":"Goal","id":"g1"}'
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    writer.close()


@pytest.fixture
async def tls_server(authority):
    """The base URL of a server with that certificate, which answers any request with a Goal."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "ca.pem", authority / "key.pem")

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}/fhir"


@pytest.fixture
async def strict_server(authority):
    """The same, for those who show a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "ca.pem", authority / "key.pem")
    context.load_verify_locations(authority / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # so that a refusal comes with the handshake
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}/fhir"


@pytest.fixture
async def proxy():
    """An HTTP proxy that answers for everybody, and what it was asked for."""
    asked = []

    async def handle(reader, writer):
        asked.append((await reader.readuntil(b"\r\n")).decode().split()[1])
        await answer(reader, writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def read(connection):
    async with connect(connection, ids=CountingIds()) as client:
        return await client.read("Goal", "g1")


async def test_a_certificate_of_nobody_known_is_refused_and_the_mend_names_ca_bundle(tls_server):
    with pytest.raises(EndpointUnreachableError, match="TLS") as caught:
        await read(Connection(base_url=tls_server, attempts=1))
    assert "ca_bundle" in caught.value.mend


async def test_a_private_authority_is_trusted_where_its_bundle_is_named(tls_server, authority):
    resource = await read(Connection(base_url=tls_server, attempts=1, ca_bundle=authority / "ca.pem"))
    assert resource.id == "g1"


async def test_a_bundle_that_is_not_there_or_no_pem_is_a_setting_to_mend(tmp_path):
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("absent.pem", "empty.pem"):
        with pytest.raises(SettingsError, match="CA bundle"):
            await read(Connection(base_url="https://localhost/fhir", ca_bundle=tmp_path / name))


async def test_a_server_that_wants_a_certificate_gets_the_one_that_is_set(strict_server, authority):
    ours = {"client_certificate": authority / "ca.pem", "client_key": authority / "key.pem"}
    connection = Connection(base_url=strict_server, attempts=1, ca_bundle=authority / "ca.pem", **ours)
    assert (await read(connection)).id == "g1"


async def test_without_one_it_does_not_answer(strict_server, authority):
    with pytest.raises(EndpointUnreachableError):
        await read(Connection(base_url=strict_server, attempts=1, ca_bundle=authority / "ca.pem"))


async def test_a_client_certificate_that_cannot_be_used_is_a_setting_to_mend(authority):
    (authority / "empty.pem").write_text("nothing")
    (authority / "locked.pem").write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"geheim"),
        )
    )
    for certificate, key in (
        ("absent.pem", None),
        ("empty.pem", None),
        ("ca.pem", "locked.pem"),
        ("ca.pem", None),
    ):
        with pytest.raises(SettingsError, match="client certificate") as caught:
            await read(
                Connection(
                    base_url="https://localhost/fhir",
                    client_certificate=authority / certificate,
                    client_key=authority / key if key else None,
                )
            )
        assert "client_key" in caught.value.mend


async def test_a_proxy_that_is_set_is_asked_instead_of_the_server(proxy):
    address, asked = proxy
    connection = Connection(base_url="http://fhir.example.org/r4", attempts=1, proxy=address)
    assert (await read(connection)).id == "g1"
    assert asked == ["http://fhir.example.org/r4/Goal/g1"]


async def test_a_proxy_that_is_none_is_a_setting_to_mend():
    with pytest.raises(SettingsError, match="proxy"):
        await read(Connection(base_url="http://fhir.example.org/r4", proxy="ftp://p"))
