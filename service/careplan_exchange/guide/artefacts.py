"""Everything that the guide publishes, and the transaction that loads it into a server."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from .capabilities import requirements
from .material import Material
from .structures import example, structure
from .terminology import concept_maps, concepts, fragments, value_sets

Resource = dict[str, Any]


class Artefacts(msgspec.Struct, frozen=True, kw_only=True):
    """`conformance` is in the order in which a server can take it. `fragments` are parts of code systems, for a
    server that does not have them. `examples` are instances, one a profile; nobody's data."""

    conformance: tuple[Resource, ...]
    fragments: tuple[Resource, ...]
    examples: tuple[Resource, ...]

    def files(self) -> Iterator[tuple[str, Resource]]:
        """Every resource by the name of its file, and the Bundle that loads all but the examples."""
        for folder, resources in (
            ("", self.conformance),
            ("fragments/", self.fragments),
            ("examples/", self.examples),
        ):
            for resource in resources:
                yield f"{folder}{resource['resourceType']}-{resource['id']}.json", resource
        yield "load.json", transaction((*self.fragments, *self.conformance))


def artefacts(material: Material) -> Artefacts:
    return Artefacts(
        conformance=(
            concepts(material),
            *value_sets(material),
            *concept_maps(material),
            *(structure(material, concept) for concept in material.concepts),
            requirements(material),
        ),
        fragments=tuple(fragments(material)),
        examples=tuple(example(material, concept) for concept in material.concepts),
    )


def transaction(resources: Sequence[Resource]) -> Resource:
    """One Bundle that puts each under its own id: the same again changes nothing."""
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "resource": resource,
                "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"},
            }
            for resource in resources
        ],
    }
