"""The functions that a program adds for the events of a stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

from ._checks import check_functions

#: `event`: an entity has changed. `state`, `verdict` and `error`: as for `on_state`, `on_verdict` and `on_error`.
EventName = Literal["event", "state", "verdict", "error"]
Listener = Callable[[Any], None]


class Emitter:
    """A set of listeners for each name. A function that is added twice is called once."""

    def __init__(self, guard: Callable[[Listener, object], None]) -> None:
        self._guard = guard
        self._listeners: dict[str, dict[Listener, Listener]] = {name: {} for name in get_args(EventName)}

    def on(self, name: EventName, listener: Listener) -> Callable[[], None]:
        """Adds a listener. Returns a function that removes it."""
        listeners = self._of(name)
        check_functions(listener=listener)
        listeners[listener] = listener
        return lambda: self.off(name, listener)

    def once(self, name: EventName, listener: Listener) -> Callable[[], None]:
        """Adds a listener that is called once. One that was added before stays as it is."""
        check_functions(listener=listener)

        def call(value: object) -> None:
            self.off(name, listener)
            listener(value)

        listeners = self._of(name)
        if listener in listeners:
            return lambda: None
        listeners[listener] = call
        return lambda: self.off(name, listener)

    def off(self, name: EventName, listener: Listener) -> None:
        """Removes a listener."""
        self._of(name).pop(listener, None)

    def emit(self, name: EventName, value: object) -> None:
        """Calls the listeners. The others still get the value if one raises."""
        for call in list(self._listeners[name].values()):
            self._guard(call, value)

    def _of(self, name: str) -> dict[Listener, Listener]:
        if name not in self._listeners:
            raise ValueError(f"there is no event `{name}`; there are {', '.join(self._listeners)}")
        return self._listeners[name]
