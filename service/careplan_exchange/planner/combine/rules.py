"""The rules of `protocols/combine/`, one struct a list. protocols/combine/README.md shows an example of each."""

from decimal import Decimal
from typing import Literal

import msgspec

from careplan_exchange.planner.matching import Match, Source, Text

Keep = Literal["listed", "most-frequent", "together"]
Policy = Literal["first", "second", "neither", "ask"]


class Same(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Activities that give the same advice. `keep` says which of two stands: the one that is listed first (the
    strictest stands on top), or the one that is done most often; "together" makes one line of all their texts,
    with the title of the rule."""

    id: Text
    title: Text
    keep: Keep
    members: tuple[Match, ...]
    reason: Text


class SameGoal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Goals without a measure that say the same; the one that is listed first stands, a safety goal before it."""

    id: Text
    keys: tuple[Text, ...]
    reason: Text


class Option(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A side that a site can take: the goals that cite this URL and have this upper bound, in the measure's
    canonical unit. A goal may cite both sides."""

    id: Text
    title: Text
    cites: Text
    high: Decimal


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where guidelines set other targets for one measure. `chosen` is the site's option; `when` limits it to some
    patients (FHIRPath)."""

    id: Text
    title: Text
    measure: Text
    options: tuple[Option, ...]
    chosen: Text
    why: Text
    when: Text | None = None


class Clash(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """Activities that cannot both be done (`first` and `second`), or that a condition forbids (`first`, `when`).

    `policy` says what stands: the first, the second, neither, or both with a question to a person. With
    `severity` what falls is withheld, as a contraindication; without, it does not apply. `goals` are measures:
    routine goals of them fall with the first. `text` says why, for a clinician; `ask` is the question. Where
    `when` is unknown it is asked, unless something else asks for it already (`unknown: go-on`).
    """

    id: Text
    title: Text
    first: Match
    policy: Policy
    text: Text
    source: Source
    second: Match | None = None
    when: Text | None = None
    ask: Text | None = None
    unknown: Literal["ask", "go-on"] = "ask"
    severity: Literal["high", "moderate", "low"] | None = None
    goals: tuple[Text, ...] = ()


class Opposite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two codes of `involves` that pull apart. Where no clash says what to do, a person is asked."""

    first: Text
    second: Text


class Stop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Activities that end or reconsider medicines."""

    match: Match
    medicines: tuple[Text, ...]


class MedicineClass(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Medicines of which a plan starts one at most. `policy` first: the one that stands first here is preferred;
    ask: each has its own use, and a person chooses."""

    id: Text
    title: Text
    medicines: tuple[Text, ...]
    source: Source
    policy: Literal["first", "ask"] = "first"


class Weight(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """What one activity costs a patient each time: the first row that takes it counts. `without_timing` is how
    often a year it is at least, where its protocol does not say. What is for the `laboratory` shares its visits:
    together they are as many as the most frequent one takes."""

    id: Text
    match: Match
    counts: Literal["visits", "laboratory", "tasks", "doses", "nothing"]
    without_timing: Decimal
    reason: Text


class Combining(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in the folder, in the order of the files. Empty: only what is the very same is said once."""

    same: tuple[Same, ...] = ()
    goals: tuple[SameGoal, ...] = ()
    choices: tuple[Choice, ...] = ()
    conflicts: tuple[Clash, ...] = ()
    opposites: tuple[Opposite, ...] = ()
    stops: tuple[Stop, ...] = ()
    medicines: tuple[MedicineClass, ...] = ()
    burden: tuple[Weight, ...] = ()
