"""What is asked for about a patient: one row a resource type. A vendor that needs other parameters gets rows of
its own, not code."""

from typing import NamedTuple

from careplan_exchange.fhir import Query

PAGE_SIZE = "1000"
"""Larger than most records: what a page holds needs no second request."""


class Category(NamedTuple):
    """A resource type and the search parameter that names the patient. Without a `needed` one nothing is planned;
    another that the server does not have becomes an Issue."""

    type: str
    parameter: str
    needed: bool


CATEGORIES = (
    Category("Patient", "_id", needed=True),
    Category("Condition", "patient", needed=True),
    Category("Observation", "patient", needed=True),
    Category("MedicationRequest", "patient", needed=True),
    Category("AllergyIntolerance", "patient", needed=True),
    Category("Procedure", "patient", needed=False),
    Category("FamilyMemberHistory", "patient", needed=False),
    Category("CarePlan", "patient", needed=False),
    Category("Goal", "patient", needed=False),
    # What we may have authored before; where source and target are one server it needs no second read.
    Category("ServiceRequest", "patient", needed=False),
    Category("DetectedIssue", "patient", needed=False),
)
"""The search parameters are those of R4 and R5 alike (http://hl7.org/fhir/R4/searchparameter-registry.html)."""

TYPES = frozenset(category.type for category in CATEGORIES)


def query_for(category: Category, patient_id: str) -> Query:
    """`Patient/<id>` and not the bare id: every server takes it, and some nothing else."""
    value = patient_id if category.type == "Patient" else f"Patient/{patient_id}"
    return Query(category.type, ((category.parameter, value), ("_count", PAGE_SIZE)))
