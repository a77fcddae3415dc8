"""Query plans: those that come with the product, a site's own, and every way in which one can be wrong."""

import re
from datetime import date

import pytest

from careplan_exchange import config, curation, installed
from careplan_exchange.errors import KnowledgeError, SettingsError
from careplan_exchange.knowledge import Document, documents, parse, root
from careplan_exchange.sources import lint_plans, load_plans
from careplan_exchange.sources.kinds import ASKED
from tests.support.sources import plans

VENDORS = {"generic", "hapi", "medplum", "epic", "oracle-health", "athena", "azure", "google"}


def ours() -> tuple[Document, ...]:
    return documents("mappings/vendors")


def text_of(vendor: str) -> str:
    return (root() / f"mappings/vendors/{vendor}.yaml").read_text()


def found(vendor: str, text: str):
    """What is found where one of our files has this text, or there is one more."""
    path = f"mappings/vendors/{vendor}.yaml"
    others = [document for document in ours() if document.path != path]
    return lint_plans([*others, parse(path, text.encode())])


def line_of(text: str, wanted: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), start=1) if wanted in line)


def test_our_plans_hold_together_and_every_vendor_has_one():
    assert lint_plans(ours()) == ()
    assert set(plans().by_vendor) == VENDORS


def test_every_plan_asks_for_every_type_of_a_record():
    for plan in plans().by_vendor.values():
        assert {kind.type for kind in plan.types} == ASKED


def test_every_plan_names_the_patient_in_the_form_that_every_server_takes():
    for plan in plans().by_vendor.values():
        assert {kind.value for kind in plan.types if kind.type != "Patient"} == {"Patient/<id>"}


@pytest.mark.parametrize(
    ("software", "vendor"),
    [
        ("HAPI FHIR Server 8.8.0", "hapi"),
        ("Epic August 2026", "epic"),
        ("medplum 4.5", "medplum"),
        ("Microsoft FHIR Server 5.0", "azure"),
        ("Azure API for FHIR Server", "azure"),
        ("Google Cloud Healthcare API", "google"),
        ("athenahealth 1", "athena"),
        ("Oracle Health Millennium", "oracle-health"),
        ("careplan-exchange sandbox", "generic"),
        ("An Epic poem", "generic"),
        (None, "generic"),
    ],
)
def test_the_software_chooses(software, vendor):
    assert plans().choose(None, software).vendor == vendor


def test_the_setting_wins_over_the_software():
    assert plans().choose("medplum", "HAPI FHIR Server").vendor == "medplum"


def test_an_unknown_vendor_is_named_with_the_nearest_one():
    with pytest.raises(SettingsError, match="Did you mean 'medplum'"):
        plans().choose("medplumb", None)


def test_a_type_is_whole_where_its_queries_find_everything():
    by_type = {
        vendor: {kind.type: kind.whole for kind in plans().by_vendor[vendor].types}
        for vendor in ("hapi", "epic", "oracle-health")
    }
    assert [name for name, whole in by_type["hapi"].items() if not whole] == ["Appointment"]
    assert not by_type["epic"]["Observation"]
    assert by_type["oracle-health"]["Observation"]
    assert by_type["oracle-health"]["CarePlan"]


def test_a_vendor_is_added_by_a_file_in_the_sites_own_folder(tmp_path):
    folder = tmp_path / "mappings/vendors"
    folder.mkdir(parents=True)
    (folder / "st-elsewhere.yaml").write_text(
        'vendor: st-elsewhere\ntitle: St Elsewhere\nreviewed: "2026-11-26"\nsource: https://st-elsewhere.example.org\n'
        'matches: ["^Elsewhere"]\ncount: 50\ntypes:\n'
        "  - type: Observation\n    parameter: subject\n    count: 20\n    source: https://st-elsewhere.example.org\n"
    )
    plan = load_plans(documents("mappings/vendors", tmp_path)).choose(None, "Elsewhere 3")
    observation = next(kind for kind in plan.types if kind.type == "Observation")
    goal = next(kind for kind in plan.types if kind.type == "Goal")
    assert (observation.parameter, observation.count, observation.value) == ("subject", 20, "Patient/<id>")
    assert (goal.parameter, goal.count) == ("patient", 50)


def test_a_sites_file_of_the_same_name_replaces_ours(tmp_path):
    folder = tmp_path / "mappings/vendors"
    folder.mkdir(parents=True)
    (folder / "hapi.yaml").write_text(text_of("hapi").replace('use: "yes"', 'use: "no"', 1))
    assert load_plans(documents("mappings/vendors", tmp_path)).by_vendor["hapi"].batch == "no"


def test_the_mappings_do_not_take_a_query_plan_for_a_mapping():
    assert not [document for document in documents("mappings") if "vendors" in document.path]


