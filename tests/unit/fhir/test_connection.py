import base64

import pytest

from careplan_exchange.errors import SettingsError
from careplan_exchange.fhir import BasicAuth, BearerAuth, Connection, NoAuth, describe
from careplan_exchange.fhir.connection import authorization


@pytest.mark.parametrize(
    "written",
    ["https://FHIR.example.org/r4", "https://fhir.example.org:443/r4/", "HTTPS://fhir.example.org/r4//"],
)
def test_every_way_to_write_a_base_url_is_one_endpoint(written):
    connection = Connection(base_url=written)
    assert connection.base_url == "https://fhir.example.org/r4"
    assert connection.identity == connection.base_url


def test_an_identity_outlives_a_change_of_the_url():
    assert Connection(base_url="http://new.example.org/fhir", identity="ward-7").identity == "ward-7"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "fhir.example.org/r4",
        "ftp://example.org",
        "https://",
        "https://h/r4?x=1",
        "https://h/r4#x",
        "http://h:port/r4",
        "http://xn--/r4",
    ],
)
def test_what_is_no_base_url_is_refused(written):
    with pytest.raises(SettingsError) as caught:
        Connection(base_url=written)
    assert caught.value.mend


def test_credentials_in_the_url_are_refused_and_not_repeated():
    with pytest.raises(SettingsError) as caught:
        Connection(base_url="https://nurse:geheim@fhir.example.org/r4")
    assert "geheim" not in caught.value.detail + caught.value.mend


def test_the_password_is_not_in_the_text_of_a_connection():
    connection = Connection(base_url="https://h/r4", auth=BasicAuth(username="nurse", password="geheim"))
    assert "geheim" not in repr(connection)


def test_basic_credentials_are_sent_as_rfc_7617_has_them():
    header = authorization(BasicAuth(username="nurse", password="pä:ss"))
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == "nurse:pä:ss"
    assert authorization(NoAuth()) is None


@pytest.mark.parametrize(
    "name",
    ["Authorization", "host", "COOKIE", "Proxy-Authorization", "Content-Type", "Content-Length", "If-Match"],
)
def test_a_header_that_carries_credentials_or_makes_the_request_cannot_be_fixed(name):
    with pytest.raises(SettingsError, match=name) as caught:
        Connection(base_url="https://h/r4", headers=((name, "geheim"),))
    assert "geheim" not in caught.value.detail + caught.value.mend


@pytest.mark.parametrize(
    ("name", "value"), [("", "v1"), ("a b", "v1"), ("a:", "v1"), ("ä", "v1"), ("A", "x\r\nB: y"), ("A", "ü")]
)
def test_what_no_header_can_be_is_refused_and_not_repeated(name, value):
    with pytest.raises(SettingsError, match="fixed header") as caught:
        Connection(base_url="https://h/r4", headers=((name, value),))
    assert value not in caught.value.detail


def test_a_person_is_told_which_authentication_it_is_and_no_secret(tmp_path):
    connection = Connection(
        base_url="https://h/r4",
        auth=BasicAuth(username="nurse", password="geheim"),
        client_certificate=tmp_path / "c.pem",
        proxy="http://p:1",
        headers=(("Epic-Client-ID", "geheim"),),
    )
    said = "a user name and password, a client certificate, a proxy, the headers Epic-Client-ID"
    assert describe(connection) == said
    assert describe(Connection(base_url="https://h/r4")) == "no credentials"


def test_neither_headers_nor_credentials_are_in_the_text_of_a_connection():
    connection = Connection(base_url="https://h/r4", headers=(("X-Key", "geheim"),), proxy="http://p:1")
    assert "geheim" not in repr(connection)


def test_a_client_certificate_that_nobody_would_see_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="https"):
        Connection(base_url="http://h/r4", client_certificate=tmp_path / "c.pem")


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "tökén", "nul\x00"])
def test_a_token_that_no_header_can_carry_is_a_setting_to_mend_and_is_not_repeated(token):
    with pytest.raises(SettingsError) as caught:
        authorization(BearerAuth(read_token=lambda: token))
    assert not token or token not in caught.value.detail + caught.value.mend
