"""Which FHIR version a server speaks: by its word, by `$versions`, by our setting, in this order."""

import pytest

from careplan_exchange.errors import EndpointOverloadedError, NotFhirError, UnsupportedServerError
from careplan_exchange.fhir.versions import read_versions

from .wire import Server, client_of, fhir, goal, outcome, statement


def versions(*listed, default):
    said = [{"name": "version", "valueCode": version} for version in listed]
    return {"resourceType": "Parameters", "parameter": [*said, {"name": "default", "valueCode": default}]}


def silent():
    return {"resourceType": "CapabilityStatement", "status": "active"}


def speaking(metadata, operation=None):
    """A server whose /metadata and $versions these are; `metadata` may depend on the version that is asked for."""

    def handler(request):
        if request.url.path.endswith("/$versions"):
            return fhir(operation) if operation is not None else fhir(outcome(), 404)
        if request.url.path.endswith("/metadata"):
            return fhir(metadata(request.headers["accept"]) if callable(metadata) else metadata)
        return fhir(goal())

    return Server(handler)


async def discovered(server, **settings):
    async with client_of(server, **settings) as client:
        found = await client.capabilities()
        await client.read("Goal", "g1")
    return found, server.requests[-1].headers["accept"]


async def test_the_version_of_the_statement_needs_no_second_question():
    server = speaking(statement("Goal"))
    found, accept = await discovered(server)
    assert (found.release, found.fhir_version, accept) == ("R4", "4.0.1", "application/fhir+json")
    assert server.paths[0] == "/metadata"
    assert len(server.paths) == 2


@pytest.mark.parametrize("name", ["valueCode", "valueString"])
async def test_where_the_statement_has_none_the_operation_versions_says_it(name):
    operation = {"resourceType": "Parameters", "parameter": [{"name": "default", name: "5.0"}]}
    server = speaking(silent(), operation)
    found, accept = await discovered(server)
    assert (found.release, found.fhir_version, accept) == ("R5", "5.0", "application/fhir+json")
    assert server.paths[:2] == ["/metadata", "/$versions"]


async def test_where_neither_says_it_the_setting_counts():
    found, accept = await discovered(speaking(silent()), fhir_version="4.3")
    assert (found.release, found.fhir_version, accept) == ("R4B", "4.3", "application/fhir+json")


async def test_where_nothing_says_it_the_setting_to_make_is_named():
    with pytest.raises(UnsupportedServerError, match="does not say which FHIR version") as caught:
        await discovered(speaking(silent()))
    assert "fhir_version" in caught.value.mend


async def test_a_server_that_begins_with_a_version_of_others_and_has_one_of_ours_is_asked_for_it():
    def metadata(accept):
        return statement("Goal", version="4.0.1" if accept.endswith("fhirVersion=4.0") else "3.0.2")

    found, accept = await discovered(speaking(metadata, versions("3.0", "4.0", "5.0", default="3.0")))
    assert (found.release, accept) == ("R4", "application/fhir+json; fhirVersion=4.0")


async def test_the_setting_chooses_among_the_versions_under_one_url():
    def metadata(accept):
        return statement("Goal", version="5.0.0" if accept.endswith("fhirVersion=5.0") else "4.0.1")

    server = speaking(metadata)
    async with client_of(server, fhir_version="5.0") as client:
        assert (await client.capabilities()).release == "R5"
        await client.update("Goal", "g1", goal(), version_id="1", request_id="x")
    assert server.requests[-1].headers["content-type"] == "application/fhir+json; fhirVersion=5.0"


async def test_a_setting_that_the_server_contradicts_is_named():
    server = speaking(statement("Goal"))
    async with client_of(server, fhir_version="5.0") as client:
        with pytest.raises(
            UnsupportedServerError, match=r"fhir_version of the endpoint is 5\.0.*4\.0\.1"
        ) as caught:
            await client.capabilities()
    assert "fhir_version" in caught.value.mend


@pytest.mark.parametrize("operation", [None, versions("3.0", default="3.0"), {"resourceType": "Bundle"}])
async def test_stu3_is_refused_where_nothing_else_is_spoken(operation):
    with pytest.raises(UnsupportedServerError, match="STU3"):
        await discovered(speaking(statement("Goal", version="3.0.2"), operation))


async def test_a_server_that_is_away_when_it_is_asked_for_its_versions_is_not_called_unsupported():
    server = Server(lambda request: fhir(status=503) if "versions" in str(request.url) else fhir(silent()))
    with pytest.raises(EndpointOverloadedError):
        await discovered(server, attempts=1)


async def test_a_sign_in_page_in_place_of_the_statement_is_not_fhir():
    with pytest.raises(NotFhirError, match="metadata"):
        await discovered(Server(fhir(b"<html>Sign in</html>")))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"resourceType":"Parameters"}', b"[" * 5000])
def test_what_is_no_answer_to_versions_says_nothing(body):
    assert read_versions(body) is None
