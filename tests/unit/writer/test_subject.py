import pytest

from careplan_exchange.errors import IncompleteRecordError, PatientAmbiguousError, PatientNotFoundError
from tests.support.weak_server import BASE
from tests.support.writing import a_record, creates

MRN = {"system": "urn:mrn", "value": "a|b,c"}
SOURCE = "https://source.example.org/fhir"


def source_patient(**elements):
    return a_record(
        SOURCE,
        {"resourceType": "Patient", "id": "s1", "identifier": [MRN], "birthDate": "1960-05-06", **elements},
    )


def target_patient(server, **elements):
    escaped = {**MRN, "value": r"a\|b\,c"}  # as the weak server compares: by the escaped token
    return server.put({"resourceType": "Patient", "identifier": [escaped], **elements})


async def test_on_one_server_the_patient_is_the_one_that_was_read(server, writer):
    record = a_record(BASE, {"resourceType": "Patient", "id": "p1"})
    assert await writer.subject(record) == "Patient/p1"
    assert server.log == []


async def test_on_another_server_it_is_the_one_who_shares_an_identifier(server, writer):
    target_patient(server, birthDate="1960")
    assert await writer.subject(source_patient()) == "Patient/1"
    assert server.log[-1].headers["Cache-Control"] == "no-cache"


async def test_two_patients_with_the_identifier_are_never_chosen_between(server, writer):
    target_patient(server)
    target_patient(server)
    with pytest.raises(PatientAmbiguousError, match="Patient/1, Patient/2"):
        await writer.subject(source_patient())


async def test_another_birth_date_stops_the_write(server, writer):
    target_patient(server, birthDate="1960-05-07")
    with pytest.raises(PatientAmbiguousError, match="not the birth date") as raised:
        await writer.subject(source_patient())
    assert "1960" not in raised.value.detail


async def test_nobody_there_is_an_error(server, writer):
    with pytest.raises(PatientNotFoundError, match="No patient in use"):
        await writer.subject(source_patient())


@pytest.mark.parametrize(
    "retired", [{"active": False}, {"link": [{"type": "replaced-by", "other": {"reference": "Patient/2"}}]}]
)
async def test_a_retired_or_merged_patient_is_not_written_to(server, writer, retired):
    target_patient(server, **retired)
    with pytest.raises(PatientNotFoundError):
        await writer.subject(source_patient())


@pytest.mark.parametrize(
    "identifiers", [[], [{"value": "1"}], [{**MRN, "use": "old"}], [{"system": "urn:mrn"}], ["nonsense"]]
)
async def test_an_identifier_that_says_nothing_elsewhere_is_not_searched_for(server, writer, identifiers):
    with pytest.raises(PatientNotFoundError, match="no business identifier"):
        await writer.subject(source_patient(identifier=identifiers))
    assert server.log == []


async def test_what_is_held_is_never_taken_from_a_cut_answer(server, writer):
    change = creates()[0]
    server.put(change.body)
    server.page_is_cut = True
    with pytest.raises(IncompleteRecordError):
        await writer.current({"Goal": {change.identity}})


async def test_many_identities_are_asked_for_in_pieces_of_one_batch(server, writer):
    change = creates()[0]
    server.put(change.body)
    held = await writer.current({"Goal": {change.identity, *(f"x{number}" for number in range(60))}})
    assert [each.id for each in held] == ["1"]
    assert len([r for r in server.log if r.url.path != "/fhir/metadata"]) == 1


async def test_nothing_is_asked_for_nothing(server, writer):
    assert await writer.current({"Goal": set()}) == ()
    assert server.log == []


@pytest.mark.parametrize("kind", ["seealso", "replaces", "refer"])
async def test_a_patient_who_is_only_linked_to_another_is_written_to(server, writer, kind):
    target_patient(server, active=True, link=[{"type": kind, "other": {"reference": "Patient/2"}}])
    assert await writer.subject(source_patient()) == "Patient/1"
