"""docs/write-a-protocol.md, followed to the letter: every command of the page is run, every file of it written."""

import re
import subprocess
import sys
from typing import NamedTuple

import pytest

from careplan_exchange.model.codec import encode
from tests.support.product import environment
from tests.support.shared import ROOT

PAGE = ROOT / "docs/write-a-protocol.md"
_FENCE = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Typed(NamedTuple):
    command: str
    code: int
    out: str


def record(number, *resources, **patient):
    entries = [
        {"resourceType": "Patient", "id": f"p{number}", "birthDate": "1970-05-01", "gender": "male", **patient}
    ]
    entries += [
        {"id": f"r{number}{index}", "subject": {"reference": f"Patient/p{number}"}, **one}
        for index, one in enumerate(resources)
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": entry} for entry in entries]}


GOUT = {
    "resourceType": "Condition",
    "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "M10.9"}]},
    "clinicalStatus": {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
    },
}


def urate(value):
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "3084-1"}]},
        "effectiveDateTime": "2026-10-01",
        "valueQuantity": {
            "value": value,
            "unit": "mg/dL",
            "system": "http://unitsofmeasure.org",
            "code": "mg/dL",
        },
    }


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """Everything that the page says, done in its order in an empty folder that has only the reader's records."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "patients").mkdir()
    (folder / "record.json").write_bytes(encode(record(1, GOUT, urate(8.4))))
    for number, one in enumerate([(GOUT, urate(8.4)), (GOUT, urate(5.1)), ()], start=1):
        (folder / "patients" / f"{number}.json").write_bytes(encode(record(number, *one)))
    tools = folder / "bin"
    tools.mkdir()
    (tools / "careplan").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m careplan_exchange "$@"\n')
    (tools / "careplan").chmod(0o755)
    env = environment({"PATH": f"{tools}:/usr/bin:/bin", "COLUMNS": "200"})
    done = []
    for kind, file, text in _FENCE.findall(PAGE.read_text()):
        if kind == "yaml":
            (folder / file).write_text(text)
            continue
        assert kind == "sh"
        for command in text.splitlines():
            ended = subprocess.run(
                ["sh", "-c", command],
                cwd=folder,
                env=env,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            done.append(Typed(command, ended.returncode, ended.stdout + ended.stderr))
    return folder, done


def out_of(typed, beginning):
    (found,) = [one.out for one in typed[1] if one.command.startswith(beginning)]
    return found


def test_every_command_of_the_page_ends_well(typed):
    assert len(typed[1]) >= 9
    for one in typed[1]:
        assert one.code == 0, (one.command, one.out)


def test_the_linter_finds_nothing_in_what_the_page_writes(typed):
    assert "Nothing to mend." in out_of(typed, "careplan protocol lint")


def test_the_golden_cases_of_the_page_come_out(typed):
    first, second = [one.out for one in typed[1] if one.command.startswith("careplan protocol test")]
    assert "2 cases, 0 wrong" in first
    assert "4 cases, 0 wrong" in second


def test_the_preview_shows_the_plan_of_the_record_and_the_reach_over_the_folder(typed):
    one, many = [one.out for one in typed[1] if one.command.startswith("careplan protocol preview")]
    assert "Start of allopurinol" in one
    assert "Reach over 3 patients" in many
    assert re.search(r"Start of allopurinol .*\b1 \(33%\)", many)
    assert re.search(r"Gout in adults .*\b2 \(67%\)", many)


def test_two_protocols_that_are_the_same_differ_for_nobody(typed):
    assert "0 of 3 patients would get another plan" in out_of(typed, "careplan protocol diff")


def test_the_page_for_adoption_has_the_source_attributes(typed):
    page = (typed[0] / "pages" / "gout.md").read_text()
    for words in (
        "Serum urate below 6 mg/dL",
        "## Source attributes",
        "Developed without outside funding.",
        "10.1002/art.41247",
    ):
        assert words in page
