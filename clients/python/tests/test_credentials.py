"""Keys, tokens, options and logs."""

from __future__ import annotations

import base64
import json
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from entity_stream import AuthenticationError, DpopKey, EntityStream
from entity_stream._core.tokens import TokenClock, checked_token, is_bound
from entity_stream.settings import Settings


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def read(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_key_is_read_as_it_was_written():
    key = DpopKey.generate()
    assert DpopKey.from_pem(key.to_pem()).thumbprint == key.thumbprint
    assert repr(key) == f"DpopKey({key.thumbprint})"
    assert DpopKey.generate().thumbprint != key.thumbprint


def test_the_thumbprint_is_that_of_the_standard():
    """The key of RFC 9449, section 4.1, as its private half is in RFC 7515, appendix A.3."""
    secret = int.from_bytes(read("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"), "big")
    assert DpopKey(ec.derive_private_key(secret, ec.SECP256R1())).thumbprint == "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"


def test_a_proof_is_signed_for_its_endpoint_and_token():
    secret = ec.generate_private_key(ec.SECP256R1())
    key = DpopKey(secret)
    proofs = [key.prove("wss://host/live?tenant=demo#x", "a.b.c", 1000.9) for _ in range(2)]
    assert proofs[0] != proofs[1]
    header, claims, signature = proofs[0].split(".")
    assert json.loads(read(header)) == {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk}
    shown = json.loads(read(claims))
    assert (shown["htm"], shown["htu"], shown["iat"]) == ("GET", "wss://host/live", 1000)
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    numbers = (int.from_bytes(read(signature)[:32], "big"), int.from_bytes(read(signature)[32:], "big"))
    secret.public_key().verify(encode_dss_signature(*numbers), f"{header}.{claims}".encode(), ec.ECDSA(SHA256()))


def test_other_keys_are_refused_and_not_repeated():
    other = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    curve = ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for text in ("", "secret", other, curve, DpopKey.generate().to_pem()[:100]):
        with pytest.raises(ValueError, match="not a private key of the curve P-256") as error:
            DpopKey.from_pem(text)
        assert "secret" not in str(error.value)
        assert error.value.__cause__ is None


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    with pytest.raises(ImportError, match=r"entity-stream\[dpop\]"):
        DpopKey.generate()


def test_a_token_has_to_be_one():
    assert checked_token(None) is None
    assert checked_token("") is None
    assert checked_token("a.b-c_d") == "a.b-c_d"
    for wrong in ("Bearer secret", "secret\n", b"secret", 5):
        with pytest.raises(AuthenticationError) as error:
            checked_token(wrong)
        assert error.value.code == "invalid_token"
        assert "secret" not in str(error.value)


def test_the_life_of_a_token_is_its_own():
    clock = TokenClock()

    def left(iat: float | None, exp: float | None, wall: float) -> float | None:
        claims = {name: value for name, value in (("iat", iat), ("exp", exp)) if value is not None}
        return clock.left(f"e30.{part(claims)}.x", wall)

    assert left(None, None, 0) is None
    assert left(1000, 1100, 1040) == 60
    assert left(1000, 1100, 5000) == 100
    assert left(2000, 2100, 1930) == 100
    assert clock.server_time(1930) == 2000
    assert left(1000, 1100, 970) == 60
    assert clock.left("opaque", 0) is None


def test_a_bound_token_is_recognised():
    assert is_bound(f"e30.{part({'cnf': {'jkt': 'x'}})}.x")
    assert not is_bound(f"e30.{part({'sub': 'x'})}.x")
    assert is_bound("opaque")


def test_the_target_has_no_token():
    settings = Settings(url="wss://host/live?stage=a+b", tenant="demo", group_id="g", get_token=lambda: "secret")
    target = "wss://host/live?stage=a%20b&tenant=demo&subscribe=none&batch=true&group_id=g"
    assert settings.target() == target
    assert "secret" not in repr(settings)
    assert Settings(url="ws://host", tenant="demo", api_key=("a", "b")).headers() == {"Authorization": "Basic YTpi"}


def test_credentials_exclude_one_another():
    with pytest.raises(ValueError, match="not both"):
        EntityStream("ws://host", "demo", api_key=("a", "b"), get_token=lambda: "t")
    with pytest.raises(ValueError, match="dpop needs get_token"):
        EntityStream("ws://host", "demo", dpop=DpopKey.generate())
