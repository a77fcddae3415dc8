"""One rich plan from the real protocols, in every form of the write ladder."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from careplan_exchange import exchange
from careplan_exchange.model.changes import Rendered
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import FhirRelease
from careplan_exchange.model.target import Rung, TargetForm
from careplan_exchange.writer import RenderContext, render
from tests.support.hospital import TODAY, URL, HospitalSource, knowledge

PATIENT = "02-older-adult-si-units"
FORMS: tuple[tuple[FhirRelease, Rung], ...] = (
    ("R4", "references"),
    ("R4", "detail"),
    ("R4", "document"),
    ("R4B", "references"),
    ("R4B", "document"),
    ("R5", "references"),
    ("R5", "document"),
)


async def rich_proposal() -> tuple[HospitalSource, Proposal]:
    """With a diet among its activities, so that every type that is ever written is there."""
    source = HospitalSource(PATIENT, written_here=None)
    _, proposal = await exchange.propose(source, knowledge(), source.patient, TODAY)
    first = next(line for line in proposal.activities if line.resource_kind == "ServiceRequest")
    diet = msgspec.structs.replace(
        first, key="a/diet", title="A diet", kind="diet", resource_kind="NutritionOrder"
    )
    return source, msgspec.structs.replace(proposal, activities=(*proposal.activities, diet))


async def rich_plan(
    form: TargetForm, *, subject: str | None = None, same_server: bool = False
) -> tuple[Rendered, ...]:
    source, proposal = await rich_proposal()
    context = RenderContext(
        endpoint_identity="hospital",
        source_endpoint=URL,
        source_patient=f"Patient/{source.patient}",
        subject=subject or f"Patient/{source.patient}",
        same_server=same_server,
        now=datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
        status="draft",
        version="0.1.0",
    )
    return render(proposal, context, form)


def collected(rendered: Sequence[Rendered], profiles: dict[str, str]) -> dict[str, Any]:
    """The plan as one Bundle, each resource claiming its profile, where there is one."""
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": each.full_url, "resource": _claiming(each.body, profiles.get(each.type))}
            for each in rendered
        ],
    }


def _claiming(body: dict[str, Any], profile: str | None) -> dict[str, Any]:
    return body if profile is None else {**body, "meta": {"profile": [profile]}}
