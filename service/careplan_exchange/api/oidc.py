"""Tokens of an OIDC issuer: JWTs checked against the keys that its discovery document points to.

https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig; RFC 7519, RFC 8725.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from careplan_exchange.errors import ConfigurationError, EndpointUnreachableError
from careplan_exchange.ports import Clock

from .hosts import names_loopback

ALGORITHMS = ["RS256", "ES256"]
KEYS_LIVE = timedelta(hours=1)
REFETCH_AFTER = timedelta(minutes=1)
"""An unknown key id has the keys fetched anew, but not more often than this: made-up ids must cost nothing."""
REST_AFTER_FAILURE = timedelta(seconds=5)
"""While the issuer cannot be reached, requests are answered at once instead of queueing for one time-out each."""
LEEWAY_SECONDS = 30
MAX_TOKEN_LENGTH = 16_384
TIMEOUT_SECONDS = 10.0


class TokenRefusedError(Exception):
    """The token does not prove what it claims. The message names the cause and nothing from the token."""


class OidcIssuer:
    """One issuer whose access tokens, meant for `audience`, are taken."""

    def __init__(
        self, issuer: str, audience: str, *, clock: Clock, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """`issuer` is taken as its tokens spell it, but for a slash at its end. Raises ConfigurationError for one
        that is neither https nor on this machine."""
        self.issuer = issuer.rstrip("/")
        if not _trustworthy(self.issuer):
            raise ConfigurationError(
                "The OIDC issuer is not an https address.",
                mend="Set server.oidc_issuer to the issuer's https:// address.",
            )
        self._audience = audience
        self._clock = clock
        self._transport = transport
        self._keys: KeySet | None = None
        self._fetched: datetime | None = None
        self._failed: datetime | None = None
        self._lock = asyncio.Lock()

    async def claims(self, token: str) -> Mapping[str, Any]:
        """The token's claims, with `iss`, `aud`, `sub`, `exp` and signature checked.

        Raises TokenRefusedError, and EndpointUnreachableError where the issuer's keys cannot be had.
        """
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenRefusedError("The token is too long.")
        keys = await self._current(KEYS_LIVE)
        try:
            try:
                decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
            except InvalidKeyIdError:
                decoded = jwt.decode(token, await self._current(REFETCH_AFTER), algorithms=ALGORITHMS)
            claims = decoded.claims
            self._registry(str(claims.get("iss"))).validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            # The class (bad_signature, expired_token, …) is of use to the caller; the message may quote a claim.
            raise TokenRefusedError(
                f"The token is not accepted: {getattr(error, 'error', 'malformed')}."
            ) from None
        return claims

    def _registry(self, issuer: str) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer if issuer.rstrip("/") == self.issuer else self.issuer},
            aud={"essential": True, "value": self._audience},
            sub={"essential": True},
            exp={"essential": True},
        )

    async def _current(self, not_older_than: timedelta) -> KeySet:
        async with self._lock:
            now = self._clock.now()
            if self._keys is None or self._fetched is None or now - self._fetched >= not_older_than:
                if self._failed is not None and now - self._failed < REST_AFTER_FAILURE:
                    raise _unreachable()
                self._failed = now
                self._keys = await self._fetch()
                self._fetched, self._failed = now, None
            return self._keys

    async def _fetch(self) -> KeySet:
        try:
            async with httpx.AsyncClient(
                transport=self._transport, timeout=TIMEOUT_SECONDS, follow_redirects=False
            ) as http:
                address = get_well_known_url(self.issuer, external=True)
                document = OpenIDProviderMetadata(await _get(http, address))
                found = await _get(http, self._keys_address(document))
            return KeySet([key for jwk in found["keys"] if (key := _key(jwk)) is not None])
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, JoseError):
            raise _unreachable() from None

    def _keys_address(self, document: OpenIDProviderMetadata) -> str:
        """`jwks_uri` of a discovery document that is this issuer's own. Raises ValueError, KeyError."""
        if self.issuer.startswith("https://"):
            document.validate_issuer()
            document.validate_jwks_uri()
        address = str(document["jwks_uri"])
        if str(document["issuer"]).rstrip("/") != self.issuer or not _trustworthy(address):
            raise ValueError("not this issuer's discovery document")
        return address


def _unreachable() -> EndpointUnreachableError:
    return EndpointUnreachableError(
        "The OIDC issuer's keys cannot be had, so no token can be checked.",
        mend="Check server.oidc_issuer and that its /.well-known/openid-configuration can be reached from here.",
    )


async def _get(http: httpx.AsyncClient, url: str) -> Any:
    answer = await http.get(url)
    answer.raise_for_status()
    return answer.json()


def _key(jwk: Mapping[str, Any]) -> RSAKey | ECKey | None:
    """A public key that may sign, or None: a set may hold keys of other kinds and uses."""
    if jwk.get("use", "sig") != "sig":
        return None
    if jwk.get("kty") == "RSA":
        return RSAKey.import_key(dict(jwk))
    if jwk.get("kty") == "EC" and jwk.get("crv") == "P-256":
        return ECKey.import_key(dict(jwk))
    return None


def _trustworthy(url: str) -> bool:
    return url.startswith("https://") or (url.startswith("http://") and names_loopback(url))
