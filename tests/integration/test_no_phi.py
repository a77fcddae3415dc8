"""Nothing that names a person reaches logs, metrics or errors, at DEBUG, for every fixture patient."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from careplan_exchange import logs
from careplan_exchange.errors import CareplanError
from careplan_exchange.model.codec import decode
from tests.support.product import FIXTURE_TODAY, Server, product, sync
from tests.support.shared import require_shared

pytestmark = pytest.mark.slow


def personal_texts(patient: dict[str, Any]) -> set[str]:
    """Every text that points to the person: names, birth date, address, telephone, identifiers."""
    texts: set[str] = {patient["birthDate"]}
    for name in patient.get("name", ()):
        texts.update([name.get("family", ""), *name.get("given", ())])
    for address in patient.get("address", ()):
        texts.update([*address.get("line", ()), address.get("postalCode", "")])
    texts.update(contact.get("value", "") for contact in patient.get("telecom", ()))
    texts.update(identifier.get("value", "") for identifier in patient.get("identifier", ()))
    # Three letters or fewer would be found by chance.
    return {text for text in texts if len(text) > 3}


async def test_no_personal_text_in_logs_metrics_or_errors(
    sandbox: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = require_shared("fixtures/patients")
    server = Server(sandbox.url)
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure("DEBUG", json=True)
    said: list[str] = []
    personal: dict[str, str] = {}
    async with product(tmp_path, sandbox.url) as services:
        for path in sorted(folder.glob("*.json")):
            bundle = decode(path.read_bytes())
            person = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
            patient = server.load(bundle)
            personal |= dict.fromkeys(personal_texts(person), path.name)
            for attempt in (
                patient,
                f"{person['identifier'][0]['system']}|{person['identifier'][0]['value']}",
                "0",
            ):
                try:
                    await sync(services, attempt, today=FIXTURE_TODAY)
                except CareplanError as error:
                    said += [str(error), error.mend, *(issue.detail for issue in error.issues)]
    said += [stream.getvalue(), generate_latest().decode()]
    everything = "\n".join(said)
    assert "exchange.finished" in everything, "the log was not captured"
    # Whole words only: a postal code of five digits is bound to turn up inside a duration.
    found = [text for text in personal if re.search(rf"(?<![\w.]){re.escape(text)}(?![\w.])", everything)]
    assert found == []
