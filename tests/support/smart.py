"""Keys, clocks and assertions for SMART Backend Services."""

import itertools
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc import jwt

from careplan_exchange.fhir import Key, as_file, jwks, new_key

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
_changes = itertools.count(1)


class Clock:
    """A time that goes on when it is told to."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def write_key(path: Path, key: Key, *, pem: bool = False) -> Path:
    """As a deployment replaces a mounted secret: a new file, moved into its place."""
    fresh = path.with_suffix(".fresh")
    fresh.write_bytes(as_file(key, pem=pem))
    moment = 1_700_000_000 + next(_changes)
    os.utime(fresh, (moment, moment))
    fresh.replace(path)
    return path


def write_jwks(path: Path, *keys: Key) -> Path:
    path.write_text(json.dumps(jwks(keys)))
    return path


def assertion(key: Key, token_url: str, now: datetime = START, *, header: Any = None, **claims: Any) -> str:
    """An assertion as it should be, but for what is given."""
    content = {
        "iss": "careplan",
        "sub": "careplan",
        "aud": token_url,
        "exp": int(now.timestamp()) + 240,
        "jti": f"jti-{next(_changes)}",
    } | claims
    content = {name: value for name, value in content.items() if value is not None}
    return jwt.encode({"alg": key.alg, "kid": key.kid} | (header or {}), content, key.key, algorithms=[key.alg])


__all__ = ["START", "Clock", "assertion", "new_key", "write_jwks", "write_key"]
