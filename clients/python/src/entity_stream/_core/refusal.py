"""The errors for ends of connections and for `error` answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import AuthenticationError, ConnectionFailed, EntityStreamError, RequestError

#: The close codes that the same message would cause again (RFC 6455, section 7.4.1), and the codes of its error.
FAULTS_OF_A_MESSAGE = {1003: "invalid_message", 1007: "invalid_message", 1009: "message_too_large"}

_ADVICE = "the token is invalid, or it is for another tenant"
_NO_TOKEN = "a credential is required; pass get_token or api_key"


def end_error(*, opened: bool, code: int | None, reason: str, status: int | None, has_token: bool) -> EntityStreamError:
    """The error for a connection that has ended, or that could not be opened."""
    why = f": {reason}" if reason else ""
    advice = _ADVICE if has_token else _NO_TOKEN
    if code == 1008:
        return AuthenticationError("refused", f"refused with close code 1008{why} ({advice})")
    if opened:
        told = f" with close code {code}" if code is not None else " without a close frame"
        return ConnectionFailed("connection_lost", f"the connection ended{told}{why}", close_code=code)
    if status in (401, 403):
        stage = ", or the URL does not end with an existing stage" if status == 403 else ""
        return AuthenticationError("refused", f"refused with status {status} ({advice}{stage})", status=status)
    if status is None:
        return ConnectionFailed("connect_failed", f"cannot connect{why}", close_code=code)
    is_passing = status == 429 or status >= 500
    text = f"the handshake was answered with status {status}{why}"
    return ConnectionFailed("connect_failed" if is_passing else "handshake_refused", text, status=status)


def fault_error(code: int | None, reason: str, action: str) -> RequestError | None:
    """The error for a message because of which the server closed the connection."""
    kind = FAULTS_OF_A_MESSAGE.get(code) if code is not None else None
    if kind is None:
        return None
    text = f"the server closed the connection because of this message: {code} {reason}".rstrip()
    return RequestError(kind, text, action)


def answer_error(frame: Mapping[str, Any], action: str) -> EntityStreamError:
    """The error for an `error` answer. Some codes concern the connection and not the request."""
    code = str(frame.get("code"))
    message = frame.get("message")
    text = message[:500] if isinstance(message, str) else "the server gave no reason"
    # The client tries these messages again by itself.
    is_again = action in ("subscribe", "unsubscribe", "snapshot") and code == "internal"
    # The token is valid, and can be accepted later.
    is_later = action in ("authenticate", "dpop_bind") and code in ("limit_exceeded", "conflict")
    if code == "not_connected" or is_later or (code == "internal" and not is_again):
        return ConnectionFailed("server_error", text)
    if code in ("unauthorized", "forbidden"):
        return AuthenticationError("refused", text)
    return RequestError(code, text, action)


def is_passing(error: RequestError) -> bool:
    """True if the same message may succeed a moment later."""
    return error.code in ("conflict", "internal")


def is_final(error: EntityStreamError) -> bool:
    """True if another attempt would fail as well, with any token."""
    if isinstance(error, AuthenticationError):
        return error.code in ("invalid_token", "logged_out")
    if isinstance(error, ConnectionFailed):
        return error.code == "handshake_refused"
    return True
