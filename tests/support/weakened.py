"""Our sandbox over real sockets, behind a layer that takes its virtues away one by one."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from careplan_exchange.sandbox.app import BASE, create_app
from careplan_exchange.sandbox.faults import Faults

Json = dict[str, Any]
_START_SECONDS = 30


class Weakened:
    """Honest until an attribute below is set. `log` has (method, path, headers) of every request but reads of the
    CapabilityStatement."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self.faults = faults  # those of the sandbox
        self.transactions = True  # False: it declares none
        self.if_match = True  # False: it ignores the header, and `ifMatch` of an entry
        self.conditions = True  # False: it ignores `If-None-Exist` and `ifNoneExist`
        self.atomic = True  # False: it carries a transaction out as a batch, and answers 200
        self.prefers = True  # False: no body, no Location, no ETag in the answer to a write
        self.history = True
        self.deletes = True
        self.read_only: int | None = None  # the status of every write
        self.takes: int | None = None  # bytes of a body, 413 for more
        self.refuses: dict[str, int] = {}  # path → status, whatever the CapabilityStatement says
        self.says_ok_to: set[str] = set()  # paths of writes that are answered 200 with an error, and not done
        self.stores: Callable[[Json], Json] = dict  # what it makes of a resource before it keeps it
        self.log: list[tuple[str, str, dict[str, str]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(BASE).strip("/")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        data = await _body(receive)
        sent = json.loads(data) if data else None
        writes = scope["method"] in {"PUT", "DELETE"} or (
            scope["method"] == "POST" and (sent or {}).get("type") != "batch"
        )
        if path != "metadata":
            self.log.append((scope["method"], path, headers))
        status = self._refusal(scope["method"], path, len(data), writes=writes)
        if status is not None:
            await _say(send, status, _outcome("not-supported"))
            return
        if writes and path in self.says_ok_to:
            await _say(send, 200, _outcome("exception"))
            return
        if writes and sent is not None:
            sent = self._weaker(sent)
            data = json.dumps(sent).encode()
        dropped = {b"accept-encoding", b"content-length"}
        dropped |= (set() if self.if_match else {b"if-match"}) | (
            set() if self.conditions else {b"if-none-exist"}
        )
        kept = [(name, value) for name, value in scope["headers"] if name not in dropped]
        kept.append((b"content-length", str(len(data)).encode()))
        messages: list[Message] = []

        async def again() -> Message:
            return {"type": "http.request", "body": data, "more_body": False}

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app({**scope, "headers": kept}, again, keep)
        if not messages:
            return  # a fault has dropped the connection
        await self._answered(messages, send, path, writes=writes)

    def _refusal(self, method: str, path: str, size: int, *, writes: bool) -> int | None:
        if writes and self.read_only is not None:
            return self.read_only
        if writes and self.takes is not None and size > self.takes:
            return 413
        if writes and path in self.refuses:
            return self.refuses[path]
        if method == "DELETE" and not self.deletes:
            return 405
        return 404 if path.endswith("_history") and not self.history else None

    def _weaker(self, sent: Json) -> Json:
        if sent.get("resourceType") != "Bundle":
            return self.stores(sent)
        if not self.atomic and sent["type"] == "transaction":
            sent = {**sent, "type": "batch"}
        for entry in sent["entry"]:
            if "resource" in entry:
                entry["resource"] = self.stores(entry["resource"])
            if not self.if_match:
                entry["request"].pop("ifMatch", None)
            if not self.conditions:
                entry["request"].pop("ifNoneExist", None)
        return sent

    async def _answered(self, messages: list[Message], send: Send, path: str, *, writes: bool) -> None:
        start, body = messages[0], b"".join(message.get("body", b"") for message in messages[1:])
        headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        if path == "metadata" and not self.transactions:
            statement = json.loads(body)
            rest = statement["rest"][0]
            rest["interaction"] = [one for one in rest["interaction"] if one["code"] != "transaction"]
            body = json.dumps(statement).encode()
        if writes and not self.prefers and start["status"] < 300:
            body = _without_bodies(body) if path == "" else b""
            headers = [(name, value) for name, value in headers if name not in {b"location", b"etag"}]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _without_bodies(body: bytes) -> bytes:
    bundle = json.loads(body)
    for entry in bundle["entry"]:
        entry.pop("resource", None)
        entry["response"] = {"status": entry["response"]["status"]}
    return json.dumps(bundle).encode()


async def _body(receive: Receive) -> bytes:
    data, more = b"", True
    while more:
        message = await receive()
        data += message.get("body", b"")
        more = message.get("more_body", False)
    return data


def _outcome(code: str) -> bytes:
    issue = {"severity": "error", "code": code, "diagnostics": "Jane Doe, born 1970"}
    return json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()


async def _say(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/fhir+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def weakened_sandbox() -> Iterator[tuple[str, Weakened]]:
    """Its base URL, and the layer to set."""
    faults = Faults()
    app = create_app(faults=faults)
    layer = Weakened(app, faults)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    served = uvicorn.Server(uvicorn.Config(layer, ws="none", lifespan="off", log_config=None, access_log=False))
    thread = threading.Thread(target=served.run, args=([listener],), daemon=True)
    thread.start()
    try:
        until = time.monotonic() + _START_SECONDS
        while not served.started and time.monotonic() < until:
            time.sleep(0.01)
        assert served.started
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{BASE}", layer
    finally:
        served.should_exit = True
        thread.join()
        listener.close()
        app.state.server.close()
