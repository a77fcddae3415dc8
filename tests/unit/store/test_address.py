"""Database URLs, taken apart."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.errors import SettingsError
from careplan_exchange.store.address import FileAddress, ServerAddress, address_of


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///careplan.db", Path("careplan.db")),
        ("sqlite:///data/care plan.db", Path("data/care plan.db")),
        ("sqlite:////var/lib/careplan.db", Path("/var/lib/careplan.db")),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
    ],
)
def test_sqlite_urls_name_a_file_or_the_memory(url, path):
    assert address_of(url) == FileAddress(path)


def test_the_password_is_taken_out_of_a_postgresql_url():
    address = address_of("postgresql://us%40er:se%2Fcret@db.example:5433/care?sslmode=require")
    assert address.dsn == "postgresql://us%40er@db.example:5433/care?sslmode=require"
    assert address.password == "se/cret"
    assert address.label == "the PostgreSQL database care on db.example:5433"
    assert "se/cret" not in repr(address)


def test_a_password_given_beside_the_url_wins():
    assert address_of("postgresql://u:one@h/d", password="two").password == "two"


def test_a_postgresql_url_may_name_neither_user_nor_host():
    assert address_of("postgresql:///care") == ServerAddress(
        dsn="postgresql:///care", password=None, label="the PostgreSQL database care on this machine"
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "careplan.db",
        "mysql://user:hunter2@h/d",
        "postgres+asyncpg://user:hunter2@h/d",
        "postgresql://user:hunter2@h",
        "postgresql://user:hunter2@h:port/d",
        "postgresql://user:hunter2@[h/d",
        "sqlite://careplan.db",
        "sqlite:///careplan.db?mode=ro",
        "sqlite:///careplan.db#x",
    ],
)
def test_any_other_url_is_a_settings_error_that_repeats_nothing_of_it(url):
    with pytest.raises(SettingsError) as raised:
        address_of(url)
    assert "hunter2" not in raised.value.detail
    assert "store.url" in raised.value.mend


@given(st.text())
def test_no_text_ends_in_anything_but_an_address_or_a_settings_error(text):
    for url in (text, f"postgresql://{text}", f"sqlite://{text}"):
        with contextlib.suppress(SettingsError):
            address_of(url)
