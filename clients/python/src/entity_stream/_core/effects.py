"""The effects that the core asks for. The shell carries them out in their order."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from ..bookmark import Bookmark
from ..debug import DebugEntry
from ..errors import EntityStreamError
from ..events import Item, Verdict
from ..filter import Filter


class StreamState(str, Enum):
    """The state of a stream."""

    #: There is no subscription and no connection.
    IDLE = "idle"
    #: An attempt to connect is under way.
    CONNECTING = "connecting"
    #: The server has acknowledged the subscriptions. Matching changes that are published now are delivered.
    CONNECTED = "connected"
    #: The last attempt or connection failed. The next attempt follows after a wait.
    WAITING = "waiting"
    #: Another attempt would fail as well. `subscribe` makes another attempt.
    FAILED = "failed"
    #: The stream was closed.
    CLOSED = "closed"

    __str__ = str.__str__


@dataclass(frozen=True, slots=True)
class Open:
    """Open a connection. Answer with `opened` or `closed`."""

    link: int
    token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Send:
    """Send a text message."""

    link: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Close:
    """Close a connection in order. Answer with `closed`."""

    link: int


@dataclass(frozen=True, slots=True)
class FetchToken:
    """Call the program's `get_token`. Answer with `token_fetched` or `token_failed`."""

    fetch: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """Give an item to a subscription."""

    subscription: int
    item: Item


@dataclass(frozen=True, slots=True)
class Moved:
    """The program has received everything up to this place with the effects before."""

    bookmark: Bookmark | None


@dataclass(frozen=True, slots=True)
class Told:
    """Give a verdict to the program, for the stream as a whole."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Online:
    """A connection has opened after a time without one."""


@dataclass(frozen=True, slots=True)
class Offline:
    """The connection has ended."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """The state of the stream has changed."""

    state: StreamState
    #: The reason, for `waiting` and `failed`.
    error: EntityStreamError | None = None
    #: The seconds until the next attempt, for `waiting`.
    retry_in: float | None = None
    #: For `connected` after a gap that was not recovered: the time when the server was last heard from.
    missed_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Report an error from which the stream recovers by itself, or which ended it."""

    error: EntityStreamError


@dataclass(frozen=True, slots=True)
class Settled:
    """A call of the program has succeeded, or failed with this error."""

    call: int
    error: EntityStreamError | None
    #: The filter that the server has put into force, for `subscribe` and `update`.
    in_force: Filter | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A subscription is over. Its loops end, with this error."""

    subscription: int
    error: EntityStreamError | None


Effect = (
    Open
    | Send
    | Close
    | FetchToken
    | Deliver
    | Moved
    | DebugEntry
    | Told
    | Online
    | Offline
    | StateChange
    | Trouble
    | Settled
    | Ended
)
