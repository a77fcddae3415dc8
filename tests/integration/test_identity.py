"""One server under two names must not give one patient two plans."""

from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import config
from careplan_exchange.errors import PlanElsewhereError
from careplan_exchange.model.exchange import ExchangeRequest
from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, product, sync


async def test_a_server_given_by_url_is_the_configured_endpoint_at_that_url(sandbox: Any, tmp_path: Path) -> None:
    server = Server(sandbox.url)
    patient = server.load(synthetic("01-adult-pregnancy-unknown"))
    async with product(tmp_path, sandbox.url) as services:
        await sync(services, patient)
        by_url = ExchangeRequest(endpoint=sandbox.url, patient=patient, today=SYNTHETIC_TODAY)
        receipt = await services.run(by_url, exchange_id=services.ids.new())
        assert receipt.outcome == "unchanged"
    assert len(server.authored("CarePlan", patient)) == 1


async def test_a_plan_under_another_identity_stops_the_sync_and_nothing_is_written(
    sandbox: Any, tmp_path: Path
) -> None:
    server = Server(sandbox.url)
    patient = server.load(synthetic("01-adult-pregnancy-unknown"))
    async with product(tmp_path, sandbox.url) as services:
        await sync(services, patient)
    renamed = {"main": config.Endpoint.model_validate({"url": sandbox.url, "identity": "renamed"})}
    async with product(tmp_path, sandbox.url, endpoints=renamed) as services:
        with pytest.raises(PlanElsewhereError):
            await sync(services, patient)
    assert len(server.authored("CarePlan", patient)) == 1
