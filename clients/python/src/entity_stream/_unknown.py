"""Refuses names that do not exist, because a misspelt option would otherwise have no effect."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def refuse_unknown(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raises `TypeError` for a name that is not known, and says what was probably meant."""
    names = list(known)
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(names)}"
            raise TypeError(f"{what} has no `{name}`; {hint}")
