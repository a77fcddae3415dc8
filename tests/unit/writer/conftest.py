import pytest

from careplan_exchange.fhir import Connection, connect
from careplan_exchange.store import MemoryPlanStore
from careplan_exchange.writer import FhirPlanWriter
from tests.support.weak_server import BASE, WeakServer
from tests.support.writing import CountedIds


@pytest.fixture
def server():
    return WeakServer()


@pytest.fixture
async def writer(server):
    ids = CountedIds()
    async with connect(Connection(base_url=BASE, attempts=1), ids=ids, transport=server.transport) as client:
        yield FhirPlanWriter(client, ids=ids, habits=MemoryPlanStore())
