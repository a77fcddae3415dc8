"""DESIGN §6: Epic searches need a category or a code; the vendor's query plan gives them. The sandbox plays Epic."""

from pathlib import Path

import httpx
import pytest

from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.sandbox import PATIENTS, serve_in_background
from tests.support.product import SYNTHETIC_TODAY, product


@pytest.mark.parametrize("software", ["careplan-exchange sandbox", "Epic"])
async def test_the_observations_of_a_record_come_from_a_server_that_plays_epic_too(
    tmp_path: Path, software: str
) -> None:
    with serve_in_background(PATIENTS, software=software) as sandbox:
        refused = httpx.get(f"{sandbox.url}/Observation?patient=Patient/x").status_code
        assert refused == (400 if software == "Epic" else 200)
        found = httpx.get(f"{sandbox.url}/Observation?category=laboratory&_count=1").json()["entry"][0][
            "resource"
        ]
        patient = found["subject"]["reference"].removeprefix("Patient/")
        total = httpx.get(
            f"{sandbox.url}/Observation?_id:not=x&subject=Patient/{patient}&category=laboratory,vital-signs,social-history,survey,exam&_summary=count"
        ).json()["total"]
        async with product(tmp_path, sandbox.url) as services:
            request = ExchangeRequest(endpoint="main", patient=patient, today=SYNTHETIC_TODAY)
            record, _ = await services.snapshot(request)
    assert total > 0
    assert sum(one.type == "Observation" for one in record.resources) == total
