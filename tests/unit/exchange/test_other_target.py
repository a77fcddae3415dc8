"""Another server as target than the one that is read."""

from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import Hospital, HospitalSource
from tests.support.interfering import REVIEW_NEW, nothing_applies_to

COMPANION = "https://companion.example.org/fhir"


def beside(writer: MemoryPlanWriter, *, url: str, name: str = "02-older-adult-si-units") -> Hospital:
    """A hospital whose plans go to a companion server."""
    return Hospital(writer=writer, source=HospitalSource(name, url=url, identity=url, written_here=None))


async def test_on_another_server_the_plan_is_about_the_patient_as_that_server_knows_them() -> None:
    source = HospitalSource("02-older-adult-si-units", written_here=None)
    writer = MemoryPlanWriter(COMPANION, patients={f"Patient/{source.patient}": "Patient/known-there"})
    hospital = Hospital(writer=writer, source=source)
    receipt = await hospital.sync()
    assert receipt.outcome == "written"
    assert {body["subject"]["reference"] for body in hospital.everything().values()} == {"Patient/known-there"}
    assert (await hospital.sync()).outcome == "unchanged"
    nothing_applies_to(source)
    assert (await hospital.sync()).outcome == "written"
    assert hospital.plan()["status"] == "revoked"


async def test_two_hospitals_with_the_same_patient_id_do_not_touch_each_others_plans() -> None:
    writer = MemoryPlanWriter(COMPANION)
    first = beside(writer, url="https://a.example.org/fhir")
    second = beside(writer, url="https://b.example.org/fhir")
    second.plans = first.plans
    await first.sync()
    plan_of_the_first = first.plan()
    assert (await second.sync()).outcome == "written"
    assert plan_of_the_first in writer.resources("CarePlan")
    assert len(writer.resources("CarePlan")) == 2
    assert {plan["status"] for plan in writer.resources("CarePlan")} == {"draft"}
    assert (await first.sync()).outcome == "unchanged"


async def test_two_hospitals_with_the_same_patient_id_do_not_hide_each_others_reviews() -> None:
    writer = MemoryPlanWriter(COMPANION)
    first = beside(writer, url="https://a.example.org/fhir")
    second = beside(writer, url="https://b.example.org/fhir")
    second.plans, second.ids = first.plans, first.ids
    first.policy = second.policy = REVIEW_NEW
    await first.sync()
    await second.sync()
    assert len(await first.plans.pendings()) == 2
