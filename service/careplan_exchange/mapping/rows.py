"""The shapes of the files in `mappings/`, one struct an element. The README there shows an example of each."""

from decimal import Decimal
from typing import Literal

import msgspec

from careplan_exchange.model.issue import Severity
from careplan_exchange.model.snapshot import FactState, Origin

from .files import Text


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    system: Text
    code: Text
    display: str | None = None


class Panel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An Observation whose components are measurements of their own."""

    system: Text
    code: Text
    source: Text
    display: str | None = None


class System(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    canonical: Text
    aliases: tuple[Text, ...]


class ExceptCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    system: Text
    code: Text
    reason: Text


class UnitRow(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"from_": "from", "except_codes": "exceptCodes"},
):
    from_: tuple[Text, ...]
    factor: Decimal = Decimal(1)
    divisor: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)
    decimals: int | None = None
    source: Text | None = None
    assumes: Text | None = None
    except_codes: tuple[ExceptCode, ...] = ()


class UnitsOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    concept: Text
    to: Text
    conversions: tuple[UnitRow, ...]


class MaxAge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    days: int
    reason: Text


class Option(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One answer to a question: a code, or a whole text."""

    means: FactState
    system: Text | None = None
    code: Text | None = None
    text: Text | None = None
    display: str | None = None
    max_age: MaxAge | None = None


class Answers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    question: Code
    concept: Text
    source: Text
    options: tuple[Option, ...]


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whole texts that mean a concept; `narrower`: that may mean it and may not, as in a ConceptMap."""

    resource: Literal[
        "Condition", "Procedure", "MedicationRequest", "AllergyIntolerance", "Immunization", "Device"
    ]
    concept: Text
    texts: tuple[Text, ...]
    source: Text
    equivalence: Literal["equivalent", "narrower"] = "equivalent"


class Judged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Codes and whole texts that were looked at, and that no concept of profiles/ asks for. `below`: the code and
    every longer one that begins with it."""

    resource: Literal["Observation", "Condition", "Procedure", "AllergyIntolerance"]
    reason: Text
    source: Text
    codes: tuple[Code, ...] = ()
    below: tuple[Code, ...] = ()
    texts: tuple[Text, ...] = ()


class Situation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words around the name of a disease that change what is said of it. They stand before it or after it."""

    means: Literal["ended", "suspected", "absent", "family", "no-family"]
    source: Text
    before: tuple[Text, ...] = ()
    after: tuple[Text, ...] = ()


class History(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Codes that say the patient once had what the concept means, and do not say that it is so now."""

    concept: Text
    codes: tuple[Code, ...]
    source: Text


TOLD_ALIKE = {
    "MedicationRequest": ("MedicationStatement", "MedicationDispense", "MedicationAdministration"),
    "Device": ("DeviceUseStatement", "DeviceUsage"),
}
"""Resource types in which the same thing has the same name as in the one that `Texts` names."""


class Absence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A statement such as "no known allergies", and the categories of allergy that it denies."""

    statement: Text
    concepts: tuple[Text, ...]
    denies: tuple[Literal["food", "medication", "environment", "biologic"], ...]
    source: Text
    codes: tuple[Code, ...] = ()
    texts: tuple[Text, ...] = ()


class Refutation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`texts` are texts of mappings/text that name the whole concept."""

    concept: Text
    codes: tuple[Code, ...] = ()
    texts: tuple[Text, ...] = ()


class Excluded(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    genders: tuple[Literal["male", "female", "other"], ...] = ()
    ages_below: int | None = None
    ages_above: int | None = None


class Demographic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    concept: Text
    excluded_for: Excluded
    reason: Text


Degree = Literal["first", "second"]


class Relative(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: Text
    sex: Literal["male", "female"] | None = None
    degree: Degree = "first"


class OnsetBelow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    male: int
    female: int


class FamilyHistory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    concept: Text
    conditions: Text
    source: Text
    texts: tuple[Text, ...] = ()
    onset_below: OnsetBelow | None = None
    degrees: tuple[Degree, ...] = ("first",)


class OnsetUnit(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from", "per_year": "perYear"}
):
    from_: tuple[Text, ...]
    per_year: int


class SettingRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an Observation was made, by the code or the text of an extension."""

    origin: Origin
    source: Text
    extensions: tuple[Text, ...]
    codes: tuple[Code, ...] = ()
    texts: tuple[Text, ...] = ()


class NotRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: Text
    reason: Text
    severity: Severity = "information"


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """ConceptMap.group.element.target, with the equivalences of R4 that this product can carry out.

    The target is as wide as the source, or wider: the source means it. `inexact`: it means it, and `comment` says
    what differs. `narrower`: the source may mean it, so it is unknown. `unmatched`: it does not, and that was
    judged.
    """

    equivalence: Literal["equal", "equivalent", "wider", "subsumes", "inexact", "narrower", "unmatched"]
    code: Text | None = None
    display: str | None = None
    comment: Text | None = None


class Element(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: Text
    target: tuple[Target, ...]
    display: str | None = None


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: Text
    target: Text
    element: tuple[Element, ...]


class ConceptMap(msgspec.Struct, frozen=True):
    """What is read of a FHIR ConceptMap (http://hl7.org/fhir/R4/conceptmap.html)."""

    url: Text
    version: Text
    title: Text
    status: Literal["draft", "active", "retired"]
    date: Text
    description: Text
    group: tuple[Group, ...]
