"""The options of a stream, complete and checked."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypedDict
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from ._checks import check_function, check_functions, type_name
from .debug import DebugEntry
from .dpop import DpopKey

#: Returns the token for the next connection, or a coroutine of it. An empty result connects without a token.
GetToken = Callable[[], "str | Awaitable[str | None] | None"]

_EXAMPLE = "ws://localhost:3000 or wss://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod"
#: The parameters of the URL that have an option of their own.
_OPTIONS = {
    "tenant": "tenant",
    "group_id": "group_id",
    "token": "get_token",
    "entityTypes": "subscribe",
    "entityIds": "subscribe",
    "idPattern": "subscribe",
    "wholeEntity": "subscribe",
    "showChanges": "subscribe",
}
_OWN = ("format", "subscribe", "batch", "ack")


class StreamOptions(TypedDict, total=False):
    """The options of a stream, as keyword arguments. All times are in seconds."""

    #: Returns a token; called before each connection and before a token ends. It may be `async`.
    get_token: GetToken | None
    #: `handshake`: the token is in the handshake. `first-message`: it is in the first message.
    authenticate: Literal["handshake", "first-message"]
    #: The name and the key of an API key.
    api_key: tuple[str, str] | None
    #: The key to which the tokens are bound.
    dpop: DpopKey | None
    #: The consumer group that shares the stream.
    group_id: str | None
    #: Reads JSON [`json.loads`].
    parse: Callable[[str], Any]
    #: Gets each message that is sent or received, by kind and size, and each state.
    debug: Callable[[DebugEntry], None] | None
    #: The time between two signs of life [300].
    ping_interval: float
    #: The limit for the answer to a sign of life [10].
    pong_timeout: float
    #: The limit for opening a connection, and for `get_token` [15].
    connect_timeout: float
    #: The limit for the answer to a request [30].
    request_timeout: float
    #: The ceiling of the wait after the first failure; it doubles with each further failure [0.5].
    backoff_min: float
    #: The highest ceiling of a wait [30].
    backoff_max: float
    #: The age from which the failure of a connection counts as the first failure [30].
    stable_after: float
    #: The time before a token's end at which it is renewed, at most half of its remaining life [60].
    renew_before: float
    #: The age at which a connection is replaced, less up to a tenth [6600].
    rotate_after: float
    #: The time for which a replaced connection still receives events, and the longest time for leaving a group [10].
    drain: float


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All times are in seconds."""

    url: str = field(repr=False)
    tenant: str
    get_token: GetToken | None = field(default=None, repr=False)
    authenticate: Literal["handshake", "first-message"] = "handshake"
    api_key: tuple[str, str] | None = field(default=None, repr=False)
    dpop: DpopKey | None = None
    group_id: str | None = None
    parse: Callable[[str], Any] = field(default=json.loads, repr=False)
    debug: Callable[[DebugEntry], None] | None = field(default=None, repr=False)
    ping_interval: float = 300.0
    pong_timeout: float = 10.0
    connect_timeout: float = 15.0
    request_timeout: float = 30.0
    backoff_min: float = 0.5
    backoff_max: float = 30.0
    stable_after: float = 30.0
    renew_before: float = 60.0
    rotate_after: float = 6600.0
    drain: float = 10.0

    def __post_init__(self) -> None:
        _check_url(self.url)
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(each.default, float) and (isinstance(value, bool) or not _is_time(value)):
                raise ValueError(f"{each.name} has to be a number of seconds, at least 0")
        check_function("get_token", self.get_token)
        check_functions(parse=self.parse, debug=self.debug)
        if not is_name(self.tenant, r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"):
            raise ValueError("tenant has to be 1 to 63 characters of A-Z a-z 0-9 _ -, beginning with a letter, a digit or _")
        if self.group_id is not None and not is_name(self.group_id, r"[A-Za-z0-9_.-]{1,128}"):
            raise ValueError("group_id has to be 1 to 128 characters of A-Z a-z 0-9 _ - .")
        if self.authenticate not in ("handshake", "first-message"):
            raise ValueError('authenticate has to be "handshake" or "first-message"')
        if self.api_key is not None and not _is_api_key(self.api_key):
            raise TypeError('api_key has to be a pair of strings, ("name", "key"); the name has no colon')
        if self.dpop is not None and not isinstance(self.dpop, DpopKey):
            raise TypeError(f"dpop has to be a DpopKey, not {type_name(self.dpop)}")
        if self.api_key is not None and self.get_token is not None:
            raise ValueError("set api_key or get_token, not both")
        if self.dpop is not None and self.get_token is None:
            raise ValueError("dpop needs get_token: the key proves the possession of a token")

    def target(self) -> str:
        """The URL of each connection."""
        parts = urlsplit(self.url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        query += [("tenant", self.tenant), ("subscribe", "none"), ("batch", "true")]
        if self.group_id is not None:
            query.append(("group_id", self.group_id))
        # Only form decoding reads a plus as a space.
        text = urlencode(query).replace("+", "%20")
        return SplitResult(parts.scheme, parts.netloc, parts.path, text, "").geturl()

    def headers(self) -> dict[str, str]:
        """The headers of the handshake."""
        if self.api_key is None:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(":".join(self.api_key).encode()).decode()}

    def prove(self, token: str, wall: float) -> str | None:
        """A proof of possession for this token, if the stream has a key."""
        return self.dpop.prove(self.url, token, wall) if self.dpop is not None else None


def is_name(value: object, pattern: str) -> bool:
    """True if a value is a text that the whole pattern matches."""
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _is_api_key(value: object) -> bool:
    is_pair = isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(each, str) and each for each in value)
    return is_pair and ":" not in value[0]  # type: ignore[index]


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and value >= 0 and not math.isnan(value)


def _check_url(url: object) -> None:
    """Raises for a URL that cannot be used. The error does not repeat it, because it may have a secret."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        is_url = parts.scheme in ("ws", "wss") and bool(parts.hostname) and (parts.port or True)
    except ValueError:
        is_url = False
    if not is_url:
        raise ValueError(f"url has to be a WebSocket URL such as {_EXAMPLE}") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("url must not contain a user name or password; use get_token or api_key instead")
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if name in _OPTIONS:
            raise ValueError(f"url must not contain `{name}`; use {_OPTIONS[name]} instead")
        if name in _OWN:
            raise ValueError(f"url must not contain `{name}`; this client sets it")
