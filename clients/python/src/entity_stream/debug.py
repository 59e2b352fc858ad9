"""The entries for the `debug` function of a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class DebugEntry:
    """A message was sent or received, or the stream has changed its state. It has no token and no value of an entity."""

    kind: Literal["sent", "received", "state"]
    #: The action or the type of the message, or the state.
    what: str
    #: The size of the message in characters.
    size: int | None = None
    #: The code of the error, for a state that has one.
    error: str | None = None
