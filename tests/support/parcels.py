"""Parcels of requests, as the trail of an exchange makes them."""

import uuid
from typing import Any

from careplan_exchange.model.requested import Act, Parcel, Requested

SERVER = "https://hospital.example.org/fhir"
READ = Act(interaction="read", type="Goal", reference="Goal/7/_history/3")
SEARCH = Act(interaction="search-type", type="Observation", query="Observation?patient=p1&_count=100")
ACTS = (
    READ,
    SEARCH,
    Act(interaction="create", type="Goal", reference="Goal/8/_history/1"),
    Act(interaction="update", type="CarePlan", reference="CarePlan/1/_history/4", replaced="3"),
    Act(interaction="delete", type="Goal", reference="Goal/8"),
    Act(interaction="history-instance", type="CarePlan", reference="CarePlan/1"),
    Act(interaction="operation", type="Patient", query="Patient/p1/$everything"),
)
"""One of each kind."""


def a_request(*acts: Act, **fields: Any) -> Requested:
    values = {
        "request_id": "r1",
        "server": SERVER,
        "method": "GET",
        "at": "2026-03-04T05:06:07.000Z",
        "status": 200,
    }
    return Requested(**{**values, **fields}, acts=acts or (READ,))


def a_parcel(number: int = 1, *requests: Requested, **fields: Any) -> Parcel:
    values = {"exchange": "x1", "subject": "Patient/p1", "version": "0.1.0", "installation": "i1"}
    return Parcel(**{**values, **fields}, id=str(uuid.UUID(int=number)), requests=requests or (a_request(),))
