"""Words around the name of a disease: "history of", "suspected", "no", "family history of". Each makes something
else of it, and only words of `mappings/situations.yaml` around a whole text of `mappings/text` are read.

SNOMED CT calls these situations with explicit context; their codes may not be used here without a licence.
"""

from typing import NamedTuple

from .context import Context
from .tables import Meaning, SituationMeans, Wording

_BETWEEN = " ,;:-()"


class Told(NamedTuple):
    """`name` is the disease, `of_patient` what it means where the patient has it, `meanings` what the text says:
    the same, or for a relative the concepts of family history."""

    means: SituationMeans
    name: str
    of_patient: tuple[Meaning, ...]
    meanings: tuple[Meaning, ...]


def told_by(context: Context, resource_type: str, text: str) -> Told | None:
    """What a plain text says of a disease by the words around its name; None where there are no such words, or
    what they stand around is no text of ours."""
    if resource_type != "Condition":
        return None
    memo = ("situation", text)
    if memo not in context.looked_up:
        context.looked_up[memo] = _read(context, text)
    told: Told | None = context.looked_up[memo]
    return told


def _read(context: Context, text: str) -> Told | None:
    texts = context.mappings.texts.get("Condition", {})
    for wording in context.mappings.wordings:
        name = _name(wording, text) if wording.words in text else None
        if name is None:
            continue
        of_patient = texts.get(name, ())
        if wording.means in ("family", "no-family"):
            of_relative = _of_relative(context, name)
            if of_patient or of_relative:
                return Told(wording.means, name, of_patient, of_relative)
        elif of_patient:
            return Told(wording.means, name, of_patient, of_patient)
    return None


def _name(wording: Wording, text: str) -> str | None:
    """The text without the words, where they stand at its beginning or end as words of their own."""
    text = text.strip(_BETWEEN)
    words = wording.words
    if wording.is_before:
        if not text.startswith(words):
            return None
        rest = text[len(words) :]
        edge, last = rest[:1], words[-1]
    else:
        if not text.endswith(words):
            return None
        rest = text[: -len(words)]
        edge, last = rest[-1:], words[0]
    if edge.isalnum() and last.isalnum():
        return None
    return rest.strip(_BETWEEN) or None


def _of_relative(context: Context, name: str) -> tuple[Meaning, ...]:
    """What the disease of a relative means. Where the age at onset matters it is not told, so it is unknown."""
    return tuple(
        Meaning(rule.concept, rule.onset_below is None)
        for rule in context.mappings.family
        if name in context.mappings.family_codes[rule.concept].texts
    )
