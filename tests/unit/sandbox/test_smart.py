"""The sandbox as a SMART server: whom it gives a token, what a token allows, and how it can be made to fail."""

import base64
import hmac
import json

import httpx
import pytest
from joserfc import jwt

from careplan_exchange.errors import SettingsError
from careplan_exchange.fhir import new_key
from careplan_exchange.sandbox import Fault, Faults, create_app, serve_in_background
from careplan_exchange.sandbox.scopes import need, parse_scopes
from tests.support.smart import Clock, assertion, write_jwks

BASE = "http://sandbox.test/fhir"
TOKEN_URL = f"{BASE}/auth/token"
KEY, RSA, STRANGER = new_key("ES384"), new_key("RS384"), new_key("ES384")
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PATIENT = {"resourceType": "Patient", "name": [{"family": "Example"}]}
FHIR = {"Content-Type": "application/fhir+json"}


class Smart:
    """A client of a smart sandbox with a clock of its own."""

    def __init__(self, folder, **settings):
        self.clock = Clock()
        self.faults = Faults()
        self.file = write_jwks(folder / "jwks.json", KEY, RSA)
        self.app = create_app(smart=self.file, clock=self.clock, faults=self.faults, **settings)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=BASE, headers=FHIR)

    async def ask(self, signed, scope="system/*.cruds", **changes):
        form = {
            "grant_type": "client_credentials",
            "scope": scope,
            "client_assertion_type": TYPE,
            "client_assertion": signed,
        } | changes
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.http.post("/auth/token", data=form, headers=headers)

    async def bearer(self, scope):
        answer = await self.ask(assertion(KEY, TOKEN_URL, self.clock.now), scope)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture
async def smart(tmp_path):
    sandbox = Smart(tmp_path)
    yield sandbox
    await sandbox.http.aclose()
    sandbox.app.state.server.close()


def encoded(part):
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def with_hmac(alg, claims, secret):
    signed = f"{encoded({'alg': alg, 'kid': RSA.kid})}.{encoded(claims)}"
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), f'sha{alg[2:]}'))}"


def refused(answer, error, said, status=401):
    assert answer.status_code == status, answer.text
    assert answer.json()["error"] == error
    assert said in answer.json()["error_description"]
    assert "access_token" not in answer.text


# --- the eight attacks --------------------------------------------------------------------------------------------


async def test_attack_1_an_assertion_for_another_audience_is_refused(smart):
    for audience in ("https://other.example.org/token", BASE, None, [TOKEN_URL, "https://other.example.org"]):
        refused(await smart.ask(assertion(KEY, TOKEN_URL, aud=audience)), "invalid_client", "aud")


async def test_attack_2_an_assertion_that_is_sent_again_is_refused(smart):
    signed = assertion(KEY, TOKEN_URL)
    assert (await smart.ask(signed)).status_code == 200
    refused(await smart.ask(signed), "invalid_client", "jti")
    smart.clock.advance(239)
    refused(await smart.ask(signed), "invalid_client", "jti")
    again = assertion(RSA, TOKEN_URL, smart.clock.now, jti="one")
    assert (await smart.ask(again)).status_code == 200
    refused(await smart.ask(assertion(KEY, TOKEN_URL, smart.clock.now, jti="one")), "invalid_client", "jti")


async def test_attack_3_an_expired_assertion_is_refused(smart):
    signed = assertion(KEY, TOKEN_URL)
    smart.clock.advance(240)
    refused(await smart.ask(signed), "invalid_client", "expired")


async def test_attack_4_an_assertion_that_lives_longer_than_five_minutes_is_refused(smart):
    now = int(smart.clock.now.timestamp())
    refused(await smart.ask(assertion(KEY, TOKEN_URL, exp=now + 301)), "invalid_client", "five minutes")
    refused(await smart.ask(assertion(KEY, TOKEN_URL, exp=None)), "invalid_client", "exp")
    assert (await smart.ask(assertion(KEY, TOKEN_URL, exp=now + 300))).status_code == 200


async def test_attack_5_an_unknown_key_id_is_refused(smart):
    refused(await smart.ask(assertion(STRANGER, TOKEN_URL)), "invalid_client", "kid")
    for header in ({"kid": "made-up"}, {"kid": ""}):
        refused(await smart.ask(assertion(KEY, TOKEN_URL, header=header)), "invalid_client", "kid")
    stolen_name = assertion(STRANGER, TOKEN_URL, header={"kid": KEY.kid})
    refused(await smart.ask(stolen_name), "invalid_client", "signature")


async def test_attack_6_another_algorithm_is_refused(smart):
    claims = {"iss": "c", "sub": "c", "aud": TOKEN_URL, "exp": int(smart.clock.now.timestamp()) + 60, "jti": "a"}
    public = RSA.key.as_pem(private=False)  # the oldest trick: our public key as the shared secret
    attempts = [with_hmac(alg, claims, public) for alg in ("HS256", "HS384")]
    for alg in ("RS256", "RS512"):
        attempts.append(jwt.encode({"alg": alg, "kid": RSA.kid}, claims, RSA.key, algorithms=[alg]))
    for signed in attempts:
        refused(await smart.ask(signed), "invalid_client", "neither with RS384 nor with ES384")
    crossed = jwt.encode({"alg": "RS384", "kid": KEY.kid}, claims, RSA.key, algorithms=["RS384"])
    refused(await smart.ask(crossed), "invalid_client", "another algorithm")


