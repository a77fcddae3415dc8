"""What receipt, ledger and log say of an exchange, and what they do not."""

import io
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import structlog

from careplan_exchange import exchange, logs
from careplan_exchange.errors import (
    IncompleteRecordError,
)
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.store import MemoryPlanStore
from tests.support.hospital import TODAY, URL, Hospital, knowledge
from tests.support.interfering import (
    REVIEW_NEW,
    DiedError,
    open_intents,
    raising,
    with_interference,
)
from tests.support.patients import NAMES


async def test_the_receipt_has_the_shape_that_scripts_rely_on() -> None:
    hospital = Hospital("07-year-of-birth-only-and-odd-values")
    body = decode(encode(await hospital.sync(exchange_id="the-exchange")))
    assert list(body) == ["outcome", "resources", "issues", "exchange", "review"]
    assert body["exchange"] == "the-exchange"
    for resource in body["resources"]:
        assert set(resource) == {"reference", "versionId", "action"}
        assert resource["versionId"] == "1"
        assert resource["action"] == "create"
    assert {resource["reference"] for resource in body["resources"]} == set(hospital.everything())


async def test_what_mapping_could_not_use_reaches_proposal_and_receipt_once() -> None:
    hospital = Hospital("07-year-of-birth-only-and-odd-values")
    _, proposal = await exchange.propose(hospital.source, knowledge(), hospital.source.patient, TODAY)
    observations = {f"Observation/{entry['fullUrl'].removeprefix('urn:uuid:')}" for entry in odd_values(hospital)}
    sources = {issue.source for issue in proposal.issues}
    assert observations <= sources
    receipt = await hospital.sync()
    assert [issue for issue in receipt.issues if issue.source in observations] == [
        issue for issue in proposal.issues if issue.source in observations
    ]
    assert len(set(receipt.issues)) == len(receipt.issues)


def odd_values(hospital: Hospital) -> list[dict[str, Any]]:
    """The Observations with a negative value, or one without a unit."""
    odd = []
    for entry in hospital.source.bundle["entry"]:
        quantity = entry["resource"].get("valueQuantity")
        if quantity and (quantity["value"] < 0 or not (quantity.get("code") or quantity.get("unit"))):
            odd.append(entry)
    assert len(odd) == 2
    return odd


async def test_what_the_source_and_the_merge_say_reaches_the_receipt_once() -> None:
    hospital = Hospital()
    said = Issue(severity="warning", code="not-supported", key="source.not-searched", detail="No Goal search.")
    pull = hospital.source.pull

    async def with_issue(patient: str) -> PatientRecord:
        return msgspec.structs.replace(await pull(patient), issues=(said,))

    hospital.source.pull = with_issue
    first = await hospital.sync()
    assert first.issues.count(said) == 1
    hospital.edit(hospital.goals()[0], lifecycleStatus="completed")
    keys = Counter(issue.key for issue in (await hospital.sync()).issues)
    assert (keys["reconcile.ended"], keys["source.not-searched"]) == (1, 1)


async def test_what_the_planner_says_reaches_the_receipt() -> None:
    hospital = Hospital()
    receipt = await hospital.sync(today=TODAY - timedelta(days=20 * 365))
    assert "planner.protocol.early" in {issue.key for issue in receipt.issues}


@pytest.mark.parametrize(
    ("prepare", "events"),
    [
        ("new", ["started", "planned", "compared", "write.intent", "written", "review.waiting", "finished"]),
        ("unchanged", ["started", "planned", "compared", "finished"]),
        ("review", ["started", "planned", "compared", "review.waiting", "finished"]),
        (
            "lost answer",
            [
                *("started", "planned", "compared", "write.intent", "write.unknown", "settled"),
                *("review.waiting", "finished"),
            ],
        ),
        (
            "lost request",
            [
                *("started", "planned", "compared", "write.intent", "write.unknown", "settled"),
                *("planned", "compared", "settled", "write.intent", "written", "review.waiting", "finished"),
            ],
        ),
    ],
)
async def test_the_ledger_has_each_step_in_its_order_and_verifies(prepare: str, events: list[str]) -> None:
    hospital = Hospital()
    if prepare == "unchanged":
        await hospital.sync()
    if prepare == "review":
        hospital.policy = REVIEW_NEW
    if prepare.startswith("lost"):
        hospital.writer.fault = "lose-answer" if "answer" in prepare else "lose-request"
    receipt = await hospital.sync()
    said = [event.removeprefix("exchange.") for event in await hospital.events(receipt.exchange)]
    assert said == events
    entries = await hospital.entries(receipt.exchange)
    assert entries[0].data == {"patient": f"Patient/{hospital.source.patient}", "target": URL}
    assert entries[-1].data["outcome"] == receipt.outcome
    assert entries[-1].data["resources"] == decode(encode(receipt.resources))
    verdict = await hospital.ledger.verify()
    assert (verdict.problem, verdict.entries) == (None, len(await hospital.entries()))


async def test_the_intent_is_in_the_ledger_before_anything_is_sent() -> None:
    hospital, writer = with_interference()
    writer.before_write = raising(DiedError())
    with pytest.raises(DiedError):
        await hospital.sync(exchange_id="e")
    assert (await hospital.events("e"))[-1] == logs.WRITE_INTENT
    (intent,) = await open_intents(hospital)
    assert (await hospital.entries("e"))[-1].data["intent"] == intent.id


async def test_a_failure_is_in_the_ledger_by_its_key_and_without_its_words() -> None:
    hospital = Hospital()
    hospital.source.before_pull = raising(IncompleteRecordError("Words that name somebody.", mend="-"))
    with pytest.raises(IncompleteRecordError):
        await hospital.sync(exchange_id="e")
    last = (await hospital.entries("e"))[-1]
    assert last.data == {"error": "record.incomplete", "issues": []}


async def test_the_evidence_stands_in_the_ledger_with_endpoint_and_protocols() -> None:
    hospital = Hospital()
    receipt = await hospital.sync()
    planned = next(e for e in await hospital.entries(receipt.exchange) if e.event == logs.EXCHANGE_PLANNED)
    assert planned.data["endpoint"] == URL
    assert all("|" in canonical for canonical in planned.data["protocols"])
    assert any(reference.startswith("Observation/") for reference in planned.data["evidence"])
    assert planned.data["counts"]["goals"] == len(hospital.goals())


def personal_texts(bundle: dict[str, Any]) -> set[str]:
    person = bundle["entry"][0]["resource"]
    texts = {person["birthDate"], *(one["value"] for one in person.get("identifier", ()))}
    for name in person.get("name", ()):
        texts.update([name["family"], *name["given"]])
    return {text for text in texts if len(text) > 3}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The log at DEBUG, as it is written to standard error."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure("DEBUG", json=True)
    yield stream
    structlog.reset_defaults()


@pytest.mark.parametrize("name", NAMES)
async def test_neither_ledger_nor_log_holds_a_name_a_birth_date_or_an_identifier(
    name: str, logged: io.StringIO
) -> None:
    hospital = Hospital(name)
    await hospital.sync()
    hospital.policy = REVIEW_NEW
    hospital.plans = MemoryPlanStore()
    await hospital.sync()
    log = logged.getvalue()
    recorded = encode(await hospital.entries()).decode()
    assert logs.EXCHANGE_FINISHED in log
    assert hospital.source.patient not in log
    for text in personal_texts(hospital.source.bundle):
        assert text not in log
        assert text not in recorded
