"""Sends messages and keeps those that wait for an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..debug import DebugEntry
from .effects import Send
from .link import Kind, Link, Message
from .subscriptions import Request

if TYPE_CHECKING:
    from .machine import Machine


class Outbox:
    """Numbers the messages of each connection."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def send(self, link: Link, action: str, fields: Mapping[str, Any] | None = None) -> None:
        """Sends a message without an id."""
        if not link.is_over:
            text = _text({"action": action, **(fields or {})})
            self._machine.emit(Send(link.id, text))
            if self._machine.settings.debug is not None:
                self._machine.emit(DebugEntry("sent", action, len(text)))

    def request(
        self,
        link: Link,
        kind: Kind,
        action: str,
        fields: Mapping[str, Any] | None = None,
        *,
        request: Request | None = None,
        token: str | None = None,
    ) -> None:
        """Sends a message that waits for its answer."""
        link.count += 1
        answer_by = self._machine.clock.monotonic() + self._machine.settings.request_timeout
        link.messages[str(link.count)] = Message(kind, action, answer_by, request, token)
        self.send(link, action, {**(fields or {}), "requestId": str(link.count)})


def _text(message: Mapping[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
