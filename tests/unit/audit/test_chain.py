"""The hash chain: nothing can be changed, removed, moved or added without being found at its place."""

import hashlib
from decimal import Decimal

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from careplan_exchange import audit
from careplan_exchange.model import codec
from careplan_exchange.model.chain import (
    GENESIS,
    Head,
    Mark,
    Walk,
    entry_hash,
    genesis_of,
    link,
    start_of,
    verify,
)
from careplan_exchange.model.ledger import Entry, Link, Verdict

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DATA = st.dictionaries(
    TEXT,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)
ENTRIES = st.builds(Entry, exchange=TEXT, event=TEXT, at=TEXT, data=DATA)


def chained(entries) -> list[Link]:
    links: list[Link] = []
    for seq, entry in enumerate(entries, start=1):
        links.append(link(links[-1].hash if links else GENESIS, seq, entry))
    return links


CHAINS = st.lists(ENTRIES, min_size=1, max_size=6).map(chained)


def head_of(links) -> Head:
    return Head(seq=links[-1].seq, hash=links[-1].hash)


def test_the_hash_is_what_the_documentation_says():
    """An auditor can reckon it with any tool."""
    entry = Entry(exchange="x1", event="e", at="2026-01-01T00:00:00Z", data={"b": 1, "a": Decimal("7.20")})
    text = '{"at":"2026-01-01T00:00:00Z","data":{"a":7.20,"b":1},"event":"e","exchange":"x1"}'
    expected = hashlib.sha256(f"1\n{'0' * 64}\n{text}".encode()).hexdigest()
    assert link(GENESIS, 1, entry).hash == expected


def test_the_audit_offers_the_same_chain():
    assert audit.chain.verify is verify


def test_an_empty_chain_fits():
    assert verify([]) == Verdict(entries=0, head=GENESIS)
    assert verify([], Head(seq=0, hash=GENESIS)).problem is None


def test_what_is_no_json_is_refused():
    with pytest.raises(TypeError):
        link(GENESIS, 1, Entry(exchange="x", event="e", at="t", data={"a": object()}))


@given(CHAINS)
def test_a_chain_that_was_not_touched_fits(links):
    expected = Verdict(entries=len(links), head=links[-1].hash)
    assert verify(links) == verify(links, head_of(links)) == expected


@given(CHAINS, st.data())
def test_a_walk_that_goes_on_from_a_head_comes_to_the_same_end(links, data):
    cut = data.draw(st.integers(1, len(links)))
    begin = head_of(links[:cut])
    assert verify(links[cut:], head_of(links), start=begin) == verify(links, head_of(links))


@given(CHAINS, ENTRIES, st.data())
def test_a_tail_written_anew_is_found_by_a_head_that_was_signed_or_kept(links, entry, data):
    """Every hash fits, and the head is the new one: only the mark tells, and between which entries."""
    place = data.draw(st.integers(0, len(links) - 1))
    forged = [*links[:place], link(links[place].previous, place + 1, entry)]
    for original in links[place + 1 :]:
        forged.append(link(forged[-1].hash, original.seq, original.entry))
    assume(forged[place].hash != links[place].hash)
    assert verify(forged, head_of(forged)).problem is None
    source = data.draw(st.sampled_from(["signed", "kept"]))
    marked = data.draw(st.integers(place + 1, len(links)))
    # One mark right before the first entry that was written anew, one at it or later.
    marks = [Mark(seq=at, hash=links[at - 1].hash, source=source) for at in (place, marked) if at]
    verdict = verify(forged, head_of(forged), marks=marks)
    assert verdict.broken_at == marked
    where = f"entry {marked}" if marked == place + 1 else f"an entry from {place + 1} to {marked}"
    assert (
        verdict.problem == f"Entry {marked} does not have the hash that was {source}: {where} was written anew."
    )


@given(CHAINS, st.data())
def test_entries_cut_off_with_their_head_are_found_by_a_mark(links, data):
    cut = data.draw(st.integers(0, len(links) - 1))
    head = head_of(links[:cut]) if cut else start_of("default")
    assert verify(links[:cut], head).problem is None
    mark = Mark(seq=len(links), hash=links[-1].hash, source="signed")
    assert verify(links[:cut], head, marks=[mark]).broken_at == cut + 1


