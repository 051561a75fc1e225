"""The starter study that `capsim init` writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

STARTER: Final = Path(__file__).parent / "starter.yaml"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def starter(name: str) -> str:
    """The starter study under a name.

    Raises ValueError where the name is none.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"`{name}` is no name for a study: write letters, digits, `-` and `_`")
    return STARTER.read_text(encoding="utf-8").replace("name: my-study", f"name: {name}", 1)
