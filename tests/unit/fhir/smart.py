"""A FHIR server with a token endpoint beside it, and a client that signs in there."""

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

import httpx

from careplan_exchange.fhir import Connection, Pacing, SmartAuth, connect
from tests.support.smart import Clock, new_key

from .wire import BASE, CountingIds, Pauses, Server, fhir, goal, outcome

TOKEN_URL = "https://login.example.org/token"
KEY = new_key("ES384")
OTHER = new_key("RS384")


def token_answer(value="t-1", **changes):
    content = {"access_token": value, "token_type": "bearer", "expires_in": 300, "scope": "system/*.rs"} | changes
    return httpx.Response(200, json={key: one for key, one in content.items() if one is not None})


def refusal(error, status=400):
    return httpx.Response(status, json={"error": error, "error_description": "Mr Smith's sesame is unknown"})


class Place(Server):
    """A FHIR server that takes the newest token, and the token endpoint beside it."""

    def __init__(self, *answers, wants_token=True):
        super().__init__(self.answer)
        self.answers = list(answers)
        self.assertions = []
        self.tokens = 0
        self.current = None
        self.wants_token = wants_token

    async def __call__(self, request):
        await asyncio.sleep(0.001)  # as a network would, so that requests are under way at one time
        return await super().__call__(request)

    def answer(self, request):
        if str(request.url) == TOKEN_URL:
            assert "authorization" not in request.headers
            form = parse_qs(request.content.decode())
            self.assertions.append(form)
            given = self.answers.pop(0) if self.answers else None
            if given is not None:
                return given
            self.tokens += 1
            self.current = f"t-{self.tokens}"
            return token_answer(self.current)
        if request.url.path.endswith("smart-configuration"):
            return httpx.Response(200, json={"token_endpoint": TOKEN_URL})
        if self.wants_token and request.headers.get("authorization") != f"Bearer {self.current}":
            return fhir(outcome(), 401)
        return fhir(goal())


@asynccontextmanager
async def smart_client(server, clock=None, *, key=KEY, token_url=TOKEN_URL, scopes="system/*.rs", **settings):
    clock, pauses = clock or Clock(), Pauses()
    read_key = key if callable(key) else lambda: key
    auth = SmartAuth(client_id="careplan", read_key=read_key, scopes=scopes, token_url=token_url)
    connection = Connection(base_url=settings.pop("base_url", BASE), auth=auth, **settings)
    pacing = Pacing(sleep=pauses, now=clock, chance=lambda: 1.0)
    async with connect(
        connection, ids=CountingIds(), transport=httpx.MockTransport(server), pacing=pacing
    ) as client:
        client.pauses = pauses
        yield client


async def read(server, **settings):
    async with smart_client(server, **settings) as client:
        return await client.read("Goal", "g1")
