"""Entity changes in real time, for asyncio. `entity_stream.sync` has the same for programs without asyncio."""

from ._core.effects import StateChange, StreamState
from .bookmark import Bookmark
from .dpop import DpopKey
from .entities import Entities
from .entity import Change, Entity
from .errors import (
    AuthenticationError,
    ClosedError,
    ConnectionFailed,
    EntityStreamError,
    LoadError,
    OverflowError,
    RequestError,
)
from .events import EntityEvent, Item, NotRecovered, Recovered, SnapshotComplete, Verdict
from .filter import Filter
from .stream import EntityStream
from .subscription import Subscription

__version__ = "0.1.0"

__all__ = [
    "AuthenticationError",
    "Bookmark",
    "Change",
    "ClosedError",
    "ConnectionFailed",
    "DpopKey",
    "Entities",
    "Entity",
    "EntityEvent",
    "EntityStream",
    "EntityStreamError",
    "Filter",
    "Item",
    "LoadError",
    "NotRecovered",
    "OverflowError",
    "Recovered",
    "RequestError",
    "SnapshotComplete",
    "StateChange",
    "StreamState",
    "Subscription",
    "Verdict",
]
