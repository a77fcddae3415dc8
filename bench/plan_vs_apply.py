"""The same plan for the same patient: map + plan here, `$apply` of the reference implementation there.

    python bench/plan_vs_apply.py [REPEAT]

Needs `../shared` and Java. A plan of ten actions, each with one condition, and one goal, written twice: with CQL
conditions for the reference and with the same questions as FHIRPath over variables for us. A second one is the
same bytes for both (FHIRPath that is CQL as well). Patients: the largest of the shared ones (954 entries), the
smallest, and one of two resources. The reference has its records in memory and is warmed up, and its time is
`$apply` alone; ours is mapping and planning, from the bytes of the resources.
"""

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from _figures import line

from careplan_exchange import config, installed, knowledge
from careplan_exchange.mapping import map_record
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import PatientRecord, Resource
from careplan_exchange.planner import Policies, compile_foreign, plan
from careplan_exchange.sources import BundleSource

SHARED = Path(__file__).parents[2] / "shared"
URL = "http://example.org/PlanDefinition/bench"
CQL, FHIRPATH = "text/cql-expression", "text/fhirpath"


def _diagnosed(*codes: str) -> str:
    return f"exists([Condition] X where exists(X.code.coding C where {_any(codes)}))"


def _measured(*codes: str) -> str:
    return f"exists([Observation] X where exists(X.code.coding C where {_any(codes)}))"


def _any(codes: Sequence[str]) -> str:
    return " or ".join(f"C.code = '{code}'" for code in codes)


QUESTIONS = (
    ("Diabetes", "%type_2_diabetes", _diagnosed("44054006")),
    ("Pressure", "%hypertension", _diagnosed("38341003", "59621000")),
    ("Heart", "%heart_failure", _diagnosed("84114007", "88805009")),
    ("Coronary", "%coronary_disease", _diagnosed("53741008")),
    ("Grown up", "%age >= 18", "AgeInYears() >= 18"),
    ("Male", "%sex = 'male'", "Patient.gender = 'male'"),
    ("HbA1c", "%hba1c_days.exists()", _measured("4548-4")),
    ("Creatinine", "%creatinine_days.exists()", _measured("2160-0", "38483-4")),
    ("Weight", "%body_weight_days.exists()", _measured("29463-7")),
    ("Lipids", "%ldl_cholesterol_days.exists()", _measured("13457-7", "18262-6", "2089-1")),
)
ALIKE = (
    "Patient.active",
    "Patient.gender = 'male'",
    "Patient.gender = 'female'",
    "Patient.active = false",
    "true",
    "false",
    "1 = 1",
    "true and false",
    "false or true",
    "true implies true",
)


def written(expressions: Sequence[tuple[str, str]], language: str) -> dict[str, Any]:
    return {
        "resourceType": "PlanDefinition",
        "id": "bench",
        "url": URL,
        "version": "1.0.0",
        "status": "active",
        "goal": [{"id": "g", "description": {"text": "Goal"}}],
        "action": [
            {
                "id": f"a{number}",
                "title": title,
                "condition": [
                    {"kind": "applicability", "expression": {"language": language, "expression": source}}
                ],
            }
            for number, (title, source) in enumerate(expressions)
        ],
    }


def pulled(path: Path) -> PatientRecord:
    bundle = decode(path.read_bytes())
    for entry in bundle["entry"]:
        # Some died in the story; the record is wanted for its size.
        entry["resource"].pop("deceasedDateTime", None)
    source = BundleSource(encode(bundle), identity="bench", name=path.name)
    return asyncio.run(source.pull(source.patient_id()))


def tiny() -> PatientRecord:
    person: dict[str, Any] = {"resourceType": "Patient", "id": "p", "active": True, "gender": "male"}
    person["birthDate"] = "1961-05-17"
    code = {"coding": [{"system": "http://snomed.info/sct", "code": "38341003"}]}
    disease: dict[str, Any] = {
        "resourceType": "Condition",
        "id": "c",
        "subject": {"reference": "Patient/p"},
        "code": code,
    }
    held = [
        Resource(type=one["resourceType"], id=one["id"], version_id="1", last_updated=None, content=encode(one))
        for one in (person, disease)
    ]
    return PatientRecord(
        endpoint="urn:bench",
        identity="bench",
        release="R4",
        patient=held[0],
        resources=tuple(held[1:]),
        categories=frozenset({"Condition", "Observation"}),
    )


