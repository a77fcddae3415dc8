"""Key files: what is read, what is refused, and that nothing private is shown."""

import json

import pytest
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey, OctKey

from careplan_exchange import logs
from careplan_exchange.errors import SettingsError
from careplan_exchange.fhir import KeyFile, as_file, jwks, new_key, read_keys
from careplan_exchange.fhir.keys import read_private_key
from tests.support.smart import write_jwks, write_key

PRIVATE = {"d", "p", "q", "dp", "dq", "qi"}


@pytest.fixture(scope="module")
def es384():
    return new_key("ES384")


@pytest.fixture(scope="module")
def rs384():
    return new_key("RS384")


@pytest.mark.parametrize("alg", ["es384", "rs384"])
@pytest.mark.parametrize("pem", [True, False])
def test_a_key_that_was_written_is_read_again_with_its_algorithm_and_id(alg, pem, tmp_path, request):
    key = request.getfixturevalue(alg)
    read = read_private_key(write_key(tmp_path / "key", key, pem=pem))
    assert (read.alg, read.kid, read.private) == (alg.upper(), key.kid, True)
    assert read.public_jwk() == key.public_jwk()


def test_a_key_has_a_length_that_lasts_and_a_thumbprint_for_an_id(es384, rs384):
    assert rs384.key.raw_value.key_size == 3072
    assert es384.key.curve_name == "P-384"
    assert es384.kid == es384.key.thumbprint()


def test_the_id_of_the_setting_stands_over_the_one_of_the_file(es384, tmp_path):
    write_key(tmp_path / "key", es384)
    assert read_private_key(tmp_path / "key", "mine").kid == "mine"


def test_a_jwk_set_holds_public_parts_only_and_each_key_once(es384, rs384):
    keys = jwks([es384, rs384, es384])["keys"]
    assert [key["kid"] for key in keys] == [es384.kid, rs384.kid]
    for key in keys:
        assert not PRIVATE & set(key)
        assert (key["use"], key["alg"][1:]) == ("sig", "S384")


def test_the_text_of_a_key_holds_no_key(es384, rs384):
    for key in (es384, rs384):
        for name, value in key.key.as_dict(private=True).items():
            if name in PRIVATE:
                assert value not in repr(key) + str(key)


def test_public_keys_can_be_read_and_do_not_sign(es384, rs384, tmp_path):
    file = write_jwks(tmp_path / "jwks.json", es384, rs384)
    assert [key.kid for key in read_keys(file)] == [es384.kid, rs384.kid]
    (tmp_path / "public.pem").write_bytes(es384.key.as_pem(private=False))
    assert read_keys(tmp_path / "public.pem")[0].kid == es384.kid
    with pytest.raises(SettingsError, match="only a public key"):
        read_private_key(tmp_path / "public.pem")


def bad_files():
    es256, short = ECKey.generate_key("P-256"), rsa.generate_private_key(65537, 1024)  # noqa: S505
    good = new_key("ES384")
    jwk = json.loads(as_file(good, pem=False))
    return {
        "nothing": b"",
        "no key": b"hello",
        "no json": b"{",
        "no members": b"{}",
        "an empty set": b'{"keys": []}',
        "half a pem": as_file(good, pem=True)[:60],
        "encrypted": good.key.as_pem(private=True, password="geheim"),
        "another curve": es256.as_pem(private=True),
        "short rsa": short.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        "symmetric": json.dumps(OctKey.generate_key(256).as_dict(private=True)).encode(),
        "another alg": json.dumps({**jwk, "alg": "ES256"}).encode(),
        "broken numbers": json.dumps({**jwk, "x": "a"}).encode(),
        "two private": json.dumps({"keys": [jwk, json.loads(as_file(new_key("ES384"), pem=False))]}).encode(),
        "huge": b"{" + b" " * 300_000,
    }


BAD = bad_files()


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_key_of_ours_is_a_setting_to_mend_and_is_not_repeated(name, tmp_path):
    content = BAD[name]
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        read_private_key(tmp_path / "key")
    said = caught.value.detail + caught.value.mend
    assert str(tmp_path / "key") in said
    assert "careplan keys new" in said
    assert "geheim" not in said
    if name in {"another alg", "broken numbers"}:
        assert json.loads(content)["d"] not in said


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(SettingsError, match="No such file"):
        KeyFile(tmp_path / "none").current()


def test_a_key_is_read_again_only_when_its_file_changes(es384, rs384, tmp_path, monkeypatch):
    file = KeyFile(write_key(tmp_path / "key", es384))
    first = file.current()
    assert file.current() is first
    write_key(tmp_path / "key", rs384)
    assert file.current().kid == rs384.kid


@pytest.mark.parametrize("how", ["gone", "half"])
def test_while_a_file_is_being_replaced_the_last_key_is_kept_and_that_is_logged(how, es384, rs384, tmp_path):
    path = write_key(tmp_path / "key", es384)
    file = KeyFile(path)
    file.current()
    path.unlink()
    if how == "half":
        path.write_bytes(as_file(rs384, pem=True)[:100])
    with structlog.testing.capture_logs() as kept:
        assert file.current().kid == es384.kid
    assert [entry["event"] for entry in kept] == [logs.FHIR_KEY_KEPT]
    write_key(path, rs384)
    assert file.current().kid == rs384.kid
