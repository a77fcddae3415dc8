"""The search parameters of the sandbox, type by type, as data; `parameters.py` says how a row reads.

R4 and R5 names stand side by side (http://hl7.org/fhir/R4/searchparameter-registry.html,
http://hl7.org/fhir/R5/searchparameter-registry.html): an element that a release does not have is never there.
"""

EVERY_TYPE = """
_id: token id
_lastUpdated: date meta.lastUpdated
_profile: uri meta.profile
_tag: token meta.tag
identifier: token identifier
"""

_PLANNED = """
status: token status
intent: token intent
category: token category
code: token code|code.concept
subject: reference subject
patient: reference subject @Patient
encounter: reference encounter
based-on: reference basedOn
instantiates-canonical: uri instantiatesCanonical
"""

_MEDICATION = """
status: token status
code: token medicationCodeableConcept|medication.concept
medication: reference medicationReference|medication.reference
subject: reference subject
patient: reference subject @Patient
"""

BY_TYPE = {
    "Patient": """
        active: token active
        family: string name.family
        given: string name.given
        name: string name
        birthdate: date birthDate
        deceased: token deceasedBoolean
        gender: token gender
        telecom: token telecom
        link: reference link.other
        general-practitioner: reference generalPractitioner
        organization: reference managingOrganization
    """,
    "Condition": """
        subject: reference subject
        patient: reference subject @Patient
        encounter: reference encounter
        code: token code
        category: token category
        clinical-status: token clinicalStatus
        verification-status: token verificationStatus
        onset-date: date onset[x]
        abatement-date: date abatement[x]
        recorded-date: date recordedDate
        asserter: reference asserter
    """,
    "Observation": """
        subject: reference subject
        patient: reference subject @Patient
        encounter: reference encounter
        code: token code
        combo-code: token code|component.code
        category: token category
        status: token status
        date: date effective[x]
        based-on: reference basedOn
        performer: reference performer
    """,
    "MedicationRequest": """
        subject: reference subject
        patient: reference subject @Patient
        encounter: reference encounter
        code: token medicationCodeableConcept|medication.concept
        medication: reference medicationReference|medication.reference
        category: token category
        status: token status
        intent: token intent
        priority: token priority
        requester: reference requester
        authoredon: date authoredOn
        date: date dosageInstruction.timing
    """,
    "AllergyIntolerance": """
        patient: reference patient @Patient
        code: token code|reaction.substance
        category: token category
        clinical-status: token clinicalStatus
        verification-status: token verificationStatus
        date: date recordedDate
        criticality: token criticality
        type: token type
        onset: date reaction.onset
    """,
    "Procedure": """
        subject: reference subject
        patient: reference subject @Patient
        encounter: reference encounter
        code: token code
        category: token category
        status: token status
        date: date performed[x]|occurrence[x]
        based-on: reference basedOn
        performer: reference performer.actor
    """,
    "FamilyMemberHistory": """
        patient: reference patient @Patient
        status: token status
        relationship: token relationship
        code: token condition.code
        date: date date
        sex: token sex
    """,
    "CarePlan": f"""
        {_PLANNED}
        date: date period
        goal: reference goal
        condition: reference addresses|addresses.reference
        care-team: reference careTeam
        replaces: reference replaces
        activity-reference: reference activity.reference|activity.plannedActivityReference
    """,
    "Goal": """
        subject: reference subject
        patient: reference subject @Patient
        lifecycle-status: token lifecycleStatus
        achievement-status: token achievementStatus
        category: token category
        description: token description
        addresses: reference addresses
        start-date: date startDate
        target-date: date target.dueDate
    """,
    "ServiceRequest": f"""
        {_PLANNED}
        priority: token priority
        authored: date authoredOn
        requester: reference requester
        replaces: reference replaces
        occurrence: date occurrence[x]
    """,
    "DetectedIssue": """
        subject: reference subject|patient
        patient: reference subject|patient @Patient
        status: token status
        code: token code
        category: token category
        identified: date identified[x]
        author: reference author
        implicated: reference implicated
    """,
    "Provenance": """
        target: reference target
        patient: reference target|patient @Patient
        agent: reference agent.who
        entity: reference entity.what
        recorded: date recorded
        activity: token activity
    """,
    "AuditEvent": """
        action: token action
        agent: reference agent.who
        code: token code
        date: date recorded
        entity: reference entity.what
        outcome: token outcome|outcome.code
        patient: reference agent.who|entity.what|patient @Patient
        subtype: token subtype
        type: token type
    """,
    "MedicationStatement": f"""
        {_MEDICATION}
        category: token category
        context: reference context
        encounter: reference encounter
        effective: date effective[x]
        part-of: reference partOf
        source: reference informationSource
    """,
    "MedicationDispense": f"""
        {_MEDICATION}
        context: reference context
        encounter: reference encounter
        type: token type
        prescription: reference authorizingPrescription
        destination: reference destination
        whenhandedover: date whenHandedOver
        whenprepared: date whenPrepared
    """,
    "MedicationAdministration": f"""
        {_MEDICATION}
        context: reference context
        encounter: reference encounter
        effective-time: date effective[x]
        date: date occurence[x]
        request: reference request
        device: reference device|device.reference
        reason-not-given: token statusReason
    """,
    "Medication": """
        code: token code
        status: token status
        form: token form|doseForm
        ingredient: reference ingredient.itemReference|ingredient.item.reference
        ingredient-code: token ingredient.itemCodeableConcept|ingredient.item.concept
        manufacturer: reference manufacturer
        lot-number: token batch.lotNumber
        expiration-date: date batch.expirationDate
    """,
    "Immunization": """
        patient: reference patient @Patient
        vaccine-code: token vaccineCode
        status: token status
        status-reason: token statusReason
        date: date occurrenceDateTime
        target-disease: token protocolApplied.targetDisease
        lot-number: string lotNumber
        location: reference location
        performer: reference performer.actor
    """,
    "DiagnosticReport": """
        subject: reference subject
        patient: reference subject @Patient
        encounter: reference encounter
        code: token code
        category: token category
        status: token status
        date: date effective[x]
        issued: date issued
        conclusion: token conclusionCode
        result: reference result
        performer: reference performer
        based-on: reference basedOn
        specimen: reference specimen
    """,
    "Encounter": """
        subject: reference subject
        patient: reference subject @Patient
        status: token status
        class: token class
        type: token type
        date: date period|actualPeriod
        reason-code: token reasonCode|reason.value.concept
        participant: reference participant.individual|participant.actor
        location: reference location.location
        service-provider: reference serviceProvider
        episode-of-care: reference episodeOfCare
        appointment: reference appointment
        part-of: reference partOf
    """,
    "CareTeam": """
        subject: reference subject
        patient: reference subject @Patient
        encounter: reference encounter
        category: token category
        status: token status
        date: date period
        participant: reference participant.member
    """,
    "Appointment": """
        actor: reference participant.actor
        patient: reference participant.actor|subject @Patient
        practitioner: reference participant.actor @Practitioner
        location: reference participant.actor @Location
        status: token status
        part-status: token participant.status
        date: date start
        appointment-type: token appointmentType
        service-type: token serviceType|serviceType.concept
        service-category: token serviceCategory
        specialty: token specialty
        reason-code: token reasonCode|reason.concept
        based-on: reference basedOn
        subject: reference subject
    """,
    "NutritionOrder": """
        subject: reference subject
        patient: reference patient|subject @Patient
        encounter: reference encounter
        status: token status
        datetime: date dateTime
        oraldiet: token oralDiet.type
        supplement: token supplement.type|supplement.type.concept
        formula: token enteralFormula.baseFormulaType|enteralFormula.baseFormulaType.concept
        provider: reference orderer
        instantiates-uri: uri instantiatesUri
    """,
    "QuestionnaireResponse": """
        subject: reference subject
        patient: reference subject @Patient
        encounter: reference encounter
        status: token status
        authored: date authored
        questionnaire: uri questionnaire
        author: reference author
        source: reference source
        based-on: reference basedOn
        part-of: reference partOf
    """,
    "Consent": """
        subject: reference subject
        patient: reference patient|subject @Patient
        status: token status
        scope: token scope
        category: token category
        date: date dateTime|date
        period: date provision.period
        purpose: token provision.purpose
        action: token provision.action
        organization: reference organization
        source-reference: reference sourceReference
    """,
    "Coverage": """
        beneficiary: reference beneficiary
        patient: reference beneficiary @Patient
        status: token status
        type: token type
        payor: reference payor
        insurer: reference insurer
        subscriber: reference subscriber
        policy-holder: reference policyHolder
        class-type: token class.type
        dependent: string dependent
    """,
    "DeviceUseStatement": """
        subject: reference subject
        patient: reference subject @Patient
        status: token status
        device: reference device
    """,
    "DeviceUsage": """
        patient: reference patient @Patient
        status: token status
        device: token device.concept
    """,
    "DeviceAssociation": """
        subject: reference subject
        patient: reference subject @Patient
        status: token status
        device: reference device
        operator: reference operation.operator
    """,
    "Device": """
        patient: reference patient @Patient
        type: token type
        status: token status
        device-name: string deviceName.name|name.value|type.text
        manufacturer: string manufacturer
        model: string modelNumber
        udi-di: string udiCarrier.deviceIdentifier
        location: reference location
        organization: reference owner
        url: uri url
    """,
}

_SUBJECT = """
    status: token status
    code: token code
    category: token category
    subject: reference subject|patient|beneficiary|for
    patient: reference subject|patient|beneficiary|for @Patient
    encounter: reference encounter
"""
_NAMED = """
    name: string name
    active: token active
"""
for _type in (
    "Claim", "Communication", "CommunicationRequest", "DeviceRequest", "DocumentReference", "EpisodeOfCare",
    "ExplanationOfBenefit", "Flag", "ImagingStudy", "RelatedPerson", "RiskAssessment", "Specimen", "Task",
):  # fmt: skip
    BY_TYPE[_type] = _SUBJECT
for _type in ("Group", "Location", "Organization", "Practitioner", "PractitionerRole", "Questionnaire"):
    BY_TYPE[_type] = _NAMED

ONLY_IN = {"DeviceUseStatement": "R4", "DeviceUsage": "R5", "DeviceAssociation": "R5"}
"""The types that one release alone has."""
