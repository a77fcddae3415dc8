"""The shared patients in the shapes of R5 come to the same facts as in those of R4."""

import msgspec
import pytest

from careplan_exchange.mapping import map_record
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.record import Resource
from tests.support.r5 import resource_in_r5
from tests.unit.mapping.test_fixtures import BUNDLES, TODAY, read


def in_r5(resource: Resource) -> Resource:
    return msgspec.structs.replace(resource, content=encode(resource_in_r5(decode(resource.content))))


@pytest.mark.parametrize("path", BUNDLES[::6], ids=lambda path: path.stem.rpartition("_")[2][:8])
def test_both_releases_come_to_the_same_facts(path, mappings, vocabulary):
    r4 = read(path, alive=True)
    r5 = msgspec.structs.replace(r4, release="R5", resources=tuple(in_r5(one) for one in r4.resources))
    first, second = (map_record(record, mappings, vocabulary, today=TODAY) for record in (r4, r5))
    assert first.facts == second.facts
    assert {issue.key for issue in first.issues} == {issue.key for issue in second.issues}
    assert {"visit", "immunization"} <= {fact.kind for fact in first.facts}
