"""The snapshot that a stream receives in parts.

Invariants:
- At most one snapshot is under way, and no request about subscriptions at the same time: its token belongs to the
  subscriptions for which it was begun.
- The move of the bookmark waits for the end of the snapshot. A connection that is lost before begins the snapshot anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from .resumption import Step

#: The seconds before the client asks again after an empty part or a temporary error.
PAUSE = 1.0
#: The most temporary errors in a row. After them the client connects again.
FAILURES = 5
#: The most times that a snapshot begins anew on one connection because the server does not know its token.
RESTARTS = 3


@dataclass
class Snapshot:
    """The snapshot under way."""

    subscriptions: list[int]
    held: Step | None
    #: The token of the next part. `None`: subscribe once more, with a snapshot.
    next: str | None = None
    entities: int = 0
    failures: int = 0
    restarts: int = 0
    #: The time of the next request, in a pause.
    ask_at: float | None = None

    def hold(self, step: Step) -> None:
        """An answer to a `subscribe` of the snapshot moves the bookmark once the snapshot is complete."""
        anew = step.begins_anew or (self.held is not None and self.held.begins_anew)
        self.held = Step(step.bookmark, anew)

    def arrived(self, entities: int, next_token: str | None) -> bool:
        """A part arrived. Returns true if it was the last."""
        self.failures = 0
        self.entities += entities
        self.next = next_token
        return next_token is None

    def restart(self) -> bool:
        """The server does not know the token. Returns true if the snapshot may begin anew."""
        self.restarts += 1
        self.next, self.entities = None, 0
        return self.restarts <= RESTARTS

    def can_retry(self) -> bool:
        """The server failed. Returns true if the same request can be sent again."""
        self.failures += 1
        return self.failures <= FAILURES
