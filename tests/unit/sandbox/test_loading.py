"""A folder of FHIR JSON is loaded whole or not at all."""

import pytest

from careplan_exchange.errors import UsageError
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.sandbox import PATIENTS, create_app, load_directory

PATIENT = {"resourceType": "Patient", "id": "ann"}
GOAL = {
    "resourceType": "Goal",
    "id": "g",
    "lifecycleStatus": "active",
    "description": {"text": "walk"},
    "subject": {"reference": "Patient/ann"},
}


@pytest.fixture
def server():
    app = create_app()
    yield app.state.server
    app.state.server.close()


def write(folder, **files):
    for name, body in files.items():
        (folder / f"{name}.json").write_bytes(body if isinstance(body, bytes) else encode(body))


def collection(*entries):
    return {"resourceType": "Bundle", "type": "collection", "entry": list(entries)}


def test_the_synthetic_patients_are_all_taken(server):
    loaded = load_directory(server, PATIENTS)
    assert loaded.files == len(list(PATIENTS.glob("*.json")))
    assert loaded.resources["Patient"] == loaded.files
    assert len(server.store.find("Patient", ())) == loaded.files


def test_single_resources_keep_their_ids_and_may_refer_to_later_files(server, tmp_path):
    write(tmp_path, a_goal=GOAL, b_patient=PATIENT)
    assert load_directory(server, tmp_path).resources == {"Goal": 1, "Patient": 1}
    assert server.store.current("Patient", "ann").number == 1


def test_a_collection_keeps_ids_and_resolves_its_full_urls(server, tmp_path):
    patient = {"resourceType": "Patient"}
    goal = {**GOAL, "subject": {"reference": "urn:uuid:1"}}
    write(tmp_path, all=collection({"fullUrl": "urn:uuid:1", "resource": patient}, {"resource": goal}))
    load_directory(server, tmp_path)
    (held,) = server.store.versions([hit.seq for hit in server.store.find("Patient", ())])
    stored = decode(server.store.current("Goal", "g").body)
    assert stored["subject"]["reference"] == f"Patient/{held.id}"


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({}, "no \\*.json"),
        ({"bad": b"{"}, "bad.json is not FHIR JSON"),
        ({"list": b"[]"}, "list.json is not FHIR JSON"),
        ({"good": PATIENT, "wrong": {**GOAL, "lifecycleStatus": "x"}}, "wrong.json is refused at Goal.lifecycle"),
        ({"good": PATIENT, "lost": {**GOAL, "subject": {"reference": "Patient/x"}}}, "lost.json is refused"),
        ({"good": PATIENT, "odd": {"resourceType": "Basic", "id": "1"}}, "does not take"),
        (
            {
                "good": PATIENT,
                "t": {
                    "resourceType": "Bundle",
                    "type": "transaction",
                    "entry": [{"resource": GOAL, "request": {"method": "POST", "url": "Patient"}}],
                },
            },
            "t.json is refused",
        ),
    ],
)
def test_a_folder_with_an_error_is_refused_by_the_files_name_and_nothing_is_loaded(server, tmp_path, files, word):
    write(tmp_path, **files)
    with pytest.raises(UsageError, match=word):
        load_directory(server, tmp_path)
    assert server.store.find("Patient", ()) == []


def test_a_folder_that_is_not_there_is_refused(server, tmp_path):
    with pytest.raises(UsageError, match="not a folder"):
        load_directory(server, tmp_path / "nowhere")
