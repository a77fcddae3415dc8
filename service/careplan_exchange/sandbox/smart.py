"""The sandbox's authorisation server: SMART Backend Services and nothing else.

http://hl7.org/fhir/smart-app-launch/backend-services.html,
http://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html#signature-verification: a client is
known by the keys in a JWK Set file, which is read anew each time, so that keys can be rotated.
"""

import base64
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError

from careplan_exchange.errors import SettingsError
from careplan_exchange.fhir import Key, read_keys

from .outcomes import Json, refusal
from .scopes import Scopes, parse_scopes

TOKEN_PATH = "auth/token"  # noqa: S105 - an address
CONFIGURATION_PATH = ".well-known/smart-configuration"
ALGORITHMS = ("RS384", "ES384")
LONGEST_ASSERTION = timedelta(minutes=5)
TOKEN_SECONDS = 300
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class TokenRefusedError(Exception):
    """A refusal of the token endpoint (RFC 6749 §5.2)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description

    @property
    def status(self) -> int:
        return 401 if self.error == "invalid_client" else 400


class Authorizer:
    """Gives tokens for signed assertions, and knows the tokens that it gave. `clock` is the server's."""

    def __init__(
        self,
        jwks: Path,
        clock: Callable[[], datetime],
        *,
        seconds: int = TOKEN_SECONDS,
        allowed: str = "system/*.cruds",
    ) -> None:
        """Raises SettingsError where the JWK Set cannot be read. `allowed`: what clients may ask for."""
        read_keys(jwks)
        self._jwks = jwks
        self._clock = clock
        self._seconds = seconds
        self._allowed = parse_scopes(allowed)
        self._used: dict[tuple[str, str], float] = {}
        self._tokens: dict[str, tuple[Scopes, datetime]] = {}
        self.given = 0

    def configuration(self, base_url: str) -> Json:
        """http://hl7.org/fhir/smart-app-launch/conformance.html#using-well-known"""
        return {
            "token_endpoint": f"{base_url}/{TOKEN_PATH}",
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "grant_types_supported": ["client_credentials"],
            "scopes_supported": ["system/*.read", "system/*.write", "system/*.cruds"],
            "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
        }

    def grant(self, form: Mapping[str, str], token_url: str) -> Json:
        """The token response. Raises TokenRefusedError."""
        if form.get("grant_type") != "client_credentials":
            raise TokenRefusedError("unsupported_grant_type", "Only client_credentials is granted.")
        if form.get("client_assertion_type") != _ASSERTION_TYPE:
            raise TokenRefusedError("invalid_request", "The client_assertion_type is not jwt-bearer.")
        self._verify(form.get("client_assertion", ""), token_url)
        scopes = self._scopes(form.get("scope", ""))
        now = self._clock()
        self._tokens = {held: one for held, one in self._tokens.items() if one[1] > now}
        token = secrets.token_urlsafe(32)
        self._tokens[token] = (scopes, now + timedelta(seconds=self._seconds))
        self.given += 1
        return {"access_token": token, "token_type": "bearer", "expires_in": self._seconds, "scope": scopes.text}

    def scopes_of(self, authorization: str) -> Scopes:
        """What the bearer of this header may do. Raises RefusalError (401)."""
        scheme, _, token = authorization.partition(" ")
        scopes, until = self._tokens.get(token.strip(), (None, None))
        if scheme.lower() != "bearer" or scopes is None or until is None or self._clock() >= until:
            raise refusal(
                401,
                "login",
                "The access token is missing, unknown or expired.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return scopes

    def revoke_all(self) -> None:
        """Every token that was given is unknown from now on."""
        self._tokens.clear()

    def _scopes(self, text: str) -> Scopes:
        scopes = parse_scopes(text)
        if scopes is None or self._allowed is None:
            raise TokenRefusedError("invalid_scope", "Not a system scope of SMART v1 or v2.")
        if not all(self._allowed.allow(kind, one) for kind, letters in scopes.granted.items() for one in letters):
            raise TokenRefusedError("invalid_scope", "The client may not have this scope.")
        return scopes

    def _verify(self, assertion: str, token_url: str) -> None:
        header = _header(assertion)
        if header.get("alg") not in ALGORITHMS:
            raise _unknown(f"The assertion is signed neither with {' nor with '.join(ALGORITHMS)}.")
        key = self._key(header.get("kid"))
        if key.alg != header["alg"]:
            raise _unknown("The key is for another algorithm.")
        try:
            claims = jwt.decode(assertion, key.key, algorithms=[key.alg]).claims
        except (JoseError, ValueError, TypeError):
            raise _unknown("The signature does not hold.") from None
        self._judge(claims, token_url)

    def _judge(self, claims: Mapping[str, Any], token_url: str) -> None:
        now = self._clock().timestamp()
        client, jti, expires = claims.get("iss"), claims.get("jti"), claims.get("exp")
        if not isinstance(client, str) or not client or claims.get("sub") != client:
            raise _unknown("iss and sub are not both the client's id.")
        if claims.get("aud") not in (token_url, [token_url]):
            raise _unknown("aud is not the URL of this token endpoint.")
        if isinstance(expires, bool) or not isinstance(expires, int | float):
            raise _unknown("exp is missing.")
        if expires <= now:
            raise _unknown("The assertion has expired.")
        if expires > now + LONGEST_ASSERTION.total_seconds():
            raise _unknown("The assertion lives longer than five minutes.")
        if not isinstance(jti, str) or not jti:
            raise _unknown("jti is missing.")
        self._used = {used: until for used, until in self._used.items() if until > now}
        if (client, jti) in self._used:
            raise _unknown("The jti was used before.")
        self._used[client, jti] = expires

    def _key(self, kid: Any) -> Key:
        try:
            keys = read_keys(self._jwks)
        except SettingsError:
            raise _unknown("The registered keys cannot be read now.") from None
        for key in keys:
            if key.kid == kid:
                return key
        raise _unknown("The kid is that of no registered key.")


def _header(assertion: str) -> dict[str, Any]:
    first = assertion.partition(".")[0]
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)), type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError):
        raise _unknown("The client_assertion is no JWT.") from None


def _unknown(description: str) -> TokenRefusedError:
    return TokenRefusedError("invalid_client", description)
