"""Entity changes in real time, for asyncio. `entity_stream.sync` has the same for programs without asyncio."""

from ._core.effects import StateChange, StreamState
from .bookmark import Bookmark
from .debug import DebugEntry
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
from .view import EntityView

__version__ = "0.1.0"

__all__ = [
    "AuthenticationError",
    "Bookmark",
    "Change",
    "ClosedError",
    "ConnectionFailed",
    "DebugEntry",
    "DpopKey",
    "Entities",
    "Entity",
    "EntityEvent",
    "EntityStream",
    "EntityStreamError",
    "EntityView",
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
