"""Whether the plan can be read by the patient in the patient's language."""

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.patient_text import base_of
from careplan_exchange.model.proposal import Barrier, Reason
from careplan_exchange.planner.assembly import Lines

from .adding import add
from .rules import Circumstances

_WRITTEN = "en"
"""The language of every patient text that is no translation."""


def speak(whole: Lines, policy: Circumstances, language: str | None) -> None:
    """Where a line has no text in the patient's language: an interpreter, and an Issue with how many there are. A
    language that is not recorded changes nothing."""
    base = base_of(language)
    if base in {None, _WRITTEN} or not whole.activities:
        return
    texts = [
        *(line.patient_texts for line in whole.goals),
        *(line.patient_texts for line in whole.activities),
        *(line.patient_texts for line in whole.restrictions),
    ]
    without = sum(base not in found for found in texts)
    if not without:
        return
    whole.issues.append(
        Issue(
            severity="warning",
            code="not-supported",
            key="planner.language",
            detail=f"{without} of {len(texts)} lines have no text for the patient in the language '{base}'.",
            mend="Explain them with an interpreter, or add the translation to the protocol.",
        )
    )
    for rule in policy.language:
        why = Reason(
            text=f"{rule.text.rstrip('.')}. The recorded language is '{base}'.",
            rule=f"Patient.communication: {base}",
            result="true",
        )
        by = add(whole, policy, rule.by, (), reasons=(why,), citations=(rule.source.citation,), in_place=False)
        whole.barriers.append(
            Barrier(
                key="circumstances/language",
                title=rule.title,
                text=rule.text,
                outcome="referral",
                lines=(),
                reasons=(why,),
                citations=(rule.source.citation,),
                by=by,
            )
        )
