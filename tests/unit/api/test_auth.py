"""Who is let in, and what each may do."""

import base64
import hmac

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from careplan_exchange.api import ApiAuth, OidcIssuer, check_binding
from careplan_exchange.errors import ConfigurationError
from tests.support.exchanges import FakeExchanges, TickingClock
from tests.support.service import KEY, body, problem, service

ISSUER = "https://issuer.example"
AUDIENCE = "careplan-exchange"
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1", "use": "sig"})
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa-1"})
ROUTES = [
    ("GET", "/api/v1/exchanges/00000000-0000-4000-8000-000000000000"),
    ("GET", "/api/v1/patients/p1/proposal"),
    ("GET", "/api/v1/audit"),
    ("GET", "/metrics"),
]


class FakeIssuer:
    """An OIDC issuer behind a transport, which counts how often it is asked."""

    def __init__(self) -> None:
        self.keys = [RSA, EC]
        self.asked: list[str] = []
        self.down = False
        self.document = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.down:
            raise httpx.ConnectError("down", request=request)
        if request.url.path == "/keys":
            odd = [{"kty": "AKP", "kid": "later"}, {"kty": "RSA", "use": "enc"}]
            return httpx.Response(200, json={"keys": [*KeySet(self.keys).as_dict(private=False)["keys"], *odd]})
        return httpx.Response(200, json=self.document)


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock()


@pytest.fixture
def issuer() -> FakeIssuer:
    return FakeIssuer()


@pytest.fixture
def auth(issuer: FakeIssuer, clock: TickingClock) -> ApiAuth:
    return ApiAuth(issuer=OidcIssuer(f"{ISSUER}/", AUDIENCE, clock=clock, transport=issuer.transport))


def token(clock: TickingClock, *, key=RSA, header=None, **changes) -> str:
    now = int(clock.now().timestamp())
    claims = {
        "iss": ISSUER,
        "sub": "client-1",
        "aud": AUDIENCE,
        "exp": now + 300,
        "scope": "careplan.read careplan.write",
    } | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    algorithm = "ES256" if key is EC else "RS256"
    return jwt.encode(header or {"alg": algorithm, "kid": key.kid}, claims, key)


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "localhost", "127.1.2.3"])
def test_an_open_service_may_listen_on_loopback(host):
    check_binding(host, ApiAuth())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "careplan.example", "", "127.0.0.1.example"])
def test_an_open_service_may_listen_nowhere_else(host):
    with pytest.raises(ConfigurationError) as refused:
        check_binding(host, ApiAuth())
    assert "api_key_file" in refused.value.mend


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1"])
def test_a_guarded_service_may_listen_anywhere(host, auth):
    check_binding(host, ApiAuth(api_key=KEY))
    check_binding(host, auth)


def test_a_short_api_key_is_refused_and_no_key_is_ever_shown():
    with pytest.raises(ConfigurationError) as refused:
        ApiAuth(api_key="geheim")
    assert "geheim" not in str(refused.value)
    assert KEY not in repr(ApiAuth(api_key=KEY))


@pytest.mark.parametrize("headers", [{"X-API-Key": KEY}, bearer(KEY), {"Authorization": f"bearer  {KEY}"}])
async def test_the_api_key_opens_every_route(headers):
    async with service(FakeExchanges(), ApiAuth(api_key=KEY)) as client:
        assert (await client.get("/api/v1/audit", headers=headers)).status_code == 200
        assert (await client.get("/metrics", headers=headers)).status_code == 200
        accepted = await client.post("/api/v1/exchanges", json=body(approve=True), headers=headers)
        assert accepted.status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": KEY[:-1]},
        {"X-API-Key": KEY.upper()},
        {"Authorization": KEY},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {KEY}"},
        {"X-API-Key": "ключ".encode()},
    ],
)
async def test_without_the_api_key_every_route_but_health_is_closed(headers):
    exchanges = FakeExchanges()
    async with service(exchanges, ApiAuth(api_key=KEY)) as client:
        for method, path in ROUTES:
            answer = await client.request(method, path, headers=headers)
            problem(answer, 401, "auth.credentials")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        problem(await client.post("/api/v1/exchanges", json=body(), headers=headers), 401, "auth.credentials")
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 200
    assert exchanges.synced == []


