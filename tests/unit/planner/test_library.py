"""What a canonical points at: the version that it names, or the newest there is."""

import pytest

from careplan_exchange import knowledge
from careplan_exchange.model.codec import encode
from careplan_exchange.planner.library import Entry, Library


def entry(**content):
    document = knowledge.parse("x.json", encode(content))
    return Entry(resource=document.content, document=document)


def version_found(canonical, *versions):
    named = [{} if version is None else {"version": version} for version in versions]
    documents = [entry(url="urn:x", **version).document for version in named]
    found = Library(documents).find(canonical, entry())
    return found and found.resource["version"]


@pytest.mark.parametrize(
    ("versions", "newest"),
    [
        (["1.10.0", "1.9.0"], "1.10.0"),
        (["1.9.0", "1.10.0"], "1.10.0"),
        (["1.0.0-rc", "1.0.0"], "1.0.0"),
        (["1.0.0", "1.0.0-rc"], "1.0.0"),
        (["1.a", "1.b", "1.²"], "1.²"),
        (["", "0"], "0"),
        (["2", "2.1"], "2.1"),
        ([None, "A"], "A"),
    ],
)
def test_the_newest_version_is_found_by_its_numbers_and_text_comes_before_them(versions, newest):
    assert version_found("urn:x", *versions) == newest


def test_a_version_that_is_named_is_found_and_no_other():
    assert version_found("urn:x|1", "1", "2") == "1"
    assert version_found("urn:x|3", "1", "2") is None
    assert version_found("urn:y", "1", "2") is None


def test_a_definition_inside_is_found_in_the_file_that_holds_it():
    outer = entry(contained=[{}, {"id": "a"}, {"id": "b"}])
    found = Library([]).find("#b", outer)
    assert (found.resource, found.document) == ({"id": "b"}, outer.document)
    assert Library([]).find("#c", outer) is None
    assert Library([]).find("#b", entry()) is None


def test_a_file_that_is_no_object_holds_no_definition():
    assert Library([knowledge.parse("list.yaml", b"[a, list]")]).find("urn:x", entry()) is None


def test_a_version_in_force_comes_before_a_newer_draft():
    versions = [("1", "active"), ("3", "draft"), ("2", "retired")]
    documents = [entry(url="urn:x", version=version, status=status).document for version, status in versions]
    assert Library(documents).find("urn:x", entry()).resource["version"] == "1"
    assert Library(documents).find("urn:x|3", entry()).resource["version"] == "3"
    assert Library(documents[1:]).find("urn:x", entry()).resource["version"] == "3"


def test_the_versions_there_are_of_a_url_are_told_where_one_is_named():
    library = Library([entry(url="urn:x", version=version).document for version in ("2", "1")])
    assert library.versions("urn:x|3") == ("urn:x|1", "urn:x|2")
    assert library.versions("urn:x") == library.versions("urn:y|1") == ()
