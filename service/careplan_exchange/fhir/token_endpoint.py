"""SMART Backend Services: a signed assertion for an access token.

http://hl7.org/fhir/smart-app-launch/backend-services.html#obtain-access-token,
http://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html#authenticating-to-the-token-endpoint.
"""

import asyncio
from datetime import datetime, timedelta

import httpx
import msgspec

from careplan_exchange import logs
from careplan_exchange.errors import AuthenticationRefusedError, CareplanError, UnsupportedServerError
from careplan_exchange.ports import Ids

from .ask import packed_as_asked
from .connection import Connection, SmartAuth, carried
from .discovery import Discovered, discover
from .failures import busy, unreachable
from .keys import Key
from .link import origin_of
from .retry import RETRIED_STATUSES, Pacing, Transient, parse_retry_after

ASSERTION_SECONDS = 240
"""The specification allows five minutes; the rest is for clocks that differ."""

RENEWED_BEFORE = timedelta(seconds=30)
"""A token is renewed so long before it expires, or in the last quarter of its life where that is shorter."""

UNSTATED_SECONDS = 60
"""`expires_in` is required; where a server leaves it out its token is not trusted for long."""

_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip"}
_LARGEST_ANSWER = 256 * 1024
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MENDS = {
    "invalid_client": "Check client_id, that the public key (`careplan keys jwks FILE`) is registered there "
    "under the same kid, and this machine's clock.",
    "invalid_scope": "Ask for scopes that the client was granted: scopes of the endpoint, v1 (system/*.read) or "
    "v2 (system/*.rs).",
    "unauthorized_client": "Ask those who run the server to allow this client the grant client_credentials.",
    "unsupported_grant_type": "Check token_url: this token endpoint does not do SMART Backend Services.",
    "invalid_grant": "Check client_id and the registered key.",
    "invalid_request": "Check token_url, and what the server's documentation asks of a Backend Services client.",
}
"""By the codes of RFC 6749 §5.2; the server's own description is not repeated."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An access token; its text does not show its value. `scope` is what was granted, as the server wrote it."""

    value: str
    scope: str
    seconds: int
    renew: datetime
    token_url: str

    def __repr__(self) -> str:
        return f"Token(…, seconds={self.seconds})"


class _Answer(msgspec.Struct, frozen=True):
    access_token: str
    token_type: str
    expires_in: int = UNSTATED_SECONDS
    scope: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""


class ClientRefusedError(AuthenticationRefusedError):
    """invalid_client: worth another attempt where the key has been rotated meanwhile."""


class TokenEndpoint:
    """Where the tokens of one FHIR endpoint come from: asked of the server once, or set."""

    def __init__(
        self, connection: Connection, auth: SmartAuth, http: httpx.AsyncClient, ids: Ids, pacing: Pacing
    ) -> None:
        self._connection = connection
        self._auth = auth
        self._http = http
        self._ids = ids
        self._pacing = pacing
        self._discovered: Discovered | None = None
        self._log = logs.get_logger()

    async def ask(self, key: Key) -> Token:
        """A token for an assertion signed with this key. Raises Transient where another attempt may do better,
        ClientRefusedError, AuthenticationRefusedError, UnsupportedServerError."""
        found = await self._where()
        now = self._pacing.now()
        form = {
            "grant_type": "client_credentials",
            "scope": self._auth.scopes,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(key, found.token_url, now),
        }
        status, body = await self._send("POST", found.token_url, form)
        self._log.debug(
            logs.FHIR_TOKEN, endpoint=logs.hashed(self._connection.base_url), status=str(status), kind=key.alg
        )
        if status != 200:
            raise _refused(status, body, found, key)
        return _token(body, found.token_url, now)

    def _assertion(self, key: Key, token_url: str, now: datetime) -> str:
        from authlib.oauth2.rfc7523 import private_key_jwt_sign

        issued = int(now.timestamp())
        return str(
            private_key_jwt_sign(
                key.key,
                self._auth.client_id,
                token_url,
                alg=key.alg,
                claims={"jti": self._ids.new()},
                header={"kid": key.kid},
                issued_at=issued,
                expires_at=issued + ASSERTION_SECONDS,
            )
        )

    async def _where(self) -> Discovered:
        if self._auth.token_url is not None:
            return Discovered(token_url=self._auth.token_url)
        if self._discovered is None:

            async def get(url: str) -> bytes | None:
                status, body = await self._send("GET", url)
                return body if status == 200 else None

            self._discovered = await discover(self._connection.base_url, get)
        return self._discovered

    async def _send(self, method: str, url: str, form: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Status and (the beginning of) the body. Raises Transient. Nothing but the form says who we are."""
        where = f"the token endpoint at {origin_of(url)}" if form is not None else origin_of(url)
        try:
            async with (
                asyncio.timeout(self._connection.timeout_seconds),
                self._http.stream(method, url, data=form, headers=_HEADERS) as response,
            ):
                body = bytearray()
                if not packed_as_asked(response):
                    raise _rubbish()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > _LARGEST_ANSWER and form is not None:
                        raise _rubbish()
        except httpx.DecodingError:
            raise _rubbish() from None
        except (httpx.TransportError, TimeoutError) as error:
            reason, failure = unreachable(error, where)
            raise Transient(reason, failure, nothing_done=True) from error
        if response.status_code in RETRIED_STATUSES:
            wait = parse_retry_after(response.headers.get("retry-after"), self._pacing.now())
            refused = busy(response.status_code, where, self._connection.attempts, wait)
            raise Transient(str(response.status_code), refused, nothing_done=True, wait=wait)
        return response.status_code, bytes(body)


def _token(body: bytes, token_url: str, now: datetime) -> Token:
    try:
        answer = msgspec.json.decode(body, type=_Answer, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _rubbish() from None
    if answer.token_type.lower() != "bearer" or not carried(answer.access_token):
        raise _rubbish()
    seconds = max(0, min(answer.expires_in, 86_400))
    life = timedelta(seconds=seconds)
    return Token(
        value=answer.access_token,
        scope=answer.scope,
        seconds=seconds,
        renew=now + life - min(RENEWED_BEFORE, life / 4),
        token_url=token_url,
    )


def _rubbish() -> UnsupportedServerError:
    return UnsupportedServerError(
        "The token endpoint answers with something that is no token response.",
        mend="Check token_url of the endpoint: the one for SMART Backend Services, not a sign-in page.",
    )


def _refused(status: int, body: bytes, found: Discovered, key: Key) -> CareplanError:
    try:
        code = msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        code = ""
    if status < 400 or (code not in _MENDS and status in {404, 405, 410}):
        return _rubbish()
    said = code if code in _MENDS else "no reason that RFC 6749 knows"
    mend = _MENDS.get(code, _MENDS["invalid_client"])
    if found.algorithms and key.alg not in found.algorithms:
        mend = f"The server says that it does not take {key.alg}: make a key of another algorithm. {mend}"
    kind = ClientRefusedError if code == "invalid_client" else AuthenticationRefusedError
    return kind(f"The token endpoint at {origin_of(found.token_url)} refuses ({status}, {said}).", mend=mend)
