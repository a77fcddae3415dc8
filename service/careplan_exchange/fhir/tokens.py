"""The access tokens of one endpoint: kept, renewed before they expire, and asked for once however many wait."""

import asyncio

import httpx

from careplan_exchange import logs
from careplan_exchange.errors import CareplanError
from careplan_exchange.ports import Ids

from .connection import Connection, SmartAuth
from .keys import Key
from .retry import Pacing, persist
from .token_endpoint import ClientRefusedError, Token, TokenEndpoint


class TokenSource:
    """The tokens of one endpoint. Safe for many tasks: while one asks, the others wait for what it gets, also
    where that is an error."""

    def __init__(
        self, connection: Connection, auth: SmartAuth, http: httpx.AsyncClient, ids: Ids, pacing: Pacing
    ) -> None:
        self._connection = connection
        self._auth = auth
        self._endpoint = TokenEndpoint(connection, auth, http, ids, pacing)
        self._pacing = pacing
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._asked = 0
        self._failure: CareplanError | None = None
        self._log = logs.get_logger()

    async def token(self, *, instead_of: str | None = None) -> Token:
        """The token of now; never one whose value is `instead_of`, which the server has refused.

        Raises AuthenticationRefusedError, UnsupportedServerError, EndpointUnreachableError,
        EndpointOverloadedError, SettingsError (no key).
        """
        if (held := self._held(instead_of)) is not None:
            return held
        began = self._asked
        async with self._lock:
            if (held := self._held(instead_of)) is not None:
                return held
            if self._asked != began and self._failure is not None:
                raise type(self._failure)(self._failure.detail, mend=self._failure.mend)
            try:
                self._token, self._failure = await self._fresh(), None
            except CareplanError as error:
                self._token, self._failure = None, error
                self._asked += 1
                raise
            self._asked += 1  # not where this task was cancelled: the next one asks then
            return self._token

    def _held(self, instead_of: str | None) -> Token | None:
        token = self._token
        fresh = token is not None and token.value != instead_of and self._pacing.now() < token.renew
        return token if fresh else None

    async def _fresh(self) -> Token:
        key = self._auth.read_key()
        try:
            return await self._persistently(key)
        except ClientRefusedError:
            # The key may have been rotated between our signature and the server's look at it.
            rotated = self._auth.read_key()
            if rotated.kid == key.kid:
                raise
            return await self._persistently(rotated)

    async def _persistently(self, key: Key) -> Token:
        def on_failure(reason: str, number: int, wait: float | None) -> None:
            self._log.warning(
                logs.FHIR_GIVEN_UP if wait is None else logs.FHIR_RETRY,
                endpoint=logs.hashed(self._connection.base_url),
                method="POST",
                type="token",
                reason=reason,
                attempt=number,
                attempts=self._connection.attempts,
                wait=None if wait is None else round(wait, 3),
            )

        return await persist(
            lambda: self._endpoint.ask(key),
            kind="read",  # asking twice gives two tokens, and does nothing
            attempts=self._connection.attempts,
            pacing=self._pacing,
            on_failure=on_failure,
        )
