"""A record on one server, its plan on another: by command line, against two sandboxes of this module's own."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, careplan, identities
from tests.support.servers import sandbox_process

BASE = "02-older-adult-si-units"
WRITTEN = ("CarePlan", "Goal", "ServiceRequest", "DetectedIssue", "Task", "Provenance", "AuditEvent")


@pytest.fixture(scope="module")
def source() -> Iterator[Server]:
    with sandbox_process("R4") as sandbox:
        yield Server(sandbox.url)


@pytest.fixture(scope="module")
def target() -> Iterator[Server]:
    with sandbox_process("R4") as sandbox:
        yield Server(sandbox.url)


def person_with(identifier: str) -> dict[str, Any]:
    """A record whose patient has this identifier, and no other patient has it."""
    bundle = synthetic(BASE)
    bundle["entry"][0]["resource"]["identifier"] = [{"system": "urn:test:two-servers", "value": identifier}]
    return bundle


def only_the_patient(bundle: dict[str, Any]) -> dict[str, Any]:
    return {**bundle, "entry": bundle["entry"][:1]}


def sync(folder: Path, source: Server, target: Server, patient: str, *options: str) -> Any:
    return careplan(
        folder,
        *("sync", "-e", source.url, "-t", target.url, "-p", patient, "--today", SYNTHETIC_TODAY, "--json"),
        *options,
    )


def everything(server: Server) -> dict[str, str]:
    """Every resource of the kinds that we read or write, with the version it is at."""
    read = {entry["resource"]["resourceType"] for entry in synthetic(BASE)["entry"]}
    return {
        f"{kind}/{one['id']}": one["meta"]["versionId"]
        for kind in (*sorted(read), *WRITTEN)
        for one in server.search(f"{kind}?_count=200")
    }


def test_the_plan_stands_on_the_target_alone_for_whoever_has_the_same_identifier(
    source: Server, target: Server, tmp_path: Path
) -> None:
    here = source.load(person_with("anna"))
    target.load(only_the_patient(person_with("somebody-else")))
    there = target.load(only_the_patient(person_with("anna")))
    assert here != there
    before = everything(source)

    first = sync(tmp_path, source, target, here)
    assert first.returncode == 0, first.stderr
    receipt = json.loads(first.stdout)
    assert receipt["outcome"] == "written"
    (plan,) = target.authored("CarePlan", there)
    assert plan["status"] == "draft"
    assert plan["subject"]["reference"] == f"Patient/{there}"
    goals, requests = target.authored("Goal", there), target.authored("ServiceRequest", there)
    assert {f"{one['resourceType']}/{one['id']}" for one in (plan, *goals, *requests)} == {
        one["reference"] for one in receipt["resources"]
    }
    assert goals
    assert requests
    for written in (plan, *goals, *requests):
        assert not re.search(rf'"Patient/{re.escape(here)}"', json.dumps(written, default=str))
    assert everything(source) == before

    stood = everything(target)
    again = sync(tmp_path, source, target, here)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["outcome"] == "unchanged"
    assert everything(target) == stood
    assert everything(source) == before


def test_a_clinician_s_edit_on_the_target_stays(source: Server, target: Server, tmp_path: Path) -> None:
    here = source.load(person_with("berta"))
    there = target.load(only_the_patient(person_with("berta")))
    assert sync(tmp_path, source, target, here).returncode == 0
    (plan,) = target.authored("CarePlan", there)
    edited = {**plan, "title": "Agreed at the visit"}
    assert target.put(edited, version=plan["meta"]["versionId"]).status_code == 200
    again = sync(tmp_path, source, target, here)
    assert again.returncode == 0, again.stderr
    (after,) = target.authored("CarePlan", there)
    assert (after["title"], after["meta"]["versionId"]) == ("Agreed at the visit", "2")
    found = identities(target.authored("Goal", there))
    assert len(found) == len(set(found)) > 0


@pytest.mark.parametrize("patients", [(), ("same birth date", "same birth date"), ("another birth date",)])
def test_where_the_target_does_not_know_the_one_patient_nothing_is_written(
    source: Server, target: Server, tmp_path: Path, patients: tuple[str, ...]
) -> None:
    name = "-".join(("nobody", *patients)).replace(" ", "-")
    here = source.load(person_with(name))
    for birth in patients:
        bundle = only_the_patient(person_with(name))
        if birth == "another birth date":
            bundle["entry"][0]["resource"]["birthDate"] = "1970-01-01"
        target.load(bundle)
    before = everything(source), everything(target)
    result = sync(tmp_path, source, target, here)
    assert result.returncode == 3, result.stderr
    receipt = json.loads(result.stdout)
    assert (receipt["outcome"], receipt["resources"]) == ("failed", [])
    said = " ".join(result.stderr.split())
    assert "on the target" in said
    assert "identifier" in said
    assert "Next: " in said
    assert "Traceback" not in said
    assert name not in said, "an identifier is nobody's business"
    assert (everything(source), everything(target)) == before


def test_a_target_that_is_not_there_costs_nothing(source: Server, tmp_path: Path) -> None:
    here = source.load(person_with("caesar"))
    before = everything(source)
    result = sync(tmp_path, source, Server("http://127.0.0.1:9/fhir"), here)
    assert result.returncode == 5, result.stderr
    assert json.loads(result.stdout)["outcome"] == "failed"
    assert "Next: " in result.stderr
    assert everything(source) == before