@pytest.mark.parametrize("key", [RSA, EC])
async def test_a_valid_token_opens_what_its_scopes_name(auth, clock, key):
    async with service(FakeExchanges(), auth) as client:
        headers = bearer(token(clock, key=key))
        assert (await client.post("/api/v1/exchanges", json=body(), headers=headers)).status_code == 202
        found = problem(await client.get("/api/v1/audit", headers=headers), 403, "auth.scope")
        assert "careplan.audit" in found.detail
        problem(await client.get("/metrics", headers=headers), 403, "auth.scope")


async def test_approving_over_http_needs_a_scope_of_its_own(auth, clock):
    exchanges = FakeExchanges()
    async with service(exchanges, auth) as client:
        answer = await client.post("/api/v1/exchanges", json=body(approve=True), headers=bearer(token(clock)))
        problem(answer, 403, "auth.scope")
        assert exchanges.synced == []
        both = token(clock, scope="careplan.write careplan.approve")
        accepted = await client.post("/api/v1/exchanges", json=body(approve=True), headers=bearer(both))
        assert accepted.status_code == 202


async def test_scopes_may_come_as_a_list_and_odd_ones_open_nothing(auth, clock):
    async with service(FakeExchanges(), auth) as client:
        listed = token(clock, scope=None, scp=["careplan.audit", 7])
        assert (await client.get("/api/v1/audit", headers=bearer(listed))).status_code == 200
        for odd in (None, 7, {"careplan.audit": True}, "careplan.audits"):
            answer = await client.get("/api/v1/audit", headers=bearer(token(clock, scope=odd)))
            problem(answer, 403, "auth.scope")


