"""What a request carries to say who asks, and what is tried once where the server does not accept it."""

from typing import Protocol

import httpx

from careplan_exchange.ports import Ids

from .connection import BasicAuth, BearerAuth, Connection, NoAuth, SmartAuth, authorization
from .retry import Pacing
from .token_endpoint import Token
from .tokens import TokenSource


class Credentials(Protocol):
    """The Authorization header of one endpoint. It goes to the endpoint and nowhere else."""

    async def header(self) -> str | None:
        """Its value now. Raises SettingsError, and for SMART what `TokenSource.token` raises."""
        ...

    async def after_refusal(self, refused: str | None) -> str | None:
        """Another value than the one that was answered 401, or None where there is no other."""
        ...


class Fixed:
    """None, a password, or a token that somebody else renews."""

    def __init__(self, auth: NoAuth | BasicAuth | BearerAuth) -> None:
        self._auth = auth

    async def header(self) -> str | None:
        return authorization(self._auth)

    async def after_refusal(self, refused: str | None) -> str | None:
        if not isinstance(self._auth, BearerAuth):
            return None
        renewed = authorization(self._auth)
        return renewed if renewed != refused else None  # renewed between our reading and the server's


class Smart:
    """Tokens that we ask for ourselves."""

    def __init__(self, tokens: TokenSource) -> None:
        self._tokens = tokens

    async def header(self) -> str | None:
        return f"Bearer {(await self._tokens.token()).value}"

    async def after_refusal(self, refused: str | None) -> str | None:
        token = await self._tokens.token(instead_of=(refused or "").removeprefix("Bearer "))
        return f"Bearer {token.value}"

    async def granted(self) -> Token:
        return await self._tokens.token()


def credentials_for(connection: Connection, http: httpx.AsyncClient, ids: Ids, pacing: Pacing) -> "Fixed | Smart":
    if isinstance(connection.auth, SmartAuth):
        return Smart(TokenSource(connection, connection.auth, http, ids, pacing))
    return Fixed(connection.auth)