async def test_attack_7_an_assertion_without_a_signature_is_refused(smart):
    _, content, _ = assertion(KEY, TOKEN_URL).split(".")
    for alg in ("none", "None", "NONE", ""):
        header = encoded({"alg": alg, "kid": KEY.kid})
        refused(await smart.ask(f"{header}.{content}."), "invalid_client", "neither with")
    header = encoded({"alg": "ES384", "kid": KEY.kid})
    refused(await smart.ask(f"{header}.{content}."), "invalid_client", "signature")


@pytest.mark.parametrize(
    "scope",
    ["", "user/*.read", "patient/*.rs", "system/*.sr", "system/*.", "system/Patient", "openid", "system/*.rs x",
     "system/Observation.rs?category=laboratory", "system/*.admin"],
)  # fmt: skip
async def test_attack_8_a_wrong_scope_is_refused(smart, scope):
    refused(await smart.ask(assertion(KEY, TOKEN_URL), scope), "invalid_scope", "scope", status=400)


async def test_attack_8_a_scope_beyond_what_the_client_was_granted_is_refused(tmp_path):
    smart = Smart(tmp_path, smart_scopes="system/Patient.read system/Goal.cu")
    for scope in ("system/*.read", "system/Patient.write", "system/Goal.cru", "system/Patient.rs system/Goal.d"):
        refused(await smart.ask(assertion(KEY, TOKEN_URL), scope), "invalid_scope", "may not", status=400)
    granted = await smart.ask(assertion(KEY, TOKEN_URL), "system/Patient.rs  system/Goal.u")
    assert granted.json()["scope"] == "system/Patient.rs system/Goal.u"
    await smart.http.aclose()
    smart.app.state.server.close()


async def test_what_is_no_request_for_a_token_is_refused(smart):
    good = assertion(KEY, TOKEN_URL)
    refused(await smart.ask(good, grant_type="password"), "unsupported_grant_type", "client_cred", status=400)
    refused(await smart.ask(good, client_assertion_type="x"), "invalid_request", "jwt-bearer", status=400)
    for junk in ("", "x", "a.b.c", "e30.e30.", "\x00", "W10.W10."):
        refused(await smart.ask(junk), "invalid_client", "")
    for claims in ({"sub": "other"}, {"iss": None}, {"jti": None}, {"jti": 7}, {"exp": "soon"}, {"exp": True}):
        refused(await smart.ask(assertion(KEY, TOKEN_URL, **claims)), "invalid_client", "")


# --- what a token is good for -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [KEY, RSA], ids=["ES384", "RS384"])
async def test_a_good_assertion_gets_a_token_for_five_minutes(smart, key):
    answer = await smart.ask(assertion(key, TOKEN_URL), "system/*.rs")
    assert answer.headers["cache-control"] == "no-store"
    given = answer.json()
    assert (given["token_type"], given["expires_in"], given["scope"]) == ("bearer", 300, "system/*.rs")
    headers = {"Authorization": f"Bearer {given['access_token']}"}
    assert (await smart.http.get("/Patient", headers=headers)).status_code == 200
    smart.clock.advance(299)
    assert (await smart.http.get("/Patient", headers=headers)).status_code == 200
    smart.clock.advance(1)
    assert (await smart.http.get("/Patient", headers=headers)).status_code == 401


async def test_tokens_that_have_expired_are_not_kept(smart):
    await smart.bearer("system/*.rs")
    smart.clock.advance(301)
    await smart.bearer("system/*.rs")
    assert len(smart.app.state.server.authorizer._tokens) == 1


async def test_everything_needs_the_right_to_read_every_type(smart):
    everything = await smart.bearer("system/*.cruds")
    made = (await smart.http.post("/Patient", json=PATIENT, headers=everything)).json()
    for scope, status in (("system/Patient.read", 403), ("system/*.read", 200)):
        headers = await smart.bearer(scope)
        answer = await smart.http.get(f"/Patient/{made['id']}/$everything", headers=headers)
        assert answer.status_code == status


