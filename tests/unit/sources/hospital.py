"""A server with the record of a patient, which answers a batch and searches, and is pulled from."""

import json
from urllib.parse import parse_qs, unquote

from careplan_exchange.sources.kinds import ASKED
from tests.support.sources import endpoint_source
from tests.unit.fhir.wire import BASE, Server, batch_response, client_of, fhir, outcome, searchset, statement

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"versionId": "3", "lastUpdated": "2026-01-01T00:00:00Z"},
}
R4 = ASKED - {"DeviceUsage", "DeviceAssociation"}
R5 = ASKED - {"Device", "DeviceUseStatement"}
WHOLE = R4 - {"Appointment"}
BY_PATIENT = {
    *("AllergyIntolerance", "FamilyMemberHistory", "DetectedIssue", "Immunization", "NutritionOrder", "Consent"),
    *("Device", "DeviceUsage"),
}


def about(kind, number=1, subject="Patient/p1", **elements):
    """A resource of any type that says whose it is, as FHIR says it of this type."""
    element = "patient" if kind in BY_PATIENT else "beneficiary" if kind == "Coverage" else "subject"
    named = {} if subject is None else {element: {"reference": subject}}
    if kind == "Appointment":
        actor = {} if subject is None else {"actor": {"reference": subject}}
        named = {"participant": [{"actor": {"reference": "Practitioner/1"}}, actor]}
    return {
        "resourceType": kind,
        "id": f"{kind[:2].lower()}{number}",
        "meta": {"versionId": "1"},
        **named,
        **elements,
    }


class Hospital:
    """A server with these resources, which answers one batch, or searches, by type. `includes`: it knows _include;
    `withholds` is the status it answers with for a type."""

    def __init__(
        self,
        *resources,
        types=R4 | {"Medication"},
        whole=("batch",),
        version="4.0.1",
        includes=False,
        withholds=None,
    ):
        self.resources = resources
        self.statement = statement(*types, whole=whole, version=version)
        self.includes = includes
        self.everything = True
        self.withholds = withholds or {}
        for kind in self.statement["rest"][0]["resource"] if includes else ():
            kind["searchInclude"] = [f"{kind['type']}:medication", f"{kind['type']}:device"]
        self.server = Server(self.answer)

    def answer(self, request):
        if request.url.path.endswith("/metadata"):
            return fhir(self.statement)
        if request.method == "POST":
            urls = [entry["request"]["url"] for entry in json.loads(request.content)["entry"]]
            return fhir(batch_response(*(self.entry(url) for url in urls)))
        return self.one(str(request.url).removeprefix(f"{BASE}/"))

    def entry(self, url):
        answer = self.one(url)
        ok = {"resource": json.loads(answer.content)} if answer.status_code == 200 else {}
        return {**ok, "response": {"status": str(answer.status_code)}}

    def one(self, url):
        kind, _, query = url.partition("?")
        if "/" in kind and "$everything" in unquote(kind):
            return fhir(searchset(*self.resources)) if self.everything else fhir(outcome(code="not-found"), 404)
        if kind in self.withholds:
            return fhir(outcome(), self.withholds[kind])
        asked = parse_qs(query)
        found = [each for each in self.resources if each["resourceType"] == kind]
        if "_id" in asked and kind != "Patient":
            found = [each for each in found if each["id"] in asked["_id"][0].split(",")]
        bundle = searchset(*found)
        if self.includes and "_include" in asked:
            kinds = {"Medication", "Device"} - {kind}
            bundle["entry"] += [
                {"resource": each, "search": {"mode": "include"}}
                for each in self.resources
                if each["resourceType"] in kinds and each["resourceType"] + "/" + each["id"] in json.dumps(found)
            ]
        return fhir(bundle)

    @property
    def searches(self):
        """The URL of each search, in order, also of those in a batch."""
        urls = []
        for request in self.server.requests:
            if request.method == "POST":
                urls += [entry["request"]["url"] for entry in json.loads(request.content)["entry"]]
            elif not request.url.path.endswith("/metadata"):
                urls.append(str(request.url).removeprefix(f"{BASE}/"))
        return [unquote(url) for url in urls]

    async def pull(self, patient_id="p1", **options):
        async with client_of(self.server, identity="ward-7") as client:
            return await endpoint_source(client, **options).pull(patient_id)
