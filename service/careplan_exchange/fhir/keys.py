"""Keys by which we sign in: private ones in a file, public ones to register.

http://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html#registering-a-client-communicating-public-keys;
RFC 7517 (JWK), RFC 7638 (thumbprint). The two algorithms are those that a server must know: RS384 and ES384.
"""

import contextlib
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, RSAKey

from careplan_exchange import logs
from careplan_exchange.errors import SettingsError

Algorithm = Literal["RS384", "ES384"]

RSA_BITS = 3072
_LEAST_RSA_BITS = 2048
_LARGEST_FILE = 256 * 1024
_PUBLIC = frozenset({"kty", "crv", "x", "y", "n", "e"})
_MEND = "Make one with `careplan keys new --alg ES384 --out FILE`: a PEM or JWK file, not encrypted."


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key of one of our algorithms, with its id. Its text never holds key material."""

    key: RSAKey | ECKey
    alg: Algorithm
    kid: str

    def __repr__(self) -> str:
        return f"Key({self.alg}, kid={self.kid!r})"

    @property
    def private(self) -> bool:
        return bool(self.key.is_private)

    def public_jwk(self) -> dict[str, str]:
        """What may be registered: "bare key" members, `kid`, `alg` and use, nothing private."""
        bare = {name: str(value) for name, value in self.key.as_dict(private=False).items() if name in _PUBLIC}
        return {**bare, "kid": self.kid, "alg": self.alg, "use": "sig", "key_ops": ["verify"]}  # type: ignore[dict-item]


def new_key(alg: Algorithm) -> Key:
    """A fresh private key: P-384 for ES384, 3072 bits for RS384. Its id is its thumbprint."""
    key = ECKey.generate_key("P-384") if alg == "ES384" else RSAKey.generate_key(RSA_BITS)
    return Key(key=key, alg=alg, kid=key.thumbprint())


def as_file(key: Key, *, pem: bool) -> bytes:
    """The private key as the content of a file: PEM (PKCS #8), or a JWK that carries its id."""
    if pem:
        return bytes(key.key.as_pem(private=True))
    jwk = {**key.key.as_dict(private=True), "kid": key.kid, "alg": key.alg, "use": "sig"}
    return msgspec.json.format(msgspec.json.encode(jwk), indent=2) + b"\n"


def jwks(keys: Iterable[Key]) -> dict[str, list[dict[str, str]]]:
    """The JWK Set (RFC 7517 §5) of the public parts, each key once."""
    return {"keys": list({key.kid: key.public_jwk() for key in keys}.values())}


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys of a PEM, JWK or JWK Set file, public or private. Raises SettingsError, which repeats nothing of
    the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"The key file {path} cannot be read: {error.strerror}.", mend="Check path and permissions."
        ) from None
    if len(data) > _LARGEST_FILE:
        raise SettingsError(f"The key file {path} is too large to be one.", mend=_MEND)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # it is said below, as an error with a mend
            found = tuple(_from_json(data) if data.lstrip().startswith(b"{") else [_from_pem(data)])
    except _NoKeyError as error:
        raise SettingsError(f"The key file {path} {error}.", mend=_MEND) from None
    except (JoseError, msgspec.MsgspecError, ValueError, TypeError, KeyError):
        raise SettingsError(f"The key file {path} holds no key that can be used.", mend=_MEND) from None
    return found


def read_private_key(path: Path, kid: str | None = None) -> Key:
    """The one private key in a file. `kid` stands over the file's own, which stands over the thumbprint."""
    private = [key for key in read_keys(path) if key.private]
    if len(private) != 1:
        held = "only a public key" if not private else f"{len(private)} private keys"
        raise SettingsError(f"The key file {path} holds {held}; one private key signs.", mend=_MEND)
    return msgspec.structs.replace(private[0], kid=kid) if kid else private[0]


class KeyFile:
    """A private key that is read again when its file changes, so that a key is rotated without a restart.

    A file that cannot be read while it is being replaced is no failure: the last good key is kept, and that is
    logged. Only where there was none yet, SettingsError.
    """

    def __init__(self, path: Path, kid: str | None = None) -> None:
        self.path = path
        self._kid = kid
        self._seen: _Stamp | None = None
        self._key: Key | None = None

    def current(self) -> Key:
        stamp = _stamp(self.path)
        if self._key is None or stamp is None or stamp != self._seen:
            try:
                self._key = read_private_key(self.path, self._kid)
                self._seen = stamp
            except SettingsError as error:
                if self._key is None:
                    raise
                logs.get_logger().warning(logs.FHIR_KEY_KEPT, error=error.key)
        return self._key


class _Stamp(NamedTuple):
    modified: int
    size: int
    inode: int


def _stamp(path: Path) -> _Stamp | None:
    with contextlib.suppress(OSError):
        status = path.stat()
        return _Stamp(status.st_mtime_ns, status.st_size, status.st_ino)
    return None


class _NoKeyError(Exception):
    """Why this is no key of ours, as the end of a sentence."""


def _from_pem(data: bytes) -> Key:
    if b"ENCRYPTED" in data:
        raise _NoKeyError("is encrypted, and nobody can be asked for its password")
    if b"-----BEGIN " not in data:
        raise _NoKeyError("is neither PEM nor a JWK")
    for kind in (ECKey, RSAKey):
        with contextlib.suppress(JoseError):  # it is a key of the other kind
            return _checked(kind.import_key(data), {})
    raise _NoKeyError("holds a key that is neither RSA nor EC")


def _from_json(data: bytes) -> list[Key]:
    document: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
    listed = document.get("keys", [document])
    if not isinstance(listed, list) or not listed:
        raise _NoKeyError("holds no key")
    return [_from_jwk(one) for one in listed]


def _from_jwk(jwk: dict[str, Any]) -> Key:
    match jwk.get("kty"):
        case "EC":
            return _checked(ECKey.import_key(jwk), jwk)
        case "RSA":
            return _checked(RSAKey.import_key(jwk), jwk)
    raise _NoKeyError("holds a key that is neither RSA nor EC")


def _checked(key: RSAKey | ECKey, jwk: dict[str, Any]) -> Key:
    alg: Algorithm
    if isinstance(key, ECKey):
        alg = "ES384"
        if key.curve_name != "P-384":
            raise _NoKeyError(f"holds a key on the curve {key.curve_name}; ES384 needs P-384")
    else:
        alg = "RS384"
        if key.raw_value.key_size < _LEAST_RSA_BITS:
            raise _NoKeyError(f"holds an RSA key of fewer than {_LEAST_RSA_BITS} bits")
    if jwk.get("alg", alg) != alg:
        raise _NoKeyError(f"holds a key for another algorithm than {alg}")
    return Key(key=key, alg=alg, kid=str(jwk.get("kid") or key.thumbprint()))
