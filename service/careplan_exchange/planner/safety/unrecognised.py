"""Entries of the allergy list and of the medicines that mapping did not understand: they are never "safe"."""

from collections.abc import Iterable

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.snapshot import Snapshot

_ALLERGY = "AllergyIntolerance"
_MEDICINES = frozenset(
    {"MedicationRequest", "MedicationStatement", "MedicationDispense", "MedicationAdministration"}
)
_UNREAD = frozenset(
    {
        "mapping.code.missing",
        "mapping.code.text-only",
        "mapping.resource.modified",
        "mapping.resource.unreadable",
        "mapping.subject.unclear",
    }
)
"""Issues after which nobody knows what the entry names."""
_UNREAD_OF = {_ALLERGY: "mapping.code.no-concept"} | dict.fromkeys(_MEDICINES, "mapping.medication.unmapped")
"""The same of an allergy to something that no concept stands for, and of a product whose ingredients are unknown.
A product that is known and in no class is understood."""


def unrecognised(snapshot: Snapshot) -> tuple[str, ...]:
    """References, without version, of the entries of which it is not known what they name."""
    return tuple(sorted({reference for issue in snapshot.issues for reference in _named(issue)}))


def questions(references: Iterable[str], snapshot: Snapshot) -> tuple[str, ...]:
    """What a person must check by hand before a medicine is accepted. It names resources, never their content."""
    several = tuple(references)
    allergies = [one for one in several if one.startswith(f"{_ALLERGY}/")]
    medicines = [one for one in several if not one.startswith(f"{_ALLERGY}/")]
    found = [
        (allergies, "the allergy list"),
        (medicines, "the list of medicines"),
    ]
    asked = [
        f"{_entries(entries)} in {where} {'was' if len(entries) == 1 else 'were'} not recognised "
        f"({', '.join(entries)}): check by hand."
        for entries, where in found
        if entries
    ]
    for needed, where in ((_ALLERGY, "allergy list"), ("MedicationRequest", "list of medicines")):
        if needed not in snapshot.categories:
            asked.append(f"The {where} was not read whole: check it by hand.")
    return tuple(asked)


def _named(issue: Issue) -> Iterable[str]:
    for source in issue.sources or ((issue.source,) if issue.source else ()):
        reference = source.partition("/_history/")[0]
        kind = reference.partition("/")[0]
        # Of a product that nobody takes now mapping only informs.
        counts = kind == _ALLERGY or issue.severity != "information"
        if counts and kind in _UNREAD_OF and issue.key in _UNREAD | {_UNREAD_OF[kind]}:
            yield reference


def _entries(entries: list[str]) -> str:
    return "One entry" if len(entries) == 1 else f"{len(entries)} entries"