def _signed_with_the_public_key(payload: str) -> str:
    """The classic confusion: HMAC with the issuer's public key as its secret. By hand, as no library helps with it."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"rsa-1"}').rstrip(b"=").decode()
    mac = hmac.digest(RSA.as_pem(private=False), f"{head}.{payload}".encode(), "sha256")
    return f"{head}.{payload}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _bad_tokens(clock: TickingClock) -> dict[str, str]:
    now = int(clock.now().timestamp())
    good = token(clock)
    head, payload, signature = good.split(".")
    return {
        "expired": token(clock, exp=now - 60),
        "without end": token(clock, exp=None),
        "odd end": token(clock, exp="tomorrow"),
        "not yet": token(clock, nbf=now + 300),
        "another audience": token(clock, aud="someone-else"),
        "no audience": token(clock, aud=None),
        "another issuer": token(clock, iss="https://evil.example"),
        "no issuer": token(clock, iss=None),
        "no subject": token(clock, sub=None),
        "a stranger's key": token(clock, key=STRANGER),
        "an unknown key": token(clock, header={"alg": "RS256", "kid": "nobody"}),
        "no key named": token(clock, header={"alg": "RS256"}),
        "another algorithm": jwt.encode(
            {"alg": "RS512", "kid": "rsa-1"}, {"sub": "x"}, RSA, algorithms=["RS512"]
        ),
        "the public key as a secret": _signed_with_the_public_key(payload),
        "unsigned": "eyJhbGciOiJub25lIn0." + payload + ".",
        "cut": f"{head}.{payload}.",
        "changed": f"{head}.{payload[:-2]}AA.{signature}",
        "no token": "hello",
        "dots": "..",
        "huge": "x" * 20_000,
    }


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("kind", list(_bad_tokens(TickingClock())))
async def test_a_token_that_proves_nothing_is_refused_without_being_repeated(auth, clock, kind):
    bad = _bad_tokens(clock)[kind]
    async with service(FakeExchanges(), auth) as client:
        answer = await client.get("/api/v1/patients/p1/proposal", headers=bearer(bad))
        problem(answer, 401, "auth.credentials")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert bad not in answer.text


async def test_the_issuers_keys_are_fetched_once_and_again_when_they_have_aged(auth, issuer, clock):
    for _ in range(3):
        await auth.caller(bearer_headers(token(clock)))
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]
    clock.pass_time(hours=1)
    await auth.caller(bearer_headers(token(clock)))
    assert len(issuer.asked) == 4


async def test_a_new_key_of_the_issuer_is_taken_without_waiting_for_the_hour(auth, issuer, clock):
    await auth.caller(bearer_headers(token(clock)))
    fresh = RSAKey.generate_key(2048, {"kid": "rsa-2", "use": "sig"})
    issuer.keys = [fresh]
    clock.pass_time(minutes=2)
    assert (await auth.caller(bearer_headers(token(clock, key=fresh)))).scopes


async def test_made_up_key_ids_do_not_have_the_keys_fetched_over_and_over(auth, issuer, clock):
    async with service(FakeExchanges(), auth) as client:
        for number in range(10):
            odd = token(clock, header={"alg": "RS256", "kid": f"made-up-{number}"})
            problem(await client.get("/api/v1/audit", headers=bearer(odd)), 401, "auth.credentials")
    assert issuer.asked.count("/keys") == 1


async def test_an_issuer_that_is_down_is_a_problem_and_asked_again_only_after_a_rest(auth, issuer, clock):
    issuer.down = True
    async with service(FakeExchanges(), auth) as client:
        for _ in range(5):
            answer = await client.get("/api/v1/patients/p1/proposal", headers=bearer(token(clock)))
            problem(answer, 504, "unavailable.endpoint")
        assert len(issuer.asked) == 1
        issuer.down = False
        clock.pass_time(seconds=6)
        answer = await client.get("/api/v1/patients/p1/proposal", headers=bearer(token(clock)))
        problem(answer, 400, "endpoint.missing")


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"issuer": ISSUER},
        {"issuer": "https://evil.example", "jwks_uri": f"{ISSUER}/keys"},
        {"issuer": ISSUER, "jwks_uri": "http://issuer.example/keys"},
        {"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"},
    ],
)
async def test_a_discovery_document_that_cannot_be_trusted_gives_no_keys(auth, issuer, clock, document):
    issuer.document = document
    async with service(FakeExchanges(), auth) as client:
        answer = await client.get("/api/v1/audit", headers=bearer(token(clock)))
        problem(answer, 504, "unavailable.endpoint")
    assert "/keys" not in issuer.asked


@pytest.mark.parametrize("address", ["http://issuer.example", "ftp://issuer.example", "issuer.example"])
def test_an_issuer_without_tls_is_refused_beyond_this_machine(address, clock):
    with pytest.raises(ConfigurationError):
        OidcIssuer(address, AUDIENCE, clock=clock)


def test_an_issuer_on_this_machine_may_go_without_tls(clock):
    assert OidcIssuer("http://127.0.0.1:8080/realms/x", AUDIENCE, clock=clock).issuer.endswith("/realms/x")


async def test_key_and_issuer_may_be_set_together(auth, clock):
    both = ApiAuth(api_key=KEY, issuer=auth.issuer)
    assert (await both.caller({"x-api-key": KEY})).name == "api-key"
    caller = await both.caller(bearer_headers(token(clock)))
    assert "client-1" not in caller.name


async def test_two_callers_with_one_idempotency_key_do_not_meet(auth, clock):
    async with service(FakeExchanges(), auth) as client:
        rows = [
            await client.post(
                "/api/v1/exchanges",
                json=body(patient=patient),
                headers=bearer(token(clock, sub=patient)) | {"Idempotency-Key": "1"},
            )
            for patient in ("p1", "p2")
        ]
    assert [row.status_code for row in rows] == [202, 202]


def bearer_headers(value: str) -> dict[str, str]:
    return {"authorization": f"Bearer {value}"}