async def test_without_a_token_only_what_leads_to_one_is_answered(smart):
    configuration = (await smart.http.get("/.well-known/smart-configuration")).json()
    assert configuration["token_endpoint"] == TOKEN_URL
    assert "client-confidential-asymmetric" in configuration["capabilities"]
    assert configuration["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    metadata = (await smart.http.get("/metadata")).json()
    (extension,) = metadata["rest"][0]["security"]["extension"]
    assert extension["extension"] == [{"url": "token", "valueUri": TOKEN_URL}]
    for headers in ({}, {"Authorization": "Bearer made-up"}, {"Authorization": "Basic eDp5"}):
        answer = await smart.http.get("/Patient", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("system/*.read", "rs"),
        ("system/Patient.read", "rs"),
        ("system/Patient.write", "cud"),
        ("system/*.*", "cruds"),
        ("system/Patient.r", "r"),
        ("system/Patient.s", "s"),
        ("system/Patient.c", "c"),
        ("system/Patient.u", "u"),
        ("system/Patient.d", "d"),
        ("system/Goal.cruds", ""),
        ("system/Patient.c system/Patient.s", "cs"),
    ],
)
async def test_scopes_of_both_versions_are_held_to_on_reads_and_writes(smart, scope, allowed):
    everything = await smart.bearer("system/*.cruds")
    made = (await smart.http.post("/Patient", json=PATIENT, headers=everything)).json()
    path = f"/Patient/{made['id']}"
    headers = await smart.bearer(scope)
    asked = {
        "s": (("GET", "/Patient", None), ("POST", "/Patient/_search", None)),
        "r": (("GET", path, None), ("GET", f"{path}/_history", None), ("GET", f"{path}/_history/1", None)),
        "c": (("POST", "/Patient", PATIENT),),
        "u": (("PUT", path, made),),
        "d": (("DELETE", path, None),),
    }
    for letter, requests in asked.items():
        for method, url, body in requests:
            form = {"Content-Type": "application/x-www-form-urlencoded"} if "_search" in url else {}
            answer = await smart.http.request(method, url, json=body, headers=headers | form)
            assert (answer.status_code < 300) == (letter in allowed), (letter, method, url, answer.text)
            if letter not in allowed:
                assert answer.status_code == 403
                assert answer.json()["issue"][0]["code"] == "forbidden"
                assert "insufficient_scope" in answer.headers["www-authenticate"]


async def test_a_transaction_needs_every_scope_of_its_entries_and_is_refused_whole(smart):
    headers = await smart.bearer("system/Patient.cruds")
    goal = {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "walk"}}
    entries = [
        {"resource": PATIENT, "request": {"method": "POST", "url": "Patient"}},
        {"resource": goal, "request": {"method": "POST", "url": "Goal"}},
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    answer = await smart.http.post("", json=bundle, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert (await smart.http.get("/Patient?_summary=count", headers=headers)).json()["total"] == 0


async def test_a_batch_answers_each_entry_by_its_own_scope(smart):
    headers = await smart.bearer("system/Patient.rs")
    entries = [{"request": {"method": "GET", "url": kind}} for kind in ("Patient", "Goal")]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = await smart.http.post("", json=bundle, headers=headers)
    assert [one["response"]["status"][:3] for one in answer.json()["entry"]] == ["200", "403"]


def test_what_a_scope_says_and_what_an_interaction_needs():
    scopes = parse_scopes("system/Goal.cu system/*.read")
    assert scopes is not None
    assert [letter for letter in "cruds" if scopes.allow("Goal", letter)] == list("crus")
    assert [letter for letter in "cruds" if scopes.allow("Patient", letter)] == list("rs")
    assert parse_scopes("launch") is None
    assert need("GET", ("metadata",)) is None
    assert need("GET", ()) is None
    assert need("PATCH", ("Goal", "1")) is None


# --- keys and faults ----------------------------------------------------------------------------------------------


async def test_registered_keys_can_be_changed_while_it_runs(smart):
    write_jwks(smart.file, STRANGER)
    refused(await smart.ask(assertion(KEY, TOKEN_URL)), "invalid_client", "kid")
    assert (await smart.ask(assertion(STRANGER, TOKEN_URL))).status_code == 200
    smart.file.unlink()
    refused(await smart.ask(assertion(STRANGER, TOKEN_URL)), "invalid_client", "registered keys")


def test_it_does_not_start_without_keys(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.json"):
        create_app(smart=tmp_path / "none.json")


async def test_unauthorized_strikes_once_and_never_what_needs_no_token(smart):
    headers = await smart.bearer("system/*.rs")
    smart.faults.arm(Fault(kind="unauthorized"))
    assert (await smart.http.get("/metadata")).status_code == 200
    assert (await smart.http.get("/.well-known/smart-configuration")).status_code == 200
    await smart.bearer("system/*.rs")
    answer = await smart.http.get("/Patient", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert (await smart.http.get("/Patient", headers=headers)).status_code == 200


async def test_token_down_strikes_the_token_endpoint_alone(smart):
    headers = await smart.bearer("system/*.rs")
    smart.faults.arm(Fault(kind="token_down", status=503, retry_after=7))
    assert (await smart.http.get("/Patient", headers=headers)).status_code == 200
    answer = await smart.ask(assertion(KEY, TOKEN_URL))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert (await smart.ask(assertion(KEY, TOKEN_URL))).status_code == 200


def test_a_smart_sandbox_in_the_background_counts_the_tokens_it_gave(tmp_path):
    with serve_in_background(smart=write_jwks(tmp_path / "jwks.json", KEY)) as sandbox:
        assert httpx.get(f"{sandbox.url}/Patient").status_code == 401
        assert sandbox.authorizer is not None
        assert sandbox.authorizer.given == 0
