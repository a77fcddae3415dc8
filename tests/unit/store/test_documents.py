"""What is long is packed, sealed or not; it comes back with every digit, and what is spoiled is an error."""

import base64
import zlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.errors import ConfigurationError
from careplan_exchange.model.changes import Base
from careplan_exchange.model.outline import BaseOutline
from careplan_exchange.store import Keys, key_of, new_key
from careplan_exchange.store.cipher import Cipher
from careplan_exchange.store.documents import Documents, to_text
from careplan_exchange.store.tables import bases, intents

COLUMN = bases.c.document
CLEAR, SEALED = Documents(), Documents(Cipher(Keys(key_of(new_key(), "key"))), clear=False)
LONG = "Walk for half an hour on most days. " * 200


def a_base(text: str = LONG, value: Decimal = Decimal("7.20")) -> Base:
    body = {"resourceType": "Goal", "description": {"text": text}, "value": value}
    return Base(identity="goal-1", type="Goal", id="g1", version_id="1", ours=body, stored=body)


@pytest.mark.parametrize("documents", [CLEAR, SEALED], ids=["in the clear", "sealed"])
def test_a_long_document_takes_a_fraction_and_comes_back_with_every_digit(documents):
    text = documents.to_text(a_base(), COLUMN, "row")

    assert len(text) < len(to_text(a_base())) / 5
    assert "Walk" not in text
    assert documents.from_text(text, Base, COLUMN, "row") == a_base()
    assert str(documents.from_text(text, Base, COLUMN, "row").ours["value"]) == "7.20"


def test_a_short_document_can_be_read_in_the_database():
    assert CLEAR.to_text(a_base("short"), COLUMN, "row") == to_text(a_base("short"))


def test_a_document_that_was_stored_unpacked_is_read_as_it_is():
    assert CLEAR.from_text(to_text(a_base()), Base, COLUMN, "row") == a_base()


@given(
    text=st.text(max_size=30) | st.text(min_size=1000, max_size=3000),
    value=st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-9999, max_value=9999),
    documents=st.sampled_from([CLEAR, SEALED]),
)
def test_packing_changes_nothing(text, value, documents):
    base = a_base(text, value)

    stored = documents.to_text(base, COLUMN, "row", 7)

    assert to_text(documents.from_text(stored, Base, COLUMN, "row", 7)) == to_text(base)
    assert documents.part_from_text(stored, BaseOutline, COLUMN, "row", 7).version_id == "1"


def test_sealing_what_stood_in_the_clear_keeps_it_packed():
    sealed = SEALED.cipher
    both = Documents(sealed)
    text = both.resealed(CLEAR.to_text(a_base(), COLUMN, "row"), COLUMN, "row")

    assert len(text) < len(to_text(a_base())) / 5
    assert SEALED.from_text(text, Base, COLUMN, "row") == a_base()


@pytest.mark.parametrize(
    "text",
    ["zip:1:", "zip:1:no base64!", "zip:1:" + base64.b64encode(zlib.compress(b"{}" * 2000)[:-9]).decode()],
    ids=["nothing", "no base64", "cut off"],
)
def test_a_spoiled_document_is_an_error_that_says_so(text):
    with pytest.raises(ConfigurationError, match="altered"):
        CLEAR.from_text(text, Base, COLUMN, "row")


def test_a_packed_document_in_the_clear_is_refused_once_all_is_sealed():
    with pytest.raises(ConfigurationError, match="altered"):
        SEALED.from_text(CLEAR.to_text(a_base(), COLUMN, "row"), Base, COLUMN, "row")


def test_a_packed_document_does_not_open_in_another_place():
    with pytest.raises(ConfigurationError, match="altered"):
        SEALED.from_text(SEALED.to_text(a_base(), COLUMN, "row"), Base, intents.c.document, "row")
