"""Versions are kept, all or nothing."""

import pytest

from careplan_exchange.errors import StoreUnavailableError, StoreVersionError
from careplan_exchange.sandbox.store import Condition, Store, Version


def version(number, *, resource_id="a", body=b"{}"):
    return Version(0, "Patient", resource_id, number, "2026-01-01T00:00:00.000Z", "PUT", body)


@pytest.fixture(params=["memory", "file"])
def path(request, tmp_path):
    return None if request.param == "memory" else tmp_path / "sandbox.db"


@pytest.fixture
def store(path):
    opened = Store(path, "R4")
    yield opened
    opened.close()


def put(store, number, *, terms=None, links=(), **more):
    with store.writing():
        store.put(version(number, **more), terms or {}, links)


def test_every_version_is_kept_and_the_newest_is_current(store):
    put(store, 1, body=b'{"n":1}')
    put(store, 2, body=b'{"n":2}')
    assert store.current("Patient", "a").body == b'{"n":2}'
    assert store.version("Patient", "a", 1).body == b'{"n":1}'
    assert [one.number for one in store.history("Patient", "a")] == [2, 1]
    assert store.current("Patient", "b") is None


def test_a_block_that_fails_leaves_nothing_of_itself(store):
    put(store, 1, terms={"identifier": {"x"}})

    def fails():
        with store.writing():
            store.put(version(2), {"identifier": {"y"}}, ())
            with store.writing():
                store.put(version(1, resource_id="b"), {}, ())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert store.current("Patient", "a").number == 1
    assert store.current("Patient", "b") is None
    assert store.find("Patient", [Condition("identifier", ("x",))]) != []
    assert store.find("Patient", [Condition("identifier", ("y",))]) == []


def test_a_resource_is_found_under_the_values_of_its_newest_version_only(store):
    put(store, 1, terms={"identifier": {"old"}})
    put(store, 2, terms={"identifier": {"new"}})
    assert store.find("Patient", [Condition("identifier", ("old",))]) == []
    assert len(store.find("Patient", [Condition("identifier", ("new", "other"))])) == 1
    assert store.find("Patient", [Condition("identifier", ("new",)), Condition("gender", ("male",))]) == []


def test_what_was_deleted_is_not_found(store):
    put(store, 1)
    put(store, 2, body=None)
    assert store.find("Patient", ()) == []
    assert store.current("Patient", "a").body is None


def test_referrers_are_those_of_now_and_never_the_resource_itself(store):
    put(store, 1, links={"Patient/a", "Patient/b"})
    assert store.referrers("Patient/a") == []
    assert store.referrers("Patient/b") == ["Patient/a"]
    put(store, 2)
    assert store.referrers("Patient/b") == []


def test_before_the_last_write_means_before_the_whole_of_it(store):
    put(store, 1)
    with store.writing():
        store.put(version(2), {}, ())
        store.put(version(1, resource_id="b"), {}, ())
    before = store.versions([hit.seq for hit in store.before_last_write("Patient")])
    assert [(one.id, one.number) for one in before] == [("a", 1)]
    with store.writing():
        pass  # writes nothing, so it is no last write
    before = store.versions([hit.seq for hit in store.before_last_write("Patient")])
    assert [(one.id, one.number) for one in before] == [("a", 1)]


def test_a_file_keeps_what_was_written(tmp_path):
    file = tmp_path / "sandbox.db"
    first = Store(file, "R4")
    put(first, 1)
    first.close()
    second = Store(file, "R4")
    assert second.current("Patient", "a").number == 1
    second.close()


def test_a_file_of_the_other_release_is_refused(tmp_path):
    file = tmp_path / "sandbox.db"
    Store(file, "R4").close()
    with pytest.raises(StoreVersionError, match="R4"):
        Store(file, "R5")


def test_a_file_of_another_schema_is_refused(tmp_path):
    file = tmp_path / "sandbox.db"
    opened = Store(file, "R4")
    opened._db.execute("PRAGMA user_version = 99")
    opened.close()
    with pytest.raises(StoreVersionError, match="99"):
        Store(file, "R4")


def test_a_file_that_is_no_database_is_refused_with_what_to_do(tmp_path):
    file = tmp_path / "sandbox.db"
    file.write_text("this is a letter, and no database at all\n" * 40)
    with pytest.raises(StoreUnavailableError) as caught:
        Store(file, "R4")
    assert "--database" in caught.value.mend
