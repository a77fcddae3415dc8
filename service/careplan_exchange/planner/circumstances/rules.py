"""The rules of `protocols/circumstances/`, one struct a list. The folder's README shows an example of each."""

from typing import Literal

import msgspec

from careplan_exchange.model.proposal import ActivityKind
from careplan_exchange.planner.matching import Match, Source, Text

Outcome = Literal["replaced", "referral", "declined", "noted"]


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the activities of these rules are proposed by, as a protocol's head says it."""

    url: Text
    version: Text
    title: Text


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    system: Text
    code: Text
    display: Text


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """An activity that stands in for another, or helps to carry it out. `involves` as in ActivityDefinitions."""

    id: Text
    title: Text
    kind: ActivityKind
    description: Text
    patient_text: Text
    patient_text_es: Text
    source: Source
    codes: tuple[Code, ...] = ()
    involves: tuple[Text, ...] = ()


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the circumstance does to the activities that `match` takes; without `match`, to the plan as a whole.

    `by` is the template that replaces them, helps with them, or talks of them. `text` says why, for a clinician.
    `ask` is a question that the lines which stay wait for.
    """

    outcome: Outcome
    text: Text
    source: Source
    match: Match | None = None
    by: Text | None = None
    ask: Text | None = None


class Circumstance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`when` is FHIRPath over the variables. Where it is unknown nothing changes; with `unknown: ask` the lines
    that hang on it carry `question`."""

    id: Text
    title: Text
    when: Text
    changes: tuple[Change, ...]
    unknown: Literal["nothing", "ask"] = "nothing"
    question: Text | None = None


class Language(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done where the patient's language is one that patient texts do not have."""

    by: Text
    title: Text
    text: Text
    source: Source


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in the folder, in the order of the files. Empty: nothing changes."""

    about: tuple[About, ...] = ()
    activities: tuple[Template, ...] = ()
    circumstances: tuple[Circumstance, ...] = ()
    language: tuple[Language, ...] = ()

    def template(self, name: str) -> Template:
        return next(found for found in self.activities if found.id == name)
