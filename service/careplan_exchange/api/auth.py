"""Who may ask: nobody is checked (loopback only), an API key, or tokens of an OIDC issuer."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from careplan_exchange.errors import ConfigurationError

from .hosts import is_loopback
from .oidc import OidcIssuer, TokenRefusedError
from .problems import ProblemError

Scope = Literal["careplan.read", "careplan.write", "careplan.approve", "careplan.audit", "careplan.metrics"]
ALL_SCOPES: frozenset[str] = frozenset(get_args(Scope))
MIN_KEY_LENGTH = 16


@dataclass(frozen=True)
class Caller:
    """Who asks. `name` tells callers apart and identifies nobody; a key and an open service have every scope."""

    name: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class ApiAuth:
    """What lets a caller in. With neither, everyone is, so the service then listens on loopback only."""

    api_key: str | None = field(default=None, repr=False)
    issuer: OidcIssuer | None = None

    def __post_init__(self) -> None:
        if self.api_key is not None and len(self.api_key) < MIN_KEY_LENGTH:
            raise ConfigurationError(
                f"The API key is shorter than {MIN_KEY_LENGTH} characters.",
                mend="Use a random one, for example of `openssl rand -hex 32`.",
            )

    @property
    def required(self) -> bool:
        return self.api_key is not None or self.issuer is not None

    async def caller(self, headers: Mapping[str, str]) -> Caller:
        """The caller behind `Authorization: Bearer …` or `X-API-Key: …`. Raises ProblemError (401), and
        EndpointUnreachableError where the issuer's keys cannot be had."""
        if not self.required:
            return Caller(name="open", scopes=ALL_SCOPES)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        key = headers.get("x-api-key", "") or bearer
        if self.api_key is not None and _equal(key, self.api_key):
            return Caller(name="api-key", scopes=ALL_SCOPES)
        if self.issuer is not None and bearer:
            try:
                claims = await self.issuer.claims(bearer)
            except TokenRefusedError as error:
                raise _unauthenticated(str(error), 'Bearer error="invalid_token"') from None
            name = hashlib.sha256(f"{claims['iss']}\x1f{claims['sub']}".encode()).hexdigest()
            return Caller(name=name, scopes=_scopes(claims) & ALL_SCOPES)
        raise _unauthenticated("The request carries no credentials that this service knows.", "Bearer")


def check_binding(host: str, auth: ApiAuth) -> None:
    """Refuse to listen beyond loopback without authentication. Raises ConfigurationError."""
    if not auth.required and not is_loopback(host):
        raise ConfigurationError(
            "The service would be open to the network: the host is not loopback and no authentication is set.",
            mend="Set server.api_key_file or server.oidc_issuer, or keep server.host at 127.0.0.1.",
        )


def forbidden(scope: Scope) -> ProblemError:
    return ProblemError(
        403,
        "auth.scope",
        f"The token does not have the scope `{scope}`.",
        mend=f"Ask the issuer for a token with the scope `{scope}`.",
        headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
    )


def _unauthenticated(detail: str, challenge: str) -> ProblemError:
    return ProblemError(
        401,
        "auth.credentials",
        detail,
        mend="Send the API key as `X-API-Key` or a valid token as `Authorization: Bearer …`.",
        headers={"WWW-Authenticate": challenge},
    )


def _equal(given: str, expected: str) -> bool:
    """Compare without telling by the time taken how much of it, or how long a key, was right."""
    return hmac.compare_digest(
        hashlib.sha256(given.encode()).digest(), hashlib.sha256(expected.encode()).digest()
    )


def _scopes(claims: Mapping[str, object]) -> frozenset[str]:
    """`scope` as RFC 8693 has it (one string), or `scp` as a list, as some issuers do."""
    given = claims.get("scope", claims.get("scp", ""))
    if isinstance(given, str):
        return frozenset(given.split())
    return frozenset(one for one in given if isinstance(one, str)) if isinstance(given, list) else frozenset()
