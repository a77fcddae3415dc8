"""The resource types of a patient's record, and the search parameters of each, as FHIR R4 and R5 define them.

http://hl7.org/fhir/R4/searchparameter-registry.html, http://hl7.org/fhir/R5/searchparameter-registry.html: names
of both releases stand side by side. A query plan asks for these types by these parameters; its linter knows no
others.
"""

_PARAMETERS = {
    "Patient": "active birthdate deceased family gender given identifier link name organization",
    "Condition": "abatement-date asserter category clinical-status code encounter identifier onset-date patient "
    "recorded-date subject verification-status",
    "Observation": "based-on category code combo-code date encounter identifier patient performer status subject",
    "MedicationRequest": "authoredon category code date encounter identifier intent medication patient "
    "status subject",
    "MedicationStatement": "category code effective encounter identifier medication patient source status "
    "subject",
    "MedicationDispense": "code context encounter identifier medication patient status subject whenhandedover "
    "whenprepared",
    "MedicationAdministration": "code context date effective-time encounter identifier medication patient status "
    "subject",
    "AllergyIntolerance": "category clinical-status code criticality date identifier onset patient type "
    "verification-status",
    "Procedure": "based-on category code date encounter identifier patient performer status subject",
    "Immunization": "date identifier patient performer status target-disease vaccine-code",
    "FamilyMemberHistory": "code date identifier patient relationship sex status",
    "DiagnosticReport": "based-on category code conclusion date encounter identifier issued patient status "
    "subject",
    "Encounter": "class date identifier patient status subject type",
    "CarePlan": "category condition date encounter goal identifier instantiates-canonical intent patient "
    "status subject",
    "Goal": "achievement-status category identifier lifecycle-status patient start-date subject target-date",
    "CareTeam": "category date encounter identifier participant patient status subject",
    "ServiceRequest": "authored based-on category code encounter identifier intent occurrence patient status "
    "subject",
    "DetectedIssue": "category code identified identifier patient status subject",
    "Appointment": "actor appointment-type date identifier part-status patient service-type status subject",
    "NutritionOrder": "datetime encounter identifier oraldiet patient status subject",
    "QuestionnaireResponse": "authored encounter identifier patient questionnaire source status subject",
    "Consent": "action category date identifier patient period scope status subject",
    "Coverage": "beneficiary identifier patient payor insurer policy-holder status subscriber type",
    "Device": "identifier location organization patient status type",
    "DeviceUseStatement": "device identifier patient subject",
    "DeviceUsage": "device identifier patient status",
    "DeviceAssociation": "device identifier patient status subject",
    "Medication": "code form identifier ingredient ingredient-code status",
}

_EVERY_TYPE = frozenset({"_id", "_lastUpdated"})

TYPES = frozenset(_PARAMETERS)
"""What a record may hold."""

ASKED = TYPES - {"Medication"}
"""What is asked for by patient. A Medication is about nobody: it is read where another resource refers to it."""

NEEDED = frozenset({"Patient", "Condition", "Observation", "MedicationRequest", "AllergyIntolerance"})
"""Without one of these nothing is planned; another that a server does not have becomes an Issue."""

REFERRED = frozenset({"Medication", "Device"})
"""Types whose resources are about nobody where what refers to them says whose they are."""

_PLACES = {name: place for place, name in enumerate(_PARAMETERS)}


def place(resource_type: str) -> int:
    """Where a type stands in a record: the same record is the same value, in whichever order it came."""
    return _PLACES[resource_type]


def parameters(resource_type: str) -> frozenset[str]:
    """The search parameters that a plan may use for this type."""
    return frozenset(_PARAMETERS[resource_type].split()) | _EVERY_TYPE
