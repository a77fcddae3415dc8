"""What is clinical is sealed where there is a key, over every database, and the key can be changed while others work."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from careplan_exchange.errors import ConfigurationError
from careplan_exchange.model.deadletter import DeadLetter
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import ReviewStep
from careplan_exchange.store import Keys, key_id, key_of, new_key, open_store, reseal
from careplan_exchange.store import postgres as postgres_adapter
from careplan_exchange.store import sqlite as sqlite_adapter
from careplan_exchange.store.address import FileAddress, address_of
from careplan_exchange.store.tables import SEALED, metadata
from tests.support.stored import AT, PATIENT, REQUEST, TARGET, a_base, a_change_set, a_pending, an_intent

MARKER = "Zyxwv-Marker"
OLD, NEW, OTHER = (Keys(key_of(new_key(), "key")) for _ in range(3))
BOTH = Keys(NEW.current, (OLD.current,))


def marked_base(identity: str = "goal-1"):
    return msgspec.structs.replace(a_base(identity), stored={"resourceType": "Goal", "description": MARKER})


def a_letter(letter_id: str = "l1") -> DeadLetter:
    return DeadLetter(
        id=letter_id, request=REQUEST, target=TARGET, patient=PATIENT, error="refused", detail=MARKER,
        mend="m", intent=an_intent("i"), created_at=AT,
    )  # fmt: skip


async def fill(store, count: int = 1) -> None:
    """Something in every column that holds documents, with a text that must not be found."""
    plans = store.plans
    for number in range(count):
        await plans.save_bases(TARGET, PATIENT, [marked_base(f"goal-{number}")])
        await plans.open_intent(an_intent(f"i{number}"))
        await plans.commit_intent(an_intent(f"i{number}"), [], [], AT)
    await plans.put_pending(a_pending("p1", a_change_set(MARKER)))
    await plans.add_step("p1", ReviewStep(kind="assign", by="dr-1", at=AT, reason=MARKER))
    await plans.add_step("p1", ReviewStep(kind="approve", by="dr-2", at=AT))
    await plans.put_letter(a_letter())
    await plans.accept_exchange("x1", msgspec.structs.replace(REQUEST, patient=f"urn:mrn|{MARKER}"), AT, "key")
    await plans.update_exchange(
        "x1", "done", AT, Receipt(outcome="failed", resources=(), issues=(), exchange="x1")
    )
    await store.ledger.append([Entry(exchange="x1", event="e", at=AT)])


async def everything(store) -> list:
    plans = store.plans
    return [
        await plans.bases(TARGET, PATIENT),
        await plans.commits(),
        await plans.pendings(None),
        await plans.letters(None),
        await plans.exchange("x1"),
    ]


def opened(place, keys: Keys | None = None):
    return open_store(place.url, password=place.password, keys=keys)


async def run(place, *statements):
    """Statements on the database itself, past the store; the rows of the last one."""
    address = address_of(place.url, password=place.password)
    adapter = sqlite_adapter if isinstance(address, FileAddress) else postgres_adapter

    def work(connection):
        result = None
        for statement in statements:
            result = connection.execute(statement)
        return result.all() if result.returns_rows else None

    async with adapter.opened(address, 10) as database:
        return await database.write(work)


async def documents(place) -> list[str]:
    return [
        text
        for each in SEALED
        for row in await run(place, sa.select(*(each.table.c[name] for name in each.documents)))
        for text in row
        if text is not None
    ]


def bytes_of(place) -> bytes:
    path = Path(place.url.removeprefix("sqlite:///"))
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*") if file.is_file())


def test_every_column_that_is_not_searched_for_is_sealed():
    """A new column of documents is either sealed or one of those that stand here, each for a reason."""
    plain = {
        "careplan_ledger.entry",  # nothing clinical; read by others, with the chain
        "careplan_ledger_seal.document",  # signatures
    }
    named = {f"{each.table.name}.{name}" for each in SEALED for name in each.documents}
    texts = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if column.name in {"document", "written", "request", "receipt", "entry"}
    }
    assert texts == named | plain


async def test_a_new_database_with_a_key_holds_no_document_in_the_clear(place):
    async with opened(place, NEW) as store:
        assert store.sealed_with == key_id(NEW.current)
        await fill(store)
        found = await everything(store)
        assert MARKER in str(found)
    texts = await documents(place)
    assert len(texts) >= 8
    assert all(text.startswith(f"sealed:1:{key_id(NEW.current)}:") for text in texts)
    async with opened(place, NEW) as store:
        assert await everything(store) == found


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_no_byte_of_the_file_or_its_journal_shows_what_is_sealed(place):
    async with opened(place, NEW) as store:
        await fill(store)
        assert MARKER.encode() not in bytes_of(place)
        assert b"7.20" not in bytes_of(place)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_after_sealing_a_database_that_was_in_the_clear_no_byte_is_left_of_it(place):
    async with opened(place) as store:
        await fill(store, 20)
        before = await everything(store)
    assert MARKER.encode() in bytes_of(place)
    await reseal(place.url, keys=NEW)
    assert MARKER.encode() not in bytes_of(place)
    async with opened(place, NEW) as store:
        assert await everything(store) == before


async def test_a_database_in_the_clear_is_sealed_whole_by_rekey(place):
    async with opened(place) as store:
        await fill(store)
        before = await everything(store)
    async with opened(place, NEW) as store:
        assert store.sealed_with is None, "nothing is said to be sealed before all of it is"
        assert await everything(store) == before
    told = []
    done = await reseal(
        place.url, password=place.password, keys=NEW, progress=lambda done, total: told.append((done, total))
    )
    assert (done.documents, done.key) == (7, key_id(NEW.current))
    assert told[-1] == (7, 7)
    assert all(text.startswith("sealed:1:") for text in await documents(place))
    async with opened(place, NEW) as store:
        assert store.sealed_with == key_id(NEW.current)
        assert await everything(store) == before
        assert (await store.ledger.verify()).problem is None
    again = await reseal(place.url, password=place.password, keys=NEW)
    assert again.documents == 0


async def test_of_two_keys_for_a_database_that_is_just_made_one_is_taken(place):
    async def open_with(keys: Keys) -> str:
        try:
            async with opened(place, keys) as store:
                await store.plans.put_letter(a_letter())
                return str(store.sealed_with)
        except ConfigurationError:
            return "refused"

    done = await asyncio.gather(*(open_with(keys) for keys in (NEW, OTHER)))
    assert done.count("refused") == 1
    assert set(done) & {key_id(NEW.current), key_id(OTHER.current)}


@pytest.mark.parametrize("keys", [None, OTHER], ids=["no key", "another key"])
async def test_without_its_key_a_sealed_database_is_not_opened_and_nothing_is_lost(place, keys):
    async with opened(place, NEW) as store:
        await fill(store)
        before = await everything(store)
    with pytest.raises(ConfigurationError) as raised:
        async with opened(place, keys):
            pytest.fail("it cannot be opened")
    assert key_id(NEW.current) in raised.value.detail
    assert "store.key_file" in raised.value.mend
    async with opened(place, NEW) as store:
        assert await everything(store) == before


async def test_a_key_is_rotated_while_others_read_and_write(place):
    async with opened(place, OLD) as store:
        await fill(store, 150)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(place, BOTH))
        going_on = True

        async def work() -> int:
            rounds = 0
            while going_on:
                await store.plans.save_bases(TARGET, PATIENT, [marked_base(f"new-{rounds}")])
                assert len(await store.plans.bases(TARGET, PATIENT)) == 151 + rounds
                rounds += 1
            return rounds

        worker = asyncio.create_task(work())
        done = await reseal(place.url, password=place.password, keys=BOTH)
        going_on = False
        rounds = await worker
        assert done.documents >= 300
    async with opened(place, NEW) as store:
        assert len(await store.plans.bases(TARGET, PATIENT)) == 150 + rounds
        assert len(await store.plans.commits()) == 150


async def test_a_rotation_that_was_cut_off_goes_on_where_it_ended(place):
    async with opened(place, OLD) as store:
        await fill(store, 150)
        before = await everything(store)

    def cut_off(done: int, total: int) -> None:
        if done >= 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await reseal(place.url, password=place.password, keys=BOTH, progress=cut_off)
    async with opened(place, BOTH) as store:
        assert store.sealed_with == key_id(OLD.current)
        assert await everything(store) == before
    with pytest.raises(ConfigurationError):
        async with opened(place, NEW):
            pytest.fail("the older key is still needed")
    done = await reseal(place.url, password=place.password, keys=BOTH)
    assert 0 < done.documents < 300
    async with opened(place, NEW) as store:
        assert await everything(store) == before


async def test_rows_that_were_swapped_do_not_open(place):
    async with opened(place, NEW) as store:
        await store.plans.save_bases(TARGET, PATIENT, [a_base()])
        await store.plans.save_bases(TARGET, "Patient/2", [a_base()])
    table = next(each.table for each in SEALED if each.table.name == "careplan_base")
    ours = sa.select(table.c.document).where(table.c.patient == PATIENT).scalar_subquery()
    await run(place, sa.update(table).where(table.c.patient == "Patient/2").values(document=ours))
    async with opened(place, NEW) as store:
        assert await store.plans.bases(TARGET, PATIENT)
        with pytest.raises(ConfigurationError, match="altered or moved"):
            await store.plans.bases(TARGET, "Patient/2")


async def test_the_order_of_a_reviews_steps_cannot_be_changed(place):
    async with opened(place, NEW) as store:
        await fill(store)
    table = next(each.table for each in SEALED if each.table.name == "careplan_review_step")
    moved = [sa.update(table).where(table.c.number == a).values(number=b) for a, b in ((0, 9), (1, 0), (9, 1))]
    await run(place, *moved)
    async with opened(place, NEW) as store:
        with pytest.raises(ConfigurationError, match="altered or moved"):
            await store.plans.pending("p1")


async def test_a_document_in_the_clear_is_not_slipped_into_a_sealed_database(place):
    async with opened(place, NEW) as store:
        await store.plans.put_letter(a_letter())
    table = next(each.table for each in SEALED if each.table.name == "careplan_dead_letter")
    await run(place, sa.update(table).values(document="{}"))
    async with opened(place, NEW) as store:
        with pytest.raises(ConfigurationError, match="altered or moved"):
            await store.plans.letters()
