"""A proposal in which everything about the plan as a whole is filled in."""

from decimal import Decimal

import msgspec

from careplan_exchange.model.burden import Burden, Count
from careplan_exchange.model.proposal import Barrier, Conflict
from careplan_exchange.model.snapshot import Evidence, Wish
from tests.support.plans import CITATION, a_proposal

HOSTILE = "<b>walk & talk</b>"


def a_whole_proposal(**changes):
    plain = a_proposal()
    activity = plain.activities[0]
    goals = tuple(msgspec.structs.replace(goal, patient_texts={"es": "Su azúcar."}) for goal in plain.goals)
    values = {
        "goals": goals,
        "wishes": (
            Wish(text=HOSTILE, by="patient", evidence=Evidence(reference="Goal/own", version_id="4")),
            Wish(
                text="Stay at home", by="related-person", evidence=Evidence(reference="Goal/near", version_id="1")
            ),
        ),
        "conflicts": (
            Conflict(
                key="combine/conflict/fluids",
                title="More fluids, or less",
                text="The limit stands.",
                policy="second",
                lines=(activity.key, "stones/action/fluids"),
                citations=(CITATION,),
                reasons=activity.reasons[:1],
            ),
            Conflict(
                key="combine/choice/sbp",
                title="Which goal",
                text="They disagree.",
                policy="choice",
                lines=(),
                citations=(CITATION,),
            ),
            Conflict(
                key="combine/opposite/x",
                title="Open",
                text="Which?",
                policy="ask",
                lines=(),
                citations=(CITATION,),
            ),
        ),
        "barriers": (
            Barrier(
                key="circumstances/cannot-walk/1",
                title="Wheelchair",
                text="The patient cannot walk",
                outcome="replaced",
                lines=("a/action/walk",),
                reasons=activity.reasons[:1],
                citations=(CITATION,),
                by=activity.key,
            ),
            Barrier(
                key="circumstances/x/1",
                title="Declined once",
                text="Which is not said",
                outcome="noted",
                lines=(activity.key,),
                reasons=activity.reasons[:1],
                citations=(CITATION,),
            ),
        ),
        "burden": Burden(
            visits_a_year=Count(amount=Decimal(4), at_least=True),
            doses_a_day=Count(amount=Decimal(1)),
            tasks_a_week=Count(amount=Decimal(7)),
            medicines_now=2,
        ),
        "start_with": (activity.key,),
        "language": "es-MX",
    }
    return msgspec.structs.replace(plain, **{**values, **changes})
