"""Our client against our SMART sandbox over HTTP: rotation, renewal, faults; nothing between them is made up."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from careplan_exchange import bootstrap, config, connections
from careplan_exchange.errors import AuthenticationRefusedError, EndpointOverloadedError
from careplan_exchange.fhir import Key, Query, connect
from careplan_exchange.sandbox import PATIENTS, Fault, Sandbox, serve_in_background
from tests.support.smart import new_key, write_jwks, write_key

PATIENTS_OF_ALL = Query(type="Patient", params=())
OLD, NEW = new_key("ES384"), new_key("RS384")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Sandbox]:
    write_key(tmp_path / "key.json", OLD)
    with serve_in_background(PATIENTS, smart=write_jwks(tmp_path / "registered.json", OLD)) as sandbox:
        yield sandbox


def settings(folder: Path, url: str, **changes: Any) -> config.Settings:
    endpoint = {
        "url": url,
        "auth": "smart",
        "client_id": "careplan",
        "private_key_file": folder / "key.json",
        "scopes": "system/*.rs",
    } | changes
    return config.Settings(endpoints={"hospital": config.Endpoint.model_validate(endpoint)})


def opened(folder: Path, url: str, **changes: Any) -> Any:
    return connect(
        connections.connection(settings(folder, url, **changes), "hospital"), ids=bootstrap.RandomIds()
    )


async def test_twenty_readers_make_one_token_request_by_discovery(place: Sandbox, tmp_path: Path) -> None:
    async with opened(tmp_path, place.url) as client:
        await asyncio.gather(*(client.search(PATIENTS_OF_ALL) for _ in range(20)))
    assert place.authorizer is not None
    assert place.authorizer.given == 1


async def test_keys_rotate_in_mid_run_without_a_failed_request(place: Sandbox, tmp_path: Path) -> None:
    authorizer = place.authorizer
    assert authorizer is not None
    done = 0

    async with opened(tmp_path, place.url, published_key_files=[tmp_path / "other.json"]) as client:
        configured = settings(tmp_path, place.url, published_key_files=[tmp_path / "other.json"])

        async def reader() -> None:
            nonlocal done
            while done < 300:
                assert await client.search(PATIENTS_OF_ALL)
                done += 1

        def register() -> list[str]:
            """What a server does that fetches our JWKS."""
            keys = connections.published_keys(configured)
            (tmp_path / "registered.json").write_bytes(httpx.Response(200, json=keys).content)
            return [key["kid"] for key in keys["keys"]]

        async def reached(count: int) -> None:
            while done < count:
                await asyncio.sleep(0.001)

        async def rotate() -> None:
            await reached(50)
            write_key(tmp_path / "other.json", NEW)  # announced
            assert register() == [OLD.kid, NEW.kid]
            authorizer.revoke_all()
            await reached(100)
            write_key(tmp_path / "key.json", NEW)  # used, while the old one is still known
            write_key(tmp_path / "other.json", OLD)
            authorizer.revoke_all()
            await reached(150)
            (tmp_path / "other.json").unlink()  # the old one is gone
            assert register() == [NEW.kid]
            authorizer.revoke_all()
            await reached(200)

        await asyncio.gather(*(reader() for _ in range(5)), rotate())
    assert done >= 300
    assert authorizer.given == 4


async def test_a_single_401_is_followed_by_a_new_token_and_the_request_again(
    place: Sandbox, tmp_path: Path
) -> None:
    async with opened(tmp_path, place.url) as client:
        await client.search(PATIENTS_OF_ALL)
        place.arm(Fault(kind="unauthorized"))
        assert await client.search(PATIENTS_OF_ALL)
        assert place.authorizer is not None
        assert place.authorizer.given == 2
        place.arm(Fault(kind="unauthorized", times=2))
        with pytest.raises(AuthenticationRefusedError, match="401"):
            await client.search(PATIENTS_OF_ALL)


async def test_a_token_endpoint_that_is_down_is_outlived_or_named(place: Sandbox, tmp_path: Path) -> None:
    place.arm(Fault(kind="token_down", retry_after=0))
    async with opened(tmp_path, place.url) as client:
        assert await client.search(PATIENTS_OF_ALL)
    place.arm(Fault(kind="token_down"))
    async with opened(tmp_path, place.url, attempts=1) as client:
        with pytest.raises(EndpointOverloadedError, match="token endpoint"):
            await client.search(PATIENTS_OF_ALL)


async def test_a_scope_that_was_not_asked_for_is_refused_with_the_mend(place: Sandbox, tmp_path: Path) -> None:
    async with opened(tmp_path, place.url, scopes="system/Goal.rs") as client:
        with pytest.raises(AuthenticationRefusedError, match="403") as caught:
            await client.search(PATIENTS_OF_ALL)
    assert "scope" in caught.value.mend


async def test_a_key_that_is_not_registered_is_refused_with_the_mend(place: Sandbox, tmp_path: Path) -> None:
    stranger: Key = new_key("ES384")
    write_key(tmp_path / "key.json", stranger)
    async with opened(tmp_path, place.url) as client:
        with pytest.raises(AuthenticationRefusedError, match="invalid_client") as caught:
            await client.search(PATIENTS_OF_ALL)
    assert "careplan keys jwks" in caught.value.mend
