"""The endpoint as a source, with the query plans that come with the product."""

from datetime import date
from functools import cache
from typing import Any

from careplan_exchange.fhir import FhirClient
from careplan_exchange.knowledge import documents
from careplan_exchange.sources import EndpointSource, Plans, load_plans

TODAY = date(2026, 3, 1)


@cache
def plans() -> Plans:
    return load_plans(documents("mappings/vendors"))


def endpoint_source(client: FhirClient, **options: Any) -> EndpointSource:
    """`options` are those of EndpointSource."""
    return EndpointSource(client, plans(), **{"today": TODAY, **options})
