"""A place in the history of a service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A place in the history. A program stores its two texts, and passes it as `since` later, in another process too."""

    #: The greatest position that the stream has seen.
    position: str
    #: The session in which it saw the position.
    session: str

    def __post_init__(self) -> None:
        if not (isinstance(self.position, str) and isinstance(self.session, str)):
            raise TypeError("a Bookmark has a position and a session, and both are strings")

    def to_wire(self) -> dict[str, str]:
        """The `since` of a message."""
        return {"position": self.position, "session": self.session}


def earliest(places: Iterable[Bookmark | None]) -> Bookmark | None:
    """The place from which nothing is missed. `None` if one of the places is unknown."""
    known: list[Bookmark] = []
    for place in places:
        if place is None:
            return None
        known.append(place)
    return min(known, key=lambda each: each.position, default=None)