def ours(definition: dict[str, Any], record: PatientRecord, repeat: int) -> tuple[list[float], list[str]]:
    """Milliseconds of map + plan, and the titles that stand."""
    known = installed.load_knowledge(config.Settings())
    protocols = compile_foreign([knowledge.parse("plan.json", encode(definition))])
    today = date.today()  # noqa: DTZ011 # the reference takes today's age as well

    def once() -> Proposal:
        snapshot = map_record(record, known.mappings, known.vocabulary, today=today, anyone=True)
        return plan(snapshot, protocols, known.vocabulary, Policies(), record)

    return [milliseconds(once) for _ in range(repeat)], [one.title for one in once().activities]


def milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def theirs(definition: dict[str, Any], record: PatientRecord, repeat: int) -> tuple[list[float], list[str]]:
    """Minimum, median and 95th percentile of `$apply`, and the titles that stand."""
    with tempfile.TemporaryDirectory() as folder:
        content, data = Path(folder, "content"), Path(folder, "data")
        for place, resources in ((content, [definition]), (data, bodies(record))):
            place.mkdir()
            for one in resources:
                (place / f"{one['resourceType']}-{one['id']}.json").write_bytes(encode(one))
        subject = f"Patient/{record.patient.id}"
        done = subprocess.run(
            [SHARED / "oracle/apply/run", "--plan", URL, "--subject", subject, "--content", content,
             "--data", data, "--prime", "--repeat", str(repeat), "--warmup", str(repeat), "--compact"],
            capture_output=True, check=True, text=True,
        )  # fmt: skip
    said = re.search(r"\$apply median ([\d.]+) ms, min ([\d.]+), p95 ([\d.]+)", done.stderr)
    if said is None:
        raise SystemExit(done.stderr[-2000:])
    median, least, most = (float(part) for part in said.groups())
    return [least, median, most], list(titles(decode(done.stdout)))


def bodies(record: PatientRecord) -> list[dict[str, Any]]:
    return [decode(one.content) for one in (record.patient, *record.resources)]


def titles(care_plan: dict[str, Any]) -> list[str]:
    groups = (one for one in care_plan.get("contained", ()) if one["resourceType"] == "RequestGroup")
    return [action["title"] for group in groups for action in group.get("action", ())]


def main() -> None:
    if shutil.which("java") is None or not SHARED.exists():
        raise SystemExit("This needs ../shared and Java.")
    repeat = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    files = sorted((SHARED / "fixtures/patients").glob("*.json"), key=lambda path: path.stat().st_size)
    records = {"largest": pulled(files[-1]), "smallest": pulled(files[0]), "tiny": tiny()}
    plans = {
        "over the record": (
            written([(title, path) for title, path, _ in QUESTIONS], FHIRPATH),
            written([(title, cql) for title, _, cql in QUESTIONS], CQL),
        ),
        "the same bytes": (written(list(zip(ALIKE, ALIKE, strict=True)), FHIRPATH),) * 2,
    }
    for name, record in records.items():
        for what, (here, there) in plans.items():
            print(f"{name} patient ({1 + len(record.resources)} resources), plan {what}", flush=True)
            # Before and after the other, as the machine's mood changes.
            first, mine = ours(here, record, repeat)
            apply, other = theirs(there, record, repeat)
            both = first + ours(here, record, repeat)[0]
            print(line("  map + plan", both, "ms"))
            print(line("  $apply of the reference (min, median, p95)", apply, "ms"))
            print(line("  ratio of the medians", [apply[1] / sorted(both)[len(both) // 2]], "x"))
            print(f"  actions that stand: {', '.join(mine)}" if mine == other else f"  DIFFER: {mine} {other}")


if __name__ == "__main__":
    main()
