"""Checks tokens, and estimates how long they are valid without trusting this machine's clock.

Invariant: the remaining life is never more than the whole life of the token. The server has accepted it, so it is valid; a
token from the future proves that this clock is behind, and by how much at least.
"""

from __future__ import annotations

import base64
import json
import re

from ..errors import AuthenticationError

#: The characters that are allowed in a sub-protocol. A JSON Web Token has no others.
_SENDABLE = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def checked_token(value: object) -> str | None:
    """Returns a token that can be sent, or `None` for no token."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _SENDABLE.fullmatch(value):
        message = "get_token returned a value that is not a token; return only the token, without `Bearer`"
        raise AuthenticationError("invalid_token", message)
    return value


class TokenClock:
    """Knows the proven lag of this machine's clock, in seconds."""

    def __init__(self) -> None:
        self._lag = 0.0

    def server_time(self, wall: float) -> float:
        """The least time that the server's clock can show."""
        return wall + self._lag

    def left(self, token: str, wall: float) -> float | None:
        """The remaining life of an accepted token in seconds; `None` if it is unknown."""
        claims = _claims(token)
        exp, iat = _number(claims.get("exp")), _number(claims.get("iat"))
        if exp is None:
            return None
        life = exp - iat if iat is not None and exp > iat else None
        if iat is not None:
            self._lag = max(self._lag, iat - wall)
        left = exp - wall - self._lag
        if left <= 0:
            # The clock is ahead: by its own time the token is over. Most tokens are new when they are used.
            return life
        return left if life is None else min(left, life)


def is_bound(token: str) -> bool:
    """True if the token is bound to a key, or cannot be read."""
    claims = _claims(token)
    return not claims or "cnf" in claims


def _claims(token: str) -> dict[str, object]:
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
