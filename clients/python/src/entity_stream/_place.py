"""Describes an error of the program without its text, which may have a credential or a value of an entity."""

from __future__ import annotations

import os
import traceback


def place(error: BaseException) -> str:
    """The type of the error and the line that raised it, for example `KeyError at main.py:12`."""
    frames = traceback.extract_tb(error.__traceback__)
    name = type(error).__name__
    return f"{name} at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else name
