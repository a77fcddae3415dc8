"""The guide of our own folders, and one with a concept of every kind."""

import msgspec

from careplan_exchange import config, curation, guide
from careplan_exchange.guide.material import Reasons
from careplan_exchange.guide.shapes import APPOINTMENT_STATUS, SHAPES
from careplan_exchange.model.vocabulary import Concept, ValueSet

LOINC = "http://loinc.org"


def our_material() -> guide.Material:
    return curation.describe_knowledge(config.Settings())


def with_every_kind(material: guide.Material) -> guide.Material:
    """The material with one more concept a kind and shape: `every_<kind>_<number>`; and one that no code means."""
    shapes = [(kind, number, shape) for kind, shapes in SHAPES.items() for number, shape in enumerate(shapes)]
    concepts = [
        _concept(f"every_{kind.replace('-', '_')}_{number}", kind, _value_set(_system(shape.systems)).url)
        for kind, number, shape in shapes
    ]
    concepts.append(_concept("every_uncoded", "measurement", None))
    sets = [_value_set(system) for system in {_system(shape.systems) for _, _, shape in shapes}]
    vocabulary = msgspec.structs.replace(
        material.vocabulary,
        concepts={**material.vocabulary.concepts, **{concept.id: concept for concept in concepts}},
        value_sets={**material.vocabulary.value_sets, **{found.url: found for found in sets}},
    )
    return msgspec.structs.replace(
        material,
        vocabulary=vocabulary,
        value_sets={**material.value_sets, **{found.url: _file(found) for found in sets}},
        reasons={**material.reasons, **{c.id: Reasons("Bounds.", "Age.", "Silence.") for c in concepts}},
    )


def _concept(id_, kind, value_set):
    measured = {"unit": "kg", "plausible": (1, 9), "max_age_days": 9} if kind == "measurement" else {}
    return Concept(id=id_, kind=kind, title=id_, value_set=value_set, when_absent="unknown", **measured)


def _system(systems):
    return next(iter(systems), LOINC)


def _value_set(system):
    code = "booked" if system == APPOINTMENT_STATUS else "4548-4"
    name = "every-status" if system == APPOINTMENT_STATUS else "every-code"
    url = f"urn:careplan-exchange:ValueSet:{name}"
    return ValueSet(url=url, title=name, codes=frozenset({(system, code)}), source="A test.")


def _file(value_set):
    ((system, code),) = value_set.codes
    return {
        "resourceType": "ValueSet",
        "url": value_set.url,
        "version": "1.0.0",
        "name": value_set.title.title().replace("-", ""),
        "title": value_set.title,
        "status": "active",
        "date": "2026-01-01",
        "compose": {"include": [{"system": system, "concept": [{"code": code}]}]},
    }
