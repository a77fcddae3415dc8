"""From which length on a document is packed, what is no packed document, and that what was sealed once stays open."""

import base64
import zlib
from decimal import Decimal

import pytest

from careplan_exchange.errors import ConfigurationError
from careplan_exchange.model.outline import BaseOutline
from careplan_exchange.store import Keys
from careplan_exchange.store.cipher import Cipher
from careplan_exchange.store.documents import Documents, from_text, to_text
from careplan_exchange.store.tables import bases, intents

COLUMN = bases.c.document
KEYS = Keys(bytes(range(32)))
CLEAR, SEALED = Documents(), Documents(Cipher(KEYS), clear=False)
AN_EARLIER = "sealed:1:da9abcf6b9a27e0e:s4j1j7P4b+JlcsGLCtaFTDuZBoNO2yiMSs89O5Q1MLQk2NM="


def of_length(number: int) -> str:
    """What is this long as JSON: two of it are the quotes."""
    return "x" * (number - 2)


def test_a_document_is_packed_from_two_kibibytes_on():
    assert CLEAR.to_text(of_length(2047), COLUMN, "row") == f'"{of_length(2047)}"'
    assert CLEAR.to_text(of_length(2048), COLUMN, "row").startswith("zip:1:")


def test_a_packed_document_is_zlib_in_base64_on_one_line():
    text = CLEAR.to_text(of_length(4000), COLUMN, "row")
    packed = base64.b64decode(text.removeprefix("zip:1:"), validate=True)
    assert zlib.decompress(packed) == f'"{of_length(4000)}"'.encode()


@pytest.mark.parametrize("place", [8, 20])
def test_a_packed_document_with_a_character_too_much_is_spoiled(place):
    text = CLEAR.to_text(of_length(4000), COLUMN, "row")
    with pytest.raises(ConfigurationError, match="altered"):
        CLEAR.from_text(f"{text[:place]}!{text[place:]}", str, COLUMN, "row")


@pytest.mark.parametrize("packed", [b"{}", b'"words"', b""])
def test_what_is_marked_as_packed_and_is_not_is_spoiled(packed):
    text = "zip:1:" + base64.b64encode(packed).decode()
    with pytest.raises(ConfigurationError, match="altered"):
        CLEAR.from_text(text, dict, COLUMN, "row")


def test_what_an_earlier_version_has_sealed_is_opened():
    assert SEALED.from_text(AN_EARLIER, dict, COLUMN, "row", 7) == {"n": 1}


@pytest.mark.parametrize(
    ("column", "row"),
    [(intents.c.document, ("row", 7)), (COLUMN, ("row", 8)), (COLUMN, ("row7",)), (COLUMN, ("ro", "w7"))],
)
def test_what_was_sealed_in_one_place_opens_in_no_other(column, row):
    with pytest.raises(ConfigurationError, match="altered"):
        SEALED.from_text(AN_EARLIER, dict, column, *row)


def test_what_is_sealed_is_not_read_without_its_key_and_names_that():
    with pytest.raises(ConfigurationError, match=AN_EARLIER.split(":")[2]):
        CLEAR.from_text(AN_EARLIER, dict, COLUMN, "row", 7)


def test_what_stands_in_the_clear_is_read_until_all_is_sealed():
    text = CLEAR.to_text({"n": 1}, COLUMN, "row")
    assert Documents(Cipher(KEYS)).from_text(text, dict, COLUMN, "row") == {"n": 1}
    with pytest.raises(ConfigurationError, match="altered"):
        SEALED.from_text(text, dict, COLUMN, "row")


def test_nothing_is_sealed_anew_without_a_key():
    with pytest.raises(AssertionError):
        CLEAR.resealed(CLEAR.to_text({"n": 1}, COLUMN, "row"), COLUMN, "row")


def test_a_document_that_is_sealed_anew_stays_in_its_place():
    older = Documents(Cipher(Keys(bytes(32), (KEYS.current,))), clear=False)
    text = older.resealed(AN_EARLIER, COLUMN, "row", 7)
    assert text.split(":")[2] != AN_EARLIER.split(":")[2]
    assert older.from_text(text, dict, COLUMN, "row", 7) == {"n": 1}


def test_what_stands_plain_comes_back_with_every_digit():
    text = to_text({"value": Decimal("7.20"), "n": 1})
    assert text == '{"n":1,"value":7.20}'
    assert str(from_text(text, dict)["value"]) == "7.20"


def test_a_part_of_a_document_is_read_without_the_rest():
    text = CLEAR.to_text(
        {"id": "g1", "identity": "i", "type": "Goal", "versionId": "1", "more": {}}, COLUMN, "row"
    )
    assert CLEAR.part_from_text(text, BaseOutline, COLUMN, "row") == BaseOutline(
        identity="i", type="Goal", id="g1", version_id="1"
    )
