"""A proposal with something in every list, and what the writer is told about its patient."""

from datetime import UTC, date, datetime
from decimal import Decimal

from careplan_exchange.model.detected import DetectedIssue
from careplan_exchange.model.proposal import (
    ActivityProposal,
    Citation,
    Gap,
    GoalProposal,
    Proposal,
    ProtocolRef,
    Reason,
    Restriction,
    Target,
    Used,
    Withheld,
)
from careplan_exchange.model.snapshot import Coding, Evidence
from careplan_exchange.writer import RenderContext

T2DM = ProtocolRef(
    url="http://example.org/PlanDefinition/t2dm", version="1.0.0", title="Type 2 diabetes <in adults> & more"
)
CITATION = Citation(label="Guideline 2025 <3>", url="https://doi.org/10.1000/example?a=1&b=2", grade="A")
PLAIN_CITATION = Citation(label="Label", url="urn:isbn:0000")


def a_context(**changes):
    values = {
        "endpoint_identity": "https://ehr.example.org/fhir",
        "source_endpoint": "https://ehr.example.org/fhir",
        "source_patient": "Patient/p1",
        "subject": "Patient/p1",
        "same_server": True,
        "now": datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        "status": "draft",
        "version": "0.1.0",
    }
    return RenderContext(**(values | changes))


def a_proposal(
    *,
    patient="Patient/p1",
    hba1c="Observation/o1",
    diabetes="Condition/c1",
    allergy="AllergyIntolerance/a1",
    version=None,
):
    """`version` is that of all evidence, for servers that hold the references to it to account."""
    value = Evidence(reference=hba1c, version_id=version or "3", date="2026-01-02")
    problem = Evidence(reference=diabetes, version_id="1")
    person = Evidence(reference=patient, version_id="1")
    reaction = Evidence(reference=allergy, version_id=version or "2")
    why = Reason(
        text="HbA1c 8.1 % (2026-01-02) is above 7 %.",
        rule="%hba1c > 7",
        result="true",
        used=(
            Used(variable="hba1c", value="8.1 %", evidence=(value,)),
            Used(variable="age", value="61", evidence=(person,)),
        ),
    )
    unknown = Gap(concept="pregnancy", ask="Is the patient pregnant? <ask>", needed_by=("t2dm/activity/statin",))
    return Proposal(
        patient=person,
        as_of=date(2026, 3, 4),
        protocols=(T2DM,),
        goals=(
            GoalProposal(
                key="t2dm/goal/hba1c",
                protocol=T2DM,
                description="HbA1c below 7 %",
                patient_text="Your sugar over three months",
                category="physiotherapy",
                priority="high-priority",
                start=date(2026, 3, 4),
                reasons=(why,),
                citations=(CITATION,),
                targets=(
                    Target(
                        measure=Coding(system="http://loinc.org", code="4548-4"),
                        unit="%",
                        high=Decimal("7.0"),
                        due=date(2026, 6, 4),
                    ),
                ),
                addresses=(problem,),
            ),
            GoalProposal(
                key="t2dm/goal/no-alcohol",
                protocol=T2DM,
                description="No alcohol",
                patient_text="Do not drink alcohol",
                category="behavioral",
                priority="medium-priority",
                start=date(2026, 3, 4),
                reasons=(why,),
                citations=(PLAIN_CITATION,),
            ),
        ),
        activities=(
            ActivityProposal(
                key="t2dm/activity/metformin",
                protocol=T2DM,
                kind="medication",
                resource_kind="MedicationRequest",
                title="Metformin",
                description="Consider starting metformin.",
                patient_text="A tablet that lowers sugar",
                priority="routine",
                reasons=(why,),
                citations=(CITATION,),
                codings=(Coding(system="http://www.nlm.nih.gov/research/umls/rxnorm", code="6809"),),
                goals=("t2dm/goal/hba1c",),
                addresses=(problem,),
                questions=("Does the patient accept tablets?",),
            ),
            ActivityProposal(
                key="t2dm/activity/hba1c",
                protocol=T2DM,
                kind="monitoring",
                resource_kind="ServiceRequest",
                title="HbA1c test",
                description="Measure HbA1c.",
                patient_text="A blood test",
                priority="routine",
                reasons=(why,),
                citations=(CITATION,),
                codings=(Coding(system="http://loinc.org", code="4548-4"),),
                timing={"repeat": {"frequency": 1, "period": 3, "periodUnit": "mo"}},
                goals=("t2dm/goal/hba1c",),
                addresses=(problem,),
                missing=(unknown,),
            ),
            ActivityProposal(
                key="t2dm/activity/counselling",
                protocol=T2DM,
                kind="education",
                resource_kind="ServiceRequest",
                title="Counselling on alcohol",
                description="Talk about alcohol.",
                patient_text="We talk about alcohol",
                priority="routine",
                reasons=(why,),
                citations=(PLAIN_CITATION,),
                goals=("t2dm/goal/no-alcohol",),
            ),
        ),
        restrictions=(
            Restriction(
                key="t2dm/restriction/alcohol",
                protocol=T2DM,
                avoid="Alcohol",
                patient_text="Do not drink alcohol",
                goal="t2dm/goal/no-alcohol",
                activity="t2dm/activity/counselling",
                reasons=(why,),
                citations=(PLAIN_CITATION,),
            ),
        ),
        withheld=(
            Withheld(
                key="t2dm/activity/statin",
                protocol=T2DM,
                title="Statin",
                severity="high",
                certain=False,
                detail="Held back while pregnancy is not known.",
                reasons=(
                    Reason(
                        text="Pregnancy is not known.",
                        rule="%pregnancy",
                        result="unknown",
                        used=(Used(variable="pregnancy", value="unknown", evidence=(reaction,)),),
                    ),
                ),
                citations=(CITATION,),
                codings=(Coding(system="http://www.nlm.nih.gov/research/umls/rxnorm", code="83367"),),
                missing=(unknown,),
            ),
        ),
        not_applied=(),
        detected=(
            DetectedIssue(
                key="t2dm/activity/statin",
                rule="t2dm/activity/statin",
                hazard="pregnancy",
                severity="high",
                action="withheld",
                certain=False,
                title="Statin",
                detail="Held back while pregnancy is not known.",
                mitigation="Ask, then plan again.",
                activities=("t2dm/activity/statin",),
                reasons=(
                    Reason(
                        text="Pregnancy is not known.",
                        rule="%pregnancy",
                        result="unknown",
                        used=(Used(variable="pregnancy", value="unknown", evidence=(reaction,)),),
                    ),
                ),
                citations=(CITATION,),
                missing=(unknown,),
            ),
        ),
        gaps=(unknown,),
        addresses=(problem,),
        evidence=(value, person, problem, reaction),
    )