# --- planted errors -------------------------------------------------------------------------------------------

PLANTED = {
    "a misspelt key": ("epic", "parameter: category", "paramter: category", "paramter"),
    "an unknown type": (
        "epic",
        "type: CarePlan",
        "type: CarePlann",
        "CarePlann' is no resource type.*'CarePlan'",
    ),
    "a type that is not asked by patient": (
        "epic",
        "type: CarePlan",
        "type: Medication",
        "not asked for by patient",
    ),
    "an unknown parameter": ("epic", "parameter: category", "parameter: categry", "'categry'.*mean 'category'"),
    "an unknown filter": (
        "epic",
        "name: clinical-status",
        "name: clinical-stat",
        "'clinical-stat'.*'clinical-status'",
    ),
    "a source that names no page": (
        "epic",
        "source: https://open.epic.com/Clinical/Observation",
        "source: somebody said so",
        "names no page",
    ),
    "a missing source": (
        "epic",
        "    source: https://open.epic.com/Clinical/Observation\n",
        "",
        "source",
    ),
    "a type that stands twice": ("epic", "type: CarePlan", "type: Observation", "stands twice"),
    "a value that stands twice": ("epic", "survey, exam", "survey, survey", "stands twice"),
    "a pattern that is none": ("epic", 'matches: ["^Epic"]', 'matches: ["(Epic"]', "no regular expression"),
    "a pattern of another vendor": ("epic", 'matches: ["^Epic"]', 'matches: ["^hapi fhir"]', "one never counts"),
    "a vendor that has a plan": ("epic", "vendor: epic", "vendor: hapi", "has a plan in"),
    "no categories": (
        "athena",
        "values: [assess-plan]",
        "values: []",
        "no value to ask for",
    ),
    "an include of something else": (
        "generic",
        "include: [MedicationRequest:medication]",
        "include: [MedicationRequest:requester]",
        "come along",
    ),
    "a needed type that nobody asks for": (
        "generic",
        "  - {type: Condition, source: https://hl7.org/fhir/R4/condition.html#search}\n",
        "",
        "does not ask for Condition",
    ),
    "a generic plan that leaves something open": ("generic", "count: 1000\n", "", "does not say count"),
    "$everything that is used and not whole": ("hapi", "whole: true", "whole: false", "not whole"),
    "a listing that is none": ("hapi", "name: _elements", "name: _element", "'_element'.*mean '_elements'"),
    "a date that is none": ("hapi", 'reviewed: "2026-11-26"', "reviewed: yesterday", "no date"),
    "an ability that is neither": ("hapi", 'use: "yes"', "use: sometimes", "sometimes"),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_error_is_found_in_its_file_with_line_and_mend(case):
    vendor, right, wrong, message = PLANTED[case]
    text = text_of(vendor)
    assert right in text
    planted = text.replace(right, wrong, 1)
    findings = found(vendor, planted)
    named = [finding for finding in findings if re.search(message, finding.message)]
    assert named, findings
    assert all(finding.mend for finding in findings)
    if vendor != "epic" or "has a plan" not in message:  # of two files with one name either may be told
        assert {finding.file for finding in named} == {f"mappings/vendors/{vendor}.yaml"}


@pytest.mark.parametrize(
    ("case", "where"),
    [
        ("an unknown type", "CarePlann"),
        ("an unknown parameter", "categry"),
        ("a source that names no page", "somebody"),
    ],
)
def test_the_line_is_that_of_the_error(case, where):
    vendor, right, wrong, _ = PLANTED[case]
    planted = text_of(vendor).replace(right, wrong, 1)
    assert found(vendor, planted)[0].line == line_of(planted, where)


def test_without_a_generic_plan_nothing_holds():
    (finding,) = lint_plans([document for document in ours() if "generic" not in document.path])
    assert "generic" in finding.message
    with pytest.raises(KnowledgeError):
        load_plans([])


def test_the_example_in_the_readme_holds_together():
    readme = (root() / "mappings/vendors/README.md").read_text()
    (example,) = [block for block in re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL) if "vendor:" in block]
    assert found("st-elsewhere", example) == ()


def test_knowledge_check_looks_at_a_sites_plans_too(tmp_path):
    folder = tmp_path / "mappings/vendors"
    folder.mkdir(parents=True)
    (folder / "site.yaml").write_text(text_of("medplum").replace("vendor: medplum", "vendor: hapi"))
    settings = config.Settings(knowledge=config.Knowledge(overlay=tmp_path))
    findings = curation.lint_knowledge(settings, date(2026, 11, 26)).findings
    assert {finding.file for finding in findings} == {"mappings/vendors/site.yaml"}
    with pytest.raises(KnowledgeError):
        installed.load_query_plans(settings)
