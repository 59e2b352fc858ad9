"""The errors of this library. No error contains a token, a URL or a value of an entity."""

from __future__ import annotations

from typing import Any


class EntityStreamError(Exception):
    """The base class of all errors of this library."""

    #: The kind of error, for programs.
    code: str

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        # Python would call the class with the text alone.
        return _restored, (type(self), self.args, vars(self))


def _restored(kind: type[EntityStreamError], arguments: tuple[Any, ...], fields: dict[str, Any]) -> EntityStreamError:
    error = kind.__new__(kind, *arguments)
    vars(error).update(fields)
    return error


class RequestError(EntityStreamError):
    """The server refused a request, which changed nothing. `code` is a code of the contract, such as `invalid_q`."""

    #: The action of the request, for example `subscribe`.
    action: str

    def __init__(self, code: str, message: str, action: str) -> None:
        super().__init__(code, message)
        self.action = action


class AuthenticationError(EntityStreamError):
    """The server does not allow this client to listen. Another attempt with the same token would fail as well.

    `code` is `refused`, `token_expired`, `invalid_token` or `logged_out`. Your `get_token` may raise
    `AuthenticationError("logged_out", …)`: the stream then makes no further attempt.
    """

    #: The HTTP status of the handshake, if the server refused it with one.
    status: int | None

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(code, message)
        self.status = status


class ConnectionFailed(EntityStreamError):
    """The connection could not be opened, or has ended.

    `code` is `connect_failed`, `handshake_refused`, `connection_lost`, `timeout`, `token_unavailable` or `server_error`.
    """

    #: The WebSocket close code, if the connection was closed.
    close_code: int | None
    #: The HTTP status of the handshake, if the server refused it with one.
    status: int | None

    def __init__(self, code: str, message: str, close_code: int | None = None, status: int | None = None) -> None:
        super().__init__(code, message)
        self.close_code = close_code
        self.status = status


class OverflowError(EntityStreamError):
    """A loop was too slow, and items were dropped. `code` is `overflow`."""

    def __init__(self, capacity: int) -> None:
        super().__init__("overflow", f"the buffer of {capacity} items is full; read items faster, or raise its capacity")


class ClosedError(EntityStreamError):
    """The stream or the subscription was closed before the operation ended. `code` is `closed`."""

    def __init__(self, what: str = "the stream") -> None:
        super().__init__("closed", f"{what} has been closed")


class LoadError(EntityStreamError):
    """Your `load` function failed. `code` is `load_failed`; its own error is the `__cause__`."""

    def __init__(self, message: str = "load failed") -> None:
        super().__init__("load_failed", message)
