"""One connection, as the core sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from .subscriptions import Add, Request, Subscription


class Phase(Enum):
    """The life of a connection. It only moves down this list."""

    #: The handshake is under way.
    CONNECTING = auto()
    #: The token or the proof of possession is under way.
    AUTHENTICATING = auto()
    #: The first `subscribe` is under way, or waits for its turn.
    SUBSCRIBING = auto()
    #: The server has acknowledged the subscriptions.
    STREAMING = auto()
    #: A replacement is in use; this one still receives events that are under way.
    DRAINING = auto()
    #: A member of a group unsubscribes, and takes the events that are assigned to it.
    LEAVING = auto()
    #: The client has closed the connection. Events that arrive before its end still count.
    CLOSING = auto()


class Kind(Enum):
    """The purpose of a message that waits for its answer."""

    BIND = auto()
    AUTHENTICATE = auto()
    OPEN = auto()
    CHANGE = auto()
    SNAPSHOT = auto()
    RENEW = auto()
    LEAVE = auto()


@dataclass
class Message:
    """A message that waits for its answer."""

    kind: Kind
    action: str
    answer_by: float
    #: The request about subscriptions, for `CHANGE`.
    request: Request | None = None
    #: The token, for `RENEW`.
    token: str | None = field(default=None, repr=False)


@dataclass
class Link:
    """A connection."""

    id: int
    token: str | None = field(repr=False)
    phase: Phase
    #: The end of the current attempt to open it.
    open_by: float | None
    messages: dict[str, Message] = field(default_factory=dict)
    count: int = 0
    #: The subscription of each name on this connection.
    names: dict[str, Subscription] = field(default_factory=dict)
    #: The additions in the first message, and the subscriptions in it that begin with a snapshot.
    opening: list[Add] = field(default_factory=list)
    begun: list[Subscription] = field(default_factory=list)
    has_since: bool = False
    #: The time from which it may ask for past events again.
    resumes_at: float = 0.0
    subscribed_at: float | None = None
    heard_at: float = 0.0
    ping_at: float | None = None
    pong_by: float | None = None
    rotate_at: float | None = None
    renew_at: float | None = None
    token_ends_at: float | None = None
    #: The end of draining, or of leaving the group at the latest.
    gone_by: float | None = None
    #: True once the connection has failed, and the client has given it up.
    is_lost: bool = False
    #: True once a member of a group has unsubscribed: the connection closes when nothing more arrives.
    is_quiet: bool = False

    @property
    def is_over(self) -> bool:
        return self.phase is Phase.CLOSING

    def awaits(self, *kinds: Kind) -> bool:
        """True if a message of one of these kinds waits for its answer."""
        return any(message.kind in kinds for message in self.messages.values())
