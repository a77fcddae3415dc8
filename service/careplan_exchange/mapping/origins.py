"""Where a value was measured, or who told it: so that a home reading is never taken for a clinic one."""

from collections.abc import Iterator
from typing import Any

import msgspec

from careplan_exchange.model.snapshot import Origin

from .context import UNREADABLE, Context
from .setting import setting_of
from .tables import plain
from .wire import ABSENT, Element, Observation

_CLINIC = ("Practitioner", "PractitionerRole", "Organization", "CareTeam")
_PATIENT = ("Patient", "RelatedPerson")


class _Meta(Element, frozen=True):
    tag: msgspec.Raw = ABSENT
    security: msgspec.Raw = ABSENT


_META = msgspec.json.Decoder(_Meta)

_Label = tuple[str | None, str | None, str | None]
"""System, code and text."""


def origin_of(context: Context, observation: Observation) -> Origin | None:
    """The origin, or None where the record does not say: None is not "clinic".

    Labels of the resource and codes or texts of its method, category and code decide, by `mappings/origins.yaml`,
    and who performed it. A patient who measures does so at home; a patient who answers a survey tells. A
    device without anybody is "device". Of several that disagree the one less like a clinic's measurement counts.
    """
    code = observation.code
    if observation.extension or code is None or len(code.coding) != 1:
        return _worked_out(context, observation, _tags(observation))
    (coding,) = code.coding
    tags = _tags(observation)
    memo = (
        "origin", *tags, coding.system, coding.code, coding.display, _is_measured(observation),
        bytes(observation.category), bytes(observation.method), bytes(observation.performer),
        bytes(observation.device) in _NOTHING,
    )  # fmt: skip
    if memo not in context.looked_up:
        context.looked_up[memo] = _worked_out(context, observation, tags)
    known: Origin | None = context.looked_up[memo]
    return known


_NOTHING = (b"", b"null")


def _worked_out(context: Context, observation: Observation, tags: tuple[bytes, bytes]) -> Origin | None:
    found: set[Origin] = set()
    for coding in observation.code.coding if observation.code is not None else ():
        found |= _of_label(context, (coding.system, coding.code, coding.display))
    for element in (bytes(observation.category), bytes(observation.method), *tags):
        found |= _of_element(context, element)
    if (setting := setting_of(context, observation)) is not None:
        found.add(setting)
    performers = _types_in(context, bytes(observation.performer))
    if not performers.isdisjoint(_PATIENT):
        found.add("home" if _is_measured(observation) else "patient")
    elif "Device" in performers or (bytes(observation.device) not in _NOTHING and not performers):
        found.add("device")
    elif not performers.isdisjoint(_CLINIC):
        found.add("clinic")
    return next((origin for origin in _CAREFUL if origin in found), None) if found else None


AWAY: frozenset[Origin] = frozenset({"home", "patient", "device"})
"""What no member of staff measured: it stays apart from what one did."""

_CAREFUL: tuple[Origin, ...] = ("patient", "home", "device", "clinic")


def _of_element(context: Context, sent: bytes) -> frozenset[Origin]:
    """What the labels in an element say. The same bytes come many times, so each is read once."""
    memo = ("origin", sent)
    known: frozenset[Origin] | None = context.looked_up.get(memo)
    if known is None:
        known = context.looked_up[memo] = _of_labels(context, _listed(_parsed(sent)))
    return known


def _tags(observation: Observation) -> tuple[bytes, bytes]:
    """meta.tag and meta.security as sent."""
    sent = bytes(observation.meta)
    if b'"tag"' not in sent and b'"security"' not in sent:
        return b"", b""
    try:
        meta = _META.decode(sent)
    except UNREADABLE:
        return b"", b""
    return bytes(meta.tag), bytes(meta.security)


def _of_labels(context: Context, elements: list[Any]) -> frozenset[Origin]:
    found: set[Origin] = set()
    for element in elements:
        for label in _labels_of(element) if isinstance(element, dict) else ():
            found |= _of_label(context, label)
    return frozenset(found)


def _types_in(context: Context, sent: bytes) -> frozenset[str]:
    memo = ("performers", sent)
    known: frozenset[str] | None = context.looked_up.get(memo)
    if known is None:
        known = context.looked_up[memo] = frozenset(_type_of(one) for one in _listed(_parsed(sent)))
    return known


def _parsed(sent: bytes) -> Any:
    try:
        return msgspec.json.decode(sent) if sent else None
    except UNREADABLE:
        return None


def _labels_of(element: dict[str, Any]) -> Iterator[_Label]:
    """Of a CodeableConcept or of a Coding."""
    for coding in (element, *_listed(element.get("coding"))):
        if isinstance(coding, dict):
            told = (coding.get("system"), coding.get("code"), coding.get("display") or coding.get("text"))
            system, code, text = (one if isinstance(one, str) else None for one in told)
            yield system, code, text


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _of_label(context: Context, label: _Label) -> frozenset[Origin]:
    """By its code, else by its text; looked up once a label."""
    memo = ("label", *label)
    known: frozenset[Origin] | None = context.looked_up.get(memo)
    if known is None:
        system, code, text = label
        care, systems = context.mappings.care, context.mappings.systems
        key = (systems.get(system or "", system or ""), code or "")
        found = care.origin_codes.get(key) or care.origin_texts.get(plain(text or ""))
        known = context.looked_up[memo] = frozenset((found,) if found is not None else ())
    return known


def _type_of(reference: Any) -> str:
    """The type of the resource that is referred to, as far as the reference tells."""
    if not isinstance(reference, dict):
        return ""
    named = reference.get("reference")
    if isinstance(named, str) and "/" in named:
        return named.partition("/_history/")[0].split("/")[-2]
    told = reference.get("type")
    return told if isinstance(told, str) else ""


def _is_measured(observation: Observation) -> bool:
    """A number, in the Observation or in a component."""
    return observation.value_quantity is not None or any(
        component.value_quantity is not None for component in observation.component
    )