def test_a_chain_fits_under_the_name_of_its_tenant_only():
    entry = Entry(exchange="x", event="e", at="t")
    links = [link(genesis_of("north"), 1, entry)]
    assert verify(links, start=start_of("north")).problem is None
    assert verify(links, start=start_of("south")).broken_at == 1
    assert verify(links).broken_at == 1
    assert genesis_of("default") == GENESIS, "chains begun before there were tenants stay whole"


def test_a_walk_cannot_go_on_from_an_entry_that_is_not_as_it_was():
    for found in (None, "0" * 64):
        walk = Walk(Head(seq=3, hash="1" * 64))
        assert walk.stand_on(found) is False
        assert walk.close(None).broken_at == 3


def test_an_entry_whose_text_is_not_its_one_form_is_found_though_its_hash_fits():
    for text in (
        b'{"at":"t","data":{},"event":"e","exchange":"x","more":1}',
        b'{"at":"t" }',
        b"not json",
        b"\xff",
    ):
        walk = Walk(start_of("default"))
        assert walk.step(1, GENESIS, entry_hash(GENESIS, 1, text), text) is False
        assert walk.broken_at == 1


@given(CHAINS, st.data())
def test_any_single_change_of_a_link_is_found_there_or_right_after(links, data):
    place = data.draw(st.integers(0, len(links) - 1))
    original = links[place]
    field = data.draw(st.sampled_from(["seq", "previous", "hash", "exchange", "event", "at", "data"]))
    if field == "seq":
        changed = msgspec.structs.replace(original, seq=data.draw(st.integers()))
    elif field in {"previous", "hash"}:
        changed = msgspec.structs.replace(original, **{field: data.draw(TEXT | st.just(GENESIS))})
    else:
        value = data.draw(DATA if field == "data" else TEXT)
        changed = msgspec.structs.replace(
            original, entry=msgspec.structs.replace(original.entry, **{field: value})
        )
    assume(codec.canonical(changed) != codec.canonical(original))
    verdict = verify([*links[:place], changed, *links[place + 1 :]], head_of(links))
    assert verdict.problem is not None
    assert verdict.broken_at == place + 1


@given(CHAINS, ENTRIES, st.data())
def test_an_entry_rewritten_with_a_fitting_hash_breaks_the_chain_right_after(links, entry, data):
    place = data.draw(st.integers(0, len(links) - 1))
    forged = link(links[place].previous, place + 1, entry)
    assume(forged.hash != links[place].hash)
    verdict = verify([*links[:place], forged, *links[place + 1 :]], head_of(links))
    last = place == len(links) - 1
    assert verdict.broken_at == (place + 1 if last else place + 2)


@given(CHAINS, st.data())
def test_a_removed_entry_is_found(links, data):
    place = data.draw(st.integers(0, len(links) - 1))
    verdict = verify([*links[:place], *links[place + 1 :]], head_of(links))
    assert verdict.broken_at == place + 1
    assert "missing" in verdict.problem


@given(CHAINS, st.data())
def test_an_end_that_was_cut_off_is_found_by_the_head_alone(links, data):
    cut = data.draw(st.integers(0, len(links) - 1))
    assert verify(links[:cut]).problem is None
    assert verify(links[:cut], head_of(links)).broken_at == cut + 1


@given(CHAINS, st.data())
def test_two_entries_that_changed_places_are_found(links, data):
    assume(len(links) > 1)
    first = data.draw(st.integers(0, len(links) - 2))
    moved = [*links]
    moved[first], moved[first + 1] = moved[first + 1], moved[first]
    assert verify(moved, head_of(links)).broken_at == first + 1


@given(CHAINS, ENTRIES, st.data())
def test_an_inserted_entry_is_found(links, entry, data):
    place = data.draw(st.integers(0, len(links)))
    previous = links[place - 1].hash if place else GENESIS
    inserted = [*links[:place], link(previous, place + 1, entry), *links[place:]]
    verdict = verify(inserted, head_of(links))
    assert verdict.problem is not None
    assert verdict.broken_at in {place + 1, place + 2}


def test_the_first_break_stands_whatever_comes_after():
    links = chained([Entry(exchange="x", event="e", at="t")] * 3)
    walk = Walk(start_of("default"))
    for current in (*links[1:], *links):
        assert not walk.step(current.seq, current.previous, current.hash, codec.canonical(current.entry))
    verdict = walk.close(head_of(links))
    assert (verdict.broken_at, verdict.problem) == (1, "Entry 1 is missing.")
