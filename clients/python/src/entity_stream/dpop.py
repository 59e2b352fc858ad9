"""The key to which a token is bound, and the proofs that the client has it (RFC 9449)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_MISSING = 'DpopKey needs the package cryptography: pip install "entity-stream[dpop]"'
_NO_KEY = (
    "not a private key of the curve P-256 in PEM (PKCS #8); "
    "`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` generates one"
)


class DpopKey:
    """A private key of the curve P-256. Its `repr` shows only the thumbprint."""

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        self._key = key
        numbers = key.public_key().public_numbers()
        x, y = (_base64(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        # The members in the order of RFC 7638.
        self._jwk = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
        self._thumbprint = _base64(hashlib.sha256(_json(self._jwk)).digest())

    @classmethod
    def generate(cls) -> DpopKey:
        """Generates a key."""
        try:
            from cryptography.hazmat.primitives.asymmetric import ec
        except ImportError:
            raise ImportError(_MISSING) from None
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: str | bytes) -> DpopKey:
        """Reads a key in PEM (PKCS #8). The error does not repeat the text."""
        try:
            from cryptography.hazmat.primitives.asymmetric import ec
            from cryptography.hazmat.primitives.serialization import load_pem_private_key
        except ImportError:
            raise ImportError(_MISSING) from None
        try:
            key = load_pem_private_key(pem.encode() if isinstance(pem, str) else pem, None)
        except (ValueError, TypeError):
            raise ValueError(_NO_KEY) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError(_NO_KEY)
        return cls(key)

    def to_pem(self) -> str:
        """The private key in PEM (PKCS #8). Only its owner may read it."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def thumbprint(self) -> str:
        """The thumbprint of the public key (RFC 7638), the `cnf.jkt` of a token that is bound to it."""
        return self._thumbprint

    @property
    def jwk(self) -> dict[str, str]:
        """The public key as a JSON Web Key."""
        return dict(self._jwk)

    def prove(self, url: str, token: str, wall: float) -> str:
        """A new proof for the endpoint at this URL. A proof is used once."""
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
        from cryptography.hazmat.primitives.hashes import SHA256

        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self._jwk}
        claims = {
            "jti": secrets.token_urlsafe(16),
            "htm": "GET",
            "htu": url.partition("?")[0].partition("#")[0],
            "iat": int(wall),
            "ath": _base64(hashlib.sha256(token.encode()).digest()),
        }
        signed = ".".join(_base64(_json(part)) for part in (header, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def __repr__(self) -> str:
        return f"DpopKey({self._thumbprint})"


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
