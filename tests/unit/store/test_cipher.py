"""Sealed documents: what goes in comes out, in its own place only, under a key that is at hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.errors import ConfigurationError, SettingsError
from careplan_exchange.model import codec
from careplan_exchange.store import Keys, key_id, key_of, new_key
from careplan_exchange.store.cipher import Cipher, sealed_by
from careplan_exchange.store.documents import Documents
from careplan_exchange.store.tables import bases, intents

OLD, NEW, OTHER = (key_of(new_key(), "key") for _ in range(3))

VALUES = st.recursive(
    st.none() | st.booleans() | st.text() | st.decimals(allow_nan=False, allow_infinity=False) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(value=VALUES, row=st.lists(st.text(max_size=10), min_size=1, max_size=3))
def test_what_is_sealed_comes_out_as_it_was(value, row):
    documents = Documents(Cipher(Keys(NEW)), clear=False)
    text = documents.to_text(value, bases.c.document, *row)
    assert documents.opened(text, bases.c.document, *row) == codec.canonical(value)


@given(
    row=st.lists(st.text(max_size=6), min_size=1, max_size=3),
    other=st.lists(st.text(max_size=6), min_size=1, max_size=3),
)
def test_a_document_opens_in_no_other_row(row, other):
    documents = Documents(Cipher(Keys(NEW)))
    text = documents.to_text({"a": 1}, bases.c.document, *row)
    if row == other:
        assert documents.opened(text, bases.c.document, *other)
    else:
        with pytest.raises(ConfigurationError, match="altered or moved"):
            documents.opened(text, bases.c.document, *other)


def test_a_document_opens_in_no_other_column_or_table():
    documents = Documents(Cipher(Keys(NEW)))
    text = documents.to_text({"a": 1}, intents.c.document, "i")
    for column in (intents.c.written, bases.c.document):
        with pytest.raises(ConfigurationError, match="altered or moved"):
            documents.opened(text, column, "i")


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_no_byte_of_a_sealed_document_can_be_altered(position, change):
    documents = Documents(Cipher(Keys(NEW)), clear=False)
    text = documents.to_text({"name": "Marker"}, bases.c.document, "r")
    at = position % len(text)
    altered = text[:at] + chr(ord(text[at]) ^ change) + text[at + 1 :]
    try:
        found = documents.opened(altered, bases.c.document, "r")
    except ConfigurationError:
        return
    # The last character of base64 has bits that mean nothing.
    assert (at, found) == (len(text.rstrip("=")) - 1, b'{"name":"Marker"}')


def test_the_same_document_is_never_sealed_alike():
    documents = Documents(Cipher(Keys(NEW)))
    assert len({documents.to_text({"a": 1}, bases.c.document, "r") for _ in range(50)}) == 50


def test_an_older_key_opens_and_does_not_seal():
    text = Documents(Cipher(Keys(OLD))).to_text({"a": 1}, bases.c.document, "r")
    both = Documents(Cipher(Keys(NEW, (OLD,))))
    assert both.opened(text, bases.c.document, "r") == b'{"a":1}'
    again = both.resealed(text, bases.c.document, "r")
    assert (sealed_by(text), sealed_by(again)) == (key_id(OLD), key_id(NEW))


@pytest.mark.parametrize("documents", [Documents(), Documents(Cipher(Keys(OTHER)))])
def test_without_the_key_the_error_names_it_and_the_setting(documents):
    text = Documents(Cipher(Keys(NEW))).to_text({"name": "Marker"}, bases.c.document, "r")
    with pytest.raises(ConfigurationError) as raised:
        documents.opened(text, bases.c.document, "r")
    assert key_id(NEW) in raised.value.detail
    assert "store.old_key_files" in raised.value.mend


def test_clear_text_is_read_only_while_not_everything_is_sealed():
    text = Documents().to_text({"a": 1}, bases.c.document, "r")
    assert Documents(Cipher(Keys(NEW))).opened(text, bases.c.document, "r") == b'{"a":1}'
    with pytest.raises(ConfigurationError, match="altered"):
        Documents(Cipher(Keys(NEW)), clear=False).opened(text, bases.c.document, "r")


@pytest.mark.parametrize("text", ["", "secret", "c2hvcnQ=", "A" * 44 + "AAAA", "ä" * 44])
def test_what_is_no_key_is_refused_and_not_repeated(text):
    with pytest.raises(SettingsError) as raised:
        key_of(text, "key of the store")
    assert not text or text not in raised.value.detail + raised.value.mend


def test_neither_the_keys_nor_their_ids_show_a_key():
    assert NEW.hex() not in repr(Keys(NEW)) + key_id(NEW)
    assert repr(NEW) not in repr(Keys(NEW))
