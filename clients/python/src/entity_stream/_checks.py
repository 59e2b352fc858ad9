"""Checks the arguments of public calls, so that a mistake raises at the call and has no late or silent effect.

The errors name the argument and the type of the value, and never the value: it may be a credential.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def refuse_unknown(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raises `TypeError` for a name that is not known, and says what was probably meant."""
    names = list(known)
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(names)}"
            raise TypeError(f"{what} has no `{name}`; {hint}")


def named_options(what: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Makes a method, which has only keyword arguments, say what was probably meant by an unknown one."""

    def decorate(method: Callable[P, T]) -> Callable[P, T]:
        known = list(inspect.signature(method).parameters)[1:]

        @wraps(method)
        def call(*arguments: P.args, **options: P.kwargs) -> T:
            refuse_unknown(what, options, known)
            return method(*arguments, **options)

        return call

    return decorate


def check_functions(**functions: object) -> None:
    """Raises `TypeError` for an argument that is neither `None` nor an ordinary function."""
    for name, value in functions.items():
        if value is not None and not callable(value):
            raise TypeError(f"{name} has to be a function, not {type_name(value)}")
        if inspect.iscoroutinefunction(value):
            raise TypeError(f"{name} has to be an ordinary function, not an async one: nothing awaits its result")


def check_function(name: str, value: object) -> None:
    """Raises `TypeError` for an argument that is neither `None` nor a function, which may be `async`."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} has to be a function, not {type_name(value)}")


def check_flags(**flags: object) -> None:
    """Raises `TypeError` for an argument that is not a boolean."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} has to be True or False, not {type_name(value)}")


def check_timeout(timeout: object) -> None:
    """Raises `TypeError` for a time limit that is neither `None` nor a number of seconds."""
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float))):
        raise TypeError(f"timeout has to be a number of seconds, not {type_name(timeout)}")


def type_name(value: object) -> str:
    """The type of a value, for an error."""
    return type(value).__name__
