"""The probe for servers that ignore `If-Match`: what it finds, and that it leaves nothing behind."""

import pytest

from careplan_exchange.cli.probing import as_check
from careplan_exchange.fhir import Connection, connect
from careplan_exchange.writer import Probed, probe
from tests.support.exchanges import CountingIds
from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, careplan
from tests.support.weakened import weakened_sandbox


async def probed(url: str) -> Probed:
    ids = CountingIds()
    async with connect(Connection(base_url=url, attempts=1), ids=ids) as client:
        return await probe(client, ids)


@pytest.mark.parametrize("transactions", [True, False])
@pytest.mark.parametrize("if_match", [True, False])
async def test_it_tells_whether_a_stale_version_is_refused_directly_and_in_a_transaction(if_match, transactions):
    with weakened_sandbox() as (url, layer):
        layer.if_match, layer.transactions = if_match, transactions
        found = await probed(url)
        assert (found.direct, found.transaction) == (if_match, if_match if transactions else None)
        assert found.ignores_if_match is not if_match
        assert found.left is None
        assert Server(url).search("Goal") == []


async def test_what_it_could_not_delete_is_named_for_a_person():
    with weakened_sandbox() as (url, layer):
        layer.deletes = False
        found = await probed(url)
        (goal,) = Server(url).search("Goal")
        assert found.left == f"Goal/{goal['id']}"
        assert goal["lifecycleStatus"] == "entered-in-error"
        assert "patient" not in str(goal).lower()
        assert f"delete {found.left}" in as_check("x", found).mend


async def test_what_it_found_is_known_to_the_first_update_of_every_later_process(tmp_path):
    """In the end the update is preceded by a look of its own, and the receipt says so."""
    with weakened_sandbox() as (url, layer):
        layer.if_match = False
        settings = f'[store]\nurl = "sqlite:///{tmp_path}/careplan.db"\n[endpoints.main]\nurl = "{url}"\nidentity = "x"\n'
        (tmp_path / "careplan.toml").write_text(settings)
        server = Server(url)
        patient = server.load(synthetic("02-older-adult-si-units"))
        sync = ("sync", "-e", "main", "-p", patient, "--today", SYNTHETIC_TODAY, "--json")
        assert careplan(tmp_path, *sync).returncode == 0
        told = careplan(tmp_path, "doctor", "--probe")
        assert "an update ignores it" in told.stdout
        worse = server.search(f"Condition?patient={patient}")[0]
        worse["clinicalStatus"]["coding"][0]["code"] = "resolved"
        assert server.put(worse).status_code == 200
        (before,) = server.authored("CarePlan", patient)
        receipt = careplan(tmp_path, *sync)
        (after,) = server.authored("CarePlan", patient)
        assert after["meta"]["versionId"] != before["meta"]["versionId"]
        assert "The server ignores If-Match" in receipt.stdout


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("hapi_r4", marks=pytest.mark.hapi),
        pytest.param("hapi_r5", marks=pytest.mark.hapi),
        pytest.param("medplum", marks=pytest.mark.medplum),
    ],
)
async def test_the_servers_at_hand_check_versions(name, request):
    found = await probed(request.getfixturevalue(name).url)
    assert (found.tried_on, found.ignores_if_match, found.left) == ("Basic", False, None)


def test_a_server_that_ignores_it_is_told_with_what_follows():
    check = as_check("x", Probed(tried_on="Basic", direct=True, transaction=False))
    assert check.found == "an update refuses a stale version, in a transaction ignores it"
    assert "put back" in check.mend


def test_a_server_that_takes_nothing_to_try_it_on_is_said_not_to_be_probed():
    assert "not probed" in as_check("x", Probed()).found
