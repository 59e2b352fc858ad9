"""The place in the history from which the stream resumes.

Invariants:
- The bookmark begins with the answer to a `subscribe` that names all subscriptions of the stream. After that it is the
  greatest position that the stream has seen.
- A stream that has missed events, or may have, gets one verdict with its next `subscribed`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..bookmark import Bookmark
from ..events import NotRecovered, Recovered, Verdict


@dataclass(frozen=True, slots=True)
class Step:
    """A move of the bookmark: to a new one, or to a later position of the same stream."""

    bookmark: Bookmark | None
    begins_anew: bool


class Resumption:
    """The bookmark of one stream, and the gap that waits for a verdict."""

    def __init__(self, on_move: Callable[[Bookmark | None], None]) -> None:
        self._on_move = on_move
        self._bookmark: Bookmark | None = None
        self.replayed = 0
        self.was_too_soon = False
        self._has_asked = False
        self._has_gap = False
        self._gap_since: float | None = None
        self._heard: float | None = None

    @property
    def bookmark(self) -> Bookmark | None:
        """The place from which the next connection resumes."""
        return self._bookmark

    @bookmark.setter
    def bookmark(self, bookmark: Bookmark | None) -> None:
        if bookmark != self._bookmark:
            self._bookmark = bookmark
            self._on_move(bookmark)

    def since(self) -> dict[str, Any] | None:
        """The place from which the next connection wants events."""
        return self._bookmark.to_wire() if self._bookmark else None

    def opened(self, *, has_asked: bool) -> None:
        """The first `subscribe` of a connection is sent, with `since` or without."""
        self._has_asked, self.replayed = has_asked, 0

    def hear(self, wall: float) -> None:
        """The server sent a frame."""
        self._heard = wall

    def answered(self, answer: Mapping[str, Any]) -> tuple[Step, Verdict | None]:
        """The first `subscribe` of a connection is answered."""
        is_due = self._has_asked or self._has_gap
        missed_since = self._gap_since if self._has_gap else None
        self._has_gap = self.was_too_soon = False
        verdict = self._verdict(answer, missed_since)
        if verdict is None and is_due:
            # A server that keeps no history, or does not know of it, gives no verdict.
            verdict = NotRecovered("unavailable", _time(missed_since))
        return Step(_bookmark(answer), not isinstance(verdict, Recovered)), verdict

    def accepted(self, answer: Mapping[str, Any]) -> tuple[Step, Verdict | None]:
        """A later `subscribe` of the same connection is answered."""
        verdict = self._verdict(answer, None)
        return Step(_bookmark(answer), isinstance(verdict, NotRecovered)), verdict

    def _verdict(self, answer: Mapping[str, Any], missed_since: float | None) -> Verdict | None:
        recovered = answer.get("recovered")
        if recovered is True:
            return Recovered(self.replayed)
        if recovered is False:
            reason = answer.get("reason")
            return NotRecovered(reason if isinstance(reason, str) else "unavailable", _time(missed_since))
        return None

    def proceed(self, step: Step) -> None:
        """Takes a move."""
        new, old = step.bookmark, self.bookmark
        if step.begins_anew or old is None:
            self.bookmark = new
        elif new is not None:
            self.bookmark = Bookmark(max(new.position, old.position), new.session)

    def seen(self, position: str) -> None:
        """The stream has seen this position, with all subscriptions answered."""
        old = self.bookmark
        if old is not None and position > old.position:
            self.bookmark = Bookmark(position, old.session)

    def lost(self) -> None:
        """A connection that had subscribed ended."""
        if not self._has_gap:
            self._has_gap, self._gap_since = True, self._heard

    def forget(self) -> None:
        """The stream has no subscription any more, so it misses nothing."""
        self.bookmark, self._has_gap, self._gap_since = None, False, None


def _bookmark(answer: Mapping[str, Any]) -> Bookmark | None:
    position, session = answer.get("position"), answer.get("session")
    return Bookmark(position, session) if isinstance(position, str) and isinstance(session, str) else None


def _time(wall: float | None) -> datetime | None:
    return datetime.fromtimestamp(wall, timezone.utc) if wall is not None else None
