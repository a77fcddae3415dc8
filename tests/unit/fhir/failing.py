"""Answers without an end, damaged or torn, and the failures below HTTP by their reasons."""

import socket
import ssl

import httpx


class Endless(httpx.AsyncByteStream):
    """Two gigabytes, if anyone reads so far."""

    def __init__(self):
        self.given = 0

    async def __aiter__(self):
        while self.given < 2 * 1024**3:
            self.given += 65536
            yield b" " * 65536


class Damaged(httpx.AsyncByteStream):
    async def __aiter__(self):
        yield b"this is no gzip"


class Torn(httpx.AsyncByteStream):
    async def __aiter__(self):
        yield b'{"resourceType":'
        raise httpx.ReadError("reset")


def caused(error, cause):
    error.__cause__ = cause
    return error


FAILURES = {
    "tls": caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError("self-signed")),
    "dns": caused(httpx.ConnectError("x"), caused(OSError("y"), socket.gaierror(-2, "unknown"))),
    "refused": caused(httpx.ConnectError("x"), OSError("all failed")),
    "connect-timeout": httpx.ConnectTimeout("x"),
    "timeout": httpx.ReadTimeout("x"),
    "proxy": httpx.ProxyError("x"),
    "connection": httpx.RemoteProtocolError("x"),
}
FAILURES["refused"].__cause__.__cause__ = ExceptionGroup("attempts", [ConnectionRefusedError(), OSError()])
