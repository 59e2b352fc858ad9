"""Finds the Python examples of a page."""

import re
from pathlib import Path


def examples(page: Path, section: str | None = None) -> list[str]:
    """The `python` blocks of a page, or of one of its sections."""
    text = page.read_text()
    if section is not None:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
        assert text, f"{page} has no section {section}"
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
